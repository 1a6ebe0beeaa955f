//! Files that only this daemon may write: their content is trusted when it starts again.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};

/// Opens a file that is ours alone for reading and writing: no link, no other user's, no other daemon's.
///
/// # Errors
/// It is one of these (`ResourceBusy`: another daemon's), or cannot be opened.
pub(crate) fn open_own(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    let about = file.metadata()?;
    if !about.is_file() || about.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not a file of our own"));
    }
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::AGAIN) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another daemon uses it"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts a new file of ours in the place of `path`, with what `fill` writes: whoever reads it has the old one or the whole new one.
///
/// # Errors
/// As [`open_own`] and `fill`; the old one is still there then.
pub(crate) fn replace_own(
    path: &Path,
    flags: OFlags,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    // One that an earlier daemon left is in the way.
    let _ = std::fs::remove_file(beside);
    let mut file = open_own(beside, flags | OFlags::CREATE | OFlags::EXCL)?;
    if let Err(error) = fill(&mut file).and_then(|()| std::fs::rename(beside, path)) {
        // There must be room for others.
        let _ = std::fs::remove_file(beside);
        return Err(error);
    }
    Ok(file)
}
