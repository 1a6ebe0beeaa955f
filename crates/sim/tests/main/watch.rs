//! What must hold after every step, whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use upkeep_core::signal::KILL;
use upkeep_core::spec::GroupSpec;
use upkeep_core::{ErrandKind, Mono, Process, Request, RunId, Stage, State, StateName};
use upkeep_sim::{Did, Sim, secs};

use crate::rolls::Rolls;

/// The greatest `stopwaitsecs` that chance gives.
const LONGEST_STOP: Duration = secs(5);

/// What was seen so far, for rules about more than one moment.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Processes that were stopped by hand, and not asked to start since.
    forbidden: BTreeSet<String>,
    launches_seen: usize,
    /// When each stop that is under way has to be a kill.
    kills: BTreeMap<RunId, (Mono, Mono)>,
    deaths: u64,
    rolls: Rolls,
    /// Runs whose files have changed.
    outdated: Vec<(String, RunId)>,
}

impl Watch {
    /// Checks every rule.
    pub(crate) fn check(&mut self, sim: &Sim) {
        self.nobody_starts_what_was_stopped_by_hand(sim);
        assert!(!sim.dismissed().iter().any(|(_, configured)| *configured), "a known child is a stranger");
        assert_eq!(sim.left_alive(), [] as [&str; 0], "children outlive the daemon");
        if sim.has_ended() {
            return;
        }
        one_child_each(sim);
        for (_, process) in sim.core().processes() {
            state_and_child_agree(sim, process);
        }
        options_are_the_active_ones(sim);
        self.rolls.check(sim);
        self.stops_become_kills(sim);
    }

    /// Before a request is made: what it allows to start, and what runs that it stops.
    pub(crate) fn hear(&mut self, sim: &Sim, request: &Request) -> Vec<String> {
        self.nobody_starts_what_was_stopped_by_hand(sim);
        self.rolls.nobody_else_is_stopped(sim);
        let names = |ids: &[upkeep_core::ProcId]| -> Vec<String> {
            ids.iter().filter_map(|&id| sim.core().process(id)).map(full_name).collect()
        };
        match request {
            Request::Start { .. } | Request::StartMany { .. } => self.allow_all_if_some_depend(sim.active()),
            Request::AddGroup(spec) | Request::UpdateGroup { spec, .. } => {
                self.allow_all_if_some_depend(std::slice::from_ref(spec));
            }
            // A daemon that dies over it may leave the next one a group that begins anew.
            Request::RemoveGroup(name) => {
                let removed: Vec<_> =
                    sim.active().iter().filter(|group| group.name == *name).cloned().collect();
                self.allow_all_if_some_depend(&removed);
            }
            Request::Signal { .. }
            | Request::SignalMany { .. }
            | Request::Reload { .. }
            | Request::ReloadMany { .. }
            | Request::RestartRolling { .. }
            | Request::Stop { .. }
            | Request::StopMany { .. } => {}
        }
        match request {
            Request::Start { target, .. } => self.allow(&names(&[*target])),
            Request::StartMany { targets, .. } => {
                let ids: Vec<_> = targets.iter().map(|(id, _)| *id).collect();
                self.allow(&names(&ids));
            }
            Request::UpdateGroup { spec, .. } => {
                let members = sim.core().group(&spec.name).map(upkeep_core::Group::members);
                self.rolls.excuse(names(members.unwrap_or_default()));
                self.allow_group(&spec.name);
            }
            Request::AddGroup(spec) => self.allow_group(&spec.name),
            Request::RemoveGroup(group) => self.allow_group(group),
            Request::Signal { .. }
            | Request::SignalMany { .. }
            | Request::Reload { .. }
            | Request::ReloadMany { .. }
            | Request::RestartRolling { .. } => {}
            Request::Stop { target, .. } => return self.hear_stop(sim, names(&[*target])),
            Request::StopMany { targets, .. } => return self.hear_stop(sim, names(targets)),
        }
        Vec::new()
    }

    fn hear_stop(&mut self, sim: &Sim, names: Vec<String>) -> Vec<String> {
        self.rolls.excuse(names.clone());
        running(sim, names)
    }

    /// After a request to stop these, which ran: those that are being stopped by it must not start by themselves.
    pub(crate) fn stopped_by_hand(&mut self, sim: &Sim, targets: Vec<String>) {
        let stops = |name: &String| sim.is(name, StateName::Stopping) || sim.is(name, StateName::Stopped);
        self.forbidden.extend(targets.into_iter().filter(stops));
        // A daemon that died over the request has ordered lost starts again before it went on with the stop.
        self.launches_seen = sim.launches().len();
    }

    /// Files are about to change: who runs has to end.
    pub(crate) fn files_changed(&mut self, sim: &Sim, section: &str) {
        self.rolls.nobody_else_is_stopped(sim);
        let of_section = sim.core().processes().map(|(_, it)| it).filter(|it| *it.spec().section == *section);
        for process in of_section {
            // Whom no signal has reached was not stopped by hand, it has ended by itself.
            let unreached = format!("{} UNKNOWN from ", full_name(process));
            let ended = matches!(process.state().name(), StateName::Exited | StateName::Fatal);
            if ended && sim.events().iter().any(|event| event.starts_with(&unreached)) {
                self.allow(&[full_name(process)]);
            }
            self.rolls.excuse_twice(full_name(process));
            self.outdated.extend(process.state().run().map(|run| (full_name(process), run)));
        }
    }

    /// Given time, no run goes on with files that have changed.
    pub(crate) fn nobody_has_old_files(&self, sim: &Sim) {
        for (name, run) in &self.outdated {
            let Some(process) = sim.process(name) else { continue };
            let runs = matches!(process.state(), State::Starting { .. } | State::Running { .. });
            assert!(!runs || process.state().run() != Some(*run), "{name} has old files: {run:?}");
        }
    }

    /// A restart forgets what was stopped by hand (PROC-244).
    pub(crate) fn restarted(&mut self) {
        self.forbidden.clear();
    }

    /// With a process starts what it depends on, and what that depends on.
    fn allow_all_if_some_depend(&mut self, groups: &[GroupSpec]) {
        let mut all = groups.iter().flat_map(|group| &group.processes);
        if all.any(|process| !process.depends_on.is_empty()) {
            self.forbidden.clear();
        }
    }

    fn allow(&mut self, names: &[String]) {
        self.forbidden.retain(|name| !names.contains(name));
    }

    fn allow_group(&mut self, group: &str) {
        let prefix = format!("{group}:");
        self.forbidden.retain(|name| name != group && !name.starts_with(&prefix));
    }

    fn nobody_starts_what_was_stopped_by_hand(&mut self, sim: &Sim) {
        for (_, name, run) in &sim.launches()[self.launches_seen..] {
            assert!(!self.forbidden.contains(name), "{name} was stopped by hand, yet {run:?} starts it");
        }
        self.launches_seen = sim.launches().len();
    }

    /// A daemon that dies between writing down that a signal is due next time and sending this one, loses this one.
    fn grant_another_period(&mut self, sim: &Sim) {
        if self.deaths != sim.deaths() {
            self.deaths = sim.deaths();
            let later = sim.now().mono.after(LONGEST_STOP);
            self.kills.values_mut().for_each(|(_, due)| *due = later.max(*due));
        }
    }

    fn stops_become_kills(&mut self, sim: &Sim) {
        let now = sim.now().mono;
        self.grant_another_period(sim);
        let mut under_way = BTreeMap::new();
        for (_, process) in sim.core().processes() {
            let State::Stopping { run, child: Some(_), kill_at } = *process.state() else { continue };
            if process.errands().iter().any(|errand| errand.kind == ErrandKind::PreStop) {
                continue;
            }
            let (since, due) = self.kills.get(&run).copied().unwrap_or((now, kill_at));
            // A stop command that fails gives the signal its own time, and so does each step.
            let spec = process.spec();
            let several = spec.hooks.is_some() || !spec.stop_sequence.is_empty();
            let due = if several { due.max(kill_at) } else { due };
            assert!(kill_at <= now.after(LONGEST_STOP), "{} is left too long", full_name(process));
            let late = now > due && !sim.is_catching_up();
            assert!(!late || was_killed(sim, process, since), "{} is not killed in time", full_name(process));
            under_way.insert(run, (since, due));
        }
        self.kills = under_way;
    }
}

fn full_name(process: &Process) -> String {
    let (group, name) = (process.group(), process.name());
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

/// Those that a stop concerns: none, once everything ends.
fn running(sim: &Sim, mut names: Vec<String>) -> Vec<String> {
    if !sim.core().phase().is_running() {
        return Vec::new();
    }
    names.retain(|name| sim.process(name).is_some_and(|process| process.state().name().is_running()));
    names
}

/// A kill that the system refuses makes it UNKNOWN, one that finds nobody is as good as one that works.
fn was_killed(sim: &Sim, process: &Process, since: Mono) -> bool {
    let name = full_name(process);
    let killing = format!("killing '{}' ({}) with SIGKILL", process.name(), process.pid());
    let sent = |did: Did| matches!(did, Did::Signal { signal, .. } if signal == KILL);
    sim.deeds()
        .iter()
        .rev()
        .take_while(|deed| deed.at >= since)
        .any(|deed| deed.process == name && sent(deed.did))
        || sim.log().iter().any(|line| line.ends_with(&killing))
}

fn one_child_each(sim: &Sim) {
    let mut seen = BTreeSet::new();
    for (run, name, _) in sim.all_living() {
        assert!(seen.insert(name), "{name} runs twice, the second time as {run:?}");
        // An errand whose process has been removed was killed, and ends in a moment.
        assert!(
            name.contains(' ') || sim.process(name).is_some(),
            "{name} has a child but is no process any more"
        );
    }
}

fn state_and_child_agree(sim: &Sim, process: &Process) {
    let (name, state) = (full_name(process), process.state());
    let pids: Vec<u32> =
        sim.all_living().into_iter().filter(|(_, owner, _)| *owner == name).map(|(_, _, pid)| pid).collect();
    let known: Vec<u32> = state.child().map(|child| child.pid).into_iter().collect();
    assert_eq!(pids, known, "{name} is {state:?}");
    assert_eq!(process.pid(), known.first().copied().unwrap_or(0), "{name}");
    if let (Some(run), None) = (state.run(), state.child()) {
        assert!(
            sim.is_launching(run) || !process.errands().is_empty(),
            "{name} is {state:?}, but nothing comes of it"
        );
    }
    let most = process.spec().startretries.max(3) + 1;
    let by_policy = process.restarts().is_some();
    assert!(process.failures() >= 0 && (process.failures() <= most || by_policy), "{name}");
    let restarts = process.restarts().map_or(0, |restarts| restarts.times.len());
    assert!(restarts <= 4, "{name} is restarted without end: {restarts}");
}

/// The groups are the active ones; their processes go by the active options, unless they are still being stopped.
fn options_are_the_active_ones(sim: &Sim) {
    let groups: Vec<&str> = sim.core().groups().iter().map(upkeep_core::Group::name).collect();
    let active: Vec<&str> = sim.active().iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, active, "active groups");
    sim.active().iter().for_each(|group| options_are(sim, group));
}

fn options_are(sim: &Sim, spec: &GroupSpec) {
    let Some(group) = sim.core().group(&spec.name) else { return };
    assert_eq!((group.priority(), group.kind()), (spec.priority, &spec.kind), "{}", spec.name);
    let members: Vec<&Process> = group.members().iter().filter_map(|&id| sim.core().process(id)).collect();
    for wanted in &spec.processes {
        let found = members.iter().find(|process| process.name() == wanted.name);
        let process = found.unwrap_or_else(|| panic!("{} has no {}", spec.name, wanted.name));
        let id = sim.core().member(&spec.name, &wanted.name);
        let turn = id.and_then(|id| sim.core().rolling_stage(id));
        let is_behind = id.is_some_and(|id| sim.core().is_behind(id));
        let has_turn = matches!(turn, Some(Stage::Ending { .. }));
        // Where everything ends, a stop that waits for another has nobody's turn any more.
        let waits = is_behind || has_turn || is_in_between(process) || !sim.core().phase().is_running();
        assert!(waits || process.spec() == wanted, "{} has old options", full_name(process));
    }
    for process in members {
        let wanted = spec.processes.iter().any(|wanted| wanted.name == process.name());
        assert!(wanted || is_in_between(process), "{} should be gone", full_name(process));
    }
}

fn is_in_between(process: &Process) -> bool {
    matches!(process.state().name(), StateName::Stopping | StateName::Unknown)
}
