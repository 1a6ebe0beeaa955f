//! What an update would do to each process, before it does.

mod takes;

use std::sync::Arc;
use std::time::Duration;

use crate::ordered;
use crate::reload::{Kind, change_kind, difference};
use crate::spec::{GroupSpec, ProcessSpec};
use crate::time::seconds;
pub use takes::{Along, Dependants, Takes, starting};

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    New,
    /// It goes.
    Removed,
    /// It has to be started anew.
    Restart,
    /// It gets new options while it runs on.
    Live,
}

/// What an update would do to one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Name of its group.
    pub group: String,
    /// Its name; `*` where only the group as such changes.
    pub process: String,
    /// The section that it comes from.
    pub section: Arc<str>,
    /// What becomes of it.
    pub change: Change,
    /// How long it may take to stop, if it has to.
    pub stop: Duration,
    /// It starts by itself, and does not wait for its time.
    pub autostart: bool,
    /// Its options of now, if it is there.
    pub old: Option<Arc<ProcessSpec>>,
    /// Its options to be, if it stays.
    pub new: Option<Arc<ProcessSpec>>,
}

/// Compares the active groups with a configuration, process by process, in the order of that configuration; what goes
/// comes last. With `strict`, a group that changes is restarted as a whole.
#[must_use]
pub fn plan(active: &[GroupSpec], new: &[GroupSpec], strict: bool) -> Vec<Planned> {
    let found = difference(active, new);
    let of = |groups: &[GroupSpec], name: &str| groups.iter().position(|group| group.name == name);
    let mut steps = Vec::new();
    for group in new {
        if found.added.contains(&group.name) {
            steps.extend(group.processes.iter().map(|process| planned(group, process, Change::New)));
        } else if found.changed.contains(&group.name)
            && let Some(at) = of(active, &group.name)
        {
            changed(&active[at], group, strict, &mut steps);
        }
    }
    for group in active.iter().filter(|group| found.removed.contains(&group.name)) {
        steps.extend(group.processes.iter().map(|process| planned(group, process, Change::Removed)));
    }
    steps
}

fn changed(old: &GroupSpec, new: &GroupSpec, strict: bool, steps: &mut Vec<Planned>) {
    let before = steps.len();
    let whole = strict || change_kind(&old.kind, &new.kind) == Kind::Restart;
    for process in &new.processes {
        let known = old.processes.iter().find(|other| other.name == process.name);
        let change = match known.map(|known| known.change_to(process)) {
            None => Change::New,
            Some(_) if whole => Change::Restart,
            Some(Kind::Restart) => Change::Restart,
            Some(Kind::Live) => Change::Live,
            Some(Kind::None) => continue,
        };
        // It is stopped as it was told to when it was started.
        let stop = wait(known.unwrap_or(process));
        steps.push(Planned { stop, old: known.cloned(), ..planned(new, process, change) });
    }
    let names = ordered::set(new.processes.iter().map(|process| process.name.as_str()));
    let gone = old.processes.iter().filter(|process| !names.contains(process.name.as_str()));
    steps.extend(gone.map(|process| planned(new, process, Change::Removed)));
    if let (true, Some(first)) = (steps.len() == before, new.processes.first()) {
        steps.push(Planned { process: "*".to_owned(), new: None, ..planned(new, first, Change::Live) });
    }
}

fn planned(group: &GroupSpec, process: &Arc<ProcessSpec>, change: Change) -> Planned {
    let (old, new) = match change {
        Change::Removed => (Some(process.clone()), None),
        Change::New | Change::Restart | Change::Live => (None, Some(process.clone())),
    };
    Planned {
        group: group.name.clone(),
        process: process.name.clone(),
        section: process.section.clone(),
        change,
        stop: wait(process),
        autostart: process.autostart && process.schedule.is_none(),
        old,
        new,
    }
}

fn wait(process: &ProcessSpec) -> Duration {
    seconds(process.stopwaitsecs)
}
