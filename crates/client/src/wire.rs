//! A connection that can be given up: because of silence, or because the caller has something else to do.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};

use crate::ClientError;

/// A descriptor whose readability ends a call.
pub(crate) type Breaker = Arc<dyn AsFd + Send + Sync>;

#[derive(Debug)]
pub(crate) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        }
    }

    fn limit_writes(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_write_timeout(Some(limit)),
            Self::Tcp(stream) => stream.set_write_timeout(Some(limit)),
        }
    }
}

/// A connection being read piece by piece.
pub(crate) struct Wire {
    socket: Socket,
    breaker: Option<Breaker>,
    /// How long nothing may come; `None` for ever.
    silence: Option<Duration>,
    buffer: Vec<u8>,
    /// How much of `buffer` has been handed out, and how much of it has come in.
    taken: usize,
    filled: usize,
    /// Whether the last read filled all there was room for.
    crowded: bool,
}

/// Bytes of the first reads. Most answers are short, and each page of a buffer costs a fault.
const FIRST: usize = 32 * 1024;

/// Bytes of a read of a long answer; about what a socket holds.
const PIECE: usize = 256 * 1024;

impl Wire {
    pub(crate) fn new(socket: Socket, breaker: Option<Breaker>, silence: Option<Duration>) -> Self {
        Self { socket, breaker, silence, buffer: Vec::new(), taken: 0, filled: 0, crowded: false }
    }

    pub(crate) fn send(&mut self, bytes: &[u8], limit: Duration) -> Result<(), ClientError> {
        self.socket.limit_writes(limit)?;
        self.socket.write_all(bytes)?;
        Ok(())
    }

    /// A line without its end, or `None` if the peer closed before a whole one.
    pub(crate) fn line(&mut self, most: usize) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(at) = self.pending().iter().position(|&byte| byte == b'\n') {
                let line = self.pending().get(..at).unwrap_or_default();
                let line = String::from_utf8_lossy(line).trim_end().to_owned();
                self.taken += at + 1;
                return Ok(Some(line));
            }
            if self.pending().len() > most {
                return Err(ClientError::Malformed("a header line without end".to_owned()));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Adds at most `most` bytes, at least one, to `to`, and tells how many; none if the peer closed.
    pub(crate) fn append(&mut self, most: usize, to: &mut Vec<u8>) -> Result<usize, ClientError> {
        if self.pending().is_empty() {
            // Where room was made for all that comes it is read there: pages of a buffer would have to be had, filled and copied.
            if (1..=most).contains(&(to.capacity() - to.len())) {
                return self.read_to(to);
            }
            if !self.fill()? {
                return Ok(0);
            }
        }
        let bytes = self.pending();
        let bytes = bytes.get(..most).unwrap_or(bytes);
        let count = bytes.len();
        to.extend_from_slice(bytes);
        self.taken += count;
        Ok(count)
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(self.taken..self.filled).unwrap_or_default()
    }

    /// Reads once, into the room that there is behind what is in `to`.
    fn read_to(&mut self, to: &mut Vec<u8>) -> Result<usize, ClientError> {
        self.wait()?;
        let count = retry_on_intr(|| rustix::io::read(self.socket.as_fd(), spare_capacity(to)));
        Ok(count.map_err(io::Error::from)?)
    }

    /// Reads once, behind what is pending; false at the end.
    fn fill(&mut self) -> Result<bool, ClientError> {
        self.wait()?;
        self.make_room();
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let count =
            retry_on_intr(|| rustix::io::read(self.socket.as_fd(), &mut *room)).map_err(io::Error::from)?;
        self.crowded = count == room.len();
        self.filled += count;
        Ok(count > 0)
    }

    fn make_room(&mut self) {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        let size = self.buffer.len();
        if self.filled == size || self.crowded && size < PIECE {
            self.buffer.resize(size + size.clamp(FIRST, PIECE), 0);
        }
    }

    fn wait(&self) -> Result<(), ClientError> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
        if let Some(breaker) = &self.breaker {
            fds.push(PollFd::from_borrowed_fd(breaker.as_fd(), PollFlags::IN));
        }
        let timeout = self.silence.and_then(|limit| Timespec::try_from(limit).ok());
        loop {
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Err(ClientError::TimedOut),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
        match fds.get(1) {
            Some(breaker) if !breaker.revents().is_empty() => Err(ClientError::Interrupted),
            _ => Ok(()),
        }
    }
}
