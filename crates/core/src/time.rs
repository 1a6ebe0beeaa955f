//! Time as an argument: a monotonic instant for every decision, wall seconds for what people read.

use std::time::Duration;

/// Nanoseconds of CLOCK_MONOTONIC: comparable across a restart of the daemon, not across a reboot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// This instant plus a duration; saturates at the end of time.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time from `earlier` to this instant; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The present, as the shell sees it when it calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What decisions are made by.
    pub mono: Mono,
    /// Epoch seconds, only kept to be shown (RPC-085).
    pub wall: i64,
}

/// Seconds of an option as a duration; negative ones count as zero (CFG-147).
#[must_use]
pub fn seconds(option: i64) -> Duration {
    Duration::from_secs(u64::try_from(option).unwrap_or(0))
}
