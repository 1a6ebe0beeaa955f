//! Requests: checked, begun, and answered or left waiting.

use crate::depends::Along;
use crate::effect::{Answer, Effect, Outcome};
use crate::errand::ErrandKind;
use crate::input::{CallId, Refusal, Request};
use crate::notice::Notice;
use crate::process::{ProcId, Process, State, StateName};
use crate::signal::Signal;
use crate::supervisor::Supervisor;
use crate::time::Now;
use crate::wait::{Goal, Shape, Why, full_name, outcome};

impl Supervisor {
    pub(crate) fn request(&mut self, now: Now, call: CallId, request: Request) {
        if self.phase.is_ending() {
            self.answer(call, Err(Refusal::ShuttingDown));
            return;
        }
        match request {
            Request::Start { target, asked, preflight, wait } => {
                match self.try_start(now, target, &asked, preflight) {
                    Err(refusal) => self.answer(call, Err(refusal)),
                    Ok(()) => self.wait_for_one(now, call, target, asked, start_goal(wait)),
                }
            }
            Request::Stop { target, asked, wait } => match self.try_stop(now, target, &asked) {
                Err(refusal) => self.answer(call, Err(refusal)),
                Ok(()) if !wait && self.depends.is_put_off(target) => self.answer(call, Ok(())),
                Ok(()) => self.wait_for_one(now, call, target, asked, stop_goal(wait)),
            },
            Request::Signal { target, asked, signal } => self.signal_one(now, call, target, asked, signal),
            Request::StartMany { targets, wait } => self.start_many(now, call, targets, wait),
            Request::StopMany { targets, wait } => self.stop_many(now, call, targets, wait),
            Request::SignalMany { targets, signal } => self.signal_many(now, call, targets, signal),
            Request::Reload { target, asked } => self.reload_one(now, call, target, asked),
            Request::ReloadMany { targets } => self.reload_many(now, call, targets),
            Request::RestartRolling { targets, batch, wait } => {
                self.restart_rolling(call, &targets, batch, wait);
            }
            Request::AddGroup(spec) => {
                let result = self.add_group(now, spec);
                self.answer(call, result);
            }
            Request::RemoveGroup(name) => {
                let result = self.remove_group(now, &name);
                self.answer(call, result);
            }
            Request::UpdateGroup { spec, strict } => self.update_group(now, call, spec, strict),
        }
    }

    fn wait_for_one(&mut self, now: Now, call: CallId, id: ProcId, asked: String, goal: Goal) {
        self.wait_for(now, call, Shape::One(asked), vec![(id, goal)], Vec::new());
    }

    /// Begins a start, or says why not, in Supervisor's order of checks (RPC-110).
    fn try_start(
        &mut self,
        now: Now,
        id: ProcId,
        asked: &str,
        preflight: Option<Refusal>,
    ) -> Result<(), Refusal> {
        let Some(process) = self.processes.get(&id) else {
            return Err(Refusal::BadName(asked.to_owned()));
        };
        if let Some(refusal) = preflight {
            return Err(refusal);
        }
        match process.state.name() {
            StateName::Starting | StateName::Running | StateName::Backoff => {
                Err(Refusal::AlreadyStarted(asked.to_owned()))
            }
            StateName::Unknown => Err(Refusal::Failed(format!("{asked} is in an unknown process state"))),
            StateName::Stopping => {
                let name = process.name().to_owned();
                self.log(Notice::AlreadyRunning { name });
                Err(Refusal::AbnormalTermination(asked.to_owned()))
            }
            StateName::Stopped | StateName::Exited | StateName::Fatal => {
                self.switch_on(now, id);
                self.start(now, id);
                Ok(())
            }
        }
    }

    fn try_stop(&mut self, now: Now, id: ProcId, asked: &str) -> Result<(), Refusal> {
        let Some(process) = self.processes.get(&id) else {
            return Err(Refusal::BadName(asked.to_owned()));
        };
        let running = process.state.name().is_running();
        if !running && self.stays_stopped(id) {
            self.switch_off(id);
            return Ok(());
        }
        // What waits for its time has something to stop, too.
        let off = self.switch_off(id);
        self.stop_for_good(id);
        if !running {
            return if off { Ok(()) } else { Err(Refusal::NotRunning(asked.to_owned())) };
        }
        self.stop_in_order(now, &[id], Along::Dependants);
        Ok(())
    }

    fn start_many(&mut self, now: Now, call: CallId, targets: Vec<(ProcId, Option<Refusal>)>, wait: bool) {
        let (mut open, mut done) = (Vec::new(), Vec::new());
        for (id, preflight) in targets {
            let Some(process) = self.processes.get(&id) else { continue };
            if process.state.name().is_running() {
                continue;
            }
            if process.spec.schedule.is_some() && process.state.name().is_startable() {
                // One of many is not wanted now, but when its time comes.
                let on = self.switch_on(now, id);
                done.extend(self.outcome_of(id, Ok(())).filter(|_| on));
                continue;
            }
            let asked = full_name(process);
            match self.try_start(now, id, &asked, preflight) {
                Ok(()) => open.push((id, start_goal(wait))),
                Err(refusal) => done.extend(self.outcome_of(id, Err(refusal))),
            }
            self.order(Effect::Pause);
        }
        self.wait_for(now, call, Shape::Many, open, done);
    }

    fn stop_many(&mut self, now: Now, call: CallId, targets: Vec<ProcId>, wait: bool) {
        let off: Vec<ProcId> = targets.iter().copied().filter(|id| self.switch_off(*id)).collect();
        let running =
            |id: &ProcId| self.processes.get(id).is_some_and(|process| process.state.name().is_running());
        let mut off: Vec<ProcId> = off.into_iter().filter(|id| !running(id)).collect();
        let (mut targets, others): (Vec<ProcId>, Vec<ProcId>) = targets.into_iter().partition(running);
        targets.iter().for_each(|id| self.stop_for_good(*id));
        self.stop_in_order(now, &targets, Along::Dependants);
        let recycled: Vec<ProcId> = others.into_iter().filter(|id| self.stays_stopped(*id)).collect();
        off.retain(|id| !recycled.contains(id));
        targets.extend(recycled);
        let begun = |id: &ProcId| !wait && self.depends.is_put_off(*id);
        let (begun, others): (Vec<ProcId>, Vec<ProcId>) = targets.into_iter().partition(begun);
        let done = begun.into_iter().chain(off).filter_map(|id| self.outcome_of(id, Ok(()))).collect();
        let open = others.into_iter().map(|id| (id, stop_goal(wait))).collect();
        self.wait_for(now, call, Shape::Many, open, done);
    }

    fn signal_one(&mut self, now: Now, call: CallId, id: ProcId, asked: String, signal: Signal) {
        let Some(process) = self.processes.get(&id) else {
            return self.answer(call, Err(Refusal::BadName(asked)));
        };
        if !process.state.name().is_signallable() {
            return self.answer(call, Err(Refusal::NotRunning(asked)));
        }
        match self.send_asked(call, id, signal) {
            Some(goal) => self.wait_for_one(now, call, id, asked, goal),
            None => self.answer(call, Err(Refusal::NotRunning(asked))),
        }
    }

    fn signal_many(&mut self, now: Now, call: CallId, targets: Vec<ProcId>, signal: Result<Signal, String>) {
        let (mut open, mut done) = (Vec::new(), Vec::new());
        for id in targets {
            let signallable =
                self.processes.get(&id).is_some_and(|process| process.state.name().is_signallable());
            if !signallable {
                continue;
            }
            match &signal {
                Err(text) => done.extend(self.outcome_of(id, Err(Refusal::BadSignal(text.clone())))),
                Ok(signal) => open.extend(self.send_asked(call, id, *signal).map(|goal| (id, goal))),
            }
            self.order(Effect::Pause);
        }
        if open.is_empty() {
            self.order(Effect::Answer { call, answer: Answer::Many(done) });
        } else {
            self.wait_for(now, call, Shape::Many, open, done);
        }
    }

    fn reload_one(&mut self, now: Now, call: CallId, id: ProcId, asked: String) {
        match self.try_reload(call, id, &asked) {
            Ok(goal) => self.wait_for_one(now, call, id, asked, goal),
            Err(refusal) => self.answer(call, Err(refusal)),
        }
    }

    fn reload_many(&mut self, now: Now, call: CallId, targets: Vec<ProcId>) {
        let (mut open, mut done) = (Vec::new(), Vec::new());
        for id in targets {
            let Some(process) = self
                .processes
                .get(&id)
                .filter(|process| process.can_reload() && process.knows_how_to_reload())
            else {
                continue;
            };
            let asked = full_name(process);
            match self.try_reload(call, id, &asked) {
                Ok(goal) => open.push((id, goal)),
                Err(refusal) => done.extend(self.outcome_of(id, Err(refusal))),
            }
            self.order(Effect::Pause);
        }
        self.wait_for(now, call, Shape::Many, open, done);
    }

    /// Begins a reload, or says why not.
    pub(crate) fn try_reload(&mut self, call: CallId, id: ProcId, asked: &str) -> Result<Goal, Refusal> {
        let Some(process) = self.processes.get(&id) else {
            return Err(Refusal::BadName(asked.to_owned()));
        };
        if !process.can_reload() {
            return Err(Refusal::NotRunning(asked.to_owned()));
        }
        let signal = process.spec.hooks.as_ref().and_then(|hooks| hooks.reload_signal);
        if process.runs_errand(ErrandKind::Reload) {
            return Err(Refusal::Failed(format!("reload_command of {asked} still runs")));
        }
        if self.begin_errand(id, ErrandKind::Reload) {
            return Ok(Goal::Errand(self.last_run()));
        }
        signal
            .and_then(|signal| self.send_asked(call, id, signal))
            .ok_or_else(|| Refusal::Failed(format!("{asked} has neither reload_command nor reload_signal")))
    }

    /// Sends a signal to a living child, always the pid alone (PROC-083).
    fn send_asked(&mut self, call: CallId, id: ProcId, signal: Signal) -> Option<Goal> {
        let process = self.processes.get(&id)?;
        let (run, child) = (process.state.run()?, process.state.child()?);
        let name = process.name().to_owned();
        self.log(Notice::Send { name, pid: child.pid, signal });
        let token = self.new_signal(id, run, Why::Asked(call));
        self.order(Effect::Signal { id: token, run, signal, group: false });
        Some(Goal::Signal(token))
    }

    fn outcome_of(&self, id: ProcId, result: Result<(), Refusal>) -> Option<Outcome> {
        self.processes.get(&id).map(|process| outcome(process, result))
    }

    /// Every process in ascending priority of group, then of process (PROC-182, PROC-183).
    #[must_use]
    pub fn all_by_priority(&self) -> Vec<ProcId> {
        self.groups_by_priority().into_iter().flat_map(|group| self.by_priority(group)).collect()
    }

    /// Whether a process is up or being brought up or down: it has, or will have, a child.
    #[must_use]
    pub fn is_alive(&self, id: ProcId) -> bool {
        self.processes.get(&id).is_some_and(|process| {
            matches!(
                process.state,
                State::Starting { .. }
                    | State::Running { .. }
                    | State::Stopping { .. }
                    | State::Unknown { .. }
            )
        })
    }
}

impl Process {
    fn knows_how_to_reload(&self) -> bool {
        let hooks = self.spec.hooks.as_ref();
        hooks.is_some_and(|hooks| hooks.reload_command.is_some() || hooks.reload_signal.is_some())
    }

    /// Whether there is a child that can be told to read its configuration again.
    fn can_reload(&self) -> bool {
        self.state.name().is_running() && self.state.child().is_some()
    }
}

fn start_goal(wait: bool) -> Goal {
    if wait { Goal::Running } else { Goal::Spawned }
}

fn stop_goal(wait: bool) -> Goal {
    if wait { Goal::Stopped } else { Goal::StopSent }
}
