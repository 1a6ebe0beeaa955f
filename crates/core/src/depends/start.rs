//! Starts: what is in the way of them, and when it is not any more.

use std::collections::BTreeSet;

use super::Obstacle;
use crate::health::Verdict;
use crate::notice::Notice;
use crate::ordered;
use crate::process::{ProcId, Process, State, StateName};
use crate::spec::{Condition, Dependency, HealthAction};
use crate::supervisor::Supervisor;
use crate::time::Now;
use crate::wait::full_name;

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

    /// Who is to be told that it waits in vain, since nothing is under way that could remove what is in its way, or in the
    /// way of the one it waits for: itself, and all that wait in the same row. Those in `hopeful` do not wait in vain;
    /// others of which that is found come to them.
    pub(crate) fn row_in_vain(&self, id: ProcId, hopeful: &mut BTreeSet<ProcId>) -> BTreeSet<ProcId> {
        // Nothing is in the way of most.
        if self.processes.get(&id).is_none_or(|process| self.obstacle_of(process).is_none()) {
            return BTreeSet::new();
        }
        let (mut row, mut at) = (BTreeSet::new(), id);
        // Those who wait for each other do so for ever.
        while row.insert(at) {
            let waiting = self.processes.get(&at).filter(|_| !hopeful.contains(&at));
            match waiting.and_then(|process| self.obstacle_of(process)) {
                Some(obstacle) if obstacle.is_lasting() => break,
                Some(Obstacle { by: Some(by), .. }) => at = by,
                Some(_) | None => {
                    // Not `append`, which makes the whole set anew: of many that are started at once each would cost all.
                    hopeful.extend(row);
                    return BTreeSet::new();
                }
            }
        }
        self.depends.add_held_up(at, &mut row);
        row
    }

    /// A process has ended: who needs it waits in vain, also if something else is in the way of that one first.
    pub(super) fn tell_those_who_need(&mut self, id: ProcId) {
        let ended = self.processes.get(&id).filter(|process| process.state.name().is_stopped());
        let Some(ended) = ended.filter(|_| !self.depends.held_up_by.is_empty() && self.has_waits()) else {
            return;
        };
        let listed = self.depends.dependants.get(&*ended.group).into_iter().flatten().copied();
        let waiting = listed.filter(|other| self.depends.held_up_by.contains_key(other));
        let mut in_vain = ordered::set(waiting.filter(|other| self.needs(*other, id)));
        for other in in_vain.clone() {
            self.depends.add_held_up(other, &mut in_vain);
        }
        self.refuse_starts(in_vain);
    }

    /// Whether one depends on the other, which is not as it has to be for that.
    fn needs(&self, id: ProcId, other: ProcId) -> bool {
        let (Some(process), Some(needed)) = (self.processes.get(&id), self.processes.get(&other)) else {
            return false;
        };
        process.spec.depends_on.iter().any(|dependency| {
            let about = dependency.targets.iter().any(|target| target.is(needed));
            about && !self.holds(other, dependency.condition)
        })
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
            let number = self.new_number();
            if let Some(process) = self.processes.get_mut(&id) {
                process.note_attempt(now);
                process.last_run = Some(number);
            }
            self.change(id, State::Waiting, 0);
            self.log(Notice::Waits { name, obstacle });
        }
        self.settle_start_in_vain(id, &mut BTreeSet::new());
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
                    let verdict = other.health().map(|health| health.verdict);
                    let verdict = verdict.filter(|_| other.state.name() == StateName::Running);
                    let left_alone =
                        other.spec.health.as_ref().is_none_or(|spec| spec.action == HealthAction::None);
                    let unattended = verdict == Some(Verdict::Unhealthy) && left_alone;
                    Obstacle { by: Some(id), name, condition, state, verdict, unattended }
                }
                Err(name) => {
                    Obstacle { by: None, name, condition, state: None, verdict: None, unattended: false }
                }
            })
        })
    }

    /// Those whose state is not what a process needs.
    fn missing(&self, id: ProcId) -> Vec<ProcId> {
        let Some(process) = self.processes.get(&id) else { return Vec::new() };
        let mut missing = Vec::new();
        for dependency in process.spec.depends_on.iter() {
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
            (Condition::Started | Condition::Running, State::Running { .. }) => true,
            (Condition::Healthy, State::Running { .. }) => process.is_healthy(),
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

    pub(super) fn look_again(&mut self, now: Now, id: ProcId) {
        let waits = self.processes.get(&id).is_some_and(|process| process.state == State::Waiting);
        if waits && self.phase.is_running() {
            self.launch(now, id);
        }
    }
}
