//! The thread that keeps the events of durable pools: the daemon itself waits for no disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::queue::QueueFile;
use crate::clerk::Clerk;
use crate::records::EventRecord;

/// What the thread is asked.
#[derive(Debug)]
pub(crate) enum Order {
    /// A pool became active. `busy` are numbers of events that listeners have already.
    Open { pool: String, path: PathBuf, limit: u64, busy: BTreeSet<i64> },
    /// Keep this.
    Append { pool: String, event: EventRecord },
    /// This one need not be kept.
    Done { pool: String, number: i64 },
    /// Bring the events behind this one.
    Load { pool: String, after: Option<i64>, count: usize },
    /// A pool is no longer active; its file stays.
    Close { pool: String },
    /// Every pool is gone.
    CloseAll,
}

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// So many events are there, the last one with this number.
    Found { pool: String, count: u64, last: Option<i64> },
    /// There is no file: the pool has to do without.
    Failed { pool: String, path: PathBuf, error: io::Error },
    /// An event could not be kept.
    Lost { pool: String, number: i64, error: io::Error },
    /// What was asked for.
    Loaded { pool: String, events: Vec<EventRecord> },
    /// Something else went wrong with a pool's file.
    Trouble { pool: String, error: io::Error },
}

/// Orders that share one wait for the disk.
const BATCH: usize = 1024;
/// How long the end of the daemon waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// The handle; the thread ends with it, after all it was asked.
#[derive(Debug)]
pub(crate) struct Store(Clerk<Order>);

impl Store {
    /// Starts the thread; `tell` is called on it.
    ///
    /// # Errors
    /// No thread could be had.
    pub(crate) fn start(tell: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let shelf = Shelf { files: BTreeMap::new(), tell: Box::new(tell) };
        Clerk::start("queues", move |inbox| shelf.work(inbox)).map(Self)
    }

    /// Waits until all that was asked is done, unless the disk hangs.
    pub(crate) fn finish(self) {
        self.0.finish(LAST_WRITES);
    }

    /// Asks something; answers come in the order of the questions.
    pub(crate) fn order(&self, order: Order) {
        self.0.order(order);
    }
}

/// The open files.
struct Shelf {
    files: BTreeMap<String, Open>,
    tell: Box<dyn Fn(Told) + Send>,
}

struct Open {
    queue: QueueFile,
    busy: BTreeSet<i64>,
    dirty: bool,
}

impl Shelf {
    fn work(mut self, inbox: &Receiver<Order>) {
        while let Ok(first) = inbox.recv() {
            self.obey(first);
            // What has come meanwhile shares one wait for the disk.
            inbox.try_iter().take(BATCH).for_each(|order| self.obey(order));
            self.settle();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open { pool, path, limit, busy } => self.open(pool, path, limit, busy),
            Order::Append { pool, event } => self.append(pool, event),
            Order::Done { pool, number } => {
                if let Some(open) = self.files.get_mut(&pool) {
                    open.busy.remove(&number);
                    open.dirty = true;
                    if let Err(error) = open.queue.done(number) {
                        (self.tell)(Told::Trouble { pool, error });
                    }
                }
            }
            Order::Load { pool, after, count } => {
                let Some(open) = self.files.get(&pool) else { return };
                match open.queue.load(after, count, &open.busy) {
                    Ok(events) => (self.tell)(Told::Loaded { pool, events }),
                    Err(error) => {
                        (self.tell)(Told::Trouble { pool: pool.clone(), error });
                        (self.tell)(Told::Loaded { pool, events: Vec::new() });
                    }
                }
            }
            Order::Close { pool } => drop(self.files.remove(&pool)),
            Order::CloseAll => self.files.clear(),
        }
    }

    fn open(&mut self, pool: String, path: PathBuf, limit: u64, busy: BTreeSet<i64>) {
        // Its lock would be in the way of the same file.
        self.files.remove(&pool);
        match QueueFile::open(&path, limit) {
            Err(error) => (self.tell)(Told::Failed { pool, path, error }),
            Ok(queue) => {
                let (count, last) = (queue.count(&busy), queue.last());
                self.files.insert(pool.clone(), Open { queue, busy, dirty: false });
                (self.tell)(Told::Found { pool, count, last });
            }
        }
    }

    fn append(&mut self, pool: String, event: EventRecord) {
        let Some(open) = self.files.get_mut(&pool) else { return };
        let number = event.pool_serial;
        open.dirty = true;
        if let Err(error) = open.queue.append(event) {
            (self.tell)(Told::Lost { pool, number, error });
        }
    }

    fn settle(&mut self) {
        for (pool, open) in self.files.iter_mut().filter(|(_, open)| open.dirty) {
            open.dirty = false;
            if let Err(error) = open.queue.tidy().and_then(|()| open.queue.sync()) {
                (self.tell)(Told::Trouble { pool: pool.clone(), error });
            }
        }
    }
}
