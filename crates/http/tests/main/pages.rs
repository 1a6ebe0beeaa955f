//! The web pages where the daemon is slow, ends, or is asked in an unusual way.

use std::sync::Arc;

use upkeep_api::{Fault, FaultCode, Reply, Request, SharedList};

use crate::client::{Address, Answer};
use crate::stub::{Setup, Up, plain};

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n").into_bytes()
}

/// A daemon without processes; a stop is never answered.
fn quiet(request: &Request) -> Option<Result<Reply, Fault>> {
    match request {
        Request::GetIdentification => Some(Ok(Reply::Text("here".to_owned()))),
        Request::GetAllProcessInfo => Some(Ok(Reply::Processes(SharedList::default()))),
        Request::StopAllProcesses { .. } => None,
        _ => Some(plain(request)),
    }
}

fn with_quiet() -> Up {
    Up::start(Setup { daemon: Arc::new(quiet), tcp: true, ..Setup::default() })
}

fn page(answer: &Answer) -> (&str, &str) {
    (answer.status(), answer.header("Content-Type").unwrap_or_default())
}

/// An action that takes its time holds up nobody else.
#[test]
fn a_slow_action_holds_up_nobody_rpc_207() {
    let up = with_quiet();
    let mut slow = up.address.connect();
    slow.send(&get("/?action=restartall", ""));
    let asked = up.held.recv_timeout(crate::client::DEADLINE).expect("it is asked");
    assert_eq!(asked, Request::StopAllProcesses { wait: true });
    assert_eq!(page(&up.address.ask(&get("/", ""))), ("200", "text/html;charset=utf-8"));
    assert_eq!(page(&up.address.ask(&get("/status.json", ""))), ("200", "application/json"));
}

#[test]
fn an_ending_daemon_says_so() {
    let ending = |_: &Request| Some(Err(Fault::new(FaultCode::ShutdownState)));
    let up = Up::start(Setup { daemon: Arc::new(ending), ..Setup::default() });
    let answer = up.address.ask(&get("/", "Accept-Language: zh\r\n"));
    assert_eq!(page(&answer), ("503", "text/html;charset=utf-8"));
    assert!(answer.body.contains("正在关闭或重启"), "{}", answer.body);
    assert_eq!(up.address.ask(&get("/status.json", "")).status(), "503");
    let answer = up.address.ask(&get("/?action=stop&processname=a", ""));
    let location = answer.header("Location").expect("a place");
    assert_eq!(location, "http://h/?message=unexpected%20rpc%20fault%20%5B6%5D%20SHUTDOWN_STATE");
}

/// RPC-208: a client that does not say what it calls the server is told an address.
#[test]
fn redirects_without_a_host_rpc_208() {
    let up = with_quiet();
    let Address::Tcp(address) = &up.address else { panic!("it has a port") };
    let answer = up.address.ask(b"GET /?action=refresh HTTP/1.0\r\n\r\n");
    let location = answer.header("Location").expect("a place");
    assert!(location.starts_with(&format!("http://{address}/?message=Page%20refreshed")), "{location}");
}

/// The page's own script gets the message without a redirect.
#[test]
fn the_script_is_answered_with_a_document() {
    let up = with_quiet();
    let headers = "Accept: application/json\r\nAccept-Language: zh-CN\r\nSec-Fetch-Site: same-origin\r\n";
    let answer = up.address.ask(&get("/index.html?action=start&processname=a", headers));
    assert_eq!(page(&answer), ("200", "application/json"));
    assert_eq!(answer.body, r#"{"good":false,"message":"没有名为 a 的进程"}"#);
}

#[test]
fn forms_have_limits_rpc_206() {
    let up = with_quiet();
    let post =
        |length: &str| format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    assert_eq!(up.address.ask(&post("0")).status(), "200");
    assert_eq!(up.address.ask(&post("65537")).status(), "413");
    assert_eq!(up.address.ask(&post("x")).status(), "400");
}
