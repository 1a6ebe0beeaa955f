//! What was measured.

use std::collections::BTreeMap;

/// Where a sample belongs: row, size, contender.
pub type Place = (&'static str, usize, usize);

/// All samples of a run.
#[derive(Debug, Default)]
pub struct Results {
    samples: BTreeMap<Place, Vec<f64>>,
    /// What was left out, and why.
    pub notes: Vec<String>,
    /// What went wrong: no figure, or work that was not done.
    pub failures: Vec<String>,
}

impl Results {
    /// Adds a sample.
    pub fn add(&mut self, place: Place, value: f64) {
        self.samples.entry(place).or_default().push(value);
    }

    /// The samples of one place, in order of size.
    #[must_use]
    pub fn sorted(&self, place: Place) -> Vec<f64> {
        let mut samples = self.samples.get(&place).cloned().unwrap_or_default();
        samples.sort_by(f64::total_cmp);
        samples
    }

    /// The sizes at which a row was measured.
    #[must_use]
    pub fn sizes(&self, row: &str) -> Vec<usize> {
        let mut sizes: Vec<usize> =
            self.samples.keys().filter(|place| place.0 == row).map(|place| place.1).collect();
        sizes.dedup();
        sizes
    }
}

/// What stands for many samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The median, or another quantile if the row wants one.
    pub value: f64,
    /// The smallest sample.
    pub least: f64,
    /// The largest sample.
    pub most: f64,
    /// How many there are.
    pub samples: usize,
}

impl Figure {
    /// The figure of sorted samples; `None` of none.
    #[must_use]
    pub fn of(sorted: &[f64], quantile: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into a short list"
        )]
        let index = ((sorted.len().saturating_sub(1)) as f64 * quantile).round() as usize;
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        Some(Self { value: *sorted.get(index)?, least, most, samples: sorted.len() })
    }
}
