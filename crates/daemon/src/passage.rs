//! What logs go through: the keeper holds it, so that what is under way is lost with no daemon.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Passage;

use crate::inventory::Inventory;
use crate::keeping::run_of;
use crate::shell::Shell;

/// The names under which the keeper holds its parts.
const HELD: [&str; 3] = ["passage/out", "passage/in", "passage/note"];

impl Shell {
    /// Some stream has use for it. Without descriptors, or a keeper that has them, there is none: logs are slower then, and children
    /// that write wait for a disk that hangs.
    pub(crate) fn make_passage(&mut self) {
        let note = upkeep_os::memfd_with("passage", &[]);
        let Ok(passage) = note.and_then(Passage::new) else { return };
        let sent = HELD.iter().zip(passage.parts()).try_for_each(|(name, part)| {
            self.link.send(&ToKeeper::Hold { name: (*name).to_owned() }, &[part.as_fd()])
        });
        match sent {
            Ok(()) => {
                self.passage = Some(held_parts(&passage));
                self.new_passage = Some(passage);
            }
            // Never parts of two.
            Err(_) => HELD.iter().for_each(|name| self.unhold((*name).to_owned())),
        }
    }

    /// The keeper has what was sent to it, or will read it whatever becomes of this daemon.
    pub(crate) fn use_new_passage(&mut self) {
        if let Some(passage) = self.new_passage.take() {
            self.engine.set_passage(passage);
        }
    }

    /// The keeper has no room for something of this name. If that is a part of the passage, logs go without it from now on, as if
    /// there had been no descriptors for it.
    pub(crate) fn give_up_passage(&mut self, name: &str) {
        if !HELD.contains(&name) {
            return;
        }
        self.new_passage = None;
        if self.passage.take().is_some() {
            self.engine.forget_passage();
            HELD.iter().for_each(|name| self.unhold((*name).to_owned()));
        }
    }

    /// Goes on with the one that an earlier daemon had, before any stream is attached. What is in there of a run that is gone nobody
    /// is left to fetch.
    pub(crate) fn resume_passage(&mut self, inventory: &mut Inventory) {
        let parts = HELD.map(|name| inventory.held.remove(name));
        let [Some(reader), Some(writer), Some(note)] = parts else { return };
        let passage = Passage::resume([reader, writer, note]).ok();
        let is_known = |passage: &Passage| {
            let of = passage.left_of().map(run_of);
            of.is_none_or(|run| inventory.children.iter().any(|child| child.run == run))
        };
        if let Some(passage) = passage.filter(is_known) {
            self.passage = Some(held_parts(&passage));
            self.engine.set_passage(passage);
        }
    }

    /// Lets another keeper hold it.
    pub(crate) fn hold_passage(&mut self) {
        for (name, part) in HELD.iter().zip(self.passage.clone().iter().flatten()) {
            self.hold_surely((*name).to_owned(), part);
        }
    }
}

/// What any keeper has to hold of it.
fn held_parts(passage: &Passage) -> [Arc<OwnedFd>; 3] {
    passage.parts().each_ref().map(Arc::clone)
}
