//! From offsets in a text to lines and columns.

use super::node::Spot;

/// Where offsets are. Asked in rising order it goes through the text once.
pub(super) struct Lines<'a> {
    text: &'a str,
    offset: usize,
    spot: Spot,
}

const START: Spot = Spot { line: 1, column: 1 };

impl<'a> Lines<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, offset: 0, spot: START }
    }

    /// The place of an offset; one beyond the end is the end.
    pub(super) fn spot(&mut self, offset: usize) -> Spot {
        if offset < self.offset {
            (self.offset, self.spot) = (0, START);
        }
        for c in self.text.get(self.offset..).unwrap_or_default().chars() {
            if self.offset >= offset {
                break;
            }
            self.offset += c.len_utf8();
            self.spot = match c {
                '\n' => Spot { line: self.spot.line + 1, column: 1 },
                _ => Spot { line: self.spot.line, column: self.spot.column + 1 },
            };
        }
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
