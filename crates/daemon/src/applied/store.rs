//! The thread that keeps configurations on disk. It is given all that are to be there, and makes the directory hold these and no
//! others: so nothing has to be caught up with after an error, or when a daemon died midway.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::record::AppliedRecord;
use super::shelf::{Found, Kept, Shelf, Wanted};

/// How long the end of the daemon waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum FromDisk {
    /// The directory is ours, and has nothing that is not known.
    Opened,
    /// It has those of an earlier daemon, and this is the how manieth time; nothing is written until they have been taken in.
    Found { directory: PathBuf, time: u64, found: Found },
    /// It does not take something: told once until it does again.
    Trouble(io::Error),
    /// Nothing has come from it for so long that nobody should wait any more; it is still not known what it has.
    Late,
}

/// The handle; the thread ends with it, after all it was asked.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    /// What is to be there; an order that was not begun gives way to the next.
    wanted: Arc<Mutex<Option<Wanted>>>,
    orders: SyncSender<()>,
    ended: Receiver<()>,
    /// The last that it was asked to keep.
    last: Option<(Vec<AppliedRecord>, u64, u64)>,
    /// How many times what it has found was taken in.
    pub(super) taken_in: u64,
}

impl Store {
    /// Starts the thread; `tell` is called on it.
    ///
    /// # Errors
    /// No thread could be had.
    pub(super) fn start(
        directory: PathBuf,
        main: PathBuf,
        tell: impl Fn(FromDisk) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel(1);
        let wanted = Arc::new(Mutex::new(None));
        let worker = Worker { directory: directory.clone(), wanted: Arc::clone(&wanted), tell };
        let (end, ended) = mpsc::channel();
        std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            let shelf = Shelf::new(worker.directory.clone(), main);
            worker.work(shelf, &inbox);
            // Nobody waits when the handle is gone.
            let _ = end.send(());
        })?;
        Ok(Self { directory, wanted, orders, ended, last: None, taken_in: 0 })
    }

    pub(super) fn is_at(&self, directory: &Path) -> bool {
        self.directory == directory
    }

    /// Lets these of a history be there, and no others.
    pub(super) fn keep(&mut self, history: u64, list: Vec<Kept>) {
        let records: Vec<AppliedRecord> = list.iter().map(|kept| kept.record.clone()).collect();
        let last = Some((records, self.taken_in, history));
        if last != self.last {
            self.last = last;
            let wanted = Wanted { list, taken_in: self.taken_in, history };
            *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
            // Full if the thread has not begun with the last one: then it finds this.
            let _ = self.orders.try_send(());
        }
    }

    /// Waits until all that was asked is done, unless the disk hangs.
    pub(super) fn finish(self) {
        drop(self.orders);
        let _ = self.ended.recv_timeout(LAST_WRITES);
    }
}

/// What the thread has.
struct Worker<T> {
    directory: PathBuf,
    wanted: Arc<Mutex<Option<Wanted>>>,
    tell: T,
}

impl<T: Fn(FromDisk)> Worker<T> {
    fn work(&self, mut shelf: Shelf, inbox: &Receiver<()>) {
        let (mut complained, mut opened) = (false, false);
        while inbox.recv().is_ok() {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(wanted) = wanted else { continue };
            let kept = shelf.keep(&wanted);
            let failed = kept.is_err();
            match kept {
                Ok(found) if !found.list.is_empty() => {
                    let (directory, time) = (self.directory.clone(), shelf.times_found());
                    (self.tell)(FromDisk::Found { directory, time, found });
                }
                Ok(_) if !opened => (self.tell)(FromDisk::Opened),
                Err(error) if !complained => (self.tell)(FromDisk::Trouble(error)),
                Ok(_) | Err(_) => {}
            }
            (complained, opened) = (failed, opened || !failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shelf::tests::kept;
    use super::*;

    #[test]
    fn trouble_is_told_once_until_it_is_over() {
        let home = tempfile::tempdir().unwrap();
        let (main, above) = (home.path().join("conf"), home.path().join("above"));
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let tell = move |what| heard.lock().unwrap().push(what);
        let mut store = Store::start(above.join("history"), main.clone(), tell).unwrap();
        for number in 1..4 {
            store.keep(1, (1..=number).map(|number| kept(home.path(), number)).collect());
        }
        store.finish();
        assert!(matches!(told.lock().unwrap().as_slice(), [FromDisk::Trouble(_)]));
    }
}
