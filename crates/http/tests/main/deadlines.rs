//! Slow clients, many clients, and the end of a server.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use upkeep_http::Limits;

use crate::client::{Connection, DEADLINE, call};
use crate::stub::{Setup, Up};

/// Long enough that a busy machine does not reach it by itself, short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);

fn with(limits: Limits) -> Up {
    Up::start(Setup { limits, tcp: true, ..Setup::default() })
}

#[test]
fn slow_headers_are_refused() {
    let up = with(Limits { header_timeout: SHORT, ..Limits::default() });
    let mut connection = up.address.connect();
    connection.send(b"POST /RPC2 HTTP/1.1\r\nContent-");
    let answer = connection.answer();
    assert_eq!(answer.head.lines().next(), Some("HTTP/1.1 408 Request Time-out"));
    assert!(answer.body.contains("Error code 408."), "{}", answer.body);
    assert!(connection.is_closed());
}

#[test]
fn slow_headers_are_refused_on_a_used_connection() {
    let up = with(Limits { header_timeout: SHORT, ..Limits::default() });
    let mut connection = up.address.connect();
    connection.send(&call("supervisor.getPID", &[]));
    assert_eq!(connection.answer().status(), "200");
    // Not a wait for anything: this is the client that takes its time.
    std::thread::sleep(2 * SHORT);
    connection.send(&call("supervisor.getPID", &[]));
    assert_eq!(connection.answer().status(), "200", "waiting between requests is no crime");
    connection.send(b"P");
    assert_eq!(connection.answer().status(), "408");
}

#[test]
fn slow_bodies_are_refused() {
    let up = with(Limits { body_timeout: SHORT, ..Limits::default() });
    let mut connection = up.address.connect();
    connection.send(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 10\r\n\r\n<a");
    assert_eq!(connection.answer().status(), "408");
    connection.socket.finish();
    assert!(connection.is_closed());
}

#[test]
fn idle_connections_are_closed_rpc_030() {
    let up = with(Limits { idle_timeout: SHORT, ..Limits::default() });
    let mut fresh = up.address.connect();
    let mut used = up.address.connect();
    used.send(&call("supervisor.getPID", &[]));
    assert_eq!(used.answer().status(), "200");
    assert!(used.is_closed());
    assert!(fresh.is_closed());
}

#[test]
fn a_client_that_takes_nothing_is_dropped() {
    let up = Up::start(Setup {
        limits: Limits { write_timeout: SHORT, connections: 4, ..Limits::default() },
        daemon: std::sync::Arc::new(|request| match request {
            upkeep_api::Request::ReadLog { .. } => Some(Ok(upkeep_api::Reply::Bytes(vec![b'x'; 4 << 20]))),
            other => Some(crate::stub::plain(other)),
        }),
        ..Setup::default()
    });
    let mut stuck: Vec<Connection> = (0..4).map(|_| up.address.connect()).collect();
    for connection in &mut stuck {
        connection.send(&call("supervisor.readLog", &["0", "0"]));
        // Its answer has begun, and it takes no more of it.
        assert!(connection.head_with_length() > 4 << 20);
    }
    for connection in &mut stuck {
        // It takes nothing meanwhile: whoever reads again before its time is up is a slow one, and gets everything.
        connection.socket.wait_until_dropped();
        let got = connection.rest().len();
        assert!(got < 4 << 20, "it was not dropped: {got} bytes");
    }
}

#[test]
fn a_client_that_takes_its_time_gets_everything() {
    let up = Up::start(Setup {
        limits: Limits { idle_timeout: 2 * SHORT, write_timeout: 2 * SHORT, ..Limits::default() },
        daemon: std::sync::Arc::new(|_| Some(Ok(upkeep_api::Reply::Bytes(vec![b'x'; 4 << 20])))),
        ..Setup::default()
    });
    let mut slow = up.address.connect();
    slow.send(&call("supervisor.readLog", &["0", "0"]));
    let length = slow.head_with_length();
    for _ in 0..6 {
        // Not a wait for anything: this is the client that takes its time, longer than either limit in all.
        std::thread::sleep(SHORT / 2);
        slow.take(100_000);
    }
    slow.take(length - 600_000);
    // It was not idle all that time: there is still a connection.
    slow.send(b"GET /nosuch HTTP/1.1\r\n\r\n");
    assert_eq!(slow.answer().status(), "404");
}

#[test]
fn a_crowd_of_idlers_makes_room() {
    let limits = Limits { connections: 8, crowded_idle_timeout: SHORT, ..Limits::default() };
    let up = with(limits);
    let mut first = up.address.connect();
    first.send(&call("supervisor.getPID", &[]));
    assert_eq!(first.answer().status(), "200");
    let idle: Vec<Connection> = (0..7).map(|_| up.address.connect()).collect();
    assert!(first.is_closed(), "it came before the crowd");
    assert_eq!(up.address.ask(&call("supervisor.getPID", &[])).status(), "200");
    drop(idle);
}

fn with_few_places(daemon: crate::stub::Daemon) -> Up {
    let limits = Limits { connections: 4, crowded_idle_timeout: DEADLINE, ..Limits::default() };
    Up::start(Setup { limits, daemon, ..Setup::default() })
}

fn ask_pid(up: &Up) {
    assert!(up.address.ask(&call("supervisor.getPID", &[])).body.contains("<int>7</int>"));
}

/// Whoever says nothing, or little, leaves when somebody else comes: the one first who has kept us waiting for longest.
#[test]
fn the_silent_leave_for_others() {
    let up = with_few_places(std::sync::Arc::new(|request| Some(crate::stub::plain(request))));
    let said: [&[u8]; 4] = [
        b"",
        b"POST /RPC2 HTTP/1.1\r\nContent-Length: 9\r\nX-Slow: ",
        b"POST /RPC2 HTTP/1.1\r\nContent-Length: 9\r\n\r\n<",
        b"",
    ];
    let mut silent: Vec<Connection> = Vec::new();
    for bytes in said {
        let mut connection = up.address.connect();
        connection.send(bytes);
        silent.push(connection);
        // Served in between, so each of the silent ones has been read by now; this one leaves by itself.
        ask_pid(&up);
    }
    let more: Vec<Connection> = (0..4).map(|_| up.address.connect()).collect();
    ask_pid(&up);
    for (connection, status) in silent.iter_mut().zip(["", "408", "408", ""]) {
        assert_eq!(connection.rest().split(' ').nth(1).unwrap_or_default(), status);
    }
    drop(more);
}

/// So do those who do not read; a call that is being carried out is never broken off for somebody else.
#[test]
fn the_deaf_leave_for_others_and_the_busy_stay() {
    let up = with_few_places(std::sync::Arc::new(|request| match request {
        upkeep_api::Request::StopProcess { .. } => None,
        upkeep_api::Request::ReadLog { .. } => Some(Ok(upkeep_api::Reply::Bytes(vec![b'x'; 4 << 20]))),
        other => Some(crate::stub::plain(other)),
    }));
    let mut busy: Vec<Connection> = (0..3).map(|_| up.address.connect()).collect();
    for connection in &mut busy {
        connection.send(&call("supervisor.stopProcess", &["x"]));
        up.held.recv_timeout(DEADLINE).expect("it is asked");
    }
    let mut deaf = up.address.connect();
    deaf.send(&call("supervisor.readLog", &["0", "0"]));
    deaf.head_with_length();
    for _ in 0..20 {
        ask_pid(&up);
    }
    deaf.socket.wait_until_dropped();
    assert!(deaf.rest().len() < 4 << 20, "it was not dropped");
    let mut last = up.address.connect();
    last.send(&call("supervisor.stopProcess", &["x"]));
    up.held.recv_timeout(DEADLINE).expect("it is asked");
    // All places are taken by those who wait for the daemon: one more is served all the same.
    for _ in 0..20 {
        ask_pid(&up);
    }
    up.stop();
    for connection in busy.iter_mut().chain([&mut last]) {
        assert!(connection.answer().body.contains("SHUTDOWN_STATE"));
    }
}

/// 1,000 clients that say nothing do not keep others waiting.
#[test]
fn a_thousand_idlers_keep_nobody_waiting() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("a thousand sockets");
    for tcp in [false, true] {
        let up = Up::start(Setup { tcp, ..Setup::default() });
        let idle: Vec<Connection> = (0..1000).map(|_| up.address.connect()).collect();
        // Far sooner than the deadlines of the idle would let it in.
        ask_pid(&up);
        drop(idle);
    }
}

#[test]
fn at_the_end_idle_clients_are_closed_and_answers_go_out() {
    let mut up = Up::start(Setup {
        daemon: std::sync::Arc::new(|request| match request {
            upkeep_api::Request::StopProcess { .. } => None,
            other => Some(crate::stub::plain(other)),
        }),
        ..Setup::default()
    });
    let mut idle = up.address.connect();
    idle.send(&call("supervisor.getPID", &[]));
    assert_eq!(idle.answer().status(), "200");
    let mut asking = up.address.connect();
    asking.send(&call("supervisor.stopProcess", &["x"]));
    up.held.recv_timeout(DEADLINE).expect("it is asked");
    up.stop();
    assert!(idle.is_closed());
    let answer = asking.answer();
    assert!(answer.body.contains("SHUTDOWN_STATE"), "{}", answer.body);
    assert!(asking.is_closed());
    up.join();
    assert!(up.address.try_connect().is_err());
}

#[test]
fn a_thousand_connections_leave_it_well() {
    let up = Up::plain();
    for _ in 0..1000 {
        drop(up.address.connect());
    }
    let mut kept: Vec<Connection> = (0..100).map(|_| up.address.connect()).collect();
    for connection in &mut kept {
        connection.send(&call("supervisor.getPID", &[]));
    }
    for connection in &mut kept {
        assert_eq!(connection.answer().status(), "200");
    }
}
