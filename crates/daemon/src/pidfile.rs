//! The pid file: the keeper's pid, the one that users know (PROC-205, D-69).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use upkeep_api::apart;
use upkeep_logs::Level;

use crate::shell::Shell;
use crate::tasks;

/// More than a pid file is long.
const LONGEST: u64 = 64;
/// When a pid file that could not be written is tried again; each time twice as late, up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

impl Shell {
    /// Writes the pid file; a failure is said, and if it may pass (a full disk), it is tried again.
    pub(crate) fn write_pidfile(&mut self) {
        self.forget_pidfile_retry();
        let path = self.settings().pidfile.clone();
        match write(&path, self.keeper_pid) {
            Ok(()) => self.pidfile_written = true,
            Err(error) => {
                self.log(Level::Critical, format!("could not write pidfile {}", path.display()));
                self.log(Level::Debug, format!("pidfile {}: {error}", path.display()));
                if may_pass(&error) {
                    self.retry_pidfile(path);
                }
            }
        }
    }

    fn retry_pidfile(&mut self, path: PathBuf) {
        let (pid, engine) = (self.keeper_pid, self.engine.clone());
        let task = tasks::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
                let target = path.clone();
                if let Some(Ok(())) = apart(move || write(&target, pid)).await {
                    return engine.journal(Level::Warn, format!("pidfile {} is written now", path.display()));
                }
            }
        });
        self.pidfile_retry = Some(task.abort_handle());
        // Whether it is ours is looked at when it is removed.
        self.pidfile_written = true;
    }

    /// The pid or the path is another one from now on, or none.
    pub(crate) fn forget_pidfile_retry(&mut self) {
        if let Some(task) = self.pidfile_retry.take() {
            task.abort();
        }
    }

    /// Removes the pid file if it was written, and is still ours: an earlier daemon of this keeper may have failed to.
    pub(crate) fn remove_pidfile(&mut self) {
        self.forget_pidfile_retry();
        let path = self.settings().pidfile.clone();
        if std::mem::take(&mut self.pidfile_written) && names(&path, self.keeper_pid) {
            // Somebody may have removed it already: it is gone either way.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether this is the disk's state of the moment, and not what somebody configured.
fn may_pass(error: &io::Error) -> bool {
    let passing =
        [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::IO, Errno::STALE, Errno::MFILE, Errno::NFILE];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
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
