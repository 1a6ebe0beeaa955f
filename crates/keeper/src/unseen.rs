//! Signals on their way to a daemon: none is lost with one that dies, and none is told twice without cause.

/// Signals that no daemon has said to have seen, in the order they came.
///
/// Like the kernel's pending signals they are no queue: while one of a kind is on its way, any number of others of that
/// kind are one more (PROC-237). That one is kept, since the daemon may have dealt with the first already.
#[derive(Debug, Default)]
pub(crate) struct Unseen(Vec<Pending>);

#[derive(Debug)]
struct Pending {
    signo: i32,
    /// It came again since it was told.
    again: bool,
}

impl Unseen {
    /// A signal came; whether to tell it now.
    pub(crate) fn came(&mut self, signo: i32) -> bool {
        if let Some(pending) = self.0.iter_mut().find(|pending| pending.signo == signo) {
            pending.again = true;
            return false;
        }
        self.0.push(Pending { signo, again: false });
        true
    }

    /// The daemon saw a signal; whether to tell it again.
    pub(crate) fn seen(&mut self, signo: i32) -> bool {
        let again = self.0.iter().any(|pending| pending.signo == signo && pending.again);
        self.0.retain(|pending| pending.signo != signo);
        again && self.came(signo)
    }

    /// As it stands, for the next keeper: signals, and whether each came again since it was told.
    pub(crate) fn pairs(&self) -> Vec<(i32, bool)> {
        self.0.iter().map(|pending| (pending.signo, pending.again)).collect()
    }

    /// As an earlier keeper left it.
    pub(crate) fn from_pairs(pairs: &[(i32, bool)]) -> Self {
        Self(pairs.iter().map(|&(signo, again)| Pending { signo, again }).collect())
    }

    /// What to tell a new daemon.
    pub(crate) fn for_new_daemon(&mut self) -> impl Iterator<Item = i32> {
        self.0.iter_mut().map(|pending| {
            pending.again = false;
            pending.signo
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUP: i32 = 1;
    const TERM: i32 = 15;

    #[test]
    fn signals_are_told_once_until_seen_and_once_more_if_they_came_again() {
        let mut unseen = Unseen::default();
        assert!(unseen.came(TERM));
        assert!(!unseen.came(TERM) && !unseen.came(TERM), "it is on its way");
        assert!(unseen.came(HUP));
        assert!(unseen.seen(TERM), "it came again");
        assert!(!unseen.seen(TERM), "the others were one");
        assert!(!unseen.seen(TERM), "nobody has sent it");
        assert!(unseen.came(TERM));
        assert!(!unseen.came(TERM));
        assert_eq!(unseen.for_new_daemon().collect::<Vec<_>>(), [HUP, TERM]);
        assert!(!unseen.seen(HUP) && !unseen.seen(TERM), "the new daemon knows of all");
        assert_eq!(unseen.for_new_daemon().count(), 0);
    }
}
