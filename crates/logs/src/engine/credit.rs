//! How much reported output may wait to be looked at: backpressure on one stream alone.
//!
//! A child that floods a stream with events enabled would otherwise fill the daemon's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use super::wake::Wake;
use super::{Command, StreamId};

/// Bytes of one stream that may be out before its reading pauses.
const LIMIT: usize = 1 << 20;

/// Stands for reported bytes that somebody still holds; dropping it gives them back.
#[derive(Debug)]
pub struct Lease {
    account: Arc<Account>,
    bytes: usize,
}

/// The bytes of one stream that are out.
#[derive(Debug)]
pub(crate) struct Account {
    id: StreamId,
    out: AtomicUsize,
    waiting: AtomicBool,
    commands: Sender<Command>,
    wake: Arc<Wake>,
}

impl Account {
    pub(crate) fn new(id: StreamId, commands: Sender<Command>, wake: Arc<Wake>) -> Arc<Self> {
        let (out, waiting) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { id, out, waiting, commands, wake })
    }

    pub(crate) fn lend(self: &Arc<Self>, bytes: usize) -> Lease {
        self.out.fetch_add(bytes, Ordering::AcqRel);
        Lease { account: Arc::clone(self), bytes }
    }

    /// Whether too much is out. If so, a [`Command::Credit`] comes when it is not any more.
    pub(crate) fn is_spent(&self) -> bool {
        if self.out.load(Ordering::Acquire) <= LIMIT {
            return false;
        }
        self.waiting.store(true, Ordering::SeqCst);
        // Looked at again: what came back before the flag was up told nobody.
        self.out.load(Ordering::SeqCst) > LIMIT
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let account = &self.account;
        let before = account.out.fetch_sub(self.bytes, Ordering::SeqCst);
        if before - self.bytes <= LIMIT && account.waiting.swap(false, Ordering::SeqCst) {
            // Fails only when the thread is gone, and with it the stream.
            if account.commands.send(Command::Credit { id: account.id }).is_ok() {
                account.wake.once();
            }
        }
    }
}
