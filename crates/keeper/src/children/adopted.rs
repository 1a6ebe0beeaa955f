//! Children that an earlier keeper made: not ours by parentage, so their ends are learnt by descriptors of their processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use upkeep_os::monotonic_ns;

use super::{Child, Children, Pipes};
use crate::estate::{ChildPart, own_some};
use crate::watch::Watch;
use crate::wire::{Exit, ToDaemon};

/// A child that an earlier keeper made.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) pid: u32,
    pub(crate) start_ns: u64,
    pub(crate) exit: Option<Exit>,
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) pipes: Pipes,
}

/// The end of a process that nobody saw.
fn ended_with(status: i32) -> Exit {
    Exit { status, at_ns: monotonic_ns(), utime_us: 0, stime_us: 0, maxrss_kib: 0 }
}

impl Children {
    /// Takes care of a child that an earlier keeper made; returns what to tell the daemon if it has ended meanwhile.
    pub(crate) fn adopt(&mut self, run: u64, adopted: Adopted, watch: &mut Watch) -> Option<ToDaemon> {
        let Adopted { pid, start_ns, exit, pidfd, pipes } = adopted;
        let is_gone = exit.is_none() && pidfd.is_none();
        if exit.is_none()
            && let Some(pidfd) = &pidfd
            && watch.add(run, pidfd).is_err()
        {
            self.unreported.push(run);
        }
        let child = Child { pid, start_ns, pipes, exit, pidfd };
        self.by_run.insert(run, Box::new(child));
        if is_gone { self.adopted_ended(run, watch) } else { None }
    }

    /// A child that is not our own has ended; returns what to tell the daemon.
    pub(crate) fn adopted_ended(&mut self, run: u64, watch: &Watch) -> Option<ToDaemon> {
        let child = self.by_run.get_mut(&run).filter(|child| child.exit.is_none())?;
        let mut status = upkeep_os::UNKNOWN_STATUS;
        if let Some(pidfd) = child.pidfd.take() {
            watch.remove(&pidfd);
            status = upkeep_os::ended_status(&pidfd, child.pid);
        }
        let exit = ended_with(status);
        child.exit = Some(exit);
        child.pipes.stdin = None;
        Some(ToDaemon::Exited { run, pid: child.pid, exit })
    }

    /// The processes whose ends nobody reports: whoever waits for something looks at them too.
    pub(crate) fn unreported(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.unreported.iter().filter_map(|run| self.by_run.get(run)?.pidfd.as_ref()).map(AsFd::as_fd)
    }

    /// Those of them that have ended.
    pub(crate) fn ended_unreported(&mut self) -> Vec<u64> {
        let by_run = &self.by_run;
        let pidfd = |run: &u64| by_run.get(run).and_then(|child| child.pidfd.as_ref());
        self.unreported.retain(|run| pidfd(run).is_some());
        self.unreported.iter().copied().filter(|run| pidfd(run).is_some_and(has_ended)).collect()
    }

    /// As an earlier keeper left it; also the ends that were seen meanwhile.
    ///
    /// # Errors
    /// A descriptor did not come.
    pub(crate) fn take_over(
        &mut self,
        parts: Vec<ChildPart>,
        watch: &mut Watch,
    ) -> io::Result<Vec<ToDaemon>> {
        let mut ends = Vec::new();
        for part in parts {
            let owned = |fd| Ok::<_, io::Error>(own_some(fd)?.map(Arc::new));
            let pipes =
                Pipes { stdin: owned(part.stdin)?, stdout: owned(part.stdout)?, stderr: owned(part.stderr)? };
            let ChildPart { run, pid, start_ns, exit, .. } = part;
            match own_some(part.pidfd)? {
                None => {
                    self.by_pid.extend(exit.is_none().then_some((pid, run)));
                    let child = Child { pid, start_ns, pipes, exit, pidfd: None };
                    self.by_run.insert(run, Box::new(child));
                }
                pidfd => ends.extend(self.adopt(run, Adopted { pid, start_ns, exit, pidfd, pipes }, watch)),
            }
        }
        Ok(ends)
    }

    /// The run of an adopted child that has ended and was reaped here: as process 1 a keeper is the parent of all whose own
    /// is gone. Nobody else can tell then what it ended with.
    pub(super) fn fallen_to_us(&mut self, pid: u32, watch: &Watch) -> Option<u64> {
        let is_it = |child: &Child| child.pid == pid && child.exit.is_none();
        let (&run, child) = self.by_run.iter_mut().find(|(_, child)| is_it(child))?;
        watch.remove(child.pidfd.take()?);
        Some(run)
    }
}

/// A descriptor of a process can be read when that has ended (pidfd_open(2)). A look that fails is repeated with the next turn.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn one_whose_end_nobody_reports_lives_until_it_ends() {
        let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pidfd = upkeep_os::pidfd(process.id()).unwrap();
        let mut watch = Watch::default();
        // What is watched already cannot be watched under another key.
        watch.add(7, &pidfd).unwrap();
        let mut children = Children::default();
        let adopted = Adopted {
            pid: process.id(),
            start_ns: 1,
            exit: None,
            pidfd: Some(pidfd),
            pipes: Pipes::default(),
        };
        assert_eq!(children.adopt(1, adopted, &mut watch), None);
        assert_eq!((children.signal(1, 0, false), children.unreported().count()), (0, 1));
        assert!(children.ended_unreported().is_empty());
        drop(process.stdin.take());
        process.wait().unwrap();
        assert_eq!(children.ended_unreported(), [1]);
        assert!(matches!(children.adopted_ended(1, &watch), Some(ToDaemon::Exited { run: 1, .. })));
        assert!(children.ended_unreported().is_empty());
        assert_eq!(children.unreported().count(), 0);
    }
}
