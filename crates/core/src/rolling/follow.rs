//! How a rolling restart goes on.

use std::collections::BTreeSet;

use super::progress::Progress;
use super::{GONE, Member, Rolling, RollingEnd, Stage};
use crate::depends::Along;
use crate::effect::{Effect, Event};
use crate::health::Verdict;
use crate::notice::Notice;
use crate::process::{AfterStop, ProcId, Process, RunId, State};
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now};

/// What a look at a process comes to.
enum Look {
    /// It goes on by itself.
    Waits,
    /// It has to be told to restart, perhaps once more.
    Restart,
    /// It is so far.
    Is(Stage),
}

impl Supervisor {
    /// Looks at what has changed, and goes on.
    #[cold]
    #[inline(never)]
    pub(crate) fn follow_rolling(&mut self, now: Now) {
        if self.catching_up || !self.phase.is_running() {
            return;
        }
        self.rolling.note_due(now.mono);
        while let Some((number, members)) = self.rolling.news.pop_first() {
            self.go_on_rolling(now, number, &members);
        }
    }

    fn go_on_rolling(&mut self, now: Now, number: u64, members: &BTreeSet<usize>) {
        let Some(rolling) = self.rolling.all.get(&number).filter(|rolling| rolling.end.is_none()) else {
            return;
        };
        let busy = members.iter().filter_map(|&at| Some((at, rolling.members.get(at)?)));
        let busy = busy.filter(|(_, member)| member.is_busy());
        let looks: Vec<(usize, Look)> =
            busy.map(|(at, member)| (at, self.look(now, rolling, member))).collect();
        let mut again = Vec::new();
        for (at, look) in looks {
            match look {
                Look::Waits => {}
                Look::Restart => again.push(at),
                Look::Is(stage) => {
                    if matches!(stage, Stage::Starting { .. }) {
                        // It may be well already, and nothing more be heard of it.
                        self.rolling.news.entry(number).or_default().insert(at);
                    }
                    self.set_stage(number, at, stage);
                }
            }
        }
        if !again.is_empty() {
            return self.restart_members(now, number, &again);
        }
        if self.rolling.under_way.get(&number).is_some_and(Progress::is_at_rest) {
            self.next_batch(now, number);
        }
    }

    /// A process is gone for good, and another one of its name has no part in this.
    pub(crate) fn leave_gone(&mut self, id: ProcId) {
        let Some((number, at)) = self.rolling.gone(id) else { return };
        let member = self.rolling.all.get(&number).and_then(|rolling| rolling.members.get(at));
        if member.is_some_and(|member| member.is_busy() || member.stage == Stage::Pending) {
            self.set_stage(number, at, Stage::Left(GONE.to_owned()));
        }
    }

    fn set_stage(&mut self, number: u64, at: usize, stage: Stage) {
        let is_done = stage == Stage::Done;
        self.rolling.set_stage(number, at, stage);
        self.rolling_changed(number, &[at]);
        let Some(progress) = self.rolling.under_way.get(&number).filter(|_| is_done) else { return };
        let (done, of) = (progress.done, progress.wanted);
        let member = self.rolling.all.get(&number).and_then(|rolling| rolling.members.get(at));
        if let Some(name) = member.map(Member::full_name) {
            self.log(Notice::RollingStep { number, name, done, of });
        }
    }

    /// How far one is that is under way.
    fn look(&self, now: Now, rolling: &Rolling, member: &Member) -> Look {
        let id = self.member(&member.group, &member.process);
        let Some((id, process)) = id.and_then(|id| Some((id, self.processes.get(&id)?))) else {
            return Look::Is(Stage::Left(GONE.to_owned()));
        };
        match member.stage {
            Stage::Ending { run } => self.look_at_end(now, rolling, id, process, run),
            Stage::Starting { until } => self.look_at_start(now, id, process, until),
            Stage::Pending | Stage::Done | Stage::Failed(_) | Stage::Left(_) => Look::Waits,
        }
    }

    fn look_at_end(
        &self,
        now: Now,
        rolling: &Rolling,
        id: ProcId,
        process: &Process,
        run: Option<RunId>,
    ) -> Look {
        let wait = rolling.wait.unwrap_or_else(|| process.spec.rolling_wait());
        let has_begun = Look::Is(Stage::Starting { until: now.mono.after(wait) });
        if self.is_behind(id) {
            return Look::Restart;
        }
        match process.state {
            State::Stopping { .. } if process.is_to_start_again() => Look::Waits,
            State::Starting { .. } | State::Running { .. } if process.state.run() == run => {
                match (self.depends.is_put_off(id), process.is_to_start_again()) {
                    (true, true) => Look::Waits,
                    (true, false) => Look::Is(Stage::Failed("it was stopped".to_owned())),
                    (false, _) => Look::Restart,
                }
            }
            State::Starting { .. } | State::Running { .. } | State::Backoff { .. } | State::Waiting => {
                has_begun
            }
            State::Stopping { .. } | State::Stopped => Look::Is(Stage::Failed("it was stopped".to_owned())),
            State::Exited { .. } | State::Fatal => Look::Is(Stage::Failed(process.trouble())),
            State::Unknown { .. } => {
                let why = process.signal_problem.as_ref().map(|why| format!(": {why}"));
                Look::Is(Stage::Failed(format!("it cannot be stopped{}", why.unwrap_or_default())))
            }
        }
    }

    fn look_at_start(&self, now: Now, id: ProcId, process: &Process, until: Mono) -> Look {
        let failed = |why: String| Look::Is(Stage::Failed(why));
        let verdict = process.health().map(|health| health.verdict);
        match process.state {
            State::Running { .. } if self.depends.is_put_off(id) && !process.is_to_start_again() => {
                failed("it was stopped".to_owned())
            }
            State::Running { .. } if process.is_healthy() => Look::Is(Stage::Done),
            // It may be about to end for that.
            State::Starting { .. } | State::Running { .. } | State::Stopping { .. }
                if verdict == Some(Verdict::Unhealthy) =>
            {
                let reason = process.health().and_then(|health| health.reason.as_ref());
                failed(format!("it is unhealthy{}", reason.map(|why| format!(": {why}")).unwrap_or_default()))
            }
            // One that does its work and ends has nobody who asks how it is.
            State::Exited { expected: true } if process.spec.health.is_none() => Look::Is(Stage::Done),
            State::Exited { expected: true } => failed("it has ended before it was healthy".to_owned()),
            State::Exited { expected: false } | State::Fatal => failed(process.trouble()),
            State::Stopped => failed("it was stopped".to_owned()),
            State::Stopping { .. } if !process.is_to_start_again() => failed("it was stopped".to_owned()),
            State::Unknown { .. } => failed(process.trouble()),
            State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Waiting
            | State::Stopping { .. }
                if now.mono >= until =>
            {
                failed(self.lateness(process))
            }
            State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Waiting
            | State::Stopping { .. } => Look::Waits,
        }
    }

    /// Why one is not well in time.
    fn lateness(&self, process: &Process) -> String {
        let reason = process.health().and_then(|health| health.reason.clone());
        match (process.state, self.obstacle_of(process), reason) {
            (State::Waiting, Some(obstacle), _) => format!("its time is over: it {obstacle}"),
            (State::Running { .. }, _, Some(reason)) => format!("it is not healthy in time: {reason}"),
            (State::Running { .. }, _, None) => "it is not healthy in time".to_owned(),
            (_, _, _) => format!("its time is over: {}", process.trouble()),
        }
    }

    /// The last ones are done: the next ones begin, or it is over.
    fn next_batch(&mut self, now: Now, number: u64) {
        let Some(progress) = self.rolling.under_way.get(&number) else { return };
        if progress.has_failed {
            return self.end_rolling(number, RollingEnd::Failed);
        }
        let batch = self.batch_of(number, progress);
        if batch.is_empty() {
            return self.end_rolling(number, RollingEnd::Done);
        }
        self.restart_members(now, number, &batch);
    }

    /// Those whose turn it is: all of one program.
    fn batch_of(&self, number: u64, progress: &Progress) -> Vec<usize> {
        let rolling = self.rolling.all.get(&number);
        let first = progress.next().and_then(|at| Some((at, rolling?, rolling?.members.get(at)?)));
        let Some((at, rolling, first)) = first else { return Vec::new() };
        let batch = rolling.batch.or_else(|| {
            let id = self.member(&first.group, &first.process)?;
            let process = self.processes.get(&id)?;
            let options = self.rolling.behind.get(&id).unwrap_or_else(|| process.options_to_be());
            Some(options.batch())
        });
        progress.batch(at, |all| batch.map_or(1, |batch| batch.of(all)))
    }

    /// Restarts some. What is written down comes first, and before that the options that they get.
    fn restart_members(&mut self, now: Now, number: u64, batch: &[usize]) {
        let mut stops = Vec::new();
        for &at in batch {
            let member = self.rolling.all.get(&number).and_then(|rolling| rolling.members.get(at));
            let id = member.and_then(|member| self.member(&member.group, &member.process));
            let stage = match id.and_then(|id| Some((id, self.processes.get(&id)?))) {
                None => Stage::Left(GONE.to_owned()),
                Some((id, process)) => match self.reason_to_leave(id, process) {
                    Some(why) => {
                        self.catch_up_options(now, id);
                        Stage::Left(why)
                    }
                    None => {
                        let run = process.state.run();
                        stops.push(id);
                        Stage::Ending { run }
                    }
                },
            };
            self.rolling.set_stage(number, at, stage);
        }
        let options: Vec<_> = stops.iter().map(|id| self.rolling.behind.remove(id)).collect();
        self.rolling_changed(number, batch);
        for (&id, options) in stops.iter().zip(options) {
            let Some(process) = self.processes.get_mut(&id) else { continue };
            let spec = options.unwrap_or_else(|| process.options_to_be().clone());
            process.after_stop = AfterStop::Replace { spec, start: true };
            self.publish(Event::WishChanged(id));
        }
        stops.retain(|id| {
            let stopping = |process: &Process| matches!(process.state, State::Stopping { .. });
            !self.depends.is_put_off(*id) && !self.processes.get(id).is_some_and(stopping)
        });
        self.stop_in_order(now, &stops, Along::Dependants);
        self.rolling.news.entry(number).or_default().extend(batch);
    }

    /// One that is not restarted has its new options all the same, as it would without a rolling restart.
    fn catch_up_options(&mut self, now: Now, id: ProcId) {
        let Some(spec) = self.rolling.behind.remove(&id) else { return };
        let Some(process) = self.processes.get_mut(&id) else { return };
        match process.state {
            State::Waiting
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Unknown { .. } => process.after_stop = AfterStop::Replace { spec, start: false },
            State::Stopped | State::Exited { .. } | State::Fatal => {
                self.set_spec(now, id, spec);
                self.keep_schedule(now, id);
                self.order(Effect::Reconfigure { id });
            }
        }
        self.publish(Event::WishChanged(id));
    }
}
