//! What the status page shows, and the small document by which an open page keeps itself up to date.

use serde_json::{Value, json};
use upkeep_api::{Fault, FaultCode, Handle, ProcessInfo, ProcessState, Reply, Request, RollingProgress};

use crate::language::Language;
use crate::texts::{description, fill, state_word, texts};

/// The daemon's name and its processes, sorted by group and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `identifier`, by which several daemons are told apart.
    pub identifier: String,
    /// Every process.
    pub processes: Vec<ProcessInfo>,
    /// The rolling restarts under way, and the latest one if it has failed.
    pub rolling: Vec<RollingProgress>,
}

impl Status {
    /// Asks the daemon.
    ///
    /// # Errors
    /// `SHUTDOWN_STATE` when it is ending.
    pub async fn ask(handle: &Handle) -> Result<Self, Fault> {
        let other = || Fault::new(FaultCode::Failed);
        let Reply::Text(identifier) = handle.call(Request::GetIdentification).await? else {
            return Err(other());
        };
        let Reply::Processes(processes) = handle.call(Request::GetAllProcessInfo).await? else {
            return Err(other());
        };
        let mut processes: Vec<ProcessInfo> = processes.iter().map(ProcessInfo::from).collect();
        processes.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
        let rolling = match handle.call(Request::GetRollingProgress).await {
            Ok(Reply::RollingProgress(rolling)) => rolling,
            Ok(_) | Err(_) => Vec::new(),
        };
        Ok(Self { identifier, processes, rolling })
    }

    /// The groups of several processes, in order: what a rolling restart is of use for.
    pub(crate) fn several(&self) -> Vec<&str> {
        let groups = self.processes.chunk_by(|a, b| a.group == b.group);
        groups.filter(|group| group.len() > 1).filter_map(|group| Some(&*group.first()?.group)).collect()
    }

    /// How many are in each state that occurs, such as `3 running, 1 fatal`, and how far rolling restarts are.
    pub(crate) fn summary(&self, language: Language) -> String {
        let count = |&state: &ProcessState| {
            let number = self.processes.iter().filter(|process| process.state == state).count();
            (number > 0).then(|| format!("{number} {}", state_word(language, state)))
        };
        let rolling = self.rolling.iter().map(|rolling| how_far(language, rolling));
        ProcessState::ALL.iter().filter_map(count).chain(rolling).collect::<Vec<_>>().join(" · ")
    }
}

fn how_far(language: Language, rolling: &RollingProgress) -> String {
    let (texts, number) = (texts(language), rolling.number.to_string());
    match &rolling.failure {
        Some(why) => fill(texts.rolling_failed, &[&number, why]),
        None => {
            let numbers = [rolling.done, rolling.wanted].map(|count| count.to_string());
            fill(texts.rolling_under_way, &[&number, &numbers[0], &numbers[1]])
        }
    }
}

/// The document that the script of the status page asks for.
#[must_use]
pub fn status_json(language: Language, status: &Status) -> String {
    let row = |process: &ProcessInfo| {
        json!({
            "name": name_of(process),
            "state": process.state.name(),
            "description": description(language, &process.description),
        })
    };
    let rows: Vec<Value> = status.processes.iter().map(row).collect();
    json!({ "summary": status.summary(language), "processes": rows }).to_string()
}

/// `GROUP:NAME`, or the name alone where it is the group's too.
pub(crate) fn full_name(group: &str, name: &str) -> String {
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

pub(crate) fn name_of(process: &ProcessInfo) -> String {
    full_name(&process.group, &process.name)
}
