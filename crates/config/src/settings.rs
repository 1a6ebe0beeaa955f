//! What a configuration means besides groups: the daemon's own options, its servers and its plugins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use upkeep_core::spec::GroupSpec;

use crate::server::Server;
use crate::world::User;

/// Everything that was configured, typed and cross-checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[supervisord]`, overlaid by the command line (CFG-402).
    pub settings: Settings,
    /// Inet servers first, then unix ones, each in order of their sections.
    pub servers: Vec<Server>,
    /// By (priority, name), CFG-196. Two may have one name (CFG-187): the later is never added.
    pub groups: Vec<GroupSpec>,
    /// `[rpcinterface:x]` sections, in order.
    pub rpc_interfaces: Vec<RpcInterface>,
    /// What to log once there is a log, in order of discovery.
    pub notes: Vec<Note>,
}

/// `[supervisord]`. Field names are the option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The daemon's own log. Default `supervisord.log` in the working directory.
    pub logfile: LogFile,
    /// Rotate at this many bytes; 0 never. Default 50 MB.
    pub logfile_maxbytes: i64,
    /// Old files kept. Default 10.
    pub logfile_backups: i64,
    /// Default [`Level::Info`].
    pub loglevel: Level,
    /// Absolute. Default `supervisord.pid` in the working directory.
    pub pidfile: PathBuf,
    /// Default `supervisor`.
    pub identifier: String,
    /// Stay in the foreground. Default false.
    pub nodaemon: bool,
    /// In the foreground: do not copy the log to stdout. Default false.
    pub silent: bool,
    /// Descriptors that must be available. Default 1024.
    pub minfds: i64,
    /// Processes that must be available. Default 200.
    pub minprocs: i64,
    /// Mode creation mask of a daemon in the background. Default 022.
    pub umask: u32,
    /// Working directory of a daemon in the background; `None` stays.
    pub directory: Option<PathBuf>,
    /// The user to become at start; `None` stays.
    pub user: Option<User>,
    /// Where AUTO logs go; may be relative. Default the directory for temporary files.
    pub childlogdir: PathBuf,
    /// Keep old AUTO logs at start. Default false.
    pub nocleanup: bool,
    /// Remove terminal escape sequences from child output. Default false.
    pub strip_ansi: bool,
    /// For all children; already part of each process's own `environment`.
    pub environment: BTreeMap<String, String>,
    /// Restart a whole group on `update` as Supervisor does (D-37). Default false.
    pub strict_update: bool,
    /// What to do with processes that an earlier daemon and keeper left behind. Default [`Orphans::Stop`].
    pub orphans: Orphans,
    /// In the foreground, copy each line that a child writes to standard output with the child's name before it. Default
    /// false.
    pub log_prefix: bool,
    /// `exit_when`: what makes the daemon stop everything and end by itself; `None` is nothing.
    pub exit_when: Option<ExitWhen>,
    /// Configurations that were applied and are kept. Default 10.
    pub config_history: usize,
    /// Absolute: where they are kept besides in memory; `None` is nowhere.
    pub config_history_dir: Option<PathBuf>,
}

/// `[supervisord] logfile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// An absolute path.
    Path(PathBuf),
    /// The system's log.
    Syslog,
}

/// `exit_when`. A name is that of a process, `G:P`, or of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitWhen {
    /// A process (this one) is FATAL.
    Fatal(Option<String>),
    /// A process (this one) has ended and is not started again.
    AnyExited(Option<String>),
    /// No process runs, or will by itself.
    AllExited,
}

impl ExitWhen {
    /// The rule that is written so; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rule, name) = match text.split_once(':') {
            Some((rule, name)) => (rule, Some(name.to_owned()).filter(|name| !name.is_empty())),
            None => (text, None),
        };
        match (rule.to_lowercase().as_str(), name) {
            ("fatal", name) => Some(Self::Fatal(name)),
            ("any-exited", name) => Some(Self::AnyExited(name)),
            ("all-exited", None) => Some(Self::AllExited),
            _ => None,
        }
    }
}

/// What happens at start to processes of an earlier daemon whose keeper died too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They are stopped, then started anew.
    #[default]
    Stop,
    /// They are to be supervised as if nothing had happened; not done yet: they are stopped, and the log says so.
    Adopt,
    /// They are left alone.
    Ignore,
}

/// Log levels, the most severe first (CFG-044).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `critical`.
    Critical,
    /// `error`.
    Error,
    /// `warn`.
    Warn,
    /// `info`.
    Info,
    /// `debug`.
    Debug,
    /// `trace`.
    Trace,
    /// `blather`.
    Blather,
}

impl Level {
    /// Every level, the most severe first.
    pub const ALL: [Self; 7] =
        [Self::Critical, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace, Self::Blather];

    /// The name in `loglevel=`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
            Self::Blather => "blather",
        }
    }

    /// The four letters in a log line.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Critical => "CRIT",
            Self::Error => "ERRO",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBG",
            Self::Trace => "TRAC",
            Self::Blather => "BLAT",
        }
    }
}

/// `[rpcinterface:NS]`: which factory publishes which namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcInterface {
    /// The namespace, usually `supervisor`.
    pub namespace: String,
    /// `supervisor.rpcinterface_factory`: a Python entry point; only the standard one is understood (D-67).
    pub factory: String,
    /// Every other key, expanded.
    pub options: BTreeMap<String, String>,
    /// Where the section is.
    pub file: String,
    /// Line of the section's header.
    pub line: usize,
}

/// Something to log once there is a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How severe it is.
    pub level: Level,
    /// The text of the log line.
    pub text: String,
}
