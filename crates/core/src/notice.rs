//! The lines the supervisor writes to the daemon's log: level and text (PROC-301 … PROC-317).
//!
//! They are a compatibility surface: people and scripts match them. Processes are named without their group (PROC-322).

use std::fmt;
use std::time::Duration;

use crate::bounds::Breach;
use crate::depends::Obstacle;
use crate::errand::ErrandKind;
use crate::health::HealthAction;
use crate::process::{RunEnd, StateName};
use crate::schedule::Overlap;
use crate::signal::{KILL, Signal};
use crate::time::Span;

/// Severity of a log line, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// CRIT.
    Critical,
    /// ERRO.
    Error,
    /// WARN.
    Warn,
    /// INFO.
    Info,
    /// DEBG.
    Debug,
}

/// One line for the daemon's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the words of the line that the variant's Display prints")]
pub enum Notice {
    /// A child lives.
    Spawned { name: String, pid: u32 },
    /// A start failed before there was a child.
    SpawnError { text: String },
    /// STARTING became RUNNING.
    Success { name: String, startsecs: i64 },
    /// A process ended by itself.
    Exited { name: String, end: RunEnd, expected: bool },
    /// A process ended because it was asked to.
    Stopped { name: String, end: RunEnd, expected: bool },
    /// BACKOFF became FATAL.
    GaveUp { name: String },
    /// A start comes later: because of the policy, and after so many restarts of so many within a time.
    StartsLater { name: String, wait: Duration, count: Option<(usize, u32, Duration)> },
    /// `restart_limit`, or another one, is used up.
    CrashLoop { name: String, key: &'static str, restarts: u32, window: Duration },
    /// A run is ended because it went beyond its bounds.
    Beyond { name: String, pid: u32, breach: Breach },
    /// The memory of a run that has a limit cannot be told.
    NotMeasured { name: String, error: String },
    /// The daemon ends because this one was given up.
    EndsWith { name: String },
    /// A run by schedule has ended.
    Ran { name: String, end: RunEnd, took: Duration, next: Option<String> },
    /// A run by schedule that comes before the last one has ended.
    RunMeets { name: String, state: StateName, overlap: Overlap },
    /// A run by schedule that could not begin in time.
    RunMissed { name: String, at: String },
    /// It was stopped by hand, and so is its schedule.
    ScheduleOff { name: String },
    /// A check failed; so many of so many, if it counts.
    CheckFailed { name: String, reason: String, count: Option<(u32, u32)> },
    /// The command of a check cannot be ended.
    CheckStuck { name: String, pid: u32, why: String },
    /// Nothing is known against it.
    Healthy { name: String, pid: u32 },
    /// Something is.
    Unhealthy { name: String, pid: u32, reason: String, action: HealthAction },
    /// A rolling restart begins.
    RollingBegins { number: u64, count: usize },
    /// One of its processes is well again.
    RollingStep { number: u64, name: String, done: usize, of: usize },
    /// It is over, and all went well.
    RollingDone { number: u64, done: usize },
    /// It is over because one has failed; the others run on as they are.
    RollingFailed { number: u64, name: String, why: String, untouched: Vec<String> },
    /// It is over because something else came first.
    RollingCalledOff { number: u64, why: String, untouched: Vec<String> },
    /// A start that something is in the way of.
    Waits { name: String, obstacle: Obstacle },
    /// It was stopped while it waited.
    WaitsNoMore { name: String },
    /// A client waits for this one to stop.
    WaitingToStop { name: String },
    /// The daemon waits for these to end.
    WaitingToDie { names: Vec<String> },
    /// `stopwaitsecs` is over.
    Killing { name: String, pid: u32 },
    /// A step of `stop_sequence` is over: the next one's signal follows.
    NextSignal { name: String, pid: u32, signal: Signal },
    /// A signal meant to end it is sent.
    Kill { name: String, pid: u32, signal: Signal, group: bool },
    /// The command of a hook runs.
    ErrandBegan { name: String, kind: ErrandKind, pid: u32 },
    /// It did what it was for.
    ErrandDone { name: String, kind: ErrandKind },
    /// It did not.
    ErrandFailed { name: String, kind: ErrandKind, why: String },
    /// It was not needed any more.
    ErrandCalledOff { name: String, kind: ErrandKind },
    /// A signal meant to end it is sent.
    ErrandEnds { name: String, kind: ErrandKind, pid: u32, signal: Signal },
    /// It could not be sent: it is left alone.
    ErrandProblem { name: String, kind: ErrandKind, pid: u32, error: String },
    /// A signal somebody asked for is sent.
    Send { name: String, pid: u32, signal: Signal },
    /// A stop of a process that waits for its next try.
    StopInBackoff { name: String },
    /// A start of a process that is being stopped.
    AlreadyRunning { name: String },
    /// It was gone when the signal came.
    GoneBeforeSignal { name: String, pid: u32, error: String },
    /// A signal meant to end it could not be sent.
    KillProblem { name: String, pid: u32, error: String },
    /// A signal somebody asked for could not be sent.
    SendProblem { name: String, pid: u32, error: String },
    /// A group cannot be added because its name is taken (CFG-187, D-64).
    NameTaken { group: String },
}

impl Notice {
    /// The severity of the line.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Exited { expected, .. } | Self::Stopped { expected, .. } => {
                if *expected {
                    Level::Info
                } else {
                    Level::Warn
                }
            }
            Self::Killing { .. }
            | Self::ErrandFailed { .. }
            | Self::NextSignal { .. }
            | Self::AlreadyRunning { .. }
            | Self::CrashLoop { .. }
            | Self::RunMissed { .. }
            | Self::Beyond { .. }
            | Self::NotMeasured { .. }
            | Self::Unhealthy { .. }
            | Self::RollingFailed { .. }
            | Self::RollingCalledOff { .. }
            | Self::EndsWith { .. } => Level::Warn,
            Self::CheckFailed { count: None, .. }
            | Self::Kill { .. }
            | Self::ErrandDone { .. }
            | Self::Send { .. }
            | Self::StopInBackoff { .. }
            | Self::GoneBeforeSignal { .. } => Level::Debug,
            Self::KillProblem { .. }
            | Self::SendProblem { .. }
            | Self::ErrandProblem { .. }
            | Self::CheckStuck { .. } => Level::Critical,
            Self::NameTaken { .. } => Level::Error,
            Self::ErrandEnds { signal, .. } => {
                if *signal == KILL {
                    Level::Warn
                } else {
                    Level::Debug
                }
            }
            Self::Spawned { .. }
            | Self::ErrandBegan { .. }
            | Self::ErrandCalledOff { .. }
            | Self::SpawnError { .. }
            | Self::Success { .. }
            | Self::GaveUp { .. }
            | Self::StartsLater { .. }
            | Self::Ran { .. }
            | Self::RunMeets { .. }
            | Self::ScheduleOff { .. }
            | Self::CheckFailed { count: Some(_), .. }
            | Self::Healthy { .. }
            | Self::RollingBegins { .. }
            | Self::RollingStep { .. }
            | Self::RollingDone { .. }
            | Self::Waits { .. }
            | Self::WaitsNoMore { .. }
            | Self::WaitingToStop { .. }
            | Self::WaitingToDie { .. } => Level::Info,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawned { name, pid } => write!(f, "spawned: '{name}' with pid {pid}"),
            Self::SpawnError { text } => write!(f, "spawnerr: {text}"),
            Self::Success { name, startsecs } => write!(
                f,
                "success: {name} entered RUNNING state, process has stayed up for > than {startsecs} seconds (startsecs)"
            ),
            Self::Exited { name, end, expected } => {
                let verdict = if *expected { "expected" } else { "not expected" };
                write!(f, "exited: {name} ({end}; {verdict})")
            }
            Self::Stopped { name, end, .. } => write!(f, "stopped: {name} ({end})"),
            Self::GaveUp { name } => {
                write!(f, "gave up: {name} entered FATAL state, too many start retries too quickly")
            }
            Self::StartsLater { name, wait, count } => {
                write!(f, "waiting: {name} starts again in {}", Span(*wait))?;
                match count {
                    Some((done, limit, window)) => {
                        write!(f, " (restart {done} of {limit} within {})", Span(*window))
                    }
                    None => Ok(()),
                }
            }
            Self::CrashLoop { name, key, restarts, window } => write!(
                f,
                "gave up: {name} entered FATAL state, restarted {restarts} times within {} ({key})",
                Span(*window)
            ),
            Self::Beyond { name, pid, breach } => {
                let mut text = breach.to_string();
                text[..1].make_ascii_lowercase();
                write!(f, "ending '{name}' ({pid}): it {text}")
            }
            Self::NotMeasured { name, error } => {
                write!(f, "memory_limit of '{name}' has no effect: its memory cannot be measured: {error}")
            }
            Self::EndsWith { name } => {
                write!(f, "{name} was given up: everything is stopped (on_giveup=shutdown)")
            }
            Self::Ran { name, end, took, next } => {
                write!(f, "ran: {name} for {} ({end})", Span(*took))?;
                next.as_ref().map_or(Ok(()), |next| write!(f, ", next run {next}"))
            }
            Self::RunMeets { name, state, overlap } => {
                let what = crate::schedule::meeting(*state, *overlap);
                write!(f, "due: {name} is still {}, {what} (schedule_overlap)", state.as_str())
            }
            Self::RunMissed { name, at } => {
                write!(f, "missed: {name} was not run at {at}, and it is too late now (schedule_missed=skip)")
            }
            Self::ScheduleOff { name } => write!(f, "schedule of {name} is off until it is started"),
            Self::CheckFailed { name, reason, count } => {
                write!(f, "health check of {name} failed: {reason}")?;
                match count {
                    Some((failed, limit)) => write!(f, " ({failed} of {limit})"),
                    None => f.write_str(" (it is still starting)"),
                }
            }
            Self::Healthy { name, pid } => write!(f, "healthy: {name} (pid {pid})"),
            Self::Unhealthy { name, pid, reason, action } => {
                write!(f, "unhealthy: {name} (pid {pid}): {reason}")?;
                match action {
                    HealthAction::Restart => f.write_str("; it is started again (health_action=restart)"),
                    HealthAction::Stop => f.write_str("; it is stopped (health_action=stop)"),
                    HealthAction::None => Ok(()),
                }
            }
            Self::RollingBegins { number, count } => {
                write!(f, "rolling restart {number} begins: {count} processes")
            }
            Self::RollingStep { number, name, done, of } => {
                write!(f, "rolling restart {number}: {name} is back ({done} of {of})")
            }
            Self::RollingDone { number, done } => {
                write!(f, "rolling restart {number} is done: {done} processes were restarted")
            }
            Self::RollingFailed { number, name, why, untouched } => {
                write!(f, "rolling restart {number} failed at {name}: {why}; ")?;
                write_untouched(f, untouched)
            }
            Self::RollingCalledOff { number, why, untouched } => {
                write!(f, "rolling restart {number} was called off: {why}; ")?;
                write_untouched(f, untouched)
            }
            Self::Waits { name, obstacle } => write!(f, "{name} {obstacle}"),
            Self::WaitsNoMore { name } => {
                write!(f, "stopped: {name} (it waited for something it depends on)")
            }
            Self::WaitingToStop { name } => write!(f, "waiting for {name} to stop"),
            Self::WaitingToDie { names } => write!(f, "waiting for {} to die", names.join(", ")),
            Self::Killing { name, pid } => write!(f, "killing '{name}' ({pid}) with SIGKILL"),
            Self::NextSignal { name, pid, signal } => {
                write!(f, "'{name}' ({pid}) has not stopped, going on with {signal}")
            }
            Self::Kill { name, pid, signal, group } => {
                let whom = if *group { "process group " } else { "" };
                write!(f, "killing {name} (pid {pid}) {whom}with signal {signal}")
            }
            Self::CheckStuck { name, pid, why } => {
                write!(
                    f,
                    "health_check of {name} (pid {pid}) cannot be ended: {why}; until it has ended by itself nothing is asked"
                )
            }
            Self::ErrandBegan { name, kind, pid } => write!(f, "{kind} of {name} runs with pid {pid}"),
            Self::ErrandDone { name, kind } => write!(f, "{kind} of {name} is done"),
            Self::ErrandFailed { name, kind, why } => write!(f, "{kind} of {name} failed: {why}"),
            Self::ErrandCalledOff { name, kind } => {
                write!(f, "{kind} of {name} was ended: it is not needed any more")
            }
            Self::ErrandEnds { name, kind, pid, signal } => {
                write!(f, "ending {kind} of {name} (pid {pid}) with signal {signal}")
            }
            Self::ErrandProblem { name, kind, pid, error } => {
                write!(f, "{kind} of {name} (pid {pid}) cannot be ended and is left alone: {error}")
            }
            Self::Send { name, pid, signal } => write!(f, "sending {name} (pid {pid}) sig {signal}"),
            Self::StopInBackoff { name } => {
                write!(f, "Attempted to kill {name}, which is in BACKOFF state.")
            }
            Self::AlreadyRunning { name } => write!(f, "process '{name}' already running"),
            Self::GoneBeforeSignal { name, pid, error } => {
                write!(f, "unable to signal {name} (pid {pid}), it probably just exited on its own: {error}")
            }
            Self::KillProblem { name, pid, error } => {
                write!(f, "unknown problem killing {name} ({pid}):{error}")
            }
            Self::SendProblem { name, pid, error } => {
                write!(f, "unknown problem sending sig {name} ({pid}):{error}")
            }
            Self::NameTaken { group } => write!(
                f,
                "group '{group}' is defined twice (as a [group:{group}] and as a program); only the first is active"
            ),
        }
    }
}

/// Names of those that a rolling restart did not come to; a line that names thousands is of no use.
fn write_untouched(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    const MOST: usize = 20;
    match names {
        [] => f.write_str("no other was left to restart"),
        names if names.len() > MOST => {
            write!(f, "not restarted: {} and {} more", names[..MOST].join(", "), names.len() - MOST)
        }
        names => write!(f, "not restarted: {}", names.join(", ")),
    }
}
