//! What fast logs go through: the keeper holds it, so that what is under way is lost with no daemon.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use upkeep_core::RunId;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Passage;

use crate::keeping::run_of;
use crate::shell::Shell;

/// The names under which the keeper holds its parts.
const HELD: [&str; 3] = ["passage/out", "passage/in", "passage/note"];

impl Shell {
    /// Some stream is fast enough for it. Without descriptors, or a keeper that has them, there is none: what is slower then is all.
    pub(crate) fn make_passage(&mut self) {
        let Ok(passage) = Passage::new() else { return };
        let sent = HELD.iter().zip(passage.parts()).try_for_each(|(name, part)| {
            self.link.send(&ToKeeper::Hold { name: (*name).to_owned() }, &[part.as_fd()])
        });
        if sent.is_ok() {
            self.use_passage(passage);
        }
    }

    /// Goes on with the one that an earlier daemon had, before any stream is attached. What is in there of none of these runs nobody
    /// is left to fetch.
    pub(crate) fn resume_passage(&mut self, held: &mut BTreeMap<String, OwnedFd>, runs: &HashSet<RunId>) {
        let [Some(reader), Some(writer), Some(note)] = HELD.map(|name| held.remove(name)) else { return };
        let passage = Passage::resume([reader, writer, note]).ok();
        let is_known = |passage: &Passage| passage.left_of().is_none_or(|id| runs.contains(&run_of(id)));
        if let Some(passage) = passage.filter(is_known) {
            self.use_passage(passage);
        }
    }

    /// Lets another keeper hold it.
    pub(crate) fn hold_passage(&mut self) {
        for (name, part) in HELD.iter().zip(self.passage.clone().iter().flatten()) {
            self.hold_surely((*name).to_owned(), part);
        }
    }

    fn use_passage(&mut self, passage: Passage) {
        self.passage = Some(passage.parts().each_ref().map(Arc::clone));
        self.engine.set_passage(passage);
    }
}
