//! Requests whose asker waits: each is answered exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::depends::Along;
use crate::effect::{Answer, Effect, Outcome, Update};
use crate::errand::Verdict;
use crate::input::{CallId, Refusal, SignalFailure, SignalId};
use crate::notice::Notice;
use crate::ordered;
use crate::process::{ProcId, Process, RunId, State, StateName};
use crate::supervisor::Supervisor;
use crate::time::Now;

/// Time between two `waiting for NAME to stop` lines (PROC-309).
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Why a signal was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// To end the process.
    Ending,
    /// Because this request asked for it.
    Asked(CallId),
    /// To end what runs beside the process.
    Errand,
}

/// What an asker waits for in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Goal {
    /// That its child exists.
    Spawned,
    /// That it is RUNNING.
    Running,
    /// That the stop signal is on its way.
    StopSent,
    /// That it has stopped.
    Stopped,
    /// That this signal was sent.
    Signal(SignalId),
    /// That this errand is done.
    Errand(RunId),
}

/// The shape of the answer.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// One process, under the name that was asked for.
    One(String),
    /// Many processes.
    Many,
    /// An update, with what is known of it so far.
    Update(Update),
}

/// A request that waits for processes, as it is written down for the next daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The name that was asked for, of an answer about one process; `None` if it is about many.
    pub asked: Option<String>,
    /// What it waits for in each of them.
    pub aim: Aim,
    /// Each that has not come so far.
    pub open: Vec<Awaited>,
    /// What is known already.
    pub done: Vec<Outcome>,
    /// It is an update, which has done all this and waits for the rest to stop.
    pub update: Option<Box<Update>>,
}

/// One of the processes that a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its group.
    pub group: String,
    /// Its name.
    pub process: String,
    /// The run that is to come up, or to end, or that of the reload command; `None` if there was none.
    pub run: Option<RunId>,
}

/// What a request waits for that the next daemon can go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// That children exist.
    Spawned,
    /// That they are RUNNING.
    Running,
    /// That stop signals are on their way.
    StopSent,
    /// That they have stopped.
    Stopped,
    /// That reload commands are done.
    Reloaded,
}

impl Aim {
    /// They are to run.
    fn is_start(self) -> bool {
        matches!(self, Self::Spawned | Self::Running)
    }
}

#[derive(Clone, Debug)]
struct Wait {
    shape: Shape,
    open: BTreeSet<(ProcId, Goal)>,
    /// How many of them the next daemon could not wait for.
    own: usize,
    done: Vec<Outcome>,
}

impl Wait {
    fn new(shape: Shape, open: &[(ProcId, Goal)], done: Vec<Outcome>) -> Self {
        let open = ordered::set(open.iter().copied());
        let own = open.iter().filter(|(_, goal)| goal.aim().is_none()).count();
        Self { shape, open, own, done }
    }

    /// It waits for this no more.
    fn close(&mut self, id: ProcId, goal: Goal) {
        if self.open.remove(&(id, goal)) && goal.aim().is_none() {
            self.own -= 1;
        }
    }

    /// What is open in one process.
    fn goals(&self, id: ProcId) -> Vec<Goal> {
        let here = self.open.range((id, Goal::FIRST)..);
        here.take_while(|&&(owner, _)| owner == id).map(|&(_, goal)| goal).collect()
    }
}

impl Goal {
    /// No goal is before this one.
    const FIRST: Self = Self::Spawned;

    /// What the next daemon can wait for instead.
    fn aim(self) -> Option<Aim> {
        match self {
            Self::Spawned => Some(Aim::Spawned),
            Self::Running => Some(Aim::Running),
            Self::StopSent => Some(Aim::StopSent),
            Self::Stopped => Some(Aim::Stopped),
            Self::Errand(_) => Some(Aim::Reloaded),
            Self::Signal(_) => None,
        }
    }
}

/// All requests that are not answered yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    calls: BTreeMap<CallId, Wait>,
    by_process: BTreeMap<ProcId, Vec<CallId>>,
}

impl Waits {
    /// A request waits for nothing in this process any more.
    fn leave(&mut self, id: ProcId, call: CallId) {
        let Some(calls) = self.by_process.get_mut(&id) else { return };
        calls.retain(|&other| other != call);
        if calls.is_empty() {
            self.by_process.remove(&id);
        }
    }
}

impl Supervisor {
    /// Registers a request and answers at once if nothing is open.
    pub(crate) fn wait_for(
        &mut self,
        now: Now,
        call: CallId,
        shape: Shape,
        open: Vec<(ProcId, Goal)>,
        done: Vec<Outcome>,
    ) {
        for &(id, goal) in &open {
            self.waits.by_process.entry(id).or_default().push(call);
            if goal == Goal::Stopped {
                self.start_reporting(now, id);
            }
        }
        self.waits.calls.insert(call, Wait::new(shape, &open, done));
        let mut hopeful = BTreeSet::new();
        for (id, _) in open {
            self.settle_waits(id);
            self.settle_start_in_vain(id, &mut hopeful);
        }
        self.answer_if_done(call);
    }

    /// What a request waits for, if it still waits and somebody else could go on with it.
    #[must_use]
    pub fn waiting(&self, call: CallId) -> Option<Waiting> {
        let wait = self.waits.calls.get(&call).filter(|wait| wait.own == 0)?;
        let asked = match &wait.shape {
            Shape::One(asked) => Some(asked.clone()),
            Shape::Many | Shape::Update(_) => None,
        };
        let aim = wait.open.first()?.1.aim()?;
        if wait.open.iter().any(|(_, goal)| goal.aim() != Some(aim)) {
            return None;
        }
        let names = wait.open.iter().filter_map(|&(id, goal)| {
            let process = self.processes.get(&id)?;
            let run = if let Goal::Errand(run) = goal { Some(run) } else { process.start_under_way() };
            Some(Awaited { group: process.group().to_owned(), process: process.name().to_owned(), run })
        });
        let mut open: Vec<Awaited> = names.collect();
        if let Shape::Update(update) = &wait.shape {
            // How each ended is no part of its answer.
            return Some(Waiting {
                asked,
                aim,
                open,
                done: Vec::new(),
                update: Some(Box::new(update.clone())),
            });
        }
        let mut done = wait.done.clone();
        if aim == Aim::Spawned {
            // Those that wait for others are begun, but may not be written down yet.
            let (begun, others) = done.into_iter().partition(|outcome| self.is_waiting(outcome));
            open.extend(Vec::<Outcome>::into_iter(begun).filter_map(|outcome| self.awaited(outcome)));
            done = others;
        } else if matches!(aim, Aim::Stopped | Aim::StopSent) {
            // Those that have stopped may still be about to start, as far as it is written down.
            let (stopped, others) = done.into_iter().partition(|outcome| self.has_stopped(outcome));
            open.extend(Vec::<Outcome>::into_iter(stopped).filter_map(|outcome| self.stopped_since(outcome)));
            done = others;
        }
        Some(Waiting { asked, aim, open, done, update: None })
    }

    /// What has become of a request that still waits, behind the first `known` of it.
    #[must_use]
    pub fn outcomes_since(&self, call: CallId, known: usize) -> &[Outcome] {
        let done = self.waits.calls.get(&call).map(|wait| wait.done.as_slice());
        done.and_then(|done| done.get(known..)).unwrap_or_default()
    }

    fn is_waiting(&self, outcome: &Outcome) -> bool {
        let process = self.member(&outcome.group, &outcome.process).and_then(|id| self.processes.get(&id));
        outcome.result.is_ok() && process.is_some_and(|process| process.state == State::Waiting)
    }

    fn has_stopped(&self, outcome: &Outcome) -> bool {
        let process = self.member(&outcome.group, &outcome.process).and_then(|id| self.processes.get(&id));
        outcome.result.is_ok() && process.is_some_and(|process| process.state == State::Stopped)
    }

    fn stopped_since(&self, outcome: Outcome) -> Option<Awaited> {
        let Outcome { group, process, .. } = outcome;
        let run = self.processes.get(&self.member(&group, &process)?)?.last_run;
        Some(Awaited { group, process, run })
    }

    fn awaited(&self, outcome: Outcome) -> Option<Awaited> {
        let Outcome { group, process, .. } = outcome;
        let run = self.processes.get(&self.member(&group, &process)?)?.start_under_way();
        Some(Awaited { group, process, run })
    }

    /// Goes on with a request of an earlier daemon, which may have died before all that are part of it were told. A process
    /// that is gone has stopped.
    pub(crate) fn resume(&mut self, now: Now, call: CallId, waiting: Waiting) {
        let Waiting { asked, aim, open, mut done, update } = waiting;
        if let Some(update) = update {
            return self.resume_update(now, call, *update, open);
        }
        let shape = asked.map_or(Shape::Many, Shape::One);
        let goal = match aim {
            Aim::Spawned => Goal::Spawned,
            Aim::Running => Goal::Running,
            Aim::StopSent => Goal::StopSent,
            Aim::Stopped => Goal::Stopped,
            Aim::Reloaded => return self.resume_reloads(now, call, shape, open, done),
        };
        let mut ids = Vec::new();
        for Awaited { group, process, run } in open {
            run.into_iter().for_each(|run| self.skip_runs(run));
            let Some(id) = self.member(&group, &process) else { continue };
            if run.is_some_and(|run| self.was_stopped(id, run, goal)) {
                done.push(Outcome { group, process, result: Ok(()) });
            } else {
                ids.push((id, run));
            }
        }
        if self.phase.is_running() {
            self.tell_the_rest(now, aim.is_start(), &ids);
        }
        self.wait_for(now, call, shape, ids.into_iter().map(|(id, _)| (id, goal)).collect(), done);
    }

    /// Goes on with a request for reloads: commands that have not ended are waited for.
    fn resume_reloads(
        &mut self,
        now: Now,
        call: CallId,
        shape: Shape,
        open: Vec<Awaited>,
        mut done: Vec<Outcome>,
    ) {
        let mut goals = Vec::new();
        for Awaited { group, process, run } in open {
            run.into_iter().for_each(|run| self.skip_runs(run));
            match self.resume_reload(call, &group, &process, run) {
                Ok(goal) => goals.push(goal),
                Err(refusal) => done.push(Outcome { group, process, result: Err(refusal) }),
            }
        }
        self.wait_for(now, call, shape, goals, done);
    }

    /// A reload command that has not ended is waited for, one that the earlier daemon did not come to is begun.
    fn resume_reload(
        &mut self,
        call: CallId,
        group: &str,
        process: &str,
        run: Option<RunId>,
    ) -> Result<(ProcId, Goal), Refusal> {
        let id = self.member(group, process);
        let Some((id, process)) = id.and_then(|id| Some((id, self.processes.get(&id)?))) else {
            return Err(Refusal::BadName(format!("{group}:{process}")));
        };
        let asked = full_name(process);
        if let Some(run) = run.filter(|run| self.errand_runs.get(run) == Some(&id)) {
            return Ok((id, Goal::Errand(run)));
        }
        if process.last_run >= run {
            let text =
                format!("the daemon was killed, and what came of reload_command of {asked} is not known");
            return Err(Refusal::Failed(text));
        }
        if self.phase.is_ending() {
            return Err(Refusal::ShuttingDown);
        }
        self.try_reload(call, id, &asked).map(|goal| (id, goal))
    }

    /// Whether what a request wants to stop has got what it is to get: it has been started again since, or the signal is on
    /// its way and nothing else is waited for.
    fn was_stopped(&self, id: ProcId, run: RunId, goal: Goal) -> bool {
        let stopping = |process: &Process| matches!(process.state, State::Stopping { .. });
        match goal {
            Goal::Stopped => self.runs_anew(id, run),
            Goal::StopSent => self.runs_anew(id, run) || self.processes.get(&id).is_some_and(stopping),
            Goal::Spawned | Goal::Running | Goal::Signal(_) | Goal::Errand(_) => false,
        }
    }

    /// Whether a process has been started again since this run of it, so that what is to stop has stopped.
    fn runs_anew(&self, id: ProcId, since: RunId) -> bool {
        let Some(process) = self.processes.get(&id) else { return false };
        match process.state {
            // It has no run yet, but the number of one.
            State::Waiting | State::Backoff { .. } => process.last_run > Some(since),
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Unknown { .. }
            | State::Stopped
            | State::Exited { .. }
            | State::Fatal => process.state.run().is_some_and(|run| run != since),
        }
    }

    /// Starts or stops those that the earlier daemon did not come to.
    fn tell_the_rest(&mut self, now: Now, to_run: bool, ids: &[(ProcId, Option<RunId>)]) {
        let untold = ids.iter().filter(|(id, run)| {
            self.processes.get(id).is_some_and(|process| {
                let name = process.state.name();
                if to_run {
                    run.is_some() && process.last_run < *run && name.is_startable()
                } else if matches!(process.state, State::Waiting | State::Backoff { .. }) {
                    // It has no child, and was about to get one.
                    process.last_run == *run
                } else {
                    run.is_some() && process.state.run() == *run && name.is_running()
                }
            })
        });
        let untold: Vec<ProcId> = untold.map(|&(id, _)| id).collect();
        if to_run {
            for id in untold {
                // One may have brought another.
                if self.processes.get(&id).is_some_and(|process| process.state.name().is_startable()) {
                    self.switch_on(now, id);
                    self.start(now, id);
                    self.order(Effect::Pause);
                }
            }
        } else {
            for &(id, _) in ids {
                if !self.stays_stopped(id) {
                    self.stop_for_good(id);
                }
            }
            for &id in &untold {
                self.switch_off(id);
            }
            self.stop_in_order(now, &untold, Along::Dependants);
        }
    }

    /// Answers a request at once.
    pub(crate) fn answer(&mut self, call: CallId, result: Result<(), Refusal>) {
        self.order(Effect::Answer { call, answer: Answer::One(result) });
    }

    /// A process changed: whose goal is reached, or out of reach?
    pub(crate) fn settle_waits(&mut self, id: ProcId) {
        let Some(calls) = self.waits.by_process.get(&id).cloned() else { return };
        for call in calls {
            self.settle_call(call, id, verdict);
        }
    }

    /// Nobody waits for a start that something is in the way of which nothing is going to remove: it may come all the
    /// same, some day.
    pub(crate) fn settle_start_in_vain(&mut self, id: ProcId, hopeful: &mut BTreeSet<ProcId>) {
        if self.has_waits() {
            let row = self.row_in_vain(id, hopeful);
            self.refuse_starts(row);
        }
    }

    /// Whether anybody waits for anything.
    pub(crate) fn has_waits(&self) -> bool {
        !self.waits.by_process.is_empty()
    }

    /// Nothing is going to come of these starts: whoever waits for one is told so.
    pub(crate) fn refuse_starts(&mut self, ids: BTreeSet<ProcId>) {
        for id in ids {
            for call in self.waits.by_process.get(&id).cloned().unwrap_or_default() {
                self.settle_call(call, id, |process, goal| {
                    (goal == Goal::Running).then(|| Err(Refusal::AbnormalTermination(full_name(process))))
                });
            }
        }
    }

    /// A signal that somebody asked for was sent, or not.
    pub(crate) fn settle_signal(
        &mut self,
        signal: SignalId,
        id: ProcId,
        why: Why,
        outcome: &Result<(), SignalFailure>,
    ) {
        match why {
            Why::Errand => {}
            Why::Ending => {
                if let Some(calls) = self.waits.by_process.get(&id).cloned() {
                    for call in calls {
                        self.settle_call(call, id, |_, goal| (goal == Goal::StopSent).then_some(Ok(())));
                    }
                }
            }
            Why::Asked(call) => {
                let result = match outcome {
                    Err(failure) if !failure.gone => Err(failure.error.clone()),
                    Ok(()) | Err(_) => Ok(()),
                };
                self.settle_call(call, id, |process, goal| {
                    (goal == Goal::Signal(signal)).then(|| {
                        result.clone().map_err(|error| {
                            let (name, pid) = (process.name().to_owned(), process.pid());
                            Refusal::Failed(Notice::SendProblem { name, pid, error }.to_string())
                        })
                    })
                });
            }
        }
    }

    /// An errand that somebody asked for is over.
    pub(crate) fn settle_errand(&mut self, id: ProcId, run: RunId, verdict: &Verdict) {
        let Some(calls) = self.waits.by_process.get(&id).cloned() else { return };
        for call in calls {
            self.settle_call(call, id, |process, goal| {
                (goal == Goal::Errand(run)).then(|| {
                    let name = full_name(process);
                    match verdict {
                        Verdict::Done => Ok(()),
                        Verdict::Failed(why) | Verdict::Overdue(why) => {
                            Err(Refusal::Failed(format!("reload_command of {name} failed: {why}")))
                        }
                        Verdict::CalledOff => Err(Refusal::NotRunning(name)),
                    }
                })
            });
        }
    }

    /// A process is gone for good: nothing is left to wait for in it.
    pub(crate) fn abandon_waits(&mut self, id: ProcId) {
        for call in self.waits.by_process.remove(&id).unwrap_or_default() {
            if let Some(wait) = self.waits.calls.get_mut(&call) {
                for goal in wait.goals(id) {
                    wait.close(id, goal);
                }
            }
            self.answer_if_done(call);
        }
    }

    /// Nothing more will happen: whoever still waits is told so.
    pub(crate) fn dismiss_waits(&mut self) {
        self.waits.by_process.clear();
        for call in std::mem::take(&mut self.waits.calls).into_keys() {
            self.answer(call, Err(Refusal::ShuttingDown));
        }
    }

    /// Settles the goals that a call has in one process by `judge`, then answers if none is left.
    fn settle_call(
        &mut self,
        call: CallId,
        id: ProcId,
        judge: impl Fn(&Process, Goal) -> Option<Result<(), Refusal>>,
    ) {
        let Some(process) = self.processes.get(&id) else { return };
        let Some(wait) = self.waits.calls.get_mut(&call) else { return };
        let mut waits = false;
        for goal in wait.goals(id) {
            match judge(process, goal) {
                Some(result) => {
                    wait.close(id, goal);
                    wait.done.push(outcome(process, result));
                }
                None => waits = true,
            }
        }
        if !waits {
            self.waits.leave(id, call);
        }
        self.answer_if_done(call);
    }

    fn answer_if_done(&mut self, call: CallId) {
        if self.waits.calls.get(&call).is_none_or(|wait| !wait.open.is_empty()) {
            return;
        }
        let Some(wait) = self.waits.calls.remove(&call) else { return };
        let answer = match wait.shape {
            Shape::Many => Answer::Many(wait.done),
            Shape::Update(update) => Answer::Updated(update),
            Shape::One(asked) => {
                let result = wait.done.into_iter().next().map_or(Ok(()), |outcome| outcome.result);
                Answer::One(result.map_err(|refusal| refusal.about(asked)))
            }
        };
        self.order(Effect::Answer { call, answer });
    }

    fn start_reporting(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let stopping = matches!(process.state, State::Stopping { .. });
        if stopping && process.report_at.is_none() {
            process.report_at = Some(now.mono);
            self.report_waiting(now, id);
            self.reschedule(id);
        }
    }

    /// Logs `waiting for NAME to stop` while a client waits for it (PROC-309).
    pub(crate) fn report_waiting(&mut self, now: Now, id: ProcId) {
        let watched = self.waits.by_process.contains_key(&id);
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.report_at.is_none_or(|at| at > now.mono) {
            return;
        }
        let stopping = matches!(process.state, State::Stopping { .. });
        process.report_at = (stopping && watched).then(|| now.mono.after(REPORT_EVERY));
        if stopping && watched {
            let name = process.name().to_owned();
            self.log(Notice::WaitingToStop { name });
        }
    }
}

/// Whether a goal is reached (`Ok`), out of reach (`Err`), or still open.
fn verdict(process: &Process, goal: Goal) -> Option<Result<(), Refusal>> {
    match goal {
        Goal::Running => start_verdict(process, false),
        Goal::Spawned => start_verdict(process, true),
        Goal::Stopped => stop_verdict(process),
        Goal::StopSent
            if process.state.name() == StateName::Stopping && process.waits_for_errand().is_some() =>
        {
            Some(Ok(()))
        }
        Goal::StopSent => stop_verdict(process),
        Goal::Errand(_) => None,
        Goal::Signal(_) => signal_verdict(process),
    }
}

/// RPC-111: the spawn error first, then the state.
fn start_verdict(process: &Process, child_is_enough: bool) -> Option<Result<(), Refusal>> {
    if process.state == State::Waiting {
        return child_is_enough.then_some(Ok(()));
    }
    match process.state.name() {
        StateName::Running => Some(Ok(())),
        StateName::Starting => {
            let begun = process.state.child().is_some() || process.waits_for_errand().is_some();
            (child_is_enough && begun).then_some(Ok(()))
        }
        StateName::Stopped
        | StateName::Backoff
        | StateName::Stopping
        | StateName::Exited
        | StateName::Fatal
        | StateName::Unknown => Some(Err(match process.spawnerr {
            Some(_) => Refusal::SpawnError(full_name(process)),
            None => Refusal::AbnormalTermination(full_name(process)),
        })),
    }
}

/// Nobody is left to be signalled. A signal that failed and made it UNKNOWN is judged by its own answer.
fn signal_verdict(process: &Process) -> Option<Result<(), Refusal>> {
    let name = process.state.name();
    (name.is_stopped() && name != StateName::Unknown).then_some(Ok(()))
}

fn stop_verdict(process: &Process) -> Option<Result<(), Refusal>> {
    let name = process.state.name();
    if name == StateName::Unknown {
        let text = process.signal_problem.clone().unwrap_or_default();
        return Some(Err(Refusal::Failed(text)));
    }
    name.is_stopped().then_some(Ok(()))
}

/// `P` if the group has the same name, else `G:P` (RPC-080).
pub(crate) fn full_name(process: &Process) -> String {
    if process.group() == process.name() {
        process.spec.name.clone()
    } else {
        format!("{}:{}", process.group, process.spec.name)
    }
}

pub(crate) fn outcome(process: &Process, result: Result<(), Refusal>) -> Outcome {
    Outcome { group: process.group().to_owned(), process: process.spec.name.clone(), result }
}

impl Refusal {
    /// The same refusal, naming the process as the asker did.
    #[must_use]
    fn about(self, asked: String) -> Self {
        match self {
            Self::SpawnError(_) => Self::SpawnError(asked),
            Self::AbnormalTermination(_) => Self::AbnormalTermination(asked),
            Self::NotRunning(_) => Self::NotRunning(asked),
            Self::AlreadyStarted(_) => Self::AlreadyStarted(asked),
            Self::BadName(_)
            | Self::NoFile(_)
            | Self::NotExecutable(_)
            | Self::BadSignal(_)
            | Self::Failed(_)
            | Self::AlreadyAdded(_)
            | Self::StillRunning(_)
            | Self::ShuttingDown => self,
        }
    }
}
