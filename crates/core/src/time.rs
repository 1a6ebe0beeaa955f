//! Time as an argument: a monotonic instant for every decision, wall seconds for what people read.

use std::fmt;
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

/// A time as people read it: `0.25 s`, `90 s`, `2 min 5 s`, `3 h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match seconds {
            0..10 if millis > 0 => {
                let fraction = format!("{millis:03}");
                write!(f, "{seconds}.{} s", fraction.trim_end_matches('0'))
            }
            0..120 => write!(f, "{seconds} s"),
            120..7200 if rest == 0 => write!(f, "{} min", seconds / 60),
            120..7200 => write!(f, "{} min {rest} s", seconds / 60),
            _ if minutes == 0 => write!(f, "{hours} h"),
            _ => write!(f, "{hours} h {minutes} min"),
        }
    }
}

/// Seconds of an option as a duration; negative ones count as zero (CFG-147).
#[must_use]
pub fn seconds(option: i64) -> Duration {
    Duration::from_secs(u64::try_from(option).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        for (millis, text) in [
            (0, "0 s"),
            (250, "0.25 s"),
            (1_500, "1.5 s"),
            (12_345, "12 s"),
            (90_000, "90 s"),
            (120_000, "2 min"),
            (125_000, "2 min 5 s"),
            (7_200_000, "2 h"),
            (9_000_000, "2 h 30 min"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
