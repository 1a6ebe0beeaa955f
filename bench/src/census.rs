//! Who of the supervised processes lives, seen in the list of a process's children.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::proc::{children, comm};
use crate::{Outcome, programs};

/// The workers of one contender, each looked at once: a child counts from the moment when it runs the worker's program.
#[derive(Debug)]
pub struct Census {
    parent: i32,
    wanted: usize,
    known: HashSet<i32>,
    gone: HashSet<i32>,
}

impl Census {
    /// Nobody known yet.
    #[must_use]
    pub fn new(parent: i32, wanted: usize) -> Self {
        Self { parent, wanted, known: HashSet::new(), gone: HashSet::new() }
    }

    /// Looks, and says who lives.
    pub fn look(&mut self) -> Vec<i32> {
        let now = children(self.parent);
        let present: HashSet<i32> = now.iter().copied().collect();
        self.known.retain(|pid| present.contains(pid));
        self.gone.retain(|pid| present.contains(pid));
        for &pid in &now {
            if !self.known.contains(&pid) && !self.gone.contains(&pid) && is_worker(pid) {
                self.known.insert(pid);
            }
        }
        now.into_iter().filter(|pid| self.known.contains(pid)).collect()
    }

    /// These were killed: until they are reaped they stand in the list, and are not counted.
    pub fn killed(&mut self, pids: &[i32]) {
        for pid in pids {
            self.known.remove(pid);
            self.gone.insert(*pid);
        }
    }

    /// Waits until everybody lives.
    ///
    /// # Errors
    /// They do not in time.
    pub fn complete(&mut self, patience: Duration) -> Outcome<Instant> {
        let deadline = Instant::now() + patience;
        loop {
            let alive = self.look().len();
            let now = Instant::now();
            if alive == self.wanted {
                return Ok(now);
            }
            if now > deadline {
                return Err(format!("{alive} of {} processes live after {patience:?}", self.wanted));
            }
            std::thread::sleep(self.pause());
        }
    }

    /// Long enough that looking costs the contender little, short beside what is measured.
    fn pause(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.wanted).unwrap_or(u64::MAX).clamp(100, 5_000))
    }
}

/// Whether the process runs the worker's program.
#[must_use]
pub fn is_worker(pid: i32) -> bool {
    comm(pid).is_some_and(|name| name == programs::WORKER)
}
