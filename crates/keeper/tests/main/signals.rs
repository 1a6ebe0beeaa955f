//! Signals to the keeper (process ledger, section 10).

use rustix::process::Signal;
use upkeep_keeper::wire::{ToDaemon, ToKeeper};

use crate::rig::{Daemon, Rig, kill, sh, status_field};

fn received(daemon: &mut Daemon) -> i32 {
    match daemon.hear().0 {
        ToDaemon::SignalReceived { signo } => signo,
        other => panic!("no signal: {other:?}"),
    }
}

#[test]
fn each_signal_that_means_something_is_passed_on_proc_230_to_proc_237() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP, Signal::USR1, Signal::USR2] {
        for _ in 0..2 {
            kill(rig.pid(), signal);
            assert_eq!(received(&mut daemon), signal.as_raw());
        }
    }
    for ignored in [Signal::PIPE, Signal::XFSZ, Signal::CHILD] {
        kill(rig.pid(), ignored);
    }
    assert!(daemon.hear_all().is_empty());
}

#[test]
fn a_signal_that_no_daemon_saw_is_told_to_the_next_once_proc_237() {
    let rig = Rig::foreground();
    let daemon = rig.ready_daemon();
    // This daemon does not listen. Several of a kind are one.
    for signal in [Signal::TERM, Signal::TERM, Signal::HUP, Signal::TERM] {
        kill(rig.pid(), signal);
    }
    daemon.crash();
    let mut daemon = rig.daemon();
    daemon.inventory();
    let mut signals = [received(&mut daemon), received(&mut daemon)];
    signals.sort_unstable();
    assert_eq!(signals, [1, 15]);
    assert!(daemon.hear_all().is_empty());
    daemon.crash();
    let mut daemon = rig.daemon();
    daemon.inventory();
    assert!(daemon.hear_all().is_empty(), "they were seen");
}

#[test]
fn whatever_the_keepers_starter_ignored_arrives_and_children_are_still_reaped() {
    let rig = Rig::start_after("trap '' CHLD HUP TERM");
    let mut daemon = rig.ready_daemon();
    daemon.spawn(1, sh("exit 4"));
    assert_eq!(daemon.exit_of(1), 4 << 8);
    kill(rig.pid(), Signal::HUP);
    assert_eq!(received(&mut daemon), 1);
}

#[test]
fn a_daemon_is_not_ended_by_signals_meant_for_its_keeper() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let blocked = status_field(daemon.pid, "SigBlk").unwrap();
    assert_eq!(u64::from_str_radix(&blocked, 16).unwrap(), 0, "it is born with an empty mask");
    // As a terminal's Ctrl-C does, which sends it to the whole group.
    for signal in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2] {
        kill(daemon.pid, signal);
    }
    daemon.spawn(1, sh("exit 0"));
    assert_eq!(daemon.exit_of(1), 0);
    daemon.say(&ToKeeper::Quit { code: 0 });
    daemon.exit(5);
    let mut rig = rig;
    assert_eq!(rig.end().code(), Some(0));
}
