//! The daemon is killed; what became of the processes?

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::{until, until_true};

const CONFIG: &str = "\
[program:cat]
command=/bin/cat
[program:pair]
command=/bin/cat
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[program:stopped]
command=/bin/cat
[program:idle]
command=/bin/cat
autostart=false
[program:ended]
command=/bin/sh -c 'exit 3'
startsecs=0
autorestart=false
[program:missing]
command=/no/such/program
startretries=0
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'
stopwaitsecs=3
killasgroup=true
";

const RUNNING: [&str; 4] = ["cat", "pair:pair_00", "pair:pair_01", "deaf"];

fn started() -> Daemon {
    let daemon = Daemon::start(Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &RUNNING);
    daemon.wait("EXITED", &["ended"]);
    daemon.wait("FATAL", &["missing"]);
    assert_eq!(daemon.ctl(&["stop", "stopped"]).stdout, "stopped: stopped\n");
    daemon.wait("STOPPED", &["stopped", "idle"]);
    daemon
}

/// What a client sees of a process, without the time of asking.
fn seen(daemon: &Daemon, name: &str) -> Vec<Option<String>> {
    let info = daemon.call("supervisor.getProcessInfo", &[Text(name)]);
    let keys =
        ["pid", "statename", "start", "stop", "exitstatus", "spawnerr", "stdout_logfile", "stderr_logfile"];
    keys.iter().map(|key| member(&info, key)).collect()
}

/// Same pids, same states, same start times, same AUTO logs; seven times in a row.
#[test]
fn every_process_is_as_it_was() {
    let daemon = started();
    let all = RUNNING.iter().copied().chain(["stopped", "idle", "ended", "missing"]);
    let before: Vec<_> = all.map(|name| (name, seen(&daemon, name))).collect();
    for round in 0..7 {
        daemon.kill_brain();
        for (name, info) in &before {
            assert_eq!(&seen(&daemon, name), info, "{name} after {} deaths", round + 1);
        }
    }
    assert_eq!(daemon.home.read("supervisord.pid"), format!("{}\n", daemon.pid()));
}

/// A child that ends while nobody decides: its exit is handled by the next daemon, and it is started again.
#[test]
fn an_exit_meanwhile_is_not_lost() {
    let daemon = started();
    let before = daemon.pid_of("cat");
    let brain = procfs::brain(daemon.pid()).expect("the deciding process");
    procfs::signal(brain, Signal::STOP);
    procfs::signal(before, Signal::KILL);
    until_true("the child's end", || !procfs::alive(before));
    procfs::signal(brain, Signal::KILL);
    daemon.wait_log("exited: cat (terminated by SIGKILL; not expected)");
    daemon.wait("RUNNING", &["cat"]);
    assert_ne!(daemon.pid_of("cat"), before);
    for name in ["pair:pair_00", "pair:pair_01", "deaf"] {
        assert_eq!(daemon.state(name).as_deref(), Some("RUNNING"));
    }
}

/// A stop that was under way goes on: SIGKILL comes when its time is over.
#[test]
fn a_stop_under_way_goes_on() {
    let daemon = started();
    let pid = daemon.pid_of("deaf");
    daemon.call("supervisor.stopProcess", &[Text("deaf"), Bool(false)]);
    daemon.wait("STOPPING", &["deaf"]);
    daemon.kill_brain();
    assert_eq!(daemon.state("deaf").as_deref(), Some("STOPPING"));
    daemon.wait("STOPPED", &["deaf"]);
    assert!(!procfs::alive(pid));
    daemon.wait_log(&format!("killing 'deaf' ({pid}) with SIGKILL"));
}

/// Retries go on where they were: FATAL after as many attempts as configured, not more.
#[test]
fn retries_go_on() {
    let config = "[program:hasty]\ncommand=/bin/sh -c 'exit 1'\nstartretries=2\n";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("BACKOFF", &["hasty"]);
    daemon.kill_brain();
    daemon.wait("FATAL", &["hasty"]);
    assert_eq!(daemon.log().matches("spawned: 'hasty'").count(), 3, "{}", daemon.log());
    assert_eq!(daemon.log().matches("gave up: hasty").count(), 1);
}

/// The configuration in effect stays in effect: a file that somebody edits meanwhile is read when told to.
#[test]
fn an_edited_file_is_not_read() {
    let daemon = started();
    let edited = format!("{HEAD}{CONFIG}[program:new]\ncommand=/bin/cat\n")
        .replace("stopwaitsecs=3", "stopwaitsecs=1");
    daemon.home.write("supervisord.conf", &edited);
    daemon.kill_brain();
    assert_eq!(daemon.state("new"), None);
    let config = daemon.call("supervisor.getAllConfigInfo", &[]);
    assert!(config.contains("<name>stopwaitsecs</name>\n<value><int>3</int>"), "{config}");
    assert_eq!(daemon.ctl(&["reread"]).stdout, "deaf: changed\nnew: available\n");
}

/// A daemon that was told to end while it was dead ends: every child is stopped, socket and pid file are gone.
#[test]
fn a_shutdown_after_a_death() {
    let mut daemon = started();
    let children: Vec<i32> = RUNNING.iter().map(|name| daemon.pid_of(name)).collect();
    let brain = procfs::brain(daemon.pid()).expect("the deciding process");
    procfs::signal(brain, Signal::KILL);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert!(children.iter().all(|pid| !procfs::alive(*pid)));
    assert!(!daemon.home.join("sock").exists() && !daemon.home.join("supervisord.pid").exists());
}

/// A shutdown that was under way goes on.
#[test]
fn a_shutdown_under_way_goes_on() {
    let mut daemon = started();
    daemon.call("supervisor.shutdown", &[]);
    daemon.wait_log("waiting for");
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    procfs::signal(brain, Signal::KILL);
    assert_eq!(daemon.wait_for_end(), Some(0));
    let log = daemon.log();
    assert!(!log.lines().any(|line| line.contains("spawned:") && line > first_waiting(&log)), "{log}");
}

fn first_waiting(log: &str) -> &str {
    log.lines().find(|line| line.contains("waiting for")).unwrap_or_default()
}

/// A daemon that dies in the middle of a reload leaves a daemon that has everything running again, as it was read for that.
#[test]
fn a_reload_under_way_goes_on() {
    let daemon = started();
    let edit = |name: &str| {
        let text = format!("{HEAD}{CONFIG}[program:{name}]\ncommand=/bin/cat\n");
        daemon.home.write("supervisord.conf", &text);
    };
    edit("new");
    daemon.call("supervisor.restart", &[]);
    // Nobody has asked for this.
    edit("newer");
    daemon.wait_log("waiting for");
    daemon.kill_brain();
    daemon.wait("RUNNING", &["cat", "pair:pair_00", "pair:pair_01", "deaf", "stopped", "new"]);
    assert_eq!(daemon.state("newer"), None);
}

/// A reload writes down what runs from then on: a daemon that dies later costs nothing.
#[test]
fn a_death_after_a_reload_costs_nothing() {
    let daemon = Daemon::start(Maker::Upkeep, "[program:cat]\ncommand=/bin/cat\n");
    daemon.wait("RUNNING", &["cat"]);
    let before = daemon.pid_of("cat");
    daemon.call("supervisor.restart", &[]);
    // Its socket is closed for a moment.
    until_true("another process", || {
        let info = daemon.try_call("supervisor.getProcessInfo", &[Text("cat")]).unwrap_or_default();
        let is = |name: &str, value: &str| member(&info, name).as_deref() == Some(value);
        is("statename", "RUNNING") && !is("pid", &before.to_string())
    });
    let pid = daemon.pid_of("cat");
    daemon.kill_brain();
    daemon.wait("RUNNING", &["cat"]);
    assert_eq!(daemon.pid_of("cat"), pid);
}
