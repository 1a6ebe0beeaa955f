//! A child ended: what that means depends on what was wanted of it.

use crate::notice::Notice;
use crate::process::{AfterStop, Child, ProcId, RunEnd, RunId, State};
use crate::spec::Autorestart;
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now, seconds};

impl Supervisor {
    /// A child ended at `at`, which may lie before `now` if no daemon was there.
    pub(crate) fn exited(&mut self, now: Now, run: RunId, end: RunEnd, at: Mono) {
        if !self.errand_runs.is_empty() && self.errand_over(now, run, Ok(end)) {
            return;
        }
        let Some((id, process)) = self.running_process(run) else { return self.left_check_over(now, run) };
        let (state, alone, startsecs) = (process.state, process.has_nothing_beside(), process.spec.startsecs);
        if !process.has_ended() {
            process.stopped = now.wall;
            if process.timer.is_some() {
                self.note_run(id, end, at);
            }
        }
        if !alone && !matches!(state, State::Stopping { .. }) {
            self.child_is_gone(now, id);
        }
        match state {
            State::Stopping { child, .. } => {
                let pid = child.map_or(0, |child| child.pid);
                if alone || self.may_be_stopped(id, run, pid, end) {
                    self.exited_on_request(now, id, pid, end);
                }
            }
            State::Starting { child, .. } => {
                let since = child.map_or(at, |child| child.since);
                let pid = child.map_or(0, |child| child.pid);
                if at.since(since) < seconds(startsecs) {
                    self.exited_too_quickly(now, id, pid, end);
                } else {
                    let child = Child { pid, since };
                    self.change(id, State::Running { run, child }, pid);
                    self.exited_running(now, id, child, end, at);
                }
            }
            State::Running { child, .. } => self.exited_running(now, id, child, end, at),
            State::Unknown { child, .. } => {
                self.exited_by_itself(now, id, child.pid, end, false);
                self.after_stop(now, id);
            }
            State::Stopped | State::Waiting | State::Backoff { .. } | State::Exited { .. } | State::Fatal => {
            }
        }
    }

    /// STOPPING → STOPPED, whatever the code (PROC-024).
    pub(crate) fn exited_on_request(&mut self, now: Now, id: ProcId, pid: u32, end: RunEnd) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if let Some(errands) = &mut process.errands {
            errands.ended = None;
            process.tidy_errands();
        }
        process.exitstatus = Some(end.status());
        let name = process.name().to_owned();
        let expected = is_expected(&process.spec.exitcodes, end);
        self.log(Notice::Stopped { name, end, expected });
        self.change(id, State::Stopped, pid);
        self.after_stop(now, id);
    }

    /// STARTING → BACKOFF, whatever the code (PROC-014).
    fn exited_too_quickly(&mut self, now: Now, id: ProcId, pid: u32, end: RunEnd) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.exitstatus = None;
        if process.breach().is_none() {
            process.spawnerr = Some("Exited too quickly (process log may have details)".to_owned());
        }
        let name = process.name().to_owned();
        self.log(Notice::Exited { name, end, expected: false });
        self.back_off(now, id, pid);
    }

    /// A child that had run until `at` ended by itself.
    fn exited_running(&mut self, now: Now, id: ProcId, child: Child, end: RunEnd, at: Mono) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.note_uptime(at.since(child.since));
        }
        self.exited_by_itself(now, id, child.pid, end, true);
    }

    /// RUNNING → EXITED (PROC-016), then perhaps a new run (PROC-018).
    fn exited_by_itself(&mut self, now: Now, id: ProcId, pid: u32, end: RunEnd, may_restart: bool) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let expected = is_expected(&process.spec.exitcodes, end);
        process.failures = 0;
        process.exitstatus = Some(end.status());
        if !expected && process.breach().is_none() {
            process.spawnerr = Some(format!("Bad exit code {}", end.status()));
        }
        let name = process.name().to_owned();
        let was_to_stop = self.depends.is_put_off(id);
        let again = may_restart
            && !was_to_stop
            && match process.spec.autorestart {
                Autorestart::Always => true,
                Autorestart::Unexpected => !expected,
                Autorestart::Never => false,
            };
        if !again && process.after_stop != AfterStop::Again {
            process.restarts = None;
        }
        self.log(Notice::Exited { name, end, expected });
        self.change(id, State::Exited { expected }, pid);
        if was_to_stop {
            self.after_stop(now, id);
        } else if again && self.phase.is_running() {
            self.start_again(now, id);
        }
    }

    /// The process of a run that is under way; `None` for one that is over, whose facts no longer matter.
    pub(crate) fn running_process(&mut self, run: RunId) -> Option<(ProcId, &mut super::Process)> {
        let id = *self.runs.get(&run)?;
        self.processes.get_mut(&id).map(|process| (id, process))
    }
}

fn is_expected(exitcodes: &[u8], end: RunEnd) -> bool {
    match end {
        RunEnd::Code(code) => exitcodes.contains(&code),
        RunEnd::Signal { .. } | RunEnd::Unknown(_) => false,
    }
}
