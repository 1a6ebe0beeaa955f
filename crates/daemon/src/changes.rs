//! Clients that wait for a change instead of asking again and again.

use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use upkeep_api::{Fault, FaultCode, Reply};

use crate::calls::respond;
use crate::shell::{Responder, Shell};
use crate::tasks;

/// How long a client waits at most: less than clients wait for any answer.
const LONGEST: Duration = Duration::from_secs(25);

/// Who waits; somebody who has gone does so until then. Others have to ask again and again. Half of the places that a server has if
/// nothing else is configured: those who wait cannot be spared, and must not be all there are.
static WAITING: Semaphore = Semaphore::const_new(64);

/// Numbers that no daemon before has had, and another one with each change.
#[derive(Debug)]
pub(crate) struct Changes {
    rolling: watch::Sender<u64>,
    processes: watch::Sender<u64>,
}

impl Default for Changes {
    fn default() -> Self {
        // An earlier daemon began earlier, and had less than a change in each nanosecond.
        let [rolling, processes] = [(); 2].map(|()| watch::Sender::new(upkeep_os::monotonic_ns()));
        Self { rolling, processes }
    }
}

impl Changes {
    /// A rolling restart is further.
    pub(crate) fn of_rolling(&self) {
        self.rolling.send_modify(|number| *number += 1);
    }

    /// There may be other processes, or they may have other options.
    pub(crate) fn of_processes(&self) {
        self.processes.send_modify(|number| *number += 1);
    }

    /// This daemon is about to end: nobody shall wait for it.
    pub(crate) fn end(&self) {
        self.of_rolling();
        self.of_processes();
    }
}

impl Shell {
    /// Answers when there is a change that this client has not seen, or after a while.
    pub(crate) fn wait_for_change(&self, what: &str, seen: String, reply: Responder) {
        let mut change = match what {
            "rolling" => self.changes.rolling.subscribe(),
            "processes" => self.changes.processes.subscribe(),
            _ => {
                let fault = Fault::about(FaultCode::IncorrectParameters, "what is rolling or processes");
                return respond(reply, Err(fault));
            }
        };
        let Ok(room) = WAITING.try_acquire() else {
            return respond(reply, Err(Fault::about(FaultCode::Failed, "too many wait for a change")));
        };
        tasks::spawn(async move {
            // In vain it is the same as before.
            let _ = timeout(LONGEST, change.wait_for(|number| number.to_string() != seen)).await;
            let number = change.borrow().to_string();
            drop(room);
            respond(reply, Ok(Reply::Text(number)));
        });
    }
}
