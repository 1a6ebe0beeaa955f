//! When runs were planned for that are to be made up for if they are missed (`schedule_missed = run_once`): for a daemon that
//! starts afresh and has no records.
//!
//! It lies beside the pid file as `PIDFILE.schedules`, a JSON object, and is written anew by a thread of its own whenever a plan
//! changes. Where no program asks for it there is neither a file nor a thread.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use upkeep_core::{Input, PlannedRun, ProcId, Process};
use upkeep_logs::{Engine, Level};

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
    plans: BTreeMap<ProcId, Plan>,
    changed: bool,
    writer: Option<Writer>,
}

impl Shell {
    fn plans_path(&self) -> PathBuf {
        let mut path = self.settings().pidfile.clone().into_os_string();
        path.push(".schedules");
        path.into()
    }

    /// A process is written down, and its plan along with it if that is asked for.
    pub(crate) fn note_plan(&mut self, id: ProcId) {
        let Some(process) = self.core.process(id) else { return };
        if process.timer().is_none() && self.planned.plans.is_empty() {
            return;
        }
        match Plan::of(process) {
            Some(plan) if self.planned.plans.get(&id) == Some(&plan) => {}
            Some(plan) => {
                self.planned.plans.insert(id, plan);
                self.planned.changed = true;
            }
            None => self.forget_plan(id),
        }
    }

    /// A process is gone, or has nothing to make up for.
    pub(crate) fn forget_plan(&mut self, id: ProcId) {
        self.planned.changed |= self.planned.plans.remove(&id).is_some();
    }

    /// Has the plans written if there are others than before.
    pub(crate) fn save_plans(&mut self) {
        if !std::mem::take(&mut self.planned.changed) {
            return;
        }
        let contents = Contents { runs: self.planned.plans.values().cloned().collect() };
        let bytes = if contents.runs.is_empty() { None } else { serde_json::to_vec(&contents).ok() };
        let path = self.plans_path();
        if self.planned.writer.is_none() {
            match Writer::start(self.engine.clone()) {
                Ok(writer) => self.planned.writer = Some(writer),
                Err(error) => return self.log(Level::Warn, unwritten(&path, &error)),
            }
        }
        if let Some(writer) = &self.planned.writer {
            // Fails only if the thread is gone, which nothing but the end of the process brings about.
            let _ = writer.orders.send((path, bytes));
        }
    }

    /// The pid file has another name: the plans are written down beside it from now on.
    pub(crate) fn move_plans(&mut self) {
        self.planned.changed |= !self.planned.plans.is_empty();
    }

    /// What was planned before this start: by the daemon that came up before, else by one that has ended.
    pub(crate) fn plans_of_before(&mut self) -> Vec<Plan> {
        let own: Vec<Plan> = std::mem::take(&mut self.planned.plans).into_values().collect();
        if !own.is_empty() || self.planned.writer.is_some() {
            self.planned.changed |= !own.is_empty();
            return own;
        }
        let path = self.plans_path();
        match read(&path) {
            Ok(plans) => {
                // If nobody asks for it any more it is not to be found later, when it is true no longer.
                self.planned.changed = !plans.is_empty();
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
        if let Some(Writer { orders, ended }) = self.planned.writer.take() {
            drop(orders);
            let _ = ended.recv_timeout(LAST_WRITES);
        }
    }
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

/// Where the file is to be, and what in it; `None` removes it.
type Order = (PathBuf, Option<Vec<u8>>);

/// The handle; the thread ends with it.
#[derive(Debug)]
struct Writer {
    orders: Sender<Order>,
    ended: Receiver<()>,
}

impl Writer {
    fn start(engine: Engine) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        std::thread::Builder::new().name("schedules".to_owned()).spawn(move || {
            write_all(&inbox, |path, error| engine.journal(Level::Warn, unwritten(path, error)));
            // Nobody waits when the handle is gone.
            let _ = end.send(());
        })?;
        Ok(Self { orders, ended })
    }
}

/// Writes what comes, the latest alone if more has come meanwhile. Complains once until it can write again.
fn write_all(inbox: &Receiver<Order>, complain: impl Fn(&Path, &io::Error)) {
    let (mut last, mut complained): (Option<PathBuf>, bool) = (None, false);
    while let Ok(first) = inbox.recv() {
        let (path, bytes) = inbox.try_iter().last().unwrap_or(first);
        if let Some(old) = last.replace(path.clone()).filter(|old| *old != path) {
            // Somebody may have removed it already: it is gone either way.
            let _ = std::fs::remove_file(old);
        }
        match write(&path, bytes.as_deref()) {
            Ok(()) => complained = false,
            Err(error) if !std::mem::replace(&mut complained, true) => complain(&path, &error),
            Err(_) => {}
        }
    }
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
    use super::*;

    fn plan(name: &str, next: i64) -> Plan {
        let text = |text: &str| text.to_owned();
        let (group, name, schedule, timezone) = (text("g"), text(name), text("@daily"), text("UTC"));
        Plan { group, name, schedule, timezone, next, since: 1 }
    }

    #[test]
    fn the_latest_plans_are_found_again_beside_the_latest_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let [old, new] = ["a", "b"].map(|name| dir.path().join(name));
        let bytes = |runs: Vec<Plan>| serde_json::to_vec(&Contents { runs }).ok();
        assert_eq!(read(&old).expect("no file"), []);
        let write_down = |orders: Vec<Order>| {
            let (send, inbox) = mpsc::channel();
            orders.into_iter().for_each(|order| send.send(order).expect("taken"));
            drop(send);
            write_all(&inbox, |path, error| panic!("{}: {error}", path.display()));
        };
        write_down(vec![(old.clone(), bytes(vec![plan("x", 5)])), (old.clone(), bytes(vec![plan("x", 6)]))]);
        assert_eq!(read(&old).expect("a file"), [plan("x", 6)]);
        write_down(vec![(new.clone(), bytes(vec![plan("y", 7)]))]);
        assert_eq!(read(&new).expect("a file"), [plan("y", 7)]);
        write_down(vec![(new.clone(), None)]);
        assert!(!new.exists());
        std::fs::write(&old, "no JSON").expect("written");
        assert!(read(&old).is_err());
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
