//! What a connection is doing, since when, and until when it may.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::Limits;

/// Shared by the socket, the requests and the watchdog of one connection.
#[derive(Debug)]
pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// When the socket stopped taking what is to be sent.
    stalled: Option<Instant>,
    /// Whether an answer went out although the request's body was not read.
    unread: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests.
    Idle,
    /// Some of a request's head is here.
    Head,
    /// A request is read, carried out or answered.
    Busy,
    /// The answer has no end.
    Streaming,
}

/// What is due at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Tell the client that it took too long.
    Refuse,
    /// Close: there is nothing to answer, or nobody listens.
    Close,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let state = State { phase: Phase::Idle, since: Instant::now(), stalled: None, unread: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
        drop(state);
        self.changed.notify_one();
    }

    /// Bytes have come in.
    pub(crate) fn received(&self) {
        if self.state().phase == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// A request's head is complete.
    pub(crate) fn busy(&self) {
        self.enter(Phase::Busy);
    }

    /// The answer under way has no end.
    pub(crate) fn streaming(&self) {
        self.enter(Phase::Streaming);
    }

    /// The answer is done with.
    pub(crate) fn idle(&self) {
        self.enter(Phase::Idle);
    }

    /// Nobody will read the rest of this request.
    pub(crate) fn leave_unread(&self) {
        self.state().unread = true;
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.state().unread
    }

    pub(crate) fn is_streaming(&self) -> bool {
        self.state().phase == Phase::Streaming
    }

    /// The socket takes nothing more for now.
    pub(crate) fn stalled(&self) {
        let mut state = self.state();
        if state.stalled.is_none() {
            state.stalled = Some(Instant::now());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// The socket took something. What is left of an answer goes out after its request has ended: a connection is
    /// not idle meanwhile.
    pub(crate) fn sent(&self) {
        let mut state = self.state();
        state.stalled = None;
        if state.phase == Phase::Idle {
            state.since = Instant::now();
        }
    }

    /// Waits until [`Self::deadline`] may have become earlier.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// When this connection will have taken too long, and what is due then.
    pub(crate) fn deadline(&self, limits: &Limits, crowded: bool) -> Option<(Instant, Due)> {
        let state = self.state();
        let idle = if crowded { limits.crowded_idle_timeout } else { limits.idle_timeout };
        let (own, write) = match state.phase {
            Phase::Idle if state.stalled.is_some() => (None, limits.write_timeout),
            Phase::Idle => (Some((state.since + idle, Due::Close)), limits.write_timeout),
            Phase::Head => (Some((state.since + limits.header_timeout, Due::Refuse)), limits.write_timeout),
            Phase::Busy => (None, limits.write_timeout),
            Phase::Streaming => (None, limits.idle_timeout),
        };
        let stalled = state.stalled.map(|since| (since + write, Due::Close));
        own.into_iter().chain(stalled).min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_after(progress: &Progress, crowded: bool) -> Option<(u64, Due)> {
        let since = progress.state().since;
        let (at, due) = progress.deadline(&Limits::default(), crowded)?;
        Some(((at - since).as_secs(), due))
    }

    #[test]
    fn each_phase_has_its_deadline() {
        let progress = Progress::new();
        assert_eq!(due_after(&progress, false), Some((1800, Due::Close)));
        assert_eq!(due_after(&progress, true), Some((5, Due::Close)));
        progress.received();
        assert_eq!(due_after(&progress, true), Some((30, Due::Refuse)));
        progress.busy();
        progress.received();
        assert_eq!(due_after(&progress, true), None);
        progress.stalled();
        assert_eq!(due_after(&progress, true), Some((60, Due::Close)));
        progress.streaming();
        progress.sent();
        assert_eq!(due_after(&progress, true), None);
        progress.stalled();
        progress.idle();
        assert_eq!(progress.deadline(&Limits::default(), true).map(|(_, due)| due), Some(Due::Close));
    }

    #[test]
    fn sending_the_rest_is_not_idling() {
        let progress = Progress::new();
        let ended = progress.state().since;
        while Instant::now() == ended {}
        progress.sent();
        assert!(progress.state().since > ended);
    }
}
