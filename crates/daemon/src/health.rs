//! How the health of a process looks to people: what its description says after Supervisor's words.

use std::fmt::Write;

use upkeep_core::health::{Health, Verdict};
use upkeep_core::{Process, StateName};

/// What a process was stopped for, as its spawn error begins.
const BLAMED: &str = "Unhealthy: ";

/// Goes on with a description. What Supervisor says there stays as it is, and stays in front.
pub(crate) fn describe(process: &Process, description: &mut String) {
    match (process.state().name(), process.health()) {
        (StateName::Starting | StateName::Running, Some(health)) => describe_living(health, description),
        (StateName::Stopping, _) => {
            add(description, process.spawnerr().filter(|text| text.starts_with(BLAMED)))
        }
        (StateName::Stopped, _) => {
            if let Some(reason) = process.spawnerr().and_then(|text| text.strip_prefix(BLAMED)) {
                let _ = write!(description, "; unhealthy: {reason}");
            }
        }
        (
            StateName::Starting
            | StateName::Running
            | StateName::Backoff
            | StateName::Exited
            | StateName::Fatal
            | StateName::Unknown,
            _,
        ) => {}
    }
}

fn describe_living(health: &Health, description: &mut String) {
    let word = match health.verdict {
        Verdict::Healthy => "healthy",
        Verdict::Unhealthy => "unhealthy",
        Verdict::Unknown if health.ready => "not healthy yet",
        Verdict::Unknown => "not ready yet",
    };
    add(description, Some(word));
    if let Some(reason) = health.reason.as_ref().filter(|_| health.verdict != Verdict::Healthy) {
        let _ = write!(description, " ({reason})");
    }
    if let Some(status) = &health.status {
        let _ = write!(description, "; {status}");
    }
}

fn add(description: &mut String, text: Option<&str>) {
    let Some(text) = text else { return };
    if !description.is_empty() {
        description.push_str(", ");
    }
    description.push_str(text);
}
