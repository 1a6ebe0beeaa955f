//! HTTP answers: a head, then a body by length, in chunks, or until the end.

use crate::ClientError;
use crate::wire::Wire;

/// Bytes of one header line, and how many lines there may be.
const LINE_LIMIT: usize = 64 * 1024;
const HEADER_LIMIT: usize = 200;

/// Bytes of an answer for which room is made before they have come.
const RESERVED: usize = 16 << 20;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunks { left: usize, begun: bool },
    UntilClose,
    Done,
}

/// The body of an answer with status 200, read piece by piece.
pub(crate) struct Body {
    wire: Wire,
    framing: Framing,
}

impl Body {
    /// Reads the head.
    pub(crate) fn open(mut wire: Wire) -> Result<Self, ClientError> {
        let status = wire.line(LINE_LIMIT)?.ok_or(ClientError::HungUp)?;
        let framing = read_headers(&mut wire)?;
        judge_status(&status)?;
        Ok(Self { wire, framing })
    }

    /// The next bytes; empty at the end.
    pub(crate) fn piece(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut piece = Vec::new();
        self.append(&mut piece)?;
        Ok(piece)
    }

    /// Adds the next bytes to `to` and tells how many; none at the end.
    fn append(&mut self, to: &mut Vec<u8>) -> Result<usize, ClientError> {
        match self.framing {
            Framing::Done | Framing::Length(0) => Ok(0),
            Framing::UntilClose => self.wire.append(usize::MAX, to),
            Framing::Length(left) => {
                let count = self.owed(left, to)?;
                self.framing = Framing::Length(left - count);
                Ok(count)
            }
            Framing::Chunks { left: 0, begun } => self.next_chunk(begun, to),
            Framing::Chunks { left, .. } => {
                let count = self.owed(left, to)?;
                self.framing = Framing::Chunks { left: left - count, begun: true };
                Ok(count)
            }
        }
    }

    /// All of it, at most `limit` bytes.
    pub(crate) fn all(mut self, limit: usize) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        if let Framing::Length(length) = self.framing {
            body.reserve_exact(length.min(RESERVED));
        }
        while self.append(&mut body)? > 0 {
            if body.len() > limit {
                return Err(ClientError::Malformed(format!("longer than {limit} bytes")));
            }
        }
        Ok(body)
    }

    fn next_chunk(&mut self, begun: bool, to: &mut Vec<u8>) -> Result<usize, ClientError> {
        // A chunk's data is followed by an empty line.
        if begun && self.wire.line(LINE_LIMIT)?.is_none() {
            return Ok(self.end());
        }
        // A server that goes away in the middle of a log ends it (the size line is missing then).
        let Some(line) = self.wire.line(LINE_LIMIT)? else { return Ok(self.end()) };
        let digits = line.split([';', ' ']).next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| ClientError::Malformed(format!("chunk size {line:?}")))?;
        if size == 0 {
            return Ok(self.end());
        }
        self.framing = Framing::Chunks { left: size, begun: true };
        self.append(to)
    }

    fn end(&mut self) -> usize {
        self.framing = Framing::Done;
        0
    }

    /// Bytes where the peer owes some.
    fn owed(&mut self, most: usize, to: &mut Vec<u8>) -> Result<usize, ClientError> {
        match self.wire.append(most, to)? {
            0 => Err(ClientError::HungUp),
            count => Ok(count),
        }
    }
}

fn judge_status(line: &str) -> Result<(), ClientError> {
    let mut words = line.splitn(3, ' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/"));
    let code = words.next().and_then(|code| code.parse::<u16>().ok());
    let reason = words.next().unwrap_or_default().to_owned();
    match code {
        Some(200) if is_http => Ok(()),
        Some(401) if is_http => Err(ClientError::Unauthorized { reason }),
        Some(code) if is_http => Err(ClientError::Status { code, reason }),
        Some(_) | None => Err(ClientError::NotHttp(line.to_owned())),
    }
}

fn read_headers(wire: &mut Wire) -> Result<Framing, ClientError> {
    let mut framing = Framing::UntilClose;
    for _ in 0..HEADER_LIMIT {
        let Some(line) = wire.line(LINE_LIMIT)? else { return Ok(framing) };
        if line.is_empty() {
            return Ok(framing);
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Framing::Chunks { left: 0, begun: false };
        } else if name.eq_ignore_ascii_case("content-length") && framing == Framing::UntilClose {
            let length =
                value.parse().map_err(|_| ClientError::Malformed(format!("Content-Length {value:?}")))?;
            framing = Framing::Length(length);
        }
    }
    Err(ClientError::Malformed("too many headers".to_owned()))
}
