//! Reading a file that others write, rotate, clear and truncate. Blocks on the disk: not for the main thread.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use upkeep_api::FileId;

/// Bytes of the end of a file that are shown first (RPC-241).
const HEAD: u64 = 1024;

/// Most bytes of one piece.
pub(crate) const PIECE: usize = 64 << 10;

/// More often a file is not rotated between two looks.
const ROTATIONS: u32 = 20;

/// How long before the name of before was certain a file may have been made that is shown from its start.
const CERTAIN_BEFORE: Duration = Duration::from_secs(2);

/// Takes the place of what is gone when a file is cut short (RPC-243).
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// Where a client goes on that knows how far it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// In bytes.
    pub(crate) offset: u64,
    /// In which file, if it knows that.
    pub(crate) file: Option<FileId>,
}

/// A position in a file, and the name under which its successor will appear.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    file: File,
    position: u64,
    /// Where the log goes on, once nothing more comes here, and when that was asked.
    next: Option<(PathBuf, SystemTime)>,
    /// When the log certainly still had this name.
    certain: SystemTime,
}

impl Follower {
    /// Opens a regular file near its end, or at `start`, in an old file if it is that by now; also tells when it was last written. A
    /// file that is shorter than that, or another, is the successor of the one that was meant, and is read from its start.
    ///
    /// # Errors
    /// There is no such file, it may not be read, or it is a pipe or a device, which has no end to show.
    pub(crate) fn open(path: PathBuf, start: Option<Start>) -> io::Result<(Self, SystemTime)> {
        let meant = start.and_then(|start| start.file);
        if let Some((file, metadata)) = meant.and_then(|meant| find(&path, meant)) {
            let position = start.map_or(0, |start| start.offset);
            let position = if position <= metadata.len() { position } else { 0 };
            return Ok((Self::at(path, file, position), metadata.modified()?));
        }
        if !fs::metadata(&path)?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        let position = match start {
            Some(Start { offset, file: None }) if offset <= metadata.len() => offset,
            Some(_) => 0,
            None => metadata.len().saturating_sub(HEAD),
        };
        Ok((Self::at(path, file, position), metadata.modified()?))
    }

    fn at(path: PathBuf, file: File, position: u64) -> Self {
        Self { path, file, position, next: None, certain: SystemTime::now() }
    }

    /// What was added since the last piece; empty if nothing was, for now.
    ///
    /// The rest of a file that was renamed or deleted comes before its successor, which is read from its start
    /// (RPC-242, RPC-248).
    pub(crate) fn read(&mut self) -> Vec<u8> {
        let piece = self.read_file();
        if !piece.is_empty() || !(self.follow_name() || self.go_on()) {
            return piece;
        }
        self.read_file()
    }

    /// The file that is read, and the names under which the log goes on.
    pub(crate) fn present(&self) -> (&File, Vec<&Path>) {
        let next = self.next.as_ref().map(|(path, _)| path.as_path());
        (&self.file, std::iter::once(self.path.as_path()).chain(next).collect())
    }

    /// Which file is read.
    pub(crate) fn id(&self) -> Option<FileId> {
        self.file.metadata().ok().as_ref().map(FileId::of)
    }

    /// The log still had its name then.
    pub(crate) fn was_there(&mut self, then: SystemTime) {
        if self.next.is_none() {
            self.certain = self.certain.max(then);
        }
    }

    /// The log has this name, as was asked then. What is still written to the file of before is read first.
    pub(crate) fn is_at(&mut self, path: PathBuf, asked: SystemTime) {
        if path == self.path {
            (self.next, self.certain) = (None, asked);
        } else {
            self.next = Some((path, asked));
        }
    }

    /// Goes over to the log's new name. A file that was certainly there before begins near its end, as with a new client; however long
    /// this client was held up, nothing is left out of one that the log may have made meanwhile.
    fn go_on(&mut self) -> bool {
        let Some((path, asked)) = self.next.clone() else { return false };
        let Ok((mut next, _)) = Self::open(path, None) else { return false };
        // The file system's clock is a little slow.
        let was_there = |born: SystemTime| born + CERTAIN_BEFORE < self.certain;
        if !next.file.metadata().and_then(|about| about.created()).is_ok_and(was_there) {
            next.position = 0;
        }
        next.certain = asked;
        *self = next;
        true
    }

    fn read_file(&mut self) -> Vec<u8> {
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else { return Vec::new() };
        if length < self.position {
            self.position = 0;
            return TRUNCATED.to_vec();
        }
        let mut piece = vec![0; usize::try_from(length - self.position).unwrap_or(PIECE).min(PIECE)];
        // A failed read is looked at again next time; the name may then lead to a better file.
        let read = self.file.read_at(&mut piece, self.position).unwrap_or(0);
        piece.truncate(read);
        self.position += read as u64;
        piece
    }

    /// Goes over to the file that has the name now, if it is another one, or to one that has had it in between. Tells whether it did.
    fn follow_name(&mut self) -> bool {
        let Ok(own) = self.file.metadata() else { return false };
        let is_own = |named: &Metadata| (own.dev(), own.ino()) == (named.dev(), named.ino());
        if !fs::metadata(&self.path).is_ok_and(|named| named.is_file() && !is_own(&named)) {
            return false;
        }
        let Ok(file) = File::open(self.successor(is_own)) else { return false };
        self.file = file;
        self.position = 0;
        true
    }

    /// Where the next file is: one number below our own's old name, if it still has one.
    fn successor(&self, is_own: impl Fn(&Metadata) -> bool) -> PathBuf {
        let old = |number: u32| old(&self.path, number);
        let number =
            (1..=ROTATIONS).find(|&number| fs::metadata(old(number)).is_ok_and(|named| is_own(&named)));
        let before = number.and_then(|number| number.checked_sub(1)).filter(|&number| number > 0);
        before.map(old).filter(|path| path.is_file()).unwrap_or_else(|| self.path.clone())
    }
}

/// The name of an old file.
fn old(path: &Path, number: u32) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The file that is meant, under its own name or an old one. Numbers grow, so one that is renamed meanwhile is still to come.
fn find(path: &Path, meant: FileId) -> Option<(File, Metadata)> {
    let names = std::iter::once(path.to_owned()).chain((1..=ROTATIONS).map(|number| old(path, number)));
    let mut files = names.filter(|name| fs::metadata(name).is_ok_and(|found| found.is_file()));
    files.find_map(|name| {
        let file = File::open(name).ok()?;
        let metadata = file.metadata().ok()?;
        (metadata.is_file() && FileId::of(&metadata) == meant).then_some((file, metadata))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn append(path: &std::path::Path, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn read(follower: &mut Follower) -> String {
        String::from_utf8(follower.read()).unwrap()
    }

    #[test]
    fn follows_through_everything_rpc_241_to_243_rpc_248() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, &("x".repeat(1000) + &"y".repeat(1024)));
        let (mut follower, _) = Follower::open(path.clone(), None).unwrap();
        assert_eq!(read(&mut follower), "y".repeat(1024));
        assert_eq!(read(&mut follower), "");
        append(&path, "more\n");
        assert_eq!(read(&mut follower), "more\n");

        append(&path, "before\n");
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        append(&path, "after\n");
        assert_eq!(read(&mut follower), "before\n");
        assert_eq!(read(&mut follower), "after\n");

        fs::remove_file(&path).unwrap();
        assert_eq!(read(&mut follower), "");
        append(&path, "new\n");
        assert_eq!(read(&mut follower), "new\n");

        File::create(&path).unwrap();
        assert_eq!(read(&mut follower), "==> File truncated <==\n");
        assert_eq!(read(&mut follower), "");
        append(&path, "again\n");
        assert_eq!(read(&mut follower), "again\n");
    }

    /// A log that grows so fast that it is rotated more than once between two looks.
    #[test]
    fn no_file_in_between_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let old = |number: u32| folder.path().join(format!("log.{number}"));
        append(&path, "one\n");
        let (mut follower, _) = Follower::open(path.clone(), None).unwrap();
        for text in ["two\n", "three\n", "four\n"] {
            (1..3).rev().filter(|&number| old(number).exists()).for_each(|number| {
                fs::rename(old(number), old(number + 1)).unwrap();
            });
            fs::rename(&path, old(1)).unwrap();
            append(&path, text);
        }
        let all: Vec<String> = std::iter::repeat_with(|| read(&mut follower)).take(5).collect();
        assert_eq!(all, ["one\n", "two\n", "three\n", "four\n", ""]);
    }

    /// The log gets another name: first the rest of the file of before, then all of a new one, or the end of one that was there.
    #[test]
    fn goes_on_where_the_log_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new, there] = ["old", "new", "there"].map(|name| folder.path().join(name));
        append(&old, "one\n");
        let (mut follower, _) = Follower::open(old.clone(), None).unwrap();
        assert_eq!(read(&mut follower), "one\n");
        append(&new, &"x".repeat(2000));
        // It was held up between the answer and this.
        let later = SystemTime::now() + CERTAIN_BEFORE * 100;
        follower.is_at(new.clone(), later);
        append(&old, "two\n");
        assert_eq!(read(&mut follower), "two\n");
        follower.is_at(new.clone(), later);
        assert_eq!(read(&mut follower), "x".repeat(2000));
        append(&there, &("x".repeat(2000) + &"y".repeat(1024)));
        follower.is_at(there.clone(), later);
        assert_eq!(read(&mut follower), "y".repeat(1024));
        append(&new, "three\n");
        follower.is_at(there.clone(), SystemTime::UNIX_EPOCH);
        follower.is_at(new.clone(), later);
        assert_eq!(read(&mut follower), "x".repeat(2000) + "three\n", "nobody knows when it was made");
        follower.is_at(folder.path().join("missing"), later);
        assert_eq!(read(&mut follower), "");
        assert_eq!(follower.path, new);
    }

    #[test]
    fn begins_where_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, &"x".repeat(2000));
        for (start, length) in [(0, 2000), (1990, 10), (2000, 0), (2001, 2000)] {
            let start = Start { offset: start, file: None };
            let (mut follower, _) = Follower::open(path.clone(), Some(start)).unwrap();
            assert_eq!(follower.read().len(), length, "{start:?}");
        }
    }

    /// What was read before it was rotated is not read again, and what came into it after that is not left out, however often it
    /// was rotated meanwhile.
    #[test]
    fn goes_on_in_the_file_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "known\n");
        let file = Some(FileId::of(&fs::metadata(&path).unwrap()));
        let start = Some(Start { offset: 6, file });
        append(&path, "rest\n");
        for rounds in 0..4_u32 {
            let round = usize::try_from(rounds).unwrap();
            let (mut follower, _) = Follower::open(path.clone(), start).unwrap();
            let all: Vec<String> = std::iter::repeat_with(|| read(&mut follower)).take(round + 2).collect();
            let expected =
                ["rest\n", "after 0, and long\n", "after 1, and long\n", "after 2, and long\n", ""];
            assert_eq!(all[..=round], expected[..=round]);
            assert_eq!(all[round + 1], "");
            for number in (1..=rounds).rev() {
                fs::rename(old(&path, number), old(&path, number + 1)).unwrap();
            }
            fs::rename(&path, old(&path, 1)).unwrap();
            append(&path, &format!("after {round}, and long\n"));
        }
        (1..=4).for_each(|number| fs::remove_file(old(&path, number)).unwrap());
        let (mut follower, _) = Follower::open(path.clone(), start).unwrap();
        assert_eq!(read(&mut follower), "after 3, and long\n", "all of another file is new");
        File::options().write(true).truncate(true).open(&path).unwrap();
        let file = Some(FileId::of(&fs::metadata(&path).unwrap()));
        append(&path, "new\n");
        let (mut follower, _) = Follower::open(path, Some(Start { offset: 6, file })).unwrap();
        assert_eq!(read(&mut follower), "new\n", "it was cut short");
    }

    #[test]
    fn long_files_come_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "");
        let (mut follower, _) = Follower::open(path.clone(), None).unwrap();
        append(&path, &"x".repeat(PIECE + 1));
        assert_eq!(follower.read().len(), PIECE);
        assert_eq!(follower.read().len(), 1);
        assert_eq!(follower.read().len(), 0);
    }

    #[test]
    fn only_regular_files_rpc_244() {
        for path in ["/dev/null", "/", "/nonexistent/log"] {
            assert!(Follower::open(path.into(), None).is_err(), "{path}");
        }
    }
}
