//! The children: made, signalled, reaped, and remembered until the daemon releases them.

mod adopted;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getrlimit};
use upkeep_os::spawn::{Identity, Nursery, Plan, Program, Stdio, Unrestrained};
use upkeep_os::{Ended, monotonic_ns};

use crate::estate::{ChildPart, LentPart, own};
use crate::watch::Watch;
use crate::wire::{Exit, SpawnPlan, SpawnStep, StdinPlan, ToDaemon, UserPlan};

pub(crate) use adopted::Adopted;

/// A frame for the daemon, and the descriptors that go with it.
pub(crate) type Told = (ToDaemon, Vec<Arc<OwnedFd>>);

/// Our ends of a child's pipes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<Arc<OwnedFd>>,
    pub(crate) stdout: Option<Arc<OwnedFd>>,
    pub(crate) stderr: Option<Arc<OwnedFd>>,
}

impl Pipes {
    /// Those that are there, in the order in which they are sent.
    pub(crate) fn all(&self) -> Vec<Arc<OwnedFd>> {
        [&self.stdin, &self.stdout, &self.stderr].into_iter().flatten().cloned().collect()
    }
}

#[derive(Debug)]
struct Child {
    pid: u32,
    start_ns: u64,
    pipes: Pipes,
    exit: Option<Exit>,
    /// The process, if an earlier keeper made it: it is not our child then.
    pidfd: Option<OwnedFd>,
}

/// Every child that was not released.
#[derive(Debug, Default)]
pub(crate) struct Children {
    /// In boxes, since half of a tree's room may be free.
    by_run: BTreeMap<u64, Box<Child>>,
    /// Our own, as long as they live. A table by hashes would be twice as large as it was at first when as many have come and gone as
    /// had room in it.
    by_pid: BTreeMap<u32, u64>,
    /// Where they are made; there from the start, or from the first one on.
    nursery: Option<Nursery>,
    /// For the next child, if it is of that number.
    lent: Option<Box<Lent>>,
    /// The child that was to get one that did not come.
    not_lent: Option<u64>,
    /// Adopted ones whose ends nobody reports: there were no descriptors, or no memory, for that.
    unreported: Vec<u64>,
}

/// A descriptor that a child gets besides its standard ones.
#[derive(Debug)]
struct Lent {
    run: u64,
    number: i32,
    fd: OwnedFd,
}

/// The child's ends, closed here once it has them.
struct ChildEnds {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
}

impl Children {
    /// Makes a child, which writes itself down in the register if there is one; returns what to tell the daemon, with its
    /// ends of the pipes.
    pub(crate) fn start(
        &mut self,
        run: u64,
        plan: SpawnPlan,
        attached: Option<OwnedFd>,
        register: Option<Arc<OwnedFd>>,
    ) -> Told {
        self.try_start(run, plan, attached, register).unwrap_or_else(|(step, error)| {
            let errno = error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error());
            (ToDaemon::SpawnFailed { run, errno, step }, Vec::new())
        })
    }

    fn try_start(
        &mut self,
        run: u64,
        plan: SpawnPlan,
        attached: Option<OwnedFd>,
        register: Option<Arc<OwnedFd>>,
    ) -> Result<Told, (SpawnStep, io::Error)> {
        let lent = self.lent.take().filter(|lent| lent.run == run);
        if self.not_lent.take() == Some(run) {
            return Err((SpawnStep::Pipe, rustix::io::Errno::MFILE.into()));
        }
        // A second one of this number would make the first one nobody's.
        if self.by_run.contains_key(&run) {
            return Err((SpawnStep::Fork, rustix::io::Errno::EXIST.into()));
        }
        let (pipes, ends) = make_pipes(&plan, attached).map_err(|error| (SpawnStep::Pipe, error))?;
        let mut plan = Plan::new(program_of(plan)).map_err(|error| (SpawnStep::Fork, error))?;
        plan.register(register, run);
        let stdio = Stdio {
            stdin: ends.stdin.as_fd(),
            stdout: ends.stdout.as_fd(),
            stderr: ends.stderr.as_ref().map(AsFd::as_fd),
            more: lent.as_ref().map(|lent| (lent.fd.as_fd(), lent.number)),
        };
        let start_ns = monotonic_ns();
        let pid = self.nursery().and_then(|nursery| nursery.spawn(plan, stdio));
        let pid = pid.map_err(not_made)?;
        let fds = pipes.all();
        self.by_pid.insert(pid, run);
        let child = Child { pid, start_ns, pipes, exit: None, pidfd: None };
        self.by_run.insert(run, Box::new(child));
        Ok((ToDaemon::Spawned { run, pid, at_ns: start_ns }, fds))
    }

    /// Keeps a descriptor for the next child; a standard one it has already. Without the descriptor, for which there was no room,
    /// that child cannot be made.
    pub(crate) fn lend(&mut self, run: u64, number: i32, fd: Option<OwnedFd>) {
        self.not_lent = fd.is_none().then_some(run);
        self.lent = fd.filter(|_| number > 2).map(|fd| Box::new(Lent { run, number, fd }));
    }

    /// The daemon that has lent something will not ask for the child any more.
    pub(crate) fn lend_nothing(&mut self) {
        self.lent = None;
        self.not_lent = None;
    }

    /// For the next keeper: what was lent for a child that is still to be asked for.
    pub(crate) fn lent_part(&self) -> Option<LentPart> {
        let Lent { run, number, fd } = self.lent.as_deref()?;
        Some(LentPart { run: *run, number: *number, fd: fd.as_raw_fd() })
    }

    /// As an earlier keeper left it.
    ///
    /// # Errors
    /// The descriptor did not come.
    pub(crate) fn take_over_lent(&mut self, part: Option<LentPart>) -> io::Result<()> {
        if let Some(LentPart { run, number, fd }) = part {
            self.lend(run, number, Some(own(fd)?));
        }
        Ok(())
    }

    /// Where children are made.
    pub(crate) fn nursery(&mut self) -> io::Result<&mut Nursery> {
        match &mut self.nursery {
            Some(nursery) => Ok(nursery),
            none => Ok(none.insert(Nursery::new()?)),
        }
    }

    /// Sends a signal while the child is not reaped, so that no other process can have its pid; returns errno or 0.
    pub(crate) fn signal(&self, run: u64, signo: i32, group: bool) -> i32 {
        let gone = rustix::io::Errno::SRCH.raw_os_error();
        match self.by_run.get(&run) {
            Some(child) if child.exit.is_none() => match child.signal(signo, group) {
                Ok(()) => 0,
                Err(error) => error.raw_os_error().unwrap_or(gone),
            },
            Some(_) | None => gone,
        }
    }

    /// For the next keeper.
    pub(crate) fn parts(&self) -> Vec<ChildPart> {
        self.by_run.iter().map(|(&run, child)| child.part(run)).collect()
    }

    /// Lets go of all.
    pub(crate) fn forget(&mut self) {
        self.by_run.clear();
        self.by_pid.clear();
        self.unreported.clear();
    }

    /// Notes that a child has ended; returns what to tell the daemon.
    pub(crate) fn ended(&mut self, ended: &Ended, watch: &Watch) -> ToDaemon {
        let run = self.by_pid.remove(&ended.pid).or_else(|| self.fallen_to_us(ended.pid, watch));
        match run.and_then(|run| Some((run, self.by_run.get_mut(&run)?))) {
            None => ToDaemon::Reaped { pid: ended.pid, status: ended.status },
            Some((run, child)) => {
                let exit = Exit {
                    status: ended.status,
                    at_ns: monotonic_ns(),
                    utime_us: ended.utime_us,
                    stime_us: ended.stime_us,
                    maxrss_kib: ended.maxrss_kib,
                };
                child.exit = Some(exit);
                child.pipes.stdin = None;
                ToDaemon::Exited { run, pid: ended.pid, exit }
            }
        }
    }

    /// Forgets a child whose exit is handled. One that still lives is not forgotten.
    pub(crate) fn release(&mut self, run: u64) {
        if self.by_run.get(&run).is_some_and(|child| child.exit.is_some()) {
            self.by_run.remove(&run);
        }
    }

    /// Lets go of a child's standard input.
    pub(crate) fn close_stdin(&mut self, run: u64) {
        if let Some(child) = self.by_run.get_mut(&run) {
            child.pipes.stdin = None;
        }
    }

    /// The inventory of all children.
    pub(crate) fn inventory(&self) -> impl Iterator<Item = Told> {
        self.by_run.iter().map(|(&run, child)| {
            let frame = ToDaemon::Child {
                run,
                pid: child.pid,
                start_ns: child.start_ns,
                exited: child.exit,
                has_stdin: child.pipes.stdin.is_some(),
                has_stdout: child.pipes.stdout.is_some(),
                has_stderr: child.pipes.stderr.is_some(),
            };
            (frame, child.pipes.all())
        })
    }
}

impl Child {
    fn signal(&self, signo: i32, group: bool) -> io::Result<()> {
        match &self.pidfd {
            Some(pidfd) => upkeep_os::kill_pidfd(pidfd, self.pid, signo, group),
            None => upkeep_os::kill_child(self.pid, signo, group),
        }
    }

    fn part(&self, run: u64) -> ChildPart {
        let number = |fd: &Option<Arc<OwnedFd>>| fd.as_ref().map(|fd| fd.as_raw_fd());
        ChildPart {
            run,
            pid: self.pid,
            start_ns: self.start_ns,
            exit: self.exit,
            stdin: number(&self.pipes.stdin),
            stdout: number(&self.pipes.stdout),
            stderr: number(&self.pipes.stderr),
            pidfd: self.pidfd.as_ref().map(AsRawFd::as_raw_fd),
        }
    }
}

/// The step that failed, and why.
fn not_made(error: io::Error) -> (SpawnStep, io::Error) {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Unrestrained>()) {
        Some(Unrestrained { key, code }) => {
            (SpawnStep::Restrain(key.clone().into_bytes()), io::Error::from_raw_os_error(*code))
        }
        None => (SpawnStep::Fork, error),
    }
}

/// Descriptors that children leave free: for what the daemon gives to hold, and for the next daemon's socket. A keeper that
/// had given them all to children could not get another daemon.
const SPARE: u64 = 16;

/// Fails where the next child would have to live on the spare ones.
fn leave_spare(fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let highest = fds.iter().filter_map(|fd| u64::try_from(fd.as_raw_fd()).ok()).max().unwrap_or(0);
    match getrlimit(Resource::Nofile).current {
        Some(limit) if highest.saturating_add(SPARE) >= limit => Err(rustix::io::Errno::MFILE.into()),
        Some(_) | None => Ok(()),
    }
}

fn make_pipes(plan: &SpawnPlan, attached: Option<OwnedFd>) -> io::Result<(Pipes, ChildEnds)> {
    let mut pipes = Pipes::default();
    let stdin = match plan.stdin {
        StdinPlan::Pipe => {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            pipes.stdin = Some(Arc::new(write));
            read
        }
        StdinPlan::Null => File::open("/dev/null")?.into(),
        StdinPlan::Attached => attached.ok_or(rustix::io::Errno::MFILE)?,
    };
    let (read, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    pipes.stdout = Some(Arc::new(read));
    let mut stderr = None;
    if !plan.stderr_to_stdout {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        pipes.stderr = Some(Arc::new(read));
        stderr = Some(write);
    }
    leave_spare(&[stdin.as_fd(), stdout.as_fd(), stderr.as_ref().map_or(stdout.as_fd(), AsFd::as_fd)])?;
    Ok((pipes, ChildEnds { stdin, stdout, stderr }))
}

fn program_of(plan: SpawnPlan) -> Program {
    Program {
        path: plan.path,
        argv: plan.argv,
        env: plan.env,
        cwd: plan.cwd,
        umask: plan.umask,
        identity: match plan.user {
            UserPlan::Keep => Identity::Keep,
            UserPlan::Switch { uid, gid, groups } => Identity::Switch { uid, gid, groups },
            UserPlan::Refuse { uid, reason } => {
                Identity::Refuse { uid, reason: String::from_utf8_lossy(&reason).into_owned() }
            }
        },
        restraints: plan.restraints,
    }
}

#[cfg(test)]
mod tests {
    use upkeep_os::Strings;

    use super::*;

    #[test]
    fn a_pid_that_was_reaped_is_not_signalled_whoever_has_it_now() {
        const ESRCH: i32 = 3;
        let plan = SpawnPlan {
            path: b"/bin/sh".to_vec(),
            argv: [b"sh".as_slice(), b"-c", b"read line"].map(<[u8]>::to_vec).to_vec(),
            env: Strings::default(),
            cwd: None,
            umask: None,
            user: UserPlan::Keep,
            stdin: StdinPlan::Pipe,
            stderr_to_stdout: true,
            restraints: Vec::new(),
        };
        let mut children = Children::default();
        let (ToDaemon::Spawned { pid, .. }, pipes) = children.start(1, plan, None, None) else {
            panic!("not spawned")
        };
        assert_eq!(children.signal(1, 0, false), 0);
        // The process lives on: to the table it is somebody who got the pid of the child that ended.
        children.ended(&Ended { pid, status: 0, utime_us: 0, stime_us: 0, maxrss_kib: 0 }, &Watch::default());
        assert_eq!((children.signal(1, 0, false), children.signal(1, 0, true)), (ESRCH, ESRCH));
        assert!(upkeep_os::kill_child(pid, 0, true).is_ok());
        drop(pipes);
        children.release(1);
        assert_eq!(upkeep_os::wait_child(pid).unwrap(), 1 << 8, "the shell read the end of its input");
    }
    #[test]
    fn an_adopted_child_that_fell_to_this_process_has_the_end_that_was_reaped() {
        let mut process = std::process::Command::new("/bin/sh").args(["-c", "exit 7"]).spawn().unwrap();
        let pid = process.id();
        let (mut children, mut watch) = (Children::default(), Watch::default());
        let pidfd = Some(upkeep_os::pidfd(pid).unwrap());
        let adopted = Adopted { pid, start_ns: 0, exit: None, pidfd, pipes: Pipes::default() };
        assert_eq!(children.adopt(1, adopted, &mut watch), None);
        process.wait().unwrap();
        let ended = Ended { pid, status: 7 << 8, utime_us: 1, stime_us: 2, maxrss_kib: 3 };
        match children.ended(&ended, &watch) {
            ToDaemon::Exited { run: 1, exit, .. } => {
                assert_eq!((exit.status, exit.maxrss_kib), (7 << 8, 3));
            }
            other => panic!("a stranger: {other:?}"),
        }
        assert_eq!(watch.ended(), [] as [u64; 0], "it is told once");
    }
}
