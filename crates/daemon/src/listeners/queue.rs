//! One durable pool's events on disk: a file that only grows at its end, until nothing in it is needed any more.
//!
//! A line is an event or the number of one that is done, as JSON. A line that a crash has cut is cut off; a file most
//! of which is done is written anew beside its name and renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::ownfile::open_own;
use crate::records::EventRecord;

/// Bytes of done events that are not worth writing the file anew.
const SLACK: u64 = 1 << 20;
/// Longest line that is believed; an event has at most one chunk of output, escaped.
const LINE_LIMIT: u64 = 8 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Event(EventRecord),
    Done(i64),
}

/// Where an event's line is.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: usize,
}

/// The file of one pool.
#[derive(Debug)]
pub(crate) struct QueueFile {
    path: PathBuf,
    file: File,
    /// Most bytes of the file; 0 is no limit.
    limit: u64,
    size: u64,
    /// Events that are not done, by their number in the pool.
    pending: BTreeMap<i64, Place>,
    /// Bytes of their lines.
    pending_size: u64,
}

impl QueueFile {
    /// Opens or creates the file, and finds what is in it.
    ///
    /// # Errors
    /// It cannot be opened, is another user's, or another daemon uses it.
    pub(crate) fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = open_own(path, OFlags::CREATE)?;
        let mut queue =
            Self { path: path.to_owned(), file, limit, size: 0, pending: BTreeMap::new(), pending_size: 0 };
        queue.scan()?;
        queue.file.set_len(queue.size)?;
        queue.tidy()?;
        Ok(queue)
    }

    /// Reads every whole line; what follows the last one is not counted. A file of another kind is left alone.
    fn scan(&mut self) -> io::Result<()> {
        let mut reader = BufReader::new(self.file.try_clone()?);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut text)?;
            if text.last() != Some(&b'\n') {
                return Ok(());
            }
            let not_ours = |_| io::Error::other(format!("what it has at byte {} is no event", self.size));
            match serde_json::from_slice(&text).map_err(not_ours)? {
                Line::Event(event) => self.insert(event.pool_serial, Place { offset: self.size, length }),
                Line::Done(number) => self.forget(number),
            }
            self.size += length as u64;
        }
    }

    fn insert(&mut self, number: i64, place: Place) {
        self.forget(number);
        self.pending.insert(number, place);
        self.pending_size += place.length as u64;
    }

    fn forget(&mut self, number: i64) {
        if let Some(place) = self.pending.remove(&number) {
            self.pending_size -= place.length as u64;
        }
    }

    /// How many events are not done, but for these.
    pub(crate) fn count(&self, without: &BTreeSet<i64>) -> u64 {
        self.pending.keys().filter(|number| !without.contains(number)).count() as u64
    }

    /// The number of the last event that is not done.
    pub(crate) fn last(&self) -> Option<i64> {
        self.pending.last_key_value().map(|(&number, _)| number)
    }

    /// Keeps an event. It is on the disk after the next [`Self::sync`].
    ///
    /// # Errors
    /// The disk or the file is full; the event is not kept.
    pub(crate) fn append(&mut self, event: EventRecord) -> io::Result<()> {
        let number = event.pool_serial;
        let place = self.write(&Line::Event(event), self.limit)?;
        self.insert(number, place);
        Ok(())
    }

    /// Lets an event go.
    ///
    /// # Errors
    /// The disk is full: it comes again after a restart.
    pub(crate) fn done(&mut self, number: i64) -> io::Result<()> {
        if self.pending.contains_key(&number) {
            self.forget(number);
            if self.pending.is_empty() {
                self.size = 0;
                return self.file.set_len(0);
            }
            self.write(&Line::Done(number), 0)?;
        }
        Ok(())
    }

    fn write(&mut self, line: &Line, limit: u64) -> io::Result<Place> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let place = Place { offset: self.size, length: text.len() };
        if limit > 0 && self.size + text.len() as u64 > limit {
            return Err(io::Error::other(format!("the file has its {limit} bytes")));
        }
        if let Err(error) = self.file.write_all_at(&text, self.size) {
            // A part of the line may be there: the next one goes in its place.
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += text.len() as u64;
        Ok(place)
    }

    /// The events behind number `after`, at most `count`, without these.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn load(
        &self,
        after: Option<i64>,
        count: usize,
        without: &BTreeSet<i64>,
    ) -> io::Result<Vec<EventRecord>> {
        let behind = self.pending.range(after.map_or(i64::MIN, |after| after.saturating_add(1))..);
        let wanted = behind.filter(|(number, _)| !without.contains(number)).take(count);
        wanted.map(|(_, &place)| self.read(&self.file, place)).collect()
    }

    fn read(&self, file: &File, place: Place) -> io::Result<EventRecord> {
        let mut text = vec![0; place.length];
        file.read_exact_at(&mut text, place.offset)?;
        match serde_json::from_slice(&text)? {
            Line::Event(event) => Ok(event),
            Line::Done(_) => Err(io::Error::other(format!("{} was changed", self.path.display()))),
        }
    }

    /// Writes the file anew if most of it is done.
    ///
    /// # Errors
    /// It cannot be written; the old one stays.
    pub(crate) fn tidy(&mut self) -> io::Result<()> {
        let done = self.size - self.pending_size;
        if done < SLACK || done < self.pending_size {
            return Ok(());
        }
        let beside = self.path.with_extension("new");
        // One that an earlier daemon left is in the way.
        let _ = std::fs::remove_file(&beside);
        let file = open_own(&beside, OFlags::CREATE | OFlags::EXCL)?;
        let mut fresh = Self {
            path: self.path.clone(),
            file,
            limit: self.limit,
            size: 0,
            pending: BTreeMap::new(),
            pending_size: 0,
        };
        for (&number, &place) in &self.pending {
            let place = fresh.write(&Line::Event(self.read(&self.file, place)?), 0)?;
            fresh.insert(number, place);
        }
        fresh.sync()?;
        std::fs::rename(&beside, &self.path)?;
        *self = fresh;
        Ok(())
    }

    /// Makes what was written outlive a power cut.
    ///
    /// # Errors
    /// The disk says so.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn event(number: i64) -> EventRecord {
        EventRecord {
            serial: number + 100,
            pool_serial: number,
            kind: "TICK_5".to_owned(),
            payload: format!("when:{number}\né\"\\"),
        }
    }

    fn numbers(events: &[EventRecord]) -> Vec<i64> {
        events.iter().map(|event| event.pool_serial).collect()
    }

    fn all(queue: &QueueFile) -> Vec<i64> {
        numbers(&queue.load(None, usize::MAX, &BTreeSet::new()).unwrap())
    }

    #[test]
    fn what_is_not_done_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.events");
        let mut queue = QueueFile::open(&path, 0).unwrap();
        (0..5).for_each(|number| queue.append(event(number)).unwrap());
        queue.done(1).unwrap();
        queue.done(77).unwrap();
        drop(queue);
        let queue = QueueFile::open(&path, 0).unwrap();
        assert_eq!(all(&queue), [0, 2, 3, 4]);
        assert_eq!((queue.count(&BTreeSet::from([3, 9])), queue.last()), (3, Some(4)));
        assert_eq!(numbers(&queue.load(Some(0), 2, &BTreeSet::from([2])).unwrap()), [3, 4]);
        assert_eq!(queue.load(Some(3), 9, &BTreeSet::new()).unwrap(), [event(4)]);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_was_cut_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.events");
        let mut queue = QueueFile::open(&path, 0).unwrap();
        (0..3).for_each(|number| queue.append(event(number)).unwrap());
        drop(queue);
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut queue = QueueFile::open(&path, 0).unwrap();
            let expected = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(all(&queue).len(), expected, "cut at {cut}");
            queue.append(event(9)).unwrap();
            drop(queue);
            assert_eq!(all(&QueueFile::open(&path, 0).unwrap()).len(), expected + 1);
        }
    }

    #[test]
    fn it_shrinks_when_all_is_done_or_most_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.events");
        let mut queue = QueueFile::open(&path, 0).unwrap();
        let large = |number| EventRecord { payload: "x".repeat(100_000), ..event(number) };
        (0..20).for_each(|number| queue.append(large(number)).unwrap());
        (0..19).for_each(|number| queue.done(number).unwrap());
        queue.tidy().unwrap();
        assert!(path.metadata().unwrap().len() < 110_000);
        assert_eq!(all(&queue), [19]);
        queue.append(event(20)).unwrap();
        assert_eq!(all(&queue), [19, 20]);
        for number in [19, 20] {
            queue.done(number).unwrap();
        }
        assert_eq!(path.metadata().unwrap().len(), 0);
        queue.append(event(21)).unwrap();
        drop(queue);
        assert_eq!(all(&QueueFile::open(&path, 0).unwrap()), [21]);
    }

    #[test]
    fn limits_links_and_other_daemons_are_respected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.events");
        let mut queue = QueueFile::open(&path, 150).unwrap();
        queue.append(event(0)).unwrap();
        assert!(queue.append(event(1)).unwrap_err().to_string().contains("150 bytes"));
        assert_eq!(all(&queue), [0]);
        assert_eq!(QueueFile::open(&path, 0).unwrap_err().to_string(), "another daemon uses it");
        let other = dir.path().join("other");
        std::fs::write(&other, "somebody's letters\n").unwrap();
        assert!(QueueFile::open(&other, 0).unwrap_err().to_string().contains("at byte 0 is no event"));
        assert_eq!(std::fs::read(&other).unwrap(), b"somebody's letters\n");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(QueueFile::open(&link, 0).is_err());
    }
}
