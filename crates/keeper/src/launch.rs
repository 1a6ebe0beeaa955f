//! From the launcher to the keeper, and from the keeper to a daemon: which program, which arguments, which environment.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;

use crate::wire::{BodyReader, BodyWriter};

/// Names the descriptor with the [`BootData`], for the keeper.
const BOOT: &str = "UPKEEP_INTERNAL_BOOT";
/// Names the descriptor of the socket to the keeper, for the daemon.
pub(crate) const LINK: &str = "UPKEEP_INTERNAL_LINK";

/// What the launcher wants of the keeper.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The command line as the user typed it; the keeper keeps it, so that `ps` shows it.
    pub program: Vec<OsString>,
    /// Command line of each daemon.
    pub daemon_args: Vec<OsString>,
    /// Environment of each daemon.
    pub env: Vec<(OsString, OsString)>,
    /// Go into the background.
    pub daemonize: bool,
}

/// What the keeper was told.
#[derive(Debug)]
pub struct BootData {
    pub(crate) program: Vec<OsString>,
    pub(crate) daemon_args: Vec<OsString>,
    pub(crate) env: Vec<OsString>,
    /// Where the waiting launcher is told that the daemon serves.
    pub(crate) launcher: Option<File>,
}

/// Turns this process into the keeper, or forks one into the background and waits until its daemon serves.
///
/// Returns only in the background's launcher: the status to end with.
///
/// # Errors
/// The keeper cannot be started.
pub fn launch(boot: Boot) -> io::Result<i32> {
    let executable = upkeep_os::own_executable()?;
    let env: Vec<OsString> = boot.env.into_iter().map(|(name, value)| join(&name, &value)).collect();
    let content = BootContent { program: boot.program, daemon_args: boot.daemon_args, env };
    if !boot.daemonize {
        return Err(become_keeper(&executable, content, None));
    }
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match upkeep_os::fork_child()? {
        Some(pid) => {
            drop(tell);
            wait_for_keeper(told.into(), pid)
        }
        None => {
            drop(told);
            // Fails only for a leader of a process group, which a forked process is not.
            let _ = rustix::process::setsid();
            Err(become_keeper(&executable, content, Some(tell)))
        }
    }
}

/// The name and value of a variable as one string.
fn join(name: &OsStr, value: &OsStr) -> OsString {
    OsString::from_vec([name.as_bytes(), value.as_bytes()].join(&b'='))
}

fn become_keeper(executable: &OwnedFd, content: BootContent, launcher: Option<OwnedFd>) -> io::Error {
    match pass_on(&content, launcher.as_ref()) {
        Err(error) => error,
        Ok(memory) => {
            let mut env = content.env;
            env.push(join(OsStr::new(BOOT), OsStr::new(&memory.as_raw_fd().to_string())));
            upkeep_os::exec_descriptor(executable, content.program, env)
        }
    }
}

/// Writes down what the keeper must know, in a memory file that survives the exec.
fn pass_on(content: &BootContent, launcher: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let mut body = BodyWriter::default();
    for texts in [&content.program, &content.daemon_args, &content.env] {
        body.list(texts, |body, text| {
            body.bytes(text.as_bytes());
        });
    }
    body.option(launcher.map(AsRawFd::as_raw_fd).as_ref(), |body, fd| {
        body.i32(*fd);
    });
    let memory = upkeep_os::memfd_with("upkeep-boot", &body.into_bytes())?;
    upkeep_os::set_cloexec(&memory, false)?;
    if let Some(launcher) = launcher {
        upkeep_os::set_cloexec(launcher, false)?;
    }
    Ok(memory)
}

#[derive(Debug)]
struct BootContent {
    program: Vec<OsString>,
    daemon_args: Vec<OsString>,
    env: Vec<OsString>,
}

/// Waits until the keeper's daemon serves (0), or until the keeper has ended (its status).
fn wait_for_keeper(mut told: File, pid: u32) -> io::Result<i32> {
    let mut byte = [0];
    loop {
        match told.read(&mut byte) {
            Ok(1..) => return Ok(0),
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let status = upkeep_os::wait_child(pid)?;
    Ok(std::process::ExitStatus::from_raw(status).code().unwrap_or(1))
}

/// What the launcher left for this process; `None` if it is not a keeper.
#[must_use]
pub fn boot_from_env() -> Option<BootData> {
    let number: RawFd = std::env::var(BOOT).ok()?.parse().ok()?;
    let memory = upkeep_os::own_inherited_fd(number).ok()?;
    let content = upkeep_os::read_memfd(&memory).ok()?;
    parse(&content)
}

fn parse(content: &[u8]) -> Option<BootData> {
    let mut body = BodyReader::new(content);
    let text = |body: &mut BodyReader<'_>| body.bytes().map(OsString::from_vec);
    let program = body.list(text).ok()?;
    let daemon_args = body.list(text).ok()?;
    let env = body.list(text).ok()?;
    let launcher = body.option(BodyReader::i32).ok()?;
    let launcher = launcher.and_then(|number| upkeep_os::own_inherited_fd(number).ok()).map(File::from);
    Some(BootData { program, daemon_args, env, launcher })
}

impl BootData {
    /// Tells the waiting launcher, once, that the daemon serves.
    pub(crate) fn tell_launcher(&mut self) {
        if let Some(mut launcher) = self.launcher.take() {
            // It may have been killed: then nobody waits.
            let _ = launcher.write_all(&[0]);
        }
    }
}
