//! When to let bytes gather before looking again.
//!
//! A child that writes each line by itself, a hundred thousand a second, would wake the log thread as often. Waking
//! less often costs a fraction of the processor time, and a line is never later than [`LONGEST`]. At rest, and with
//! nothing but rare lines, nothing changes: they are handled at once.

use std::time::{Duration, Instant};

/// Longest rest.
const LONGEST: Duration = Duration::from_millis(1);
/// Shortest rest worth a system call: timers come 50 microseconds late, so a shorter one would be as long. Nor does less
/// time than this tell how fast bytes come: a turn that found one line as it was written would take it for the pace.
const SHORTEST: Duration = Duration::from_micros(100);
/// How much should gather: with what comes until a late timer fires, half of what fits into a pipe, so that no writer has to
/// wait for us.
const GATHERED: u128 = 24 * 1024;
/// So much from one pipe may be all that fits into it. Its writer has waited already, and what looks like its pace is ours:
/// going by that would keep it at half its speed for ever. So the rest is halved until it is none.
pub(super) const NEARLY_FULL: usize = 48 * 1024;

/// Measures how fast bytes come.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the measuring began.
    since: Instant,
    /// The most that one stream brought, summed over the turns since then.
    bytes: usize,
    turn: Turn,
    /// The last rest.
    rest: Duration,
}

/// What came in one turn.
#[derive(Debug, Default)]
struct Turn {
    bytes: usize,
    hurry: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, turn: Turn::default(), rest: Duration::ZERO }
    }

    /// So many bytes were read from one stream; `hurry` if somebody waits for an answer to them.
    pub(super) fn read(&mut self, bytes: usize, hurry: bool) {
        self.turn.bytes = self.turn.bytes.max(bytes);
        self.turn.hurry |= hurry;
    }

    /// How long to rest after the turn that ends now: as long as [`GATHERED`] bytes of the fastest stream take to come;
    /// `None` after a turn without bytes, the first turn after a pause, or when they come faster than resting could help.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Duration> {
        self.rest = self.measure(now);
        (self.rest >= SHORTEST).then_some(self.rest)
    }

    fn measure(&mut self, now: Instant) -> Duration {
        let Turn { bytes, hurry } = std::mem::take(&mut self.turn);
        self.bytes += bytes;
        let since = now.duration_since(self.since);
        if bytes < NEARLY_FULL && since < SHORTEST {
            return Duration::ZERO;
        }
        let all = std::mem::take(&mut self.bytes);
        self.since = now;
        if bytes == 0 || hurry || since > LONGEST * 2 {
            return Duration::ZERO;
        }
        if bytes >= NEARLY_FULL {
            return if self.rest > SHORTEST { SHORTEST.max(self.rest / 2) } else { Duration::ZERO };
        }
        let nanos = since.as_nanos() * GATHERED / all as u128;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `pace` answers when these bytes of one stream were read so many microseconds after the turn before.
    fn turn(pace: &mut Pace, now: &mut Instant, micros: u64, bytes: usize) -> Option<u128> {
        *now += Duration::from_micros(micros);
        pace.read(bytes, false);
        pace.rest(*now).map(|rest| rest.as_micros())
    }

    #[test]
    fn rests_only_while_small_pieces_come_fast() {
        let rows = [
            ("the first after a pause", 10_000, 100, None),
            ("nothing read", 150, 0, None),
            ("too soon to tell", 5, 100, None),
            ("a line every 100 us", 100, 100, Some(1000)),
            ("100 MB/s in small pieces", 200, 20_000, Some(245)),
            ("200 MB/s", 150, 30_000, Some(122)),
            ("300 MB/s", 120, 36_000, None),
            ("a full pipe", 180, 65_536, None),
            ("a full pipe after a rest", 300, 65_500, None),
            ("a pipe with a gap at the end of each page", 200, 16 * 4000, None),
            ("after a rest", 1_100, 5_000, Some(1000)),
        ];
        for (what, since, bytes, expected) in rows {
            let mut now = Instant::now();
            let mut pace = Pace::new(now);
            assert_eq!(turn(&mut pace, &mut now, since, bytes), expected, "{what}");
        }
    }

    #[test]
    fn nobody_rests_while_somebody_waits() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.read(100, false);
        pace.read(100, true);
        assert_eq!(pace.rest(start + SHORTEST), None);
        pace.read(100, false);
        assert_eq!(pace.rest(start + SHORTEST * 2), Some(LONGEST));
    }

    #[test]
    fn many_slow_streams_are_no_fast_one() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        (0..100).for_each(|_| pace.read(1000, false));
        assert_eq!(pace.rest(start + LONGEST), Some(LONGEST));
    }

    /// A late timer lets a pipe fill up; a writer that fills it each time is never rested for again.
    #[test]
    fn full_pipes_shorten_the_rest_until_there_is_none() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(turn(&mut pace, &mut now, 100, 100), Some(1000));
        let rests: Vec<_> = (0..6).map(|_| turn(&mut pace, &mut now, 1_100, 65_500)).collect();
        assert_eq!(rests, [Some(500), Some(250), Some(125), Some(100), None, None]);
    }

    /// After a full pipe the first turns find next to nothing, whatever the pace.
    #[test]
    fn a_short_while_is_no_measure() {
        let (mut now, mut turns) = (Instant::now(), 0);
        let mut pace = Pace::new(now);
        assert_eq!(turn(&mut pace, &mut now, 100, 65_536), None);
        let rest = loop {
            turns += 1;
            if let Some(rest) = turn(&mut pace, &mut now, 5, 1000) {
                break rest;
            }
        };
        assert_eq!((turns, rest), (20, 122), "200 MB/s");
    }
}
