//! In the middle of much work: clients that only ask are answered, however many processes somebody else's request is about.

use upkeep_api::Request;

use crate::shell::{BATCH, Shell};

/// Processes that a request is carried out for before others are seen to: a few milliseconds.
const PROCESSES: usize = 100;

/// How much was done since others were seen to, and what they asked for that has to wait.
#[derive(Debug, Default)]
pub(crate) struct Breath {
    /// The daemon serves: while it comes up nobody is answered, since nothing is as it will be.
    pub(crate) serves: bool,
    done: usize,
    pub(crate) postponed: Vec<upkeep_api::Call>,
}

/// Whether the answer is at hand and nothing changes by it.
pub(crate) fn only_asks(request: &Request) -> bool {
    matches!(
        request,
        Request::GetApiVersion
            | Request::GetSupervisorVersion
            | Request::GetIdentification
            | Request::GetState
            | Request::GetPid
            | Request::GetProcessInfo { .. }
            | Request::GetAllProcessInfo
            | Request::GetRollingProgress
            | Request::WaitForChange { .. }
            | Request::LogPath { .. }
    )
}

impl Shell {
    /// What was ordered for one of many processes is carried out. After some of them the keeper gets what it is to have, and
    /// whoever only asks is answered; what would tell the core something waits until everything is carried out.
    pub(crate) async fn breathe(&mut self) {
        self.breath.done += 1;
        if self.breath.done < PROCESSES || !self.breath.serves {
            return;
        }
        self.breath.done = 0;
        self.flush_link();
        tokio::task::yield_now().await;
        for _ in 0..BATCH {
            let Ok(call) = self.mailbox.try_recv() else { return };
            if only_asks(&call.request) {
                self.take_call(call);
            } else {
                self.breath.postponed.push(call);
            }
        }
    }

    /// Takes the calls that had to wait; whether there were any.
    pub(crate) fn take_postponed(&mut self) -> bool {
        let postponed = std::mem::take(&mut self.breath.postponed);
        let some = !postponed.is_empty();
        postponed.into_iter().for_each(|call| self.take_call(call));
        some
    }
}
