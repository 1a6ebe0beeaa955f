//! From a wish to stop to STOPPED, with SIGKILL at the deadline.

use std::time::Duration;

use crate::effect::{Effect, Event};
use crate::input::SignalFailure;
use crate::notice::Notice;
use crate::process::{AfterStop, Child, ProcId, Process, RunId, State, StateName};
use crate::signal::{self, Signal};
use crate::spec::StopStep;
use crate::supervisor::Supervisor;
use crate::time::{Now, seconds};
use crate::wait::Why;

/// The least time between two SIGKILLs of one process: with `stopwaitsecs=0` there is no other pause.
const KILL_PAUSE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Asks a process to stop (PROC-023, PROC-026). Does nothing in the other states.
    pub(crate) fn stop(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.state.name() != StateName::Stopping {
            process.stop_step = 0;
        }
        let kill_at = now.mono.after(process.stop_wait());
        if process.after_stop != AfterStop::Again {
            process.restarts = None;
        }
        let alone = process.has_nothing_beside();
        match process.state {
            State::Backoff { .. } => {
                process.failures = 0;
                let name = process.name().to_owned();
                self.log(Notice::StopInBackoff { name });
                self.change(id, State::Stopped, 0);
                self.after_stop(now, id);
            }
            State::Waiting => {
                process.failures = 0;
                let name = process.name().to_owned();
                self.log(Notice::WaitsNoMore { name });
                self.change(id, State::Stopped, 0);
                self.after_stop(now, id);
            }
            State::Starting { run, child } => {
                process.failures = 0;
                self.change(id, State::Stopping { run, child, kill_at }, child.map_or(0, |child| child.pid));
                self.begin_to_stop(now, id, run, child, alone);
            }
            State::Running { run, child } => {
                self.change(id, State::Stopping { run, child: Some(child), kill_at }, child.pid);
                self.begin_to_stop(now, id, run, Some(child), alone);
            }
            State::Stopped
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {}
        }
    }

    /// Sends `stopsignal`, or that of the step of `stop_sequence`, to the group with `stopasgroup` (PROC-080).
    pub(crate) fn send_stop_signal(&mut self, id: ProcId, run: RunId, child: Child) {
        let Some(process) = self.processes.get(&id) else { return };
        let (signal, group) = (process.stop_signal(), process.spec.stopasgroup);
        self.send_ending(id, run, child, signal, group);
    }

    /// The deadline has passed: the next step, or SIGKILL, and a new deadline (PROC-025, PROC-081).
    pub(crate) fn escalate(&mut self, now: Now, id: ProcId, run: RunId, child: Child) {
        self.end_stop_command(now, id);
        let Some(process) = self.processes.get_mut(&id) else { return };
        if let Some(step) = process.next_step() {
            let kill_at = now.mono.after(step.wait);
            process.state = State::Stopping { run, child: Some(child), kill_at };
            let name = process.name().to_owned();
            self.log(Notice::NextSignal { name, pid: child.pid, signal: step.signal });
            self.publish(Event::WishChanged(id));
            self.send_stop_signal(id, run, child);
            return;
        }
        let pause = seconds(process.spec.stopwaitsecs).max(KILL_PAUSE);
        process.state = State::Stopping { run, child: Some(child), kill_at: now.mono.after(pause) };
        let (name, group) = (process.name().to_owned(), process.spec.killasgroup);
        self.log(Notice::Killing { name, pid: child.pid });
        self.send_ending(id, run, child, signal::KILL, group);
    }

    /// Sends SIGKILL to a process whose state stays what it is until it ends.
    pub(crate) fn kill(&mut self, id: ProcId, run: RunId, child: Child) {
        let group = self.processes.get(&id).is_some_and(|process| process.spec.killasgroup);
        self.send_ending(id, run, child, signal::KILL, group);
    }

    fn send_ending(&mut self, id: ProcId, run: RunId, child: Child, signal: Signal, group: bool) {
        let Some(process) = self.processes.get(&id) else { return };
        let name = process.name().to_owned();
        self.log(Notice::Kill { name, pid: child.pid, signal, group });
        let token = self.new_signal(id, run, Why::Ending);
        self.order(Effect::Signal { id: token, run, signal, group });
    }

    /// A signal could not be sent: gone already is fine, anything else leaves the process UNKNOWN (PROC-028, PROC-030).
    pub(crate) fn signal_failed(&mut self, id: ProcId, run: RunId, why: Why, failure: &SignalFailure) {
        let Some(process) = self.processes.get(&id) else { return };
        if process.state.run() != Some(run) {
            return;
        }
        let Some(child) = process.state.child() else { return };
        let (name, pid) = (process.name().to_owned(), child.pid);
        let error = failure.error.clone();
        if failure.gone {
            self.log(Notice::GoneBeforeSignal { name, pid, error });
            return;
        }
        let problem = match why {
            Why::Ending => Notice::KillProblem { name, pid, error },
            Why::Asked(_) | Why::Errand => Notice::SendProblem { name, pid, error },
        };
        if let Some(process) = self.processes.get_mut(&id) {
            process.signal_problem = Some(problem.to_string());
        }
        self.log(problem);
        self.change(id, State::Unknown { run, child }, pid);
    }

    /// A stop is done: carries out what an update wanted after it.
    pub(crate) fn after_stop(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match std::mem::replace(&mut process.after_stop, AfterStop::Stay) {
            AfterStop::Stay => {}
            AfterStop::Again => {
                if self.phase.is_running() {
                    self.start_again(now, id);
                }
            }
            AfterStop::Remove => self.drop_member(now, id),
            AfterStop::Replace { spec, start } => {
                process.failures = 0;
                self.set_spec(now, id, spec);
                self.keep_schedule(now, id);
                self.order(Effect::Reconfigure { id });
                if start && self.phase.is_running() {
                    self.launch(now, id);
                }
            }
        }
    }
}

impl Process {
    /// The signal of the step that is under way.
    fn stop_signal(&self) -> Signal {
        self.spec.stop_sequence.get(self.stop_step).map_or(self.spec.stopsignal, |step| step.signal)
    }

    /// How long the step that is under way may take.
    pub(crate) fn stop_wait(&self) -> Duration {
        let step = self.spec.stop_sequence.get(self.stop_step);
        step.map_or(seconds(self.spec.stopwaitsecs), |step| step.wait)
    }

    /// Goes on to the next step of `stop_sequence`, if there is one.
    fn next_step(&mut self) -> Option<StopStep> {
        let next = self.stop_step + 1;
        let step = *self.spec.stop_sequence.get(next)?;
        self.stop_step = next;
        Some(step)
    }
}
