//! How programs are whose health is looked at, as `upkeep status --json` shows it.

use serde_json::{Value, json};
use upkeep_api::{HealthInfo, ProcessInfo};

use super::link::Link;
use super::problem::Problem;

/// The programs whose health is looked at.
pub(super) struct Health(Vec<HealthInfo>);

impl Health {
    /// Asks the daemon.
    pub(super) fn ask(link: &Link) -> Result<Self, Problem> {
        link.check("ask how programs are", link.client.health()).map(Self)
    }

    /// The health of a process; null if it is not looked at.
    pub(super) fn in_json(&self, info: &ProcessInfo) -> Value {
        let found = self.0.iter().find(|other| other.name == info.name && other.group == info.group);
        found.map_or(Value::Null, |health| {
            json!({
                "check": health.check,
                "state": health.state,
                "since": health.since,
                "reason": health.reason,
                "ready": health.ready,
                "checking": health.checking,
                "next_check": health.next_check,
                "last_check": health.last_check,
                "last_result": health.last_result,
                "failures": health.failures,
                "successes": health.successes,
                "status": health.status,
                "watchdog": health.watchdog,
                "mainpid": health.mainpid,
            })
        })
    }
}
