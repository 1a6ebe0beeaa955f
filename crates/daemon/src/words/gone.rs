//! The names of sockets that nobody speaks to any more, removed where nobody waits for the disk.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Vitals, place};
use crate::shell::Shell;

/// Names of sockets that are to be removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct GoneSockets {
    paths: Arc<Mutex<Vec<PathBuf>>>,
    /// Held by who removes them.
    turn: Arc<Mutex<()>>,
}

impl GoneSockets {
    fn add(&self, path: PathBuf) {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    }

    /// Removes them all, and waits for who does so already. Blocks on the file system.
    fn remove(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = std::mem::take(&mut *self.paths.lock().unwrap_or_else(PoisonError::into_inner));
        paths.iter().for_each(|path| place::remove(path));
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
        self.gone_sockets.add(path);
        let gone = self.gone_sockets.clone();
        tokio::spawn(upkeep_api::apart(move || gone.remove()));
    }

    /// At the end: what is not removed yet.
    pub(crate) fn remove_gone_sockets(&self) {
        self.gone_sockets.remove();
    }

    /// At the beginning: what daemons have left that were killed.
    pub(crate) fn remove_left_sockets(&self) {
        if place::leaves_something() {
            tokio::spawn(upkeep_api::apart(place::sweep));
        }
    }
}
