//! The communication mode: what stands between two tags is an event, not log (PROC-155).
//!
//! Pure: bytes in, pieces out. Unlike the reference, only what may be the beginning of a tag is held back, and it is
//! given out at the end (D-02).

mod buffer;

pub use buffer::CaptureBuffer;

use crate::find::through;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanner {
    inside: bool,
    /// How many bytes of the tag that comes next ended the last chunk.
    held: usize,
}

impl Scanner {
    /// Where it stands, in two bytes, for [`Self::from_bytes`].
    #[must_use]
    pub fn to_bytes(self) -> [u8; 2] {
        // A tag has fewer bytes than that.
        [u8::from(self.inside), u8::try_from(self.held).unwrap_or(u8::MAX)]
    }

    /// One that goes on; from the beginning if the bytes mean nothing.
    #[must_use]
    pub fn from_bytes([inside, held]: [u8; 2]) -> Self {
        let scanner = Self { inside: inside == 1, held: usize::from(held) };
        if inside < 2 && scanner.held < scanner.tag().len() { scanner } else { Self::default() }
    }

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
    while at < data.len() {
        let next = at + through(&data[at..], tag[0]);
        let rest = &data[next - 1..];
        if rest.starts_with(tag) || tag.starts_with(rest) {
            return next - 1;
        }
        at = next;
    }
    data.len()
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
    fn a_scanner_goes_on_anywhere() {
        let text = b"a<!--XSUPERVISOR:BEGIN-->b<!--XSUPERVISOR:END-->c<!--";
        for cut in 0..=text.len() {
            let (mut log, mut captures, mut scanner) = (Vec::new(), Vec::new(), Scanner::default());
            let mut out = |piece: Piece<'_>| match piece {
                Piece::Log(data) => log.extend_from_slice(data),
                Piece::Inside(data) => captures.extend_from_slice(data),
                Piece::End => captures.push(b'|'),
            };
            scanner.feed(&text[..cut], &mut out);
            let mut second = Scanner::from_bytes(scanner.to_bytes());
            assert_eq!(second, scanner);
            second.feed(&text[cut..], &mut out);
            second.finish(&mut out);
            assert_eq!((log.as_slice(), captures.as_slice()), (&b"ac<!--"[..], &b"b|"[..]), "{cut}");
        }
        for nonsense in [[2, 0], [0, 24], [1, 22], [255, 255]] {
            assert_eq!(Scanner::from_bytes(nonsense), Scanner::default());
        }
    }
}
