//! What must hold for any bytes: each function takes some, and panics if it does not. The tests here feed them what
//! proptest makes up, the targets under `fuzz/` what libFuzzer finds.
//!
//! The first byte says how the others come: in one piece, or so many at a time.

use upkeep_logs::{AnsiFilter, CaptureBuffer, Piece, Scanner};

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// The bytes, and as the pieces in which they come.
fn pieces(bytes: &[u8]) -> Option<(&[u8], std::slice::Chunks<'_, u8>)> {
    let (&size, data) = bytes.split_first()?;
    let size = if size == 0 { data.len().max(1) } else { usize::from(size) };
    Some((data, data.chunks(size)))
}

/// Sequences are removed alike however they come, no more than one byte is ever held back, and what passes is unchanged.
pub(crate) fn ansi(bytes: &[u8]) {
    let Some((data, pieces)) = pieces(bytes) else { return };
    let (mut filter, mut out, mut seen) = (AnsiFilter::default(), Vec::new(), 0);
    let passes = filter.passes(data);
    for piece in pieces {
        filter.feed(piece, &mut out);
        seen += piece.len();
        let so_far = without_sequences(&data[..seen]);
        assert!(so_far == out || so_far.split_last() == Some((&0x1b, &out)), "{so_far:?}, {out:?}");
    }
    filter.finish(&mut out);
    assert_eq!(out, without_sequences(data));
    assert_eq!(filter, AnsiFilter::default());
    assert!(!passes || out == data);
}

/// `ESC [` up to the first letter that ends a sequence, or to the end (PROC-150).
fn without_sequences(mut data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&first, rest)) = data.split_first() {
        if data.starts_with(b"\x1b[") {
            let end = data.iter().skip(2).position(|byte| b"HfABCDRsuJKhlpm".contains(byte));
            data = &data[end.map_or(data.len(), |end| end + 3)..];
        } else {
            out.push(first);
            data = rest;
        }
    }
    out
}

/// What a stream is, outside and inside of tags.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    log: Vec<u8>,
    /// Those that have ended.
    captures: Vec<Vec<u8>>,
    /// The one that has not.
    open: Vec<u8>,
}

impl Parts {
    fn add(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Log(data) => self.log.extend_from_slice(nonempty(data)),
            Piece::Inside(data) => self.open.extend_from_slice(nonempty(data)),
            Piece::End => self.captures.push(std::mem::take(&mut self.open)),
        }
    }
}

fn nonempty(data: &[u8]) -> &[u8] {
    assert!(!data.is_empty());
    data
}

/// Tags are found however they come, no byte is lost, and no more is held back than what may become a tag.
pub(crate) fn capture(bytes: &[u8]) {
    let Some((data, pieces)) = pieces(bytes) else { return };
    let (mut scanner, mut parts, mut seen) = (Scanner::default(), Parts::default(), 0);
    for piece in pieces {
        scanner.feed(piece, |piece| parts.add(piece));
        seen += piece.len();
        assert_eq!(parts, cut(&data[..seen], false), "after {seen} bytes");
    }
    scanner.finish(|piece| parts.add(piece));
    assert_eq!(parts, cut(data, true));
    assert_eq!(scanner, Scanner::default());
}

/// What has been given out of `data`. At the end, the beginning of a tag is log; in a capture it is lost with it.
fn cut(mut data: &[u8], ended: bool) -> Parts {
    let (mut parts, mut tags) = (Parts::default(), [BEGIN, END].iter().cycle());
    for inside in [false, true].into_iter().cycle() {
        let tag = tags.next().expect("two of them, again and again");
        let found = data.windows(tag.len()).position(|window| window == *tag);
        let held = if ended && !inside { 0 } else { beginning(data, tag) };
        let before = &data[..found.unwrap_or(data.len() - held)];
        let part = if inside { &mut parts.open } else { &mut parts.log };
        part.extend_from_slice(before);
        let Some(at) = found else { break };
        data = &data[at + tag.len()..];
        if inside {
            parts.captures.push(std::mem::take(&mut parts.open));
        }
    }
    parts
}

/// How many bytes at the end of `data` may become `tag`.
fn beginning(data: &[u8], tag: &[u8]) -> usize {
    (0..tag.len()).rev().find(|&length| data.ends_with(&tag[..length])).unwrap_or_default()
}

/// A capture holds the newest bytes, no more than its limit or the biggest piece (PROC-159).
pub(crate) fn buffer(bytes: &[u8]) {
    let Some((&limit, bytes)) = bytes.split_first() else { return };
    let Some((data, pieces)) = pieces(bytes) else { return };
    let mut buffer = CaptureBuffer::new(usize::from(limit));
    let most = pieces.clone().map(<[u8]>::len).max().unwrap_or_default().max(usize::from(limit));
    let (mut record, mut state) = (Vec::new(), Scanner::default());
    state.feed(BEGIN, |_| ());
    for piece in pieces {
        buffer.push(piece);
        // Not each time: what comes and goes between two looks need never be told.
        if piece.len() % 3 > 0 && buffer.has_news() {
            let (keep, data) = buffer.tell(state);
            record.truncate(keep);
            record.extend(data);
            let (scanner, mut second) = CaptureBuffer::going_on(usize::from(limit), &record);
            assert_eq!((scanner, second.take()), (state, buffer.clone().take()));
        }
    }
    let kept = buffer.take();
    assert!(kept.len() <= most && data.ends_with(&kept), "{kept:?} of {data:?}");
    assert_eq!(kept.is_empty(), data.is_empty());
    assert_eq!(buffer.take(), b"");
}
