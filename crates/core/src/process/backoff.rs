//! Failed starts: wait one second more each time, then give up, unless the restart policy says otherwise.

use std::time::Duration;

use crate::process::restart::Next;
use crate::process::{ProcId, State};
use crate::supervisor::Supervisor;
use crate::time::Now;

impl Supervisor {
    /// STARTING → BACKOFF, and on to FATAL when `startretries` is used up (PROC-012, PROC-021), or `restart_limit`.
    ///
    /// The caller has logged the failure.
    pub(crate) fn back_off(&mut self, now: Now, id: ProcId, pid: u32) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.failures += 1;
        let usual = Duration::from_secs(u64::try_from(process.failures).unwrap_or(0));
        let next = process.after_failed_start(now, usual);
        let wait = if let Next::Wait(wait) = next { wait } else { usual };
        self.change(id, State::Backoff { retry_at: now.mono.after(wait) }, pid);
        match next {
            Next::Wait(wait) => self.tell_wait(now, id, wait),
            Next::GiveUp(limit) => self.give_up_for_good(now, id, limit),
            Next::Start => {}
        }
    }

    /// BACKOFF → FATAL; the spawn error is kept (PROC-021, PROC-027).
    pub(crate) fn give_up(&mut self, id: ProcId) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.failures = 0;
            process.restarts = None;
            self.change(id, State::Fatal, 0);
        }
    }

    /// The wait is over (PROC-020). Nothing is retried once the daemon goes down (PROC-027, PROC-032).
    pub(crate) fn retry(&mut self, now: Now, id: ProcId) {
        if self.phase.is_running() {
            self.launch(now, id);
        } else {
            self.give_up(id);
        }
    }
}
