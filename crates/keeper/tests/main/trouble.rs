//! Daemons that speak nonsense, do not listen, or keep dying: the keeper goes on.

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Instant;

use upkeep_keeper::wire::{ToDaemon, ToKeeper};

use rustix::process::Signal;

use crate::rig::{Rig, is_gone, kill, sh, status_field, until};

/// A frame's bytes.
fn frame(kind: u16, fds: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(6 + body.len()).unwrap();
    [&length.to_le_bytes()[..], &1u16.to_le_bytes(), &kind.to_le_bytes(), &fds.to_le_bytes(), body].concat()
}

#[test]
fn a_daemon_that_speaks_nonsense_is_replaced_and_no_child_is_lost() {
    let nonsense: [(&str, Vec<u8>); 6] = [
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a length without a header", 3u32.to_le_bytes().repeat(4)),
        ("a frame that is too long", [&u32::MAX.to_le_bytes()[..], &[0; 20]].concat()),
        ("a body that ends too early", frame(3, 0, &[1, 2, 3])),
        ("a value that means nothing", frame(2, 0, &[9; 21])),
        ("descriptors that did not come", frame(4, 2, &[0; 8])),
    ];
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, _pipes) = daemon.spawn(1, sh("read line"));
    rig.adopt(pid);
    for (what, bytes) in nonsense {
        daemon.raw.write_all(&bytes).unwrap();
        let (old, what) = (daemon.pid, what.to_owned());
        until(&format!("the end of the daemon after {what}"), || is_gone(old).then_some(()));
        daemon = rig.daemon();
        let inventory = daemon.inventory();
        assert!(
            inventory.iter().any(|(frame, fds)| fds.len() == 3
                && matches!(frame, ToDaemon::Child { run: 1, pid: found, exited: None, .. } if *found == pid)),
            "after {what}: {inventory:?}"
        );
        assert_eq!(status_field(pid, "PPid"), Some(rig.pid().to_string()));
    }
    assert!(rig.stderr().contains("another one is started"), "{}", rig.stderr());
}

#[test]
fn a_kind_that_is_not_known_is_skipped_with_its_descriptors() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let memory = upkeep_os::memfd_with("unknown", b"").unwrap();
    upkeep_os::send_with_fds(daemon.raw.as_fd(), &frame(9999, 1, b"from the future"), &[memory.as_fd()])
        .unwrap();
    let held = upkeep_os::memfd_with("known", b"").unwrap();
    daemon.say_with(&ToKeeper::Hold { name: "known".to_owned() }, &[held.as_fd()]);
    assert!(daemon.hear_all().is_empty());
    let targets: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", rig.pid()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    assert!(targets.iter().any(|target| target.contains("memfd:known")), "{targets:?}");
    assert!(!targets.iter().any(|target| target.contains("memfd:unknown")), "{targets:?}");
}

#[test]
fn fields_that_a_newer_daemon_adds_are_ignored() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let mut body = 77u64.to_le_bytes().to_vec();
    body.extend_from_slice(&4u32.to_le_bytes());
    body.extend_from_slice(b"kept and then some");
    daemon.raw.write_all(&frame(3, 0, &body)).unwrap();
    daemon.crash();
    let inventory = rig.daemon().inventory();
    let expected = ToDaemon::Record { key: 77, value: b"kept".to_vec() };
    assert!(inventory.iter().any(|(frame, _)| *frame == expected), "{inventory:?}");
}

#[test]
fn a_daemon_that_hangs_up_is_replaced() {
    let rig = Rig::foreground();
    let daemon = rig.ready_daemon();
    daemon.raw.shutdown(Shutdown::Both).unwrap();
    until("the end of the daemon", || is_gone(daemon.pid).then_some(()));
    assert_ne!(rig.daemon().pid, daemon.pid);
}

#[test]
fn a_daemon_that_hangs_up_may_end_by_itself() {
    let mut rig = Rig::foreground();
    let daemon = rig.daemon();
    daemon.raw.shutdown(Shutdown::Both).unwrap();
    // When the second of these is taken in, the keeper has done all that it does at once about the first and the hang-up.
    for _ in 0..2 {
        kill(rig.pid(), Signal::HUP);
        until("the signal to be taken in", || {
            status_field(rig.pid(), "ShdPnd").filter(|pending| pending.trim_start_matches('0').is_empty())
        });
    }
    daemon.exit(2);
    assert_eq!(rig.end().code(), Some(2));
}

#[test]
fn a_daemon_that_does_not_listen_stops_nothing_and_misses_nothing() {
    const QUESTIONS: u64 = 200_000;
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, pipes) = daemon.spawn(1, sh("read line; exit 5"));
    for token in 0..QUESTIONS {
        daemon.link.send(&ToKeeper::Signal { token, run: 0, signo: 0, group: false }, &[]).unwrap();
    }
    // The keeper answers until it has a megabyte of answers that nobody takes; then it leaves the rest unread.
    let mut idle = 0;
    until("the keeper to read no more", || {
        daemon.link.flush().unwrap();
        let sleeps = status_field(rig.pid(), "State").unwrap().starts_with('S');
        idle = if sleeps && daemon.link.wants_write() { idle + 1 } else { 0 };
        (idle == 50).then_some(())
    });
    drop(pipes);
    daemon.link.send(&ToKeeper::CloseStdin { run: 1 }, &[]).unwrap();
    kill(pid, Signal::KILL);
    until("the keeper to reap all the same", || is_gone(pid).then_some(()));
    let (mut answers, mut exits) = (0, 0);
    while answers < QUESTIONS || exits == 0 {
        match daemon.hear().0 {
            ToDaemon::Signalled { token, errno } => {
                assert_eq!((token, errno), (answers, 3));
                answers += 1;
            }
            ToDaemon::Exited { run: 1, exit, .. } => {
                assert_eq!(exit.status, 9);
                exits += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(daemon.hear_all().is_empty());
    let used = resident_kib(rig.pid());
    assert!(used < 8 << 10, "{used} KiB are left in use");
}

fn resident_kib(pid: u32) -> u64 {
    status_field(pid, "VmRSS").unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_keeper_whose_stderr_is_gone_goes_on() {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let rig = Rig::start("foreground", |command| command.stderr(writer));
    drop(reader);
    let daemon = rig.ready_daemon();
    (&daemon.raw).write_all(b"nonsense that the keeper complains about").unwrap();
    assert_eq!(rig.daemon().inventory().len(), 1);
}

#[test]
fn a_daemon_that_keeps_dying_is_started_ever_more_slowly() {
    let rig = Rig::foreground();
    rig.ready_daemon().crash();
    let begin = Instant::now();
    for _ in 0..6 {
        rig.daemon().crash();
    }
    rig.daemon();
    // 10, 20, 40, 80, 160, 320 and 640 ms.
    assert!(begin.elapsed().as_millis() >= 1260, "{:?}", begin.elapsed());
}

#[test]
fn an_idle_keeper_is_small() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    daemon.spawn(1, sh("exit 0"));
    daemon.exit_of(1);
    daemon.hear_all();
    let map = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", rig.pid())).unwrap();
    let private = crate::rig::field_of(&map, "Private_Dirty").unwrap();
    let private: u64 = private.trim_end_matches(" kB").parse().unwrap();
    assert!(private < 1024, "{private} KiB of its own");
}
