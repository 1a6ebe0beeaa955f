//! `/RPC2`: an XML-RPC call in, its answer out (RPC-002 … RPC-022).

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use upkeep_api::Fault;
use upkeep_api::verbs::{self, Answer, ProcessDocument, at_hand, dispatch};
use upkeep_api::xmlrpc::{self, ReadLimits, RequestError, Value};

use crate::answer;
use crate::body::Body;
use crate::connection::Connection;
use crate::receive::{self, Expected};

/// Documents with more text than this are read and written on another thread, for this one is everybody's.
const LARGE: usize = 64 << 10;

/// Bytes of a refused document that are shown in the log.
const SHOWN: usize = 1024;

pub(crate) async fn answer(connection: &Connection, request: Request<Incoming>) -> Response<Body> {
    match call(connection, request).await {
        Ok(body) => answer::xml(body),
        Err(status) => answer::error(status),
    }
}

async fn call(connection: &Connection, request: Request<Incoming>) -> Result<Body, StatusCode> {
    if request.method() != Method::POST {
        return Err(StatusCode::BAD_REQUEST);
    }
    let (head, body) = request.into_parts();
    let most = connection.service.limits().body_bytes;
    let body = receive::body(connection, &head.headers, body, Expected { most, may_be_empty: false }).await?;
    let (method, params) = match connection.service.last_call.read(&body) {
        Some(method) => (method, Vec::new()),
        None => read(connection, body, most).await?,
    };
    match carry_out(connection, method, params).await? {
        Ok(Answer::Processes(list)) => Ok(Body::processes(ProcessDocument::new(list))),
        Ok(Answer::Value(value)) => {
            let large = value.text_length() > LARGE;
            apart_if(large, move || xmlrpc::encode_response(&value)).await.map(Body::whole)
        }
        Err(fault) => Ok(Body::whole(xmlrpc::encode_fault(fault.code.code(), &fault.to_string()))),
    }
}

/// The method that is called, and the arguments.
async fn read(connection: &Connection, body: Bytes, most: usize) -> Result<(String, Vec<Value>), StatusCode> {
    let limits = ReadLimits { bytes: most, ..ReadLimits::REQUEST };
    let text = body.clone();
    let call = apart_if(body.len() > LARGE, move || {
        xmlrpc::decode_call(&text, limits).map_err(|error| {
            log::error!("XML-RPC request data {} is invalid: {}", shown(&text), short(&error));
            StatusCode::BAD_REQUEST
        })
    })
    .await??;
    if call.1.is_empty() {
        connection.service.last_call.note(&body, &call.0);
    }
    Ok(call)
}

/// Does `work` here, or on another thread if it is `long`.
async fn apart_if<T: Send + 'static>(
    long: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StatusCode> {
    if long {
        tokio::task::spawn_blocking(work).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    } else {
        Ok(work())
    }
}

/// Carries out the call in a task of its own, if anything is to be done: it goes on when its client goes (RPC-121), and a fault
/// of ours in it is one client's error (RPC-015).
async fn carry_out(
    connection: &Connection,
    method: String,
    params: Vec<Value>,
) -> Result<Result<Answer, Fault>, StatusCode> {
    log::trace!("XML-RPC method called: {}()", one_line(&method));
    let told = {
        let rules = connection.service.rules.borrow();
        at_hand(&connection.service.handle, &rules.namespaces, &method, &params)
    };
    let result = match told {
        Some(answer) => Ok(answer),
        None => Box::pin(apart(connection, &method, params)).await?,
    };
    log_result(&method, &result);
    Ok(result)
}

async fn apart(
    connection: &Connection,
    method: &str,
    params: Vec<Value>,
) -> Result<Result<Answer, Fault>, StatusCode> {
    let name = method.to_owned();
    let namespaces = connection.service.rules.borrow().namespaces.clone();
    let handle = connection.handle_for(method);
    let call = async move { dispatch(&handle, &namespaces, &name, params).await };
    tokio::spawn(call).await.map_err(|error| {
        let method = verbs::quoted(method);
        log::error!(
            target: "critical",
            "Handling XML-RPC request with data {method} raised an unexpected exception: {error}"
        );
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

/// The words of RPC-008 and RPC-009: what exactly was wrong is the client's business.
fn short(error: &RequestError) -> &'static str {
    match error {
        RequestError::Unmarshallable(_) => "unmarshallable",
        RequestError::NoMethodName => "no method name",
    }
}

fn shown(body: &[u8]) -> String {
    let (start, more) = if body.len() > SHOWN { (&body[..SHOWN], "...") } else { (body, "") };
    verbs::quoted(&String::from_utf8_lossy(start)) + more
}

/// A client's text in the log: it must not look like another line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn log_result(method: &str, result: &Result<Answer, Fault>) {
    if !log::log_enabled!(log::Level::Trace) {
        return;
    }
    let method = one_line(method);
    match result {
        Ok(_) => log::trace!("XML-RPC method {method}() returned successfully"),
        Err(fault) => {
            let text = one_line(&fault.to_string());
            log::trace!("XML-RPC method {method}() returned fault: [{}] {text}", fault.code.code());
        }
    }
}
