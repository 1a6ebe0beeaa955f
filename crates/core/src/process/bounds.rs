//! Runs that have bounds: when to look at them, and how one ends that goes beyond.

use crate::bounds::{Breach, MemoryAction, Usage, next_measure};
use crate::depends::Along;
use crate::effect::{Effect, Event};
use crate::notice::Notice;
use crate::process::{AfterStop, Child, ProcId, Process, RunId, State};
use crate::spec::Autorestart;
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now};

impl Supervisor {
    /// A child exists, or has other options: its memory is measured from now on, if it has a limit.
    pub(crate) fn watch(&mut self, now: Now, id: ProcId) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.watch_from(now.mono);
        }
    }

    /// A deadline has passed, perhaps of its bounds.
    pub(crate) fn look_at_bounds(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.is_ending() {
            return;
        }
        let (Some((run, child)), Some(bounds)) = (process.bounded(), &process.spec.bounds) else { return };
        if let Some(limit) = bounds.runtime.filter(|limit| child.since.after(*limit) <= now.mono) {
            return self.end_beyond(now, id, Breach::Runtime(limit), MemoryAction::Restart);
        }
        let Some(watched) = &mut process.watched else { return };
        if watched.measure_at.take_if(|at| *at <= now.mono).is_some() {
            watched.measuring = true;
            self.order(Effect::Measure { run, pid: child.pid });
        }
    }

    /// The memory of a run was measured, or cannot be.
    // Made part of the way that every input takes, it would cost each of them.
    #[inline(never)]
    pub(crate) fn measured(&mut self, now: Now, run: RunId, memory: Result<Usage, String>) {
        let Some((id, process)) = self.running_process(run) else { return };
        if let Some(watched) = &mut process.watched {
            watched.measuring = memory.is_err();
        }
        let limit = process.spec.bounds.as_ref().and_then(|bounds| bounds.memory);
        match (memory, limit) {
            (Err(error), _) => {
                let name = process.name().to_owned();
                self.log(Notice::NotMeasured { name, error });
            }
            (Ok(_), _) if process.is_ending() => {}
            (Ok(used), Some(limit)) if used.bytes > limit.bytes && process.bounded().is_some() => {
                let Usage { bytes: used, meter } = used;
                let breach = Breach::Memory { used, limit: limit.bytes, meter };
                self.end_beyond(now, id, breach, limit.action);
            }
            (Ok(_), _) => process.watch_from(now.mono),
        }
        self.reschedule(id);
    }

    /// Ends a run that went beyond its bounds, after those that depend on it unless it is to be killed; it counts as one that
    /// ended unexpectedly.
    fn end_beyond(&mut self, now: Now, id: ProcId, breach: Breach, action: MemoryAction) {
        // It is being stopped then, and only waits for those that depend on it.
        let put_off = self.depends.is_put_off(id);
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some((run, child)) = process.bounded() else { return };
        let watched = process.watched.get_or_insert_default();
        (watched.breach, watched.ending) = (Some(breach), action == MemoryAction::Restart);
        process.spawnerr = Some(breach.to_string());
        process.note_uptime(now.mono.since(child.since));
        let again = process.spec.autorestart != Autorestart::Never && !put_off;
        if again && process.after_stop == AfterStop::Stay && action == MemoryAction::Restart {
            process.after_stop = AfterStop::Again;
        }
        let name = process.name().to_owned();
        self.log(Notice::Beyond { name, pid: child.pid, breach });
        self.publish(Event::Beyond { id, breach, action });
        match action {
            MemoryAction::Kill => self.kill(id, run, child),
            MemoryAction::Restart => self.stop_in_order(now, &[id], Along::Dependants),
        }
    }

    /// Somebody wants it to stay stopped that is being stopped only to start again. True if so.
    pub(crate) fn stays_stopped(&mut self, id: ProcId) -> bool {
        let Some(process) = self.processes.get_mut(&id) else { return false };
        let again = matches!(process.state, State::Stopping { .. }) && process.forget_to_start_again();
        if again {
            process.restarts = None;
            self.publish(Event::WishChanged(id));
        }
        again
    }
}

impl Process {
    /// What its run was ended for, as long as there is no other one.
    #[must_use]
    pub fn breach(&self) -> Option<Breach> {
        self.watched.as_ref()?.breach
    }

    /// It does not start again when it has stopped; false if it was not to.
    pub(crate) fn forget_to_start_again(&mut self) -> bool {
        match &mut self.after_stop {
            AfterStop::Again => self.after_stop = AfterStop::Stay,
            AfterStop::Replace { start, .. } if *start => *start = false,
            AfterStop::Stay | AfterStop::Replace { .. } | AfterStop::Remove => return false,
        }
        true
    }

    /// Its run is about to end, for it went beyond its bounds; perhaps others end before it.
    fn is_ending(&self) -> bool {
        self.watched.as_ref().is_some_and(|watched| watched.ending)
    }

    /// The run that its bounds are about.
    fn bounded(&self) -> Option<(RunId, Child)> {
        match self.state {
            State::Starting { run, child: Some(child) } | State::Running { run, child } => Some((run, child)),
            State::Starting { child: None, .. }
            | State::Stopping { .. }
            | State::Unknown { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal => None,
        }
    }

    /// Its memory is measured from then on, if it has a limit and nobody measures.
    pub(crate) fn watch_from(&mut self, now: Mono) {
        let Some(limit) = self.spec.bounds.as_ref().and_then(|bounds| bounds.memory) else { return };
        let watched = self.watched.get_or_insert_default();
        if !watched.measuring {
            watched.measure_at = Some(next_measure(now, limit.interval));
        }
    }

    /// When its bounds have to be looked at.
    pub(crate) fn bound_at(&self) -> Option<Mono> {
        let bounds = self.spec.bounds.as_ref().filter(|_| !self.is_ending())?;
        let (_, child) = self.bounded()?;
        let runtime = bounds.runtime.map(|limit| child.since.after(limit));
        let measure = self.watched.as_ref().filter(|_| bounds.memory.is_some());
        let measure = measure.and_then(|watched| watched.measure_at);
        runtime.into_iter().chain(measure).min()
    }
}
