//! What a request asks to be done, and the doing.

use upkeep_api::{ActionResult, Fault, FaultCode, Handle, Reply, Request, RollingInfo};

use crate::form::Form;
use crate::outcome::Outcome;

/// What is to be done before the page is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `action=refresh`: nothing, and say so.
    Refresh,
    /// `action=stopall`
    StopAll,
    /// `action=restartall`
    RestartAll,
    /// `action=rolling`: begins a rolling restart.
    Rolling {
        /// `processname`: `GROUP:*`, or what else the verb takes.
        name: String,
    },
    /// An action on one process.
    One {
        /// `processname`, as it was written.
        name: String,
        /// What is to be done to it.
        step: Step,
    },
    /// `processname` with an action that does not exist. Whether the process exists is asked first (RPC-213).
    Unknown {
        /// `processname`
        name: String,
        /// `action`
        action: String,
    },
}

/// What can be done to one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `action=start`
    Start,
    /// `action=stop`
    Stop,
    /// `action=restart`
    Restart,
    /// `action=clearlog`
    ClearLog,
}

impl Step {
    pub(crate) const ALL: &'static [Self] = &[Self::Start, Self::Stop, Self::Restart, Self::ClearLog];

    /// The value of `action`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::ClearLog => "clearlog",
        }
    }
}

/// An action that does not exist, or exists only for a process when none is named (RPC-213).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongAction(
    /// What was asked for.
    pub String,
);

impl Action {
    /// What a form asks for; `None` is to look only.
    ///
    /// # Errors
    /// When it makes no sense without knowing the processes.
    pub fn of(form: &Form) -> Result<Option<Self>, WrongAction> {
        let Some(action) = form.get("action") else { return Ok(None) };
        let one = |name: &str| {
            let name = name.to_owned();
            match Step::ALL.iter().find(|step| step.name() == action) {
                Some(&step) => Self::One { name, step },
                None => Self::Unknown { name, action: action.to_owned() },
            }
        };
        match (action, form.get("processname")) {
            ("refresh", _) => Ok(Some(Self::Refresh)),
            ("stopall", _) => Ok(Some(Self::StopAll)),
            ("restartall", _) => Ok(Some(Self::RestartAll)),
            ("rolling", Some(name)) => Ok(Some(Self::Rolling { name: name.to_owned() })),
            (_, Some(name)) => Ok(Some(one(name))),
            (_, None) => Err(WrongAction(action.to_owned())),
        }
    }

    /// Whether a page from elsewhere may ask for it.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Refresh)
    }

    /// Does it, and returns when it is done.
    ///
    /// # Errors
    /// When there is no such action.
    pub async fn carry_out(self, handle: &Handle) -> Result<Outcome, WrongAction> {
        Ok(match self {
            Self::Refresh => Outcome::Refreshed,
            Self::StopAll => {
                let stopping = handle.call(Request::StopAllProcesses { wait: true }).await;
                failures(stopping).map_or_else(Outcome::Fault, Outcome::Stopped)
            }
            Self::RestartAll => restart_all(handle).await,
            Self::Rolling { name } => roll(handle, name).await,
            Self::One { name, step } => match missing(handle, &name).await {
                Some(outcome) => outcome,
                None => one(handle, name, step).await,
            },
            Self::Unknown { name, action } => missing(handle, &name).await.ok_or(WrongAction(action))?,
        })
    }
}

/// The message if there is no such process. A whole group is none here, although the verbs would take it.
async fn missing(handle: &Handle, name: &str) -> Option<Outcome> {
    let asked = handle.call(Request::GetProcessInfo { name: name.to_owned() }).await;
    match asked {
        Err(fault) if fault.code == FaultCode::BadName => Some(Outcome::NoSuchProcess(name.to_owned())),
        Ok(_) | Err(_) => None,
    }
}

async fn one(handle: &Handle, name: String, step: Step) -> Outcome {
    match step {
        Step::Start => match start(handle, &name).await {
            Ok(_) => Outcome::Started(name),
            Err(fault) => Outcome::NotStarted(name, fault),
        },
        Step::Stop => match stop(handle, &name).await {
            Ok(_) => Outcome::StoppedOne(name),
            Err(fault) => Outcome::Fault(fault),
        },
        Step::Restart => restart(handle, name).await,
        Step::ClearLog => match handle.call(Request::ClearProcessLogs { name: name.clone() }).await {
            Ok(_) => Outcome::Cleared(name),
            Err(fault) => Outcome::Fault(fault),
        },
    }
}

async fn start(handle: &Handle, name: &str) -> Result<Reply, Fault> {
    handle.call(Request::StartProcess { name: name.to_owned(), wait: true }).await
}

async fn stop(handle: &Handle, name: &str) -> Result<Reply, Fault> {
    handle.call(Request::StopProcess { name: name.to_owned(), wait: true }).await
}

/// A process that does not run has nothing to stop; any other failure is told (D-17).
async fn restart(handle: &Handle, name: String) -> Outcome {
    match stop(handle, &name).await {
        Err(fault) if fault.code != FaultCode::NotRunning => return Outcome::Fault(fault),
        Ok(_) | Err(_) => {}
    }
    match start(handle, &name).await {
        Ok(_) => Outcome::Restarted(name),
        Err(fault) => Outcome::NotStarted(name, fault),
    }
}

/// What did not stop was not restarted either.
async fn restart_all(handle: &Handle) -> Outcome {
    let stopping = handle.call(Request::StopAllProcesses { wait: true }).await;
    let mut failed = match failures(stopping) {
        Ok(failed) => failed,
        Err(fault) => return Outcome::Fault(fault),
    };
    match failures(handle.call(Request::StartAllProcesses { wait: true }).await) {
        Ok(more) => failed.extend(more),
        Err(fault) => return Outcome::Fault(fault),
    }
    Outcome::RestartedAll(failed)
}

/// Only begins it: the page tells how far it is.
async fn roll(handle: &Handle, name: String) -> Outcome {
    let (names, batch) = (vec![name.clone()], String::new());
    let number = match handle.call(Request::RestartRolling { names, batch, wait: 0 }).await {
        Ok(Reply::Int(number)) => Some(number),
        Ok(_) => None,
        Err(fault) if fault.code == FaultCode::BadName => return Outcome::NoSuchProcess(name),
        Err(fault) => return Outcome::Fault(fault),
    };
    match handle.call(Request::GetRollingRestarts { number }).await {
        Ok(Reply::Rolling(all)) if all.iter().all(is_idle) => Outcome::NothingRolls(name),
        Ok(_) | Err(_) => Outcome::Rolls(name),
    }
}

/// Whether it leaves every process as it is.
fn is_idle(rolling: &RollingInfo) -> bool {
    rolling.members.iter().all(|member| member.stage == "left")
}

/// Those of many that failed.
fn failures(answer: Result<Reply, Fault>) -> Result<Vec<(String, Fault)>, Fault> {
    match answer? {
        Reply::Results(results) => Ok(results.into_iter().filter_map(failure).collect()),
        _ => Err(Fault::new(FaultCode::Failed)),
    }
}

fn failure(result: ActionResult) -> Option<(String, Fault)> {
    let ActionResult { name, group, fault } = result;
    fault.map(|fault| (crate::status::full_name(&group, &name), fault))
}
