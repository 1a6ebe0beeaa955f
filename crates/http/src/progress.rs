//! What a connection is doing, since when, and until when it may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::room::Door;

/// Shared by the socket, the requests and the watchdog of one connection.
#[derive(Debug)]
pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Notify,
    door: Arc<Door>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// When the socket stopped taking what is to be sent.
    stalled: Option<Instant>,
    /// Whether an answer went out although the request's body was not read.
    unread: bool,
    /// Whether there has been a request.
    served: bool,
    /// Whether another client needs the place.
    leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests.
    Idle,
    /// Some of a request's head is here.
    Head,
    /// A request's body is on its way.
    Body,
    /// A request is carried out or answered.
    Busy,
    /// The answer has no end.
    Streaming,
    /// The client was refused and is given time to notice.
    Refused,
}

/// How well a connection can be done without, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spare {
    /// It is over but for the client's end.
    Refused,
    /// The client has yet to send something.
    Waiting,
    /// The client takes nothing.
    Stalled,
    /// The answer has no end.
    Watching,
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
    pub(crate) fn new(door: Arc<Door>) -> Self {
        let state = State {
            phase: Phase::Idle,
            since: Instant::now(),
            stalled: None,
            unread: false,
            served: false,
            leaving: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), door }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
        drop(state);
        self.tell();
    }

    fn tell(&self) {
        self.changed.notify_one();
        self.door.stir();
    }

    /// Bytes have come in.
    pub(crate) fn received(&self) {
        if self.state().phase == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// A request is complete, or its head is and nobody waits for more.
    pub(crate) fn busy(&self) {
        self.state().served = true;
        self.enter(Phase::Busy);
    }

    /// The request's body is waited for.
    pub(crate) fn receiving(&self) {
        self.enter(Phase::Body);
    }

    /// The answer under way has no end.
    pub(crate) fn streaming(&self) {
        self.enter(Phase::Streaming);
    }

    /// The answer is done with.
    pub(crate) fn idle(&self) {
        self.enter(Phase::Idle);
    }

    /// The client was refused; all that is left is to let it notice.
    pub(crate) fn refused(&self) {
        self.enter(Phase::Refused);
    }

    /// Another client needs the place.
    pub(crate) fn leave(&self) {
        self.state().leaving = true;
        self.changed.notify_one();
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.state().leaving
    }

    /// Waits for [`Self::leave`].
    pub(crate) async fn left(&self) {
        while !self.is_leaving() {
            self.changed().await;
        }
    }

    pub(crate) fn was_served(&self) -> bool {
        self.state().served
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
            self.tell();
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

    /// How well this connection can be done without, and since when; `None` while a call is carried out.
    pub(crate) fn spare(&self) -> Option<(Spare, Instant)> {
        let state = self.state();
        match (state.phase, state.stalled) {
            (Phase::Refused, _) => Some((Spare::Refused, state.since)),
            (_, Some(since)) => Some((Spare::Stalled, since)),
            (Phase::Idle | Phase::Head | Phase::Body, None) => Some((Spare::Waiting, state.since)),
            (Phase::Streaming, None) => Some((Spare::Watching, state.since)),
            (Phase::Busy, None) => None,
        }
    }

    /// What is due if it has to leave: who is in the middle of a request hears that it took too long.
    pub(crate) fn parting(&self) -> Due {
        match self.state().phase {
            Phase::Head | Phase::Body => Due::Refuse,
            Phase::Idle | Phase::Busy | Phase::Streaming | Phase::Refused => Due::Close,
        }
    }

    /// When this connection will have taken too long, and what is due then.
    pub(crate) fn deadline(&self, limits: &Limits, crowded: bool) -> Option<(Instant, Due)> {
        let state = self.state();
        let idle = if crowded { limits.crowded_idle_timeout } else { limits.idle_timeout };
        let (own, write) = match state.phase {
            Phase::Idle if state.stalled.is_some() => (None, limits.write_timeout),
            Phase::Idle => (Some((state.since + idle, Due::Close)), limits.write_timeout),
            Phase::Head => (Some((state.since + limits.header_timeout, Due::Refuse)), limits.write_timeout),
            Phase::Body | Phase::Busy | Phase::Refused => (None, limits.write_timeout),
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
        let progress = Progress::new(Arc::default());
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
    fn who_can_be_spared() {
        let progress = Progress::new(Arc::default());
        let spare = || progress.spare().map(|(spare, _)| (spare, progress.parting()));
        assert_eq!(spare(), Some((Spare::Waiting, Due::Close)));
        progress.received();
        assert_eq!(spare(), Some((Spare::Waiting, Due::Refuse)));
        progress.busy();
        assert_eq!(spare(), None);
        progress.receiving();
        assert_eq!(spare(), Some((Spare::Waiting, Due::Refuse)));
        progress.streaming();
        assert_eq!(spare(), Some((Spare::Watching, Due::Close)));
        progress.stalled();
        assert_eq!(spare(), Some((Spare::Stalled, Due::Close)));
        progress.refused();
        assert_eq!(spare(), Some((Spare::Refused, Due::Close)));
    }

    #[test]
    fn sending_the_rest_is_not_idling() {
        let progress = Progress::new(Arc::default());
        let ended = progress.state().since;
        while Instant::now() == ended {}
        progress.sent();
        assert!(progress.state().since > ended);
    }
}
