//! What the keeper holds of a client: what it waits for, what it has asked, or what it is to be told.

use serde::{Deserialize, Serialize};
use upkeep_core::ordered;
use upkeep_core::{Aim, Awaited, Outcome, Refusal, RunId, Update, Waiting};

use super::question::Question;
use crate::growing::lines;

/// The record of a client. Each kind has a field that no other has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum ClientRecord {
    /// It waits for processes.
    Waits(WaitRecord),
    /// It waits for the end of an update.
    Updates(UpdateRecord),
    /// It has asked something that the next daemon can ask itself again.
    Asked {
        question: Question,
        /// How often that was done.
        #[serde(default)]
        again: u32,
    },
    /// The document of the answer is known, and something is left to be done before it is given.
    Answered { answer: String },
}

/// Processes that a client waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WaitRecord {
    asked: Option<String>,
    to_run: bool,
    open: Vec<(String, String)>,
    /// The run of each of them.
    #[serde(default)]
    runs: Vec<Option<u64>>,
    done: Vec<OutcomeRecord>,
    /// It is answered when all have begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    begun_is_enough: bool,
    /// Reload commands: a daemon that does not know of them has nothing left to wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reloads: Vec<(String, String, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OutcomeRecord {
    group: String,
    process: String,
    refusal: Option<RefusalRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RefusalRecord(#[serde(with = "RefusalForm")] Refusal);

/// How a refusal is written. One that is new in the core does not compile before it is here.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Refusal")]
enum RefusalForm {
    BadName(String),
    NoFile(String),
    NotExecutable(String),
    AlreadyStarted(String),
    SpawnError(String),
    AbnormalTermination(String),
    NotRunning(String),
    BadSignal(String),
    Failed(String),
    AlreadyAdded(String),
    StillRunning(String),
    ShuttingDown,
}

/// What an update has done, and the processes that are still to stop, each with its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UpdateRecord {
    waits_to_stop: Vec<(String, String, Option<u64>)>,
    stopped: Vec<String>,
    restarted: Vec<String>,
    started: Vec<String>,
    live: Vec<String>,
    whole: bool,
    rolling: Option<u64>,
}

impl From<Waiting> for ClientRecord {
    fn from(mut waiting: Waiting) -> Self {
        match waiting.update.take() {
            Some(update) => Self::Updates(UpdateRecord::new(*update, waiting.open)),
            None => Self::Waits(waiting.into()),
        }
    }
}

impl UpdateRecord {
    fn new(update: Update, open: Vec<Awaited>) -> Self {
        let Update { stopped, restarted, started, live, whole, rolling } = update;
        let open = open.into_iter().map(|one| (one.group, one.process, one.run.map(|run| run.0)));
        Self { waits_to_stop: open.collect(), stopped, restarted, started, live, whole, rolling }
    }
}

impl From<UpdateRecord> for Waiting {
    fn from(record: UpdateRecord) -> Self {
        let UpdateRecord { waits_to_stop, stopped, restarted, started, live, whole, rolling } = record;
        let open = waits_to_stop.into_iter();
        let open = open.map(|(group, process, run)| Awaited { group, process, run: run.map(RunId) });
        let update = Some(Box::new(Update { stopped, restarted, started, live, whole, rolling }));
        Self { asked: None, aim: Aim::Stopped, open: open.collect(), done: Vec::new(), update }
    }
}

/// What has become known: a line behind the record.
pub(super) fn news(outcomes: &[Outcome]) -> Option<Vec<u8>> {
    let records: Vec<OutcomeRecord> = outcomes.iter().cloned().map(Into::into).collect();
    serde_json::to_vec(&records).ok()
}

impl ClientRecord {
    /// What was written down, with what has become known since.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        let mut lines = lines(record);
        let mut read = serde_json::from_slice(lines.next()?).ok()?;
        if let Self::Waits(waits) = &mut read {
            for line in lines {
                waits.done.extend(serde_json::from_slice::<Vec<OutcomeRecord>>(line).ok()?);
            }
            let known = ordered::set(waits.done.iter().map(|one| (&one.group, &one.process)));
            waits.reloads.retain(|(group, process, _)| !known.contains(&(group, process)));
        }
        Some(read)
    }

    /// How many outcomes it has.
    pub(super) fn known(&self) -> usize {
        match self {
            Self::Waits(record) => record.done.len(),
            Self::Updates(_) | Self::Asked { .. } | Self::Answered { .. } => 0,
        }
    }
}

impl WaitRecord {
    /// Whether it is about reload commands.
    pub(super) fn is_of_reloads(&self) -> bool {
        !self.reloads.is_empty()
    }
}

impl From<Waiting> for WaitRecord {
    fn from(waiting: Waiting) -> Self {
        let Waiting { asked, aim, open, done, update: _ } = waiting;
        let done = done.into_iter().map(Into::into).collect();
        let (to_run, begun_is_enough) = match aim {
            Aim::Running => (true, false),
            Aim::Spawned => (true, true),
            Aim::Stopped => (false, false),
            Aim::StopSent => (false, true),
            Aim::Reloaded => {
                let reloads = open.into_iter().filter_map(|one| Some((one.group, one.process, one.run?.0)));
                let reloads = reloads.collect();
                let (open, runs) = (Vec::new(), Vec::new());
                return Self { asked, to_run: false, open, runs, done, begun_is_enough: false, reloads };
            }
        };
        let runs = open.iter().map(|one| one.run.map(|run| run.0)).collect();
        let open = open.into_iter().map(|one| (one.group, one.process)).collect();
        Self { asked, to_run, open, runs, done, begun_is_enough, reloads: Vec::new() }
    }
}

impl From<WaitRecord> for Waiting {
    fn from(record: WaitRecord) -> Self {
        let WaitRecord { asked, to_run, open, runs, done, begun_is_enough, reloads } = record;
        let done = done.into_iter().map(Into::into).collect();
        if !reloads.is_empty() {
            let awaited = |(group, process, run)| Awaited { group, process, run: Some(RunId(run)) };
            let open = reloads.into_iter().map(awaited).collect();
            return Self { asked, aim: Aim::Reloaded, open, done, update: None };
        }
        let aim = match (to_run, begun_is_enough) {
            (true, false) => Aim::Running,
            (true, true) => Aim::Spawned,
            (false, false) => Aim::Stopped,
            (false, true) => Aim::StopSent,
        };
        // A daemon that did not write them down did not tell the keeper of less than all.
        let runs = runs.into_iter().map(|run| run.map(RunId)).chain(std::iter::repeat(None));
        let open = open.into_iter().zip(runs);
        let open = open.map(|((group, process), run)| Awaited { group, process, run }).collect();
        Self { asked, aim, open, done, update: None }
    }
}

impl From<Outcome> for OutcomeRecord {
    fn from(outcome: Outcome) -> Self {
        let Outcome { group, process, result } = outcome;
        Self { group, process, refusal: result.err().map(RefusalRecord) }
    }
}

impl From<OutcomeRecord> for Outcome {
    fn from(record: OutcomeRecord) -> Self {
        let OutcomeRecord { group, process, refusal } = record;
        Self { group, process, result: refusal.map_or(Ok(()), |refusal| Err(refusal.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(record: &ClientRecord) -> ClientRecord {
        serde_json::from_slice(&serde_json::to_vec(record).unwrap()).unwrap()
    }

    fn waiting(record: ClientRecord) -> Waiting {
        match record {
            ClientRecord::Waits(record) => record.into(),
            ClientRecord::Updates(record) => record.into(),
            other => panic!("it waits for nothing: {other:?}"),
        }
    }

    fn awaited(process: &str, run: Option<RunId>) -> Awaited {
        Awaited { group: "g".to_owned(), process: process.to_owned(), run }
    }

    #[test]
    fn what_became_known_is_read_behind_what_a_client_waits_for() {
        let open = ["p", "q", "r"].map(|process| awaited(process, Some(RunId(7)))).to_vec();
        let mut known = Waiting { asked: None, aim: Aim::Reloaded, open, done: Vec::new(), update: None };
        let mut record = serde_json::to_vec(&ClientRecord::from(known.clone())).unwrap();
        for (process, result) in [("q", Ok(())), ("p", Err(Refusal::Failed("line\nend".to_owned())))] {
            let outcome = Outcome { group: "g".to_owned(), process: process.to_owned(), result };
            record.push(b'\n');
            record.extend(news(std::slice::from_ref(&outcome)).unwrap());
            known.open.retain(|one| one.process != process);
            known.done.push(outcome);
            assert_eq!(waiting(ClientRecord::read(&record).unwrap()), known);
        }
    }

    #[test]
    fn refusals_are_written_as_ever() {
        for (refusal, written) in [
            (Refusal::NoFile("x".to_owned()), r#"{"NoFile":"x"}"#),
            (Refusal::ShuttingDown, r#""ShuttingDown""#),
        ] {
            let outcome = Outcome { group: "g".to_owned(), process: "p".to_owned(), result: Err(refusal) };
            let text = format!(r#"[{{"group":"g","process":"p","refusal":{written}}}]"#);
            assert_eq!(news(&[outcome]).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn what_a_client_waits_for_survives_the_record() {
        let outcome = |result| Outcome { group: "g".to_owned(), process: "p".to_owned(), result };
        let asked = Some("g:p".to_owned());
        for (asked, aim) in [
            (asked.clone(), Aim::Running),
            (None, Aim::Stopped),
            (None, Aim::Spawned),
            (None, Aim::StopSent),
            (asked, Aim::Reloaded),
        ] {
            let run = Some(RunId(8)).filter(|_| aim == Aim::Reloaded);
            let known = Waiting {
                asked,
                aim,
                open: vec![awaited("p", Some(RunId(7))), awaited("q", run)],
                done: vec![
                    outcome(Ok(())),
                    outcome(Err(Refusal::NoFile("x".to_owned()))),
                    outcome(Err(Refusal::ShuttingDown)),
                ],
                update: None,
            };
            assert_eq!(waiting(back(&known.clone().into())), known);
        }
    }

    #[test]
    fn an_update_survives_the_record() {
        let names = |name: &str| vec![name.to_owned()];
        let update = Update {
            stopped: names("a"),
            restarted: names("b"),
            started: names("c"),
            live: names("d"),
            whole: true,
            rolling: Some(3),
        };
        let open = vec![awaited("a", Some(RunId(7))), awaited("b", None)];
        let known = Waiting {
            asked: None,
            aim: Aim::Stopped,
            open,
            done: Vec::new(),
            update: Some(Box::new(update)),
        };
        assert_eq!(waiting(back(&known.clone().into())), known);
    }

    #[test]
    fn questions_and_answers_survive_the_record() {
        for record in [
            ClientRecord::Asked { question: Question::Reread, again: 0 },
            ClientRecord::Asked { question: Question::Update("g".to_owned()), again: 2 },
            ClientRecord::Answered { answer: "<é/>".to_owned() },
        ] {
            assert_eq!(back(&record), record);
        }
    }

    #[test]
    fn the_record_of_an_older_daemon_is_understood() {
        let text = r#"{"asked":null,"to_run":false,"open":[["g","p"]],"done":[]}"#;
        let waiting = waiting(serde_json::from_str(text).unwrap());
        assert_eq!((waiting.open, waiting.aim), (vec![awaited("p", None)], Aim::Stopped));
    }
}
