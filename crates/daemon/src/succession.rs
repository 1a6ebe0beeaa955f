//! The keeper was killed: another one is started, and handed all that this daemon knows. No child notices.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use upkeep_core::{Mono, RunId};
use upkeep_keeper::Heritage;
use upkeep_keeper::Link;
use upkeep_keeper::wire::{Exit, SPOKEN, ToDaemon, ToKeeper};
use upkeep_logs::{Level, StreamId};

use crate::age::may_be_of;
use crate::descriptors::unless_scarce;
use crate::keeperlink::KeeperLink;
use crate::keeping::{stderr_of, stdout_of};
use crate::shell::{End, Message, Shell};
use crate::strays;
use crate::tasks;

/// Pauses between tries to start a keeper: something may be full for a moment.
const PAUSES_MS: [u64; 7] = [0, 50, 100, 200, 400, 800, 1600];
/// How long a keeper may take to say welcome.
const GREETING: Duration = Duration::from_secs(10);
/// How long the log thread has to share the pipes: a disk may hang.
const PIPES_WAIT: Duration = Duration::from_secs(2);

/// A child that the keeper has made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) pid: u32,
    pub(crate) since: Mono,
    /// The process: what it ended with can be learnt by this even if its keeper is gone.
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) exit: Option<Exit>,
}

impl Made {
    pub(crate) fn new(pid: u32, since: Mono) -> Self {
        let mut made = Self { pid, since, pidfd: None, exit: None };
        made.hold();
        made
    }

    /// Makes sure that the process can be known again, unless few descriptors are left: then it is looked for when it matters.
    pub(crate) fn hold(&mut self) {
        self.must_hold();
        self.pidfd = self.pidfd.take().and_then(unless_scarce);
    }

    /// Makes sure that the process can be known again.
    fn must_hold(&mut self) {
        if self.exit.is_none() && self.pidfd.is_none() {
            // It has just ended, or there are no descriptors left.
            self.pidfd = upkeep_os::pidfd(self.pid).ok();
        }
    }

    /// The same when its keeper is gone, and with it what kept others from getting its pid when it ended.
    fn must_hold_itself(&mut self) {
        let was_held = self.pidfd.is_some();
        self.must_hold();
        let (pid, since) = (self.pid, self.since);
        // What was held when it ended is its own, whoever has its pid by now.
        self.pidfd = self.pidfd.take().filter(|pidfd| may_be_of(pid, since) || was_held && has_ended(pidfd));
    }
}

/// Whether a process has ended. A look that fails says that it has not.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// The keeper as a process: one that lives must not get a rival.
#[derive(Debug)]
pub(crate) struct KeeperProcess(Option<Arc<OwnedFd>>);

impl KeeperProcess {
    pub(crate) fn of(pid: u32) -> Self {
        Self(upkeep_os::pidfd(pid).ok().map(Arc::new))
    }

    /// Whether it has ended, or does so at once: a process closes its descriptors a moment before.
    async fn ends_soon(&self) -> bool {
        // None could be had when it lived, so it does not any more, or there were no descriptors left: then there are none
        // for another keeper either.
        let Some(process) = self.0.clone() else { return true };
        let ends = move || {
            let mut polled = [PollFd::new(&*process, PollFlags::IN)];
            let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
            rustix::event::poll(&mut polled, Some(&patience)).is_ok_and(|count| count > 0)
        };
        tasks::spawn_blocking(ends).await.unwrap_or(true)
    }
}

async fn start_keeper(heritage: Heritage) -> io::Result<(KeeperLink, u32)> {
    let started = tasks::spawn_blocking(move || heritage.start_keeper()).await;
    let socket = started.map_err(io::Error::other)??;
    let mut link = KeeperLink::new(Link::new(socket))?;
    loop {
        tokio::time::timeout(GREETING, link.readable()).await?;
        if let Some((ToDaemon::Welcome { keeper_pid, .. }, _)) = link.recv()? {
            return Ok((link, keeper_pid));
        }
    }
}

impl Shell {
    /// Nothing more can be learnt from the keeper on this link. If that is for want of descriptors it lives, and holds all
    /// that was lost: it must not get a rival, but start another daemon.
    pub(crate) fn link_failed(&mut self, error: &io::Error) {
        if Errno::from_io_error(error) != Some(Errno::MFILE) {
            return self.keeper_lost();
        }
        self.log(
            Level::Critical,
            "too many open files to take in what the keeper process gives: the daemon starts again",
        );
        self.end.get_or_insert(End::Orphaned);
    }

    pub(crate) fn keeper_lost(&mut self) {
        // A daemon that has said that it ends does so.
        self.keeper_gone = self.end.is_none();
    }

    /// Starts another keeper if the one there was is gone; without one there is nothing to decide for.
    pub(crate) async fn succeed(&mut self) {
        if !self.keeper_gone {
            return;
        }
        if !self.keeper_process.ends_soon().await {
            self.log(
                Level::Critical,
                "the keeper process does not speak with this daemon any more: the daemon ends, and its keeper starts another",
            );
            self.end = Some(End::Orphaned);
            return;
        }
        let gone = self.keeper_pid;
        self.log(
            Level::Critical,
            format!("the keeper process (pid {gone}) is gone: another one is started, the children go on"),
        );
        for pause in PAUSES_MS {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match start_keeper(self.heritage.clone()).await {
                Ok((link, pid)) => return self.hand_over(link, pid).await,
                Err(error) => self.log(Level::Error, format!("cannot start a keeper process: {error}")),
            }
        }
        self.log(
            Level::Critical,
            "no keeper process can be started: the children live on without a supervisor; start supervisord again",
        );
        self.end = Some(End::Orphaned);
    }

    async fn hand_over(&mut self, link: KeeperLink, pid: u32) {
        self.catch_up_at_once();
        (self.link, self.keeper_pid, self.keeper_gone) = (link, pid, false);
        // It is what this daemon is.
        self.keeper_speaks = SPOKEN;
        self.keeper_process = KeeperProcess::of(pid);
        self.raise_limits_again();
        self.upgrade_lost();
        self.hold_register();
        self.generations.numbers().into_iter().for_each(|number| self.hold_generation(number));
        self.hold_all_applied();
        self.hold_servers();
        self.hold_open_sockets();
        self.hold_vitals();
        self.save_daemon();
        let processes: Vec<_> = self.core.processes().map(|(id, _)| id).collect();
        processes.into_iter().for_each(|id| self.save_process(id));
        self.save_rolling();
        self.give_clients();
        self.hold_all_said();
        self.hold_passage();
        self.hold_all_told();
        self.listeners.pools.write_again();
        self.save_buffers();
        self.hold_all_losses();
        let pipes = self.shared_pipes().await;
        // The captures are among it: whoever hears of this keeper may kill this daemon.
        let later = self.take_log_events();
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for &run in &runs {
            self.hand_over_child(run, &pipes);
        }
        // Nothing of it counts before: should this daemon be killed meanwhile, the next one begins afresh.
        self.send(&ToKeeper::Ready { detach: None });
        // It has all of it before anybody hears of it: whoever does may kill this daemon.
        let _ = tokio::time::timeout(GREETING, self.all_is_sent()).await;
        self.signal_again();
        self.spawn_again(&runs).await;
        if self.pidfile_written {
            self.write_pidfile();
        }
        let living =
            self.runs.values().filter(|run| run.made.as_ref().is_some_and(|made| made.exit.is_none()));
        let text = format!(
            "supervisord goes on with pid {pid}: {} running processes have a new keeper",
            living.count()
        );
        self.log(Level::Warn, text);
        later.into_iter().for_each(|message| self.take(message));
    }

    /// Waits until nothing waits for room in the socket; takes in what the keeper tells meanwhile.
    async fn all_is_sent(&mut self) {
        self.flush_link();
        while self.link.has_waiting() && !self.keeper_gone {
            tokio::select! {
                () = self.link.writable() => {}
                () = self.link.readable() => self.read_link(),
            }
            self.flush_link();
        }
    }

    /// Takes what the log thread has told so far; returns what others have.
    fn take_log_events(&mut self) -> Vec<Message> {
        let mut others = Vec::new();
        // No more than there are now: who writes without end would hold up the rest.
        for _ in 0..self.inbox.len() {
            let Ok(message) = self.inbox.try_recv() else { break };
            match message {
                Message::Log(event) => self.log_event(event),
                other => others.push(other),
            }
        }
        others
    }

    /// Duplicates of the pipes that the log thread reads.
    async fn shared_pipes(&mut self) -> Vec<(StreamId, OwnedFd)> {
        let answer = self.engine.duplicates();
        let pipes = tasks::spawn_blocking(move || answer.recv_timeout(PIPES_WAIT)).await;
        match pipes {
            Ok(Ok(pipes)) => pipes,
            Ok(Err(_)) | Err(_) => {
                self.log(
                    Level::Error,
                    "the log thread does not answer: the new keeper process holds no pipes, and output is lost if this \
                     daemon dies too",
                );
                Vec::new()
            }
        }
    }

    fn hand_over_child(&mut self, run: RunId, pipes: &[(StreamId, OwnedFd)]) {
        let Some(entry) = self.runs.get_mut(&run) else { return };
        let Some(made) = &mut entry.made else { return };
        made.must_hold_itself();
        let pipe = |id: StreamId| pipes.iter().find(|(other, _)| *other == id).map(|(_, fd)| fd.as_fd());
        let pidfd = made.pidfd.as_ref().filter(|_| made.exit.is_none()).map(AsFd::as_fd);
        let stdin = entry.stdin.as_ref().map(AsFd::as_fd);
        let (stdout, stderr) = (pipe(stdout_of(run)), pipe(stderr_of(run)));
        let frame = ToKeeper::Adopt {
            run: run.0,
            pid: made.pid,
            start_ns: made.since.0,
            exited: made.exit,
            has_pidfd: pidfd.is_some(),
            has_stdin: stdin.is_some(),
            has_stdout: stdout.is_some(),
            has_stderr: stderr.is_some(),
        };
        let fds: Vec<BorrowedFd<'_>> = [pidfd, stdin, stdout, stderr].into_iter().flatten().collect();
        if let Err(error) = self.link.send(&frame, &fds) {
            let pid = made.pid;
            self.log(
                Level::Critical,
                format!("process {pid} cannot be handed to the new keeper process: {error}"),
            );
        }
    }

    /// Signals that the old keeper may not have sent.
    fn signal_again(&mut self) {
        let unanswered: Vec<ToKeeper> = self.signals.values().cloned().collect();
        unanswered.iter().for_each(|frame| self.send(frame));
    }

    /// Starts that the old keeper has not answered are asked for again, when it is sure that none of them came to be.
    async fn spawn_again(&mut self, runs: &[RunId]) {
        let unanswered = |run: &&RunId| self.runs.get(run).is_some_and(|entry| entry.made.is_none());
        let runs: Vec<RunId> = runs.iter().filter(unanswered).copied().collect();
        let names = runs.iter().filter_map(|run| self.core.process(self.core.process_of(*run)?));
        let names: Vec<(String, String)> =
            names.map(|process| (process.group().to_owned(), process.name().to_owned())).collect();
        if names.is_empty() {
            return;
        }
        // The new keeper is young and of this program, too: it would be waited for like a child before its exec.
        let keeper = self.keeper_pid;
        let known: HashSet<u32> =
            self.runs.values().filter_map(|entry| Some(entry.made.as_ref()?.pid)).chain([keeper]).collect();
        let ended = tasks::spawn_blocking(move || strays::end(&names, &known)).await.unwrap_or_default();
        for pid in ended {
            self.log(
                Level::Warn,
                format!("process {pid}, which the last keeper process had just started, was killed"),
            );
        }
        let orders = runs.iter().filter_map(|run| Some((*run, self.order_of(*run)?)));
        self.prepare(orders.collect());
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::shell::now;

    #[test]
    fn whoever_has_got_the_pid_of_a_child_is_not_taken_for_it() {
        let before = now().mono;
        let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let long_ago = Mono(before.0.saturating_sub(3_600_000_000_000));
        let held = |since| {
            let mut made = Made::new(process.id(), since);
            assert!(made.pidfd.is_some());
            made.must_hold_itself();
            made.pidfd.is_some()
        };
        assert!(held(before));
        assert!(!held(long_ago), "a child that began an hour ago");
        let mut ended = Made::new(process.id(), long_ago);
        drop(process.stdin.take());
        process.wait().unwrap();
        ended.must_hold_itself();
        assert!(ended.pidfd.is_some(), "what it ended with may be known");
    }
}
