//! Health checks: asks a process how it is, and tells the core what it says.
//!
//! A check over the network is a task of the runtime, with a limit on its time and on what it reads. Only so many are under way at once.
//! A command is a child like a hook; what it says first is what is wrong, if it fails.

mod ask;
mod line;

use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use upkeep_core::health::Finding;
use upkeep_core::spec::Check;
use upkeep_core::{ErrandKind, Input, ProcId, RunId, Span};

pub(crate) use line::FirstLine;

use crate::shell::{Message, Shell};
use crate::tasks;

/// Checks over the network that are under way at once.
const AT_ONCE: usize = 64;

/// Room for checks.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Shell {
    /// Asks the process of a run how it is. The one before is not waited for any more.
    pub(crate) fn check(&mut self, id: ProcId, run: RunId, number: u64) {
        let process = self.core.process(id);
        let Some(spec) = process.and_then(|process| process.spec().health.clone()) else { return };
        let Some(check) = spec.check.clone() else { return };
        let (room, messages, timeout) = (self.checks.clone(), self.messages.clone(), spec.timeout);
        let task = tasks::spawn(async move {
            let finding = ask(check, &room, timeout).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Found { run, number, finding });
        });
        let vitals = self.runs.entry(run).or_default().vitals.get_or_insert_default();
        if let Some(before) = vitals.check.replace(task.abort_handle()) {
            before.abort();
        }
    }

    /// A command that is a check says something.
    pub(crate) fn check_says(&mut self, run: RunId, data: &[u8]) {
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.line.get_or_insert_default().add(data);
        }
    }

    /// All that it had to say, before its end is told.
    pub(crate) fn check_has_said(&mut self, run: RunId, line: Option<Box<FirstLine>>) {
        if let Some(text) = line.and_then(|line| line.text()) {
            self.tell(Input::Checked { run, number: 0, finding: Finding::Bad(text) });
        }
    }

    /// If this run was to be a check: that it cannot be says nothing about who was to be asked.
    pub(crate) fn cannot_ask(&mut self, run: RunId) {
        if self.core.errand_of(run) == Some(ErrandKind::Check) {
            self.tell(Input::Checked { run, number: 0, finding: Finding::None });
        }
    }

    /// A check is over.
    pub(crate) fn check_over(&mut self, run: RunId, number: u64, finding: Finding) {
        self.tell(Input::Checked { run, number, finding });
    }
}

/// Whether this error is for want of something of our own.
pub(crate) fn is_our_want(errno: i32) -> bool {
    let errno = Errno::from_raw_os_error(errno);
    [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM].contains(&errno)
}

/// Asks as soon as there is room. Those who have a place may wait for somebody who hangs: that says nothing about who finds none
/// in half of the time.
async fn ask(check: Check, room: &Room, timeout: Duration) -> Finding {
    let begun = Instant::now();
    let Ok(Ok(_place)) = tokio::time::timeout(timeout / 2, room.0.acquire()).await else {
        return Finding::None;
    };
    let answer = async {
        match check {
            Check::Tcp { host, port } => ask::tcp(&host, port).await,
            Check::Http { host, port, path } => ask::http(&host, port, &path).await,
            // The core orders a child for that.
            Check::Exec(_) => Finding::None,
        }
    };
    let late = || Finding::Bad(format!("no answer within {}", Span(timeout)));
    let left = timeout.saturating_sub(begun.elapsed());
    tokio::time::timeout(left, answer).await.unwrap_or_else(|_| late())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_lack_ourselves_says_nothing_and_what_it_lacks_does() {
        for (errno, ours) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::AGAIN, true),
            (Errno::NOMEM, true),
            (Errno::NOENT, false),
            (Errno::ACCESS, false),
        ] {
            assert_eq!(is_our_want(errno.raw_os_error()), ours, "{errno:?}");
        }
    }
}
