//! Opening what a log path leads to: a regular file, or something that cannot be rotated and may be full.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// What a target is, as far as rotation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Can be renamed and measured.
    Regular,
    /// A fifo, terminal or socket, or whatever the standard streams are: cannot be rotated.
    Stream,
    /// A device that never fills up, such as `/dev/null`.
    Device,
}

/// An open target.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) kind: Kind,
    /// The open file is shared with others (a duplicate of descriptor 1 or 2), so it must not be made non-blocking.
    pub(super) shared: bool,
    moving: Moving,
}

/// Whether bytes are moved to the end of a regular file by splice(2), which refuses files opened for appending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moving {
    /// Not now: the file is open for appending.
    No,
    /// Yes, and the last move ended here.
    Yes(u64),
    /// Never: somebody else writes or truncates there too, or the file system cannot do it.
    Never,
}

impl Opened {
    pub(super) fn regular(fd: OwnedFd) -> Self {
        Self::new(fd, Kind::Regular, false)
    }

    fn new(fd: OwnedFd, kind: Kind, shared: bool) -> Self {
        Self { fd, kind, shared, moving: Moving::No }
    }

    /// Where the next move goes: the end of the file. `None` if bytes have to be appended instead.
    ///
    /// A file that has grown by itself since the last move has another writer, whose bytes must not be overwritten: only
    /// appending is safe then. One that has shrunk was truncated, as logrotate's `copytruncate` does, and will be again: if
    /// that happened between looking for the end and moving there, a hole as long as the old file would be left.
    pub(super) fn end_to_move_to(&mut self) -> Option<u64> {
        if self.kind != Kind::Regular || self.moving == Moving::Never {
            return None;
        }
        let end = u64::try_from(rustix::fs::fstat(&self.fd).ok()?.st_size).ok()?;
        match self.moving {
            Moving::Yes(last) if end != last => {
                self.never_move();
                return None;
            }
            Moving::No if self.set_appending(false).is_err() => return None,
            Moving::No | Moving::Yes(_) | Moving::Never => {}
        }
        self.moving = Moving::Yes(end);
        Some(end)
    }

    /// A move has ended here.
    pub(super) fn moved_to(&mut self, end: u64) {
        self.moving = Moving::Yes(end);
    }

    pub(super) fn never_move(&mut self) {
        self.append();
        self.moving = Moving::Never;
    }

    /// Makes writes append, as they do unless bytes are moved.
    pub(super) fn append(&mut self) {
        if let Moving::Yes(_) = self.moving
            && self.set_appending(true).is_ok()
        {
            self.moving = Moving::No;
        }
    }

    fn set_appending(&self, wanted: bool) -> Result<(), Errno> {
        let mut flags = rustix::fs::fcntl_getfl(&self.fd)?;
        flags.set(OFlags::APPEND, wanted);
        rustix::fs::fcntl_setfl(&self.fd, flags)
    }

    /// Whether this error says that the open file is of no more use, so that the path must be opened again.
    pub(super) fn is_gone(&self, error: &io::Error) -> bool {
        self.kind == Kind::Stream
            || matches!(
                Errno::from_io_error(error),
                Some(Errno::STALE | Errno::IO | Errno::BADF | Errno::NODEV | Errno::NXIO)
            )
    }
}

const APPENDING: OFlags = OFlags::WRONLY.union(OFlags::APPEND).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// Opens `path` for appending without ever waiting. `None` is a fifo that has no reader yet.
pub(super) fn open(path: &Path, mode: u32) -> io::Result<Option<Opened>> {
    // Non-blocking: opening a fifo would wait for a reader, writing to one for room. Regular files do not care.
    match append(path, mode, OFlags::NONBLOCK) {
        Ok(fd) => opened(fd, path).map(Some),
        Err(error) => match standard_stream(path) {
            Some(fd) => Ok(Some(Opened::new(fd?, Kind::Stream, true))),
            None if error == Errno::NXIO && is_fifo(path) => Ok(None),
            None => Err(error.into()),
        },
    }
}

/// The same for one that is there, found without asking a disk.
pub(super) fn open_cached(path: &Path) -> io::Result<Opened> {
    let flags = APPENDING | OFlags::NONBLOCK;
    opened(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?, path)
}

/// Opens the new base file of a rotation.
pub(super) fn open_regular(path: &Path, mode: u32, truncate: bool) -> io::Result<OwnedFd> {
    let flags = if truncate { OFlags::TRUNC } else { OFlags::empty() };
    Ok(append(path, mode, flags | OFlags::NONBLOCK)?)
}

fn append(path: &Path, mode: u32, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, APPENDING | OFlags::CREATE | flags, Mode::from_raw_mode(mode))
}

fn opened(fd: OwnedFd, path: &Path) -> io::Result<Opened> {
    let kind = match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
        // Renaming `/dev/stdout` would hurt everybody, even if it leads to a regular file.
        FileType::RegularFile if standard_number(path).is_none() => Kind::Regular,
        FileType::CharacterDevice if rustix::fs::tell(&fd).is_ok() => Kind::Device,
        FileType::BlockDevice => Kind::Device,
        _ => Kind::Stream,
    };
    Ok(Opened::new(fd, kind, false))
}

/// The permissions of a log that may be removed: a regular file under a name of its own. `None` for others, and for one
/// that is not there.
pub(super) fn regular_mode(path: &Path) -> io::Result<Option<u32>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && standard_number(path).is_none() => Ok(Some(meta.mode() & 0o7777)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_fifo(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// A duplicate of our own stdout or stderr, if `path` means one of them.
fn standard_stream(path: &Path) -> Option<io::Result<OwnedFd>> {
    match standard_number(path)? {
        1 => Some(io::stdout().as_fd().try_clone_to_owned()),
        2 => Some(io::stderr().as_fd().try_clone_to_owned()),
        _ => None,
    }
}

/// The descriptor that `path`, or the link that it is, names: `/dev/stdout`, `/dev/fd/N`, `/proc/self/fd/N` …
fn standard_number(path: &Path) -> Option<u32> {
    named_number(path).or_else(|| named_number(&fs::read_link(path).ok()?))
}

fn named_number(path: &Path) -> Option<u32> {
    match path.to_str()? {
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        text => ["/dev/fd/", "/proc/self/fd/"].iter().find_map(|dir| text.strip_prefix(dir))?.parse().ok(),
    }
}

/// Whether, now or within `limit`, a write of a few kilobytes would not wait.
pub(super) fn is_writable(fd: BorrowedFd<'_>, limit: Duration) -> Result<bool, Errno> {
    let limit = Timespec::try_from(limit).unwrap_or_default();
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    rustix::event::poll(&mut polled, Some(&limit))?;
    Ok(!polled[0].revents().is_empty())
}
