//! Dependencies: a process starts when what it depends on is there, and ends before that does.
//!
//! # Theory of operation
//!
//! A start that something stands in the way of leaves the process WAITING ([`State::Waiting`]), listed under the one
//! process that is in the way: only when that one changes is it looked at again. So N starts cost N looks, however many
//! processes each depends on.
//!
//! A stop takes those along that are to end with it (`on_dependency_stop`), and is put off until they, and others of the
//! same request that depend on it, have ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::effect::{Effect, Event};
use crate::notice::Notice;
use crate::process::{AfterStop, ProcId, Process, State, StateName};
use crate::spec::{Condition, Dependency, OnDependencyStop, ProcessSpec};
use crate::supervisor::Supervisor;
use crate::time::Now;
use crate::wait::full_name;

/// What keeps a process from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    by: Option<ProcId>,
    /// As clients name it.
    name: String,
    condition: Condition,
    /// Where it stands; `None` if it is not active.
    state: Option<StateName>,
}

impl Obstacle {
    /// Whether nothing is under way that could remove it.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.state.is_none_or(StateName::is_stopped)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = match self.condition {
            Condition::Started => "be started",
            Condition::Running => "be running",
            Condition::Healthy => "be healthy",
            Condition::Completed => "have completed",
        };
        write!(f, "waits for {} to {condition} ", self.name)?;
        match self.state {
            Some(state) => write!(f, "(it is {})", state.as_str()),
            None => f.write_str("(it is not active)"),
        }
    }
}

/// Something that may matter to those who wait.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// A process changed its state.
    State {
        id: ProcId,
        /// It was up, and is not any more.
        fell: bool,
        /// It has ended.
        ended: bool,
    },
    /// This one may have nothing in its way any more.
    Look(ProcId),
    /// An earlier daemon was about to stop some.
    Stops,
}

/// Who depends on whom, and who waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depends {
    /// Processes that depend on something in a group, by the name of that.
    dependants: BTreeMap<String, BTreeSet<ProcId>>,
    /// Processes that wait, by the one that is in their way; `None` is one that is not active.
    held_up: BTreeMap<Option<ProcId>, BTreeSet<ProcId>>,
    /// The same the other way round.
    held_up_by: BTreeMap<ProcId, Option<ProcId>>,
    /// Stops that are put off, with the processes that must end before.
    put_off: BTreeMap<ProcId, BTreeSet<ProcId>>,
    /// The stops that are put off until a process has ended.
    until: BTreeMap<ProcId, Vec<ProcId>>,
    changes: VecDeque<Change>,
}

impl Depends {
    /// Whether there is something to follow up.
    pub(crate) fn has_news(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether this one is stopped when others have ended.
    pub(crate) fn is_put_off(&self, id: ProcId) -> bool {
        self.put_off.contains_key(&id)
    }

    /// Whether the stop of `id` is put off until `other` has ended, however many are between them. Options of several
    /// configurations may lead in a circle, and somebody has to be the first.
    fn is_put_off_for(&self, id: ProcId, other: ProcId) -> bool {
        let (mut known, mut next) = (BTreeSet::from([id]), vec![id]);
        while let Some(id) = next.pop() {
            if id == other {
                return true;
            }
            let before = self.put_off.get(&id).into_iter().flatten();
            next.extend(before.filter(|before| known.insert(**before)));
        }
        false
    }

    /// An earlier daemon has put off the stop of this one; what has to end before is found out later.
    pub(crate) fn was_put_off(&mut self, id: ProcId) {
        self.put_off.insert(id, BTreeSet::new());
    }

    /// Those of [`Self::was_put_off`] that have not ended since.
    pub(crate) fn stops_of_another_daemon(&mut self) -> Vec<ProcId> {
        let stops = self.put_off.extract_if(.., |_, first| first.is_empty());
        stops.map(|(id, _)| id).collect()
    }

    /// A process changed its state.
    pub(crate) fn follow(&mut self, id: ProcId, process: &Process, from: StateName) {
        let to = process.state.name();
        if to.is_stopped() {
            self.put_off.remove(&id);
        }
        let fell = matches!(from, StateName::Running | StateName::Stopping)
            && (to.is_stopped() || to == StateName::Backoff)
            && self.dependants.contains_key(&*process.group);
        let ended = to.is_stopped();
        if fell || self.held_up.contains_key(&Some(id)) || ended && self.until.contains_key(&id) {
            self.changes.push_back(Change::State { id, fell, ended });
        }
    }

    /// A process became active, or can be told apart from one that is not.
    pub(crate) fn arrived(&mut self) {
        let waiting = self.held_up.get(&None).into_iter().flatten();
        self.changes.extend(waiting.map(|&id| Change::Look(id)));
    }

    /// A process is gone for good.
    pub(crate) fn gone(&mut self, id: ProcId, process: &Process) {
        self.unlist(id, &process.spec);
        self.let_go(id);
        self.put_off.remove(&id);
        if self.held_up.contains_key(&Some(id)) || self.until.contains_key(&id) {
            self.changes.push_back(Change::State { id, fell: false, ended: true });
        }
    }

    /// Lists who a process depends on.
    pub(crate) fn list(&mut self, id: ProcId, spec: &ProcessSpec) {
        for group in groups_of(spec) {
            self.dependants.entry(group.to_owned()).or_default().insert(id);
        }
    }

    fn unlist(&mut self, id: ProcId, spec: &ProcessSpec) {
        for group in groups_of(spec) {
            if let Some(listed) = self.dependants.get_mut(group) {
                listed.remove(&id);
                if listed.is_empty() {
                    self.dependants.remove(group);
                }
            }
        }
    }

    /// A process does not wait any more.
    fn let_go(&mut self, id: ProcId) {
        let Some(by) = self.held_up_by.remove(&id) else { return };
        if let Some(waiting) = self.held_up.get_mut(&by) {
            waiting.remove(&id);
            if waiting.is_empty() {
                self.held_up.remove(&by);
            }
        }
    }

    fn hold_up(&mut self, id: ProcId, by: Option<ProcId>) {
        self.let_go(id);
        self.held_up.entry(by).or_default().insert(id);
        self.held_up_by.insert(id, by);
    }

    /// Those that this one was in the way of; none of them waits for it any more.
    fn no_longer_held_up(&mut self, by: ProcId) -> BTreeSet<ProcId> {
        let waiting = self.held_up.remove(&Some(by)).unwrap_or_default();
        for id in &waiting {
            self.held_up_by.remove(id);
        }
        waiting
    }
}

/// The groups that a process depends on something in.
fn groups_of(spec: &ProcessSpec) -> impl Iterator<Item = &str> {
    let targets = spec.depends_on.iter().flat_map(|dependency| &dependency.targets);
    targets.map(|target| target.group.as_str())
}

impl Supervisor {
    /// What is in the way of a process that waits.
    #[must_use]
    pub fn obstacle_of(&self, process: &Process) -> Option<Obstacle> {
        if process.state == State::Waiting { self.obstacle(process) } else { None }
    }

    /// Whether a process waits for one that has ended and is not started again, or for one that does so in its turn.
    #[must_use]
    pub fn waits_in_vain(&self, process: &Process) -> bool {
        let mut obstacle = self.obstacle_of(process);
        // Those who wait for each other would never come to an end.
        for _ in 0..self.depends.held_up_by.len() {
            let by = obstacle.and_then(|obstacle| obstacle.by).and_then(|by| self.processes.get(&by));
            let Some(other) = by else { return false };
            if matches!(other.state, State::Exited { .. } | State::Fatal) {
                return true;
            }
            obstacle = self.obstacle_of(other);
        }
        false
    }

    /// Gives a process other options.
    pub(crate) fn set_spec(&mut self, id: ProcId, spec: Arc<ProcessSpec>) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let old = std::mem::replace(&mut process.spec, spec.clone());
        if process.state == State::Waiting {
            self.depends.changes.push_back(Change::Look(id));
        }
        self.depends.unlist(id, &old);
        self.depends.list(id, &spec);
    }

    /// Somebody wants this process to run: what it depends on is started too, unless that is under way.
    pub(crate) fn start(&mut self, now: Now, id: ProcId) {
        self.launch(now, id);
        for other in self.missing(id) {
            if self.processes.get(&other).is_some_and(|other| other.state.name().is_startable()) {
                self.start(now, other);
            }
        }
    }

    /// Starts a process as soon as nothing is in its way. The caller knows that no run is under way.
    pub(crate) fn launch(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get(&id) else { return };
        let Some(obstacle) = self.obstacle(process) else {
            self.depends.let_go(id);
            return self.begin_run(now, id);
        };
        self.depends.hold_up(id, obstacle.by);
        if process.state != State::Waiting {
            let name = full_name(process);
            if let Some(process) = self.processes.get_mut(&id) {
                process.note_attempt(now);
            }
            self.change(id, State::Waiting, 0);
            self.log(Notice::Waits { name, obstacle });
        }
        self.settle_start_in_vain(id);
    }

    /// What is in the way of a start.
    fn obstacle(&self, process: &Process) -> Option<Obstacle> {
        process.spec.depends_on.iter().find_map(|dependency| {
            let others = self.others(dependency);
            let in_the_way = others.into_iter().find(|other| match other {
                Ok(id) => !self.holds(*id, dependency.condition),
                Err(_) => true,
            })?;
            let condition = dependency.condition;
            Some(match in_the_way {
                Ok(id) => {
                    let other = self.processes.get(&id)?;
                    let (name, state) = (full_name(other), Some(other.state.name()));
                    Obstacle { by: Some(id), name, condition, state }
                }
                Err(name) => Obstacle { by: None, name, condition, state: None },
            })
        })
    }

    /// Those whose state is not what a process needs.
    fn missing(&self, id: ProcId) -> Vec<ProcId> {
        let Some(process) = self.processes.get(&id) else { return Vec::new() };
        let mut missing = Vec::new();
        for dependency in &process.spec.depends_on {
            let others = self.others(dependency).into_iter().flatten();
            missing.extend(others.filter(|other| !self.holds(*other, dependency.condition)));
        }
        missing
    }

    /// The processes that a dependency is about; the name of one that is not active.
    fn others(&self, dependency: &Dependency) -> Vec<Result<ProcId, String>> {
        let mut others = Vec::new();
        for target in &dependency.targets {
            match (&target.process, self.group(&target.group)) {
                (None, Some(group)) => others.extend(group.members.iter().copied().map(Ok)),
                (Some(name), Some(_)) => {
                    others.push(self.member(&target.group, name).ok_or_else(|| dependency.name.clone()));
                }
                (_, None) => others.push(Err(dependency.name.clone())),
            }
        }
        others
    }

    fn holds(&self, id: ProcId, condition: Condition) -> bool {
        let Some(process) = self.processes.get(&id).filter(|_| !self.depends.is_put_off(id)) else {
            return false;
        };
        match (condition, process.state) {
            (Condition::Completed | Condition::Started, State::Exited { expected }) => expected,
            (Condition::Started, State::Starting { child, .. }) => child.is_some(),
            (Condition::Started | Condition::Running | Condition::Healthy, State::Running { .. }) => true,
            (
                _,
                State::Stopped
                | State::Waiting
                | State::Starting { .. }
                | State::Running { .. }
                | State::Backoff { .. }
                | State::Stopping { .. }
                | State::Exited { .. }
                | State::Fatal
                | State::Unknown { .. },
            ) => false,
        }
    }

    /// Follows up what has changed: starts what has waited for it, ends what ends with it, goes on with stops.
    pub(crate) fn follow_dependencies(&mut self, now: Now) {
        while !self.catching_up
            && let Some(change) = self.depends.changes.pop_front()
        {
            match change {
                Change::State { id, fell, ended } => {
                    // First: what ends now is in the way of others.
                    if fell && self.phase.is_running() {
                        self.end_dependants(now, id);
                    }
                    for waiting in self.depends.no_longer_held_up(id) {
                        self.look_again(now, waiting);
                    }
                    if ended {
                        self.go_on_stopping(now, id);
                    }
                }
                Change::Look(id) => self.look_again(now, id),
                Change::Stops => {
                    let stops = self.depends.stops_of_another_daemon();
                    self.stop_in_order(now, &stops, Along::Dependants);
                }
            }
        }
    }

    /// A child exists: that is enough for some.
    pub(crate) fn child_exists(&mut self, id: ProcId) {
        if self.depends.held_up.contains_key(&Some(id)) {
            self.depends.changes.push_back(Change::State { id, fell: false, ended: false });
        }
    }

    fn look_again(&mut self, now: Now, id: ProcId) {
        let waits = self.processes.get(&id).is_some_and(|process| process.state == State::Waiting);
        if waits && self.phase.is_running() {
            self.launch(now, id);
        }
    }

    /// What was up is not any more: those that are to end with it do.
    fn end_dependants(&mut self, now: Now, id: ProcId) {
        for (dependant, policy) in self.dependants(id) {
            let up = self.processes.get(&dependant).is_some_and(|process| {
                matches!(process.state, State::Starting { .. } | State::Running { .. })
            });
            if up && policy != OnDependencyStop::Ignore {
                self.starts_again_if(dependant, policy);
                self.stop_in_order(now, &[dependant], Along::Dependants);
            }
        }
    }

    /// Those that depend on a process for as long as they run, with what they do when it stops.
    fn dependants(&self, id: ProcId) -> Vec<(ProcId, OnDependencyStop)> {
        let Some(process) = self.processes.get(&id) else { return Vec::new() };
        let listed = self.depends.dependants.get(&*process.group).into_iter().flatten().copied();
        let dependants = listed.filter(|other| *other != id).filter_map(|other| {
            let spec = &self.processes.get(&other)?.spec;
            let lasting = |dependency: &&Dependency| dependency.condition != Condition::Completed;
            let mut targets = spec.depends_on.iter().filter(lasting).flat_map(|one| &one.targets);
            let about = targets.any(|target| {
                let name = target.process.as_ref();
                *target.group == *process.group && name.is_none_or(|name| *name == process.spec.name)
            });
            about.then_some((other, spec.on_dependency_stop))
        });
        dependants.collect()
    }

    /// Whether there is, or will be, a child that has to end.
    fn has_to_end(&self, id: ProcId) -> bool {
        self.processes.get(&id).is_some_and(|process| {
            matches!(process.state, State::Starting { .. } | State::Running { .. } | State::Stopping { .. })
        })
    }

    fn starts_again_if(&mut self, id: ProcId, policy: OnDependencyStop) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        // Of one that is being stopped somebody else has decided.
        let decided = matches!(process.state, State::Stopping { .. })
            || process.after_stop != AfterStop::Stay
            || self.depends.is_put_off(id);
        if policy == OnDependencyStop::Restart && !decided {
            process.after_stop = AfterStop::Replace { spec: process.spec.clone(), start: true };
            self.publish(Event::WishChanged(id));
        }
    }

    /// Stops processes, each after those that depend on it.
    pub(crate) fn stop_in_order(&mut self, now: Now, wanted: &[ProcId], along: Along) {
        let order = self.with_dependants(wanted, along);
        let all: BTreeSet<ProcId> = order.iter().copied().collect();
        for &id in &order {
            let stopping = |other: &ProcId| {
                let process = self.processes.get(other);
                process.is_some_and(|process| matches!(process.state, State::Stopping { .. }))
            };
            let first = self.dependants(id).into_iter().map(|(other, _)| other);
            let first = first.filter(|other| all.contains(other) || stopping(other));
            let first =
                first.filter(|other| self.has_to_end(*other) && !self.depends.is_put_off_for(*other, id));
            let first: Vec<ProcId> = first.collect();
            if first.is_empty() {
                self.stop(now, id);
            } else {
                self.put_off(id, first);
            }
            if order.len() > 1 {
                self.order(Effect::Pause);
            }
        }
    }

    /// These, and those that end before them.
    fn with_dependants(&mut self, wanted: &[ProcId], along: Along) -> Vec<ProcId> {
        let mut order = wanted.to_vec();
        if self.depends.dependants.is_empty() {
            return order;
        }
        let mut known: BTreeSet<ProcId> = wanted.iter().copied().collect();
        let mut at = 0;
        while let Some(&id) = order.get(at) {
            at += 1;
            for (dependant, policy) in self.dependants(id) {
                let goes = along == Along::Everybody || policy != OnDependencyStop::Ignore;
                if goes && self.has_to_end(dependant) && known.insert(dependant) {
                    if along == Along::Dependants {
                        self.starts_again_if(dependant, policy);
                    }
                    order.push(dependant);
                }
            }
        }
        order
    }

    fn put_off(&mut self, id: ProcId, first: Vec<ProcId>) {
        if self.depends.is_put_off(id) {
            return;
        }
        for &other in &first {
            self.depends.until.entry(other).or_default().push(id);
        }
        self.depends.put_off.insert(id, first.into_iter().collect());
        self.publish(Event::WishChanged(id));
    }

    /// A process has ended: the stops that were put off for it go on.
    fn go_on_stopping(&mut self, now: Now, id: ProcId) {
        for other in self.depends.until.remove(&id).unwrap_or_default() {
            let Some(left) = self.depends.put_off.get_mut(&other) else { continue };
            left.remove(&id);
            if left.is_empty() {
                self.depends.put_off.remove(&other);
                self.stop(now, other);
            }
        }
    }

    /// What an earlier daemon left half done goes on once all is known.
    pub(crate) fn resume_dependencies(&mut self) {
        let waiting = self.processes.iter().filter(|(_, process)| process.state == State::Waiting);
        self.depends.changes.extend(waiting.map(|(id, _)| Change::Look(id)));
        if !self.depends.put_off.is_empty() {
            self.depends.changes.push_back(Change::Stops);
        }
    }
}

/// Who ends before a process that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    /// Those that are to end with it.
    Dependants,
    /// All that depend on it: everything ends.
    Everybody,
}
