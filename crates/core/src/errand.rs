//! Errands: commands that run beside a process.
//!
//! # Theory of operation
//!
//! A hook, a stop command and a reload command are each a child of the keeper with a run number of its own, ordered by
//! [`crate::Effect::Errand`] and told of like any child: `Spawned`, `SpawnFailed`, `Exited`. What is known of them is written down
//! with their process, so that the next daemon waits for the same child, or orders again what never came to be.
//!
//! Nothing waits for an errand but its own process: a start waits until none is left of the last run and `pre_start` is done,
//! a stop until none runs any more. Each has a time limit, after which its process group is killed. The end of the daemon
//! waits for them too.

mod hooks;
mod life;

use std::fmt;
use std::time::Duration;

use crate::process::{Process, RunEnd, RunId, State};
use crate::time::Mono;

/// What a command beside a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrandKind {
    /// Before each start, which fails if this does.
    PreStart,
    /// When it is RUNNING.
    PostStart,
    /// Before it is asked to stop.
    PreStop,
    /// Asks it to stop, instead of the first signal.
    StopCommand,
    /// When its child has ended, for whatever reason.
    PostStop,
    /// Lets it read its configuration again.
    Reload,
    /// Asks how it is (`health_check = exec:…`). Those run often, and nothing is said of them but what they find.
    Check,
}

impl ErrandKind {
    /// The option that has the command.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreStart => "pre_start",
            Self::PostStart => "post_start",
            Self::PreStop => "pre_stop",
            Self::StopCommand => "stop_command",
            Self::PostStop => "post_stop",
            Self::Reload => "reload_command",
            Self::Check => "health_check",
        }
    }

    /// Whether it is part of a stop, and so not called off by one.
    fn belongs_to_a_stop(self) -> bool {
        match self {
            Self::PreStop | Self::StopCommand | Self::PostStop => true,
            Self::PreStart | Self::PostStart | Self::Reload | Self::Check => false,
        }
    }
}

impl fmt::Display for ErrandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an errand may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may.
    Runs,
    /// It was asked to end, since nobody needs it any more.
    CalledOff,
    /// It was killed, since its time was over.
    Overdue,
}

/// How it goes to kill an errand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Killing {
    /// Nobody has tried.
    #[default]
    Untried,
    /// It was ordered.
    Tried,
    /// It may not be signalled, or was killed long ago and is still there.
    Vain,
}

/// A command that runs beside a process, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand {
    /// What for.
    pub kind: ErrandKind,
    /// Its number.
    pub run: RunId,
    /// Its pid; 0 while there is no child.
    pub pid: u32,
    /// When its time is over; `None` while there is no child.
    pub until: Option<Mono>,
    /// Whether it may go on.
    pub fate: Fate,
    /// How it goes to kill it. Each daemon finds out for itself.
    pub killing: Killing,
}

impl Errand {
    fn is_overdue(&self, now: Mono) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What runs beside a process, and what waits for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errands {
    /// In the order in which they began.
    pub list: Vec<Errand>,
    /// `pre_start` has done its work for the start that is under way.
    pub prepared: bool,
    /// How the child of a process ended that is STOPPING until nothing runs beside it, and its pid.
    pub ended: Option<(RunEnd, u32)>,
}

/// What became of an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did what it was for.
    Done,
    /// It did not, and why.
    Failed(String),
    /// Its time was over.
    Overdue(String),
    /// It was not needed any more.
    CalledOff,
}

impl Process {
    /// What runs beside it.
    #[must_use]
    pub fn errands(&self) -> &[Errand] {
        self.errands.as_ref().map_or(&[], |errands| &errands.list)
    }

    /// The errand that it waits for, on its way up or down.
    #[must_use]
    pub fn waits_for_errand(&self) -> Option<ErrandKind> {
        let waits = matches!(self.state, State::Starting { child: None, .. } | State::Stopping { .. });
        let awaited = self.errands().iter().rfind(|errand| errand.kind != ErrandKind::Check);
        awaited.filter(|_| waits).map(|errand| errand.kind)
    }

    /// Whether one of this kind runs.
    pub(crate) fn runs_errand(&self, kind: ErrandKind) -> bool {
        self.errands().iter().any(|errand| errand.kind == kind)
    }

    /// Whether its child has ended while it was stopped, and only errands are left.
    pub(crate) fn has_ended(&self) -> bool {
        self.errands.as_ref().is_some_and(|errands| errands.ended.is_some())
    }

    /// Whether nothing runs beside it, nor ever will.
    pub(crate) fn has_nothing_beside(&self) -> bool {
        self.errands.is_none() && self.spec.hooks.is_none()
    }

    /// Whether an errand runs that has to end before it goes on. A check whose answer nobody wants any more does not: it is killed,
    /// and one that cannot be killed, on a disk that hangs, must not hold up what it looked at.
    pub(crate) fn awaits_errand(&self) -> bool {
        self.errands().iter().any(|errand| errand.kind != ErrandKind::Check || errand.fate == Fate::Runs)
    }

    /// The check that cannot be ended, and because of which nothing is asked: two of a process never run at once.
    #[must_use]
    pub fn stuck_check(&self) -> Option<&Errand> {
        let is_stuck = |errand: &&Errand| errand.kind == ErrandKind::Check && errand.killing == Killing::Vain;
        self.errands().iter().find(is_stuck)
    }

    /// Whether it has stopped and nothing that counts runs beside it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.state.name().is_stopped() && !self.awaits_errand()
    }

    /// When the first errand's time is over.
    pub(crate) fn errand_deadline(&self) -> Option<Mono> {
        self.errands().iter().filter_map(|errand| errand.until).min()
    }

    /// When SIGKILL comes, if it is being stopped.
    fn kill_at(&self) -> Option<Mono> {
        if let State::Stopping { kill_at, .. } = self.state { Some(kill_at) } else { None }
    }

    pub(crate) fn errand_mut(&mut self, run: RunId) -> Option<&mut Errand> {
        self.errands.as_mut()?.list.iter_mut().find(|errand| errand.run == run)
    }

    /// What `pre_start` has done was for another start.
    pub(crate) fn unprepare(&mut self) {
        if let Some(errands) = &mut self.errands {
            errands.prepared = false;
            self.tidy_errands();
        }
    }

    /// Lets go of what is kept about errands if it says nothing.
    pub(crate) fn tidy_errands(&mut self) {
        if self.errands.as_ref().is_some_and(|errands| **errands == Errands::default()) {
            self.errands = None;
        }
    }

    /// What an earlier daemon wanted to know is asked again: its commands are killed at once.
    pub(crate) fn call_off_restored_checks(&mut self) {
        let list = self.errands.iter_mut().flat_map(|errands| &mut errands.list);
        for errand in list.filter(|errand| errand.kind == ErrandKind::Check) {
            (errand.fate, errand.until) = (Fate::CalledOff, errand.until.map(|_| Mono(0)));
        }
    }

    /// How long one of this kind may take.
    fn errand_limit(&self, kind: ErrandKind) -> Duration {
        match kind {
            ErrandKind::Check => self.spec.health.as_deref().map_or(Duration::ZERO, |health| health.timeout),
            ErrandKind::PreStart
            | ErrandKind::PostStart
            | ErrandKind::PreStop
            | ErrandKind::StopCommand
            | ErrandKind::PostStop
            | ErrandKind::Reload => {
                self.spec.hooks.as_ref().map_or(crate::spec::HOOK_TIMEOUT, |hooks| hooks.timeout)
            }
        }
    }
}
