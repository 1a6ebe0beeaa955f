//! Verbs over processes: how each is asked for, and the words for what became of it.

use upkeep_api::FaultCode;
use upkeep_client::{Client, ClientError, Outcome};

use crate::codes;
use crate::names::{Target, namespec};
use crate::trouble::Trouble;

/// A verb that acts on processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb<'a> {
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `signal`, with its name or number.
    Signal(&'a str),
    /// `clear`.
    Clear,
    /// `upkeep reload NAME`.
    Reload,
}

/// What came of asking about one name.
pub(crate) enum Attempt {
    /// A result per process, perhaps none.
    Done(Vec<Outcome>),
    /// The server knows no such process or group.
    Unknown,
}

/// Words for the faults of `start`.
const START_FAULTS: &[(FaultCode, &str)] = &[
    (FaultCode::BadName, "no such process"),
    (FaultCode::NoFile, "no such file"),
    (FaultCode::NotExecutable, "file is not executable"),
    (FaultCode::AlreadyStarted, "already started"),
    (FaultCode::SpawnError, "spawn error"),
    (FaultCode::AbnormalTermination, "abnormal termination"),
];

/// Words for the faults of `stop` and `signal`.
const SIGNAL_FAULTS: &[(FaultCode, &str)] = &[
    (FaultCode::BadName, "no such process"),
    (FaultCode::BadSignal, "bad signal name"),
    (FaultCode::NotRunning, "not running"),
];

/// Words for the faults of `clear`.
const CLEAR_FAULTS: &[(FaultCode, &str)] =
    &[(FaultCode::BadName, "no such process"), (FaultCode::Failed, "failed")];

impl Verb<'_> {
    /// Asks for all processes.
    pub(crate) fn all(self, client: &Client) -> Result<Vec<Outcome>, ClientError> {
        match self {
            Self::Start => client.start_all_processes(),
            Self::Stop => client.stop_all_processes(),
            Self::Signal(signal) => client.signal_all_processes(signal),
            Self::Clear => client.clear_all_process_logs(),
            Self::Reload => client.reload_all_processes(),
        }
    }

    /// Asks for one target. Faults of a single process become its result; those of a group are errors.
    pub(crate) fn one(self, client: &Client, target: &Target) -> Result<Attempt, ClientError> {
        match target {
            Target::Group(group) => match self.group(client, group) {
                Ok(outcomes) => Ok(Attempt::Done(outcomes)),
                Err(error) if error.is_fault(FaultCode::BadName) => Ok(Attempt::Unknown),
                Err(error) => Err(error),
            },
            Target::Process { group, name } => {
                let outcome = |status, description| Outcome {
                    name: name.clone(),
                    group: group.clone(),
                    status,
                    description,
                };
                match self.process(client, &namespec(group, name)) {
                    Ok(()) => Ok(Attempt::Done(vec![outcome(FaultCode::Success.code(), String::new())])),
                    Err(error) if error.is_fault(FaultCode::BadName) => Ok(Attempt::Unknown),
                    Err(ClientError::Fault(fault)) => {
                        Ok(Attempt::Done(vec![outcome(fault.code, fault.text)]))
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    fn process(self, client: &Client, name: &str) -> Result<(), ClientError> {
        match self {
            Self::Start => client.start_process(name),
            Self::Stop => client.stop_process(name),
            Self::Signal(signal) => client.signal_process(name, signal),
            Self::Clear => client.clear_process_logs(name),
            Self::Reload => client.reload_process(name),
        }
    }

    fn group(self, client: &Client, group: &str) -> Result<Vec<Outcome>, ClientError> {
        match self {
            Self::Start => client.start_process_group(group),
            Self::Stop => client.stop_process_group(group),
            Self::Signal(signal) => client.signal_process_group(group, signal),
            Self::Reload => client.reload_process_group(group),
            // The interface has no verb for it.
            Self::Clear => client.clear_process_logs(&format!("{group}:*")).map(|()| Vec::new()),
        }
    }

    /// The line that tells a result.
    pub(crate) fn line(self, outcome: &Outcome) -> Result<String, Trouble> {
        let name = namespec(&outcome.group, &outcome.name);
        if outcome.is_success() {
            return Ok(format!("{name}: {}", self.done()));
        }
        if let Some(reason) = self.reason(outcome) {
            return Ok(format!("{name}: ERROR ({reason})"));
        }
        match (self, outcome.fault()) {
            (Self::Stop | Self::Signal(_) | Self::Reload, Some(FaultCode::Failed)) => {
                Ok(outcome.description.clone())
            }
            (Self::Start | Self::Stop | Self::Signal(_) | Self::Clear | Self::Reload, _) => {
                Err(Trouble::UnknownResult {
                    code: outcome.status,
                    group: outcome.group.clone(),
                    name: outcome.name.clone(),
                })
            }
        }
    }

    /// What success is called.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Signal(_) => "signalled",
            Self::Clear => "cleared",
            Self::Reload => "reloaded",
        }
    }

    /// The words for a failure, if this verb has some.
    pub(crate) fn reason(self, outcome: &Outcome) -> Option<&'static str> {
        let table = match self {
            Self::Start => START_FAULTS,
            Self::Stop | Self::Signal(_) | Self::Reload => SIGNAL_FAULTS,
            Self::Clear => CLEAR_FAULTS,
        };
        table.iter().find(|(fault, _)| fault.code() == outcome.status).map(|(_, words)| *words)
    }

    /// The exit status that a result sets; `None` leaves it (CTL-052, CTL-057, CTL-063, CTL-065).
    pub(crate) fn exit_status(self, outcome: &Outcome) -> Option<i32> {
        let harmless = match self {
            Self::Start => Some(FaultCode::AlreadyStarted),
            Self::Stop => Some(FaultCode::NotRunning),
            Self::Signal(_) | Self::Clear | Self::Reload => None,
        };
        match outcome.fault() {
            Some(FaultCode::Success) => None,
            fault if fault.is_some() && fault == harmless => None,
            Some(FaultCode::SpawnError | FaultCode::AbnormalTermination | FaultCode::NotRunning) => {
                Some(codes::NOT_RUNNING)
            }
            Some(_) | None => Some(codes::GENERIC),
        }
    }

    /// The exit status for a group that does not exist (CTL-053, CTL-058, CTL-063).
    pub(crate) fn unknown_group_status(self) -> i32 {
        match self {
            Self::Start => codes::INVALID_ARGS,
            Self::Stop | Self::Signal(_) | Self::Clear | Self::Reload => codes::GENERIC,
        }
    }

    /// The line for a name that means nothing (CTL-052, CTL-053, CTL-066).
    pub(crate) fn unknown_line(self, target: &Target) -> String {
        match (self, target) {
            // Supervisor clears no groups and says so in this way.
            (Self::Clear, Target::Group(group)) => format!("{group}:None: ERROR (no such process)"),
            (_, Target::Group(group)) => format!("{group}: ERROR (no such group)"),
            (_, Target::Process { group, name }) => {
                format!("{}: ERROR (no such process)", namespec(group, name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: i32) -> Outcome {
        Outcome { name: "p".to_owned(), group: "g".to_owned(), status, description: "TEXT".to_owned() }
    }

    #[test]
    fn lines_and_statuses_ctl_052_057_063_065_068() {
        let (start, stop, signal, clear) = (Verb::Start, Verb::Stop, Verb::Signal("HUP"), Verb::Clear);
        let rows = [
            (start, 80, Some("g:p: started"), None),
            (start, 10, Some("g:p: ERROR (no such process)"), Some(1)),
            (start, 20, Some("g:p: ERROR (no such file)"), Some(1)),
            (start, 21, Some("g:p: ERROR (file is not executable)"), Some(1)),
            (start, 60, Some("g:p: ERROR (already started)"), None),
            (start, 50, Some("g:p: ERROR (spawn error)"), Some(7)),
            (start, 40, Some("g:p: ERROR (abnormal termination)"), Some(7)),
            (start, 30, None, Some(1)),
            (stop, 80, Some("g:p: stopped"), None),
            (stop, 10, Some("g:p: ERROR (no such process)"), Some(1)),
            (stop, 70, Some("g:p: ERROR (not running)"), None),
            (stop, 30, Some("TEXT"), Some(1)),
            (stop, 6, None, Some(1)),
            (signal, 80, Some("g:p: signalled"), None),
            (signal, 11, Some("g:p: ERROR (bad signal name)"), Some(1)),
            (signal, 70, Some("g:p: ERROR (not running)"), Some(7)),
            (signal, 30, Some("TEXT"), Some(1)),
            (clear, 80, Some("g:p: cleared"), None),
            (clear, 10, Some("g:p: ERROR (no such process)"), Some(1)),
            (clear, 30, Some("g:p: ERROR (failed)"), Some(1)),
            (clear, 12345, None, Some(1)),
        ];
        for (verb, status, line, exit) in rows {
            let outcome = outcome(status);
            assert_eq!(verb.line(&outcome).ok().as_deref(), line, "{verb:?} {status}");
            assert_eq!(verb.exit_status(&outcome), exit, "{verb:?} {status}");
        }
    }
}
