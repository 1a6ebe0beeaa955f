//! A keeper that a daemon starts for itself, since its own was killed: nothing counts before all is handed over.

use std::os::fd::AsFd;

use upkeep_keeper::wire::{ToDaemon, ToKeeper};

use crate::rig::{Daemon, Rig, status_field, until};

/// The first frame, and the keeper it is from.
fn welcome(daemon: &mut Daemon) -> u32 {
    match daemon.hear().0 {
        ToDaemon::Welcome { keeper_pid, .. } => keeper_pid,
        other => panic!("no welcome: {other:?}"),
    }
}

/// What a daemon hands over: a record and a descriptor.
fn begin(daemon: &mut Daemon) {
    daemon.say(&ToKeeper::Put { key: 1, value: b"one".to_vec() });
    let null = std::fs::File::open("/dev/null").unwrap();
    daemon.say_with(&ToKeeper::Hold { name: "null".to_owned() }, &[null.as_fd()]);
    let frame = ToKeeper::Adopt {
        run: 1,
        pid: std::process::id(),
        start_ns: 7,
        exited: None,
        has_pidfd: true,
        has_stdin: false,
        has_stdout: false,
        has_stderr: false,
    };
    let pidfd = upkeep_os::pidfd(std::process::id()).unwrap();
    daemon.say_with(&frame, &[pidfd.as_fd()]);
    daemon.hear_all();
}

/// What the next daemon is told besides the greeting, after `daemon` was killed.
fn left_by(rig: &mut Rig, daemon: Daemon) -> usize {
    daemon.crash();
    // It was started by the test.
    rig.launcher.wait().unwrap();
    let mut next = rig.daemon();
    let inventory = next.inventory();
    next.say(&ToKeeper::Quit { code: 0 });
    next.exit(0);
    inventory.len() - 1
}

#[test]
fn all_is_there_once_it_is_handed_over() {
    let mut rig = Rig::heir();
    let mut daemon = rig.daemon();
    welcome(&mut daemon);
    begin(&mut daemon);
    daemon.say(&ToKeeper::Ready { detach: None });
    assert_eq!(left_by(&mut rig, daemon), 3);
}

/// A next daemon that knew of a process and not of its child would start it a second time.
#[test]
fn half_of_it_is_nothing() {
    let mut rig = Rig::heir();
    let mut daemon = rig.daemon();
    welcome(&mut daemon);
    begin(&mut daemon);
    assert_eq!(left_by(&mut rig, daemon), 0);
}

/// It has started another keeper meanwhile: this one must neither end it nor start a rival.
#[test]
fn a_keeper_that_its_daemon_gives_up_ends_alone() {
    let mut rig = Rig::heir();
    let mut daemon = rig.daemon();
    let keeper = welcome(&mut daemon);
    begin(&mut daemon);
    let _control = daemon.hang_up();
    until("the end of the keeper", || has_ended(keeper).then_some(()));
    assert!(rig.launcher.try_wait().unwrap().is_none(), "its daemon lives");
}

/// It may have a parent that reaps nobody.
fn has_ended(pid: u32) -> bool {
    status_field(pid, "State").is_none_or(|state| state.starts_with('Z'))
}
