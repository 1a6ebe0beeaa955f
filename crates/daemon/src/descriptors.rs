//! Descriptors of this process that starts may not use up.
//!
//! A daemon that had none left could neither take in the pipes of the next child, nor a client's connection, nor read a
//! log. So each start promises its pipes beforehand, and fails as one that has no descriptor while some are still free.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit};

/// Descriptors that starts leave free.
const SPARE: u64 = 16;
/// What a child takes: its pipes and its pidfd.
const OF_A_CHILD: u64 = 4;

/// Descriptors that were promised and have not come.
static PROMISED: AtomicU64 = AtomicU64::new(0);

/// Room for the pipes of one child; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Promise(());

impl Promise {
    /// Once the logs of a start are open.
    ///
    /// # Errors
    /// EMFILE: there would be too few descriptors left.
    pub(crate) fn of_pipes() -> io::Result<Self> {
        let promised = PROMISED.fetch_add(OF_A_CHILD, Ordering::Relaxed) + OF_A_CHILD;
        let promise = Self(());
        // Descriptors are given out from below: the number of a new one tells how many are in use.
        let used = u64::try_from(File::open("/dev/null")?.as_raw_fd()).unwrap_or(0);
        match getrlimit(Resource::Nofile).current {
            Some(limit) if used + promised + SPARE > limit => Err(rustix::io::Errno::MFILE.into()),
            Some(_) | None => Ok(promise),
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.fetch_sub(OF_A_CHILD, Ordering::Relaxed);
    }
}
