//! The daemon's own log: what is configured about it.

use upkeep_config::{Level as ConfigLevel, LogFile, Settings};
use upkeep_logs::{Journal, Level, MODE_NAMED, RotatingFile};

use crate::boot::StartError;
use crate::shell::Shell;

/// Opens the log as configured (PROC-165, PROC-168, PROC-172). `ident` is its name in syslog.
///
/// # Errors
/// The file cannot be opened.
pub(crate) fn open(settings: &Settings, foreground: bool, ident: &str) -> Result<Journal, StartError> {
    let (file, syslog) = match &settings.logfile {
        LogFile::Syslog => (None, Some(ident.to_owned())),
        LogFile::Path(path) => {
            let opened =
                RotatingFile::open(path, settings.logfile_maxbytes, settings.logfile_backups, MODE_NAMED);
            let path = path.display().to_string();
            (Some(opened.map_err(|source| StartError::Log { path, source })?), None)
        }
    };
    let level = journal_level(settings.loglevel);
    Ok(Journal { level, file, syslog, stdout: foreground && !settings.silent })
}

impl Shell {
    /// Whether the daemon has not gone into the background.
    pub(crate) fn in_foreground(&self) -> bool {
        self.standing.foreground.unwrap_or(self.settings().nodaemon)
    }
}

pub(crate) fn journal_level(level: ConfigLevel) -> Level {
    match level {
        ConfigLevel::Critical => Level::Critical,
        ConfigLevel::Error => Level::Error,
        ConfigLevel::Warn => Level::Warn,
        ConfigLevel::Info => Level::Info,
        ConfigLevel::Debug => Level::Debug,
        ConfigLevel::Trace => Level::Trace,
        ConfigLevel::Blather => Level::Blather,
    }
}
