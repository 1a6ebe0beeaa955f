use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::file::old::compressed;
use crate::file::{FileRules, MODE_NAMED, RotatingFile};

fn gzip() -> FileRules {
    FileRules { gzip: true, ..FileRules::default() }
}

fn chore(base: &Path, backups: u32, rules: FileRules) -> Chore {
    Chore { path: base.to_owned(), backups, rules, names: Names::default() }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("log");
    (folder, base)
}

fn names(base: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(base.parent().unwrap()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut text).unwrap();
    text
}

fn sized(base: &Path, ending: &str, bytes: usize, days: u64) {
    let mut path = base.as_os_str().to_owned();
    path.push(ending);
    fs::write(&path, vec![b'x'; bytes]).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
}

#[test]
fn old_files_are_compressed_and_nothing_else_is() {
    let (_folder, base) = folder();
    for name in ["log", "log.1", "log.2", "log.old", "log.gz.partial", "other.1"] {
        fs::write(base.with_file_name(name), name.repeat(1000)).unwrap();
    }
    let second = base.with_file_name("log.2");
    fs::set_permissions(&second, fs::Permissions::from_mode(0o640)).unwrap();
    let written = fs::metadata(&second).unwrap().modified().unwrap();
    look_after(&chore(&base, 5, gzip())).unwrap();
    assert_eq!(names(&base), set(&["log", "log.1.gz", "log.2.gz", "log.old", "other.1"]));
    let meta = fs::metadata(compressed(&second)).unwrap();
    assert_eq!((meta.permissions().mode() & 0o777, meta.modified().unwrap()), (0o640, written));
    assert_eq!(unpacked(&compressed(&second)), "log.2".repeat(1000).as_bytes());
    assert!(meta.len() < 1000);
}

/// What a death at any step leaves.
#[test]
fn what_was_left_unfinished_is_finished() {
    let (_folder, base) = folder();
    let first = base.with_file_name("log.1");
    fs::write(&first, "one\n").unwrap();
    look_after(&chore(&base, 5, gzip())).unwrap();
    fs::write(&first, "one\n").unwrap();
    look_after(&chore(&base, 5, gzip())).unwrap();
    assert_eq!(names(&base), set(&["log.1.gz"]), "a death before the source was removed");
    fs::write(&first, "another\n").unwrap();
    look_after(&chore(&base, 5, gzip())).unwrap();
    assert_eq!(names(&base), set(&["log.1", "log.1.gz"]), "it is not the same: neither is lost");
    assert_eq!(unpacked(&compressed(&first)), b"one\n");
    fs::write(compressed(&first), "torn").unwrap();
    look_after(&chore(&base, 5, gzip())).unwrap();
    assert_eq!(fs::read(&first).unwrap(), b"another\n", "beside what is no whole file");
}

#[test]
fn a_rotation_meanwhile_moves_what_is_made() {
    let (_folder, base) = folder();
    fs::write(base.with_file_name("log.1"), "one\n").unwrap();
    let listed = old_files(&base).unwrap();
    let names_lock = Names::default();
    let rules = FileRules { gzip: true, ..FileRules::default() };
    let mut file = RotatingFile::open(&base, 4, 9, MODE_NAMED).unwrap().with_rules(Some(rules));
    file.share_names(Some(names_lock.clone()));
    let mut source = File::open(&listed[0].path).unwrap();
    source.read_exact(&mut [0]).unwrap();
    file.write(b"two\n");
    file.write(b"three\n");
    assert_eq!(find(&listed[0]), Some(base.with_file_name("log.3")));
    assert!(!compress::compress(&listed[0], &base, &names_lock).unwrap(), "it is not there any more");
    assert_eq!(names(&base), set(&["log", "log.1", "log.2", "log.3"]), "listed anew before it is touched");
    remove(&listed[0], &names_lock).unwrap();
    assert_eq!(names(&base), set(&["log", "log.1", "log.2"]));
    look_after(&chore(&base, 9, gzip())).unwrap();
    file.write(b"four\n");
    assert_eq!(names(&base), set(&["log", "log.1", "log.2.gz", "log.3.gz"]), "compressed ones move along");
}

#[test]
fn the_file_that_is_written_is_never_touched() {
    let (_folder, base) = folder();
    fs::write(base.with_file_name("log.1"), "one\n").unwrap();
    let listed = old_files(&base).unwrap();
    let names_lock = Names::default();
    *names_lock.lock() = Some(listed[0].inode);
    let chore = Chore { names: names_lock, ..chore(&base, 1, FileRules { max_total: 1, ..gzip() }) };
    look_after(&chore).unwrap();
    assert_eq!(names(&base), set(&["log.1"]));
}

#[test]
fn too_old_too_large_too_many() {
    let day = Duration::from_hours(24);
    let rows: [(FileRules, u32, &[&str]); 5] = [
        (FileRules::default(), 1, &["log", "log.1", "log.2", "log.3.gz", "log.20200101T000000+0000"]),
        (FileRules { max_age: Some(day * 3), ..FileRules::default() }, 9, &["log", "log.1", "log.2"]),
        (FileRules { max_total: 250, ..FileRules::default() }, 9, &["log", "log.1", "log.2"]),
        (FileRules { max_total: 50, ..FileRules::default() }, 9, &["log"]),
        (FileRules { dated: true, ..FileRules::default() }, 0, &["log", "log.1", "log.2", "log.3.gz"]),
    ];
    for (rules, backups, left) in rows {
        let (_folder, base) = folder();
        sized(&base, "", 1000, 9);
        sized(&base, ".1", 100, 1);
        sized(&base, ".2", 100, 2);
        sized(&base, ".3.gz", 100, 4);
        sized(&base, ".20200101T000000+0000", 100, 5);
        look_after(&chore(&base, backups, rules.clone())).unwrap();
        assert_eq!(names(&base), set(left), "{rules:?}");
    }
}

/// What is to be compressed yet is not taken for as large as it is, and nobody goes because of it.
#[test]
fn what_waits_to_be_compressed_does_not_count() {
    let (_folder, base) = folder();
    sized(&base, ".1", 1000, 1);
    sized(&base, ".2.gz", 100, 2);
    sized(&base, ".3.gz", 100, 3);
    let chore = chore(&base, 9, FileRules { max_total: 150, ..gzip() });
    remove_beyond_total(&chore, &HashSet::new()).unwrap();
    assert_eq!(names(&base), set(&["log.1", "log.2.gz"]));
    look_after(&chore).unwrap();
    assert_eq!(names(&base), set(&["log.1.gz", "log.2.gz"]));
}

#[test]
fn a_full_disk_keeps_the_source_and_is_told() {
    let (_folder, base) = folder();
    let first = base.with_file_name("log.1");
    fs::write(&first, "one\n").unwrap();
    // No file can be made there, as on a full disk.
    fs::create_dir(partial(&base)).unwrap();
    let (said, words) = mpsc::channel();
    let tidy = Tidy::new(move |text| said.send(text).unwrap());
    tidy.add(chore(&base, 5, gzip()));
    assert!(words.recv_timeout(Duration::from_secs(20)).unwrap().contains("could not be looked after"));
    assert_eq!(fs::read(&first).unwrap(), b"one\n");
    fs::remove_dir(partial(&base)).unwrap();
    tidy.add(chore(&base, 5, gzip()));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while tidy.0.lock().is_working {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(names(&base), set(&["log.1.gz"]));
}
