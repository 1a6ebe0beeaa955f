//! What is written down of rolling restarts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use upkeep_core::{Batch, Member, Mono, Rolling, RollingEnd, RunId, Stage};

use super::is_default;

/// One rolling restart; times are in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RollingRecord {
    number: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    update: bool,
    /// As written.
    #[serde(default, skip_serializing_if = "is_default")]
    batch: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    wait: Option<u64>,
    members: Vec<(String, String, StageRecord)>,
    #[serde(default, skip_serializing_if = "is_default")]
    end: Option<EndRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum StageRecord {
    Pending,
    Ending(Option<u64>),
    Starting(u64),
    Done,
    Failed(String),
    Left(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum EndRecord {
    Done,
    Failed,
    CalledOff(String),
}

impl From<&Rolling> for RollingRecord {
    fn from(rolling: &Rolling) -> Self {
        let nanos = |wait: Duration| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let members = rolling.members.iter();
        let members = members
            .map(|member| (member.group.clone(), member.process.clone(), StageRecord::from(&member.stage)));
        Self {
            number: rolling.number,
            update: rolling.update,
            batch: rolling.batch.map(|batch| batch.to_string()),
            wait: rolling.wait.map(nanos),
            members: members.collect(),
            end: rolling.end.as_ref().map(|end| match end {
                RollingEnd::Done => EndRecord::Done,
                RollingEnd::Failed => EndRecord::Failed,
                RollingEnd::CalledOff(why) => EndRecord::CalledOff(why.clone()),
            }),
        }
    }
}

impl From<RollingRecord> for Rolling {
    fn from(record: RollingRecord) -> Self {
        let members = record.members.into_iter();
        let members =
            members.map(|(group, process, stage)| Member { group, process, stage: Stage::from(stage) });
        Self {
            number: record.number,
            update: record.update,
            batch: record.batch.as_deref().and_then(Batch::parse),
            wait: record.wait.map(Duration::from_nanos),
            members: members.collect(),
            end: record.end.map(|end| match end {
                EndRecord::Done => RollingEnd::Done,
                EndRecord::Failed => RollingEnd::Failed,
                EndRecord::CalledOff(why) => RollingEnd::CalledOff(why),
            }),
        }
    }
}

impl From<&Stage> for StageRecord {
    fn from(stage: &Stage) -> Self {
        match stage {
            Stage::Pending => Self::Pending,
            Stage::Ending { run } => Self::Ending(run.map(|run| run.0)),
            Stage::Starting { until } => Self::Starting(until.0),
            Stage::Done => Self::Done,
            Stage::Failed(why) => Self::Failed(why.clone()),
            Stage::Left(why) => Self::Left(why.clone()),
        }
    }
}

impl From<StageRecord> for Stage {
    fn from(record: StageRecord) -> Self {
        match record {
            StageRecord::Pending => Self::Pending,
            StageRecord::Ending(run) => Self::Ending { run: run.map(RunId) },
            StageRecord::Starting(until) => Self::Starting { until: Mono(until) },
            StageRecord::Done => Self::Done,
            StageRecord::Failed(why) => Self::Failed(why),
            StageRecord::Left(why) => Self::Left(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolling_restart_survives_the_record() {
        let stages = [
            Stage::Pending,
            Stage::Ending { run: None },
            Stage::Ending { run: Some(RunId(7)) },
            Stage::Starting { until: Mono(8) },
            Stage::Done,
            Stage::Failed("why".to_owned()),
            Stage::Left("so".to_owned()),
        ];
        let member = |stage| Member { group: "g".to_owned(), process: "p".to_owned(), stage };
        let mut rolling = Rolling {
            number: 3,
            update: true,
            batch: Some(Batch::Percent(25)),
            wait: Some(Duration::from_millis(1500)),
            members: stages.into_iter().map(member).collect(),
            end: None,
        };
        let ends = [None, Some(RollingEnd::Done), Some(RollingEnd::Failed)];
        for end in ends.into_iter().chain([Some(RollingEnd::CalledOff("x".to_owned()))]) {
            rolling.end = end;
            let text = serde_json::to_vec(&RollingRecord::from(&rolling)).unwrap();
            let back: RollingRecord = serde_json::from_slice(&text).unwrap();
            assert_eq!(Rolling::from(back), rolling);
        }
    }
}
