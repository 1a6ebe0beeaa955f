//! What became of requests.

use upkeep_core::{Answer, Mono, Refusal};

/// One request and its answers: one, if all is well.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Each answer and when it came.
    pub answers: Vec<(Mono, Answer)>,
    /// The daemon died while it was open: nobody waits any more, and no answer may come.
    pub lost: bool,
}

impl Call {
    /// The answer about one process; `None` while it is open or if it is of another shape.
    #[must_use]
    pub fn one(&self) -> Option<Result<(), Refusal>> {
        match self.answers.first() {
            Some((_, Answer::One(result))) => Some(result.clone()),
            Some((_, Answer::Many(_) | Answer::Updated(_) | Answer::Rolling(_))) | None => None,
        }
    }
}
