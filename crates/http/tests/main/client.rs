//! A client that sends bytes and shows bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long any answer may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Address {
    pub(crate) fn unix(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }

    pub(crate) fn connect(&self) -> Connection {
        self.try_connect().expect("it listens")
    }

    pub(crate) fn try_connect(&self) -> io::Result<Connection> {
        let socket: Box<dyn Socket> = match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path)?),
            Self::Tcp(address) => Box::new(TcpStream::connect(address)?),
        };
        socket.wait_at_most(DEADLINE);
        Ok(Connection { socket, buffer: Vec::new() })
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.send(request);
        connection.answer()
    }
}

pub(crate) trait Socket: Read + Write + Send {
    fn wait_at_most(&self, time: Duration);
    fn finish(&self);
    fn wait_until_dropped(&self);
}

impl Socket for UnixStream {
    fn wait_at_most(&self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("a timeout");
    }

    fn finish(&self) {
        self.shutdown(std::net::Shutdown::Write).expect("it was open");
    }

    fn wait_until_dropped(&self) {
        wait_for_the_other_end(self);
    }
}

impl Socket for TcpStream {
    fn wait_at_most(&self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("a timeout");
    }

    fn finish(&self) {
        self.shutdown(std::net::Shutdown::Write).expect("it was open");
    }

    fn wait_until_dropped(&self) {
        wait_for_the_other_end(self);
    }
}

/// Waits until the other end has closed a connection altogether, without reading what it has sent before.
fn wait_for_the_other_end(socket: &impl AsFd) {
    let deadline = Timespec::try_from(DEADLINE).expect("a time");
    let found = poll(&mut [PollFd::new(socket, PollFlags::empty())], Some(&deadline));
    assert_eq!(found, Ok(1), "it was not dropped");
}

/// A connection, and what has come in but was not asked for yet.
pub(crate) struct Connection {
    pub(crate) socket: Box<dyn Socket>,
    buffer: Vec<u8>,
}

/// Head and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("it takes requests");
    }

    /// Waits for an answer's head and as much of a body as it promises.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let length = header(&head, "content-length").map_or(0, |length| length.parse().expect("a number"));
        while self.buffer.len() < length {
            assert!(self.more(), "it ends within a body: {head}{}", String::from_utf8_lossy(&self.buffer));
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        Answer { head, body: String::from_utf8(body).expect("text") }
    }

    /// What comes up to and with this mark.
    pub(crate) fn until(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|part| part == mark.as_bytes()) {
                let bytes = self.buffer.drain(..at + mark.len()).collect();
                return String::from_utf8(bytes).expect("text");
            }
            assert!(self.more(), "no {mark:?} in {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Everything until the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8(std::mem::take(&mut self.buffer)).expect("text")
    }

    /// Whether the server closes within the deadline, sending nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        let begun = Instant::now();
        self.buffer.is_empty() && !self.more() && begun.elapsed() < DEADLINE
    }

    /// Takes this many bytes and forgets them.
    pub(crate) fn take(&mut self, length: usize) {
        let here = length.min(self.buffer.len());
        self.buffer.drain(..here);
        self.socket.read_exact(&mut vec![0; length - here]).expect("there are more");
    }

    /// Takes the head of an answer, and tells how long its body is.
    pub(crate) fn head_with_length(&mut self) -> usize {
        let head = self.until("\r\n\r\n");
        header(&head, "content-length").map_or(0, |length| length.parse().expect("a number"))
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 65536];
        match self.socket.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                self.buffer.extend_from_slice(&piece[..length]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }
}

impl Answer {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
}

/// A POST to `/RPC2`, with more headers if there are any.
pub(crate) fn post(body: &[u8], headers: &str) -> Vec<u8> {
    let head =
        format!("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A call with string arguments.
pub(crate) fn call(method: &str, params: &[&str]) -> Vec<u8> {
    let params: Vec<_> = params.iter().map(|&param| param.into()).collect();
    post(&upkeep_api::xmlrpc::encode_call(method, &params), "")
}
