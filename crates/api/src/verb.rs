//! The verbs. A verb added here is everywhere.

use std::path::PathBuf;

use crate::{
    ActionResult, Channel, ConfigFile, ConfigGeneration, ConfigInfo, DaemonState, FileId, GroupUpdate,
    HealthInfo, KeptReload, ListenerPool, LogLoss, LogTail, PlannedChange, ProcessInfo, Reread, RollingInfo,
    RollingProgress, ScheduleInfo, SharedList, UpgradeState,
};

/// One request. Process names are `P`, `G:P`, and where a group is allowed `G:*` or `G:` (RPC-080).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of the verb's XML-RPC parameters, described in its help"
)]
pub enum Request {
    /// `supervisor.getAPIVersion`, `getVersion`.
    GetApiVersion,
    /// `supervisor.getSupervisorVersion`.
    GetSupervisorVersion,
    /// `supervisor.getIdentification`.
    GetIdentification,
    /// `supervisor.getState`.
    GetState,
    /// `supervisor.getPID`.
    GetPid,
    /// `supervisor.readLog`, `readMainLog`.
    ReadLog { offset: i64, length: i64 },
    /// `supervisor.clearLog`.
    ClearLog,
    /// `supervisor.shutdown`.
    Shutdown,
    /// `supervisor.restart`.
    Restart,
    /// `supervisor.reloadConfig`.
    ReloadConfig,
    /// `supervisor.addProcessGroup`.
    AddProcessGroup { name: String },
    /// `supervisor.removeProcessGroup`.
    RemoveProcessGroup { name: String },
    /// `upkeep.updateProcessGroup`: makes the active group what the last read configuration says, touching only
    /// what must change (D-37).
    UpdateProcessGroup { name: String },
    /// `upkeep.upgrade`: another program takes the place of daemon and keeper.
    Upgrade { binary: String },
    /// `upkeep.getUpgrade`: what became of it.
    GetUpgrade,
    /// `upkeep.reloadKeep`: reads the configuration again and applies what is about the daemon itself, its sockets
    /// included, while every process runs on.
    ReloadKeep,
    /// `upkeep.reloadProcess`: lets a process read its own configuration again, by its command or its signal.
    ReloadProcess { name: String },
    /// `upkeep.reloadProcessGroup`: those of a group that run and can.
    ReloadProcessGroup { name: String },
    /// `upkeep.reloadAllProcesses`: all that run and can.
    ReloadAllProcesses,
    /// `upkeep.restartRolling`: restarts those of these that run, some at a time (`batch`: a number, a percentage, or empty for what the
    /// programs say), each batch when all of the last are RUNNING and healthy again, within `wait` seconds (0: what the programs say). `all`
    /// is every process.
    RestartRolling { names: Vec<String>, batch: String, wait: i64 },
    /// `upkeep.getRollingRestarts`: those under way, and the last ones that are over, or the one of this number.
    GetRollingRestarts { number: Option<i64> },
    /// `upkeep.getPlan`: reads the configuration again and tells what an update would do, and why; changes nothing.
    GetPlan,
    /// `upkeep.getConfigGenerations`: the configurations that were applied.
    GetConfigGenerations,
    /// `upkeep.getConfigGeneration`: every file of one of them; 0 is what was read last.
    GetConfigGeneration { number: i64 },
    /// `upkeep.getRollbackPlan`: what going back to one would do, and why; changes nothing.
    GetRollbackPlan { number: i64 },
    /// `upkeep.rollbackConfig`: takes one for what was read last, and tells what differs; changes nothing that runs.
    RollbackConfig { number: i64 },
    /// `upkeep.writeConfigGeneration`: writes its files back.
    WriteConfigGeneration { number: i64 },
    /// `upkeep.getListenerPools`: event listeners, what waits for them and what was discarded.
    GetListenerPools,
    /// `upkeep.getLogLosses`: logs that have lost bytes, and why.
    GetLogLosses,
    /// `upkeep.getSchedules`: programs with a schedule, their last runs and the next ones.
    GetSchedules,
    /// `upkeep.getHealth`: programs whose health is looked at, and what is known of it.
    GetHealth,
    /// `upkeep.readProcessLogSince`, and without a process `upkeep.readLogSince`: the end of a log and of its old files, as far as
    /// they were written at or after `since`, in seconds of the Unix epoch. With `file` the answer tells which file is the present one.
    ReadLogSince { process: Option<(String, Channel)>, since: i64, length: i64, file: bool },
    /// `supervisor.getAllConfigInfo`.
    GetAllConfigInfo,
    /// `supervisor.getProcessInfo`.
    GetProcessInfo { name: String },
    /// `supervisor.getAllProcessInfo`.
    GetAllProcessInfo,
    /// `supervisor.startProcess`.
    StartProcess { name: String, wait: bool },
    /// `supervisor.startProcessGroup`.
    StartProcessGroup { name: String, wait: bool },
    /// `supervisor.startAllProcesses`.
    StartAllProcesses { wait: bool },
    /// `supervisor.stopProcess`.
    StopProcess { name: String, wait: bool },
    /// `supervisor.stopProcessGroup`.
    StopProcessGroup { name: String, wait: bool },
    /// `supervisor.stopAllProcesses`.
    StopAllProcesses { wait: bool },
    /// `supervisor.signalProcess`.
    SignalProcess { name: String, signal: String },
    /// `supervisor.signalProcessGroup`.
    SignalProcessGroup { name: String, signal: String },
    /// `supervisor.signalAllProcesses`.
    SignalAllProcesses { signal: String },
    /// `supervisor.readProcessStdoutLog`, `readProcessLog`, `readProcessStderrLog`.
    ReadProcessLog { name: String, channel: Channel, offset: i64, length: i64 },
    /// `supervisor.tailProcessStdoutLog`, `tailProcessLog`, `tailProcessStderrLog`.
    TailProcessLog { name: String, channel: Channel, offset: i64, length: i64 },
    /// `supervisor.clearProcessLogs`, `clearProcessLog`.
    ClearProcessLogs { name: String },
    /// `supervisor.clearAllProcessLogs`.
    ClearAllProcessLogs,
    /// `supervisor.sendProcessStdin`.
    SendProcessStdin { name: String, chars: String },
    /// `supervisor.sendRemoteCommEvent`.
    SendRemoteCommEvent { kind: String, data: String },
    /// `upkeep.waitForChange`: waits until something of this kind has changed since a client saw that, or for a while.
    WaitForChange { what: String, seen: String },
    /// How far the rolling restarts under way are, and the latest one if it has failed: for the status page. Not an XML-RPC method.
    GetRollingProgress,
    /// Where a log is, for `/logtail` and `/mainlogtail`; `None` is the daemon's own log. Not an XML-RPC method.
    LogPath { process: Option<(String, Channel)> },
}

/// The answer to a request that worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes of a log; text dialects replace what they cannot carry by U+FFFD (D-03).
    Bytes(Vec<u8>),
    /// The daemon's state.
    State(DaemonState),
    /// One process.
    Process(Box<ProcessInfo>),
    /// Many processes.
    Processes(SharedList),
    /// All configured processes.
    Configs(Vec<ConfigInfo>),
    /// What became of each process.
    Results(Vec<ActionResult>),
    /// What an update would do.
    Plan(Vec<PlannedChange>),
    /// Configurations that were applied, oldest first.
    ConfigGenerations(Vec<ConfigGeneration>),
    /// Files of a configuration.
    ConfigFiles(Vec<ConfigFile>),
    /// What a reread found.
    Reread(Reread),
    /// What an update did.
    Update(GroupUpdate),
    /// What became of the last upgrade.
    Upgrade(UpgradeState),
    /// What a reload that keeps every process did.
    Kept(KeptReload),
    /// The event listener pools.
    Pools(Vec<ListenerPool>),
    /// The logs that have lost bytes.
    Losses(Vec<LogLoss>),
    /// Rolling restarts.
    Rolling(Vec<RollingInfo>),
    /// How far rolling restarts are.
    RollingProgress(Vec<RollingProgress>),
    /// Programs with a schedule.
    Schedules(Vec<ScheduleInfo>),
    /// Programs whose health is looked at.
    Health(Vec<HealthInfo>),
    /// A part of a log.
    Tail(LogTail),
    /// The same, and which file its offset is about, if there is one.
    TailOf(LogTail, Option<FileId>),
    /// Where a log is.
    Path(PathBuf),
}
