//! Clients that wait: the keeper holds their sockets, so that the next daemon can answer them.

mod question;
mod record;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use upkeep_api::{Responder, Socket};
use upkeep_core::{CallId, Input, Supervisor, Waiting};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use self::record::ClientRecord;
use crate::growing::Growing;
use crate::inventory::Inventory;
use crate::records::CLIENT_KEY;
use crate::shell::{Asker, Purpose, Shell};
use crate::tasks;

/// A client whose socket the keeper holds.
#[derive(Debug)]
pub(crate) struct HeldClient {
    socket: Arc<dyn Socket>,
    /// As it was when it was written down as a whole.
    record: ClientRecord,
    /// What the keeper has of it.
    held: Growing,
    /// Outcomes that are among that.
    known: usize,
}

impl HeldClient {
    fn new(socket: Arc<dyn Socket>, record: ClientRecord) -> Self {
        Self { socket, record, held: Growing::default(), known: 0 }
    }

    /// The frame that writes down the whole.
    fn whole(&mut self, call: CallId) -> Option<ToKeeper> {
        self.known = self.record.known();
        let value = serde_json::to_vec(&self.record).ok()?;
        Some(self.held.whole(CLIENT_KEY | call.0, value))
    }

    /// The frame that writes down what has become known of reload commands: it costs what that is, and not what the client waits for.
    fn news(&mut self, core: &Supervisor, call: CallId) -> Option<ToKeeper> {
        let news = core.outcomes_since(call, self.known);
        if news.is_empty() && !self.held.is_empty() {
            return None;
        }
        let frame = self.held.change(CLIENT_KEY | call.0, record::news(news)?);
        if frame.is_some() {
            self.known += news.len();
            return frame;
        }
        self.record = core.waiting(call)?.into();
        self.whole(call)
    }

    /// Whether each process it waits for is answered for itself: what is known already is written down too.
    fn waits_for_reloads(&self) -> bool {
        matches!(&self.record, ClientRecord::Waits(record) if record.is_of_reloads())
    }
}

/// The name under which the keeper holds a client.
fn held_name(call: CallId) -> String {
    format!("client/{}", call.0)
}

impl Shell {
    /// If a client waits for processes now, the keeper holds its socket until it is answered.
    pub(crate) fn hold_client(&mut self, call: CallId) {
        let is_held = |purpose: &Purpose| matches!(purpose, Purpose::Control | Purpose::Update);
        let asker = self.askers.get(&call).filter(|asker| is_held(&asker.purpose));
        let Some(asker) = asker else { return };
        let client = asker.reply.client().map(Arc::clone);
        let Some(record) = self.core.waiting(call).map(ClientRecord::from) else { return };
        if self.held_clients.contains_key(&call) {
            self.write_down(call, record);
        } else if let Some(socket) = client {
            self.hold_as(call, HeldClient::new(socket, record));
        }
    }

    /// Some of what they wait for has come: the keeper holds those that did not wait for anything that the next daemon could
    /// wait for.
    pub(crate) fn hold_more_clients(&mut self) {
        // Others have asked what is no matter of the core yet.
        let held = self.held_clients.keys().filter(|call| self.askers.contains_key(call)).count();
        if self.askers.len() > held {
            let others = self.askers.keys().filter(|call| !self.held_clients.contains_key(call));
            others.copied().collect::<Vec<_>>().into_iter().for_each(|call| self.hold_client(call));
        }
    }

    /// A command beside a process has begun or ended: what clients still wait for is written down before that is.
    pub(crate) fn renew_clients(&mut self) {
        let reloads = self.held_clients.iter_mut().filter(|(_, client)| client.waits_for_reloads());
        for (call, client) in reloads {
            // Fails only if the keeper is gone, which shows itself elsewhere.
            let _ = client.news(&self.core, *call).map(|frame| self.link.send(&frame, &[]));
        }
    }

    /// Another version of the daemon may follow, which understands only a record that is whole.
    pub(crate) fn leave_clients(&mut self) {
        for (call, client) in self.held_clients.iter_mut().filter(|(_, client)| !client.held.is_whole()) {
            let Some(waiting) = self.core.waiting(*call) else { continue };
            client.record = waiting.into();
            let _ = client.whole(*call).map(|frame| self.link.send(&frame, &[]));
        }
    }

    fn hold_as(&mut self, call: CallId, mut client: HeldClient) {
        self.give_client(call, &mut client);
        self.held_clients.insert(call, client);
    }

    fn give_client(&mut self, call: CallId, client: &mut HeldClient) {
        let Some(frame) = client.whole(call) else { return };
        self.send(&frame);
        self.send_with(&ToKeeper::Hold { name: held_name(call) }, &[client.socket.as_fd()]);
    }

    /// Gives a new keeper all of them.
    pub(crate) fn give_clients(&mut self) {
        let mut held = std::mem::take(&mut self.held_clients);
        for (call, client) in &mut held {
            if !client.held.is_whole()
                && let Some(waiting) = self.core.waiting(*call)
            {
                client.record = waiting.into();
            }
            self.give_client(*call, client);
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
            match (ClientRecord::read(&record), held.remove(&held_name(call))) {
                (Some(record), Some(socket)) => self.go_on_with_client(call, record, socket),
                (_, socket) => {
                    drop(socket);
                    self.forget_client(call);
                }
            }
        }
    }

    fn go_on_with_client(&mut self, call: CallId, record: ClientRecord, socket: OwnedFd) {
        let Ok(client) = socket.try_clone() else { return self.forget_client(call) };
        let held = HeldClient::new(Arc::new(socket), record.clone());
        self.held_clients.insert(call, held);
        self.log(Level::Debug, "a client of the last daemon still waits for its answer");
        match record {
            ClientRecord::Waits(record) => self.wait_on(call, record.into(), client),
            ClientRecord::Updates(record) => self.wait_on(call, record.into(), client),
            ClientRecord::Asked { question, again } => {
                let reply = answers_late(client);
                self.ask_again(call, question, again, reply);
            }
            ClientRecord::Answered { answer } => {
                self.release_client(call);
                tasks::spawn(async move {
                    // One that does not take its answer has gone.
                    let _ = upkeep_http::answer_late(client, answer.as_bytes()).await;
                });
            }
        }
    }

    fn wait_on(&mut self, call: CallId, waiting: Waiting, client: OwnedFd) {
        self.askers.insert(call, Asker { reply: answers_late(client), purpose: Purpose::Control });
        self.tell(Input::Resume { call, waiting });
    }
}

/// For the answer to a client of an earlier daemon.
fn answers_late(client: OwnedFd) -> Responder {
    let (reply, answer) = Responder::new();
    tasks::spawn(async move {
        // Without an answer this daemon has ended too, and the keeper still holds the client; one that does not take its
        // answer has gone.
        if let Ok(result) = answer.await {
            let _ = upkeep_http::answer_late(client, &upkeep_http::late_document(result)).await;
        }
    });
    reply
}

impl Inventory {
    /// What clients wait for, by key.
    pub(crate) fn take_clients(&mut self) -> BTreeMap<u64, Vec<u8>> {
        self.records.split_off(&CLIENT_KEY)
    }
}
