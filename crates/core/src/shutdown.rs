//! The end: groups in descending order, one after another, each fully stopped before the next (PROC-184).

use std::time::Duration;

use crate::depends::Along;
use crate::effect::{Effect, Event};
use crate::notice::Notice;
use crate::process::{ProcId, StateName};
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
        /// The next has been told to stop, every process of it.
        told: bool,
        /// When the next report is due.
        report_at: Mono,
        /// The pool that is next may work until then, unless it has nothing left to do.
        last_events: Option<(String, Mono)>,
    },
    /// Everything is down; the shell has been told.
    Down {
        /// To come up again.
        restart: bool,
    },
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
        matches!(self, Self::Stopping { .. } | Self::Down { .. })
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
            Phase::Down { .. } => {}
            Phase::Setup | Phase::Running => {
                let queue = self.groups_by_priority().iter().map(|group| group.name.clone()).collect();
                self.phase =
                    Phase::Stopping { restart, queue, told: false, report_at: now.mono, last_events: None };
                self.unstopped.begin(self.processes.iter());
                self.publish(Event::SupervisorStopping);
                self.leave_all_rolling();
                // All are stopped now.
                drop(self.depends.stops_of_another_daemon());
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
            Phase::Setup | Phase::Running | Phase::Down { .. } => None,
        }
    }

    /// Goes on with the end: stops the next group when the last one is down, reports, terminates.
    pub(crate) fn advance_shutdown(&mut self, now: Now) {
        while let Some(name) = self.next_to_stop() {
            if self.pool_still_works(now, &name) {
                break;
            }
            self.stop_whole_group(now, &name);
        }
        self.report_shutdown(now);
    }

    /// The group to stop now; `None` while the last one is still stopping.
    fn next_to_stop(&mut self) -> Option<String> {
        let Phase::Stopping { queue, told, .. } = &mut self.phase else { return None };
        if *told {
            if queue.last().is_some_and(|name| self.unstopped.has_group(name)) {
                return None;
            }
            queue.pop();
            *told = false;
        }
        queue.last().cloned()
    }

    /// A process of the group that is stopping may have come up all the same: then it is told once more.
    pub(crate) fn look_again_at_the_end(&mut self, id: ProcId) {
        let Phase::Stopping { queue, told, .. } = &mut self.phase else { return };
        let Some(process) = self.processes.get(&id).filter(|_| *told) else { return };
        *told = !(process.state.name().is_running()
            && queue.last().is_some_and(|group| **group == *process.group));
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
        if let Phase::Stopping { told, .. } = &mut self.phase {
            *told = true;
        }
        let Some(group) = self.group(name) else { return };
        let descending: Vec<_> = self.by_priority(group).into_iter().rev().collect();
        for id in descending {
            match self.processes.get(&id).map(|process| process.state.name()) {
                Some(StateName::Running | StateName::Starting) => {
                    self.stop_in_order(now, &[id], Along::Everybody);
                }
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
            self.order(Effect::Pause);
        }
    }

    fn report_shutdown(&mut self, now: Now) {
        let Phase::Stopping { restart, report_at, .. } = &mut self.phase else { return };
        if self.unstopped.is_empty() {
            let restart = *restart;
            self.phase = Phase::Down { restart };
            self.dismiss_waits();
            self.order(Effect::Terminate { restart });
        } else if *report_at <= now.mono {
            *report_at = now.mono.after(REPORT_EVERY);
            let names = self.unstopped_names();
            self.log(Notice::WaitingToDie { names });
        }
    }

    fn unstopped_names(&self) -> Vec<String> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members
            .filter_map(|id| self.processes.get(id))
            .filter(|process| !process.is_at_rest())
            .map(|process| process.spec.name.clone())
            .collect()
    }
}
