//! How a program is restarted bit by bit.

use std::sync::Arc;
use std::time::Duration;

use upkeep_core::spec::{Batch, RollingSpec};

use super::scope::Scope;
use crate::value::{Wrong, restart, rolling};

impl Scope<'_, '_> {
    /// `None` if nothing is said about it but what holds anyway.
    pub(super) fn rolling(&mut self) -> Option<Arc<RollingSpec>> {
        let keys = ["update_strategy", "rolling_batch", "rolling_wait"];
        if keys.iter().all(|key| self.entry(key).is_none()) {
            return None;
        }
        let update = self.read("update_strategy", rolling::strategy).unwrap_or_default();
        let rolling = RollingSpec { update, batch: self.rolling_batch(), wait: self.rolling_wait() };
        (rolling != RollingSpec::default()).then(|| Arc::new(rolling))
    }

    /// A percent sign need not be written twice: nothing that can be expanded ends with one.
    fn rolling_batch(&mut self) -> Batch {
        let plain = self.entry("rolling_batch").and_then(|entry| Batch::parse(&entry.value));
        let batch = plain.or_else(|| self.read("rolling_batch", rolling::batch));
        batch.unwrap_or(RollingSpec::default().batch)
    }

    fn rolling_wait(&mut self) -> Option<Duration> {
        let wait = self.read("rolling_wait", |text| restart::time("rolling_wait", text))?;
        if wait.is_zero() {
            let hint = "write how long a process may take to be RUNNING and healthy, such as 1m";
            self.fail("rolling_wait", Wrong::new("rolling_wait is 0", hint));
        }
        Some(wait)
    }
}
