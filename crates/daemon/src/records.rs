//! What the keeper keeps for the next daemon: one record for the daemon, one for each process, as JSON.
//!
//! Fields are only ever added, with defaults, so that records of an older daemon can always be read.

mod daemon;
mod errands;
mod health;
pub(crate) mod rolling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use upkeep_core::event::EventKind;
use upkeep_core::health::Health;
use upkeep_core::listener::{HalfRead, ListenerState, Queued, SavedListener, Serials};
use upkeep_core::ordered;
use upkeep_core::signal::{self, Signal};
use upkeep_core::{
    Breach, Child, Errands, LastRun, Meter, Mono, ProcId, Restarts, RunEnd, RunId, Saved, State, StopOptions,
    Timer,
};

use crate::applied::AppliedRecords;
use crate::listeners::Payload;
use crate::logfiles::LogPaths;
use crate::watching::Seen;
pub(crate) use daemon::{DaemonChange, Unsaved};
use errands::ErrandsRecord;
pub(crate) use errands::UndrainedRecord;
use health::HealthRecord;
pub(crate) use rolling::{RollingChange, RollingRecord};

/// Key of the daemon's own record.
pub(crate) const DAEMON_KEY: u64 = 0;

/// Where the keys of processes are. Each daemon takes the one that its predecessor did not: until it has written everything
/// down, the daemon's record names the other, and what stands there is whole. So a daemon that dies while it recovers
/// costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Half(u8);

impl Half {
    const SIZE: u64 = FIRST_BUFFER_KEY / 2;

    /// The other one.
    pub(crate) fn other(self) -> Self {
        Self(u8::from(self.0 == 0))
    }

    /// Key of a process's record: its [`ProcId`], which starts at 1, from the half's beginning on.
    pub(crate) fn key_of(self, id: ProcId) -> u64 {
        self.keys().start + u64::from(id.0) - 1
    }

    /// All its keys.
    pub(crate) fn keys(self) -> std::ops::Range<u64> {
        let begin = if self.0 == 0 { 0 } else { Self::SIZE };
        begin + 1..begin + Self::SIZE
    }
}

/// The daemon as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DaemonRecord {
    /// Generation of the configuration that `[supervisord]` and the servers were taken from.
    pub(crate) base: u64,
    /// Generation that was read last.
    pub(crate) latest: u64,
    /// Active groups in the order they became active, each with the generation of its options.
    pub(crate) groups: Vec<(String, u64)>,
    /// What was going on.
    #[serde(default)]
    pub(crate) ending: Ending,
    /// The status it is to end with.
    #[serde(default)]
    pub(crate) exit_status: u8,
    /// The last upgrade that the log tells of.
    #[serde(default)]
    pub(crate) told_upgrade: u64,
    /// What a reload has changed beyond the configuration.
    #[serde(default)]
    pub(crate) standing: Standing,
    /// Where the records of the processes are.
    #[serde(default)]
    pub(crate) half: Half,
    /// The file that the configuration comes from, should the keeper not hold what was read.
    #[serde(default)]
    pub(crate) file: String,
    /// Configurations that were applied.
    #[serde(default)]
    pub(crate) applied: AppliedRecords,
    /// Processes that run with the options of an older generation than their group's: group, process, generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) behind: Vec<(String, String, u64)>,
}

impl DaemonRecord {
    /// Every configuration that something in effect comes from.
    pub(crate) fn generations(&self) -> BTreeSet<u64> {
        let groups = self.groups.iter().map(|(_, number)| *number);
        let behind = self.behind.iter().map(|(.., number)| *number);
        ordered::set(groups.chain([self.base, self.latest]).chain(behind))
    }
}

/// Where a daemon that was reloaded while everything ran differs from one that was started with its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Whether it is in the foreground; `None` is what `nodaemon` says.
    #[serde(default)]
    pub(crate) foreground: Option<bool>,
    /// Of children from now on; `None` is the keeper's.
    #[serde(default)]
    pub(crate) umask: Option<u32>,
    /// Of children from now on; `None` is the keeper's.
    #[serde(default)]
    pub(crate) directory: Option<String>,
    /// Where durable pools keep their events, by pool: as before.
    #[serde(default)]
    pub(crate) queues: BTreeMap<String, QueueHome>,
    /// What the files are like that programs watch, by section.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) watched: BTreeMap<String, Seen>,
    /// Control groups that nobody needs any more, and that are to be removed if they are ours.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) cgroups: BTreeSet<String>,
}

impl Standing {
    /// All but the files.
    pub(crate) fn without_files(&self) -> Self {
        let Self { foreground, umask, ref directory, ref queues, watched: _, ref cgroups } = *self;
        let (directory, queues, cgroups) = (directory.clone(), queues.clone(), cgroups.clone());
        Self { foreground, umask, directory, queues, watched: BTreeMap::new(), cgroups }
    }
}

/// What the name of a durable pool's file is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueHome {
    /// `childlogdir`.
    pub(crate) directory: String,
    /// `identifier`.
    pub(crate) identifier: String,
}

/// Whether the daemon was going down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// No.
    #[default]
    No,
    /// To end.
    Shutdown,
    /// To come up again.
    Restart,
}

/// Keys from here on are those of [`BufferRecord`]s: there are fewer processes.
pub(crate) const FIRST_BUFFER_KEY: u64 = 1 << 40;
/// With the number of a stream added, the key of what it has captured so far.
pub(crate) const CAPTURE_KEY: u64 = 1 << 62;
/// With the number of a run added, the key of where its last words go.
pub(crate) const LAST_WORDS_KEY: u64 = CAPTURE_KEY | 1 << 60;
/// With the number of a stream added, the key of the line that it has begun.
pub(crate) const LINE_KEY: u64 = CAPTURE_KEY | 1 << 61;
/// Key of the lines that may not be in the daemon's own log yet.
pub(crate) const JOURNAL_KEY: u64 = CLIENT_KEY - 1;
/// Key of the rolling restarts.
pub(crate) const ROLLING_KEY: u64 = JOURNAL_KEY - 1;
/// Key of what logs have lost.
pub(crate) const LOSSES_KEY: u64 = ROLLING_KEY - 1;
/// Keys of what single logs have lost: as many as losses that outlive the daemon.
pub(crate) const LOSS_KEYS: std::ops::Range<u64> = LOSSES_KEY - (1 << 15)..LOSSES_KEY;
/// With the number of a call added, the key of what its client waits for.
pub(crate) const CLIENT_KEY: u64 = 1 << 63;

/// Events that wait in a pool's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BufferRecord {
    pub(crate) pool: String,
    pub(crate) events: Vec<EventRecord>,
}

/// One process. The keeper holds one for each, so what is as it is by default is not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessRecord {
    pub(crate) group: String,
    pub(crate) name: String,
    state: StateRecord,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: i64,
    /// What the restart policy looks back at.
    #[serde(default, skip_serializing_if = "is_default")]
    restarts: Option<Box<RestartsRecord>>,
    /// Where it stands with its schedule.
    #[serde(default, skip_serializing_if = "is_default")]
    timer: Option<Box<TimerRecord>>,
    /// Which step of `stop_sequence` is under way.
    #[serde(default, skip_serializing_if = "is_default")]
    stop_step: usize,
    /// What runs beside it.
    #[serde(default, skip_serializing_if = "is_default")]
    errands: Option<Box<ErrandsRecord>>,
    #[serde(default, skip_serializing_if = "is_default")]
    started: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    stopped: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    spawnerr: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    exitstatus: Option<i32>,
    #[serde(default, skip_serializing_if = "is_default")]
    last_run: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    starts_again: bool,
    /// Beside `starts_again`, which a daemon that does not know this goes by.
    #[serde(default, skip_serializing_if = "is_default")]
    again: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    breach: Option<BreachRecord>,
    /// BACKOFF stands for a process that waits for another one: a daemon that does not know that starts it.
    #[serde(default, skip_serializing_if = "is_default")]
    waits: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    stops_next: bool,
    /// What is known of its health.
    #[serde(default, skip_serializing_if = "is_default")]
    health: Option<Box<HealthRecord>>,
    #[serde(default, skip_serializing_if = "is_default")]
    stop: StopRecord,
    /// Paths of AUTO logs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) stdout: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) stderr: Option<String>,
    /// Where an event listener stands with its pool.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) listener: Option<ListenerRecord>,
    /// Inode numbers of its run's pipes, all 0 if they have to be looked at.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) pipes: [u64; 3],
    /// Runs that have ended and whose last words may not be in the log yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) undrained: Vec<UndrainedRecord>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Where the words go of a run that has ended, whose process is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastWordsRecord {
    #[serde(default, skip_serializing_if = "is_default")]
    stdout: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    stderr: Option<String>,
}

impl From<LogPaths> for LastWordsRecord {
    fn from(LogPaths { stdout, stderr }: LogPaths) -> Self {
        Self { stdout, stderr }
    }
}

impl From<LastWordsRecord> for LogPaths {
    fn from(LastWordsRecord { stdout, stderr }: LastWordsRecord) -> Self {
        Self { stdout, stderr }
    }
}

/// An event listener, with the counters of its pool at that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListenerRecord {
    state: i64,
    #[serde(default)]
    event: Option<EventRecord>,
    next: i64,
    pool_next: i64,
    #[serde(default)]
    discarded: u64,
    /// How far what it said has been understood, in bytes from its start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) heard: u64,
    /// What of it was understood by half.
    #[serde(default, skip_serializing_if = "is_default")]
    line: Vec<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    result: Option<(u64, Vec<u8>)>,
    /// How much it has been told, in bytes from its start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) told: u64,
    /// The keeper may not have been given any of that, and the listener has none of it.
    #[serde(default, skip_serializing_if = "is_default")]
    untold: bool,
}

/// An event that a listener was given and has not answered, or that waits on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventRecord {
    pub(crate) serial: i64,
    pub(crate) pool_serial: i64,
    pub(crate) kind: String,
    pub(crate) payload: String,
}

impl ListenerRecord {
    /// `heard` is how far what it said has been understood, `told` how much it was told, and whether nothing of that has left
    /// this daemon; the counters are those of its pool.
    pub(crate) fn new(
        saved: SavedListener<Payload>,
        heard: u64,
        (told, untold): (u64, bool),
        serials: &Serials,
        pool: &str,
    ) -> Self {
        let event = saved.event.as_ref().map(EventRecord::new);
        let (pool_next, discarded) = serials.pools.get(pool).copied().unwrap_or_default();
        let HalfRead { line, result } = saved.half_read;
        Self {
            state: saved.state.code(),
            event,
            next: serials.next,
            pool_next,
            discarded,
            heard,
            line,
            result,
            told,
            untold,
        }
    }

    pub(crate) fn saved(&self) -> SavedListener<Payload> {
        SavedListener {
            state: ListenerState::from_code(self.state).unwrap_or(ListenerState::Unknown),
            event: self.event.as_ref().and_then(EventRecord::queued),
            half_read: HalfRead { line: self.line.clone(), result: self.result.clone() },
        }
    }

    /// The event that it was to be told and is not, unless the keeper has it.
    pub(crate) fn untold(&self) -> Option<Queued<Payload>> {
        self.event.as_ref().filter(|_| self.untold)?.queued()
    }

    pub(crate) fn serials(&self, pool: &str) -> Serials {
        let pools = BTreeMap::from([(pool.to_owned(), (self.pool_next, self.discarded))]);
        Serials { next: self.next, pools }
    }
}

impl EventRecord {
    pub(crate) fn new(event: &Queued<Payload>) -> Self {
        Self {
            serial: event.serial,
            pool_serial: event.pool_serial,
            kind: event.kind.name().to_owned(),
            payload: event.payload.to_string(),
        }
    }

    /// The event; `None` if its type is not known to this version.
    pub(crate) fn queued(&self) -> Option<Queued<Payload>> {
        Some(Queued {
            serial: self.serial,
            pool_serial: self.pool_serial,
            kind: EventKind::parse(&self.kind)?,
            payload: self.payload.as_str().into(),
        })
    }
}

/// The restarts that a policy looks back at; times are of the monotonic clock, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RestartsRecord {
    #[serde(default)]
    times: Vec<u64>,
    #[serde(default)]
    in_row: u32,
    #[serde(default)]
    delay: u64,
    #[serde(default)]
    given_up: bool,
}

impl From<Restarts> for RestartsRecord {
    fn from(restarts: Restarts) -> Self {
        Self {
            times: restarts.times.into_iter().map(|at| at.0).collect(),
            in_row: restarts.in_row,
            delay: u64::try_from(restarts.delay.as_nanos()).unwrap_or(u64::MAX),
            given_up: restarts.given_up,
        }
    }
}

impl From<RestartsRecord> for Restarts {
    fn from(record: RestartsRecord) -> Self {
        Self {
            times: record.times.into_iter().map(Mono).collect(),
            in_row: record.in_row,
            delay: Duration::from_nanos(record.delay),
            given_up: record.given_up,
        }
    }
}

/// Where a process stands with its schedule; times are epoch seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TimerRecord {
    #[serde(default)]
    on: bool,
    #[serde(default)]
    next: Option<i64>,
    #[serde(default)]
    since: Option<i64>,
    #[serde(default, skip_serializing_if = "is_default")]
    queued: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    last: Option<LastRunRecord>,
}

/// A run that has ended; its time is in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LastRunRecord {
    started: i64,
    took: u64,
    end: EndRecord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum EndRecord {
    Code(u8),
    Signal { signal: i32, core: bool },
    Unknown(i32),
}

impl From<Timer> for TimerRecord {
    fn from(timer: Timer) -> Self {
        let Timer { on, next, since, queued, last } = timer;
        Self { on, next, since, queued, last: last.map(Into::into) }
    }
}

impl From<TimerRecord> for Timer {
    fn from(record: TimerRecord) -> Self {
        let TimerRecord { on, next, since, queued, last } = record;
        Self { on, next, since, queued, last: last.map(Into::into) }
    }
}

impl From<LastRun> for LastRunRecord {
    fn from(run: LastRun) -> Self {
        let end = match run.end {
            RunEnd::Code(code) => EndRecord::Code(code),
            RunEnd::Signal { signal, core } => EndRecord::Signal { signal: signal.0, core },
            RunEnd::Unknown(status) => EndRecord::Unknown(status),
        };
        let took = u64::try_from(run.took.as_nanos()).unwrap_or(u64::MAX);
        Self { started: run.started, took, end }
    }
}

impl From<LastRunRecord> for LastRun {
    fn from(record: LastRunRecord) -> Self {
        let end = match record.end {
            EndRecord::Code(code) => RunEnd::Code(code),
            EndRecord::Signal { signal, core } => RunEnd::Signal { signal: Signal(signal), core },
            EndRecord::Unknown(status) => RunEnd::Unknown(status),
        };
        Self { started: record.started, took: Duration::from_nanos(record.took), end }
    }
}

/// What a run was ended for: a time in nanoseconds, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum BreachRecord {
    Runtime(u64),
    Memory {
        used: u64,
        limit: u64,
        /// Its control group says so.
        #[serde(default, skip_serializing_if = "is_default")]
        grouped: bool,
    },
}

impl From<Breach> for BreachRecord {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Runtime(limit) => Self::Runtime(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
            Breach::Memory { used, limit, meter } => {
                Self::Memory { used, limit, grouped: meter == Meter::Cgroup }
            }
        }
    }
}

impl From<BreachRecord> for Breach {
    fn from(record: BreachRecord) -> Self {
        match record {
            BreachRecord::Runtime(limit) => Self::Runtime(Duration::from_nanos(limit)),
            BreachRecord::Memory { used, limit, grouped } => {
                let meter = if grouped { Meter::Cgroup } else { Meter::Shares };
                Self::Memory { used, limit, meter }
            }
        }
    }
}

/// How the child is stopped if its options are gone from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StopRecord {
    signal: i32,
    wait: i64,
    stop_group: bool,
    kill_group: bool,
}

impl Default for StopRecord {
    fn default() -> Self {
        Self { signal: signal::TERM.0, wait: 10, stop_group: false, kill_group: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum StateRecord {
    Stopped,
    Starting { run: u64, child: Option<ChildRecord> },
    Running { run: u64, child: ChildRecord },
    Backoff { retry_at: u64 },
    Stopping { run: u64, child: Option<ChildRecord>, kill_at: u64 },
    Exited { expected: bool },
    Fatal,
    Unknown { run: u64, child: ChildRecord },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ChildRecord {
    pid: u32,
    since: u64,
}

impl ProcessRecord {
    pub(crate) fn new(group: &str, name: &str, saved: Saved) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            state: StateRecord::from(saved.state),
            failures: saved.failures,
            stop_step: saved.stop_step,
            errands: saved.errands.map(|errands| Box::new(ErrandsRecord::from(*errands))),
            timer: saved.timer.map(|timer| Box::new(TimerRecord::from(*timer))),
            restarts: saved.restarts.map(|restarts| Box::new(RestartsRecord::from(*restarts))),
            started: saved.started,
            stopped: saved.stopped,
            spawnerr: saved.spawnerr,
            exitstatus: saved.exitstatus,
            last_run: saved.last_run.map(|run| run.0),
            starts_again: saved.starts_again,
            again: saved.again,
            breach: saved.breach.map(Into::into),
            waits: saved.state == State::Waiting,
            stops_next: saved.stops_next,
            health: saved.health.map(|health| Box::new(HealthRecord::from(*health))),
            stop: StopRecord::from(saved.stop),
            stdout: None,
            stderr: None,
            listener: None,
            pipes: [0; 3],
            undrained: Vec::new(),
        }
    }

    /// Its AUTO logs, as an entry of the table of them; `None` if it has none.
    pub(crate) fn auto_logs(&self) -> Option<((String, String), LogPaths)> {
        let paths = LogPaths { stdout: self.stdout.clone(), stderr: self.stderr.clone() };
        (paths != LogPaths::default()).then(|| ((self.group.clone(), self.name.clone()), paths))
    }

    pub(crate) fn saved(&self) -> Saved {
        Saved {
            state: if self.waits { State::Waiting } else { State::from(self.state) },
            failures: self.failures,
            stop_step: self.stop_step,
            errands: self.errands.clone().map(|record| Box::new(Errands::from(*record))),
            timer: self.timer.clone().map(|record| Box::new(Timer::from(*record))),
            restarts: self.restarts.clone().map(|record| Box::new(Restarts::from(*record))),
            started: self.started,
            stopped: self.stopped,
            spawnerr: self.spawnerr.clone(),
            exitstatus: self.exitstatus,
            last_run: self.last_run.map(RunId),
            starts_again: self.starts_again,
            again: self.again,
            breach: self.breach.map(Into::into),
            stops_next: self.stops_next,
            health: self.health.clone().map(|record| Box::new(Health::from(*record))),
            stop: StopOptions::from(self.stop),
        }
    }
}

impl From<StopOptions> for StopRecord {
    fn from(stop: StopOptions) -> Self {
        Self {
            signal: stop.stopsignal.0,
            wait: stop.stopwaitsecs,
            stop_group: stop.stopasgroup,
            kill_group: stop.killasgroup,
        }
    }
}

impl From<StopRecord> for StopOptions {
    fn from(record: StopRecord) -> Self {
        Self {
            stopsignal: Signal(record.signal),
            stopwaitsecs: record.wait,
            stopasgroup: record.stop_group,
            killasgroup: record.kill_group,
        }
    }
}

impl From<Child> for ChildRecord {
    fn from(child: Child) -> Self {
        Self { pid: child.pid, since: child.since.0 }
    }
}

impl From<ChildRecord> for Child {
    fn from(child: ChildRecord) -> Self {
        Self { pid: child.pid, since: Mono(child.since) }
    }
}

impl From<State> for StateRecord {
    fn from(state: State) -> Self {
        match state {
            State::Stopped => Self::Stopped,
            State::Starting { run, child } => Self::Starting { run: run.0, child: child.map(Into::into) },
            State::Running { run, child } => Self::Running { run: run.0, child: child.into() },
            State::Waiting => Self::Backoff { retry_at: 0 },
            State::Backoff { retry_at } => Self::Backoff { retry_at: retry_at.0 },
            State::Stopping { run, child, kill_at } => {
                Self::Stopping { run: run.0, child: child.map(Into::into), kill_at: kill_at.0 }
            }
            State::Exited { expected } => Self::Exited { expected },
            State::Fatal => Self::Fatal,
            State::Unknown { run, child } => Self::Unknown { run: run.0, child: child.into() },
        }
    }
}

impl From<StateRecord> for State {
    fn from(record: StateRecord) -> Self {
        match record {
            StateRecord::Stopped => Self::Stopped,
            StateRecord::Starting { run, child } => {
                Self::Starting { run: RunId(run), child: child.map(Into::into) }
            }
            StateRecord::Running { run, child } => Self::Running { run: RunId(run), child: child.into() },
            StateRecord::Backoff { retry_at } => Self::Backoff { retry_at: Mono(retry_at) },
            StateRecord::Stopping { run, child, kill_at } => {
                Self::Stopping { run: RunId(run), child: child.map(Into::into), kill_at: Mono(kill_at) }
            }
            StateRecord::Exited { expected } => Self::Exited { expected },
            StateRecord::Fatal => Self::Fatal,
            StateRecord::Unknown { run, child } => Self::Unknown { run: RunId(run), child: child.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use upkeep_core::{Errand, ErrandKind, Fate, RunEnd};

    use super::*;

    fn saved(state: State) -> Saved {
        Saved {
            state,
            failures: 2,
            restarts: Some(Box::new(Restarts {
                times: vec![Mono(1), Mono(2)],
                in_row: 3,
                delay: Duration::from_millis(4),
                given_up: true,
            })),
            timer: Some(Box::new(Timer {
                on: true,
                next: Some(100),
                since: Some(99),
                queued: true,
                last: Some(LastRun {
                    started: 90,
                    took: Duration::from_millis(2500),
                    end: RunEnd::Signal { signal: signal::TERM, core: false },
                }),
            })),
            stop_step: 2,
            errands: Some(Box::new(Errands {
                list: every_errand(),
                prepared: true,
                ended: Some((RunEnd::Signal { signal: signal::TERM, core: true }, 7)),
            })),
            started: 3,
            stopped: 4,
            spawnerr: Some("why".to_owned()),
            exitstatus: Some(-1),
            last_run: Some(RunId(5)),
            starts_again: true,
            again: true,
            breach: Some(Breach::Memory { used: 6, limit: 5, meter: Meter::Cgroup }),
            stops_next: true,
            health: Some(Box::new(health::unusual())),
            stop: StopOptions {
                stopsignal: signal::QUIT,
                stopwaitsecs: 3,
                stopasgroup: true,
                killasgroup: true,
            },
        }
    }

    fn every_errand() -> Vec<Errand> {
        use ErrandKind as Kind;
        let kinds = [
            Kind::PreStart,
            Kind::PostStart,
            Kind::PreStop,
            Kind::StopCommand,
            Kind::PostStop,
            Kind::Reload,
            Kind::Check,
        ];
        let fates = [Fate::Runs, Fate::CalledOff, Fate::Overdue];
        let errand = |(number, (kind, fate))| Errand {
            kind,
            run: RunId(number),
            pid: 8,
            until: (number > 3).then_some(Mono(number)),
            fate,
            killing: upkeep_core::Killing::default(),
        };
        (1..).zip(kinds.into_iter().zip(fates.into_iter().cycle())).map(errand).collect()
    }

    #[test]
    fn every_state_survives_the_record() {
        let child = Child { pid: 7, since: Mono(9) };
        for state in [
            State::Stopped,
            State::Waiting,
            State::Starting { run: RunId(1), child: None },
            State::Starting { run: RunId(1), child: Some(child) },
            State::Running { run: RunId(2), child },
            State::Backoff { retry_at: Mono(5) },
            State::Stopping { run: RunId(3), child: Some(child), kill_at: Mono(6) },
            State::Exited { expected: true },
            State::Fatal,
            State::Unknown { run: RunId(4), child },
        ] {
            let saved = saved(state);
            let text = serde_json::to_vec(&ProcessRecord::new("g", "p", saved.clone())).unwrap();
            let back: ProcessRecord = serde_json::from_slice(&text).unwrap();
            assert_eq!(back.saved(), saved);
        }
    }

    #[test]
    fn what_is_by_default_is_not_written() {
        let state = State::Running { run: RunId(1), child: Child { pid: 7, since: Mono(9) } };
        let saved = Saved {
            failures: 0,
            restarts: None,
            timer: None,
            stop_step: 0,
            errands: None,
            started: 5,
            stopped: 0,
            spawnerr: None,
            exitstatus: None,
            last_run: None,
            starts_again: false,
            again: false,
            breach: None,
            stops_next: false,
            health: None,
            stop: StopOptions::from(StopRecord::default()),
            ..saved(state)
        };
        let text = serde_json::to_string(&ProcessRecord::new("g", "p", saved)).unwrap();
        let state = r#"{"Running":{"run":1,"child":{"pid":7,"since":9}}}"#;
        assert_eq!(text, format!(r#"{{"group":"g","name":"p","state":{state},"started":5}}"#));
    }

    #[test]
    fn a_daemon_of_the_first_version_still_loads() {
        let text = r#"{"base":1,"latest":2,"groups":[["g",1]]}"#;
        let record: DaemonRecord = serde_json::from_str(text).unwrap();
        assert_eq!((record.base, record.latest, record.ending), (1, 2, Ending::No));
        assert_eq!(record.standing, Standing::default());
    }

    #[test]
    fn a_record_of_the_first_version_still_loads() {
        let text = r#"{"group":"g","name":"p","state":{"Running":{"run":1,"child":{"pid":2,"since":3}}}}"#;
        let record: ProcessRecord = serde_json::from_str(text).unwrap();
        assert_eq!(
            record.saved().state,
            State::Running { run: RunId(1), child: Child { pid: 2, since: Mono(3) } }
        );
    }
}
