//! What is written down of the commands that run beside a process.

use serde::{Deserialize, Serialize};
use upkeep_core::signal::Signal;
use upkeep_core::{Errand, ErrandKind, Errands, Fate, Killing, Mono, RunEnd, RunId};

use super::is_default;

/// What runs beside a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ErrandsRecord {
    #[serde(default, skip_serializing_if = "is_default")]
    list: Vec<ErrandRecord>,
    #[serde(default, skip_serializing_if = "is_default")]
    prepared: bool,
    /// How the child ended, and its pid.
    #[serde(default, skip_serializing_if = "is_default")]
    ended: Option<(EndRecord, u32)>,
    /// Health checks, which a daemon that does not know them does not read.
    #[serde(default, skip_serializing_if = "is_default")]
    checks: Vec<ErrandRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ErrandRecord {
    kind: ErrandKindRecord,
    run: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pid: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    fate: FateRecord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ErrandKindRecord {
    PreStart,
    PostStart,
    PreStop,
    StopCommand,
    PostStop,
    Reload,
    Check,
}

/// A run that has ended and whose last words may not be in the log yet: the process's own, or that of a command beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UndrainedRecord {
    run: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    errand: Option<ErrandKindRecord>,
}

impl From<(RunId, Option<ErrandKind>)> for UndrainedRecord {
    fn from((run, errand): (RunId, Option<ErrandKind>)) -> Self {
        Self { run: run.0, errand: errand.map(Into::into) }
    }
}

impl From<UndrainedRecord> for (RunId, Option<ErrandKind>) {
    fn from(record: UndrainedRecord) -> Self {
        (RunId(record.run), record.errand.map(Into::into))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum FateRecord {
    #[default]
    Runs,
    CalledOff,
    Overdue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum EndRecord {
    Code(u8),
    Signal(i32, bool),
    Unknown(i32),
}

impl From<Errands> for ErrandsRecord {
    fn from(errands: Errands) -> Self {
        let Errands { list, prepared, ended } = errands;
        let (checks, list): (Vec<Errand>, Vec<Errand>) =
            list.into_iter().partition(|errand| errand.kind == ErrandKind::Check);
        let [list, checks] = [list, checks].map(|errands| errands.into_iter().map(Into::into).collect());
        Self { list, prepared, ended: ended.map(|(end, pid)| (end.into(), pid)), checks }
    }
}

impl From<ErrandsRecord> for Errands {
    fn from(record: ErrandsRecord) -> Self {
        let ErrandsRecord { list, prepared, ended, checks } = record;
        let list = list.into_iter().chain(checks).map(Into::into).collect();
        Self { list, prepared, ended: ended.map(|(end, pid)| (end.into(), pid)) }
    }
}

impl From<ErrandKind> for ErrandKindRecord {
    fn from(kind: ErrandKind) -> Self {
        match kind {
            ErrandKind::PreStart => Self::PreStart,
            ErrandKind::PostStart => Self::PostStart,
            ErrandKind::PreStop => Self::PreStop,
            ErrandKind::StopCommand => Self::StopCommand,
            ErrandKind::PostStop => Self::PostStop,
            ErrandKind::Reload => Self::Reload,
            ErrandKind::Check => Self::Check,
        }
    }
}

impl From<ErrandKindRecord> for ErrandKind {
    fn from(record: ErrandKindRecord) -> Self {
        match record {
            ErrandKindRecord::PreStart => Self::PreStart,
            ErrandKindRecord::PostStart => Self::PostStart,
            ErrandKindRecord::PreStop => Self::PreStop,
            ErrandKindRecord::StopCommand => Self::StopCommand,
            ErrandKindRecord::PostStop => Self::PostStop,
            ErrandKindRecord::Reload => Self::Reload,
            ErrandKindRecord::Check => Self::Check,
        }
    }
}

impl From<Errand> for ErrandRecord {
    fn from(errand: Errand) -> Self {
        let fate = match errand.fate {
            Fate::Runs => FateRecord::Runs,
            Fate::CalledOff => FateRecord::CalledOff,
            Fate::Overdue => FateRecord::Overdue,
        };
        Self {
            kind: errand.kind.into(),
            run: errand.run.0,
            pid: errand.pid,
            until: errand.until.map(|until| until.0),
            fate,
        }
    }
}

impl From<ErrandRecord> for Errand {
    fn from(record: ErrandRecord) -> Self {
        let fate = match record.fate {
            FateRecord::Runs => Fate::Runs,
            FateRecord::CalledOff => Fate::CalledOff,
            FateRecord::Overdue => Fate::Overdue,
        };
        Self {
            kind: record.kind.into(),
            run: RunId(record.run),
            pid: record.pid,
            until: record.until.map(Mono),
            fate,
            killing: Killing::default(),
        }
    }
}

impl From<RunEnd> for EndRecord {
    fn from(end: RunEnd) -> Self {
        match end {
            RunEnd::Code(code) => Self::Code(code),
            RunEnd::Signal { signal, core } => Self::Signal(signal.0, core),
            RunEnd::Unknown(status) => Self::Unknown(status),
        }
    }
}

impl From<EndRecord> for RunEnd {
    fn from(record: EndRecord) -> Self {
        match record {
            EndRecord::Code(code) => Self::Code(code),
            EndRecord::Signal(signal, core) => Self::Signal { signal: Signal(signal), core },
            EndRecord::Unknown(status) => Self::Unknown(status),
        }
    }
}
