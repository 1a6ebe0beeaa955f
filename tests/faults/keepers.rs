//! The keeper is killed: the daemon starts another one and hands it everything.

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, member};
use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::{PATIENCE, until, until_true, within};

const PROGRAMS: &str = "\
[program:echo]
command=/bin/cat
stdout_logfile=%(here)s/echo
[program:counter]
command=/bin/sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'
stdout_logfile=%(here)s/counter
[program:leaver]
command=/bin/sh -c 'trap \"exit 3\" USR1; while :; do sleep 0.05; done'
autorestart=false
[program:slow]
command=/bin/sh -c 'trap \"sleep 2; echo done > %(here)s/slow; exit 0\" TERM; while :; do sleep 0.05; done'
[program:pair]
command=/bin/sleep 600
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[program:off]
command=/bin/sleep 600
autostart=false
";

pub(super) const NAMES: [&str; 6] = ["echo", "counter", "leaver", "slow", "pair:pair_00", "pair:pair_01"];

pub(super) fn started() -> Daemon {
    let daemon = Daemon::start_in(Home::new(), Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &NAMES);
    daemon
}

pub(super) fn pids(daemon: &Daemon) -> Vec<i32> {
    NAMES.iter().map(|name| daemon.pid_of(name)).collect()
}

fn parent(pid: i32) -> i32 {
    procfs::process(pid).expect("a process").parent
}

pub(super) fn says(daemon: &Daemon, words: &str) {
    daemon.call("supervisor.sendProcessStdin", &[Text("echo"), Text(words)]);
    daemon.wait_file("echo", words);
}

/// Every number, once and in order.
pub(super) fn assert_counted(daemon: &Daemon) {
    let text = daemon.home.read("counter");
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for (line, number) in whole.lines().zip(1..) {
        assert_eq!(line, number.to_string());
    }
}

#[test]
fn no_process_notices() {
    let mut daemon = started();
    let before = pids(&daemon);
    let brain = procfs::brain(daemon.pid());
    says(&daemon, "before\n");
    daemon.kill_keeper();
    let keeper = daemon.keeper();
    assert_eq!(pids(&daemon), before);
    assert_eq!(daemon.home.read("supervisord.pid"), format!("{keeper}\n"));
    assert_eq!(brain.map(procfs::alive), Some(true), "the daemon is the same");
    says(&daemon, "after\n");
    daemon.wait("STOPPED", &["off"]);
    daemon.wait_log("is gone: another one is started");
    // Signals arrive, and ends are seen as they are.
    daemon.call("supervisor.signalProcess", &[Text("leaver"), Text("USR1")]);
    daemon.wait("EXITED", &["leaver"]);
    daemon.wait_log("exited: leaver (exit status 3; not expected)");
    daemon.call("supervisor.stopProcess", &[Text("pair:pair_00")]);
    daemon.wait_log("stopped: pair_00 (terminated by SIGTERM)");
    procfs::signal(daemon.pid_of("pair:pair_01"), Signal::KILL);
    daemon.wait_log("exited: pair_01 (terminated by SIGKILL; not expected)");
    // What is started from now on is the new keeper's.
    daemon.wait("RUNNING", &["pair:pair_01"]);
    daemon.call("supervisor.startProcess", &[Text("off")]);
    for name in ["pair:pair_01", "off"] {
        assert_eq!(parent(daemon.pid_of(name)), keeper, "{name}");
    }
    let counted = daemon.home.read("counter").lines().count();
    until_true("more numbers", || daemon.home.read("counter").lines().count() > counted + 10);
    assert_counted(&daemon);
    // The new keeper takes signals as the old one did.
    let left: Vec<i32> = ["echo", "counter", "slow", "off"].map(|name| daemon.pid_of(name)).into();
    procfs::signal(keeper, Signal::TERM);
    until_true("the end", || !procfs::alive(keeper) && left.iter().all(|pid| !procfs::alive(*pid)));
    for name in ["sock", "supervisord.pid", "supervisord.pid.children"] {
        until_true(name, || !daemon.home.join(name).exists());
    }
}

/// Whatever dies after it: the new keeper holds what the old one held.
#[test]
fn one_death_after_the_other() {
    let mut daemon = started();
    let before = pids(&daemon);
    for round in 0..3 {
        daemon.kill_keeper();
        assert_eq!(pids(&daemon), before, "round {round}");
        daemon.kill_brain();
        assert_eq!(pids(&daemon), before, "round {round}");
        says(&daemon, &format!("{round}\n"));
    }
    let counted = daemon.home.read("counter").lines().count();
    until_true("more numbers", || daemon.home.read("counter").lines().count() > counted + 10);
    assert_counted(&daemon);
    daemon.call("supervisor.signalProcess", &[Text("leaver"), Text("USR1")]);
    daemon.wait_log("exited: leaver (exit status 3; not expected)");
}

/// A stop that was under way ends as it would have.
#[test]
fn a_stop_under_way_goes_on() {
    let mut daemon = started();
    daemon.call("supervisor.stopProcess", &[Text("slow"), crate::rig::http::Arg::Bool(false)]);
    daemon.wait("STOPPING", &["slow"]);
    daemon.kill_keeper();
    daemon.wait("STOPPED", &["slow"]);
    assert_eq!(daemon.home.read("slow"), "done\n");
}

/// What the `sleep`s with this in their environment were started as.
fn running(ours: &String) -> Vec<String> {
    let mut arguments: Vec<String> = procfs::processes()
        .iter()
        .filter(|process| process.comm == "sleep" && !process.zombie)
        .filter(|process| procfs::environment(process.pid).contains(ours))
        .map(|process| procfs::arguments(process.pid))
        .collect();
    arguments.sort_unstable();
    arguments
}

/// Waits until each of `expected` runs, and nobody else.
fn everybody_once(daemon: &Daemon, expected: &[String]) {
    let ours = format!("SUPERVISOR_SERVER_URL=unix://{}/sock", daemon.home.path().display());
    let mut last = Vec::new();
    let reached = within(PATIENCE, || {
        last = running(&ours);
        (last == expected).then_some(())
    });
    let missing: Vec<_> = expected.iter().filter(|one| !last.contains(one)).collect();
    let doubled: Vec<_> = last.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(reached.is_some(), "missing: {missing:?}, doubled: {doubled:?}\n{}", daemon.log());
}

/// In the middle of a hundred starts: everybody runs, and nobody twice.
#[test]
fn starts_under_way_go_on() {
    let config = "\
[program:many]
command=/bin/sleep 6000.%(process_num)03d
process_name=%(program_name)s_%(process_num)02d
numprocs=100
autostart=false
startsecs=0
";
    let mut daemon = Daemon::start_in(Home::new(), Maker::Upkeep, config);
    daemon.call("supervisor.startProcessGroup", &[Text("many"), crate::rig::http::Arg::Bool(false)]);
    until_true("the first ones", || procfs::descendants(daemon.pid()).len() > 10);
    daemon.kill_keeper();
    until("all to run", || {
        let info = daemon.call("supervisor.getAllProcessInfo", &[]);
        (info.matches("<string>RUNNING</string>").count() == 100).then_some(())
    });
    let expected: Vec<String> = (0..100).map(|number| format!("/bin/sleep 6000.{number:03}")).collect();
    everybody_once(&daemon, &expected);
    assert!(member(&daemon.call("supervisor.getState", &[]), "statename").is_some());
}

/// The daemon is killed too while it hands over, or before, or after: whatever the next one makes of it, everything runs,
/// and nothing runs twice.
#[test]
fn a_death_in_the_middle_of_it_doubles_nothing() {
    let config = "\
[program:many]
command=/bin/sleep 7000.%(process_num)03d
process_name=%(program_name)s_%(process_num)02d
numprocs=150
startsecs=0
[inet_http_server]
port=127.0.0.1:PORT
";
    let config = config.replace("PORT", &crate::rig::port::free_port().to_string());
    let mut daemon = Daemon::start_in(Home::new(), Maker::Upkeep, &config);
    let expected: Vec<String> = (0..150).map(|number| format!("/bin/sleep 7000.{number:03}")).collect();
    for microseconds in [0, 1000, 3000, 5000, 7000, 9000, 12000, 20000] {
        until("all to run", || {
            let info = daemon.try_call("supervisor.getAllProcessInfo", &[])?;
            (info.matches("<string>RUNNING</string>").count() == 150).then_some(())
        });
        // One that has just been made is not yet what it will be; one too many stays.
        everybody_once(&daemon, &expected);
        let brain = daemon.brain().expect("a deciding process");
        procfs::signal(daemon.keeper(), Signal::KILL);
        // Not a wait for anything: the deaths come so soon after one another.
        let then = std::time::Instant::now() + std::time::Duration::from_micros(microseconds);
        while std::time::Instant::now() < then {
            std::hint::spin_loop();
        }
        procfs::signal(brain, Signal::KILL);
        until_true("the end of the daemon", || !procfs::alive(brain));
        // Somebody goes on, however long that takes on a busy machine, or nobody is left.
        let is_alive = until("either", || match daemon.try_call("supervisor.getState", &[]) {
            Some(_) => Some(true),
            None => (!daemon.is_anybody_left()).then_some(false),
        });
        if !is_alive {
            daemon.start_again();
        }
    }
}
