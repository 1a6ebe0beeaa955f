//! What one capture holds, and how it is told to somebody who keeps it for the next daemon.
//!
//! Pure. Keeping a capture of any length up to date costs little more than the bytes that come.

use std::collections::VecDeque;

use super::Scanner;

/// In the first of a scanner's two bytes: what was told begins with bytes that no longer stand, and how many is told before
/// those two.
const SHORTENED: u8 = 2;

/// The bytes of one capture, bounded.
#[derive(Clone, Debug)]
pub struct CaptureBuffer {
    limit: usize,
    /// Bytes that have been told by [`Self::tell`], those that have gone since included.
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
