//! A copy of a child's lines on the daemon's standard output, each with the child's name before it.
//!
//! Gives out whole lines only, so that those of many children never mix, and never makes a child wait: what a slow reader
//! does not take in time is dropped, whole lines at a time, and counted.

use super::StreamId;
use super::outputs::{OutletKey, Outputs};
use crate::find::through;

/// Longest line. A longer one comes in pieces, each as a line of its own.
const LONGEST: usize = 64 * 1024;
/// Lines are given out together until there are so many bytes of them.
const BATCH: usize = 64 * 1024;
/// What is kept of the room that a line needed.
const SCRATCH: usize = 4096;

/// One stream's way to standard output.
pub(super) struct Console {
    outlet: OutletKey,
    prefix: Vec<u8>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl Console {
    pub(super) fn new(prefix: String, out: &mut Outputs) -> Self {
        Self { outlet: out.acquire_stdout(), prefix: prefix.into_bytes(), begun: Vec::new() }
    }

    /// Gives out the lines that are whole by now.
    pub(super) fn write(&mut self, id: StreamId, data: &[u8], out: &mut Outputs) {
        let mut text = Vec::with_capacity(data.len().saturating_mul(2).min(BATCH + LONGEST));
        let mut rest = data;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(through(rest, b'\n'));
            rest = after;
            match part.strip_suffix(b"\n") {
                Some(line) if self.begun.is_empty() && line.len() <= LONGEST => {
                    text.extend_from_slice(&self.prefix);
                    text.extend_from_slice(part);
                }
                Some(end) => {
                    self.keep(end, &mut text);
                    self.end_line(&mut text);
                }
                None => self.keep(part, &mut text),
            }
            if text.len() >= BATCH {
                out.write(self.outlet, id, &text);
                text.clear();
            }
        }
        self.begun.shrink_to(SCRATCH);
        out.write(self.outlet, id, &text);
    }

    /// The child has ended: so has its last line.
    pub(super) fn finish(&mut self, id: StreamId, out: &mut Outputs) {
        if !self.begun.is_empty() {
            self.write(id, b"\n", out);
        }
    }

    pub(super) fn close(self, id: StreamId, out: &mut Outputs) {
        out.release(self.outlet, id);
    }

    fn keep(&mut self, mut data: &[u8], text: &mut Vec<u8>) {
        while self.begun.len() + data.len() > LONGEST {
            let (piece, rest) = data.split_at(LONGEST - self.begun.len());
            self.begun.extend_from_slice(piece);
            self.end_line(text);
            data = rest;
        }
        self.begun.extend_from_slice(data);
    }

    fn end_line(&mut self, text: &mut Vec<u8>) {
        text.extend_from_slice(&self.prefix);
        text.append(&mut self.begun);
        text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Watched;
    use crate::engine::sources::Sources;
    use crate::file::{MODE_NAMED, RotatingFile};
    use crate::losses::Losses;
    use crate::syslog::Syslog;

    const ID: StreamId = StreamId(1);

    /// What comes out of chunks.
    fn said(chunks: &[&[u8]]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut out = Outputs::new(
            Sources::new().unwrap(),
            Syslog::default(),
            (Watched::default(), Losses::new(|| ())),
            Box::new(|event| panic!("{event:?}")),
        );
        let outlet = out.acquire(RotatingFile::open(&path, 0, 0, MODE_NAMED).unwrap(), ID);
        let mut console = Console { outlet, prefix: b"n | ".to_vec(), begun: Vec::new() };
        for chunk in chunks {
            console.write(ID, chunk, &mut out);
        }
        console.finish(ID, &mut out);
        console.close(ID, &mut out);
        std::fs::read(path).unwrap()
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let rows: [(&[&[u8]], &[u8]); 6] = [
            (&[], b""),
            (&[b"one\ntwo\n"], b"n | one\nn | two\n"),
            (&[b"o", b"ne", b"\nt", b"wo"], b"n | one\nn | two\n"),
            (&[b"\n\n"], b"n | \nn | \n"),
            (&[b"a\r\n", b"\xff\xfe\0\n"], b"n | a\r\nn | \xff\xfe\0\n"),
            (&[b"", b"x", b""], b"n | x\n"),
        ];
        for (chunks, expected) in rows {
            assert_eq!(said(chunks).escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let rows: [(usize, &[usize]); 3] = [
            (LONGEST, &[LONGEST]),
            (LONGEST + 1, &[LONGEST, 1]),
            (3 * LONGEST + 5, &[LONGEST, LONGEST, LONGEST, 5]),
        ];
        for (length, pieces) in rows {
            let line = vec![b'x'; length];
            let (first, second) = line.split_at(length / 3);
            let text = said(&[first, second, b"\n"]);
            let found: Vec<usize> =
                text.split(|byte| *byte == b'\n').map(|line| line.len().saturating_sub(4)).collect();
            assert_eq!(found[..found.len() - 1], *pieces);
        }
    }
}
