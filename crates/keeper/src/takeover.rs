//! What a keeper takes over from the one before it, and leaves for the next.

use std::io;

use crate::daemon::Daemon;
use crate::estate::Estate;
use crate::hold::Hold;
use crate::replace::Outcome;
use crate::run::Keeper;
use crate::unseen::Unseen;
use crate::watch;

impl Keeper {
    /// Goes on where an earlier keeper stopped.
    pub(crate) fn take_over(&mut self, estate: Estate) -> io::Result<()> {
        let Estate {
            generation,
            ready,
            detached,
            greet,
            unseen,
            daemon,
            records,
            held,
            children,
            replaced,
            lent,
        } = estate;
        (self.generation, self.ready, self.detached) = (generation, ready, detached);
        self.unseen = Unseen::from_pairs(&unseen);
        self.hold = Hold::take_over(records, held)?;
        let ends = self.children.take_over(children, &mut self.watch)?;
        self.children.take_over_lent(lent)?;
        if let Some(part) = daemon {
            let daemon = Daemon::take_over(&part)?;
            if let Some(pidfd) = &daemon.pidfd {
                self.watch.add(watch::DAEMON, pidfd)?;
            }
            self.daemon = Some(daemon);
            self.restarts.none();
        }
        self.heir = greet;
        if greet {
            self.tell_all();
        }
        ends.iter().for_each(|end| self.tell(end));
        if let Some((token, failure)) = replaced {
            self.report(Outcome { token, failure });
        }
        Ok(())
    }

    /// For the next keeper; without a daemon as long as something is on its way between that and the keeper.
    pub(crate) fn estate(&self) -> Estate {
        Estate {
            generation: self.generation,
            ready: self.ready,
            detached: self.detached,
            greet: false,
            unseen: self.unseen.pairs(),
            daemon: self.daemon.as_ref().and_then(Daemon::part),
            records: self.hold.records(),
            held: self.hold.numbers(),
            children: self.children.parts(),
            replaced: self.replaced.as_ref().map(|last| (last.token, last.failure.clone())),
            lent: self.children.lent_part(),
        }
    }
}
