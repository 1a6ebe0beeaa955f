//! What ends, and what signals come: of children, of the daemon, of whoever is reaped.

use upkeep_os::{Ended, monotonic_ns};

use crate::daemon::Daemon;
use crate::hold::Hold;
use crate::run::{CHLD, Keeper};
use crate::watch::{self, Watch};
use crate::wire::ToDaemon;

impl Keeper {
    /// Takes in every signal; the status if it is time to end.
    pub(crate) fn take_signals(&mut self) -> Option<i32> {
        let mut reap = false;
        while let Ok(Some(signo)) = self.signals.take() {
            if signo == CHLD {
                reap = true;
            } else {
                self.pass_signal(signo);
            }
        }
        if reap { self.reap() } else { None }
    }

    fn pass_signal(&mut self, signo: i32) {
        if self.unseen.came(signo) {
            self.tell(&ToDaemon::SignalReceived { signo });
        }
    }

    pub(crate) fn signal_seen(&mut self, signo: i32) {
        if self.unseen.seen(signo) {
            self.tell(&ToDaemon::SignalReceived { signo });
        }
    }

    /// Reaps every process that has ended; the status if it is time to end.
    pub(crate) fn reap(&mut self) -> Option<i32> {
        let daemon = self.reap_children();
        daemon.and_then(|ended| self.daemon_ended(ended.status))
    }

    /// Reaps every process that has ended; returns the daemon if it is among them.
    fn reap_children(&mut self) -> Option<Ended> {
        let mut daemon = None;
        while let Some(ended) = upkeep_os::reap() {
            let ours = |daemon: &Daemon| daemon.pidfd.is_none() && daemon.pid == ended.pid;
            if self.daemon.as_ref().is_some_and(ours) {
                daemon = Some(ended);
            } else if !self.reader_ended(&ended) {
                self.child_ended(&ended);
            }
        }
        daemon
    }

    /// Takes in the ends of those that are not our children; the status if it is time to end.
    pub(crate) fn take_ends(&mut self) -> Option<i32> {
        let mut ended = self.watch.ended();
        ended.extend(self.children.ended_unreported());
        for &run in ended.iter().filter(|key| **key != watch::DAEMON) {
            if let Some(frame) = self.children.adopted_ended(run, &self.watch) {
                self.tell(&frame);
            }
        }
        ended.contains(&watch::DAEMON).then(|| self.adopted_daemon_ended()).flatten()
    }

    fn adopted_daemon_ended(&mut self) -> Option<i32> {
        let pidfd = self.daemon.as_mut()?.pidfd.take()?;
        self.watch.remove(&pidfd);
        let pid = self.daemon.as_ref()?.pid;
        self.daemon_ended(upkeep_os::ended_status(&pidfd, pid))
    }

    /// Tells what is also in the inventory, except of a stranger: so strangers' ends are not piled up for a daemon that
    /// does not listen.
    fn child_ended(&mut self, ended: &Ended) {
        let frame = self.children.ended(ended, &self.watch);
        let behind = self.daemon.as_ref().is_some_and(Daemon::is_behind);
        if !(behind && matches!(frame, ToDaemon::Reaped { .. })) {
            self.tell(&frame);
        }
    }

    /// The daemon is gone: ends with it if it meant to, or if it never served; else another one is wanted.
    fn daemon_ended(&mut self, status: i32) -> Option<i32> {
        if let Some(daemon) = &mut self.daemon {
            daemon.ended();
        }
        self.receive();
        self.children.lend_nothing();
        let daemon = self.daemon.take()?;
        if let Some(quit) = self.quit {
            return Some(i32::from(quit));
        }
        if !self.ready {
            let code = if status & 0x7f == 0 { status >> 8 & 0xff } else { 1 };
            return Some(code);
        }
        if std::mem::take(&mut self.heir) {
            self.forget();
        }
        let now_ns = monotonic_ns();
        self.restarts.died(now_ns, now_ns.saturating_sub(daemon.since_ns), daemon.ready);
        self.replacements_daemon_ended(status);
        None
    }

    /// Lets go of what was handed over by half: the next daemon begins afresh, and finds the children by the run file.
    fn forget(&mut self) {
        self.children.forget();
        self.watch = Watch::default();
        self.hold = Hold::default();
    }
}
