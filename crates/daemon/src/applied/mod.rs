//! Configurations that were applied, one after the other, each with a number: `upkeep config list | show | rollback`.
//!
//! The last few are kept, as they were read. One that something in effect still comes from is held by the keeper anyway
//! ([`crate::generations`]); one that nothing comes from any more goes into a memory file of its own, which the keeper holds as well. So
//! this costs nothing before there is a second configuration. With `config_history_dir` a thread keeps them on disk too
//! ([`store`]), for a daemon that starts afresh.

mod back;
mod calls;
mod record;
mod store;
mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use upkeep_config::Sources;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::generations::{Generations, Loaded};
use crate::shell::{Message, Shell, now};
pub(crate) use back::Origin;
pub(crate) use record::{AppliedRecord, AppliedRecords, Cause};
use store::{Content, Kept, Store};

/// Bytes of all that are kept in memory files, at most; the newest are kept.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// The name under which the keeper holds one of these.
fn held_name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

const PREFIX: &str = "applied/";

/// One configuration that was applied.
#[derive(Debug)]
struct Entry {
    record: AppliedRecord,
    /// Its files, if nothing in effect comes from it any more.
    held: Option<OwnedFd>,
}

/// All that are kept, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    list: VecDeque<Entry>,
    /// The generation that was looked at last.
    seen: u64,
    /// Groups that the last one has changed, as far as this daemon knows.
    touched: BTreeSet<String>,
    /// The generation that came out of an entry, and the number of that.
    back: Option<(u64, u64)>,
    /// What the keeper need not hold any more.
    gone: Vec<u64>,
    store: Option<Store>,
}

impl Applied {
    /// What the next daemon has to know.
    pub(crate) fn records(&self) -> AppliedRecords {
        let list = self.list.iter().map(|entry| entry.record.clone()).collect();
        AppliedRecords { list, seen: self.seen, back: self.back }
    }

    fn next_number(&self) -> u64 {
        self.list.back().map_or(1, |entry| entry.record.number + 1)
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.list.iter().find(|entry| entry.record.number == number)
    }

    /// What an entry was read from.
    fn sources(&self, number: u64, generations: &Generations) -> io::Result<Arc<Sources>> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let entry = self.entry(number).ok_or_else(gone)?;
        match (&entry.held, entry.record.generation) {
            (Some(fd), _) => unpack(&upkeep_os::read_memfd(fd)?).map(Arc::new),
            (None, Some(generation)) => {
                generations.get(generation).map(|loaded| loaded.sources.clone()).ok_or_else(gone)
            }
            (None, None) => Err(gone()),
        }
    }

    /// Forgets the oldest until there are no more than so many.
    fn trim(&mut self, most: usize) {
        let too_large = |list: &VecDeque<Entry>| {
            list.len() > 1 && list.iter().map(|entry| entry.record.bytes).sum::<u64>() > MOST_BYTES
        };
        while self.list.len() > most || too_large(&self.list) {
            if let Some(entry) = self.list.pop_front() {
                self.gone.push(entry.record.number);
            }
        }
    }
}

/// Files that were packed.
fn unpack(bytes: &[u8]) -> io::Result<Sources> {
    Sources::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl Shell {
    /// Something of a configuration is in effect from now on: of this group, or of the daemon itself.
    pub(crate) fn note_applied(&mut self, generation: u64, cause: Cause, group: Option<&str>) {
        let most = self.settings().config_history;
        if most == 0 {
            return self.applied.trim(0);
        }
        if self.applied.seen != generation {
            self.applied.seen = generation;
            self.note_new(generation, cause);
        }
        let applied = &mut self.applied;
        if let (Some(group), Some(last)) = (group, applied.list.back_mut())
            && applied.touched.insert(group.to_owned())
        {
            last.record.changed += 1;
        }
        applied.trim(most);
    }

    /// The configuration becomes an entry, unless the last one says the same.
    fn note_new(&mut self, generation: u64, cause: Cause) {
        let Some(loaded) = self.generations.get(generation) else { return };
        let last = self.applied.list.back().map(|entry| entry.record.number);
        let before = last.and_then(|number| self.applied.sources(number, &self.generations).ok());
        if before.is_some_and(|before| before.says_the_same(&loaded.sources)) {
            return;
        }
        let record = AppliedRecord {
            number: self.applied.next_number(),
            time: now().wall,
            cause,
            changed: 0,
            generation: Some(generation),
            bytes: loaded.sources.size(),
        };
        self.applied.touched.clear();
        self.applied.list.push_back(Entry { record, held: None });
    }

    /// What a group is made of comes from the configuration that was read last.
    pub(crate) fn note_update(&mut self, generation: u64, group: &str) {
        let cause = match self.applied.back {
            Some((from, number)) if from == generation => Cause::Rollback(number),
            _ => Cause::Update,
        };
        self.note_applied(generation, cause, Some(group));
    }

    /// A group is gone. If the configuration that was read last does not have it, that is what took it away.
    pub(crate) fn note_removed(&mut self, group: &str) {
        if self.generations.latest().group(group).is_none() {
            self.note_update(self.generations.latest, group);
        }
    }

    /// Nothing in effect comes from these any more: those that are entries are held as such.
    pub(crate) fn keep_applied(&mut self, dead: &[(u64, Loaded)]) {
        for (generation, loaded) in dead {
            let from = |entry: &&mut Entry| entry.record.generation == Some(*generation);
            let Some(entry) = self.applied.list.iter_mut().find(from) else { continue };
            entry.record.generation = None;
            let number = entry.record.number;
            match upkeep_os::memfd_with("upkeep-applied", &loaded.sources.files_to_bytes()) {
                Ok(fd) => {
                    self.hold_applied(number, &fd);
                    self.put_held(number, fd);
                }
                Err(error) => {
                    self.applied.list.retain(|entry| entry.record.number != number);
                    let text = format!("configuration {number} cannot be kept for `upkeep config`: {error}");
                    self.log(Level::Warn, text);
                }
            }
        }
    }

    fn put_held(&mut self, number: u64, fd: OwnedFd) {
        if let Some(entry) = self.applied.list.iter_mut().find(|entry| entry.record.number == number) {
            entry.held = Some(fd);
        }
    }

    fn hold_applied(&mut self, number: u64, fd: &OwnedFd) {
        self.send_with(&ToKeeper::Hold { name: held_name(number) }, &[fd.as_fd()]);
    }

    /// The record does not name these any more: lets go of them, and brings the disk up to date.
    pub(crate) fn settle_applied(&mut self) {
        for number in std::mem::take(&mut self.applied.gone) {
            self.send(&ToKeeper::Unhold { name: held_name(number) });
        }
        self.store_applied();
    }

    /// Another keeper is to hold them.
    pub(crate) fn hold_all_applied(&mut self) {
        let held: Vec<(u64, OwnedFd)> = self
            .applied
            .list
            .iter()
            .filter_map(|entry| Some((entry.record.number, entry.held.as_ref()?.try_clone().ok()?)))
            .collect();
        held.iter().for_each(|(number, fd)| self.hold_applied(*number, fd));
    }

    /// Goes on where an earlier daemon stopped.
    pub(crate) fn recall_applied(&mut self, records: &AppliedRecords, held: &mut BTreeMap<String, OwnedFd>) {
        let mut mine: Vec<(String, OwnedFd)> =
            held.extract_if(.., |name, _| name.starts_with(PREFIX)).collect();
        for record in &records.list {
            let at = mine.iter().position(|(name, _)| *name == held_name(record.number));
            let fd = at.map(|at| mine.swap_remove(at).1);
            let there = record.generation.is_some_and(|number| self.generations.get(number).is_some());
            // As long as a generation is there, it is what counts.
            if there || fd.is_some() {
                let mut record = record.clone();
                record.generation = record.generation.filter(|_| there);
                self.applied.list.push_back(Entry { record, held: fd.filter(|_| !there) });
            }
        }
        (self.applied.seen, self.applied.back) = (records.seen, records.back);
        // What an earlier daemon was about to let go of when it died.
        for (name, _) in mine {
            self.send(&ToKeeper::Unhold { name });
        }
    }

    /// An earlier daemon kept none: what is in effect is the first.
    pub(crate) fn note_of_another_version(&mut self) {
        if self.applied.list.is_empty() {
            let last = self.active.iter().map(|group| group.generation).max();
            let generation = last.unwrap_or(0).max(self.generations.base);
            self.note_applied(generation, Cause::Start, None);
        }
    }

    /// A daemon that starts afresh takes in what an earlier one has kept on disk. Blocks on the file system.
    pub(crate) fn read_applied(&mut self) {
        let settings = self.settings();
        let Some(directory) = settings.config_history_dir.clone().filter(|_| settings.config_history > 0)
        else {
            return;
        };
        let main = self.generations.base().sources.path().to_owned();
        // What is wrong with it is said when something is to be kept there.
        let entries = store::load(&directory, &main).unwrap_or_default();
        for (record, bytes) in entries {
            let Ok(fd) = upkeep_os::memfd_with("upkeep-applied", &bytes) else { return };
            self.hold_applied(record.number, &fd);
            self.applied.list.push_back(Entry { record, held: Some(fd) });
        }
    }

    /// Lets the thread that keeps them on disk make that the same as what is kept here.
    fn store_applied(&mut self) {
        let settings = self.settings();
        let Some(directory) = settings.config_history_dir.clone().filter(|_| settings.config_history > 0)
        else {
            self.applied.store = None;
            return;
        };
        if self.applied.list.is_empty() {
            return;
        }
        let main = self.generations.base().sources.path().to_owned();
        if self.applied.store.as_ref().is_none_or(|store| !store.is_at(&directory)) {
            self.applied.store = None;
            let messages = self.messages.clone();
            // Sending fails only when the daemon has ended.
            let tell = move |error| drop(messages.send(Message::HistoryTrouble(error)));
            match Store::start(directory, main, tell) {
                Ok(store) => self.applied.store = Some(store),
                Err(error) => return self.store_trouble(&error),
            }
        }
        let generations = &self.generations;
        let keep = |entry: &Entry| {
            let content = match (&entry.held, entry.record.generation) {
                (Some(fd), _) => Content::Held(fd.try_clone().ok()?),
                (None, generation) => Content::Read(generations.get(generation?)?.sources.clone()),
            };
            Some(Kept { record: AppliedRecord { generation: None, ..entry.record.clone() }, content })
        };
        // What is not in the list is removed from the disk: better none than one that lacks what cannot be had at present.
        let list: Option<Vec<Kept>> = self.applied.list.iter().map(keep).collect();
        if let (Some(store), Some(list)) = (&mut self.applied.store, list) {
            store.keep(list);
        }
    }

    /// The disk does not take them: said once, and tried again with the next one.
    pub(crate) fn store_trouble(&self, error: &io::Error) {
        let directory = self.settings().config_history_dir.as_ref();
        let directory = directory.map(|path| path.display().to_string()).unwrap_or_default();
        self.log(
            Level::Warn,
            format!(
                "config_history_dir: configurations cannot be kept in '{directory}': {error}; they are kept in memory, and everything \
                 else goes on"
            ),
        );
    }

    /// The daemon ends: what is to be kept is on disk afterwards, unless that hangs.
    pub(crate) fn close_applied(&mut self) {
        if let Some(store) = self.applied.store.take() {
            store.finish();
        }
    }
}
