//! What logs have lost: bytes that could not be written, file by file.
//!
//! The log thread counts; anybody may look, without asking that thread anything: it may hang on the very disk that
//! somebody asks about. Counts live as long as the process, however often the file is closed and opened meanwhile, and
//! end when the file is cleared; whoever wants them to live longer is told when they have grown, and gives them back.

use std::collections::BTreeMap;
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses(Arc<Mutex<BTreeMap<PathBuf, Loss>>>);

impl Losses {
    /// As they are now.
    pub(crate) fn all(&self) -> BTreeMap<PathBuf, Loss> {
        self.lock().clone()
    }

    /// Bytes of this file are being dropped, because of `error`.
    pub(crate) fn begin(&self, path: &Path, error: &io::Error) {
        self.begin_because(path, words(error));
    }

    /// The same, for a reason in words.
    pub(crate) fn begin_because(&self, path: &Path, reason: String) {
        let mut all = self.lock();
        let loss = all.entry(path.to_owned()).or_default();
        (loss.reason, loss.now) = (reason, true);
    }

    /// The same, unless a reason is known already.
    pub(crate) fn begin_unless_told(&self, path: &Path, reason: &str) {
        let is_told = self.lock().get(path).is_some_and(|loss| loss.now);
        if !is_told {
            self.begin_because(path, reason.to_owned());
        }
    }

    /// So many more. Returns whether there are twice as many as when it last did so, or about.
    pub(crate) fn add(&self, path: &Path, bytes: u64) -> bool {
        let mut all = self.lock();
        let count = &mut all.entry(path.to_owned()).or_default().bytes;
        let before = std::mem::replace(count, count.saturating_add(bytes));
        before.checked_ilog2() != count.checked_ilog2()
    }

    /// What an earlier process counted.
    pub(crate) fn restore(&self, path: PathBuf, bytes: u64, reason: String) {
        let mut all = self.lock();
        let loss = all.entry(path).or_default();
        loss.bytes = loss.bytes.saturating_add(bytes);
        if loss.reason.is_empty() {
            loss.reason = reason;
        }
    }

    /// The file is written again, or nobody writes it any more.
    pub(crate) fn end(&self, path: &Path) {
        if let Some(loss) = self.lock().get_mut(path) {
            loss.now = false;
        }
    }

    /// The file is empty now: nothing is missing in it.
    pub(crate) fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Loss>> {
        // Every change is whole before anything could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
