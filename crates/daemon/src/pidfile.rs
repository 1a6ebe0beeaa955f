//! The pid file: the keeper's pid, the one that users know (PROC-205, D-69).

use std::fs;

use upkeep_logs::Level;

use crate::shell::Shell;

impl Shell {
    /// Writes the pid file; a failure is said and nothing more.
    pub(crate) fn write_pidfile(&mut self) {
        let path = self.settings().pidfile.clone();
        match fs::write(&path, format!("{}\n", self.keeper_pid)) {
            Ok(()) => self.pidfile_written = true,
            Err(error) => {
                self.log(Level::Critical, format!("could not write pidfile {}", path.display()));
                self.log(Level::Debug, format!("pidfile {}: {error}", path.display()));
            }
        }
    }

    /// Removes the pid file if it was written.
    pub(crate) fn remove_pidfile(&mut self) {
        if std::mem::take(&mut self.pidfile_written) {
            // Somebody may have removed it already: it is gone either way.
            let _ = fs::remove_file(&self.settings().pidfile);
        }
    }
}
