//! What a rolling restart is made of, and how it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Batch, MOST_AT_ONCE, Member, Rolling, RollingEnd, Stage};
use crate::effect::{Answer, Effect, Event};
use crate::input::{CallId, Refusal};
use crate::notice::Notice;
use crate::ordered;
use crate::process::{AfterStop, ProcId, Process, State, StateName};
use crate::spec::ProcessSpec;
use crate::supervisor::Supervisor;
use crate::time::Mono;
use crate::wait::full_name;

impl Supervisor {
    /// Somebody asks for one; the answer names it, and comes when it has begun.
    pub(crate) fn restart_rolling(
        &mut self,
        call: CallId,
        targets: &[ProcId],
        batch: Option<Batch>,
        wait: Option<Duration>,
    ) {
        if let Some(refusal) = self.rolling_refusal(targets) {
            return self.answer(call, Err(refusal));
        }
        let number = self.begin_rolling(targets, false, batch, wait, &[]);
        self.order(Effect::Answer { call, answer: Answer::Rolling(number) });
    }

    /// Two at a time of one process would wait for each other.
    fn rolling_refusal(&self, targets: &[ProcId]) -> Option<Refusal> {
        let taken = targets.iter().find_map(|id| Some((*id, self.rolling.by_process.get(id)?.0)));
        if let Some((process, number)) =
            taken.and_then(|(id, number)| Some((self.processes.get(&id)?, number)))
        {
            let name = full_name(process);
            let text = format!("rolling restart {number} is under way, and {name} is part of it");
            return Some(Refusal::Failed(text));
        }
        let many = self.rolling.under_way.len() >= MOST_AT_ONCE;
        many.then(|| Refusal::Failed(format!("{MOST_AT_ONCE} rolling restarts are under way already")))
    }

    /// Begins one with these processes, in this order; those that do not run well come first. Those in `begun` are on their way up
    /// already, and waited for until then: nobody else is restarted before they are well. Its number.
    pub(crate) fn begin_rolling(
        &mut self,
        targets: &[ProcId],
        update: bool,
        batch: Option<Batch>,
        wait: Option<Duration>,
        begun: &[(ProcId, Mono)],
    ) -> u64 {
        let mut known = BTreeSet::new();
        let ids = targets.iter().copied().filter(|id| known.insert(*id));
        let (well, unwell): (Vec<ProcId>, Vec<ProcId>) =
            ids.partition(|id| self.processes.get(id).is_some_and(Process::is_well));
        let ids = unwell.into_iter().chain(well);
        let begun = begun.iter().filter(|(id, _)| !known.contains(id));
        let begun = begun.filter_map(|&(id, until)| {
            let stage = Stage::Starting { until };
            Some(Member { stage, ..self.new_member(id)? })
        });
        let members: Vec<Member> = begun.chain(ids.filter_map(|id| self.new_member(id))).collect();
        let number = self.rolling.last + 1;
        let rolling = Rolling { number, update, batch, wait, members, end: None };
        self.log(Notice::RollingBegins { number, count: rolling.wanted() });
        self.enter_rolling(rolling);
        self.rolling_changed(number, &[]);
        number
    }

    fn new_member(&self, id: ProcId) -> Option<Member> {
        let process = self.processes.get(&id)?;
        let stage = match self.reason_to_leave(id, process) {
            Some(why) => Stage::Left(why),
            None => Stage::Pending,
        };
        Some(Member { group: process.group().to_owned(), process: process.name().to_owned(), stage })
    }

    /// Why a process is not restarted: only what runs, and is meant to, is.
    pub(crate) fn reason_to_leave(&self, id: ProcId, process: &Process) -> Option<String> {
        let is_stopped = || Some(format!("it is {}", process.state.name().as_str()));
        if process.spec.schedule.is_some() {
            return Some("it runs by its schedule".to_owned());
        }
        match process.state.name() {
            StateName::Stopped | StateName::Exited | StateName::Fatal | StateName::Unknown => is_stopped(),
            StateName::Stopping if !process.is_to_start_again() => is_stopped(),
            StateName::Starting | StateName::Running | StateName::Backoff | StateName::Stopping => {
                let stops = self.depends.is_put_off(id) && !process.is_to_start_again();
                stops.then(|| "it is about to be stopped".to_owned())
            }
        }
    }

    /// A group gets other options: what is under way with its processes is over. Those that are on their way up, and how long they
    /// have for that.
    pub(crate) fn leave_rolling(&mut self, group: &str) -> Vec<(ProcId, Mono)> {
        if self.rolling.by_process.is_empty() && self.rolling.behind.is_empty() {
            return Vec::new();
        }
        let members = self.group(group).map(|group| group.members.clone()).unwrap_or_default();
        let numbers = members.iter().filter_map(|id| Some(self.rolling.by_process.get(id)?.0));
        let numbers = ordered::set(numbers);
        let begun = members.iter().filter_map(|&id| Some((id, self.rolling.starting_until(id)?))).collect();
        for number in numbers {
            self.end_rolling(number, RollingEnd::CalledOff(format!("group {group} was updated")));
        }
        for id in members {
            self.rolling.behind.remove(&id);
        }
        begun
    }

    /// Everything ends.
    pub(crate) fn leave_all_rolling(&mut self) {
        let numbers: Vec<u64> = self.rolling.under_way.keys().copied().collect();
        for number in numbers {
            self.end_rolling(number, RollingEnd::CalledOff("everything is stopped".to_owned()));
        }
    }

    pub(super) fn end_rolling(&mut self, number: u64, end: RollingEnd) {
        let Some(rolling) = self.rolling.all.get_mut(&number) else { return };
        rolling.end = Some(end.clone());
        let notice = match end {
            RollingEnd::Done => Notice::RollingDone { number, done: rolling.done() },
            RollingEnd::CalledOff(why) => {
                Notice::RollingCalledOff { number, why, untouched: rolling.untouched() }
            }
            RollingEnd::Failed => {
                let (name, why) = rolling.failure().unwrap_or_default();
                Notice::RollingFailed { number, name, why: why.to_owned(), untouched: rolling.untouched() }
            }
        };
        self.rolling.close(number);
        self.log(notice);
        self.rolling_changed(number, &[]);
        self.publish(Event::RollingOver(number));
    }
}

impl Process {
    /// Whether it ends only to start again.
    pub(crate) fn is_to_start_again(&self) -> bool {
        match &self.after_stop {
            AfterStop::Again => true,
            AfterStop::Replace { start, .. } => *start,
            AfterStop::Stay | AfterStop::Remove => false,
        }
    }

    /// The options that its next run has: those that it has, unless it is being stopped to get others.
    pub(super) fn options_to_be(&self) -> &Arc<ProcessSpec> {
        match &self.after_stop {
            AfterStop::Replace { spec, .. } => spec,
            AfterStop::Stay | AfterStop::Again | AfterStop::Remove => &self.spec,
        }
    }

    /// Why it is not what it should be, as far as that is known.
    pub(super) fn trouble(&self) -> String {
        let name = self.state.name().as_str();
        match (&self.spawnerr, self.exitstatus) {
            (Some(error), _) if !error.is_empty() => format!("it is {name}: {error}"),
            (_, Some(code)) if !matches!(self.state, State::Running { .. }) => {
                format!("it is {name}, exit status {code}")
            }
            (Some(_) | None, _) => format!("it is {name}"),
        }
    }
}
