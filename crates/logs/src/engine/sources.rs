//! What can wake the log thread, by key: pipes with bytes in them, full logs with room again, the handle.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// The set of descriptors that are waited for.
#[derive(Debug)]
pub(super) struct Sources {
    epoll: OwnedFd,
}

impl Sources {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    pub(super) fn add(&self, fd: impl AsFd, key: u64, what: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(key), what)?)
    }

    pub(super) fn remove(&self, fd: impl AsFd) {
        // Fails only for what is not in the set, which is what was wanted.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits, for ever if there is no `limit`, and leaves the keys of what happened in `keys`.
    pub(super) fn wait(
        &self,
        events: &mut Vec<Event>,
        keys: &mut Vec<u64>,
        limit: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        keys.clear();
        let limit = limit.map(|limit| Timespec::try_from(limit).unwrap_or_default());
        match epoll::wait(&self.epoll, spare_capacity(events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        keys.extend(events.iter().map(|event| event.data.u64()));
        Ok(())
    }
}
