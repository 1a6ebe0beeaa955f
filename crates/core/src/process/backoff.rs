//! Failed starts: wait one second more each time, then give up.

use std::time::Duration;

use crate::notice::Notice;
use crate::process::{ProcId, State};
use crate::supervisor::Supervisor;
use crate::time::Now;

impl Supervisor {
    /// STARTING → BACKOFF, and on to FATAL when `startretries` is used up (PROC-012, PROC-021).
    ///
    /// The caller has logged the failure.
    pub(crate) fn back_off(&mut self, now: Now, id: ProcId, pid: u32) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.failures += 1;
        let wait = Duration::from_secs(u64::try_from(process.failures).unwrap_or(0));
        self.change(id, State::Backoff { retry_at: now.mono.after(wait) }, pid);
        self.give_up_if_exhausted(id);
    }

    fn give_up_if_exhausted(&mut self, id: ProcId) {
        let Some(process) = self.processes.get(&id) else { return };
        let exhausted = process.failures > process.spec.startretries;
        if exhausted && matches!(process.state, State::Backoff { .. }) {
            let name = process.name().to_owned();
            self.give_up(id);
            self.log(Notice::GaveUp { name });
        }
    }

    /// BACKOFF → FATAL; the spawn error is kept (PROC-021, PROC-027).
    pub(crate) fn give_up(&mut self, id: ProcId) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.failures = 0;
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
