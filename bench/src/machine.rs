//! Where and when a run took place.

use std::fs;
use std::process::Command;

/// Processor, kernel, memory, date, and how busy the machine was before.
#[must_use]
pub fn describe() -> String {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str, name: &str| {
        let text = file(path);
        let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(':').nth(1));
        value.unwrap_or("?").trim().to_owned()
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = file("/proc/loadavg");
    format!(
        "{}: {processors} processors ({}), {} of memory, Linux {}, load {} before the run",
        date(),
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
        file("/proc/sys/kernel/osrelease").trim(),
        load.split(' ').next().unwrap_or("?"),
    )
}

fn date() -> String {
    let said = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    said.map_or_else(|_| "?".to_owned(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
