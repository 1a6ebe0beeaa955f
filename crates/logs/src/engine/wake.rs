//! Waking the log thread: an eventfd, and a flag that spares most of the writes to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

/// Somebody has asked for something since the thread last looked.
const ASKED: u8 = 1;
/// There is more to come: nobody wakes the thread for some of it.
const HELD: u8 = 2;

/// Wakes the log thread out of epoll.
#[derive(Debug)]
pub(crate) struct Wake {
    fd: OwnedFd,
    /// One word, so that whoever asks and whoever lets go see of each other who came first.
    state: AtomicU8,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { fd, state: AtomicU8::new(0) })
    }

    /// Wakes the thread unless somebody already has since it last looked, or will. Call it after queueing.
    pub(crate) fn once(&self) {
        if self.state.fetch_or(ASKED, Ordering::AcqRel) == 0 {
            self.ring();
        }
    }

    /// Nobody wakes the thread from now on until [`Self::let_go`].
    pub(crate) fn hold(&self) {
        self.state.fetch_or(HELD, Ordering::AcqRel);
    }

    /// Wakes the thread if somebody has asked meanwhile.
    pub(crate) fn let_go(&self) {
        if self.state.fetch_and(!HELD, Ordering::AcqRel) & ASKED != 0 {
            self.ring();
        }
    }

    fn ring(&self) {
        // Fails only when the counter is full: then the thread is being woken anyway.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
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
        // Read as well as written: it must see what those in `once` published.
        self.state.fetch_and(!ASKED, Ordering::AcqRel);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often somebody has woken the thread since it last looked; it looks now.
    fn woken(wake: &Wake) -> u64 {
        let mut count = [0; 8];
        let woken = rustix::io::read(&wake.fd, &mut count).map_or(0, |_| u64::from_ne_bytes(count));
        wake.take();
        woken
    }

    #[test]
    fn it_is_woken_once_for_all_that_is_asked() {
        let wake = Wake::new().unwrap();
        wake.once();
        wake.once();
        assert_eq!(woken(&wake), 1);
        assert_eq!(woken(&wake), 0);
        wake.once();
        assert_eq!(woken(&wake), 1);
    }

    #[test]
    fn what_is_gathered_wakes_it_in_the_end() {
        let wake = Wake::new().unwrap();
        wake.hold();
        wake.let_go();
        assert_eq!(woken(&wake), 0, "nobody has asked for anything");
        wake.hold();
        wake.once();
        wake.once();
        assert_eq!(rustix::io::read(&wake.fd, &mut [0u8; 8]), Err(rustix::io::Errno::AGAIN), "not yet");
        wake.let_go();
        assert_eq!(woken(&wake), 1);
        wake.once();
        assert_eq!(woken(&wake), 1, "as before");
    }

    #[test]
    fn who_was_heard_before_is_not_forgotten() {
        let wake = Wake::new().unwrap();
        wake.once();
        wake.hold();
        assert_eq!(woken(&wake), 1, "asked for before");
        wake.once();
        wake.let_go();
        assert_eq!(woken(&wake), 1);
    }
}
