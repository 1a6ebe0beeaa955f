//! Beginning and end: into the background, before the first daemon serves, on purpose.

use std::fs;
use std::path::Path;

use rustix::process::{Signal, getsid};
use upkeep_keeper::wire::{Detach, SPOKEN, ToDaemon, ToKeeper};

use crate::rig::{Daemon, Rig, kill, pid_of, sh, status_field, until};

const ENOENT: i32 = 2;

fn keeper_of(daemon: &mut Daemon) -> u32 {
    match daemon.inventory().remove(0).0 {
        ToDaemon::Welcome { keeper_pid, .. } => keeper_pid,
        other => panic!("no welcome: {other:?}"),
    }
}

#[test]
fn the_launcher_waits_until_a_daemon_serves_from_the_background_proc_203() {
    let mut rig = Rig::background();
    let mut daemon = rig.daemon();
    let keeper = keeper_of(&mut daemon);
    assert_ne!(keeper, rig.launcher.id());
    assert_eq!(getsid(Some(pid_of(keeper))).unwrap(), pid_of(keeper), "a session of its own");
    assert_eq!(rig.launcher.try_wait().unwrap(), None, "nobody serves yet");
    let directory = rig.dir.path().canonicalize().unwrap();
    let path = directory.to_str().unwrap().as_bytes().to_vec();
    daemon.say(&ToKeeper::Ready { detach: Some(Detach { directory: Some(path), umask: Some(0o27) }) });
    assert_eq!(rig.end().code(), Some(0));
    for fd in 0..=2 {
        assert_eq!(fs::read_link(format!("/proc/{keeper}/fd/{fd}")).unwrap(), Path::new("/dev/null"));
    }
    assert_eq!(fs::read_link(format!("/proc/{keeper}/cwd")).unwrap(), directory);
    assert_eq!(status_field(keeper, "Umask").as_deref(), Some("0027"));
    daemon.crash();
    let mut daemon = rig.daemon();
    let welcome = daemon.inventory().remove(0).0;
    let expected =
        ToDaemon::Welcome { wire_version: SPOKEN, keeper_pid: keeper, generation: 1, detached: true };
    assert_eq!(welcome, expected);
    daemon.say(&ToKeeper::Quit { code: 0 });
    daemon.exit(0);
    until("the end of the keeper", || ended(keeper).then_some(()));
}

/// Ended, though perhaps not reaped by whoever is its parent now.
fn ended(pid: u32) -> bool {
    status_field(pid, "State").is_none_or(|state| state.starts_with('Z'))
}

#[test]
fn a_directory_that_cannot_be_had_is_reported_and_nothing_more_proc_203() {
    let mut rig = Rig::background();
    let mut daemon = rig.daemon();
    let keeper = keeper_of(&mut daemon);
    let detach = Detach { directory: Some(b"/nonexistent".to_vec()), umask: None };
    daemon.say(&ToKeeper::Ready { detach: Some(detach) });
    assert_eq!(daemon.hear().0, ToDaemon::DetachFailed { errno: ENOENT });
    assert_eq!(rig.end().code(), Some(0));
    assert_eq!(fs::read_link(format!("/proc/{keeper}/fd/1")).unwrap(), Path::new("/dev/null"));
    daemon.say(&ToKeeper::Quit { code: 0 });
    daemon.exit(0);
    until("the end of the keeper", || ended(keeper).then_some(()));
}

#[test]
fn a_daemon_that_ends_before_it_serves_ends_everything_with_its_status_proc_201() {
    for start in [Rig::foreground, Rig::background] {
        let mut rig = start();
        let daemon = rig.daemon();
        daemon.exit(2);
        assert_eq!(rig.end().code(), Some(2));
        let mut rig = start();
        let daemon = rig.daemon();
        kill(daemon.pid, Signal::KILL);
        assert_eq!(rig.end().code(), Some(1));
    }
}

#[test]
fn a_daemon_that_quits_takes_the_keeper_with_it_and_leaves_children_alone() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, _pipes) = daemon.spawn(1, sh("read line"));
    daemon.say(&ToKeeper::Quit { code: 6 });
    assert_eq!(rig.launcher.try_wait().unwrap(), None, "the daemon is still there");
    daemon.exit(0);
    assert_eq!(rig.end().code(), Some(6));
    assert!(!ended(pid));
    kill(pid, Signal::KILL);
}

#[test]
fn a_quit_counts_though_the_daemon_closed_its_end_with_frames_unread() {
    for _ in 0..20 {
        let mut rig = Rig::foreground();
        let mut daemon = rig.ready_daemon();
        // Answers that nobody reads, so that closing the socket resets it.
        for token in 0..50 {
            daemon.link.send(&ToKeeper::Signal { token, run: 0, signo: 0, group: false }, &[]).unwrap();
        }
        daemon.say(&ToKeeper::Quit { code: 3 });
        daemon.exit(0);
        assert_eq!(rig.end().code(), Some(3));
    }
}

#[test]
fn a_daemon_that_quits_may_take_its_time_after_it_hung_up() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    daemon.say(&ToKeeper::Quit { code: 8 });
    daemon.raw.shutdown(std::net::Shutdown::Both).unwrap();
    // Were it killed for that, it would be so before a later signal is taken in.
    kill(rig.pid(), Signal::HUP);
    until("the signal to be taken in", || {
        status_field(rig.pid(), "ShdPnd").filter(|pending| pending.trim_start_matches('0').is_empty())
    });
    assert!(!ended(daemon.pid));
    daemon.exit(0);
    assert_eq!(rig.end().code(), Some(8));
}
