//! When runs were planned for that are to be made up for if they are missed (`schedule_missed = run_once`): for a daemon that
//! starts afresh and has no records.
//!
//! It lies beside the pid file as `PIDFILE.schedules`, a JSON object, and is written anew by a thread of its own whenever a plan
//! changes. Where no program asks for it there is neither a file nor a thread. A run that came while the machine was off is missed,
//! too: a pid file in memory (`/run`) is gone then, and so the file lies beside the daemon's own log, as `LOGFILE.schedules`. Where it
//! cannot be written it lies at the other place. If that is in memory, what was written last stays where it outlives a boot: a run that
//! is made up for twice is better than one that is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rustix::fs::{FsWord, OFlags};
use serde::{Deserialize, Serialize};
use upkeep_config::LogFile;
use upkeep_core::{Input, PlannedRun, ProcId, Process};
use upkeep_logs::{Engine, Level};

use crate::clerk::Clerk;
use crate::ownfile::{open_own, replace_own};
use crate::shell::Shell;

/// How long the end of the daemon waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(1);
/// More than a file of many thousands of plans.
const LARGEST: u64 = 64 << 20;

/// Fields are only ever added, with defaults.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    runs: Vec<Plan>,
}

/// The same, to be written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    runs: Vec<&'a Plan>,
}

/// The next run of a process. Times are epoch seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    group: String,
    name: String,
    /// As written: another schedule has other times.
    schedule: String,
    timezone: String,
    /// The time of its table.
    next: i64,
    /// When that was found out.
    since: i64,
}

impl Plan {
    fn of(process: &Process) -> Option<Self> {
        let schedule = process.spec().schedule.as_ref()?;
        let (next, since) = process.planned()?;
        let (group, name) = (process.group().to_owned(), process.name().to_owned());
        Some(Self {
            group,
            name,
            schedule: schedule.text.clone(),
            timezone: schedule.timezone.clone(),
            next,
            since,
        })
    }

    fn is_of(&self, process: &Process) -> bool {
        let same = |schedule: &std::sync::Arc<upkeep_core::spec::Schedule>| {
            (&schedule.text, &schedule.timezone) == (&self.schedule, &self.timezone)
        };
        process.spec().schedule.as_ref().is_some_and(same)
    }
}

/// The plans that are written down.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    plans: Plans,
    /// Those that the thread does not know as they are.
    changed: BTreeSet<ProcId>,
    /// The file is to be written, whether or not there are such.
    anew: bool,
    writer: Option<Clerk<Order>>,
}

impl Shell {
    /// Where the plans may lie; the first one that outlives a boot is it.
    fn plans_paths(&self) -> Vec<PathBuf> {
        let settings = self.settings();
        places(&settings.pidfile, &settings.logfile)
    }

    /// A process is written down, and its plan along with it if that is asked for.
    pub(crate) fn note_plan(&mut self, id: ProcId) {
        let Some(process) = self.core.process(id) else { return };
        if process.timer().is_none() && self.planned.plans.is_empty() {
            return;
        }
        match Plan::of(process) {
            Some(plan) if self.planned.plans.get(&id).is_some_and(|known| **known == plan) => {}
            Some(plan) => {
                self.planned.plans.insert(id, Arc::new(plan));
                self.planned.changed.insert(id);
            }
            None => self.forget_plan(id),
        }
    }

    /// A process is gone, or has nothing to make up for.
    pub(crate) fn forget_plan(&mut self, id: ProcId) {
        if self.planned.plans.remove(&id).is_some() {
            self.planned.changed.insert(id);
        }
    }

    /// Has the plans written if there are others than before. The thread is told of those alone.
    pub(crate) fn save_plans(&mut self) {
        if self.planned.changed.is_empty() && !self.planned.anew {
            return;
        }
        self.planned.anew = false;
        let mut changed = std::mem::take(&mut self.planned.changed);
        let paths = self.plans_paths();
        if self.planned.writer.is_none() {
            match start(self.engine.clone()) {
                Ok(writer) => self.planned.writer = Some(writer),
                Err(error) => return self.log(Level::Warn, unwritten(home(&paths, is_in_memory), &error)),
            }
            changed.extend(self.planned.plans.keys());
        }
        let Planned { plans, writer: Some(writer), .. } = &self.planned else { return };
        let changes = changed.into_iter().map(|id| (id, plans.get(&id).cloned())).collect();
        writer.order(Order { paths, changes });
    }

    /// The pid file or the log has another name: the plans are written down beside it from now on.
    pub(crate) fn move_plans(&mut self) {
        self.planned.anew |= !self.planned.plans.is_empty();
    }

    /// What was planned before this start: by the daemon that came up before, else by one that has ended.
    pub(crate) fn plans_of_before(&mut self) -> Vec<Plan> {
        let own = std::mem::take(&mut self.planned.plans);
        if !own.is_empty() || self.planned.writer.is_some() {
            self.planned.changed.extend(own.keys());
            return own.into_values().map(Arc::unwrap_or_clone).collect();
        }
        let paths = self.plans_paths();
        let path = newest(&paths).unwrap_or_else(|| home(&paths, is_in_memory));
        match read(path) {
            Ok(plans) => {
                // If nobody asks for it any more it is not to be found later, when it is true no longer.
                self.planned.anew = !plans.is_empty();
                plans
            }
            Err(error) => {
                let shown = path.display();
                let text =
                    format!("'{shown}' cannot be read: {error}; runs that were missed are not made up for");
                self.log(Level::Warn, text);
                Vec::new()
            }
        }
    }

    /// Tells what was planned; before everything begins.
    pub(crate) fn recall_plans(&mut self, plans: Vec<Plan>) {
        for plan in plans {
            let process = self.core.member(&plan.group, &plan.name).and_then(|id| self.core.process(id));
            if process.is_some_and(|process| plan.is_of(process)) {
                let Plan { group, name: process, next, since, .. } = plan;
                self.tell(Input::Planned(Box::new(PlannedRun { group, process, next, since })));
            }
        }
    }

    /// The daemon ends in order: waits until all is written, if the disk answers.
    pub(crate) fn close_plans(&mut self) {
        self.save_plans();
        if let Some(writer) = self.planned.writer.take() {
            writer.finish(LAST_WRITES);
        }
    }
}

/// Beside these, unless that is where devices are.
fn places(pidfile: &Path, log: &LogFile) -> Vec<PathBuf> {
    let log = match log {
        LogFile::Path(path) => Some(path.as_path()),
        LogFile::Syslog => None,
    };
    // A standard stream, say.
    let log = log.filter(|log| !["/dev", "/proc"].iter().any(|devices| log.starts_with(devices)));
    let beside = |path: &Path| {
        let mut path = path.as_os_str().to_owned();
        path.push(".schedules");
        PathBuf::from(path)
    };
    std::iter::once(pidfile).chain(log).map(beside).collect()
}

/// The first of these that is there after a boot; the first of all if none is.
fn home(paths: &[PathBuf], is_in_memory: impl Fn(&Path) -> bool) -> &Path {
    let lasting = paths.iter().find(|path| !path.parent().is_some_and(&is_in_memory));
    lasting.or(paths.first()).map_or(Path::new(""), PathBuf::as_path)
}

/// The one of these that was written last; an earlier version may have left one where this does not write.
fn newest(paths: &[PathBuf]) -> Option<&Path> {
    let written = |path: &&PathBuf| path.metadata().and_then(|found| found.modified()).ok();
    let there = paths.iter().filter(|path| written(path).is_some());
    there.max_by_key(written).map(PathBuf::as_path)
}

/// Whether what lies in this directory is gone after a boot (statfs(2)).
fn is_in_memory(directory: &Path) -> bool {
    const TMPFS: FsWord = 0x0102_1994;
    const RAMFS: FsWord = 0x8584_58f6;
    const PROC: FsWord = 0x9fa0;
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let found = rustix::fs::statfs(directory);
    found.is_ok_and(|found| [TMPFS, RAMFS, PROC].contains(&found.f_type))
}

/// The plans in a file; none if there is no file.
fn read(path: &Path) -> io::Result<Vec<Plan>> {
    let file = match open_own(path, OFlags::empty()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    let contents: Contents = serde_json::from_slice(&bytes)?;
    Ok(contents.runs)
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    format!(
        "cannot write '{path}': {error}; the next supervisord does not know which runs were missed before it started"
    )
}

/// Plans by process.
type Plans = BTreeMap<ProcId, Arc<Plan>>;

/// Where the file may be, and which plans are others than before; without any plan there is no file.
#[derive(Debug)]
struct Order {
    paths: Vec<PathBuf>,
    changes: Vec<(ProcId, Option<Arc<Plan>>)>,
}

impl Order {
    /// Brings the plans up to date; where they may lie.
    fn apply(self, plans: &mut Plans) -> Vec<PathBuf> {
        for (id, plan) in self.changes {
            match plan {
                Some(plan) => plans.insert(id, plan),
                None => plans.remove(&id),
            };
        }
        self.paths
    }
}

fn start(engine: Engine) -> io::Result<Clerk<Order>> {
    let complain = move |path: &Path, error: &io::Error| engine.journal(Level::Warn, unwritten(path, error));
    Clerk::start("schedules", move |inbox| write_all(inbox, is_in_memory, complain))
}

/// Writes what comes, all at once if more has come meanwhile. Complains once until it can write again.
fn write_all(
    inbox: &Receiver<Order>,
    is_in_memory: impl Fn(&Path) -> bool,
    complain: impl Fn(&Path, &io::Error),
) {
    let (mut last, mut at, mut complained) = (Vec::new(), PathBuf::new(), false);
    let mut plans = Plans::new();
    while let Ok(first) = inbox.recv() {
        let mut paths = first.apply(&mut plans);
        inbox.try_iter().for_each(|order| paths = order.apply(&mut plans));
        let runs = plans.values().map(Arc::as_ref).collect();
        let bytes = if plans.is_empty() { None } else { serde_json::to_vec(&Written { runs }).ok() };
        match write_somewhere(&paths, bytes.as_deref(), &is_in_memory) {
            Ok(path) => {
                complained = false;
                if last != paths || at != path {
                    let lasts = |path: &Path| !path.parent().is_some_and(&is_in_memory);
                    // What lies elsewhere is true no longer, but this may be gone before it. Somebody may have removed it already:
                    // it is gone either way.
                    let others = last.iter().chain(&paths).filter(|other| *other != path);
                    let others = others.filter(|other| bytes.is_none() || lasts(path) || !lasts(other));
                    others.for_each(|other| drop(std::fs::remove_file(other)));
                    path.clone_into(&mut at);
                    last.clone_from(&paths);
                }
            }
            Err((path, error)) if !std::mem::replace(&mut complained, true) => complain(path, &error),
            Err(_) => {}
        }
    }
}

/// Writes the file where it is to be, else at the first other place where it can be; returns which.
fn write_somewhere<'a>(
    paths: &'a [PathBuf],
    bytes: Option<&[u8]>,
    is_in_memory: impl Fn(&Path) -> bool,
) -> Result<&'a Path, (&'a Path, io::Error)> {
    let home = home(paths, is_in_memory);
    let Err(error) = write(home, bytes) else { return Ok(home) };
    // One that cannot be removed is not removed by the absence of another.
    let mut others = paths.iter().map(PathBuf::as_path).filter(|path| bytes.is_some() && *path != home);
    others.find(|path| write(path, bytes).is_ok()).ok_or((home, error))
}

/// Writes the file anew, beside its name first.
fn write(path: &Path, bytes: Option<&[u8]>) -> io::Result<()> {
    let Some(bytes) = bytes else {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let fill = |file: &mut File| {
        file.write_all(bytes)?;
        // It is read after a power cut, too, and must not be empty then.
        file.sync_all()
    };
    replace_own(path, OFlags::empty(), fill).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn plan(name: &str, next: i64) -> Plan {
        let text = |text: &str| text.to_owned();
        let (group, name, schedule, timezone) = (text("g"), text(name), text("@daily"), text("UTC"));
        Plan { group, name, schedule, timezone, next, since: 1 }
    }

    fn order(paths: &[&PathBuf], id: u32, plan: Option<Plan>) -> Order {
        let changes = vec![(ProcId(id), plan.map(Arc::new))];
        Order { paths: paths.iter().map(|path| (*path).clone()).collect(), changes }
    }

    /// A machine without anything in memory.
    fn nowhere(_: &Path) -> bool {
        false
    }

    #[test]
    fn the_latest_plans_are_found_again_beside_the_latest_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let [old, new] = ["a", "b"].map(|name| dir.path().join(name));
        assert_eq!(read(&old).expect("no file"), []);
        let write_down = |orders: Vec<Order>| {
            let (send, inbox) = mpsc::channel();
            orders.into_iter().for_each(|order| send.send(order).expect("taken"));
            drop(send);
            write_all(&inbox, nowhere, |path, error| panic!("{}: {error}", path.display()));
        };
        let to = |path: &PathBuf, id, plan| order(&[path], id, plan);
        write_down(vec![to(&old, 1, Some(plan("x", 5))), to(&old, 1, Some(plan("x", 6)))]);
        assert_eq!(read(&old).expect("a file"), [plan("x", 6)]);
        let changes = [to(&old, 1, Some(plan("x", 6))), to(&old, 1, None), to(&new, 2, Some(plan("y", 7)))];
        write_down(changes.into());
        assert_eq!(read(&new).expect("a file"), [plan("y", 7)]);
        write_down(vec![to(&new, 2, Some(plan("y", 7))), to(&new, 3, Some(plan("z", 7)))]);
        assert_eq!(read(&new).expect("a file"), [plan("y", 7), plan("z", 7)], "one is told of at a time");
        write_down(vec![to(&new, 2, None)]);
        assert!(!new.exists());
        std::fs::write(&old, "no JSON").expect("written");
        assert!(read(&old).is_err());
    }

    /// A pid file is in memory on most machines, and is gone when a machine was off: what was missed then is not.
    #[test]
    fn plans_lie_where_they_outlive_a_boot() {
        let paths = ["/run/x.pid.schedules", "/var/log/x.log.schedules"].map(PathBuf::from);
        let in_memory = |those: &'static [&'static str]| {
            move |path: &Path| those.contains(&path.to_str().expect("a name"))
        };
        for (those, at) in [(&[][..], 0), (&["/run"], 1), (&["/run", "/var/log"], 0), (&["/var/log"], 0)] {
            assert_eq!(home(&paths, in_memory(those)), paths[at], "{those:?}");
        }
        assert_eq!(home(&paths[..1], in_memory(&["/run"])), paths[0]);
        let dir = tempfile::tempdir().expect("a folder");
        let [first, second] = ["a", "b"].map(|name| dir.path().join(name));
        let both = [first.clone(), second.clone()];
        assert_eq!(newest(&both), None);
        std::fs::write(&second, "").expect("written");
        assert_eq!(newest(&both), Some(second.as_path()));
        let file = File::create(&first).expect("written");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time");
        assert_eq!(newest(&both), Some(second.as_path()));
        let (send, inbox) = mpsc::channel();
        send.send(order(&[&first, &second], 1, Some(plan("x", 5)))).expect("taken");
        drop(send);
        write_all(&inbox, nowhere, |path, error| panic!("{}: {error}", path.display()));
        assert!(first.exists() && !second.exists(), "only one is there");
    }

    /// A standard stream has no file beside it, and a folder may be gone: the plans are where they can be, and nowhere else.
    #[test]
    fn plans_lie_where_they_can_be_written() {
        let beside = |log: &str| places(Path::new("/p"), &LogFile::Path(log.into()));
        for log in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(beside(log), [Path::new("/p.schedules")], "{log}");
        }
        assert_eq!(beside("/l"), ["/p.schedules", "/l.schedules"].map(Path::new));
        assert!(is_in_memory(Path::new("/proc/self/fd")));
        let dir = tempfile::tempdir().expect("a folder");
        let [old, away, there] = ["old", "away/a", "there"].map(|name| dir.path().join(name));
        let complaints = |paths: &[&PathBuf], name: &str| {
            let (send, inbox) = mpsc::channel();
            send.send(order(paths, 1, Some(plan(name, 5)))).expect("taken");
            drop(send);
            let complaints = std::cell::RefCell::new(Vec::new());
            write_all(&inbox, nowhere, |path, _| complaints.borrow_mut().push(path.to_owned()));
            complaints.into_inner()
        };
        let none: [PathBuf; 0] = [];
        assert_eq!(complaints(&[&there], "x"), none);
        assert_eq!(complaints(&[&away], "y"), std::slice::from_ref(&away));
        assert_eq!(complaints(&[&away, &there], "z"), none);
        assert_eq!(read(&there).expect("a file"), [plan("z", 5)]);
        assert_eq!(complaints(&[&old, &there], "z"), none);
        assert!(old.exists() && !there.exists(), "only one is there");
    }

    /// The disk is full for a while: what is in memory may be gone before it is not.
    #[test]
    fn what_outlives_a_boot_stays_while_the_plans_are_in_memory() {
        let dir = tempfile::tempdir().expect("a folder");
        let [memory, disk] = ["memory", "disk"].map(|name| dir.path().join(name));
        [&memory, &disk].into_iter().for_each(|path| std::fs::create_dir(path).expect("a folder"));
        let (short, lasting) = (memory.join("x"), disk.join("x"));
        let in_memory = |path: &Path| path == memory;
        let write_down = |orders: Vec<Order>| {
            let (send, inbox) = mpsc::channel();
            orders.into_iter().for_each(|order| send.send(order).expect("taken"));
            drop(send);
            write_all(&inbox, in_memory, |path, error| panic!("{}: {error}", path.display()));
        };
        let to = |plan| vec![order(&[&short, &lasting], 1, plan)];
        write_down(to(Some(plan("x", 5))));
        assert!(lasting.exists() && !short.exists());
        // Even the superuser writes no file where a folder is.
        let in_the_way = disk.join("x.new");
        std::fs::create_dir(&in_the_way).expect("a folder");
        write_down(to(Some(plan("x", 6))));
        let both = [&short, &lasting].map(|path| read(path).expect("a file"));
        assert_eq!(both, [[plan("x", 6)], [plan("x", 5)]]);
        std::fs::remove_dir(&in_the_way).expect("removed");
        write_down(to(Some(plan("x", 7))));
        assert_eq!((read(&lasting).expect("a file"), short.exists()), (vec![plan("x", 7)], false));
    }

    /// As the first version wrote it.
    #[test]
    fn old_files_are_understood() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("pid.schedules");
        let text =
            r#"{"runs":[{"group":"g","name":"x","schedule":"@daily","timezone":"UTC","next":9,"since":1}]}"#;
        std::fs::write(&path, text).expect("written");
        assert_eq!(read(&path).expect("a file"), [plan("x", 9)]);
    }
}
