//! Changing an active group with as little disturbance as possible (D-37).

use std::sync::Arc;

use crate::effect::{Effect, Event, Update};
use crate::group::last_of_each_name;
use crate::input::{CallId, Refusal};
use crate::ordered;
use crate::process::{AfterStop, ProcId, Process, StateName};
use crate::reload::{Kind, change_kind};
use crate::spec::{GroupSpec, ProcessSpec};
use crate::supervisor::Supervisor;
use crate::time::Now;
use crate::wait::{Awaited, Goal, Shape};

impl Supervisor {
    /// Makes an active group what `spec` says (D-37); answered when all that had to stop has stopped.
    pub(crate) fn update_group(&mut self, now: Now, call: CallId, spec: GroupSpec, strict: bool) {
        let Some(at) = self.group_at(&spec.name) else {
            self.answer(call, Err(Refusal::BadName(spec.name)));
            return;
        };
        let mut begun = self.leave_rolling(&spec.name);
        let everything = strict || change_kind(&self.groups[at].kind, &spec.kind) == Kind::Restart;
        self.groups[at].priority = spec.priority;
        self.groups[at].kind = spec.kind;
        let update = Update { whole: everything, ..Update::default() };
        let mut change = Change { everything, strict, update, ..Change::default() };
        let old = std::mem::take(&mut self.groups[at].members);
        let mut kept = Vec::new();
        for process in last_of_each_name(spec.processes) {
            let existing = self.member(&spec.name, &process.name);
            kept.push(self.update_member(now, &spec.name, existing, process, &mut change));
        }
        let staying = ordered::set(kept.iter().copied());
        let gone: Vec<ProcId> = old.into_iter().filter(|id| !staying.contains(id)).collect();
        self.groups[at].members = kept.iter().chain(&gone).copied().collect();
        for id in gone {
            self.retire_member(now, id, &mut change);
        }
        self.sort_by_priority(&mut change.fresh);
        for &id in &change.fresh {
            self.autostart(now, id);
        }
        if !change.rolling.is_empty() {
            begun.retain(|(id, _)| staying.contains(id) && !change.stopping.contains(id));
            change.update.rolling = Some(self.begin_rolling(&change.rolling, true, None, None, &begun));
        }
        let open = change.stopping.iter().map(|&id| (id, Goal::Stopped)).collect();
        self.wait_for(now, call, Shape::Update(change.update), open, Vec::new());
    }

    /// Goes on with an update of an earlier daemon: what runs still as it did then is stopped if that was not told, and waited for.
    pub(crate) fn resume_update(&mut self, now: Now, call: CallId, update: Update, open: Vec<Awaited>) {
        let mut change = Change::default();
        for Awaited { group, process: name, run } in open {
            run.into_iter().for_each(|run| self.skip_runs(run));
            let Some(id) = self.member(&group, &name) else { continue };
            let Some(process) = self.processes.get(&id).filter(|process| process.state.run() == run) else {
                continue;
            };
            let (state, spec) = (process.state.name(), process.spec.clone());
            if state == StateName::Stopping {
                change.stopping.push(id);
            } else if run.is_some() && state.is_running() && self.phase.is_running() {
                let start = update.restarted.contains(&name);
                self.stop_then(now, id, AfterStop::Replace { spec, start }, &mut change);
            }
        }
        let open = change.stopping.iter().map(|&id| (id, Goal::Stopped)).collect();
        self.wait_for(now, call, Shape::Update(update), open, Vec::new());
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
            let id = self.insert_process(Process::new(group.into(), spec));
            change.fresh.push(id);
            return id;
        };
        let Some(process) = self.processes.get_mut(&id) else { return id };
        // One that an earlier update is still stopping follows the latest wish once it has stopped.
        let overtaken = !matches!(process.after_stop, AfterStop::Stay | AfterStop::Again);
        let kind = if change.everything || overtaken { Kind::Restart } else { process.spec.change_to(&spec) };
        if kind == Kind::Restart && self.rolls(id, &spec, change.strict) {
            self.leave_behind(id, spec);
            change.rolling.push(id);
            return id;
        }
        let Some(process) = self.processes.get_mut(&id) else { return id };
        match (kind, process.state.name()) {
            (Kind::None, _) => self.set_spec(now, id, spec),
            (Kind::Live, _) => {
                change.update.live.push(spec.name.clone());
                self.set_spec(now, id, spec);
                if self.processes.get_mut(&id).is_some_and(|process| process.shorten_wait(now)) {
                    self.publish(Event::WishChanged(id));
                }
                self.order(Effect::Reconfigure { id });
                self.watch(now, id);
                self.reconsider(now, id, false);
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

    /// Whether a process gets these options when its turn in a rolling restart comes, and not now.
    fn rolls(&self, id: ProcId, spec: &ProcessSpec, strict: bool) -> bool {
        let is_asked_for = spec.rolling.as_ref().is_some_and(|rolling| rolling.update);
        let Some(process) = self.processes.get(&id).filter(|_| is_asked_for && !strict) else { return false };
        let stays_up = self.reason_to_leave(id, process).is_none() && process.starts_again(spec, strict);
        stays_up && spec.schedule.is_none()
    }

    /// A process that does not run gets new options; it starts again if it starts by itself, as it would if its
    /// group had been removed and added. One that is UNKNOWN does so when its child ends.
    fn renew_stopped(&mut self, now: Now, id: ProcId, spec: Arc<ProcessSpec>, change: &mut Change) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (start, lives) = (spec.autostart && spec.schedule.is_none(), process.pid() != 0);
        process.failures = 0;
        process.restarts = None;
        process.after_stop =
            if lives { AfterStop::Replace { spec: spec.clone(), start } } else { AfterStop::Stay };
        let name = process.name().to_owned();
        self.set_spec(now, id, spec);
        self.renew_schedule(now, id);
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
            self.drop_member(now, id);
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
            (AfterStop::Again, _) => true,
            (AfterStop::Remove, _) => false,
        };
        // One on a schedule runs when its time comes, and a run that is replaced goes on as a new one.
        let by_itself = new.autostart && new.schedule.is_none();
        let goes_on = new.schedule.is_none() || self.spec.schedule.is_some();
        by_itself || (meant_to_run && goes_on && !strict)
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
    /// Their turn in a rolling restart comes.
    rolling: Vec<ProcId>,
    stopping: Vec<ProcId>,
    fresh: Vec<ProcId>,
}
