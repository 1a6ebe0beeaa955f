//! What one listener says on its standard output, byte by byte (EVT-060 … EVT-073).

use std::fmt;

/// What a listener says when it wants an event.
const READY: &[u8] = b"READY\n";
/// Bytes before the length in a result line; what they are is not looked at (EVT-065).
const RESULT_WORD: usize = b"RESULT ".len();
/// The result that means the event is done (EVT-070).
const OK: &[u8] = b"OK";
/// Longest result line that is waited for, in bytes. The original has no limit.
const LINE_LIMIT: usize = 4096;

/// Where a listener stands with its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerState {
    /// It waits for an event.
    Ready,
    /// It has an event.
    Busy,
    /// It lives, or has given a result, and has not said READY since.
    Acknowledged,
    /// It broke the protocol: it gets no events until its process starts anew.
    Unknown,
}

impl ListenerState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Busy, Self::Acknowledged, Self::Unknown];

    /// Supervisor's number for it.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Ready => 10,
            Self::Busy => 20,
            Self::Acknowledged => 30,
            Self::Unknown => 40,
        }
    }

    /// Its name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The state of this number.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

impl fmt::Display for ListenerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the bytes meant, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It asked for an event.
    Ready,
    /// It gave its result: whether the event is done.
    Result { done: bool },
    /// Its result line has no length: the event is not done, and it gets no more.
    BadLine(Vec<u8>),
    /// It said what it must not say now.
    Violation,
}

/// One listener's half-read words. Holds at most a result line, however much it says.
#[derive(Clone, Debug)]
pub(super) struct Protocol {
    pub(super) state: ListenerState,
    pending: Vec<u8>,
    result: Option<Gathered>,
}

/// The beginning of a word of which the rest is still to come: for who goes on listening in the middle of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HalfRead {
    /// Of READY, or of a result line.
    pub line: Vec<u8>,
    /// Of a result: how many bytes are missing, and the first of those that have come.
    pub result: Option<(u64, Vec<u8>)>,
}

/// A result of which some bytes are still to come.
#[derive(Clone, Debug)]
struct Gathered {
    missing: u64,
    /// As many bytes as it takes to tell it from OK.
    head: Vec<u8>,
}

impl Protocol {
    /// A listener that was just started, or one taken over in this state.
    pub(super) fn new(state: ListenerState) -> Self {
        Self { state, pending: Vec::new(), result: None }
    }

    /// One that was taken over in the middle of a word. What cannot be is left out.
    pub(super) fn going_on(state: ListenerState, half: HalfRead) -> Self {
        let limit = match state {
            ListenerState::Acknowledged => READY.len() - 1,
            ListenerState::Busy => LINE_LIMIT,
            ListenerState::Ready | ListenerState::Unknown => 0,
        };
        let HalfRead { line, result } = half;
        let result = result.filter(|(missing, _)| state == ListenerState::Busy && *missing > 0);
        Self {
            pending: if line.len() <= limit { line } else { Vec::new() },
            result: result.map(|(missing, head)| Gathered { missing, head }),
            ..Self::new(state)
        }
    }

    /// What [`Self::going_on`] needs to know.
    pub(super) fn half_read(&self) -> HalfRead {
        let result = self.result.as_ref().map(|result| (result.missing, result.head.clone()));
        HalfRead { line: self.pending.clone(), result }
    }

    /// It was given an event.
    pub(super) fn given(&mut self) {
        self.state = ListenerState::Busy;
        self.result = None;
    }

    /// Takes what it said. `self.state` is the one after all steps; each step says which change it was.
    pub(super) fn feed(&mut self, mut data: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        // Bytes of a result are counted, not kept: it may be of any length.
        while !data.is_empty() {
            let taken = match self.state {
                ListenerState::Unknown => return steps,
                ListenerState::Ready => self.violated(&mut steps),
                ListenerState::Acknowledged => self.expect_ready(data, &mut steps),
                ListenerState::Busy if self.result.is_some() => self.gather(data, &mut steps),
                ListenerState::Busy => self.expect_line(data, &mut steps),
            };
            data = &data[taken.min(data.len())..];
        }
        steps
    }

    fn violated(&mut self, steps: &mut Vec<Step>) -> usize {
        self.break_off();
        steps.push(Step::Violation);
        usize::MAX
    }

    fn break_off(&mut self) {
        *self = Self::new(ListenerState::Unknown);
    }

    fn expect_ready(&mut self, data: &[u8], steps: &mut Vec<Step>) -> usize {
        let taken = data.len().min(READY.len() - self.pending.len());
        self.pending.extend_from_slice(&data[..taken]);
        if self.pending.len() < READY.len() {
            return taken;
        }
        if self.pending != READY {
            return self.violated(steps);
        }
        *self = Self::new(ListenerState::Ready);
        steps.push(Step::Ready);
        taken
    }

    fn expect_line(&mut self, data: &[u8], steps: &mut Vec<Step>) -> usize {
        let end = data.iter().position(|&byte| byte == b'\n');
        let part = &data[..end.unwrap_or(data.len())];
        // A byte more than there may be shows that there are too many.
        let room = LINE_LIMIT + 1 - self.pending.len();
        self.pending.extend_from_slice(&part[..part.len().min(room)]);
        if self.pending.len() > LINE_LIMIT {
            return self.bad_line(steps);
        }
        let Some(end) = end else { return data.len() };
        match result_length(&self.pending) {
            None => self.bad_line(steps),
            Some(missing) => {
                self.pending.clear();
                self.result = Some(Gathered { missing, head: Vec::new() });
                self.judge(steps);
                end + 1
            }
        }
    }

    fn bad_line(&mut self, steps: &mut Vec<Step>) -> usize {
        steps.push(Step::BadLine(std::mem::take(&mut self.pending)));
        self.break_off();
        usize::MAX
    }

    fn gather(&mut self, data: &[u8], steps: &mut Vec<Step>) -> usize {
        let Some(result) = &mut self.result else { return data.len() };
        let taken = usize::try_from(result.missing).unwrap_or(usize::MAX).min(data.len());
        let room = (OK.len() + 1).saturating_sub(result.head.len());
        result.head.extend_from_slice(&data[..taken.min(room)]);
        result.missing = result.missing.saturating_sub(taken as u64);
        self.judge(steps);
        taken
    }

    /// Gives the result once it is whole.
    fn judge(&mut self, steps: &mut Vec<Step>) {
        let Some(result) = self.result.take_if(|result| result.missing == 0) else { return };
        *self = Self::new(ListenerState::Acknowledged);
        steps.push(Step::Result { done: result.head == OK });
    }
}

/// The length in a result line, read as the original reads numbers: blanks around it, a plus sign and single
/// underscores between digits are fine. A negative one is none (D-16).
fn result_length(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line.get(RESULT_WORD..)?).ok()?.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let digits = if digits.starts_with('-') && digits[1..].bytes().all(|byte| byte == b'0') {
        &digits[1..]
    } else {
        digits
    };
    let shaped = !digits.is_empty()
        && !digits.starts_with('_')
        && !digits.ends_with('_')
        && !digits.contains("__")
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    shaped.then(|| digits.replace('_', "").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_the_original_reads_them_evt_065_evt_066_evt_068_d_16() {
        let rows = [
            ("RESULT 2", Some(2)),
            ("whatever2", None),
            ("whateve2", Some(2)),
            ("RESULT  2 ", Some(2)),
            ("RESULT 2\r", Some(2)),
            ("RESULT +2", Some(2)),
            ("RESULT 1_0", Some(10)),
            ("RESULT 1__0", None),
            ("RESULT _1", None),
            ("RESULT 0", Some(0)),
            ("RESULT -0", Some(0)),
            ("RESULT -1", None),
            ("RESULT ", None),
            ("RESULT", None),
            ("", None),
            ("RESULT x", None),
            ("RESULT 99999999999999999999", None),
        ];
        for (line, expected) in rows {
            assert_eq!(result_length(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_waited_for() {
        let mut listener = Protocol::new(ListenerState::Busy);
        for _ in 0..LINE_LIMIT {
            assert_eq!(listener.feed(b"x"), []);
        }
        let cut = vec![b'x'; LINE_LIMIT + 1];
        assert_eq!(listener.feed(b"xx"), [Step::BadLine(cut.clone())]);
        assert_eq!(listener.state, ListenerState::Unknown);
        // One that is too long is bad whole, too.
        let line = [vec![b'x'; LINE_LIMIT], b" 2\nOK".to_vec()].concat();
        let mut listener = Protocol::new(ListenerState::Busy);
        assert!(matches!(listener.feed(&line).as_slice(), [Step::BadLine(_)]));
    }

    #[test]
    fn a_long_result_is_counted_not_kept() {
        let mut listener = Protocol::new(ListenerState::Busy);
        listener.feed(b"RESULT 1000000\n");
        for _ in 0..9 {
            assert_eq!(listener.feed(&[b'O'; 100_000]), []);
            assert!(listener.result.as_ref().is_some_and(|result| result.head.len() <= 3));
        }
        assert_eq!(listener.feed(&[b'O'; 100_000]), [Step::Result { done: false }]);
        assert_eq!(listener.feed(READY), [Step::Ready]);
    }
}
