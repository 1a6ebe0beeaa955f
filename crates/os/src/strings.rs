//! Many texts in one piece of memory.

/// Texts one behind the other, each with a zero after it, as execve(2) wants them.
///
/// An environment is some forty texts. When many programs start at once, pieces of their own would take the places between what
/// lives long, and leave a heap in which hardly a page is free: a daemon of 200 programs kept 200 KiB more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Where each ends, which is where its zero is.
    ends: Vec<usize>,
}

impl Strings {
    /// None yet, with room for so many of so many bytes in all.
    #[must_use]
    pub fn with_capacity(texts: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes.saturating_add(texts)), ends: Vec::with_capacity(texts) }
    }

    /// Adds a text that is made of these parts.
    pub fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.ends.push(self.bytes.len());
        self.bytes.push(0);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Every text, without its zero.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        (0..self.len()).filter_map(|at| {
            let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
            self.bytes.get(begin..self.ends[at])
        })
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Strings {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(&[text.as_ref()]));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        let texts: [&[u8]; 5] = [b"A=1", b"", b"B=\xff", b"a\0b", b"C="];
        let all = Strings::from_iter(texts);
        assert_eq!(all.iter().collect::<Vec<_>>(), texts);
        assert_eq!((all.len(), all.is_empty()), (5, false));
        let mut parts = Strings::with_capacity(1, 3);
        assert!(parts.is_empty());
        parts.push(&[b"A", b"=", b"1"]);
        assert_eq!(parts, Strings::from_iter(["A=1"]));
    }
}
