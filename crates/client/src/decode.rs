//! Values to what they mean. Missing members that a server of another age may not send get a default; what a caller
//! cannot do without makes the answer malformed.

use upkeep_api::xmlrpc::Value;
use upkeep_api::{
    ConfigFile, ConfigGeneration, FaultCode, GroupUpdate, HealthInfo, KeptReload, ListenerPool, LogLoss,
    LogTail, PlannedChange, ProcessInfo, ProcessState, Reread, RollingInfo, ScheduleInfo, UpgradeState,
};

use crate::ClientError;

/// What became of one process of a call about many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// Fault code; 80 is success.
    pub status: i32,
    /// Fault string; `OK` for success.
    pub description: String,
}

impl Outcome {
    /// Whether it worked.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.fault() == Some(FaultCode::Success)
    }

    /// The code, if it is one of the table.
    #[must_use]
    pub fn fault(&self) -> Option<FaultCode> {
        FaultCode::from_code(self.status)
    }
}

/// A configured process, as far as `avail` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Name of the process.
    pub name: String,
    /// Name of its group.
    pub group: String,
    /// Whether that group is active.
    pub inuse: bool,
    /// `autostart`.
    pub autostart: bool,
    /// Priority of the group.
    pub group_prio: i64,
    /// Priority of the process.
    pub process_prio: i64,
}

fn wrong(expected: &str) -> ClientError {
    ClientError::Malformed(format!("expected {expected}"))
}

pub(crate) fn text(value: Value) -> Result<String, ClientError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Base64(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Int(_)
        | Value::Bool(_)
        | Value::Double(_)
        | Value::DateTime(_)
        | Value::Array(_)
        | Value::Struct(_)
        | Value::Nil => Err(wrong("a string")),
    }
}

pub(crate) fn number(value: &Value) -> Result<i64, ClientError> {
    value.as_int().ok_or_else(|| wrong("an int"))
}

fn items(value: &Value) -> Result<&[Value], ClientError> {
    value.as_array().ok_or_else(|| wrong("an array"))
}

fn each<T>(value: &Value, one: fn(&Value) -> Result<T, ClientError>) -> Result<Vec<T>, ClientError> {
    items(value)?.iter().map(one).collect()
}

fn member(value: &Value, name: &str) -> Result<String, ClientError> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| wrong(&format!("a struct with a string {name:?}")))
}

fn text_or_empty(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn int_member(value: &Value, name: &str) -> Result<i64, ClientError> {
    value.get(name).and_then(Value::as_int).ok_or_else(|| wrong(&format!("a struct with an int {name:?}")))
}

fn int_or_zero(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_int).unwrap_or_default()
}

/// Booleans also arrive as 0 and 1.
fn truth(value: &Value, name: &str) -> bool {
    let truth = |member: &Value| member.as_bool().or_else(|| member.as_int().map(|number| number != 0));
    value.get(name).and_then(truth).unwrap_or_default()
}

pub(crate) fn process(value: &Value) -> Result<ProcessInfo, ClientError> {
    let code = i32::try_from(int_member(value, "state")?).ok();
    Ok(ProcessInfo {
        name: member(value, "name")?,
        group: member(value, "group")?,
        start: int_or_zero(value, "start"),
        stop: int_or_zero(value, "stop"),
        now: int_or_zero(value, "now"),
        state: code.and_then(ProcessState::from_code).ok_or_else(|| wrong("a process state"))?,
        spawnerr: text_or_empty(value, "spawnerr"),
        exitstatus: i32::try_from(int_or_zero(value, "exitstatus")).unwrap_or_default(),
        stdout_logfile: text_or_empty(value, "stdout_logfile"),
        stderr_logfile: text_or_empty(value, "stderr_logfile"),
        pid: u32::try_from(int_or_zero(value, "pid")).unwrap_or_default(),
        description: text_or_empty(value, "description"),
    })
}

pub(crate) fn processes(value: &Value) -> Result<Vec<ProcessInfo>, ClientError> {
    each(value, process)
}

fn configured(value: &Value) -> Result<Configured, ClientError> {
    Ok(Configured {
        name: member(value, "name")?,
        group: member(value, "group")?,
        inuse: truth(value, "inuse"),
        autostart: truth(value, "autostart"),
        group_prio: int_member(value, "group_prio")?,
        process_prio: int_member(value, "process_prio")?,
    })
}

pub(crate) fn configs(value: &Value) -> Result<Vec<Configured>, ClientError> {
    each(value, configured)
}

fn outcome(value: &Value) -> Result<Outcome, ClientError> {
    Ok(Outcome {
        name: member(value, "name")?,
        group: member(value, "group")?,
        status: i32::try_from(int_member(value, "status")?).map_err(|_| wrong("a fault code"))?,
        description: text_or_empty(value, "description"),
    })
}

pub(crate) fn outcomes(value: &Value) -> Result<Vec<Outcome>, ClientError> {
    each(value, outcome)
}

fn names(value: &Value) -> Result<Vec<String>, ClientError> {
    each(value, |item| item.as_str().map(str::to_owned).ok_or_else(|| wrong("a name")))
}

/// `[[added, changed, removed]]`.
pub(crate) fn reread(value: &Value) -> Result<Reread, ClientError> {
    let lists = items(value)?.first().ok_or_else(|| wrong("three lists of groups"))?;
    match items(lists)? {
        [added, changed, removed] => {
            Ok(Reread { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
        }
        _ => Err(wrong("three lists of groups")),
    }
}

pub(crate) fn kept(value: &Value) -> Result<KeptReload, ClientError> {
    KeptReload::from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn plan(value: &Value) -> Result<Vec<PlannedChange>, ClientError> {
    PlannedChange::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn config_generations(value: &Value) -> Result<Vec<ConfigGeneration>, ClientError> {
    ConfigGeneration::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn config_files(value: &Value) -> Result<Vec<ConfigFile>, ClientError> {
    ConfigFile::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn pools(value: &Value) -> Result<Vec<ListenerPool>, ClientError> {
    ListenerPool::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn upgrade(value: &Value) -> Result<UpgradeState, ClientError> {
    UpgradeState::from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn losses(value: &Value) -> Result<Vec<LogLoss>, ClientError> {
    LogLoss::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn schedules(value: &Value) -> Result<Vec<ScheduleInfo>, ClientError> {
    ScheduleInfo::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn health(value: &Value) -> Result<Vec<HealthInfo>, ClientError> {
    HealthInfo::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn rollings(value: &Value) -> Result<Vec<RollingInfo>, ClientError> {
    RollingInfo::list_from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn log_tail(value: &Value) -> Result<LogTail, ClientError> {
    LogTail::from_value(value).map_err(|error| wrong(&error.0))
}

pub(crate) fn update(value: &Value) -> Result<GroupUpdate, ClientError> {
    let list = |name| value.get(name).map_or_else(|| Err(wrong("lists of processes")), names);
    Ok(GroupUpdate {
        stopped: list("stopped")?,
        restarted: list("restarted")?,
        started: list("started")?,
        live: list("live")?,
        whole: value.get("whole").and_then(Value::as_bool).unwrap_or_default(),
        rolling: value.get("rolling").and_then(Value::as_int).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_needs_name_group_and_state() {
        let whole = Value::record([
            ("name", "p".into()),
            ("group", "g".into()),
            ("state", 20.into()),
            ("pid", 7.into()),
        ]);
        let info = process(&whole).expect("whole");
        assert_eq!((info.name.as_str(), info.state, info.pid), ("p", ProcessState::Running, 7));
        for rest in [
            Value::record([("name", "p".into()), ("group", "g".into())]),
            Value::record([("name", "p".into()), ("state", 20.into())]),
            Value::record([("name", "p".into()), ("group", "g".into()), ("state", 21.into())]),
            Value::Nil,
        ] {
            assert!(process(&rest).is_err(), "{rest:?}");
        }
    }

    #[test]
    fn a_reread_is_one_array_of_three_rpc_130() {
        let list = |names: &[&str]| Value::strings(names.iter().copied());
        let lists = Value::Array(vec![list(&["a"]), list(&[]), list(&["c", "d"])]);
        let found = reread(&Value::Array(vec![lists.clone()])).expect("three lists");
        assert_eq!((found.added.len(), found.changed.len(), found.removed.len()), (1, 0, 2));
        assert!(reread(&lists).is_err());
    }
}
