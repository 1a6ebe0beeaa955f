//! What is told of a command that asks, before its end is.

use std::sync::Arc;
use std::time::Duration;

use upkeep_core::health::Finding;
use upkeep_core::spec::{Check, GroupSpec, HealthAction, HealthSpec, ProcessSpec};
use upkeep_core::{Effect, Input, Mono, Now, RunEnd, RunId, Supervisor, signal};

const START: u64 = 1_000_000_000;

fn now(seconds: u64) -> Now {
    Now { mono: Mono(START).after(Duration::from_secs(seconds)), wall: 1_000 }
}

/// The run of the first child, or of the command, that was ordered.
fn ordered(core: &mut Supervisor) -> Option<RunId> {
    let mut found = None;
    while let Some(effect) = core.poll_effect() {
        if let Effect::Spawn { run, .. } | Effect::Errand { run, .. } = effect {
            found = found.or(Some(run));
        }
    }
    found
}

/// A process that runs, and the command that asks it.
fn asked() -> (Supervisor, RunId) {
    let health = HealthSpec {
        check: Some(Check::Exec("ask".to_owned())),
        start_period: Duration::ZERO,
        action: HealthAction::None,
        ..HealthSpec::default()
    };
    let spec = ProcessSpec { health: Some(Arc::new(health)), ..ProcessSpec::new("web", "web") };
    let group = GroupSpec::plain("web", vec![spec]);
    let mut core = Supervisor::new();
    core.handle(now(0), Input::Setup(group));
    core.handle(now(0), Input::Begin { recovered: false });
    let run = ordered(&mut core).expect("a start");
    core.handle(now(0), Input::Spawned { run, pid: 7, at: now(0).mono });
    core.handle(now(2), Input::Tick);
    let command = ordered(&mut core).expect("a command");
    (core, command)
}

#[test]
fn what_a_command_has_told_counts_if_it_fails() {
    let bad = |text: &str| Finding::Bad(text.to_owned());
    let ends = |code| Ok(RunEnd::Code(code));
    for (told, end, failures, fault) in [
        (None, ends(0), 0, Some(None)),
        (None, ends(3), 1, Some(Some("exit status 3"))),
        (Some(bad("why")), ends(3), 1, Some(Some("why"))),
        (Some(bad("why")), ends(0), 0, Some(None)),
        (None, Ok(RunEnd::Unknown(0)), 0, None),
        (None, Err("no such command"), 1, Some(Some("no such command"))),
        (Some(Finding::None), Err("no descriptors"), 0, None),
    ] {
        let row = format!("{told:?} {end:?}");
        let (mut core, run) = asked();
        if let Some(finding) = told {
            core.handle(now(3), Input::Checked { run, number: 0, finding });
        }
        match end {
            Ok(end) => {
                core.handle(now(3), Input::Spawned { run, pid: 8, at: now(3).mono });
                core.handle(now(3), Input::Exited { run, end, at: now(3).mono });
            }
            Err(text) => core.handle(now(3), Input::SpawnFailed { run, text: text.to_owned() }),
        }
        let (_, process) = core.processes().next().expect("a process");
        let health = process.health().expect("it is looked at");
        assert_eq!(health.failures, failures, "{row}");
        assert_eq!(health.last.as_ref().map(|last| last.fault.as_deref()), fault, "{row}");
        assert!(!health.is_asked() && process.errands().is_empty(), "{row}");
        assert!(health.next_check().is_some_and(|at| at > now(3).mono), "{row}");
    }
}

/// A command that cannot be killed, on a disk that hangs, holds up neither the next start nor the end.
#[test]
fn a_command_that_stays_holds_nothing_up() {
    let (mut core, command) = asked();
    core.handle(now(3), Input::Spawned { run: command, pid: 8, at: now(3).mono });
    let (_, process) = core.processes().next().expect("a process");
    let child = process.state().run().expect("a child");
    core.handle(now(4), Input::Exited { run: child, end: RunEnd::Code(1), at: now(4).mono });
    let again = ordered(&mut core).expect("a start");
    assert_ne!(again, command);
    core.handle(now(5), Input::Spawned { run: again, pid: 9, at: now(5).mono });
    core.handle(now(7), Input::Tick);
    assert_eq!(ordered(&mut core), None, "it is not asked while the last command is still there");
    core.handle(now(8), Input::Shutdown);
    core.handle(
        now(9),
        Input::Exited {
            run: again,
            end: RunEnd::Signal { signal: signal::TERM, core: false },
            at: now(9).mono,
        },
    );
    let ends =
        std::iter::from_fn(|| core.poll_effect()).any(|effect| matches!(effect, Effect::Terminate { .. }));
    assert!(ends, "the daemon ends");
    let (_, process) = core.processes().next().expect("a process");
    assert_eq!(process.errands().len(), 1, "and nobody takes it for gone");
}
