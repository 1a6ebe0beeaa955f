//! Frames between keeper and daemon, over a socket: written and sent, received and read.

use std::hint::black_box;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use upkeep_keeper::wire::{
    Exit, Incoming, Message, Outgoing, SpawnPlan, StdinPlan, ToDaemon, ToKeeper, UserPlan,
};

use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "frames/spawn", prepare: || exchange(vec![spawn()]) },
    Row { name: "frames/exited", prepare: || exchange(vec![exited(1)]) },
    Row { name: "frames/exited/100", prepare: || exchange((0..100).map(exited).collect()) },
    Row { name: "frames/inventory/100", prepare: || exchange(inventory(100)) },
    Row { name: "frames/inventory/1000", prepare: || exchange(inventory(1000)) },
];

/// All messages go, and come.
fn exchange<M: Message + 'static>(messages: Vec<M>) -> Work {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    here.set_nonblocking(true).expect("a socket of ours");
    let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
    Box::new(move || {
        for message in &messages {
            outgoing.push(message, Vec::new()).expect("short frames");
        }
        let mut come = 0;
        while come < messages.len() {
            outgoing.flush(here.as_fd()).expect("both ends are ours");
            incoming.fill(there.as_fd()).expect("both ends are ours");
            while let Some(frame) = incoming.take::<M>().expect("frames") {
                black_box(frame);
                come += 1;
            }
        }
    })
}

fn spawn() -> ToKeeper {
    let variable = |number: usize| format!("VARIABLE_{number}=value of the variable {number}").into_bytes();
    let words = ["php", "artisan", "queue:work", "--queue=default", "--tries=3"];
    let plan = SpawnPlan {
        path: b"/usr/bin/php".to_vec(),
        argv: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: (0..30).map(variable).collect(),
        cwd: Some(b"/srv/app".to_vec()),
        umask: None,
        user: UserPlan::Switch { uid: 33, gid: 33, groups: vec![33] },
        stdin: StdinPlan::Pipe,
        stderr_to_stdout: true,
        restraints: Vec::new(),
    };
    ToKeeper::Spawn { run: 1, plan }
}

fn exited(run: u64) -> ToDaemon {
    let exit = Exit { status: 0, at_ns: 1, utime_us: 2, stime_us: 3, maxrss_kib: 4 };
    ToDaemon::Exited { run, pid: 4711, exit }
}

/// What a daemon is told when it connects: a record and a child for each process.
fn inventory(count: u64) -> Vec<ToDaemon> {
    let record = |key| ToDaemon::Record { key, value: vec![7; 120] };
    let child = |run| ToDaemon::Child {
        run,
        pid: 4711,
        start_ns: 1,
        exited: None,
        has_stdin: false,
        has_stdout: false,
        has_stderr: false,
    };
    let welcome = ToDaemon::Welcome { wire_version: 1, keeper_pid: 1, generation: 1, detached: false };
    let mut all = vec![welcome];
    all.extend((0..count).flat_map(|number| [record(number), child(number)]));
    all.push(ToDaemon::InventoryEnd);
    all
}
