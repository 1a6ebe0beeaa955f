//! How the health of a process looks to people: what its description says after Supervisor's words, and all that is known of it.

use std::fmt::Write;

use upkeep_api::HealthInfo;
use upkeep_core::health::{Health, Verdict};
use upkeep_core::{Mono, Now, Process, StateName};

use crate::names::lexical;
use crate::shell::{Shell, now};

/// What a process was stopped for, as its spawn error begins.
const BLAMED: &str = "Unhealthy: ";

impl Shell {
    /// Every process whose health is looked at, in the order of `status`.
    pub(crate) fn health_infos(&self) -> Vec<HealthInfo> {
        let now = now();
        lexical(&self.core).filter_map(|process| info(process, now)).collect()
    }
}

fn info(process: &Process, now: Now) -> Option<HealthInfo> {
    let spec = process.spec().health.as_ref()?;
    let info = HealthInfo {
        name: process.name().to_owned(),
        group: process.group().to_owned(),
        check: spec.check.as_ref().map(ToString::to_string).unwrap_or_default(),
        state: Verdict::Unknown.as_str().to_owned(),
        ..HealthInfo::default()
    };
    let Some(health) = process.health() else { return Some(info) };
    let at = |mono: Option<Mono>| mono.map_or(0, |mono| wall(now, mono));
    let last = health.last.as_ref();
    let in_row = last.map_or(0, |last| i64::from(last.in_row));
    let went_wrong = last.is_some_and(|last| last.fault.is_some());
    let result = last.map(|last| last.fault.clone().unwrap_or_else(|| "ok".to_owned()));
    Some(HealthInfo {
        state: health.verdict.as_str().to_owned(),
        since: if health.since == 0 { process.started() } else { health.since },
        reason: health.reason.clone().filter(|_| health.verdict != Verdict::Healthy).unwrap_or_default(),
        ready: health.ready,
        checking: health.is_asked(),
        next_check: at(health.next_check()),
        last_check: last.map_or(0, |last| last.at),
        last_result: result.unwrap_or_default(),
        failures: if went_wrong { in_row } else { 0 },
        successes: if went_wrong { 0 } else { in_row },
        status: health.status.clone().unwrap_or_default(),
        watchdog: at(health.has_to_speak_by()),
        mainpid: i64::from(health.main_pid.unwrap_or(0)),
        ..info
    })
}

/// What the wall clock shows at that time, if nobody sets it.
fn wall(now: Now, at: Mono) -> i64 {
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    now.wall.saturating_add(seconds(at.since(now.mono))).saturating_sub(seconds(now.mono.since(at)))
}

/// Goes on with a description. What Supervisor says there stays as it is, and stays in front.
pub(crate) fn describe(process: &Process, description: &mut String) {
    match (process.state().name(), process.health()) {
        (StateName::Starting | StateName::Running, Some(health)) => {
            describe_living(health, description);
            if let Some(check) = process.stuck_check() {
                let _ =
                    write!(description, "; not asked: its last check (pid {}) cannot be ended", check.pid);
            }
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use upkeep_core::spec::{Check, GroupSpec, HealthAction, HealthSpec, ProcessSpec};
    use upkeep_core::{Effect, Input, SignalFailure, Supervisor};

    use super::*;

    /// A process whose check may not be signalled and takes too long.
    #[test]
    fn a_check_that_cannot_be_ended_is_shown_as_the_reason_why_nothing_is_asked() {
        let health = HealthSpec {
            check: Some(Check::Exec("ask".to_owned())),
            action: HealthAction::None,
            ..HealthSpec::default()
        };
        let spec = ProcessSpec { health: Some(health.into()), ..ProcessSpec::new("web", "web") };
        let mut core = Supervisor::new();
        let (mut pid, mut lines) = (6, Vec::new());
        let mut step = |core: &mut Supervisor, second, input| {
            let mut inputs = vec![input];
            let now = Now { mono: Mono(1).after(Duration::from_secs(second)), wall: 1_000 };
            while let Some(input) = inputs.pop() {
                core.handle(now, input);
                while let Some(effect) = core.poll_effect() {
                    match effect {
                        Effect::Spawn { run, .. } | Effect::Errand { run, .. } => {
                            pid += 1;
                            inputs.push(Input::Spawned { run, pid, at: now.mono });
                        }
                        Effect::Signal { id, .. } => {
                            let failure = SignalFailure { gone: false, error: "no".to_owned() };
                            inputs.push(Input::Signalled { id, outcome: Err(failure) });
                        }
                        Effect::Log(notice) => lines.push(notice.to_string()),
                        _ => {}
                    }
                }
            }
        };
        step(&mut core, 0, Input::Setup(GroupSpec::plain("web", vec![spec])));
        step(&mut core, 0, Input::Begin { recovered: false });
        for second in [2, 60, 120] {
            step(&mut core, second, Input::Tick);
        }
        let (_, process) = core.processes().next().expect("a process");
        let mut description = "pid 7".to_owned();
        describe(process, &mut description);
        assert!(
            description
                .ends_with("(no answer within 5 s); not asked: its last check (pid 8) cannot be ended"),
            "{description}"
        );
        let said = lines.iter().filter(|line| line.contains("cannot be ended")).count();
        assert_eq!(said, 1, "{lines:?}");
    }
}
