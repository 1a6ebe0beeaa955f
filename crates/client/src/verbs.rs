//! One method per verb. Names and results are those of the XML-RPC interface.
//!
//! Verbs that wait for processes wait without limit, as their answer takes as long as the processes do.

use upkeep_api::verbs::read_processes;
use upkeep_api::xmlrpc::{Value, decode_response};
use upkeep_api::{
    Channel, ConfigFile, ConfigGeneration, FaultCode, GroupUpdate, HealthInfo, KeptReload, ListenerPool,
    LogLoss, LogTail, PlannedChange, ProcessInfo, Reread, RollingInfo, ScheduleInfo, UpgradeState,
};

use crate::decode::{self, Configured, Outcome};
use crate::{Client, ClientError, Log, Place, SILENCE_LIMIT};

type Answer<T> = Result<T, ClientError>;

/// Verbs about the daemon itself. All fail as [`Client::call`] does.
#[expect(clippy::missing_errors_doc, reason = "told once, above")]
impl Client {
    /// Version of the XML-RPC interface.
    pub fn api_version(&self) -> Answer<String> {
        decode::text(self.call("supervisor.getVersion", &[])?)
    }

    /// Version of Supervisor that the server is or stands in for.
    pub fn supervisor_version(&self) -> Answer<String> {
        decode::text(self.call("supervisor.getSupervisorVersion", &[])?)
    }

    /// The daemon's `identifier`.
    pub fn identification(&self) -> Answer<String> {
        decode::text(self.call("supervisor.getIdentification", &[])?)
    }

    /// The daemon's pid.
    pub fn pid(&self) -> Answer<i64> {
        decode::number(&self.call("supervisor.getPID", &[])?)
    }

    /// Asks the daemon to stop; it answers before it does.
    pub fn shutdown(&self) -> Answer<()> {
        self.call("supervisor.shutdown", &[]).map(drop)
    }

    /// Asks the daemon to start over; it answers before it does.
    pub fn restart(&self) -> Answer<()> {
        self.call("supervisor.restart", &[]).map(drop)
    }

    /// Reads the daemon's own log; offsets as in RPC-141 … RPC-143.
    pub fn read_log(&self, offset: i64, length: i64) -> Answer<String> {
        decode::text(self.call("supervisor.readLog", &[offset.into(), length.into()])?)
    }
}

/// Verbs about the configuration. All fail as [`Client::call`] does.
#[expect(clippy::missing_errors_doc, reason = "told once, above")]
impl Client {
    /// Reads the configuration again and tells what differs; changes nothing that runs.
    pub fn reload_config(&self) -> Answer<Reread> {
        decode::reread(&self.call("supervisor.reloadConfig", &[])?)
    }

    /// Every configured process, sorted by process name.
    pub fn all_config_info(&self) -> Answer<Vec<Configured>> {
        decode::configs(&self.call("supervisor.getAllConfigInfo", &[])?)
    }

    /// Activates a group of the last read configuration.
    pub fn add_process_group(&self, name: &str) -> Answer<()> {
        self.call_waiting("supervisor.addProcessGroup", &[name.into()]).map(drop)
    }

    /// Takes out a group whose processes are all stopped.
    pub fn remove_process_group(&self, name: &str) -> Answer<()> {
        self.call("supervisor.removeProcessGroup", &[name.into()]).map(drop)
    }

    /// Makes a group what the last read configuration says, touching only what must change (D-37); `None` when the
    /// server cannot do that, as the original cannot.
    pub fn update_process_group(&self, name: &str) -> Answer<Option<GroupUpdate>> {
        match self.call_waiting("upkeep.updateProcessGroup", &[name.into()]) {
            Ok(value) => decode::update(&value).map(Some),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins to replace daemon and keeper by this program (a path, empty for the one that runs); returns what names the
    /// upgrade when it can be tried.
    pub fn upgrade(&self, binary: &str) -> Answer<String> {
        decode::text(self.call_waiting("upkeep.upgrade", &[binary.into()])?)
    }

    /// What runs and what became of the last upgrade.
    pub fn upgrade_state(&self) -> Answer<UpgradeState> {
        decode::upgrade(&self.call("upkeep.getUpgrade", &[])?)
    }

    /// Reads the configuration again and applies what is about the daemon itself, while every process runs on; `None`
    /// when the server cannot do that, as the original cannot.
    pub fn reload_keep(&self) -> Answer<Option<KeptReload>> {
        match self.call_waiting("upkeep.reloadKeep", &[]) {
            Ok(value) => decode::kept(&value).map(Some),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an update would do; `None` when the server cannot tell, as the original cannot.
    pub fn plan(&self) -> Answer<Option<Vec<PlannedChange>>> {
        match self.call_waiting("upkeep.getPlan", &[]) {
            Ok(value) => decode::plan(&value).map(Some),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The configurations that were applied, oldest first; `None` when the server keeps none, as the original.
    pub fn config_generations(&self) -> Answer<Option<Vec<ConfigGeneration>>> {
        match self.call("upkeep.getConfigGenerations", &[]) {
            Ok(value) => decode::config_generations(&value).map(Some),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every file of a configuration that was applied; of what was read last for 0.
    pub fn config_files(&self, number: i64) -> Answer<Vec<ConfigFile>> {
        decode::config_files(&self.call_waiting("upkeep.getConfigGeneration", &[number.into()])?)
    }

    /// What going back to a configuration would do.
    pub fn rollback_plan(&self, number: i64) -> Answer<Vec<PlannedChange>> {
        decode::plan(&self.call_waiting("upkeep.getRollbackPlan", &[number.into()])?)
    }

    /// Takes a configuration that was applied before for what was read last, and tells what differs.
    pub fn rollback_config(&self, number: i64) -> Answer<Reread> {
        decode::reread(&self.call_waiting("upkeep.rollbackConfig", &[number.into()])?)
    }

    /// Writes the files of a configuration back; what became of each.
    pub fn write_config(&self, number: i64) -> Answer<Vec<ConfigFile>> {
        decode::config_files(&self.call_waiting("upkeep.writeConfigGeneration", &[number.into()])?)
    }

    /// The event listener pools; `None` when the server cannot tell, as the original cannot.
    pub fn listener_pools(&self) -> Answer<Option<Vec<ListenerPool>>> {
        match self.call("upkeep.getListenerPools", &[]) {
            Ok(value) => decode::pools(&value).map(Some),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The programs with a schedule; none when the server cannot tell, as the original cannot.
    pub fn schedules(&self) -> Answer<Vec<ScheduleInfo>> {
        match self.call("upkeep.getSchedules", &[]) {
            Ok(value) => decode::schedules(&value),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The programs whose health is looked at; none when the server cannot tell, as the original cannot.
    pub fn health(&self) -> Answer<Vec<HealthInfo>> {
        match self.call("upkeep.getHealth", &[]) {
            Ok(value) => decode::health(&value),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The logs that have lost bytes; none when the server cannot tell, as the original cannot.
    pub fn log_losses(&self) -> Answer<Vec<LogLoss>> {
        match self.call("upkeep.getLogLosses", &[]) {
            Ok(value) => decode::losses(&value),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Verbs about logs with their old files. All fail as [`Client::call`] does.
#[expect(clippy::missing_errors_doc, reason = "told once, above")]
impl Client {
    /// The end of a log and of its old files, as far as they were written at or after `since` (seconds since 1970), at most
    /// `length` bytes, and where its present file ends; `None` when the server cannot tell, as the original cannot.
    pub fn log_since(&self, log: &Log, since: i64, length: i64) -> Answer<Option<(LogTail, Place)>> {
        let mut params = vec![since.into(), length.into(), Value::Bool(true)];
        let verb = match log {
            Log::Main => "upkeep.readLogSince",
            Log::Process(name, channel) => {
                params.splice(..0, [Value::from(name.as_str()), channel.name().into()]);
                "upkeep.readProcessLogSince"
            }
        };
        let mut answer = self.call(verb, &params);
        if matches!(&answer, Err(error) if error.is_fault(FaultCode::IncorrectParameters)) {
            // An older daemon does not tell which file it is.
            params.pop();
            answer = self.call(verb, &params);
        }
        match answer {
            Ok(value) => {
                let tail = decode::log_tail(&value)?;
                let file = value.as_array().and_then(|parts| parts.get(3)).and_then(Value::as_str);
                let file = file.filter(|file| !file.is_empty()).map(str::to_owned);
                let place = Place { offset: u64::try_from(tail.offset).unwrap_or(0), file };
                Ok(Some((tail, place)))
            }
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Verbs about processes. All fail as [`Client::call`] does.
#[expect(clippy::missing_errors_doc, reason = "told once, above")]
impl Client {
    /// One process, named `P` or `G:P`.
    pub fn process_info(&self, name: &str) -> Answer<ProcessInfo> {
        decode::process(&self.call("supervisor.getProcessInfo", &[name.into()])?)
    }

    /// Every process, sorted by group and name.
    pub fn all_process_info(&self) -> Answer<Vec<ProcessInfo>> {
        let document = self.document("supervisor.getAllProcessInfo", &[], Some(SILENCE_LIMIT))?;
        match read_processes(&document) {
            Some(processes) => Ok(processes),
            None => decode::processes(&decode_response(&document)?),
        }
    }

    /// Starts one process and waits until it runs.
    pub fn start_process(&self, name: &str) -> Answer<()> {
        self.call_waiting("supervisor.startProcess", &[name.into()]).map(drop)
    }

    /// Starts what does not run in a group.
    pub fn start_process_group(&self, name: &str) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call_waiting("supervisor.startProcessGroup", &[name.into()])?)
    }

    /// Starts everything that does not run.
    pub fn start_all_processes(&self) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call_waiting("supervisor.startAllProcesses", &[])?)
    }

    /// Stops one process and waits until it has.
    pub fn stop_process(&self, name: &str) -> Answer<()> {
        self.call_waiting("supervisor.stopProcess", &[name.into()]).map(drop)
    }

    /// Stops what runs in a group.
    pub fn stop_process_group(&self, name: &str) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call_waiting("supervisor.stopProcessGroup", &[name.into()])?)
    }

    /// Stops everything that runs.
    pub fn stop_all_processes(&self) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call_waiting("supervisor.stopAllProcesses", &[])?)
    }

    /// Lets one process read its own configuration again, and waits until it has.
    pub fn reload_process(&self, name: &str) -> Answer<()> {
        self.call_waiting("upkeep.reloadProcess", &[name.into()]).map(drop)
    }

    /// Lets those of a group that run and can read their configuration again.
    pub fn reload_process_group(&self, name: &str) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call_waiting("upkeep.reloadProcessGroup", &[name.into()])?)
    }

    /// Lets all that run and can read their configuration again.
    pub fn reload_all_processes(&self) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call_waiting("upkeep.reloadAllProcesses", &[])?)
    }

    /// Begins to restart those of these that run (`G:P`, `G:*`, `all`), `batch` at a time (empty: what the programs say), each with `wait`
    /// seconds to be well again (0: what the programs say); the number of the rolling restart, or `None` when the server cannot do that.
    pub fn restart_rolling(&self, names: &[String], batch: &str, wait: i64) -> Answer<Option<i64>> {
        let names = Value::strings(names.to_vec());
        match self.call("upkeep.restartRolling", &[names, batch.into(), wait.into()]) {
            Ok(value) => decode::number(&value).map(Some),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The rolling restarts that are under way, and the last ones that are over; none when the server cannot tell, as the original cannot.
    pub fn rolling_restarts(&self) -> Answer<Vec<RollingInfo>> {
        match self.call("upkeep.getRollingRestarts", &[]) {
            Ok(value) => decode::rollings(&value),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// One of them; `None` if the server does not know of it.
    pub fn rolling_restart(&self, number: i64) -> Answer<Option<RollingInfo>> {
        let all = match self.call("upkeep.getRollingRestarts", &[number.into()]) {
            Ok(value) => decode::rollings(&value),
            // An older daemon tells only all of them.
            Err(error) if error.is_fault(FaultCode::IncorrectParameters) => self.rolling_restarts(),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        Ok(all?.into_iter().find(|info| info.number == number))
    }

    /// Waits until something of this kind (`rolling`, `processes`) has changed since this was the answer (empty: not at all), or for a while; `None`
    /// when the server cannot do that, or not for one more client.
    pub fn wait_for_change(&self, what: &str, seen: &str) -> Answer<Option<String>> {
        match self.call("upkeep.waitForChange", &[what.into(), seen.into()]) {
            Ok(value) => decode::text(value).map(Some),
            Err(ClientError::Fault(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a signal, a name or a number, to one process.
    pub fn signal_process(&self, name: &str, signal: &str) -> Answer<()> {
        self.call("supervisor.signalProcess", &[name.into(), signal.into()]).map(drop)
    }

    /// Sends a signal to every process of a group that can take one.
    pub fn signal_process_group(&self, name: &str, signal: &str) -> Answer<Vec<Outcome>> {
        let params = [Value::from(name), signal.into()];
        decode::outcomes(&self.call("supervisor.signalProcessGroup", &params)?)
    }

    /// Sends a signal to every process that can take one.
    pub fn signal_all_processes(&self, signal: &str) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call("supervisor.signalAllProcesses", &[signal.into()])?)
    }

    /// Writes to the standard input of a process.
    pub fn send_process_stdin(&self, name: &str, chars: &str) -> Answer<()> {
        self.call("supervisor.sendProcessStdin", &[name.into(), chars.into()]).map(drop)
    }
}

/// Verbs about logs. All fail as [`Client::call`] does.
#[expect(clippy::missing_errors_doc, reason = "told once, above")]
impl Client {
    /// Reads a log of a process; offsets as in RPC-141 … RPC-143.
    pub fn read_process_log(&self, name: &str, channel: Channel, offset: i64, length: i64) -> Answer<String> {
        let method = match channel {
            Channel::Stdout => "supervisor.readProcessStdoutLog",
            Channel::Stderr => "supervisor.readProcessStderrLog",
        };
        decode::text(self.call(method, &[name.into(), offset.into(), length.into()])?)
    }

    /// Empties the logs of one process.
    pub fn clear_process_logs(&self, name: &str) -> Answer<()> {
        self.call("supervisor.clearProcessLogs", &[name.into()]).map(drop)
    }

    /// Empties the logs of every process.
    pub fn clear_all_process_logs(&self) -> Answer<Vec<Outcome>> {
        decode::outcomes(&self.call("supervisor.clearAllProcessLogs", &[])?)
    }
}
