//! When processes began: with that a pid names one process for ever, without it only as long as somebody sees to it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use upkeep_core::Mono;

use crate::shell::now;

/// USER_HZ, the same on every Linux that Rust runs on.
const TICKS_A_SECOND: u64 = 100;
/// Most time between the moment that is noted for a fork and the fork, on a machine that is very busy. No pid is given away a
/// second time so soon.
const SLACK: Duration = Duration::from_secs(10);

/// When a process was started, in clock ticks since boot (proc_pid_stat(5)); `None` if there is none, or `/proc` does not tell.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses: fields are counted behind the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The tick of a moment, CLOCK_BOOTTIME in nanoseconds.
pub(crate) fn ticks_at(boottime_ns: u64) -> u64 {
    boottime_ns / (1_000_000_000 / TICKS_A_SECOND)
}

/// When a process was started, CLOCK_MONOTONIC, from ticks since boot. Time that the machine slept counts as if it had just
/// been started earlier.
pub(crate) fn started_at(ticks: u64) -> Mono {
    let boot = clock_gettime(ClockId::Boottime);
    let since_boot = Duration::try_from(boot).unwrap_or_default();
    let then = Duration::from_millis(ticks.saturating_mul(1000 / TICKS_A_SECOND));
    let age = u64::try_from(since_boot.saturating_sub(then).as_nanos()).unwrap_or(u64::MAX);
    Mono(now().mono.0.saturating_sub(age))
}

/// Whether the process with this pid may be the one that was forked at `since`. One that began later has only got its pid.
/// What cannot be told may be.
pub(crate) fn may_be_of(pid: u32, since: Mono) -> bool {
    start_ticks(pid).is_none_or(|ticks| started_at(ticks) <= since.after(SLACK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_began_when_it_did() {
        let before = now().mono;
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let began = started_at(start_ticks(child.id()).unwrap());
        // A tick is the unit.
        let tick = Duration::from_millis(1000 / TICKS_A_SECOND);
        assert!(began.after(tick) >= before && began <= now().mono, "{began:?}, not after {before:?}");
        assert!(may_be_of(child.id(), before));
        assert!(!may_be_of(child.id(), Mono(before.0.saturating_sub(2 * 10_000_000_000))));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(may_be_of(child.id(), before), "nobody can tell");
    }
}
