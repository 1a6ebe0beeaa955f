//! A stand-in for the daemon: answers from a table, and notes what it was asked.

use std::future::Future;

use upkeep_api::{Call, Fault, FaultCode, Handle, ProcessInfo, ProcessState, Reply, Request};

/// What the stand-in answers.
pub(crate) type Answers = fn(&Request) -> Result<Reply, Fault>;

/// Runs `ask` with a daemon of these answers; returns its result, and what the daemon was asked.
pub(crate) fn with<F: Future>(answers: Answers, ask: impl FnOnce(Handle) -> F) -> (F::Output, Vec<Request>) {
    let (handle, mut mailbox) = upkeep_api::mailbox(4);
    let daemon = async move {
        let mut asked = Vec::new();
        while let Some(Call { request, reply }) = mailbox.recv().await {
            reply.send(answers(&request)).expect("the asker waits");
            asked.push(request);
        }
        asked
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { tokio::join!(ask(handle), daemon) })
}

pub(crate) fn fault(code: FaultCode, extra: &str) -> Result<Reply, Fault> {
    Err(Fault::about(code, extra))
}

pub(crate) fn process(group: &str, name: &str, state: ProcessState, description: &str) -> ProcessInfo {
    ProcessInfo {
        name: name.to_owned(),
        group: group.to_owned(),
        start: 0,
        stop: 0,
        now: 0,
        state,
        spawnerr: String::new(),
        exitstatus: 0,
        stdout_logfile: String::new(),
        stderr_logfile: String::new(),
        pid: 0,
        description: description.to_owned(),
    }
}
