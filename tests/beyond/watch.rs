//! `watch` with real processes: changes of every kind start a program again, also while the daemon dies.

use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::{until, until_true};

/// `web` says each time it starts what it finds; `other` watches nothing.
const CONFIG: &str = "\
[program:web]
command=/bin/sh -c 'cat current/src/a.py >> got; echo >> got; exec sleep 1000'
watch=current/src/**/*.py, .env
watch_ignore=gen
watch_debounce=50ms
startsecs=0
[program:other]
command=/bin/cat
startsecs=0
";

fn started() -> Daemon {
    let home = Home::new();
    home.write("1/src/a.py", "one");
    home.write("1/src/b/c.py", "");
    home.write("1/src/gen/d.py", "");
    home.write("2/src/a.py", "two");
    home.write(".env", "A=1");
    turn(&home, "1");
    let daemon = Daemon::start_in(home, Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["web", "other"]);
    until_true("it watches", || daemon.brain().is_some_and(watches));
    starts(&daemon, 1);
    settled(&daemon);
    daemon
}

/// Lets `current` lead to another release, as deployments do.
fn turn(home: &Home, release: &str) {
    symlink(release, home.join("next")).expect("a link");
    std::fs::rename(home.join("next"), home.join("current")).expect("renamed");
}

/// Whether the deciding process has the thread that looks at files.
fn watches(brain: i32) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{brain}/task")) else { return false };
    let name =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.flatten().any(|task| name(task).trim() == "upkeep-watch")
}

/// Waits until the files have been looked at for the first time: until then there is nothing to compare with.
fn settled(daemon: &Daemon) {
    let brain = daemon.brain().expect("it is there");
    let waits = || {
        let tasks = std::fs::read_dir(format!("/proc/{brain}/task")).ok()?;
        let watching = tasks.flatten().find(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "upkeep-watch")
        })?;
        let at = std::fs::read_to_string(watching.path().join("syscall")).ok()?;
        // poll(2), or ppoll(2), without an end.
        let words: Vec<&str> = at.split_whitespace().collect();
        let forever = match words.as_slice() {
            ["7", _, _, timeout, ..] => timeout.ends_with("ffffffff"),
            ["271" | "73", _, _, timeout, ..] => *timeout == "0x0",
            _ => false,
        };
        forever.then_some(())
    };
    // Where the kernel does not tell what a thread waits for, the test has to take its chance.
    if std::fs::read_to_string(format!("/proc/{brain}/task/{brain}/syscall")).is_ok() {
        until("the files have been looked at", waits);
    }
    // What the thread has found is written down before a second question is answered.
    for _ in 0..2 {
        daemon.state("other");
    }
}

/// Waits until `web` has started so often, and returns what it found last.
fn starts(daemon: &Daemon, count: usize) -> String {
    until(&format!("{count} starts: {}", daemon.home.read("got")), || {
        let got = daemon.home.read("got");
        let lines: Vec<&str> = got.lines().collect();
        assert!(lines.len() <= count, "more than {count} starts: {got}\n{}", daemon.log());
        (lines.len() == count).then(|| lines[count - 1].to_owned())
    })
}

#[test]
fn every_kind_of_change_starts_it_again() {
    let daemon = started();
    let (home, other) = (&daemon.home, daemon.pid_of("other"));
    let mut count = 1;
    let mut changed = |what: &str, change: &dyn Fn(), found: &str| {
        change();
        count += 1;
        assert_eq!(starts(&daemon, count), found, "{what}");
        settled(&daemon);
    };
    changed("written", &|| home.write("1/src/a.py", "one more"), "one more");
    changed(
        "replaced as editors do",
        &|| {
            home.write("1/src/.a.py.swp", "replaced");
            std::fs::rename(home.join("1/src/.a.py.swp"), home.join("1/src/a.py")).expect("renamed");
        },
        "replaced",
    );
    changed("in a new directory", &|| home.write("1/src/x/y/z.py", ""), "replaced");
    changed("removed", &|| std::fs::remove_dir_all(home.join("1/src/x")).expect("removed"), "replaced");
    changed("a file by its name", &|| home.write(".env", "A=22"), "replaced");
    changed("another release", &|| turn(home, "2"), "two");
    changed("in that release", &|| home.write("2/src/a.py", "two more"), "two more");
    assert_eq!(daemon.pid_of("other"), other);
    assert!(daemon.log().contains("watch of [program:web]: "), "{}", daemon.log());
}

#[test]
fn what_is_not_meant_starts_nothing() {
    let daemon = started();
    for name in ["1/src/a.txt", "1/src/gen/d.py", "1/src/a.py~", "2/src/a.py", "got2", "1/src/.git/e.py"] {
        daemon.home.write(name, "changed");
    }
    daemon.home.write("1/src/a.py", "meant");
    assert_eq!(starts(&daemon, 2), "meant");
    settled(&daemon);
    // What was stopped stays stopped.
    daemon.ctl(&["stop", "web"]);
    daemon.home.write("1/src/a.py", "stopped");
    daemon.wait_log("a.py has changed");
    until_true("it was told", || daemon.log().matches("has changed").count() >= 2);
    assert_eq!(daemon.state("web").as_deref(), Some("STOPPED"));
    daemon.ctl(&["start", "web"]);
    assert_eq!(starts(&daemon, 3), "stopped");
}

#[test]
fn a_change_outlives_the_daemon() {
    let daemon = started();
    // Seen by nobody: the daemon that would see it sleeps until it is killed.
    procfs::signal(daemon.brain().expect("it is there"), Signal::STOP);
    daemon.home.write("1/src/a.py", "meanwhile");
    daemon.kill_brain();
    assert_eq!(starts(&daemon, 2), "meanwhile");
    settled(&daemon);
    // And the one after that has nothing to do.
    daemon.kill_brain();
    until_true("it watches", || daemon.brain().is_some_and(watches));
    settled(&daemon);
    daemon.home.write("1/src/a.py", "later");
    assert_eq!(starts(&daemon, 3), "later");
}

#[test]
fn update_changes_what_is_watched_while_it_runs() {
    let plain = CONFIG.replace("watch", "x_watch");
    let home = Home::new();
    home.write("1/src/a.py", "one");
    turn(&home, "1");
    let daemon = Daemon::start_in(home, Maker::Upkeep, &plain);
    daemon.wait("RUNNING", &["web"]);
    starts(&daemon, 1);
    let (pid, brain) = (daemon.pid_of("web"), daemon.brain().expect("it is there"));
    assert!(!watches(brain), "who watches nothing has no thread for it");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{CONFIG}"));
    daemon.ctl(&["update"]);
    until_true("it watches", || watches(brain));
    settled(&daemon);
    assert_eq!(daemon.pid_of("web"), pid, "no restart is needed for that");
    daemon.home.write("1/src/a.py", "two");
    assert_eq!(starts(&daemon, 2), "two");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{plain}"));
    daemon.ctl(&["update"]);
    until_true("it watches no more", || !watches(brain));
    assert_eq!(daemon.brain(), Some(brain));
}

/// A change while a reload is under way is followed by another one.
#[test]
fn a_reload_is_no_restart_and_none_is_lost() {
    let home = Home::new();
    home.write("in", "1");
    let config = "[program:web]\ncommand=/bin/cat\nstartsecs=0\nwatch=in\nwatch_debounce=50ms\nwatch_action=reload\n\
        reload_command=/bin/sh -c 'cat in >> out; echo >> out; while [ ! -e done ]; do sleep 0.02; done'\n";
    let daemon = Daemon::start_in(home, Maker::Upkeep, config);
    daemon.wait("RUNNING", &["web"]);
    until_true("it watches", || daemon.brain().is_some_and(watches));
    settled(&daemon);
    let pid = daemon.pid_of("web");
    daemon.home.write("in", "22");
    daemon.wait_file("out", "22\n");
    daemon.home.write("in", "333");
    daemon.home.write("done", "");
    daemon.wait_file("out", "22\n333\n");
    assert_eq!(daemon.pid_of("web"), pid);
}

/// A program that failed, and one that has done its work, start when there is something new.
#[test]
fn what_ended_by_itself_starts() {
    let home = Home::new();
    home.write("in", "1");
    let config = "[program:build]\ncommand=/bin/sh -c 'cat in >> out; echo >> out'\nautorestart=false\nstartsecs=0\n\
        watch=in\nwatch_debounce=50ms\n[program:broken]\ncommand=%(here)s/program\nstartretries=0\nwatch=program\nwatch_debounce=50ms\n";
    let daemon = Daemon::start_in(home, Maker::Upkeep, config);
    daemon.wait("EXITED", &["build"]);
    daemon.wait("FATAL", &["broken"]);
    settled(&daemon);
    daemon.home.write("in", "22");
    daemon.wait_file("out", "1\n22\n");
    daemon.home.write("program.new", "#!/bin/sh\nexec sleep 1000\n");
    let path = daemon.home.join("program.new");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    std::fs::rename(&path, daemon.home.join("program")).expect("renamed");
    daemon.wait("RUNNING", &["broken"]);
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let daemon =
        Daemon::start_with(home, Maker::Upkeep, "examples/watch.conf", "examples/run/watch.sock", &[]);
    daemon.wait("RUNNING", &["web"]);
    until_true("it watches", || daemon.brain().is_some_and(watches));
    settled(&daemon);
    let pid = daemon.pid_of("web");
    daemon.home.write("examples/watch.env", "GREETING=hello");
    until_true("another one", || ![0, pid].contains(&daemon.pid_of("web")));
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
