//! When to let bytes gather before looking again.
//!
//! A child that writes each line by itself, a hundred thousand a second, would wake the log thread as often. Waking
//! less often costs a fraction of the processor time, and a line is never later than [`LONGEST`]. At rest, and with
//! nothing but rare lines, nothing changes: they are handled at once.

use std::time::{Duration, Instant};

/// Longest rest.
const LONGEST: Duration = Duration::from_millis(1);
/// Shortest rest worth a system call: timers come 50 microseconds late, so a shorter one would be as long.
const SHORTEST: Duration = Duration::from_micros(100);
/// How much should gather: half of what fits into a pipe, so that no writer has to wait for us.
const GATHERED: u128 = 32 * 1024;
/// So much in a turn may be a pipe that was full. Its writer has waited already, and what looks like its pace is ours: resting
/// half as long as it took would keep it at half its speed for ever.
pub(super) const NEARLY_FULL: usize = 48 * 1024;

/// Measures how fast bytes come.
#[derive(Debug)]
pub(super) struct Pace {
    last: Instant,
    bytes: usize,
    hurry: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, bytes: 0, hurry: false }
    }

    /// So many bytes were read; `hurry` if somebody waits for an answer to them.
    pub(super) fn read(&mut self, bytes: usize, hurry: bool) {
        self.bytes += bytes;
        self.hurry |= hurry;
    }

    /// How long to rest after the turn that ends now: as long as [`GATHERED`] bytes take to come; `None` after a turn
    /// without bytes, the first turn after a pause, or when they come faster than resting could help.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Duration> {
        let since = now.duration_since(self.last);
        let (bytes, hurry) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.hurry));
        self.last = now;
        if bytes == 0 || bytes >= NEARLY_FULL || hurry || since > LONGEST * 2 {
            return None;
        }
        let nanos = since.as_nanos() * GATHERED / bytes as u128;
        let rest = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(LONGEST);
        (rest >= SHORTEST).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_only_while_small_pieces_come_fast() {
        let micros = Duration::from_micros;
        let rows = [
            ("the first after a pause", 10_000, 100, false, None),
            ("nothing read", 10, 0, false, None),
            ("a line every 5 us", 5, 100, false, Some(LONGEST)),
            ("100 MB/s in small pieces", 5, 500, false, Some(micros(327))),
            ("800 MB/s", 10, 8192, false, None),
            ("400 MB/s", 40, 16_384, false, None),
            ("300 MB/s", 120, 36_000, false, Some(micros(109))),
            ("a full pipe", 80, 65_536, false, None),
            ("a full pipe after a rest", 300, 65_500, false, None),
            ("a pipe with a gap at the end of each page", 200, 16 * 4000, false, None),
            ("somebody waits", 5, 100, true, None),
            ("after a rest", 1_100, 5_000, false, Some(LONGEST)),
        ];
        for (what, since, bytes, hurry, expected) in rows {
            let start = Instant::now();
            let mut pace = Pace::new(start);
            pace.read(bytes, hurry);
            let found = pace.rest(start + micros(since));
            assert_eq!(found.map(|rest| rest.as_micros()), expected.map(|rest| rest.as_micros()), "{what}");
        }
    }
}
