//! Old log files: compressed, and removed when they are too old or too many.
//!
//! What is to be done waits in a queue. A thread of low priority does it, and is there only as long as there is something to
//! do. It shares nothing with the log thread but the queue and, for the moment of a renaming, the names of one log's files: a
//! disk that hangs under an old file keeps no line from being written.
//!
//! What is lost when this dies: nothing. A file is compressed under a name that no old file has, made durable, then
//! renamed; only then its source goes. A death between the two leaves both, and whoever comes next removes the source if the
//! compressed file is whole and the same. What a death leaves unfinished is begun anew.

mod compress;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::file::old::{Label, OldFile, age, old_files, partial};
use crate::file::{Chore, Inode, Names};

/// The lowest priority there is.
const NICEST: i32 = 19;
/// How often is looked for files that were rotated meanwhile; later ones have a chore of their own.
const PASSES: usize = 10;
/// What the thread needs, and room to spare.
const STACK: usize = 256 * 1024;

/// Does what is to be done about old files.
#[derive(Clone)]
pub(crate) struct Tidy(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    warn: Box<dyn Fn(String) + Send + Sync>,
}

#[derive(Default)]
struct State {
    chores: VecDeque<Chore>,
    is_working: bool,
    /// The log whose old files are worked on.
    current: Option<(PathBuf, Names)>,
}

impl fmt::Debug for Tidy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tidy")
    }
}

impl Tidy {
    /// `warn` takes lines for the daemon's log, on the thread that does the work.
    pub(crate) fn new(warn: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), warn: Box::new(warn) }))
    }

    /// The lock under which the old files of a log are worked on, now or soon: whoever opens that log renames its files under
    /// the same.
    pub(crate) fn names_of(&self, path: &Path) -> Option<Names> {
        let state = self.0.lock();
        let waiting = state.chores.iter().find(|chore| chore.path == path).map(|chore| chore.names.clone());
        let current = state.current.as_ref().filter(|(own, _)| own == path);
        current.map(|(_, names)| names.clone()).or(waiting)
    }

    /// Has this done soon. Of two for one log, the later counts.
    pub(crate) fn add(&self, chore: Chore) {
        let mut state = self.0.lock();
        state.chores.retain(|other| other.path != chore.path);
        state.chores.push_back(chore);
        if state.is_working {
            return;
        }
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("old logs".to_owned()).stack_size(STACK);
        match thread.spawn(move || shared.work()) {
            Ok(_) => state.is_working = true,
            Err(error) => (self.0.warn)(format!("old log files are not looked after for now: {error}")),
        }
    }
}

impl Shared {
    fn work(&self) {
        // Of this thread alone, as Linux has it. Refused, it works at the usual priority.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICEST);
        while let Some(chore) = self.next() {
            if let Err(error) = look_after(&chore) {
                let path = chore.path.display();
                (self.warn)(format!("old files of log '{path}' could not be looked after: {error}"));
            }
        }
    }

    fn next(&self) -> Option<Chore> {
        let mut state = self.lock();
        let chore = state.chores.pop_front();
        state.is_working = chore.is_some();
        state.current = chore.as_ref().map(|chore| (chore.path.clone(), chore.names.clone()));
        chore
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does all there is to do about one log's old files. Goes on after a failure, and returns the first.
fn look_after(chore: &Chore) -> io::Result<()> {
    remove_partial(&chore.path)?;
    let mut result = remove_old(chore);
    let mut tried = HashSet::new();
    if chore.rules.gzip {
        result = result.and(compress_all(chore, &mut tried));
    }
    result.and(remove_beyond_total(chore, &tried))
}

/// Compresses what there is, and what is rotated meanwhile; `tried` are those that had their turn.
fn compress_all(chore: &Chore, tried: &mut HashSet<Inode>) -> io::Result<()> {
    let mut result = Ok(());
    for _ in 0..PASSES {
        let mut waiting = old_files(&chore.path)?;
        waiting.retain(|file| !file.is_gzip && !tried.contains(&file.inode));
        if waiting.is_empty() {
            break;
        }
        for file in &waiting {
            match compress::compress(file, &chore.path, &chore.names) {
                // It has another name now.
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => result = result.and(Err(about(&file.path, "compressed", error))),
            }
            tried.insert(file.inode);
        }
    }
    result
}

fn about(path: &Path, what: &str, error: io::Error) -> io::Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    io::Error::new(error.kind(), format!("'{name}' was not {what}: {error}"))
}

fn remove_partial(base: &Path) -> io::Result<()> {
    match fs::remove_file(partial(base)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what is older than `max_age`, and files with a time for a name that are too many.
fn remove_old(chore: &Chore) -> io::Result<()> {
    if chore.rules.max_age.is_none() && !chore.rules.dated {
        return Ok(());
    }
    let (now, mut dated, mut result) = (SystemTime::now(), 0, Ok(()));
    for file in old_files(&chore.path)? {
        if matches!(file.label, Label::Time(..)) && !has_twin(&file) {
            dated += 1;
        }
        let is_too_old = chore.rules.max_age.is_some_and(|limit| age(&file, now) > limit);
        if is_too_old || chore.rules.dated && dated > chore.backups {
            result = result.and(remove(&file, &chore.names));
        }
    }
    result
}

/// Whether it is the source of a compressed file, which counts.
fn has_twin(file: &OldFile) -> bool {
    !file.is_gzip && crate::file::old::compressed(&file.path).exists()
}

/// One that has yet to be compressed does not count: it is going to be smaller, and its turn comes.
fn remove_beyond_total(chore: &Chore, tried: &HashSet<Inode>) -> io::Result<()> {
    if chore.rules.max_total == 0 {
        return Ok(());
    }
    let (mut total, mut result) = (0u64, Ok(()));
    let is_as_it_stays = |file: &OldFile| !chore.rules.gzip || file.is_gzip || tried.contains(&file.inode);
    for file in old_files(&chore.path)?.into_iter().filter(is_as_it_stays) {
        total = total.saturating_add(file.bytes);
        if total > chore.rules.max_total {
            result = result.and(remove(&file, &chore.names));
        }
    }
    result
}

/// Removes an old file, wherever a rotation has moved it meanwhile.
fn remove(file: &OldFile, names: &Names) -> io::Result<()> {
    let writing = names.lock();
    if *writing == Some(file.inode) {
        return Ok(());
    }
    match find(file) {
        Some(path) => fs::remove_file(&path).map_err(|error| about(&path, "removed", error)),
        None => Ok(()),
    }
}

/// How many rotations may happen while one file is worked on; after more it is left for the next time.
const ROTATIONS: u32 = 100;

/// Where a file is now. Only while its log's names are locked does it stay there.
fn find(file: &OldFile) -> Option<PathBuf> {
    let is_it = |path: &PathBuf| compress::inode(path) == Some(file.inode);
    let Label::Number(first) = file.label else { return Some(file.path.clone()).filter(is_it) };
    let ending = if file.is_gzip { ".gz" } else { "" };
    let numbers = first..=first.saturating_add(ROTATIONS);
    let names = numbers.map(|number| renumbered(file, number, ending));
    names.into_iter().find(is_it)
}

fn renumbered(file: &OldFile, number: u32, ending: &str) -> PathBuf {
    // `PATH.N` or `PATH.N.gz`.
    let stem = if file.is_gzip { file.path.with_extension("") } else { file.path.clone() };
    let mut name = stem.with_extension("").into_os_string();
    name.push(format!(".{number}{ending}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
