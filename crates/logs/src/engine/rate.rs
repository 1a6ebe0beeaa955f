//! How much may come in a second: a bucket that fills at a steady pace and holds a burst.

use std::time::Instant;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Lines.
    Lines,
    /// Bytes, newlines included.
    Bytes,
}

/// So much a second, and so much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What is counted.
    pub unit: Unit,
    /// How many a second, at least 1.
    pub a_second: u32,
    /// How many at once after a pause, at least 1.
    pub burst: u32,
}

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// What is to be said about a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitNews {
    /// Lines are dropped from now on.
    Began,
    /// No more, for as long as it takes to fill the bucket; so much was dropped.
    Ended(Dropped),
}

/// The state of one stream's limit.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    left: f64,
    at: Instant,
    /// What was dropped in the present episode; `None` while all is well.
    episode: Option<Dropped>,
    /// Bytes dropped since [`Self::take_lost`].
    lost: u64,
    news: Vec<LimitNews>,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        let (left, at) = (f64::from(rate.burst), Instant::now());
        Self { rate, left, at, episode: None, lost: 0, news: Vec::new() }
    }

    /// Time has passed. An episode is over when the bucket is full again: until then one more line would only begin another.
    pub(super) fn refill(&mut self) {
        self.refill_at(Instant::now());
    }

    fn refill_at(&mut self, now: Instant) {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * f64::from(self.rate.a_second)).min(f64::from(self.rate.burst));
        if self.left >= f64::from(self.rate.burst) {
            self.end_episode();
        }
    }

    /// Whether a line with so many bytes may pass. One that is longer than what is left may, and the next ones wait for it.
    pub(super) fn admits(&mut self, bytes: usize) -> bool {
        if self.left > 0.0 {
            self.left -= match self.rate.unit {
                Unit::Lines => 1.0,
                // No line is longer than the precision.
                Unit::Bytes => f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)),
            };
            return true;
        }
        if self.episode.is_none() {
            self.news.push(LimitNews::Began);
        }
        let episode = self.episode.get_or_insert_default();
        episode.lines += 1;
        episode.bytes += bytes as u64;
        self.lost += bytes as u64;
        false
    }

    /// The stream ends, or gets another limit.
    pub(super) fn end_episode(&mut self) {
        if let Some(dropped) = self.episode.take() {
            self.news.push(LimitNews::Ended(dropped));
        }
    }

    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    pub(super) fn take_news(&mut self) -> Vec<LimitNews> {
        std::mem::take(&mut self.news)
    }

    /// For people: `100 lines a second`.
    pub(super) fn describe(&self) -> String {
        let unit = match self.rate.unit {
            Unit::Lines => "lines",
            Unit::Bytes => "bytes",
        };
        format!("{} {unit} a second", self.rate.a_second)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(bucket: &mut Bucket, millis: u64) {
        let now = bucket.at + Duration::from_millis(millis);
        bucket.refill_at(now);
    }

    fn admitted(bucket: &mut Bucket, lines: usize, bytes: usize) -> usize {
        (0..lines).filter(|_| bucket.admits(bytes)).count()
    }

    #[test]
    fn so_many_a_second_and_so_many_at_once() {
        let mut bucket = Bucket::new(Rate { unit: Unit::Lines, a_second: 10, burst: 20 });
        assert_eq!(admitted(&mut bucket, 50, 9), 20);
        assert_eq!((bucket.take_lost(), bucket.take_news()), (270, vec![LimitNews::Began]));
        after(&mut bucket, 500);
        assert_eq!(admitted(&mut bucket, 50, 9), 5);
        assert_eq!((bucket.take_lost(), bucket.take_news()), (405, vec![]), "it is the same episode");
        after(&mut bucket, 60_000);
        let ended = LimitNews::Ended(Dropped { lines: 75, bytes: 675 });
        assert_eq!((bucket.take_lost(), bucket.take_news()), (0, vec![ended]));
        assert_eq!(admitted(&mut bucket, 50, 9), 20);
    }

    #[test]
    fn a_line_longer_than_the_burst_passes_and_is_paid_for() {
        let mut bucket = Bucket::new(Rate { unit: Unit::Bytes, a_second: 100, burst: 100 });
        assert_eq!(admitted(&mut bucket, 3, 1000), 1);
        after(&mut bucket, 8_900);
        assert_eq!(admitted(&mut bucket, 3, 10), 0);
        after(&mut bucket, 200);
        assert_eq!(admitted(&mut bucket, 3, 5), 2);
    }
}
