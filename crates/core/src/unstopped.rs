//! Which processes are not stopped: what the end of the daemon waits for.
//!
//! Kept at each change of a state from the moment the end begins, so that while thousands end no event looks at all of them.
//! Nobody asks before: until then keeping it would be a third of what a restart costs here.

use std::collections::{BTreeMap, BTreeSet};

use crate::process::{ProcId, Process};

/// Processes that are neither stopped nor beyond control, and how many there are of them in each group.
#[derive(Debug, Default)]
pub(crate) struct Unstopped {
    /// The end has begun.
    ending: bool,
    processes: BTreeSet<ProcId>,
    groups: BTreeMap<String, usize>,
}

impl Unstopped {
    /// The end begins: from now on it is kept up to date.
    pub(crate) fn begin<'a>(&mut self, processes: impl Iterator<Item = (ProcId, &'a Process)>) {
        self.ending = true;
        processes.for_each(|(id, process)| self.follow(id, process));
    }

    /// Brings it up to date with a process.
    pub(crate) fn follow(&mut self, id: ProcId, process: &Process) {
        if !self.ending {
            return;
        }
        if process.is_at_rest() {
            self.forget(id, &process.group);
        } else if self.processes.insert(id) {
            match self.groups.get_mut(process.group()) {
                Some(count) => *count += 1,
                None => drop(self.groups.insert(process.group().to_owned(), 1)),
            }
        }
    }

    /// A process has stopped, or is no more.
    pub(crate) fn forget(&mut self, id: ProcId, group: &str) {
        if !self.processes.remove(&id) {
            return;
        }
        if let Some(count) = self.groups.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                self.groups.remove(group);
            }
        }
    }

    /// Whether all have stopped.
    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Whether some of a group have not.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }
}
