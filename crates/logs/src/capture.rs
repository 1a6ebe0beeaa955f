//! The communication mode: what stands between two tags is an event, not log (PROC-155).
//!
//! Pure: bytes in, pieces out. Unlike the reference, only what may be the beginning of a tag is held back, and it is
//! given out at the end (D-02).

use std::collections::VecDeque;

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Outside of tags: for the log.
    Log(&'a [u8]),
    /// Between tags: for the capture.
    Inside(&'a [u8]),
    /// The end tag: the capture is complete.
    End,
}

/// Finds the tags in one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanner {
    inside: bool,
    /// How many bytes of the tag that comes next ended the last chunk.
    held: usize,
}

impl Scanner {
    /// Cuts `data` at the tags and gives the pieces to `out`, in order, none of them empty.
    pub fn feed(&mut self, mut data: &[u8], mut out: impl FnMut(Piece<'_>)) {
        while !data.is_empty() {
            data = if self.held > 0 { self.go_on(data, &mut out) } else { self.look(data, &mut out) };
        }
    }

    /// The end of the stream: gives out what was held back. A capture that has not ended is lost (PROC-156).
    pub fn finish(&mut self, mut out: impl FnMut(Piece<'_>)) {
        let held = &self.tag()[..self.held];
        if !held.is_empty() && !self.inside {
            out(Piece::Log(held));
        }
        *self = Self::default();
    }

    fn tag(&self) -> &'static [u8] {
        if self.inside { END } else { BEGIN }
    }

    /// Looks for the tag in `data`; returns what comes after it.
    fn look<'a>(&mut self, data: &'a [u8], out: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        let tag = self.tag();
        let at = find(data, tag);
        self.give(&data[..at], out);
        let matched = tag.len().min(data.len() - at);
        self.matched(matched, out);
        &data[at + matched..]
    }

    /// Goes on with a tag that began in an earlier chunk. A tag holds its first byte only once, so what turns out not
    /// to be a tag holds no other beginning of one.
    fn go_on<'a>(&mut self, data: &'a [u8], out: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        let tag = self.tag();
        let rest = &tag[self.held..];
        let same = rest.iter().zip(data).take_while(|(a, b)| a == b).count();
        if same < rest.len() && same < data.len() {
            self.give(&tag[..self.held + same], out);
            self.held = 0;
        } else {
            self.matched(self.held + same, out);
        }
        &data[same..]
    }

    /// So many bytes of the tag have been seen.
    fn matched(&mut self, count: usize, out: &mut impl FnMut(Piece<'_>)) {
        if count < self.tag().len() {
            self.held = count;
            return;
        }
        if self.inside {
            out(Piece::End);
        }
        *self = Self { inside: !self.inside, held: 0 };
    }

    fn give(&self, data: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        if !data.is_empty() {
            out(if self.inside { Piece::Inside(data) } else { Piece::Log(data) });
        }
    }
}

/// Where `tag`, or a beginning of it that reaches the end, starts in `data`; else the end of `data`.
fn find(data: &[u8], tag: &[u8]) -> usize {
    let mut at = 0;
    while let Some(step) = data[at..].iter().position(|byte| *byte == tag[0]) {
        at += step;
        let rest = &data[at..];
        if rest.starts_with(tag) || tag.starts_with(rest) {
            return at;
        }
        at += 1;
    }
    data.len()
}

/// The bytes of one capture, bounded.
#[derive(Clone, Debug)]
pub struct CaptureBuffer {
    limit: usize,
    /// A ring: letting go of the oldest bytes must not move all others.
    data: VecDeque<u8>,
}

impl CaptureBuffer {
    /// Keeps about `limit` bytes, the newest.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, data: VecDeque::new() }
    }

    /// Adds a piece. If it does not fit, as many of the oldest bytes go as it has (PROC-159), so that a single piece
    /// bigger than the limit exceeds it.
    pub fn push(&mut self, piece: &[u8]) {
        if self.data.len() + piece.len() > self.limit {
            self.data.drain(..piece.len().min(self.data.len()));
        }
        self.data.extend(piece);
    }

    /// The whole capture; the next one starts empty.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.data).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        log: String,
        captures: Vec<String>,
    }

    fn scan(chunks: &[&[u8]]) -> Seen {
        let (mut scanner, mut log, mut open, mut captures) =
            (Scanner::default(), Vec::new(), Vec::new(), Vec::new());
        let mut out = |piece: Piece<'_>| match piece {
            Piece::Log(data) => log.extend_from_slice(data),
            Piece::Inside(data) => open.extend_from_slice(data),
            Piece::End => captures.push(String::from_utf8(std::mem::take(&mut open)).unwrap()),
        };
        for chunk in chunks {
            scanner.feed(chunk, &mut out);
        }
        scanner.finish(&mut out);
        Seen { log: String::from_utf8(log).unwrap(), captures }
    }

    #[test]
    fn cuts_at_the_tags_proc_155_proc_158() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("hi\n", "hi\n", &[]),
            ("a[B]b[E]c", "ac", &["b"]),
            ("[B]one[E][B]two[E]", "", &["one", "two"]),
            ("[B][E]x", "x", &[""]),
            ("x[E]y", "x[E]y", &[]),
            ("[B]a[B]b[E]c", "c", &["a[B]b"]),
            ("x[B]never ends", "x", &[]),
            ("x<!--XSUPER", "x<!--XSUPER", &[]),
            ("<<!--XSUPERVISOR:<[B]y[E]", "<<!--XSUPERVISOR:<", &["y"]),
            ("[B]y<!--XSUPERVISOR:[E]", "", &["y<!--XSUPERVISOR:"]),
            ("[B]y<!--XSUPERVISOR:EN", "", &[]),
        ];
        let spell = |text: &str| {
            text.replace("[B]", "<!--XSUPERVISOR:BEGIN-->").replace("[E]", "<!--XSUPERVISOR:END-->")
        };
        for (given, log, captures) in rows {
            let expected = Seen { log: spell(log), captures: captures.iter().map(|c| spell(c)).collect() };
            let text = spell(given);
            assert_eq!(scan(&[text.as_bytes()]), expected, "{given}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(scan(&bytes), expected, "{given}, byte by byte");
        }
    }

    #[test]
    fn holds_back_nothing_but_a_beginning_d_02() {
        let rows: &[(&[u8], &[u8])] =
            &[(b"hi", b"hi"), (b"hi<", b"hi"), (b"hi<!-", b"hi"), (b"hi<?", b"hi<?")];
        for (given, at_once) in rows {
            let mut seen = Vec::new();
            Scanner::default().feed(given, |piece| match piece {
                Piece::Log(data) => seen.extend_from_slice(data),
                Piece::Inside(_) | Piece::End => panic!("no tag in {given:?}"),
            });
            assert_eq!(seen.as_slice(), *at_once);
        }
    }

    #[test]
    fn keeps_the_newest_bytes_proc_159() {
        let mut buffer = CaptureBuffer::new(6);
        for (piece, kept) in [("abc", "abc"), ("def", "abcdef"), ("gh", "cdefgh"), ("123456789", "123456789")]
        {
            buffer.push(piece.as_bytes());
            assert_eq!(buffer.data, kept.as_bytes(), "{piece}");
        }
        assert_eq!(buffer.take(), b"123456789");
        assert_eq!(buffer.take(), b"");
    }
}
