//! What the shell tells the supervisor: facts in the past, requests in the imperative.

use std::time::Duration;

use crate::bounds::Usage;
use crate::health::{Finding, Word};
use crate::process::{ProcId, RunEnd, RunId};
use crate::restore::Saved;
use crate::rolling::{Batch, LeftBehind, Rolling};
use crate::signal::Signal;
use crate::spec::GroupSpec;
use crate::time::Mono;
use crate::wait::Waiting;

/// Names a request whose asker waits; chosen by the shell, unique among open requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Names a signal on its way; chosen by the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub u64);

/// Everything the supervisor can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A deadline or an alarm may have passed.
    Tick,
    /// Somebody has set the wall clock.
    ClockSet,
    /// A group is to be there from the start; nothing of it starts before [`Input::Begin`].
    Setup(GroupSpec),
    /// What an earlier daemon knew of a process of a group that was set up.
    ///
    /// A new daemon tells every group, then every process, then that it begins (or goes on to end), then what clients wait
    /// for, then each child that exists and each end of one. Deadlines that passed meanwhile wait for the first input of another kind.
    Restore {
        /// Name of the group.
        group: String,
        /// Name of the process.
        process: String,
        /// What was known.
        saved: Box<Saved>,
        /// The child of the saved run, if it still lives or its exit is about to be told.
        child_exists: bool,
        /// Those of its errands whose child does so.
        errands: Vec<RunId>,
    },
    /// When a process was to run next by its schedule when a daemon ended that is long gone. Told before [`Input::Begin`].
    Planned(Box<PlannedRun>),
    /// An update of an earlier daemon has left a process behind; told before the process.
    RestoreBehind(Box<LeftBehind>),
    /// A rolling restart of an earlier daemon, under way or over; told before the processes.
    RestoreRolling(Box<Rolling>),
    /// Everything is set up: publish that the daemon runs, start what starts by itself.
    Begin {
        /// An earlier daemon had begun already: this one only goes on.
        recovered: bool,
    },
    /// The child of a run exists.
    Spawned {
        /// The run.
        run: RunId,
        /// Its pid.
        pid: u32,
        /// When it was forked.
        at: Mono,
    },
    /// No child could be made; the text is the spawn error (PROC-040 … PROC-049).
    SpawnFailed {
        /// The run.
        run: RunId,
        /// What to show and log.
        text: String,
    },
    /// The child of a run ended.
    Exited {
        /// The run.
        run: RunId,
        /// How.
        end: RunEnd,
        /// When it was reaped.
        at: Mono,
    },
    /// [`crate::Effect::Measure`]: what a run and all that descend from it use.
    Measured {
        /// The run.
        run: RunId,
        /// How much, or why that cannot be told.
        memory: Result<Usage, String>,
    },
    /// A signal was sent, or not.
    Signalled {
        /// Which.
        id: SignalId,
        /// What came of it.
        outcome: Result<(), SignalFailure>,
    },
    /// A check of [`crate::Effect::Check`] is over.
    Checked {
        /// The run that was asked.
        run: RunId,
        /// Which check.
        number: u64,
        /// What came of it.
        finding: Finding,
    },
    /// The process of a run says something by itself.
    Notified {
        /// The run.
        run: RunId,
        /// What.
        word: Word,
    },
    /// A request of an earlier daemon, whose client still waits; answered as one of this daemon. Told before the ends of
    /// children: one that was to stop and has ended is not to start again.
    Resume {
        /// Names it in the answer.
        call: CallId,
        /// What it waits for.
        waiting: Waiting,
    },
    /// Somebody asks, and waits for [`crate::Effect::Answer`].
    Request {
        /// Where the answer goes.
        call: CallId,
        /// What is asked.
        request: Request,
    },
    /// [`crate::Effect::AwaitIdle`]: the pool's listeners have nothing left to do.
    PoolIdle {
        /// Name of the pool.
        pool: String,
    },
    /// Files have changed that `watch` of this section names, with `watch_action = restart`.
    FilesChanged {
        /// Such as `program:web`.
        section: String,
    },
    /// End everything in order, then terminate.
    Shutdown,
    /// End everything in order, then come up again.
    Restart,
}

/// When a process was to run next by its schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// Name of the group.
    pub group: String,
    /// Name of the process.
    pub process: String,
    /// The time of its table, in epoch seconds.
    pub next: i64,
    /// When that was found out.
    pub since: i64,
}

impl Input {
    /// Whether a new daemon may tell this of the time before it: what it finds, and that it goes on.
    pub(crate) fn may_be_of_the_past(&self) -> bool {
        match self {
            Self::Setup(_)
            | Self::Restore { .. }
            | Self::Planned(_)
            | Self::RestoreRolling(_)
            | Self::RestoreBehind(_)
            | Self::Begin { .. }
            | Self::Spawned { .. }
            | Self::Exited { .. }
            | Self::Resume { .. }
            | Self::Shutdown
            | Self::Restart => true,
            Self::Tick
            | Self::ClockSet
            | Self::PoolIdle { .. }
            | Self::FilesChanged { .. }
            | Self::SpawnFailed { .. }
            | Self::Measured { .. }
            | Self::Signalled { .. }
            | Self::Checked { .. }
            | Self::Notified { .. }
            | Self::Request { .. } => false,
        }
    }
}

/// Why a signal was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalFailure {
    /// There was no such process any more (ESRCH).
    pub gone: bool,
    /// The system's words.
    pub error: String,
}

/// What can be asked about active groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start one process.
    Start {
        /// Which.
        target: ProcId,
        /// The name as asked, for the refusal's text.
        asked: String,
        /// What a look at the command found wrong, if anything (PROC-052).
        preflight: Option<Refusal>,
        /// Answer when it is RUNNING, not already when the child exists.
        wait: bool,
    },
    /// Start those of these that are not running, in this order.
    StartMany {
        /// Each with what a look at its command found wrong.
        targets: Vec<(ProcId, Option<Refusal>)>,
        /// As for one.
        wait: bool,
    },
    /// Stop one process.
    Stop {
        /// Which.
        target: ProcId,
        /// The name as asked.
        asked: String,
        /// Answer when it has stopped, not already when the signal is sent.
        wait: bool,
    },
    /// Stop those of these that are running, in this order.
    StopMany {
        /// Which.
        targets: Vec<ProcId>,
        /// As for one.
        wait: bool,
    },
    /// Signal one process.
    Signal {
        /// Which.
        target: ProcId,
        /// The name as asked.
        asked: String,
        /// The signal.
        signal: Signal,
    },
    /// Signal those of these that can be signalled.
    SignalMany {
        /// Which.
        targets: Vec<ProcId>,
        /// The signal; `Err` is the text that is no signal.
        signal: Result<Signal, String>,
    },
    /// Let one process read its configuration again, by its command or its signal.
    Reload {
        /// Which.
        target: ProcId,
        /// The name as asked.
        asked: String,
    },
    /// Let those of these that run do so.
    ReloadMany {
        /// Which.
        targets: Vec<ProcId>,
    },
    /// Restart those of these that run, some at a time, and the next ones when those are well again.
    RestartRolling {
        /// Which.
        targets: Vec<ProcId>,
        /// How many at a time; `None` is what the programs say.
        batch: Option<Batch>,
        /// How long each may take to be well again; `None` is what the programs say.
        wait: Option<Duration>,
    },
    /// Make a group active; starts what starts by itself.
    AddGroup(GroupSpec),
    /// Take a group of stopped processes away.
    RemoveGroup(String),
    /// Make an active group what this says, touching only what must change (D-37).
    UpdateGroup {
        /// The new options.
        spec: GroupSpec,
        /// Restart every process of the group, changed or not, as Supervisor does.
        strict: bool,
    },
}

/// Why a request was not carried out. Each is one fault of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// BAD_NAME.
    BadName(String),
    /// NO_FILE: the command does not exist.
    NoFile(String),
    /// NOT_EXECUTABLE.
    NotExecutable(String),
    /// ALREADY_STARTED.
    AlreadyStarted(String),
    /// SPAWN_ERROR.
    SpawnError(String),
    /// ABNORMAL_TERMINATION.
    AbnormalTermination(String),
    /// NOT_RUNNING.
    NotRunning(String),
    /// BAD_SIGNAL.
    BadSignal(String),
    /// FAILED, with its whole text.
    Failed(String),
    /// ALREADY_ADDED.
    AlreadyAdded(String),
    /// STILL_RUNNING.
    StillRunning(String),
    /// SHUTDOWN_STATE.
    ShuttingDown,
}
