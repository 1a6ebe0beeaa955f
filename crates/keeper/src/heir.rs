//! A daemon whose keeper was killed starts another one, and hands it all it knows.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use upkeep_os::{HEAP_VARIABLE, thrifty_heap};

use crate::estate::{DaemonPart, Estate, Inheritable};
use crate::launch::{BOOT, BootContent, LINK, OPEN_FILES, STDERR, join};

/// What the daemon knows about the keeper that it needs: it may be needed when that is gone.
#[derive(Clone, Debug)]
pub struct Heritage {
    /// The keeper's command line.
    pub program: Vec<OsString>,
    /// The keeper had gone into the background.
    pub detached: bool,
}

impl Heritage {
    /// What can be learnt about a keeper as long as it lives.
    #[must_use]
    pub fn of(keeper_pid: u32, detached: bool) -> Self {
        use std::os::unix::ffi::OsStringExt;
        let text = std::fs::read(format!("/proc/{keeper_pid}/cmdline")).unwrap_or_default();
        let mut program: Vec<OsString> =
            text.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
        // Each word ends with a null byte, so what is behind the last one is empty.
        program.pop();
        if program.is_empty() {
            program.push("supervisord".into());
        }
        Self { program, detached }
    }

    /// Starts a keeper for this daemon. It holds nothing yet: the daemon tells it what there is.
    ///
    /// Takes as long as a process needs to start. Returns the socket of a [`crate::Link`], by which the keeper says
    /// welcome.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start_keeper(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let pidfd = upkeep_os::pidfd(std::process::id())?;
        let daemon = DaemonPart {
            pid: std::process::id(),
            since_ns: upkeep_os::monotonic_ns(),
            socket: theirs.as_raw_fd(),
            pidfd: Some(pidfd.as_raw_fd()),
        };
        // Later daemons are not the first, and this one has served.
        let estate = Estate {
            generation: 1,
            ready: true,
            detached: self.detached,
            greet: true,
            daemon: Some(daemon),
            ..Estate::default()
        };
        let content = BootContent {
            program: self.program.clone(),
            daemon_args: std::env::args_os().collect(),
            env: environment().map(|(name, value)| join(&name, &value)).collect(),
            estate: Some(estate),
            leave_parent: true,
            ..BootContent::default()
        };
        let memory = content.memory()?;
        {
            let _inheritable =
                Inheritable::new(vec![memory.as_raw_fd(), theirs.as_raw_fd(), pidfd.as_raw_fd()])?;
            run_to_end(self.command(memory.as_raw_fd()))?;
        }
        Ok(ours)
    }

    fn command(&self, memory: i32) -> Command {
        let mut command = Command::new("/proc/self/exe");
        let (first, rest) =
            self.program.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        command.args(rest).env_clear().envs(environment()).env(BOOT, memory.to_string());
        command.env(HEAP_VARIABLE, thrifty_heap(std::env::var_os(HEAP_VARIABLE).as_deref()));
        if let Some(first) = first {
            command.arg0(first);
        }
        if let Some(limit) = std::env::var_os(OPEN_FILES) {
            command.env(OPEN_FILES, limit);
        }
        command
    }
}

/// This daemon's environment without what its own keeper told it.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| ![LINK, STDERR, OPEN_FILES].iter().any(|own| name == own))
}

/// The process that is started only starts the keeper.
fn run_to_end(mut command: Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
}
