//! Answers the API: what can be told at once is told, the rest goes to the core or to a helper.

use std::time::Duration;

use tokio::time::timeout;
use upkeep_api::{
    Channel, DaemonState, Fault, FaultCode, ProcessList, Reply, Request, SUPERVISOR_VERSION, SharedList,
    apart,
};
use upkeep_config::LogFile;
use upkeep_core::ordered;
use upkeep_core::signal::Signal;
use upkeep_core::{Input, Now, Phase, ProcId, Process, Refusal, StateName};
use upkeep_logs::Level;

use crate::applied::{Asked, Origin};
use crate::breath::only_asks;
use crate::info::{Teller, config_info};
use crate::logfiles::LogPaths;
use crate::names::{Target, resolve, resolve_process};
use crate::shell::{Message, Purpose, Responder, Shell, now};
use crate::stdin::StdinError;
use crate::tasks;

/// How long looking at commands before a start may take.
const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// Processes of a list that is kept for who asks next, with what was written of it: 1.5 KB for each, until it is quiet.
const MOST_TOLD_AGAIN: usize = 4096;
/// With more of them what is kept is large: it is kept for those who ask more than once in a second, and given back soon. Whoever
/// asks every second or less often would pay for memory that is new each time, which takes longer than writing there.
const MANY: usize = 64;

/// Answers at once, if the asker is still there, what nobody else can answer: of what the next daemon need not know. Else
/// [`Shell::respond`].
pub(crate) fn respond(reply: Responder, result: Result<Reply, Fault>) {
    debug_assert_eq!(reply.held(), None, "the keeper holds this client");
    let _ = reply.send(result);
}

impl Shell {
    /// Answers one request, now or later.
    pub(crate) fn answer(&mut self, request: Request, mut reply: Responder) {
        if !only_asks(&request) {
            self.handle.board().clear();
        }
        let ending = self.core.phase().is_ending();
        if ending && !matches!(request, Request::SendRemoteCommEvent { .. } | Request::LogPath { .. }) {
            return self.respond(reply, Err(Fault::new(FaultCode::ShutdownState)));
        }
        self.hold_question(&request, &mut reply);
        match request {
            Request::GetApiVersion => respond(reply, Ok(Reply::Text(upkeep_api::API_VERSION.to_owned()))),
            Request::GetSupervisorVersion => respond(reply, Ok(Reply::Text(SUPERVISOR_VERSION.to_owned()))),
            Request::GetIdentification => {
                respond(reply, Ok(Reply::Text(self.settings().identifier.clone())));
            }
            Request::GetState => respond(reply, Ok(Reply::State(DaemonState::Running))),
            Request::GetPid => respond(reply, Ok(Reply::Int(i64::from(self.keeper_pid)))),
            Request::GetProcessInfo { name } => respond(reply, self.one_info(&name)),
            Request::GetAllProcessInfo => respond(reply, Ok(self.all_info())),
            Request::GetAllConfigInfo => respond(reply, Ok(self.all_config_info())),
            Request::StartProcess { .. }
            | Request::StartProcessGroup { .. }
            | Request::StartAllProcesses { .. } => self.start_request(request, reply),
            Request::StopProcess { .. }
            | Request::StopProcessGroup { .. }
            | Request::StopAllProcesses { .. } => self.stop_request(request, reply),
            Request::ReloadProcess { .. }
            | Request::ReloadProcessGroup { .. }
            | Request::ReloadAllProcesses => self.reload_request(request, reply),
            Request::SignalProcess { .. }
            | Request::SignalProcessGroup { .. }
            | Request::SignalAllProcesses { .. } => self.signal_request(request, reply),
            Request::Shutdown => {
                self.respond(reply, Ok(Reply::Bool(true)));
                self.tell(Input::Shutdown);
            }
            Request::Restart => self.restart_requested(Some(reply)),
            Request::ReloadConfig => self.reread(reply),
            Request::ReloadKeep => self.reload_keep(reply),
            Request::AddProcessGroup { name } => self.add_group(&name, reply),
            Request::RemoveProcessGroup { name } => {
                self.ask(upkeep_core::Request::RemoveGroup(name.clone()), Purpose::Remove(name), reply);
            }
            Request::Upgrade { binary } => self.upgrade_requested(&binary, reply),
            Request::GetUpgrade => respond(reply, Ok(Reply::Upgrade(self.upgrade_state()))),
            Request::GetPlan => self.tell_plan(Origin::Disk, reply),
            Request::GetConfigGenerations => self.applied_asked(Asked::List, reply),
            Request::GetConfigGeneration { number } => self.applied_asked(Asked::Files(number), reply),
            Request::GetRollbackPlan { number } => self.applied_asked(Asked::Plan(number), reply),
            Request::RollbackConfig { number } => self.applied_asked(Asked::RollBack(number), reply),
            Request::WriteConfigGeneration { number } => self.applied_asked(Asked::Write(number), reply),
            Request::GetListenerPools => respond(reply, Ok(Reply::Pools(self.listener_pools()))),
            Request::GetHealth => respond(reply, Ok(Reply::Health(self.health_infos()))),
            Request::RestartRolling { names, batch, wait } => {
                self.restart_rolling(&names, &batch, wait, reply);
            }
            Request::GetRollingRestarts { number } => {
                respond(reply, Ok(Reply::Rolling(self.rolling_infos(number))));
            }
            Request::WaitForChange { what, seen } => self.wait_for_change(&what, seen, reply),
            Request::GetRollingProgress => {
                respond(reply, Ok(Reply::RollingProgress(self.rolling_progress())));
            }
            Request::GetSchedules => respond(reply, Ok(Reply::Schedules(self.schedule_infos()))),
            Request::GetLogLosses => respond(reply, Ok(Reply::Losses(self.log_losses()))),
            Request::UpdateProcessGroup { name } => self.update_group(&name, reply),
            Request::ReadLog { .. }
            | Request::ClearLog
            | Request::ReadProcessLog { .. }
            | Request::TailProcessLog { .. }
            | Request::ReadLogSince { .. }
            | Request::ClearProcessLogs { .. }
            | Request::ClearAllProcessLogs => self.log_request(request, reply),
            Request::SendProcessStdin { name, chars } => {
                let result = self.send_stdin(&name, chars.as_bytes());
                self.respond(reply, result);
            }
            Request::SendRemoteCommEvent { kind, data } => {
                self.remote_event(&kind, &data);
                self.respond(reply, Ok(Reply::Bool(true)));
            }
            Request::LogPath { process } => respond(reply, self.log_path(process)),
        }
    }

    pub(crate) fn settings(&self) -> &upkeep_config::Settings {
        &self.generations.base().config.settings
    }

    /// Where a process's logs are.
    pub(crate) fn paths_of(&self, id: ProcId) -> LogPaths {
        let Some(process) = self.core.process(id) else { return LogPaths::default() };
        let key = (process.group().to_owned(), process.name().to_owned());
        LogPaths::of(process.spec(), self.logs.get(&key))
    }

    fn one_info(&self, name: &str) -> Result<Reply, Fault> {
        let id = resolve_process(&self.core, name)?;
        let process = self.core.process(id).ok_or_else(|| Fault::about(FaultCode::BadName, name))?;
        let key = (process.group().to_owned(), process.name().to_owned());
        let (obstacle, note) = (self.core.obstacle_of(process), self.rolling_note(id));
        let info = Teller::new(now()).tell(process, self.logs.get(&key), obstacle, note).into();
        Ok(Reply::Process(Box::new(info)))
    }

    /// The same as last time, if nothing has happened since and it is still that second.
    fn all_info(&mut self) -> Reply {
        let now = now();
        if let Some(list) = self.handle.board().read(now.wall) {
            return Reply::Processes(list);
        }
        let list = self.list_all(now);
        let is_long = list.len() > MANY;
        let asked_before = self.asked_for_all.replace(now.wall) == Some(now.wall);
        if (!is_long || asked_before) && self.may_be_told_again(&list) {
            self.handle.board().put(now.wall, list.clone());
            if is_long {
                self.thrift.lent();
                self.rest_soon();
            }
        }
        Reply::Processes(list)
    }

    /// Whether it is not too long, and no process counts seconds that do not begin with those of the clock.
    fn may_be_told_again(&self, list: &SharedList) -> bool {
        let counts = |process: &Process| process.state().name() == StateName::Backoff;
        list.len() <= MOST_TOLD_AGAIN && !self.core.processes().any(|(_, process)| counts(process))
    }

    fn list_all(&self, now: Now) -> SharedList {
        let mut teller = Teller::new(now);
        let mut list = ProcessList::with_capacity(self.core.by_name().len());
        let mut logs = self.logs.iter().peekable();
        for id in self.core.by_name() {
            let Some(process) = self.core.process(id) else { continue };
            // Both are in the same order: going along is a good deal quicker than looking each of them up.
            let order = |key: &(String, String)| {
                (key.0.as_str(), key.1.as_str()).cmp(&(process.group(), process.name()))
            };
            while logs.next_if(|(key, _)| order(key).is_lt()).is_some() {}
            let auto = logs.peek().filter(|(key, _)| order(key).is_eq()).map(|(_, paths)| *paths);
            list.push(teller.tell(process, auto, self.core.obstacle_of(process), self.rolling_note(id)));
        }
        list.into()
    }

    fn all_config_info(&self) -> Reply {
        let mut all = Vec::new();
        for group in &self.generations.latest().config.groups {
            let inuse = self.core.group(&group.name).is_some();
            for spec in &group.processes {
                let key = (group.name.clone(), spec.name.clone());
                let paths = LogPaths::of(spec, self.logs.get(&key));
                all.push(config_info(group, spec, &paths, inuse));
            }
        }
        ordered::sort_by(&mut all, |a, b| a.name.cmp(&b.name));
        Reply::Configs(all)
    }

    fn start_request(&mut self, request: Request, reply: Responder) {
        match request {
            Request::StartProcess { name, wait } => match resolve(&self.core, &name) {
                Err(fault) => self.respond(reply, Err(fault)),
                Ok(Target::Process(id)) => self.check_commands(vec![id], false, name, wait, reply),
                Ok(Target::Group(group)) => self.start_group(&group, wait, reply),
            },
            Request::StartProcessGroup { name, wait } => self.start_group(&name, wait, reply),
            Request::StartAllProcesses { wait } => {
                let all = self.core.all_by_priority();
                self.check_commands(all, true, String::new(), wait, reply);
            }
            other => self.answer(other, reply),
        }
    }

    fn start_group(&mut self, name: &str, wait: bool, reply: Responder) {
        match self.group_members(name) {
            Err(fault) => self.respond(reply, Err(fault)),
            Ok(members) => self.check_commands(members, true, String::new(), wait, reply),
        }
    }

    pub(crate) fn group_members(&self, name: &str) -> Result<Vec<ProcId>, Fault> {
        let group = self.core.group(name).ok_or_else(|| Fault::about(FaultCode::BadName, name.to_owned()))?;
        Ok(self.core.by_priority(group))
    }

    /// Looks at the commands before starting (PROC-052), on a thread that may wait for the disk. Those that are not
    /// going to be started are not looked at.
    fn check_commands(&self, ids: Vec<ProcId>, many: bool, asked: String, wait: bool, reply: Responder) {
        let wanted = |id: &ProcId| {
            let running = self.core.process(*id).is_some_and(|p| p.state().name().is_running());
            !(many && running)
        };
        let orders: Vec<_> = ids
            .into_iter()
            .filter(wanted)
            .filter_map(|id| self.order_for(id).map(|order| (id, order)))
            .collect();
        let messages = self.messages.clone();
        // Where a disk does not answer, the start itself will tell which process needs it.
        let unchecked: Vec<_> = orders.iter().map(|(id, _)| (*id, None)).collect();
        tasks::spawn(async move {
            let check = |(id, order): (ProcId, crate::prepare::Order)| {
                (id, order.check().err().map(|error| error.refusal()))
            };
            let checked = timeout(CHECK_PATIENCE, apart(move || orders.into_iter().map(check).collect()));
            let targets = checked.await.ok().flatten().unwrap_or(unchecked);
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Checked { targets, many, asked, wait, reply });
        });
    }

    pub(crate) fn start_checked(
        &mut self,
        mut targets: Vec<(ProcId, Option<Refusal>)>,
        many: bool,
        asked: String,
        wait: bool,
        reply: Responder,
    ) {
        let request = if many {
            upkeep_core::Request::StartMany { targets, wait }
        } else {
            let Some((target, preflight)) = targets.pop() else {
                return self.respond(reply, Err(Fault::about(FaultCode::BadName, asked)));
            };
            upkeep_core::Request::Start { target, asked, preflight, wait }
        };
        self.ask(request, Purpose::Control, reply);
    }

    fn stop_request(&mut self, request: Request, reply: Responder) {
        let (targets, wait) = match request {
            Request::StopProcess { name, wait } => match resolve(&self.core, &name) {
                Err(fault) => return respond(reply, Err(fault)),
                Ok(Target::Group(group)) => (self.group_members(&group), wait),
                Ok(Target::Process(target)) => {
                    let stop = upkeep_core::Request::Stop { target, asked: name, wait };
                    return self.ask(stop, Purpose::Control, reply);
                }
            },
            Request::StopProcessGroup { name, wait } => (self.group_members(&name), wait),
            Request::StopAllProcesses { wait } => (Ok(self.core.all_by_priority()), wait),
            other => return self.answer(other, reply),
        };
        match targets {
            Err(fault) => respond(reply, Err(fault)),
            Ok(targets) => {
                self.ask(upkeep_core::Request::StopMany { targets, wait }, Purpose::Control, reply);
            }
        }
    }

    fn signal_request(&mut self, request: Request, reply: Responder) {
        let (targets, signal) = match request {
            Request::SignalProcess { name, signal } => match resolve(&self.core, &name) {
                Err(fault) => return respond(reply, Err(fault)),
                Ok(Target::Group(group)) => (self.group_members(&group), signal),
                Ok(Target::Process(target)) => return self.signal_one(target, name, &signal, reply),
            },
            Request::SignalProcessGroup { name, signal } => (self.group_members(&name), signal),
            Request::SignalAllProcesses { signal } => (Ok(self.core.all_by_priority()), signal),
            other => return self.answer(other, reply),
        };
        match targets {
            Err(fault) => respond(reply, Err(fault)),
            Ok(targets) => {
                let signal = Signal::parse(&signal).map_err(|_| signal);
                let request = upkeep_core::Request::SignalMany { targets, signal };
                self.ask(request, Purpose::Control, reply);
            }
        }
    }

    fn reload_request(&mut self, request: Request, reply: Responder) {
        let targets = match request {
            Request::ReloadProcess { name } => match resolve(&self.core, &name) {
                Err(fault) => return respond(reply, Err(fault)),
                Ok(Target::Group(group)) => self.group_members(&group),
                Ok(Target::Process(target)) => {
                    let reload = upkeep_core::Request::Reload { target, asked: name };
                    return self.ask(reload, Purpose::Control, reply);
                }
            },
            Request::ReloadProcessGroup { name } => self.group_members(&name),
            Request::ReloadAllProcesses => Ok(self.core.all_by_priority()),
            other => return self.answer(other, reply),
        };
        match targets {
            Err(fault) => respond(reply, Err(fault)),
            Ok(targets) => {
                self.ask(upkeep_core::Request::ReloadMany { targets }, Purpose::Control, reply);
            }
        }
    }

    fn signal_one(&mut self, target: ProcId, asked: String, signal: &str, reply: Responder) {
        match Signal::parse(signal) {
            Err(_) => respond(reply, Err(Fault::about(FaultCode::BadSignal, signal))),
            Ok(signal) => {
                let request = upkeep_core::Request::Signal { target, asked, signal };
                self.ask(request, Purpose::Control, reply);
            }
        }
    }

    fn send_stdin(&mut self, name: &str, data: &[u8]) -> Result<Reply, Fault> {
        let id = resolve_process(&self.core, name)?;
        let not_running = || Fault::about(FaultCode::NotRunning, name);
        let process = self.core.process(id).ok_or_else(not_running)?;
        let alive = process.pid() != 0 && process.state().name() != upkeep_core::StateName::Stopping;
        let run = process.state().run().filter(|_| alive).ok_or_else(not_running)?;
        let no_file = || Fault::about(FaultCode::NoFile, name);
        if self.is_unsent(run) {
            // What is told now is lost if this daemon dies.
            return Err(Fault::about(
                FaultCode::Failed,
                format!("no descriptor is left to tell {name} something"),
            ));
        }
        let stdin = self.runs.get_mut(&run).and_then(|run| run.stdin.as_mut()).ok_or_else(no_file)?;
        match stdin.write(data) {
            Ok(()) => {
                if stdin.told().is_some() {
                    // Not told before it is written down.
                    self.listeners.to_tell.insert(run);
                    self.save_process(id);
                }
                Ok(Reply::Bool(true))
            }
            Err(StdinError::Closed) => Err(no_file()),
            Err(StdinError::Full) => {
                Err(Fault::about(FaultCode::Failed, format!("{name} does not read its standard input")))
            }
        }
    }

    fn log_path(&self, process: Option<(String, Channel)>) -> Result<Reply, Fault> {
        let no_file = || Fault::new(FaultCode::NoFile);
        let path = match process {
            None => self.main_log().ok_or_else(no_file)?,
            Some((name, channel)) => {
                let paths = self.paths_of(resolve_process(&self.core, &name)?);
                let path = match channel {
                    Channel::Stdout => paths.stdout,
                    Channel::Stderr => paths.stderr,
                };
                path.ok_or_else(no_file)?.into()
            }
        };
        Ok(Reply::Path(path))
    }

    /// The daemon's own log, if it is a file.
    pub(crate) fn main_log(&self) -> Option<std::path::PathBuf> {
        match &self.settings().logfile {
            LogFile::Path(path) => Some(path.clone()),
            LogFile::Syslog => None,
        }
    }

    /// A signal came to the pid that users know (PROC-230 … PROC-236).
    pub(crate) fn signal_received(&mut self, signal: Signal) {
        use upkeep_core::signal::{HUP, INT, QUIT, TERM, USR2};
        match signal {
            TERM | INT | QUIT => {
                self.log(Level::Warn, format!("received {signal} indicating exit request"));
                self.tell(Input::Shutdown);
                // It may have turned a restart under way into an end, which the next daemon must know.
                self.save_daemon();
            }
            HUP if self.is_shutting_down() => self.log(
                Level::Warn,
                format!("ignored {signal} indicating restart request (shutdown in progress)"),
            ),
            HUP => {
                self.log(Level::Warn, format!("received {signal} indicating restart request"));
                self.restart_requested(None);
            }
            USR2 => {
                self.log(Level::Info, format!("received {signal} indicating log reopen request"));
                self.log(Level::Info, "supervisord logreopen");
                self.engine.reopen_all();
                self.engine.reopen_journal();
            }
            _ => self.log(Level::Info, format!("received {signal}, which means nothing here: ignored")),
        }
    }

    /// Whether everything is to end.
    pub(crate) fn is_shutting_down(&self) -> bool {
        match self.core.phase() {
            Phase::Stopping { restart, .. } | Phase::Down { restart } => !restart,
            Phase::Setup | Phase::Running => false,
        }
    }
}
