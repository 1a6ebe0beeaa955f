//! What processes say of themselves: the share that each has in the memory of the machine.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::daemonised::seen::processes;

/// The children of each process.
pub(super) type Families = HashMap<u32, Vec<u32>>;

/// The children of each process at this moment.
pub(super) fn families() -> Families {
    let mut children = Families::new();
    for seen in processes() {
        children.entry(seen.parent).or_default().push(seen.pid);
    }
    children
}

/// A process and all that descend from it; itself first.
pub(super) fn family(pid: u32, children: &Families) -> Vec<u32> {
    let mut family = vec![pid];
    // What was read one after the other may be a circle.
    let mut seen = HashSet::from([pid]);
    let mut at = 0;
    while let Some(parent) = family.get(at) {
        family
            .extend(children.get(parent).into_iter().flatten().copied().filter(|&child| seen.insert(child)));
        at += 1;
    }
    family
}

/// What a process and its family use, in bytes; the process itself stands first.
pub(super) fn used_by(family: &[u32]) -> io::Result<u64> {
    let Some((&pid, others)) = family.split_first() else { return Ok(0) };
    // One that may not be looked at has become somebody else, one that is not there has ended.
    let shares = others.iter().map(|&pid| share(pid).unwrap_or(0));
    Ok(shares.fold(share(pid)?, u64::saturating_add))
}

/// A process's share of the memory that it uses with others, in bytes, what is swapped out included (proc_pid_smaps(5)). One that
/// has ended uses none.
fn share(pid: u32) -> io::Result<u64> {
    let is_gone = |error: &io::Error| {
        error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
            || !Path::new(&format!("/proc/{pid}")).exists()
    };
    match std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => Ok(sum(&text)),
        Err(error) if is_gone(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// What processes use that no file is behind, in bytes: that much of what their control group uses is theirs.
pub(super) fn anonymous(pids: &[u32]) -> u64 {
    let own = |&pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    pids.iter().filter_map(own).fold(0, |sum, text| sum.saturating_add(sum_anonymous(&text)))
}

/// The same, with what they share counted for each of them, and without files in memory. Nobody is waited for.
pub(super) fn resident(pids: &[u32]) -> u64 {
    let own = |&pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status")).ok();
    pids.iter()
        .filter_map(own)
        .fold(0, |sum, text| sum.saturating_add(sum_of(&text, &["RssAnon:", "VmSwap:"])))
}

/// Whether a thread of the process waits for a disk at this moment: to look at its memory may take as long (proc_pid_stat(5)).
pub(super) fn waits_for_disk(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path().join("stat")).any(|stat| {
        let text = std::fs::read_to_string(stat).unwrap_or_default();
        is_uninterruptible(&text)
    })
}

fn is_uninterruptible(stat: &str) -> bool {
    // The name may hold blanks and brackets.
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('D'))
}

fn sum(text: &str) -> u64 {
    sum_of(text, &["Pss:", "SwapPss:"])
}

/// Old kernels do not tell what files are behind: then all of it, so that the others are not blamed for it.
fn sum_anonymous(text: &str) -> u64 {
    if text.contains("Pss_Anon:") {
        return sum_of(text, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"]);
    }
    sum(text)
}

fn sum_of(text: &str, names: &[&str]) -> u64 {
    let kilobytes = |line: &str| {
        let amount = names.iter().find_map(|name| line.strip_prefix(name))?;
        amount.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    text.lines().filter_map(kilobytes).sum::<u64>().saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_and_what_is_swapped_is_counted() {
        let text = "5600-7ffc ---p 00000000 00:00 0    [rollup]\nRss:    2000 kB\nPss:     500 kB\nPss_Anon:   100 kB\n\
                    SwapPss:   24 kB\nLocked:   0 kB\n";
        assert_eq!(sum(text), 524 * 1024);
        assert_eq!(sum(""), 0);
        assert_eq!(sum_anonymous(text), 124 * 1024, "without files");
        let own = resident(&[std::process::id()]);
        assert!((1..1 << 40).contains(&own), "{own}");
        assert_eq!(sum_anonymous("Pss:  500 kB\nSwapPss:   24 kB\n"), 524 * 1024);
    }

    #[test]
    fn who_waits_for_a_disk_is_known_by_its_threads() {
        for (stat, waits) in [("7 (a) S (b) D 1 2", true), ("7 (a) D (b) S 1 2", false), ("", false)] {
            assert_eq!(is_uninterruptible(stat), waits, "{stat}");
        }
        assert!(!waits_for_disk(u32::MAX));
    }

    #[test]
    fn a_process_and_those_below_it_are_counted() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "/bin/sh -c 'cat; :'; :"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        let own = std::process::id();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let (whole, parts) = loop {
            let children = families();
            assert!(children.get(&own).is_some_and(|children| children.contains(&child.id())));
            let family = family(child.id(), &children);
            // What belongs to one of them alone grows at most while it begins, so the parts come last.
            let whole = used_by(&family).unwrap();
            let parts: Vec<u64> = family.iter().map(|&pid| share(pid).unwrap_or(0)).collect();
            let adds_up = whole > parts[0] + parts[1..].iter().sum::<u64>() / 2;
            if (parts.len() == 3 && adds_up) || std::time::Instant::now() > end {
                break (whole, parts);
            }
        };
        assert!(parts.len() == 3 && parts[0] > 0, "{parts:?}");
        assert!(whole > parts[0] + (parts[1] + parts[2]) / 2, "{whole} {parts:?}");
        drop(child.stdin.take());
        child.wait().expect("its end");
    }

    #[test]
    fn a_process_that_has_ended_uses_nothing() {
        assert_eq!(used_by(&family(u32::MAX, &Families::new())).unwrap(), 0);
        let circle = Families::from([(1, vec![2]), (2, vec![1, 3])]);
        assert_eq!(family(1, &circle), [1, 2, 3]);
    }
}
