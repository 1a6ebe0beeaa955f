//! When which errand begins, and what its end means for the process.

use super::{ErrandKind, Verdict};
use crate::effect::{Effect, Event};
use crate::process::{Child, ProcId, RunEnd, RunId, State};
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now};

impl Supervisor {
    /// A start goes on: when nothing of the last run is left and `pre_start` is done, the child is ordered.
    pub(crate) fn go_on_starting(&mut self, id: ProcId, run: RunId) {
        let Some(process) = self.processes.get(&id) else { return };
        let prepared = process.errands.as_ref().is_some_and(|errands| errands.prepared);
        if process.awaits_errand() || (!prepared && self.begin_errand(id, ErrandKind::PreStart)) {
            return;
        }
        self.order(Effect::Spawn { id, run });
    }

    /// A stop begins: `pre_stop`, or at once what asks it to stop. A child that is not there yet is asked when it is.
    pub(crate) fn begin_to_stop(
        &mut self,
        now: Now,
        id: ProcId,
        run: RunId,
        child: Option<Child>,
        alone: bool,
    ) {
        if !alone {
            self.call_off_errands(now, id);
        }
        let Some(child) = child else { return };
        if alone {
            self.send_stop_signal(id, run, child);
        } else if !self.begin_errand(id, ErrandKind::PreStop) {
            self.ask_to_stop(now, id, run, child);
        }
    }

    /// `stop_command`, or the first signal. From now on its time counts.
    fn ask_to_stop(&mut self, now: Now, id: ProcId, run: RunId, child: Child) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let kill_at = now.mono.after(process.stop_wait());
        process.state = State::Stopping { run, child: Some(child), kill_at };
        self.reschedule(id);
        if !self.begin_errand(id, ErrandKind::StopCommand) {
            self.send_stop_signal(id, run, child);
        }
    }

    /// A child has ended by itself: what runs beside it is not needed any more, and `post_stop` begins.
    pub(crate) fn child_is_gone(&mut self, now: Now, id: ProcId) {
        self.call_off_errands(now, id);
        self.begin_errand(id, ErrandKind::PostStop);
    }

    /// The child of a process that is being stopped has ended: it is STOPPED when nothing runs beside it. True if that is now.
    pub(crate) fn may_be_stopped(&mut self, id: ProcId, run: RunId, pid: u32, end: RunEnd) -> bool {
        let Some(process) = self.processes.get_mut(&id) else { return true };
        if process.has_ended() {
            // Told twice: an earlier daemon knew it.
            return false;
        }
        if !process.awaits_errand() && process.spec.errand_command(ErrandKind::PostStop).is_none() {
            return true;
        }
        process.errands.get_or_insert_default().ended = Some((end, pid));
        process.state = State::Stopping { run, child: None, kill_at: Mono(0) };
        self.publish(Event::WishChanged(id));
        self.reschedule(id);
        let alone = self.processes.get(&id).is_some_and(|process| !process.awaits_errand());
        if alone {
            self.begin_errand(id, ErrandKind::PostStop);
        }
        false
    }

    /// An errand is over: its process goes on.
    pub(super) fn follow_errand(&mut self, now: Now, id: ProcId, kind: ErrandKind, verdict: Verdict) {
        let Some(process) = self.processes.get(&id) else { return };
        match (process.state, kind) {
            (State::Starting { run, child: None }, ErrandKind::PreStart) => {
                self.pre_start_is_over(now, id, run, verdict);
            }
            (State::Stopping { run, child: Some(child), .. }, ErrandKind::PreStop) => {
                self.ask_to_stop(now, id, run, child);
            }
            (State::Stopping { run, child: Some(child), .. }, ErrandKind::StopCommand) => {
                self.stop_command_is_over(now, id, run, child, &verdict);
            }
            (State::Starting { run, child: None }, _) => self.go_on_starting(id, run),
            (State::Stopping { run, child: None, .. }, _) => self.go_on_ending(now, id, run, kind),
            (
                State::Stopped
                | State::Waiting
                | State::Starting { .. }
                | State::Running { .. }
                | State::Backoff { .. }
                | State::Stopping { .. }
                | State::Exited { .. }
                | State::Fatal
                | State::Unknown { .. },
                _,
            ) => {}
        }
    }

    fn pre_start_is_over(&mut self, now: Now, id: ProcId, run: RunId, verdict: Verdict) {
        match verdict {
            Verdict::Done => {
                if let Some(process) = self.processes.get_mut(&id) {
                    process.errands.get_or_insert_default().prepared = true;
                }
                self.go_on_starting(id, run);
            }
            Verdict::Failed(why) | Verdict::Overdue(why) => {
                self.spawn_failed(now, run, format!("pre_start failed: {why}"));
            }
            Verdict::CalledOff => {
                self.stop(now, id);
                self.go_on_ending(now, id, run, ErrandKind::PreStart);
            }
        }
    }

    /// One that could not ask it to stop is replaced by the signal; else its time goes on.
    fn stop_command_is_over(&mut self, now: Now, id: ProcId, run: RunId, child: Child, verdict: &Verdict) {
        let (Verdict::Failed(_), Some(process)) = (verdict, self.processes.get_mut(&id)) else { return };
        let kill_at = now.mono.after(process.stop_wait());
        process.state = State::Stopping { run, child: Some(child), kill_at };
        self.reschedule(id);
        self.send_stop_signal(id, run, child);
    }

    /// A stop whose child has ended, or never was, goes on when no errand is left.
    fn go_on_ending(&mut self, now: Now, id: ProcId, run: RunId, last: ErrandKind) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.awaits_errand() {
            return;
        }
        let Some((end, pid)) = process.errands.as_ref().and_then(|errands| errands.ended) else {
            return self.spawn_failed(now, run, String::new());
        };
        if last == ErrandKind::PostStop || !self.begin_errand(id, ErrandKind::PostStop) {
            self.exited_on_request(now, id, pid, end);
        }
    }

    /// An errand of an earlier daemon that never came to be is ordered again, unless nobody needs it.
    pub(crate) fn repeat_errand(&mut self, now: Now, id: ProcId, run: RunId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(errand) = process.errand_mut(run) else { return };
        let kind = errand.kind;
        // There was no child, so there is no time to go on with.
        (errand.until, errand.pid) = (None, 0);
        let wanted = errand.fate == super::Fate::Runs && process.spec.errand_command(kind).is_some();
        if wanted && (self.phase.is_running() || kind.belongs_to_a_stop()) {
            self.order(Effect::Errand { id, run, kind });
            return;
        }
        if let Some(errand) = self.processes.get_mut(&id).and_then(|process| process.errand_mut(run)) {
            errand.fate = super::Fate::CalledOff;
        }
        self.errand_over(now, run, Err(String::new()));
    }
}
