//! From a wish to start to RUNNING.

use crate::effect::{Effect, Event};
use crate::errand::ErrandKind;
use crate::notice::Notice;
use crate::process::{Child, ProcId, RunId, State};
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now, seconds};

impl Supervisor {
    /// Begins a new run (PROC-011). The caller knows that none is under way.
    pub(crate) fn begin_run(&mut self, now: Now, id: ProcId) {
        let run = self.new_run(id);
        let mut alone = true;
        if let Some(process) = self.processes.get_mut(&id) {
            alone = process.has_nothing_beside();
            process.last_run = Some(run);
            process.note_attempt(now);
            process.unprepare();
        }
        self.change(id, State::Starting { run, child: None }, 0);
        if alone {
            self.order(Effect::Spawn { id, run });
        } else {
            self.go_on_starting(id, run);
        }
    }

    /// A child exists: it counts as started after `startsecs`, or is stopped at once if that is wanted by now.
    pub(crate) fn spawned(&mut self, now: Now, run: RunId, pid: u32, at: Mono) {
        if !self.errand_runs.is_empty() && self.errand_spawned(now, run, pid, at) {
            return;
        }
        if !self.unborn.is_empty() && self.end_unborn(run) {
            return;
        }
        let Some((id, process)) = self.running_process(run) else { return };
        let child = Child { pid, since: at };
        let notice = Notice::Spawned { name: process.name().to_owned(), pid };
        match process.state {
            State::Starting { child: None, .. } => {
                process.state = State::Starting { run, child: Some(child) };
                process.unprepare();
                if process.spec.health.is_some() {
                    process.begin_health();
                }
                self.log(notice);
                self.publish(Event::ChildSpawned(id));
                self.child_arrived(now, id, run, child);
            }
            State::Stopping { child: None, .. } if !process.has_ended() => {
                process.unprepare();
                let kill_at = now.mono.after(process.stop_wait());
                process.state = State::Stopping { run, child: Some(child), kill_at };
                self.log(notice);
                self.publish(Event::ChildSpawned(id));
                self.reschedule(id);
                self.send_stop_signal(id, run, child);
            }
            State::Starting { .. }
            | State::Stopping { .. }
            | State::Running { .. }
            | State::Unknown { .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal => {}
        }
    }

    fn child_arrived(&mut self, now: Now, id: ProcId, run: RunId, child: Child) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.spec.bounds.is_some() {
            process.watch_from(now.mono);
        }
        let at_once = process.spec.startsecs <= 0;
        if at_once {
            self.stayed_up(now, id, run, child);
        } else {
            self.reschedule(id);
            self.settle_waits(id);
            self.child_exists(id);
        }
    }

    /// No child could be made, of a process or of an errand.
    pub(crate) fn not_spawned(&mut self, now: Now, run: RunId, text: String) {
        if self.unborn.remove(&run) {
            return;
        }
        if self.errand_of(run).is_some() {
            self.errand_over(now, run, Err(text));
        } else {
            self.spawn_failed(now, run, text);
        }
    }

    /// No child could be made (PROC-012).
    pub(crate) fn spawn_failed(&mut self, now: Now, run: RunId, text: String) {
        let Some((id, process)) = self.running_process(run) else { return };
        process.unprepare();
        if matches!(process.state, State::Stopping { .. }) {
            self.change(id, State::Stopped, 0);
            self.after_stop(now, id);
            return;
        }
        process.spawnerr = Some(text.clone());
        self.log(Notice::SpawnError { text });
        self.back_off(now, id, 0);
    }

    /// Up for `startsecs` (PROC-013).
    pub(crate) fn stayed_up(&mut self, now: Now, id: ProcId, run: RunId, child: Child) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (startsecs, has_hooks) = (process.spec.startsecs, process.spec.hooks.is_some());
        if now.mono < child.since.after(seconds(startsecs)) {
            return;
        }
        process.failures = 0;
        let name = process.name().to_owned();
        self.change(id, State::Running { run, child }, child.pid);
        self.log(Notice::Success { name, startsecs });
        if has_hooks {
            self.begin_errand(id, ErrandKind::PostStart);
        }
    }
}
