//! The names of a rotated log: `PATH`, `PATH.1` (newest) … `PATH.N` (oldest).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use rustix::fs::Mode;

use super::old::{STAMP, compressed};
use super::target;

/// Above this many backups, only those without a gap before them are moved up, so that `backups=1000000` does not mean
/// a million system calls at each rotation.
const PROBED: u32 = 1000;

/// Moves each old file one number up, the oldest onto its end, then the base to `.1` (PROC-136). With no backups it
/// does nothing: the caller truncates the base.
///
/// Files that vanished are passed over (PROC-137).
pub(super) fn rotate(path: &Path, backups: u32) -> io::Result<()> {
    if backups == 0 {
        return Ok(());
    }
    for number in (1..top(path, backups)).rev() {
        rename(&numbered(path, number), &numbered(path, number + 1))?;
    }
    rename(path, &numbered(path, 1))
}

/// The highest number that a file may be moved to.
fn top(path: &Path, backups: u32) -> u32 {
    if backups <= PROBED {
        return backups;
    }
    (1..backups).find(|&number| !numbered(path, number).exists()).unwrap_or(backups)
}

/// The same for a log with old files of its own kind: compressed ones move along, and they may have the time for a name.
pub(super) fn rotate_with_rules(path: &Path, backups: u32, dated: bool) -> io::Result<()> {
    if backups == 0 {
        return Ok(());
    }
    if dated {
        return rename(path, &dated_name(path)?);
    }
    for number in (1..top_with_rules(path, backups)).rev() {
        shift(&numbered(path, number), &numbered(path, number + 1))?;
    }
    // The log itself is never compressed: what is called so beside it is somebody else's.
    remove_old(&compressed(&numbered(path, 1)))?;
    rename(path, &numbered(path, 1))
}

fn top_with_rules(path: &Path, backups: u32) -> u32 {
    let is_free = |number| !is_there(&numbered(path, number));
    if backups <= PROBED { backups } else { (1..backups).find(|&number| is_free(number)).unwrap_or(backups) }
}

/// Moves a file, compressed or not, or (after a death between two steps) both, to where neither is left of what was there.
fn shift(from: &Path, to: &Path) -> io::Result<()> {
    let (gzip_from, gzip_to) = (compressed(from), compressed(to));
    let (has_plain, has_gzip) =
        (fs::symlink_metadata(from).is_ok(), fs::symlink_metadata(&gzip_from).is_ok());
    if has_plain {
        remove_old(&gzip_to)?;
        rename(from, to)?;
    } else if has_gzip {
        remove_old(to)?;
    }
    if has_gzip { rename(&gzip_from, &gzip_to) } else { Ok(()) }
}

fn remove_old(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether there is such an old file, compressed or not.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok() || fs::symlink_metadata(compressed(path)).is_ok()
}

/// A name with the present time that no file has.
fn dated_name(path: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(path);
    name.push(format!(".{}", Zoned::now().strftime(STAMP)));
    let first = PathBuf::from(&name);
    let numbered = (1..=PROBED).map(|number| numbered(&first, number));
    let mut names = std::iter::once(first.clone()).chain(numbered);
    names.find(|name| !is_there(name)).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// `PATH.NUMBER`.
pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Empties a log file that nobody writes (D-11) by removing it and creating it anew with the same mode, backups
/// untouched. One that is not there, or that is not a regular file, is left alone.
///
/// # Errors
/// Those of stat(2), unlink(2) and open(2).
pub fn clear_path(path: &Path) -> io::Result<()> {
    let Some(mode) = remove(path)? else { return Ok(()) };
    let file = target::open_regular(path, mode, false)?;
    // The umask has taken away from it what the file had.
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}

/// Removes a log file and returns the mode it had; `None` if there was nothing to remove.
pub(super) fn remove(path: &Path) -> io::Result<Option<u32>> {
    let Some(mode) = target::regular_mode(path)? else { return Ok(None) };
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(|()| Some(mode)),
    }
}
