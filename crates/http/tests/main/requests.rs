//! Requests that the original answers badly or not at all (D-12), and connections.

use upkeep_api::verbs::ProcessDocument;
use upkeep_api::{ProcessInfo, ProcessList, ProcessState, Reply, Request};
use upkeep_http::{Auth, Limits};

use crate::client::{Connection, call, post};
use crate::stub::{Setup, Up};

fn status_of(up: &Up, request: &str) -> String {
    up.address.ask(request.as_bytes()).status().to_owned()
}

/// RPC-004, RPC-006, RPC-007, RPC-029, D-12.
#[test]
fn bad_requests_get_a_clear_answer_rpc_004_006_007_029() {
    let up = Up::plain();
    let rows = [
        ("POST /RPC2 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "400"),
        ("POST /RPC2 HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400"),
        ("POST /RPC2 HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
        ("POST /RPC2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("POST /RPC2 HTTP/1.1\r\ncontent-length:4\r\n\r\n<a/>", "400"),
        ("garbage\r\n\r\n", "400"),
        ("GET /\r\n\r\n", "400"),
        ("GET / HTTP/9.9\r\n\r\n", "400"),
        ("GET / HTTP/2.0\r\n\r\n", "400"),
        ("GET /%ff HTTP/1.1\r\n\r\n", "400"),
        ("GET /logtail HTTP/1.1\r\n\r\n", "404"),
        ("POST /logtail HTTP/1.1\r\n\r\n", "400"),
    ];
    for (request, status) in rows {
        assert_eq!(status_of(&up, request), status, "{request}");
    }
    assert_eq!(up.address.ask(&post(b"<a>\xff</a>", "")).status(), "400");
}

#[test]
fn bad_arguments_are_faults_rpc_015_147() {
    let up = Up::plain();
    for params in [
        "<param><value><int>5</int></value></param>",
        "<param><value><nil/></value></param>",
        "<param><value><array><data/></array></value></param>",
    ] {
        let method = "<methodName>supervisor.getProcessInfo</methodName>";
        let body = format!("<methodCall>{method}<params>{params}</params></methodCall>");
        let answer = up.address.ask(&post(body.as_bytes(), ""));
        assert_eq!(answer.status(), "200", "{params}");
        assert!(answer.body.contains("<string>INCORRECT_PARAMETERS</string>"), "{}", answer.body);
    }
}

#[test]
fn bad_credentials_rpc_034() {
    let auth = Some(Auth::new("u".into(), "p".into()));
    let up = Up::start(Setup { auth, ..Setup::default() });
    for credentials in ["!!!", "dXA="] {
        let request = format!("GET / HTTP/1.1\r\nAuthorization: Basic {credentials}\r\n\r\n");
        assert_eq!(status_of(&up, &request), "400", "{credentials}");
    }
}

/// RPC-027: the original says nothing before the body is there. Whoever asks for a word first gets it, and then the answer.
#[test]
fn a_client_that_waits_to_be_told_to_go_on_is_told() {
    let up = Up::plain();
    let request = post(b"<methodName>supervisor.getPID</methodName>", "Expect: 100-continue\r\n");
    let (head, body) = request.split_at(request.len() - b"<methodName>supervisor.getPID</methodName>".len());
    let mut connection = up.address.connect();
    connection.send(head);
    assert_eq!(connection.answer().status(), "100");
    connection.send(body);
    assert!(connection.answer().body.contains("<int>7</int>"));
}

/// A refused client hears why even if it sends its whole body first, and the connection ends.
#[test]
fn refused_bodies_are_answered_rpc_032() {
    let auth = Some(Auth::new("u".into(), "p".into()));
    let up = Up::start(Setup { auth, tcp: true, ..Setup::default() });
    let mut connection = up.address.connect();
    connection.send(&post(&vec![b'x'; 1 << 20], ""));
    let answer = connection.answer();
    assert_eq!((answer.status(), answer.header("connection")), ("401", Some("close")));
    connection.socket.finish();
    assert!(connection.is_closed());
}

#[test]
fn limits_of_size() {
    let limits = Limits { body_bytes: 1000, header_bytes: 2000, ..Limits::default() };
    let up = Up::start(Setup { limits, tcp: true, ..Setup::default() });
    let mut connection = up.address.connect();
    connection.send(&post(&[b'x'; 100_000], ""));
    let answer = connection.answer();
    assert_eq!(answer.head.lines().next(), Some("HTTP/1.1 413 Request Entity Too Large"));
    assert!(answer.body.contains("Message: Request Entity Too Large."), "{}", answer.body);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(4_000_000));
    assert_eq!(status_of(&up, &long), "431");
    assert_eq!(up.address.ask(&call("supervisor.getPID", &[])).status(), "200");
}

/// RPC-017…021: an answer is in the version of its request; a version that does not exist is refused (D-12).
#[test]
fn connections_stay_or_go_rpc_017_to_020() {
    let up = Up::plain();
    let request = |version: &str, headers: &str| {
        let request = String::from_utf8(post(b"<methodName>supervisor.getPID</methodName>", headers));
        request.expect("text").replace("HTTP/1.1", version).into_bytes()
    };
    let rows = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: keep-alive\r\n", true),
    ];
    for (version, headers, stays) in rows {
        let mut connection = up.address.connect();
        connection.send(&request(version, headers));
        let answer = connection.answer();
        assert!(answer.head.starts_with(&format!("{version} 200 OK\r\n")), "{}", answer.head);
        if stays {
            connection.send(&request(version, headers));
            assert_eq!(connection.answer().status(), "200", "{version} {headers}");
        } else {
            assert!(connection.is_closed(), "{version} {headers}");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_rpc_020() {
    let up = Up::plain();
    let mut connection = up.address.connect();
    let requests = [
        call("supervisor.getPID", &[]),
        b"GET /nosuch HTTP/1.1\r\n\r\n".to_vec(),
        call("supervisor.getState", &[]),
        post(b"<a>", ""),
    ];
    connection.send(&requests.concat());
    assert!(connection.answer().body.contains("<int>7</int>"));
    assert_eq!(connection.answer().status(), "404");
    assert!(connection.answer().body.contains("RUNNING"));
    assert_eq!(connection.answer().status(), "400");
}

#[test]
fn a_client_that_says_no_more_is_answered() {
    let up = Up::plain();
    let mut connection = up.address.connect();
    connection.send(&call("supervisor.getPID", &[]));
    connection.socket.finish();
    assert_eq!(connection.answer().status(), "200");
    assert!(connection.is_closed());
}

#[test]
fn others_are_served_while_one_waits_rpc_102() {
    let up = Up::start(Setup {
        daemon: std::sync::Arc::new(|request| match request {
            upkeep_api::Request::StartProcess { .. } => None,
            other => Some(crate::stub::plain(other)),
        }),
        ..Setup::default()
    });
    let mut waiting: Vec<Connection> = (0..40).map(|_| up.address.connect()).collect();
    for connection in &mut waiting {
        connection.send(&call("supervisor.startProcess", &["x"]));
    }
    for _ in &waiting {
        up.held.recv_timeout(crate::client::DEADLINE).expect("it is asked");
    }
    assert_eq!(up.address.ask(&call("supervisor.getPID", &[])).status(), "200");
}

#[test]
fn control_characters_stay_readable_d_03() {
    let up = Up::start(Setup {
        daemon: std::sync::Arc::new(|_| Some(Ok(upkeep_api::Reply::Bytes(b"\x1b[1mred\xff\x00".to_vec())))),
        ..Setup::default()
    });
    let answer = up.address.ask(&call("supervisor.readLog", &["0", "0"]));
    assert!(answer.body.contains("<string>\u{fffd}[1mred\u{fffd}\u{fffd}</string>"), "{}", answer.body);
}

/// Whoever asked for several things and went away gets them all done.
#[test]
fn calls_go_on_without_their_client_rpc_121() {
    let (gone, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let up = Up::start(Setup {
        daemon: std::sync::Arc::new(move |request| match request {
            upkeep_api::Request::GetPid => {
                wait.lock().expect("it is whole").recv().expect("the test goes on");
                Some(Ok(upkeep_api::Reply::Int(7)))
            }
            _ => None,
        }),
        ..Setup::default()
    });
    let calls = ["supervisor.getPID", "supervisor.getState"]
        .map(|name| upkeep_api::xmlrpc::Value::record([("methodName", name.into())]));
    let body = upkeep_api::xmlrpc::encode_call("system.multicall", &[calls.to_vec().into()]);
    let mut connection = up.address.connect();
    connection.send(&post(&body, ""));
    drop(connection);
    gone.send(()).expect("it waits");
    assert_eq!(up.held.recv_timeout(crate::client::DEADLINE), Ok(upkeep_api::Request::GetState));
}

/// The daemon has gone, the server not yet.
#[test]
fn without_a_daemon_rpc_013() {
    let up = Up::start(Setup {
        daemon: std::sync::Arc::new(|_| {
            Some(Err(upkeep_api::Fault::new(upkeep_api::FaultCode::ShutdownState)))
        }),
        ..Setup::default()
    });
    let answer = up.address.ask(&call("supervisor.getState", &[]));
    assert!(answer.body.contains("SHUTDOWN_STATE"), "{}", answer.body);
    assert!(up.address.ask(&call("system.listMethods", &[])).body.contains("supervisor.getState"));
    assert_eq!(status_of(&up, "GET /mainlogtail HTTP/1.1\r\n\r\n"), "503");
}

/// Whatever comes, the connection ends in time and the next client is served.
#[test]
fn no_bytes_hurt() {
    use proptest::test_runner::{Config, TestRunner};
    let up = Up::plain();
    let mut runner = TestRunner::new(Config::with_cases(200));
    let sent = runner.run(&proptest::collection::vec(piece(), 0..12), |parts| {
        let mut connection = up.address.connect();
        connection.send(&parts.concat());
        connection.socket.finish();
        connection.rest();
        let answer = up.address.ask(&call("supervisor.getPID", &[]));
        proptest::prop_assert_eq!(answer.status(), "200");
        Ok(())
    });
    assert_eq!(sent, Ok(()));
}

fn piece() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let known = prop_oneof![
        Just("GET / HTTP/1.1"),
        Just("POST /RPC2 HTTP/1.1"),
        Just("POST /RPC2 HTTP/1.0"),
        Just("GET /logtail/"),
        Just("\r\n"),
        Just("\r\n\r\n"),
        Just("\n"),
        Just("Content-Length: 5\r\n"),
        Just("Content-Length: 99999999999999999999\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("Connection: upgrade, close\r\nUpgrade: h2c\r\n"),
        Just("Expect: 100-continue\r\n"),
        Just("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Just("CONNECT x:1 HTTP/1.1\r\n\r\n"),
        Just("<a/>x"),
    ];
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

/// Processes whose document is longer than any socket holds.
fn many_processes() -> ProcessList {
    let info = |number: usize| ProcessInfo {
        name: format!("p{number}"),
        group: "g".to_owned(),
        start: 1,
        stop: 0,
        now: 2,
        state: ProcessState::Running,
        spawnerr: String::new(),
        exitstatus: 0,
        stdout_logfile: "/a&b.log".to_owned(),
        stderr_logfile: String::new(),
        pid: 7,
        description: "pid 7, uptime 0:00:01".to_owned(),
    };
    (0..1_000).map(info).collect()
}

#[test]
fn all_processes_are_told_in_pieces_and_others_meanwhile() {
    let daemon: crate::stub::Daemon = std::sync::Arc::new(|request| match request {
        Request::GetAllProcessInfo => Some(Ok(Reply::Processes(many_processes().into()))),
        other => Some(crate::stub::plain(other)),
    });
    let whole: Vec<u8> = ProcessDocument::new(many_processes()).flatten().collect();
    for tcp in [false, true] {
        let up = Up::start(Setup { daemon: daemon.clone(), tcp, ..Setup::default() });
        let mut slow = up.address.connect();
        for _ in 0..2 {
            slow.send(&call("supervisor.getAllProcessInfo", &[]));
            assert!(up.address.ask(&call("supervisor.getState", &[])).body.contains("RUNNING"));
            assert!(slow.answer().body.as_bytes() == whole, "the answer differs");
        }
    }
}
