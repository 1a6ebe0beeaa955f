//! Frames on their way: queued until the socket takes them, gathered until they are whole.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use upkeep_os::{MAX_FDS, recv_with_fds, send_with_fds};

use super::body::{Reader, Writer};
use super::{HEADER, MAX_FRAME, Message, VERSION, WireError};

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// Frames that wait for room in the socket.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    /// Bytes of `bytes` that are sent already.
    sent: usize,
    /// Descriptors, each set with the offset in `bytes` of the frame it belongs to.
    fds: VecDeque<(usize, Vec<Rc<OwnedFd>>)>,
}

impl Outgoing {
    /// Queues a frame with these descriptors, which stay open until it is sent.
    ///
    /// # Errors
    /// The frame is too long or has too many descriptors; nothing is queued then.
    pub fn push(&mut self, message: &impl Message, fds: Vec<Rc<OwnedFd>>) -> Result<(), WireError> {
        let mut body = Writer::default();
        let kind = message.encode(&mut body);
        let body = body.as_slice();
        let length = HEADER - 4 + body.len();
        if length + 4 > MAX_FRAME {
            return Err(WireError::Length(length));
        }
        if fds.len() > MAX_FDS {
            return Err(WireError::Descriptors);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend_from_slice(&VERSION.to_le_bytes());
        self.bytes.extend_from_slice(&kind.to_le_bytes());
        self.bytes.extend_from_slice(&u16::try_from(fds.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.bytes.extend_from_slice(body);
        if !fds.is_empty() {
            self.fds.push_back((start, fds));
        }
        Ok(())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Sends as much as the socket takes; true when nothing waits any more.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        while !self.is_empty() {
            match self.send_some(socket) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.bytes.shrink_to(CHUNK);
        self.sent = 0;
        Ok(true)
    }

    /// Sends up to the next frame that has descriptors, or that frame's beginning with them.
    fn send_some(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        match self.fds.front() {
            Some(&(at, _)) if at > self.sent => send_with_fds(socket, &self.bytes[self.sent..at], &[]),
            Some((at, _)) => {
                let next = self.fds.get(1).map_or(self.bytes.len(), |&(next, _)| next);
                let fds: Vec<BorrowedFd<'_>> = self.fds[0].1.iter().map(|fd| fd.as_fd()).collect();
                let count = send_with_fds(socket, &self.bytes[*at..next], &fds)?;
                self.fds.pop_front();
                Ok(count)
            }
            None => send_with_fds(socket, &self.bytes[self.sent..], &[]),
        }
    }
}

/// Bytes and descriptors that have come and are not yet taken as frames.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    taken: usize,
    fds: VecDeque<OwnedFd>,
}

impl Incoming {
    /// Reads what is there, at most one chunk; false if there was nothing.
    ///
    /// # Errors
    /// The other side is gone (`UnexpectedEof`), or the socket fails.
    pub fn fill(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let start = self.bytes.len();
        self.bytes.resize(start + CHUNK, 0);
        let mut fds = Vec::new();
        let received = recv_with_fds(socket, &mut self.bytes[start..], &mut fds);
        self.fds.extend(fds);
        self.bytes.truncate(start + received.as_ref().copied().unwrap_or(0));
        match received {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next whole frame with its descriptors; `None` if there is none yet. Unknown kinds are skipped.
    ///
    /// # Errors
    /// What came is not a frame: the stream cannot be used any further.
    pub fn take<M: Message>(&mut self) -> Result<Option<(M, Vec<OwnedFd>)>, WireError> {
        loop {
            let rest = &self.bytes[self.taken..];
            let Some((header, _)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
            let [l0, l1, l2, l3, _, _, k0, k1, f0, f1] = *header;
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            if length < HEADER - 4 || length + 4 > MAX_FRAME {
                return Err(WireError::Length(length));
            }
            let Some(frame) = rest.get(HEADER..length + 4) else { return Ok(None) };
            let mut body = Reader::new(frame);
            let decoded = M::decode(u16::from_le_bytes([k0, k1]), &mut body)?;
            let count = usize::from(u16::from_le_bytes([f0, f1]));
            if self.fds.len() < count {
                return Err(WireError::Descriptors);
            }
            let fds = self.fds.drain(..count).collect();
            self.taken += length + 4;
            if let Some(message) = decoded {
                return Ok(Some((message, fds)));
            }
        }
    }
}
