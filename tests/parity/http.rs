//! The layer beneath the API: requests byte by byte, status, headers and pages.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::rig::daemon::Daemon;
use crate::rig::http::{self, Answer, call_xml, exchange};
use crate::rig::stage::{Stage, compare};

const CONFIG: &str = "\
[program:cat]
command=/bin/sh -c 'echo first; exec cat'
stderr_logfile=NONE
";

/// A whole request with a call as its body.
fn request(line: &str, headers: &str) -> String {
    let body = call_xml("supervisor.getState", &[]);
    format!(
        "{line}\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Status line, headers and body. The date differs from call to call; names of headers are the same in any case; that
/// the connection is closed may be said where the client asked for it, which the original never does (RPC-019).
fn shown(answer: &Answer) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some(("Date", _)) => Some("date".to_owned()),
        Some(("Connection", "close")) if answer.status == 200 => None,
        Some((name, value)) => Some(format!("{}: {value}", name.to_ascii_lowercase())),
        None => Some(line.to_owned()),
    };
    format!("{}\n{}", answer.head.lines().filter_map(line).collect::<Vec<_>>().join("\n"), answer.body)
}

fn note_exchange(stage: &mut Stage, title: &str, request: &str) {
    let answer = exchange(&stage.daemon.socket(), request).unwrap_or_else(|error| panic!("{title}: {error}"));
    stage.note(title, &shown(&answer));
}

/// RPC-002…005, RPC-016…018, RPC-028: paths, methods, lengths, versions.
#[test]
fn rpc_002_requests() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        let bare = "Host: localhost\r\n\r\n";
        let cases = [
            ("RPC-016", request("POST /RPC2 HTTP/1.1", "")),
            ("RPC-002: what follows is not looked at", request("POST /RPC2/and/more HTTP/1.1", "")),
            ("RPC-002: case", request("POST /rpc2 HTTP/1.1", "")),
            ("RPC-003", format!("GET /RPC2 HTTP/1.1\r\n{bare}")),
            ("RPC-004: no length", format!("POST /RPC2 HTTP/1.1\r\n{bare}")),
            (
                "RPC-004: names in any case",
                request("POST /RPC2 HTTP/1.1", "").replace("Content-Length", "content-LENGTH"),
            ),
            ("RPC-005", format!("POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{bare}")),
            ("RPC-018", request("POST /RPC2 HTTP/1.0", "")),
            ("RPC-017", request("POST /RPC2 HTTP/1.1", "Connection: close\r\n")),
            ("RPC-244: unknown process", format!("GET /logtail/nobody HTTP/1.1\r\n{bare}")),
            ("RPC-244: unknown channel", format!("GET /logtail/cat/stdnull HTTP/1.1\r\n{bare}")),
            ("RPC-244: no log", format!("GET /logtail/cat/stderr HTTP/1.1\r\n{bare}")),
            ("RPC-245", request("POST /logtail/cat HTTP/1.1", "")),
        ];
        for (title, request) in &cases {
            note_exchange(stage, title, request);
        }
    });
}

/// RPC-031…035, CFG-113…115: basic authentication.
#[test]
fn rpc_031_authentication() {
    // "user:pass", "user:wrong", "nobody:pass"; the second password is the SHA-1 of "pass".
    let (right, wrong, nobody) = ("dXNlcjpwYXNz", "dXNlcjp3cm9uZw==", "bm9ib2R5OnBhc3M=");
    for password in ["pass", "{SHA}9d4e1e23bd5b727046a9e3b4b7db57bd8d6ee684"] {
        let config = format!("{CONFIG}[unix_http_server]\nusername=user\npassword={password}\n");
        compare(&config, |stage| {
            let cases = [
                ("RPC-032: none", String::new()),
                ("RPC-032: wrong password", format!("Authorization: Basic {wrong}\r\n")),
                ("RPC-032: wrong user", format!("Authorization: Basic {nobody}\r\n")),
                ("RPC-032: another scheme", format!("Authorization: Bearer {right}\r\n")),
                ("RPC-035", format!("Authorization: Basic {right}\r\n")),
                ("RPC-033", format!("AUTHORIZATION: bASIC {right}\r\n")),
            ];
            for (title, header) in &cases {
                note_exchange(stage, title, &request("POST /RPC2 HTTP/1.1", header));
            }
        });
    }
}

/// RPC-240, RPC-241: what a log holds, then what is appended, for as long as somebody listens.
#[test]
fn rpc_240_streaming_tail() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        let mut stream = UnixStream::connect(stage.daemon.socket()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        stream.write_all(b"GET /logtail/cat HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
        let head = read_until(&mut stream, "\r\n\r\n");
        let names = head.lines().filter_map(|line| line.split_once(':').map(|(name, _)| name));
        // Ours adds one that keeps browsers from guessing.
        let mut names: Vec<&str> =
            names.filter(|name| !name.eq_ignore_ascii_case("x-content-type-options")).collect();
        names.sort_unstable();
        stage.note("headers", &names.join("\n"));
        for name in ["content-type", "transfer-encoding", "x-accel-buffering"] {
            stage.note(name, &http::header(&head, name).unwrap_or_default());
        }
        read_until(&mut stream, "first\n");
        feed(&stage.daemon, "second\n");
        read_until(&mut stream, "second\n");
    });
}

fn feed(daemon: &Daemon, text: &str) {
    daemon.call("supervisor.sendProcessStdin", &[http::Arg::Text("cat"), http::Arg::Text(text)]);
}

/// Reads byte by byte until the input ends with `end`.
fn read_until(stream: &mut UnixStream, end: &str) -> String {
    let mut input = Vec::new();
    while !input.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} before {end:?}: {input:?}"));
        input.push(byte[0]);
    }
    String::from_utf8_lossy(&input).into_owned()
}
