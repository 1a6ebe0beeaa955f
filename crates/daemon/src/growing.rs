//! Large records of which a little changes at a time: the keeper holds one as it was written as a whole, and behind it a line for each
//! change since. When the changes are as long as the whole, it is written anew: what is written grows with what has changed, and not with
//! how often times how much there is.

use upkeep_keeper::wire::ToKeeper;

/// Changes of a small record that are not worth writing it anew.
const SLACK: u64 = 4096;

/// What the keeper holds under one key.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    /// Bytes of the whole; 0 if the keeper holds none of this daemon's.
    whole: u64,
    /// Bytes with the changes.
    length: u64,
}

impl Growing {
    /// The frame that writes the whole.
    pub(crate) fn whole(&mut self, key: u64, value: Vec<u8>) -> ToKeeper {
        self.whole = value.len() as u64;
        self.length = self.whole;
        ToKeeper::Put { key, value }
    }

    /// The frame that adds a change, which has no line end in it; `None` if the whole has to be written, since there is none, or the
    /// changes are as long as it is.
    pub(crate) fn change(&mut self, key: u64, change: Vec<u8>) -> Option<ToKeeper> {
        let line = change.len() as u64 + 1;
        if self.whole == 0 || self.length + line > self.whole * 2 + SLACK {
            return None;
        }
        let mut value = change;
        value.insert(0, b'\n');
        let keep = self.length;
        self.length += line;
        Some(ToKeeper::Extend { key, keep, value })
    }

    /// Whether the keeper holds nothing of this daemon's.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole == 0
    }

    /// Whether there is nothing behind the whole, or nothing at all.
    pub(crate) fn is_whole(&self) -> bool {
        self.length == self.whole
    }

    /// The keeper holds nothing of it any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The whole, and the changes behind it.
pub(crate) fn lines(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    record.split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the keeper makes of the frames.
    fn apply(held: &mut Vec<u8>, frame: ToKeeper) -> usize {
        match frame {
            ToKeeper::Put { value, .. } => {
                *held = value;
                held.len()
            }
            ToKeeper::Extend { keep, value, .. } => {
                held.truncate(usize::try_from(keep).unwrap());
                held.extend_from_slice(&value);
                value.len()
            }
            _ => panic!("neither"),
        }
    }

    #[test]
    fn what_is_written_grows_with_what_changes() {
        let written = |count: usize| {
            let (mut growing, mut held, mut sum) = (Growing::default(), Vec::new(), 0);
            let whole = vec![b'x'; count * 40];
            assert!(growing.change(7, b"y".to_vec()).is_none(), "there is nothing to add it to");
            sum += apply(&mut held, growing.whole(7, whole.clone()));
            for number in 0..3 * count {
                let change = format!("change {number:10}").into_bytes();
                match growing.change(7, change.clone()) {
                    Some(frame) => {
                        sum += apply(&mut held, frame);
                        assert!(held.ends_with(&change));
                    }
                    None => sum += apply(&mut held, growing.whole(7, whole.clone())),
                }
                assert!(held.len() <= 2 * whole.len() + 4096);
            }
            assert_eq!(lines(&held).next(), Some(&*whole));
            assert_eq!(lines(&held).skip(1).map(<[u8]>::len).max(), Some(17));
            sum
        };
        let (few, many) = (written(1000), written(4000));
        assert!(many < few * 5, "{few} bytes for 1000, {many} for 4000");
    }
}
