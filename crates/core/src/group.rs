//! Groups: made active, taken away, and changed with as little disturbance as possible.

use std::sync::Arc;

use crate::effect::{Effect, Event, Update};
use crate::input::{CallId, Refusal};
use crate::notice::Notice;
use crate::process::{AfterStop, ProcId, Process, State, StateName};
use crate::reload::{Kind, change_kind};
use crate::spec::{GroupKind, GroupSpec, ProcessSpec};
use crate::supervisor::Supervisor;
use crate::time::Now;
use crate::wait::{Goal, Shape};

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

    /// The active group of this name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The process of this name in an active group of that name.
    #[must_use]
    pub fn member(&self, group: &str, process: &str) -> Option<ProcId> {
        let members = &self.group(group)?.members;
        members.iter().copied().find(|id| self.processes.get(id).is_some_and(|p| p.spec.name == process))
    }

    /// A group's processes in ascending priority, equal ones in configuration order (PROC-182, PROC-183).
    #[must_use]
    pub fn by_priority(&self, group: &Group) -> Vec<ProcId> {
        let mut members = group.members.clone();
        members.sort_by_key(|id| self.processes.get(id).map_or(0, |process| process.spec.priority));
        members
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
        let mut members: Vec<ProcId> = Vec::with_capacity(spec.processes.len());
        for process in last_of_each_name(spec.processes) {
            members.push(self.insert_process(Process::new(&spec.name, Arc::new(process))));
        }
        let (name, priority, kind) = (spec.name, spec.priority, spec.kind);
        self.publish(Event::GroupAdded(name.clone()));
        self.groups.push(Group { name, priority, kind, members });
    }

    pub(crate) fn begin(&mut self, now: Now, recovered: bool) {
        self.phase.begin();
        if !recovered {
            self.publish(Event::SupervisorRunning);
        }
        self.settle_lost_runs(now);
        self.stop_leaving(now);
        let order: Vec<ProcId> =
            self.groups_by_priority().into_iter().flat_map(|group| self.by_priority(group)).collect();
        for id in order {
            self.autostart(now, id);
        }
    }

    /// Starts a process that starts by itself and never did (PROC-010).
    pub(crate) fn autostart(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get(&id) else { return };
        let untouched = process.started == 0 && process.state == State::Stopped;
        if process.spec.autostart && untouched && self.phase.is_running() {
            self.launch(now, id);
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
        }
        Ok(())
    }

    pub(crate) fn remove_group(&mut self, name: &str) -> Result<(), Refusal> {
        let Some(at) = self.groups.iter().position(|group| group.name == name) else {
            return Err(Refusal::BadName(name.to_owned()));
        };
        let stopped =
            |id: &ProcId| self.processes.get(id).is_none_or(|p| p.state.name().is_stopped() && p.pid() == 0);
        if !self.groups[at].members.iter().all(stopped) {
            return Err(Refusal::StillRunning(name.to_owned()));
        }
        let group = self.groups.remove(at);
        for id in group.members {
            self.forget_process(id);
        }
        self.publish(Event::GroupRemoved(group.name));
        Ok(())
    }

    /// Takes one process out of its group.
    pub(crate) fn drop_member(&mut self, id: ProcId) {
        for group in &mut self.groups {
            group.members.retain(|&member| member != id);
        }
        self.forget_process(id);
    }

    /// Makes an active group what `spec` says (D-37); answered when all that had to stop has stopped.
    pub(crate) fn update_group(&mut self, now: Now, call: CallId, spec: GroupSpec, strict: bool) {
        let Some(at) = self.groups.iter().position(|group| group.name == spec.name) else {
            self.answer(call, Err(Refusal::BadName(spec.name)));
            return;
        };
        let everything = strict || change_kind(&self.groups[at].kind, &spec.kind) == Kind::Restart;
        self.groups[at].priority = spec.priority;
        self.groups[at].kind = spec.kind;
        let mut change = Change { everything, strict, ..Change::default() };
        let old = std::mem::take(&mut self.groups[at].members);
        let mut kept = Vec::new();
        for process in last_of_each_name(spec.processes) {
            let existing = old
                .iter()
                .copied()
                .find(|id| self.processes.get(id).is_some_and(|p| p.spec.name == process.name));
            kept.push(self.update_member(now, &spec.name, existing, Arc::new(process), &mut change));
        }
        let gone: Vec<ProcId> = old.into_iter().filter(|id| !kept.contains(id)).collect();
        self.groups[at].members = kept.iter().chain(&gone).copied().collect();
        for id in gone {
            self.retire_member(now, id, &mut change);
        }
        change.fresh.sort_by_key(|id| self.processes.get(id).map_or(0, |process| process.spec.priority));
        for &id in &change.fresh {
            self.autostart(now, id);
        }
        let open = change.stopping.iter().map(|&id| (id, Goal::Stopped)).collect();
        self.wait_for(now, call, Shape::Update(change.update), open, Vec::new());
    }

    fn update_member(
        &mut self,
        now: Now,
        group: &str,
        existing: Option<ProcId>,
        spec: Arc<ProcessSpec>,
        change: &mut Change,
    ) -> ProcId {
        let Some(id) = existing else {
            change.update.started.push(spec.name.clone());
            let id = self.insert_process(Process::new(group, spec));
            change.fresh.push(id);
            return id;
        };
        let Some(process) = self.processes.get_mut(&id) else { return id };
        // One that an earlier update is still stopping follows the latest wish once it has stopped.
        let overtaken = process.after_stop != AfterStop::Stay;
        let kind = if change.everything || overtaken { Kind::Restart } else { process.spec.change_to(&spec) };
        match (kind, process.state.name()) {
            (Kind::None, _) => process.spec = spec,
            (Kind::Live, _) => {
                change.update.live.push(spec.name.clone());
                process.spec = spec;
                self.order(Effect::Reconfigure { id });
                self.reschedule(id);
                change.fresh.push(id);
            }
            (
                Kind::Restart,
                StateName::Starting | StateName::Running | StateName::Backoff | StateName::Stopping,
            ) => {
                let start = process.starts_again(&spec, change.strict);
                let list = if start { &mut change.update.restarted } else { &mut change.update.stopped };
                list.push(spec.name.clone());
                self.stop_then(now, id, AfterStop::Replace { spec, start }, change);
            }
            (
                Kind::Restart,
                StateName::Stopped | StateName::Exited | StateName::Fatal | StateName::Unknown,
            ) => self.renew_stopped(now, id, spec, change),
        }
        id
    }

    /// A process that does not run gets new options; it starts again if it starts by itself, as it would if its
    /// group had been removed and added. One that is UNKNOWN does so when its child ends.
    fn renew_stopped(&mut self, now: Now, id: ProcId, spec: Arc<ProcessSpec>, change: &mut Change) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (start, lives) = (spec.autostart, process.pid() != 0);
        process.failures = 0;
        process.spec = spec.clone();
        process.after_stop = if lives { AfterStop::Replace { spec, start } } else { AfterStop::Stay };
        let name = process.name().to_owned();
        self.publish(Event::WishChanged(id));
        self.order(Effect::Reconfigure { id });
        if start && !lives && self.phase.is_running() {
            change.update.restarted.push(name);
            self.launch(now, id);
        } else {
            change.update.live.push(name);
        }
    }

    fn retire_member(&mut self, now: Now, id: ProcId, change: &mut Change) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let name = process.state.name();
        if name.is_stopped() && process.pid() == 0 {
            self.drop_member(id);
            return;
        }
        change.update.stopped.push(process.spec.name.clone());
        self.stop_then(now, id, AfterStop::Remove, change);
    }

    /// Stops a process and goes on with it as told; the update waits unless it stopped at once.
    fn stop_then(&mut self, now: Now, id: ProcId, then: AfterStop, change: &mut Change) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.after_stop = then;
        self.publish(Event::WishChanged(id));
        self.stop(now, id);
        if self.processes.get(&id).is_some_and(|process| process.state.name() == StateName::Stopping) {
            change.stopping.push(id);
        }
    }
}

impl Process {
    /// Whether an update that has to stop this process starts it again: if it is meant to run, or starts by itself.
    fn starts_again(&self, new: &ProcessSpec, strict: bool) -> bool {
        let meant_to_run = match (&self.after_stop, self.state.name()) {
            (AfterStop::Replace { start, .. }, _) => *start,
            (AfterStop::Stay, state) => state.is_running(),
            (AfterStop::Remove, _) => false,
        };
        new.autostart || (meant_to_run && !strict)
    }
}

/// What an update has found so far.
#[derive(Debug, Default)]
struct Change {
    /// Restart every process, changed or not.
    everything: bool,
    /// Restarted is what Supervisor would restart: what starts by itself.
    strict: bool,
    update: Update,
    stopping: Vec<ProcId>,
    fresh: Vec<ProcId>,
}

/// A later process of the same name replaces an earlier one, in the earlier one's place (CFG-170).
fn last_of_each_name(processes: Vec<ProcessSpec>) -> Vec<ProcessSpec> {
    let mut unique: Vec<ProcessSpec> = Vec::with_capacity(processes.len());
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
