//! Children that an earlier keeper made: here the test's own.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use upkeep_keeper::wire::{Exit, ToDaemon, ToKeeper};

use crate::rig::{Daemon, Rig, kill, read_line};

/// A shell of the test's own.
fn shell(script: &str) -> Child {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// Gives a child to the keeper, with its descriptors but for standard error.
fn adopt(daemon: &mut Daemon, run: u64, child: &mut Child) {
    let pidfd = upkeep_os::pidfd(child.id()).unwrap();
    let stdin = OwnedFd::from(child.stdin.take().unwrap());
    let stdout = OwnedFd::from(child.stdout.take().unwrap());
    let frame = frame(run, child.id(), None, true);
    daemon.say_with(&frame, &[pidfd.as_fd(), stdin.as_fd(), stdout.as_fd()]);
}

fn frame(run: u64, pid: u32, exited: Option<Exit>, alive: bool) -> ToKeeper {
    ToKeeper::Adopt {
        run,
        pid,
        start_ns: 7,
        exited,
        has_pidfd: alive,
        has_stdin: alive,
        has_stdout: alive,
        has_stderr: false,
    }
}

#[test]
fn an_adopted_child_is_signalled_and_its_end_is_told() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let mut child = shell("trap 'exit 5' USR1; while read line; do :; done");
    adopt(&mut daemon, 1, &mut child);
    daemon.say(&ToKeeper::Signal { token: 1, run: 1, signo: 0, group: false });
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 1, errno: 0 });
    daemon.say(&ToKeeper::Signal { token: 2, run: 1, signo: Signal::KILL.as_raw(), group: false });
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 2, errno: 0 });
    assert_eq!(daemon.exit_of(1), Signal::KILL.as_raw());
    child.wait().unwrap();
    daemon.say(&ToKeeper::Signal { token: 3, run: 1, signo: 0, group: false });
    assert_eq!(daemon.hear().0, ToDaemon::Signalled { token: 3, errno: 3 }, "ESRCH");
    daemon.say(&ToKeeper::Release { run: 1 });
    daemon.crash();
    assert_eq!(rig.daemon().inventory().len(), 1, "it is forgotten");
}

#[test]
fn the_next_daemon_is_given_an_adopted_child_too() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let mut child = shell("read line; echo $line; exit 3");
    adopt(&mut daemon, 4, &mut child);
    daemon.hear_all();
    daemon.crash();
    let mut daemon = rig.daemon();
    let (found, fds) = daemon.inventory().pop().unwrap();
    let expected = ToDaemon::Child {
        run: 4,
        pid: child.id(),
        start_ns: 7,
        exited: None,
        has_stdin: true,
        has_stdout: true,
        has_stderr: false,
    };
    assert_eq!(found, expected);
    daemon.say(&ToKeeper::Ready { detach: None });
    let [stdin, stdout] = <[OwnedFd; 2]>::try_from(fds).unwrap();
    rustix::io::write(&stdin, b"hello\n").unwrap();
    assert_eq!(read_line(&stdout), "hello");
    assert_eq!(daemon.exit_of(4), 3 << 8);
    child.wait().unwrap();
}

#[test]
fn what_ended_before_it_was_adopted_is_told_as_far_as_it_is_known() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    daemon.say(&frame(1, 1_000_000_000, None, false));
    assert_eq!(daemon.exit_of(1), upkeep_os::UNKNOWN_STATUS);
    let exit = Exit { status: 9, at_ns: 1, utime_us: 2, stime_us: 3, maxrss_kib: 4 };
    daemon.say(&frame(2, 1_000_000_000, Some(exit), false));
    assert!(daemon.hear_all().is_empty(), "the daemon knows that one");
    daemon.crash();
    let mut daemon = rig.daemon();
    let known: Vec<_> = daemon.inventory().into_iter().map(|(frame, _)| frame).collect();
    assert!(
        known
            .iter()
            .any(|frame| matches!(frame, ToDaemon::Child { run: 2, exited, .. } if *exited == Some(exit)))
    );
}

#[test]
fn a_zombie_that_nobody_reaps_has_ended() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let mut child = shell("read line");
    let mut second = shell("read line; exit 6");
    adopt(&mut daemon, 1, &mut child);
    adopt(&mut daemon, 2, &mut second);
    kill(child.id(), Signal::TERM);
    assert_eq!(daemon.exit_of(1), Signal::TERM.as_raw());
    // The keeper's is the last write end of its standard input.
    daemon.say(&ToKeeper::CloseStdin { run: 2 });
    assert_eq!(daemon.exit_of(2), 6 << 8);
    child.wait().unwrap();
    second.wait().unwrap();
}
