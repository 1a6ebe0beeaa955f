//! The lines that listeners and pools leave in the daemon's log.

use std::fmt;

use super::ListenerState;
use super::text::decoded;
use crate::notice::Level;

/// One line for the daemon's log. Listeners are named without their group, as processes are (PROC-322).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the words of the line that the variant's Display prints")]
pub enum ListenerNotice {
    /// A listener's state changed (EVT-074).
    Changed { name: String, from: ListenerState, to: ListenerState },
    /// It broke the protocol (EVT-073).
    Lost { name: String },
    /// EVT-066.
    BadLine { name: String, line: Vec<u8> },
    /// EVT-070.
    Processed { name: String },
    /// EVT-071.
    Rejected { name: String },
    /// EVT-098.
    Sent { serial: i64, name: String },
    /// EVT-076.
    Gone { serial: i64, name: String },
    /// EVT-093.
    Rebuffering { serial: i64, pool: String, size: usize, limit: usize },
    /// EVT-094.
    Overflowed { serial: i64, pool: String },
}

impl ListenerNotice {
    /// The severity of the line.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Overflowed { .. } => Level::Error,
            Self::Lost { .. } | Self::BadLine { .. } | Self::Rejected { .. } => Level::Warn,
            Self::Changed { .. }
            | Self::Processed { .. }
            | Self::Sent { .. }
            | Self::Gone { .. }
            | Self::Rebuffering { .. } => Level::Debug,
        }
    }
}

impl fmt::Display for ListenerNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { name, from, to } => write!(f, "{name}: {from} -> {to}"),
            Self::Lost { name } => write!(
                f,
                "{name}: has entered the UNKNOWN state and will no longer receive events, this usually indicates the \
                 process violated the eventlistener protocol"
            ),
            Self::BadLine { name, line } => write!(f, "{name}: bad result line: '{}'", decoded(line)),
            Self::Processed { name } => write!(f, "{name}: event was processed"),
            Self::Rejected { name } => write!(f, "{name}: event was rejected"),
            Self::Sent { serial, name } => write!(f, "event {serial} sent to listener {name}"),
            Self::Gone { serial, name } => write!(
                f,
                "epipe occurred while sending event {serial} to listener {name}, listener state unchanged"
            ),
            Self::Rebuffering { serial, pool, size, limit } => {
                write!(f, "rebuffering event {serial} for pool {pool} (buf size={size}, max={limit})")
            }
            Self::Overflowed { serial, pool } => {
                write!(f, "pool {pool} event buffer overflowed, discarding event {serial}")
            }
        }
    }
}
