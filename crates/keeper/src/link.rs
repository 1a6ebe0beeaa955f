//! The daemon's end of the socket to the keeper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};

use crate::launch::LINK;
use crate::wire::{Incoming, Outgoing, ToDaemon, ToKeeper};

/// A connection to the keeper. Sending queues; [`Self::flush`] sends what the socket takes.
#[derive(Debug)]
pub struct Link {
    socket: UnixStream,
    incoming: Incoming,
    outgoing: Outgoing,
}

impl Link {
    /// The connection that the keeper gave this process.
    ///
    /// # Errors
    /// This process was not started by a keeper.
    pub fn from_env() -> io::Result<Self> {
        let missing = || io::Error::other("this role is started by the keeper alone");
        let number: RawFd =
            std::env::var(LINK).ok().and_then(|text| text.parse().ok()).ok_or_else(missing)?;
        let socket = UnixStream::from(upkeep_os::own_inherited_fd(number)?);
        Ok(Self::new(socket))
    }

    /// A connection over this socket.
    #[must_use]
    pub fn new(socket: UnixStream) -> Self {
        Self { socket, incoming: Incoming::default(), outgoing: Outgoing::default() }
    }

    /// A second descriptor of the socket, for whoever watches it.
    ///
    /// # Errors
    /// No descriptor could be had.
    pub fn duplicate_socket(&self) -> io::Result<UnixStream> {
        self.socket.try_clone()
    }

    /// Queues a frame with duplicates of these descriptors.
    ///
    /// # Errors
    /// The frame is too long, or a descriptor cannot be duplicated; nothing is queued then.
    pub fn send(&mut self, frame: &ToKeeper, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let duplicate = |fd: &BorrowedFd<'_>| fd.try_clone_to_owned().map(Arc::new);
        let fds = fds.iter().map(duplicate).collect::<io::Result<Vec<_>>>()?;
        Ok(self.outgoing.push(frame, fds)?)
    }

    /// Sends as much as the socket takes.
    ///
    /// # Errors
    /// The keeper is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        self.outgoing.flush(self.socket.as_fd()).map(|_| ())
    }

    /// Whether frames wait for room in the socket.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether they wait because too many descriptors are under way (ETOOMANYREFS): the socket does not tell when there is room again.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.outgoing.is_crowded()
    }

    /// The next frame with its descriptors; `None` if there is none now.
    ///
    /// # Errors
    /// The keeper is gone, or speaks another language.
    pub fn recv(&mut self) -> io::Result<Option<(ToDaemon, Vec<OwnedFd>)>> {
        loop {
            if let Some(frame) = self.recv_buffered()? {
                return Ok(Some(frame));
            }
            if !self.incoming.fill(self.socket.as_fd())? {
                return Ok(None);
            }
        }
    }

    /// The next frame that was read already, without a look at the socket. That a signal has arrived is told to the
    /// keeper with the next [`Self::flush`], so a daemon that is killed before then does not take the signal with it.
    ///
    /// # Errors
    /// The keeper speaks another language.
    pub fn recv_buffered(&mut self) -> io::Result<Option<(ToDaemon, Vec<OwnedFd>)>> {
        let Some((frame, fds)) = self.incoming.take()? else { return Ok(None) };
        if let ToDaemon::SignalReceived { signo } = frame {
            self.outgoing.push(&ToKeeper::Seen { signo }, Vec::new())?;
        }
        Ok(Some((frame, fds)))
    }

    /// The next frame with its descriptors; waits for it.
    ///
    /// # Errors
    /// The keeper is gone, or speaks another language.
    pub fn recv_wait(&mut self) -> io::Result<(ToDaemon, Vec<OwnedFd>)> {
        loop {
            if let Some(frame) = self.recv()? {
                return Ok(frame);
            }
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
