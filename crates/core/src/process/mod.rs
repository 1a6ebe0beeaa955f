//! One supervised slot: what it is, what is wanted of it, and until when.
//!
//! The phases of a life are one file each: `start`, `exit`, `restart`, `backoff`, `stop`. Only [`Process::enter`] (called through
//! the supervisor's `change`) alters the state, so nothing can change without being published.

mod backoff;
mod bounds;
mod exit;
mod restart;
mod start;
mod stop;

use std::fmt;
use std::sync::Arc;

use crate::bounds::Watched;
use crate::errand::{ErrandKind, Errands};
use crate::health::Health;
use crate::policy::Restarts;
use crate::schedule::Timer;
use crate::signal::Signal;
use crate::spec::ProcessSpec;
use crate::time::{Mono, Now, seconds};

/// Stable key of a process for as long as it is part of an active group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcId(pub u32);

/// Numbers each start of any process, so that a late fact about an earlier run changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It returned this code.
    Code(u8),
    /// A signal ended it.
    Signal {
        /// Which.
        signal: Signal,
        /// Whether it left a core file.
        core: bool,
    },
    /// It is gone and nobody knows how; the raw wait status where there is one.
    Unknown(i32),
}

impl RunEnd {
    /// Supervisor's number for it: the code, or −1 (PROC-017).
    #[must_use]
    pub fn status(self) -> i32 {
        match self {
            Self::Code(code) => i32::from(code),
            Self::Signal { .. } | Self::Unknown(_) => -1,
        }
    }
}

impl fmt::Display for RunEnd {
    /// PROC-307.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal { signal, core } => {
                write!(f, "terminated by {signal}")?;
                if *core { f.write_str(" (core dumped)") } else { Ok(()) }
            }
            Self::Unknown(status) => write!(f, "unknown termination cause {status:#06x}"),
        }
    }
}

/// Where a process stands. What only makes sense in one state lives in that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never started, or stopped by request.
    Stopped,
    /// Wants to start, and something it depends on is not there yet. Shown as STARTING.
    Waiting,
    /// Being launched, or not yet up for `startsecs`.
    Starting {
        /// The run.
        run: RunId,
        /// The child, once there is one.
        child: Option<Child>,
    },
    /// Up for at least `startsecs`.
    Running {
        /// The run.
        run: RunId,
        /// The child.
        child: Child,
    },
    /// Waits for its next try.
    Backoff {
        /// When it comes.
        retry_at: Mono,
    },
    /// Was sent its stop signal, or will be as soon as the child exists.
    Stopping {
        /// The run.
        run: RunId,
        /// The child, once there is one.
        child: Option<Child>,
        /// When SIGKILL comes.
        kill_at: Mono,
    },
    /// Ended by itself.
    Exited {
        /// Whether its exit code was one of `exitcodes`.
        expected: bool,
    },
    /// Given up.
    Fatal,
    /// Could not be signalled; ends when the child does.
    Unknown {
        /// The run.
        run: RunId,
        /// The child.
        child: Child,
    },
}

/// A living child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its pid.
    pub pid: u32,
    /// When it was forked.
    pub since: Mono,
}

/// The name of a state (PROC-001 … PROC-008).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateName {
    /// STOPPED.
    Stopped,
    /// STARTING.
    Starting,
    /// RUNNING.
    Running,
    /// BACKOFF.
    Backoff,
    /// STOPPING.
    Stopping,
    /// EXITED.
    Exited,
    /// FATAL.
    Fatal,
    /// UNKNOWN.
    Unknown,
}

impl StateName {
    /// Supervisor's name for it, as events and clients show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// STARTING, RUNNING, BACKOFF: a start is refused, a stop is not.
    #[must_use]
    pub fn is_running(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Backoff)
    }

    /// STOPPED, EXITED, FATAL, UNKNOWN.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped | Self::Exited | Self::Fatal | Self::Unknown)
    }

    /// STOPPED, EXITED, FATAL: a start begins a run.
    #[must_use]
    pub fn is_startable(self) -> bool {
        matches!(self, Self::Stopped | Self::Exited | Self::Fatal)
    }

    /// STARTING, RUNNING, STOPPING: may be signalled.
    #[must_use]
    pub fn is_signallable(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}

impl State {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> StateName {
        match self {
            Self::Stopped => StateName::Stopped,
            Self::Waiting | Self::Starting { .. } => StateName::Starting,
            Self::Running { .. } => StateName::Running,
            Self::Backoff { .. } => StateName::Backoff,
            Self::Stopping { .. } => StateName::Stopping,
            Self::Exited { .. } => StateName::Exited,
            Self::Fatal => StateName::Fatal,
            Self::Unknown { .. } => StateName::Unknown,
        }
    }

    /// The run that is under way, if any.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Starting { run, .. }
            | Self::Running { run, .. }
            | Self::Stopping { run, .. }
            | Self::Unknown { run, .. } => Some(*run),
            Self::Stopped | Self::Waiting | Self::Backoff { .. } | Self::Exited { .. } | Self::Fatal => None,
        }
    }

    /// The child that lives, if any.
    #[must_use]
    pub fn child(&self) -> Option<Child> {
        match self {
            Self::Starting { child, .. } | Self::Stopping { child, .. } => *child,
            Self::Running { child, .. } | Self::Unknown { child, .. } => Some(*child),
            Self::Stopped | Self::Waiting | Self::Backoff { .. } | Self::Exited { .. } | Self::Fatal => None,
        }
    }
}

/// What happens when a stop that an update asked for is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AfterStop {
    /// Nothing: it stays stopped.
    Stay,
    /// It starts again, as after an end that was not expected.
    Again,
    /// It is no longer configured: it goes.
    Remove,
    /// It gets these options.
    Replace {
        /// The options.
        spec: Arc<ProcessSpec>,
        /// Start it with them.
        start: bool,
    },
}

/// One supervised slot.
#[derive(Clone, Debug)]
pub struct Process {
    pub(crate) group: Arc<str>,
    pub(crate) spec: Arc<ProcessSpec>,
    pub(crate) state: State,
    /// Failed starts in a row: the next wait in seconds, and what `startretries` limits.
    pub(crate) failures: i64,
    /// What the restart policy looks back at; `None` while it has nothing to.
    pub(crate) restarts: Option<Box<Restarts>>,
    /// Where it stands with its schedule; `None` without one.
    pub(crate) timer: Option<Box<Timer>>,
    /// What is known of a run that has bounds; `None` for one that has none.
    pub(crate) watched: Option<Box<Watched>>,
    /// Which step of `stop_sequence` is under way; 0 without one.
    pub(crate) stop_step: usize,
    /// What runs beside it; `None` while nothing does.
    pub(crate) errands: Option<Box<Errands>>,
    /// Epoch seconds of the last start attempt; 0 never.
    pub(crate) started: i64,
    /// Epoch seconds of the last exit; 0 never.
    pub(crate) stopped: i64,
    pub(crate) spawnerr: Option<String>,
    pub(crate) exitstatus: Option<i32>,
    /// The number of its latest run.
    pub(crate) last_run: Option<RunId>,
    /// Why it is UNKNOWN, in the words of the log.
    pub(crate) signal_problem: Option<String>,
    pub(crate) after_stop: AfterStop,
    /// What is known of its health, if that is looked at and it has a child.
    pub(crate) health: Option<Box<Health>>,
    /// When the next `waiting for NAME to stop` is due, while a client waits.
    pub(crate) report_at: Option<Mono>,
}

impl Process {
    pub(crate) fn new(group: Arc<str>, spec: Arc<ProcessSpec>) -> Self {
        Self {
            group,
            spec,
            state: State::Stopped,
            failures: 0,
            restarts: None,
            timer: None,
            watched: None,
            stop_step: 0,
            errands: None,
            started: 0,
            stopped: 0,
            spawnerr: None,
            exitstatus: None,
            last_run: None,
            signal_problem: None,
            after_stop: AfterStop::Stay,
            health: None,
            report_at: None,
        }
    }

    /// The number of the run that is under way, or of the start that waits: such a start has one too, so that the next daemon
    /// can tell whether this one has come to it.
    pub(crate) fn start_under_way(&self) -> Option<RunId> {
        if self.state == State::Waiting { self.last_run } else { self.state.run() }
    }

    /// Name of its group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Its options.
    #[must_use]
    pub fn spec(&self) -> &Arc<ProcessSpec> {
        &self.spec
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Epoch seconds of the last start attempt; 0 never (PROC-034).
    #[must_use]
    pub fn started(&self) -> i64 {
        self.started
    }

    /// Epoch seconds of the last exit; 0 never (PROC-034).
    #[must_use]
    pub fn stopped(&self) -> i64 {
        self.stopped
    }

    /// Why the last start or run failed, if it did.
    #[must_use]
    pub fn spawnerr(&self) -> Option<&str> {
        self.spawnerr.as_deref()
    }

    /// Exit code of the last run; −1 for a signal; `None` while it runs or after an early exit.
    #[must_use]
    pub fn exitstatus(&self) -> Option<i32> {
        self.exitstatus
    }

    /// Failed starts in a row.
    #[must_use]
    pub fn failures(&self) -> i64 {
        self.failures
    }

    /// The restarts that its policy looks back at; `None` while there are none.
    #[must_use]
    pub fn restarts(&self) -> Option<&Restarts> {
        self.restarts.as_deref()
    }

    /// Its pid, 0 if no child lives (PROC-033).
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.state.child().map_or(0, |child| child.pid)
    }

    /// When this process next needs a decision by time alone.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let own = match self.state {
            State::Starting { child: Some(child), .. } => {
                Some(child.since.after(seconds(self.spec.startsecs)))
            }
            State::Backoff { retry_at } => Some(retry_at),
            State::Stopping { child: Some(_), kill_at, .. } => {
                // Nobody has asked it to stop before that is over.
                (!self.runs_errand(ErrandKind::PreStop)).then_some(kill_at)
            }
            State::Starting { child: None, .. }
            | State::Stopping { child: None, .. }
            | State::Stopped
            | State::Waiting
            | State::Running { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        };
        let own = match (own, self.report_at) {
            (Some(own), Some(report)) => Some(own.min(report)),
            (own, report) => own.or(report),
        };
        if self.errands.is_none() && self.spec.bounds.is_none() && self.health.is_none() {
            return own;
        }
        let health = self.health.as_ref().and_then(|health| health.deadline());
        own.into_iter().chain(self.errand_deadline()).chain(self.bound_at()).chain(health).min()
    }

    /// The one place where the state changes; returns the name of the former one.
    pub(crate) fn enter(&mut self, state: State) -> StateName {
        let from = self.state.name();
        self.state = state;
        if self.state.name() != StateName::Stopping {
            self.report_at = None;
        }
        if self.health.is_some() {
            self.rest_health();
        }
        from
    }

    /// Notes a new attempt to start (PROC-011).
    pub(crate) fn note_attempt(&mut self, now: Now) {
        self.started = now.wall;
        self.watched = None;
        self.spawnerr = None;
        self.exitstatus = None;
    }
}
