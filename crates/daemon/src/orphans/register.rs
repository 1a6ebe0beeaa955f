//! The register of births: who was started in the very moment in which keeper and daemon were killed.
//!
//! The run file is written behind what happens, so that no disk holds up a start. The register is a file in memory, to which
//! every child writes its pid before it executes its program (`upkeep_os::spawn::register`), and this daemon, before it asks for
//! the child, what it is. Its name is made of the run file's place, so that the next daemon finds it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use upkeep_core::RunId;
use upkeep_os::spawn::register::{Birth, SLOT, boottime_ns, enter, read_slot, write_label};

use super::runfile::Entry;
use crate::age::{start_ticks, ticks_at};
use crate::ownfile::{open_own, replace_own};

/// Where files are in memory.
const MEMORY: &str = "/dev/shm";
/// What statfs(2) says of a file system in memory.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;
/// What stands before the first slot, with the run file's place for people behind it.
const TITLE: &[u8] = b"upkeep register 1 ";
/// How often, and how long each time, is waited for children of a killed keeper that have not come to their programs.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// The register that children are written down in.
#[derive(Clone, Debug)]
pub(crate) struct Register(Arc<File>);

impl Register {
    /// Starts one with these children in it; an older one is replaced.
    ///
    /// # Errors
    /// There is no file system in memory, or no room in it.
    pub(super) fn start(run_file: &Path, children: &[(RunId, Entry)]) -> io::Result<Self> {
        let mut title = [TITLE, run_file.as_os_str().as_encoded_bytes(), b"\n"].concat();
        title.resize(SLOT, 0);
        let file = replace_own(&place(run_file)?, OFlags::empty(), |file| {
            file.write_all_at(&title, 0)?;
            for (run, entry) in children {
                let (pid, pipes, at_ns) = (entry.pid, entry.pipes, boottime_ns());
                enter(file, Birth { run: run.0, at_ns, pipes, pid }, &label(entry))?;
            }
            Ok(())
        });
        Ok(Self(Arc::new(file?)))
    }

    /// The one of the daemon before this.
    pub(crate) fn held(fd: OwnedFd) -> Self {
        Self(Arc::new(fd.into()))
    }

    /// A child is about to be asked for.
    ///
    /// # Errors
    /// There is no room.
    pub(super) fn announce(&self, run: RunId, entry: &Entry) -> io::Result<()> {
        write_label(&self.0, run.0, &label(entry))
    }

    /// The run file has another place. Blocks on that one's file system.
    pub(super) fn follow(&self, run_file: &Path) -> io::Result<()> {
        std::fs::rename(self.path()?, place(run_file)?)
    }

    /// No child lives.
    pub(super) fn remove(self) {
        // Somebody may have removed it already: it is gone either way.
        let _ = self.path().and_then(std::fs::remove_file);
    }

    fn path(&self) -> io::Result<PathBuf> {
        use std::os::fd::AsRawFd;
        std::fs::read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

impl AsFd for Register {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The children in a register that still live.
///
/// # Errors
/// It is there and cannot be read, is not ours, or is in use.
pub(super) fn born(run_file: &Path) -> io::Result<Vec<Entry>> {
    let Ok(path) = place(run_file) else { return Ok(Vec::new()) };
    let mut file = match open_when_free(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if !bytes.starts_with(TITLE) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another version"));
    }
    Ok(bytes.chunks(SLOT).skip(1).filter_map(read_slot).filter_map(living).collect())
}

/// Opens it when no child of a killed keeper has it any more.
fn open_when_free(path: &Path) -> io::Result<File> {
    for _ in 1..TRIES {
        match open_own(path, OFlags::empty()) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
    open_own(path, OFlags::empty())
}

/// Who wrote this, if it lives: no other process can have its pid that began before it was written.
fn living((birth, label): (Birth, Option<&[u8]>)) -> Option<Entry> {
    let ticks = start_ticks(birth.pid).filter(|ticks| *ticks <= ticks_at(birth.at_ns))?;
    let entry: Option<Entry> = label.and_then(|label| serde_json::from_slice(label).ok());
    Some(Entry { pid: birth.pid, ticks, pipes: birth.pipes, ..entry.unwrap_or_else(unnamed) })
}

/// One of which it is not told what it is: no program of any configuration.
fn unnamed() -> Entry {
    Entry {
        pid: 0,
        ticks: 0,
        pipes: [0; 3],
        group: String::new(),
        name: "unknown".to_owned(),
        signal: 15,
        wait: 10,
        stop_group: false,
        kill_group: false,
    }
}

fn label(entry: &Entry) -> Vec<u8> {
    // Numbers and texts: that cannot fail. Without a label the process is recognised all the same.
    serde_json::to_vec(entry).unwrap_or_default()
}

/// Where the register beside a run file is: in memory, under a name that no other run file's has, whatever that is called by whom.
fn place(run_file: &Path) -> io::Result<PathBuf> {
    let parent = run_file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let directory = std::fs::metadata(parent)?;
    // Pids mean nothing in another namespace.
    let pids = std::fs::metadata("/proc/self/ns/pid")?.ino();
    let user = rustix::process::geteuid().as_raw();
    let mut name = std::ffi::OsString::from(format!(
        "upkeep-{user}-{pids:x}-{:x}-{:x}-",
        directory.dev(),
        directory.ino()
    ));
    name.push(run_file.file_name().unwrap_or_default());
    // Tests that end without a word leave nothing behind.
    if cfg!(test) { Ok(parent.join(name)) } else { Ok(memory()?.join(name)) }
}

fn memory() -> io::Result<&'static Path> {
    match rustix::fs::statfs(MEMORY)?.f_type == TMPFS {
        true => Ok(Path::new(MEMORY)),
        false => Err(io::Error::other(format!("{MEMORY} is not in memory"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        let pid = std::process::id();
        Entry { pid, group: "g".to_owned(), name: name.to_owned(), pipes: [1, 2, 3], wait: 7, ..unnamed() }
    }

    #[test]
    fn whoever_lives_is_recognised_by_what_it_wrote_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let run_file = dir.path().join("pid.children");
        assert_eq!(born(&run_file).unwrap(), [], "no file, nobody");
        let (own, ticks) = (entry("own"), start_ticks(std::process::id()).unwrap());
        let register = Register::start(&run_file, &[(RunId(5), own.clone())]).unwrap();
        let birth = Birth { run: 6, at_ns: boottime_ns(), pipes: [0; 3], pid: std::process::id() };
        let gone = Birth { run: 7, pid: u32::MAX - 1, ..birth };
        // Its pid has been given to this process since.
        let earlier = Birth { run: 8, at_ns: 0, ..birth };
        for birth in [birth, gone, earlier] {
            enter(&register.0, birth, b"what nobody understands").unwrap();
        }
        register.announce(RunId(9), &entry("not made")).unwrap();
        assert!(born(&run_file).is_err(), "it is in use");
        let path = register.path().unwrap();
        drop(register);
        let recognised = [Entry { ticks, ..own }, Entry { pid: birth.pid, ticks, ..unnamed() }];
        assert_eq!(born(&run_file).unwrap(), recognised);
        assert_eq!(born(&dir.path().join("other.children")).unwrap(), [], "another daemon's");
        let inside = dir.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        assert_eq!(born(&inside.join("pid.children")).unwrap(), [], "another daemon's");
        std::fs::write(&path, "something else").unwrap();
        assert!(born(&run_file).is_err());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn it_follows_the_run_file_and_goes_with_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old.children"), dir.path().join("new.children"));
        let register = Register::start(&old, &[(RunId(1), entry("own"))]).unwrap();
        register.follow(&new).unwrap();
        let place = register.path().unwrap();
        assert_eq!(place, super::place(&new).unwrap());
        let held = Register::held(register.as_fd().try_clone_to_owned().unwrap());
        drop(register);
        assert_eq!(born(&old).unwrap(), []);
        assert!(born(&new).is_err(), "the keeper holds it");
        held.remove();
        assert!(!place.exists());
    }
}
