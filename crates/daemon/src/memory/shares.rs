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

fn sum(text: &str) -> u64 {
    let kilobytes = |line: &str| {
        let amount = line.strip_prefix("Pss:").or_else(|| line.strip_prefix("SwapPss:"))?;
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
    }

    #[test]
    fn a_process_and_those_below_it_are_counted() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "cat & cat; wait"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        let own = std::process::id();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let (alone, whole) = loop {
            let children = families();
            assert!(children.get(&own).is_some_and(|children| children.contains(&child.id())));
            let alone = share(child.id()).unwrap();
            let whole = used_by(&family(child.id(), &children)).unwrap();
            if whole > alone || std::time::Instant::now() > end {
                break (alone, whole);
            }
        };
        assert!(alone > 0 && whole > alone, "{alone} {whole}");
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
