//! Starts that wait for no disk: what they need is in the kernel's caches, and like it was at the start before.
//!
//! [`Order::prepare`] may wait for a disk that hangs, so it has a thread of its own, which is made and woken for each start.
//! Most starts need nothing from a disk: the program was executed before, and the logs are there. Here only what the kernel
//! can find without waiting counts (`RESOLVE_CACHED` of openat2(2), Linux 5.12), and only on file systems that then ask no
//! disk and no server. Whatever is otherwise, be it an error, is left to the thread, which learns meanwhile what the next
//! start needs to know.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    Access, AtFlags, CWD, FileType, FsWord, Mode, OFlags, ResolveFlags, Statx, StatxFlags, access, fstatfs,
    makedev, openat, openat2, statx,
};
use rustix::io::Errno;
use upkeep_config::shlex;
use upkeep_logs::RotatingFile;

use crate::logfiles::open_sink_by;
use crate::prepare::{Order, Prepared};
use crate::program::{LAST_RESORT, Program};
use crate::unexecutable::{interpreter, oversize};

/// File systems that have all at hand to open a cached file: what statfs(2) calls ext2 to ext4, xfs, btrfs, f2fs, zfs, tmpfs,
/// ramfs.
const OPENS: [FsWord; 7] =
    [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1, 0x0102_1994, 0x8584_58F6];
/// The same to look at one only: overlayfs, which may have to copy what is opened for writing, squashfs, erofs.
const TELLS: [FsWord; 3] = [0x794C_7630, 0x7371_7368, 0xE0F5_E1E2];
/// Programs that are remembered; one more, and all are looked at again.
const MOST_PROGRAMS: usize = 256;

/// What is known of programs and file systems.
#[derive(Debug, Default)]
pub(crate) struct Familiar {
    /// Of file systems that are among [`OPENS`].
    devices: BTreeSet<u64>,
    /// On those, or among [`TELLS`].
    programs: BTreeMap<Inode, Executable>,
}

/// What a start on a thread has found.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    devices: Vec<u64>,
    program: Option<(Inode, Executable)>,
}

/// Device and number.
type Inode = (u64, u64);

/// A file that could be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Executable {
    /// When it was last changed, whatever in it: seconds and nanoseconds.
    changed: (i64, u32),
    /// What its first line names, if it is a script.
    interpreter: Option<PathBuf>,
}

impl Familiar {
    /// From now on starts like this one need no thread.
    pub(crate) fn learn(&mut self, learnt: Learnt) {
        self.devices.extend(learnt.devices);
        if self.programs.len() >= MOST_PROGRAMS {
            self.programs.clear();
        }
        self.programs.extend(learnt.program);
    }

    /// What [`crate::program::find`] finds, if that is what it found before.
    fn program(&self, command: &str, path: Option<&str>) -> Option<Program> {
        let argv = shlex::split(command).ok()?;
        let first = argv.first()?;
        let (file, stat) = if first.contains('/') {
            (first.clone(), look(Path::new(first)).ok()?)
        } else {
            search(first, path.unwrap_or(LAST_RESORT))?
        };
        let known = self.programs.get(&inode(&stat))?;
        let is_missing = |interpreter: &PathBuf| look(interpreter).is_err();
        if known.changed != changed(&stat) || known.interpreter.as_ref().is_some_and(is_missing) {
            return None;
        }
        // What it depends on was looked at in this moment.
        access(&file, Access::EXEC_OK).is_ok().then_some(Program { path: file, argv })
    }

    /// Opens a log that is there.
    fn log(&self, path: &str, maxbytes: i64, backups: i64, mode: u32) -> io::Result<RotatingFile> {
        let file = look(Path::new(path))?;
        if !is_regular(&file) || !self.devices.contains(&device(&file)) {
            return Err(Errno::AGAIN.into());
        }
        RotatingFile::open_cached(path, maxbytes, backups, mode)
    }
}

impl Order {
    /// Does what [`Order::prepare`] does if that keeps nobody waiting. `None` says nothing about the start.
    pub(crate) fn prepare_at_once(&self, familiar: &Familiar) -> Option<Prepared> {
        if !self.is_plain() {
            return None;
        }
        let program =
            familiar.program(&self.spec.command, self.context.search_path(&self.spec).as_deref())?;
        let sinks = self.sinks(|output, path, context| {
            open_sink_by(output, path, context, |path, maxbytes, backups, mode| {
                familiar.log(path, maxbytes, backups, mode)
            })
        });
        let prepared = self.prepare_with(program, sinks).ok()?;
        oversize(&prepared.plan).is_none().then_some(prepared)
    }

    /// Whether it needs a program and its logs, and nothing else that could lie on a disk.
    fn is_plain(&self) -> bool {
        let spec = &self.spec;
        let is_own = spec.uid.is_none_or(|uid| rustix::process::getuid().as_raw() == uid);
        let hears = spec.health.as_ref().is_some_and(|health| health.hears());
        is_own && !hears && spec.socket.is_none() && spec.confinement.is_none()
    }

    /// What the next start has to know to be made at once, of one that is prepared. Blocks on the file system.
    pub(crate) fn learnt(&self, prepared: &Prepared) -> Option<Box<Learnt>> {
        self.is_plain().then_some(())?;
        let mut learnt = Learnt::default();
        let program = Path::new(OsStr::from_bytes(&prepared.plan.path));
        let logs = [&self.paths.stdout, &self.paths.stderr].into_iter().flatten().map(Path::new);
        for path in logs.chain([program]) {
            let opened = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
            let file = facts(&opened).ok()?;
            let kind = fstatfs(&opened).ok()?.f_type;
            let opens = OPENS.contains(&kind);
            learnt.devices.extend(opens.then_some(device(&file)));
            if path == program && (opens || TELLS.contains(&kind)) {
                let executable = Executable { changed: changed(&file), interpreter: interpreter(program) };
                learnt.program = Some((inode(&file), executable));
            }
        }
        Some(Box::new(learnt))
    }
}

/// The first file of that name, if it is certain that none comes before.
fn search(name: &str, path: &str) -> Option<(String, Statx)> {
    for directory in path.split(':') {
        let candidate = Path::new(directory).join(name);
        match look(&candidate) {
            Ok(file) => {
                let candidate = candidate.to_str().filter(|candidate| candidate.contains('/'))?;
                return Some((candidate.to_owned(), file));
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(_) => return None,
        }
    }
    None
}

/// What the kernel knows of a file without asking anybody.
///
/// # Errors
/// EAGAIN if it would have to ask, ENOSYS before Linux 5.6, EINVAL before 5.12; those of open(2) if it knows that they are so.
fn look(path: &Path) -> Result<Statx, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    facts(&openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?)
}

fn facts(file: &OwnedFd) -> Result<Statx, Errno> {
    statx(file, "", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::BASIC_STATS)
}

fn is_regular(file: &Statx) -> bool {
    FileType::from_raw_mode(file.stx_mode.into()) == FileType::RegularFile
}

fn device(file: &Statx) -> u64 {
    makedev(file.stx_dev_major, file.stx_dev_minor)
}

fn inode(file: &Statx) -> Inode {
    (device(file), file.stx_ino)
}

fn changed(file: &Statx) -> (i64, u32) {
    (file.stx_ctime.tv_sec, file.stx_ctime.tv_nsec)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use upkeep_core::spec::{LogTarget, ProcessSpec};

    use super::*;
    use crate::fcgi::Sockets;
    use crate::logfiles::LogPaths;
    use crate::prepare::ChildContext;

    struct Place {
        programs: tempfile::TempDir,
        /// In memory: elsewhere it may be a file system on which logs are not opened at once.
        logs: tempfile::TempDir,
    }

    type Change = &'static dyn Fn(&Place);

    impl Place {
        /// With a script that is found behind another directory of PATH, its interpreter, and its logs.
        fn new() -> Self {
            let (programs, logs) = (tempfile::tempdir(), tempfile::tempdir_in("/dev/shm"));
            let place = Self { programs: programs.unwrap(), logs: logs.unwrap() };
            for directory in ["first", "second"] {
                fs::create_dir(place.at(directory)).unwrap();
            }
            place.program("interpreter", "");
            place.program("second/program", &format!("#!{}\n", place.at("interpreter")));
            place
        }

        fn at(&self, name: &str) -> String {
            self.programs.path().join(name).to_str().unwrap().to_owned()
        }

        fn log(&self, name: &str) -> String {
            self.logs.path().join(name).to_str().unwrap().to_owned()
        }

        fn program(&self, name: &str, text: &str) {
            fs::write(self.at(name), text).unwrap();
            fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o755)).unwrap();
        }

        fn order(&self, change: impl FnOnce(&mut ProcessSpec)) -> Order {
            let mut spec = ProcessSpec::new("program", "program");
            "program --option".clone_into(&mut spec.command);
            let path = ["first", "second"].map(|name| self.at(name)).join(":");
            spec.environment.insert("PATH".to_owned(), path);
            spec.stdout.target = LogTarget::File(self.log("out"));
            spec.stderr.target = LogTarget::File(self.log("err"));
            change(&mut spec);
            Order {
                group: "program".to_owned(),
                paths: LogPaths::of(&spec, None),
                spec: Arc::new(spec),
                prefix: None,
                listener: false,
                errand: None,
                sockets: Sockets::default(),
                context: Arc::new(ChildContext {
                    environment: Vec::new(),
                    server_url: None,
                    strip_ansi: false,
                    echo: false,
                    log_prefix: false,
                    ident: String::new(),
                    owner: Vec::new(),
                    umask: None,
                    directory: None,
                }),
            }
        }
    }

    /// The kernel may not be able to tell in one moment, since somebody else renames something, and be in the next.
    fn at_once(order: &Order, familiar: &Familiar) -> Option<Prepared> {
        (0..1000).find_map(|_| order.prepare_at_once(familiar))
    }

    fn familiar(order: &Order) -> Familiar {
        let mut familiar = Familiar::default();
        let prepared = order.prepare().unwrap();
        familiar.learn(*order.learnt(&prepared).unwrap());
        familiar
    }

    #[test]
    fn what_was_started_before_is_prepared_at_once_and_just_the_same() {
        let place = Place::new();
        let order = place.order(|_| {});
        let known = familiar(&order);
        let at_once = at_once(&order, &known).expect("it is familiar");
        let slowly = order.prepare().unwrap();
        assert_eq!((&at_once.plan, &at_once.trouble), (&slowly.plan, &None));
        let path = |sink: &upkeep_logs::Sink| sink.file.as_ref().map(|file| file.path().to_owned());
        let paths = |prepared: &Prepared| [path(&prepared.stdout), prepared.stderr.as_ref().and_then(path)];
        assert_eq!(paths(&at_once), paths(&slowly));
        assert_eq!(paths(&at_once), ["out", "err"].map(|name| Some(place.log(name).into())));
        let mut stdout = at_once.stdout.file.expect("a log");
        stdout.write(b"words");
        assert_eq!(fs::read_to_string(place.log("out")).unwrap(), "words");
    }

    #[test]
    fn what_is_not_as_it_was_is_left_to_a_thread() {
        let rows: [(&str, Change); 9] = [
            ("another program", &|place| {
                place.program("new", "");
                fs::rename(place.at("new"), place.at("second/program")).unwrap();
            }),
            ("one that is found before", &|place| place.program("first/program", "")),
            ("a directory", &|place| {
                fs::remove_file(place.at("second/program")).unwrap();
                fs::create_dir(place.at("second/program")).unwrap();
            }),
            ("no program", &|place| fs::remove_file(place.at("second/program")).unwrap()),
            ("nobody may execute it", &|place| {
                let nobody = fs::Permissions::from_mode(0o644);
                fs::set_permissions(place.at("second/program"), nobody).unwrap();
            }),
            ("no interpreter", &|place| fs::remove_file(place.at("interpreter")).unwrap()),
            ("no log", &|place| fs::remove_file(place.log("err")).unwrap()),
            ("a log that is a directory", &|place| {
                fs::remove_file(place.log("out")).unwrap();
                fs::create_dir(place.log("out")).unwrap();
            }),
            ("a log that is a pipe", &|place| {
                fs::remove_file(place.log("out")).unwrap();
                let (kind, mode) = (FileType::Fifo, Mode::RUSR | Mode::WUSR);
                rustix::fs::mknodat(CWD, place.log("out"), kind, mode, 0).unwrap();
            }),
        ];
        for (what, change) in rows {
            let place = Place::new();
            let order = place.order(|_| {});
            let known = familiar(&order);
            assert!(at_once(&order, &known).is_some(), "{what}: before");
            change(&place);
            assert!(at_once(&order, &known).is_none(), "{what}");
        }
    }

    #[test]
    fn what_may_wait_for_more_than_files_is_left_to_a_thread() {
        let place = Place::new();
        let order = place.order(|_| {});
        let known = familiar(&order);
        assert!(at_once(&order, &Familiar::default()).is_none(), "nothing is known");
        let others = Familiar { devices: BTreeSet::new(), programs: known.programs.clone() };
        assert!(at_once(&order, &others).is_none(), "logs on a server");
        let own = rustix::process::getuid().as_raw();
        assert!(at_once(&place.order(|spec| spec.uid = Some(own)), &known).is_some());
        let order = place.order(|spec| spec.uid = Some(own + 1));
        assert!(at_once(&order, &known).is_none() && order.learnt(&order.prepare().unwrap()).is_none());
        let confined = place.order(|spec| spec.confinement = Some(Arc::default()));
        assert!(at_once(&confined, &known).is_none());
    }
}
