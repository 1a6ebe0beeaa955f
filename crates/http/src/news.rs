//! When those who follow logs have to look again. The log thread tells of what it writes, the kernel (inotify) of what anybody else
//! does to the files, the daemon that logs may have other names. While nobody follows there is nothing of all this.
//!
//! Both are asked to tell once and asked again before the next look, so a log that is written all the time costs no more than the
//! looks. Kernels before 6.4 say nothing of bytes that were moved from a pipe to a file, as the log thread does it.

use std::collections::VecDeque;
use std::fmt;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::stream::watched;

/// What changes a file.
const WRITTEN: WatchFlags = WatchFlags::MODIFY.union(WatchFlags::ONESHOT);

/// What gives another file its name. A directory that goes away tells it, too.
const REPLACED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONESHOT);

/// An update moves the logs of one group after the other, while a follower may be held up.
const MOST_TIMES: usize = 64;

/// Waits for news of a log.
pub(crate) type Bell = Arc<Notify>;

/// Who waits for what: three of these for each follower at most.
type Waiting<K> = Mutex<Vec<(K, Weak<Notify>)>>;

/// What the followers of all servers of a daemon wait for. Clones are the same.
#[derive(Clone, Default)]
pub struct LogNews(Arc<Shared>);

#[derive(Default)]
struct Shared {
    watch: OnceLock<Box<dyn Fn(PathBuf) + Send + Sync>>,
    paths: Waiting<PathBuf>,
    moves: Mutex<Moves>,
    kernel: Mutex<Weak<Kernel>>,
}

/// When logs may have got other names.
#[derive(Default)]
struct Moves {
    count: u64,
    /// The last of them.
    times: VecDeque<SystemTime>,
}

impl fmt::Debug for LogNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogNews")
    }
}

impl LogNews {
    /// Calls this for a path before a follower looks at it: after the next change somebody is to call [`Self::grew`].
    pub fn watch_with(&self, watch: impl Fn(PathBuf) + Send + Sync + 'static) {
        // Only the first counts.
        let _ = self.0.watch.set(Box::new(watch));
    }

    /// The log at this path was written, or is another file.
    pub fn grew(&self, path: &Path) {
        ring(&self.0.paths, |other| other == path);
    }

    /// Logs may have other names than before.
    pub fn moved(&self) {
        let mut moves = locked(&self.0.moves);
        moves.count += 1;
        moves.times.push_back(SystemTime::now());
        if moves.times.len() > MOST_TIMES {
            moves.times.pop_front();
        }
        drop(moves);
        ring(&self.0.paths, |_| true);
    }

    /// How often that was, and when it was first after it had been so often, unless that is long ago.
    pub(crate) fn moves(&self, seen: u64) -> (u64, Option<SystemTime>) {
        let moves = locked(&self.0.moves);
        let since = usize::try_from(moves.count - seen).unwrap_or(usize::MAX);
        let first = moves.times.len().checked_sub(since).and_then(|at| moves.times.get(at));
        (moves.count, first.copied())
    }

    /// One more follower. Inside the runtime.
    pub(crate) fn listener(&self) -> Listener {
        let mut known = locked(&self.0.kernel);
        let kernel = known.upgrade().or_else(Kernel::start);
        *known = kernel.as_ref().map(Arc::downgrade).unwrap_or_default();
        Listener { news: self.clone(), bell: Bell::default(), kernel }
    }
}

/// A follower's ear.
pub(crate) struct Listener {
    news: LogNews,
    pub(crate) bell: Bell,
    kernel: Option<Arc<Kernel>>,
}

impl Listener {
    /// From now on the bell rings with the next change of this file, or of what has one of these names; true if it does so whoever
    /// changes it. Blocks on the disk. May ring without need.
    pub(crate) fn listen(&self, file: &impl AsRawFd, names: &[&Path]) -> bool {
        for name in names {
            wait_for(&self.news.0.paths, name.to_path_buf(), &self.bell);
            if let Some(watch) = self.news.0.watch.get() {
                watch(name.to_path_buf());
            }
        }
        let Some(kernel) = &self.kernel else { return false };
        let file = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        kernel.watch(&file, WRITTEN, &self.bell)
            && names.iter().all(|name| {
                // What a link leads to may change in another directory.
                let folder = name.parent().filter(|_| !name.is_symlink());
                folder.is_some_and(|folder| kernel.watch(folder, REPLACED, &self.bell))
            })
    }
}

/// The kernel's notices, while somebody follows.
struct Kernel {
    notices: Arc<Notices>,
    task: AbortHandle,
}

struct Notices {
    files: AsyncFd<OwnedFd>,
    waiting: Waiting<i32>,
}

impl Kernel {
    /// `None` if there is no descriptor for it, or too many programs of this user have one.
    fn start() -> Option<Arc<Self>> {
        let files = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        let files = watched(files, Interest::READABLE).ok()?;
        let notices = Arc::new(Notices { files, waiting: Mutex::default() });
        let task = tokio::spawn(Arc::clone(&notices).pass_on()).abort_handle();
        Some(Arc::new(Self { notices, task }))
    }

    /// Whether it will tell.
    fn watch(&self, path: &Path, what: WatchFlags, bell: &Bell) -> bool {
        let add = || inotify::add_watch(&self.notices.files, path, what);
        let Ok(number) = add() else { return false };
        wait_for(&self.notices.waiting, number, bell);
        // Had it told already, before anybody waited, it would have another number by now.
        if add() != Ok(number) {
            bell.notify_one();
        }
        true
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Notices {
    async fn pass_on(self: Arc<Self>) {
        while let Ok(mut ready) = self.files.readable().await {
            self.take();
            ready.clear_ready();
        }
    }

    fn take(&self) {
        let mut room = [MaybeUninit::uninit(); 1024];
        let mut reader = inotify::Reader::new(self.files.get_ref(), &mut room);
        while let Ok(notice) = reader.next() {
            let number = notice.wd();
            ring(&self.waiting, |other| *other == number);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_for<K: PartialEq>(waiting: &Waiting<K>, what: K, bell: &Bell) {
    let mut waiting = locked(waiting);
    // Without those who have gone, and itself: it may have been woken by something else.
    let is_own = |other: &Weak<Notify>| std::ptr::eq(other.as_ptr(), Arc::as_ptr(bell));
    waiting.retain(|(other, by)| by.strong_count() > 0 && !(is_own(by) && *other == what));
    waiting.push((what, Arc::downgrade(bell)));
}

/// Wakes those who wait for this; they will wait again.
fn ring<K>(waiting: &Waiting<K>, is_meant: impl Fn(&K) -> bool) {
    locked(waiting).retain(|(what, bell)| {
        let rings = is_meant(what);
        if let Some(bell) = bell.upgrade().filter(|_| rings) {
            bell.notify_one();
        }
        !rings
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_move_that_was_not_seen_counts() {
        let news = LogNews::default();
        assert_eq!(news.moves(0), (0, None));
        let before = SystemTime::now();
        news.moved();
        let after = SystemTime::now();
        let (count, first) = news.moves(0);
        assert!(count == 1 && first.is_some_and(|first| (before..=after).contains(&first)));
        (0..MOST_TIMES - 1).for_each(|_| news.moved());
        assert_eq!(news.moves(0).1, first);
        assert_eq!(news.moves(64), (64, None));
        news.moved();
        assert_eq!(news.moves(0), (65, None), "nobody knows any more");
    }
}
