//! No descriptors left: starts fail with a word, everything else goes on, and so do starts when there are some again.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::Home;
use crate::rig::http::Arg::{self, Bool, Text};
use crate::rig::http::{call_xml, post_request};
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::{until, until_true, within};

const PROGRAMS: &str = "\
[program:runs]
command=/bin/sh -c 'echo hello; exec cat'
stdout_logfile=%(here)s/runs
startsecs=0
[program:more]
command=/bin/cat
stdout_logfile=%(here)s/more
autostart=false
startsecs=0
startretries=0
";

/// The lowest descriptor that a process does not use.
fn first_free(pid: i32) -> u64 {
    let used = |number: &u64| std::fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
    (0..).find(|number| !used(number)).expect("a number")
}

/// Sets how many descriptors a running process may have.
fn allow(pid: i32, descriptors: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(descriptors), maximum };
    prlimit(Pid::from_raw(pid), Resource::Nofile, limit).expect("prlimit");
}

/// Some are left: enough for a few clients and for what they want to read, not for another child.
#[test]
fn neither_process_needs_descriptors_to_answer() {
    let daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &["runs"]);
    daemon.wait_file("runs", "hello");
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    for starved in [brain, daemon.pid()] {
        allow(starved, first_free(starved) + 10);
        assert_eq!(daemon.state("runs").as_deref(), Some("RUNNING"));
        let refused = daemon.ctl(&["start", "more"]);
        assert_eq!(refused.stdout, "more: ERROR (spawn error)\n");
        let info = daemon.call("supervisor.getProcessInfo", &[Text("more")]);
        assert!(info.contains("too many open files to spawn"), "{info}");
        assert_eq!(daemon.log().matches("no descriptors are left for more programs").count(), 1);
        // Clients that have gone may hold some for a moment.
        until_true("the log to be read", || daemon.ctl(&["tail", "runs"]).stdout == "hello\n\n");
        allow(starved, 256);
        daemon.call("supervisor.startProcess", &[Text("more"), Bool(true)]);
        daemon.wait("RUNNING", &["more"]);
        daemon.call("supervisor.stopProcess", &[Text("more"), Bool(true)]);
    }
    assert_eq!(procfs::brain(daemon.pid()), Some(brain), "{}", daemon.log());
}

/// The keeper has none at all, not even for what it is given to hold for the next daemon: a client that waits is answered all the same.
#[test]
fn a_keeper_without_any_descriptor_keeps_its_daemon() {
    let programs = "\
[program:slow]
command=/bin/sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000 & wait; done'
stdout_logfile=%(here)s/slow
startsecs=0
stopwaitsecs=1
stopasgroup=true
killasgroup=true
";
    let daemon = Daemon::start(Maker::Upkeep, programs);
    daemon.wait_file("slow", "up");
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    allow(daemon.pid(), first_free(daemon.pid()));
    let stopped = daemon.call("supervisor.stopProcess", &[Text("slow"), Bool(true)]);
    assert!(stopped.contains("<boolean>1</boolean>"), "{stopped}");
    daemon.wait("STOPPED", &["slow"]);
    let log = daemon.log();
    assert_eq!(log.matches("the keeper has no descriptor left to hold").count(), 1, "{log}");
    assert_eq!(procfs::brain(daemon.pid()), Some(brain), "{log}");
    allow(daemon.pid(), 256);
    daemon.call("supervisor.startProcess", &[Text("slow"), Bool(true)]);
    daemon.wait("RUNNING", &["slow"]);
}

/// More programs than there are descriptors for: as many run as can, and there are enough left to control them, also after
/// the death of the daemon.
#[test]
fn too_many_programs_leave_descriptors_for_clients() {
    let config = "\
[supervisord]
minfds=100
[program:many]
command=/bin/cat
process_name=%(process_num)02d
numprocs=30
stdout_logfile=%(here)s/%(process_num)02d.out
stderr_logfile=%(here)s/%(process_num)02d.err
startsecs=0
startretries=0
";
    let daemon = Daemon::start_after("ulimit -n 100", Home::new(), Maker::Upkeep, config);
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    let counts = || {
        let status = daemon.ctl(&["status"]).stdout;
        let of = |state: &str| status.lines().filter(|line| line.contains(state)).count();
        (of(" RUNNING "), of(" FATAL "))
    };
    let (running, fatal) = until("every start to be decided", || {
        let (running, fatal) = counts();
        (running + fatal == 30).then_some((running, fatal))
    });
    assert!(running >= 5 && fatal >= 5, "{running} run, {fatal} do not");
    assert_eq!(procfs::brain(daemon.pid()), Some(brain), "{}", daemon.log());
    daemon.kill_brain();
    assert_eq!(counts(), (running, fatal));
    daemon.call("supervisor.stopProcess", &[Text("many:00"), Bool(true)]);
    daemon.call("supervisor.startProcess", &[Text("many:00"), Bool(true)]);
    daemon.wait("RUNNING", &["many:00"]);
}

/// Programs that need one pipe each run up to the limit: what they may need as well is not held against them.
#[test]
fn as_many_programs_run_as_there_are_descriptors_for() {
    let config = "\
[supervisord]
minfds=160
[program:many]
command=/bin/sleep 1000
process_name=%(process_num)02d
numprocs=90
stdin=null
redirect_stderr=true
stdout_logfile=NONE
startsecs=0
startretries=0
";
    let daemon = Daemon::start_after("ulimit -n 160", Home::new(), Maker::Upkeep, config);
    let status = until("every start to be decided", || {
        let status = daemon.ctl(&["status"]).stdout;
        let decided = status.lines().filter(|line| line.contains(" RUNNING ") || line.contains(" FATAL "));
        (decided.count() == 90).then_some(status)
    });
    assert_eq!(status.matches(" RUNNING ").count(), 90, "{status}");
}

/// A new daemon that finds no descriptor for the log of a program that runs already leaves what that writes in the pipe until there is one.
#[test]
fn a_log_that_cannot_be_opened_yet_loses_nothing() {
    let config = "\
[program:late]
command=/bin/sh -c 'until [ -e %(here)s/go ]; do sleep 0.02; done; echo one; echo two; exec cat'
redirect_stderr=true
stdout_logfile=%(here)s/late.log
startsecs=0
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["late"]);
    daemon.kill_brain();
    let pid = daemon.pid_of("late");
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    allow(brain, first_free(brain));
    daemon.home.write("go", "");
    let words = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    until_true("it to have said all", || words().starts_with("cat"));
    allow(brain, 256);
    daemon.wait_file("late.log", "one\ntwo\n");
}

/// A configuration of which the keeper cannot get a copy is not taken in: the next daemon would not find it.
#[test]
fn a_configuration_that_cannot_be_kept_is_not_read() {
    let daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &["runs"]);
    let pid = daemon.pid_of("runs");
    let edited = format!("{HEAD}{PROGRAMS}[program:new]\ncommand=/bin/cat\n");
    daemon.home.write("supervisord.conf", &edited);
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    // From too few for the answer itself to enough for everything: wherever it fails, the next daemon goes on.
    for spare in 0..8 {
        let brain = if spare == 0 { brain } else { until("the next one", || procfs::brain(daemon.pid())) };
        allow(brain, first_free(brain) + spare);
        let said = std::thread::scope(|scope| {
            let said = scope.spawn(|| daemon.ctl(&["reread"]));
            // The client waits in vain for a descriptor: it gets some again.
            let waits =
                crate::rig::wait::within(Duration::from_millis(300), || said.is_finished().then_some(()));
            if waits.is_none() {
                allow(brain, 256);
            }
            said.join().expect("the client")
        });
        let refused = said.stdout.contains("CANT_REREAD");
        assert!(refused || said.stdout == "new: available\n", "{said:?}");
        allow(brain, 256);
        daemon.kill_brain();
        assert_eq!(daemon.pid_of("runs"), pid, "{spare} to spare: {said:?}");
    }
}

/// How often a process has waited for something.
fn waits(pid: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find(|line| line.starts_with("voluntary")).unwrap_or_default().to_owned()
}

/// An event of which a listener has got a part: no descriptor is left to wait for the rest, and when there are some again nothing else
/// happens that could remind of it.
#[test]
fn a_listener_has_all_of_an_event_when_there_are_descriptors_again() {
    let config = "\
[eventlistener:ear]
command=/bin/sh -c 'echo READY; while ! test -e go; do sleep 0.05; done; cat > heard; :'
events=REMOTE_COMMUNICATION
startsecs=0
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["ear"]);
    until_true("a ready listener", || daemon.upkeep(&["listeners"]).stdout.contains("READY"));
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    let mut client = UnixStream::connect(daemon.socket()).expect("a connection");
    let mut ask = |method: &str, args: &[Arg<'_>]| {
        client.write_all(post_request(&call_xml(method, args)).as_bytes()).expect("to ask");
        let mut answer = String::new();
        while !answer.contains("</methodResponse>") {
            let mut buffer = [0; 4096];
            let count = client.read(&mut buffer).expect("an answer");
            answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        assert!(!answer.contains("<fault>"), "{answer}");
    };
    ask("supervisor.getState", &[]);
    // Those that are open stay so.
    allow(brain, 3);
    let long = format!("{}END", "x".repeat(200_000));
    ask("supervisor.sendRemoteCommEvent", &[Text("t"), Text(&long)]);
    drop(client);
    // Until it has been quiet for a while: memory is given back, and then nothing is left to do. If it tries again it is never quiet.
    let mut seen = (waits(brain), Instant::now());
    within(Duration::from_millis(1800), || {
        let now = waits(brain);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        (seen.1.elapsed() > Duration::from_millis(800)).then_some(())
    });
    allow(brain, 256);
    daemon.home.write("go", "");
    daemon.wait_file("heard", "END");
    assert_eq!(procfs::brain(daemon.pid()), Some(brain), "{}", daemon.log());
}
