//! Everything the log thread gives out: the open logs, one for each path, syslog, and what the daemon is told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::outlet::Outlet;
use super::rate::{Bucket, Dropped, LimitNews};
use super::sources::Sources;
use super::{LogEvent, StreamId, SyslogTag, Watched};
use crate::file::{MODE_NAMED, Notice, RotatingFile, Taken};
use crate::forward::{Destination, Forwarder, Forwarders};
use crate::losses::Losses;
use crate::passage::Passage;
use crate::syslog::Syslog;
use crate::tidy::Tidy;

/// The daemon's own standard output.
pub(super) const STDOUT: &str = "/dev/stdout";

/// Names an open log; never given out twice. Odd, so that it is never the key of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OutletKey(u64);

impl OutletKey {
    /// The outlet that this source is, if it is one.
    pub(super) fn from_source(key: u64) -> Option<Self> {
        (key % 2 == 1).then_some(Self(key))
    }
}

pub(super) struct Outputs {
    pub(super) sources: Sources,
    /// In boxes, since half of a tree's room may be free.
    open: BTreeMap<OutletKey, Box<Shared>>,
    by_path: HashMap<PathBuf, OutletKey>,
    next_key: u64,
    watched: Watched,
    losses: Losses,
    /// Paths whose limits have been found fault with: once is enough for a file that every run opens again.
    warned: HashSet<PathBuf>,
    syslog: Syslog,
    /// Bytes that syslog did not take, in the present episode.
    syslog_dropped: Option<u64>,
    /// Looks after old files.
    tidy: Tidy,
    forwarders: Forwarders,
    /// For streams that are moved to their logs. `None` also while one of them is at it.
    pub(super) passage: Option<Passage>,
    /// It was asked for.
    wants_passage: bool,
    /// How many streams have the widest pipes.
    pub(super) wide: usize,
    tell: Box<dyn Fn(LogEvent) + Send>,
}

struct Shared {
    outlet: Outlet,
    users: usize,
    /// It is no program's log any more: what it has lost is forgotten with it.
    is_abandoned: bool,
}

impl Outputs {
    pub(super) fn new(
        sources: Sources,
        syslog: Syslog,
        (watched, losses): (Watched, Losses),
        tell: Box<dyn Fn(LogEvent) + Send>,
    ) -> Self {
        let forwarders = Forwarders::new(losses.clone(), |_| ());
        Self {
            sources,
            open: BTreeMap::new(),
            by_path: HashMap::new(),
            next_key: 1,
            watched,
            losses,
            warned: HashSet::new(),
            syslog,
            syslog_dropped: None,
            tidy: Tidy::new(|_| ()),
            forwarders,
            passage: None,
            wants_passage: false,
            wide: 0,
            tell,
        }
    }

    /// Has old files looked after by `tidy`, and lines sent by `forwarders`.
    pub(super) fn with(mut self, tidy: Tidy, forwarders: Forwarders) -> Self {
        (self.tidy, self.forwarders) = (tidy, forwarders);
        self
    }

    /// The way to a destination.
    pub(super) fn forward_to(&mut self, destination: &Destination) -> Arc<Forwarder> {
        self.forwarders.to(destination)
    }

    pub(super) fn tell(&self, event: LogEvent) {
        (self.tell)(event);
    }

    /// There is use for a passage.
    pub(super) fn want_passage(&mut self) {
        if self.passage.is_none() && !std::mem::replace(&mut self.wants_passage, true) {
            self.tell(LogEvent::WantsPassage);
        }
    }

    pub(super) fn set_passage(&mut self, passage: Option<Passage>) {
        self.passage = passage;
        self.widen_passage();
    }

    /// Lets as much through at once as the widest pipe holds.
    pub(super) fn widen_passage(&mut self) {
        if let Some(passage) = self.passage.as_mut().filter(|_| self.wide > 0) {
            passage.widen();
        }
    }

    pub(super) fn warn(&self, text: String) {
        self.tell(LogEvent::Warn { text });
    }

    /// One more user of this file. Those who name the same path share it, with the file opened last.
    pub(super) fn acquire(&mut self, mut file: RotatingFile, id: StreamId) -> OutletKey {
        let path = file.path().to_owned();
        let notices = file.take_notices();
        let found = self.by_path.get(&path).and_then(|key| Some((*key, self.open.get_mut(key)?)));
        let key = if let Some((key, shared)) = found {
            shared.users += 1;
            shared.is_abandoned = false;
            shared.outlet.supersede(file, &self.sources);
            key
        } else {
            self.open_outlet(file)
        };
        self.report(id, &path, notices);
        self.settle(key, id);
        key
    }

    /// One more user of standard output. It need not be usable: what cannot be written there is dropped and counted.
    pub(super) fn acquire_stdout(&mut self) -> OutletKey {
        let found = self.by_path.get(Path::new(STDOUT)).and_then(|key| Some((*key, self.open.get_mut(key)?)));
        if let Some((key, shared)) = found {
            shared.users += 1;
            return key;
        }
        let file = RotatingFile::open(STDOUT, 0, 0, MODE_NAMED);
        self.open_outlet(file.unwrap_or_else(|_| RotatingFile::later(STDOUT, 0, 0, MODE_NAMED)))
    }

    fn open_outlet(&mut self, mut file: RotatingFile) -> OutletKey {
        if file.has_rules() {
            file.share_names(self.tidy.names_of(file.path()));
        }
        let key = OutletKey(self.next_key);
        self.next_key += 2;
        self.by_path.insert(file.path().to_owned(), key);
        self.open.insert(
            key,
            Box::new(Shared { outlet: Outlet::new(file, key.0), users: 1, is_abandoned: false }),
        );
        key
    }

    /// One user less. The last one closes the file, as soon as nothing waits for it.
    pub(super) fn release(&mut self, key: OutletKey, id: StreamId) {
        if let Some(shared) = self.open.get_mut(&key) {
            shared.users -= 1;
            if shared.users == 0 && !shared.outlet.is_full() {
                self.close(key, id);
            }
        }
    }

    fn close(&mut self, key: OutletKey, id: StreamId) {
        if let Some(shared) = self.open.get_mut(&key) {
            shared.outlet.give_up();
            let path = shared.outlet.path().to_owned();
            self.settle(key, id);
            let closed = self.open.remove(&key);
            self.by_path.remove(&path);
            if closed.is_some_and(|closed| closed.is_abandoned) {
                self.losses.forget(&path);
            }
        }
    }

    /// No program has its log there any more: what it has lost is forgotten when the last one that writes there is done.
    pub(super) fn abandon(&mut self, path: &Path) {
        match self.by_path.get(path).and_then(|key| self.open.get_mut(key)) {
            Some(shared) => shared.is_abandoned = true,
            None => self.losses.forget(path),
        }
    }

    pub(super) fn is_full(&self, key: OutletKey) -> bool {
        self.open.get(&key).is_some_and(|shared| shared.outlet.is_full())
    }

    pub(super) fn write(&mut self, key: OutletKey, id: StreamId, data: &[u8]) {
        if let Some(shared) = self.open.get_mut(&key) {
            shared.outlet.write(data, &self.sources);
            self.settle(key, id);
        }
    }

    /// Whether nothing should be read for this log yet.
    pub(super) fn must_wait(&mut self, key: OutletKey) -> bool {
        self.open.get_mut(&key).is_some_and(|shared| shared.outlet.must_wait())
    }

    /// Moves bytes from a pipe to a log without copying them here.
    pub(super) fn take_from(
        &mut self,
        key: OutletKey,
        id: StreamId,
        pipe: BorrowedFd<'_>,
        limit: usize,
    ) -> Taken {
        let Some(shared) = self.open.get_mut(&key) else { return Taken::Refused };
        let taken = shared.outlet.take_from(pipe, limit);
        if let Taken::Bytes(_) = taken {
            self.settle(key, id);
        }
        taken
    }

    /// A full log may have room. Returns whether those who wait for it may go on.
    pub(super) fn flush(&mut self, key: OutletKey, id: StreamId) -> bool {
        let Some(shared) = self.open.get_mut(&key) else { return false };
        let free = shared.outlet.flush(&self.sources);
        let unused = shared.users == 0;
        self.settle(key, id);
        if free && unused {
            self.close(key, id);
        }
        free
    }

    pub(super) fn reopen(&mut self, key: OutletKey, id: StreamId) {
        let Some(shared) = self.open.get_mut(&key) else { return };
        if let Err(error) = shared.outlet.reopen(&self.sources) {
            let path = shared.outlet.path().display();
            (self.tell)(LogEvent::Warn { text: format!("log file '{path}' could not be reopened: {error}") });
        }
        self.settle(key, id);
    }

    /// Returns whether the log is now a new, empty file.
    pub(super) fn clear(&mut self, key: OutletKey, id: StreamId) -> bool {
        let Some(shared) = self.open.get_mut(&key) else { return true };
        let result = shared.outlet.clear(&self.sources);
        if let Err(error) = &result {
            let path = shared.outlet.path().display();
            (self.tell)(LogEvent::Warn { text: format!("log file '{path}' could not be cleared: {error}") });
        }
        self.settle(key, id);
        if result.is_ok() {
            self.forget_losses(key);
        }
        result.is_ok()
    }

    fn forget_losses(&self, key: OutletKey) {
        if let Some(shared) = self.open.get(&key) {
            self.losses.forget(shared.outlet.path());
        }
    }

    /// Every open log.
    pub(super) fn keys(&self) -> Vec<OutletKey> {
        self.open.keys().copied().collect()
    }

    /// The end: what still waits for a full log has until `deadline`.
    pub(super) fn finish(&mut self, deadline: Instant) {
        for key in self.keys() {
            if let Some(shared) = self.open.get_mut(&key) {
                shared.outlet.finish(deadline, &self.sources);
                self.settle(key, StreamId::JOURNAL);
            }
        }
    }

    /// The same for what is forwarded. Returns what there is to say about it.
    pub(super) fn finish_forwarding(&self, deadline: Instant) -> Vec<String> {
        self.forwarders.finish(deadline)
    }

    pub(super) fn syslog(&mut self, id: StreamId, tag: &SyslogTag, data: &[u8]) {
        let path = self.syslog.path().to_owned();
        match self.syslog.send(&tag.ident, &tag.name, data) {
            Ok(()) => {
                if let Some(bytes) = self.syslog_dropped.take() {
                    self.losses.end(&path);
                    self.tell(LogEvent::Resumed { id, bytes, path });
                }
            }
            Err((error, bytes)) => {
                self.losses.add(&path, bytes as u64);
                if self.syslog_dropped.is_none() {
                    self.losses.begin(&path, &error);
                    self.tell(LogEvent::Dropping { id, error, path });
                }
                *self.syslog_dropped.get_or_insert(0) += bytes as u64;
            }
        }
    }

    /// What a limit has to say about a stream that writes here.
    pub(super) fn limited(&mut self, key: Option<OutletKey>, id: StreamId, bucket: &mut Bucket) {
        let path = match key.and_then(|key| self.open.get(&key)) {
            Some(shared) => shared.outlet.path(),
            None => Path::new(STDOUT),
        };
        self.losses.add(path, bucket.take_lost());
        for news in bucket.take_news() {
            let path = path.to_owned();
            match news {
                LimitNews::Began => {
                    let limit = bucket.describe();
                    self.losses.begin_because(&path, format!("more than {limit}"));
                    self.tell(LogEvent::Limited { id, limit, path });
                }
                LimitNews::Ended(Dropped { lines, bytes }) => {
                    self.losses.end(&path);
                    self.tell(LogEvent::WithinLimit { id, lines, bytes, path });
                }
            }
        }
    }

    /// After anything was done to a log: says what it has to say, and tells the watchers.
    fn settle(&mut self, key: OutletKey, id: StreamId) {
        let Some(shared) = self.open.get_mut(&key) else { return };
        if let Some(chore) = shared.outlet.take_chore() {
            self.tidy.add(chore);
        }
        let (notices, lost) = (shared.outlet.notices(), shared.outlet.take_lost());
        self.losses.add(shared.outlet.path(), lost);
        let watched =
            self.watched.lock().is_ok_and(|mut set| !set.is_empty() && set.remove(shared.outlet.path()));
        if notices.is_empty() && !watched {
            return;
        }
        let path = shared.outlet.path().to_owned();
        self.report(id, &path, notices);
        if watched {
            self.tell(LogEvent::Grew { path });
        }
    }

    fn report(&mut self, id: StreamId, path: &Path, notices: Vec<Notice>) {
        for notice in notices {
            match notice {
                Notice::Dropping(error) => {
                    self.losses.begin(path, &error);
                    self.tell(LogEvent::Dropping { id, error, path: path.to_owned() });
                }
                Notice::Resumed(bytes) => {
                    self.losses.end(path);
                    self.tell(LogEvent::Resumed { id, bytes, path: path.to_owned() });
                }
                Notice::GaveUp(bytes) => {
                    self.losses.end(path);
                    self.tell(LogEvent::GaveUp { id, bytes, path: path.to_owned() });
                }
                Notice::Unlimited => self.warn_unlimited(path),
                Notice::Warn(text) => self.warn(text),
            }
        }
    }

    fn warn_unlimited(&mut self, path: &Path) {
        if self.warned.insert(path.to_owned()) {
            let path = path.display();
            self.warn(format!(
                "log file '{path}' cannot be rotated because it is not a regular file: its maxbytes is taken as 0"
            ));
        }
    }
}
