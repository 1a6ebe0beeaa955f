//! How a program is stopped if that takes more than one signal.

use std::time::Duration;

use upkeep_core::seconds;
use upkeep_core::spec::{ProcessSpec, StopStep};

use super::scope::Scope;
use crate::value::stopping;

impl Scope<'_, '_> {
    /// `stop_sequence` stands above `stopsignal` and `stopwaitsecs`, which become its first signal and its whole time: so clients of
    /// Supervisor's kind are told what comes closest.
    pub(super) fn stop_sequence(&mut self, spec: &mut ProcessSpec) {
        let Some(steps) = self.read("stop_sequence", stopping::sequence) else { return };
        let usual = seconds(spec.stopwaitsecs);
        self.remark_vain(&["stopsignal"], "beside stop_sequence");
        if steps.iter().all(|(_, wait)| wait.is_some()) {
            self.remark_vain(&["stopwaitsecs"], "beside stop_sequence, whose steps all have a time");
        }
        let wait = |wait: Option<Duration>| wait.unwrap_or(usual);
        spec.stop_sequence =
            steps.into_iter().map(|(signal, time)| StopStep { signal, wait: wait(time) }).collect();
        if let Some(first) = spec.stop_sequence.first() {
            spec.stopsignal = first.signal;
        }
        let whole: Duration = spec.stop_sequence.iter().map(|step| step.wait).sum();
        spec.stopwaitsecs = i64::try_from(whole.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
    }
}
