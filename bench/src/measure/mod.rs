//! The measures: each makes the samples of one or a few rows.

pub mod calls;
pub mod crowd;
pub mod deaths;
pub mod groups;
pub mod life;
pub mod output;
pub mod quiet;
pub mod recovery;

use std::time::Duration;

use crate::contender::Kind;
use crate::plan::Effort;
use crate::results::Results;
use crate::scene::Scene;

/// Where one turn of one contender writes its samples.
#[derive(Debug)]
pub struct Sheet<'a> {
    results: &'a mut Results,
    size: usize,
    contender: usize,
    /// Which turn of this contender at this size it is, from 0.
    pub turn: usize,
    /// How much is done.
    pub effort: &'a Effort,
}

impl<'a> Sheet<'a> {
    /// The sheet of one contender at one size.
    #[must_use]
    pub fn new(results: &'a mut Results, size: usize, contender: usize, effort: &'a Effort) -> Self {
        Self { results, size, contender, turn: 0, effort }
    }

    /// The sheet of a later turn.
    #[must_use]
    pub fn of_turn(self, turn: usize) -> Self {
        Self { turn, ..self }
    }

    /// Adds a sample to a row.
    pub fn add(&mut self, row: &'static str, value: f64) {
        self.results.add((row, self.size, self.contender), value);
    }

    fn add_ms(&mut self, row: &'static str, took: Duration) {
        self.add(row, took.as_secs_f64() * 1e3);
    }
}

/// Fewer repetitions for the one that takes a second for what the others do in one or two milliseconds.
fn repetitions(scene: &Scene<'_>, wanted: usize, most_of_supervisor: usize) -> usize {
    if scene.contender.kind == Kind::Supervisor { wanted.min(most_of_supervisor) } else { wanted }
}
