//! The mailbox: how a request reaches the daemon's one owner, and how its answer comes back.

use std::fmt::Debug;
use std::os::fd::AsFd;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{Fault, FaultCode, Reply, Request};

/// A client's socket, for an answer that may have to be given by another daemon.
pub trait Socket: AsFd + Debug + Send + Sync {}

impl<T: AsFd + Debug + Send + Sync> Socket for T {}

/// Where an answer goes.
#[derive(Debug)]
pub struct Responder {
    slot: oneshot::Sender<Result<Reply, Fault>>,
    client: Option<Arc<dyn Socket>>,
    held: Option<u64>,
}

impl Responder {
    /// One whose answer comes out of the receiver.
    #[must_use]
    pub fn new() -> (Self, oneshot::Receiver<Result<Reply, Fault>>) {
        let (slot, answer) = oneshot::channel();
        (Self { slot, client: None, held: None }, answer)
    }

    /// Answers.
    ///
    /// # Errors
    /// The asker has gone away; the answer comes back.
    pub fn send(self, result: Result<Reply, Fault>) -> Result<(), Result<Reply, Fault>> {
        self.slot.send(result)
    }

    /// The socket of the client who waits for nothing but this answer, if there is one.
    #[must_use]
    pub fn client(&self) -> Option<&Arc<dyn Socket>> {
        self.client.as_ref()
    }

    /// Another one could give this answer, and knows the client by this number: first it has to be told that it shall not.
    pub fn hold(&mut self, number: u64) {
        self.held = Some(number);
    }

    /// The number under which another one could give this answer, if it could.
    #[must_use]
    pub fn held(&self) -> Option<u64> {
        self.held
    }
}

/// A request with the slot its answer goes to.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes; the asker may have gone away.
    pub reply: Responder,
}

/// The daemon's end: requests in the order they came.
pub type Mailbox = mpsc::Receiver<Call>;

/// The askers' end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    calls: mpsc::Sender<Call>,
    client: Option<Arc<dyn Socket>>,
}

/// A mailbox that holds at most `capacity` requests; more askers wait for a place.
#[must_use]
pub fn mailbox(capacity: usize) -> (Handle, Mailbox) {
    let (calls, mailbox) = mpsc::channel(capacity);
    (Handle { calls, client: None }, mailbox)
}

impl Handle {
    /// The same for one call whose answer is all that this client waits for, and the only thing it is told.
    #[must_use]
    pub fn of_client(&self, client: Arc<dyn Socket>) -> Self {
        Self { calls: self.calls.clone(), client: Some(client) }
    }

    /// Asks, and waits until it is done (not merely queued).
    ///
    /// # Errors
    /// The daemon's fault, or `SHUTDOWN_STATE` when it has gone.
    pub async fn call(&self, request: Request) -> Result<Reply, Fault> {
        let (slot, answer) = oneshot::channel();
        let reply = Responder { slot, client: self.client.clone(), held: None };
        let gone = || Fault::new(FaultCode::ShutdownState);
        self.calls.send(Call { request, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
