//! Clients that wait for processes: the keeper holds their sockets, so that the next daemon can answer them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use upkeep_api::{Responder, Socket};
use upkeep_core::{Awaited, CallId, Input, Outcome, Refusal, RunId, Waiting};
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
        let Some(waiting) = self.core.waiting(call) else { return };
        let asker = self.askers.get(&call).filter(|asker| matches!(asker.purpose, Purpose::Control));
        let Some(socket) = asker.and_then(|asker| asker.reply.client()).map(Arc::clone) else { return };
        let Ok(record) = serde_json::to_vec(&ClientRecord::from(waiting)) else { return };
        self.give_client(call, &*socket, &record);
        self.held_clients.insert(call, HeldClient { socket, record });
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
        self.held_clients.insert(call, HeldClient { socket: Arc::new(socket), record });
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
        let Waiting { asked, to_run, open, done } = waiting;
        let runs = open.iter().map(|one| one.run.map(|run| run.0)).collect();
        let open = open.into_iter().map(|one| (one.group, one.process)).collect();
        Self { asked, to_run, open, runs, done: done.into_iter().map(Into::into).collect() }
    }
}

impl From<ClientRecord> for Waiting {
    fn from(record: ClientRecord) -> Self {
        let ClientRecord { asked, to_run, open, runs, done } = record;
        // A daemon that did not write them down did not tell the keeper of less than all.
        let runs = runs.into_iter().map(|run| run.map(RunId)).chain(std::iter::repeat(None));
        let open = open.into_iter().zip(runs);
        let open = open.map(|((group, process), run)| Awaited { group, process, run }).collect();
        Self { asked, to_run, open, done: done.into_iter().map(Into::into).collect() }
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
        for (asked, to_run) in [(Some("g:p".to_owned()), true), (None, false)] {
            let waiting = Waiting {
                asked,
                to_run,
                open: vec![
                    Awaited { group: "g".to_owned(), process: "p".to_owned(), run: Some(RunId(7)) },
                    Awaited { group: "g".to_owned(), process: "q".to_owned(), run: None },
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
        assert_eq!(waiting.open, [expected]);
    }
}
