//! The daemon's own log: its lines, their times, and the queue before them.
//!
//! Owns the line format `YYYY-MM-DD HH:MM:SS,mmm LEVL MESSAGE` (PROC-165), which scripts parse. Where a line goes is the
//! log thread's business.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::file::RotatingFile;
use crate::level::Level;
use crate::zone::local_zone;

/// Bytes of lines that may be queued before lines are dropped.
const QUEUE_LIMIT: usize = 4 << 20;
/// What a queued line costs besides its text.
const LINE_COST: usize = 64;

/// Where the daemon's own lines go.
#[derive(Debug)]
pub struct Journal {
    /// Lines below this are not logged.
    pub level: Level,
    /// `[supervisord] logfile`, open.
    pub file: Option<RotatingFile>,
    /// `logfile=syslog`: the ident of the messages, which hold the whole line with its time (PROC-171).
    pub syslog: Option<String>,
    /// Also to standard output: in the foreground, unless `silent` (PROC-168).
    pub stdout: bool,
}

/// A line that is not written yet.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: SystemTime,
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// The account of what is queued, shared by those who log and the thread that writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicUsize,
    dropped: AtomicU64,
    unwritten: Mutex<VecDeque<Unwritten>>,
}

/// A line of the daemon's own log that may not be in the file yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// When it was logged.
    pub at: SystemTime,
    /// How grave it is.
    pub level: Level,
    /// Without time and level.
    pub text: String,
}

impl Unwritten {
    /// Those of `lines` that are not in the last 64 KiB of the log at `path`. All of them if that cannot be read; none if
    /// it is no file, for there nobody can tell.
    #[must_use]
    pub fn missing(lines: Vec<Self>, path: &Path) -> Vec<Self> {
        const TAIL: u64 = 64 << 10;
        let Ok(mut file) = File::open(path) else { return lines };
        let about = file.metadata();
        if about.as_ref().is_ok_and(|about| !about.is_file()) {
            return Vec::new();
        }
        let start = about.map_or(0, |about| about.len().saturating_sub(TAIL));
        let mut tail = Vec::new();
        if file.seek(SeekFrom::Start(start)).and_then(|_| file.read_to_end(&mut tail)).is_err() {
            return lines;
        }
        let tail = String::from_utf8_lossy(&tail);
        let mut formatter = Formatter::default();
        let is_missing = |line: &Self| !tail.contains(formatter.line(line.at, line.level, &line.text));
        lines.into_iter().filter(is_missing).collect()
    }
}

impl Queue {
    /// A line is on its way.
    pub(crate) fn enter(&self, line: &Line) {
        let Line { at, level, text } = line;
        let unwritten = Unwritten { at: *at, level: *level, text: text.clone() };
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner).push_back(unwritten);
    }

    /// What may not be in the file yet: the newest of it, at most about so many bytes.
    pub(crate) fn unwritten(&self, most: usize) -> Vec<Unwritten> {
        let all = self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = most;
        let fits = |line: &&Unwritten| {
            room = room.saturating_sub(line.text.len() + LINE_COST);
            room > 0
        };
        let mut newest: Vec<Unwritten> = all.iter().rev().take_while(fits).cloned().collect();
        newest.reverse();
        newest
    }

    /// Whether a line of this length may be queued; if not, it is counted as dropped.
    pub(crate) fn admit(&self, length: usize) -> bool {
        let cost = length + LINE_COST;
        if self.0.bytes.fetch_add(cost, Ordering::Relaxed) + cost <= QUEUE_LIMIT {
            return true;
        }
        self.0.bytes.fetch_sub(cost, Ordering::Relaxed);
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// A line has left the queue. Returns how many were dropped since the last time, if the queue is empty enough to
    /// say so.
    pub(crate) fn leave(&self, length: usize) -> u64 {
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let cost = length + LINE_COST;
        if self.0.bytes.fetch_sub(cost, Ordering::Relaxed) > QUEUE_LIMIT / 2 {
            return 0;
        }
        self.0.dropped.swap(0, Ordering::Relaxed)
    }
}

/// Turns a line into text.
#[derive(Debug)]
pub(crate) struct Formatter {
    clock: Clock,
    text: String,
}

impl Default for Formatter {
    fn default() -> Self {
        Self { clock: Clock::new("%Y-%m-%d %H:%M:%S"), text: String::new() }
    }
}

impl Formatter {
    /// The line with its newline.
    pub(crate) fn line(&mut self, at: SystemTime, level: Level, text: &str) -> &str {
        let millis = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).subsec_millis();
        self.text.clear();
        let second = self.clock.text(at);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{second},{millis:03} {level} {text}");
        &self.text
    }
}

/// The local time as text, made once a second.
#[derive(Debug)]
pub(crate) struct Clock {
    format: &'static str,
    second: u64,
    text: String,
}

impl Clock {
    fn new(format: &'static str) -> Self {
        Self { format, second: u64::MAX, text: String::new() }
    }

    /// The time as RFC 3164 has it: `Feb  5 17:32:18`.
    pub(crate) fn syslog() -> Self {
        Self::new("%b %e %H:%M:%S")
    }

    pub(crate) fn text(&mut self, at: SystemTime) -> &str {
        let second = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second {
            let time = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(local_zone());
            self.text = time.strftime(self.format).to_string();
            self.second = second;
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_lines_as_scripts_expect_them_proc_165() {
        let mut formatter = Formatter::default();
        let second = 1_700_000_000_000_000_000;
        let zone = local_zone();
        let expected = |seconds: i64| {
            Timestamp::from_second(seconds).unwrap().to_zoned(zone.clone()).strftime("%F %T").to_string()
        };
        let rows = [
            (second, Level::Info, "one", format!("{},000 INFO one\n", expected(1_700_000_000))),
            (second + 7_999_999, Level::Warn, "two", format!("{},007 WARN two\n", expected(1_700_000_000))),
            (
                second + 1_999_000_000,
                Level::Critical,
                "a\nb",
                format!("{},999 CRIT a\nb\n", expected(1_700_000_001)),
            ),
        ];
        for (nanos, level, text, wanted) in rows {
            let at = UNIX_EPOCH + Duration::from_nanos(nanos);
            assert_eq!(formatter.line(at, level, text), wanted);
        }
    }

    #[test]
    fn what_is_not_in_the_file_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let line = |text: &str| Unwritten { at, level: Level::Info, text: text.to_owned() };
        assert_eq!(Unwritten::missing(vec![line("is there")], &path), [line("is there")], "there is no file");
        std::fs::write(&path, Formatter::default().line(at, Level::Info, "is there")).unwrap();
        let other = Unwritten { at: at + Duration::from_millis(1), ..line("is there") };
        let given = vec![line("is there"), line("is not"), other.clone()];
        assert_eq!(Unwritten::missing(given, &path), [line("is not"), other], "another time, another line");
        assert_eq!(Unwritten::missing(vec![line("is not")], Path::new("/dev/null")), []);
    }

    #[test]
    fn lines_are_unwritten_until_they_leave() {
        let queue = Queue::default();
        let texts = |most| queue.unwritten(most).into_iter().map(|line| line.text).collect::<Vec<_>>();
        for text in ["one", "two"] {
            assert!(queue.admit(text.len()));
            queue.enter(&Line { at: UNIX_EPOCH, level: Level::Info, text: text.to_owned() });
        }
        assert_eq!(texts(1000), ["one", "two"]);
        assert_eq!(texts(LINE_COST + 10), ["two"], "the newest");
        queue.leave(3);
        assert_eq!(texts(1000), ["two"]);
    }

    #[test]
    fn a_full_queue_drops_and_says_so_when_it_is_half_empty() {
        let queue = Queue::default();
        let length = QUEUE_LIMIT / 4 - LINE_COST;
        for _ in 0..4 {
            assert!(queue.admit(length));
        }
        assert!(!queue.admit(0));
        assert!(!queue.admit(length));
        assert_eq!(queue.leave(length), 0, "still three quarters full");
        assert_eq!(queue.leave(length), 0, "was above the half");
        assert_eq!(queue.leave(length), 2);
        assert_eq!(queue.leave(length), 0, "said once");
    }
}
