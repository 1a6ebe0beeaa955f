//! What a campaign prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::checks::Checks;
use super::clients::Waits;
use super::fault::Fault;
use super::scene::Scene;

/// How many of the last faults a failure shows.
const SHOWN: usize = 25;

pub(super) struct TimeLine {
    begun: Instant,
    last: Vec<(Duration, String)>,
    pub(super) counts: BTreeMap<Fault, usize>,
}

impl TimeLine {
    pub(super) fn new() -> TimeLine {
        TimeLine { begun: Instant::now(), last: Vec::new(), counts: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, fault: Fault, whom: &str) {
        *self.counts.entry(fault).or_default() += 1;
        if self.last.len() == SHOWN {
            self.last.remove(0);
        }
        self.last.push((self.begun.elapsed(), format!("{fault:?}: {whom}")));
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Why it failed, and what had happened before.
    pub(super) fn failure(&self, seed: u64, what: &str, log: &str) -> String {
        let mut text = format!("seed {seed}, after {:.1?}: {what}\n\nthe last faults:\n", self.elapsed());
        for (at, fault) in &self.last {
            let _ = writeln!(text, "{:9.3} s  {fault}", at.as_secs_f64());
        }
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(150)..].join("\n");
        text + "\nthe end of the daemon's log:\n" + &tail
    }

    pub(super) fn table(&self, seed: u64, scene: &Scene, checks: &Checks, waits: &Waits) -> String {
        let mut text = format!("campaign: seed {seed}, {:.0} s\n", self.elapsed().as_secs_f64());
        let mut row = |what: &str, value: String| {
            let _ = writeln!(text, "  {what:<44}{value:>10}");
        };
        for (fault, count) in &self.counts {
            row(&format!("{fault:?}"), count.to_string());
        }
        row("faults in all", self.counts.values().sum::<usize>().to_string());
        row("looks at everything", checks.looks.to_string());
        row("pids compared", checks.pids.to_string());
        row("ends of processes in the daemon's log", checks.journal.ends().to_string());
        row("  told twice", checks.journal.repeated.to_string());
        row("ends that listeners heard of", checks.events.to_string());
        row("numbers in logs", checks.numbers.to_string());
        row("jobs", checks.jobs().to_string());
        row("commands typed", scene.errands.done.to_string());
        row("  cut short by a death", scene.errands.failed.to_string());
        row("  processes started again because of that", checks.started_again.to_string());
        row("answers", waits.asked.to_string());
        row("  asked for again after a death", waits.cut.to_string());
        row("  the longest wait", format!("{:.0?}", waits.worst));
        row("losses", "0".to_owned());
        text
    }
}
