//! The Laravel example: 19 workers on 7 queues, PHP and Redis as they are.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::redis::{Connection, Server};
use crate::rig::stage::differences;
use crate::rig::wait::{until_true, within};

/// Workers by program, as `group:program` where they belong to a group of another name.
const WORKERS: &[(&str, &str, usize)] = &[
    ("laravel-worker", "default", 5),
    ("laravel-gift-card-worker", "gift-card", 4),
    ("laravel-order-worker", "order", 3),
    ("laravel-stock-worker", "stock", 2),
    ("notify:laravel-mail-worker", "mail", 2),
    ("notify:laravel-sms-worker", "sms", 2),
];

const SINGLE: [&str; 3] = ["laravel-export-worker", "scheduler", "websocket"];

const JOBS: usize = 2000;

fn start(maker: Maker, redis: &Server) -> Daemon {
    let home = Home::new();
    home.copy_in(&repository("examples/laravel"));
    let websocket = format!("unix://{}", home.join("websocket.sock").display());
    let socket = redis.socket().display().to_string();
    let environment = [("REDIS_SOCKET", socket.as_str()), ("WEBSOCKET_LISTEN", websocket.as_str())];
    Daemon::start_with(
        home,
        maker,
        "laravel/supervisord.conf",
        "laravel/storage/supervisor.sock",
        &environment,
    )
}

/// The full names of the 19 workers.
fn workers() -> Vec<String> {
    let mut names = vec![SINGLE[0].to_owned()];
    for (program, _, count) in WORKERS {
        let (group, program) = program.split_once(':').unwrap_or((program, program));
        names.extend((0..*count).map(|n| format!("{group}:{program}_{n:02}")));
    }
    assert_eq!(names.len(), 19);
    names
}

fn wait_for_all(daemon: &Daemon) {
    let names = workers();
    let all: Vec<&str> = names.iter().map(String::as_str).chain(SINGLE).collect();
    daemon.wait("RUNNING", &all);
}

/// The same file in the original and in ours: the same 21 processes with the same options.
#[test]
fn the_example_loads_in_the_original_too() {
    let redis = Server::start();
    let described = |maker: Maker| {
        let daemon = start(maker, &redis);
        wait_for_all(&daemon);
        let xml = daemon.call("supervisor.getAllConfigInfo", &[]);
        let parts = xml.split("<member>\n").filter(|part| !part.starts_with("<name>autorestart</name>"));
        crate::rig::plain::plain(&parts.collect::<Vec<_>>().join("<member>\n"), daemon.home.path())
    };
    let (reference, ours) = (described(Maker::Reference), described(Maker::Upkeep));
    assert!(reference == ours, "{}", differences(&reference, &ours));
}

/// Each job is done once and only once while everything is restarted twice, one worker a second gets SIGTERM, and the
/// daemon is killed.
#[test]
fn every_job_is_done_once() {
    let redis = Server::start();
    let daemon = start(Maker::Upkeep, &redis);
    wait_for_all(&daemon);
    let mut queue = redis.connect();
    fill(&mut queue);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // However this ends: the other thread must end too.
        let over = Over(&over);
        scope.spawn(|| nudge_one_worker_a_second(&daemon, over.0));
        for _ in 0..2 {
            let before = queue.int(&["LLEN", "done"]);
            let said = daemon.ctl(&["restart", "all"]);
            assert_eq!(said.stdout.matches(": stopped\n").count(), 21, "{said:?}");
            until_true("more jobs", || queue.int(&["LLEN", "done"]) > before + 100);
            daemon.kill_brain();
        }
        let done = within(Duration::from_secs(60), || (queue.int(&["LLEN", "done"]) >= 2000).then_some(()));
        let status = daemon.ctl(&["status"]).stdout;
        assert!(done.is_some(), "only {} jobs are done\n{status}", queue.int(&["LLEN", "done"]));
    });
    wait_for_all(&daemon);
    let mut ids: Vec<usize> =
        queue.texts(&["LRANGE", "done", "0", "-1"]).iter().map(|id| id.parse().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..JOBS).collect::<Vec<_>>());
    for (_, name, _) in WORKERS {
        let reserved = format!("queues:{name}:reserved");
        until_true("no job in hand", || queue.int(&["ZCARD", &reserved]) == 0);
        assert_eq!(queue.int(&["LLEN", &format!("queues:{name}:failed")]), 0);
    }
}

/// Says that the scene is over when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Spreads the jobs over the queues in proportion to their workers.
fn fill(queue: &mut Connection) {
    let seats: Vec<&str> =
        WORKERS.iter().flat_map(|(_, name, count)| std::iter::repeat_n(*name, *count)).collect();
    for id in 0..JOBS {
        let job = format!(r#"{{"job":"record","data":{{"id":{id},"milliseconds":60}}}}"#);
        queue.ask(&["RPUSH", &format!("queues:{}", seats[id % seats.len()]), &job]);
    }
}

fn nudge_one_worker_a_second(daemon: &Daemon, over: &AtomicBool) {
    let names = workers();
    for name in names.iter().cycle().step_by(5) {
        if within(Duration::from_secs(1), || over.load(Ordering::Relaxed).then_some(())).is_some() {
            return;
        }
        daemon.try_call("supervisor.signalProcess", &[Text(name), Text("TERM")]);
    }
}

/// What people type every day: one queue restarted by its name, a worker's health, a job that never succeeds.
#[test]
fn a_day_in_the_shop() {
    let redis = Server::start();
    let daemon = start(Maker::Upkeep, &redis);
    wait_for_all(&daemon);
    let mut queue = redis.connect();

    let said = daemon.ctl(&["restart", "laravel-gift-card-worker"]);
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    said.stdout.lines().for_each(|line| *lines.entry(line.to_owned()).or_default() += 1);
    for n in 0..4 {
        let name = format!("laravel-gift-card-worker:laravel-gift-card-worker_{n:02}");
        assert_eq!(lines.get(&format!("{name}: stopped")), Some(&1), "{said:?}");
        assert_eq!(lines.get(&format!("{name}: started")), Some(&1), "{said:?}");
    }
    assert_eq!((lines.len(), said.status), (8, Some(0)));

    queue.ask(&["RPUSH", "queues:order", r#"{"id":"a","job":"stubborn","data":{"id":"a","attempts":3}}"#]);
    queue.ask(&["RPUSH", "queues:order", r#"{"id":"b","job":"stubborn","data":{"id":"b","attempts":4}}"#]);
    until_true("the job that succeeds at last", || queue.int(&["LLEN", "done"]) == 1);
    until_true("the job that is given up", || queue.int(&["LLEN", "queues:order:failed"]) == 1);

    let said = daemon.ctl(&["signal", "USR1", "laravel-order-worker:*"]);
    assert_eq!((said.status, said.stdout.matches(": signalled\n").count()), (Some(0), 3), "{said:?}");
    for n in 0..3 {
        daemon.wait_file(&format!("laravel/storage/logs/laravel-order-worker_{n:02}.log"), "health handled=");
    }
    assert_eq!(echo(&daemon, "hello"), "hello");
}

/// Says `text` to the WebSocket service and returns what it answers.
fn echo(daemon: &Daemon, text: &str) -> String {
    let mut stream = UnixStream::connect(daemon.home.join("websocket.sock")).expect("the WebSocket service");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    assert!(String::from_utf8_lossy(&head).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head:?}");
    let length = u8::try_from(text.len()).expect("a short text");
    let mask = [1, 2, 3, 4];
    let masked = text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let frame: Vec<u8> = [0x81, 0x80 | length].into_iter().chain(mask).chain(masked).collect();
    stream.write_all(&frame).expect("a frame");
    let mut answer = vec![0; 2 + text.len()];
    stream.read_exact(&mut answer).expect("a frame");
    String::from_utf8_lossy(&answer[2..]).into_owned()
}
