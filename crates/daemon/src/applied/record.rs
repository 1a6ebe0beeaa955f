//! What is written down of a configuration that was applied, besides its files.

use serde::{Deserialize, Serialize};

/// What the keeper's record of the daemon says of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedRecords {
    /// Oldest first.
    #[serde(default)]
    pub(super) list: Vec<AppliedRecord>,
    /// The generation that was looked at last.
    #[serde(default)]
    pub(super) seen: u64,
    /// The generation that came out of an entry, and the number of that.
    #[serde(default)]
    pub(super) back: Option<(u64, u64)>,
    /// The number of the one that groups were made of last.
    #[serde(default)]
    pub(super) running: Option<u64>,
    /// The highest number that was given.
    #[serde(default)]
    pub(super) counted: u64,
    /// Tells them from those of other daemons, in a directory that more than one has used.
    #[serde(default)]
    pub(super) history: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedRecord {
    /// From 1.
    pub(super) number: u64,
    /// Seconds since 1970.
    pub(super) time: i64,
    pub(super) cause: Cause,
    /// Groups that it has changed.
    #[serde(default)]
    pub(super) changed: u64,
    /// The generation it is, while something in effect comes from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u64>,
    /// The size of its files.
    #[serde(default)]
    pub(super) bytes: u64,
}

/// What applied a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cause {
    /// The daemon started with it.
    Start,
    /// The daemon came up again with it.
    Restart,
    /// Groups were added, changed or removed.
    Update,
    /// `reload --keep`.
    Reload,
    /// That of this number was applied again.
    Rollback(u64),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Restart => f.write_str("restart"),
            Self::Update => f.write_str("update"),
            Self::Reload => f.write_str("reload"),
            Self::Rollback(number) => write!(f, "rollback {number}"),
        }
    }
}
