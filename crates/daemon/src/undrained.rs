//! Runs that have ended and whose last words may still be on their way to the logs.
//!
//! Their processes go on meanwhile, or are removed, and the core has forgotten them. Should this daemon die before the log thread has
//! read what is left in their pipes, the next one has to know where that goes: the records of the processes say whose those runs were,
//! and a record of its own where the words go of a process that is gone.

use std::collections::{BTreeMap, BTreeSet};

use upkeep_core::{ErrandKind, ProcId, RunId};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::{AS_OTHERS_SAY, MODE_AUTO, RotatingFile, Sink};

use crate::logfiles::LogPaths;
use crate::records::{LAST_WORDS_KEY, LastWordsRecord};
use crate::shell::Shell;

/// Whose run it was: a process's own, or that of a command beside it.
pub(crate) type Owner = (ProcId, Option<ErrandKind>);

/// Those runs.
#[derive(Debug, Default)]
pub(crate) struct Undrained {
    owners: BTreeMap<RunId, (Owner, LogPaths)>,
    /// The same by process: it is looked at with every record of one.
    of: BTreeSet<(ProcId, RunId)>,
    /// Runs of processes that are gone: the keeper holds where their words go.
    left: BTreeSet<RunId>,
}

impl Undrained {
    /// The run of this owner has ended, whose logs are there.
    pub(crate) fn insert(&mut self, run: RunId, owner: Owner, logs: LogPaths) {
        self.remove(run);
        self.owners.insert(run, (owner, logs));
        self.of.insert((owner.0, run));
    }

    /// The run of a process that is gone, of which an earlier daemon has written down where its words go.
    fn insert_left(&mut self, run: RunId) {
        self.left.insert(run);
    }

    /// Its process is gone; where its words go.
    fn leave(&mut self, run: RunId) -> LogPaths {
        let logs = self.owners.get(&run).map(|(_, logs)| logs.clone()).unwrap_or_default();
        self.remove(run);
        self.insert_left(run);
        logs
    }

    /// All that it said is in the log; whether the keeper still holds where it goes.
    fn remove(&mut self, run: RunId) -> bool {
        if let Some(((process, _), _)) = self.owners.remove(&run) {
            self.of.remove(&(process, run));
        }
        self.left.remove(&run)
    }

    /// Whose run it was.
    pub(crate) fn owner(&self, run: RunId) -> Option<Owner> {
        self.owners.get(&run).map(|(owner, _)| *owner)
    }

    /// Those of one process, in the order they were started.
    pub(crate) fn of(&self, process: ProcId) -> impl Iterator<Item = (RunId, Option<ErrandKind>)> {
        let runs = self.of.range((process, RunId(0))..=(process, RunId(u64::MAX)));
        runs.map(|&(_, run)| (run, self.owner(run).and_then(|(_, kind)| kind)))
    }
}

impl Shell {
    /// A process is gone, with its record: the next daemon goes by one of its own for each of its runs that are not drained.
    pub(crate) fn leave_last_words(&mut self, process: ProcId) {
        let runs: Vec<RunId> = self.undrained.of(process).map(|(run, _)| run).collect();
        for run in runs {
            let logs = self.undrained.leave(run);
            if let Ok(value) = serde_json::to_vec(&LastWordsRecord::from(logs)) {
                self.send(&ToKeeper::Put { key: LAST_WORDS_KEY | run.0, value });
            }
        }
    }

    /// The words of a run whose process is gone go to these files. They are there, and nobody knows any more when they are to be turned
    /// into old ones.
    pub(crate) fn take_last_words(&mut self, run: RunId, LogPaths { stdout, stderr }: LogPaths) {
        let file = |path: String| RotatingFile::later(path, AS_OTHERS_SAY, 0, MODE_AUTO);
        let [stdout, stderr] = [stdout, stderr].map(|path| Sink { file: path.map(file), ..Sink::default() });
        self.runs.entry(run).or_default().sinks = Some(Box::new((stdout, Some(stderr))));
        self.undrained.insert_left(run);
    }

    /// A run is drained.
    pub(crate) fn heard_out(&mut self, run: RunId) {
        if self.undrained.remove(run) {
            self.send(&ToKeeper::Delete { key: LAST_WORDS_KEY | run.0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_one_owner_until_it_is_drained() {
        let mut undrained = Undrained::default();
        let [first, second] = [ProcId(1), ProcId(2)];
        let logs = LogPaths::default;
        undrained.insert(RunId(5), (first, None), logs());
        undrained.insert(RunId(4), (first, Some(ErrandKind::PostStop)), logs());
        undrained.insert(RunId(6), (second, None), logs());
        let of = |undrained: &Undrained, process| undrained.of(process).collect::<Vec<_>>();
        assert_eq!(of(&undrained, first), [(RunId(4), Some(ErrandKind::PostStop)), (RunId(5), None)]);
        assert_eq!(undrained.owner(RunId(6)), Some((second, None)));
        undrained.insert(RunId(5), (second, None), logs());
        let logs = LogPaths { stdout: Some("log".to_owned()), stderr: None };
        undrained.insert(RunId(6), (second, None), logs.clone());
        assert_eq!(undrained.leave(RunId(6)), logs);
        assert!(!undrained.remove(RunId(4)) && !undrained.remove(RunId(9)), "nobody holds anything of them");
        assert_eq!(of(&undrained, first), []);
        assert_eq!(of(&undrained, second), [(RunId(5), None)]);
        assert_eq!((undrained.owner(RunId(4)), undrained.owner(RunId(6))), (None, None));
        assert!(undrained.remove(RunId(6)));
        assert!(!undrained.remove(RunId(6)), "once");
    }
}
