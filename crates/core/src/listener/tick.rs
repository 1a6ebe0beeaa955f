//! TICK events: one when a slice of the wall clock begins (EVT-035).

use crate::event::EventKind;

/// The periods, in seconds, and the events of their beginnings, in the order they are sent.
const PERIODS: [(EventKind, i64); 3] =
    [(EventKind::Tick5, 5), (EventKind::Tick60, 60), (EventKind::Tick3600, 3600)];

/// Which slice each period that somebody subscribed to is in.
#[derive(Clone, Debug, Default)]
pub struct Ticks {
    slices: [Option<i64>; PERIODS.len()],
}

impl Ticks {
    /// Follows these periods from now on; those that were followed already go on. Nothing is sent for the slice that
    /// is under way.
    pub fn follow(&mut self, wall: i64, wanted: impl Fn(EventKind) -> bool) {
        for (slice, (kind, period)) in self.slices.iter_mut().zip(PERIODS) {
            *slice = if wanted(kind) { slice.or(Some(slice_of(wall, period))) } else { None };
        }
    }

    /// The slices that began since the last call, each with its first second. A clock that was set back begins slices
    /// too; slices that were slept through are not made up.
    pub fn turn(&mut self, wall: i64) -> Vec<(EventKind, i64)> {
        let mut begun = Vec::new();
        for (slice, (kind, period)) in self.slices.iter_mut().zip(PERIODS) {
            let now = slice_of(wall, period);
            if slice.is_some_and(|before| before != now) {
                *slice = Some(now);
                begun.push((kind, now));
            }
        }
        begun
    }

    /// The second of the wall clock at which the next slice begins; `None` while nobody wants to know.
    #[must_use]
    pub fn next(&self) -> Option<i64> {
        let followed = self.slices.iter().zip(PERIODS);
        followed.filter_map(|(slice, (_, period))| slice.map(|slice| slice.saturating_add(period))).min()
    }
}

fn slice_of(wall: i64, period: i64) -> i64 {
    wall - wall.rem_euclid(period)
}
