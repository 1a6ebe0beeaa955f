//! The catalogue: every XML-RPC method.

use super::system::{self, Answer};
use super::{Build, Param, Type, Verb};
use crate::{Channel, Request};

const fn param(name: &'static str, kind: Type, help: &'static str) -> Param {
    Param { name, kind, help, optional: false }
}

const NAME: Param = param("name", Type::String, "a process: its name, or group:name");
const NAME_OR_ALL: Param =
    param("name", Type::String, "a process: its name, group:name, or group:* for all of a group");
const NUMBER: Param = param("number", Type::Int, "the number of a configuration that was applied");
const NUMBER_OR_0: Param =
    param("number", Type::Int, "the number of a configuration that was applied; 0 is what was read last");
const GROUP: Param = param("name", Type::String, "the name of a group");
const OFFSET: Param =
    param("offset", Type::Int, "where to begin, in bytes; negative counts back from the end");
const LENGTH: Param = param("length", Type::Int, "how many bytes; 0 means up to the end");
const SEEN: Param = param("offset", Type::Int, "the offset that the last call gave back, or 0");
const MOST: Param = param("length", Type::Int, "how many bytes at most");
const CHANNEL: Param = param("channel", Type::String, "stdout or stderr");
const SINCE: Param =
    param("since", Type::Int, "leaves out files last written before this, in seconds since 1970; 0 is all");
const SIGNAL: Param = param("signal", Type::String, "a signal by name (HUP, SIGHUP) or number");
const WAIT: Param = Param {
    name: "wait",
    kind: Type::Boolean,
    help: "answer when it is done (the default), not when it is begun",
    optional: true,
};

const WHICH_FILE: Param = Param {
    name: "file",
    kind: Type::Boolean,
    help: "whether the answer also names the present file, for If-Range of a log tail (default: not)",
    optional: true,
};
const ROLLING: Param = Param {
    name: "number",
    kind: Type::Int,
    help: "the number of the only one that is to be told, if it is known",
    optional: true,
};

const OK: &str = "true; anything else is a fault";
const RESULTS: &str = "one struct per process: name, group, status, description";
const BYTES: &str = "the bytes; what is not UTF-8 is replaced by U+FFFD";
const SINCE_TAIL: &str = "the bytes, the size of the present file, and whether older bytes are left out";
const TAIL: &str = "the bytes, the size of the log now, and whether bytes since offset are left out";

const fn verb(name: &'static str, params: &'static [Param], returns: Type, build: Build) -> Verb {
    Verb { name, aliases: &[], params, returns, result: "", summary: "", build }
}

impl<B: Copy> Verb<B> {
    const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn says(mut self, summary: &'static str, result: &'static str) -> Self {
        self.summary = summary;
        self.result = result;
        self
    }
}

/// What every namespace with the standard factory publishes, usually `supervisor` (RPC-070 … RPC-162).
pub static STANDARD: &[Verb] = &[
    verb("getAPIVersion", &[], Type::String, |_| Ok(Request::GetApiVersion))
        .alias(&["getVersion"])
        .says("Tells which version of this interface is spoken.", "a version such as 3.0"),
    verb("getSupervisorVersion", &[], Type::String, |_| Ok(Request::GetSupervisorVersion))
        .says("Tells which release of Supervisor this daemon behaves like.", "a version such as 4.3.0"),
    verb("getIdentification", &[], Type::String, |_| Ok(Request::GetIdentification))
        .says("Tells the daemon's identifier, as configured.", "the identifier"),
    verb("getState", &[], Type::Struct, |_| Ok(Request::GetState))
        .says("Tells the state of the daemon.", "statecode (int) and statename (string)"),
    verb("getPID", &[], Type::Int, |_| Ok(Request::GetPid))
        .says("Tells the pid that signals for the daemon go to.", "the pid"),
    verb("shutdown", &[], Type::Boolean, |_| Ok(Request::Shutdown))
        .says("Stops all processes, then the daemon. Answers at once.", OK),
    verb("restart", &[], Type::Boolean, |_| Ok(Request::Restart))
        .says("Stops all processes and starts over with the configuration read anew. Answers at once.", OK),
    verb("readLog", &[OFFSET, LENGTH], Type::String, |args| {
        Ok(Request::ReadLog { offset: args.int()?, length: args.int()? })
    })
    .alias(&["readMainLog"])
    .says("Reads a part of the daemon's own log.", BYTES),
    verb("clearLog", &[], Type::Boolean, |_| Ok(Request::ClearLog)).says("Empties the daemon's own log.", OK),
    verb("reloadConfig", &[], Type::Array, |_| Ok(Request::ReloadConfig)).says(
        "Reads the configuration again; what runs stays as it is.",
        "[[added, changed, removed]], names of groups",
    ),
    verb("addProcessGroup", &[GROUP], Type::Boolean, |args| {
        Ok(Request::AddProcessGroup { name: args.group()? })
    })
    .says("Activates a group of the last read configuration.", OK),
    verb("removeProcessGroup", &[GROUP], Type::Boolean, |args| {
        Ok(Request::RemoveProcessGroup { name: args.group()? })
    })
    .says("Forgets a group whose processes are all stopped.", OK),
    verb("getAllConfigInfo", &[], Type::Array, |_| Ok(Request::GetAllConfigInfo))
        .says("Tells the options of every process in the last read configuration.", "one struct per process"),
    verb("getProcessInfo", &[NAME], Type::Struct, |args| {
        Ok(Request::GetProcessInfo { name: args.string()? })
    })
    .says("Tells the state of one process.", "what is known of the process"),
    verb("getAllProcessInfo", &[], Type::Array, |_| Ok(Request::GetAllProcessInfo))
        .says("Tells the state of all processes.", "one struct per process"),
    verb("startProcess", &[NAME_OR_ALL, WAIT], Type::Boolean, |args| {
        Ok(Request::StartProcess { name: args.string()?, wait: args.flag(true) })
    })
    .says("Starts a process.", OK),
    verb("startProcessGroup", &[GROUP, WAIT], Type::Array, |args| {
        Ok(Request::StartProcessGroup { name: args.group()?, wait: args.flag(true) })
    })
    .says("Starts the processes of a group that do not run.", RESULTS),
    verb("startAllProcesses", &[WAIT], Type::Array, |args| {
        Ok(Request::StartAllProcesses { wait: args.flag(true) })
    })
    .says("Starts all processes that do not run.", RESULTS),
    verb("stopProcess", &[NAME_OR_ALL, WAIT], Type::Boolean, |args| {
        Ok(Request::StopProcess { name: args.string()?, wait: args.flag(true) })
    })
    .says("Stops a process.", OK),
    verb("stopProcessGroup", &[GROUP, WAIT], Type::Array, |args| {
        Ok(Request::StopProcessGroup { name: args.group()?, wait: args.flag(true) })
    })
    .says("Stops the running processes of a group.", RESULTS),
    verb("stopAllProcesses", &[WAIT], Type::Array, |args| {
        Ok(Request::StopAllProcesses { wait: args.flag(true) })
    })
    .says("Stops all running processes.", RESULTS),
    verb("signalProcess", &[NAME_OR_ALL, SIGNAL], Type::Boolean, |args| {
        Ok(Request::SignalProcess { name: args.string()?, signal: args.signal()? })
    })
    .says("Sends a signal to a process.", OK),
    verb("signalProcessGroup", &[GROUP, SIGNAL], Type::Array, |args| {
        Ok(Request::SignalProcessGroup { name: args.group()?, signal: args.signal()? })
    })
    .says("Sends a signal to the processes of a group.", RESULTS),
    verb("signalAllProcesses", &[SIGNAL], Type::Array, |args| {
        Ok(Request::SignalAllProcesses { signal: args.signal()? })
    })
    .says("Sends a signal to all processes.", RESULTS),
    verb("readProcessStdoutLog", &[NAME, OFFSET, LENGTH], Type::String, |args| {
        let name = args.string()?;
        Ok(Request::ReadProcessLog {
            name,
            channel: Channel::Stdout,
            offset: args.int()?,
            length: args.int()?,
        })
    })
    .alias(&["readProcessLog"])
    .says("Reads a part of a process's stdout log.", BYTES),
    verb("readProcessStderrLog", &[NAME, OFFSET, LENGTH], Type::String, |args| {
        let name = args.string()?;
        Ok(Request::ReadProcessLog {
            name,
            channel: Channel::Stderr,
            offset: args.int()?,
            length: args.int()?,
        })
    })
    .says("Reads a part of a process's stderr log.", BYTES),
    verb("tailProcessStdoutLog", &[NAME, SEEN, MOST], Type::Array, |args| {
        let name = args.string()?;
        Ok(Request::TailProcessLog {
            name,
            channel: Channel::Stdout,
            offset: args.int()?,
            length: args.int()?,
        })
    })
    .alias(&["tailProcessLog"])
    .says("Reads the end of a process's stdout log, to follow it call by call.", TAIL),
    verb("tailProcessStderrLog", &[NAME, SEEN, MOST], Type::Array, |args| {
        let name = args.string()?;
        Ok(Request::TailProcessLog {
            name,
            channel: Channel::Stderr,
            offset: args.int()?,
            length: args.int()?,
        })
    })
    .says("Reads the end of a process's stderr log, to follow it call by call.", TAIL),
    verb("clearProcessLogs", &[NAME], Type::Boolean, |args| {
        Ok(Request::ClearProcessLogs { name: args.string()? })
    })
    .alias(&["clearProcessLog"])
    .says("Empties the logs of a process.", OK),
    verb("clearAllProcessLogs", &[], Type::Array, |_| Ok(Request::ClearAllProcessLogs))
        .says("Empties the logs of all processes.", RESULTS),
    verb(
        "sendProcessStdin",
        &[NAME, param("chars", Type::String, "what to write, as UTF-8")],
        Type::Boolean,
        |args| {
            let name = args.string();
            // What is no text is told before a name that is none, as Supervisor does.
            let chars = args.chars()?;
            Ok(Request::SendProcessStdin { name: name?, chars })
        },
    )
    .says("Writes to the standard input of a process.", OK),
    verb(
        "sendRemoteCommEvent",
        &[
            param("type", Type::String, "the type key in the event's header"),
            param("data", Type::String, "the body of the event"),
        ],
        Type::Boolean,
        |args| Ok(Request::SendRemoteCommEvent { kind: args.text_of_any()?, data: args.text_of_any()? }),
    )
    .says("Sends an event to the listeners subscribed to remote communication.", OK),
];

/// Our own, published under [`super::OWN_NAMESPACE`] wherever the standard ones are.
pub static OWN: &[Verb] = &[
    verb("updateProcessGroup", &[GROUP], Type::Struct, |args| {
        Ok(Request::UpdateProcessGroup { name: args.group()? })
    })
    .says(
        "Makes an active group what the last read configuration says, touching only what must change.",
        "names of processes: stopped, restarted, started, live; rolling: the rolling restart that gives others their options, or 0",
    ),
    verb(
        "upgrade",
        &[param("binary", Type::String, "path of a program; empty is the one that runs")],
        Type::String,
        |args| Ok(Request::Upgrade { binary: args.text_of_any()? }),
    )
    .says(
        "Replaces daemon and keeper by another program while every process runs on.",
        "names the upgrade, for getUpgrade; it has begun",
    ),
    verb("getUpgrade", &[], Type::Struct, |_| Ok(Request::GetUpgrade)).says(
        "Tells what runs and what became of the last upgrade.",
        "a struct of token, failure (empty if there was none), program, version",
    ),
    verb("reloadKeep", &[], Type::Struct, |_| Ok(Request::ReloadKeep)).says(
        "Reads the configuration again and applies what is about the daemon itself, while every process runs on.",
        "applied and not_applied: structs of section, option, note; added, changed, removed: groups that wait",
    ),
    verb("reloadProcess", &[NAME_OR_ALL], Type::Boolean, |args| {
        Ok(Request::ReloadProcess { name: args.string()? })
    })
    .says(
        "Lets a process read its own configuration again, by its reload_command or its reload_signal.",
        OK,
    ),
    verb("reloadProcessGroup", &[GROUP], Type::Array, |args| {
        Ok(Request::ReloadProcessGroup { name: args.string()? })
    })
    .says("Does so with those of a group that run and can.", RESULTS),
    verb("reloadAllProcesses", &[], Type::Array, |_| Ok(Request::ReloadAllProcesses))
        .says("Does so with all that run and can.", RESULTS),
    verb(
        "restartRolling",
        &[
            param("names", Type::Array, "processes (group:name), groups (group:*), or all"),
            param("batch", Type::String, "how many at a time: 2, 25%, or empty for what the programs say"),
            param("wait", Type::Int, "seconds that each may take to be well again; 0 is what the programs say"),
        ],
        Type::Int,
        |args| {
            let (names, batch) = (args.strings()?, args.string()?);
            Ok(Request::RestartRolling { names, batch, wait: args.int()? })
        },
    )
    .says(
        "Restarts the running ones of these some at a time, and goes on when those are RUNNING and healthy. Answers at once.",
        "the number of the rolling restart, for getRollingRestarts; it has begun",
    ),
    verb("getRollingRestarts", &[ROLLING], Type::Array, |args| {
        Ok(Request::GetRollingRestarts { number: args.optional_int()? })
    })
    .says(
        "Tells the rolling restarts that are under way, and the last ones that are over, or one of them.",
        "per rolling restart a struct of number, state, reason, update, members (name, group, stage, reason)",
    ),
    verb(
        "waitForChange",
        &[
            param("what", Type::String, "rolling: how far rolling restarts are; processes: which there are"),
            param("seen", Type::String, "what the last call gave back, or empty"),
        ],
        Type::String,
        |args| Ok(Request::WaitForChange { what: args.string()?, seen: args.string()? }),
    )
    .says(
        "Waits until something of this has changed since the last call, 25 seconds at most.",
        "a text for the next call; the same one if nothing has changed",
    ),
    verb("getPlan", &[], Type::Array, |_| Ok(Request::GetPlan)).says(
        "Reads the configuration again and tells what an update would do to each process, and why; changes nothing.",
        "per process a struct of group, name, change (new, removed, restart, live, start, next start), seconds (to stop), starting, dependants (group, name, change), causes (section, option, file, line)",
    ),
    verb("getConfigGenerations", &[], Type::Array, |_| Ok(Request::GetConfigGenerations)).says(
        "Tells which configurations were applied, oldest first, as far as they are kept.",
        "per configuration a struct of number, time, cause (start, restart, update, reload, rollback N), changed, running",
    ),
    verb("getConfigGeneration", &[NUMBER_OR_0], Type::Array, |args| {
        Ok(Request::GetConfigGeneration { number: args.int()? })
    })
    .says(
        "Tells every file of a configuration that was applied; only root and the daemon's user may ask, over a unix socket.",
        "per file a struct of path, text (base64 if XML cannot carry it as it is)",
    ),
    verb("getRollbackPlan", &[NUMBER], Type::Array, |args| {
        Ok(Request::GetRollbackPlan { number: args.int()? })
    })
    .says(
        "Tells what going back to a configuration would do to each process, and why; changes nothing.",
        "as getPlan",
    ),
    verb("rollbackConfig", &[NUMBER], Type::Array, |args| {
        Ok(Request::RollbackConfig { number: args.int()? })
    })
    .says(
        "Takes a configuration that was applied before for what was read last, as reloadConfig does with the files; changes nothing that runs.",
        "as reloadConfig",
    ),
    verb("writeConfigGeneration", &[NUMBER], Type::Array, |args| {
        Ok(Request::WriteConfigGeneration { number: args.int()? })
    })
    .says(
        "Writes the files of a configuration back; only root and the daemon's user may ask, over a unix socket.",
        "per file a struct of path, text (what became of it)",
    ),
    verb("getListenerPools", &[], Type::Array, |_| Ok(Request::GetListenerPools)).says(
        "Tells what event listeners do, how many events wait for them and how many were discarded.",
        "per pool a struct of name, events, waiting, buffer_size, durable, discarded, listeners",
    ),
    verb("getLogLosses", &[], Type::Array, |_| Ok(Request::GetLogLosses)).says(
        "Tells which logs have lost bytes since the daemon came up or since they were cleared, and why.",
        "per log a struct of name, group, channel, path, dropped, reason, dropping",
    ),
    verb("getSchedules", &[], Type::Array, |_| Ok(Request::GetSchedules)).says(
        "Tells when programs with a schedule run next, and how their last runs ended.",
        "per process a struct of name, group, schedule, timezone, on, next, queued, last_start, last_milliseconds, last_result",
    ),
    verb("getHealth", &[], Type::Array, |_| Ok(Request::GetHealth)).says(
        "Tells how programs are whose health is looked at, and why.",
        "per process a struct of name, group, check, state, since, reason, ready, checking, next_check, last_check, last_result, failures, successes, status, watchdog, mainpid",
    ),
    verb("readProcessLogSince", &[NAME, CHANNEL, SINCE, MOST, WHICH_FILE], Type::Array, |args| {
        let process = Some((args.string()?, args.channel()?));
        let (since, length) = (args.int()?, args.int()?);
        Ok(Request::ReadLogSince { process, since, length, file: args.flag(false) })
    })
    .says("Reads the end of a process's log, old files included, compressed or not.", SINCE_TAIL),
    verb("readLogSince", &[SINCE, MOST, WHICH_FILE], Type::Array, |args| {
        let (since, length) = (args.int()?, args.int()?);
        Ok(Request::ReadLogSince { process: None, since, length, file: args.flag(false) })
    })
    .says("Reads the end of the daemon's log, old files included.", SINCE_TAIL),
];

const fn about(name: &'static str, params: &'static [Param], returns: Type, build: Answer) -> Verb<Answer> {
    Verb { name, aliases: &[], params, returns, result: "", summary: "", build }
}

const METHOD: Param = param("name", Type::String, "a method, with its namespace");

/// The methods about methods (RPC-060 … RPC-062); `multicall` is carried out where calls are.
pub(super) static SYSTEM: &[Verb<Answer>] = &[
    about("listMethods", &[], Type::Array, |namespaces, _| Ok(system::list_methods(namespaces)))
        .says("Lists the methods that can be called.", "their names, sorted"),
    about("methodHelp", &[METHOD], Type::String, system::method_help)
        .says("Tells what a method does.", "the text you are reading, of that method"),
    about("methodSignature", &[METHOD], Type::Array, system::method_signature)
        .says("Tells the types of a method.", "the type of its result, then of each parameter"),
    about(
        "multicall",
        &[param("calls", Type::Array, "structs of methodName (string) and params (array)")],
        Type::Array,
        |_, _| Err(system::unsupported()),
    )
    .says(
        "Carries out calls one after the other.",
        "per call its bare result, or a struct of faultCode and faultString",
    ),
];
