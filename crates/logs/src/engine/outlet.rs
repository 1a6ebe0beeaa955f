//! One open log, and what waits for it while it is full.
//!
//! A regular file never makes anything wait. A fifo or terminal whose reader is slow keeps the rest of a chunk here;
//! the streams that write there pause until it is gone, and nothing else does.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use super::sources::Sources;
use crate::file::{Chore, Notice, RotatingFile, Taken};

/// Bytes that may wait for one full target; what exceeds it (the last words of children that ended, the daemon's own
/// lines) is dropped and counted.
const WAITING_LIMIT: usize = 4 << 20;

/// A log file as the log thread holds it.
#[derive(Debug)]
pub(super) struct Outlet {
    file: RotatingFile,
    /// How it is known to [`Sources`].
    key: u64,
    waiting: Vec<u8>,
}

impl Outlet {
    pub(super) fn new(file: RotatingFile, key: u64) -> Self {
        Self { file, key, waiting: Vec::new() }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether those who write here should wait.
    pub(super) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn notices(&mut self) -> Vec<Notice> {
        if self.file.has_notices() { self.file.take_notices() } else { Vec::new() }
    }

    /// What is to be done about old files.
    pub(super) fn take_chore(&mut self) -> Option<Chore> {
        self.file.take_chore()
    }

    /// Bytes dropped since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        self.file.take_lost()
    }

    /// Nobody writes here any more.
    pub(super) fn give_up(&mut self) {
        self.file.give_up();
    }

    /// Appends `data`, or keeps what does not fit until [`Self::flush`].
    pub(super) fn write(&mut self, data: &[u8], sources: &Sources) {
        if self.is_full() {
            self.keep(data);
            return;
        }
        let settled = self.file.write(data);
        if settled < data.len() {
            self.keep(&data[settled..]);
            self.wait(sources);
        }
    }

    /// Whether nothing should be read for it yet; see [`RotatingFile::must_wait`].
    pub(super) fn must_wait(&mut self) -> bool {
        !self.is_full() && self.file.must_wait()
    }

    /// Moves bytes from a pipe without copying them; see [`RotatingFile::take_from`].
    pub(super) fn take_from(&mut self, pipe: BorrowedFd<'_>, limit: usize) -> Taken {
        if self.is_full() { Taken::Refused } else { self.file.take_from(pipe, limit) }
    }

    /// There may be room: writes what waits. Returns whether nothing waits any more.
    pub(super) fn flush(&mut self, sources: &Sources) -> bool {
        self.forget(sources);
        let settled = self.file.write(&self.waiting);
        self.waiting.drain(..settled);
        if self.is_full() {
            self.wait(sources);
        } else {
            self.waiting = Vec::new();
        }
        !self.is_full()
    }

    /// Takes over a file that was opened later for the same path.
    pub(super) fn supersede(&mut self, file: RotatingFile, sources: &Sources) {
        self.forget(sources);
        self.file.supersede(file);
        self.go_on(sources);
    }

    pub(super) fn reopen(&mut self, sources: &Sources) -> io::Result<()> {
        self.forget(sources);
        let result = self.file.reopen();
        self.go_on(sources);
        result
    }

    pub(super) fn clear(&mut self, sources: &Sources) -> io::Result<()> {
        self.forget(sources);
        let result = self.file.clear();
        self.go_on(sources);
        result
    }

    /// The end: tries to get rid of what waits until `deadline`, then gives it up.
    pub(super) fn finish(&mut self, deadline: Instant, sources: &Sources) {
        self.forget(sources);
        while self.is_full() && self.file.wait_for_room(deadline.saturating_duration_since(Instant::now())) {
            let settled = self.file.write(&self.waiting);
            self.waiting.drain(..settled);
        }
        self.abandon(sources);
    }

    /// Gives up what waits.
    fn abandon(&mut self, sources: &Sources) {
        self.forget(sources);
        if self.is_full() {
            self.file.drop_bytes(Errno::AGAIN.into(), self.waiting.len());
            self.waiting.clear();
        }
    }

    fn keep(&mut self, data: &[u8]) {
        if self.waiting.len() + data.len() > WAITING_LIMIT {
            self.file.drop_bytes(Errno::AGAIN.into(), data.len());
        } else {
            self.waiting.extend_from_slice(data);
        }
    }

    fn go_on(&mut self, sources: &Sources) {
        if self.is_full() {
            self.flush(sources);
        }
    }

    /// Asks to be told when there is room. What cannot be waited for is given up.
    fn wait(&mut self, sources: &Sources) {
        let Some(fd) = self.file.waits_for() else { return };
        if sources.add(fd, self.key, EventFlags::OUT).is_err() {
            self.abandon(sources);
        }
    }

    /// Must come before anything that may close the file: a duplicate of stdout would stay in the set for ever.
    fn forget(&self, sources: &Sources) {
        if self.is_full()
            && let Some(fd) = self.file.waits_for()
        {
            sources.remove(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;
    use crate::file::MODE_NAMED;

    /// An outlet into a fifo of its own, and the reader of it.
    fn fifo(dir: &tempfile::TempDir) -> (Outlet, File) {
        let path = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let reader = File::options().read(true).write(true).open(&path).unwrap();
        (Outlet::new(RotatingFile::open(&path, 0, 0, MODE_NAMED).unwrap(), 1), reader)
    }

    #[test]
    fn what_waits_stays_in_order() {
        let (dir, sources) = (tempfile::tempdir().unwrap(), Sources::new().unwrap());
        let (mut outlet, mut reader) = fifo(&dir);
        let data: Vec<u8> = (0..50_000u32).flat_map(u32::to_le_bytes).collect();
        let (first, second) = data.split_at(150_000);
        outlet.write(first, &sources);
        assert!(outlet.is_full());
        let mut found = vec![0; 8192];
        reader.read_exact(&mut found).unwrap();
        outlet.write(second, &sources);
        while !outlet.flush(&sources) {
            let mut more = vec![0; 16_384];
            reader.read_exact(&mut more).unwrap();
            found.extend(more);
        }
        let mut rest = vec![0; data.len() - found.len()];
        reader.read_exact(&mut rest).unwrap();
        found.extend(rest);
        assert!(found == data);
        assert!(outlet.notices().is_empty());
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_dropped_counted() {
        let (dir, sources) = (tempfile::tempdir().unwrap(), Sources::new().unwrap());
        let (mut outlet, mut reader) = fifo(&dir);
        let chunk = vec![b'x'; 1 << 20];
        (0..8).for_each(|_| outlet.write(&chunk, &sources));
        assert!(outlet.waiting.len() <= WAITING_LIMIT && outlet.waiting.len() > WAITING_LIMIT / 2);
        assert!(matches!(outlet.notices().as_slice(), [Notice::Dropping(_)]));
        let mut found = 0;
        while !outlet.flush(&sources) {
            found += reader.read(&mut vec![0; 1 << 20]).unwrap();
        }
        assert!(found >= 3 << 20, "{found}");
        assert!(matches!(outlet.notices().as_slice(), [Notice::Resumed(_)]));
        outlet.write(&chunk, &sources);
        outlet.finish(Instant::now(), &sources);
        assert!(!outlet.is_full());
    }
}
