//! The first line that a command says, as far as people want to read it.

/// Longest line that is kept, in bytes and in characters.
const LONGEST: usize = 200;

/// What a command has said so far. Blank lines before the first one do not count.
#[derive(Debug, Default)]
pub(crate) struct FirstLine {
    bytes: Vec<u8>,
    is_whole: bool,
}

impl FirstLine {
    /// It goes on.
    pub(crate) fn add(&mut self, mut data: &[u8]) {
        if self.bytes.is_empty() {
            data = data.trim_ascii_start();
        }
        if self.is_whole || data.is_empty() {
            return;
        }
        let end = data.iter().position(|byte| *byte == b'\n');
        let room = LONGEST - self.bytes.len();
        self.bytes.extend_from_slice(&data[..end.unwrap_or(data.len()).min(room)]);
        self.is_whole = end.is_some() || self.bytes.len() == LONGEST;
    }

    /// For one line on a screen; `None` if there is nothing to read.
    pub(crate) fn text(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        // A character may have been cut in two at the end.
        let text = if self.bytes.len() == LONGEST { text.trim_end_matches('\u{fffd}') } else { &text };
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let plain = plain.trim();
        (!plain.is_empty()).then(|| plain.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_kept_however_it_comes() {
        let long = "x".repeat(LONGEST + 7);
        for (said, line) in [
            (vec!["a b\nc\n"], Some("a b")),
            (vec!["\n", " \n no", " way", " \r\nmore"], Some("no way")),
            (vec!["\x1b[31mred\t!\n"], Some("[31mred !")),
            (vec!["\n\n", ""], None),
            (vec![], None),
            (vec![&long, &long], Some(&long[..LONGEST])),
        ] {
            let mut first = FirstLine::default();
            said.iter().for_each(|data| first.add(data.as_bytes()));
            assert_eq!(first.text().as_deref(), line, "{said:?}");
            assert!(first.bytes.len() <= LONGEST);
        }
        let mut first = FirstLine::default();
        first.add("\u{20ac}".repeat(LONGEST).as_bytes());
        assert_eq!(first.text(), Some("\u{20ac}".repeat(LONGEST / 3)), "no half of a character");
    }
}
