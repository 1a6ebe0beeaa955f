//! Frames on their way: queued until the socket takes them, gathered until they are whole.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use upkeep_os::{MAX_FDS, Received, recv_with_fds, send_with_fds};

use super::body::{Reader, Writer};
use super::{HEADER, MAX_FRAME, Message, VERSION, WireError};

/// Bytes read at once, and what an idle buffer may keep for the next time.
const CHUNK: usize = 16 << 10;
/// Descriptors' places that an idle buffer may keep for the next time.
const FEW: usize = 64;
/// Size of the length that a frame begins with, which does not count itself.
const LENGTH: usize = size_of::<u32>();

/// Frames that wait for room in the socket.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    /// Bytes of `bytes` that are sent already.
    sent: usize,
    /// Descriptors, each set with the offset in `bytes` of the frame it belongs to.
    fds: VecDeque<(usize, Vec<Arc<OwnedFd>>)>,
    /// Too many descriptors were under way to take more.
    crowded: bool,
    /// Descriptors of several frames go in one message.
    together: bool,
}

impl Outgoing {
    /// One that sends descriptors of several frames in one message, which is quicker: for a receiver that has room for them. Without
    /// that it can tell of which frame some are lost ([`Incoming::lenient`]).
    #[must_use]
    pub fn together() -> Self {
        Self { together: true, ..Self::default() }
    }

    /// Queues a frame with these descriptors, which stay open until it is sent.
    ///
    /// # Errors
    /// The frame is too long or has too many descriptors; nothing is queued then.
    pub fn push(&mut self, message: &impl Message, fds: Vec<Arc<OwnedFd>>) -> Result<(), WireError> {
        let count = u16::try_from(fds.len()).ok().filter(|_| fds.len() <= MAX_FDS);
        let count = count.ok_or(WireError::Descriptors)?;
        let start = self.bytes.len();
        let mut frame = Writer::behind(std::mem::take(&mut self.bytes));
        frame.u32(0).u16(VERSION).u16(message.kind()).u16(count);
        message.write(&mut frame);
        self.bytes = frame.into_bytes();
        self.seal(start).inspect_err(|_| self.bytes.truncate(start))?;
        if !fds.is_empty() {
            self.fds.push_back((start, fds));
        }
        Ok(())
    }

    /// Writes the length of the frame at `start` into it.
    fn seal(&mut self, start: usize) -> Result<(), WireError> {
        let length = self.bytes.len() - start;
        let counted = u32::try_from(length - LENGTH).ok().filter(|_| length <= MAX_FRAME);
        let counted = counted.ok_or(WireError::Length(length))?;
        self.bytes[start..start + LENGTH].copy_from_slice(&counted.to_le_bytes());
        Ok(())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether the last frames wait because too many descriptors are under way: the socket does not tell when there is room again.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.crowded
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
        self.crowded = false;
        while !self.is_empty() {
            match self.send_some(socket) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) => {
                    self.crowded = error.kind() != io::ErrorKind::WouldBlock;
                    self.forget_sent();
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.forget_sent();
        self.bytes.shrink_to(CHUNK);
        // It is used round and round: every page of it would come to be touched.
        self.fds.shrink_to(FEW);
        Ok(true)
    }

    /// Sends up to the next frame that has descriptors; or that frame with them and all up to the next that has some; together, as
    /// many of these as one message takes descriptors: the other side gives them to the frames in their order.
    fn send_some(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let starts_at = |index: usize| self.fds.get(index).map_or(self.bytes.len(), |&(at, _)| at);
        if starts_at(0) > self.sent {
            return send_with_fds(socket, &self.bytes[self.sent..starts_at(0)], &[]);
        }
        let mut count = 0;
        let sizes = self.fds.iter().map(|(_, fds)| fds.len());
        let fits = |size: &usize| {
            count += size;
            count <= MAX_FDS
        };
        let most = if self.together { usize::MAX } else { 1 };
        let together = sizes.take_while(fits).take(most).count();
        let fds = self.fds.iter().take(together).flat_map(|(_, fds)| fds).map(AsFd::as_fd);
        let fds: Vec<BorrowedFd<'_>> = fds.collect();
        let count = send_with_fds(socket, &self.bytes[self.sent..starts_at(together)], &fds)?;
        // They went with the first byte, however few bytes went.
        self.fds.drain(..together);
        Ok(count)
    }

    fn forget_sent(&mut self) {
        self.bytes.drain(..self.sent);
        self.fds.iter_mut().for_each(|(at, _)| *at -= self.sent);
        self.sent = 0;
    }
}

/// No room in the socket, or too many descriptors under way to take more (unix(7)).
fn is_full(error: &io::Error) -> bool {
    let too_many = rustix::io::Errno::TOOMANYREFS.raw_os_error();
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(too_many)
}

/// Bytes and descriptors that have come and are not yet taken as frames.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    taken: usize,
    fds: VecDeque<OwnedFd>,
    /// Before which of `fds` some are missing for which there was no room, in order.
    gaps: VecDeque<usize>,
    /// A frame that misses some is given out all the same.
    lenient: bool,
}

impl Incoming {
    /// One that gives out frames without the descriptors for which this process had no room: the last of a frame's, or all. The
    /// sender must not send those of several frames [`Outgoing::together`].
    #[must_use]
    pub fn lenient() -> Self {
        Self { lenient: true, ..Self::default() }
    }

    /// Reads what is there, at most one chunk; false if there was nothing.
    ///
    /// # Errors
    /// The other side is gone (`UnexpectedEof`), or the socket fails. EMFILE if there was no room for a descriptor and this is not
    /// [`Incoming::lenient`]: the stream is of no more use.
    pub fn fill(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let start = self.bytes.len();
        self.bytes.shrink_to(start + CHUNK);
        self.bytes.resize(start + CHUNK, 0);
        let mut fds = Vec::new();
        let received = recv_with_fds(socket, &mut self.bytes[start..], &mut fds);
        self.fds.extend(fds);
        self.bytes.truncate(start + received.as_ref().map_or(0, |received| received.length));
        match received {
            Ok(Received { length: 0, .. }) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Received { lost: true, .. }) if !self.lenient => Err(rustix::io::Errno::MFILE.into()),
            Ok(Received { lost, .. }) => {
                self.gaps.extend(lost.then_some(self.fds.len()));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether everything that has come is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len() && self.fds.is_empty() && self.gaps.is_empty()
    }

    /// The next whole frame with its descriptors; `None` if there is none yet. Unknown kinds are skipped.
    ///
    /// # Errors
    /// What came is not a frame: the stream cannot be used any further.
    pub fn take<M: Message>(&mut self) -> Result<Option<(M, Vec<OwnedFd>)>, WireError> {
        loop {
            let Some((header, body)) = parse(&self.bytes[self.taken..])? else { return Ok(None) };
            let end = self.taken + HEADER + body.len();
            let message = M::decode(header.kind, &mut Reader::new(body))?;
            let fds = self.take_fds(header.fds)?;
            self.taken = end;
            if let Some(message) = message {
                return Ok(Some((message, fds)));
            }
        }
    }
}

impl Incoming {
    /// The descriptors of a frame that came with so many.
    fn take_fds(&mut self, announced: usize) -> Result<Vec<OwnedFd>, WireError> {
        if announced == 0 {
            // Most have none, and a gap is before the next frame that has some.
            return Ok(Vec::new());
        }
        let gap = self.gaps.pop_front_if(|gap| *gap < announced);
        let count = gap.unwrap_or(announced);
        if self.fds.len() < count {
            return Err(WireError::Descriptors);
        }
        self.gaps.iter_mut().for_each(|gap| *gap -= count);
        Ok(self.fds.drain(..count).collect())
    }
}

struct Header {
    kind: u16,
    fds: usize,
}

/// The frame that these bytes begin with; `None` if it is not whole yet.
fn parse(bytes: &[u8]) -> Result<Option<(Header, &[u8])>, WireError> {
    let mut reader = Reader::new(bytes);
    if bytes.len() < HEADER {
        return Ok(None);
    }
    let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX).saturating_add(LENGTH);
    if !(HEADER..=MAX_FRAME).contains(&length) {
        return Err(WireError::Length(length));
    }
    // Versions tell people apart who read a trace; understanding goes by kinds alone.
    let _version = reader.u16()?;
    let header = Header { kind: reader.u16()?, fds: usize::from(reader.u16()?) };
    if header.fds > MAX_FDS {
        return Err(WireError::Descriptors);
    }
    Ok(bytes.get(HEADER..length).map(|body| (header, body)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::wire::ToDaemon;

    #[test]
    fn room_that_a_crowd_of_descriptors_took_is_not_kept() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        ours.set_nonblocking(true).unwrap();
        let file: Arc<OwnedFd> = Arc::new(io::stdin().as_fd().try_clone_to_owned().unwrap());
        let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
        for run in 0..4000 {
            outgoing.push(&ToDaemon::Spawned { run, pid: 1, at_ns: 0 }, vec![Arc::clone(&file)]).unwrap();
        }
        let mut came = 0;
        while !outgoing.flush(ours.as_fd()).unwrap() {
            while incoming.fill(theirs.as_fd()).unwrap() {
                while incoming.take::<ToDaemon>().unwrap().is_some() {
                    came += 1;
                }
            }
        }
        assert!(came > 0, "it is not all sent at once");
        assert!(outgoing.fds.capacity() <= FEW && outgoing.bytes.capacity() <= CHUNK, "{outgoing:?}");
    }

    #[test]
    fn a_frame_that_misses_descriptors_takes_none_of_the_next() {
        let file: OwnedFd = tempfile::tempfile().unwrap().into();
        let mut incoming = Incoming { gaps: [0, 2, 6].into(), ..Incoming::lenient() };
        incoming.fds = (0..8).map(|_| file.try_clone().unwrap()).collect();
        // Of each frame those that came of those that it was sent with.
        let rows = [(0, Some(0)), (2, Some(0)), (0, Some(0)), (2, Some(2)), (3, Some(0)), (1, Some(1))];
        let more = [(3, Some(3)), (1, Some(0)), (2, Some(2)), (1, None)];
        for (row, (announced, came)) in rows.into_iter().chain(more).enumerate() {
            let fds = incoming.take_fds(announced).ok().map(|fds| fds.len());
            assert_eq!(fds, came, "row {row}: {announced}");
        }
    }

    #[test]
    fn descriptors_of_several_frames_go_together_and_each_comes_with_its_own() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let files: Vec<Arc<OwnedFd>> =
            (0..21).map(|_| Arc::new(tempfile::tempfile().unwrap().into())).collect();
        let number = |fd: &OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
        let (mut outgoing, mut incoming) = (Outgoing::together(), Incoming::default());
        let mut rest = files.iter().cloned();
        for (run, size) in [3, 0, 3, 3, 8, 0, 1, 3].into_iter().enumerate() {
            let frame = ToDaemon::Spawned { run: run as u64, pid: 1, at_ns: 0 };
            outgoing.push(&frame, rest.by_ref().take(size).collect()).unwrap();
        }
        assert!(outgoing.flush(ours.as_fd()).unwrap());
        let (mut messages, mut sizes, mut came) = (0, Vec::new(), Vec::new());
        while incoming.fill(theirs.as_fd()).unwrap() {
            messages += 1;
            while let Some((_, fds)) = incoming.take::<ToDaemon>().unwrap() {
                sizes.push(fds.len());
                came.extend(fds.iter().map(number));
            }
        }
        assert_eq!((messages, sizes), (4, vec![3, 0, 3, 3, 8, 0, 1, 3]));
        assert_eq!(came, files.iter().map(|file| number(file)).collect::<Vec<_>>());
    }
}
