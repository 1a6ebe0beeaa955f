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
    // Most output has no such byte at all, and this looks at many bytes at once.
    if !data.contains(&tag[0]) {
        return data.len();
    }
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

/// In the first of a scanner's two bytes: what was told begins with bytes that no longer stand, and how many is told before
/// those two.
const SHORTENED: u8 = 2;

/// The bytes of one capture, bounded.
#[derive(Clone, Debug)]
pub struct CaptureBuffer {
    limit: usize,
    /// Bytes that have been told by [`Self::news`], those that have gone since included.
    told: usize,
    /// How many of the told ones have gone, from the beginning: telling all others anew for each piece that pushes some out
    /// would cost the whole buffer for each line.
    gone: usize,
    /// Bytes told by the last call.
    said: usize,
    /// A ring: letting go of the oldest bytes must not move all others.
    data: VecDeque<u8>,
}

impl CaptureBuffer {
    /// Keeps about `limit` bytes, the newest.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, told: 0, gone: 0, said: 0, data: VecDeque::new() }
    }

    /// Goes on, together with its scanner, where [`Self::tell`] said that an earlier one stood.
    #[must_use]
    pub fn going_on(limit: usize, record: &[u8]) -> (Scanner, Self) {
        let Some((rest, &[state, held])) = record.split_last_chunk() else {
            return (Scanner::default(), Self::new(limit));
        };
        let (told, gone) = match rest.split_last_chunk() {
            Some((told, gone)) if state & SHORTENED != 0 => (told, u64::from_le_bytes(*gone)),
            Some(_) | None => (rest, 0),
        };
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(told.len());
        let data = told[gone..].iter().copied().collect();
        let (told, scanner) = (told.len(), Scanner::from_bytes([state & !SHORTENED, held]));
        (scanner, Self { limit, told, gone, said: told, data })
    }

    /// Whether bytes have come or gone since the last [`Self::tell`].
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.told != self.said || self.said != self.gone + self.data.len()
    }

    /// What is new since the last call, for somebody who keeps it for [`Self::going_on`]: how many bytes at the beginning of
    /// what was told before still stand, and what comes behind them. All of it is told then.
    pub fn tell(&mut self, scanner: Scanner) -> (usize, Vec<u8>) {
        // Now and then everything, so that what has gone is never much more than what stands.
        if self.gone > self.limit {
            self.tell_again();
        }
        let keep = std::mem::replace(&mut self.told, self.gone + self.data.len());
        self.said = self.told;
        let mut data = Vec::new();
        self.copy_from(keep - self.gone, &mut data);
        if scanner == Scanner::default() {
            return (keep, data);
        }
        let [state, held] = scanner.to_bytes();
        if self.gone == 0 {
            data.extend([state, held]);
        } else {
            data.extend((self.gone as u64).to_le_bytes());
            data.extend([state | SHORTENED, held]);
        }
        (keep, data)
    }

    fn copy_from(&self, start: usize, to: &mut Vec<u8>) {
        let (first, second) = self.data.as_slices();
        to.extend_from_slice(first.get(start..).unwrap_or_default());
        to.extend_from_slice(&second[start.saturating_sub(first.len())..]);
    }

    /// What was told is forgotten: [`Self::tell`] tells everything again.
    pub fn tell_again(&mut self) {
        (self.told, self.gone) = (0, 0);
    }

    /// Adds a piece. If it does not fit, as many of the oldest bytes go as it has (PROC-159), so that a single piece
    /// bigger than the limit exceeds it.
    pub fn push(&mut self, piece: &[u8]) {
        if self.data.len() + piece.len() > self.limit {
            let count = piece.len().min(self.data.len());
            self.data.drain(..count);
            // Those that nobody has been told of are as if they had never been.
            self.gone += count.min(self.told - self.gone);
        }
        self.data.extend(piece);
    }

    /// The whole capture; the next one starts empty.
    pub fn take(&mut self) -> Vec<u8> {
        self.tell_again();
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

    /// What the keeper does with what it is told.
    #[derive(Default)]
    struct Record(Vec<u8>);

    impl Record {
        /// How many bytes had to be told.
        fn extend(&mut self, (keep, data): (usize, Vec<u8>)) -> usize {
            assert!(keep <= self.0.len());
            self.0.truncate(keep);
            self.0.extend_from_slice(&data);
            data.len()
        }
    }

    const INSIDE: Scanner = Scanner { inside: true, held: 3 };

    #[test]
    fn only_what_came_since_is_told() {
        let (mut buffer, mut record) = (CaptureBuffer::new(6), Record::default());
        let rows = [
            ("abc", 5, &b"abc\x01\x03"[..]),
            ("d", 3, b"abcd\x01\x03"),
            ("efg", 13, b"abcdefg\x03\0\0\0\0\0\0\0\x03\x03"),
            ("hij", 13, b"abcdefghij\x06\0\0\0\0\0\0\0\x03\x03"),
            ("k", 11, b"abcdefghijk\x06\0\0\0\0\0\0\0\x03\x03"),
            ("lm", 7, b"ijklm\x01\x03"),
        ];
        for (piece, cost, expected) in rows {
            buffer.push(piece.as_bytes());
            assert_eq!(record.extend(buffer.tell(INSIDE)), cost, "{piece}");
            assert_eq!(record.0.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{piece}");
        }
        buffer.tell_again();
        assert_eq!(buffer.tell(INSIDE), (0, b"ijklm\x01\x03".to_vec()));
        let (scanner, mut second) = CaptureBuffer::going_on(6, &record.0);
        assert_eq!(scanner, INSIDE);
        second.push(b"n");
        assert_eq!(second.tell(INSIDE), (5, b"n\x01\x03".to_vec()));
        assert_eq!(second.take(), b"ijklmn");
        assert!(second.has_news(), "it has ended");
        assert_eq!(second.tell(Scanner::default()), (0, Vec::new()));
        assert!(!second.has_news());
    }

    /// A capture that never ends must not cost its whole buffer for each line.
    #[test]
    fn telling_costs_little_more_than_what_comes() {
        let (mut buffer, mut record) = (CaptureBuffer::new(10_000), Record::default());
        let mut told = 0;
        for number in 0..10_000 {
            buffer.push(format!("line {number:95}").as_bytes());
            told += record.extend(buffer.tell(INSIDE));
            assert!(record.0.len() < 21_000);
        }
        assert!(told < 2_300_000, "{told} bytes told of 1,000,000");
        assert_eq!(CaptureBuffer::going_on(10_000, &record.0).1.take(), buffer.take());
    }

    #[test]
    fn a_record_that_makes_no_sense_is_no_capture() {
        for record in
            [&b""[..], b"x", b"\xff\xff", b"abc\x03\0", b"abc\xff\xff\xff\xff\xff\xff\xff\xff\x03\0"]
        {
            let (_, mut buffer) = CaptureBuffer::going_on(6, record);
            assert!(buffer.take().len() <= 3, "{record:?}");
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
