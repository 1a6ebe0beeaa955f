//! Reading the files of a configuration. A regular file is read as it is. Whoever reads something else may wait for ever: for the other
//! end of a fifo, for somebody at a terminal. That is for whoever starts something; a daemon that serves others does not wait.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, major, minor};
use rustix::io::Errno;

/// How long a main file that is no regular file may take when a daemon reads it again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of such a file, at most: a device may have no end.
const LARGEST: usize = 64 * 1024 * 1024;

/// Of `/dev/null`, to which people link files that are to say nothing.
const NULL: (u32, u32) = (1, 3);

/// Whether the end of what is no regular file is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// However long that takes, as Supervisor does.
    Yes,
    /// For the main file; what is included has to be files, or it could not be read again.
    ForMain,
    /// For the main file so long ([`PATIENCE`]), for others not at all.
    Hardly,
}

/// The text of a file that a pattern matched; `None` if it is a directory or cannot be read (CFG-072).
///
/// # Errors
/// It is something that could keep its reader: what that is.
pub(crate) fn included(path: &str, waits: Waits) -> Result<Option<Vec<u8>>, &'static str> {
    let Ok(file) = open(Path::new(path)) else { return Ok(None) };
    let Ok(about) = file.metadata() else { return Ok(None) };
    match kind(&about) {
        None if about.is_dir() => Ok(None),
        None => Ok(whole(file).ok()),
        Some(_) if is_null(&about) => Ok(Some(Vec::new())),
        Some(_) if waits == Waits::Yes => Ok(in_time(file, None).ok()),
        Some(kind) => Err(kind),
    }
}

/// The text of the main file, whatever it is: `-c /dev/stdin` is one.
///
/// # Errors
/// It cannot be read, or its end did not come in time ([`late`]).
pub(crate) fn main(path: &Path, waits: Waits) -> io::Result<Vec<u8>> {
    match waits {
        Waits::Yes | Waits::ForMain => std::fs::read(path),
        Waits::Hardly => main_within(path, PATIENCE),
    }
}

fn main_within(path: &Path, patience: Duration) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    if kind(&file.metadata()?).is_none() {
        return whole(file);
    }
    in_time(file, Some(Instant::now() + patience))
}

/// Whether that is why the main file was not read; a disk may give up waiting, too.
pub(crate) fn late(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// Waits for nobody.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    match rustix::fs::open(path, flags | OFlags::NONBLOCK, Mode::empty()) {
        // Somebody has a lease on it, and is being told to let go: only regular files have that.
        Err(Errno::AGAIN) => Ok(rustix::fs::open(path, flags, Mode::empty())?.into()),
        opened => Ok(opened?.into()),
    }
}

/// What something is that is neither a regular file nor a directory.
fn kind(about: &Metadata) -> Option<&'static str> {
    let kind = about.file_type();
    if kind.is_file() || kind.is_dir() {
        None
    } else if kind.is_fifo() {
        Some("a fifo")
    } else {
        Some("a device")
    }
}

fn is_null(about: &Metadata) -> bool {
    let device = about.rdev();
    about.file_type().is_char_device() && (major(device), minor(device)) == NULL
}

fn whole(mut file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Reads until the end, which a fifo has once somebody has opened and closed its other end; without a deadline, however long that takes.
fn in_time(mut file: File, deadline: Option<Instant>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut piece = [0; 8192];
    loop {
        wait(&file, deadline)?;
        match file.read(&mut piece) {
            Ok(0) => return Ok(text),
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if text.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
}

/// Until there is something to read.
fn wait(file: &File, deadline: Option<Instant>) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let limit = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(file, PollFlags::IN)], limit.as_ref()) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(Errno::INTR) if deadline.is_none_or(|deadline| Instant::now() < deadline) => Ok(()),
        Ok(_) | Err(Errno::INTR) => Err(io::ErrorKind::TimedOut.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn fifo(directory: &Path) -> std::path::PathBuf {
        let path = directory.join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn what_could_keep_its_reader_is_not_included_cfg_072() {
        let home = tempfile::tempdir().unwrap();
        let of = |path: &Path| included(&path.to_string_lossy(), Waits::Hardly);
        let plain = home.path().join("plain");
        std::fs::write(&plain, "text").unwrap();
        std::os::unix::fs::symlink("/dev/null", home.path().join("masked")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(home.path().join("socket")).unwrap();
        assert_eq!(of(&plain), Ok(Some(b"text".to_vec())));
        assert_eq!(of(&home.path().join("masked")), Ok(Some(Vec::new())));
        for unreadable in ["", "gone", "socket"] {
            assert_eq!(of(&home.path().join(unreadable)), Ok(None), "{unreadable}");
        }
        let fifo = fifo(home.path());
        assert_eq!(of(&fifo), Err("a fifo"));
        assert_eq!(of(Path::new("/dev/zero")), Err("a device"));
        assert_eq!(included("/dev/zero", Waits::Yes), Ok(None), "it has no end");
        std::thread::scope(|threads| {
            threads.spawn(|| std::fs::write(&fifo, "text"));
            assert_eq!(included(&fifo.to_string_lossy(), Waits::Yes), Ok(Some(b"text".to_vec())));
        });
    }

    #[test]
    fn a_main_file_may_be_a_fifo_and_is_waited_for_only_so_long() {
        let home = tempfile::tempdir().unwrap();
        let path = fifo(home.path());
        let moment = Duration::from_millis(10);
        assert!(late(&main_within(&path, moment).unwrap_err()));
        let silent = File::options().read(true).write(true).open(&path).unwrap();
        assert!(late(&main_within(&path, moment).unwrap_err()));
        drop(silent);
        for waits in [Waits::Yes, Waits::Hardly] {
            std::thread::scope(|threads| {
                threads.spawn(|| std::fs::write(&path, "text"));
                assert_eq!(main(&path, waits).unwrap(), b"text");
            });
        }
        assert_eq!(
            main(Path::new("/dev/zero"), Waits::Hardly).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }
}
