//! Replacing daemon and keeper by another program while they run.
//!
//! Step by step, and back again at the first that fails: the program reads what the keeper holds, only to see whether it
//! can; the daemon is asked to leave; the program becomes a daemon, which must serve in time; the keeper executes the
//! program, with its pid, its children and the new daemon. Until then the old program is open, and is started again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use upkeep_os::{Ended, monotonic_ns};

use crate::launch::{BootContent, READ, become_keeper, naming};
use crate::run::Keeper;
use crate::wire::ToDaemon;

/// Most that is repeated of what a program said before it failed, in bytes.
const LAST_WORDS: usize = 2000;
const KILL: i32 = 9;
/// The status with which a program says that it could be this keeper. Every version has to use the same.
pub(crate) const UNDERSTOOD: i32 = 42;

/// One that is under way.
#[derive(Debug)]
pub(crate) struct Replacement {
    token: u64,
    patience_ns: u64,
    /// The program.
    pub(crate) executable: OwnedFd,
    /// A memory file with what it says on standard error until it serves.
    pub(crate) words: OwnedFd,
    stage: Stage,
    /// When the stage has taken too long.
    until_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The program reads what the keeper holds.
    Reading { pid: u32 },
    /// It took too long to read, and was killed.
    Killed { pid: u32 },
    /// The old daemon was asked to leave.
    Leaving,
    /// The program is the daemon, and is to serve.
    Trial,
    /// It serves: the keeper is next.
    Keeper,
    /// It was not good enough, and is on its way out.
    Failed,
}

/// What became of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) token: u64,
    pub(crate) failure: Option<Vec<u8>>,
}

impl Outcome {
    pub(crate) fn frame(&self) -> ToDaemon {
        ToDaemon::Replaced { token: self.token, failure: self.failure.clone() }
    }
}

impl Replacement {
    /// The next daemon is the one that is tried.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.stage == Stage::Trial
    }

    /// Nanoseconds until the stage has taken too long; `None` if it cannot.
    pub(crate) fn patience_ns(&self, now_ns: u64) -> Option<u64> {
        let is_over = matches!(self.stage, Stage::Failed | Stage::Killed { .. });
        (!is_over).then(|| self.until_ns.saturating_sub(now_ns))
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.until_ns = monotonic_ns().saturating_add(self.patience_ns);
    }

    /// The last of what the program said.
    fn last_words(&self) -> String {
        let words = upkeep_os::read_memfd(&self.words).unwrap_or_default();
        let tail = &words[words.len().saturating_sub(LAST_WORDS)..];
        String::from_utf8_lossy(tail).trim().to_owned()
    }

    /// What happened, and what the program said about it.
    fn reason(&self, what: &str) -> String {
        let words = self.last_words();
        if words.is_empty() { what.to_owned() } else { format!("{what}: {words}") }
    }
}

impl Keeper {
    /// The daemon wants itself and its keeper replaced by the program behind `executable`.
    pub(crate) fn replace(&mut self, token: u64, patience_ns: u64, executable: Option<OwnedFd>) {
        if self.replacement.is_some() {
            let failure = Some(b"another upgrade is under way".to_vec());
            return self.tell(&ToDaemon::Replaced { token, failure });
        }
        let started = executable
            .ok_or_else(|| io::Error::from(rustix::io::Errno::MFILE))
            .and_then(|executable| self.start_reader(token, patience_ns, executable));
        match started {
            Ok(replacement) => self.replacement = Some(replacement),
            Err(error) => self.report(failed(token, &format!("it cannot be started: {error}"))),
        }
    }

    /// Starts the program to read what a keeper would take over, and to do nothing with it.
    fn start_reader(&self, token: u64, patience_ns: u64, executable: OwnedFd) -> io::Result<Replacement> {
        let words = upkeep_os::memfd_with("upkeep-words", b"")?;
        let content = BootContent { estate: Some(self.estate()), ..self.orders.content.clone() };
        let memory = content.memory()?;
        let Some(pid) = upkeep_os::fork_child()? else {
            let error = become_reader(&executable, &words, &memory, content.env);
            crate::daemon::complain(&format!("it cannot be executed: {error}"));
            std::process::exit(1);
        };
        let until_ns = monotonic_ns().saturating_add(patience_ns);
        Ok(Replacement { token, patience_ns, executable, words, stage: Stage::Reading { pid }, until_ns })
    }

    /// Whether it was the program that reads; takes note of how it ended.
    pub(crate) fn reader_ended(&mut self, ended: &Ended) -> bool {
        let Some(replacement) = &mut self.replacement else { return false };
        if replacement.stage == (Stage::Killed { pid: ended.pid }) {
            self.replacement = None;
            return true;
        }
        if replacement.stage != (Stage::Reading { pid: ended.pid }) {
            return false;
        }
        if ended.status == UNDERSTOOD << 8 {
            replacement.enter(Stage::Leaving);
            let token = replacement.token;
            self.tell(&ToDaemon::Leave { token });
        } else {
            let status = ExitStatus::from_raw(ended.status);
            let what = format!("it does not understand what the keeper process holds ({status})");
            self.give_up(&what);
        }
        true
    }

    /// The daemon has ended in the middle of it: the next one is the program that is tried, or after that the old one.
    pub(crate) fn replacements_daemon_ended(&mut self, status: i32) {
        let Some(replacement) = &mut self.replacement else { return };
        match replacement.stage {
            Stage::Reading { .. } | Stage::Killed { .. } => {}
            Stage::Leaving => {
                replacement.enter(Stage::Trial);
                self.restarts.at_once(monotonic_ns());
            }
            Stage::Trial | Stage::Keeper => {
                let status = ExitStatus::from_raw(status);
                self.give_up(&format!("its daemon ended before everything was handed over ({status})"));
                self.restarts.at_once(monotonic_ns());
            }
            Stage::Failed => {
                self.replacement = None;
                self.restarts.at_once(monotonic_ns());
            }
        }
    }

    /// Looks whether the next step can be taken, or the present one has taken too long.
    pub(crate) fn go_on_replacing(&mut self) {
        let Some(replacement) = &mut self.replacement else { return };
        let serves = self.daemon.as_ref().is_some_and(|daemon| daemon.ready);
        if replacement.stage == Stage::Trial && serves {
            replacement.enter(Stage::Keeper);
        }
        if replacement.stage == Stage::Keeper {
            self.replace_keeper();
        }
        let now_ns = monotonic_ns();
        let overdue = |replacement: &&Replacement| replacement.patience_ns(now_ns) == Some(0);
        if let Some(stage) = self.replacement.as_ref().filter(overdue).map(|replacement| replacement.stage) {
            self.took_too_long(stage);
        }
    }

    fn took_too_long(&mut self, stage: Stage) {
        let Some(replacement) = &mut self.replacement else { return };
        let seconds = replacement.patience_ns / 1_000_000_000;
        match stage {
            Stage::Reading { pid } => {
                // Not reaped yet, or its end would have been noticed.
                let _ = upkeep_os::kill_child(pid, KILL, false);
                let what =
                    format!("it did not say within {seconds} s whether it understands the keeper process");
                let outcome = failed(replacement.token, &replacement.reason(&what));
                replacement.stage = Stage::Killed { pid };
                self.report(outcome);
            }
            // Nothing is lost with a daemon that is killed.
            Stage::Leaving => {
                replacement.enter(Stage::Leaving);
                self.kill_daemon();
            }
            Stage::Trial | Stage::Keeper => {
                self.fail_trial(&format!("its daemon did not serve within {seconds} s"));
            }
            Stage::Failed | Stage::Killed { .. } => {}
        }
    }

    /// Becomes the program, if nothing is on its way between keeper and daemon; it says the rest.
    fn replace_keeper(&mut self) {
        let Some(replacement) = &self.replacement else { return };
        let mut estate = self.estate();
        if estate.daemon.is_none() {
            return;
        }
        estate.replaced = Some((replacement.token, None));
        let numbers = estate.numbers();
        let content = BootContent { estate: Some(estate), ..self.orders.content.clone() };
        let error = become_keeper(replacement.executable.as_fd(), &content, numbers);
        self.fail_trial(&format!("the keeper process cannot become it: {error}"));
    }

    /// Back to the old program, by the end of the daemon that was tried.
    fn fail_trial(&mut self, what: &str) {
        self.give_up(what);
        if let Some(daemon) = &self.daemon {
            daemon.kill();
        }
    }

    fn kill_daemon(&self) {
        if let Some(daemon) = &self.daemon {
            daemon.kill();
        }
    }

    /// Reports why it failed. The old daemon goes on, or is started when the one that was tried is gone.
    fn give_up(&mut self, what: &str) {
        let Some(mut replacement) = self.replacement.take() else { return };
        let outcome = failed(replacement.token, &replacement.reason(what));
        if replacement.is_tried() && self.daemon.is_some() {
            replacement.stage = Stage::Failed;
            self.replacement = Some(replacement);
            self.replaced = Some(outcome);
        } else {
            self.report(outcome);
        }
    }

    /// Tells the daemon, and every later one.
    pub(crate) fn report(&mut self, outcome: Outcome) {
        self.tell(&outcome.frame());
        self.replaced = Some(outcome);
    }
}

impl Replacement {
    /// The daemon is, or was, the program that is tried.
    fn is_tried(&self) -> bool {
        matches!(self.stage, Stage::Trial | Stage::Keeper)
    }
}

fn failed(token: u64, reason: &str) -> Outcome {
    Outcome { token, failure: Some(reason.as_bytes().to_vec()) }
}

/// The forked process's way to the program that reads; returns only if that fails.
fn become_reader(
    executable: &OwnedFd,
    words: &OwnedFd,
    memory: &OwnedFd,
    mut env: Vec<std::ffi::OsString>,
) -> io::Error {
    let ready = upkeep_os::unblock_signals()
        .and_then(|()| upkeep_os::stdio_to_null())
        .and_then(|()| Ok(rustix::stdio::dup2_stderr(words)?))
        .and_then(|()| upkeep_os::set_cloexec(memory, false));
    if let Err(error) = ready {
        return error;
    }
    env.push(naming(READ, memory));
    upkeep_os::exec_descriptor(executable, vec!["upkeep".into(), "keeper".into()], env)
}
