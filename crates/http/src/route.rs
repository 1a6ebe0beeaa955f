//! Who answers a request.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Version};

use crate::access::Ticket;
use crate::answer;
use crate::auth::Access;
use crate::body::Body;
use crate::connection::Connection;
use crate::{pages, rpc, tail};

/// Answers one request of a connection.
pub(crate) async fn respond(connection: Arc<Connection>, request: Request<Incoming>) -> Response<Body> {
    let mut ticket = Ticket::begin(&connection.progress, &connection.peer, &request);
    let keep_alive = wants_old_keep_alive(&request);
    let has_body = has_body(&request);
    let mut response = answer(&connection, request).await;
    if keep_alive && !response.body().is_stream() {
        answer::set(&mut response, CONNECTION, "Keep-Alive");
    }
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if has_body && refused {
        connection.progress.leave_unread();
    }
    if response.body().is_stream() {
        connection.progress.streaming();
    }
    ticket.answered(&response);
    response.map(|body| body.with_ticket(ticket))
}

/// Paths are matched by how they begin, as Supervisor does (RPC-002), after undoing `%XX`.
async fn answer(connection: &Connection, request: Request<Incoming>) -> Response<Body> {
    match access(connection, request.headers()) {
        Access::Granted => {}
        Access::Refused => return answer::unauthorized(),
        Access::Malformed => return answer::error(StatusCode::BAD_REQUEST),
    }
    let Some(path) = unquote(request.uri().path()) else { return answer::error(StatusCode::BAD_REQUEST) };
    if path.starts_with("/RPC2") {
        rpc::answer(connection, request).await
    } else if path.starts_with("/logtail") {
        // What is seldom asked for is boxed: all requests have to be as large as the largest.
        Box::pin(tail::process_log(connection, request.method(), request.headers(), &path)).await
    } else if path.starts_with("/mainlogtail") {
        Box::pin(tail::main_log(connection, request.method(), request.headers())).await
    } else {
        Box::pin(pages::answer(connection, request, &path)).await
    }
}

fn access(connection: &Connection, headers: &HeaderMap) -> Access {
    let rules = connection.service.rules.borrow();
    rules.auth.as_ref().map_or(Access::Granted, |auth| auth.check(headers))
}

/// An HTTP/1.0 client that keeps its connection hears so (RPC-018).
fn wants_old_keep_alive<B>(request: &Request<B>) -> bool {
    let keeps = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    request.version() == Version::HTTP_10 && request.headers().get(CONNECTION).is_some_and(keeps)
}

fn has_body<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING)
}

/// Undoes `%XX`; what is no pair of hex digits stays. `None` if the result is not UTF-8.
fn unquote(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let pair = if byte == b'%' { tail.get(..2).and_then(hex_pair) } else { None };
        bytes.push(pair.unwrap_or(byte));
        rest = if pair.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let text =
        std::str::from_utf8(pair).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquotes() {
        let rows = [
            ("/a%3Ab", Some("/a:b")),
            ("/%e4%b8%AD", Some("/中")),
            ("/%", Some("/%")),
            ("/%4", Some("/%4")),
            ("/%+4%zz", Some("/%+4%zz")),
            ("/%ff", None),
        ];
        for (path, unquoted) in rows {
            assert_eq!(unquote(path).as_deref(), unquoted, "{path}");
        }
    }
}
