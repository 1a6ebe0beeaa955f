//! Streaming tails.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Instant;

use upkeep_api::{Channel, Fault, FaultCode, Reply, Request};
use upkeep_http::{Limits, LogNews};

use crate::client::{Connection, DEADLINE, call};
use crate::stub::{Setup, Up};

/// A server whose process `g:a` has a stdout log, in a folder of the test's own. A log called `main` is the daemon's too.
fn with_log(path: &Path, limits: Limits) -> Up {
    let path = path.to_owned();
    Up::start(Setup {
        limits,
        daemon: Arc::new(move |request| {
            Some(match request {
                Request::LogPath { process } => match process {
                    Some((name, Channel::Stdout)) if name == "g:a" => Ok(Reply::Path(path.clone())),
                    Some((name, _)) => Err(Fault::about(FaultCode::BadName, name.clone())),
                    None if path.ends_with("main") => Ok(Reply::Path(path.clone())),
                    None => Err(Fault::new(FaultCode::NoFile)),
                },
                other => crate::stub::plain(other),
            })
        }),
        ..Setup::default()
    })
}

/// No test waits so long.
fn never() -> Limits {
    Limits { tail_interval: DEADLINE * 100, ..Limits::default() }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("it takes it");
}

fn get(up: &Up, path: &str, version: &str) -> Connection {
    let mut connection = up.address.connect();
    connection.send(format!("GET {path} HTTP/{version}\r\n\r\n").as_bytes());
    connection
}

fn chunk(text: &str) -> String {
    format!("{:X}\r\n{text}\r\n", text.len())
}

/// The kernel tells of each change: nobody looks for it.
#[test]
fn a_log_is_followed_rpc_240_to_243() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, &("x".repeat(1000) + &"y".repeat(1024)));
    let up = with_log(&log, never());
    let mut tail = get(&up, "/logtail/g%3Aa", "1.1");
    let head = tail.until("\r\n\r\n");
    for header in
        ["X-Accel-Buffering: no", "Transfer-Encoding: chunked", "Content-Type: text/plain;charset=utf-8"]
    {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{head}");
    }
    assert_eq!(tail.until("y\r\n"), chunk(&"y".repeat(1024)));
    append(&log, "one\n");
    assert_eq!(tail.until("\n\r\n"), chunk("one\n"));
    fs::rename(&log, folder.path().join("log.1")).expect("it is there");
    append(&log, "two\n");
    assert_eq!(tail.until("\n\r\n"), chunk("two\n"));
    fs::write(&log, "").expect("it is there");
    assert_eq!(tail.until("\n\r\n"), chunk("==> File truncated <==\n"));
    append(&log, "three\n");
    assert_eq!(tail.until("\n\r\n"), chunk("three\n"));
    fs::remove_file(&log).expect("it is there");
    append(&log, "four\n");
    assert_eq!(tail.until("\n\r\n"), chunk("four\n"));
}

/// Where the kernel does not tell everything, the file is looked at.
#[test]
fn a_log_behind_a_link_is_looked_at_rpc_241() {
    let folder = tempfile::tempdir().expect("a folder");
    let [log, link] = ["log", "link"].map(|name| folder.path().join(name));
    append(&log, "one\n");
    std::os::unix::fs::symlink(&log, &link).expect("a link");
    let up = with_log(&link, Limits::default());
    let mut tail = get(&up, "/logtail/g:a", "1.0");
    tail.until("one\n");
    fs::remove_file(&link).expect("it is there");
    append(&link, "two\n");
    assert_eq!(tail.until("\n"), "two\n");
}

/// The log thread says what the kernel may not, and the daemon where a log is now; it is not asked before.
#[test]
fn a_log_is_looked_at_when_it_is_said_to_have_grown() {
    let folder = tempfile::tempdir().expect("a folder");
    let [log, link, other] = ["log", "link", "other"].map(|name| folder.path().join(name));
    append(&log, "one\n");
    std::os::unix::fs::symlink(&log, &link).expect("a link");
    let (news, (watch, watched)) = (LogNews::default(), channel());
    news.watch_with(move |path| drop(watch.send(path)));
    let (is_other, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let paths = (link.clone(), other.clone(), Arc::clone(&is_other), Arc::clone(&asked));
    let up = Up::start(Setup {
        daemon: Arc::new(move |_| {
            paths.3.fetch_add(1, Relaxed);
            let path = if paths.2.load(Relaxed) { &paths.1 } else { &paths.0 };
            Some(Ok(Reply::Path(path.clone())))
        }),
        limits: never(),
        news: news.clone(),
        ..Setup::default()
    });
    let mut tail = get(&up, "/logtail/g:a", "1.0");
    tail.until("one\n");
    assert_eq!(watched.recv_timeout(DEADLINE).as_ref(), Ok(&link));
    fs::remove_file(&link).expect("it is there");
    append(&link, "two\n");
    news.grew(&link);
    assert_eq!(tail.until("\n"), "two\n");
    assert_eq!(asked.load(Relaxed), 1, "nothing was said of other names");
    is_other.store(true, Relaxed);
    news.moved();
    while watched.recv_timeout(DEADLINE).expect("the new name is watched") != other {}
    append(&other, "three\n");
    assert_eq!(tail.until("\n"), "three\n");
    assert_eq!(asked.load(Relaxed), 2);
}

/// Nobody who has gone costs a descriptor.
#[test]
fn the_kernel_is_asked_only_while_somebody_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, "x");
    let up = with_log(&log, never());
    for _ in 0..2 {
        let mut tails = [get(&up, "/logtail/g:a", "1.0"), get(&up, "/logtail/g:a", "1.0")];
        tails.iter_mut().for_each(|tail| drop(tail.until("\r\n\r\nx")));
        append(&log, "\n");
        tails.iter_mut().for_each(|tail| drop(tail.until("\n")));
        drop(tails);
        fs::write(&log, "x").expect("it is there");
        let begun = Instant::now();
        while is_open(Path::new("anon_inode:inotify")) {
            assert!(begun.elapsed() < DEADLINE / 2, "it is still watched");
            std::thread::yield_now();
        }
    }
}

#[test]
fn the_main_log_is_followed_rpc_246() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("main");
    append(&log, "one\n");
    let up = with_log(&log, Limits::default());
    let mut tail = get(&up, "/mainlogtail", "1.1");
    let head = tail.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("X-Accel-Buffering"), "{head}");
    assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
    assert_eq!(tail.until("one\n\r\n"), chunk("one\n"));
    append(&log, "two\n");
    assert_eq!(tail.until("\n\r\n"), chunk("two\n"));
}

#[test]
fn what_cannot_be_followed_rpc_244_rpc_246() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = with_log(&folder.path().join("missing"), Limits::default());
    for path in [
        "/logtail/g:a",
        "/logtail/nope",
        "/logtail/g:a/stderr",
        "/logtail/g:a/x",
        "/logtail/g:*",
        "/mainlogtail",
    ] {
        assert_eq!(get(&up, path, "1.1").answer().status(), "404", "{path}");
    }
}

/// An old client has no chunks: it gets the bytes as they come, and the end of the connection as their end.
#[test]
fn old_clients_are_not_made_to_wait_rpc_247() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, "first\n");
    let up = with_log(&log, Limits::default());
    let mut tail = get(&up, "/logtail/g:a", "1.0");
    let head = tail.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && !head.contains("chunked"), "{head}");
    assert_eq!(tail.until("\n"), "first\n");
    append(&log, "second\n");
    assert_eq!(tail.until("\n"), "second\n");
    up.stop();
    assert!(tail.is_closed());
}

#[test]
fn it_ends_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, "x");
    let mut up = with_log(&log, Limits::default());
    let mut tail = get(&up, "/logtail/g:a", "1.1");
    tail.until("x\r\n");
    up.stop();
    assert_eq!(tail.rest(), "0\r\n\r\n");
    up.join();
}

/// A client that goes away while the log is quiet is noticed: its place is free again.
#[test]
fn it_ends_with_the_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, "x");
    let up = with_log(&log, Limits { connections: 1, ..Limits::default() });
    let mut tail = get(&up, "/logtail/g:a", "1.1");
    tail.until("x\r\n");
    drop(tail);
    let begun = Instant::now();
    assert_eq!(up.address.ask(&call("supervisor.getPID", &[])).status(), "200");
    while is_open(&log) {
        assert!(begun.elapsed() < DEADLINE / 2, "it is still followed");
        std::thread::yield_now();
    }
}

/// A client that says no more may still read: it gets what there is, and that is the end.
#[test]
fn a_client_that_says_no_more_gets_what_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, &"x".repeat(500));
    let up = with_log(&log, Limits::default());
    for version in ["1.0", "1.1"] {
        let mut tail = up.address.connect();
        tail.send(format!("GET /logtail/g:a HTTP/{version}\r\n\r\n").as_bytes());
        tail.socket.finish();
        let answer = tail.rest();
        assert!(answer.contains(&"x".repeat(500)), "{answer}");
    }
}

/// Whether this process holds the file open.
fn is_open(path: &Path) -> bool {
    let mut held = fs::read_dir("/proc/self/fd").expect("it is Linux").flatten();
    held.any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path))
}

/// Much more than fits into any buffer arrives whole and in order.
#[test]
fn a_fast_log_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    append(&log, "");
    let up = with_log(&log, Limits::default());
    let mut tail = get(&up, "/logtail/g:a", "1.0");
    tail.until("\r\n\r\n");
    let lines: Vec<String> = (0..100_000).map(|number| format!("line {number}\n")).collect();
    append(&log, &(lines.concat() + "end\n"));
    assert_eq!(tail.until("end\n"), lines.concat() + "end\n");
}
