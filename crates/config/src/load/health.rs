//! How the health of a program is looked at: its keys, and whether they make sense together.

use std::sync::Arc;

use upkeep_core::spec::{HealthAction, HealthSpec};

use super::scope::Scope;
use crate::value::{Wrong, health};

/// What there must be one of for the others to do anything.
const CAUSES: [&str; 3] = ["health_check", "ready", "health_watchdog"];
/// What is about checks.
const OF_CHECKS: [&str; 5] =
    ["health_interval", "health_timeout", "health_start_period", "health_failures", "health_successes"];

impl Scope<'_, '_> {
    /// Of one process: a check may name its `process_num`.
    pub(super) fn health(&mut self) -> Option<Arc<HealthSpec>> {
        if CAUSES.iter().all(|key| self.entry(key).is_none()) {
            return None;
        }
        let usual = HealthSpec::default();
        let mut pause = |key| self.read(key, |text| health::pause(key, text));
        let (interval, timeout) = (pause("health_interval"), pause("health_timeout"));
        let (watchdog, ready_timeout) = (pause("health_watchdog"), pause("ready_timeout"));
        let start_period =
            self.read("health_start_period", |text| crate::value::restart::time("health_start_period", text));
        let mut count = |key| self.read(key, |text| health::count(key, text));
        let (failures, successes) = (count("health_failures"), count("health_successes"));
        let ready = self.read("ready", health::ready);
        let machine = self.loader.machine;
        let user = |text: &str| {
            let hint = "write the name or the number of a user of this machine";
            let wrong = |_| Wrong::new(format!("not a user for notify_user: '{text}'"), hint);
            machine.user(text).map_err(wrong)
        };
        let notify_uid = self.read("notify_user", user).map(|user| user.uid);
        let check = self.read("health_check", health::check);
        if ready == Some(None) && self.entry("health_check").is_none() {
            let hint = "add health_check=http://127.0.0.1:PORT/PATH, or write ready=notify";
            self.fail("ready", Wrong::new("ready is check, and there is no health_check", hint));
        }
        Some(Arc::new(HealthSpec {
            check,
            ready: ready.flatten(),
            ready_timeout,
            watchdog,
            notify_uid,
            interval: interval.unwrap_or(usual.interval),
            timeout: timeout.unwrap_or(usual.timeout),
            start_period: start_period.unwrap_or(usual.start_period),
            failures: failures.unwrap_or(usual.failures),
            successes: successes.unwrap_or(usual.successes),
            action: self.read("health_action", health::action).unwrap_or(HealthAction::Restart),
        }))
    }

    /// Keys that decide nothing.
    pub(super) fn check_health_keys(&mut self) {
        let is_there = |scope: &Self, key: &str| scope.entry(key).is_some();
        if !is_there(self, "health_check") {
            self.remark_vain(&OF_CHECKS, "without health_check");
        }
        if CAUSES.iter().all(|key| !is_there(self, key)) {
            self.remark_vain(&["health_action"], "without health_check, ready or health_watchdog");
        }
        let says_ready = self.entry("ready").is_some_and(|entry| entry.value.trim() == "notify");
        if !says_ready && !is_there(self, "health_watchdog") {
            self.remark_vain(&["notify_user"], "without ready=notify or health_watchdog");
        }
        if !is_there(self, "ready") {
            self.remark_vain(&["ready_timeout"], "without ready");
        } else if self.entry("ready").is_some_and(|entry| entry.value.trim() == "check") {
            self.remark_vain(&["ready_timeout"], "beside ready=check: write health_start_period");
        }
    }
}
