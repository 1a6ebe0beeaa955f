//! Questions that a helper thread answers. The keeper holds them with their clients, and the next daemon asks itself again: nothing that
//! follows from one comes twice by that.

use serde::{Deserialize, Serialize};
use upkeep_api::{Fault, Reply, Request, Responder};
use upkeep_core::CallId;

use super::{ClientRecord, HeldClient};
use crate::shell::Shell;

/// So often a question is asked again: one that every daemon dies of must not do so for ever.
const MOST_AGAIN: u32 = 2;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Question {
    Reread,
    Add(String),
    Update(String),
    Restart,
    Keep,
    Plan,
    RollbackPlan(i64),
    Rollback(i64),
    /// Of one process, or all of a group, until their commands were looked at: whether it waits until they run.
    Start(String, bool),
    StartGroup(String, bool),
    StartAll(bool),
}

impl Question {
    /// Others are answered at once, wait for processes, or do something that is not to be done twice.
    fn of(request: &Request) -> Option<Self> {
        match request {
            Request::ReloadConfig => Some(Self::Reread),
            Request::AddProcessGroup { name } => Some(Self::Add(name.clone())),
            Request::UpdateProcessGroup { name } => Some(Self::Update(name.clone())),
            Request::Restart => Some(Self::Restart),
            Request::ReloadKeep => Some(Self::Keep),
            Request::GetPlan => Some(Self::Plan),
            Request::GetRollbackPlan { number } => Some(Self::RollbackPlan(*number)),
            Request::RollbackConfig { number } => Some(Self::Rollback(*number)),
            Request::StartProcess { name, wait } => Some(Self::Start(name.clone(), *wait)),
            Request::StartProcessGroup { name, wait } => Some(Self::StartGroup(name.clone(), *wait)),
            Request::StartAllProcesses { wait } => Some(Self::StartAll(*wait)),
            _ => None,
        }
    }

    fn request(self) -> Request {
        match self {
            Self::Reread => Request::ReloadConfig,
            Self::Add(name) => Request::AddProcessGroup { name },
            Self::Update(name) => Request::UpdateProcessGroup { name },
            Self::Restart => Request::Restart,
            Self::Keep => Request::ReloadKeep,
            Self::Plan => Request::GetPlan,
            Self::RollbackPlan(number) => Request::GetRollbackPlan { number },
            Self::Rollback(number) => Request::RollbackConfig { number },
            Self::Start(name, wait) => Request::StartProcess { name, wait },
            Self::StartGroup(name, wait) => Request::StartProcessGroup { name, wait },
            Self::StartAll(wait) => Request::StartAllProcesses { wait },
        }
    }
}

impl Shell {
    /// The keeper holds the client until it is answered, if the next daemon can ask the same again.
    pub(crate) fn hold_question(&mut self, request: &Request, reply: &mut Responder) {
        if reply.held().is_some() {
            return;
        }
        let Some(question) = Question::of(request) else { return };
        let Some(socket) = reply.client().cloned() else { return };
        self.next_call += 1;
        let call = CallId(self.next_call);
        reply.hold(call.0);
        let record = ClientRecord::Asked { question, again: 0 };
        self.hold_as(call, HeldClient::new(socket, record));
    }

    /// Answers a client, which nobody else may do from now on: as soon as the keeper has what belongs to the answer.
    pub(crate) fn respond(&mut self, reply: Responder, result: Result<Reply, Fault>) {
        if let Some(call) = reply.held() {
            self.release_client(CallId(call));
        }
        self.answers.push((reply, result));
    }

    /// The keeper has what belongs to these answers, or nobody waits for that any more. Not everybody who asked is still there.
    pub(crate) fn give_answers(&mut self) {
        for (reply, result) in std::mem::take(&mut self.answers) {
            let _ = reply.send(result);
        }
    }

    /// This is going to be the answer, whoever gives it.
    pub(crate) fn note_answer(&mut self, reply: &Responder, answer: Reply) {
        let Some(call) = reply.held().map(CallId) else { return };
        let document = upkeep_http::late_document(Ok(answer));
        let answer = String::from_utf8_lossy(&document).into_owned();
        self.write_down(call, ClientRecord::Answered { answer });
    }

    /// Whether an earlier daemon may have done already what is asked.
    pub(crate) fn is_asked_again(&self, reply: &Responder) -> bool {
        let held = reply.held().and_then(|call| self.held_clients.get(&CallId(call)));
        held.is_some_and(|held| matches!(held.record, ClientRecord::Asked { again: 1.., .. }))
    }

    /// Asks again what was asked of an earlier daemon, as soon as this one serves.
    pub(super) fn ask_again(&mut self, call: CallId, question: Question, again: u32, mut reply: Responder) {
        reply.hold(call.0);
        if question == Question::Restart && self.core.phase().is_ending() && !self.is_shutting_down() {
            // It goes on already: asked again when that is over, it would come twice.
            return self.respond(reply, Ok(Reply::Bool(true)));
        }
        if again >= MOST_AGAIN {
            let text = "the daemon was killed again and again while it was doing this; its log may tell more";
            return self.respond(reply, Err(Fault::about(upkeep_api::FaultCode::Failed, text)));
        }
        self.write_down(call, ClientRecord::Asked { question: question.clone(), again: again + 1 });
        self.breath.postponed.push(upkeep_api::Call { request: question.request(), reply });
    }

    /// The keeper gets this record of a client that it holds.
    pub(super) fn write_down(&mut self, call: CallId, record: ClientRecord) {
        let Some(held) = self.held_clients.get_mut(&call).filter(|held| held.record != record) else {
            return;
        };
        held.record = record;
        let Some(frame) = held.whole(call) else { return };
        self.send(&frame);
    }
}
