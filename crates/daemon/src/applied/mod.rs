//! Configurations that were applied, one after the other, each with a number: `upkeep config list | show | rollback`.
//!
//! The last few are kept, as they were read. One that something in effect still comes from is held by the keeper anyway
//! ([`crate::generations`]); one that nothing comes from any more goes into a memory file of its own, which the keeper holds as well. So
//! this costs nothing before there is a second configuration. With `config_history_dir` a thread keeps them on disk too
//! ([`store`]), for a daemon that starts afresh.

mod back;
mod calls;
mod disk;
mod record;
mod shelf;
mod store;
mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use upkeep_config::Sources;
use upkeep_core::reload::difference;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::generations::{Generations, Loaded};
use crate::shell::{Responder, Shell, now};
pub(crate) use back::Origin;
pub(crate) use calls::Asked;
pub(crate) use record::{AppliedRecord, AppliedRecords, Cause};
pub(crate) use store::FromDisk;
use store::Store;

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
    held: Option<Arc<OwnedFd>>,
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
    /// The number of the one that groups were made of last.
    running: Option<u64>,
    /// The highest number that was given.
    counted: u64,
    /// Tells this history from that of other daemons; 0 before the first entry.
    history: u64,
    /// What the keeper need not hold any more.
    gone: Vec<u64>,
    /// Generations that nobody knows any more, and that something else stands for.
    lost: Vec<u64>,
    store: Option<Store>,
    /// What the disk has is not known yet.
    opening: bool,
    /// Who waits until it is.
    waiting: Vec<(Asked, Responder)>,
}

impl Applied {
    /// What the next daemon has to know.
    pub(crate) fn records(&self) -> AppliedRecords {
        let list = self.list.iter().map(|entry| entry.record.clone()).collect();
        let Self { seen, back, running, counted, history, .. } = *self;
        AppliedRecords { list, seen, back, running, counted, history }
    }

    fn next_number(&self) -> u64 {
        self.list.back().map_or(0, |entry| entry.record.number).max(self.counted) + 1
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

    /// The number of the one that runs.
    fn running(&self) -> Option<u64> {
        let noted = self.running.filter(|number| self.entry(*number).is_some());
        noted.or(self.list.back().map(|entry| entry.record.number))
    }

    /// Some entries have other numbers from now on.
    fn renumber(&mut self, numbers: &BTreeMap<u64, u64>) {
        let new = |number: u64| numbers.get(&number).copied().unwrap_or(number);
        for entry in &mut self.list {
            entry.record.number = new(entry.record.number);
            if let Cause::Rollback(number) = &mut entry.record.cause {
                *number = new(*number);
            }
        }
        self.running = self.running.map(new);
        self.back = self.back.map(|(generation, number)| (generation, new(number)));
    }

    /// Forgets the oldest until there are no more than so many; the one that runs stays as long as there is room for another one.
    fn trim(&mut self, most: usize) {
        let too_large = |list: &VecDeque<Entry>| {
            list.len() > 1 && list.iter().map(|entry| entry.record.bytes).sum::<u64>() > MOST_BYTES
        };
        while self.list.len() > most || too_large(&self.list) {
            let runs = self.list.front().is_some_and(|entry| Some(entry.record.number) == self.running);
            if let Some(entry) = self.list.remove(usize::from(runs && self.list.len() > 2)) {
                self.gone.push(entry.record.number);
            }
        }
    }
}

/// No other daemon has this: the nanoseconds since 1970.
fn new_history() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(1).max(1)
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
        let runs = group.is_some() || cause != Cause::Reload || self.all_is_of(generation);
        let applied = &mut self.applied;
        if runs {
            applied.running = applied.list.back().map(|entry| entry.record.number);
        }
        if let (Some(group), Some(last)) = (group, applied.list.back_mut())
            && applied.touched.insert(group.to_owned())
        {
            last.record.changed += 1;
        }
        applied.trim(most);
    }

    /// Whether an update to this would change no group.
    fn all_is_of(&self, generation: u64) -> bool {
        let Some(loaded) = self.generations.get(generation) else { return false };
        let found = difference(&self.running_groups(), &loaded.config.groups);
        found.added.is_empty() && found.changed.is_empty() && found.removed.is_empty()
    }

    /// The configuration becomes an entry, unless the last one says the same.
    fn note_new(&mut self, generation: u64, cause: Cause) {
        let Some(loaded) = self.generations.get(generation) else { return };
        let last = self.applied.list.back().map(|entry| entry.record.number);
        let before = last.and_then(|number| self.applied.sources(number, &self.generations).ok());
        if before.is_some_and(|before| before.says_the_same(&loaded.sources)) {
            return;
        }
        let number = self.applied.next_number();
        self.applied.counted = number;
        if self.applied.history == 0 {
            self.applied.history = new_history();
        }
        let record = AppliedRecord {
            number,
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
            entry.held = Some(Arc::new(fd));
        }
    }

    fn hold_applied(&mut self, number: u64, fd: &OwnedFd) {
        self.send_with(&ToKeeper::Hold { name: held_name(number) }, &[fd.as_fd()]);
    }

    /// The record does not name these any more: lets go of them, and brings the disk up to date.
    pub(crate) fn settle_applied(&mut self) {
        self.let_go_of_applied();
        self.store_applied();
    }

    fn let_go_of_applied(&mut self) {
        for number in std::mem::take(&mut self.applied.gone) {
            self.send(&ToKeeper::Unhold { name: held_name(number) });
        }
    }

    /// Another keeper is to hold them.
    pub(crate) fn hold_all_applied(&mut self) {
        let held: Vec<(u64, Arc<OwnedFd>)> = self
            .applied
            .list
            .iter()
            .filter_map(|entry| Some((entry.record.number, Arc::clone(entry.held.as_ref()?))))
            .collect();
        held.iter().for_each(|(number, fd)| self.hold_applied(*number, fd));
    }

    /// Goes on where an earlier daemon stopped.
    pub(crate) fn recall_applied(&mut self, records: &AppliedRecords, held: &mut BTreeMap<String, OwnedFd>) {
        let mut mine: Vec<(String, OwnedFd)> =
            held.extract_if(.., |name, _| name.starts_with(PREFIX)).collect();
        let lost = std::mem::take(&mut self.applied.lost);
        for record in &records.list {
            let at = mine.iter().position(|(name, _)| *name == held_name(record.number));
            let fd = at.map(|at| mine.swap_remove(at).1);
            let is_there = |number| self.generations.get(number).is_some() && !lost.contains(&number);
            let there = record.generation.is_some_and(is_there);
            // As long as a generation is there, it is what counts.
            if there || fd.is_some() {
                let mut record = record.clone();
                record.generation = record.generation.filter(|_| there);
                self.applied.list.push_back(Entry { record, held: fd.filter(|_| !there).map(Arc::new) });
            }
        }
        (self.applied.running, self.applied.counted) = (records.running, records.counted);
        self.applied.history = records.history;
        // What stands for one that is lost is another one.
        self.applied.seen = Some(records.seen).filter(|_| lost.is_empty()).unwrap_or(0);
        self.applied.back = records.back.filter(|(generation, _)| !lost.contains(generation));
        // What an earlier daemon was about to let go of when it died.
        for (name, _) in mine {
            self.send(&ToKeeper::Unhold { name });
        }
    }

    /// An earlier daemon kept none: what is in effect is the first. What stands for a configuration that was lost is in effect, too.
    pub(crate) fn note_of_another_version(&mut self) {
        let is_first = self.applied.list.is_empty();
        if is_first || self.applied.seen == 0 {
            let last = self.active.iter().map(|group| group.generation).max();
            let generation = last.unwrap_or(0).max(self.generations.base);
            let cause = if is_first { Cause::Start } else { Cause::Restart };
            self.note_applied(generation, cause, None);
        }
    }

    /// Something else stands for these generations, which nobody knows any more: entries that they were are gone.
    pub(crate) fn note_lost(&mut self, generations: &[u64]) {
        self.applied.lost = generations.to_vec();
    }
}
