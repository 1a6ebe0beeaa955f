//! The way of a stream from its pipe to its log.
//!
//! While the kernel moves bytes from a pipe into a file, nobody can write to that pipe: a child would wait for each page that is
//! copied, and for a disk that hangs, where not even SIGKILL would end it. So the pages go to a second pipe first, which costs next
//! to nothing, and from there into the file while the child goes on writing.
//!
//! What is lost when the process dies: nothing, if others hold [`Passage::parts`]. Each byte is in the child's pipe, in here or in
//! the file, and a note beside it says whose it is: for [`Passage::resume`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags};

use crate::StreamId;

/// What the pipe of a fast child holds, and it as well once there is such a child.
pub(crate) const WIDE: usize = 1 << 20;

/// A pipe for what is under way from one stream to its log, and a note of which stream that is.
#[derive(Debug)]
pub struct Passage {
    /// Where bytes come out, where they go in, and the note.
    parts: [Arc<OwnedFd>; 3],
    /// What the note says.
    of: StreamId,
    /// Bytes that an earlier thread has left in it.
    left: u64,
    /// It was made as wide as it can be.
    is_wide: bool,
}

impl Passage {
    /// An empty one, with an empty file in memory for its note.
    ///
    /// # Errors
    /// No descriptor could be had.
    pub fn new(note: OwnedFd) -> io::Result<Self> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let parts = [reader, writer, note].map(Arc::new);
        Ok(Self { parts, of: StreamId::JOURNAL, left: 0, is_wide: false })
    }

    /// One that an earlier process had, by its [`Self::parts`]. What it holds goes where its stream goes, before anything else of that
    /// stream does: give it to the log thread before the stream.
    ///
    /// # Errors
    /// Those are no parts of a passage.
    pub fn resume(parts: [OwnedFd; 3]) -> io::Result<Self> {
        let [reader, _, note] = &parts;
        let left = rustix::io::ioctl_fionread(reader)?;
        let mut of = [0; 8];
        let of = match rustix::io::pread(note, &mut of, 0)? {
            8 => StreamId(u64::from_ne_bytes(of)),
            _ => StreamId::JOURNAL,
        };
        Ok(Self { parts: parts.map(Arc::new), of, left, is_wide: false })
    }

    /// What others have to hold so that nothing is lost with this process.
    #[must_use]
    pub fn parts(&self) -> &[Arc<OwnedFd>; 3] {
        &self.parts
    }

    /// The stream that an earlier process has left something of.
    #[must_use]
    pub fn left_of(&self) -> Option<StreamId> {
        (self.left > 0).then_some(self.of)
    }

    /// Lets as much through at once as the widest pipe of a child holds.
    pub(crate) fn widen(&mut self) {
        if !std::mem::replace(&mut self.is_wide, true) {
            // Refused when the user's pipes are too wide already: then less goes through at once.
            let _ = rustix::pipe::fcntl_setpipe_size(self.reader(), WIDE);
        }
    }

    /// How much is in there of this stream, to be fetched by the caller.
    pub(crate) fn take_left(&mut self, id: StreamId) -> u64 {
        if self.of == id { std::mem::take(&mut self.left) } else { 0 }
    }

    /// Moves at most as much as it holds from the pipe of a stream to here, where the caller fetches it. No bytes are the end of the
    /// pipe.
    ///
    /// # Errors
    /// Those of splice(2); `EBUSY` while something of another stream is in here.
    pub(crate) fn fill(&mut self, id: StreamId, pipe: &OwnedFd) -> Result<usize, Errno> {
        let [_, writer, note] = &self.parts;
        if self.left > 0 {
            return Err(Errno::BUSY);
        }
        if self.of != id {
            // First whose it is: nothing must ever be in there of which nobody knows that.
            rustix::io::pwrite(note, &id.0.to_ne_bytes(), 0)?;
            self.of = id;
        }
        rustix::pipe::splice(pipe, None, writer, None, WIDE, SpliceFlags::NONBLOCK)
    }

    /// Where bytes come out.
    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.parts[0].as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn note() -> OwnedFd {
        tempfile::tempfile().unwrap().into()
    }

    fn copies(passage: &Passage) -> [OwnedFd; 3] {
        passage.parts().each_ref().map(|part| part.try_clone().unwrap())
    }

    #[test]
    fn what_is_under_way_outlives_whoever_moves_it_and_is_known() {
        let (pipe, mut writer) = std::io::pipe().unwrap();
        let pipe = OwnedFd::from(pipe);
        let mut first = Passage::new(note()).unwrap();
        let held = copies(&first);
        assert_eq!(first.fill(StreamId(7), &pipe), Err(Errno::AGAIN));
        assert_eq!(Passage::resume(copies(&first)).unwrap().left_of(), None, "nothing was there");
        writer.write_all(b"under way").unwrap();
        assert_eq!(first.fill(StreamId(8), &pipe), Ok(9));
        drop(first);

        let mut second = Passage::resume(held).unwrap();
        assert_eq!(second.left_of(), Some(StreamId(8)));
        writer.write_all(b"more").unwrap();
        assert_eq!(second.fill(StreamId(8), &pipe), Err(Errno::BUSY), "what is there comes first");
        assert_eq!((second.take_left(StreamId(7)), second.take_left(StreamId(8))), (0, 9));
        let mut bytes = [0; 20];
        assert_eq!(rustix::io::read(second.reader(), &mut bytes), Ok(9));
        assert_eq!(&bytes[..9], b"under way");
        assert_eq!(second.left_of(), None);
        assert_eq!(second.fill(StreamId(7), &pipe), Ok(4));
        drop(writer);
        assert_eq!(rustix::io::read(second.reader(), &mut bytes), Ok(4));
        assert_eq!(second.fill(StreamId(7), &pipe), Ok(0), "the end");
    }

    #[test]
    fn what_is_no_passage_is_refused() {
        let mut parts = copies(&Passage::new(note()).unwrap());
        parts[0] = std::fs::File::open("/dev/null").unwrap().into();
        Passage::resume(parts).unwrap_err();
    }
}
