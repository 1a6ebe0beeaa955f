//! What waits for one destination.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
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
    /// Who takes what cannot be sent from here.
    successor: Option<Weak<Queue>>,
    /// Whether the last message has been taken out.
    is_closing: bool,
    /// Whether its thread has ended, or never was.
    is_over: bool,
}

impl State {
    /// Adds what was taken out before, or waited elsewhere.
    fn put_back(&mut self, mut older: Batch) {
        if !older.is_empty() {
            older.append(&mut self.messages);
            // Those of one moment stay as they are.
            older.make_contiguous().sort_by_key(|message| message.at);
            self.messages = older;
        }
    }
}

/// What a message takes.
fn cost(message: &Message) -> usize {
    message.text.len() + COST
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
            if state.bytes + cost(message) > LIMIT {
                dropped += message.text.len() as u64;
            } else {
                state.bytes += cost(message);
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
                state.is_closing = true;
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut batch = Batch::new();
        while let Some(message) = state.messages.front()
            && (batch.is_empty() || state.sending + cost(message) <= TOGETHER)
        {
            state.sending += cost(message);
            batch.extend(state.messages.pop_front());
        }
        Some(batch)
    }

    /// The last ones have been sent, but for these.
    pub(super) fn sent_all_but(&self, left: Batch) {
        let mut state = self.lock();
        state.bytes -= std::mem::take(&mut state.sending);
        state.bytes += left.iter().map(|message| cost(message)).sum::<usize>();
        let is_all = left.is_empty();
        state.put_back(left);
        if state.messages.is_empty() {
            state.messages.shrink_to(0);
        }
        let ends = is_all && state.is_dropping && state.bytes < LIMIT / 2;
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
            if last.is_some() && state.successor.is_some() {
                return false;
            }
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

    /// Whoever writes there now takes what this one could not send.
    pub(super) fn is_followed_by(&self, other: &Arc<Self>) {
        self.lock().successor = Some(Arc::downgrade(other));
        self.changed.notify_all();
    }

    /// What waits is not sent any more, at least not from here.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        let mut left = std::mem::take(&mut state.messages);
        (state.bytes, state.sending, state.is_closing) = (0, 0, true);
        let successor = state.successor.take().and_then(|successor| successor.upgrade());
        drop(state);
        self.changed.notify_all();
        let is_known = successor.is_some();
        if let Some(successor) = successor {
            left = successor.take_over(left);
        }
        let why = "nobody writes there any more, and it cannot be reached";
        self.lose(&left, why).into_iter().for_each(|text| (self.warn)(text));
        if !is_known {
            self.losses.end(&self.path);
        }
    }

    /// The end of everything: what waits is lost. What there is to say about that.
    pub(super) fn leave(&self) -> Option<String> {
        let mut state = self.lock();
        let left = std::mem::take(&mut state.messages);
        (state.bytes, state.is_closing) = (state.sending, true);
        drop(state);
        self.lose(&left, "it has not taken them in time")
    }

    /// Counts what is dropped, and says it.
    fn lose(&self, left: &Batch, why: &str) -> Option<String> {
        let bytes: u64 = left.iter().map(|message| message.text.len() as u64).sum();
        self.losses.add(&self.path, bytes);
        let (count, path) = (left.len(), self.path.display());
        (count > 0).then(|| format!("{count} lines ({bytes} bytes) for {path} are dropped: {why}"))
    }

    /// Takes what another one could not send; returns that for which there is no room.
    fn take_over(&self, messages: Batch) -> Batch {
        let mut state = self.lock();
        if state.is_closing {
            return messages;
        }
        let (mut taken, mut refused) = (Batch::new(), Batch::new());
        for message in messages {
            let has_room = state.bytes + cost(&message) <= LIMIT;
            state.bytes += if has_room { cost(&message) } else { 0 };
            if has_room { taken.push_back(message) } else { refused.push_back(message) }
        }
        state.put_back(taken);
        drop(state);
        self.changed.notify_all();
        refused
    }

    /// Nobody writes any more.
    pub(super) fn close(&self) {
        self.lock().closed.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    /// Waits until all is sent, or cannot be.
    pub(super) fn wait_until_empty(&self, deadline: Instant) {
        self.wait_while(deadline, |state| state.bytes > 0 && !state.is_failing);
    }

    /// The thread ends.
    pub(super) fn ends(&self) {
        let mut state = self.lock();
        (state.is_closing, state.is_over) = (true, true);
        drop(state);
        self.changed.notify_all();
    }

    /// Whether what was tried last failed.
    pub(super) fn is_failing(&self) -> bool {
        self.lock().is_failing
    }

    /// Waits until the thread has ended, unless it cannot do what it is there for.
    pub(super) fn wait_until_over(&self, deadline: Instant) {
        self.wait_while(deadline, |state| !state.is_over && !state.is_failing);
    }

    fn wait_while(&self, deadline: Instant, is_waiting: impl Fn(&State) -> bool) {
        let mut state = self.lock();
        while is_waiting(&state) {
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
