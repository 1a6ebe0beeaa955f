//! Ends of processes that are not our children: adopted ones, whose parent was an earlier keeper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// The key of a daemon that is not our child; no run has this number.
pub(crate) const DAEMON: u64 = u64::MAX;

/// Process descriptors that are watched, each under a key. Costs nothing until there is one.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    epoll: Option<OwnedFd>,
}

impl Watch {
    /// From now on the end of this process is reported.
    ///
    /// # Errors
    /// No descriptor or no memory could be had.
    pub(crate) fn add(&mut self, key: u64, pidfd: impl AsFd) -> io::Result<()> {
        if self.epoll.is_none() {
            self.epoll = Some(epoll::create(CreateFlags::CLOEXEC)?);
        }
        let Some(epoll) = &self.epoll else { return Ok(()) };
        Ok(epoll::add(epoll, pidfd, EventData::new_u64(key), EventFlags::IN)?)
    }

    /// No longer. Closing the descriptor is not enough: the daemon has it too.
    pub(crate) fn remove(&self, pidfd: impl AsFd) {
        if let Some(epoll) = &self.epoll {
            // One that is not watched need not be removed.
            let _ = epoll::delete(epoll, pidfd);
        }
    }

    /// Readable when somebody has ended.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.epoll.as_ref().map(AsFd::as_fd)
    }

    /// Keys of some that have ended; the others come the next time.
    pub(crate) fn ended(&self) -> Vec<u64> {
        const AT_ONCE: usize = 64;
        let Some(epoll) = &self.epoll else { return Vec::new() };
        let mut events: Vec<Event> = Vec::with_capacity(AT_ONCE);
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        // An interrupted look is repeated with the next turn: what has ended stays so.
        let _ = epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), Some(&now));
        events.iter().map(|event| event.data.u64()).collect()
    }
}
