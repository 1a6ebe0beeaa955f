//! Daemon and keeper are replaced by another program, or go on as before if it is no good.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use upkeep_keeper::wire::{ToDaemon, ToKeeper};

use crate::rig::{Daemon, Rig, kill, read_all, read_line, sh, status_field, until};

const PATIENT: u64 = 30_000_000_000;

/// The same program under another name.
fn copy(rig: &Rig) -> PathBuf {
    let path = rig.dir.path().join("other");
    fs::copy(env!("CARGO_BIN_EXE_keeper-stub"), &path).unwrap();
    path
}

/// The same program, which does this (`stub.rs`).
fn bad(rig: &Rig, does: &str) -> PathBuf {
    let path = copy(rig);
    fs::write(path.with_extension("does"), does).unwrap();
    path
}

fn replace(daemon: &mut Daemon, token: u64, patience_ns: u64, program: &Path) {
    let program: OwnedFd = rustix::fs::open(program, OFlags::PATH, Mode::empty()).unwrap();
    daemon.say_with(&ToKeeper::Replace { token, patience_ns }, &[program.as_fd()]);
}

fn program_of(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap()
}

#[test]
fn daemon_and_keeper_become_the_other_program() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, pipes) = daemon.spawn(1, sh("read line; echo $line; exit 3"));
    rig.adopt(pid);
    daemon.say(&ToKeeper::Put { key: 5, value: b"five".to_vec() });
    daemon.say_with(&ToKeeper::Hold { name: "pipe".to_owned() }, &[pipes[1].as_fd()]);
    let other = copy(&rig);
    replace(&mut daemon, 7, PATIENT, &other);
    assert_eq!(daemon.hear().0, ToDaemon::Leave { token: 7 });
    daemon.exit(0);
    let mut daemon = rig.daemon();
    assert_eq!(program_of(daemon.pid), other);
    assert_ne!(program_of(rig.pid()), other, "the daemon comes first");
    let inventory = daemon.inventory();
    assert_eq!(inventory.len(), 4, "greeting, record, pipe and child: {inventory:?}");
    daemon.say(&ToKeeper::Ready { detach: None });
    assert_eq!(daemon.hear().0, ToDaemon::Replaced { token: 7, failure: None });
    assert_eq!(program_of(rig.pid()), other);
    assert_eq!(status_field(rig.pid(), "Name").as_deref(), Some("keeper-stub"));
    // It is the same keeper: the child is its own, and the daemon too.
    assert_eq!(status_field(pid, "PPid"), Some(rig.pid().to_string()));
    rustix::io::write(&pipes[0], b"hello\n").unwrap();
    assert_eq!(read_line(&pipes[1]), "hello");
    assert_eq!(daemon.exit_of(1), 3 << 8);
    kill(rig.pid(), Signal::HUP);
    assert_eq!(daemon.hear().0, ToDaemon::SignalReceived { signo: 1 });
    daemon.hear_all();
    daemon.crash();
    let mut daemon = rig.daemon();
    let inventory = daemon.inventory();
    assert_eq!(inventory.len(), 5, "what was held is held, and the outcome is told: {inventory:?}");
    daemon.say(&ToKeeper::Quit { code: 4 });
    daemon.exit(0);
    assert_eq!(rig.end().code(), Some(4));
}

#[test]
fn an_end_in_the_very_moment_is_not_missed() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, _pipes) = daemon.spawn(1, sh("read line; exit 3"));
    rig.adopt(pid);
    let other = copy(&rig);
    replace(&mut daemon, 1, PATIENT, &other);
    assert_eq!(daemon.hear().0, ToDaemon::Leave { token: 1 });
    daemon.exit(0);
    let mut daemon = rig.daemon();
    daemon.inventory();
    // The keeper waits until the link is quiet: a frame that is half there is not.
    std::io::Write::write_all(&mut &daemon.raw, &[6]).unwrap();
    daemon.link.send(&ToKeeper::Ready { detach: None }, &[]).unwrap();
    kill(pid, Signal::TERM);
    let whole = [0, 0, 0, 1, 0, 0xff, 0xff, 0, 0];
    std::io::Write::write_all(&mut &daemon.raw, &whole).unwrap();
    daemon.link.flush().unwrap();
    let mut heard = vec![daemon.hear().0, daemon.hear().0];
    heard.sort_by_key(|frame| matches!(frame, ToDaemon::Replaced { .. }));
    assert!(matches!(heard[0], ToDaemon::Exited { run: 1, .. }), "{heard:?}");
    assert_eq!(heard[1], ToDaemon::Replaced { token: 1, failure: None });
}

/// A descriptor is lent for a child that is asked for in another turn, when the keeper has become the other program.
#[test]
fn what_is_lent_for_a_child_that_is_still_to_come_is_not_lost() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let other = copy(&rig);
    replace(&mut daemon, 1, PATIENT, &other);
    assert_eq!(daemon.hear().0, ToDaemon::Leave { token: 1 });
    daemon.exit(0);
    let mut daemon = rig.daemon();
    daemon.inventory();
    let (read, write) = rustix::pipe::pipe().unwrap();
    daemon.link.send(&ToKeeper::Lend { run: 4, number: 5 }, &[write.as_fd()]).unwrap();
    daemon.say(&ToKeeper::Ready { detach: None });
    assert_eq!(daemon.hear().0, ToDaemon::Replaced { token: 1, failure: None });
    assert_eq!(program_of(rig.pid()), other);
    drop(write);
    daemon.spawn(4, sh("echo ready >&5"));
    assert_eq!(read_line(&read), "ready");
    assert_eq!(daemon.exit_of(4), 0);
    assert_eq!(read_all(read), "", "nobody else has it");
}

/// What is said about a program that is no good, and the pid of the daemon that hears it; that and the keeper are the old
/// program.
fn failure(rig: &Rig, mut daemon: Daemon, patience_ns: u64, program: &Path) -> (String, u32) {
    let old = program_of(rig.pid());
    replace(&mut daemon, 9, patience_ns, program);
    let (mut daemon, heard) = match daemon.hear().0 {
        ToDaemon::Leave { token: 9 } => {
            daemon.exit(0);
            let mut daemon = rig.daemon();
            let mut inventory = daemon.inventory();
            daemon.say(&ToKeeper::Ready { detach: None });
            (daemon, inventory.pop().unwrap().0)
        }
        other => (daemon, other),
    };
    let ToDaemon::Replaced { token: 9, failure: Some(reason) } = heard else { panic!("{heard:?}") };
    assert_eq!((program_of(rig.pid()), program_of(daemon.pid)), (old.clone(), old));
    assert!(daemon.hear_all().is_empty());
    (String::from_utf8(reason).unwrap(), daemon.pid)
}

#[test]
fn a_program_that_understands_nothing_replaces_nothing() {
    let rig = Rig::foreground();
    let daemon = rig.ready_daemon();
    let pid = daemon.pid;
    let program = bad(&rig, "1 good what is this");
    let (reason, still) = failure(&rig, daemon, PATIENT, &program);
    assert_eq!(reason, "it does not understand what the keeper process holds (exit status: 1): what is this");
    assert_eq!(still, pid, "the old daemon was not even asked to leave");
}

#[test]
fn a_program_that_cannot_be_executed_replaces_nothing() {
    let rig = Rig::foreground();
    let program = rig.dir.path().join("text");
    fs::write(&program, "no program").unwrap();
    let (reason, _) = failure(&rig, rig.ready_daemon(), PATIENT, &program);
    assert!(reason.contains("it cannot be executed: "), "{reason}");
}

#[test]
fn a_program_that_hangs_replaces_nothing() {
    let rig = Rig::foreground();
    let program = bad(&rig, "hang good ");
    let (reason, _) = failure(&rig, rig.ready_daemon(), 50_000_000, &program);
    assert!(reason.starts_with("it did not say within 0 s whether"), "{reason}");
}

#[test]
fn a_daemon_that_ends_too_early_is_rolled_back() {
    let rig = Rig::foreground();
    let program = bad(&rig, "good 8 bad luck");
    let (reason, _) = failure(&rig, rig.ready_daemon(), PATIENT, &program);
    assert_eq!(reason, "its daemon ended before everything was handed over (exit status: 8): bad luck");
}

#[test]
fn a_daemon_that_does_not_serve_in_time_is_rolled_back() {
    let rig = Rig::foreground();
    let program = bad(&rig, "good hang still thinking");
    let (reason, _) = failure(&rig, rig.ready_daemon(), 1_000_000_000, &program);
    assert_eq!(reason, "its daemon did not serve within 1 s: still thinking");
    let left = || {
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|entry| program_of_entry(&entry) == Some(program.clone()))
    };
    until("the end of the daemon that was tried", || (!left()).then_some(()));
}

fn program_of_entry(entry: &fs::DirEntry) -> Option<PathBuf> {
    fs::read_link(entry.path().join("exe")).ok()
}

#[test]
fn one_at_a_time() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let program = bad(&rig, "hang good ");
    replace(&mut daemon, 1, 3_000_000_000, &program);
    replace(&mut daemon, 2, PATIENT, &program);
    let ToDaemon::Replaced { token: 2, failure: Some(reason) } = daemon.hear().0 else {
        panic!("no refusal")
    };
    assert_eq!(reason, b"another upgrade is under way");
    let heard = daemon.hear().0;
    assert!(matches!(heard, ToDaemon::Replaced { token: 1, failure: Some(_) }), "{heard:?}");
}
