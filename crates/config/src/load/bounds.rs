//! What ends a run of a program: its time, its memory.

use std::sync::Arc;
use std::time::Duration;

use upkeep_core::spec::{Bounds, MemoryAction, MemoryLimit};

use super::scope::Scope;
use crate::value::{Wrong, isolation, restart};

/// A run is ended no sooner, and its memory measured no more often.
const LEAST: Duration = Duration::from_secs(1);

impl Scope<'_, '_> {
    /// `None` if nothing ends its runs.
    pub(super) fn bounds(&mut self) -> Option<Arc<Bounds>> {
        let bounds = Bounds { runtime: self.max_runtime(), memory: self.memory_limit() };
        (bounds != Bounds::default()).then(|| Arc::new(bounds))
    }

    fn max_runtime(&mut self) -> Option<Duration> {
        let time = self.read("max_runtime", |text| restart::time("max_runtime", text))?;
        // One that ends and starts all the time would do nothing else.
        if time < LEAST {
            let wrong =
                Wrong::new("max_runtime is less than a second", "write how long it may run, such as 1h");
            self.fail("max_runtime", wrong);
        }
        Some(time)
    }

    fn memory_limit(&mut self) -> Option<MemoryLimit> {
        let bytes = self.read("memory_limit", isolation::memory);
        let action = self.read("memory_limit_action", isolation::memory_action);
        let interval =
            self.read("memory_limit_interval", |text| restart::time("memory_limit_interval", text));
        if interval.is_some_and(|interval| interval < LEAST) {
            let wrong = Wrong::new("memory_limit_interval is less than a second", "write 1 or more");
            self.fail("memory_limit_interval", wrong);
        }
        if bytes.is_none() {
            self.remark_vain(&["memory_limit_action", "memory_limit_interval"], "without memory_limit");
        }
        let action = action.unwrap_or(MemoryAction::Restart);
        Some(MemoryLimit { bytes: bytes?, action, interval: interval.unwrap_or(Duration::from_secs(10)) })
    }
}
