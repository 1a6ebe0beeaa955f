//! The names of sockets that nobody speaks to any more, removed where nobody waits for the disk.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Vitals, place};
use crate::shell::Shell;
use crate::tasks;

/// Names of sockets that are to be removed, by one thread at a time: many runs that end at once need no more, and a disk that hangs keeps
/// no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct GoneSockets {
    list: Arc<Mutex<List>>,
    /// Held by who removes them.
    turn: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct List {
    paths: Vec<PathBuf>,
    /// A thread looks after them, and will look again.
    looked_after: bool,
}

impl GoneSockets {
    /// True if somebody has to look after them.
    fn add(&self, path: PathBuf) -> bool {
        let mut list = self.list();
        list.paths.push(path);
        !std::mem::replace(&mut list.looked_after, true)
    }

    /// Removes them until there are none, and waits for who does so already. Blocks on the file system.
    fn remove(&self, remove: impl Fn(&Path)) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(paths) = self.next() {
            paths.iter().for_each(|path| remove(path));
        }
    }

    fn next(&self) -> Option<Vec<PathBuf>> {
        let mut list = self.list();
        let paths = std::mem::take(&mut list.paths);
        list.looked_after = !paths.is_empty();
        list.looked_after.then_some(paths)
    }

    /// Nobody looks after them: there was no thread to be had. They go with the next one.
    fn leave(&self) {
        self.list().looked_after = false;
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shell {
    /// Nobody is going to say anything there: removes the name of the socket.
    pub(crate) fn discard_vitals(&self, vitals: Option<Box<Vitals>>) {
        let path = vitals.and_then(|vitals| place::path_of(vitals.notify.as_ref()?.as_fd()));
        self.remove_socket(path);
    }

    /// Removes the name of a socket, if it has one.
    pub(super) fn remove_socket(&self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        if !self.gone_sockets.add(path) {
            return;
        }
        let gone = self.gone_sockets.clone();
        tasks::spawn(async move {
            let worker = gone.clone();
            if upkeep_api::apart(move || worker.remove(place::remove)).await.is_none() {
                gone.leave();
            }
        });
    }

    /// At the end: what is not removed yet.
    pub(crate) fn remove_gone_sockets(&self) {
        self.gone_sockets.remove(place::remove);
    }

    /// At the beginning: what daemons have left that were killed.
    pub(crate) fn remove_left_sockets(&self) {
        if place::leaves_something() {
            tasks::spawn(async {
                upkeep_api::apart(place::sweep).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_removes_all_that_come_meanwhile() {
        let gone = GoneSockets::default();
        let path = |number: u32| PathBuf::from(format!("/{number}"));
        assert!(gone.add(path(0)), "somebody has to begin");
        let removed = Mutex::new(Vec::new());
        gone.remove(|gone_one| {
            let mut removed = removed.lock().unwrap();
            removed.push(gone_one.to_owned());
            let next = u32::try_from(removed.len()).unwrap();
            if next < 100 {
                assert!(!gone.add(path(next)), "somebody looks after it already");
            }
        });
        assert_eq!(removed.into_inner().unwrap(), (0..100).map(path).collect::<Vec<_>>());
        assert!(gone.add(path(0)), "nobody does any more");
        gone.leave();
        assert!(gone.add(path(1)), "there was no thread");
        let left = Mutex::new(0);
        gone.remove(|_| *left.lock().unwrap() += 1);
        assert_eq!(left.into_inner().unwrap(), 2, "nothing is forgotten");
    }
}
