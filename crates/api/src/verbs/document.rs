//! The answer to `getAllProcessInfo` without a tree of values in between: the same bytes, in pieces.
//!
//! With 1,000 processes the document has 1.2 MB, and writing it takes longer than all else of an answer. So its pieces are kept
//! while others may ask for the same list: see [`SharedList::keep`]. A client that takes its time holds no more than one of them,
//! and later ones are written again for it.

mod read;
mod shape;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;

use super::encode::LATEST;
use crate::xmlrpc;
use crate::{ProcessView, SharedList};

pub use read::read_processes;

/// Bytes of a piece; the last process of a piece may make it longer.
const PIECE: usize = 64 << 10;

/// The document of an answer that tells of these processes, as an iterator over pieces of it.
#[derive(Debug)]
pub struct ProcessDocument {
    list: SharedList,
    extent: Extent,
    /// Pieces that were given out.
    given: usize,
    /// Which process comes next.
    next: usize,
    /// Bytes that are still to come.
    left: usize,
}

impl ProcessDocument {
    /// The document of this list.
    #[must_use]
    pub fn new(list: impl Into<SharedList>) -> Self {
        let list = list.into();
        let extent = *list.written().extent.get_or_init(|| Extent::of(&list));
        Self { list, extent, given: 0, next: 0, left: extent.length }
    }

    /// Bytes that are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    fn write(&self) -> Piece {
        let mut bytes = Vec::with_capacity(self.left.min(PIECE + PIECE / 8));
        let mut next = self.next;
        if next == 0 {
            write_begin(&mut bytes);
        }
        while next < self.list.len() && bytes.len() < PIECE {
            self.extent.write_at(&self.list, next, &mut bytes);
            next += 1;
        }
        if next == self.list.len() {
            write_end(&mut bytes);
        }
        Piece { bytes: bytes.into(), next }
    }
}

impl Iterator for ProcessDocument {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let Piece { bytes, next } = self.list.written().piece(self.given, || self.write());
        self.given += 1;
        self.next = next;
        self.left = if next == self.list.len() { 0 } else { self.left - bytes.len() };
        Some(bytes)
    }
}

/// What was written of a list.
#[derive(Debug, Default)]
pub(crate) struct Written {
    extent: OnceLock<Extent>,
    /// From the first one on; `None` if they are not kept.
    pieces: Mutex<Option<Vec<Piece>>>,
}

/// What is known of a document before it is written.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Bytes of all of it.
    length: usize,
    /// No text of any process needs care.
    is_plain: bool,
}

#[derive(Clone, Debug)]
struct Piece {
    bytes: Bytes,
    /// The process that comes after it.
    next: usize,
}

impl Written {
    pub(crate) fn keep(&self) {
        self.pieces().get_or_insert_default();
    }

    pub(crate) fn forget(&self) {
        *self.pieces() = None;
    }

    /// The piece of this number: as it was kept, or from `write`.
    fn piece(&self, number: usize, write: impl FnOnce() -> Piece) -> Piece {
        let mut guard = self.pieces();
        let Some(pieces) = guard.as_mut() else {
            drop(guard);
            return write();
        };
        if let Some(piece) = pieces.get(number) {
            return piece.clone();
        }
        let piece = write();
        // Not if its client came from pieces that are forgotten.
        if pieces.len() == number {
            pieces.push(piece.clone());
        }
        piece
    }

    fn pieces(&self) -> MutexGuard<'_, Option<Vec<Piece>>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Extent {
    fn of(list: &SharedList) -> Self {
        // Of all texts at once, which takes less time than one by one.
        let mut extent = Self { length: 0, is_plain: xmlrpc::is_plain(list.text()) };
        let mut length = Length(0);
        write_begin(&mut length);
        (0..list.len()).for_each(|at| extent.write_at(list, at, &mut length));
        write_end(&mut length);
        extent.length = length.0;
        extent
    }

    fn write_at(self, list: &SharedList, at: usize, out: &mut impl Sink) {
        let Some(process) = list.get(at) else { return };
        // Hardly any process has a text that needs care, and the others need not pay for it.
        if self.is_plain || xmlrpc::is_plain(list.texts(at)) {
            write_process(&process, out, |out, text| out.put(text));
        } else {
            write_process(&process, out, |out, text| out.put_escaped(text));
        }
    }
}

/// Where a document is written to.
trait Sink {
    fn put(&mut self, text: &str);
    /// A text of which XML may not be able to carry all.
    fn put_escaped(&mut self, text: &str);
    fn put_int(&mut self, number: i64);
}

/// Counts what is written.
struct Length(usize);

impl Sink for Length {
    fn put(&mut self, text: &str) {
        self.0 += text.len();
    }

    fn put_escaped(&mut self, text: &str) {
        let mut escaped = String::new();
        xmlrpc::escape(text, &mut escaped);
        self.0 += escaped.len();
    }

    fn put_int(&mut self, number: i64) {
        let digits = number.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
        self.0 += usize::from(number < 0) + digits;
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn put_escaped(&mut self, text: &str) {
        let mut escaped = String::new();
        xmlrpc::escape(text, &mut escaped);
        self.extend_from_slice(escaped.as_bytes());
    }

    fn put_int(&mut self, number: i64) {
        self.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}

fn write_begin(out: &mut impl Sink) {
    out.put(shape::DOCUMENT_BEGIN);
    out.put(shape::LIST_BEGIN);
}

fn write_end(out: &mut impl Sink) {
    out.put(shape::LIST_END);
    out.put(shape::DOCUMENT_END);
}

/// The members and their order are those of the generic encoder; a test holds the two together.
fn write_process<S: Sink>(process: &ProcessView<'_>, out: &mut S, text: impl Fn(&mut S, &str)) {
    out.put(shape::NAME);
    text(out, process.name);
    out.put(shape::GROUP);
    text(out, process.group);
    out.put(shape::START);
    out.put_int(process.start.min(LATEST));
    out.put(shape::STOP);
    out.put_int(process.stop.min(LATEST));
    out.put(shape::NOW);
    out.put_int(process.now.min(LATEST));
    out.put(shape::STATE);
    out.put_int(process.state.code().into());
    out.put(shape::STATENAME);
    out.put(process.state.name());
    out.put(shape::SPAWNERR);
    text(out, process.spawnerr);
    out.put(shape::EXITSTATUS);
    out.put_int(process.exitstatus.into());
    out.put(shape::LOGFILE);
    text(out, process.stdout_logfile);
    out.put(shape::STDOUT_LOGFILE);
    text(out, process.stdout_logfile);
    out.put(shape::STDERR_LOGFILE);
    text(out, process.stderr_logfile);
    out.put(shape::PID);
    out.put_int(process.pid.into());
    out.put(shape::DESCRIPTION);
    text(out, process.description);
    out.put(shape::END);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_are_written() {
        for number in [0, 9, 10, 99, 100, -1, -10, i64::MAX, i64::MIN, 2_147_483_647] {
            let (mut length, mut written) = (Length(0), Vec::new());
            length.put_int(number);
            written.put_int(number);
            assert_eq!(String::from_utf8(written).unwrap(), number.to_string());
            assert_eq!(length.0, number.to_string().len());
        }
    }
}
