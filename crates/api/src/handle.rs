//! The mailbox: how a request reaches the daemon's one owner, and how its answer comes back.

use std::fmt::Debug;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};

use crate::{Fault, FaultCode, Reply, Request, SharedList};

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

/// What the daemon has told of all processes and would tell again, for those who ask before anything happens: they need not
/// wait for its turn. An answer holds for the second it was made in, since it tells how long processes have run.
#[derive(Debug, Default)]
pub struct Board(Mutex<Option<(i64, SharedList)>>);

impl Board {
    /// Puts up what was made in this second (since 1970).
    pub fn put(&self, second: i64, list: SharedList) {
        list.keep();
        self.replace(Some((second, list)));
    }

    /// Something has happened.
    pub fn clear(&self) {
        self.replace(None);
    }

    fn replace(&self, told: Option<(i64, SharedList)>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), told);
        if let Some((_, list)) = before {
            list.forget();
        }
    }

    /// What is still true in this second.
    #[must_use]
    pub fn read(&self, second: i64) -> Option<SharedList> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.as_ref().filter(|(made, _)| *made == second).map(|(_, list)| list.clone())
    }
}

/// The askers' end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    calls: mpsc::Sender<Call>,
    client: Option<Arc<dyn Socket>>,
    board: Arc<Board>,
}

/// A mailbox that holds at most `capacity` requests; more askers wait for a place.
#[must_use]
pub fn mailbox(capacity: usize) -> (Handle, Mailbox) {
    let (calls, mailbox) = mpsc::channel(capacity);
    (Handle { calls, client: None, board: Arc::default() }, mailbox)
}

impl Handle {
    /// The same for one call whose answer is all that this client waits for, and the only thing it is told.
    #[must_use]
    pub fn of_client(&self, client: Arc<dyn Socket>) -> Self {
        Self { calls: self.calls.clone(), client: Some(client), board: Arc::clone(&self.board) }
    }

    /// What this mailbox's owner would answer at once.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The answer, if it is at hand.
    #[must_use]
    pub fn at_hand(&self, request: &Request) -> Option<Reply> {
        if *request != Request::GetAllProcessInfo {
            return None;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        self.board.read(i64::try_from(now.as_secs()).ok()?).map(Reply::Processes)
    }

    /// Asks, and waits until it is done (not merely queued).
    ///
    /// # Errors
    /// The daemon's fault, or `SHUTDOWN_STATE` when it has gone.
    pub async fn call(&self, request: Request) -> Result<Reply, Fault> {
        if let Some(reply) = self.at_hand(&request) {
            return Ok(reply);
        }
        let (slot, answer) = oneshot::channel();
        let reply = Responder { slot, client: self.client.clone(), held: None };
        let gone = || Fault::new(FaultCode::ShutdownState);
        self.calls.send(Call { request, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProcessList;
    use crate::verbs;

    fn now() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(since.as_secs()).expect("before the end of times")
    }

    /// Nobody looks into the mailbox: the answer of this second is there, under its published name, and no other.
    #[test]
    fn what_is_at_hand_is_told_until_something_happens_or_the_second_is_over() {
        let (handle, _mailbox) = mailbox(1);
        let namespaces = ["supervisor".to_owned()];
        let told = |method: &str| verbs::at_hand(&handle, &namespaces, method, &[]).is_some();
        let all = "supervisor.getAllProcessInfo";
        assert!(!told(all), "nothing was told yet");
        let list = || crate::SharedList::from(ProcessList::default());
        // It may be another second when it is read: then it is put up again.
        assert!((0..3).any(|_| {
            handle.board().put(now(), list());
            told(all)
        }));
        for other in ["supervisor.getState", "other.getAllProcessInfo"] {
            assert!(!told(other), "{other}");
        }
        let argument = [crate::xmlrpc::Value::from(1)];
        assert!(verbs::at_hand(&handle, &namespaces, all, &argument).is_none());
        handle.board().put(now() - 1000, list());
        assert!(!told(all), "another second");
        let second = now();
        handle.board().put(second, list());
        handle.board().clear();
        assert_eq!(handle.board().read(second), None);
    }
}
