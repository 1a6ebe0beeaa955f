//! What the daemon tells about itself and its processes.

macro_rules! states {
    ($(#[$doc:meta])* $type:ident { $($variant:ident $code:literal $name:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $(#[doc = $name] $variant,)*
        }

        impl $type {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            #[must_use]
            pub fn code(self) -> i32 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The name on the wire and on the screen.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The state of this number.
            #[must_use]
            pub fn from_code(code: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.code() == code)
            }
        }
    };
}

states! {
    /// State of a process (PROC-001 … PROC-008).
    ProcessState {
        Stopped 0 "STOPPED";
        Starting 10 "STARTING";
        Running 20 "RUNNING";
        Backoff 30 "BACKOFF";
        Stopping 40 "STOPPING";
        Exited 100 "EXITED";
        Fatal 200 "FATAL";
        Unknown 1000 "UNKNOWN";
    }
}

states! {
    /// State of the daemon (PROC-009).
    DaemonState {
        Fatal 2 "FATAL";
        Running 1 "RUNNING";
        Restarting 0 "RESTARTING";
        Shutdown -1 "SHUTDOWN";
    }
}

/// An output channel of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Channel {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One process as `getProcessInfo` tells it (RPC-084 … RPC-094).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// Last start attempt, epoch seconds; 0 never.
    pub start: i64,
    /// Last exit, epoch seconds; 0 never.
    pub stop: i64,
    /// The daemon's clock, epoch seconds.
    pub now: i64,
    /// Its state.
    pub state: ProcessState,
    /// Why the last start failed; empty if it did not.
    pub spawnerr: String,
    /// Last exit code; −1 for a signal, 0 while running or unknown.
    pub exitstatus: i32,
    /// Path of the stdout log, or empty.
    pub stdout_logfile: String,
    /// Path of the stderr log, or empty.
    pub stderr_logfile: String,
    /// Pid, 0 if no child lives.
    pub pid: u32,
    /// What the status line says behind the state.
    pub description: String,
}

/// A log file as `getAllConfigInfo` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// `auto`: not named yet.
    Auto,
    /// `none`.
    None,
    /// A path.
    Path(String),
}

/// One output channel's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputInfo {
    /// The log file.
    pub logfile: LogFile,
    /// Rotation limit in bytes.
    pub logfile_maxbytes: i64,
    /// Old files kept.
    pub logfile_backups: i64,
    /// Capture limit in bytes.
    pub capture_maxbytes: i64,
    /// Whether PROCESS_LOG events are sent.
    pub events_enabled: bool,
    /// Whether lines go to syslog too.
    pub syslog: bool,
}

/// One configured process as `getAllConfigInfo` tells it (RPC-135).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigInfo {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// Whether that group is active.
    pub inuse: bool,
    /// `autostart`.
    pub autostart: bool,
    /// `autorestart`: `None` is `unexpected`. Sent as the later releases of Supervisor send it (D-68).
    pub autorestart: Option<bool>,
    /// `command`.
    pub command: String,
    /// `directory`.
    pub directory: Option<String>,
    /// `exitcodes`.
    pub exitcodes: Vec<u8>,
    /// Priority of the group.
    pub group_prio: i64,
    /// Priority of the process.
    pub process_prio: i64,
    /// `killasgroup`.
    pub killasgroup: bool,
    /// `redirect_stderr`.
    pub redirect_stderr: bool,
    /// `serverurl`.
    pub serverurl: Option<String>,
    /// `startretries`.
    pub startretries: i64,
    /// `startsecs`.
    pub startsecs: i64,
    /// `stopsignal`, as a number.
    pub stopsignal: i32,
    /// `stopwaitsecs`.
    pub stopwaitsecs: i64,
    /// `user`, as a uid.
    pub uid: Option<u32>,
    /// Standard output.
    pub stdout: OutputInfo,
    /// Standard error.
    pub stderr: OutputInfo,
}

/// What became of one process of a request about many (`status` 80 is success).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionResult {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// `None` if it worked.
    pub fault: Option<crate::Fault>,
}

/// What `reloadConfig` found: group names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reread {
    /// New in the configuration.
    pub added: Vec<String>,
    /// Different from the active ones.
    pub changed: Vec<String>,
    /// No longer in the configuration.
    pub removed: Vec<String>,
}

/// What an update would do to one process, as `getPlan` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// Name of its group.
    pub group: String,
    /// Its name; `*` where only the group as such changes.
    pub name: String,
    /// `new`, `removed`, `restart`, `live`, `start` or `next start`.
    pub change: String,
    /// Seconds that stopping it may take, and those that end with it, if it has to stop; else 0.
    pub seconds: i64,
    /// Seconds that starting it may take, and those that start again behind it, if it starts; else 0.
    pub starting: i64,
    /// Who ends with it.
    pub dependants: Vec<PlannedDependant>,
    /// Why.
    pub causes: Vec<PlannedCause>,
}

/// A process that ends with one that an update stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDependant {
    /// Name of its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// `restart` or `stop`.
    pub change: String,
}

/// An option that is written otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCause {
    /// The section, without brackets.
    pub section: String,
    /// The option; empty where the section itself is new.
    pub option: String,
    /// The file.
    pub file: String,
    /// The line in it, from 1; 0 where the whole file is meant.
    pub line: i64,
}

/// A configuration that was applied, as `getConfigGenerations` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigGeneration {
    /// From 1.
    pub number: i64,
    /// When it was applied first, in seconds since 1970.
    pub time: i64,
    /// `start`, `restart`, `update`, `reload` or `rollback N`.
    pub cause: String,
    /// Groups that it has changed.
    pub changed: i64,
    /// It was applied last.
    pub running: bool,
}

/// A file of a configuration, as `getConfigGeneration` and `writeConfigGeneration` tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path.
    pub path: String,
    /// What is in it, or what became of it.
    pub text: String,
}

/// What `updateProcessGroup` did to one group; process names without the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupUpdate {
    /// Stopped, and not coming back.
    pub stopped: Vec<String>,
    /// Stopped and started again, because an option that needs it changed.
    pub restarted: Vec<String>,
    /// New processes.
    pub started: Vec<String>,
    /// Given new options while they run on.
    pub live: Vec<String>,
    /// The group itself was replaced, with all its processes, whether any ran or not.
    pub whole: bool,
    /// The rolling restart that gives others their new options from now on; 0 if there is none.
    pub rolling: i64,
}

/// A rolling restart, as `getRollingRestarts` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollingInfo {
    /// Names it.
    pub number: i64,
    /// `under way`, `done`, `failed` or `called off`.
    pub state: String,
    /// Why it did not come to its end; empty if it did, or is under way.
    pub reason: String,
    /// Whether it is part of an update.
    pub update: bool,
    /// Its processes, in the order in which they come.
    pub members: Vec<RollingMember>,
}

/// How far a rolling restart is, without naming its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollingProgress {
    /// Names it.
    pub number: i64,
    /// Why it failed; `None` while it is under way.
    pub failure: Option<String>,
    /// How many processes are well again.
    pub done: usize,
    /// How many are to be restarted, or were.
    pub wanted: usize,
}

/// A process of a rolling restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollingMember {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// `pending`, `stopping`, `starting`, `done`, `failed` or `left`.
    pub stage: String,
    /// Why it failed, or was left as it is; else empty.
    pub reason: String,
}

/// What is running and what became of the last upgrade, as `getUpgrade` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeState {
    /// Names the last upgrade that came to an end, as `upgrade` did; empty if there was none.
    pub token: String,
    /// Why that failed; empty if it did not.
    pub failure: String,
    /// The file that the daemon was started from.
    pub program: String,
    /// Its version.
    pub version: String,
}

/// What `reloadKeep` did, and what it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptReload {
    /// In effect from now on.
    pub applied: Vec<Setting>,
    /// Written otherwise, and not in effect; the note says why.
    pub not_applied: Vec<Setting>,
    /// Groups that differ from the active ones: they wait for an update.
    pub groups: Reread,
}

/// A setting of the daemon that is written otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The section, without brackets.
    pub section: String,
    /// The option; empty where it is about the whole section.
    pub option: String,
    /// What there is to say about it; may be empty.
    pub note: String,
}

/// One event listener pool, as `getListenerPools` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPool {
    /// Name of the pool: of its group.
    pub name: String,
    /// The event types it subscribed to.
    pub events: Vec<String>,
    /// Events that wait for a listener, those on disk included.
    pub waiting: i64,
    /// Events kept in memory at most.
    pub buffer_size: i64,
    /// Whether events beyond that wait on disk instead of being discarded.
    pub durable: bool,
    /// Events that were discarded because there was no room for them.
    pub discarded: i64,
    /// Its listeners in configuration order.
    pub listeners: Vec<Listener>,
}

/// One event listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Name of its process, without the group.
    pub name: String,
    /// READY, BUSY, ACKNOWLEDGED or UNKNOWN.
    pub state: String,
}

/// A log that has lost bytes since the daemon came up or since it was cleared, as `getLogLosses` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLoss {
    /// Name of the process; empty for a log that is no present process's.
    pub name: String,
    /// Name of its group, or empty.
    pub group: String,
    /// `stdout` or `stderr`; `main` is the daemon's own log, `syslog` what everybody sends there; empty for others.
    pub channel: String,
    /// The file. What processes lose that share one is told of each of them.
    pub path: String,
    /// Bytes that were dropped.
    pub dropped: i64,
    /// Why, in words.
    pub reason: String,
    /// Whether bytes are dropped at present.
    pub dropping: bool,
}

/// A process with a schedule, as `getSchedules` tells it. Times are seconds since 1970, 0 for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleInfo {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// `schedule`, as written.
    pub schedule: String,
    /// `schedule_timezone`, as written.
    pub timezone: String,
    /// Whether the schedule counts.
    pub on: bool,
    /// The next run.
    pub next: i64,
    /// Whether one more run follows the one that is under way.
    pub queued: bool,
    /// The start of the last run that has ended.
    pub last_start: i64,
    /// How long that took.
    pub last_milliseconds: i64,
    /// How it ended, in words; empty for none.
    pub last_result: String,
}

/// A process whose health is looked at, as `getHealth` tells it. Times are seconds since 1970, 0 for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthInfo {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// `health_check`; empty for none.
    pub check: String,
    /// `healthy`, `unhealthy` or `unknown`.
    pub state: String,
    /// Since when; 0 where nothing runs.
    pub since: i64,
    /// Why it is not healthy; may be empty.
    pub reason: String,
    /// Whether it has said that it is ready, or need not.
    pub ready: bool,
    /// Whether a check is under way, or waits for its turn.
    pub checking: bool,
    /// When the next one is due.
    pub next_check: i64,
    /// When the last one was over that said anything.
    pub last_check: i64,
    /// What it found: `ok`, or what was wrong; empty for none.
    pub last_result: String,
    /// Failed checks in a row, those in the start period too.
    pub failures: i64,
    /// Good checks in a row.
    pub successes: i64,
    /// What it says that it does.
    pub status: String,
    /// Until when it has to say WATCHDOG=1.
    pub watchdog: i64,
    /// What it says is its main process; 0 for nothing.
    pub mainpid: i64,
}

/// A part of a log (RPC-150).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTail {
    /// The bytes.
    pub data: Vec<u8>,
    /// Size of the log.
    pub offset: i64,
    /// Whether the client has missed something.
    pub overflow: bool,
}
