//! Runs that have ended and whose last words may still be on their way to the logs.
//!
//! Their processes go on meanwhile, and the core has forgotten them. Should this daemon die before the log thread has read what is
//! left in their pipes, the next one has to know whose that is: their records say so.

use std::collections::{BTreeMap, BTreeSet};

use upkeep_core::{ErrandKind, ProcId, RunId};

/// Whose run it was: a process's own, or that of a command beside it.
pub(crate) type Owner = (ProcId, Option<ErrandKind>);

/// Those runs, and whose they were.
#[derive(Debug, Default)]
pub(crate) struct Undrained {
    owners: BTreeMap<RunId, Owner>,
    of: BTreeSet<(ProcId, RunId)>,
}

impl Undrained {
    /// The run of this owner has ended.
    pub(crate) fn insert(&mut self, run: RunId, owner: Owner) {
        self.remove(run);
        self.owners.insert(run, owner);
        self.of.insert((owner.0, run));
    }

    /// All that it said is in the log.
    pub(crate) fn remove(&mut self, run: RunId) {
        if let Some((process, _)) = self.owners.remove(&run) {
            self.of.remove(&(process, run));
        }
    }

    /// Whose run it was.
    pub(crate) fn owner(&self, run: RunId) -> Option<Owner> {
        self.owners.get(&run).copied()
    }

    /// Those of one process, in the order they were started.
    pub(crate) fn of(&self, process: ProcId) -> impl Iterator<Item = (RunId, Option<ErrandKind>)> {
        let runs = self.of.range((process, RunId(0))..=(process, RunId(u64::MAX)));
        runs.map(|&(_, run)| (run, self.owner(run).and_then(|(_, kind)| kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_one_owner_until_it_is_drained() {
        let mut undrained = Undrained::default();
        let [first, second] = [ProcId(1), ProcId(2)];
        undrained.insert(RunId(5), (first, None));
        undrained.insert(RunId(4), (first, Some(ErrandKind::PostStop)));
        undrained.insert(RunId(6), (second, None));
        let of = |undrained: &Undrained, process| undrained.of(process).collect::<Vec<_>>();
        assert_eq!(of(&undrained, first), [(RunId(4), Some(ErrandKind::PostStop)), (RunId(5), None)]);
        assert_eq!(undrained.owner(RunId(6)), Some((second, None)));
        undrained.insert(RunId(5), (second, None));
        undrained.remove(RunId(4));
        undrained.remove(RunId(9));
        assert_eq!(of(&undrained, first), []);
        assert_eq!(of(&undrained, second), [(RunId(5), None), (RunId(6), None)]);
        assert_eq!(undrained.owner(RunId(4)), None);
    }
}
