//! The end: groups in descending order, one after another, each fully stopped before the next (PROC-184).

use std::time::Duration;

use crate::effect::{Effect, Event};
use crate::notice::Notice;
use crate::process::StateName;
use crate::spec::GroupKind;
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now};

/// Time between two `waiting for … to die` lines (PROC-241).
const REPORT_EVERY: Duration = Duration::from_secs(3);

/// A time that has always passed.
const DONE: Mono = Mono(0);

/// How long a pool that is to be stopped may go on with its last events: the time between two looks of the original,
/// which is what listeners had for it there (EVT-039).
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// What the daemon as a whole is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Groups are being set up.
    #[default]
    Setup,
    /// The usual.
    Running,
    /// Everything is being stopped.
    Stopping {
        /// To come up again afterwards.
        restart: bool,
        /// Names of the groups still to be stopped; the last is next.
        queue: Vec<String>,
        /// When the next report is due.
        report_at: Mono,
        /// The pool that is next may work until then, unless it has nothing left to do.
        last_events: Option<(String, Mono)>,
    },
    /// Everything is down; the shell has been told.
    Down,
}

impl Phase {
    /// Whether anything may be started.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }

    /// Whether everything is being stopped, or already is.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(self, Self::Stopping { .. } | Self::Down)
    }

    pub(crate) fn begin(&mut self) {
        if *self == Self::Setup {
            *self = Self::Running;
        }
    }
}

impl Supervisor {
    pub(crate) fn begin_shutdown(&mut self, now: Now, restart: bool) {
        match &mut self.phase {
            Phase::Stopping { restart: current, .. } => *current = *current && restart,
            Phase::Down => {}
            Phase::Setup | Phase::Running => {
                let queue = self.groups_by_priority().iter().map(|group| group.name.clone()).collect();
                self.phase = Phase::Stopping { restart, queue, report_at: now.mono, last_events: None };
                self.publish(Event::SupervisorStopping);
                self.settle_lost_runs(now);
            }
        }
    }

    pub(crate) fn shutdown_deadline(&self) -> Option<Mono> {
        match &self.phase {
            Phase::Stopping { report_at, last_events, .. } => {
                let idle_at = last_events.as_ref().map(|&(_, at)| at).filter(|at| *at != DONE);
                Some(idle_at.map_or(*report_at, |at| at.min(*report_at)))
            }
            Phase::Setup | Phase::Running | Phase::Down => None,
        }
    }

    /// Goes on with the end: stops the next group when the last one is down, reports, terminates.
    pub(crate) fn advance_shutdown(&mut self, now: Now) {
        while let Phase::Stopping { queue, .. } = &mut self.phase {
            let Some(name) = queue.last().cloned() else { break };
            if self.pool_still_works(now, &name) {
                break;
            }
            self.stop_whole_group(now, &name);
            if self.group_has_unstopped(&name) {
                break;
            }
            if let Phase::Stopping { queue, .. } = &mut self.phase {
                queue.pop();
            }
        }
        self.report_shutdown(now);
    }

    /// Lets the listeners of a pool have their last events before it is stopped.
    fn pool_still_works(&mut self, now: Now, name: &str) -> bool {
        let pool = self.group(name).is_some_and(|group| matches!(group.kind, GroupKind::Listener(_)));
        if !pool || !self.group_runs(name) {
            return false;
        }
        let Phase::Stopping { last_events, .. } = &mut self.phase else { return false };
        match last_events {
            Some((pool, until)) if pool == name => *until > now.mono,
            _ => {
                *last_events = Some((name.to_owned(), now.mono.after(LAST_EVENTS)));
                self.order(Effect::AwaitIdle { pool: name.to_owned() });
                true
            }
        }
    }

    pub(crate) fn pool_idle(&mut self, name: &str) {
        if let Phase::Stopping { last_events: Some((pool, until)), .. } = &mut self.phase
            && pool == name
        {
            *until = DONE;
        }
    }

    fn group_runs(&self, name: &str) -> bool {
        self.group(name).is_some_and(|group| {
            let mut members = group.members.iter().filter_map(|id| self.processes.get(id));
            members.any(|process| process.state.name() == StateName::Running)
        })
    }

    fn stop_whole_group(&mut self, now: Now, name: &str) {
        let Some(group) = self.group(name) else { return };
        let descending: Vec<_> = self.by_priority(group).into_iter().rev().collect();
        for id in descending {
            match self.processes.get(&id).map(|process| process.state.name()) {
                Some(StateName::Running | StateName::Starting) => self.stop(now, id),
                Some(StateName::Backoff) => self.give_up(id),
                Some(
                    StateName::Stopped
                    | StateName::Stopping
                    | StateName::Exited
                    | StateName::Fatal
                    | StateName::Unknown,
                )
                | None => {}
            }
        }
    }

    fn group_has_unstopped(&self, name: &str) -> bool {
        self.group(name).is_some_and(|group| {
            group.members.iter().filter_map(|id| self.processes.get(id)).any(|p| !p.state.name().is_stopped())
        })
    }

    fn report_shutdown(&mut self, now: Now) {
        let unstopped: Vec<String> = self.unstopped_names();
        let Phase::Stopping { restart, report_at, .. } = &mut self.phase else { return };
        if unstopped.is_empty() {
            let restart = *restart;
            self.phase = Phase::Down;
            self.dismiss_waits();
            self.order(Effect::Terminate { restart });
        } else if *report_at <= now.mono {
            *report_at = now.mono.after(REPORT_EVERY);
            self.log(Notice::WaitingToDie { names: unstopped });
        }
    }

    fn unstopped_names(&self) -> Vec<String> {
        if !matches!(self.phase, Phase::Stopping { .. }) {
            return Vec::new();
        }
        let members = self.groups.iter().flat_map(|group| &group.members);
        members
            .filter_map(|id| self.processes.get(id))
            .filter(|process| !process.state.name().is_stopped())
            .map(|process| process.spec.name.clone())
            .collect()
    }
}
