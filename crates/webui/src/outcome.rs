//! What became of an action, and the message that tells it.

use serde_json::json;
use upkeep_api::{Fault, FaultCode};

use crate::language::Language;
use crate::texts::{fill, texts};

/// Failures that one message names; more are counted.
const NAMED: usize = 5;

/// What became of an action. Names are as the request wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was to be done.
    Refreshed,
    /// All were stopped, but for these.
    Stopped(Vec<(String, Fault)>),
    /// All were stopped and started again, but for these.
    RestartedAll(Vec<(String, Fault)>),
    /// One was started.
    Started(String),
    /// One was to be started, perhaps after a stop, and was not.
    NotStarted(String, Fault),
    /// One was stopped.
    StoppedOne(String),
    /// One was stopped and started again.
    Restarted(String),
    /// A rolling restart has begun.
    Rolls(String),
    /// None of those runs that were to be restarted.
    NothingRolls(String),
    /// The logs of one are empty.
    Cleared(String),
    /// There is no such process.
    NoSuchProcess(String),
    /// It did not work.
    Fault(Fault),
}

impl Outcome {
    /// Whether what was asked for is so now.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self {
            Self::Refreshed
            | Self::Started(_)
            | Self::StoppedOne(_)
            | Self::Restarted(_)
            | Self::Rolls(_)
            | Self::Cleared(_) => true,
            Self::Stopped(failed) | Self::RestartedAll(failed) => failed.is_empty(),
            Self::NotStarted(..) | Self::NothingRolls(_) | Self::NoSuchProcess(_) | Self::Fault(_) => false,
        }
    }

    /// The message (RPC-209 … RPC-212); `date` is now, in [`Language::date_format`].
    #[must_use]
    pub fn message(&self, language: Language, date: &str) -> String {
        let texts = texts(language);
        match self {
            Self::Refreshed => fill(texts.refreshed, &[date]),
            Self::Stopped(failed) if failed.is_empty() => fill(texts.all_stopped, &[date]),
            Self::Stopped(failed) => fill(texts.not_stopped, &[&named(language, failed)]),
            Self::RestartedAll(failed) if failed.is_empty() => fill(texts.all_restarted, &[date]),
            Self::RestartedAll(failed) => fill(texts.not_restarted, &[&named(language, failed)]),
            Self::Started(name) => fill(texts.started, &[name]),
            Self::NotStarted(name, fault) => fill(texts.start_error, &[name, &reason(language, fault)]),
            Self::StoppedOne(name) => fill(texts.stopped_one, &[name]),
            Self::Restarted(name) => fill(texts.restarted, &[name]),
            Self::Rolls(name) => fill(texts.rolling_begun, &[name]),
            Self::NothingRolls(name) => fill(texts.nothing_rolls, &[name]),
            Self::Cleared(name) => fill(texts.cleared, &[name]),
            Self::NoSuchProcess(name) => fill(texts.no_such_process, &[name]),
            Self::Fault(fault) => fault_text(language, fault),
        }
    }
}

/// The document that the script of the status page gets for a button.
#[must_use]
pub fn outcome_json(outcome: &Outcome, message: &str) -> String {
    json!({ "message": message, "good": outcome.is_good() }).to_string()
}

/// Why a process was not started (RPC-211).
fn reason(language: Language, fault: &Fault) -> String {
    let texts = texts(language);
    let text = match fault.code {
        FaultCode::NoFile => texts.no_such_file,
        FaultCode::NotExecutable => texts.not_executable,
        FaultCode::AlreadyStarted => texts.already_started,
        FaultCode::SpawnError => texts.spawn_error,
        FaultCode::AbnormalTermination => texts.abnormal_termination,
        _ => return fault_text(language, fault),
    };
    text.to_owned()
}

pub(crate) fn fault_text(language: Language, fault: &Fault) -> String {
    fill(texts(language).fault, &[&fault.code.code().to_string(), &fault.to_string()])
}

fn named(language: Language, failed: &[(String, Fault)]) -> String {
    let texts = texts(language);
    let each = |(name, fault): &(String, Fault)| fill(texts.failure, &[name, &reason(language, fault)]);
    let shown: Vec<String> = failed.iter().take(NAMED).map(each).collect();
    let list = shown.join(texts.comma);
    match failed.len().saturating_sub(NAMED) {
        0 => list,
        more => fill(texts.and_more, &[&list, &more.to_string()]),
    }
}
