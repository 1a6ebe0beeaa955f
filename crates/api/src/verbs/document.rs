//! The answer to `getAllProcessInfo` without a tree of values in between: the same bytes, in pieces.
//!
//! With 1,000 processes the document has 1.1 MB. Through values a call took 2.2 ms; like this it takes 0.9, most of them the
//! kernel's. A long document is not kept between calls: `now` and every uptime change each second, and writing a process takes
//! hardly longer than copying its text would. No more than a piece of it exists at a time, however slowly its client reads. A
//! short one is sent as it is to all who ask for the same list.

mod read;
mod shape;

use std::sync::Arc;

use super::encode::LATEST;
use crate::xmlrpc;
use crate::{ProcessList, ProcessView, SharedList};

pub use read::read_processes;

/// Bytes of a piece; the last process of a piece may make it longer.
const PIECE: usize = 64 << 10;

/// What is sent of a list.
#[derive(Debug)]
pub enum Told {
    /// All of it, which others may be sent as well.
    Short(Arc<[u8]>),
    /// Too much to be kept.
    Long(ProcessDocument),
}

impl From<SharedList> for Told {
    fn from(list: SharedList) -> Self {
        if list.has_document() {
            return Self::Short(list.document(Vec::new));
        }
        let mut document = ProcessDocument::new(list.clone());
        if document.left <= PIECE {
            Self::Short(list.document(|| document.next().unwrap_or_default()))
        } else {
            Self::Long(document)
        }
    }
}

/// The document of an answer that tells of these processes, as an iterator over pieces of it.
#[derive(Debug)]
pub struct ProcessDocument {
    list: SharedList,
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
        let mut length = Length(0);
        write_begin(&mut length);
        (0..list.len()).for_each(|at| write_at(&list, at, &mut length));
        write_end(&mut length);
        Self { list, next: 0, left: length.0 }
    }

    /// Bytes that are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }
}

impl Iterator for ProcessDocument {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.left == 0 {
            return None;
        }
        let mut piece = Vec::with_capacity(self.left.min(PIECE + PIECE / 8));
        if self.next == 0 {
            write_begin(&mut piece);
        }
        while self.next < self.list.len() && piece.len() < PIECE {
            write_at(&self.list, self.next, &mut piece);
            self.next += 1;
        }
        if self.next == self.list.len() {
            write_end(&mut piece);
            self.left = 0;
        } else {
            self.left -= piece.len();
        }
        Some(piece)
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
        self.0 += digits(number, &mut [0; DIGITS]).len();
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
        self.extend_from_slice(digits(number, &mut [0; DIGITS]));
    }
}

/// Bytes of the longest number, with its sign.
const DIGITS: usize = 20;

fn digits(number: i64, room: &mut [u8; DIGITS]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut from = DIGITS;
    loop {
        from -= 1;
        room[from] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        from -= 1;
        room[from] = b'-';
    }
    &room[from..]
}

fn write_begin(out: &mut impl Sink) {
    out.put(shape::DOCUMENT_BEGIN);
    out.put(shape::LIST_BEGIN);
}

fn write_end(out: &mut impl Sink) {
    out.put(shape::LIST_END);
    out.put(shape::DOCUMENT_END);
}

fn write_at(list: &ProcessList, at: usize, out: &mut impl Sink) {
    let Some(process) = list.get(at) else { return };
    // All at once is far quicker than one by one, and hardly any process has such a text.
    if xmlrpc::is_plain(list.texts(at)) {
        write_process(&process, out, |out, text| out.put(text));
    } else {
        write_process(&process, out, |out, text| out.put_escaped(text));
    }
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
    fn numbers_are_written_as_ever() {
        for number in [0, 9, 10, -1, i64::MAX, i64::MIN, 2_147_483_647] {
            let mut out = Vec::new();
            out.put_int(number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
