//! Schedules: lines of five or six fields, as cron has them, and the times they stand for in a time zone.
//!
//! Time zones change their clocks. What is to run at a time that a day does not have runs when the clock has been set forward; what
//! is to run at a time that a day has twice runs the first time. A schedule for every hour keeps its pace through both.

mod field;
mod search;
mod table;

use crate::python::repr::py_repr;
use crate::suggest::nearest;
use crate::value::{Read, Wrong};
use field::{DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY};

pub(crate) use table::Table;

/// What can be written instead of fields.
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// How many days each month can have.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// One line of a schedule. Each field is a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    second: u64,
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Both fields of the day are narrowed down: a day that is one or the other will do.
    either_day: bool,
}

impl Cron {
    /// Five fields, six with seconds in front, or one of the words that begin with an @.
    pub(crate) fn parse(text: &str) -> Read<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [word] if word.starts_with('@') => Self::named(word),
            [minute, hour, day, month, weekday] => {
                Self::fields(text, ["0", minute, hour, day, month, weekday])
            }
            [second, minute, hour, day, month, weekday] => {
                Self::fields(text, [second, minute, hour, day, month, weekday])
            }
            _ => Err(Wrong::new(
                format!("not a valid schedule: {} has {} fields", py_repr(text), words.len()),
                "write minute, hour, day of month, month and day of week, such as */5 * * * *, or six fields with seconds in \
                 front; the command and the time zone have keys of their own",
            )),
        }
    }

    fn named(word: &str) -> Read<Self> {
        let lower = word.to_lowercase();
        if let Some((_, fields)) = NAMED.iter().find(|(name, _)| *name == lower) {
            return Self::parse(fields);
        }
        let hint = match lower.as_str() {
            "@reboot" => "a program without schedule runs when the daemon starts: write startsecs=0 and autorestart=false".to_owned(),
            "@every" => "write fields, such as */5 * * * * for every five minutes".to_owned(),
            _ => nearest(&lower, NAMED.map(|(name, _)| name)).map_or_else(
                || format!("write one of {}", NAMED.map(|(name, _)| name).join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            ),
        };
        Err(Wrong::new(format!("not a valid schedule: {}", py_repr(word)), hint))
    }

    fn fields(text: &str, [second, minute, hour, day, month, weekday]: [&str; 6]) -> Read<Self> {
        let cron = Self {
            second: SECOND.parse(second)?,
            minute: MINUTE.parse(minute)?,
            hour: HOUR.parse(hour)?,
            day: DAY.parse(day)?,
            month: MONTH.parse(month)?,
            weekday: WEEKDAY.parse(weekday)?,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        if cron.comes() {
            Ok(cron)
        } else {
            let message = format!("not a valid schedule: {} never comes", py_repr(text));
            Err(Wrong::new(message, "no month in it has such a day"))
        }
    }

    /// Whether there is a day for it at all.
    fn comes(&self) -> bool {
        let longest =
            (1..).zip(LENGTHS).filter(|(month, _)| has(self.month, *month)).map(|(_, days)| days).max();
        self.either_day || longest.is_some_and(|longest| self.day.trailing_zeros() <= longest)
    }

    /// Whether it goes by the clock's minutes alone, so that an hour more or less of a day makes no difference.
    fn every_hour(&self) -> bool {
        self.hour.count_ones() == 24
    }
}

fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_says_so() {
        for (text, message, hint) in [
            ("", "has 0 fields", "write minute, hour"),
            ("* * * *", "'* * * *' has 4 fields", "*/5 * * * *"),
            ("*/5 * * * * php artisan", "has 7 fields", "keys of their own"),
            ("60 * * * *", "'60' is no minute of a schedule", "0 to 59"),
            ("* 24 * * *", "'24' is no hour of a schedule", "0 to 23"),
            ("* * 0 * *", "'0' is no day of the month of a schedule", "1 to 31"),
            ("* * * 13 *", "'13' is no month of a schedule", "JAN to DEC"),
            ("* * * jnu *", "'jnu' is no month of a schedule", "did you mean \"JUN\"?"),
            ("* * * * 8", "'8' is no day of the week of a schedule", "SUN to SAT"),
            ("* * * * fri-mon", "'fri-mon' runs backwards in a schedule", "fri-SAT,SUN-mon"),
            ("30-10 * * * *", "'30-10' runs backwards in a schedule", "30-59,0-10"),
            ("*/0 * * * *", "'*/0' has no valid step", "1 to 59"),
            ("*/x * * * *", "'*/x' has no valid step", "1 to 59"),
            ("1,,2 * * * *", "'' is no minute of a schedule", "a comma too many"),
            ("* * L * *", "'L' is no day of the month of a schedule", "L, W, # and ?"),
            ("* * ? * 1#2", "'?' is no day of the month of a schedule", "L, W, # and ?"),
            ("0 0 31 2,4 *", "never comes", "no month"),
            ("@reboot", "'@reboot'", "autorestart=false"),
            ("@every", "'@every'", "*/5"),
            ("@houry", "'@houry'", "did you mean \"@hourly\"?"),
        ] {
            let wrong = Cron::parse(text).unwrap_err();
            let said = wrong.hint.unwrap_or_default();
            assert!(wrong.message.contains(message), "{text}: {}", wrong.message);
            assert!(said.contains(hint), "{text}: {said}");
        }
    }

    #[test]
    fn words_stand_for_fields() {
        assert_eq!(Cron::parse("@Hourly").ok(), Cron::parse("0 0 * * * *").ok());
        assert_eq!(Cron::parse("@weekly").ok(), Cron::parse("0 0 * * Sun").ok());
        assert_eq!(Cron::parse("0 0 * * 5-7").ok(), Cron::parse("0\t0 * * fri-SUN").ok());
        assert_eq!(Cron::parse("5/20 * * JAN-MAR *").ok(), Cron::parse("5,25,45 * * 1,2,3 *").ok());
    }
}
