//! From the launcher to the keeper, from one keeper to the next, and from the keeper to a daemon: which program, which
//! arguments, which environment.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;

use upkeep_os::{HEAP_VARIABLE, thrifty_heap};

use crate::daemon::complain;
use crate::estate::{Estate, Inheritable};
use crate::wire::{BodyReader, BodyWriter, WireError};

/// Names the descriptor with the [`BootContent`], for the keeper.
pub(crate) const BOOT: &str = "UPKEEP_INTERNAL_BOOT";
/// As [`BOOT`], for a program that shall only say whether it understands it.
pub(crate) const READ: &str = "UPKEEP_INTERNAL_READ";
/// Names the descriptor of the socket to the keeper, for the daemon.
pub(crate) const LINK: &str = "UPKEEP_INTERNAL_LINK";
/// Names the descriptor of the standard error that a daemon on trial gets back when it serves.
pub(crate) const STDERR: &str = "UPKEEP_INTERNAL_STDERR";
/// The limit on open descriptors that children have, for the daemon, whose own is raised.
pub(crate) const OPEN_FILES: &str = "UPKEEP_INTERNAL_OPEN_FILES";

/// What the launcher wants of the keeper.
#[derive(Debug)]
pub struct Boot {
    /// The command line as the user typed it; the keeper keeps it, so that `ps` shows it.
    pub program: Vec<OsString>,
    /// Command line of each daemon.
    pub daemon_args: Vec<OsString>,
    /// Environment of each daemon.
    pub env: Vec<(OsString, OsString)>,
    /// What the first daemon finds held, by name, as if one before it had asked for that.
    pub held: Vec<(String, OwnedFd)>,
    /// Go into the background.
    pub daemonize: bool,
}

/// What this process is to be, by the environment.
#[derive(Debug)]
pub enum BootData {
    /// A keeper.
    Keeper(Box<Orders>),
    /// Somebody who only tells, by its status, that it would be one.
    Reader,
    /// Nothing: what was left cannot be understood.
    Broken(io::Error),
}

/// What a keeper was told.
#[derive(Debug)]
pub struct Orders {
    pub(crate) content: BootContent,
    /// Where the waiting launcher is told that the daemon serves.
    pub(crate) launcher: Option<File>,
}

/// What a keeper is told, written down in a memory file that survives the exec.
#[derive(Clone, Debug, Default)]
pub(crate) struct BootContent {
    pub(crate) program: Vec<OsString>,
    pub(crate) daemon_args: Vec<OsString>,
    pub(crate) env: Vec<OsString>,
    pub(crate) launcher: Option<RawFd>,
    /// What there is to take over from an earlier keeper.
    pub(crate) estate: Option<Estate>,
    /// Leave the process that started this one: it is a daemon, and must not have a keeper as its child.
    pub(crate) leave_parent: bool,
}

impl BootContent {
    fn write(&self) -> Vec<u8> {
        let mut body = BodyWriter::default();
        for texts in [&self.program, &self.daemon_args, &self.env] {
            body.list(texts, |body, text| {
                body.bytes(text.as_bytes());
            });
        }
        body.option(self.launcher.as_ref(), |body, fd| {
            body.i32(*fd);
        });
        body.bool(self.leave_parent);
        body.option(self.estate.as_ref(), |body, estate| estate.write(body));
        body.into_bytes()
    }

    fn read(content: &[u8]) -> Result<Self, WireError> {
        let mut body = BodyReader::new(content);
        let text = |body: &mut BodyReader<'_>| body.bytes().map(OsString::from_vec);
        Ok(Self {
            program: body.list(text)?,
            daemon_args: body.list(text)?,
            env: body.list(text)?,
            launcher: body.option(BodyReader::i32)?,
            leave_parent: body.bool()?,
            estate: body.option(Estate::read)?,
        })
    }

    /// A memory file with all of it.
    ///
    /// # Errors
    /// No descriptor or no memory could be had.
    pub(crate) fn memory(&self) -> io::Result<OwnedFd> {
        upkeep_os::memfd_with("upkeep-boot", &self.write())
    }
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
    let held: Vec<(String, RawFd)> =
        boot.held.iter().map(|(name, fd)| (name.clone(), fd.as_raw_fd())).collect();
    let mut fds: Vec<RawFd> = held.iter().map(|(_, number)| *number).collect();
    let content = BootContent {
        program: boot.program,
        daemon_args: boot.daemon_args,
        env,
        estate: Some(Estate { held, ..Estate::default() }),
        ..BootContent::default()
    };
    if !boot.daemonize {
        return Err(become_keeper(executable.as_fd(), &content, fds));
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
            let content = BootContent { launcher: Some(tell.as_raw_fd()), ..content };
            fds.push(tell.as_raw_fd());
            Err(become_keeper(executable.as_fd(), &content, fds))
        }
    }
}

/// The name and value of a variable as one string.
pub(crate) fn join(name: &OsStr, value: &OsStr) -> OsString {
    OsString::from_vec([name.as_bytes(), value.as_bytes()].join(&b'='))
}

/// A variable that names a descriptor.
pub(crate) fn naming(name: &str, fd: impl AsFd) -> OsString {
    join(OsStr::new(name), OsStr::new(&fd.as_fd().as_raw_fd().to_string()))
}

/// Adds what makes the heap of the process that gets this environment small.
pub(crate) fn save_memory(env: &mut Vec<OsString>) {
    let name = join(OsStr::new(HEAP_VARIABLE), OsStr::new(""));
    let at = env.iter().position(|variable| variable.as_bytes().starts_with(name.as_bytes()));
    let before = at.map(|at| env.swap_remove(at));
    let before = before.as_ref().map(|variable| OsStr::from_bytes(&variable.as_bytes()[name.len()..]));
    env.push(join(OsStr::new(HEAP_VARIABLE), &thrifty_heap(before)));
}

/// Becomes the keeper by exec, with these descriptors; returns only if that fails.
pub(crate) fn become_keeper(
    executable: BorrowedFd<'_>,
    content: &BootContent,
    mut fds: Vec<RawFd>,
) -> io::Error {
    let prepared = content.memory().and_then(|memory| {
        fds.push(memory.as_raw_fd());
        Ok((memory, Inheritable::new(fds)?))
    });
    match prepared {
        Err(error) => error,
        Ok((memory, _inheritable)) => {
            let mut env = content.env.clone();
            env.push(naming(BOOT, &memory));
            save_memory(&mut env);
            upkeep_os::exec_descriptor(executable, content.program.clone(), env)
        }
    }
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

/// What the launcher, or an earlier keeper, left for this process; `None` if it is to be something else.
#[must_use]
pub fn boot_from_env() -> Option<BootData> {
    let reader = std::env::var_os(READ);
    let only_read = reader.is_some();
    let number = reader.or_else(|| std::env::var_os(BOOT))?;
    Some(match (read_boot(&number), only_read) {
        (Err(error), _) => BootData::Broken(error),
        (Ok(_), true) => BootData::Reader,
        (Ok(content), false) => {
            let launcher = content.launcher.and_then(|number| upkeep_os::own_inherited_fd(number).ok());
            BootData::Keeper(Box::new(Orders { content, launcher: launcher.map(File::from) }))
        }
    })
}

fn read_boot(number: &OsStr) -> io::Result<BootContent> {
    let number: RawFd =
        number.to_str().and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let memory = upkeep_os::own_inherited_fd(number)?;
    Ok(BootContent::read(&upkeep_os::read_memfd(&memory)?)?)
}

impl Orders {
    /// Tells the waiting launcher, once, that the daemon serves.
    pub(crate) fn tell_launcher(&mut self) {
        self.content.launcher = None;
        if let Some(mut launcher) = self.launcher.take() {
            // It may have been killed: then nobody waits.
            let _ = launcher.write_all(&[0]);
        }
    }
}

/// Gives a daemon on trial the standard error back that its keeper has; until then what it says there is kept as the
/// reason for which it was found wanting.
pub fn take_back_stderr() {
    let number = std::env::var(STDERR).ok().and_then(|text| text.parse().ok());
    let Some(number) = number else { return };
    let taken = upkeep_os::own_inherited_fd(number).and_then(|fd| Ok(rustix::stdio::dup2_stderr(fd)?));
    if let Err(error) = taken {
        complain(&format!("standard error stays with the keeper: {error}"));
    }
}
