//! Keeping configurations on disk, and taking in those that an earlier daemon has kept there.
//!
//! A daemon that starts does not wait for the disk: it serves, and what is found comes before what it has applied meanwhile, which gets
//! numbers behind that. Who asks about configurations before waits until it is known what there is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use upkeep_logs::Level;

use super::shelf::{Content, Found, Kept};
use super::store::{FromDisk, Store};
use super::{AppliedRecord, Asked, Entry, unpack};
use crate::shell::{Message, Responder, Shell};
use crate::tasks;
use upkeep_core::ordered;

/// How long somebody who asks about configurations waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

impl Shell {
    /// Where configurations are kept on disk.
    fn history_dir(&self) -> Option<PathBuf> {
        self.settings().config_history_dir.clone()
    }

    /// Lets the thread that keeps them on disk make that the same as what is kept here.
    pub(crate) fn store_applied(&mut self) {
        let Some(directory) = self.history_dir() else {
            (self.applied.store, self.applied.opening) = (None, false);
            return;
        };
        if self.applied.list.is_empty() && self.settings().config_history > 0 {
            return;
        }
        if self.applied.store.as_ref().is_none_or(|store| !store.is_at(&directory))
            && let Err(error) = self.start_store(&directory)
        {
            return self.store_trouble(&error);
        }
        let generations = &self.generations;
        let keep = |entry: &Entry| {
            let content = match (&entry.held, entry.record.generation) {
                (Some(fd), _) => Content::Held(Arc::clone(fd)),
                (None, generation) => Content::Read(generations.get(generation?)?.sources.clone()),
            };
            Some(Kept { record: AppliedRecord { generation: None, ..entry.record.clone() }, content })
        };
        // What is not in the list is removed from the disk: better none than one that lacks what cannot be had at present.
        let list: Option<Vec<Kept>> = self.applied.list.iter().map(keep).collect();
        if let (Some(store), Some(list)) = (&mut self.applied.store, list) {
            store.keep(self.applied.history, list);
        }
    }

    fn start_store(&mut self, directory: &Path) -> io::Result<()> {
        self.applied.store = None;
        let main = self.generations.base().sources.path().to_owned();
        let messages = self.messages.clone();
        // Sending fails only when the daemon has ended.
        let tell = move |told| drop(messages.send(Message::History(told)));
        self.applied.store = Some(Store::start(directory.to_owned(), main, tell)?);
        self.applied.opening = true;
        Ok(())
    }

    /// The thread has something to tell.
    pub(crate) fn history_told(&mut self, told: FromDisk) {
        let late = matches!(told, FromDisk::Late);
        match told {
            FromDisk::Opened | FromDisk::Late => {}
            FromDisk::Trouble(error) => self.store_trouble(&error),
            FromDisk::Found { directory, time, found } => {
                let store = self.applied.store.as_mut().filter(|store| store.is_at(&directory));
                let Some(store) = store else { return };
                store.taken_in = time;
                if self.settings().config_history > 0 {
                    self.take_in(found);
                }
                self.settle_applied();
            }
        }
        self.applied.opening &= late;
        for (asked, reply) in std::mem::take(&mut self.applied.waiting) {
            self.tell_applied(asked, reply);
        }
    }

    /// What was found on disk comes before what is here.
    fn take_in(&mut self, found: Found) {
        let Some((newest, fd)) = found.list.last() else { return };
        let (newest, first) = (newest.number, self.applied.list.front().map(|entry| entry.record.number));
        let same = first.is_some_and(|first| {
            let found = upkeep_os::read_memfd(fd).and_then(|bytes| unpack(&bytes));
            let own = self.applied.sources(first, &self.generations);
            matches!((found, own), (Ok(found), Ok(own)) if found.says_the_same(&own))
        });
        // The numbers of both are other ones at every moment: a daemon that dies here is followed by one that knows which is which.
        let next = newest.max(self.applied.next_number() - 1) + 1;
        self.count_from(next);
        self.say_counted(first, if same { newest } else { next }, newest);
        let first = if same { self.applied.list.pop_front() } else { None };
        for (record, fd) in found.list.into_iter().rev() {
            self.hold_applied(record.number, &fd);
            self.applied.list.push_front(Entry { record, held: Some(Arc::new(fd)) });
        }
        if let Some(first) = first {
            self.become_one(newest, first);
        }
        // From here on it is ours, and nothing to be taken in again.
        self.applied.history = found.history;
        self.applied.trim(self.settings().config_history);
        self.save_daemon();
    }

    /// Somebody may have been told the numbers of before.
    fn say_counted(&self, first: Option<u64>, now: u64, newest: u64) {
        if let Some(first) = first.filter(|&first| first != now) {
            let text = format!(
                "configurations up to {newest} were found in config_history_dir: number {first} of this daemon is {now} now, and \
                 so on"
            );
            self.log(Level::Info, text);
        }
    }

    /// What is kept here gets numbers from this one on.
    fn count_from(&mut self, first: u64) {
        let old: Vec<u64> = self.applied.list.iter().map(|entry| entry.record.number).collect();
        let numbers = ordered::map(old.iter().copied().zip(first..));
        self.applied.renumber(&numbers);
        self.applied.counted = self.applied.counted.max(first - 1);
        self.hold_all_applied();
        self.save_daemon();
        self.applied.gone.extend(old);
        self.let_go_of_applied();
    }

    /// The first entry that was here is the newest that was found.
    fn become_one(&mut self, newest: u64, first: Entry) {
        let (number, generation) = (first.record.number, first.record.generation);
        self.applied.gone.push(number);
        self.applied.renumber(&BTreeMap::from([(number, newest)]));
        if let Some(entry) = self.applied.list.iter_mut().find(|entry| entry.record.number == newest)
            && generation.is_some()
        {
            // As long as a generation is there, it is what counts.
            (entry.record.generation, entry.held) = (generation, None);
            self.applied.gone.push(newest);
        }
    }

    /// The disk does not take them: said once, and tried again with the next one.
    fn store_trouble(&self, error: &io::Error) {
        let directory = self.history_dir().map(|path| path.display().to_string()).unwrap_or_default();
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

    /// Answers when it is known what the disk has.
    pub(super) fn wait_for_history(&mut self, asked: Asked, reply: Responder) {
        if self.applied.waiting.is_empty() {
            let messages = self.messages.clone();
            tasks::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                // Fails only when the daemon has ended.
                let _ = messages.send(Message::History(FromDisk::Late));
            });
        }
        self.applied.waiting.push((asked, reply));
    }
}
