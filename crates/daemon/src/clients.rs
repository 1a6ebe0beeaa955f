//! Clients that wait for processes: the keeper holds their sockets, so that the next daemon can answer them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use upkeep_api::{Responder, Socket};
use upkeep_core::{Aim, Awaited, CallId, Input, Outcome, Refusal, RunId, Waiting};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::inventory::Inventory;
use crate::records::CLIENT_KEY;
use crate::shell::{Asker, Purpose, Shell};

/// A client whose socket the keeper holds.
#[derive(Debug)]
pub(crate) struct HeldClient {
    socket: Arc<dyn Socket>,
    record: Vec<u8>,
    /// What it waits for, each of which is answered for itself: what is known already is written down too.
    reloads: bool,
}

/// What a client waits for, as the keeper holds it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ClientRecord {
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

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OutcomeRecord {
    group: String,
    process: String,
    refusal: Option<RefusalRecord>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum RefusalRecord {
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

/// The name under which the keeper holds a client.
fn held_name(call: CallId) -> String {
    format!("client/{}", call.0)
}

impl Shell {
    /// If a client waits for processes now, the keeper holds its socket until it is answered.
    pub(crate) fn hold_client(&mut self, call: CallId) {
        let asker = self.askers.get(&call).filter(|asker| matches!(asker.purpose, Purpose::Control));
        let Some(socket) = asker.and_then(|asker| asker.reply.client()).map(Arc::clone) else { return };
        let Some(waiting) = self.core.waiting(call) else { return };
        let reloads = waiting.aim == Aim::Reloaded;
        let Ok(record) = serde_json::to_vec(&ClientRecord::from(waiting)) else { return };
        self.give_client(call, &*socket, &record);
        self.held_clients.insert(call, HeldClient { socket, record, reloads });
    }

    /// Some of what they wait for has come: the keeper holds those that did not wait for anything that the next daemon could
    /// wait for.
    pub(crate) fn hold_more_clients(&mut self) {
        if self.askers.len() > self.held_clients.len() {
            let others = self.askers.keys().filter(|call| !self.held_clients.contains_key(call));
            others.copied().collect::<Vec<_>>().into_iter().for_each(|call| self.hold_client(call));
        }
    }

    /// A command beside a process has begun or ended: what clients still wait for is written down before that is.
    pub(crate) fn renew_clients(&mut self) {
        for (call, client) in self.held_clients.iter_mut().filter(|(_, client)| client.reloads) {
            let record = self.core.waiting(*call).and_then(|waiting| {
                serde_json::to_vec(&ClientRecord::from(waiting)).ok().filter(|new| *new != client.record)
            });
            let Some(record) = record else { continue };
            client.record.clone_from(&record);
            // Fails only if the keeper is gone, which shows itself elsewhere.
            let _ = self.link.send(&ToKeeper::Put { key: CLIENT_KEY | call.0, value: record }, &[]);
        }
    }

    fn give_client(&mut self, call: CallId, socket: &dyn Socket, record: &[u8]) {
        self.send(&ToKeeper::Put { key: CLIENT_KEY | call.0, value: record.to_vec() });
        self.send_with(&ToKeeper::Hold { name: held_name(call) }, &[socket.as_fd()]);
    }

    /// Gives a new keeper all of them.
    pub(crate) fn give_clients(&mut self) {
        let held = std::mem::take(&mut self.held_clients);
        for (call, client) in &held {
            self.give_client(*call, &*client.socket, &client.record);
        }
        self.held_clients = held;
    }

    /// A client is about to be answered by this daemon: from now on nobody else may do it.
    pub(crate) fn release_client(&mut self, call: CallId) {
        if self.held_clients.remove(&call).is_some() {
            self.forget_client(call);
            self.flush_link();
        }
    }

    fn forget_client(&mut self, call: CallId) {
        self.send(&ToKeeper::Delete { key: CLIENT_KEY | call.0 });
        self.send(&ToKeeper::Unhold { name: held_name(call) });
    }

    /// Goes on with the clients of an earlier daemon.
    pub(crate) fn take_over_clients(
        &mut self,
        records: BTreeMap<u64, Vec<u8>>,
        held: &mut BTreeMap<String, OwnedFd>,
    ) {
        for (key, record) in records {
            let call = CallId(key & !CLIENT_KEY);
            self.next_call = self.next_call.max(call.0);
            let waiting = serde_json::from_slice::<ClientRecord>(&record).ok().map(Waiting::from);
            match (waiting, held.remove(&held_name(call))) {
                (Some(waiting), Some(socket)) => self.go_on_with_client(call, waiting, record, socket),
                (_, socket) => {
                    drop(socket);
                    self.forget_client(call);
                }
            }
        }
    }

    fn go_on_with_client(&mut self, call: CallId, waiting: Waiting, record: Vec<u8>, socket: OwnedFd) {
        let Ok(client) = socket.try_clone() else { return self.forget_client(call) };
        let (reply, answer) = Responder::new();
        tokio::spawn(async move {
            // Without an answer this daemon has ended too, and the keeper still holds the client; one that does not take
            // its answer has gone.
            if let Ok(result) = answer.await {
                let _ = upkeep_http::answer_late(client, result).await;
            }
        });
        self.askers.insert(call, Asker { reply, purpose: Purpose::Control });
        let reloads = waiting.aim == Aim::Reloaded;
        self.held_clients.insert(call, HeldClient { socket: Arc::new(socket), record, reloads });
        self.log(Level::Debug, "a client of the last daemon still waits for its answer");
        self.tell(Input::Resume { call, waiting });
    }
}

impl Inventory {
    /// What clients wait for, by key.
    pub(crate) fn take_clients(&mut self) -> BTreeMap<u64, Vec<u8>> {
        self.records.split_off(&CLIENT_KEY)
    }
}

impl From<Waiting> for ClientRecord {
    fn from(waiting: Waiting) -> Self {
        let Waiting { asked, aim, open, done } = waiting;
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

impl From<ClientRecord> for Waiting {
    fn from(record: ClientRecord) -> Self {
        let ClientRecord { asked, to_run, open, runs, done, begun_is_enough, reloads } = record;
        let done = done.into_iter().map(Into::into).collect();
        if !reloads.is_empty() {
            let awaited = |(group, process, run)| Awaited { group, process, run: Some(RunId(run)) };
            let open = reloads.into_iter().map(awaited).collect();
            return Self { asked, aim: Aim::Reloaded, open, done };
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
        Self { asked, aim, open, done }
    }
}

impl From<Outcome> for OutcomeRecord {
    fn from(outcome: Outcome) -> Self {
        let Outcome { group, process, result } = outcome;
        Self { group, process, refusal: result.err().map(Into::into) }
    }
}

impl From<OutcomeRecord> for Outcome {
    fn from(record: OutcomeRecord) -> Self {
        let OutcomeRecord { group, process, refusal } = record;
        Self { group, process, result: refusal.map_or(Ok(()), |refusal| Err(refusal.into())) }
    }
}

macro_rules! refusals {
    ($($name:ident)*) => {
        impl From<Refusal> for RefusalRecord {
            fn from(refusal: Refusal) -> Self {
                match refusal {
                    $(Refusal::$name(text) => Self::$name(text),)*
                    Refusal::ShuttingDown => Self::ShuttingDown,
                }
            }
        }

        impl From<RefusalRecord> for Refusal {
            fn from(record: RefusalRecord) -> Self {
                match record {
                    $(RefusalRecord::$name(text) => Self::$name(text),)*
                    RefusalRecord::ShuttingDown => Self::ShuttingDown,
                }
            }
        }
    };
}

refusals! {
    BadName NoFile NotExecutable AlreadyStarted SpawnError AbnormalTermination NotRunning BadSignal Failed AlreadyAdded
    StillRunning
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let waiting = Waiting {
                asked,
                aim,
                open: vec![
                    Awaited { group: "g".to_owned(), process: "p".to_owned(), run: Some(RunId(7)) },
                    Awaited { group: "g".to_owned(), process: "q".to_owned(), run },
                ],
                done: vec![
                    outcome(Ok(())),
                    outcome(Err(Refusal::NoFile("x".to_owned()))),
                    outcome(Err(Refusal::ShuttingDown)),
                ],
            };
            let text = serde_json::to_vec(&ClientRecord::from(waiting.clone())).unwrap();
            let back: ClientRecord = serde_json::from_slice(&text).unwrap();
            assert_eq!(Waiting::from(back), waiting);
        }
    }

    #[test]
    fn the_record_of_an_older_daemon_is_understood() {
        let text = r#"{"asked":null,"to_run":false,"open":[["g","p"]],"done":[]}"#;
        let waiting = Waiting::from(serde_json::from_str::<ClientRecord>(text).unwrap());
        let expected = Awaited { group: "g".to_owned(), process: "p".to_owned(), run: None };
        assert_eq!((waiting.open, waiting.aim), (vec![expected], Aim::Stopped));
    }
}
