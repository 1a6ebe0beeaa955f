//! The mailbox: how a request reaches the daemon's one owner, and how its answer comes back.

use tokio::sync::{mpsc, oneshot};

use crate::{Fault, FaultCode, Reply, Request};

/// A request with the slot its answer goes to.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes; the asker may have gone away.
    pub reply: oneshot::Sender<Result<Reply, Fault>>,
}

/// The daemon's end: requests in the order they came.
pub type Mailbox = mpsc::Receiver<Call>;

/// The askers' end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    calls: mpsc::Sender<Call>,
}

/// A mailbox that holds at most `capacity` requests; more askers wait for a place.
#[must_use]
pub fn mailbox(capacity: usize) -> (Handle, Mailbox) {
    let (calls, mailbox) = mpsc::channel(capacity);
    (Handle { calls }, mailbox)
}

impl Handle {
    /// Asks, and waits until it is done (not merely queued).
    ///
    /// # Errors
    /// The daemon's fault, or `SHUTDOWN_STATE` when it has gone.
    pub async fn call(&self, request: Request) -> Result<Reply, Fault> {
        let (reply, answer) = oneshot::channel();
        let gone = || Fault::new(FaultCode::ShutdownState);
        self.calls.send(Call { request, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
