//! Which stretch of time a log file belongs to that is rotated by time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit, Zoned, ZonedRound};

/// How often a log is rotated by the wall clock, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// At each full hour.
    Hour,
    /// At midnight.
    Day,
    /// At midnight before Monday.
    Week,
    /// At midnight before the first of the month.
    Month,
}

/// From when (included) until when (not included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    from: SystemTime,
    until: SystemTime,
}

impl Period {
    /// The period that a moment lies in. Without an end where the calendar has one.
    pub(super) fn of(every: Every, at: SystemTime) -> Self {
        Self::within(every, at, TimeZone::system())
    }

    fn within(every: Every, at: SystemTime, zone: TimeZone) -> Self {
        let bounds = Timestamp::try_from(at).and_then(|at| bounds(every, &at.to_zoned(zone)));
        let all = (UNIX_EPOCH, at + Duration::from_hours(24 * 365));
        let (from, until) = bounds.map_or(all, |(from, until)| (from.into(), until.into()));
        Self { from, until }
    }

    pub(super) fn holds(&self, at: SystemTime) -> bool {
        self.from <= at && at < self.until
    }

    /// Whether a moment comes after all of it.
    pub(super) fn is_over(&self, at: SystemTime) -> bool {
        at >= self.until
    }
}

fn bounds(every: Every, at: &Zoned) -> Result<(Zoned, Zoned), jiff::Error> {
    let midnight = |date: Date| date.to_zoned(at.time_zone().clone());
    let today = at.date();
    match every {
        Every::Hour => {
            let round = ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc);
            let from = at.round(round)?;
            let until = from.checked_add(1.hour())?;
            Ok((from, until))
        }
        Every::Day => Ok((midnight(today)?, midnight(today.tomorrow()?)?)),
        Every::Week => {
            let since_monday = i64::from(today.weekday().to_monday_zero_offset());
            let monday = today.checked_sub(since_monday.days())?;
            Ok((midnight(monday)?, midnight(monday.checked_add(7.days())?)?))
        }
        Every::Month => Ok((midnight(today.first_of_month())?, midnight(today.last_of_month().tomorrow()?)?)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;

    use super::*;

    #[test]
    fn periods_follow_the_local_calendar() {
        // Summer time begins on the 29th of March and ends on the 25th of October.
        let (europe, kolkata, shanghai) = ("CET-1CEST,M3.5.0,M10.5.0/3", "IST-5:30", "CST-8");
        let rows = [
            (Every::Hour, europe, "2026-03-29T01:59:59", "2026-03-29T01:00", "2026-03-29T03:00"),
            (Every::Hour, kolkata, "2026-11-21T10:20", "2026-11-21T10:00", "2026-11-21T11:00"),
            (Every::Day, europe, "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),
            (Every::Day, europe, "2026-10-25T23:59", "2026-10-25T00:00", "2026-10-26T00:00"),
            (Every::Week, shanghai, "2026-11-22T23:59", "2026-11-16T00:00", "2026-11-23T00:00"),
            (Every::Week, shanghai, "2026-11-23T00:00", "2026-11-23T00:00", "2026-11-30T00:00"),
            (Every::Month, shanghai, "2026-12-31T23:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        ];
        for (every, zone, at, from, until) in rows {
            let zone = TimeZone::posix(zone).unwrap();
            let moment = |text: &str| -> SystemTime {
                text.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp().into()
            };
            let period = Period::within(every, moment(at), zone.clone());
            assert_eq!((period.from, period.until), (moment(from), moment(until)), "{at}");
            assert!(period.holds(period.from) && !period.holds(period.until) && period.is_over(period.until));
        }
    }
}
