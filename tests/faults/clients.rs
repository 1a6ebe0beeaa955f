//! Clients that are hostile, clumsy or dead: each costs little, and none keeps others waiting.

mod scene;

use std::io::{Read, Write};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::scene::{Client, Scene, clumsy, forget_peak, memory, rest, send, until_found};
use crate::rig::http::Arg::{Int, Text};
use crate::rig::http::{call_xml, post_request};
use crate::rig::wait::until_true;

/// Bytes that a client may make the daemon hold.
const LITTLE: u64 = 8 << 20;

/// 100 MB, none of which takes place on the disk.
const BIG: u64 = 100_000_000;

#[test]
fn a_thousand_clients_that_say_nothing_keep_nobody_waiting() {
    let scene = Scene::start();
    let brain = scene.brain();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("a thousand sockets");
    let idle: Vec<[Client; 2]> = (0..500).map(|_| scene.both()).collect();
    scene.serves();
    let open = std::fs::read_dir(format!("/proc/{brain}/fd")).expect("descriptors").count();
    assert!(open < 400, "{open} descriptors are open");
    scene.restarts();
    drop(idle);
    assert_eq!(scene.brain(), brain, "{}", scene.daemon.log());
}

/// Few descriptors, and clients of every kind that would take them all.
#[test]
fn descriptors_are_left_for_children() {
    let scene = Scene::start_after("ulimit -n 128", "[supervisord]\nminfds=128\n");
    let brain = scene.brain();
    let clients: Vec<Client> = (0..300).map(|i| clumsy(&scene, i)).collect();
    for _ in 0..3 {
        scene.serves();
        scene.restarts();
    }
    drop(clients);
    assert_eq!(scene.brain(), brain, "{}", scene.daemon.log());
}

/// Each client hears the status of the row; with `None` any end is right.
#[test]
fn garbage_is_refused_and_forgotten() {
    let scene = Scene::start();
    let brain = scene.brain();
    let long_header = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100 << 10));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    let long_body =
        format!("POST /RPC2 HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n{}", "x".repeat(1 << 20));
    let deep = format!("<methodCall>{}", "<a>".repeat(1 << 20));
    let rows: [(Vec<u8>, Option<&str>); 8] = [
        (long_header.into_bytes(), Some("431")),
        (many_headers.into_bytes(), Some("431")),
        (long_body.into_bytes(), Some("413")),
        (post_request(&deep).into_bytes(), Some("400")),
        (b"POST /RPC2 HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n".to_vec(), Some("400")),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no TLS here\r\n\r\n".to_vec(), Some("400")),
        ((0..=255).cycle().take(1 << 20).collect(), None),
        (b"\r\n".repeat(1 << 16), None),
    ];
    for (request, status) in &rows {
        for client in scene.both() {
            let mut client = send(client, request);
            client.finish();
            let answer = rest(&mut client);
            let heard = answer.split(' ').nth(1);
            assert!(status.is_none_or(|status| heard == Some(status)), "{status:?}, not {answer:?}");
        }
    }
    scene.serves();
    assert_eq!(scene.brain(), brain, "{}", scene.daemon.log());
}

/// Many requests at once, then the end of the client's sending: each is answered, in order, and that is the end.
#[test]
fn pipelined_requests_of_a_client_that_says_no_more_are_answered_in_order() {
    let scene = Scene::start();
    let names: Vec<String> = (0..200).map(|number| format!("p{number:03}")).collect();
    let requests: Vec<String> = names
        .iter()
        .map(|name| post_request(&call_xml("supervisor.getProcessInfo", &[Text(name)])))
        .collect();
    for client in scene.both() {
        let mut client = send(client, requests.concat().as_bytes());
        client.finish();
        let answers = rest(&mut client);
        let told: Vec<&str> = answers
            .split("BAD_NAME: ")
            .skip(1)
            .map(|text| text.split('<').next().unwrap_or_default())
            .collect();
        assert_eq!(told, names);
    }
}

/// A log grows by 100 MB while some who follow it read nothing: they cost next to nothing, and who reads gets it all.
#[test]
fn a_client_that_never_reads_a_long_tail_costs_nothing() {
    let scene = Scene::start();
    let brain = scene.brain();
    scene.daemon.home.write("big.log", "beginning\n");
    let follow = |client| {
        let mut client = send(client, b"GET /logtail/big HTTP/1.0\r\n\r\n");
        until_found(&mut client, b"beginning\n");
        client
    };
    let deaf: Vec<Client> = scene.both().into_iter().chain(scene.both()).map(follow).collect();
    let mut reader = follow(scene.unix());
    let before = memory(brain, "VmRSS:");
    forget_peak(brain);
    let log =
        std::fs::OpenOptions::new().write(true).open(scene.daemon.home.join("big.log")).expect("the log");
    log.set_len(BIG).expect("a file with a hole");
    let mut left = BIG - 10;
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let length = reader.read(&mut buffer).expect("more of the log");
        assert!(length > 0, "it ends with {left} bytes left");
        left -= length as u64;
    }
    scene.serves();
    let peak = memory(brain, "VmHWM:");
    assert!(peak < before + LITTLE, "{before} bytes became {peak}");
    drop(deaf);
}

/// A long log in one answer, to clients that do not read it: they hold up nobody, and what they cost comes back.
#[test]
fn whole_logs_hold_up_nobody() {
    let scene = Scene::start();
    let brain = scene.brain();
    scene.daemon.home.write("big.log", &"a line of a long log\n".repeat(2_000_000));
    let before = memory(brain, "VmRSS:");
    let request = |method, length| post_request(&call_xml(method, &[Text("big"), Int(0), Int(length)]));
    let read = request("supervisor.readProcessStdoutLog", 0);
    let tail = request("supervisor.tailProcessStdoutLog", i64::from(i32::MAX));
    let mut deaf = [send(scene.unix(), read.as_bytes()), send(scene.tcp(), tail.as_bytes())];
    scene.serves();
    // The answers have come, and nobody takes them.
    deaf.iter_mut().for_each(|client| until_found(client, b"<string>"));
    scene.serves();
    drop(deaf);
    until_true("the memory to come back", || memory(brain, "VmRSS:") < before + 2 * LITTLE);
}

/// A client that asks again and again and reads no answer: it is asked to wait, and what it has sent is not collected.
#[test]
fn a_client_that_only_asks_is_made_to_wait() {
    let scene = Scene::start();
    let brain = scene.brain();
    let before = memory(brain, "VmRSS:");
    forget_peak(brain);
    let requests = post_request(&call_xml("supervisor.getAllProcessInfo", &[])).repeat(1000);
    let mut deaf = scene.both();
    for client in &mut deaf {
        client.write_at_most(Duration::from_millis(200));
        // The first that does not get through is the end of it.
        let sent = (0..1000).take_while(|_| client.write_all(requests.as_bytes()).is_ok()).count();
        assert!(sent < 1000, "200 MB of questions went out, and no answer was read");
    }
    scene.serves();
    let peak = memory(brain, "VmHWM:");
    assert!(peak < before + LITTLE, "{before} bytes became {peak}");
}

/// The options count, and new values without a restart.
#[test]
fn limits_are_options() {
    let limits = "request_maxbytes=1KB\nmax_connections=2\n";
    let scene = Scene::start_after(":", limits);
    let brain = scene.brain();
    let body = post_request(&call_xml("supervisor.getProcessInfo", &[Text(&"x".repeat(2000))]));
    let answer =
        |client| rest(&mut send(client, body.replace("Host:", "Connection: close\r\nHost:").as_bytes()));
    assert_eq!(answer(scene.tcp()).split(' ').nth(1), Some("413"));
    assert_eq!(answer(scene.unix()).split(' ').nth(1), Some("200"), "the other server has its own");
    let mut first = scene.tcp();
    let more = [scene.tcp(), scene.tcp()];
    assert_eq!(rest(&mut first), "", "two may stay");
    drop(more);
    let config = scene.daemon.home.read("supervisord.conf").replace(limits, "idle_timeout=1\n");
    scene.daemon.home.write("supervisord.conf", &config);
    let said = scene.daemon.upkeep(&["reload", "--keep"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert_eq!(answer(scene.tcp()).split(' ').nth(1), Some("200"));
    assert_eq!(rest(&mut scene.tcp()), "", "it is closed when it says nothing for a second");
    assert_eq!(scene.brain(), brain, "{}", scene.daemon.log());
}
