//! A stream that is looked at line by line: formatted, limited, forwarded.
//!
//! One line of a child is one line of the log, however it comes. The beginning of a line waits for its end; meanwhile somebody
//! outside is told of it ([`LogEvent::Begun`](super::LogEvent::Begun)), so that the next thread can go on with it.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use super::rate::{Bucket, Rate};
use crate::find::through;
use crate::forward::{Destination, Forwarder, Message};
use crate::zone::local_zone;

/// Longest line. A longer one comes in pieces, each as a line of its own.
const LONGEST: usize = 64 * 1024;
/// How the time of a line is written.
const STAMP: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";

/// What a line looks like in the log file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineFormat {
    /// As it came.
    #[default]
    Raw,
    /// Behind the time at which its end was read.
    Timestamps,
    /// A JSON object.
    Json,
}

/// Who writes a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Name of its group.
    pub group: String,
    /// Name of the process.
    pub process: String,
    /// Whether it is standard error.
    pub is_stderr: bool,
    /// The pid; 0 while it is not known.
    pub pid: u32,
}

impl Origin {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn channel(&self) -> &'static str {
        if self.is_stderr { "stderr" } else { "stdout" }
    }
}

/// What happens to each line of a stream.
#[derive(Debug, Default)]
pub struct LineRules {
    /// What it looks like in the log file.
    pub format: LineFormat,
    /// How many may come; what is over it is dropped and counted.
    pub rate: Option<Rate>,
    /// Where it is sent besides.
    pub forward: Vec<Destination>,
    /// Who writes it.
    pub origin: Origin,
    /// What an earlier thread told of this stream by [`LogEvent::Begun`](super::LogEvent::Begun), put together.
    pub begun: Vec<u8>,
}

/// A stream in lines.
pub(super) struct Lines {
    format: LineFormat,
    origin: Arc<Origin>,
    pub(super) rate: Option<Bucket>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// How much of `begun` has been told; `None` if what was told last is another line's.
    told: Option<usize>,
    /// What stands before a line's text: made once for all lines that are read together.
    head: Vec<u8>,
    /// Lines for the log file.
    pub(super) text: Vec<u8>,
    /// Lines as they came, for others.
    pub(super) plain: Vec<u8>,
    /// Whether anybody wants those.
    wants_plain: bool,
    forwarders: Vec<Arc<Forwarder>>,
    /// Lines for those.
    messages: Vec<Arc<Message>>,
    /// When what is taken was read.
    at: SystemTime,
}

impl Lines {
    pub(super) fn new(rules: LineRules, wants_plain: bool, forwarders: Vec<Arc<Forwarder>>) -> Self {
        let LineRules { format, rate, origin, begun, forward: _ } = rules;
        let (origin, at) = (Arc::new(origin), SystemTime::now());
        let told = Some(begun.len());
        let rate = rate.map(Bucket::new);
        let (head, text, plain) = (Vec::new(), Vec::new(), Vec::new());
        let messages = Vec::new();
        Self { format, origin, rate, begun, told, head, text, plain, wants_plain, forwarders, messages, at }
    }

    /// Whole lines are in `text` and `plain` afterwards.
    pub(super) fn take(&mut self, data: &[u8]) {
        self.begin();
        let mut rest = data;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(through(rest, b'\n'));
            rest = after;
            match part.strip_suffix(b"\n") {
                Some(line) if self.begun.is_empty() && line.len() <= LONGEST => self.give(line, false),
                Some(end) => {
                    self.keep(end);
                    self.end_line(false);
                }
                None => self.keep(part),
            }
        }
    }

    /// The child has ended: so has its last line.
    pub(super) fn finish(&mut self) {
        if !self.begun.is_empty() {
            self.begin();
            self.end_line(false);
        }
        if let Some(rate) = &mut self.rate {
            rate.end_episode();
        }
    }

    /// Leaves the line that has begun to somebody else, who is told of it or goes on with it.
    pub(super) fn hand_over(&mut self) -> Vec<u8> {
        self.told = Some(0);
        std::mem::take(&mut self.begun)
    }

    /// Sends on what has been taken.
    pub(super) fn forward(&mut self) {
        if !self.messages.is_empty() {
            self.forwarders.iter().for_each(|forwarder| forwarder.send(&self.messages));
            self.messages = Vec::new();
        }
    }

    /// What is kept of the room that the last lines needed.
    pub(super) fn tidy(&mut self) {
        for room in [&mut self.text, &mut self.plain] {
            room.clear();
            room.shrink_to(super::stream::SCRATCH);
        }
    }

    fn keep(&mut self, mut data: &[u8]) {
        while self.begun.len() + data.len() > LONGEST {
            let room = LONGEST - self.begun.len();
            let (piece, rest) = data.split_at(room);
            self.begun.extend_from_slice(piece);
            let cut = whole_characters(&self.begun);
            let left = self.begun.split_off(cut);
            self.end_line(true);
            self.begun = left;
            data = rest;
        }
        self.begun.extend_from_slice(data);
    }

    fn end_line(&mut self, is_piece: bool) {
        let mut line = std::mem::take(&mut self.begun);
        self.give(&line, is_piece);
        line.clear();
        line.shrink_to(super::stream::SCRATCH);
        self.begun = line;
        self.told = None;
    }

    fn give(&mut self, line: &[u8], is_piece: bool) {
        if self.rate.as_mut().is_some_and(|rate| !rate.admits(line.len() + 1)) {
            return;
        }
        match self.format {
            LineFormat::Raw => {
                self.text.extend_from_slice(line);
                self.text.push(b'\n');
            }
            LineFormat::Timestamps => {
                self.text.extend_from_slice(&self.head);
                self.text.extend_from_slice(line);
                self.text.push(b'\n');
            }
            LineFormat::Json => self.give_json(line, is_piece),
        }
        if self.wants_plain {
            self.plain.extend_from_slice(line);
            self.plain.push(b'\n');
        }
        if !self.forwarders.is_empty() && !line.is_empty() {
            let text = line.strip_suffix(b"\r").unwrap_or(line).into();
            self.messages.push(Arc::new(Message { at: self.at, origin: Arc::clone(&self.origin), text }));
        }
    }

    fn give_json(&mut self, line: &[u8], is_piece: bool) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.text.extend_from_slice(&self.head);
        json_text(&String::from_utf8_lossy(line), &mut self.text);
        self.text.extend_from_slice(if is_piece { b",\"partial\":true}\n" } else { b"}\n" });
    }

    /// Looks at the clock, once for what is read together.
    fn begin(&mut self) {
        if let Some(rate) = &mut self.rate {
            rate.refill();
        }
        self.head.clear();
        if !self.forwarders.is_empty() {
            self.at = SystemTime::now();
        }
        if self.format == LineFormat::Raw {
            return;
        }
        let stamp = Timestamp::now().to_zoned(local_zone()).strftime(STAMP).to_string();
        match self.format {
            LineFormat::Raw => {}
            LineFormat::Timestamps => self.head.extend_from_slice(format!("{stamp} ").as_bytes()),
            LineFormat::Json => {
                let Origin { group, process, pid, .. } = &*self.origin;
                self.head.extend_from_slice(b"{\"time\":\"");
                self.head.extend_from_slice(stamp.as_bytes());
                self.head.extend_from_slice(b"\",\"group\":");
                json_text(group, &mut self.head);
                self.head.extend_from_slice(b",\"process\":");
                json_text(process, &mut self.head);
                let channel = self.origin.channel();
                let rest = format!(",\"channel\":\"{channel}\",\"pid\":{pid},\"message\":");
                self.head.extend_from_slice(rest.as_bytes());
            }
        }
    }

    /// What has changed about the line that has begun since this was last asked: so many bytes of what was told still stand, and
    /// what comes behind them. `None` if nothing has.
    pub(super) fn news(&mut self) -> Option<(usize, Vec<u8>)> {
        if self.told == Some(self.begun.len()) {
            return None;
        }
        let keep = self.told.unwrap_or(0);
        self.told = Some(self.begun.len());
        Some((keep, self.begun[keep..].to_vec()))
    }

    /// Whoever was told has forgotten it.
    pub(super) fn tell_again(&mut self) {
        self.told = if self.begun.is_empty() { Some(0) } else { None };
    }
}

/// How many bytes end with a whole character, if they are UTF-8.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let lead = bytes[tail..].iter().rposition(|byte| byte & 0xC0 != 0x80).map(|at| tail + at);
    match lead {
        Some(at) if bytes[at] >= 0xC0 && std::str::from_utf8(&bytes[at..]).is_err() => at,
        _ => bytes.len(),
    }
}

/// A text as JSON has it.
fn json_text(text: &str, out: &mut Vec<u8>) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::super::rate::Unit;
    use super::*;

    fn lines(format: LineFormat) -> Lines {
        let origin = Origin { group: "g".into(), process: "p\"q".into(), is_stderr: true, pid: 7 };
        Lines::new(LineRules { format, origin, ..LineRules::default() }, true, Vec::new())
    }

    /// The text without the times, which all have the same length.
    fn untimed(text: &[u8], at: usize) -> String {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let untime = |line: &str| {
            let (time, rest) = line.split_at(at + 29);
            assert!(time[at..].parse::<Timestamp>().is_ok(), "{line}");
            format!("{}{rest}\n", &time[..at])
        };
        text.lines().map(untime).collect()
    }

    #[test]
    fn one_line_is_one_line_however_it_comes() {
        for cut in 0..12 {
            let mut lines = lines(LineFormat::Timestamps);
            let (first, second) = b"one\n\ntwo\nth".split_at(cut);
            lines.take(first);
            lines.take(second);
            assert_eq!(
                (untimed(&lines.text, 0).as_str(), &lines.plain[..]),
                (" one\n \n two\n", &b"one\n\ntwo\n"[..])
            );
            lines.finish();
            assert_eq!(&lines.plain[9..], b"th\n");
        }
    }

    #[test]
    fn json_says_who_and_what() {
        let mut lines = lines(LineFormat::Json);
        lines.take(b"a \"quote\", a \\ and \t\x01\r\n\xff\xe4\xb8\xad\n");
        let head = "{\"time\":\"\",\"group\":\"g\",\"process\":\"p\\\"q\",\"channel\":\"stderr\",\"pid\":7,\"message\":";
        let expected =
            format!("{head}\"a \\\"quote\\\", a \\\\ and \\t\\u0001\"}}\n{head}\"\u{fffd}\u{4e2d}\"}}\n");
        assert_eq!(untimed(&lines.text, 9), expected);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces_of_whole_characters() {
        let mut lines = lines(LineFormat::Json);
        let text = "\u{4e2d}".repeat(LONGEST);
        for part in text.as_bytes().chunks(1000) {
            lines.take(part);
            assert!(lines.begun.len() <= LONGEST);
        }
        lines.take(b"\n");
        let found = String::from_utf8(lines.text.clone()).unwrap();
        let pieces: Vec<serde_json::Value> =
            found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let whole: String = pieces.iter().map(|piece| piece["message"].as_str().unwrap()).collect();
        assert!(whole == text);
        let partial: Vec<bool> = pieces.iter().map(|piece| piece["partial"] == true).collect();
        assert_eq!(partial, [true, true, true, false]);
    }

    #[test]
    fn what_has_begun_is_told_and_gone_on_with() {
        let mut first = lines(LineFormat::Raw);
        let mut held = Vec::new();
        for (data, told) in
            [(&b"on"[..], Some((0, "on"))), (b"e", Some((2, "e"))), (b"", None), (b"\ntw", Some((0, "tw")))]
        {
            first.take(data);
            let news = first.news();
            if let Some((keep, data)) = &news {
                held.truncate(*keep);
                held.extend_from_slice(data);
            }
            assert_eq!(news, told.map(|(keep, text)| (keep, text.as_bytes().to_vec())));
        }
        let rules = LineRules { begun: held, ..LineRules::default() };
        let mut second = Lines::new(rules, false, Vec::new());
        assert_eq!(second.news(), None);
        second.take(b"o\n");
        assert_eq!(second.news(), Some((0, Vec::new())));
        assert_eq!(second.text, b"two\n");
        first.tell_again();
        assert_eq!(first.news(), Some((0, b"tw".to_vec())));
        first.finish();
        assert_eq!(first.news(), Some((0, Vec::new())));
    }

    #[test]
    fn what_is_over_the_limit_is_not_there() {
        let rate = Some(Rate { unit: Unit::Lines, a_second: 1, burst: 2 });
        let mut lines = Lines::new(LineRules { rate, ..LineRules::default() }, true, Vec::new());
        lines.take(b"one\ntwo\nthree\nfour\n");
        assert_eq!((&lines.text[..], &lines.plain[..]), (&b"one\ntwo\n"[..], &b"one\ntwo\n"[..]));
    }
}
