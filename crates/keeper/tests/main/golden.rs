//! The bytes of every kind of message, as they were when a keeper of version 1 first said them. A keeper may be older than
//! its daemon: a row that is changed breaks every upgrade that is under way. Rows are only added.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use upkeep_keeper::wire::{
    Detach, Exit, Incoming, Message, Restraint, SpawnPlan, SpawnStep, StdinPlan, ToDaemon, ToKeeper,
    UserPlan, What,
};

use crate::properties::bytes_of;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message that these bytes are.
fn read<M: Message>(text: &str) -> M {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(digits).collect();
    let (mut here, there) = UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut here, &bytes).unwrap();
    let mut incoming = Incoming::default();
    assert!(incoming.fill(there.as_fd()).unwrap());
    incoming.take().unwrap().expect("a whole frame").0
}

fn plan(user: UserPlan, stdin: StdinPlan) -> SpawnPlan {
    SpawnPlan {
        path: b"/bin/x".to_vec(),
        argv: vec![b"x".to_vec(), Vec::new()],
        env: [b"A=1"].iter().collect(),
        cwd: Some(b"/".to_vec()),
        umask: Some(0o22),
        user,
        stdin,
        stderr_to_stdout: true,
        restraints: Vec::new(),
    }
}

/// One of each kind.
fn restrained_plan() -> SpawnPlan {
    let all = [
        What::Nice(-1),
        What::Ionice { class: 2, level: 3 },
        What::OomScoreAdj(-5),
        What::Cgroup(b"/c".to_vec()),
        What::PrivateTmp,
        What::OnlyWriteBeneath(vec![b"/w".to_vec()]),
        What::Rlimit { resource: 7, soft: Some(8), hard: None },
        What::NoNewPrivileges,
        What::BoundingSet(9),
        What::AmbientSet(10),
    ];
    let restraints = all.map(|what| Restraint { key: "k".to_owned(), what }).to_vec();
    SpawnPlan { restraints, ..plain_plan() }
}

fn plain_plan() -> SpawnPlan {
    SpawnPlan { cwd: None, umask: None, stderr_to_stdout: false, ..plan(UserPlan::Keep, StdinPlan::Null) }
}

const EXIT: Exit = Exit { status: 0x0100, at_ns: 2, utime_us: 3, stime_us: 4, maxrss_kib: 5 };

fn to_keeper() -> Vec<(ToKeeper, &'static str)> {
    let switch = UserPlan::Switch { uid: 1, gid: 2, groups: vec![2, 3] };
    let refuse = UserPlan::Refuse { uid: 9, reason: b"no".to_vec() };
    let detach = Detach { directory: Some(b"/d".to_vec()), umask: Some(0o22) };
    vec![
        (
            ToKeeper::Spawn { run: 1, plan: plan(switch, StdinPlan::Pipe) },
            "520000000100010000000100000000000000060000002f62696e2f78020000000100000078000000000100000003000000413d3101010000002f01120000000101000000020000000200000002000000030000000001",
        ),
        (
            ToKeeper::Spawn { run: 3, plan: restrained_plan() },
            "d50000000100010000000300000000000000060000002f62696e2f78020000000100000078000000000100000003000000413d3100000001000a00000001010000006b04000000ffffffff02010000006b02000000020303010000006b04000000fbffffff04010000006b06000000020000002f6305010000006b0000000006010000006b0a00000001000000020000002f7707010000006b0e000000070000000108000000000000000008010000006b0000000009010000006b0800000009000000000000000a010000006b080000000a00000000000000",
        ),
        (
            ToKeeper::Spawn { run: 2, plan: plan(refuse, StdinPlan::Attached) },
            "480000000100010000000200000000000000060000002f62696e2f78020000000100000078000000000100000003000000413d3101010000002f01120000000209000000020000006e6f0201",
        ),
        (
            ToKeeper::Spawn { run: 3, plan: plain_plan() },
            "350000000100010000000300000000000000060000002f62696e2f78020000000100000078000000000100000003000000413d310000000100",
        ),
        (
            ToKeeper::Signal { token: 1, run: 2, signo: 15, group: true },
            "1b000000010002000000010000000000000002000000000000000f00000001",
        ),
        (ToKeeper::Put { key: 1, value: b"v".to_vec() }, "1300000001000300000001000000000000000100000076"),
        (ToKeeper::Delete { key: 1 }, "0e0000000100040000000100000000000000"),
        (ToKeeper::Release { run: 1 }, "0e0000000100050000000100000000000000"),
        (ToKeeper::CloseStdin { run: 1 }, "0e0000000100060000000100000000000000"),
        (ToKeeper::Hold { name: "n".to_owned() }, "0b000000010007000000010000006e"),
        (ToKeeper::Unhold { name: "n".to_owned() }, "0b000000010008000000010000006e"),
        (ToKeeper::Ready { detach: None }, "0700000001000900000000"),
        (ToKeeper::Ready { detach: Some(detach) }, "130000000100090000000101020000002f640112000000"),
        (ToKeeper::Quit { code: 7 }, "0700000001000a00000007"),
        (ToKeeper::Seen { signo: 15 }, "0a00000001000b0000000f000000"),
        (
            ToKeeper::Adopt {
                run: 1,
                pid: 2,
                start_ns: 3,
                exited: Some(EXIT),
                has_pidfd: true,
                has_stdin: false,
                has_stdout: true,
                has_stderr: false,
            },
            "4300000001000c00000001000000000000000200000003000000000000000100010000020000000000000003000000000000000400000000000000050000000000000001000100",
        ),
        (
            ToKeeper::Extend { key: 1, keep: 2, value: b"v".to_vec() },
            "1b00000001000e000000010000000000000002000000000000000100000076",
        ),
        (ToKeeper::Lend { run: 1, number: 3 }, "1200000001000f000000010000000000000003000000"),
        (
            ToKeeper::Replace { token: 1, patience_ns: 2 },
            "1600000001000d00000001000000000000000200000000000000",
        ),
    ]
}

fn to_daemon() -> Vec<(ToDaemon, &'static str)> {
    let child = |exited| ToDaemon::Child {
        run: 1,
        pid: 2,
        start_ns: 3,
        exited,
        has_stdin: true,
        has_stdout: false,
        has_stderr: true,
    };
    vec![
        (
            ToDaemon::Welcome { wire_version: 1, keeper_pid: 2, generation: 3, detached: true },
            "110000000100650000000100020000000300000001",
        ),
        (ToDaemon::Record { key: 1, value: b"v".to_vec() }, "1300000001006600000001000000000000000100000076"),
        (ToDaemon::Held { name: "n".to_owned() }, "0b000000010067000000010000006e"),
        (child(None), "1e000000010068000000010000000000000002000000030000000000000000010001"),
        (
            child(Some(EXIT)),
            "42000000010068000000010000000000000002000000030000000000000001000100000200000000000000030000000000000004000000000000000500000000000000010001",
        ),
        (ToDaemon::InventoryEnd, "06000000010069000000"),
        (
            ToDaemon::Spawned { run: 1, pid: 2, at_ns: 3 },
            "1a00000001006a0000000100000000000000020000000300000000000000",
        ),
        (
            ToDaemon::SpawnFailed { run: 1, errno: 24, step: SpawnStep::Pipe },
            "1300000001006b00000001000000000000001800000000",
        ),
        (
            ToDaemon::SpawnFailed { run: 1, errno: 11, step: SpawnStep::Fork },
            "1300000001006b00000001000000000000000b00000001",
        ),
        (
            ToDaemon::SpawnFailed { run: 1, errno: 1, step: SpawnStep::Restrain(b"nice".to_vec()) },
            "1b00000001006b00000001000000000000000100000002040000006e696365",
        ),
        (
            ToDaemon::Exited { run: 1, pid: 2, exit: EXIT },
            "3600000001006c000000010000000000000002000000000100000200000000000000030000000000000004000000000000000500000000000000",
        ),
        (ToDaemon::Reaped { pid: 1, status: -1 }, "0e00000001006d00000001000000ffffffff"),
        (ToDaemon::Signalled { token: 1, errno: 3 }, "1200000001006e000000010000000000000003000000"),
        (ToDaemon::SignalReceived { signo: 15 }, "0a00000001006f0000000f000000"),
        (ToDaemon::DetachFailed { errno: 2 }, "0a00000001007000000002000000"),
        (ToDaemon::Leave { token: 1 }, "0e0000000100710000000100000000000000"),
        (
            ToDaemon::Replaced { token: 1, failure: Some(b"no".to_vec()) },
            "15000000010072000000010000000000000001020000006e6f",
        ),
        (ToDaemon::Replaced { token: 1, failure: None }, "0f000000010072000000010000000000000000"),
        (ToDaemon::NotHeld { name: "n".to_owned() }, "0b000000010073000000010000006e"),
    ]
}

#[test]
fn what_a_daemon_says_is_said_in_the_same_bytes_for_ever() {
    for (message, bytes) in to_keeper() {
        assert_eq!(hex(&bytes_of(&message)), bytes, "{message:?}");
        assert_eq!(read::<ToKeeper>(bytes), message);
    }
}

#[test]
fn what_the_keeper_says_is_said_in_the_same_bytes_for_ever() {
    for (message, bytes) in to_daemon() {
        assert_eq!(hex(&bytes_of(&message)), bytes, "{message:?}");
        assert_eq!(read::<ToDaemon>(bytes), message);
    }
}
