//! What is written down of a process's health.

use serde::{Deserialize, Serialize};
use upkeep_core::health::{Health, LastCheck, Verdict};

use super::is_default;

/// What is known of a process's health; times begin anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HealthRecord {
    #[serde(default, skip_serializing_if = "is_default")]
    ready: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    mute: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    silent: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    late: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    answers: VerdictRecord,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    successes: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    verdict: VerdictRecord,
    #[serde(default, skip_serializing_if = "is_default")]
    since: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    last: Option<LastCheckRecord>,
    #[serde(default, skip_serializing_if = "is_default")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    main_pid: Option<u32>,
}

/// How the last check went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LastCheckRecord {
    at: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    fault: Option<String>,
    in_row: u32,
}

impl From<LastCheck> for LastCheckRecord {
    fn from(last: LastCheck) -> Self {
        let LastCheck { at, fault, in_row } = last;
        Self { at, fault, in_row }
    }
}

impl From<LastCheckRecord> for LastCheck {
    fn from(record: LastCheckRecord) -> Self {
        let LastCheckRecord { at, fault, in_row } = record;
        Self { at, fault, in_row }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum VerdictRecord {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

impl From<Verdict> for VerdictRecord {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Unknown => Self::Unknown,
            Verdict::Healthy => Self::Healthy,
            Verdict::Unhealthy => Self::Unhealthy,
        }
    }
}

impl From<VerdictRecord> for Verdict {
    fn from(record: VerdictRecord) -> Self {
        match record {
            VerdictRecord::Unknown => Self::Unknown,
            VerdictRecord::Healthy => Self::Healthy,
            VerdictRecord::Unhealthy => Self::Unhealthy,
        }
    }
}

impl From<Health> for HealthRecord {
    fn from(health: Health) -> Self {
        Self {
            ready: health.ready,
            mute: health.mute,
            silent: health.silent,
            late: health.late,
            answers: health.answers.into(),
            failures: health.failures,
            successes: health.successes,
            verdict: health.verdict.into(),
            since: health.since,
            last: health.last.map(Into::into),
            reason: health.reason,
            status: health.status,
            main_pid: health.main_pid,
        }
    }
}

impl From<HealthRecord> for Health {
    fn from(record: HealthRecord) -> Self {
        let mut health = Self::default();
        health.ready = record.ready;
        health.mute = record.mute;
        health.silent = record.silent;
        health.late = record.late;
        health.answers = record.answers.into();
        health.failures = record.failures;
        health.successes = record.successes;
        health.verdict = record.verdict.into();
        health.since = record.since;
        health.last = record.last.map(Into::into);
        health.reason = record.reason;
        health.status = record.status;
        health.main_pid = record.main_pid;
        health
    }
}

/// Health that is in no way as by default.
#[cfg(test)]
pub(super) fn unusual() -> Health {
    let record = HealthRecord {
        ready: true,
        mute: true,
        silent: true,
        late: true,
        answers: VerdictRecord::Healthy,
        failures: 2,
        successes: 3,
        verdict: VerdictRecord::Unhealthy,
        since: 5,
        last: Some(LastCheckRecord { at: 6, fault: Some("how".to_owned()), in_row: 7 }),
        reason: Some("why".to_owned()),
        status: Some("what".to_owned()),
        main_pid: Some(4),
    };
    record.into()
}
