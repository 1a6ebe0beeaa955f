use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn named(path: &Path, maxbytes: i64, backups: i64) -> RotatingFile {
    RotatingFile::open(path, maxbytes, backups, MODE_NAMED).unwrap()
}

fn write(file: &mut RotatingFile, text: &str) {
    assert_eq!(file.write(text.as_bytes()), text.len());
}

/// The contents of the base and of `.1`, `.2` … as far as they exist without a gap.
fn contents(path: &Path) -> Vec<String> {
    let names = std::iter::once(path.to_owned()).chain((1..).map(|number| rotate::numbered(path, number)));
    names.map_while(|name| fs::read_to_string(name).ok()).collect()
}

fn fifo(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    path
}

fn reader(path: &Path) -> File {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    File::options().read(true).custom_flags(flags).open(path).unwrap()
}

/// The notices, each as one word.
fn notices(file: &mut RotatingFile) -> Vec<String> {
    let word = |notice| match notice {
        Notice::Dropping(error) => format!("dropping {}", error.raw_os_error().unwrap()),
        Notice::Resumed(bytes) => format!("resumed {bytes}"),
        Notice::GaveUp(bytes) => format!("gave up {bytes}"),
        Notice::Unlimited => "unlimited".to_owned(),
        Notice::Warn(_) => "warn".to_owned(),
    };
    file.take_notices().into_iter().map(word).collect()
}

#[test]
fn rotates_after_a_write_and_never_splits_a_chunk_proc_135_136() {
    let rows: &[(i64, i64, &[&str], &[&str])] = &[
        (0, 3, &["0123456789", "abc"], &["0123456789abc"]),
        (-1, 3, &["0123456789"], &["0123456789"]),
        (10, 2, &["01234", "5678"], &["012345678"]),
        (10, 2, &["01234", "56789"], &["", "0123456789"]),
        (10, 2, &["a chunk longer than that", "b"], &["b", "a chunk longer than that"]),
        (4, 2, &["aaaa", "bbbb", "cccc", "dddd", "e"], &["e", "dddd", "cccc"]),
        (4, 1, &["aaaa", "bbbb"], &["", "bbbb"]),
        (4, 0, &["aaaa", "bb"], &["bb"]),
        (4, -5, &["aaaa", "bb"], &["bb"]),
        (4, 5000, &["aaaa", "bbbb", "cccc"], &["", "cccc", "bbbb", "aaaa"]),
    ];
    for (maxbytes, backups, chunks, expected) in rows {
        let dir = dir();
        let path = dir.path().join("log");
        let mut file = named(&path, *maxbytes, *backups);
        for chunk in *chunks {
            write(&mut file, chunk);
        }
        assert_eq!(contents(&path), *expected, "maxbytes {maxbytes}, backups {backups}, {chunks:?}");
        assert!(notices(&mut file).is_empty());
    }
}

#[test]
fn appends_to_what_is_there_and_counts_it_proc_134() {
    let dir = dir();
    let path = dir.path().join("log");
    fs::write(&path, "before ").unwrap();
    let mut file = named(&path, 10, 1);
    assert_eq!(contents(&path), ["before "], "opening rotates nothing");
    write(&mut file, "after");
    assert_eq!(contents(&path), ["", "before after"]);
}

#[test]
fn creates_with_its_mode_also_after_a_rotation_proc_131_134() {
    let dir = dir();
    let probe = dir.path().join("probe");
    fs::write(&probe, "").unwrap();
    let usual = fs::metadata(&probe).unwrap().permissions().mode() & 0o777;
    for (mode, expected) in [(MODE_NAMED, usual), (MODE_AUTO, 0o600)] {
        let path = dir.path().join(format!("{mode:o}"));
        let mut file = RotatingFile::open(&path, 3, 1, mode).unwrap();
        write(&mut file, "abc");
        for name in [&path, &rotate::numbered(&path, 1)] {
            assert_eq!(fs::metadata(name).unwrap().permissions().mode() & 0o777, expected);
        }
    }
}

#[test]
fn survives_vanished_files_proc_137() {
    let dir = dir();
    let path = dir.path().join("log");
    let mut file = named(&path, 4, 3);
    for chunk in ["aaaa", "bbbb", "cccc"] {
        write(&mut file, chunk);
    }
    fs::remove_file(rotate::numbered(&path, 2)).unwrap();
    fs::remove_file(&path).unwrap();
    write(&mut file, "to the deleted file");
    assert_eq!(contents(&path), ["",], "the base is back, .1 has moved up and nothing has taken its place");
    assert_eq!(fs::read_to_string(rotate::numbered(&path, 2)).unwrap(), "cccc");
    write(&mut file, "dddd");
    assert_eq!(contents(&path), ["", "dddd"]);
    assert!(notices(&mut file).is_empty());
}

#[test]
fn measures_the_file_not_its_own_writes_proc_142() {
    let dir = dir();
    let path = dir.path().join("log");
    let (mut one, mut two) = (named(&path, 10, 1), named(&path, 0, 0));
    write(&mut one, "12345678");
    fs::write(&path, "").unwrap();
    write(&mut one, "after copytruncate"[..9].as_ref());
    assert_eq!(contents(&path), ["after cop"]);
    write(&mut two, "|");
    write(&mut one, "x");
    assert_eq!(contents(&path), ["", "after cop|x"]);
}

#[test]
fn goes_on_when_it_cannot_rotate() {
    let dir = dir();
    let path = dir.path().join("log");
    let in_the_way = rotate::numbered(&path, 1);
    fs::create_dir_all(in_the_way.join("full")).unwrap();
    let mut file = named(&path, 4, 1);
    write(&mut file, "aaaa");
    assert_eq!(notices(&mut file), ["warn"]);
    write(&mut file, "bbb");
    assert!(notices(&mut file).is_empty(), "not again for every chunk");
    fs::remove_dir_all(&in_the_way).unwrap();
    write(&mut file, "c");
    assert_eq!(contents(&path), ["", "aaaabbbc"]);
}

#[test]
fn reopens_the_path_proc_140() {
    let dir = dir();
    let (path, moved) = (dir.path().join("log"), dir.path().join("moved"));
    let mut file = named(&path, 0, 0);
    write(&mut file, "a");
    fs::rename(&path, &moved).unwrap();
    write(&mut file, "b");
    file.reopen().unwrap();
    write(&mut file, "c");
    assert_eq!(fs::read_to_string(&moved).unwrap(), "ab");
    assert_eq!(contents(&path), ["c"]);
    file.reopen().unwrap();
    write(&mut file, "d");
    assert_eq!(contents(&path), ["cd"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(file.reopen().is_err());
    write(&mut file, "to the old file, which is still open");
    assert!(notices(&mut file).is_empty());
}

#[test]
fn clears_by_removing_proc_141() {
    let dir = dir();
    let path = dir.path().join("log");
    let mut file = named(&path, 6, 1);
    write(&mut file, "long one");
    write(&mut file, "short");
    let inode = fs::metadata(&path).unwrap().ino();
    let held = File::open(&path).unwrap();
    file.clear().unwrap();
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode, "a new file");
    drop(held);
    assert_eq!(contents(&path), ["", "long one"], "backups stay");
    write(&mut file, "new");
    assert_eq!(contents(&path)[0], "new");
    fs::remove_file(&path).unwrap();
    file.clear().unwrap();
    assert_eq!(contents(&path)[0], "");
}

#[test]
fn clears_a_path_that_nobody_writes_d_11() {
    let dir = dir();
    let path = dir.path().join("log");
    clear_path(&path).unwrap();
    assert!(!path.exists(), "what is not there is not made");
    for mode in [0o600, 0o666] {
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let held = File::open(&path).unwrap();
        clear_path(&path).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.len(), meta.mode() & 0o777), (0, mode));
        assert_ne!(meta.ino(), inode, "a new file");
        drop(held);
    }
    let fifo = fifo(&dir);
    clear_path(&fifo).unwrap();
    assert!(fifo.exists());
    let directory = dir.path().join("directory");
    fs::create_dir(&directory).unwrap();
    clear_path(&directory).unwrap();
    assert!(directory.exists());
    clear_path(Path::new("/dev/null")).unwrap();
    assert!(Path::new("/dev/null").exists());
}

#[test]
fn says_why_it_cannot_be_opened_proc_046() {
    let dir = dir();
    fs::write(dir.path().join("file"), "").unwrap();
    for (path, errno) in [
        (dir.path().to_owned(), Errno::ISDIR),
        (dir.path().join("missing/log"), Errno::NOENT),
        (dir.path().join("file/log"), Errno::NOTDIR),
    ] {
        let error = RotatingFile::open(&path, 0, 0, MODE_NAMED).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()), "{}", path.display());
    }
}

#[test]
fn a_full_disk_drops_counts_and_resumes() {
    let dir = dir();
    let (path, real) = (dir.path().join("log"), dir.path().join("real"));
    symlink("/dev/full", &path).unwrap();
    let mut file = named(&path, 1000, 1);
    write(&mut file, "12345");
    write(&mut file, "678");
    assert_eq!(notices(&mut file), [format!("dropping {}", Errno::NOSPC.raw_os_error())], "once an episode");
    file.drop_bytes(Errno::NOSPC.into(), 2);
    fs::remove_file(&path).unwrap();
    symlink(&real, &path).unwrap();
    file.reopen().unwrap();
    write(&mut file, "back");
    assert_eq!(notices(&mut file), ["resumed 10"]);
    write(&mut file, "!");
    assert!(notices(&mut file).is_empty());
    assert_eq!(fs::read_to_string(&real).unwrap(), "back!");
}

#[test]
fn a_fifo_waits_for_nobody_d_10() {
    let dir = dir();
    let path = fifo(&dir);
    let mut file = named(&path, 100, 1);
    assert!(notices(&mut file).is_empty());
    write(&mut file, "lost");
    assert_eq!(notices(&mut file), [format!("dropping {}", Errno::NXIO.raw_os_error())]);
    let mut end = reader(&path);
    write(&mut file, "seen");
    assert_eq!(notices(&mut file), ["unlimited", "resumed 4"]);
    let mut text = [0; 4];
    end.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"seen");
    drop(end);
    write(&mut file, "nobody");
    assert_eq!(notices(&mut file), [format!("dropping {}", Errno::PIPE.raw_os_error())]);
    fs::remove_file(&path).unwrap();
    let mut end = reader(&self::fifo(&dir));
    write(&mut file, "made anew");
    assert_eq!(notices(&mut file), ["resumed 6"]);
    let mut text = [0; 9];
    end.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"made anew");
}

#[test]
fn a_full_fifo_settles_a_part() {
    let dir = dir();
    let path = fifo(&dir);
    let mut end = reader(&path);
    let mut file = named(&path, 0, 1);
    let data = vec![b'x'; 1 << 20];
    let settled = file.write(&data);
    assert!(settled > 0 && settled < data.len());
    assert!(file.waits_for().is_some());
    assert!(!file.wait_for_room(Duration::ZERO));
    assert_eq!(file.write(b"more"), 0);
    end.read_exact(&mut vec![0; settled]).unwrap();
    assert!(file.wait_for_room(Duration::ZERO));
    write(&mut file, "more");
    assert!(notices(&mut file).is_empty());
    file.clear().unwrap();
    assert!(path.exists());
}

#[test]
fn only_what_could_be_full_is_warned_about_d_10() {
    let dir = dir();
    let fifo = fifo(&dir);
    let _end = reader(&fifo);
    for (path, expected) in [(fifo.as_path(), 1), (Path::new("/dev/null"), 0), (&dir.path().join("log"), 0)] {
        let mut file = named(path, 50, 1);
        write(&mut file, "x");
        assert_eq!(notices(&mut file).len(), expected, "{}", path.display());
        assert!(notices(&mut named(path, 0, 1)).is_empty());
    }
    assert!(!Path::new("/dev/null.1").exists());
}

#[test]
fn the_newer_of_two_files_counts() {
    let dir = dir();
    let (path, moved) = (dir.path().join("log"), dir.path().join("moved"));
    let mut file = named(&path, 0, 0);
    write(&mut file, "old");
    fs::rename(&path, &moved).unwrap();
    file.supersede(named(&path, 3, 1));
    write(&mut file, "new");
    assert_eq!(contents(&path), ["", "new"]);
    assert_eq!(fs::read_to_string(moved).unwrap(), "old");
}

/// A pipe with these bytes in it, whose writer is kept.
/// A command beside a process writes to its log, and must not keep it from being rotated.
#[test]
fn a_guest_changes_no_limits() {
    let dir = dir();
    let path = dir.path().join("log");
    let guest = || RotatingFile::open(&path, AS_OTHERS_SAY, 0, MODE_NAMED).unwrap();
    let mut file = guest();
    write(&mut file, "before ");
    file.supersede(named(&path, 8, 2).with_rules(Some(FileRules { gzip: true, ..FileRules::default() })));
    file.supersede(guest());
    assert!(file.has_rules());
    write(&mut file, "x");
    assert_eq!(contents(&path), ["", "before x"]);
}

fn pipe_with(data: &[u8]) -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    assert_eq!(rustix::io::write(&writer, data).unwrap(), data.len());
    (reader, writer)
}

#[test]
fn bytes_are_moved_from_a_pipe_and_rotated_as_written_ones_are_proc_135() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut file = RotatingFile::open(&path, 8, 2, MODE_NAMED).unwrap();
    let (reader, writer) = pipe_with(b"moved");
    assert_eq!(file.take_from(reader.as_fd(), 3), Taken::Bytes(3));
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(2));
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Nothing);
    assert_eq!(file.write(b"and"), 3);
    assert_eq!(fs::read(dir.path().join("log.1")).unwrap(), b"movedand", "a mixture is rotated at its limit");
    rustix::io::write(&writer, b"in the next").unwrap();
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(11));
    rustix::io::write(&writer, b"last").unwrap();
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(4));
    drop(writer);
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::End);
    let found = ["log.2", "log.1", "log"].map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
    assert_eq!(found, ["movedand", "in the next", "last"]);
    assert!(!file.has_notices());
}

/// Another process that appends to the same file, and logrotate's `copytruncate`: nothing is overwritten, nothing is a hole.
#[test]
fn bytes_are_moved_to_a_file_that_was_to_be_opened_later() {
    let dir = dir();
    let path = dir.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let mut file = RotatingFile::later(&path, 0, 0, MODE_NAMED);
    let (reader, _writer) = pipe_with(b"after\n");
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(6), "none passes through our hands");
    assert_eq!(contents(&path), ["before\nafter\n"]);
    let mut nowhere = RotatingFile::later(dir.path().join("none/log"), 0, 0, MODE_NAMED);
    let (reader, _writer) = pipe_with(b"lost");
    assert_eq!(nowhere.take_from(reader.as_fd(), 100), Taken::Refused);
    assert_eq!((nowhere.write(b"lost"), nowhere.take_lost()), (4, 4));
}

#[test]
fn other_writers_are_noticed_before_a_move() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut other = fs::File::options().create(true).append(true).open(&path).unwrap();
    other.write_all(b"old ").unwrap();
    let mut file = RotatingFile::open(&path, 0, 0, MODE_NAMED).unwrap();
    let (reader, writer) = pipe_with(b"one ");
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(4));
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    rustix::io::write(&writer, b"two ").unwrap();
    assert_eq!(
        file.take_from(reader.as_fd(), 100),
        Taken::Refused,
        "it may be truncated in mid-move the next time"
    );
    assert_eq!(rustix::io::read(&reader, &mut [0; 100]), Ok(4));
    file.write(b"two ");
    assert_eq!(fs::read_to_string(&path).unwrap(), "two ");
    file.reopen().unwrap();
    rustix::io::write(&writer, b"moved ").unwrap();
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(6), "a file opened anew is looked at anew");
    other.write_all(b"theirs ").unwrap();
    rustix::io::write(&writer, b"three").unwrap();
    for _ in 0..2 {
        assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Refused, "appending is safe, moving is not");
    }
    file.write(b"three ");
    other.write_all(b"theirs again").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two moved theirs three theirs again");
}

#[test]
fn what_is_no_file_of_our_own_is_not_moved_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(&dir);
    let _reader = fs::File::options().read(true).write(true).open(&path).unwrap();
    let (pipe, _writer) = pipe_with(b"bytes");
    for target in [path.to_str().unwrap(), "/dev/null", "/dev/full"] {
        let mut file = RotatingFile::open(target, 0, 0, MODE_NAMED).unwrap();
        assert_eq!(file.take_from(pipe.as_fd(), 100), Taken::Refused, "{target}");
    }
}

fn ruled(path: &Path, backups: i64, rules: FileRules) -> RotatingFile {
    named(path, 0, backups).with_rules(Some(rules))
}

fn age(path: &Path, hours: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
}

fn daily() -> FileRules {
    FileRules { every: Some(Every::Day), ..FileRules::default() }
}

#[test]
fn what_was_written_in_another_period_is_rotated_before_the_next_write() {
    let dir = dir();
    let path = dir.path().join("log");
    fs::write(&path, "yesterday").unwrap();
    age(&path, 24);
    let mut file = ruled(&path, 2, daily());
    assert_eq!(contents(&path), ["yesterday"], "nothing happens before a write");
    write(&mut file, "today");
    write(&mut file, " too");
    assert_eq!(contents(&path), ["today too", "yesterday"]);
    let mut again = ruled(&path, 2, daily());
    write(&mut again, ", still");
    assert_eq!(contents(&path), ["today too, still", "yesterday"], "whoever opens it again goes by its time");
}

#[test]
fn an_empty_file_and_a_file_from_the_future_stay() {
    let dir = dir();
    for (text, hours) in [("", 48), ("young", 0)] {
        let path = dir.path().join("log");
        fs::write(&path, text).unwrap();
        age(&path, hours);
        if !text.is_empty() {
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_hours(72)).unwrap();
        }
        let mut file = ruled(&path, 2, daily());
        write(&mut file, "x");
        assert_eq!(contents(&path), [format!("{text}x")]);
    }
}

#[test]
fn bytes_that_are_moved_rotate_by_time_too() {
    let dir = dir();
    let path = dir.path().join("log");
    fs::write(&path, "yesterday").unwrap();
    age(&path, 24);
    let mut file = ruled(&path, 1, daily());
    let (reader, _writer) = pipe_with(b"today");
    assert_eq!(file.take_from(reader.as_fd(), 100), Taken::Bytes(5));
    assert_eq!(contents(&path), ["today", "yesterday"]);
}

#[test]
fn without_old_files_a_period_begins_with_an_empty_one() {
    let dir = dir();
    let path = dir.path().join("log");
    fs::write(&path, "yesterday").unwrap();
    age(&path, 24);
    write(&mut ruled(&path, 0, daily()), "today");
    assert_eq!(contents(&path), ["today"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn old_files_may_have_dates_for_names() {
    let dir = dir();
    let path = dir.path().join("log");
    let mut file = named(&path, 3, 5).with_rules(Some(FileRules { dated: true, ..FileRules::default() }));
    for text in ["one", "two", "six"] {
        write(&mut file, text);
    }
    assert_eq!(contents(&path), [""]);
    let old = old::old_files(&path).unwrap();
    let texts: Vec<_> = old.iter().map(|file| fs::read_to_string(&file.path).unwrap()).collect();
    assert_eq!(texts, ["six", "two", "one"], "{old:?}");
}

#[test]
fn compressed_files_move_with_the_others() {
    let dir = dir();
    let path = dir.path().join("log");
    let name = |ending: &str| dir.path().join(format!("log{ending}"));
    for ending in [".1", ".2.gz", ".3.gz", ".3"] {
        fs::write(name(ending), ending).unwrap();
    }
    let rules = FileRules { gzip: true, ..FileRules::default() };
    let mut file = named(&path, 1, 3).with_rules(Some(rules));
    write(&mut file, "x");
    let mut found: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| format!("{} {}", path.file_name().unwrap().display(), fs::read_to_string(&path).unwrap()))
        .collect();
    found.sort();
    assert_eq!(found, ["log ", "log.1 x", "log.2 .1", "log.3.gz .2.gz"]);
}

#[test]
fn a_file_that_could_not_be_left_is_known_as_the_one_that_is_written() {
    let dir = dir();
    let path = dir.path().join("log");
    let mut file = named(&path, 1, 3).with_rules(Some(FileRules { gzip: true, ..FileRules::default() }));
    // The new base cannot be opened: its name leads nowhere.
    write(&mut file, "a");
    let chore = file.take_chore().unwrap();
    fs::remove_file(&path).unwrap();
    symlink("/nonexistent/folder/log", &path).unwrap();
    write(&mut file, "b");
    let written = file.target.as_ref().and_then(rules::inode);
    assert!(written.is_some());
    assert_eq!(*chore.names.lock(), written);
}
