//! Clients that are hostile, clumsy or dead: each costs little, and none keeps others waiting.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Int, Text};
use crate::rig::http::{self, call_xml, post_request};
use crate::rig::maker::Maker;
use crate::rig::port::free_port;
use crate::rig::wait::{PATIENCE, until, until_true};

const PROGRAMS: &str = "\
[program:cat]
command=/bin/cat
stdout_logfile=%(here)s/cat.log
startsecs=0
[program:big]
command=/bin/cat
autostart=false
stdout_logfile=%(here)s/big.log
stdout_logfile_maxbytes=0
";

/// Sooner than deadlines would make room for somebody behind a crowd.
const SOON: Duration = Duration::from_secs(10);

/// Bytes that a client may make the daemon hold.
const LITTLE: u64 = 8 << 20;

/// 100 MB, none of which takes place on the disk.
const BIG: u64 = 100_000_000;

/// What of a client's socket is used here.
trait Socket: Read + Write + Send {
    /// Says that nothing more will be sent.
    fn finish(&self);
}

impl Socket for UnixStream {
    fn finish(&self) {
        self.shutdown(Shutdown::Write).expect("it was open");
    }
}

impl Socket for TcpStream {
    fn finish(&self) {
        self.shutdown(Shutdown::Write).expect("it was open");
    }
}

type Client = Box<dyn Socket>;

struct Scene {
    daemon: Daemon,
    port: u16,
}

impl Scene {
    fn start() -> Scene {
        Scene::start_after(":", "")
    }

    /// Starts the daemon from a shell that has run `prelude`.
    fn start_after(prelude: &str, more: &str) -> Scene {
        let port = free_port();
        let config = format!("{PROGRAMS}[inet_http_server]\nport=127.0.0.1:{port}\n{more}");
        let daemon = Daemon::start_after(prelude, Home::new(), Maker::Upkeep, &config);
        daemon.wait("RUNNING", &["cat"]);
        Scene { daemon, port }
    }

    fn unix(&self) -> Client {
        let stream = UnixStream::connect(self.daemon.socket()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Box::new(stream)
    }

    fn tcp(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Box::new(stream)
    }

    fn both(&self) -> [Client; 2] {
        [self.unix(), self.tcp()]
    }

    fn brain(&self) -> i32 {
        until("the deciding process", || self.daemon.brain())
    }

    /// A well-behaved client of each socket is answered soon.
    fn serves(&self) {
        let begun = Instant::now();
        let status = self.daemon.ctl(&["status", "cat"]);
        assert!(status.stdout.contains("RUNNING"), "{status:?}");
        let answer = http::exchange_tcp(self.port, &post_request(&call_xml("supervisor.getState", &[])));
        assert!(answer.expect("an answer").body.contains("RUNNING"));
        assert!(begun.elapsed() < SOON, "answered after {:?}", begun.elapsed());
    }

    fn restarts(&self) {
        self.daemon.call("supervisor.stopProcess", &[Text("cat"), Bool(true)]);
        self.daemon.call("supervisor.startProcess", &[Text("cat"), Bool(true)]);
        self.daemon.wait("RUNNING", &["cat"]);
    }
}

fn send(mut client: Client, bytes: &[u8]) -> Client {
    // A client that is closed for another one may not notice before it has sent everything.
    let _ = client.write_all(bytes);
    client
}

/// Everything until the end of the connection, as far as it comes.
fn rest(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    // A client that is refused while it sends may lose the end.
    let _ = client.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The `i`th of many clients, none of which ever ends what it begins.
fn clumsy(scene: &Scene, i: usize) -> Client {
    let client = if i.is_multiple_of(2) { scene.unix() } else { scene.tcp() };
    let said: &[u8] = match i / 2 % 5 {
        0 | 1 => b"",
        2 => b"POST /RPC2 HTTP/1.1\r\nContent-Length: 9\r\nX-Slow: ",
        3 => b"POST /RPC2 HTTP/1.1\r\nContent-Length: 100000\r\n\r\n<methodCall>",
        _ => b"GET /logtail/cat HTTP/1.1\r\n\r\n",
    };
    send(client, said)
}

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
    for (method, length) in
        [("supervisor.readProcessStdoutLog", 0), ("supervisor.tailProcessStdoutLog", i64::from(i32::MAX))]
    {
        let request = post_request(&call_xml(method, &[Text("big"), Int(0), Int(length)]));
        let mut deaf = scene.both().map(|client| send(client, request.as_bytes()));
        scene.serves();
        // Its answer has come, and nobody takes it.
        deaf.iter_mut().for_each(|client| until_found(client, b"<string>"));
        scene.serves();
    }
    until_true("the memory to come back", || memory(brain, "VmRSS:") < before + 2 * LITTLE);
}

fn until_found(client: &mut Client, mark: &[u8]) {
    let mut found = Vec::new();
    while !found.ends_with(mark) {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("more of the answer");
        found.extend_from_slice(&byte);
    }
}

/// A size in /proc/PID/status, in bytes.
fn memory(pid: i32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// From now on VmHWM is the most since now: proc(5), clear_refs.
fn forget_peak(pid: i32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("it is ours");
}
