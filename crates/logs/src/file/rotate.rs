//! The names of a rotated log: `PATH`, `PATH.1` (newest) … `PATH.N` (oldest).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

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
