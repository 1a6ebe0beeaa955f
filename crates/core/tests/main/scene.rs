//! Programs and worlds that the tables begin with.

use upkeep_core::spec::{GroupSpec, ProcessSpec};
use upkeep_core::{CallId, Refusal, StateName, signal};
use upkeep_sim::{Ask, Plan, Signalling, Sim, millis, secs};

/// Every state.
pub(crate) const ALL: [StateName; 8] = [
    StateName::Stopped,
    StateName::Starting,
    StateName::Running,
    StateName::Backoff,
    StateName::Stopping,
    StateName::Exited,
    StateName::Fatal,
    StateName::Unknown,
];

/// A program whose group has its name.
pub(crate) fn alone(process: ProcessSpec) -> GroupSpec {
    GroupSpec::plain(&process.name.clone(), vec![process])
}

/// `web` with these options changed.
pub(crate) fn web(change: impl FnOnce(&mut ProcessSpec)) -> ProcessSpec {
    let mut spec = ProcessSpec::new("web", "web --serve");
    change(&mut spec);
    spec
}

/// `web` with these options changed and these children, just begun.
pub(crate) fn begun(change: impl FnOnce(&mut ProcessSpec), plans: impl Into<Vec<Plan>>) -> Sim {
    let mut sim = Sim::new(vec![alone(web(change))]);
    sim.plan("web", plans).begin();
    sim
}

/// A group of processes with these names and otherwise default options.
pub(crate) fn group(name: &str, processes: &[&str]) -> GroupSpec {
    GroupSpec::plain(name, processes.iter().map(|process| ProcessSpec::new(process, process)).collect())
}

/// A world where `web` has just come to a state, by the shortest way.
pub(crate) fn standing(state: StateName) -> Sim {
    standing_with(state, |_| {})
}

/// As [`standing`], with these options changed.
pub(crate) fn standing_with(state: StateName, change: impl FnOnce(&mut ProcessSpec)) -> Sim {
    let slow = Plan::runs().lingering(secs(5));
    let (plan, wait) = match state {
        StateName::Stopped | StateName::Starting => (slow, millis(0)),
        StateName::Running | StateName::Stopping => (slow, secs(2)),
        StateName::Unknown => (slow.signalling(Signalling::Denied), secs(2)),
        StateName::Backoff | StateName::Fatal => (Plan::fails("no child today"), millis(0)),
        StateName::Exited => (Plan::exits(secs(2), 0), secs(3)),
    };
    let mut sim = begun(
        |spec| {
            spec.autostart = state != StateName::Stopped;
            spec.startretries = if state == StateName::Fatal { 0 } else { 3 };
            change(spec);
        },
        [plan],
    );
    sim.advance(wait);
    if matches!(state, StateName::Stopping | StateName::Unknown) {
        sim.request(Ask::stop("web").without_waiting());
    }
    assert_eq!(sim.state("web"), state, "the scene is not what it should be");
    sim
}

/// What a request was answered so far.
pub(crate) fn answer(sim: &Sim, call: CallId) -> Option<Result<(), Refusal>> {
    sim.answers(call).one()
}

/// Asks, and gives the answer that comes at once.
pub(crate) fn ask(sim: &mut Sim, ask: Ask) -> Option<Result<(), Refusal>> {
    let call = sim.request(ask);
    answer(sim, call)
}

/// The result of each process of many, in the order of the answer; `None` while it is open.
pub(crate) fn many(sim: &Sim, call: CallId) -> Option<Vec<(String, Result<(), Refusal>)>> {
    match sim.answers(call).answers.first() {
        Some((_, upkeep_core::Answer::Many(outcomes))) => {
            Some(outcomes.iter().map(|outcome| (outcome.process.clone(), outcome.result.clone())).collect())
        }
        Some((_, other)) => panic!("the answer has another shape: {other:?}"),
        None => None,
    }
}

/// Signals as their names.
pub(crate) fn names(signals: &[signal::Signal]) -> Vec<String> {
    signals.iter().map(ToString::to_string).collect()
}

/// Events of one process, without its name.
pub(crate) fn events_of<'a>(sim: &'a Sim, process: &str) -> Vec<&'a str> {
    sim.events().into_iter().filter_map(|event| event.strip_prefix(process)?.strip_prefix(' ')).collect()
}
