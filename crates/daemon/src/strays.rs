//! Children that a keeper had made and not yet told of when it was killed. Nobody holds their pipes, so they are ended, and
//! started again.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

const KILL: i32 = 9;
/// How long a child may take between its fork and its exec, or to die.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);

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
    let parent = parent_and_start(own).map(|(parent, _)| parent);
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let orphan = move |pid: &u32| parent_and_start(*pid).is_some_and(|(of, _)| Some(of) == parent);
    pids.filter(move |pid| *pid != own && !known.contains(pid)).filter(orphan)
}

/// A process's parent, and when it was started, in clock ticks since boot (proc_pid_stat(5)).
fn parent_and_start(pid: u32) -> Option<(u32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

/// Between fork and exec: it is young, and still the program that its keeper was. (So is a keeper that somebody else has
/// just started; waiting for that in vain does no harm.)
fn is_unborn(pid: u32) -> bool {
    let program = |pid: u32| -> Option<PathBuf> { std::fs::read_link(format!("/proc/{pid}/exe")).ok() };
    is_young(pid) && program(pid) == program(std::process::id())
}

/// Started within the last seconds.
fn is_young(pid: u32) -> bool {
    const TICKS_A_SECOND: u64 = 100;
    let uptime = std::fs::read_to_string("/proc/uptime").ok();
    let seconds = uptime.and_then(|text| text.split('.').next()?.parse::<u64>().ok());
    let started = parent_and_start(pid).map(|(_, ticks)| ticks / TICKS_A_SECOND);
    seconds.zip(started).is_some_and(|(now, then)| now.saturating_sub(then) <= 2)
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
