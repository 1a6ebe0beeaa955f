//! What has been taken out of a pipe, for those who must not lose it.
//!
//! A process that reads a pipe has the bytes in its own memory, and takes them with it if it is killed the next moment.
//! Here the kernel moves them to the end of a file in memory, of which others hold a descriptor too: each byte is in the
//! pipe or in the file. From there they are read, and can be read again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

use crate::file::Taken;

/// A file in memory that grows at its end; what nobody needs any more can be given back from its beginning
/// ([`Self::free`]), and the numbers of the other bytes stay.
#[derive(Clone, Debug)]
pub struct Spool {
    file: Arc<OwnedFd>,
    /// The byte that is read next.
    at: u64,
}

impl Spool {
    /// Reads on from byte `from` of the file; from its end if that is `None`.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn new(file: Arc<OwnedFd>, from: Option<u64>) -> io::Result<Self> {
        let end = length(&file)?;
        Ok(Self { file, at: from.unwrap_or(end).min(end) })
    }

    /// The file, for others to hold.
    #[must_use]
    pub fn file(&self) -> &Arc<OwnedFd> {
        &self.file
    }

    /// The byte that is read next: how far it has been read.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Gives the memory of all bytes before `upto` back. They must not be read again.
    ///
    /// # Errors
    /// Those of fallocate(2).
    pub fn free(file: &OwnedFd, upto: u64) -> io::Result<()> {
        let holes = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(file, holes, 0, upto)?)
    }

    /// Reads what is in the file and has not been read.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.file, &mut *buffer, self.at) {
                Ok(count) => {
                    self.at += count as u64;
                    return Ok(count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves what a pipe holds, at most as much as `buffer` takes, and reads it.
    pub(crate) fn take_from(&mut self, pipe: &OwnedFd, buffer: &mut [u8]) -> Taken {
        let mut end = self.at;
        let moved = rustix::pipe::splice(
            pipe,
            None,
            self.file.as_fd(),
            Some(&mut end),
            buffer.len(),
            SpliceFlags::NONBLOCK,
        );
        match moved {
            Ok(0) => Taken::End,
            Ok(count) => match self.read(&mut buffer[..count]) {
                Ok(count) => Taken::Bytes(count),
                Err(_) => Taken::Refused,
            },
            Err(Errno::AGAIN | Errno::INTR) => Taken::Nothing,
            Err(_) => Taken::Refused,
        }
    }
}

fn length(file: &OwnedFd) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file() -> Arc<OwnedFd> {
        Arc::new(rustix::fs::memfd_create("spool", rustix::fs::MemfdFlags::CLOEXEC).unwrap())
    }

    #[test]
    fn what_was_taken_can_be_taken_again_until_it_is_freed() {
        let (pipe, mut writer) = std::io::pipe().unwrap();
        let pipe = OwnedFd::from(pipe);
        let file = file();
        let mut spool = Spool::new(Arc::clone(&file), None).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(spool.take_from(&pipe, &mut buffer), Taken::Nothing);
        writer.write_all(b"twelve bytes").unwrap();
        assert_eq!(spool.take_from(&pipe, &mut buffer), Taken::Bytes(8));
        assert_eq!((&buffer, spool.at()), (b"twelve b", 8));

        let mut again = Spool::new(Arc::clone(&file), Some(3)).unwrap();
        assert_eq!(again.read(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"lve b");
        assert_eq!(again.read(&mut buffer).unwrap(), 0, "the rest is still in the pipe");
        drop(writer);
        assert_eq!(again.take_from(&pipe, &mut buffer), Taken::Bytes(4));
        assert_eq!(&buffer[..4], b"ytes");
        assert_eq!(again.take_from(&pipe, &mut buffer), Taken::End);

        Spool::free(&file, 12).unwrap();
        assert_eq!(Spool::new(Arc::clone(&file), None).unwrap().at(), 12, "numbers stay");
        assert_eq!(Spool::new(file, Some(99)).unwrap().at(), 12, "nothing is beyond the end");
    }

    #[test]
    fn memory_is_given_back() {
        let file = file();
        let blocks = || rustix::fs::fstat(&file).unwrap().st_blocks;
        rustix::io::write(&file, &[b'x'; 1 << 16]).unwrap();
        let before = blocks();
        Spool::free(&file, 1 << 16).unwrap();
        assert!(before > 0 && blocks() == 0, "{before} {}", blocks());
    }
}
