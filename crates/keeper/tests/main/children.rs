//! Children: signalled, ended, released.

use std::collections::BTreeSet;

use rustix::process::Signal;
use upkeep_keeper::wire::{SpawnPlan, StdinPlan, ToDaemon, ToKeeper};

use crate::rig::{Rig, is_gone, kill, read_line, sh, until};

const ESRCH: i32 = 3;

fn signal(token: u64, run: u64, signo: i32, group: bool) -> ToKeeper {
    ToKeeper::Signal { token, run, signo, group }
}

#[test]
fn a_signal_reaches_the_child_and_none_after_it_proc_080() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, _pipes) = daemon.spawn(1, sh("read line"));
    rig.adopt(pid);
    daemon.say(&signal(10, 1, 0, false));
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 10, errno: 0 });
    daemon.say(&signal(11, 1, 15, false));
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 11, errno: 0 });
    assert_eq!(daemon.exit_of(1), 15);
    for (token, run) in [(12, 1), (13, 999)] {
        daemon.say(&signal(token, run, 15, false));
        assert_eq!(daemon.hear().0, ToDaemon::Signalled { token, errno: ESRCH });
    }
    daemon.say(&signal(14, 1, 15, true));
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 14, errno: ESRCH });
}

#[test]
fn a_signal_to_the_group_finds_it_at_once_and_reaches_all_of_it_proc_080() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, pipes) = daemon.spawn(1, sh("sleep 600 & echo $!; wait"));
    rig.adopt(pid);
    let grandchild: u32 = read_line(&pipes[1]).parse().unwrap();
    daemon.say(&signal(1, 1, 15, true));
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 1, errno: 0 });
    assert_eq!(daemon.exit_of(1), 15);
    until("the end of the grandchild", || is_gone(grandchild).then_some(()));

    // Both requests arrive in one turn: the group must be there as soon as the child is.
    daemon.link.send(&ToKeeper::Spawn { run: 2, plan: sh("read line") }, &[]).unwrap();
    daemon.say(&signal(2, 2, 9, true));
    assert!(matches!(daemon.hear().0, ToDaemon::Spawned { run: 2, .. }));
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 2, errno: 0 });
    assert_eq!(daemon.exit_of(2), 9);
}

#[test]
fn an_end_is_told_with_what_it_cost() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    daemon.say(&ToKeeper::Spawn {
        run: 5,
        plan: sh("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 7"),
    });
    let (frame, _pipes) = daemon.hear();
    let ToDaemon::Spawned { run: 5, pid, at_ns } = frame else { panic!("{frame:?}") };
    let frame = daemon.hear().0;
    let ToDaemon::Exited { run: 5, pid: ended, exit } = frame else { panic!("{frame:?}") };
    assert_eq!((ended, exit.status), (pid, 7 << 8));
    assert!(exit.at_ns > at_ns && exit.at_ns <= upkeep_os::monotonic_ns());
    assert!(exit.utime_us + exit.stime_us > 1000, "{exit:?}");
    assert!(exit.maxrss_kib > 100, "{exit:?}");
}

#[test]
fn a_living_child_is_not_released_and_a_dead_one_is() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (living, _pipes) = daemon.spawn(1, sh("read line"));
    rig.adopt(living);
    daemon.spawn(2, sh("exit 0"));
    assert_eq!(daemon.exit_of(2), 0);
    daemon.say(&ToKeeper::Release { run: 1 });
    daemon.say(&ToKeeper::Release { run: 2 });
    daemon.say(&ToKeeper::Release { run: 3 });
    assert!(daemon.hear_all().is_empty());
    daemon.crash();
    let inventory = rig.daemon().inventory();
    let children: Vec<u64> = inventory
        .iter()
        .filter_map(|(frame, _)| match frame {
            ToDaemon::Child { run, .. } => Some(*run),
            _ => None,
        })
        .collect();
    assert_eq!(children, [1]);
}

#[test]
fn what_the_keeper_did_not_start_is_reaped_and_told_proc_086_proc_315() {
    // The shell has a child of its own before it becomes the keeper.
    let rig = Rig::start_after("sleep 600 & echo $! > \"$2.pid\"");
    let mut daemon = rig.ready_daemon();
    let stranger = std::fs::read_to_string(rig.dir.path().join("control.pid")).unwrap();
    let stranger: u32 = stranger.trim().parse().unwrap();
    kill(stranger, Signal::TERM);
    assert_eq!(daemon.hear().0, ToDaemon::Reaped { pid: stranger, status: 15 });
    assert!(is_gone(stranger));
}

#[test]
fn two_hundred_children_come_and_go() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let plan = SpawnPlan { stdin: StdinPlan::Null, stderr_to_stdout: true, ..sh("exit 0") };
    for run in 1..=200 {
        daemon.link.send(&ToKeeper::Spawn { run, plan: plan.clone() }, &[]).unwrap();
    }
    daemon.link.flush().unwrap();
    let (mut spawned, mut exited) = (BTreeSet::new(), BTreeSet::new());
    while exited.len() < 200 {
        let (frame, fds) = daemon.hear();
        match frame {
            ToDaemon::Spawned { run, .. } => {
                assert_eq!(fds.len(), 1);
                assert!(spawned.insert(run));
            }
            ToDaemon::Exited { run, exit, .. } => {
                assert!(spawned.contains(&run), "its start is told first");
                assert_eq!(exit.status, 0);
                assert!(exited.insert(run));
                daemon.say(&ToKeeper::Release { run });
            }
            other => panic!("{other:?}"),
        }
    }
    daemon.hear_all();
    let open = std::fs::read_dir(format!("/proc/{}/fd", rig.pid())).unwrap().count();
    assert!(open < 16, "{open} descriptors are left open");
}
