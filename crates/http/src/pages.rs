//! The web pages, and what their buttons do: what `upkeep_webui` makes of a request (RPC-200 … RPC-216).

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, EXPIRES,
    HOST, HeaderMap, HeaderName, ORIGIN, PRAGMA, REFERER, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use upkeep_api::verbs;
use upkeep_webui::{Action, Form, Language, Outcome, Sender, Status, Tail, WrongAction};

use crate::answer;
use crate::body::Body;
use crate::connection::Connection;
use crate::files;
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
        (_, &Method::GET | &Method::HEAD) => files::answer(connection, request.headers(), path),
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
pub(crate) fn server(connection: &Connection, headers: &HeaderMap) -> String {
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
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
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
