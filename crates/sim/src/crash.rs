//! The death of the daemon, and the next one going on with what the keeper held.

use std::time::Duration;

use upkeep_core::{Input, LeftBehind, Phase, RunId, Supervisor};

use crate::ask::{join, split};
use crate::sim::Sim;

/// How a daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Time until the next one is there.
    pub down: Duration,
    /// What becomes of forks that were ordered but not made.
    pub in_flight: InFlight,
}

/// What becomes of a fork that the dead daemon had ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFlight {
    /// The order died with the daemon.
    Lost,
    /// The order had reached the keeper: there is a child the daemon never heard of.
    Made,
}

impl Default for Crash {
    /// In an instant, and with every order that was under way.
    fn default() -> Self {
        Self { down: Duration::ZERO, in_flight: InFlight::Lost }
    }
}

/// A death among the orders of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    pub(crate) after: usize,
    pub(crate) crash: Crash,
}

/// Whether the daemon was going down, as the keeper holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    No,
    Shutdown,
    Restart,
}

impl Ending {
    pub(crate) fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Stopping { restart: true, .. } | Phase::Down { restart: true } => Self::Restart,
            Phase::Stopping { restart: false, .. } | Phase::Down { restart: false } => Self::Shutdown,
            Phase::Setup | Phase::Running => Self::No,
        }
    }
}

impl Sim {
    /// The daemon dies, and another goes on. Does nothing once the daemon has ended on purpose.
    pub fn crash(&mut self, crash: Crash) -> &mut Self {
        if !self.ended {
            self.die(crash);
            self.recover();
        }
        self
    }

    /// The daemon dies in its next turn, after carrying out this many orders (if there are as many).
    pub fn crash_after(&mut self, orders: usize, crash: Crash) -> &mut Self {
        self.armed = Some(Armed { after: orders, crash });
        self
    }

    /// Whether a death that [`Sim::crash_after`] ordered has not come.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// Takes the ordered death back.
    pub fn disarm(&mut self) {
        self.armed = None;
    }

    /// Dies if that is ordered for after this many orders of the turn.
    pub(crate) fn dies_now(&mut self, carried_out: usize) -> bool {
        match self.armed {
            Some(Armed { after, crash }) if after == carried_out && !self.ended => {
                self.armed = None;
                self.crash(crash);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Nobody hears what happens until the next daemon is there.
    fn die(&mut self, crash: Crash) {
        self.deaths += 1;
        self.trace.push_back(format!("           the daemon dies: {crash:?}"));
        for (id, call) in self.calls.iter_mut().filter(|(_, call)| call.answers.is_empty()) {
            call.lost = !self.clients.contains_key(id);
        }
        self.removing.clear();
        self.unheard.extend(self.hearing.take());
        self.machine.forget_answers();
        match crash.in_flight {
            InFlight::Lost => self.machine.forget_launches(),
            InFlight::Made => self.machine.hasten_launches(self.now),
        }
        let back = self.now.after(crash.down);
        while let Some(at) = self.machine.next().filter(|&at| at <= back) {
            self.now = self.now.max(at);
            let fact = self.machine.happen();
            self.unheard.extend(fact.filter(|fact| matches!(fact, Input::Notified { .. })));
        }
        self.now = back;
    }

    /// The new daemon's first turn: everything it is told, then everything it orders.
    fn recover(&mut self) {
        self.core = Supervisor::new();
        self.names.clear();
        self.catching_up = true;
        let now = self.now();
        for group in self.active.clone() {
            self.core.handle(now, Input::Setup(group));
        }
        for rolling in self.rollings.values() {
            self.core.handle(now, Input::RestoreRolling(Box::new(rolling.clone())));
        }
        self.restore();
        let word = match self.ending {
            Ending::No => Input::Begin { recovered: true },
            Ending::Shutdown => Input::Shutdown,
            Ending::Restart => Input::Restart,
        };
        self.core.handle(now, word);
        for (call, waiting) in self.clients.clone() {
            self.core.handle(now, Input::Resume { call, waiting });
        }
        let ended = self.tell_inventory();
        self.write_records_anew();
        let told = self.events.len();
        self.carry_out();
        self.forget_second_greetings(told);
        for run in ended {
            self.release_if_heard(run);
        }
        for word in std::mem::take(&mut self.unheard) {
            self.tell(word);
        }
    }

    fn restore(&mut self) {
        let now = self.now();
        for &run in self.machine.children.keys() {
            self.core.skip_runs(run);
        }
        for (name, saved) in &self.records {
            let (group, process) = split(name);
            if let Some(options) = self.behind.get(name).cloned() {
                let (group, process) = (group.to_owned(), process.to_owned());
                let left = Box::new(LeftBehind { group, process, options });
                self.core.handle(now, Input::RestoreBehind(left));
            }
            let run = saved.state.run();
            let input = Input::Restore {
                group: group.to_owned(),
                process: process.to_owned(),
                saved: Box::new(saved.clone()),
                child_exists: run.is_some_and(|run| self.machine.children.contains_key(&run)),
                errands: saved
                    .errands
                    .iter()
                    .flat_map(|errands| &errands.list)
                    .map(|errand| errand.run)
                    .filter(|run| self.machine.children.contains_key(run))
                    .collect(),
            };
            self.core.handle(now, input);
        }
    }

    /// Records of processes that are no more go; all this reaches the keeper as one.
    fn write_records_anew(&mut self) {
        let all = self.core.processes().map(|(id, process)| (id, join(process.group(), process.name())));
        self.records = all.filter_map(|(id, name)| Some((name, self.core.saved(id)?))).collect();
    }

    /// Tells which children there are; those that ended are returned, those that nobody knows are asked to end.
    fn tell_inventory(&mut self) -> Vec<RunId> {
        let now = self.now();
        let mut ended = Vec::new();
        for (run, child) in self.machine.children.clone() {
            let known = self.core.process_of(run).is_some();
            self.core.handle(now, Input::Spawned { run, pid: child.pid, at: child.since });
            if let Some((end, at)) = child.ended {
                self.core.handle(now, Input::Exited { run, end, at });
                ended.push(run);
            } else if !known && !child.abandoned {
                self.dismiss(run);
            }
        }
        ended
    }

    fn dismiss(&mut self, run: RunId) {
        let Some(child) = self.machine.children.get_mut(&run) else { return };
        child.abandoned = true;
        let name = child.process.clone();
        let (group, process) = split(&name);
        let group = self.active.iter().find(|active| active.name == group);
        let configured = group.is_some_and(|group| group.processes.iter().any(|p| p.name == process));
        self.dismissed.push((name, configured));
        let _ = self.machine.send(self.now, run, upkeep_core::signal::TERM, false);
    }

    /// Groups that were there all along are not announced again: the shell keeps that from listeners.
    fn forget_second_greetings(&mut self, told: usize) {
        let fresh = self.events.split_off(told.min(self.events.len()));
        self.events.extend(fresh.into_iter().filter(|(_, text)| !text.starts_with("GROUP_ADDED")));
    }
}
