//! A daemon is killed; the next one finds everything as it was.

use std::fs;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};

use upkeep_keeper::wire::{Exit, SPOKEN, ToDaemon, ToKeeper};

use crate::rig::{Heard, Rig, is_gone, read_all, read_line, sh, status_field, until};

/// What an inventory says of the one child in it.
struct Found {
    pid: u32,
    start_ns: u64,
    exited: Option<Exit>,
    /// Whether there is a standard input, output, error.
    pipes: [bool; 3],
    fds: Vec<OwnedFd>,
}

fn child(inventory: &mut Vec<Heard>, wanted: u64) -> Found {
    let at = inventory
        .iter()
        .position(|(frame, _)| matches!(frame, ToDaemon::Child { run, .. } if *run == wanted));
    let (frame, fds) = inventory.remove(at.expect("the child is in the inventory"));
    let ToDaemon::Child { pid, start_ns, exited, has_stdin, has_stdout, has_stderr, .. } = frame else {
        unreachable!("found as a child")
    };
    Found { pid, start_ns, exited, pipes: [has_stdin, has_stdout, has_stderr], fds }
}

#[test]
fn the_first_daemon_is_welcomed_with_nothing() {
    let rig = Rig::foreground();
    let mut daemon = rig.daemon();
    let [(welcome, _)] = daemon.inventory().try_into().expect("nothing but a welcome");
    let expected =
        ToDaemon::Welcome { wire_version: SPOKEN, keeper_pid: rig.pid(), generation: 0, detached: false };
    assert_eq!(welcome, expected);
    assert_eq!(status_field(daemon.pid, "PPid"), Some(rig.pid().to_string()));
    let cmdline = fs::read_to_string(format!("/proc/{}/cmdline", rig.pid())).unwrap();
    assert!(cmdline.contains("\0foreground\0"), "as the user typed it: {cmdline:?}");
    assert_eq!(status_field(rig.pid(), "Name").as_deref(), Some("keeper-stub"));
    let environ = fs::read_to_string(format!("/proc/{}/environ", daemon.pid)).unwrap();
    assert!(environ.contains("UPKEEP_INTERNAL_LINK=") && !environ.contains("UPKEEP_INTERNAL_BOOT="));
}

#[test]
fn children_and_their_unread_output_outlive_a_daemon() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, pipes) = daemon.spawn(1, sh("echo early; read line; echo \"late $line\"; echo oops >&2"));
    rig.adopt(pid);
    drop(pipes);
    daemon.crash();
    for generation in 1..=3 {
        let mut daemon = rig.daemon();
        let mut inventory = daemon.inventory();
        let found = child(&mut inventory, 1);
        assert_eq!((found.pid, found.exited, found.pipes), (pid, None, [true; 3]));
        assert!(found.start_ns > 0);
        let [(welcome, _)] = inventory.try_into().unwrap();
        assert!(matches!(welcome, ToDaemon::Welcome { generation: told, .. } if told == generation));
        if generation < 3 {
            daemon.crash();
            continue;
        }
        let [stdin, stdout, stderr] = found.fds.try_into().unwrap();
        rustix::io::write(&stdin, b"words\n").unwrap();
        assert_eq!(read_all(stdout), "early\nlate words\n");
        assert_eq!(read_all(stderr), "oops\n");
        assert_eq!(daemon.exit_of(1), 0);
    }
}

#[test]
fn an_end_that_no_daemon_heard_of_is_in_the_inventory() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, pipes) = daemon.spawn(1, sh("echo last words; exit 9"));
    // This daemon never reads that the child has ended.
    until("the keeper to reap it", || is_gone(pid).then_some(()));
    drop(pipes);
    daemon.crash();
    let mut daemon = rig.daemon();
    let found = child(&mut daemon.inventory(), 1);
    assert_eq!((found.pid, found.exited.map(|exit| exit.status)), (pid, Some(9 << 8)));
    assert_eq!(found.pipes, [false, true, true], "nobody can write to it any more");
    let [stdout, stderr] = found.fds.try_into().unwrap();
    assert_eq!((read_all(stdout).as_str(), read_all(stderr).as_str()), ("last words\n", ""));
    assert!(daemon.hear_all().is_empty(), "it is not told twice");
}

#[test]
fn a_child_that_was_asked_for_last_is_there() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    daemon.say(&ToKeeper::Put { key: 1, value: b"starting".to_vec() });
    daemon.say(&ToKeeper::Spawn { run: 1, plan: sh("echo here; read line") });
    daemon.crash();
    let mut daemon = rig.daemon();
    let mut inventory = daemon.inventory();
    let found = child(&mut inventory, 1);
    rig.adopt(found.pid);
    assert_eq!(read_line(&found.fds[1]), "here");
    assert!(inventory.iter().any(|(frame, _)| matches!(frame, ToDaemon::Record { key: 1, .. })));
}

#[test]
fn records_are_handed_on_as_they_were_put_last() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let large = vec![7; 3 << 20];
    for (key, value) in [(1, b"one".to_vec()), (2, b"two".to_vec()), (1, b"uno".to_vec()), (3, large.clone())]
    {
        daemon.link.send(&ToKeeper::Put { key, value }, &[]).unwrap();
    }
    daemon.link.send(&ToKeeper::Put { key: 4, value: Vec::new() }, &[]).unwrap();
    daemon.link.send(&ToKeeper::Delete { key: 2 }, &[]).unwrap();
    until("everything to be sent", || {
        daemon.link.flush().unwrap();
        (!daemon.link.wants_write()).then_some(())
    });
    daemon.hear_all();
    daemon.crash();
    let records: Vec<(u64, Vec<u8>)> = rig
        .daemon()
        .inventory()
        .into_iter()
        .filter_map(|(frame, _)| match frame {
            ToDaemon::Record { key, value } => Some((key, value)),
            _ => None,
        })
        .collect();
    assert_eq!(records, [(1, b"uno".to_vec()), (3, large), (4, Vec::new())]);
}

#[test]
fn held_descriptors_are_handed_on_under_their_names() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let memory = |content: &[u8]| upkeep_os::memfd_with("test", content).unwrap();
    for (name, content) in [("a", "first"), ("b", "other"), ("a", "second"), ("c", "gone")] {
        daemon.say_with(&ToKeeper::Hold { name: name.to_owned() }, &[memory(content.as_bytes()).as_fd()]);
    }
    daemon.say(&ToKeeper::Unhold { name: "c".to_owned() });
    daemon.say(&ToKeeper::Unhold { name: "never held".to_owned() });
    daemon.crash();
    let mut daemon = rig.daemon();
    for entry in fs::read_dir(format!("/proc/{}/fd", daemon.pid)).unwrap() {
        let target = fs::read_link(entry.unwrap().path()).unwrap_or_default();
        assert!(!target.to_string_lossy().contains("memfd:test"), "it comes by the socket alone");
    }
    let held: Vec<(String, String)> = daemon
        .inventory()
        .into_iter()
        .filter_map(|(frame, mut fds)| match frame {
            ToDaemon::Held { name } => {
                let mut file = fs::File::from(fds.pop()?);
                let mut content = String::new();
                file.rewind().ok()?;
                file.read_to_string(&mut content).ok()?;
                Some((name, content))
            }
            _ => None,
        })
        .collect();
    let expected =
        [("a", "second"), ("b", "other")].map(|(name, content)| (name.to_owned(), content.to_owned()));
    assert_eq!(held, expected);
}

#[test]
fn hundreds_of_children_are_handed_on_with_their_own_pipes() {
    let rig = Rig::start_after("ulimit -n 4096");
    let mut daemon = rig.ready_daemon();
    for run in 1..=250 {
        let (_, pipes) = daemon.spawn(run, sh(&format!("echo {run}")));
        drop(pipes);
        loop {
            if matches!(daemon.hear().0, ToDaemon::Exited { run: ended, .. } if ended == run) {
                break;
            }
        }
    }
    daemon.crash();
    let mut inventory = rig.daemon().inventory();
    for run in 1..=250 {
        let found = child(&mut inventory, run);
        let [stdout, stderr] = found.fds.try_into().unwrap();
        assert_eq!(read_all(stdout), format!("{run}\n"));
        assert_eq!(read_all(stderr), "");
    }
}

/// Children do not get the last descriptors: the next daemon needs a socket, and this one has things to give away.
#[test]
fn a_keeper_that_is_full_of_children_still_gets_a_daemon_proc_045() {
    const EMFILE: i32 = 24;
    let mut rig = Rig::start_after("ulimit -Sn 48");
    let mut daemon = rig.ready_daemon();
    let mut born = 0;
    loop {
        daemon.say(&ToKeeper::Spawn { run: born, plan: sh("read line") });
        match daemon.hear().0 {
            ToDaemon::Spawned { pid, .. } => rig.adopt(pid),
            other => {
                let step = upkeep_keeper::wire::SpawnStep::Pipe;
                assert_eq!(other, ToDaemon::SpawnFailed { run: born, errno: EMFILE, step });
                break;
            }
        }
        born += 1;
    }
    assert!(born > 2, "only {born} children");
    let file = fs::File::open("/dev/null").unwrap();
    for number in 0..10 {
        daemon.say_with(&ToKeeper::Hold { name: number.to_string() }, &[file.as_fd()]);
    }
    daemon.crash();
    let inventory = rig.daemon().inventory();
    let count = |wanted: fn(&ToDaemon) -> bool| inventory.iter().filter(|(frame, _)| wanted(frame)).count();
    assert_eq!(count(|frame| matches!(frame, ToDaemon::Held { .. })), 10);
    let children = count(|frame| matches!(frame, ToDaemon::Child { .. }));
    assert_eq!(u64::try_from(children), Ok(born));
}
