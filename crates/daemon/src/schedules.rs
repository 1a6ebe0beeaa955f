//! Wakes the daemon when a program is to run by its schedule, and tells clients when that will be.

use std::io;

use upkeep_api::ScheduleInfo;
use upkeep_core::{Input, Process};
use upkeep_logs::Level;

use crate::alarm::{Alarm, Rang};
use crate::names::lexical;
use crate::shell::Shell;

/// The alarm for all schedules. Where no program has one, there is none.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    pub(crate) alarm: Alarm,
    /// What it is set to.
    at: Option<i64>,
    /// It could not be set, which has been said.
    pub(crate) failing: bool,
}

impl Shell {
    /// Sets the alarm to the next run.
    pub(crate) fn follow_schedules(&mut self) {
        let at = self.core.next_alarm();
        if at == self.schedules.at {
            return;
        }
        let clock_set = match self.schedules.alarm.set(at) {
            Ok(clock_set) => clock_set,
            Err(error) => return self.not_on_schedule(&error),
        };
        self.schedules.failing = false;
        self.schedules.at = at;
        if clock_set {
            self.tell(Input::ClockSet);
        }
    }

    /// It is tried again with the next thing that happens.
    fn not_on_schedule(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.schedules.failing, true) {
            self.log(Level::Error, format!("nothing runs on schedule: no timer could be set: {error}"));
        }
    }

    /// Every process with a schedule, in the order of `status`.
    pub(crate) fn schedule_infos(&self) -> Vec<ScheduleInfo> {
        lexical(&self.core).filter_map(info).collect()
    }

    /// A program is due, or the clock was set.
    pub(crate) fn schedule_rang(&mut self, rang: Rang) {
        self.schedules.at = None;
        self.tell(match rang {
            Rang::Due => Input::Tick,
            Rang::ClockSet => Input::ClockSet,
        });
    }
}

fn info(process: &Process) -> Option<ScheduleInfo> {
    let (schedule, timer) = (process.spec().schedule.as_ref()?, process.timer()?);
    let last = timer.last.as_ref();
    let took = last.map_or(0, |last| last.took.as_millis());
    Some(ScheduleInfo {
        name: process.name().to_owned(),
        group: process.group().to_owned(),
        schedule: schedule.text.clone(),
        timezone: schedule.timezone.clone(),
        on: timer.on,
        next: process.next_run().unwrap_or(0),
        queued: timer.queued,
        last_start: last.map_or(0, |last| last.started),
        last_milliseconds: i64::try_from(took).unwrap_or(i64::MAX),
        last_result: last.map_or_else(String::new, |last| last.end.to_string()),
    })
}
