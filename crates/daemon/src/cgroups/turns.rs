//! Who makes a control group and who removes it take turns: what was made for a process that is about to join must not be taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One turn for each folder that somebody is at. They are of the process: folders are, too.
static TURNS: Mutex<BTreeMap<PathBuf, Weak<Mutex<()>>>> = Mutex::new(BTreeMap::new());

/// Does `work` while nobody else makes or removes this folder. Waits for them, who may wait for the disk.
pub(super) fn in_turn<T>(folder: &Path, work: impl FnOnce() -> T) -> T {
    let turn = turn_of(folder);
    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

fn turn_of(folder: &Path) -> Arc<Mutex<()>> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    let known = turns.get(folder).and_then(Weak::upgrade);
    known.unwrap_or_else(|| {
        let turn = Arc::default();
        turns.insert(folder.to_owned(), Arc::downgrade(&turn));
        turn
    })
}

/// Folders that processes have joined or are about to join, as the daemon's task knows at this moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted(Arc<Mutex<BTreeSet<String>>>);

impl Wanted {
    pub(super) fn add(&self, folder: &str) {
        self.with(|folders| folders.insert(folder.to_owned()));
    }

    pub(super) fn remove(&self, folder: &str) {
        self.with(|folders| folders.remove(folder));
    }

    /// These and no others.
    pub(super) fn set(&self, wanted: BTreeSet<String>) {
        self.with(|folders| *folders = wanted);
    }

    pub(super) fn has(&self, folder: &Path) -> bool {
        self.with(|folders| folder.to_str().is_some_and(|folder| folders.contains(folder)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
