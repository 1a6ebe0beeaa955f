//! What waits for one destination.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Message, Warn};
use crate::losses::Losses;

/// Bytes that may wait.
const LIMIT: usize = 1 << 20;
/// Bytes that are sent together.
const TOGETHER: usize = 64 * 1024;
/// What a line takes besides its bytes.
const COST: usize = 100;
/// How long what waits is sent on when nobody writes any more.
const GRACE: Duration = Duration::from_secs(5);

/// Messages that are sent together, the oldest first.
pub(super) type Batch = VecDeque<Arc<Message>>;

/// Messages that wait.
pub(super) struct Queue {
    /// Under which name losses are counted.
    path: PathBuf,
    losses: Losses,
    warn: Warn,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    messages: Batch,
    /// What they take, with those that are being sent.
    bytes: usize,
    /// What those take that are being sent.
    sending: usize,
    closed: Option<Instant>,
    /// Bytes that were dropped since it was said last.
    dropped: u64,
    is_dropping: bool,
    is_failing: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(path: PathBuf, losses: Losses, warn: Warn) -> Self {
        Self { path, losses, warn, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds messages; drops and counts those for which there is no room.
    pub(super) fn push(&self, messages: &[Arc<Message>]) {
        let mut state = self.lock();
        let mut dropped = 0;
        for message in messages {
            let cost = message.text.len() + COST;
            if state.bytes + cost > LIMIT {
                dropped += message.text.len() as u64;
            } else {
                state.bytes += cost;
                state.messages.push_back(Arc::clone(message));
            }
        }
        state.dropped += dropped;
        let begins = dropped > 0 && !state.is_dropping;
        state.is_dropping |= dropped > 0;
        drop(state);
        self.changed.notify_all();
        if dropped > 0 {
            self.losses.add(&self.path, dropped);
        }
        if begins {
            self.losses.begin_unless_told(&self.path, "it does not take them fast enough");
            let path = self.path.display();
            (self.warn)(format!("lines for {path} are dropped: too many of them wait"));
        }
    }

    /// The next messages to send; waits for some. `None` at the end.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut state = self.lock();
        while state.messages.is_empty() {
            if state.closed.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut batch = Batch::new();
        while let Some(message) = state.messages.front()
            && (batch.is_empty() || state.sending + message.text.len() + COST <= TOGETHER)
        {
            state.sending += message.text.len() + COST;
            batch.extend(state.messages.pop_front());
        }
        Some(batch)
    }

    /// The last ones have been sent.
    pub(super) fn sent(&self) {
        let mut state = self.lock();
        state.bytes -= std::mem::take(&mut state.sending);
        if state.messages.is_empty() {
            state.messages.shrink_to(0);
        }
        let ends = state.is_dropping && state.bytes < LIMIT / 2;
        drop(state);
        self.changed.notify_all();
        if ends {
            self.works_again();
        }
    }

    pub(super) fn fails(&self, error: &io::Error) {
        self.lock().is_failing = true;
        self.changed.notify_all();
        self.losses.begin(&self.path, error);
        let path = self.path.display();
        (self.warn)(format!(
            "cannot forward lines to {path}: {error}; they wait, as long as there is room for them"
        ));
    }

    pub(super) fn works_again(&self) {
        let mut state = self.lock();
        (state.is_dropping, state.is_failing) = (false, false);
        let dropped = std::mem::take(&mut state.dropped);
        drop(state);
        self.losses.end(&self.path);
        let path = self.path.display();
        (self.warn)(format!("lines are forwarded to {path} again; {dropped} bytes were dropped"));
    }

    /// Waits before another try; false if there is to be none.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let end = Instant::now() + length;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let last = state.closed.map(|closed| closed + GRACE);
            if last.is_some_and(|last| now >= last) {
                return false;
            }
            if now >= end {
                return true;
            }
            let until = last.map_or(end, |last| last.min(end));
            state = match self.changed.wait_timeout(state, until - now) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// What waits, and `batch`, is not sent any more.
    pub(super) fn give_up(&self, batch: &Batch) {
        let mut state = self.lock();
        let left = state.messages.iter().chain(batch).map(|message| message.text.len() as u64).sum();
        state.messages.clear();
        (state.bytes, state.sending) = (0, 0);
        drop(state);
        self.changed.notify_all();
        self.losses.add(&self.path, left);
        self.losses.end(&self.path);
    }

    /// Nobody writes any more.
    pub(super) fn close(&self) {
        self.lock().closed.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    /// Waits until all is sent, or cannot be.
    pub(super) fn wait_until_empty(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.bytes > 0 && !state.is_failing {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return;
            };
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
