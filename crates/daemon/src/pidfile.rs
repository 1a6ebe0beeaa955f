//! The pid file: the keeper's pid, the one that users know (PROC-205, D-69).

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use upkeep_logs::Level;

use crate::shell::Shell;

/// More than a pid file is long.
const LONGEST: u64 = 64;

impl Shell {
    /// Writes the pid file; a failure is said and nothing more.
    pub(crate) fn write_pidfile(&mut self) {
        let path = self.settings().pidfile.clone();
        match write(&path, self.keeper_pid) {
            Ok(()) => self.pidfile_written = true,
            Err(error) => {
                self.log(Level::Critical, format!("could not write pidfile {}", path.display()));
                self.log(Level::Debug, format!("pidfile {}: {error}", path.display()));
            }
        }
    }

    /// Removes the pid file if it was written, and is still ours: an earlier daemon of this keeper may have failed to.
    pub(crate) fn remove_pidfile(&mut self) {
        let path = self.settings().pidfile.clone();
        if std::mem::take(&mut self.pidfile_written) && names(&path, self.keeper_pid) {
            // Somebody may have removed it already: it is gone either way.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Writes a pid file.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(path: &Path, pid: u32) -> io::Result<()> {
    fs::write(path, format!("{pid}\n"))
}

/// Whether a file holds this pid. What is no regular file may have no end, and may wait for a writer.
pub(crate) fn names(path: &Path, pid: u32) -> bool {
    let mut text = String::new();
    fs::metadata(path).is_ok_and(|about| about.is_file())
        && fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)).is_ok()
        && text.trim() == pid.to_string()
}
