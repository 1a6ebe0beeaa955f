//! The schedule of a program: its keys, and what they change about others.

use std::sync::Arc;

use upkeep_core::spec::{Autorestart, Missed, Overlap, ProcessSpec, Schedule};

use super::scope::Scope;
use crate::cron::Table;
use crate::options::SectionKind;
use crate::value::{Wrong, schedule};

/// Keys that say more about `schedule`.
const MORE: [&str; 4] = ["schedule_timezone", "schedule_overlap", "schedule_missed", "schedule_jitter"];

impl Scope<'_, '_> {
    /// A program with a schedule ends by itself: it is neither started again nor has it failed if it does so soon, unless somebody
    /// says so.
    pub(super) fn schedule(&mut self, spec: &mut ProcessSpec) {
        let machine = self.loader.machine;
        // To ask for a time zone takes milliseconds: all of them are listed first.
        let timed = ["schedule", "schedule_timezone"].iter().any(|key| self.entry(key).is_some());
        let zone = if timed {
            self.read("schedule_timezone", |text| schedule::zone(machine.world, text))
        } else {
            None
        };
        let overlap = self.read("schedule_overlap", schedule::overlap).unwrap_or(Overlap::Skip);
        let missed = self.read("schedule_missed", schedule::missed).unwrap_or(Missed::Skip);
        let jitter = self.read("schedule_jitter", schedule::jitter).unwrap_or_default();
        if self.entry("schedule").is_none() {
            return self.remark_vain(&MORE, "without schedule");
        }
        if let Some(who) = self.who_serves() {
            return self.refuse_schedule(who);
        }
        let lines = self.read("schedule", schedule::schedule);
        let (Some((text, lines)), Some((timezone, zone))) = (lines, zone) else { return };
        let table = Arc::new(Table::new(lines, zone));
        spec.schedule = Some(Arc::new(Schedule { text, timezone, overlap, missed, jitter, table }));
        self.one_shot(spec);
    }

    fn one_shot(&mut self, spec: &mut ProcessSpec) {
        if self.entry("startsecs").is_none() {
            spec.startsecs = 0;
        }
        if self.entry("autorestart").is_none() {
            spec.autorestart = Autorestart::Never;
        } else if spec.autorestart == Autorestart::Always {
            let at = self.at("autorestart");
            let message =
                format!("[{}] autorestart=true leaves nothing for schedule to start", self.section.name);
            let hint = "write unexpected to try a failed run again, or false";
            self.loader.remark(Wrong::new(message, hint), &at);
        }
    }

    /// What has to be there whenever something comes, and cannot come now and then.
    fn who_serves(&self) -> Option<&'static str> {
        match SectionKind::of(&self.section.name) {
            Some(SectionKind::Listener) => Some("an event listener"),
            Some(SectionKind::Fcgi) => Some("a FastCGI program"),
            _ => None,
        }
    }

    /// What all programs have in common is not meant for these.
    fn refuse_schedule(&mut self, who: &str) {
        let place = self.at("schedule").place;
        let origin = self.loader.document.origin(self.section, "schedule", place);
        let common = origin.is_some_and(|origin| origin.name == SectionKind::Defaults.prefix());
        if common || self.section.own("schedule").is_none() {
            return;
        }
        let message = format!("schedule is not for {who}, which has to run all the time");
        self.fail("schedule", Wrong::new(message, "remove the key, or make it a [program:x]"));
    }
}
