//! Carrying out what the supervisor orders.

use upkeep_core::{
    Answer, CallId, Effect, Event, Input, Meter, PlannedRun, ProcId, Process, RunId, StateName, Usage,
};

use crate::ask::join;
use crate::crash::Ending;
use crate::sim::Sim;
use crate::tell::text_of;

/// Orders of one turn that are taken for an endless loop.
const FLOOD: usize = 20_000;

impl Sim {
    /// Carries out all orders there are, unless the daemon is to die among them.
    pub(crate) fn carry_out(&mut self) {
        for count in 0.. {
            if self.dies_now(count) {
                return;
            }
            let Some(effect) = self.core.poll_effect() else { return };
            assert!(count < FLOOD, "the supervisor orders without end\n{}", self.recent());
            if let Some(step) = self.trace.back_mut() {
                step.push_str(&format!("\n             {effect:?}"));
            }
            self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { id, run } => {
                let process = self.name(id);
                self.launches.push((self.now, process.clone(), run));
                self.machine.launch(self.now, run, &process);
            }
            Effect::Errand { id, run, kind } => {
                let errand = format!("{} {kind}", self.name(id));
                self.machine.launch(self.now, run, &errand);
            }
            Effect::Signal { id, run, signal, group } => {
                self.machine.signal(self.now, id, run, signal, group);
            }
            Effect::Check { run, number, .. } => self.machine.ask(self.now, run, number),
            Effect::Publish(event) => self.published(&event),
            Effect::Reconfigure { id } => self.reconfigured.push(self.name(id)),
            Effect::Log(notice) => self.log.push((self.now, notice)),
            Effect::Answer { call, answer } => self.answered(call, answer),
            Effect::EndInFailure => self.failed = true,
            Effect::AwaitIdle { pool } => {
                let now = self.now();
                self.core.handle(now, Input::PoolIdle { pool });
            }
            Effect::Pause => {}
            Effect::Measure { run, .. } => {
                let name = self.core.process_of(run).map(|id| self.name(id)).unwrap_or_default();
                let memory = self.memory.get(&name).cloned().unwrap_or(Ok(0));
                let memory = memory.map(|bytes| Usage { bytes, meter: Meter::Shares });
                self.measured += 1;
                self.core.handle(self.now(), Input::Measured { run, memory });
            }
            Effect::Terminate { restart } => self.terminated(restart),
        }
    }

    fn published(&mut self, event: &Event) {
        match event {
            Event::ProcessAdded { id, group, process } => {
                self.names.insert(*id, join(group, process));
                self.save(*id);
            }
            Event::WishChanged(id) => {
                self.renew_clients();
                self.save(*id);
            }
            Event::ProcessState { id, .. }
            | Event::CrashLoop { id, .. }
            | Event::Beyond { id, .. }
            | Event::Health { id, .. }
            | Event::ChildSpawned(id) => self.save(*id),
            Event::ProcessRemoved(id) => {
                if let Some(name) = self.names.remove(id) {
                    self.records.remove(&name);
                }
            }
            Event::RollingChanged { number, members } => self.save_rolling(*number, members),
            Event::SupervisorStopping => self.ending = Ending::of(self.core.phase()),
            Event::GroupAdded(_)
            | Event::GroupRemoved(_)
            | Event::RollingOver(_)
            | Event::SupervisorRunning => {}
        }
        let text = text_of(event, |id| self.name(id));
        self.events.extend(text.map(|text| (self.now, text)));
    }

    /// Writes a process down for the next daemon, as it stands now.
    fn save(&mut self, id: ProcId) {
        let saved = self.core.saved(id);
        if let (Some(name), Some(saved)) = (self.names.get(&id), saved) {
            self.records.insert(name.clone(), saved);
        }
    }

    /// Writes a rolling restart down, then who is behind: what is over and not told of any more is forgotten.
    fn save_rolling(&mut self, number: u64, members: &[usize]) {
        let found = self.core.rolling(number);
        match (found, self.rollings.get_mut(&number)) {
            // Only what the core says has changed, so that a crash shows what it does not say.
            (Some(found), Some(saved)) if !members.is_empty() => {
                members.iter().for_each(|&at| saved.members[at].clone_from(&found.members[at]));
            }
            (Some(found), _) => drop(self.rollings.insert(number, found.clone())),
            (None, _) => {}
        }
        let core = &self.core;
        self.rollings.retain(|number, _| core.rollings().any(|rolling| rolling.number == *number));
        self.behind.retain(|name, _| {
            let (group, process) = crate::ask::split(name);
            core.member(group, process).is_some_and(|id| core.is_behind(id))
        });
    }

    fn answered(&mut self, call: CallId, answer: Answer) {
        if let Some(group) = self.removing.remove(&call)
            && answer == Answer::One(Ok(()))
        {
            self.active.retain(|active| active.name != group);
        }
        self.clients.remove(&call);
        let now = self.now;
        let open = self.calls.get_mut(&call).filter(|call| call.answers.is_empty() && !call.lost);
        match open {
            Some(call) => call.answers.push((now, answer)),
            None => panic!("{call:?} is not open, yet answered {answer:?}\n{}", self.recent()),
        }
    }

    fn terminated(&mut self, restart: bool) {
        self.terminations.push(restart);
        self.note_survivors();
        if !restart {
            self.ended = true;
            return;
        }
        let planned = self.planned();
        self.core = self.core.anew();
        self.names.clear();
        self.records.clear();
        self.rollings.clear();
        self.behind.clear();
        self.ending = Ending::No;
        self.machine.children.values_mut().for_each(|child| child.abandoned = true);
        let active = std::mem::take(&mut self.active);
        let groups = self.next.take().unwrap_or(active);
        self.set_up(groups);
        planned.into_iter().for_each(|planned| self.tell(planned));
        self.tell(Input::Begin { recovered: false });
    }

    /// What is kept beyond the end of a daemon.
    fn planned(&self) -> Vec<Input> {
        let tell = |process: &Process| {
            let (next, since) = process.planned()?;
            let (group, process) = (process.group().to_owned(), process.name().to_owned());
            Some(Input::Planned(Box::new(PlannedRun { group, process, next, since })))
        };
        self.core.processes().filter_map(|(_, process)| tell(process)).collect()
    }

    fn note_survivors(&mut self) {
        let unknown = |name: &str| self.is(name, StateName::Unknown);
        // An errand that nobody waits for any more has been killed.
        let living =
            self.all_living().into_iter().filter(|(run, ..)| !self.machine.is_doomed(*run, self.now));
        let left = living.map(|(_, name, _)| name).filter(|name| !unknown(name));
        let left: Vec<String> = left.map(str::to_owned).collect();
        self.left_alive.extend(left);
    }

    /// The keeper may forget a child: the daemon has taken in its end.
    pub(crate) fn release_if_heard(&mut self, run: RunId) {
        // One that is being stopped keeps its run until its hooks are through.
        let goes_on =
            |process: &upkeep_core::Process| process.state().run() == Some(run) && process.pid() == 0;
        let process = self.core.process_of(run).map(|id| self.core.process(id));
        let heard = process.is_none_or(|process| process.is_some_and(goes_on));
        if heard {
            self.machine.release(run);
        }
    }

    pub(crate) fn name(&self, id: ProcId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| format!("{id:?}"))
    }
}
