//! When programs with a schedule run, as `upkeep status --json` shows it.

use serde_json::{Value, json};
use upkeep_api::{ProcessInfo, ScheduleInfo};

use super::link::Link;
use super::problem::Problem;

/// The programs with a schedule.
pub(super) struct Schedules(Vec<ScheduleInfo>);

impl Schedules {
    /// Asks the daemon.
    pub(super) fn ask(link: &Link) -> Result<Self, Problem> {
        link.check("ask what runs on a schedule", link.client.schedules()).map(Self)
    }

    /// The schedule of a process; null if it has none.
    pub(super) fn in_json(&self, info: &ProcessInfo) -> Value {
        let found = self.0.iter().find(|other| other.name == info.name && other.group == info.group);
        found.map_or(Value::Null, |schedule| {
            json!({
                "schedule": schedule.schedule,
                "timezone": schedule.timezone,
                "on": schedule.on,
                "next": schedule.next,
                "queued": schedule.queued,
                "last_start": schedule.last_start,
                "last_milliseconds": schedule.last_milliseconds,
                "last_result": schedule.last_result,
            })
        })
    }
}
