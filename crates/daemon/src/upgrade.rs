//! Another program takes the place of daemon and keeper while everything runs on. The keeper does the work and goes back
//! by itself when the program is no good; this is the daemon's part: looking at the program, leaving, telling.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use upkeep_api::{Fault, FaultCode, Reply, UpgradeState};
use upkeep_keeper::wire::{SPOKEN, ToKeeper};
use upkeep_logs::Level;

use crate::calls::respond;
use crate::errors::words;
use crate::shell::{End, Message, Responder, Shell};
use crate::tasks;

/// How long each step may take: reading what the keeper holds, ending, serving.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long this daemon waits for answers under way, and for children to read what was sent to them, before it leaves.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How often it is looked whether they are through.
const LOOK: Duration = Duration::from_millis(10);

/// An upgrade that is under way.
#[derive(Debug)]
pub(crate) struct Upgrade {
    token: u64,
    /// Who asked, until it is sure that the program can be tried.
    reply: Option<Responder>,
    path: PathBuf,
    /// When this daemon leaves at the latest, once it is to.
    leave_by: Option<Instant>,
}

/// What became of the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgraded {
    pub(crate) token: u64,
    pub(crate) failure: Option<String>,
}

impl Upgraded {
    /// As the keeper tells it.
    pub(crate) fn new(token: u64, failure: Option<Vec<u8>>) -> Self {
        Self { token, failure: failure.map(|text| String::from_utf8_lossy(&text).into_owned()) }
    }
}

/// Why a file is not even tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("cannot open it: {}", words(.0))]
    Open(#[from] io::Error),
    #[error("it is no file")]
    NoFile,
    #[error("it is not executable")]
    NotExecutable,
    #[error("it is not a program but perhaps a script")]
    NoProgram,
    #[error("it belongs to user {0}, who is neither root nor the daemon's user")]
    Owner(u32),
    #[error("others than its owner may write to it")]
    Writable,
}

impl Shell {
    /// Asked for by the API: `binary` is the program's path, empty for the file that this program was started from.
    pub(crate) fn upgrade_requested(&mut self, binary: &str, reply: Responder) {
        if self.upgrade.is_some() {
            return respond(reply, Err(Fault::about(FaultCode::Failed, "another upgrade is under way")));
        }
        let path = if binary.is_empty() { own_path() } else { PathBuf::from(binary) };
        let messages = self.messages.clone();
        tasks::spawn_blocking(move || {
            let result = open(&path);
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Candidate { path, result, reply });
        });
    }

    /// The program was looked at.
    pub(crate) fn candidate(&mut self, path: PathBuf, result: Result<File, Unfit>, reply: Responder) {
        let shown = path.display();
        let program = match result {
            Ok(_) if self.upgrade.is_some() => {
                return respond(reply, Err(Fault::about(FaultCode::Failed, "another upgrade is under way")));
            }
            Ok(program) => program,
            Err(unfit) => {
                let text = format!("'{shown}' cannot take over: {unfit}");
                return respond(reply, Err(Fault::about(FaultCode::Failed, text)));
            }
        };
        self.log(Level::Info, format!("upgrade: '{shown}' is tried"));
        let token = upkeep_os::monotonic_ns();
        let patience_ns = u64::try_from(PATIENCE.as_nanos()).unwrap_or(u64::MAX);
        self.send_with(&ToKeeper::Replace { token, patience_ns }, &[program.as_fd()]);
        self.upgrade = Some(Upgrade { token, reply: Some(reply), path, leave_by: None });
    }

    /// The keeper has seen that the program can be tried: this daemon leaves when nobody waits for it any more.
    pub(crate) fn leave_for(&mut self, token: u64) {
        let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| upgrade.token == token) else { return };
        upgrade.leave_by = Some(Instant::now() + LAST_ANSWERS);
        if let Some(reply) = upgrade.reply.take() {
            respond(reply, Ok(Reply::Text(token.to_string())));
        }
        self.look_later();
    }

    fn look_later(&self) {
        let messages = self.messages.clone();
        tasks::spawn(async move {
            tokio::time::sleep(LOOK).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::LookWhetherToLeave);
        });
    }

    /// Leaves, if it is to, and nobody waits for an answer or nobody shall wait any longer.
    pub(crate) fn leave_if_idle(&mut self) {
        let Some(by) = self.upgrade.as_ref().and_then(|upgrade| upgrade.leave_by) else { return };
        let unread = self.runs.values().filter_map(|run| run.stdin.as_ref()).any(|stdin| stdin.has_waiting());
        // The next daemon goes on with clients that the keeper holds.
        let asks = self.askers.keys().any(|call| !self.held_clients.contains_key(call));
        let busy = self.reloading || asks || !self.tokens.is_empty() || unread;
        if busy && Instant::now() < by {
            return self.look_later();
        }
        if self.end.is_none() {
            self.end = Some(End::Left);
        }
    }

    /// The keeper tells what became of an upgrade.
    pub(crate) fn upgrade_ended(&mut self, upgraded: Upgraded) {
        if self.told_upgrade == upgraded.token {
            self.last_upgrade = Some(upgraded);
            return;
        }
        let asked = self.upgrade.take_if(|upgrade| upgrade.token == upgraded.token);
        let program = own_path();
        let program = program.display();
        match &upgraded.failure {
            None => {
                // The keeper is what this daemon is.
                self.keeper_speaks = SPOKEN;
                let version = env!("CARGO_PKG_VERSION");
                self.log(
                    Level::Info,
                    format!("upgraded: daemon and keeper are '{program}' now, version {version}"),
                );
            }
            Some(reason) => {
                let tried = asked.as_ref().map(|upgrade| format!(" to '{}'", upgrade.path.display()));
                let tried = tried.unwrap_or_default();
                self.log(
                    Level::Error,
                    format!("the upgrade{tried} failed, '{program}' goes on as before: {reason}"),
                );
                if let Some(reply) = asked.and_then(|upgrade| upgrade.reply) {
                    respond(reply, Err(Fault::about(FaultCode::Failed, reason.clone())));
                }
            }
        }
        self.told_upgrade = upgraded.token;
        self.last_upgrade = Some(upgraded);
        self.save_daemon();
    }

    /// The new keeper knows of no upgrade.
    pub(crate) fn upgrade_lost(&mut self) {
        if let Some(reply) = self.upgrade.take().and_then(|upgrade| upgrade.reply) {
            respond(reply, Err(Fault::about(FaultCode::Failed, "the keeper process was killed")));
        }
    }

    pub(crate) fn upgrade_state(&self) -> UpgradeState {
        let last = self.last_upgrade.as_ref();
        UpgradeState {
            token: last.map(|last| last.token.to_string()).unwrap_or_default(),
            failure: last.and_then(|last| last.failure.clone()).unwrap_or_default(),
            program: own_path().display().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Where this program was started from; another file may have this name by now.
fn own_path() -> PathBuf {
    const DELETED: &str = " (deleted)";
    let path = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let text = path.to_string_lossy();
    text.strip_suffix(DELETED).map(PathBuf::from).unwrap_or(path)
}

/// Opens a program that may become the keeper: with its rights, so nobody else may have had a hand in it.
fn open(path: &Path) -> Result<File, Unfit> {
    // Without the right to read: so nothing but executing can be done with it, and opening it did nothing to it; a FIFO
    // would not have come back.
    let program: File = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from)?
        .into();
    fit(&program.metadata()?, rustix::process::geteuid().as_raw())?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&program));
    let mut magic = [0; 4];
    let begins = File::open(path)?.read_exact(&mut magic);
    if begins.is_err() || magic != *b"\x7fELF" {
        return Err(Unfit::NoProgram);
    }
    Ok(program)
}

fn fit(about: &Metadata, user: u32) -> Result<(), Unfit> {
    const OTHERS_WRITE: u32 = 0o022;
    const ANYBODY_EXECUTES: u32 = 0o111;
    let mode = about.permissions().mode();
    match () {
        () if !about.is_file() => Err(Unfit::NoFile),
        () if mode & ANYBODY_EXECUTES == 0 => Err(Unfit::NotExecutable),
        () if ![0, user].contains(&about.uid()) => Err(Unfit::Owner(about.uid())),
        () if mode & OTHERS_WRITE != 0 => Err(Unfit::Writable),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::chown;

    use super::*;

    #[test]
    fn only_a_program_that_nobody_else_could_change_is_tried() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        let with = |content: &[u8], mode: u32| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            open(&path).map(drop).map_err(|unfit| unfit.to_string())
        };
        assert_eq!(with(b"\x7fELF and so on", 0o755), Ok(()));
        assert_eq!(with(b"\x7fELF and so on", 0o700), Ok(()));
        assert_eq!(with(b"#!/bin/sh", 0o755).unwrap_err(), "it is not a program but perhaps a script");
        assert_eq!(with(b"", 0o755).unwrap_err(), "it is not a program but perhaps a script");
        assert_eq!(with(b"\x7fELF", 0o644).unwrap_err(), "it is not executable");
        assert_eq!(with(b"\x7fELF", 0o775).unwrap_err(), "others than its owner may write to it");
        assert_eq!(with(b"\x7fELF", 0o757).unwrap_err(), "others than its owner may write to it");
        let folder = open(dir.path()).map(drop).unwrap_err();
        assert_eq!(folder.to_string(), "it is no file");
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert_eq!(
            open(&fifo).map(drop).unwrap_err().to_string(),
            "it is no file",
            "nobody waits for a writer"
        );
        let missing = open(&dir.path().join("no")).map(drop).unwrap_err();
        assert_eq!(missing.to_string(), "cannot open it: No such file or directory");
        if rustix::process::geteuid().is_root() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            chown(&path, Some(7), None).unwrap();
            let other = open(&path).map(drop).unwrap_err();
            assert_eq!(other.to_string(), "it belongs to user 7, who is neither root nor the daemon's user");
        }
    }
}
