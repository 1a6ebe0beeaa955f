//! Keeper and daemon are killed together; what does the next supervisord do with the processes that are left?

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until_true;

const PROGRAMS: &str = "\
[program:polite]
command=/bin/sh -c 'trap \"echo $$ >> %(here)s/asked; exit 0\" TERM; while :; do sleep 0.05; done'
stdout_logfile=NONE
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; exec sleep 600'
stopwaitsecs=1
[program:pair]
command=/bin/sleep 600
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[program:gone]
command=/bin/sleep 600
";

const NAMES: [&str; 4] = ["polite", "deaf", "pair:pair_00", "pair:pair_01"];

/// A daemon whose two processes were killed, and the pids that are left.
fn killed(more: &str) -> (Daemon, Vec<i32>) {
    let mut daemon =
        Daemon::start_in(Home::new(), Maker::Upkeep, &format!("{PROGRAMS}[supervisord]\n{more}"));
    daemon.wait("RUNNING", &NAMES);
    daemon.wait("RUNNING", &["gone"]);
    daemon.ctl(&["stop", "gone"]);
    // Every change was written down before the daemon could be asked about it; the file follows at once.
    until_true("the run file", || daemon.home.read("supervisord.pid.children").contains("\"gone\":"));
    let pids: Vec<i32> = NAMES.iter().map(|name| daemon.pid_of(name)).collect();
    daemon.kill_both();
    (daemon, pids)
}

fn living(pids: &[i32]) -> Vec<bool> {
    pids.iter().map(|&pid| procfs::process(pid).is_some_and(|process| !process.zombie)).collect()
}

/// By default: stopped as their programs say, killed if they do not listen, and nothing runs twice.
#[test]
fn what_is_left_is_stopped_first() {
    let (mut daemon, pids) = killed("");
    assert_eq!(living(&pids), [true; 4]);
    daemon.start_again();
    daemon.wait("RUNNING", &NAMES);
    assert_eq!(living(&pids), [false; 4], "{}", daemon.log());
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("killed supervisord left behind")).expect("a warning");
    for (name, pid) in NAMES.iter().zip(&pids) {
        let full = if name.contains(':') { (*name).to_owned() } else { format!("{name}:{name}") };
        assert!(line.contains(&format!("{full} (pid {pid})")), "{line}");
    }
    assert!(!line.contains("gone"), "it had ended before: {line}");
    assert!(log.contains(&format!("killing 'deaf' ({}) with SIGKILL", pids[1])), "{log}");
    assert_eq!(daemon.home.read("asked").trim(), pids[0].to_string(), "it was asked, once");
}

/// `orphans = ignore`: they are named and left alone.
#[test]
fn what_is_left_can_be_left_alone() {
    let (mut daemon, pids) = killed("orphans=ignore\n");
    daemon.start_again();
    daemon.wait("RUNNING", &NAMES);
    assert_eq!(living(&pids), [true; 4]);
    assert!(daemon.log().contains("are left alone, as orphans=ignore says"), "{}", daemon.log());
    for pid in pids {
        procfs::signal(pid, Signal::KILL);
    }
}

/// An end in order leaves nothing behind, and a death of the daemon alone is none of this.
#[test]
fn no_file_is_left_by_an_end_in_order() {
    let mut daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &NAMES);
    daemon.kill_brain();
    until_true("the run file of the next daemon", || {
        daemon.home.read("supervisord.pid.children").contains("\"name\":\"polite\"")
    });
    daemon.call("supervisor.shutdown", &[]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert!(!daemon.home.join("supervisord.pid.children").exists());
    assert!(!daemon.log().contains("left behind"), "{}", daemon.log());
}
