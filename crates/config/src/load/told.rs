//! Which problems are known of a place, so that none is told twice, however many there are.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;

/// File, line and column.
type Where = (Option<String>, Option<usize>, Option<usize>);

/// The problems of a list by their places.
#[derive(Debug, Default)]
pub(super) struct Told {
    places: HashMap<Where, Vec<usize>>,
    /// How many of the list are in `places`.
    seen: usize,
}

impl Told {
    /// Whether a list that has only ever grown has this problem: of one severity, about one value or in the same words.
    pub(super) fn has(&mut self, problems: &[Diagnostic], new: &Diagnostic) -> bool {
        for (at, problem) in problems.iter().enumerate().skip(self.seen) {
            self.places.entry(place(problem)).or_default().push(at);
        }
        self.seen = problems.len();
        self.places.get(&place(new)).is_some_and(|there| {
            there.iter().any(|&at| {
                let old = &problems[at];
                let same_matter = new.key.is_some() || old.message == new.message;
                old.severity == new.severity && old.key == new.key && same_matter
            })
        })
    }
}

fn place(problem: &Diagnostic) -> Where {
    (problem.file.clone(), problem.line, problem.column)
}
