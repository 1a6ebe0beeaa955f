//! A daemon with a socket of each kind, and raw connections to them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::http::{self, call_xml, post_request};
use crate::rig::maker::Maker;
use crate::rig::port::free_port;
use crate::rig::wait::{PATIENCE, until};

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

/// What of a client's socket is used here.
pub(super) trait Socket: Read + Write + Send {
    /// Says that nothing more will be sent.
    fn finish(&self);
    /// How long it waits until something is taken.
    fn write_at_most(&self, time: Duration);
}

impl Socket for UnixStream {
    fn write_at_most(&self, time: Duration) {
        self.set_write_timeout(Some(time)).expect("a timeout");
    }

    fn finish(&self) {
        // Whoever was refused may be cut off already.
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Socket for TcpStream {
    fn write_at_most(&self, time: Duration) {
        self.set_write_timeout(Some(time)).expect("a timeout");
    }

    fn finish(&self) {
        // Whoever was refused may be cut off already.
        let _ = self.shutdown(Shutdown::Write);
    }
}

pub(super) type Client = Box<dyn Socket>;

pub(super) struct Scene {
    pub(super) daemon: Daemon,
    port: u16,
}

impl Scene {
    pub(super) fn start() -> Scene {
        Scene::start_after(":", "")
    }

    /// Starts the daemon from a shell that has run `prelude`.
    pub(super) fn start_after(prelude: &str, more: &str) -> Scene {
        let port = free_port();
        let config = format!("{PROGRAMS}[inet_http_server]\nport=127.0.0.1:{port}\n{more}");
        let daemon = Daemon::start_after(prelude, Home::new(), Maker::Upkeep, &config);
        daemon.wait("RUNNING", &["cat"]);
        Scene { daemon, port }
    }

    pub(super) fn unix(&self) -> Client {
        let stream = UnixStream::connect(self.daemon.socket()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Box::new(stream)
    }

    pub(super) fn tcp(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Box::new(stream)
    }

    pub(super) fn both(&self) -> [Client; 2] {
        [self.unix(), self.tcp()]
    }

    pub(super) fn brain(&self) -> i32 {
        until("the deciding process", || self.daemon.brain())
    }

    /// A well-behaved client of each socket is answered soon.
    pub(super) fn serves(&self) {
        let begun = Instant::now();
        let status = self.daemon.ctl(&["status", "cat"]);
        assert!(status.stdout.contains("RUNNING"), "{status:?}");
        let answer = http::exchange_tcp(self.port, &post_request(&call_xml("supervisor.getState", &[])));
        assert!(answer.expect("an answer").body.contains("RUNNING"));
        assert!(begun.elapsed() < SOON, "answered after {:?}", begun.elapsed());
    }

    pub(super) fn restarts(&self) {
        self.daemon.call("supervisor.stopProcess", &[Text("cat"), Bool(true)]);
        self.daemon.call("supervisor.startProcess", &[Text("cat"), Bool(true)]);
        self.daemon.wait("RUNNING", &["cat"]);
    }
}

pub(super) fn send(mut client: Client, bytes: &[u8]) -> Client {
    // A client that is closed for another one may not notice before it has sent everything.
    let _ = client.write_all(bytes);
    client
}

/// Everything until the end of the connection, as far as it comes.
pub(super) fn rest(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    // A client that is refused while it sends may lose the end.
    let _ = client.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The `i`th of many clients, none of which ever ends what it begins.
pub(super) fn clumsy(scene: &Scene, i: usize) -> Client {
    let client = if i.is_multiple_of(2) { scene.unix() } else { scene.tcp() };
    let said: &[u8] = match i / 2 % 5 {
        0 | 1 => b"",
        2 => b"POST /RPC2 HTTP/1.1\r\nContent-Length: 9\r\nX-Slow: ",
        3 => b"POST /RPC2 HTTP/1.1\r\nContent-Length: 100000\r\n\r\n<methodCall>",
        _ => b"GET /logtail/cat HTTP/1.1\r\n\r\n",
    };
    send(client, said)
}

pub(super) fn until_found(client: &mut Client, mark: &[u8]) {
    let mut found = Vec::new();
    while !found.ends_with(mark) {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("more of the answer");
        found.extend_from_slice(&byte);
    }
}

/// A size in /proc/PID/status, in bytes.
pub(super) fn memory(pid: i32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// From now on VmHWM is the most since now: proc(5), clear_refs.
pub(super) fn forget_peak(pid: i32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("it is ours");
}
