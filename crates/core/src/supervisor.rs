//! The state machine's frame: inputs in, effects out, deadlines.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::depends::Depends;
use crate::effect::{Effect, Event};
use crate::errand::ErrandKind;
use crate::group::Group;
use crate::health::Checks;
use crate::input::{Input, SignalFailure, SignalId};
use crate::names::Names;
use crate::notice::Notice;
use crate::process::{ProcId, Process, RunId, State, StateName};
use crate::rolling::Rollings;
use crate::schedule::Schedules;
use crate::shutdown::Phase;
use crate::slots::Slots;
use crate::time::{Mono, Now};
use crate::unstopped::Unstopped;
use crate::wait::{Waits, Why};

/// Orders that there is room for all the time.
const ROOM_KEPT: usize = 64;

/// Every group and process, and what is wanted of them.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// In the order they became active.
    pub(crate) groups: Vec<Group>,
    pub(crate) processes: Slots,
    pub(crate) names: Names,
    pub(crate) unstopped: Unstopped,
    /// Which process a run under way belongs to.
    pub(crate) runs: BTreeMap<RunId, ProcId>,
    /// Which process a run is an errand of.
    pub(crate) errand_runs: BTreeMap<RunId, ProcId>,
    /// Errands that nobody waits for any more, and whose children are not there yet.
    pub(crate) unborn: BTreeSet<RunId>,
    /// Health checks that are commands.
    pub(crate) checks: Checks,
    pub(crate) signals: BTreeMap<SignalId, (ProcId, RunId, Why)>,
    pub(crate) waits: Waits,
    pub(crate) depends: Depends,
    pub(crate) schedules: Schedules,
    pub(crate) rolling: Rollings,
    pub(crate) phase: Phase,
    /// Runs of an earlier daemon whose child does not exist.
    pub(crate) lost: Vec<RunId>,
    /// What happened while there was no daemon is still being told, and deadlines wait: else a child that ended too
    /// quickly would count as started, because nobody has said yet that it ended.
    pub(crate) catching_up: bool,
    effects: VecDeque<Effect>,
    deadlines: BTreeSet<(Mono, ProcId)>,
    scheduled: BTreeMap<ProcId, Mono>,
    next_process: u32,
    next_run: u64,
    next_signal: u64,
}

impl Supervisor {
    /// Nothing supervised yet; set groups up, then [`Input::Begin`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a fact or a request. Follow with [`Self::poll_effect`] until it is empty.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.catching_up &= input.may_be_of_the_past();
        match input {
            Input::Tick => {}
            Input::ClockSet => self.clock_set(now),
            Input::Setup(spec) => self.setup_group(spec),
            Input::RestoreRolling(rolling) => self.restore_rolling(*rolling),
            Input::RestoreBehind(left) => self.restore_behind(*left),
            Input::Restore { group, process, saved, child_exists, errands } => {
                self.restore(now, &group, &process, &saved, child_exists, &errands);
            }
            Input::Planned(planned) => self.was_planned(&planned),
            Input::Begin { recovered } => self.begin(now, recovered),
            Input::Spawned { run, pid, at } => self.spawned(now, run, pid, at),
            Input::SpawnFailed { run, text } => self.not_spawned(now, run, text),
            Input::Exited { run, end, at } => self.exited(now, run, end, at),
            Input::Measured { run, memory } => self.measured(now, run, memory),
            Input::Signalled { id, outcome } => self.signalled(now, id, outcome),
            Input::Checked { run, number, finding } => self.checked(now, run, number, finding),
            Input::Notified { run, word } => self.notified(now, run, word),
            Input::Request { call, request } => self.request(now, call, request),
            Input::Resume { call, waiting } => {
                self.resume(now, call, waiting);
                self.end_after_answers();
            }
            Input::PoolIdle { pool } => self.pool_idle(&pool),
            Input::FilesChanged { section } => self.files_changed(now, &section),
            Input::Shutdown => self.begin_shutdown(now, false),
            Input::Restart => self.begin_shutdown(now, true),
        }
        self.run_deadlines(now);
        loop {
            self.follow_dependencies(now);
            self.advance_shutdown(now);
            if !self.schedules.is_empty() {
                self.run_schedules(now);
            }
            // Last: what comes before may concern it, and what it does is followed up in the next round.
            if !self.rolling.is_idle() {
                self.follow_rolling(now);
            }
            if self.catching_up || !self.depends.has_news() {
                break;
            }
        }
    }

    /// The next order, until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        // A start of everybody needs room once; a megabyte of it is not kept for the next time.
        if effect.is_none() && self.effects.capacity() > ROOM_KEPT {
            self.effects = VecDeque::new();
        }
        effect
    }

    /// When to call with [`Input::Tick`] if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        let process = self.deadlines.first().map(|&(at, _)| at);
        if self.depends.has_news() || self.schedules.has_news() {
            return Some(Mono(0));
        }
        let process = if self.rolling.is_idle() {
            process
        } else {
            process.into_iter().chain(self.rolling.deadline()).min()
        };
        match (process, self.shutdown_deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// One process.
    #[must_use]
    pub fn process(&self, id: ProcId) -> Option<&Process> {
        self.processes.get(&id)
    }

    /// Every process, by key.
    pub fn processes(&self) -> impl Iterator<Item = (ProcId, &Process)> {
        self.processes.iter()
    }

    /// The process a run under way belongs to, be it its own or an errand's.
    #[must_use]
    pub fn process_of(&self, run: RunId) -> Option<ProcId> {
        self.runs.get(&run).or_else(|| self.errand_runs.get(&run)).copied()
    }

    /// How many processes were looked at so far, where debug assertions are on: for tests of what a step costs.
    #[doc(hidden)]
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.processes.looks()
    }

    /// Whether requests to start are taken: false once a shutdown or restart began.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Makes sure no new run gets a number up to this one, which an earlier daemon gave.
    pub fn skip_runs(&mut self, used: RunId) {
        self.next_run = self.next_run.max(used.0);
    }

    /// The same as [`Self::new`], after this one: what somebody still knows of a run or a process of this one means none of the new one's.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { next_run: self.next_run, next_process: self.next_process, ..Self::new() }
    }

    /// The number of the latest run.
    #[must_use]
    pub fn last_run(&self) -> RunId {
        RunId(self.next_run)
    }

    pub(crate) fn order(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// If all is over already, answers come before that: who carries it out has forgotten who asked.
    fn end_after_answers(&mut self) {
        if let Phase::Down { .. } = self.phase {
            self.dismiss_waits();
            let (end, others) =
                self.effects.drain(..).partition(|effect| matches!(effect, Effect::Terminate { .. }));
            self.effects = others;
            self.effects.extend::<VecDeque<Effect>>(end);
        }
    }

    pub(crate) fn log(&mut self, notice: Notice) {
        self.order(Effect::Log(notice));
    }

    pub(crate) fn publish(&mut self, event: Event) {
        self.order(Effect::Publish(event));
    }

    /// A number that no run has had.
    pub(crate) fn new_number(&mut self) -> RunId {
        self.next_run += 1;
        RunId(self.next_run)
    }

    pub(crate) fn new_run(&mut self, id: ProcId) -> RunId {
        let run = self.new_number();
        self.runs.insert(run, id);
        run
    }

    pub(crate) fn new_errand(&mut self, id: ProcId) -> RunId {
        let run = self.new_number();
        self.errand_runs.insert(run, id);
        run
    }

    pub(crate) fn new_signal(&mut self, id: ProcId, run: RunId, why: Why) -> SignalId {
        self.next_signal += 1;
        let signal = SignalId(self.next_signal);
        self.signals.insert(signal, (id, run, why));
        signal
    }

    pub(crate) fn insert_process(&mut self, process: Process) -> ProcId {
        self.next_process += 1;
        let id = ProcId(self.next_process);
        let (group, name) = (process.group.clone(), process.spec.name.clone());
        self.depends.list(id, &process.spec);
        self.processes.insert(id, process);
        self.enlist(id);
        self.depends.arrived();
        self.publish(Event::ProcessAdded { id, group, process: name });
        id
    }

    pub(crate) fn forget_process(&mut self, now: Now, id: ProcId) {
        self.strike(id);
        if let Some(process) = self.processes.remove(&id) {
            self.unstopped.forget(id, &process.group);
            self.depends.gone(id, &process);
            self.abandon_errands(now, &process);
            if let Some(run) = process.state.run() {
                self.runs.remove(&run);
            }
            if let Some(at) = self.scheduled.remove(&id) {
                self.deadlines.remove(&(at, id));
            }
            self.schedules.set(id, None);
            self.leave_gone(id);
            self.publish(Event::ProcessRemoved(id));
            self.abandon_waits(id);
        }
    }

    /// Changes a state, publishes it, and tells those who wait. The only caller of [`Process::enter`].
    ///
    /// `pid` is the one the event shows: that of the child which just ended, if it is the end of a run.
    pub(crate) fn change(&mut self, id: ProcId, state: State, pid: u32) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (old_run, new_run) = (process.state.run(), state.run());
        // Shown as one state: begun when it began to wait.
        let waited = process.state == State::Waiting && state.name() == StateName::Starting;
        let from = process.enter(state);
        self.unstopped.follow(id, process);
        self.depends.follow(id, process, from);
        self.rolling.follow(id);
        if state.name().is_stopped() && process.timer().is_some_and(|timer| timer.queued) {
            self.schedules.has_ended(id);
        }
        let event = if waited {
            Event::WishChanged(id)
        } else {
            Event::ProcessState {
                id,
                from,
                to: state.name(),
                pid,
                tries: process.tries(),
                expected: matches!(state, State::Exited { expected: true }),
            }
        };
        if let Some(run) = old_run
            && new_run != old_run
        {
            self.runs.remove(&run);
        }
        self.publish(event);
        self.look_again_at_the_end(id);
        self.reschedule(id);
        self.settle_waits(id);
    }

    /// Brings the deadline queue up to date with a process.
    pub(crate) fn reschedule(&mut self, id: ProcId) {
        let due = self.processes.get(&id).and_then(Process::deadline);
        let before = match due {
            Some(at) => self.scheduled.insert(id, at),
            None => self.scheduled.remove(&id),
        };
        if before == due {
            return;
        }
        if let Some(at) = before {
            self.deadlines.remove(&(at, id));
        }
        if let Some(at) = due {
            self.deadlines.insert((at, id));
        }
    }

    fn run_deadlines(&mut self, now: Now) {
        while let Some(&(at, id)) = self.deadlines.first() {
            if at > now.mono || self.catching_up {
                break;
            }
            self.deadlines.remove(&(at, id));
            self.scheduled.remove(&id);
            self.deadline_passed(now, id);
            self.reschedule(id);
        }
    }

    fn deadline_passed(&mut self, now: Now, id: ProcId) {
        self.report_waiting(now, id);
        let Some(mut process) = self.processes.get(&id) else { return };
        if process.health.is_some() {
            self.look_at_health(now, id);
            let Some(still) = self.processes.get(&id) else { return };
            process = still;
        }
        let (state, before_stop) = (process.state, process.runs_errand(ErrandKind::PreStop));
        if !process.errands().is_empty() {
            self.kill_overdue_errands(now, id);
        }
        match state {
            State::Starting { run, child: Some(child) } => {
                self.stayed_up(now, id, run, child);
                self.look_at_bounds(now, id);
            }
            State::Running { .. } => self.look_at_bounds(now, id),
            State::Backoff { retry_at } if retry_at <= now.mono => self.retry(now, id),
            State::Stopping { run, child: Some(child), kill_at } if kill_at <= now.mono && !before_stop => {
                self.escalate(now, id, run, child);
            }
            State::Backoff { .. }
            | State::Stopping { .. }
            | State::Starting { child: None, .. }
            | State::Stopped
            | State::Waiting
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {}
        }
    }

    fn signalled(&mut self, now: Now, signal: SignalId, outcome: Result<(), SignalFailure>) {
        let Some((id, run, why)) = self.signals.remove(&signal) else { return };
        if let (Why::Errand, Err(SignalFailure { gone: false, error })) = (why, &outcome) {
            return self.errand_not_signalled(now, id, run, error);
        }
        if let Err(failure) = &outcome {
            self.signal_failed(id, run, why, failure);
        }
        self.settle_signal(signal, id, why, &outcome);
    }
}
