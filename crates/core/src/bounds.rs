//! Bounds of a run: how long it may last, how much memory it may use; and what it is ended for.

use std::fmt;
use std::time::Duration;

use crate::time::{Mono, Span};

/// The options that end a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// `max_runtime`: it is stopped after so long, and starts again as its policy says.
    #[doc(alias = "max_runtime")]
    pub runtime: Option<Duration>,
    /// `memory_limit`.
    pub memory: Option<MemoryLimit>,
}

/// How much memory a process and all that descend from it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// `memory_limit`.
    #[doc(alias = "memory_limit")]
    pub bytes: u64,
    /// `memory_limit_action`. Default [`MemoryAction::Restart`].
    #[doc(alias = "memory_limit_action")]
    pub action: MemoryAction,
    /// `memory_limit_interval`: how often it is measured. Default ten seconds, at least one.
    #[doc(alias = "memory_limit_interval")]
    pub interval: Duration,
}

/// `memory_limit_action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryAction {
    /// It is stopped as by hand, and starts again as its policy says.
    Restart,
    /// It gets SIGKILL at once.
    Kill,
}

/// What a run was ended for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// It lasted this long.
    Runtime(Duration),
    /// It used more memory than it may, in bytes.
    Memory {
        /// What was measured.
        used: u64,
        /// `memory_limit`.
        limit: u64,
        /// Who has said so.
        meter: Meter,
    },
}

/// How much memory a process and all that descend from it use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub meter: Meter,
}

/// Who says how much memory somebody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meter {
    /// Each of the processes: its share in what several use.
    Shares,
    /// The control group in which they live, and nobody else.
    Cgroup,
}

impl Breach {
    /// The option.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Runtime(_) => "max_runtime",
            Self::Memory { .. } => "memory_limit",
        }
    }
}

impl fmt::Display for Breach {
    /// For people, beginning as a sentence does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Runtime(limit) => write!(f, "Ran for {} (max_runtime)", Span(limit)),
            Self::Memory { used, limit, meter } => {
                let place = match meter {
                    Meter::Shares => "",
                    Meter::Cgroup => " in its control group",
                };
                write!(f, "Used {} of memory{place} (memory_limit is {})", Size(used), Size(limit))
            }
        }
    }
}

/// Bytes as people read them: `512 KB`, `1.5 MB`.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..0x400 => return write!(f, "{} bytes", self.0),
            0x400..0x10_0000 => (1 << 10, "KB"),
            0x10_0000..0x4000_0000 => (1 << 20, "MB"),
            0x4000_0000.. => (1 << 30, "GB"),
        };
        match (self.0 / unit, self.0 % unit * 10 / unit) {
            (whole, 0) => write!(f, "{whole} {name}"),
            (whole, tenth) => write!(f, "{whole}.{tenth} {name}"),
        }
    }
}

/// What is known of a run that has bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// What it was ended for.
    pub(crate) breach: Option<Breach>,
    /// When its memory is measured next; `None` while somebody does.
    pub(crate) measure_at: Option<Mono>,
    /// Somebody measures, or nobody can.
    pub(crate) measuring: bool,
    /// It is being stopped for what it was ended for.
    pub(crate) ending: bool,
}

/// The next time of measuring: all with the same interval at once, so that one look at the system is enough.
pub(crate) fn next_measure(now: Mono, interval: Duration) -> Mono {
    let step = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    Mono((now.0 / step).saturating_add(1).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaches_read_well() {
        let memory = |used, limit| Breach::Memory { used, limit, meter: Meter::Shares };
        let group = |used, limit| Breach::Memory { used, limit, meter: Meter::Cgroup };
        for (breach, text) in [
            (Breach::Runtime(Duration::from_hours(1)), "Ran for 60 min (max_runtime)"),
            (memory(1 << 20, 1 << 10), "Used 1 MB of memory (memory_limit is 1 KB)"),
            (memory((5 << 30) / 2, 999), "Used 2.5 GB of memory (memory_limit is 999 bytes)"),
            (group(2 << 20, 1 << 20), "Used 2 MB of memory in its control group (memory_limit is 1 MB)"),
        ] {
            assert_eq!(breach.to_string(), text);
        }
    }

    #[test]
    fn all_are_measured_at_the_same_time() {
        let (now, later) = (Mono(12_345_678_901), Mono(14_000_000_000));
        let second = Duration::from_secs(5);
        assert_eq!(next_measure(now, second), next_measure(later, second));
        assert_eq!(next_measure(Mono(15_000_000_000), second), Mono(20_000_000_000));
    }
}
