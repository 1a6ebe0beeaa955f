//! What the keeper tells: children made, children ended, signals received.

use std::os::fd::OwnedFd;

use upkeep_core::signal::Signal;
use upkeep_core::{Input, Mono, RunEnd, RunId, SignalFailure, SignalId};
use upkeep_keeper::wire::{SpawnStep, ToDaemon, ToKeeper};
use upkeep_logs::{Level, Sink, StreamId};

use crate::checks;
use crate::prepare::is_heard;
use crate::restraints::refused;
use crate::shell::{BATCH, Shell};
use crate::stdin::Stdin;
use crate::succession::Made;
use crate::upgrade::Upgraded;

/// The stream of a run's standard output.
pub(crate) fn stdout_of(run: RunId) -> StreamId {
    StreamId(run.0 * 2)
}

/// The stream of a run's standard error.
pub(crate) fn stderr_of(run: RunId) -> StreamId {
    StreamId(run.0 * 2 + 1)
}

/// Says whose lines go there.
pub(crate) fn name_pid(sink: &mut Sink, pid: u32) {
    if let Some(lines) = &mut sink.lines {
        lines.origin.pid = pid;
    }
}

/// The run a stream belongs to.
pub(crate) fn run_of(stream: StreamId) -> RunId {
    RunId(stream.0 / 2)
}

/// Takes a raw wait status apart (wait(2)).
pub(crate) fn run_end(status: i32) -> RunEnd {
    let signal = status & 0x7f;
    if signal == 0 {
        return RunEnd::Code(u8::try_from(status >> 8 & 0xff).unwrap_or(u8::MAX));
    }
    if signal == 0x7f {
        return RunEnd::Unknown(status);
    }
    RunEnd::Signal { signal: Signal(signal), core: status & 0x80 != 0 }
}

impl Shell {
    /// Takes in frames that have come. If these are not all, the link is still readable.
    pub(crate) fn read_link(&mut self) {
        for _ in 0..BATCH {
            match self.link.recv() {
                Ok(Some((frame, fds))) => self.frame(frame, fds),
                Ok(None) => return,
                Err(error) => return self.link_failed(&error),
            }
        }
    }

    fn frame(&mut self, frame: ToDaemon, fds: Vec<OwnedFd>) {
        match frame {
            ToDaemon::Spawned { run, pid, at_ns } => self.child_made(RunId(run), pid, Mono(at_ns), fds),
            ToDaemon::SpawnFailed { run, errno, step } => self.child_not_made(RunId(run), errno, step),
            ToDaemon::Exited { run, exit, .. } => {
                if let Some(made) = self.runs.get_mut(&RunId(run)).and_then(|entry| entry.made.as_mut()) {
                    made.exit = Some(exit);
                    made.pidfd = None;
                }
                self.child_ended(RunId(run), run_end(exit.status), Mono(exit.at_ns));
            }
            ToDaemon::Reaped { pid, status } => {
                self.log(Level::Info, format!("reaped unknown pid {pid} ({})", run_end(status)));
            }
            ToDaemon::Signalled { token, errno } => self.signal_sent(SignalId(token), errno),
            ToDaemon::SignalReceived { signo } => self.signal_received(Signal(signo)),
            ToDaemon::DetachFailed { errno } => self.detach_failed(errno),
            ToDaemon::Welcome { .. }
            | ToDaemon::Record { .. }
            | ToDaemon::Held { .. }
            | ToDaemon::Child { .. }
            | ToDaemon::InventoryEnd => {}
            ToDaemon::Leave { token } => self.leave_for(token),
            ToDaemon::Replaced { token, failure } => self.upgrade_ended(Upgraded::new(token, failure)),
            ToDaemon::NotHeld { name } => self.not_held(&name),
        }
    }

    fn child_made(&mut self, run: RunId, pid: u32, at: Mono, fds: Vec<OwnedFd>) {
        let mut fds = fds.into_iter();
        let attached = self.runs.get(&run).is_some_and(|entry| entry.socket.is_some() || entry.without_stdin);
        let stdin = if attached { None } else { fds.next() };
        let (stdout, stderr) = (fds.next(), fds.next());
        self.attach(run, pid, [stdin, stdout, stderr]);
        let entry = self.runs.entry(run).or_default();
        entry.made = Some(Made::new(pid, at));
        if entry.without_stdin {
            entry.room = None;
        }
        self.tell(Input::Spawned { run, pid, at });
        self.listen_to(run, pid);
        self.note_child(run, pid);
        self.start_later();
    }

    /// Gives a run's pipes to those who read and write them.
    pub(crate) fn attach(&mut self, run: RunId, pid: u32, pipes: [Option<OwnedFd>; 3]) {
        let [stdin, stdout, stderr] = pipes;
        let entry = self.runs.entry(run).or_default();
        // An earlier daemon has written them down.
        if entry.pipes == [0; 3] {
            entry.pipes = [&stdin, &stdout, &stderr].map(|pipe| pipe.as_ref().map_or(0, inode));
        }
        entry.stdin = stdin.and_then(|fd| Stdin::new(fd, entry.told.take()).ok());
        let (mut out, mut err) = entry.sinks.take().map(|sinks| *sinks).unwrap_or_default();
        std::iter::once(&mut out).chain(&mut err).for_each(|sink| name_pid(sink, pid));
        entry.heard = is_heard(&out) || err.as_ref().is_some_and(is_heard);
        if let Some(pipe) = stdout {
            entry.has_stdout = true;
            self.engine.attach(stdout_of(run), pipe, out);
        }
        if let Some(pipe) = stderr {
            entry.has_stderr = true;
            self.engine.attach(stderr_of(run), pipe, err.unwrap_or_default());
        }
    }

    fn child_not_made(&mut self, run: RunId, errno: i32, step: SpawnStep) {
        self.leave_socket(run);
        self.leave_vitals(run);
        self.forget_run(run);
        let name = self.core.process_of(run).and_then(|id| self.core.process(id));
        let name = name.map_or_else(String::new, |process| process.name().to_owned());
        let text = spawn_error(&name, errno, &step);
        if errno == rustix::io::Errno::MFILE.raw_os_error() {
            self.advise_about_descriptors();
        }
        if checks::is_our_want(errno) {
            self.cannot_ask(run);
        }
        self.tell(Input::SpawnFailed { run, text });
        self.start_later();
    }

    /// A child ended. If listeners want to hear what it wrote, or it is one, that comes first; else its state changes
    /// at once and the rest of its output goes to its logs meanwhile.
    pub(crate) fn child_ended(&mut self, run: RunId, end: RunEnd, at: Mono) {
        if self.engine.wants(Level::Debug) {
            self.log(Level::Debug, "received SIGCHLD indicating a child quit");
        }
        self.note_end(run, end);
        self.leave_vitals(run);
        let entry = self.runs.entry(run).or_default();
        entry.stdin = None;
        let mut open = 0;
        if entry.has_stdout {
            open += 1;
            self.engine.drain(stdout_of(run));
        }
        if entry.has_stderr {
            open += 1;
            self.engine.drain(stderr_of(run));
        }
        entry.draining = Some(open);
        if entry.heard {
            entry.end = Some((end, at));
            return self.release_if_drained(run);
        }
        if let Some(owner) = self.owner_of(run).filter(|_| open > 0) {
            // Before it is written down that the process goes on.
            self.undrained.insert(run, owner, self.paths_of(owner.0));
        }
        self.leave_socket(run);
        self.release_if_drained(run);
        self.tell(Input::Exited { run, end, at });
    }

    /// Lets the keeper forget a run whose exit is handled and whose last bytes are in the log.
    pub(crate) fn release_if_drained(&mut self, run: RunId) {
        if self.runs.get(&run).is_none_or(|entry| entry.draining != Some(0)) {
            return;
        }
        self.leave_socket(run);
        self.drop_captures(run);
        self.heard_out(run);
        let entry = self.forget_run(run);
        self.send(&ToKeeper::Release { run: run.0 });
        if let Some((end, at)) = entry.as_ref().and_then(|entry| entry.end) {
            self.check_has_said(run, entry.and_then(|entry| entry.line));
            self.tell(Input::Exited { run, end, at });
        }
    }

    fn signal_sent(&mut self, id: SignalId, errno: i32) {
        self.signals.remove(&id.0);
        let outcome = if errno == 0 {
            Ok(())
        } else {
            let gone = errno == rustix::io::Errno::SRCH.raw_os_error();
            let error = crate::errors::python(&std::io::Error::from_raw_os_error(errno));
            Err(SignalFailure { gone, error })
        };
        self.tell(Input::Signalled { id, outcome });
        self.hold_more_clients();
    }
}

/// What names a pipe among all pipes.
fn inode(pipe: &OwnedFd) -> u64 {
    rustix::fs::fstat(pipe).map_or(0, |about| about.st_ino)
}

/// PROC-045, PROC-048, PROC-049.
fn spawn_error(name: &str, errno: i32, step: &SpawnStep) -> String {
    use rustix::io::Errno;
    match step {
        SpawnStep::Pipe if errno == Errno::MFILE.raw_os_error() => {
            format!("too many open files to spawn '{name}'")
        }
        SpawnStep::Pipe => {
            format!("unknown error making dispatchers for '{name}': {}", upkeep_os::errno_name(errno))
        }
        SpawnStep::Fork if errno == Errno::AGAIN.raw_os_error() => {
            format!("Too many processes in process table to spawn '{name}'")
        }
        SpawnStep::Fork => {
            format!("unknown error during fork for '{name}': {}", upkeep_os::errno_name(errno))
        }
        SpawnStep::Restrain(key) => refused(&String::from_utf8_lossy(key), errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_wait_statuses_apart_proc_307() {
        assert_eq!(run_end(0), RunEnd::Code(0));
        assert_eq!(run_end(3 << 8), RunEnd::Code(3));
        assert_eq!(run_end(15).to_string(), "terminated by SIGTERM");
        assert_eq!(run_end(11 | 0x80).to_string(), "terminated by SIGSEGV (core dumped)");
        assert_eq!(run_end(35).to_string(), "terminated by signal 35");
        assert_eq!(run_end(0xffff), RunEnd::Unknown(0xffff));
    }

    #[test]
    fn streams_and_runs_map_both_ways() {
        for run in [RunId(1), RunId(77)] {
            assert_eq!(run_of(stdout_of(run)), run);
            assert_eq!(run_of(stderr_of(run)), run);
            assert_ne!(stdout_of(run), stderr_of(run));
        }
    }
}
