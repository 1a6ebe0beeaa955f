//! What is written down of rolling restarts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use upkeep_core::ordered;
use upkeep_core::{Batch, Member, Mono, Rolling, RollingEnd, RunId, Stage};

use super::is_default;
use crate::growing::lines;

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

/// What has changed since all of them were written down: a line behind that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum RollingChange {
    /// One as a whole, new or not.
    Whole(RollingRecord),
    /// The number of one, and members of it by their places.
    Stages(u64, Vec<(usize, StageRecord)>),
}

impl RollingChange {
    /// These members, or all of it if there are none.
    pub(crate) fn of(rolling: &Rolling, members: &[usize]) -> Self {
        if members.is_empty() {
            return Self::Whole(rolling.into());
        }
        let stage = |at: &usize| Some((*at, (&rolling.members.get(*at)?.stage).into()));
        Self::Stages(rolling.number, members.iter().filter_map(stage).collect())
    }
}

/// All that are written down, the changes applied.
pub(crate) fn read(record: &[u8]) -> Vec<RollingRecord> {
    let mut lines = lines(record);
    let whole: Vec<RollingRecord> =
        lines.next().and_then(|whole| serde_json::from_slice(whole).ok()).unwrap_or_default();
    let mut all = ordered::map(whole.into_iter().map(|one| (one.number, one)));
    for change in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
        match change {
            RollingChange::Whole(record) => drop(all.insert(record.number, record)),
            RollingChange::Stages(number, stages) => {
                let Some(record) = all.get_mut(&number) else { continue };
                for (at, stage) in stages {
                    record.members.get_mut(at).into_iter().for_each(|member| member.2 = stage.clone());
                }
            }
        }
    }
    all.into_values().collect()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StageRecord {
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

    /// What was written as a whole, and changes behind it, are what they are together.
    #[test]
    fn changes_are_read_behind_the_whole() {
        let member = |process: usize| Member {
            group: "g".to_owned(),
            process: process.to_string(),
            stage: Stage::Pending,
        };
        let rolling = |number| Rolling {
            number,
            update: false,
            batch: None,
            wait: None,
            members: (0..3).map(member).collect(),
            end: None,
        };
        let (mut first, mut second) = (rolling(1), rolling(2));
        let mut record = serde_json::to_vec(&[RollingRecord::from(&first)]).unwrap();
        let mut write = |rolling: &Rolling, members: &[usize]| {
            record.push(b'\n');
            record.extend(serde_json::to_vec(&RollingChange::of(rolling, members)).unwrap());
            read(&record).into_iter().map(Rolling::from).collect::<Vec<_>>()
        };
        first.members[2].stage = Stage::Ending { run: Some(RunId(7)) };
        first.members[0].stage = Stage::Failed("line\nend".to_owned());
        assert_eq!(write(&first, &[0, 2, 9]), [first.clone()]);
        assert_eq!(write(&second, &[]), [first.clone(), second.clone()]);
        second.members[1].stage = Stage::Starting { until: Mono(8) };
        assert_eq!(write(&second, &[1]), [first.clone(), second.clone()]);
        first.end = Some(RollingEnd::Failed);
        assert_eq!(write(&first, &[]), [first, second]);
    }
}
