//! Removal of ANSI control sequences, as `strip_ansi` does it.
//!
//! A sequence is `ESC [` up to the first of the letters that end one (PROC-150). Unlike the reference, a sequence cut
//! by a read is removed too (D-14).

use crate::find::through;

const ESC: u8 = 0x1b;
const ENDS: &[u8] = b"HfABCDRsuJKhlpm";

/// Removes ANSI sequences from one stream, chunk by chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnsiFilter {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// The last chunk ended with an ESC that has not been passed on.
    Escape,
    /// Inside a sequence.
    Sequence,
}

impl AnsiFilter {
    /// Appends `data` without its sequences to `out`. An ESC at the very end is held back until the next call.
    pub fn feed(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        while !data.is_empty() {
            data = match self.state {
                State::Text => self.text(data, out),
                State::Escape => self.escape(data, out),
                State::Sequence => self.sequence(data),
            };
        }
    }

    /// Whether `data` would pass unchanged.
    #[must_use]
    pub fn passes(&self, data: &[u8]) -> bool {
        self.state == State::Text && !data.contains(&ESC)
    }

    /// The end of the stream: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Escape {
            out.push(ESC);
        }
        self.state = State::Text;
    }

    fn text<'a>(&mut self, data: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let (text, rest) = data.split_at(through(data, ESC));
        let Some((_, text)) = text.split_last().filter(|(last, _)| **last == ESC) else {
            out.extend_from_slice(text);
            return rest;
        };
        out.extend_from_slice(text);
        self.state = State::Escape;
        rest
    }

    fn escape<'a>(&mut self, data: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if data[0] == b'[' {
            self.state = State::Sequence;
            return &data[1..];
        }
        out.push(ESC);
        self.state = State::Text;
        data
    }

    fn sequence<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let Some(at) = data.iter().position(|byte| ENDS.contains(byte)) else { return &[] };
        self.state = State::Text;
        &data[at + 1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut filter, mut out) = (AnsiFilter::default(), Vec::new());
        for chunk in chunks {
            filter.feed(chunk, &mut out);
        }
        filter.finish(&mut out);
        out
    }

    #[test]
    fn removes_sequences_proc_150() {
        let rows: &[(&[u8], &[u8])] = &[
            (b"plain", b"plain"),
            (b"\x1b[31mred\x1b[0m", b"red"),
            (b"a\x1b[2Jb\x1b[1;2Hc", b"abc"),
            (b"\x1b[?25lx\x1b[?25h", b"x"),
            (b"an ESC alone \x1b stays", b"an ESC alone \x1b stays"),
            (b"\x1b\x1b[1mx", b"\x1bx"),
            (b"\x1b]0;title\x07", b"\x1b]0;title\x07"),
            (b"unfinished \x1b[12 eats to the first ending: h", b"unfinished  to the first ending: h"),
            (b"at the end \x1b[1;", b"at the end "),
            (b"at the end \x1b", b"at the end \x1b"),
            (b"\xff\xfe\x1b[mraw\xc3", b"\xff\xferaw\xc3"),
        ];
        for (given, expected) in rows {
            let found = strip(&[given]);
            assert_eq!(found.as_slice(), *expected, "{:?}", String::from_utf8_lossy(given));
        }
    }

    #[test]
    fn removes_a_sequence_cut_anywhere_d_14() {
        let text = b"a\x1b[1;31mb\x1b[0mc\x1bd";
        for cut in 0..=text.len() {
            assert_eq!(strip(&[&text[..cut], &text[cut..]]), b"abc\x1bd", "cut at {cut}");
        }
    }
}
