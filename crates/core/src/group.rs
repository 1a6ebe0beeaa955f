//! Groups: made active and taken away.

use std::sync::Arc;

use crate::effect::{Effect, Event};
use crate::input::Refusal;
use crate::notice::Notice;
use crate::process::{ProcId, Process, State};
use crate::spec::{GroupKind, GroupSpec, ProcessSpec};
use crate::supervisor::Supervisor;
use crate::time::Now;

/// An active group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) name: String,
    pub(crate) priority: i64,
    pub(crate) kind: GroupKind,
    /// In configuration order.
    pub(crate) members: Vec<ProcId>,
}

impl Group {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its priority.
    #[must_use]
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// What kind of group it is.
    #[must_use]
    pub fn kind(&self) -> &GroupKind {
        &self.kind
    }

    /// Its processes in configuration order.
    #[must_use]
    pub fn members(&self) -> &[ProcId] {
        &self.members
    }
}

impl Supervisor {
    /// The active groups in the order they became active.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// A group's processes in ascending priority, equal ones in configuration order (PROC-182, PROC-183).
    #[must_use]
    pub fn by_priority(&self, group: &Group) -> Vec<ProcId> {
        let mut members = group.members.clone();
        self.sort_by_priority(&mut members);
        members
    }

    /// Equal ones stay in their order.
    pub(crate) fn sort_by_priority(&self, ids: &mut [ProcId]) {
        ids.sort_by_key(|id| self.processes.get(id).map_or(0, |process| process.spec.priority));
    }

    /// The active groups in ascending priority, equal ones in the order they became active (PROC-185).
    #[must_use]
    pub fn groups_by_priority(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by_key(|group| group.priority);
        groups
    }

    /// Makes a group active without starting anything. A name that is taken stays as it is (D-64).
    pub(crate) fn setup_group(&mut self, spec: GroupSpec) {
        if self.group(&spec.name).is_some() {
            self.log(Notice::NameTaken { group: spec.name });
            return;
        }
        let group: Arc<str> = spec.name.as_str().into();
        let mut members: Vec<ProcId> = Vec::with_capacity(spec.processes.len());
        for process in last_of_each_name(spec.processes) {
            members.push(self.insert_process(Process::new(group.clone(), process)));
        }
        let (name, priority, kind) = (spec.name, spec.priority, spec.kind);
        self.publish(Event::GroupAdded(name.clone()));
        self.push_group(Group { name, priority, kind, members });
    }

    pub(crate) fn begin(&mut self, now: Now, recovered: bool) {
        self.phase.begin();
        if !recovered {
            self.publish(Event::SupervisorRunning);
        }
        self.settle_lost_runs(now);
        self.stop_leaving(now);
        self.resume_dependencies();
        let order: Vec<ProcId> =
            self.groups_by_priority().into_iter().flat_map(|group| self.by_priority(group)).collect();
        for id in order {
            self.autostart(now, id);
            self.order(Effect::Pause);
        }
    }

    /// Starts a process that starts by itself and never did (PROC-010); one with a schedule waits for its time.
    pub(crate) fn autostart(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get(&id) else { return };
        if process.timer.is_some() || process.spec.schedule.is_some() {
            self.keep_schedule(now, id);
        }
        let Some(process) = self.processes.get(&id).filter(|process| process.spec.schedule.is_none()) else {
            return;
        };
        let untouched = process.started == 0 && process.state == State::Stopped;
        if process.spec.autostart && untouched && self.phase.is_running() {
            self.start(now, id);
        }
    }

    pub(crate) fn add_group(&mut self, now: Now, spec: GroupSpec) -> Result<(), Refusal> {
        if self.group(&spec.name).is_some() {
            return Err(Refusal::AlreadyAdded(spec.name));
        }
        let name = spec.name.clone();
        self.setup_group(spec);
        let order = self.group(&name).map(|group| self.by_priority(group)).unwrap_or_default();
        for id in order {
            self.autostart(now, id);
            self.order(Effect::Pause);
        }
        Ok(())
    }

    pub(crate) fn remove_group(&mut self, now: Now, name: &str) -> Result<(), Refusal> {
        let bad_name = || Refusal::BadName(name.to_owned());
        let group = self.group(name).ok_or_else(bad_name)?;
        let stopped =
            |id: &ProcId| self.processes.get(id).is_none_or(|p| p.state.name().is_stopped() && p.pid() == 0);
        if !group.members.iter().all(stopped) {
            return Err(Refusal::StillRunning(name.to_owned()));
        }
        let group = self.take_group(name).ok_or_else(bad_name)?;
        for id in group.members {
            self.forget_process(now, id);
        }
        self.publish(Event::GroupRemoved(group.name));
        Ok(())
    }

    /// Takes one process out of its group.
    pub(crate) fn drop_member(&mut self, now: Now, id: ProcId) {
        let group = self.processes.get(&id).and_then(|process| self.group_at(process.group()));
        if let Some(at) = group {
            self.groups[at].members.retain(|&member| member != id);
        }
        self.forget_process(now, id);
    }
}

/// A later process of the same name replaces an earlier one, in the earlier one's place (CFG-170).
pub(crate) fn last_of_each_name(processes: Vec<Arc<ProcessSpec>>) -> Vec<Arc<ProcessSpec>> {
    let mut unique: Vec<Arc<ProcessSpec>> = Vec::with_capacity(processes.len());
    let mut places = std::collections::BTreeMap::new();
    for process in processes {
        match places.get(&process.name) {
            Some(&at) => unique[at] = process,
            None => {
                places.insert(process.name.clone(), unique.len());
                unique.push(process);
            }
        }
    }
    unique
}
