//! The web pages, their files, and what their buttons do: what `upkeep_webui` makes of a request (RPC-200 … RPC-220).

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, EXPIRES,
    HOST, HeaderMap, HeaderName, IF_MODIFIED_SINCE, LAST_MODIFIED, ORIGIN, PRAGMA, REFERER, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use jiff::fmt::rfc2822;
use upkeep_api::verbs;
use upkeep_webui::{Action, Asset, Form, Language, Outcome, Sender, Status, Tail, WrongAction};

use crate::answer;
use crate::body::Body;
use crate::connection::Connection;
use crate::receive::{self, Expected};

/// Bytes of a form. Names and addresses are short.
const FORM: Expected = Expected { most: 64 << 10, may_be_empty: true };

/// One of the pages that are made afresh each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Status,
    StatusJson,
    Tail,
    Ok,
}

impl Page {
    fn of(path: &str) -> Option<Self> {
        match path {
            "" | "index.html" => Some(Self::Status),
            "status.json" => Some(Self::StatusJson),
            "tail.html" => Some(Self::Tail),
            "ok.html" => Some(Self::Ok),
            _ => None,
        }
    }
}

/// Answers a request for a page or a file; `path` is unquoted. Leading slashes do not count (RPC-220).
pub(crate) async fn answer(
    connection: &Connection,
    request: Request<Incoming>,
    path: &str,
) -> Response<Body> {
    let path = path.trim_start_matches('/');
    match (Page::of(path), request.method()) {
        (Some(page), &Method::GET | &Method::POST) => made(connection, request, page).await,
        (_, &Method::GET | &Method::HEAD) => file(connection, request.headers(), path),
        (_, _) => answer::error(StatusCode::BAD_REQUEST),
    }
}

async fn made(connection: &Connection, request: Request<Incoming>, page: Page) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = if head.method == Method::POST {
        match receive::body(connection, &head.headers, body, FORM).await {
            Ok(body) => body,
            Err(status) => return answer::error(status),
        }
    } else {
        Bytes::new()
    };
    let form = Form::read(head.uri.query().unwrap_or_default(), &body);
    let language = Language::accepted(text(&head.headers, ACCEPT_LANGUAGE).unwrap_or_default());
    match page {
        Page::Status => status(connection, &head.headers, language, &form).await,
        Page::StatusJson => status_json(connection, language).await,
        Page::Tail => html(StatusCode::OK, tail(connection, language, &form).await),
        Page::Ok => whole(StatusCode::OK, "text/plain", "OK".to_owned()),
    }
}

/// The status page, after the action that it is asked for.
async fn status(
    connection: &Connection,
    headers: &HeaderMap,
    language: Language,
    form: &Form,
) -> Response<Body> {
    match Action::of(form) {
        Ok(None) => {}
        Ok(Some(action)) => return act(connection, headers, language, action).await,
        Err(wrong) => return wrong_action(&wrong),
    }
    match Status::ask(&connection.service.handle).await {
        Ok(status) => html(StatusCode::OK, upkeep_webui::status_page(language, &status, form.get("message"))),
        Err(_) => html(StatusCode::SERVICE_UNAVAILABLE, upkeep_webui::unavailable(language)),
    }
}

async fn status_json(connection: &Connection, language: Language) -> Response<Body> {
    match Status::ask(&connection.service.handle).await {
        Ok(status) => json(upkeep_webui::status_json(language, &status)),
        Err(_) => answer::error(StatusCode::SERVICE_UNAVAILABLE),
    }
}

async fn tail(connection: &Connection, language: Language, form: &Form) -> String {
    upkeep_webui::tail_page(language, &Tail::ask(&connection.service.handle, form).await)
}

/// Does something, if the sender may, and tells what became of it.
async fn act(
    connection: &Connection,
    headers: &HeaderMap,
    language: Language,
    action: Action,
) -> Response<Body> {
    let from_our_page = match upkeep_webui::ask_sender(&sender(headers)) {
        Some(ours) => ours,
        None if action.is_harmless() => false,
        None => return html(StatusCode::FORBIDDEN, upkeep_webui::refused(language)),
    };
    let outcome = match carry_out(connection, action).await {
        Ok(outcome) => outcome,
        Err(response) => return response,
    };
    let date = jiff::Zoned::now().strftime(language.date_format()).to_string();
    let message = outcome.message(language, &date);
    if text(headers, ACCEPT).is_some_and(|accept| accept.starts_with("application/json")) {
        return json(upkeep_webui::outcome_json(&outcome, &message));
    }
    // A browser is sent back by a path, which is right behind any proxy; a program gets what Supervisor sends it.
    let server = if from_our_page { ".".to_owned() } else { server(connection, headers) };
    let location = format!("{server}/?message={}", upkeep_webui::quote(&message));
    answer::moved(&location, uncached)
}

/// In a task of its own: it goes on when its client goes, as calls do (RPC-121).
async fn carry_out(connection: &Connection, action: Action) -> Result<Outcome, Response<Body>> {
    let service = Arc::clone(&connection.service);
    let task = tokio::spawn(async move { action.carry_out(&service.handle).await });
    match task.await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(wrong)) => Err(wrong_action(&wrong)),
        Err(error) => {
            log::error!(target: "critical", "Web interface error: {error}");
            Err(answer::error(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// RPC-213
fn wrong_action(WrongAction(action): &WrongAction) -> Response<Body> {
    log::error!("Web interface error: cannot do {} without more", verbs::quoted(action));
    answer::error(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The server's own address as the client knows it (RPC-208).
fn server(connection: &Connection, headers: &HeaderMap) -> String {
    let host = text(headers, HOST).unwrap_or(&connection.service.name).trim();
    format!("http://{}", host.strip_suffix(":80").unwrap_or(host))
}

fn sender(headers: &HeaderMap) -> Sender<'_> {
    Sender {
        fetch_site: text(headers, HeaderName::from_static("sec-fetch-site")),
        origin: text(headers, ORIGIN),
        referer: text(headers, REFERER),
        host: text(headers, HOST),
        forwarded_host: text(headers, HeaderName::from_static("x-forwarded-host")),
    }
}

/// The text of a header. One that is no text counts as empty, never as absent.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// A file, or an answer that it is not newer than what the client has (RPC-217).
fn file(connection: &Connection, headers: &HeaderMap, path: &str) -> Response<Body> {
    if let Some(asset) = upkeep_webui::asset(path) {
        return asset_answer(connection, headers, asset);
    }
    if !path.ends_with('/') && upkeep_webui::is_folder(path) {
        return answer::moved(&format!("{}/{path}/", server(connection, headers)), |_| {});
    }
    answer::error(StatusCode::NOT_FOUND)
}

/// The files are part of the program, so none can change while it runs.
fn asset_answer(connection: &Connection, headers: &HeaderMap, asset: &'static Asset) -> Response<Body> {
    let since = connection.service.since;
    if text(headers, IF_MODIFIED_SINCE).is_some_and(|known| is_known(since, known)) {
        return answer::begin(StatusCode::NOT_MODIFIED, Body::whole(Bytes::new()));
    }
    let mut response = answer::begin(StatusCode::OK, Body::whole(Bytes::from_static(asset.bytes)));
    answer::set(&mut response, LAST_MODIFIED, &answer::http_date(since));
    answer::set(&mut response, CONTENT_LENGTH, &asset.bytes.len().to_string());
    answer::set(&mut response, CONTENT_TYPE, asset.content_type);
    // After an upgrade the pages want the new files.
    answer::set(&mut response, CACHE_CONTROL, "no-cache");
    answer::set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// Whether a copy of this time is new enough. Something may follow the time after a semicolon.
fn is_known(since: SystemTime, time: &str) -> bool {
    let time = time.split(';').next().unwrap_or_default().trim();
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    rfc2822::parse(time).is_ok_and(|known| {
        let known = SystemTime::from(known.timestamp());
        seconds(since) <= seconds(known)
    })
}

fn html(status: StatusCode, page: String) -> Response<Body> {
    let mut response = whole(status, "text/html;charset=utf-8", page);
    uncached(&mut response);
    answer::set(&mut response, CONTENT_SECURITY_POLICY, upkeep_webui::CONTENT_SECURITY_POLICY);
    answer::set(&mut response, REFERRER_POLICY, "same-origin");
    answer::set(&mut response, VARY, "Accept-Language");
    response
}

fn json(document: String) -> Response<Body> {
    let mut response = whole(StatusCode::OK, "application/json", document);
    uncached(&mut response);
    response
}

fn whole(status: StatusCode, content_type: &str, content: String) -> Response<Body> {
    let length = content.len();
    let mut response = answer::begin(status, Body::whole(content));
    answer::set(&mut response, CONTENT_TYPE, content_type);
    answer::set(&mut response, CONTENT_LENGTH, &length.to_string());
    answer::set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// What is shown is true now and may not be in a second (RPC-200).
fn uncached(response: &mut Response<Body>) {
    answer::set(response, PRAGMA, "no-cache");
    answer::set(response, CACHE_CONTROL, "no-cache");
    answer::set(response, EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_copies_rpc_217() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_900);
        let rows = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Sun, 06 Nov 1994 08:49:37 GMT; length=3", true),
            ("Sun, 06 Nov 1994 08:49:36 GMT", false),
            ("Mon, 07 Nov 1994 08:49:36 GMT", true),
            ("yesterday", false),
            ("", false),
        ];
        for (time, known) in rows {
            assert_eq!(is_known(since, time), known, "{time}");
        }
    }
}
