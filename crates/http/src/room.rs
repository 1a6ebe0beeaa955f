//! Who has to leave when there is no place for one more client.
//!
//! Each client costs a descriptor, and children need descriptors too. So when the places are taken, whoever can best be
//! spared goes: first who has been answered and does not hang up, then who has kept the server waiting for longest,
//! then who does not take its answer, then who watches a log. A call that is being carried out is never broken off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::progress::{Progress, Spare};
use crate::stream::Stream;

/// So many clients are served whatever else needs descriptors.
pub(crate) const FEWEST: usize = 8;

/// What part of the descriptors the clients of one server may use, and from where on they are scarce.
const SHARE: usize = 8;

/// The descriptors of this process, as they are divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    limit: usize,
}

impl Descriptors {
    pub(crate) fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        Self { limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX) }
    }

    /// How many clients one server may have of those it would like to have.
    pub(crate) fn clients(self, wanted: usize) -> usize {
        wanted.min((self.limit / SHARE).max(FEWEST)).max(1)
    }

    /// Whether a descriptor of this number, the lowest that was free, shows that few are left.
    pub(crate) fn scarce(self, number: i32) -> bool {
        usize::try_from(number).is_ok_and(|number| number >= self.limit - self.limit / SHARE)
    }
}

/// Tells whoever waits for a place that somebody may be spared now.
#[derive(Debug, Default)]
pub(crate) struct Door {
    wanted: AtomicBool,
    moved: Notify,
}

impl Door {
    /// Whether somebody waits.
    pub(crate) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// A connection does something else than before.
    pub(crate) fn stir(&self) {
        if self.wanted.load(Ordering::Relaxed) {
            self.moved.notify_one();
        }
    }

    /// Waits for [`Self::stir`].
    pub(crate) async fn stirred(&self) {
        self.moved.notified().await;
    }
}

/// The clients of a server, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    all: Vec<(Weak<Stream>, Arc<Progress>)>,
}

impl Guests {
    pub(crate) fn add(&mut self, stream: &Arc<Stream>, progress: &Arc<Progress>) {
        self.all.retain(|(stream, _)| stream.strong_count() > 0);
        self.all.push((Arc::downgrade(stream), Arc::clone(progress)));
    }

    /// Sees to it that somebody leaves; `false` if nobody can be spared for now.
    pub(crate) fn make_room(&self) -> bool {
        if self.present().any(|(_, progress)| progress.is_leaving()) {
            return true;
        }
        let mut spares: Vec<(Spare, Instant, Arc<Stream>, &Progress)> =
            self.present().filter_map(|(stream, progress)| self.spare(stream, progress)).collect();
        spares.sort_by_key(|&(spare, since, ..)| (spare, since));
        // What a client has just sent may not have been read yet.
        let silent = |(spare, _, stream, _): &&(Spare, Instant, Arc<Stream>, &Progress)| {
            *spare != Spare::Waiting || !stream.has_input()
        };
        spares.iter().find(silent).map(|(.., progress)| progress.leave()).is_some()
    }

    fn present(&self) -> impl Iterator<Item = (Arc<Stream>, &Arc<Progress>)> {
        self.all.iter().filter_map(|(stream, progress)| Some((stream.upgrade()?, progress)))
    }

    /// The one who came last gets its chance: the others leave for it.
    fn spare<'a>(
        &self,
        stream: Arc<Stream>,
        progress: &'a Arc<Progress>,
    ) -> Option<(Spare, Instant, Arc<Stream>, &'a Progress)> {
        let last = self.all.last().is_some_and(|(_, last)| Arc::ptr_eq(last, progress));
        let (spare, since) = progress.spare().filter(|_| !last || progress.was_served())?;
        Some((spare, since, stream, progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_descriptors_to_children() {
        let rows = [(1024, 128, 128), (1024, 1000, 128), (65536, 128, 128), (32, 128, 8), (1024, 0, 1)];
        for (limit, wanted, clients) in rows {
            assert_eq!(Descriptors { limit }.clients(wanted), clients, "{limit} {wanted}");
        }
        let some = Descriptors { limit: 1024 };
        assert_eq!([895, 896].map(|number| some.scarce(number)), [false, true]);
        assert!(!Descriptors { limit: usize::MAX }.scarce(i32::MAX));
    }
}
