//! What `/proc` tells about processes that are not ours.

use std::fs;

use crate::{Outcome, because};

/// The children of a process, of its first thread only: all contenders fork there.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The name of the program that a process runs, at most 15 bytes; `None` when there is no such process.
#[must_use]
pub fn comm(pid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|text| text.trim_end().to_owned())
}

/// CPU time in milliseconds. Summed over the threads it is exact, but misses threads that are gone; the process's own count has
/// them, in ticks: the larger of the two.
///
/// # Errors
/// There is no such process.
pub fn cpu_ms(pid: i32) -> Outcome<f64> {
    let exact: f64 = of_threads(pid, "schedstat", |text| text.split(' ').next()?.parse().ok())?;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(because("stat"))?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u32 = fields.iter().skip(11).take(2).filter_map(|word| word.parse::<u32>().ok()).sum();
    Ok((exact / 1e6).max(f64::from(ticks) * 10.0))
}

/// How often the threads of a process have gone to sleep, which is how often they were woken.
///
/// # Errors
/// There is no such process.
pub fn wakeups(pid: i32) -> Outcome<f64> {
    of_threads(pid, "status", |text| field(text, "voluntary_ctxt_switches:"))
}

/// Memory in mebibytes, with shared pages divided among those who share them.
///
/// # Errors
/// There is no such process, or it is not ours to look into.
pub fn pss_mib(pid: i32) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).map_err(because("smaps_rollup"))?;
    let kib: f64 = field(&text, "Pss:").ok_or("smaps_rollup has no Pss")?;
    Ok(kib / 1024.0)
}

fn of_threads(pid: i32, file: &str, read: impl Fn(&str) -> Option<f64>) -> Outcome<f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_err(because("task"))?;
    let texts = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join(file)).ok());
    Ok(texts.filter_map(|text| read(&text)).sum())
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
