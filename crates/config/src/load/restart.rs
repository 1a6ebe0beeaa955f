//! The restart policy of a program: its keys, and whether they make sense together.

use std::time::Duration;

use upkeep_core::Span;
use upkeep_core::spec::RestartPolicy;

use super::scope::Scope;
use crate::value::{Wrong, restart};

impl Scope<'_, '_> {
    pub(super) fn restart_policy(&mut self) -> RestartPolicy {
        let usual = RestartPolicy::default();
        let mut time = |key| self.read(key, |text| restart::time(key, text));
        let delay = time("restart_delay").unwrap_or_default();
        let delay_max = time("restart_delay_max");
        let window = time("restart_window").unwrap_or(usual.window);
        let reset_after = time("restart_reset_after").unwrap_or(usual.reset_after);
        let backoff = self.read("restart_backoff", restart::backoff);
        let policy = RestartPolicy {
            delay,
            delay_max,
            backoff_thousandths: backoff.unwrap_or(usual.backoff_thousandths),
            jitter_percent: self.read("restart_jitter", restart::jitter).unwrap_or_default(),
            limit: self.read("restart_limit", |text| restart::limit("restart_limit", text)).flatten(),
            per_day: self
                .read("max_restarts_per_day", |text| restart::limit("max_restarts_per_day", text))
                .flatten(),
            window,
            reset_after,
            on_giveup: self.read("on_giveup", restart::on_giveup).unwrap_or(usual.on_giveup),
        };
        self.check_restarts(&policy);
        policy
    }

    fn check_restarts(&mut self, policy: &RestartPolicy) {
        if policy.window.is_zero() {
            let hint = "write the time in which restart_limit counts, such as 60";
            self.fail("restart_window", Wrong::new("restart_window is 0", hint));
        }
        if let Some(max) = policy.delay_max.filter(|max| *max < policy.delay) {
            let message = format!(
                "restart_delay_max ({}) is less than restart_delay ({})",
                Span(max),
                Span(policy.delay)
            );
            let hint = "write a longer one, or none if the wait is not to grow";
            self.fail("restart_delay_max", Wrong::new(message, hint));
        }
        if policy.delay.is_zero() {
            self.remark_vain(
                &["restart_delay_max", "restart_backoff", "restart_jitter"],
                "without restart_delay",
            );
        } else if policy.delay_max.is_none() {
            self.remark_vain(&["restart_backoff"], "without restart_delay_max");
        }
        match policy.limit {
            None => self.remark_vain(&["restart_window"], "without restart_limit"),
            Some(limit) => {
                self.remark_vain(&["startretries"], "beside restart_limit, which counts failed starts, too");
                self.check_limit(policy, limit);
            }
        }
    }

    /// Keys that are written and decide nothing. They may be there for Supervisor, or for other programs.
    pub(super) fn remark_vain(&mut self, keys: &[&str], why: &str) {
        for key in keys {
            let (document, section) = (self.loader.document, self.section);
            // What is meant for many may be in vain for some.
            let own = self.entry(key).filter(|entry| document.origin(section, key, entry.place).is_none());
            if own.is_none() {
                continue;
            }
            let at = self.at(key);
            let message = format!("[{}] {key} has no effect {why}", self.section.name);
            self.loader.remark(message.into(), &at);
        }
    }

    /// A limit that the waits alone keep from ever being reached.
    fn check_limit(&mut self, policy: &RestartPolicy, limit: u32) {
        let (mut wait, mut least) = (Duration::ZERO, Duration::ZERO);
        let surely = 100 - u32::from(policy.jitter_percent.min(100));
        for _ in 0..limit {
            wait = policy.grown(wait);
            least = least.saturating_add(wait / 100 * surely);
        }
        if !policy.window.is_zero() && least >= policy.window {
            let message = format!(
                "[{}] restart_limit is never reached: {limit} restarts take {} at least, and restart_window is {}",
                self.section.name,
                Span(least),
                Span(policy.window)
            );
            let at = self.at("restart_limit");
            self.loader.remark(Wrong::new(message, "write a longer restart_window"), &at);
        }
    }
}
