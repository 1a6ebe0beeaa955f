//! From offsets in a text to lines and columns.

use super::node::Spot;

/// Where offsets are. Asked in rising order within each line it goes through the text once.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// What was asked last.
    offset: usize,
    spot: Spot,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, offset: 0, spot: Spot { line: 1, column: 1 } }
    }

    /// The place of an offset; one beyond the end is the end.
    pub(super) fn spot(&mut self, offset: usize) -> Spot {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|&start| start <= offset);
        if line != self.spot.line || offset < self.offset {
            self.offset = self.starts.get(line - 1).copied().unwrap_or_default();
            self.spot = Spot { line, column: 1 };
        }
        self.spot.column += self.text.get(self.offset..offset).map_or(0, |between| between.chars().count());
        self.offset = offset;
        self.spot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters() {
        let mut lines = Lines::new("a\n中b\n");
        for (offset, line, column) in [(0, 1, 1), (5, 2, 2), (2, 2, 1), (99, 3, 1), (1, 1, 2)] {
            assert_eq!(lines.spot(offset), Spot { line, column }, "{offset}");
        }
    }
}
