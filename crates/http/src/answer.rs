//! Answers: headers and error pages as Supervisor sends them (RPC-016, RPC-028, RPC-032).

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, SERVER,
    WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

use crate::body::Body;

/// Seconds from 1970 to the year 10000, which has too many digits for a header.
const END_OF_TIMES: u64 = 253_402_300_800;

/// What Supervisor's server calls itself; clients may look at it (D-65).
const SERVER_NAME: HeaderValue = HeaderValue::from_static("Medusa/1.12");

/// So many headers most answers have.
const USUAL_HEADERS: usize = 6;

/// An answer with the headers that all have.
pub(crate) fn begin(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(reason) = old_reason(status) {
        response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
    }
    response.headers_mut().reserve(USUAL_HEADERS);
    response.headers_mut().insert(SERVER, SERVER_NAME);
    if let Some(date) = date_now() {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// Sets a header; a value that cannot be one is left out.
pub(crate) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// 200 with an XML-RPC document.
pub(crate) fn xml(document: Body) -> Response<Body> {
    let length = document.size_hint().lower();
    let mut response = begin(StatusCode::OK, document);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The page of an error.
pub(crate) fn error(status: StatusCode) -> Response<Body> {
    error_with(status, |_| {})
}

/// 401: asks for a password, and ends the connection, for what follows may be a body that nobody reads.
pub(crate) fn unauthorized() -> Response<Body> {
    error_with(StatusCode::UNAUTHORIZED, |response| {
        set(response, CONNECTION, "close");
        set(response, WWW_AUTHENTICATE, "Basic realm=\"default\"");
    })
}

/// 301: what was asked for is elsewhere; a page says so too.
pub(crate) fn moved(location: &str, headers: impl FnOnce(&mut Response<Body>)) -> Response<Body> {
    error_with(StatusCode::MOVED_PERMANENTLY, |response| {
        set(response, LOCATION, location);
        headers(response);
    })
}

fn error_with(status: StatusCode, headers: impl FnOnce(&mut Response<Body>)) -> Response<Body> {
    let page = error_page(status);
    let length = page.len();
    let mut response = begin(status, Body::whole(page));
    headers(&mut response);
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    set(&mut response, CONTENT_TYPE, "text/html");
    response
}

fn error_page(status: StatusCode) -> String {
    let code = status.as_u16();
    let reason = reason(status);
    format!(
        "<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n<h1>Error response</h1>\r\n\
         <p>Error code {code}.\r\n<p>Message: {reason}.\r\n</body>\r\n"
    )
}

/// The bytes of an error answer, for where no request has been read.
pub(crate) fn raw_error(status: StatusCode) -> Vec<u8> {
    let page = error_page(status);
    format!(
        "HTTP/1.1 {} {}\r\nServer: Medusa/1.12\r\nDate: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: text/html\r\n\r\n{page}",
        status.as_u16(),
        reason(status),
        http_date(SystemTime::now()),
        page.len(),
    )
    .into_bytes()
}

/// The bytes of an answer with an XML-RPC document, for where no request has been read; nothing comes after it.
pub(crate) fn raw_xml(document: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: Medusa/1.12\r\nDate: {}\r\nConnection: close\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\n\r\n",
        http_date(SystemTime::now()),
        document.len(),
    );
    [head.as_bytes(), document].concat()
}

/// The words behind the code, where Supervisor's are not today's.
fn old_reason(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::REQUEST_TIMEOUT => Some("Request Time-out"),
        StatusCode::PAYLOAD_TOO_LARGE => Some("Request Entity Too Large"),
        _ => None,
    }
}

pub(crate) fn reason(status: StatusCode) -> &'static str {
    old_reason(status).or(status.canonical_reason()).unwrap_or("Unknown")
}

/// This second as a header's value, made once for all answers of the second.
fn date_now() -> Option<HeaderValue> {
    static LAST: Mutex<Option<(u64, HeaderValue)>> = Mutex::new(None);
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_ref().is_none_or(|(made, _)| *made != second) {
        *last = Some((second, HeaderValue::from_str(&http_date(now)).ok()?));
    }
    last.as_ref().map(|(_, date)| date.clone())
}

/// A time as headers carry it; what they cannot carry is the beginning of 1970.
pub(crate) fn http_date(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).ok().filter(|since| since.as_secs() < END_OF_TIMES);
    httpdate::fmt_http_date(UNIX_EPOCH + since.unwrap_or_default())
}
