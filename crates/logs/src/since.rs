//! The end of a log that reaches back into its old files.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;

use crate::file::old::{OldFile, compressed, old_files};
use crate::read::{READ_LIMIT, Tail, open, slice};

/// How often it is tried again while files are renamed and compressed.
const TRIES: usize = 5;
/// How much is unpacked at once.
const PIECE: usize = 64 * 1024;
/// More than this is not unpacked to get at the end of one file.
const MOST_UNPACKED: u64 = 4 << 30;

/// The newest bytes of a log and its old files, compressed or not, `most` at most; old files that were last written before `since`
/// are left out. `offset` of the answer is the size of the present file, which is as good as empty if it is not there; with what tells
/// that file from the next one of its name.
///
/// # Errors
/// A file cannot be read, or there is neither the log nor an old file of it.
pub fn read_since(path: &Path, since: SystemTime, most: u64) -> io::Result<(Tail, Option<Metadata>)> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match attempt(path, since, most.min(READ_LIMIT)) {
            // An old file got another name while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries > 0 && !is_without(path) => {}
            other => return other,
        }
    }
}

/// Whether there is nothing of this log at all.
fn is_without(path: &Path) -> bool {
    !path.exists() && old_files(path).is_ok_and(|old| old.is_empty())
}

fn attempt(path: &Path, since: SystemTime, most: u64) -> io::Result<(Tail, Option<Metadata>)> {
    let present = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    let mut end = End { pieces: Vec::new(), left: most, overflow: false };
    let (mut offset, mut own) = (0, None);
    // Opened before the old ones are listed: what is rotated in between is told by its number, and not read twice.
    if let Some((mut file, size)) = present {
        let meta = file.metadata()?;
        own = Some(meta);
        offset = i64::try_from(size).unwrap_or(i64::MAX);
        end.take(&mut file, size)?;
    }
    let number = own.as_ref().map(|meta| (meta.dev(), meta.ino()));
    let old: Vec<OldFile> = old_files(path)?.into_iter().filter(|file| Some(file.inode) != number).collect();
    if own.is_none() && old.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // A source that has not been removed yet stands beside its compressed twin, which has its time. Another time tells of another
    // file, left from when old ones were compressed before.
    let has_twin = |file: &OldFile| {
        let is_twin = |other: &OldFile| other.path == compressed(&file.path) && other.written == file.written;
        !file.is_gzip && old.iter().any(is_twin)
    };
    for file in old.iter().filter(|file| file.written >= since && !has_twin(file)) {
        if end.left == 0 {
            end.overflow = true;
            break;
        }
        end.take_old(file)?;
    }
    let data = end.pieces.into_iter().rev().flatten().collect();
    Ok((Tail { data, offset, overflow: end.overflow }, own))
}

/// Collects the newest bytes, the newest file first.
struct End {
    pieces: Vec<Vec<u8>>,
    left: u64,
    overflow: bool,
}

impl End {
    fn take(&mut self, file: &mut File, size: u64) -> io::Result<()> {
        let piece = slice(file, size, size.saturating_sub(self.left), self.left)?;
        self.overflow |= size > self.left;
        self.keep(piece);
        Ok(())
    }

    fn take_old(&mut self, old: &OldFile) -> io::Result<()> {
        let (mut file, size) = open(&old.path)?;
        if !old.is_gzip {
            return self.take(&mut file, size);
        }
        io::Seek::rewind(&mut file)?;
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (piece, is_all) = last(MultiGzDecoder::new(file).take(MOST_UNPACKED), room)?;
        self.overflow |= !is_all;
        self.keep(piece);
        Ok(())
    }

    fn keep(&mut self, piece: Vec<u8>) {
        self.left -= (piece.len() as u64).min(self.left);
        self.pieces.push(piece);
    }
}

/// The last bytes of something that can only be read from its start, and whether these are all.
fn last(mut source: impl Read, room: usize) -> io::Result<(Vec<u8>, bool)> {
    let (mut kept, mut piece, mut is_all) = (Vec::new(), vec![0; PIECE], true);
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // What is whole of a damaged file is better than nothing.
            Err(_) => break,
            Ok(count) => count,
        };
        kept.extend_from_slice(&piece[..count]);
        if kept.len() > room.saturating_mul(2).max(PIECE) {
            kept.drain(..kept.len() - room);
            is_all = false;
        }
    }
    if kept.len() > room {
        kept.drain(..kept.len() - room);
        is_all = false;
    }
    Ok((kept, is_all))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    fn read_since(path: &Path, since: SystemTime, most: u64) -> io::Result<Tail> {
        super::read_since(path, since, most).map(|(tail, _)| tail)
    }

    fn pack(path: &Path, text: &str) {
        let mut encoder =
            flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }

    fn set_written(path: &Path, at: SystemTime) {
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    fn hours(count: u64) -> Duration {
        Duration::from_hours(count)
    }

    #[test]
    fn reaches_back_into_old_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let now = SystemTime::now();
        let old = |ending: &str| folder.path().join(format!("log{ending}"));
        fs::write(&path, "five\n").unwrap();
        for (number, text) in [(1, "four\n"), (3, "two\n")] {
            fs::write(old(&format!(".{number}")), text).unwrap();
            set_written(&old(&format!(".{number}")), now - hours(number));
        }
        for (number, text) in [(2, "three\n"), (3, "two\n"), (4, "one\n")] {
            pack(&old(&format!(".{number}.gz")), text);
            set_written(&old(&format!(".{number}.gz")), now - hours(number));
        }
        let rows: [(u64, u64, &str, bool); 8] = [
            (100, 1000, "one\ntwo\nthree\nfour\nfive\n", false),
            (2, 1000, "four\nfive\n", false),
            (0, 1000, "five\n", false),
            (100, 12, "e\nfour\nfive\n", true),
            (100, 10, "four\nfive\n", true),
            (100, 3, "ve\n", true),
            (100, 0, "", true),
            (100, u64::MAX, "one\ntwo\nthree\nfour\nfive\n", false),
        ];
        for (since, most, expected, overflow) in rows {
            let since = now - hours(since) + Duration::from_secs(60);
            let found = read_since(&path, since, most).unwrap();
            let text = String::from_utf8(found.data).unwrap();
            assert_eq!(
                (text.as_str(), found.offset, found.overflow),
                (expected, 5, overflow),
                "{since:?} {most}"
            );
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(read_since(&path, SystemTime::UNIX_EPOCH, 5).unwrap().data, b"four\n");
        let nothing = read_since(&folder.path().join("other"), SystemTime::UNIX_EPOCH, 5);
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// Compression was switched off, and on again: what was compressed before stands beside what has its number now.
    #[test]
    fn an_older_file_of_the_same_number_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (plain, packed) = (folder.path().join("log.1"), folder.path().join("log.1.gz"));
        fs::write(&path, "three\n").unwrap();
        fs::write(&plain, "two\n").unwrap();
        pack(&packed, "one\n");
        let now = SystemTime::now();
        set_written(&packed, now - hours(2));
        for (written, expected) in [(1, "one\ntwo\nthree\n"), (3, "two\none\nthree\n"), (2, "one\nthree\n")] {
            set_written(&plain, now - hours(written));
            let found = read_since(&path, SystemTime::UNIX_EPOCH, 1000).unwrap();
            assert_eq!(String::from_utf8(found.data).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn a_damaged_file_is_read_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let packed = folder.path().join("log.1.gz");
        pack(&packed, &"line\n".repeat(100_000));
        let bytes = fs::read(&packed).unwrap();
        fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
        let found = read_since(&path, SystemTime::UNIX_EPOCH, 1_000_000).unwrap();
        assert!(found.data.len() > 1000, "{}", found.data.len());
    }
}
