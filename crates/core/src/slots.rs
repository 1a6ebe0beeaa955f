//! The table of all processes.

use std::collections::BTreeMap;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::{ProcId, Process};

/// Every process by key. Where debug assertions are on, it counts how many processes were looked at, so that tests can tell a
/// step that costs the same however many there are from one that goes through all of them.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// In boxes, since half of a tree's room may be free.
    processes: BTreeMap<ProcId, Box<Process>>,
    #[cfg(debug_assertions)]
    looks: AtomicU64,
}

impl Slots {
    pub(crate) fn get(&self, id: &ProcId) -> Option<&Process> {
        self.looked_at(1);
        self.processes.get(id).map(|process| &**process)
    }

    pub(crate) fn get_mut(&mut self, id: &ProcId) -> Option<&mut Process> {
        self.looked_at(1);
        self.processes.get_mut(id).map(|process| &mut **process)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ProcId, &Process)> {
        self.looked_at(self.processes.len());
        self.processes.iter().map(|(&id, process)| (id, &**process))
    }

    pub(crate) fn insert(&mut self, id: ProcId, process: Process) {
        self.processes.insert(id, Box::new(process));
    }

    pub(crate) fn remove(&mut self, id: &ProcId) -> Option<Process> {
        self.processes.remove(id).map(|process| *process)
    }

    /// How many processes were looked at so far; 0 without debug assertions.
    pub(crate) fn looks(&self) -> u64 {
        #[cfg(debug_assertions)]
        let looks = self.looks.load(Ordering::Relaxed);
        #[cfg(not(debug_assertions))]
        let looks = 0;
        looks
    }

    #[cfg_attr(not(debug_assertions), expect(clippy::unused_self, reason = "it counts in the other profile"))]
    fn looked_at(&self, count: usize) {
        #[cfg(debug_assertions)]
        self.looks.fetch_add(count.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        #[cfg(not(debug_assertions))]
        let _ = count;
    }
}
