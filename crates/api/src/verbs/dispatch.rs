//! A method name and its arguments, to the daemon and back.

use super::table::SYSTEM;
use super::{OWN, OWN_NAMESPACE, Verb, find, find_in};
use crate::xmlrpc::Value;
use crate::{Fault, FaultCode, Handle, Reply, SharedList};

/// Most text in the answers of one multicall: together they are no longer than a single one may be.
const MULTICALL_TEXT: usize = 64 << 20;

/// Many of these in one call would wait for one another, whether or not their client is still there.
const WAITING: &str = "upkeep.waitForChange";

/// What a call gives.
#[derive(Debug)]
pub enum Answer {
    /// A value, which the document of the answer carries.
    Value(Value),
    /// All processes: too many for a tree of values, see [`super::ProcessDocument`].
    Processes(SharedList),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Processes(list) => Self::Processes(list),
            other => Self::Value(other.into()),
        }
    }
}

impl From<Answer> for Value {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Value(value) => value,
            Answer::Processes(list) => Reply::Processes(list).into(),
        }
    }
}

/// Carries out one XML-RPC call and waits until it is done.
///
/// `namespaces` are those with the standard factory (CFG-251); `system` always exists. A name is looked up in the
/// tables and nowhere else (RPC-012).
///
/// # Errors
/// The fault to answer with.
pub async fn dispatch(
    handle: &Handle,
    namespaces: &[String],
    method: &str,
    params: Vec<Value>,
) -> Result<Answer, Fault> {
    if method == "system.multicall" {
        multicall(handle, namespaces, &params).await.map(Answer::Value)
    } else {
        single(handle, namespaces, method, &params).await
    }
}

/// The answer to such a call, if it can be given without the daemon's turn.
#[must_use]
pub fn at_hand(handle: &Handle, namespaces: &[String], method: &str, params: &[Value]) -> Option<Answer> {
    if !params.is_empty() {
        return None;
    }
    let (namespace, name) = method.split_once('.')?;
    let request = published(namespaces, namespace, name)?.request(params).ok()?;
    handle.at_hand(&request).map(Answer::from)
}

async fn single(
    handle: &Handle,
    namespaces: &[String],
    method: &str,
    params: &[Value],
) -> Result<Answer, Fault> {
    let unknown = || Fault::new(FaultCode::UnknownMethod);
    let (namespace, name) = method.split_once('.').ok_or_else(unknown)?;
    if namespace == "system" {
        let verb = find_in(SYSTEM, name).ok_or_else(unknown)?;
        verb.check_count(params)?;
        return (verb.build)(namespaces, params).map(Answer::Value);
    }
    let verb = published(namespaces, namespace, name).ok_or_else(unknown)?;
    handle.call(verb.request(params)?).await.map(Answer::from)
}

fn published(namespaces: &[String], namespace: &str, name: &str) -> Option<&'static Verb> {
    let own = if namespace == OWN_NAMESPACE && !namespaces.is_empty() { find_in(OWN, name) } else { None };
    own.or_else(|| if namespaces.iter().any(|known| known == namespace) { find(name) } else { None })
}

/// RPC-063: in order, each finished before the next starts. All are looked at before the first is carried out.
async fn multicall(handle: &Handle, namespaces: &[String], params: &[Value]) -> Result<Value, Fault> {
    let incorrect = || Fault::new(FaultCode::IncorrectParameters);
    let [Value::Array(calls)] = params else { return Err(incorrect()) };
    if !calls.iter().all(|call| matches!(call, Value::Struct(_))) {
        return Err(incorrect());
    }
    let mut results = Vec::with_capacity(calls.len());
    let mut room = MULTICALL_TEXT;
    for call in calls {
        let result = one_of_many(handle, namespaces, call).await.and_then(|value| fitting(value, &mut room));
        results.push(result.unwrap_or_else(|fault| fault_struct(&fault)));
    }
    Ok(Value::Array(results))
}

/// The value if there is room for its text. What was called is done in any case.
fn fitting(value: Value, room: &mut usize) -> Result<Value, Fault> {
    match room.checked_sub(value.text_length()) {
        Some(left) => {
            *room = left;
            Ok(value)
        }
        None => Err(Fault::about(FaultCode::Failed, "the answers are too long together")),
    }
}

async fn one_of_many(handle: &Handle, namespaces: &[String], call: &Value) -> Result<Value, Fault> {
    let incorrect = |text: &str| Fault::about(FaultCode::IncorrectParameters, text);
    let method = match call.get("methodName") {
        None | Some(Value::Nil) => return Err(incorrect("No methodName")),
        Some(name) => name.as_str().ok_or_else(|| Fault::new(FaultCode::IncorrectParameters))?,
    };
    if method == "system.multicall" {
        return Err(incorrect("Recursive system.multicall forbidden"));
    }
    if method == WAITING {
        return Err(incorrect("upkeep.waitForChange within system.multicall forbidden"));
    }
    match call.get("params") {
        None => single(handle, namespaces, method, &[]).await.map(Value::from),
        Some(Value::Array(params)) => single(handle, namespaces, method, params).await.map(Value::from),
        Some(_) => Err(Fault::new(FaultCode::IncorrectParameters)),
    }
}

fn fault_struct(fault: &Fault) -> Value {
    Value::record([("faultCode", fault.code.code().into()), ("faultString", fault.to_string().into())])
}
