//! Descriptors of this process that starts may not use up.
//!
//! A daemon that had none left could neither take in the pipes of the next child, nor a client's connection, nor read a
//! log. So each start promises its pipes beforehand, and fails as one that has no descriptor while some are still free.
//!
//! The kernel's table of them is made large before there is a second thread. When one grows that threads share, Linux
//! waits until no processor looks at the old one any more, which takes some 8 ms each time it doubles: six times on the way
//! to 1,000 processes.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, getrlimit};
use upkeep_logs::Level;

use crate::shell::Shell;

/// Descriptors that starts leave free.
const SPARE: u64 = 16;
/// What a child takes: its pipes and its pidfd.
const OF_A_CHILD: u64 = 4;

/// What a process may take in all: a child and its two logs.
const OF_A_PROCESS: u64 = OF_A_CHILD + 2;
/// What the daemon takes for itself and its clients.
const OF_THE_DAEMON: u64 = 250;

/// Makes the table large enough for this many processes, as far as the limit goes.
pub(crate) fn make_room(processes: usize) {
    let wanted = u64::try_from(processes).unwrap_or(u64::MAX).saturating_mul(OF_A_PROCESS) + OF_THE_DAEMON;
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let highest = i32::try_from(wanted.min(limit).saturating_sub(1)).unwrap_or(i32::MAX);
    // Without room it grows when it must, which only takes longer.
    let _ = fcntl_dupfd_cloexec(io::stdin(), highest);
}

/// A descriptor that could be done without is given back if it would be one of the last quarter once all that was promised has
/// come: those are for what children and clients cannot do without.
pub(crate) fn unless_scarce(fd: OwnedFd) -> Option<OwnedFd> {
    let wanted = u64::try_from(fd.as_raw_fd()).unwrap_or(0) + PROMISED.load(Ordering::Relaxed);
    let plenty = getrlimit(Resource::Nofile).current.is_none_or(|limit| wanted < limit / 4 * 3);
    plenty.then_some(fd)
}

/// Descriptors that were promised and have not come.
static PROMISED: AtomicU64 = AtomicU64::new(0);

/// Room for the pipes of one child, so many; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Promise(u64);

impl Promise {
    /// Once the logs of a start are open.
    ///
    /// # Errors
    /// EMFILE: there would be too few descriptors left.
    pub(crate) fn of_pipes(pipes: u64) -> io::Result<Self> {
        let promised = PROMISED.fetch_add(pipes, Ordering::Relaxed) + pipes;
        let promise = Self(pipes);
        // Descriptors are given out from below: the number of a new one tells how many are in use.
        let used = u64::try_from(File::open("/dev/null")?.as_raw_fd()).unwrap_or(0);
        match getrlimit(Resource::Nofile).current {
            Some(limit) if used + promised + SPARE > limit => Err(Errno::MFILE.into()),
            Some(_) | None => Ok(promise),
        }
    }
}

/// What is to be done when programs do not start for want of descriptors.
fn advice(minfds: i64, own: u64) -> String {
    format!(
        "no descriptors are left for more programs; those that run are not affected. Each program takes 1 to 3 of minfds \
         (now {minfds}), and 1 to 6 of the hard limit (`ulimit -Hn`, now {own}): raise the one that is used up"
    )
}

impl Shell {
    /// Says once what the words of Supervisor leave open.
    pub(crate) fn advise_about_descriptors(&mut self) {
        if std::mem::replace(&mut self.advised, true) {
            return;
        }
        let own = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.log(Level::Warn, advice(self.settings().minfds, own));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_descriptors_has_room_for_all_processes_at_once() {
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        make_room(200);
        let wanted = 200 * OF_A_PROCESS + OF_THE_DAEMON;
        assert!(size() >= wanted.min(limit), "{} for {wanted} of {limit}", size());
    }

    #[test]
    fn both_limits_are_named_with_what_they_are_now() {
        let text = advice(1024, 20_000);
        assert!(text.contains("minfds (now 1024)") && text.contains("`ulimit -Hn`, now 20000"), "{text}");
    }
}
