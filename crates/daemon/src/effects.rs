//! Carries out what the core orders.

use std::os::fd::{AsFd, BorrowedFd};

use upkeep_api::{ActionResult, Fault, FaultCode, GroupUpdate, Reply};
use upkeep_core::{
    Answer, CallId, Effect, ErrandKind, Event, Level as CoreLevel, Outcome, ProcId, Refusal, RunId, StateName,
};
use upkeep_keeper::wire::{RESTRAINS, StdinPlan, ToKeeper};
use upkeep_logs::Level;

use crate::exitwhen::FAILED;
use crate::logfiles::LogPaths;
use crate::prepare::{Order, Prepared, TOO_MANY_FILES};
use crate::records::ProcessRecord;
use crate::restraints::keeper_too_old;
use crate::shell::{Asker, End, Message, Purpose, Responder, Run, Shell};
use crate::tasks;

/// Starts at once of which the keeper holds more than pipes. It takes that before it can refuse the start, and must not take its
/// last descriptors for it.
const HELD_AT_ONCE: usize = 6;

/// The fault that a refusal is (RPC-040 …).
pub(crate) fn fault_of(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::BadName(text) => Fault::about(FaultCode::BadName, text),
        Refusal::NoFile(text) => Fault::about(FaultCode::NoFile, text),
        Refusal::NotExecutable(text) => Fault::about(FaultCode::NotExecutable, text),
        Refusal::AlreadyStarted(text) => Fault::about(FaultCode::AlreadyStarted, text),
        Refusal::SpawnError(text) => Fault::about(FaultCode::SpawnError, text),
        Refusal::AbnormalTermination(text) => Fault::about(FaultCode::AbnormalTermination, text),
        Refusal::NotRunning(text) => Fault::about(FaultCode::NotRunning, text),
        Refusal::BadSignal(text) => Fault::about(FaultCode::BadSignal, text),
        Refusal::Failed(text) => Fault::about(FaultCode::Failed, text),
        Refusal::AlreadyAdded(text) => Fault::about(FaultCode::AlreadyAdded, text),
        Refusal::StillRunning(text) => Fault::about(FaultCode::StillRunning, text),
        Refusal::ShuttingDown => Fault::new(FaultCode::ShutdownState),
    }
}

pub(crate) fn level_of(level: CoreLevel) -> Level {
    match level {
        CoreLevel::Critical => Level::Critical,
        CoreLevel::Error => Level::Error,
        CoreLevel::Warn => Level::Warn,
        CoreLevel::Info => Level::Info,
        CoreLevel::Debug => Level::Debug,
    }
}

fn result_of(outcome: Outcome) -> ActionResult {
    ActionResult { name: outcome.process, group: outcome.group, fault: outcome.result.err().map(fault_of) }
}

impl Shell {
    /// Carries out all orders there are.
    pub(crate) async fn carry_out(&mut self) {
        let mut starts: Vec<(RunId, Order)> = Vec::new();
        // Apart from them: a command on a disk that hangs must not hold up a start.
        let mut asks: Vec<(RunId, Order)> = Vec::new();
        let mut measures: Vec<(RunId, u32)> = Vec::new();
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Spawn { id, run } => starts.extend(self.start_of(id, run)),
                Effect::Errand { id, run, kind } => {
                    if kind == ErrandKind::PreStart {
                        self.follow_cgroup(id);
                    }
                    let list = if kind == ErrandKind::Check { &mut asks } else { &mut starts };
                    list.extend(self.errand_order(id, kind).map(|order| (run, order)));
                }
                Effect::Signal { id, run, signal, group } => {
                    let frame = ToKeeper::Signal { token: id.0, run: run.0, signo: signal.0, group };
                    self.send(&frame);
                    self.signals.insert(id.0, frame);
                }
                Effect::Check { id, run, number } => self.check(id, run, number),
                Effect::Publish(event) => {
                    self.published(&event);
                    if matches!(event, Event::ProcessState { to: StateName::Backoff, .. }) {
                        // Nothing follows at once, and it may be about to be said that this was the last try.
                        self.release_sockets();
                    }
                }
                Effect::Measure { run, pid } => measures.push((run, pid)),
                Effect::Reconfigure { id } => {
                    self.note_plan(id);
                    self.reconfigure(id);
                }
                Effect::Log(notice) => self.log(level_of(notice.level()), notice.to_string()),
                Effect::Answer { call, answer } => {
                    if let Some(asker) = self.askers.remove(&call) {
                        self.answered(call, asker, answer);
                    }
                }
                Effect::EndInFailure => self.exit_status = FAILED,
                Effect::AwaitIdle { pool } => {
                    self.listeners.last_pool = Some(pool);
                    self.tell_idle();
                }
                Effect::Pause => self.breathe().await,
                Effect::Terminate { restart: false } => self.end = Some(End::Exit(self.exit_status)),
                Effect::Terminate { restart: true } => {
                    self.release_sockets();
                    self.come_up_again().await;
                }
            }
        }
        self.release_sockets();
        self.open_new_logs();
        self.prepare(starts);
        self.prepare(asks);
        self.measure(measures);
    }

    fn start_of(&mut self, id: ProcId, run: RunId) -> Option<(RunId, Order)> {
        let order = self.order_for(id)?;
        self.follow_cgroup(id);
        Some((run, order))
    }

    /// What a start of this process needs to know.
    pub(crate) fn order_for(&self, id: ProcId) -> Option<Order> {
        let process = self.core.process(id)?;
        let key = (process.group().to_owned(), process.name().to_owned());
        Some(Order {
            group: key.0.clone(),
            spec: process.spec().clone(),
            paths: LogPaths::of(process.spec(), self.logs.get(&key)),
            prefix: self.log_prefix(process),
            listener: self.is_pool(&key.0),
            sockets: self.sockets.clone(),
            errand: None,
            context: self.context.clone(),
        })
    }

    pub(crate) fn prepared(&mut self, run: RunId, mut result: Result<Box<Prepared>, String>) {
        self.leaving.extend(self.kept.remove(&run));
        self.stuck.remove(&run);
        self.preparing.remove(&run);
        if let Some(learnt) = result.as_mut().ok().and_then(|prepared| prepared.learnt.take()) {
            self.familiar.learn(*learnt);
        }
        if self.core.process_of(run).is_none() {
            if let Ok(prepared) = result {
                self.throw_away(*prepared);
            }
            return;
        }
        match result {
            Err(text) => {
                if text.starts_with(TOO_MANY_FILES) {
                    self.advise_about_descriptors();
                    self.cannot_ask(run);
                }
                self.tell(upkeep_core::Input::SpawnFailed { run, text });
            }
            Ok(prepared) if self.keeper_speaks < RESTRAINS && !prepared.plan.restraints.is_empty() => {
                let text = keeper_too_old(&prepared.plan.restraints);
                self.throw_away(*prepared);
                self.tell(upkeep_core::Input::SpawnFailed { run, text });
            }
            Ok(prepared) if self.keeper_speaks < RESTRAINS && prepared.lends() => {
                let text = "can't give it the descriptor of ready: the keeper process is of an older version; \
                            `upkeep upgrade` replaces it";
                self.throw_away(*prepared);
                self.tell(upkeep_core::Input::SpawnFailed { run, text: text.to_owned() });
            }
            Ok(prepared) if prepared.is_held() && self.held_starts(run) >= HELD_AT_ONCE => {
                self.later.push_back((run, prepared));
            }
            Ok(prepared) => {
                let Prepared { plan, trouble, weakness, stdout, stderr, socket, vitals, room, .. } =
                    *prepared;
                if let Some(weakness) = weakness.filter(|weakness| self.warned.insert(weakness.clone())) {
                    self.log(Level::Warn, weakness);
                }
                if let Some(trouble) = trouble {
                    self.log(Level::Error, trouble);
                }
                if let Some(shared) = &socket {
                    self.hold_socket(shared);
                }
                let vitals = self.give_vitals(run, vitals);
                let without_stdin = plan.stdin == StdinPlan::Null;
                let said = self.hold_said(run, &stdout);
                if let Some(id) = self.core.process_of(run).filter(|_| said.is_some()) {
                    self.listeners.heard.remove(&id);
                    // Before there is a child: what an earlier one has said does not count.
                    self.save_process(id);
                }
                let fds: Vec<BorrowedFd<'_>> = socket.iter().map(|shared| shared.fd().as_fd()).collect();
                self.note_start(run);
                self.send_with(&ToKeeper::Spawn { run: run.0, plan }, &fds);
                let (sinks, room) = (Some(Box::new((stdout, stderr))), Some(room));
                let told = said.as_ref().and_then(|_| self.hold_told(run)).map(Box::new);
                let run_of = Run { sinks, socket, vitals, room, said, told, without_stdin, ..Run::default() };
                self.runs.insert(run, Box::new(run_of));
            }
        }
    }

    /// What was prepared for a start that is not made.
    fn throw_away(&mut self, prepared: Prepared) {
        self.leaving.extend(prepared.socket);
        self.discard_vitals(prepared.vitals);
    }

    /// Starts under way, but for this one, of which the keeper holds more than pipes.
    fn held_starts(&self, run: RunId) -> usize {
        let is_held = |entry: &Run| entry.made.is_none() && (entry.said.is_some() || entry.vitals.is_some());
        self.runs.iter().filter(|(other, entry)| **other != run && is_held(entry)).count()
    }

    /// A start is answered: those that waited for that go on.
    pub(crate) fn start_later(&mut self) {
        while let Some(&(run, _)) = self.later.front()
            && self.held_starts(run) < HELD_AT_ONCE
            && let Some((run, prepared)) = self.later.pop_front()
        {
            self.prepared(run, Ok(prepared));
        }
    }

    fn published(&mut self, event: &Event) {
        if let Event::ChildSpawned(id) = event
            && let Some(run) = self.core.process(*id).and_then(|process| process.state().run())
            && let Some(entry) = self.runs.get_mut(&run)
        {
            entry.room = None;
        }
        if matches!(event, Event::ProcessAdded { .. } | Event::ProcessRemoved(_)) {
            self.label_width.set(None);
        }
        if matches!(event, Event::ProcessState { to, .. } if to.is_stopped()) {
            self.look_at_vacant_cgroups();
        }
        if let Event::ProcessState { id, to: StateName::Starting, .. } = event {
            self.keep_socket(*id);
        }
        match event {
            Event::ProcessState { id, .. }
            | Event::CrashLoop { id, .. }
            | Event::Beyond { id, .. }
            | Event::Health { id, .. }
            | Event::ChildSpawned(id)
            | Event::ProcessAdded { id, .. } => self.save_process(*id),
            Event::WishChanged(id) => {
                self.renew_clients();
                self.save_process(*id);
            }
            Event::ProcessRemoved(id) => {
                self.leave_last_words(*id);
                self.send(&ToKeeper::Delete { key: self.half.key_of(*id) });
                self.leave_cgroup(*id);
                self.forget_plan(*id);
            }
            Event::RollingChanged { number, members } => self.rolling_changed(*number, members),
            Event::SupervisorStopping => self.save_daemon(),
            Event::GroupAdded(_)
            | Event::GroupRemoved(_)
            | Event::RollingOver(_)
            | Event::SupervisorRunning => {}
        }
        self.listen(event);
    }

    /// Writes a process down for the next daemon.
    pub(crate) fn save_process(&mut self, id: ProcId) {
        let Some(process) = self.core.process(id) else { return };
        let Some(saved) = self.core.saved(id) else { return };
        let mut record = ProcessRecord::new(process.group(), process.name(), saved);
        let run = process.state().run().and_then(|run| self.runs.get(&run));
        record.pipes = run.map(|run| run.pipes).unwrap_or_default();
        record.undrained = self.undrained.of(id).map(Into::into).collect();
        if !self.logs.is_empty()
            && let Some(paths) = self.logs.get(&(process.group().to_owned(), process.name().to_owned()))
        {
            record.stdout = paths.stdout.clone();
            record.stderr = paths.stderr.clone();
        }
        record.listener = self.listener_record(id, process.group());
        if let Ok(value) = serde_json::to_vec(&record) {
            self.send(&ToKeeper::Put { key: self.half.key_of(id), value });
        }
        self.note_plan(id);
    }

    fn answered(&mut self, call: CallId, asker: Asker, answer: Answer) {
        let result = match answer {
            Answer::One(Ok(())) => Ok(Reply::Bool(true)),
            Answer::One(Err(refusal)) => Err(fault_of(refusal)),
            Answer::Many(outcomes) => Ok(Reply::Results(outcomes.into_iter().map(result_of).collect())),
            Answer::Updated(update) => Ok(Reply::Update(GroupUpdate {
                stopped: update.stopped,
                restarted: update.restarted,
                started: update.started,
                live: update.live,
                whole: update.whole,
                rolling: crate::rolling::shown(update.rolling.unwrap_or_default()),
            })),
            Answer::Rolling(number) => Ok(Reply::Int(crate::rolling::shown(number))),
        };
        match asker.purpose {
            Purpose::Control => {}
            Purpose::Update => {
                if let Some(opened) = self.new_logs() {
                    return self.answer_behind(call, opened, asker.reply, result);
                }
            }
            Purpose::Add(name) => {
                if result.is_err() {
                    self.deactivate(&name);
                }
            }
            Purpose::Remove(name) => {
                if result.is_ok() {
                    self.deactivate(&name);
                }
            }
        }
        self.release_client(call);
        // The asker may have gone away; what it asked for is done all the same (RPC-121).
        self.answers.push((asker.reply, result));
    }

    /// Answers when the wait is over.
    fn answer_behind(
        &mut self,
        call: CallId,
        wait: impl Future<Output = ()> + Send + 'static,
        reply: Responder,
        answer: Result<Reply, Fault>,
    ) {
        match &answer {
            Ok(to_be) if reply.held().is_some() => self.note_answer(&reply, to_be.clone()),
            _ => self.release_client(call),
        }
        let messages = self.messages.clone();
        tasks::spawn(async move {
            wait.await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Told { answer, reply });
        });
    }
}
