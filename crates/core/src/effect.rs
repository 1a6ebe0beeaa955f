//! What the supervisor orders: the shell carries out each, in this order, before it sleeps again.

use std::sync::Arc;
use std::time::Duration;

use crate::bounds::{Breach, MemoryAction};
use crate::errand::ErrandKind;
use crate::input::{CallId, Refusal, SignalId};
use crate::notice::Notice;
use crate::process::{ProcId, RunId, StateName};
use crate::signal::Signal;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a child; answered by `Spawned` or `SpawnFailed`.
    Spawn {
        /// Whose.
        id: ProcId,
        /// Its number.
        run: RunId,
    },
    /// Run a command beside a process; answered as [`Effect::Spawn`] is.
    Errand {
        /// Beside which.
        id: ProcId,
        /// Its number.
        run: RunId,
        /// Which of its commands.
        kind: ErrandKind,
    },
    /// Send a signal; answered by `Signalled`.
    Signal {
        /// Names it in the answer.
        id: SignalId,
        /// The run whose child gets it.
        run: RunId,
        /// Which.
        signal: Signal,
        /// To the child's whole process group.
        group: bool,
    },
    /// Measure the memory of a child and of all that descend from it; answered by `Measured`.
    Measure {
        /// Its run.
        run: RunId,
        /// Its pid.
        pid: u32,
    },
    /// Ask the process of a run how it is, by the check of its options; answered by `Checked`. An answer that takes longer than
    /// `health_timeout` is of no use any more.
    Check {
        /// Whose.
        id: ProcId,
        /// The run.
        run: RunId,
        /// Names it in the answer.
        number: u64,
    },
    /// Something happened that listeners, history and the saved state want to know.
    Publish(Event),
    /// A process got new options while it runs on: apply those that concern the shell (logs).
    Reconfigure {
        /// Which.
        id: ProcId,
    },
    /// A line for the log.
    Log(Notice),
    /// The answer to a request.
    Answer {
        /// Which.
        call: CallId,
        /// What became of it.
        answer: Answer,
    },
    /// A pool is to be stopped, but its listeners may still have work: say [`crate::Input::PoolIdle`] when they have
    /// none, or at once if they never will.
    AwaitIdle {
        /// Name of the pool.
        pool: String,
    },
    /// The daemon is about to end because a process was given up: its exit status is to say so.
    EndInFailure,
    /// What was ordered so far for one of many processes is complete: before the next, the shell may see to others.
    Pause,
    /// Everything is down: end, or come up again.
    Terminate {
        /// Come up again.
        restart: bool,
    },
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or refused.
    One(Result<(), Refusal>),
    /// What became of each process: failures at launch first, then by completion (RPC-115).
    Many(Vec<Outcome>),
    /// What an update did.
    Updated(Update),
    /// A rolling restart has begun, and has this number.
    Rolling(u64),
}

/// What became of one process of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the group.
    pub group: String,
    /// Name of the process.
    pub process: String,
    /// Done, or refused.
    pub result: Result<(), Refusal>,
}

/// What an update did, by process name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Stopped, and not coming back.
    pub stopped: Vec<String>,
    /// Stopped and started again.
    pub restarted: Vec<String>,
    /// New.
    pub started: Vec<String>,
    /// Given new options while they run on.
    pub live: Vec<String>,
    /// The group itself was replaced, with all its processes, whether any ran or not.
    pub whole: bool,
    /// The rolling restart that gives others their new options, if there is one; it has just begun.
    pub rolling: Option<u64>,
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process changed its state (EVT-002 … EVT-010).
    ProcessState {
        /// Which.
        id: ProcId,
        /// The state it left.
        from: StateName,
        /// The state it is in.
        to: StateName,
        /// Pid at that moment, 0 if none.
        pid: u32,
        /// Failed starts in a row at that moment, or restarts where a policy counts them.
        tries: i64,
        /// For EXITED: whether the exit code was expected.
        expected: bool,
    },
    /// A process used up its `restart_limit`; its state changes next.
    CrashLoop {
        /// Which.
        id: ProcId,
        /// How often it was restarted.
        restarts: u32,
        /// Within which time.
        window: Duration,
    },
    /// A run went beyond its bounds; its state changes next, or when SIGKILL has ended it.
    Beyond {
        /// Which process.
        id: ProcId,
        /// What it is ended for.
        breach: Breach,
        /// How.
        action: MemoryAction,
    },
    /// A process was found healthy, or not.
    Health {
        /// Which.
        id: ProcId,
        /// Its pid.
        pid: u32,
        /// What was found.
        healthy: bool,
        /// Why, if it is not.
        reason: String,
    },
    /// The child of a STARTING or STOPPING process exists; its state is the same.
    ChildSpawned(ProcId),
    /// Something the next daemon has to know of a process changed; its state is the same.
    WishChanged(ProcId),
    /// A rolling restart has begun, gone on, or ended.
    RollingChanged {
        /// Which one.
        number: u64,
        /// Those of its members whose stage has changed; none if it has changed as a whole.
        members: Box<[usize]>,
    },
    /// A rolling restart is over.
    RollingOver(u64),
    /// A group became active.
    GroupAdded(String),
    /// A group is no longer active; its processes' keys are void.
    GroupRemoved(String),
    /// A process became part of an active group. By the time the shell hears of it, it may have left again.
    ProcessAdded {
        /// Its key.
        id: ProcId,
        /// Name of its group.
        group: Arc<str>,
        /// Its name.
        process: String,
    },
    /// A process left an active group; its key is void.
    ProcessRemoved(ProcId),
    /// The daemon is up.
    SupervisorRunning,
    /// The daemon begins to stop everything.
    SupervisorStopping,
}
