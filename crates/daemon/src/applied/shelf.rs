//! The directory in which configurations are kept.
//!
//! `N.files` has the files of one, `list.json` says which there are. Each is written beside its name, made durable and renamed, the list last;
//! what the list does not name is not there. All of it is for our own user alone, in a directory that nobody else may write to: it is
//! trusted when it is read back.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use upkeep_config::{SnapshotError, Sources};

use super::record::AppliedRecord;
use crate::ownfile::{open_own, replace_own};
use upkeep_core::ordered;

/// Bytes of one file, at most.
const LARGEST: u64 = 64 * 1024 * 1024;

const LIST: &str = "list.json";

/// Its owner has the directory.
const LOCK: &str = "lock";

/// One that is to be there.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) record: AppliedRecord,
    pub(super) content: Content,
}

/// Where its files are.
#[derive(Debug)]
pub(super) enum Content {
    /// Packed, in a memory file.
    Held(Arc<OwnedFd>),
    /// As they were read.
    Read(Arc<Sources>),
}

impl Content {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Held(fd) => upkeep_os::read_memfd(fd),
            Self::Read(sources) => Ok(sources.files_to_bytes()),
        }
    }
}

/// All that are to be there.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// None: then what is there is removed.
    pub(super) list: Vec<Kept>,
    /// How many times what was found there has been taken in.
    pub(super) taken_in: u64,
    /// Tells this history from others.
    pub(super) history: u64,
}

/// Configurations of an earlier daemon that were found there.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The history that they are of.
    pub(super) history: u64,
    /// Oldest first, each packed in a memory file.
    pub(super) list: Vec<(AppliedRecord, OwnedFd)>,
}

/// What the directory has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    /// The configuration file that all of them were read from.
    main: PathBuf,
    #[serde(default)]
    history: u64,
    list: Vec<AppliedRecord>,
}

impl List {
    /// The numbers of those that are wanted and are there.
    fn known(&self, wanted: &Wanted) -> BTreeSet<u64> {
        let identity = |record: &AppliedRecord| (record.number, record.time);
        let there = ordered::set(self.list.iter().map(identity));
        let wanted = wanted.list.iter().map(|kept| identity(&kept.record));
        ordered::set(wanted.filter(|one| there.contains(one)).map(|(number, _)| number))
    }
}

/// The directory.
pub(super) struct Shelf {
    directory: PathBuf,
    main: PathBuf,
    /// Nobody else writes here.
    lock: Option<File>,
    /// How many times something was found there.
    found: u64,
}

impl Shelf {
    pub(super) fn new(directory: PathBuf, main: PathBuf) -> Self {
        Self { directory, main, lock: None, found: 0 }
    }

    /// How many times something was found.
    pub(super) fn times_found(&self) -> u64 {
        self.found
    }

    /// Makes the directory hold what is wanted. If there are those of an earlier daemon, they are returned, and nothing is written before
    /// they have been taken in.
    ///
    /// # Errors
    /// The directory cannot be trusted, written or is another daemon's.
    pub(super) fn keep(&mut self, wanted: &Wanted) -> io::Result<Found> {
        if wanted.list.is_empty() {
            return self.clear().map(|()| Found::default());
        }
        if !self.is_held() {
            let found = self.open(wanted)?;
            if !found.list.is_empty() {
                self.found += 1;
                return Ok(found);
            }
        }
        if wanted.taken_in >= self.found {
            self.write(wanted)?;
        }
        Ok(Found::default())
    }

    fn write(&self, wanted: &Wanted) -> io::Result<()> {
        check(&self.directory)?;
        for kept in &wanted.list {
            let path = self.directory.join(file_name(kept.record.number));
            if !path.try_exists()? {
                write_whole(&path, &kept.content.bytes()?)?;
            }
        }
        let list: Vec<AppliedRecord> = wanted.list.iter().map(|kept| kept.record.clone()).collect();
        let numbers = list.iter().map(|record| record.number).collect();
        let list = List { main: self.main.clone(), history: wanted.history, list };
        write_whole(&self.directory.join(LIST), &serde_json::to_vec_pretty(&list)?)?;
        self.remove_all_but(&numbers)
    }

    /// None is to be kept, and none stays: they hold passwords.
    fn clear(&mut self) -> io::Result<()> {
        if !self.directory.try_exists()? {
            return Ok(());
        }
        if !self.is_held() {
            self.lock = Some(self.lock()?);
        }
        check_main(&read_list(&self.directory)?, &self.main)?;
        match fs::remove_file(self.directory.join(LIST)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.remove_all_but(&BTreeSet::new())
    }

    /// Whether the directory is still the one that was taken possession of.
    fn is_held(&self) -> bool {
        let identity = |about: fs::Metadata| (about.dev(), about.ino());
        let ours = self.lock.as_ref().and_then(|lock| lock.metadata().ok()).map(identity);
        let there = fs::symlink_metadata(self.directory.join(LOCK)).ok().map(identity);
        ours.is_some() && ours == there
    }

    fn lock(&self) -> io::Result<File> {
        check(&self.directory)?;
        open_own(&self.directory.join(LOCK), OFlags::CREATE)
    }

    /// Takes possession of the directory; returns what an earlier daemon of the same configuration file has left there.
    fn open(&mut self, wanted: &Wanted) -> io::Result<Found> {
        make(&self.directory)?;
        let lock = self.lock()?;
        let there = read_list(&self.directory)?;
        check_main(&there, &self.main)?;
        let known = there.known(wanted);
        // Every history of versions that gave it no name is 0.
        let is_ours = there.history == wanted.history && (there.history != 0 || !known.is_empty());
        let (found, numbers): (Found, BTreeSet<u64>) = if is_ours {
            (Found::default(), known)
        } else {
            let found = load(&self.directory, &there)?;
            let numbers = ordered::set(found.list.iter().map(|(record, _)| record.number));
            (found, numbers)
        };
        // A daemon that died midway may have left more than its list says, and what is damaged is in the way of another of its number.
        self.remove_all_but(&numbers)?;
        self.lock = Some(lock);
        Ok(found)
    }

    fn remove_all_but(&self, numbers: &BTreeSet<u64>) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".new").or(Some(name))) else {
                continue;
            };
            let number = name.strip_suffix(SUFFIX).and_then(|number| number.parse().ok());
            if number.is_some_and(|number| !numbers.contains(&number)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

const SUFFIX: &str = ".files";

fn file_name(number: u64) -> String {
    format!("{number}{SUFFIX}")
}

/// Those that are on disk, oldest first. What is gone or damaged is left out.
///
/// # Errors
/// One cannot be read now, or by this version: it may be read another time, and is not to be removed.
fn load(directory: &Path, list: &List) -> io::Result<Found> {
    let mut found = Vec::new();
    for record in &list.list {
        let name = file_name(record.number);
        let unread =
            |error: io::Error| io::Error::other(format!("its {name} cannot be read ({error}): move it away"));
        let Some(bytes) = read_files(&directory.join(&name)).map_err(unread)? else { continue };
        let record = AppliedRecord { generation: None, bytes: bytes.len() as u64, ..record.clone() };
        found.push((record, upkeep_os::memfd_with("upkeep-applied", &bytes)?));
    }
    ordered::sort_by_key(&mut found, |(record, _)| record.number);
    found.dedup_by_key(|(record, _)| record.number);
    Ok(Found { history: list.history, list: found })
}

/// The files of one, packed; none if they are gone or damaged.
fn read_files(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let bytes = match read_own(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    match Sources::from_bytes(&bytes) {
        Ok(_) => Ok(Some(bytes)),
        Err(SnapshotError::Damaged) => Ok(None),
        Err(error @ SnapshotError::Version(_)) => Err(io::Error::other(error)),
    }
}

fn check_main(list: &List, main: &Path) -> io::Result<()> {
    if list.list.is_empty() || list.main == main {
        return Ok(());
    }
    Err(io::Error::other(format!("it has those of {}: give each daemon its own", list.main.display())))
}

/// Makes the directory, for our own user alone; not those above it.
fn make(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whether nobody else may put anything there.
fn check(directory: &Path) -> io::Result<()> {
    let about = fs::metadata(directory)?;
    let own = rustix::process::geteuid().as_raw();
    if about.is_dir() && [0, own].contains(&about.uid()) && about.mode() & 0o022 == 0 {
        return Ok(());
    }
    let text = "it must be a directory of the daemon's user (or root) that nobody else may write to: chmod 700, chown";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

fn read_list(directory: &Path) -> io::Result<List> {
    match read_own(&directory.join(LIST)) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::other(format!("its {LIST} makes no sense ({error}): move it away"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(List::default()),
        Err(error) => Err(error),
    }
}

/// A file that nobody else may have written.
fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let about = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    if !about.is_file() || ![0, own].contains(&about.uid()) || about.mode() & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not a file of our own"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file beside its name, makes it durable and gives it its name.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_own(path, OFlags::empty(), |file| {
        file.write_all(bytes)?;
        file.sync_all()
    })?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::record::Cause;
    use super::*;

    fn record(number: u64) -> AppliedRecord {
        let time = 1000 + i64::try_from(number).unwrap();
        AppliedRecord { number, time, cause: Cause::Update, changed: 1, generation: None, bytes: 0 }
    }

    pub(in super::super) fn kept(directory: &Path, number: u64) -> Kept {
        let path = directory.join("conf");
        fs::write(&path, format!("[supervisord]\nidentifier=n{number}\n")).unwrap();
        let configuration = Some(path.to_string_lossy().into_owned());
        let cli = upkeep_config::CommandLine { configuration, ..Default::default() };
        let sources = Sources::read(&cli, upkeep_config::Environment::default()).unwrap();
        Kept { record: record(number), content: Content::Read(Arc::new(sources)) }
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn dir(&self) -> PathBuf {
            self.0.path().join("history")
        }

        fn shelf(&self) -> Shelf {
            Shelf::new(self.dir(), self.0.path().join("conf"))
        }

        fn wanted(&self, numbers: &[u64], taken_in: u64) -> Wanted {
            let list = numbers.iter().map(|number| kept(self.0.path(), *number)).collect();
            Wanted { list, taken_in, history: 1 }
        }

        fn wanted_of(&self, history: u64, numbers: &[u64], taken_in: u64) -> Wanted {
            Wanted { history, ..self.wanted(numbers, taken_in) }
        }

        /// What a daemon that knows nothing of it finds, if it is not kept from looking.
        fn found(&self) -> Vec<u64> {
            let list = read_list(&self.dir()).unwrap();
            load(&self.dir(), &list).unwrap().list.iter().map(|(record, _)| record.number).collect()
        }
    }

    #[test]
    fn the_directory_has_what_it_was_given_and_nothing_else() {
        let place = Place::new();
        let dir = place.dir();
        let mut first = place.shelf();
        assert!(first.keep(&place.wanted(&[1, 2], 0)).unwrap().list.is_empty());
        assert_eq!(place.found(), [1, 2]);
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(dir.join("1.files")).unwrap().mode() & 0o777, 0o600);
        assert!(place.shelf().keep(&place.wanted(&[2], 0)).is_err(), "two daemons at once");
        first.keep(&place.wanted(&[2, 3], 0)).unwrap();
        assert_eq!(place.found(), [2, 3]);
        assert!(!dir.join("1.files").exists());
        drop(first);
        // A daemon that dies midway: a file that the list does not name, a list that names a file that is not whole.
        fs::write(dir.join("4.files"), "half").unwrap();
        fs::write(dir.join("5.files.new"), "half").unwrap();
        fs::write(dir.join("2.files"), "half").unwrap();
        assert_eq!(place.found(), [3]);
        place.shelf().keep(&place.wanted(&[3, 4], 0)).unwrap();
        assert_eq!(place.found(), [3, 4]);
        assert!(!dir.join("5.files.new").exists() && !dir.join("2.files").exists());
    }

    #[test]
    fn those_of_an_earlier_daemon_are_handed_over_before_anything_is_written() {
        let place = Place::new();
        place.shelf().keep(&place.wanted(&[1, 2, 3], 0)).unwrap();
        fs::write(place.dir().join("3.files"), "damaged").unwrap();
        let mut next = place.shelf();
        let found = next.keep(&place.wanted_of(2, &[1], 0)).unwrap();
        assert_eq!(found.history, 1);
        assert_eq!(found.list.iter().map(|(record, _)| record.number).collect::<Vec<_>>(), [1, 2]);
        assert!(!place.dir().join("3.files").exists(), "nothing of ours gets its text");
        assert!(next.keep(&place.wanted_of(2, &[1, 2], 0)).unwrap().list.is_empty());
        assert_eq!(place.found(), [1, 2], "they have yet to be taken in");
        assert!(next.keep(&place.wanted(&[2, 7], 1)).unwrap().list.is_empty());
        assert_eq!(place.found(), [2, 7]);
    }

    /// One of a newer version may be read by that again: nothing is touched before it was moved away.
    #[test]
    fn what_cannot_be_read_for_now_stays() {
        let place = Place::new();
        place.shelf().keep(&place.wanted(&[1, 2], 0)).unwrap();
        let newer = place.dir().join("2.files");
        let mut bytes = fs::read(&newer).unwrap();
        bytes[8..12].copy_from_slice(&99_u32.to_le_bytes());
        fs::write(&newer, &bytes).unwrap();
        let mut next = place.shelf();
        for _ in 0..2 {
            let told = next.keep(&place.wanted_of(2, &[1, 2], 0)).unwrap_err().to_string();
            assert!(told.contains("its 2.files cannot be read (the snapshot has version 99"), "{told}");
        }
        assert_eq!((fs::read(&newer).unwrap(), read_list(&place.dir()).unwrap().history), (bytes, 1));
        fs::rename(&newer, place.0.path().join("aside")).unwrap();
        let found = next.keep(&place.wanted_of(2, &[1, 2], 0)).unwrap();
        assert_eq!(found.list.iter().map(|(record, _)| record.number).collect::<Vec<_>>(), [1]);
    }

    /// Earlier versions gave a history no name: their configurations are told by their numbers and times.
    #[test]
    fn two_histories_without_a_name_are_not_the_same() {
        let place = Place::new();
        place.shelf().keep(&place.wanted_of(0, &[1, 2], 0)).unwrap();
        assert!(place.shelf().keep(&place.wanted_of(0, &[2, 3], 0)).unwrap().list.is_empty());
        assert_eq!(place.found(), [2, 3]);
        let mut other = place.wanted_of(0, &[2, 3], 0);
        other.list.iter_mut().for_each(|kept| kept.record.time += 50);
        assert_eq!(place.shelf().keep(&other).unwrap().list.len(), 2);
        assert_eq!(place.found(), [2, 3]);
    }

    /// Whatever cannot be written: the list names what is there, and what it names stays.
    #[test]
    fn files_come_before_the_list_and_go_after_it() {
        let place = Place::new();
        let mut shelf = place.shelf();
        shelf.keep(&place.wanted(&[1, 2], 0)).unwrap();
        let mut wanted = place.wanted(&[2, 3], 0);
        wanted.list[1].content = Content::Held(Arc::new(File::open("/").unwrap().into()));
        assert!(shelf.keep(&wanted).is_err());
        let numbers: Vec<u64> = read_list(&place.dir()).unwrap().list.iter().map(|one| one.number).collect();
        assert_eq!((numbers, place.found()), (vec![1, 2], vec![1, 2]));
        fs::create_dir(place.dir().join("list.json.new")).unwrap();
        assert!(shelf.keep(&place.wanted(&[2, 3], 0)).is_err());
        assert_eq!(place.found(), [1, 2]);
    }

    #[test]
    fn a_directory_in_its_place_is_noticed() {
        let place = Place::new();
        let mut shelf = place.shelf();
        shelf.keep(&place.wanted(&[1], 0)).unwrap();
        fs::remove_dir_all(place.dir()).unwrap();
        shelf.keep(&place.wanted(&[1, 2], 0)).unwrap();
        assert_eq!(place.found(), [1, 2]);
        fs::rename(place.dir(), place.0.path().join("aside")).unwrap();
        place.shelf().keep(&place.wanted_of(2, &[5], 0)).unwrap();
        let found = shelf.keep(&place.wanted(&[1, 2, 3], 0)).unwrap();
        assert_eq!((found.list.len(), shelf.times_found()), (1, 1));
        fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(
            shelf.keep(&place.wanted(&[1], 1)).unwrap_err().to_string().contains("nobody else may write")
        );
    }

    #[test]
    fn none_stays_if_none_is_to_be_kept() {
        let place = Place::new();
        place.shelf().keep(&Wanted::default()).unwrap();
        assert!(!place.dir().exists());
        place.shelf().keep(&place.wanted(&[1, 2], 0)).unwrap();
        let mut shelf = place.shelf();
        shelf.keep(&Wanted::default()).unwrap();
        let names: Vec<_> =
            fs::read_dir(place.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [LOCK]);
        shelf.keep(&place.wanted(&[1], 0)).unwrap();
        assert_eq!(place.found(), [1]);
    }

    #[test]
    fn what_is_somebody_elses_is_left_alone() {
        let place = Place::new();
        place.shelf().keep(&place.wanted(&[1], 0)).unwrap();
        let mut other = Shelf::new(place.dir(), place.0.path().join("other"));
        for wanted in [Wanted::default(), place.wanted(&[7], 0)] {
            assert!(other.keep(&wanted).unwrap_err().to_string().contains("it has those of"));
            other = Shelf::new(place.dir(), place.0.path().join("other"));
        }
        assert_eq!(place.found(), [1]);
        fs::write(place.dir().join(LIST), "{").unwrap();
        let told = place.shelf().keep(&place.wanted(&[1], 0)).unwrap_err().to_string();
        assert!(told.contains("its list.json makes no sense") && told.contains("move it away"), "{told}");
    }
}
