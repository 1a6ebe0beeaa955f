//! Sending lines to the local syslog: RFC 3164 datagrams to `/dev/log`.
//!
//! Never waits: a message that the socket does not take at once is dropped and counted. A socket that went away
//! (syslogd restarted) is connected again at the next message.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::journal::Clock;

/// Where the local syslog listens.
const SOCKET: &str = "/dev/log";
/// `LOG_USER | LOG_INFO`.
const PRIORITY: u8 = 1 << 3 | 6;
/// Longest message tried again when the socket refuses a longer one.
const SHORTENED: usize = 8 * 1024;

/// A sender to the local syslog.
#[derive(Debug)]
pub(crate) struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    clock: Clock,
    message: Vec<u8>,
}

impl Default for Syslog {
    fn default() -> Self {
        Self::at(Path::new(SOCKET))
    }
}

impl Syslog {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), socket: None, clock: Clock::syslog(), message: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends each line of `chunk` as `IDENT: PREFIX LINE` (PROC-152); without a prefix, as `IDENT: LINE`. Newlines at
    /// the end make no empty lines.
    ///
    /// # Errors
    /// The first error and how many bytes could not be sent. The lines after it have been tried too, unless nobody listens:
    /// looking for a socket again for each of a thousand lines would hold up all other logs.
    pub(crate) fn send(&mut self, ident: &str, prefix: &str, chunk: &[u8]) -> Result<(), (io::Error, usize)> {
        let end = chunk.iter().rposition(|&byte| byte != b'\n').map_or(0, |at| at + 1);
        let mut failed: Option<(io::Error, usize)> = None;
        for line in chunk[..end].split(|&byte| byte == b'\n') {
            if let Some((_, lost)) = failed.as_mut().filter(|_| self.socket.is_none()) {
                *lost += line.len();
                continue;
            }
            self.compose(ident, prefix, line);
            if let Err(error) = self.deliver() {
                failed.get_or_insert((error, 0)).1 += line.len();
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn compose(&mut self, ident: &str, prefix: &str, line: &[u8]) {
        let now = self.clock.text(SystemTime::now());
        self.message.clear();
        self.message.extend_from_slice(format!("<{PRIORITY}>{now} {ident}: ").as_bytes());
        if !prefix.is_empty() {
            self.message.extend_from_slice(prefix.as_bytes());
            self.message.push(b' ');
        }
        self.message.extend_from_slice(line);
    }

    /// Sends the message; if the other end is gone, once more to a new one.
    fn deliver(&mut self) -> io::Result<()> {
        match self.try_send() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock && self.socket.take().is_some() => {
                self.try_send()
            }
            other => other,
        }
    }

    fn try_send(&mut self) -> io::Result<()> {
        if self.socket.is_none() {
            self.socket = Some(connect(&self.path)?);
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        send(socket, &self.message)
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn send(socket: &UnixDatagram, message: &[u8]) -> io::Result<()> {
    match socket.send(message) {
        Err(error) if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::MSGSIZE) => {
            socket.send(&message[..message.len().min(SHORTENED)]).map(drop)
        }
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(server: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let count = server.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }

    /// The message without its time: `<14>Mmm dd hh:mm:ss `.
    fn body(message: &str) -> &str {
        assert_eq!(&message[..4], "<14>");
        assert_eq!(message.as_bytes()[19], b' ', "{message}");
        &message[20..]
    }

    #[test]
    fn sends_one_message_a_line_proc_152() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::at(&path);
        let rows: &[(&str, &[u8], &[&str])] = &[
            ("web", b"one\n", &["sup: web one"]),
            ("web", b"one\n\ntwo\n\n", &["sup: web one", "sup: web ", "sup: web two"]),
            ("web", b"\n", &["sup: web "]),
            ("", b"plain", &["sup: plain"]),
        ];
        for (prefix, chunk, messages) in rows {
            syslog.send("sup", prefix, chunk).unwrap();
            for message in *messages {
                assert_eq!(body(&received(&server)), *message);
            }
        }
    }

    #[test]
    fn connects_again_and_never_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut syslog = Syslog::at(&path);
        assert_eq!(syslog.send("sup", "", b"four").unwrap_err().1, 4);
        let server = UnixDatagram::bind(&path).unwrap();
        syslog.send("sup", "", b"a").unwrap();
        drop(server);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(syslog.send("sup", "", b"gone").unwrap_err().1, 4);
        assert_eq!(syslog.send("sup", "", b"three\nlines\ngone").unwrap_err().1, 14);
        let server = UnixDatagram::bind(&path).unwrap();
        syslog.send("sup", "", b"back").unwrap();
        assert_eq!(body(&received(&server)), "sup: back");
        while syslog.send("sup", "", b"until the queue is full").is_ok() {}
        assert_eq!(body(&received(&server)), "sup: until the queue is full");
    }
}
