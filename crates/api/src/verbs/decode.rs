//! XML-RPC values to what clients work with. Takes our answers and the original Supervisor's.

use crate::xmlrpc::Value;
use crate::{
    ActionResult, ConfigFile, ConfigGeneration, ConfigInfo, Fault, FaultCode, GroupUpdate, HealthInfo,
    KeptReload, Listener, ListenerPool, LogFile, LogLoss, LogTail, OutputInfo, PlannedCause, PlannedChange,
    PlannedDependant, ProcessInfo, ProcessState, Reread, RollingInfo, RollingMember, ScheduleInfo, Setting,
    UpgradeState,
};

/// An answer that is not what its method answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no usable {0}")]
pub struct WrongShape(pub String);

/// A struct whose members are asked for by name.
struct Members<'a>(&'a Value);

impl<'a> Members<'a> {
    fn get<T>(&self, name: &str, convert: impl FnOnce(&'a Value) -> Option<T>) -> Result<T, WrongShape> {
        self.0.get(name).and_then(convert).ok_or_else(|| WrongShape(name.to_owned()))
    }

    fn text(&self, name: &str) -> Result<String, WrongShape> {
        self.get(name, Value::as_str).map(str::to_owned)
    }

    fn int<T: TryFrom<i64>>(&self, name: &str) -> Result<T, WrongShape> {
        self.get(name, |value| value.as_int().and_then(|number| T::try_from(number).ok()))
    }

    fn bool(&self, name: &str) -> Result<bool, WrongShape> {
        self.get(name, Value::as_bool)
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, WrongShape> {
        self.get(name, texts)
    }

    /// A text, or `none`.
    fn text_or_none(&self, name: &str) -> Result<Option<String>, WrongShape> {
        Ok(Some(self.text(name)?).filter(|text| text != "none"))
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Every item of an array, decoded by `one`.
///
/// # Errors
/// [`WrongShape`] when it is no array, or from an item.
fn all<T>(value: &Value, one: impl Fn(&Value) -> Result<T, WrongShape>) -> Result<Vec<T>, WrongShape> {
    value.as_array().ok_or_else(|| WrongShape("array".to_owned()))?.iter().map(one).collect()
}

impl ProcessInfo {
    /// Reads a struct of `getProcessInfo`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let members = Members(value);
        let state = members.int("state")?;
        Ok(Self {
            name: members.text("name")?,
            group: members.text("group")?,
            start: members.int("start")?,
            stop: members.int("stop")?,
            now: members.int("now")?,
            state: ProcessState::from_code(state).ok_or_else(|| WrongShape("state".to_owned()))?,
            spawnerr: members.text("spawnerr")?,
            exitstatus: members.int("exitstatus")?,
            stdout_logfile: members.text("stdout_logfile")?,
            stderr_logfile: members.text("stderr_logfile")?,
            pid: members.int("pid")?,
            description: members.text("description")?,
        })
    }

    /// Reads the array of `getAllProcessInfo`.
    ///
    /// # Errors
    /// [`WrongShape`] as for one.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, Self::from_value)
    }
}

impl ConfigInfo {
    /// Reads a struct of `getAllConfigInfo`; without `autorestart` it is taken as `unexpected`, the default.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let members = Members(value);
        Ok(Self {
            name: members.text("name")?,
            group: members.text("group")?,
            inuse: members.bool("inuse")?,
            autostart: members.bool("autostart")?,
            autorestart: value.get("autorestart").and_then(Value::as_bool),
            command: members.text("command")?,
            directory: members.text_or_none("directory")?,
            exitcodes: members.get("exitcodes", exit_codes)?,
            group_prio: members.int("group_prio")?,
            process_prio: members.int("process_prio")?,
            killasgroup: members.bool("killasgroup")?,
            redirect_stderr: members.bool("redirect_stderr")?,
            serverurl: members.text_or_none("serverurl")?,
            startretries: members.int("startretries")?,
            startsecs: members.int("startsecs")?,
            stopsignal: members.int("stopsignal")?,
            stopwaitsecs: members.int("stopwaitsecs")?,
            uid: members.get("uid", uid)?,
            stdout: output(&members, "stdout")?,
            stderr: output(&members, "stderr")?,
        })
    }

    /// Reads the array of `getAllConfigInfo`.
    ///
    /// # Errors
    /// [`WrongShape`] as for one.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, Self::from_value)
    }
}

fn exit_codes(value: &Value) -> Option<Vec<u8>> {
    value.as_array()?.iter().map(|code| u8::try_from(code.as_int()?).ok()).collect()
}

fn uid(value: &Value) -> Option<Option<u32>> {
    match value.as_int() {
        Some(number) => u32::try_from(number).ok().map(Some),
        None => (value.as_str() == Some("none")).then_some(None),
    }
}

fn output(members: &Members<'_>, channel: &str) -> Result<OutputInfo, WrongShape> {
    let name = |option: &str| format!("{channel}_{option}");
    let path = members.text(&name("logfile"))?;
    Ok(OutputInfo {
        logfile: match path.as_str() {
            "auto" => LogFile::Auto,
            "none" => LogFile::None,
            _ => LogFile::Path(path),
        },
        logfile_maxbytes: members.int(&name("logfile_maxbytes"))?,
        logfile_backups: members.int(&name("logfile_backups"))?,
        capture_maxbytes: members.int(&name("capture_maxbytes"))?,
        events_enabled: members.bool(&name("events_enabled"))?,
        syslog: members.bool(&name("syslog"))?,
    })
}

impl ActionResult {
    /// Reads a result struct.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let members = Members(value);
        let status: i32 = members.int("status")?;
        let description = members.text("description")?;
        let failed = status != FaultCode::Success.code();
        Ok(Self {
            name: members.text("name")?,
            group: members.text("group")?,
            fault: failed.then(|| Fault::from_wire(status, &description)),
        })
    }

    /// Reads the array of a request about many processes.
    ///
    /// # Errors
    /// [`WrongShape`] as for one.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, Self::from_value)
    }
}

impl Fault {
    /// The fault that travelled as this code and text. A code we do not know becomes `FAILED` with that text.
    #[must_use]
    pub fn from_wire(code: i32, text: &str) -> Self {
        let Some(known) = FaultCode::from_code(code) else { return Self::about(FaultCode::Failed, text) };
        let extra = text.strip_prefix(known.name()).and_then(|rest| rest.strip_prefix(": "));
        Self { code: known, extra: extra.map(str::to_owned) }
    }
}

impl Reread {
    /// Reads the answer of `reloadConfig`.
    ///
    /// # Errors
    /// [`WrongShape`] when it is not `[[added, changed, removed]]`.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let wrong = || WrongShape("[[added, changed, removed]]".to_owned());
        let lists = value.as_array().and_then(|outer| outer.first()).and_then(Value::as_array);
        let Some([added, changed, removed]) = lists else { return Err(wrong()) };
        let names = |list| texts(list).ok_or_else(wrong);
        Ok(Self { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
    }
}

impl GroupUpdate {
    /// Reads the answer of `updateProcessGroup`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let members = Members(value);
        Ok(Self {
            stopped: members.texts("stopped")?,
            restarted: members.texts("restarted")?,
            started: members.texts("started")?,
            live: members.texts("live")?,
            whole: members.bool("whole")?,
            // An older server knows of none.
            rolling: value.get("rolling").and_then(Value::as_int).unwrap_or(0),
        })
    }
}

impl UpgradeState {
    /// Reads the answer of `getUpgrade`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let members = Members(value);
        Ok(Self {
            token: members.text("token")?,
            failure: members.text("failure")?,
            program: members.text("program")?,
            version: members.text("version")?,
        })
    }
}

impl KeptReload {
    /// Reads the answer of `reloadKeep`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let members = Members(value);
        let settings = |name| {
            all(members.get(name, Some)?, |one| {
                let members = Members(one);
                Ok(Setting {
                    section: members.text("section")?,
                    option: members.text("option")?,
                    note: members.text("note")?,
                })
            })
        };
        Ok(Self {
            applied: settings("applied")?,
            not_applied: settings("not_applied")?,
            groups: Reread {
                added: members.texts("added")?,
                changed: members.texts("changed")?,
                removed: members.texts("removed")?,
            },
        })
    }
}

impl PlannedChange {
    /// Reads the answer of `getPlan`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                group: members.text("group")?,
                name: members.text("name")?,
                change: members.text("change")?,
                seconds: members.int("seconds")?,
                // Older servers tell nothing of these.
                starting: members.int("starting").unwrap_or_default(),
                dependants: members.get("dependants", Some).map_or(Ok(Vec::new()), |list| {
                    all(list, |one| {
                        let members = Members(one);
                        Ok(PlannedDependant {
                            group: members.text("group")?,
                            name: members.text("name")?,
                            change: members.text("change")?,
                        })
                    })
                })?,
                causes: all(members.get("causes", Some)?, |one| {
                    let members = Members(one);
                    Ok(PlannedCause {
                        section: members.text("section")?,
                        option: members.text("option")?,
                        file: members.text("file")?,
                        line: members.int("line")?,
                    })
                })?,
            })
        })
    }
}

impl ConfigGeneration {
    /// Reads the answer of `getConfigGenerations`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                number: members.int("number")?,
                time: members.int("time")?,
                cause: members.text("cause")?,
                changed: members.int("changed")?,
                running: members.bool("running")?,
            })
        })
    }
}

impl ConfigFile {
    /// Reads the answer of `getConfigGeneration` and `writeConfigGeneration`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            let text = members.get("text", |value| match value {
                Value::Base64(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                other => other.as_str().map(str::to_owned),
            })?;
            Ok(Self { path: members.text("path")?, text })
        })
    }
}

impl ListenerPool {
    /// Reads the answer of `getListenerPools`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                name: members.text("name")?,
                events: members.texts("events")?,
                waiting: members.int("waiting")?,
                buffer_size: members.int("buffer_size")?,
                durable: members.bool("durable")?,
                discarded: members.int("discarded")?,
                listeners: all(members.get("listeners", Some)?, |one| {
                    let members = Members(one);
                    Ok(Listener { name: members.text("name")?, state: members.text("state")? })
                })?,
            })
        })
    }
}

impl LogLoss {
    /// Reads the answer of `getLogLosses`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                name: members.text("name")?,
                group: members.text("group")?,
                channel: members.text("channel")?,
                path: members.text("path")?,
                dropped: members.int("dropped")?,
                reason: members.text("reason")?,
                dropping: members.bool("dropping")?,
            })
        })
    }
}

impl RollingInfo {
    /// Reads the answer of `getRollingRestarts`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                number: members.int("number")?,
                state: members.text("state")?,
                reason: members.text("reason")?,
                update: members.bool("update")?,
                members: all(members.get("members", Some)?, |one| {
                    let members = Members(one);
                    Ok(RollingMember {
                        name: members.text("name")?,
                        group: members.text("group")?,
                        stage: members.text("stage")?,
                        reason: members.text("reason")?,
                    })
                })?,
            })
        })
    }
}

impl ScheduleInfo {
    /// Reads the answer of `getSchedules`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                name: members.text("name")?,
                group: members.text("group")?,
                schedule: members.text("schedule")?,
                timezone: members.text("timezone")?,
                on: members.bool("on")?,
                next: members.int("next")?,
                queued: members.bool("queued")?,
                last_start: members.int("last_start")?,
                last_milliseconds: members.int("last_milliseconds")?,
                last_result: members.text("last_result")?,
            })
        })
    }
}

impl HealthInfo {
    /// Reads the answer of `getHealth`.
    ///
    /// # Errors
    /// [`WrongShape`] naming the first member that is missing or of another type.
    pub fn list_from_value(value: &Value) -> Result<Vec<Self>, WrongShape> {
        all(value, |value| {
            let members = Members(value);
            Ok(Self {
                name: members.text("name")?,
                group: members.text("group")?,
                check: members.text("check")?,
                state: members.text("state")?,
                since: members.int("since")?,
                reason: members.text("reason")?,
                ready: members.bool("ready")?,
                checking: members.bool("checking")?,
                next_check: members.int("next_check")?,
                last_check: members.int("last_check")?,
                last_result: members.text("last_result")?,
                failures: members.int("failures")?,
                successes: members.int("successes")?,
                status: members.text("status")?,
                watchdog: members.int("watchdog")?,
                mainpid: members.int("mainpid")?,
            })
        })
    }
}

impl LogTail {
    /// Reads the answer of `tailProcessStdoutLog`, or of `readLogSince` with or without the file.
    ///
    /// # Errors
    /// [`WrongShape`] when it is not `[bytes, offset, overflow]`.
    pub fn from_value(value: &Value) -> Result<Self, WrongShape> {
        let Some(
            [data, Value::Int(offset), Value::Bool(overflow)]
            | [data, Value::Int(offset), Value::Bool(overflow), Value::String(_)],
        ) = value.as_array()
        else {
            return Err(WrongShape("[bytes, offset, overflow]".to_owned()));
        };
        let data = match data {
            Value::String(text) => text.as_bytes().to_vec(),
            Value::Base64(bytes) => bytes.clone(),
            Value::Int(_)
            | Value::Bool(_)
            | Value::Double(_)
            | Value::DateTime(_)
            | Value::Array(_)
            | Value::Struct(_)
            | Value::Nil => return Err(WrongShape("bytes".to_owned())),
        };
        Ok(Self { data, offset: *offset, overflow: *overflow })
    }
}
