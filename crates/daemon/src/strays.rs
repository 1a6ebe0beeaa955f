//! Children that a keeper had made and not yet told of when it was killed. Nobody holds their pipes, so they are ended, and
//! started again.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::age::{start_ticks, started_at};
use crate::shell::now;

const KILL: i32 = 9;
/// How long a child may take between its fork and its exec, or to die.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);
/// The age up to which a child may be one that was just made.
const YOUNG: Duration = Duration::from_secs(3);

/// Ends every process that was started as one of these (group and name) and is not `known`; returns their pids.
pub(crate) fn end(names: &[(String, String)], known: &HashSet<u32>) -> Vec<u32> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && siblings(known).any(is_unborn) {
        std::thread::sleep(PAUSE);
    }
    let strays: Vec<(u32, OwnedFd)> =
        siblings(known).filter_map(|pid| upkeep_os::pidfd(pid).ok().map(|fd| (pid, fd))).collect();
    let mut ended = Vec::new();
    for (pid, pidfd) in strays {
        if is_young(pid) && is_one_of(pid, names) && upkeep_os::kill_pidfd(&pidfd, pid, KILL, true).is_ok() {
            let patience = Timespec::try_from(PATIENCE).unwrap_or_default();
            // One that cannot die has at least been told.
            let _ = rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience));
            ended.push(pid);
        }
    }
    ended
}

/// Processes with the same parent as this one, to whom its keeper's children fell.
fn siblings(known: &HashSet<u32>) -> impl Iterator<Item = u32> {
    let own = std::process::id();
    let parent = parent_of(own);
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let orphan = move |pid: &u32| parent_of(*pid).is_some_and(|of| Some(of) == parent);
    pids.filter(move |pid| *pid != own && !known.contains(pid)).filter(orphan)
}

/// A process's parent (proc_pid_stat(5)).
fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Between fork and exec: it is young, and still the program that its keeper was. (So is a keeper that somebody else has
/// just started; waiting for that in vain does no harm.)
fn is_unborn(pid: u32) -> bool {
    let program = |pid: u32| -> Option<PathBuf> { std::fs::read_link(format!("/proc/{pid}/exe")).ok() };
    is_young(pid) && program(pid) == program(std::process::id())
}

/// Started within the last seconds.
fn is_young(pid: u32) -> bool {
    start_ticks(pid).is_some_and(|ticks| now().mono.since(started_at(ticks)) <= YOUNG)
}

/// Whether its environment says that it was started as one of these.
fn is_one_of(pid: u32, names: &[(String, String)]) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    let value = |name: &[u8]| {
        environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
    };
    names.iter().any(|(group, name)| {
        value(b"SUPERVISOR_GROUP_NAME") == Some(group.as_bytes())
            && value(b"SUPERVISOR_PROCESS_NAME") == Some(name.as_bytes())
    })
}
