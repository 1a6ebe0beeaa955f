//! The client against servers that answer, and servers that do not.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use upkeep_api::FaultCode;
use upkeep_api::xmlrpc::{Value, encode_fault, encode_response};
use upkeep_client::{Client, ClientError, Log};

/// A server that takes one request, answers with `answer` and hangs up; gives the request.
struct Server {
    url: String,
    request: JoinHandle<String>,
    _dir: tempfile::TempDir,
}

fn server(answer: &[u8]) -> Server {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).expect("bind");
    let answer = answer.to_vec();
    let request = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        let request = read_request(&mut stream);
        stream.write_all(&answer).expect("answer");
        request
    });
    Server { url: format!("unix://{}", path.display()), request, _dir: dir }
}

/// Head and, by its length, body.
fn read_request(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("head");
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).expect("utf-8");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("length"))];
    stream.read_exact(&mut body).expect("body");
    head + &String::from_utf8(body).expect("utf-8")
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(7) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

fn until_close(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.0 200 OK\n\n".as_slice(), body].concat()
}

fn client(server: &Server) -> Client {
    Client::connect(&server.url, None, None).expect("url")
}

#[test]
fn a_body_by_length_in_chunks_or_until_the_end() {
    let body = encode_response(&Value::from("4.3.0 – é"));
    for frame in [with_length, in_chunks, until_close] {
        let server = server(&frame(&body));
        assert_eq!(client(&server).supervisor_version().expect("answer"), "4.3.0 – é");
    }
}

#[test]
fn the_request_ctl_012() {
    let server = server(&with_length(&encode_response(&Value::Bool(true))));
    let client = Client::connect(&server.url, Some("u"), Some("p:w")).expect("url");
    client.signal_process("g:p", "HUP").expect("answer");
    let request = server.request.join().expect("request");
    for part in [
        "POST /RPC2 HTTP/1.1\r\n",
        "Host: localhost\r\n",
        "Authorization: Basic dTpwOnc=\r\n",
        "<methodName>supervisor.signalProcess</methodName>",
        "<string>g:p</string>",
        "<string>HUP</string>",
    ] {
        assert!(request.contains(part), "{part:?} in {request:?}");
    }
    assert!(!format!("{client:?}").contains("dTpw"), "credentials stay out of logs");
}

#[test]
fn no_login_without_both_parts_ctl_012() {
    for login in [(Some("u"), None), (None, Some("p"))] {
        let server = server(&with_length(&encode_response(&Value::Int(1))));
        let client = Client::connect(&server.url, login.0, login.1).expect("url");
        assert_eq!(client.pid().expect("answer"), 1);
        assert!(!server.request.join().expect("request").contains("Authorization"));
    }
}

#[test]
fn errors_are_kept_apart() {
    type Is = fn(&ClientError) -> bool;
    let fault = with_length(&encode_fault(10, "BAD_NAME: x"));
    let rows: [(&[u8], Is); 9] = [
        (b"", |error| matches!(error, ClientError::HungUp)),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", |error| matches!(error, ClientError::Unauthorized { .. })),
        (
            b"HTTP/1.1 500 Oops it is\r\n\r\n",
            |error| matches!(error, ClientError::Status { code: 500, reason } if reason == "Oops it is"),
        ),
        (b"SSH-2.0-x\r\n", |error| matches!(error, ClientError::NotHttp(line) if line == "SSH-2.0-x")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", |error| matches!(error, ClientError::HungUp)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", |error| matches!(error, ClientError::Malformed(_))),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", |error| {
            matches!(error, ClientError::Malformed(_))
        }),
        (b"HTTP/1.1 200 OK\r\n\r\n<no/>", |error| matches!(error, ClientError::Malformed(_))),
        (&fault, |error| error.is_fault(FaultCode::BadName) && error.to_string() == "BAD_NAME: x"),
    ];
    for (answer, is) in rows {
        let server = server(answer);
        let error = client(&server).pid().expect_err("no value");
        assert!(is(&error), "{:?} gave {error:?}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn where_nobody_listens_ctl_021_ctl_022() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("s");
    let url = format!("unix://{}", path.display());
    let client = Client::connect(&url, None, None).expect("url");
    assert!(matches!(client.pid(), Err(ClientError::Missing(_))));
    drop(UnixListener::bind(&path).expect("bind"));
    assert!(matches!(client.pid(), Err(ClientError::Refused(_))));
}

#[test]
fn a_log_is_followed_until_the_server_ends_it() {
    for (frame, ends) in [(in_chunks as fn(&[u8]) -> Vec<u8>, 5), (until_close, 0)] {
        let mut answer = frame(b"one\ntwo\nthree\n");
        // A server that goes away in the middle does not send the last chunk.
        answer.truncate(answer.len() - ends);
        let server = server(&answer);
        let mut follow = client(&server).follow(&Log::Main).expect("stream");
        let mut text = Vec::new();
        loop {
            let piece = follow.piece().expect("piece");
            if piece.is_empty() {
                break;
            }
            text.extend(piece);
        }
        assert_eq!(text, b"one\ntwo\nthree\n");
        assert!(server.request.join().expect("request").starts_with("GET /mainlogtail HTTP/1.1\r\n"));
    }
}

#[test]
fn a_readable_descriptor_ends_a_call() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("s");
    let _silent = UnixListener::bind(&path).expect("bind");
    let (mut ours, theirs) = UnixStream::pair().expect("pair");
    let client = Client::connect(&format!("unix://{}", path.display()), None, None)
        .expect("url")
        .breaking_on(Arc::new(theirs));
    let call = thread::spawn(move || client.start_process("p"));
    ours.write_all(b"!").expect("write");
    assert!(matches!(call.join().expect("join"), Err(ClientError::Interrupted)));
}
