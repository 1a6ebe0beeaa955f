//! Values about schedules: when, where, and what happens to runs that meet each other or are missed.

use std::time::Duration;

use jiff::tz::TimeZone;
use upkeep_core::spec::{Missed, Overlap};

use super::{Read, Wrong, choice, restart};
use crate::cron::Cron;
use crate::python::repr::py_repr;
use crate::python::text::strip;
use crate::suggest::nearest;
use crate::world::World;

/// More lines than any program needs.
const MOST_LINES: usize = 32;

/// A run that comes a day later is that of another day.
const LONGEST_JITTER: Duration = Duration::from_hours(24);

/// The time zone of the machine.
pub(crate) const LOCAL: &str = "local";

/// `schedule`, one line after another: as text, and what that means.
pub(crate) fn schedule(text: &str) -> Read<(String, Vec<Cron>)> {
    let lines: Vec<&str> = text.lines().map(strip).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        let hint = "write a time such as */5 * * * * or @daily, or remove the key";
        return Err(Wrong::new("not a valid schedule: it is empty", hint));
    }
    if lines.len() > MOST_LINES {
        return Err(format!("not a valid schedule: it has more than {MOST_LINES} lines").into());
    }
    let crons = lines.iter().map(|line| Cron::parse(line)).collect::<Read<Vec<Cron>>>()?;
    Ok((lines.join("\n"), crons))
}

/// `schedule_timezone`: its name, and what that means here.
pub(crate) fn zone(world: &dyn World, text: &str) -> Read<(String, TimeZone)> {
    let name = strip(text);
    if name.eq_ignore_ascii_case(LOCAL) {
        return Ok((LOCAL.to_owned(), world.local_time_zone()));
    }
    world.time_zone(name).map(|zone| (name.to_owned(), zone)).ok_or_else(|| {
        let message = format!("not a known schedule_timezone: {}", py_repr(text));
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.len() < 2 => {
                "this machine knows no time zones: install tzdata, or write UTC or local".to_owned()
            }
            None => "write a name such as Asia/Shanghai or Europe/Berlin, or UTC, or local".to_owned(),
        };
        Wrong::new(message, hint)
    })
}

/// Whether a `schedule_timezone` that was read once means on this machine what it says.
#[must_use]
pub fn knows_time_zone(world: &dyn World, name: &str) -> bool {
    name == LOCAL || world.time_zone(name).is_some()
}

/// `schedule_overlap`.
pub(crate) fn overlap(text: &str) -> Read<Overlap> {
    let words = [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("kill", Overlap::Kill)];
    choice("schedule_overlap", text, words)
}

/// `schedule_missed`.
pub(crate) fn missed(text: &str) -> Read<Missed> {
    choice("schedule_missed", text, [("skip", Missed::Skip), ("run_once", Missed::RunOnce)])
}

/// `schedule_jitter`.
pub(crate) fn jitter(text: &str) -> Read<Duration> {
    let time = restart::time("schedule_jitter", text)?;
    if time > LONGEST_JITTER {
        let message = format!("not a valid time for schedule_jitter: {}", py_repr(text));
        return Err(Wrong::new(message, "write a day at most"));
    }
    Ok(time)
}
