//! The thread that keeps configurations on disk. It is given all that are to be there, and makes the directory hold these and no
//! others: so nothing has to be caught up with after an error, or when a daemon died midway.
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
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use upkeep_config::Sources;

use super::record::AppliedRecord;
use crate::ownfile::{open_own, replace_own};

/// How long the end of the daemon waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// Bytes of one file, at most.
const LARGEST: u64 = 64 * 1024 * 1024;

const LIST: &str = "list.json";

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
    Held(OwnedFd),
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

/// What the directory has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    /// The configuration file that all of them were read from.
    main: PathBuf,
    list: Vec<AppliedRecord>,
}

type Wanted = Arc<Mutex<Option<Vec<Kept>>>>;

/// The handle; the thread ends with it, after all it was asked.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    /// What is to be there; an order that was not begun gives way to the next.
    wanted: Wanted,
    orders: SyncSender<()>,
    ended: Receiver<()>,
    /// The last that it was asked to keep.
    last: Vec<AppliedRecord>,
}

impl Store {
    /// Starts the thread; `tell` is called on it when the disk does not take something, once until it does again.
    ///
    /// # Errors
    /// No thread could be had.
    pub(super) fn start(
        directory: PathBuf,
        main: PathBuf,
        tell: impl Fn(io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel(1);
        let wanted = Wanted::default();
        let asked = Arc::clone(&wanted);
        let (end, ended) = mpsc::channel();
        let shelf = Shelf { directory: directory.clone(), main, lock: None };
        std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            shelf.work(&inbox, &asked, &tell);
            // Nobody waits when the handle is gone.
            let _ = end.send(());
        })?;
        Ok(Self { directory, wanted, orders, ended, last: Vec::new() })
    }

    pub(super) fn is_at(&self, directory: &Path) -> bool {
        self.directory == directory
    }

    /// Lets these be there, and no others.
    pub(super) fn keep(&mut self, list: Vec<Kept>) {
        let records: Vec<AppliedRecord> = list.iter().map(|kept| kept.record.clone()).collect();
        if records != self.last {
            self.last = records;
            *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(list);
            // Full if the thread has not begun with the last one: then it finds this.
            let _ = self.orders.try_send(());
        }
    }

    /// Waits until all that was asked is done, unless the disk hangs.
    pub(super) fn finish(self) {
        drop(self.orders);
        let _ = self.ended.recv_timeout(LAST_WRITES);
    }
}

/// The directory.
struct Shelf {
    directory: PathBuf,
    main: PathBuf,
    /// Nobody else writes here.
    lock: Option<File>,
}

impl Shelf {
    fn work(mut self, inbox: &Receiver<()>, wanted: &Wanted, tell: &dyn Fn(io::Error)) {
        let mut complained = false;
        while inbox.recv().is_ok() {
            let list = wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(list) = list else { continue };
            let kept = self.keep(&list);
            let failed = kept.is_err();
            if let Err(error) = kept
                && !complained
            {
                tell(error);
            }
            complained = failed;
        }
    }

    fn keep(&mut self, list: &[Kept]) -> io::Result<()> {
        self.open(list)?;
        for kept in list {
            let path = self.directory.join(file_name(kept.record.number));
            if !path.try_exists()? {
                write_whole(&path, &kept.content.bytes()?)?;
            }
        }
        let records = list.iter().map(|kept| kept.record.clone()).collect();
        let text = serde_json::to_vec_pretty(&List { main: self.main.clone(), list: records })?;
        write_whole(&self.directory.join(LIST), &text)?;
        self.remove_others(list)
    }

    /// Takes possession of the directory. Another daemon's configurations in it are left alone.
    fn open(&mut self, list: &[Kept]) -> io::Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        make(&self.directory)?;
        check(&self.directory)?;
        let lock = open_own(&self.directory.join("lock"), OFlags::CREATE)?;
        let there = read_list(&self.directory)?;
        check_main(&there, &self.main)?;
        let ours = |record: &AppliedRecord| {
            list.iter().any(|kept| (kept.record.number, kept.record.time) == (record.number, record.time))
        };
        if !there.list.is_empty() && !there.list.iter().any(ours) {
            return Err(io::Error::other(
                "it has those of an earlier daemon, which the next start takes over",
            ));
        }
        // A daemon that died midway may have left more than its list says.
        let numbers = there.list.iter().filter(|record| ours(record)).map(|record| record.number);
        self.remove_all_but(&numbers.collect())?;
        self.lock = Some(lock);
        Ok(())
    }

    fn remove_others(&self, list: &[Kept]) -> io::Result<()> {
        self.remove_all_but(&list.iter().map(|kept| kept.record.number).collect())
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

/// Those that are on disk, oldest first, each with its packed files; none if there is no directory. What cannot be read is left out.
///
/// # Errors
/// The directory cannot be trusted or read, or is another configuration's.
pub(super) fn load(directory: &Path, main: &Path) -> io::Result<Vec<(AppliedRecord, Vec<u8>)>> {
    if !directory.try_exists()? {
        return Ok(Vec::new());
    }
    check(directory)?;
    let list = read_list(directory)?;
    check_main(&list, main)?;
    let load = |record: AppliedRecord| {
        let bytes = read_own(&directory.join(file_name(record.number))).ok()?;
        Sources::from_bytes(&bytes).is_ok().then_some((record, bytes))
    };
    let mut found: Vec<(AppliedRecord, Vec<u8>)> = list.list.into_iter().filter_map(load).collect();
    found.sort_by_key(|(record, _)| record.number);
    found.dedup_by_key(|(record, _)| record.number);
    found.iter_mut().for_each(|(record, bytes)| {
        (record.generation, record.bytes) = (None, bytes.len() as u64);
    });
    Ok(found)
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
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
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
mod tests {
    use super::super::record::Cause;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn record(number: u64) -> AppliedRecord {
        let time = 1000 + i64::try_from(number).unwrap();
        AppliedRecord { number, time, cause: Cause::Update, changed: 1, generation: None, bytes: 0 }
    }

    fn kept(directory: &Path, number: u64) -> Kept {
        let path = directory.join("conf");
        fs::write(&path, format!("[supervisord]\nidentifier=n{number}\n")).unwrap();
        let configuration = Some(path.to_string_lossy().into_owned());
        let cli = upkeep_config::CommandLine { configuration, ..Default::default() };
        let sources = Sources::read(&cli, upkeep_config::Environment::default()).unwrap();
        Kept { record: record(number), content: Content::Read(Arc::new(sources)) }
    }

    fn shelf(directory: &Path, main: &Path) -> Shelf {
        Shelf { directory: directory.to_owned(), main: main.to_owned(), lock: None }
    }

    fn numbers(directory: &Path, main: &Path) -> Vec<u64> {
        load(directory, main).unwrap().iter().map(|(record, _)| record.number).collect()
    }

    #[test]
    fn the_directory_has_what_it_was_given_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let (main, dir) = (home.path().join("conf"), home.path().join("history"));
        assert!(numbers(&dir, &main).is_empty());
        let mut first = shelf(&dir, &main);
        first.keep(&[kept(home.path(), 1), kept(home.path(), 2)]).unwrap();
        assert_eq!(numbers(&dir, &main), [1, 2]);
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(dir.join("1.files")).unwrap().mode() & 0o777, 0o600);
        assert!(shelf(&dir, &main).keep(&[kept(home.path(), 2)]).is_err(), "two daemons at once");
        first.keep(&[kept(home.path(), 2), kept(home.path(), 3)]).unwrap();
        assert_eq!(numbers(&dir, &main), [2, 3]);
        assert!(!dir.join("1.files").exists());
        drop(first);
        // A daemon that dies midway: a file that the list does not name, a list that names a file that is not whole.
        fs::write(dir.join("4.files"), "half").unwrap();
        fs::write(dir.join("5.files.new"), "half").unwrap();
        fs::write(dir.join("2.files"), "half").unwrap();
        assert_eq!(numbers(&dir, &main), [3]);
        shelf(&dir, &main).keep(&[kept(home.path(), 3), kept(home.path(), 4)]).unwrap();
        assert_eq!(numbers(&dir, &main), [3, 4]);
        assert!(!dir.join("5.files.new").exists() && !dir.join("2.files").exists());
    }

    #[test]
    fn what_is_somebody_elses_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let (main, dir) = (home.path().join("conf"), home.path().join("history"));
        shelf(&dir, &main).keep(&[kept(home.path(), 1)]).unwrap();
        let other = home.path().join("other");
        assert!(load(&dir, &other).unwrap_err().to_string().contains("it has those of"));
        assert!(shelf(&dir, &other).keep(&[kept(home.path(), 7)]).is_err());
        let refused = shelf(&dir, &main).keep(&[kept(home.path(), 7)]).unwrap_err();
        assert!(refused.to_string().contains("of an earlier daemon"), "{refused}");
        assert_eq!(numbers(&dir, &main), [1]);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(load(&dir, &main).unwrap_err().to_string().contains("nobody else may write"));
    }

    #[test]
    fn trouble_is_told_once_until_it_is_over() {
        let home = tempfile::tempdir().unwrap();
        let (main, above) = (home.path().join("conf"), home.path().join("above"));
        let told = Arc::new(Mutex::new(0));
        let count = Arc::clone(&told);
        let mut store =
            Store::start(above.join("history"), main.clone(), move |_| *count.lock().unwrap() += 1).unwrap();
        for number in 1..4 {
            store.keep((1..=number).map(|number| kept(home.path(), number)).collect());
        }
        store.finish();
        assert_eq!(*told.lock().unwrap(), 1);
    }
}
