//! A log file: appended to, rotated by size and time, reopened, cleared, and never a reason to stop.
//!
//! Owns the descriptor and the names `PATH`, `PATH.1` … `PATH.N`. Never splits a chunk over two files, never waits for
//! a reader, and never returns a write error: what cannot be written is dropped and counted (see [`Notice`]), and every
//! later write tries again.
//!
//! What is lost when the process dies: nothing that [`RotatingFile::write`] has settled, as there is no buffer here.

pub(crate) mod old;
mod period;
mod rotate;
mod rules;
mod target;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

pub use period::Every;
pub use rotate::clear_path;
pub use rules::FileRules;
use rules::Ruled;
pub(crate) use rules::{Chore, Inode, Names};
use target::{Kind, Opened};

/// Mode of a named log at creation, before the umask (PROC-134).
pub const MODE_NAMED: u32 = 0o666;
/// Mode of an AUTO log at creation (PROC-131).
pub const MODE_AUTO: u32 = 0o600;

/// For `maxbytes`: whoever else writes the file decides when it is rotated and what becomes of old files; alone it never is.
pub const AS_OTHERS_SAY: i64 = i64::MIN;

/// Most bytes given to a shared descriptor at once: a pipe that polls as writable takes this much without waiting.
const SHARED_WRITE: usize = 4096;

/// Something about a log file that somebody should be told.
#[derive(Debug)]
pub enum Notice {
    /// A write failed: from now on bytes are dropped. Said once per episode.
    Dropping(io::Error),
    /// Writing works again; so many bytes were dropped meanwhile.
    Resumed(u64),
    /// It is closed before writing worked again; so many bytes were dropped.
    GaveUp(u64),
    /// It has a size limit but cannot be rotated: the limit is ignored (D-10). Said when it is opened.
    Unlimited,
    /// A line for the daemon's log, at level WARN.
    Warn(String),
}

/// Longest chunk (PROC-130): a file becomes no more than this larger than its limit before it is rotated.
pub(crate) const CHUNK: usize = 128 * 1024;

/// How often a file is tried to be opened before what is to go there is dropped. The log thread tries fifty times a second for each
/// stream.
const MOST_TRIES: u16 = 250;

/// What became of a [`RotatingFile::take_from`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many bytes are in the file and no longer in the pipe.
    Bytes(usize),
    /// The pipe is empty.
    Nothing,
    /// The pipe is empty, and nobody can write to it any more.
    End,
    /// They have to be read and written.
    Refused,
}

/// A log file that rotates by size.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    maxbytes: u64,
    backups: u32,
    mode: u32,
    /// Limits and rules are those of others.
    is_guest: bool,
    /// `None` while the target cannot be opened: each write tries again.
    target: Option<Opened>,
    /// Rotate when the file has this many bytes: `maxbytes`, or more after a rotation that failed.
    rotate_at: u64,
    /// Bytes dropped in the present episode; `None` while all is well.
    dropped: Option<u64>,
    /// Bytes dropped since [`Self::take_lost`].
    lost: u64,
    notices: Vec<Notice>,
    /// How often it could not be opened for want of what this process has too little of.
    tries: u16,
    /// `None` with nothing but a size and a number of old files.
    ruled: Option<Box<Ruled>>,
}

impl RotatingFile {
    /// Opens `path` for appending, creating it with `mode` (see [`MODE_NAMED`], [`MODE_AUTO`]).
    ///
    /// `maxbytes` ≤ 0 never rotates; `backups` ≤ 0 truncates instead of renaming. What cannot be rotated (a fifo, a
    /// terminal, `/dev/stdout`) is treated as `maxbytes` 0, with a [`Notice::Unlimited`] if another limit was given. A fifo
    /// without a reader is opened by a later write; until then its bytes are dropped. `/dev/stdout` that cannot be
    /// opened (a socket, somebody else's terminal) becomes a duplicate of descriptor 1.
    ///
    /// # Errors
    /// Those of open(2): the path is a directory, may not be written, has no parent …
    pub fn open(path: impl Into<PathBuf>, maxbytes: i64, backups: i64, mode: u32) -> io::Result<Self> {
        let mut file = Self::later(path, maxbytes, backups, mode);
        file.target = target::open(&file.path, mode)?;
        file.check_limit();
        Ok(file)
    }

    /// The same for a file that is there already, if the kernel can tell without asking a disk where it is (openat2(2),
    /// `RESOLVE_CACHED`).
    ///
    /// # Errors
    /// EAGAIN if it cannot, ENOSYS before Linux 5.6, EINVAL before 5.12; ENOENT if it knows that there is no such file; those of
    /// open(2).
    pub fn open_cached(path: impl Into<PathBuf>, maxbytes: i64, backups: i64, mode: u32) -> io::Result<Self> {
        let mut file = Self::later(path, maxbytes, backups, mode);
        file.target = Some(target::open_cached(&file.path)?);
        file.check_limit();
        Ok(file)
    }

    /// The same, but nothing is opened before the first write; a write that finds the path unusable drops its bytes, and
    /// the next one tries again. For the log of a child that runs already, which cannot be refused for want of a log.
    pub fn later(path: impl Into<PathBuf>, maxbytes: i64, backups: i64, mode: u32) -> Self {
        let mut file = Self {
            path: path.into(),
            maxbytes: u64::try_from(maxbytes).unwrap_or(0),
            backups: u32::try_from(backups.max(0)).unwrap_or(u32::MAX),
            mode,
            is_guest: maxbytes == AS_OTHERS_SAY,
            target: None,
            rotate_at: 0,
            dropped: None,
            lost: 0,
            notices: Vec::new(),
            tries: 0,
            ruled: None,
        };
        file.rotate_at = file.maxbytes;
        file
    }

    /// The same file, which also does what these rules say; `None` is none. Old files are looked after elsewhere: the log
    /// thread has that done.
    #[must_use]
    pub fn with_rules(mut self, rules: Option<FileRules>) -> Self {
        self.ruled = rules.map(|rules| Box::new(Ruled::new(rules)));
        self.note_target();
        self
    }

    /// The path as configured.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on with `newer`, which was opened later for the same path: with its limits, and with its file if the path
    /// leads to another one by now.
    pub fn supersede(&mut self, newer: Self) {
        self.target = newer.target.or(self.target.take());
        self.notices.extend(newer.notices);
        if newer.is_guest {
            return self.note_target();
        }
        self.is_guest = false;
        (self.maxbytes, self.backups) = (newer.maxbytes, newer.backups);
        self.rotate_at = self.maxbytes;
        self.take_rules(newer.ruled);
    }

    /// Whoever works on old files at this moment goes on under the same lock.
    fn take_rules(&mut self, newer: Option<Box<Ruled>>) {
        let old = std::mem::replace(&mut self.ruled, newer);
        if let (Some(ruled), Some(old)) = (&mut self.ruled, old) {
            ruled.has_chore = old.has_chore || old.rules != ruled.rules;
            ruled.names = old.names;
        }
        self.note_target();
    }

    /// What is to be done about old files, if anything has changed there.
    pub(crate) fn take_chore(&mut self) -> Option<Chore> {
        let ruled = self.ruled.as_mut().filter(|ruled| ruled.has_chore)?;
        ruled.has_chore = false;
        let (path, rules, names) = (self.path.clone(), ruled.rules.clone(), ruled.names.clone());
        Some(Chore { path, backups: self.backups, rules, names })
    }

    /// Uses another lock for renaming files, where somebody works on old files of this log under that one.
    pub(crate) fn share_names(&mut self, names: Option<Names>) {
        if let (Some(ruled), Some(names)) = (&mut self.ruled, names) {
            ruled.names = names;
        }
        self.note_target();
    }

    /// Whether it has rules of its own.
    pub(crate) fn has_rules(&self) -> bool {
        self.ruled.is_some()
    }

    fn note_target(&self) {
        if let Some(ruled) = &self.ruled {
            ruled.note(self.target.as_ref());
        }
    }

    /// Appends `data` whole, then rotates if the file has reached its limit (PROC-135).
    ///
    /// Returns how many bytes are settled: written, or dropped because of an error. Less than `data.len()` only when
    /// the target is a fifo, terminal or socket that is full: wait until [`Self::waits_for`] is writable, then give
    /// the rest again.
    pub fn write(&mut self, data: &[u8]) -> usize {
        if self.target.is_none() && !self.try_open(data.len()) {
            return data.len();
        }
        if self.ruled.is_some() {
            self.rotate_if_old();
        }
        if let Some(target) = &mut self.target {
            target.append();
        }
        let mut settled = 0;
        while settled < data.len() {
            match self.write_some(&data[settled..]) {
                Ok(count) => settled += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return settled,
                Err(error) => {
                    self.fail(error.into(), data.len() - settled);
                    return data.len();
                }
            }
        }
        self.succeed();
        self.rotate_if_written();
        data.len()
    }

    /// Moves at most `limit` bytes from a pipe to the end of the file, then rotates if it has reached its limit.
    ///
    /// The kernel does it: each byte is in the pipe or in the file, never in our hands, so whatever ends this process
    /// loses none and doubles none. Refused for what is not a regular file of our own, and while bytes are dropped.
    pub fn take_from(&mut self, pipe: BorrowedFd<'_>, limit: usize) -> Taken {
        if self.dropped.is_some() || self.target.is_none() && !self.try_open(0) {
            return Taken::Refused;
        }
        if self.ruled.is_some() {
            self.rotate_if_old();
        }
        let Some(target) = &mut self.target else { return Taken::Refused };
        let Some(start) = target.end_to_move_to() else { return Taken::Refused };
        let room = if self.maxbytes > 0 { self.rotate_at.saturating_sub(start) } else { u64::MAX };
        let limit = limit.min(usize::try_from(room).unwrap_or(usize::MAX).max(CHUNK));
        let mut end = start;
        match rustix::pipe::splice(pipe, None, &target.fd, Some(&mut end), limit, SpliceFlags::NONBLOCK) {
            Ok(0) => Taken::End,
            Ok(count) => {
                let end = start + count as u64;
                target.moved_to(end);
                self.rotate_if_due(end);
                Taken::Bytes(count)
            }
            Err(Errno::AGAIN | Errno::INTR) => Taken::Nothing,
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                target.never_move();
                Taken::Refused
            }
            Err(_) => Taken::Refused,
        }
    }

    /// Whether the file cannot be opened now for want of descriptors or memory of this process, which others may soon give back. What
    /// is still in a pipe is better left there until then: reading it would lose it. Not for ever: after so many tries it is lost, and
    /// said to be.
    pub fn must_wait(&mut self) -> bool {
        if self.target.is_some() || self.dropped.is_some() || self.tries >= MOST_TRIES {
            return false;
        }
        match target::open(&self.path, self.mode) {
            Ok(Some(target)) => {
                (self.target, self.tries) = (Some(target), 0);
                self.check_limit();
                self.note_target();
                false
            }
            Err(error) => {
                let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
                let waits = Errno::from_io_error(&error).is_some_and(|errno| scarce.contains(&errno));
                self.tries += u16::from(waits);
                waits
            }
            // A write says what is wrong.
            Ok(None) => false,
        }
    }

    /// The descriptor to wait for after a [`Self::write`] that did not settle everything.
    #[must_use]
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.target.as_ref().map(|target| target.fd.as_fd())
    }

    /// Waits until a full target has room, or cannot be written any more; false if that takes longer than `limit`.
    #[must_use]
    pub fn wait_for_room(&self, limit: Duration) -> bool {
        self.target
            .as_ref()
            .is_none_or(|target| target::is_writable(target.fd.as_fd(), limit).unwrap_or(true))
    }

    /// Counts `bytes` as dropped without trying to write them, because of `error`. The target stays open: whoever waits for
    /// room in it goes on waiting.
    pub fn drop_bytes(&mut self, error: io::Error, bytes: usize) {
        self.count(error, bytes);
    }

    /// Bytes dropped since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The end: says how much was dropped if that is still going on.
    pub fn give_up(&mut self) {
        if let Some(bytes) = self.dropped.take() {
            self.notices.push(Notice::GaveUp(bytes));
        }
    }

    /// What happened since the last call, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Whether [`Self::take_notices`] has something.
    #[must_use]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Closes the file and opens its path again in append mode (PROC-140).
    ///
    /// # Errors
    /// Those of open(2); the old file stays open then.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.target = target::open(&self.path, self.mode)?;
        self.rotate_at = self.maxbytes;
        self.note_target();
        Ok(())
    }

    /// Removes the file and creates it anew (PROC-141). Does nothing to what is not a regular file.
    ///
    /// # Errors
    /// Those of unlink(2) and open(2); the old file stays open then.
    pub fn clear(&mut self) -> io::Result<()> {
        rotate::remove(&self.path)?;
        self.reopen()
    }

    fn write_some(&self, data: &[u8]) -> Result<usize, Errno> {
        let Some(target) = &self.target else { return Err(Errno::BADF) };
        if !target.shared {
            return rustix::io::write(&target.fd, data);
        }
        if !target::is_writable(target.fd.as_fd(), Duration::ZERO)? {
            return Err(Errno::AGAIN);
        }
        rustix::io::write(&target.fd, &data[..data.len().min(SHARED_WRITE)])
    }

    /// Opens a target that was not there; counts `bytes` as dropped if it still is not.
    fn try_open(&mut self, bytes: usize) -> bool {
        match target::open(&self.path, self.mode) {
            Ok(Some(target)) => self.target = Some(target),
            Ok(None) => self.fail(Errno::NXIO.into(), bytes),
            Err(error) => self.fail(error, bytes),
        }
        self.check_limit();
        self.note_target();
        self.target.is_some()
    }

    fn fail(&mut self, error: io::Error, bytes: usize) {
        if self.target.as_ref().is_some_and(|target| target.is_gone(&error)) {
            self.target = None;
        }
        self.count(error, bytes);
    }

    fn count(&mut self, error: io::Error, bytes: usize) {
        if self.dropped.is_none() {
            self.notices.push(Notice::Dropping(error));
        }
        *self.dropped.get_or_insert(0) += bytes as u64;
        self.lost += bytes as u64;
    }

    fn succeed(&mut self) {
        if let Some(bytes) = self.dropped.take() {
            self.notices.push(Notice::Resumed(bytes));
        }
    }

    /// Treats a limit on what cannot be rotated as none (D-10). A device such as `/dev/null` never fills up, so it
    /// needs no warning.
    fn check_limit(&mut self) {
        let Some(target) = &self.target else { return };
        if self.maxbytes > 0 && target.kind == Kind::Stream {
            self.notices.push(Notice::Unlimited);
            self.maxbytes = 0;
        }
    }

    fn rotate_if_written(&mut self) {
        let Some(target) = &self.target else { return };
        // The real position, not a count of our own: others may append to this file or truncate it.
        if self.maxbytes > 0
            && target.kind == Kind::Regular
            && let Ok(end) = rustix::fs::tell(&target.fd)
        {
            self.rotate_if_due(end);
        }
    }

    /// Rotates a regular file whose end is at or past its limit (PROC-135).
    fn rotate_if_due(&mut self, end: u64) {
        if self.maxbytes > 0 && end >= self.rotate_at {
            self.rotate();
        }
    }

    /// Rotates a file whose time is over before anything of another time is written to it.
    fn rotate_if_old(&mut self) {
        let now = SystemTime::now();
        if self.ruled.as_mut().is_some_and(|ruled| ruled.is_due(self.target.as_ref(), now)) {
            self.rotate();
        }
    }

    fn rotate(&mut self) {
        let Some(ruled) = &mut self.ruled else {
            let moved = rotate::rotate(&self.path, self.backups);
            return self.go_over(moved);
        };
        ruled.has_chore = true;
        let (names, dated) = (ruled.names.clone(), ruled.rules.dated);
        let mut writing = names.lock();
        let moved = rotate::rotate_with_rules(&self.path, self.backups, dated);
        self.go_over(moved);
        // Also a file that could not be left, whatever it is called now.
        *writing = self.target.as_ref().and_then(rules::inode);
    }

    /// The file has been moved out of the way: goes on with a new one.
    fn go_over(&mut self, moved: io::Result<()>) {
        match moved.and_then(|()| self.open_rotated()) {
            Ok(fd) => {
                self.target = Some(Opened::regular(fd));
                self.rotate_at = self.maxbytes;
            }
            Err(error) => {
                let path = self.path.display();
                self.notices.push(Notice::Warn(format!("log file '{path}' could not be rotated: {error}")));
                // Not at once again: the same chunk-sized file after file of warnings would help nobody.
                self.rotate_at = self.rotate_at.saturating_add(self.maxbytes);
            }
        }
    }

    fn open_rotated(&self) -> io::Result<OwnedFd> {
        target::open_regular(&self.path, self.mode, self.backups == 0)
    }
}

#[cfg(test)]
mod tests;
