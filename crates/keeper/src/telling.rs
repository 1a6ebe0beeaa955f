//! What daemons are told: all there is when they start, and what happens afterwards.

use std::io;
use std::os::fd::AsFd;

use crate::daemon::Daemon;
use crate::run::Keeper;
use crate::wire::{SPOKEN, ToDaemon};

impl Keeper {
    /// Starts a daemon and queues all it must know: the inventory, and signals that none has seen.
    pub(crate) fn start_daemon(&mut self) -> io::Result<()> {
        let daemon = match &self.replacement {
            Some(replacement) if replacement.is_on_trial() => {
                let words = Some(replacement.words.as_fd());
                Daemon::start(&self.orders.content, replacement.executable.as_fd(), words)?
            }
            Some(_) | None => Daemon::start(&self.orders.content, self.executable.as_fd(), None)?,
        };
        self.daemon = Some(daemon);
        self.tell_all();
        self.generation = self.generation.saturating_add(1);
        Ok(())
    }

    /// Queues all that a daemon must know.
    pub(crate) fn tell_all(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let welcome = ToDaemon::Welcome {
            wire_version: SPOKEN,
            keeper_pid: std::process::id(),
            generation: self.generation,
            detached: self.detached,
        };
        daemon.tell(&welcome, Vec::new());
        self.hold
            .inventory()
            .chain(self.children.inventory())
            .for_each(|(frame, fds)| daemon.tell(&frame, fds));
        if let Some(outcome) = &self.replaced {
            daemon.tell(&outcome.frame(), Vec::new());
        }
        daemon.tell(&ToDaemon::InventoryEnd, Vec::new());
        for signo in self.unseen.for_new_daemon() {
            daemon.tell(&ToDaemon::SignalReceived { signo }, Vec::new());
        }
    }

    /// Queues a frame for the daemon; without one, what matters is in the inventory.
    pub(crate) fn tell(&mut self, frame: &ToDaemon) {
        if let Some(daemon) = &mut self.daemon {
            daemon.tell(frame, Vec::new());
        }
    }
}
