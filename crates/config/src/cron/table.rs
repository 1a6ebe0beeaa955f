//! All lines of a schedule in its time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use upkeep_core::Timetable;

use super::Cron;

/// When a program is to run.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    lines: Vec<Cron>,
    zone: TimeZone,
}

impl Table {
    pub(crate) fn new(lines: Vec<Cron>, zone: TimeZone) -> Self {
        Self { lines, zone }
    }
}

impl Timetable for Table {
    fn next(&self, after: i64) -> Option<i64> {
        self.lines.iter().filter_map(|line| line.next(after, &self.zone)).min()
    }

    fn show(&self, at: i64) -> String {
        let stamp = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        stamp.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::civil::DateTime;

    use super::*;

    fn table(lines: &[&str], zone: &str) -> Table {
        let lines = lines.iter().map(|line| Cron::parse(line).unwrap()).collect();
        Table::new(lines, TimeZone::get(zone).unwrap())
    }

    /// The next times after one, as `MM-DD HH:MM` with the offset.
    fn times(lines: &[&str], zone: &str, after: &str, count: usize) -> Vec<String> {
        let table = table(lines, zone);
        let mut at = after.parse::<Timestamp>().unwrap().as_second();
        let next = || {
            at = table.next(at)?;
            let stamp = Timestamp::from_second(at).unwrap().to_zoned(table.zone.clone());
            Some(stamp.strftime("%m-%d %H:%M%:z").to_string())
        };
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn times_follow_one_another() {
        let monday = "2026-11-23T09:58:30Z";
        for (line, expected) in [
            ("*/20 * * * *", ["11-23 10:00+00:00", "11-23 10:20+00:00"]),
            ("30 4 1,15 * 5", ["11-27 04:30+00:00", "12-01 04:30+00:00"]),
            ("30 4 */2 * 5", ["11-27 04:30+00:00", "12-11 04:30+00:00"]),
            ("0 0 29 2 *", ["02-29 00:00+00:00", "02-29 00:00+00:00"]),
            ("0 9-17/4 * * MON-FRI", ["11-23 13:00+00:00", "11-23 17:00+00:00"]),
            ("0 0 31 * *", ["12-31 00:00+00:00", "01-31 00:00+00:00"]),
            ("@yearly", ["01-01 00:00+00:00", "01-01 00:00+00:00"]),
            ("30,45 58 9 * * *", ["11-23 09:58+00:00", "11-24 09:58+00:00"]),
        ] {
            assert_eq!(times(&[line], "UTC", monday, 2), expected, "{line}");
        }
        let two = times(&["0 3 * * *", "30 12 * * *"], "Asia/Shanghai", monday, 3);
        assert_eq!(two, ["11-24 03:00+08:00", "11-24 12:30+08:00", "11-25 03:00+08:00"]);
    }

    #[test]
    fn a_time_that_a_day_does_not_have_comes_when_the_clock_is_set_forward() {
        let before = "2026-03-28T12:00:00Z";
        let half_past_two = times(&["30 2 * * *"], "Europe/Berlin", before, 2);
        assert_eq!(half_past_two, ["03-29 03:00+02:00", "03-30 02:30+02:00"]);
        let often = times(&["*/15 2 * * *"], "Europe/Berlin", before, 2);
        assert_eq!(often, ["03-29 03:00+02:00", "03-30 02:00+02:00"]);
        let hourly = times(&["30 * * * *"], "Europe/Berlin", "2026-03-29T00:00:00Z", 2);
        assert_eq!(hourly, ["03-29 01:30+01:00", "03-29 03:30+02:00"]);
        let skipped_day = times(&["0 12 * * *"], "Pacific/Apia", "2011-12-29T23:00:00Z", 2);
        assert_eq!(skipped_day, ["12-31 00:00+14:00", "12-31 12:00+14:00"]);
    }

    #[test]
    fn a_time_that_a_day_has_twice_comes_once_but_every_hour_is_an_hour() {
        let before = "2026-10-24T23:50:00Z";
        let half_past_two = times(&["30 2 * * *"], "Europe/Berlin", before, 2);
        assert_eq!(half_past_two, ["10-25 02:30+02:00", "10-26 02:30+01:00"]);
        let hourly = times(&["30 * * * *"], "Europe/Berlin", before, 3);
        assert_eq!(hourly, ["10-25 02:30+02:00", "10-25 02:30+01:00", "10-25 03:30+01:00"]);
    }

    #[test]
    fn as_somebody_would_find_who_looks_at_every_minute() {
        let seams = [
            ("Europe/Berlin", "2026-03-28T20:00:00Z"),
            ("Europe/Berlin", "2026-10-24T20:00:00Z"),
            ("America/New_York", "2026-03-08T02:00:00Z"),
            ("America/New_York", "2026-11-01T02:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T10:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T10:00:00Z"),
            ("Asia/Shanghai", "2026-12-31T10:00:00Z"),
            ("Pacific/Apia", "2011-12-29T20:00:00Z"),
        ];
        for (zone, from) in seams {
            let begin = from.parse::<Timestamp>().unwrap().as_second();
            let minutes = minutes(&TimeZone::get(zone).unwrap(), begin);
            for line in lines() {
                let table = table(&[&line], zone);
                let end = minutes.last().unwrap().at;
                let found = std::iter::successors(table.next(begin), |at| table.next(*at));
                let found: Vec<i64> = found.take_while(|at| *at <= end).collect();
                let looked = minutes.iter().filter(|minute| minute.is_of(&table.lines[0]));
                let looked: Vec<i64> = looked.map(|minute| minute.at).collect();
                assert_eq!(found, looked, "{line} in {zone} from {from}");
            }
        }
    }

    fn lines() -> Vec<String> {
        let mut lines = Vec::new();
        for minute in ["*", "*/7", "0", "30", "5-20", "59"] {
            for hour in ["*", "*/2", "2", "1-3", "0,2,23"] {
                for day in ["* * *", "* * SUN", "30 * *", "*/2 * *", "1 * MON"] {
                    lines.push(format!("{minute} {hour} {day}"));
                }
            }
        }
        lines
    }

    /// A minute as the clock on the wall shows it.
    struct Minute {
        at: i64,
        clock: DateTime,
        /// It was shown before.
        again: bool,
        /// What was never shown, just before.
        left_out: Vec<DateTime>,
    }

    fn minutes(zone: &TimeZone, begin: i64) -> Vec<Minute> {
        let mut shown = HashSet::new();
        let mut last: Option<DateTime> = None;
        let step = jiff::SignedDuration::from_mins(1);
        let look = |at: i64| {
            let clock = Timestamp::from_second(at).unwrap().to_zoned(zone.clone()).datetime();
            let between = std::iter::successors(last.map(|last| last + step), |at| Some(*at + step));
            let left_out = between.take_while(|at| *at < clock).collect();
            last = Some(clock);
            Minute { at, clock, again: !shown.insert(clock), left_out }
        };
        let looked: Vec<Minute> = (begin - 26 * 3600..=begin + 36 * 3600).step_by(60).map(look).collect();
        looked.into_iter().filter(|minute| minute.at > begin).collect()
    }

    impl Minute {
        fn is_of(&self, cron: &Cron) -> bool {
            let now = cron.shows(self.clock);
            if cron.every_hour() {
                return now;
            }
            now && !self.again || self.left_out.iter().any(|clock| cron.shows(*clock))
        }
    }

    impl Cron {
        /// Whether it comes when a clock shows this.
        fn shows(&self, clock: DateTime) -> bool {
            let bit = |bits: u64, value: i8| bits >> value & 1 == 1;
            let weekday = bit(self.weekday, clock.weekday().to_sunday_zero_offset());
            let day = bit(self.day, clock.day());
            let days = if self.either_day { day || weekday } else { day && weekday };
            days && bit(self.month, clock.month())
                && bit(self.hour, clock.hour())
                && bit(self.minute, clock.minute())
        }
    }
}
