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

mod start;
mod stop;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::health::Verdict;
use crate::process::{ProcId, Process, State, StateName};
use crate::spec::{Condition, ProcessSpec};
use crate::supervisor::Supervisor;
use crate::time::Now;

pub(crate) use stop::Along;

/// What keeps a process from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    by: Option<ProcId>,
    /// As clients name it.
    name: String,
    condition: Condition,
    /// Where it stands; `None` if it is not active.
    state: Option<StateName>,
    /// What is thought of it, if only that is in the way.
    verdict: Option<Verdict>,
    /// It is unhealthy, and nothing is done about that.
    unattended: bool,
}

impl Obstacle {
    /// The process that is in the way; `None` if it is one that is not active.
    #[must_use]
    pub fn by(&self) -> Option<ProcId> {
        self.by
    }

    /// Whether nothing is under way that could remove it.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.state.is_none_or(StateName::is_stopped) || self.unattended
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
            Some(state) => match self.verdict {
                Some(Verdict::Unhealthy) => write!(f, "(it is {}, unhealthy)", state.as_str()),
                Some(Verdict::Unknown | Verdict::Healthy) => {
                    write!(f, "(it is {}, not healthy yet)", state.as_str())
                }
                None => write!(f, "(it is {})", state.as_str()),
            },
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
    /// The same of all that wait, once everything else is followed up. There is one at most.
    Waiting,
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
        let is_needed = || !self.held_up_by.is_empty() && self.dependants.contains_key(&*process.group);
        if fell
            || ended && is_needed()
            || self.held_up.contains_key(&Some(id))
            || ended && self.until.contains_key(&id)
        {
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

    /// The same for one that has other options.
    pub(crate) fn relist(&mut self, id: ProcId, old: &ProcessSpec, new: &ProcessSpec) {
        self.unlist(id, old);
        self.list(id, new);
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

    /// What is thought of a process's health is other than before.
    pub(crate) fn changed_health(&mut self, id: ProcId) {
        if self.held_up.contains_key(&Some(id)) {
            self.changes.push_back(Change::State { id, fell: false, ended: false });
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

    /// Adds those that this one is in the way of, and those that they are in the way of.
    fn add_held_up(&self, by: ProcId, to: &mut BTreeSet<ProcId>) {
        let mut next = vec![by];
        while let Some(by) = next.pop() {
            let behind = self.held_up.get(&Some(by)).into_iter().flatten();
            next.extend(behind.filter(|id| to.insert(**id)));
        }
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
    /// Gives a process other options.
    pub(crate) fn set_spec(&mut self, now: Now, id: ProcId, spec: Arc<ProcessSpec>) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let old = std::mem::replace(&mut process.spec, spec.clone());
        if old.health != spec.health {
            process.adapt_health(old.health.as_deref(), now);
        }
        let same_times = match (&old.schedule, &spec.schedule) {
            (Some(old), Some(new)) => old.has_times_of(new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // What chance has put off is still to come.
        if let Some(timer) = process.timer.as_mut().filter(|_| !same_times) {
            timer.since = None;
        }
        if process.state == State::Waiting {
            self.depends.changes.push_back(Change::Look(id));
        }
        self.depends.relist(id, &old, &spec);
        if old.health != spec.health {
            self.asks_differently(now, id, old.health.as_deref());
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
                        self.tell_those_who_need(id);
                        self.go_on_stopping(now, id);
                    }
                }
                Change::Look(id) => self.look_again(now, id),
                // What they wait for may have fallen and come up again: whoever ends for that is not one of those that begin now.
                Change::Waiting if self.depends.has_news() => self.depends.changes.push_back(Change::Waiting),
                Change::Waiting => {
                    let waiting =
                        self.processes.iter().filter(|(_, process)| process.state == State::Waiting);
                    self.depends.changes.extend(waiting.map(|(id, _)| Change::Look(id)));
                }
                Change::Stops => {
                    let stops = self.depends.stops_of_another_daemon();
                    self.stop_in_order(now, &stops, Along::Dependants);
                }
            }
        }
    }

    /// A child exists: that is enough for some.
    pub(crate) fn child_exists(&mut self, id: ProcId) {
        self.depends.changed_health(id);
    }

    /// What an earlier daemon left half done goes on once all is known.
    pub(crate) fn resume_dependencies(&mut self) {
        if self.processes.iter().any(|(_, process)| process.state == State::Waiting) {
            self.depends.changes.push_back(Change::Waiting);
        }
        if !self.depends.put_off.is_empty() {
            self.depends.changes.push_back(Change::Stops);
        }
    }
}
