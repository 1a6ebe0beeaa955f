//! The next time of a schedule's line.
//!
//! A time zone is a row of stretches with one offset each; within one, local time runs as the clock does. The search goes through
//! them one after another, and looks at their seams.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::{Cron, has};

const DAY: i64 = 24 * 3600;

/// Nothing that comes at all comes later: a 29th of February on a certain day of the week may take 40 years.
const LONGEST_DAYS: i64 = 50 * 366;

/// A time in which a zone's clocks do not change. Ends are excluded.
struct Stretch {
    begin: Option<i64>,
    end: Option<i64>,
    /// Seconds that local time is ahead.
    offset: i64,
    /// The same of the stretch before.
    before: i64,
}

impl Stretch {
    fn at(second: i64, zone: &TimeZone) -> Option<Self> {
        let instant = Timestamp::from_second(second).ok()?;
        let offset = seconds(zone.to_offset(instant));
        let just_after = Timestamp::from_second(second.checked_add(1)?).ok()?;
        let begin = zone.preceding(just_after).next().map(|transition| transition.timestamp());
        let last = begin.and_then(|begin| Timestamp::from_second(begin.as_second().checked_sub(1)?).ok());
        let before = last.map_or(offset, |last| seconds(zone.to_offset(last)));
        let end = zone.following(instant).next().map(|transition| transition.timestamp().as_second());
        Some(Self { begin: begin.map(Timestamp::as_second), end, offset, before })
    }
}

fn seconds(offset: Offset) -> i64 {
    i64::from(offset.seconds())
}

impl Cron {
    /// The first time after this one, in epoch seconds.
    pub(super) fn next(&self, after: i64, zone: &TimeZone) -> Option<i64> {
        let mut from = after.checked_add(1)?;
        let latest = from.checked_add(LONGEST_DAYS * DAY)?;
        while from < latest {
            let stretch = Stretch::at(from, zone)?;
            if let Some(found) = self.within(&stretch, from) {
                return Some(found);
            }
            from = stretch.end?;
        }
        None
    }

    fn within(&self, stretch: &Stretch, from: i64) -> Option<i64> {
        let (begin, mut local) = (stretch.begin.unwrap_or(i64::MIN), from + stretch.offset);
        if !self.every_hour() {
            // Set forward: what would have come in between comes now.
            if begin == from && self.find(begin + stretch.before, Some(local)).is_some() {
                return Some(from);
            }
            // Set back: what has been does not come again.
            local = local.max(begin.saturating_add(stretch.before));
        }
        let found = self.find(local, stretch.end.map(|end| end + stretch.offset))?;
        Some(found - stretch.offset)
    }

    /// The first local time from one until before another, both as seconds since 1970 by the local clock.
    fn find(&self, from: i64, until: Option<i64>) -> Option<i64> {
        let (mut day, mut time) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        let last = until.map_or(i64::MAX, |until| (until - 1).div_euclid(DAY)).min(day + LONGEST_DAYS);
        let mut date = Offset::UTC.to_datetime(Timestamp::from_second(from).ok()?).date();
        while day <= last {
            if self.has_date(date)
                && let Some(second) = self.time_from(time)
            {
                let found = day * DAY + second;
                return until.is_none_or(|until| found < until).then_some(found);
            }
            (day, time, date) = (day + 1, 0, date.tomorrow().ok()?);
        }
        None
    }

    fn has_date(&self, date: Date) -> bool {
        let number = |value: i8| u32::try_from(value).unwrap_or(0);
        let day = has(self.day, number(date.day()));
        let weekday = has(self.weekday, number(date.weekday().to_sunday_zero_offset()));
        let days = if self.either_day { day || weekday } else { day && weekday };
        days && has(self.month, number(date.month()))
    }

    /// The first second of a day from this one on.
    fn time_from(&self, from: i64) -> Option<i64> {
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        for h in values(self.hour, hour) {
            for m in values(self.minute, if h == hour { minute } else { 0 }) {
                let least = if (h, m) == (hour, minute) { second } else { 0 };
                if let Some(s) = values(self.second, least).next() {
                    return Some(h * 3600 + m * 60 + s);
                }
            }
        }
        None
    }
}

/// The values of a set from one on.
fn values(bits: u64, from: i64) -> impl Iterator<Item = i64> {
    (from..60).filter(move |value| u32::try_from(*value).is_ok_and(|value| has(bits, value)))
}
