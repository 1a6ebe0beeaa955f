//! The light client: one request as bytes that are ready, one answer read to its end, and nothing parsed.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Outcome;

/// A call without arguments, or with one list of them as XML, ready to be sent.
#[must_use]
pub fn request(method: &str, params: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    );
    let head = "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length:";
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Whether these bytes are a whole answer and no fault.
#[must_use]
pub fn is_answer(bytes: &[u8]) -> bool {
    let head = bytes.get(..12).unwrap_or_default();
    let tail = bytes.trim_ascii_end();
    head.starts_with(b"HTTP/1.")
        && head.ends_with(b" 200")
        && tail.ends_with(b"</methodResponse>")
        && !is_fault(tail)
}

fn is_fault(bytes: &[u8]) -> bool {
    let start = bytes.get(..600).unwrap_or(bytes);
    start.windows(7).any(|window| window == b"<fault>")
}

/// A client of one socket, with one buffer for all answers.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Client {
    /// A client that gives up after so long without a byte.
    #[must_use]
    pub fn new(socket: &Path, patience: Duration) -> Self {
        Self { socket: socket.to_owned(), buffer: Vec::new(), patience }
    }

    /// Sends a request on a new connection and reads the answer.
    ///
    /// # Errors
    /// There is no answer, or it is a fault.
    pub fn ask(&mut self, request: &[u8]) -> Outcome<&[u8]> {
        self.exchange(request).map_err(|error| format!("no answer: {error}"))?;
        if is_answer(&self.buffer) {
            return Ok(&self.buffer);
        }
        let start = self.buffer.get(..self.buffer.len().min(700)).unwrap_or_default();
        Err(format!("not an answer: {}", String::from_utf8_lossy(start)))
    }

    /// Asks until there is an answer, however many connections are refused before.
    ///
    /// # Errors
    /// There is none in time.
    pub fn insist(&mut self, request: &[u8]) -> Outcome<Instant> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.ask(request) {
                Ok(_) => return Ok(Instant::now()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.write_all(request)?;
        stream.read_to_end(&mut self.buffer)?;
        Ok(())
    }
}

/// How often a word stands in an answer.
#[must_use]
pub fn count(bytes: &[u8], word: &str) -> usize {
    bytes.windows(word.len()).filter(|window| *window == word.as_bytes()).count()
}
