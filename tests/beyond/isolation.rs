//! What a program is confined to, seen from inside: real processes that say what they have, and what a kernel refuses.

use std::path::PathBuf;

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::wait::{until, until_true};

/// A program that says what it has, and stays.
fn program(name: &str, script: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand=/bin/sh -c '{script}; echo done; exec cat'\nstdout_logfile=%(here)s/{name}.out\n\
         redirect_stderr=true\nstartsecs=0\n{options}\n"
    )
}

/// What the program `name` said.
fn said(daemon: &Daemon, name: &str) -> String {
    until(&format!("{name} to have said all"), || {
        let text = daemon.home.read(&format!("{name}.out"));
        text.strip_suffix("done\n").map(str::to_owned)
    })
}

/// The line that begins so, its words with single blanks.
fn line(text: &str, start: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
    line[start.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shown(daemon: &Daemon, name: &str) -> String {
    let said = daemon.ctl(&["status", name]);
    said.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn resource_limits_are_those_of_the_child_and_of_nobody_else() {
    let options = "rlimit_nofile=100:200\nrlimit_nproc=1000:2000\nrlimit_core=0\nrlimit_fsize=1MB:2MB\n\
                   rlimit_stack=4MB\nrlimit_memlock=64KB\nrlimit_as=1GB\nrlimit_cpu=10m";
    let script = "cat /proc/self/limits";
    let config = program("all", script, options) + &program("none", script, "");
    let daemon = Daemon::start(Maker::Upkeep, &config);
    let (all, none) = (said(&daemon, "all"), said(&daemon, "none"));
    for (name, limit) in [
        ("Max open files", "100 200 files"),
        ("Max processes", "1000 2000 processes"),
        ("Max core file size", "0 0 bytes"),
        ("Max file size", "1048576 2097152 bytes"),
        ("Max stack size", "4194304 4194304 bytes"),
        ("Max locked memory", "65536 65536 bytes"),
        ("Max address space", "1073741824 1073741824 bytes"),
        ("Max cpu time", "600 600 seconds"),
    ] {
        assert_eq!(line(&all, name), limit, "{all}");
    }
    assert_ne!(line(&none, "Max file size"), line(&all, "Max file size"), "{none}");
    let keeper = std::fs::read_to_string(format!("/proc/{}/limits", daemon.keeper())).expect("limits");
    assert_eq!(line(&keeper, "Max file size"), line(&none, "Max file size"));
}

/// A process that shares memory with its parent would change `oom_score_adj` for both.
#[test]
fn priorities_are_those_of_the_child_and_of_nobody_else() {
    let script = "nice; ionice; cat /proc/self/oom_score_adj";
    let config = program("all", script, "nice=7\nionice=best-effort:6\noom_score_adj=321")
        + &program("idle", script, "ionice=idle")
        + &program("none", script, "");
    let daemon = Daemon::start(Maker::Upkeep, &config);
    let own = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a score");
    let usual = own(std::process::id().cast_signed());
    assert_eq!(said(&daemon, "all"), "7\nbest-effort: prio 6\n321\n");
    assert_eq!(said(&daemon, "idle"), format!("0\nidle\n{usual}"));
    let none = said(&daemon, "none");
    assert!(none.starts_with("0\nnone: prio ") && none.ends_with(&format!("\n{usual}")), "{none}");
    let brain = daemon.brain().expect("a daemon");
    assert_eq!((own(daemon.keeper()), own(brain)), (usual.clone(), usual));
}

#[test]
fn privileges_are_taken_away_and_kept() {
    let script = "cat /proc/self/status";
    let config = program("plain", script, "no_new_privileges=true")
        + &program("bound", script, "capability_bounding_set=CHOWN, CAP_NET_BIND_SERVICE")
        + &program("none", script, "capability_bounding_set=none")
        + &program("other", script, "user=nobody\ndirectory=/\nambient_capabilities=NET_BIND_SERVICE")
        + &program(
            "every",
            script,
            "user=nobody\ndirectory=/\nambient_capabilities=NET_BIND_SERVICE\nno_new_privileges=true\n\
             capability_bounding_set=NET_BIND_SERVICE\nwritable_paths=/tmp",
        );
    let daemon = Daemon::start(Maker::Upkeep, &config);
    let status = said(&daemon, "plain");
    assert_eq!(line(&status, "NoNewPrivs:"), "1");
    let bound = said(&daemon, "bound");
    assert_eq!((line(&bound, "CapBnd:"), line(&bound, "CapEff:")), (bits(0x401), bits(0x401)));
    let none = said(&daemon, "none");
    assert_eq!((line(&none, "CapBnd:"), line(&none, "NoNewPrivs:")), (bits(0), "0".to_owned()));
    let other = said(&daemon, "other");
    assert_ne!(line(&other, "Uid:"), "0 0 0 0");
    assert_eq!((line(&other, "CapEff:"), line(&other, "CapAmb:")), (bits(0x400), bits(0x400)));
    let every = said(&daemon, "every");
    assert_eq!((line(&every, "NoNewPrivs:"), line(&every, "Uid:")), ("1".to_owned(), line(&other, "Uid:")));
    let sets = ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:", "CapBnd:"].map(|set| line(&every, set));
    assert_eq!(sets, [const { "0000000000000400" }; 5]);
}

fn bits(set: u64) -> String {
    format!("{set:016x}")
}

/// The paths that may be written to may be files too. Who writes elsewhere is refused, whoever it is.
#[test]
fn a_program_writes_beneath_its_paths_alone() {
    let script = "echo a > free/a; mkdir free/b; mv free/a free/b/a; echo b > one; cat free/b/a one; echo c > bound/c; \
                  mkdir bound/d; rm bound/e; echo > /dev/null; cat bound/e";
    let options = "writable_paths=%(here)s/free,%(here)s/one\ndirectory=%(here)s";
    let home = Home::new();
    for name in ["free/x", "bound/e", "one"] {
        home.write(name, "there\n");
    }
    let daemon = Daemon::start_in(home, Maker::Upkeep, &program("app", script, options));
    let said = said(&daemon, "app");
    assert!(said.starts_with("a\nb\n") && said.ends_with("there\n"), "{said}");
    assert_eq!(said.matches("ermission denied").count(), 3, "{said}");
    assert_eq!(daemon.home.read("bound/e"), "there\n");
    assert!(!daemon.home.join("bound/c").exists() && !daemon.home.join("bound/d").exists());
}

#[test]
fn a_private_tmp_is_empty_and_goes_with_the_program() {
    let config =
        program("own", "ls -A /tmp /var/tmp; echo x > /tmp/of-own; ls /tmp", "private_tmp=true\ndirectory=/");
    let daemon = Daemon::start(Maker::Upkeep, &config);
    assert_eq!(said(&daemon, "own"), "/tmp:\n\n/var/tmp:\nof-own\n");
    assert!(!std::path::Path::new("/tmp/of-own").exists());
    assert!(daemon.home.path().exists(), "ours is as it was");
}

/// What is refused is a spawn error that names the key, and that is tried again as every other.
#[test]
fn what_cannot_be_applied_is_said_with_its_key() {
    let config = program("files", ":", "rlimit_nofile=unlimited\nstartretries=0")
        + &program("paths", ":", "writable_paths=/no/such\nstartretries=0")
        + &program("fine", ":", "rlimit_nofile=100");
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.wait("FATAL", &["files", "paths"]);
    let advice = "only root may raise a hard limit, and nobody above the system's fs.nr_open";
    let text = format!("can't apply rlimit_nofile: EPERM ({advice})");
    assert_eq!(shown(&daemon, "files"), format!("files FATAL {text}"));
    daemon.wait_log(&format!("spawnerr: {text}"));
    assert_eq!(shown(&daemon, "paths"), "paths FATAL can't apply writable_paths: '/no/such' is not there");
    daemon.wait("RUNNING", &["fine"]);
}

/// What only a new process can have: an update starts it anew, and nobody else.
#[test]
fn an_update_starts_anew_whose_limits_changed() {
    let script = "grep open /proc/self/limits";
    let config = |limit: &str| program("web", script, limit) + &program("other", script, "");
    let daemon = Daemon::start(Maker::Upkeep, &config("rlimit_nofile=100"));
    assert!(said(&daemon, "web").contains(" 100 "));
    let other = daemon.pid_of("other");
    std::fs::remove_file(daemon.home.join("web.out")).expect("removed");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{}", config("rlimit_nofile=90")));
    daemon.ctl(&["update"]);
    daemon.wait("RUNNING", &["web"]);
    let log = until("a new limit", || {
        let text = daemon.home.read("web.out") + &daemon.home.read("supervisord.log");
        text.contains(" 90 ").then_some(text)
    });
    assert!(log.contains("stopped: web"), "{log}");
    assert_eq!(daemon.pid_of("other"), other);
}

/// How often `web` was started.
fn starts(daemon: &Daemon) -> usize {
    daemon.log().matches("spawned: 'web' with pid").count()
}

/// A run that lasts too long is stopped as by hand; its time goes on while there is no daemon.
#[test]
fn a_run_that_lasts_too_long_ends_also_if_the_daemon_dies() {
    let script = "trap \"echo stopped >> ends; exit 0\" TERM; while :; do sleep 0.05; done";
    let config = format!(
        "[program:web]\ncommand=/bin/sh -c '{script}'\nmax_runtime=2\nautorestart=true\n\
         [program:once]\ncommand=/bin/sh -c '{script}'\nmax_runtime=2\nautorestart=false\n"
    );
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.wait_log("spawned: 'once'");
    daemon.kill_brain();
    daemon.wait("STOPPED", &["once"]);
    let text = shown(&daemon, "once");
    assert!(text.starts_with("once STOPPED ") && text.ends_with("; Ran for 2 s (max_runtime)"), "{text}");
    daemon.kill_brain();
    assert_eq!(shown(&daemon, "once"), text, "the next daemon knows why");
    until("another run", || (starts(&daemon) > 1).then_some(()));
    let log = daemon.log();
    assert!(log.contains("WARN ending 'web' (") && log.contains("): it ran for 2 s (max_runtime)"), "{log}");
    assert!(daemon.home.read("ends").starts_with("stopped\nstopped\n"));
}

/// What a process has started counts, too. A listener hears of it, and who restarted uses little again.
#[test]
fn who_uses_too_much_memory_with_all_it_started_is_ended() {
    let listener = "printf \"READY\\n\"; read head; echo \"$head\" >&2; while :; do sleep 1; done";
    let config = format!(
        "[program:web]\ncommand=/bin/sh %(here)s/web\nmemory_limit=50MB\nmemory_limit_interval=1\nautorestart=true\n\
         stopasgroup=true\n\
         [eventlistener:ears]\ncommand=/bin/sh -c '{listener}'\nevents=PROCESS_LIMIT\nstderr_logfile=%(here)s/heard\n"
    );
    let home = Home::new();
    home.write(
        "web",
        "[ -e full ] && exec cat\ntouch full\nsh -c 'x=$(head -c 60000000 /dev/zero | tr \"\\0\" x); sleep 600' &\nwait\n",
    );
    let daemon = Daemon::start_in(home, Maker::Upkeep, &config);
    daemon.wait_log("WARN ending 'web' (");
    daemon.wait_log("(memory_limit is 50 MB)");
    daemon.wait("RUNNING", &["web"]);
    assert_eq!(starts(&daemon), 2, "{}", daemon.log());
    daemon.wait_file("heard", "eventname:PROCESS_LIMIT");
}

/// Everybody uses more than a kilobyte.
#[test]
fn who_is_killed_for_its_memory_has_so_many_restarts_a_day() {
    let config = "[program:web]\ncommand=/bin/cat\nstartsecs=0\nautorestart=true\nmemory_limit=1KB\n\
                  memory_limit_interval=1\nmemory_limit_action=kill\nmax_restarts_per_day=1\n";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("FATAL", &["web"]);
    let log = daemon.log();
    assert_eq!((starts(&daemon), log.matches("exited: web (terminated by SIGKILL").count()), (2, 2), "{log}");
    assert!(log.contains("restarted 1 times within 24 h (max_restarts_per_day)"), "{log}");
    assert!(log.contains("of memory (memory_limit is 1 KB)"), "{log}");
}

/// Who depends on it ends first, and comes back after it.
#[test]
fn a_run_that_lasts_too_long_ends_after_those_that_depend_on_it() {
    let config = "[program:db]\ncommand=/bin/cat\nautorestart=true\nmax_runtime=2\nstartsecs=0\n\
                  [program:web]\ncommand=/bin/cat\nstartsecs=0\ndepends_on=db\non_dependency_stop=restart\n";
    let daemon = Daemon::start(Maker::Upkeep, config);
    let log = until("both to come back", || {
        let log = daemon.log();
        (log.matches("spawned: 'web'").count() > 1).then_some(log)
    });
    let at = |line: &str| log.find(line).unwrap_or_else(|| panic!("{line}: {log}"));
    let ended = [at("ending 'db' ("), at("stopped: web ("), at("stopped: db (")];
    assert!(ended.is_sorted(), "{log}");
    assert!(at("stopped: db (") < log.rfind("spawned: 'db'").unwrap_or(0), "{log}");
}

/// Plain files stand for those of the kernel; where they are missing the start fails with the key in its error.
#[test]
fn a_program_joins_its_control_group_with_its_limits() {
    let home = Home::new();
    for file in ["group/cgroup.procs", "group/cpu.max", "group/pids.max"] {
        home.write(file, "");
    }
    let config = program("app", ":", "cgroup=%(here)s/group\ncpu_limit=50\npids_limit=9")
        + &program("lost", ":", "cgroup=%(here)s/none\nstartretries=0");
    let daemon = Daemon::start_in(home, Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["app"]);
    assert_eq!(
        (daemon.home.read("group/cpu.max"), daemon.home.read("group/pids.max")),
        ("50000 100000".to_owned(), "9".to_owned())
    );
    assert_eq!(daemon.home.read("group/cgroup.procs"), "0", "whoever writes that joins");
    daemon.wait("FATAL", &["lost"]);
    let text = shown(&daemon, "lost");
    assert!(
        text.starts_with("lost FATAL can't apply cgroup: neither '") && text.ends_with("of cgroup v2"),
        "{text}"
    );
}

/// A folder of cgroup v2 in which others may be made. In the end nothing of it is left.
struct Groups(PathBuf);

impl Groups {
    /// `None` where there is none that may be written to.
    fn make() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let of_two = |line: &&str| line.split(' ').nth(2) == Some("cgroup2");
        let mount = mounts.lines().find(of_two)?.split(' ').nth(1)?;
        let folder = PathBuf::from(mount).join(format!("upkeep-test-{}", std::process::id()));
        std::fs::create_dir(&folder).ok()?;
        Some(Self(folder)).filter(|groups| groups.0.join("cgroup.procs").exists())
    }

    fn option(&self, name: &str) -> String {
        format!("cgroup={}", self.0.join(name).display())
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    fn members(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.join(name).join("cgroup.procs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn folders(&self) -> Vec<PathBuf> {
        let below = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        below.map(|entry| entry.path()).filter(|path| path.is_dir()).chain([self.0.clone()]).collect()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in self.folders() {
            // Who is still there was left by a test that failed.
            let _ = std::fs::write(folder.join("cgroup.kill"), "1");
            let _ =
                crate::rig::wait::within(crate::rig::wait::PATIENCE, || std::fs::remove_dir(&folder).ok());
        }
    }
}

/// What somebody else made stays, and so does what is needed.
#[test]
fn control_groups_that_were_made_go_with_their_programs() {
    let Some(groups) = Groups::make() else { return };
    std::fs::create_dir(groups.0.join("theirs")).expect("made");
    let [one, two, three] = ["one", "two", "theirs"].map(|name| program(name, ":", &groups.option(name)));
    let mut daemon = Daemon::start(Maker::Upkeep, &format!("{one}{two}{three}"));
    daemon.wait("RUNNING", &["one", "two", "theirs"]);
    assert_eq!(groups.members("one"), [daemon.pid_of("one").to_string()]);
    daemon.kill_brain();
    let update = |text: &str| {
        daemon.home.write("supervisord.conf", &format!("{HEAD}{text}"));
        daemon.ctl(&["update"]);
    };
    update(&two);
    until_true("the group of a program that is gone to go", || !groups.has("one"));
    assert!(groups.has("two") && groups.has("theirs"), "{}", daemon.log());
    update(&program("two", ":", &groups.option("else")));
    until_true("the group that it has left to go", || !groups.has("two") && groups.has("else"));
    daemon.ctl(&["shutdown"]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert!(!groups.has("else") && groups.has("theirs"));
}

#[test]
fn a_control_group_stays_while_somebody_lives_in_it() {
    let Some(groups) = Groups::make() else { return };
    let web = program("web", "setsid sleep 1000 >/dev/null 2>&1 </dev/null & :", &groups.option("web"));
    let other = program("other", ":", "");
    let daemon = Daemon::start(Maker::Upkeep, &format!("{web}{other}"));
    assert_eq!(said(&daemon, "web"), "");
    let own = daemon.pid_of("web").to_string();
    let left = until("the process that stays", || {
        let mut members = groups.members("web");
        members.retain(|pid| *pid != own);
        members.pop()
    });
    daemon.home.write("supervisord.conf", &format!("{HEAD}{other}"));
    daemon.ctl(&["update"]);
    daemon.wait_log(&format!("is not needed any more and stays: these processes are in it: {left}"));
    daemon.kill_brain();
    daemon.ctl(&["start", "other"]);
    let pid = rustix::process::Pid::from_raw(left.parse().expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    until_true("the group to be empty", || groups.members("web").is_empty());
    daemon.ctl(&["stop", "other"]);
    until_true("the group to go", || !groups.has("web"));
}

/// Keeper and daemon are killed, and the next ones know nothing of a program that had a group.
#[test]
fn control_groups_that_were_left_are_found_again() {
    let Some(groups) = Groups::make() else { return };
    std::fs::create_dir(groups.0.join("theirs")).expect("made");
    let [one, two] = ["one", "two"].map(|name| program(name, ":", &groups.option(name)));
    let mut daemon = Daemon::start(Maker::Upkeep, &format!("{one}{two}"));
    daemon.wait("RUNNING", &["one", "two"]);
    until_true("the run file", || {
        daemon.home.read("supervisord.pid.children").matches("\"child\"").count() >= 2
    });
    daemon.kill_both();
    daemon.home.write("supervisord.conf", &format!("{HEAD}{two}"));
    daemon.start_again();
    until_true("what was left to go", || !groups.has("one"));
    daemon.wait("RUNNING", &["two"]);
    assert!(groups.has("two") && groups.has("theirs"));
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let socket = "examples/run/isolation.sock";
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/isolation.conf", socket, &[]);
    daemon.wait("RUNNING", &["fresh", "humble", "reader"]);
    daemon.wait_file("examples/run/isolation.log", "WARN ending 'leaks' (");
    assert_eq!(daemon.home.read("examples/run/reader.txt"), "fine\n");
    assert!(!daemon.home.join("examples/reader.txt").exists());
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
