//! How much memory runs use that have a limit of it: what the kernel says of a child and of all that descend from it, read on
//! a thread of its own, since the kernel may keep a reader waiting.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use rustix::io::Errno;
use tokio::sync::mpsc::UnboundedSender;
use upkeep_api::apart;
use upkeep_core::RunId;

use crate::daemonised::seen::processes;
use crate::shell::{Message, Shell};

impl Shell {
    /// Measures what these runs use; each is told by [`Message::Measured`].
    pub(crate) fn measure(&mut self, runs: Vec<(RunId, u32)>) {
        if runs.is_empty() {
            return;
        }
        let messages = self.messages.clone();
        tokio::spawn(async move {
            // Fails only when the daemon has ended.
            let tell = |run, memory| messages.send(Message::Measured { run, memory }).is_ok();
            let numbers: Vec<RunId> = runs.iter().map(|(run, _)| *run).collect();
            let teller = messages.clone();
            if apart(move || measure_all(runs, &teller)).await.is_none() {
                // There was no thread to be had: the next time may be better.
                numbers.into_iter().all(|run| tell(run, Ok(0)));
            }
        });
    }
}

fn measure_all(runs: Vec<(RunId, u32)>, messages: &UnboundedSender<Message>) {
    let children = families();
    for (run, pid) in runs {
        let memory = used_by(pid, &children).map_err(|error| error.to_string());
        // Fails only when the daemon has ended.
        let _ = messages.send(Message::Measured { run, memory });
    }
}

/// The children of each process.
fn families() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for seen in processes() {
        children.entry(seen.parent).or_default().push(seen.pid);
    }
    children
}

/// What a process and all that descend from it use, in bytes.
fn used_by(pid: u32, children: &HashMap<u32, Vec<u32>>) -> io::Result<u64> {
    let mut used = share(pid)?;
    let mut parents = vec![pid];
    // What was read one after the other may be a circle.
    let mut seen = HashSet::from([pid]);
    while let Some(parent) = parents.pop() {
        for &child in children.get(&parent).into_iter().flatten().filter(|&&child| seen.insert(child)) {
            // One that may not be looked at has become somebody else, one that is not there has ended.
            used = used.saturating_add(share(child).unwrap_or(0));
            parents.push(child);
        }
    }
    Ok(used)
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
            let (alone, whole) = (share(child.id()).unwrap(), used_by(child.id(), &children).unwrap());
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
        assert_eq!(used_by(u32::MAX, &HashMap::new()).unwrap(), 0);
    }
}
