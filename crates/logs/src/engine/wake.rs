//! Waking the log thread: an eventfd, and a flag that spares most of the writes to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

/// Wakes the log thread out of epoll.
#[derive(Debug)]
pub(crate) struct Wake {
    fd: OwnedFd,
    asked: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { fd, asked: AtomicBool::new(false) })
    }

    /// Wakes the thread unless somebody already has since it last looked. Call it after queueing.
    pub(crate) fn once(&self) {
        if !self.asked.swap(true, Ordering::AcqRel) {
            // Fails only when the counter is full: then the thread is being woken anyway.
            let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        }
    }

    /// Sleeps for `limit`, or until somebody wakes the thread.
    pub(crate) fn rest(&self, limit: Duration) {
        let limit = Timespec::try_from(limit).unwrap_or_default();
        // Interrupted is as good as awake.
        let _ = rustix::event::poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&limit));
    }

    /// Takes the wake-ups. Call it before looking at the queue, so that what is queued later wakes again.
    pub(crate) fn take(&self) {
        // Nothing to read is fine: this is also called without a wake-up.
        let _ = rustix::io::read(&self.fd, &mut [0u8; 8]);
        // A swap, not a store: it must see what the swap in `once` published.
        self.asked.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
