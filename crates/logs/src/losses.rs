//! What logs have lost: bytes that could not be written, file by file.
//!
//! The log thread counts; anybody may look, without asking that thread anything: it may hang on the very disk that
//! somebody asks about. Counts live as long as the process, however often the file is closed and opened meanwhile, and
//! end when the file is cleared; whoever wants them to live longer is told which have changed, and gives them back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one log has lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Bytes that were dropped.
    pub bytes: u64,
    /// Why the last of them were, in words.
    pub reason: String,
    /// Whether bytes are dropped at present: nothing could be written since.
    pub now: bool,
}

/// The losses of all files that have any.
#[derive(Clone)]
pub(crate) struct Losses(Arc<Shared>);

struct Shared {
    table: Mutex<Table>,
    /// Says that there is something to be told.
    tell: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct Table {
    all: BTreeMap<PathBuf, Loss>,
    /// Those that have changed since somebody asked which.
    news: BTreeSet<PathBuf>,
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

impl Losses {
    /// `tell` is called when there is something for [`Self::take_news`], and not again before that has been called.
    pub(crate) fn new(tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { table: Mutex::default(), tell: Box::new(tell) }))
    }

    /// As they are now.
    pub(crate) fn all(&self) -> BTreeMap<PathBuf, Loss> {
        self.lock().all.clone()
    }

    /// Those that have changed since the last call: begun, ended, grown to twice as much, or gone. It costs what has changed,
    /// and not what there is.
    pub(crate) fn take_news(&self) -> Vec<(PathBuf, Option<Loss>)> {
        let mut table = self.lock();
        let news = std::mem::take(&mut table.news);
        let with_loss = |path: PathBuf| {
            let loss = table.all.get(&path).cloned();
            (path, loss)
        };
        news.into_iter().map(with_loss).collect()
    }

    /// Bytes of this file are being dropped, because of `error`.
    pub(crate) fn begin(&self, path: &Path, error: &io::Error) {
        self.begin_because(path, words(error));
    }

    /// The same, for a reason in words.
    pub(crate) fn begin_because(&self, path: &Path, reason: String) {
        let mut table = self.lock();
        let loss = table.all.entry(path.to_owned()).or_default();
        (loss.reason, loss.now) = (reason, true);
        self.note(table, path);
    }

    /// The same, unless a reason is known already.
    pub(crate) fn begin_unless_told(&self, path: &Path, reason: &str) {
        let is_told = self.lock().all.get(path).is_some_and(|loss| loss.now);
        if !is_told {
            self.begin_because(path, reason.to_owned());
        }
    }

    /// So many more. It is news if there are twice as many as when it last was, or about.
    pub(crate) fn add(&self, path: &Path, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let mut table = self.lock();
        let count = &mut table.all.entry(path.to_owned()).or_default().bytes;
        let before = std::mem::replace(count, count.saturating_add(bytes));
        if before.checked_ilog2() != count.checked_ilog2() {
            self.note(table, path);
        }
    }

    /// What an earlier process counted.
    pub(crate) fn restore(&self, path: PathBuf, bytes: u64, reason: String) {
        let mut table = self.lock();
        let loss = table.all.entry(path).or_default();
        loss.bytes = loss.bytes.saturating_add(bytes);
        if loss.reason.is_empty() {
            loss.reason = reason;
        }
    }

    /// The file is written again, or nobody writes it any more.
    pub(crate) fn end(&self, path: &Path) {
        let mut table = self.lock();
        if let Some(loss) = table.all.get_mut(path) {
            loss.now = false;
            self.note(table, path);
        }
    }

    /// The file is empty now, so that nothing is missing in it, or nobody's any more.
    pub(crate) fn forget(&self, path: &Path) {
        let mut table = self.lock();
        if table.all.remove(path).is_some() {
            self.note(table, path);
        }
    }

    fn note(&self, mut table: MutexGuard<'_, Table>, path: &Path) {
        let is_first = table.news.is_empty();
        table.news.insert(path.to_owned());
        drop(table);
        if is_first {
            (self.0.tell)();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change is whole before anything could panic.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened, without the number that the library puts behind it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counted() -> (Losses, Arc<AtomicUsize>) {
        let told = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&told);
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        (Losses::new(count), told)
    }

    fn names(losses: &Losses) -> Vec<(String, Option<u64>)> {
        let news = losses.take_news().into_iter();
        news.map(|(path, loss)| (path.display().to_string(), loss.map(|loss| loss.bytes))).collect()
    }

    #[test]
    fn what_is_news_is_told_once_and_costs_no_more_than_it_is() {
        let (losses, told) = counted();
        (0..1000).for_each(|number| losses.add(Path::new(&number.to_string()), 4));
        assert_eq!((losses.take_news().len(), told.load(Ordering::Relaxed)), (1000, 1));
        losses.add(Path::new("7"), 3);
        assert_eq!(names(&losses), []);
        losses.add(Path::new("7"), 1);
        losses.add(Path::new("7"), 0);
        assert_eq!(names(&losses), [("7".to_owned(), Some(8))], "twice as many as when it was told");
        losses.begin_because(Path::new("8"), "a reason".to_owned());
        losses.end(Path::new("9"));
        losses.forget(Path::new("10"));
        losses.forget(Path::new("never there"));
        losses.end(Path::new("never there"));
        let expected = [("10", None), ("8", Some(4)), ("9", Some(4))];
        assert_eq!(names(&losses), expected.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert_eq!((names(&losses), told.load(Ordering::Relaxed)), (vec![], 3));
    }

    #[test]
    fn what_an_earlier_process_counted_is_no_news() {
        let (losses, told) = counted();
        losses.restore("log".into(), 5, "it was full".to_owned());
        losses.restore("log".into(), 2, "later".to_owned());
        assert_eq!((names(&losses), told.load(Ordering::Relaxed)), (vec![], 0));
        let expected = Loss { bytes: 7, reason: "it was full".to_owned(), now: false };
        assert_eq!(losses.all()[Path::new("log")], expected);
    }
}
