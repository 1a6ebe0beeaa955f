//! A file system that fails or hangs on demand (`failing.py`): what is lost is counted, nobody waits, and it resumes by itself.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::home::{Home, repository};
use crate::rig::http::Arg::{Bool, Int, Text};
use crate::rig::maker::{Maker, reference_python};
use crate::rig::procfs;
use crate::rig::wait::until_true;

const PROGRAMS: &str = "\
[program:count]
command=/bin/sh -c 'i=0; while :; do i=$((i+1)); printf \"%%07d\\n\" $i; echo $i >%(here)s/said; sleep 0.005; done'
stdout_logfile=%(here)s/small/log
stdout_logfile_maxbytes=0
stopsignal=KILL
startsecs=0
[program:other]
command=/bin/cat
stdout_logfile=%(here)s/other
autostart=false
startsecs=0
[program:quiet]
command=/bin/cat
stdout_logfile=%(here)s/small/quiet
autostart=false
startsecs=0
[program:brief]
command=/bin/sh -c 'trap \"echo last words; exit 3\" USR1 TERM; echo ready; while :; do sleep 0.01; done'
stdout_logfile=%(here)s/brief
autostart=false
startsecs=0
";

/// Starts a daemon for which `small` is the failing file system; what is really there lies in `behind`.
fn start() -> Daemon {
    let home = Home::new();
    home.write("mode", "");
    home.write("behind/log", "");
    home.write("small/not mounted", "");
    let (python, script) = (reference_python(), repository("tests/faults/failing.py"));
    let mount = format!("{} {} small behind mode", python.display(), script.display());
    let inside = format!(
        "[ -e /dev/fuse ] || mknod /dev/fuse c 10 229\n{mount} &\n\
         while [ -e 'small/not mounted' ]; do kill -0 $! || exit 1; sleep 0.02; done\n\
         exec bin/supervisord -n -c supervisord.conf\n"
    );
    home.write("inside", &inside);
    let prelude = "exec unshare --mount --propagation private /bin/sh ./inside";
    let daemon = Daemon::start_after(prelude, home, Maker::Upkeep, PROGRAMS);
    until_true("some lines", || lines(&daemon) > 10);
    daemon
}

fn lines(daemon: &Daemon) -> usize {
    daemon.home.read("behind/log").lines().count()
}

/// The log holds the numbers from 1 on, but for those that were counted as dropped.
fn assert_counted(daemon: &Daemon, dropped: usize) {
    let log = daemon.home.read("behind/log");
    let last: usize = log.lines().last().and_then(|line| line.parse().ok()).expect("a number");
    assert_eq!(log.len() + dropped, last * 8, "{}", daemon.log());
}

#[test]
fn a_disk_with_errors_costs_what_is_counted() {
    let daemon = start();
    for (mode, reason) in [("EIO", "Input/output error"), ("EROFS", "Read-only file system")] {
        daemon.home.write("mode", mode);
        daemon.wait_log(&format!("{reason}; its lines are dropped"));
        let status = daemon.upkeep(&["status", "count"]).stdout;
        assert!(status.contains(&format!(" dropped ({reason})\n")), "{status}");
        daemon.call("supervisor.startProcess", &[Text("other"), Bool(true)]);
        daemon.call("supervisor.stopProcess", &[Text("other"), Bool(true)]);
        let before = lines(&daemon);
        daemon.home.write("mode", "");
        until_true("new lines", || lines(&daemon) > before + 10);
    }
    daemon.call("supervisor.stopProcess", &[Text("count"), Bool(true)]);
    let losses = daemon.call("upkeep.getLogLosses", &[]);
    let dropped = member(&losses, "dropped").and_then(|text| text.parse().ok()).expect("a loss");
    assert_counted(&daemon, dropped);
}

/// Nothing can be written, not even with an error. Nothing is lost: it waits in the pipe.
#[test]
fn a_disk_that_hangs_delays_no_control() {
    let daemon = start();
    daemon.home.write("mode", "hang");
    until_true("somebody waits for the disk", || daemon.home.join("mode.hangs").exists());
    let before = lines(&daemon);
    // More than the daemon has threads for other work.
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| daemon.call("supervisor.readProcessStdoutLog", &[Text("count"), Int(0), Int(0)]));
        }
        control_goes_on(&daemon);
        assert_eq!(lines(&daemon), before, "the log thread hangs");
        daemon.home.write("mode", "");
    });
    until_true("new lines", || lines(&daemon) > before + 10);
    daemon.call("supervisor.stopProcess", &[Text("count"), Bool(true)]);
    assert_counted(&daemon, 0);
}

fn control_goes_on(daemon: &Daemon) {
    // Comes after the others, as they wait for the log thread too.
    assert!(daemon.upkeep(&["logs"]).stdout.contains("INFO supervisord started"), "another disk's log");
    let began = Instant::now();
    assert!(daemon.ctl(&["status", "count"]).stdout.contains("RUNNING"));
    assert!(daemon.upkeep(&["status", "count"]).stdout.contains("RUNNING"));
    daemon.call("supervisor.startProcess", &[Text("other"), Bool(true)]);
    assert_eq!(daemon.state("other").as_deref(), Some("RUNNING"));
    daemon.call("supervisor.stopProcess", &[Text("other"), Bool(true)]);
    assert_eq!(daemon.state("other").as_deref(), Some("STOPPED"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Whoever writes into a pipe that is being moved to a file waits, and not even SIGKILL ends it before the disk answers.
#[test]
fn a_program_goes_on_and_can_be_stopped_while_the_disk_of_its_log_hangs() {
    let daemon = start();
    daemon.home.write("mode", "hang-writes");
    until_true("somebody waits for the disk", || daemon.home.join("mode.hangs").exists());
    let said = || daemon.home.read("said").trim().parse().unwrap_or(0);
    let before: u32 = said();
    until_true("it goes on", || said() > before + 10);
    daemon.call("supervisor.stopProcess", &[Text("count"), Bool(true)]);
    assert_eq!(daemon.state("count").as_deref(), Some("STOPPED"));
    daemon.home.write("mode", "");
    until_true("all that was said", || lines(&daemon) >= usize::try_from(said()).unwrap_or_default());
    assert_counted(&daemon, 0);
}

/// Kills the daemon while its log thread hangs, and returns when another one is there.
fn kill_while_it_hangs(daemon: &Daemon, meanwhile: impl FnOnce()) {
    let brain = daemon.brain().expect("a daemon");
    daemon.home.write("mode", "hang-writes");
    until_true("somebody waits for the disk", || daemon.home.join("mode.hangs").exists());
    meanwhile();
    assert_eq!(daemon.home.read("brief"), "ready\n", "the log thread hangs");
    // It has died when the disk answers: before that the kernel waits with its thread.
    procfs::signal(brain, Signal::KILL);
    daemon.home.write("mode", "");
    until_true("another daemon", || daemon.brain().is_some_and(|pid| pid != brain));
}

/// A process goes on while the last words of its last run wait for the log thread: the next daemon knows whose they are.
#[test]
fn last_words_outlive_the_daemon_though_the_process_went_on() {
    let daemon = start();
    daemon.call("supervisor.startProcess", &[Text("brief"), Bool(true)]);
    daemon.wait_file("brief", "ready\n");
    let first = daemon.pid_of("brief");
    kill_while_it_hangs(&daemon, || {
        procfs::signal(first, Signal::USR1);
        let runs = || daemon.state("brief").as_deref() == Some("RUNNING");
        until_true("another run", || daemon.pid_of("brief") != first && runs());
    });
    daemon.wait_file("brief", "ready\nlast words\nready\n");
    daemon.call("supervisor.stopProcess", &[Text("count"), Bool(true)]);
    assert_counted(&daemon, 0);
}

/// Where those go of a process that is gone, too.
#[test]
fn last_words_outlive_the_daemon_though_the_process_is_gone() {
    let daemon = start();
    daemon.call("supervisor.startProcess", &[Text("brief"), Bool(true)]);
    daemon.wait_file("brief", "ready\n");
    kill_while_it_hangs(&daemon, || {
        daemon.call("supervisor.stopProcess", &[Text("brief"), Bool(true)]);
        daemon.call("supervisor.removeProcessGroup", &[Text("brief")]);
    });
    daemon.wait_file("brief", "ready\nlast words\n");
    // Once, though another one dies.
    daemon.kill_brain();
    assert_eq!(daemon.home.read("brief"), "ready\nlast words\n");
}

/// A start that was familiar before the disk of its log began to hang waits for it, and nobody else does.
#[test]
fn a_start_whose_log_hangs_delays_no_control() {
    let daemon = start();
    let control = |method: &str, name: &str| {
        daemon.call(&format!("supervisor.{method}"), &[Text(name), Bool(true)]);
    };
    for method in ["startProcess", "stopProcess", "startProcess", "stopProcess", "startProcess"] {
        control(method, "quiet");
    }
    daemon.home.write("mode", "hang");
    until_true("somebody waits for the disk", || daemon.home.join("mode.hangs").exists());
    procfs::signal(daemon.pid_of("quiet"), Signal::KILL);
    until_true("the start", || daemon.state("quiet").as_deref() == Some("STARTING"));
    for (method, state) in [("startProcess", "RUNNING"), ("stopProcess", "STOPPED")] {
        control(method, "other");
        assert_eq!(daemon.state("other").as_deref(), Some(state));
    }
    // Had that taken long, the start would have failed meanwhile.
    assert_eq!(daemon.state("quiet").as_deref(), Some("STARTING"), "{}", daemon.log());
    daemon.home.write("mode", "");
    daemon.wait("RUNNING", &["quiet"]);
}

/// Whoever is told that its new logs are in use finds all that comes from then on in them, and in the last ones that were asked for,
/// whichever could be opened first.
#[test]
fn an_update_is_answered_when_the_new_log_is_in_use() {
    let daemon = start();
    daemon.call("supervisor.startProcess", &[Text("other"), Bool(true)]);
    let update = |log: &str| {
        let old = "stdout_logfile=%(here)s/other\n";
        let new = format!("stdout_logfile=%(here)s/{log}\n");
        daemon.home.write("supervisord.conf", &format!("{HEAD}{}", PROGRAMS.replace(old, &new)));
        daemon.ctl(&["update"]).stdout
    };
    let say = |text: &str| daemon.call("supervisor.sendProcessStdin", &[Text("other"), Text(text)]);
    daemon.home.write("mode", "hang-opens");
    std::thread::scope(|scope| {
        let updated = scope.spawn(|| {
            let told = update("small/new");
            say("one\n");
            told
        });
        until_true("somebody waits for the disk", || daemon.home.join("mode.hangs").exists());
        // For so long that it would have been told, if nobody waited.
        (0..20).for_each(|_| drop(daemon.call("supervisor.getAllProcessInfo", &[])));
        daemon.home.write("mode", "");
        assert_eq!(updated.join().expect("an update"), "other: updated process group\n");
    });
    daemon.wait_file("behind/new", "one\n");
    assert_eq!(daemon.home.read("other"), "");

    // This time nobody waits until the disk answers.
    daemon.home.write("mode", "hang-opens");
    assert_eq!(update("small/later"), "other: updated process group\n");
    assert_eq!(update("last"), "other: updated process group\n");
    daemon.home.write("mode", "");
    until_true("the one that came late", || daemon.home.join("behind/later").exists());
    let before = lines(&daemon);
    until_true("what follows on that disk", || lines(&daemon) > before + 10);
    say("two\n");
    daemon.wait_file("last", "two\n");
    assert_eq!(
        (daemon.home.read("behind/new"), daemon.home.read("behind/later")),
        ("one\n".into(), String::new())
    );
}
