//! The daemon as the keeper sees it: a process and a socket; and how soon another one is started when it dies.

use std::ffi::OsString;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use upkeep_os::monotonic_ns;

use crate::estate::{DaemonPart, own, own_some};
use crate::launch::{BootContent, LINK, OPEN_FILES, STDERR, naming, save_memory};
use crate::wire::{Incoming, Outgoing, ToDaemon, ToKeeper};

/// Bytes waiting for a daemon above which nothing more is read from it, so that what it is told in answer to its requests
/// stays bounded. The inventory may be larger.
const BACKLOG: usize = 1 << 20;
/// Time for a daemon that has closed its socket to end by itself.
const GRACE_NS: u64 = 2_000_000_000;
const KILL: i32 = 9;

/// A daemon that was started.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) pid: u32,
    pub(crate) since_ns: u64,
    /// The process, if an earlier keeper is its parent.
    pub(crate) pidfd: Option<OwnedFd>,
    /// It serves.
    pub(crate) ready: bool,
    /// It has been reaped: its pid may be somebody else's by now.
    reaped: bool,
    /// `None` once it closed its end or spoke nonsense.
    socket: Option<UnixStream>,
    /// It cannot be told anything any more; what it said before can still be received.
    deaf: bool,
    /// It has said that it ends on purpose.
    leaving: bool,
    /// It does not speak with its keeper any more: when it is made to end, unless it does so by itself.
    overdue_at: Option<u64>,
    incoming: Incoming,
    outgoing: Outgoing,
}

impl Daemon {
    /// Starts one. It finds its end of the socket by the environment. With `words`, what it says on standard error is
    /// written there until it serves.
    ///
    /// # Errors
    /// No socket or no process could be had.
    pub(crate) fn start(
        boot: &BootContent,
        executable: BorrowedFd<'_>,
        words: Option<BorrowedFd<'_>>,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let Some(pid) = upkeep_os::fork_child()? else {
            let error = become_daemon(boot, executable, theirs.into(), words);
            complain(&format!("the daemon cannot be executed: {error}"));
            std::process::exit(1);
        };
        Ok(Self::new(pid, monotonic_ns(), ours))
    }

    fn new(pid: u32, since_ns: u64, socket: UnixStream) -> Self {
        Self {
            pid,
            since_ns,
            pidfd: None,
            ready: false,
            reaped: false,
            socket: Some(socket),
            deaf: false,
            leaving: false,
            overdue_at: None,
            incoming: Incoming::lenient(),
            outgoing: Outgoing::together(),
        }
    }

    /// One that an earlier keeper, or none, has started.
    ///
    /// # Errors
    /// Its descriptors did not come.
    pub(crate) fn take_over(part: &DaemonPart) -> io::Result<Self> {
        let socket = UnixStream::from(own(part.socket)?);
        let pidfd = own_some(part.pidfd)?;
        Ok(Self { pidfd, ready: true, ..Self::new(part.pid, part.since_ns, socket) })
    }

    /// For the next keeper; `None` if something is on its way between the two, or the daemon has hung up.
    pub(crate) fn part(&self) -> Option<DaemonPart> {
        let quiet = self.outgoing.is_empty() && self.incoming.is_empty() && !self.deaf && !self.reaped;
        let socket = self.socket.as_ref().filter(|_| quiet && self.overdue_at.is_none())?;
        let (socket, pidfd) = (socket.as_raw_fd(), self.pidfd.as_ref().map(AsRawFd::as_raw_fd));
        Some(DaemonPart { pid: self.pid, since_ns: self.since_ns, socket, pidfd })
    }

    /// The socket, if it is of any use.
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Something waits for room in the socket.
    pub(crate) fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// It has not taken what it was told, so nothing more is done for it before it has.
    pub(crate) fn is_behind(&self) -> bool {
        self.outgoing.len() > BACKLOG && self.socket.is_some() && !self.reaped
    }

    /// Queues a frame. One that nobody can take is dropped: what matters is in the next daemon's inventory.
    pub(crate) fn tell(&mut self, frame: &ToDaemon, fds: Vec<Arc<OwnedFd>>) {
        if self.deaf || self.socket.is_none() {
            return;
        }
        if let Err(error) = self.outgoing.push(frame, fds) {
            complain(&format!("the daemon cannot be told something: {error}"));
        }
    }

    /// Sends as much as the socket takes.
    pub(crate) fn send(&mut self) {
        let Some(socket) = &self.socket else { return };
        if self.outgoing.flush(socket.as_fd()).is_err() {
            self.deaf = true;
            self.outgoing = Outgoing::default();
            self.expect_end(GRACE_NS);
        }
    }

    /// The next frame that has come, with its descriptors.
    pub(crate) fn receive(&mut self) -> Option<(ToKeeper, Vec<OwnedFd>)> {
        loop {
            let socket = self.socket.as_ref()?;
            match self.incoming.take() {
                Ok(Some(frame)) => return Some(frame),
                Ok(None) => match self.incoming.fill(socket.as_fd()) {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(_) => self.hang_up(GRACE_NS),
                },
                Err(error) => {
                    complain(&format!("the daemon sent {error}: another one is started"));
                    self.hang_up(0);
                }
            }
        }
    }

    /// It has ended: what it sent before can still be received.
    pub(crate) fn ended(&mut self) {
        self.reaped = true;
    }

    /// It ends on purpose, and may take its time.
    pub(crate) fn leaves(&mut self) {
        self.leaving = true;
    }

    /// It cannot be told that something did not arrive.
    pub(crate) fn misunderstood(&mut self, what: &str) {
        complain(&format!("{what}: another daemon is started"));
        self.hang_up(0);
    }

    fn hang_up(&mut self, grace_ns: u64) {
        self.socket = None;
        self.expect_end(grace_ns);
    }

    /// A daemon that does not speak with its keeper is of no use. One that ends closes its socket first, and may have a
    /// last word to say elsewhere.
    fn expect_end(&mut self, grace_ns: u64) {
        let at = monotonic_ns().saturating_add(grace_ns);
        self.overdue_at = Some(self.overdue_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Nanoseconds for which it is left alone; `None` for one that is welcome.
    pub(crate) fn patience_ns(&self, now_ns: u64) -> Option<u64> {
        self.overdue_at.filter(|_| !self.leaving).map(|at| at.saturating_sub(now_ns))
    }

    /// It should have ended by itself.
    pub(crate) fn is_overdue(&self, now_ns: u64) -> bool {
        self.patience_ns(now_ns) == Some(0) && !self.reaped
    }

    /// Ends it if it should have ended by itself.
    pub(crate) fn end_if_overdue(&mut self, now_ns: u64) {
        if self.is_overdue(now_ns) {
            self.overdue_at = None;
            self.kill();
        }
    }

    /// Ends it at once. If it has just ended, this reaches nobody: its pid is free only once it is reaped.
    pub(crate) fn kill(&self) {
        let _ = match &self.pidfd {
            Some(pidfd) => upkeep_os::kill_pidfd(pidfd, self.pid, KILL, false),
            None => upkeep_os::kill_child(self.pid, KILL, false),
        };
    }
}

/// The forked process's way to the daemon; returns only if that fails.
fn become_daemon(
    boot: &BootContent,
    executable: BorrowedFd<'_>,
    socket: OwnedFd,
    words: Option<BorrowedFd<'_>>,
) -> io::Error {
    let mut env = boot.env.clone();
    // Ignored from the first moment on, so that a Ctrl-C ends no daemon that has not yet come to ignoring it itself.
    let ready = upkeep_os::ignore_control_signals()
        .and_then(|()| upkeep_os::unblock_signals())
        .and_then(|()| upkeep_os::set_cloexec(&socket, false));
    if let Err(error) = ready {
        return error;
    }
    if let Some(words) = words {
        match keep_stderr(words) {
            Ok(kept) => env.push(naming(STDERR, &*kept)),
            Err(error) => return error,
        }
    }
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    env.push(OsString::from(format!("{OPEN_FILES}={limit}")));
    // It holds every pipe that the keeper holds, and logs besides; the limit that children inherit is the keeper's
    // (PROC-077). Without it things go on as long as they can.
    let _ = upkeep_os::raise_open_files_to_hard();
    env.push(naming(LINK, &socket));
    save_memory(&mut env);
    upkeep_os::exec_descriptor(executable, boot.daemon_args.clone(), env)
}

/// Lets standard error be written to `words`; returns a descriptor of what it was, which stays open through exec.
fn keep_stderr(words: BorrowedFd<'_>) -> io::Result<ManuallyDrop<OwnedFd>> {
    let kept = rustix::io::dup(io::stderr())?;
    rustix::stdio::dup2_stderr(words)?;
    Ok(ManuallyDrop::new(kept))
}

/// A line for whoever started the keeper, which has no log; in the background it goes nowhere. Not `eprintln`: that
/// panics when the reader of a pipe has gone away.
pub(crate) fn complain(text: &str) {
    use io::Write;
    let _ = writeln!(io::stderr(), "{text}");
}

/// A daemon that lived this long is followed by another one at once.
const HEALTHY_NS: u64 = 1_000_000_000;
/// First pause after a daemon that died young; it doubles each time.
const FIRST_PAUSE_NS: u64 = 10_000_000;
/// Longest pause.
const LAST_PAUSE_NS: u64 = 5_000_000_000;
/// Longest pause after a daemon that had served: what killed it may be over, and clients wait.
const SERVED_PAUSE_NS: u64 = 100_000_000;

/// When the next daemon is started: the one decision that the keeper takes.
#[derive(Debug)]
pub(crate) struct Restarts {
    pause_ns: u64,
    at_ns: Option<u64>,
}

impl Restarts {
    /// One is wanted at once.
    pub(crate) fn new() -> Self {
        Self { pause_ns: FIRST_PAUSE_NS, at_ns: Some(0) }
    }

    /// A daemon has ended, or could not be started, after `lived_ns`; whether it had served.
    pub(crate) fn died(&mut self, now_ns: u64, lived_ns: u64, served: bool) {
        if lived_ns >= HEALTHY_NS {
            self.pause_ns = FIRST_PAUSE_NS;
            self.at_ns = Some(now_ns);
        } else {
            let longest = if served { SERVED_PAUSE_NS } else { LAST_PAUSE_NS };
            let pause_ns = self.pause_ns.min(longest);
            self.at_ns = Some(now_ns.saturating_add(pause_ns));
            self.pause_ns = (pause_ns * 2).min(LAST_PAUSE_NS);
        }
    }

    /// Whether it is time; only once for each.
    pub(crate) fn due(&mut self, now_ns: u64) -> bool {
        self.at_ns.take_if(|at| *at <= now_ns).is_some()
    }

    /// One is wanted at once, whatever was before.
    pub(crate) fn at_once(&mut self, now_ns: u64) {
        self.at_ns = Some(now_ns);
    }

    /// None is wanted: there is one.
    pub(crate) fn none(&mut self) {
        self.at_ns = None;
    }

    /// Nanoseconds until it is time; `None` if none is wanted.
    pub(crate) fn wait_ns(&self, now_ns: u64) -> Option<u64> {
        self.at_ns.map(|at| at.saturating_sub(now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_a_healthy_life_forgets_them() {
        let mut restarts = Restarts::new();
        assert!(restarts.due(0));
        assert!(!restarts.due(u64::MAX), "one death, one start");
        let mut pauses = Vec::new();
        for _ in 0..11 {
            restarts.died(7, HEALTHY_NS - 1, false);
            pauses.extend(restarts.wait_ns(7).map(|wait| wait / 1_000_000));
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000]);
        assert!(!restarts.due(7 + LAST_PAUSE_NS - 1));
        assert!(restarts.due(7 + LAST_PAUSE_NS));
        restarts.died(7, 0, true);
        assert_eq!(restarts.wait_ns(7), Some(SERVED_PAUSE_NS), "that one served");
        restarts.died(7, HEALTHY_NS, true);
        assert!(restarts.due(7));
        restarts.died(7, 0, false);
        assert_eq!(restarts.wait_ns(7), Some(FIRST_PAUSE_NS));
    }

    fn daemon() -> Daemon {
        let (socket, _) = UnixStream::pair().unwrap();
        Daemon::new(0, 0, socket)
    }

    #[test]
    fn one_that_hangs_up_has_a_moment_to_end_unless_it_said_that_it_would() {
        let mut daemon = daemon();
        assert_eq!(daemon.patience_ns(u64::MAX), None, "it is welcome");
        let before = monotonic_ns();
        assert!(daemon.receive().is_none(), "the other end is closed");
        let patience = daemon.patience_ns(before).unwrap();
        assert!((GRACE_NS..2 * GRACE_NS).contains(&patience), "{patience}");
        daemon.expect_end(GRACE_NS * 2);
        assert!(daemon.patience_ns(before).unwrap() <= patience, "no reason is a reprieve");
        daemon.expect_end(0);
        assert_eq!(daemon.patience_ns(monotonic_ns()), Some(0));
        daemon.leaves();
        assert_eq!(daemon.patience_ns(u64::MAX), None);
    }
}
