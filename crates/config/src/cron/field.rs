//! One field of a schedule: lists, ranges and steps of numbers or names, as a set of bits.

use crate::python::repr::py_repr;
use crate::suggest::nearest;
use crate::value::{Read, Wrong};

/// What a field may hold.
pub(super) struct Field {
    what: &'static str,
    least: u32,
    /// The last value of `*`.
    last: u32,
    /// The greatest number: 7 is Sunday, too.
    most: u32,
    /// Names of the values from `least` on.
    names: &'static [&'static str],
}

const fn numbers(what: &'static str, least: u32, last: u32) -> Field {
    Field { what, least, last, most: last, names: &[] }
}

pub(super) const SECOND: Field = numbers("second", 0, 59);
pub(super) const MINUTE: Field = numbers("minute", 0, 59);
pub(super) const HOUR: Field = numbers("hour", 0, 23);
pub(super) const DAY: Field = numbers("day of the month", 1, 31);
pub(super) const MONTH: Field = Field {
    what: "month",
    least: 1,
    last: 12,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
pub(super) const WEEKDAY: Field = Field {
    what: "day of the week",
    least: 0,
    last: 6,
    most: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

impl Field {
    /// The values that a field's text allows.
    pub(super) fn parse(&self, text: &str) -> Read<u64> {
        text.split(',').try_fold(0, |bits, item| Ok(bits | self.item(item)?))
    }

    fn item(&self, item: &str) -> Read<u64> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.last),
            Some((first, last)) => self.range(range, first, last)?,
            None => {
                let value = self.value(range)?;
                (value, if step.is_some() { self.last.max(value) } else { value })
            }
        };
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        let values = (first..=last).step_by(step);
        Ok(values.fold(0, |bits, value| bits | 1 << if value > self.last { self.least } else { value }))
    }

    fn step(&self, item: &str, step: &str) -> Read<u32> {
        step.parse().ok().filter(|step| (1..=self.last).contains(step)).ok_or_else(|| {
            Wrong::new(
                format!("not a valid schedule: {} has no valid step", py_repr(item)),
                format!("write a number from 1 to {} behind the /", self.last),
            )
        })
    }

    fn range(&self, range: &str, first: &str, last: &str) -> Read<(u32, u32)> {
        let (from, mut to) = (self.value(first)?, self.value(last)?);
        if to == 0 && self.most > self.last {
            to = self.most;
        }
        if from <= to {
            return Ok((from, to));
        }
        let (begin, end) = (self.shown(self.least), self.shown(self.last));
        Err(Wrong::new(
            format!("not a valid schedule: {} runs backwards in a schedule", py_repr(range)),
            format!("write {first}-{end},{begin}-{last}"),
        ))
    }

    fn value(&self, text: &str) -> Read<u32> {
        let named = (self.least..).zip(self.names).find(|(_, name)| name.eq_ignore_ascii_case(text));
        let number = || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let value = named.map(|(value, _)| value).or_else(number);
        value.filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| self.wrong(text))
    }

    fn wrong(&self, text: &str) -> Wrong {
        let message = format!("not a valid schedule: {} is no {} of a schedule", py_repr(text), self.what);
        Wrong::new(message, self.hint(text))
    }

    fn hint(&self, text: &str) -> String {
        if text.is_empty() {
            return "there is a comma too many, or a range without an end".to_owned();
        }
        if let Some(near) = nearest(&text.to_uppercase(), self.names.iter().copied()) {
            return format!("did you mean \"{near}\"?");
        }
        if text.contains(['L', 'W', '#', '?']) {
            return "L, W, # and ? of other schedulers are not understood; * stands for every value"
                .to_owned();
        }
        let names = if self.names.is_empty() {
            String::new()
        } else {
            format!(" or {} to {}", self.shown(self.least), self.shown(self.last))
        };
        format!("write {} to {}{names}, with lists 1,5, ranges 1-5 and steps */5", self.least, self.most)
    }

    fn shown(&self, value: u32) -> String {
        let at = usize::try_from(value - self.least).unwrap_or(usize::MAX);
        self.names.get(at).map_or_else(|| value.to_string(), |name| (*name).to_owned())
    }
}
