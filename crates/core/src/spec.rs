//! What a configuration means: groups and processes, fully typed and cross-checked.
//!
//! The configuration room builds these; the supervisor decides by them; the shell launches by them. Nothing behind
//! the loader looks an option up by name. Field names are the option names, so a search for an option lands here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use crate::bounds::{Bounds, MemoryAction, MemoryLimit};
pub use crate::confine::{Cgroup, Confinement, Ionice, Resource, Rlimit, Unit};
use crate::errand::ErrandKind;
use crate::event::EventKind;
pub use crate::health::{Check, HealthAction, HealthSpec, Ready};
pub use crate::policy::{OnGiveup, RestartPolicy};
use crate::process::Process;
pub use crate::rolling::{Batch, RollingSpec};
pub use crate::schedule::{Missed, Overlap, Schedule};
use crate::signal::Signal;

/// One group of processes: a `[program:x]`, `[group:x]`, `[eventlistener:x]` or `[fcgi-program:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Name of the group.
    pub name: String,
    /// Groups start in ascending and stop in descending order of this (PROC-180, PROC-184). Default 999.
    pub priority: i64,
    /// What kind of group it is.
    pub kind: GroupKind,
    /// The processes, in configuration order. Whoever keeps a group's options shares these.
    pub processes: Vec<Arc<ProcessSpec>>,
}

/// What sets a group apart from a plain one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// `[program:x]` or `[group:x]`.
    Plain,
    /// `[eventlistener:x]`: a pool.
    Listener(ListenerSpec),
    /// `[fcgi-program:x]`: processes that share one listening socket.
    Fcgi(SocketSpec),
}

/// Options of an event listener pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSpec {
    /// Events kept while no listener is ready. Default 10, at least 1.
    pub buffer_size: i64,
    /// The subscription, as written but known to exist.
    pub events: Vec<EventKind>,
    /// The Python entry point that judges results; only the default one is understood.
    pub result_handler: String,
    /// `event_queue = durable`: what the buffer has no room for waits on disk instead of being discarded. Default false.
    #[doc(alias = "event_queue")]
    pub durable: bool,
    /// `event_queue_directory`: where; `None` is the directory of automatic child logs.
    #[doc(alias = "event_queue_directory")]
    pub queue_directory: Option<String>,
    /// `event_queue_maxbytes`: the file's limit; 0 is none. Default 256 MB.
    #[doc(alias = "event_queue_maxbytes")]
    pub queue_maxbytes: i64,
    /// `event_length = bytes`: `len:` in the header counts bytes instead of characters (D-30). Default false.
    #[doc(alias = "event_length")]
    pub length_in_bytes: bool,
}

impl Default for ListenerSpec {
    fn default() -> Self {
        Self {
            buffer_size: 10,
            events: Vec::new(),
            result_handler: String::new(),
            durable: false,
            queue_directory: None,
            queue_maxbytes: 256 << 20,
            length_in_bytes: false,
        }
    }
}

/// The socket of a FastCGI group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSpec {
    /// As written: `unix:///path` or `tcp://host:port`.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddress,
    /// `socket_backlog`, 1–65535; `None` is the system's maximum.
    pub backlog: Option<i64>,
}

/// Where a FastCGI socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// A socket file.
    Unix {
        /// Absolute path.
        path: String,
        /// `socket_owner`: uid and gid; `None` leaves them as created.
        owner: Option<(u32, Option<u32>)>,
        /// `socket_mode`. Default 0700.
        mode: u32,
    },
    /// An IPv4 or IPv6 endpoint.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port, 1–65535.
        port: u16,
    },
}

/// What a process reads on its standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StdinKind {
    /// A pipe that clients write to, as Supervisor's always is.
    #[default]
    Pipe,
    /// `/dev/null`: two descriptors less, one here and one in the keeper.
    Null,
}

/// One process: one supervised slot, `group:name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSpec {
    /// Name of the process (`process_name` expanded).
    pub name: String,
    /// The section it comes from, such as `program:web`.
    pub section: Arc<str>,
    /// The command line as written, after expansion; split only when it is started (CFG-233).
    pub command: String,
    /// Order within the group. Default 999.
    pub priority: i64,
    /// Start it when the group is added. Default true.
    pub autostart: bool,
    /// When to start it again after it exited. Default [`Autorestart::Unexpected`].
    pub autorestart: Autorestart,
    /// Seconds it must stay up to count as started; zero or less means at once. Default 1.
    pub startsecs: i64,
    /// Failed starts after the first before giving up. Default 3.
    pub startretries: i64,
    /// How it is started again after it ended or failed to start; the copies of a program share it. Default: as Supervisor does.
    pub restart: Arc<RestartPolicy>,
    /// Exit codes that are expected; the copies of a program share them. Default `[0]`.
    pub exitcodes: Arc<[u8]>,
    /// The signal that asks it to stop. Default TERM.
    pub stopsignal: Signal,
    /// Seconds between the stop signal and SIGKILL. Default 10.
    pub stopwaitsecs: i64,
    /// The signals that ask it to stop, one after another; SIGKILL follows the last. Empty: `stopsignal` and `stopwaitsecs`.
    pub stop_sequence: Vec<StopStep>,
    /// Commands that run beside it, and how it reads its configuration again. Default none.
    pub hooks: Option<Box<Hooks>>,
    /// Send the stop signal to the whole process group. Default false.
    pub stopasgroup: bool,
    /// Send SIGKILL to the whole process group. Default: `stopasgroup`.
    pub killasgroup: bool,
    /// The user to run as (`user`, as a uid); `None` is the daemon's.
    #[doc(alias = "user")]
    pub uid: Option<u32>,
    /// File mode creation mask; `None` is the daemon's.
    pub umask: Option<u32>,
    /// Working directory; `None` is the daemon's.
    pub directory: Option<String>,
    /// Send stderr down the stdout pipe. Default false.
    pub redirect_stderr: bool,
    /// What its standard input is, unless that is a socket.
    pub stdin: StdinKind,
    /// Where stdout goes.
    pub stdout: OutputSpec,
    /// Where stderr goes. `target` is [`LogTarget::None`] with `redirect_stderr`.
    pub stderr: OutputSpec,
    /// `[supervisord] environment` overlaid by the program's own.
    pub environment: BTreeMap<String, String>,
    /// What must be there before it starts; the copies of a program share it. Default nothing.
    pub depends_on: Arc<[Dependency]>,
    /// What it does when something it depends on stops. Default [`OnDependencyStop::Ignore`].
    pub on_dependency_stop: OnDependencyStop,
    /// Files that it does something about when they change; the copies of a program share it. Default none.
    pub watch: Option<Arc<WatchSpec>>,
    /// When it runs by the clock; `None` leaves that to `autostart` and clients. The copies of a program share it.
    pub schedule: Option<Arc<Schedule>>,
    /// How its health is looked at. Default not at all.
    pub health: Option<Arc<HealthSpec>>,
    /// How it is restarted bit by bit; `None` is [`RollingSpec::default`].
    pub rolling: Option<Arc<RollingSpec>>,
    /// The socket it shares with the other processes of its `[fcgi-program:x]`, as descriptor 0; `None` is a pipe.
    pub socket: Option<Arc<SocketSpec>>,
    /// `SUPERVISOR_SERVER_URL` for the child; `None` is the daemon's own (PROC-072).
    pub serverurl: Option<String>,
    /// What it is confined to; the copies of a program share it. Default nothing.
    pub confinement: Option<Arc<Confinement>>,
    /// What ends a run; the copies of a program share it. Default nothing.
    pub bounds: Option<Arc<Bounds>>,
}

/// Something that must be there before a process starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// As written.
    pub name: String,
    /// What it means: all of them.
    pub targets: Vec<Target>,
    /// How far each must be. Default [`Condition::Running`].
    pub condition: Condition,
}

/// One process, or all of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the group.
    pub group: String,
    /// Name of the process; `None` is each of the group.
    pub process: Option<String>,
}

impl Target {
    /// Whether it is this process, or one of which this is.
    pub(crate) fn is(&self, process: &Process) -> bool {
        let name = self.process.as_ref();
        *self.group == *process.group && name.is_none_or(|name| *name == process.spec.name)
    }
}

/// How far a process must be that another one depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its child exists, or has ended as expected.
    Started,
    /// RUNNING.
    Running,
    /// RUNNING, and healthy if its health is looked at.
    Healthy,
    /// It has ended, as expected.
    Completed,
}

/// `on_dependency_stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDependencyStop {
    /// Runs on.
    Ignore,
    /// Ends, and starts again when it can.
    Restart,
    /// Ends.
    Stop,
}

/// `watch` and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSpec {
    /// Which files.
    #[doc(alias = "watch")]
    pub patterns: Vec<PathPattern>,
    /// `watch_ignore` without a slash: names of files and directories that are not looked at, besides the usual ones.
    #[doc(alias = "watch_ignore")]
    pub ignore_names: Vec<String>,
    /// `watch_ignore` with a slash: these, and all that is in them.
    #[doc(alias = "watch_ignore")]
    pub ignore_paths: Vec<PathPattern>,
    /// `watch_action`. Default [`WatchAction::Restart`].
    #[doc(alias = "watch_action")]
    pub action: WatchAction,
    /// `watch_debounce`: how long all must have been quiet. Default half a second.
    #[doc(alias = "watch_debounce")]
    pub debounce: Duration,
}

/// `watch_action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchAction {
    /// It ends and starts again.
    Restart,
    /// As `upkeep reload NAME`.
    Reload,
}

/// Files by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The absolute directory where all of them are, taken as it stands.
    pub root: String,
    /// What must follow, name by name; `*`, `?` and `[..]` as shells have them, and `**` for any number of directories.
    pub parts: Vec<String>,
}

/// One step of `stop_sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopStep {
    /// The signal.
    pub signal: Signal,
    /// How long it may take before the next step.
    pub wait: Duration,
}

/// `hook_timeout` if it is not set.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// Commands that run beside a process, each once, and how it reads its configuration again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// Before each start; the start fails if it does.
    pub pre_start: Option<String>,
    /// When it is RUNNING.
    pub post_start: Option<String>,
    /// Before it is asked to stop.
    pub pre_stop: Option<String>,
    /// Asks it to stop, instead of the first signal.
    pub stop_command: Option<String>,
    /// When its child has ended, for whatever reason.
    pub post_stop: Option<String>,
    /// Lets it read its configuration again.
    pub reload_command: Option<String>,
    /// The same by a signal, if there is no command.
    pub reload_signal: Option<Signal>,
    /// `hook_timeout`: how long each may take, but `stop_command`, which has the time of the first signal. Default 30 s.
    #[doc(alias = "hook_timeout")]
    pub timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            pre_start: None,
            post_start: None,
            pre_stop: None,
            stop_command: None,
            post_stop: None,
            reload_command: None,
            reload_signal: None,
            timeout: HOOK_TIMEOUT,
        }
    }
}

/// Where one output channel of a process goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// `std*_logfile`.
    #[doc(alias = "stdout_logfile")]
    #[doc(alias = "stderr_logfile")]
    pub target: LogTarget,
    /// `std*_logfile_maxbytes`: rotate at this many bytes; 0 never. Default 50 MB.
    pub maxbytes: i64,
    /// `std*_logfile_backups`: old files kept. Default 10.
    pub backups: i64,
    /// `std*_capture_maxbytes`: bytes kept between communication tags; 0 is off. Default 0.
    pub capture_maxbytes: i64,
    /// `std*_events_enabled`: send PROCESS_LOG events. Default false.
    pub events_enabled: bool,
    /// `std*_syslog`: also send each line to syslog. Default false.
    pub syslog: bool,
    /// What only our keys say about it; `None` if none of them says anything.
    pub rules: Option<Arc<LogRules>>,
}

/// What Supervisor has no keys for about a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRules {
    /// `std*_logfile_rotate`: rotate by time too. Default never.
    #[doc(alias = "stdout_logfile_rotate")]
    pub rotate: Option<LogPeriod>,
    /// `std*_logfile_compress = gzip`: compress old files. Default false.
    #[doc(alias = "stdout_logfile_compress")]
    pub gzip: bool,
    /// `std*_logfile_maxage`: remove old files that were last written longer ago. Default never.
    #[doc(alias = "stdout_logfile_maxage")]
    pub max_age: Option<Duration>,
    /// `std*_logfile_maxtotal`: bytes that all old files may have together; 0 is no limit. Default 0.
    #[doc(alias = "stdout_logfile_maxtotal")]
    pub max_total: u64,
    /// `std*_logfile_names = dates`: old files are named by the time of their rotation. Default false.
    #[doc(alias = "stdout_logfile_names")]
    pub dated: bool,
    /// `std*_logfile_format`: what each line looks like. Default [`LogFormat::Raw`].
    #[doc(alias = "stdout_logfile_format")]
    pub format: LogFormat,
    /// `std*_rate_limit`: how much may come in a second. Default without limit.
    #[doc(alias = "stdout_rate_limit")]
    pub rate: Option<LogRate>,
    /// `std*_forward`: where each line is sent besides. Default nowhere.
    #[doc(alias = "stdout_forward")]
    pub forward: Vec<LogDestination>,
}

/// Where `std*_forward` sends lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDestination {
    /// A syslog server, by datagrams.
    Udp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A syslog server, by a connection.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A syslog server, by an encrypted connection.
    Tls {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// How it and we prove who we are.
        tls: Arc<LogTls>,
    },
    /// journald.
    Journald {
        /// Path of its socket.
        path: String,
    },
}

/// How the two ends of an encrypted connection prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTls {
    /// `forward_tls_ca`: file with the certificates of the authorities that are believed. Default the machine's own store.
    #[doc(alias = "forward_tls_ca")]
    pub ca: Option<String>,
    /// `forward_tls_cert` and `forward_tls_key`: files with the certificate that is shown to the server, and with its private key.
    /// Default none.
    #[doc(alias = "forward_tls_cert")]
    pub identity: Option<(String, String)>,
    /// `forward_tls_name`: whom the server's certificate has to name. Default the host.
    #[doc(alias = "forward_tls_name")]
    pub name: Option<String>,
}

/// `std*_logfile_format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// As it came.
    #[default]
    Raw,
    /// Behind a time.
    Timestamps,
    /// A JSON object.
    Json,
}

/// `std*_rate_limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRate {
    /// Bytes are counted, and not lines.
    pub in_bytes: bool,
    /// How many a second, at least 1.
    pub a_second: u32,
    /// How many at once after a pause, at least 1.
    pub burst: u32,
}

/// `std*_logfile_rotate`, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPeriod {
    /// Each full hour.
    Hourly,
    /// At midnight.
    Daily,
    /// At midnight before Monday.
    Weekly,
    /// At midnight before the first of the month.
    Monthly,
}

/// A log file option's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// A file with a made-up name in `childlogdir`.
    Auto,
    /// No file.
    None,
    /// This file; a relative path is relative to the daemon's directory at start (CFG-159).
    File(String),
}

/// `autorestart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autorestart {
    /// Never.
    Never,
    /// When the exit code is not in `exitcodes`, or a signal ended it.
    Unexpected,
    /// Always.
    Always,
}

impl Default for OutputSpec {
    fn default() -> Self {
        Self {
            target: LogTarget::Auto,
            maxbytes: 50 * 1024 * 1024,
            backups: 10,
            capture_maxbytes: 0,
            events_enabled: false,
            syslog: false,
            rules: None,
        }
    }
}

impl ProcessSpec {
    /// The command of an errand, as written, after expansion.
    #[must_use]
    pub fn errand_command(&self, kind: ErrandKind) -> Option<&str> {
        if kind == ErrandKind::Check {
            return self.health.as_ref()?.command();
        }
        let hooks = self.hooks.as_ref()?;
        let command = match kind {
            ErrandKind::PreStart => &hooks.pre_start,
            ErrandKind::PostStart => &hooks.post_start,
            ErrandKind::PreStop => &hooks.pre_stop,
            ErrandKind::StopCommand => &hooks.stop_command,
            ErrandKind::PostStop => &hooks.post_stop,
            ErrandKind::Reload => &hooks.reload_command,
            ErrandKind::Check => return None,
        };
        command.as_deref()
    }

    /// A process with every option at its default.
    #[must_use]
    pub fn new(name: &str, command: &str) -> Self {
        Self {
            name: name.to_owned(),
            section: format!("program:{name}").into(),
            command: command.to_owned(),
            priority: 999,
            autostart: true,
            autorestart: Autorestart::Unexpected,
            startsecs: 1,
            startretries: 3,
            restart: Arc::default(),
            exitcodes: Arc::new([0]),
            stopsignal: crate::signal::TERM,
            stopwaitsecs: 10,
            stop_sequence: Vec::new(),
            hooks: None,
            stopasgroup: false,
            killasgroup: false,
            uid: None,
            umask: None,
            directory: None,
            redirect_stderr: false,
            stdin: StdinKind::Pipe,
            stdout: OutputSpec::default(),
            stderr: OutputSpec::default(),
            environment: BTreeMap::new(),
            depends_on: Arc::default(),
            on_dependency_stop: OnDependencyStop::Ignore,
            watch: None,
            schedule: None,
            health: None,
            rolling: None,
            socket: None,
            serverurl: None,
            confinement: None,
            bounds: None,
        }
    }
}

impl GroupSpec {
    /// A plain group of these processes, priority 999.
    #[must_use]
    pub fn plain(name: &str, processes: Vec<ProcessSpec>) -> Self {
        let processes = processes.into_iter().map(Arc::new).collect();
        Self { name: name.to_owned(), priority: 999, kind: GroupKind::Plain, processes }
    }
}
