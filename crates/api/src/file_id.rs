//! Which file it is that had a name.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

/// Tells a file from every other that has had its name before, or has it later: its number alone is given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
    /// When it was made, in nanoseconds; 0 where nobody knows.
    born: u64,
}

impl FileId {
    /// That of the file which has this metadata.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { device: metadata.dev(), inode: metadata.ino(), born }
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.device, self.inode, self.born)
    }
}

/// It is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFileId;

impl FromStr for FileId {
    type Err = NoFileId;

    fn from_str(text: &str) -> Result<Self, NoFileId> {
        let mut parts = text.split('-');
        let mut part = || u64::from_str_radix(parts.next()?, 16).ok();
        match (part(), part(), part(), parts.next()) {
            (Some(device), Some(inode), Some(born), None) => Ok(Self { device, inode, born }),
            _ => Err(NoFileId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_was_written() {
        let id = FileId { device: 0x801, inode: u64::MAX, born: 1 << 62 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "1-2", "1-2-3-4", "1-2-x", "1--3", "11111111111111111-1-1"] {
            assert_eq!(text.parse::<FileId>(), Err(NoFileId), "{text}");
        }
    }
}
