//! Signals: read as data by the keeper, ignored by the daemon, sent to children.

use std::fs::File;
use std::io::{self, Read};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::process::Pid;

/// Signals that arrive as readable data instead of interrupting anybody.
#[derive(Debug)]
pub struct SignalFd(File);

impl SignalFd {
    /// Blocks these signals in this process and makes them readable. Children must get an empty mask again.
    ///
    /// Their dispositions become the default: whoever started this process may have them ignored (nohup(1)), and a
    /// parent that ignores CHLD never learns how its children ended (wait(2)).
    ///
    /// # Errors
    /// No descriptor could be had, or a number is no signal.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        for &signal in signals {
            // SAFETY: installs no handler, only the constant disposition "default".
            if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is initialised by sigemptyset before anything else reads it; all pointers are to it.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                if libc::sigaddset(set.as_mut_ptr(), signal) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd has just returned this descriptor; nobody else owns it.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// The next signal that has come; `None` if there is none.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn take(&mut self) -> io::Result<Option<i32>> {
        let mut record = [0u8; mem::size_of::<libc::signalfd_siginfo>()];
        match self.0.read(&mut record) {
            Ok(count) if count == record.len() => {
                let number = [record[0], record[1], record[2], record[3]];
                Ok(Some(i32::from_ne_bytes(number)))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Leaves TERM, INT, QUIT, HUP, USR1 and USR2 to the keeper: a terminal's Ctrl-C and `pkill` reach the daemon too, and
/// must not end it behind the keeper's back. PIPE and XFSZ are ignored as well (PROC-235).
///
/// # Errors
/// Those of signal(2).
pub fn ignore_control_signals() -> io::Result<()> {
    ignore(&[libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2])?;
    ignore_pipe_signals()
}

/// Turns a write to a closed pipe, or past a file size limit, into an error instead of an end (PROC-235).
///
/// # Errors
/// Those of signal(2).
pub fn ignore_pipe_signals() -> io::Result<()> {
    ignore(&[libc::SIGPIPE, libc::SIGXFSZ])
}

fn ignore(signals: &[i32]) -> io::Result<()> {
    for &signal in signals {
        // SAFETY: installs no handler, only the constant disposition "ignore".
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Blocks no signal any more, for a process about to execute another program.
///
/// # Errors
/// Those of sigprocmask(2).
pub fn unblock_signals() -> io::Result<()> {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is initialised by sigemptyset before it is read; nothing else is written.
    let result = unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to a child that has not been reaped, or to its process group. Signal 0 only asks.
///
/// # Errors
/// Those of kill(2).
pub fn kill_child(pid: u32, signal: i32, group: bool) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let target = if group { -pid.as_raw_nonzero().get() } else { pid.as_raw_nonzero().get() };
    // Pid 1 is nobody's child, and -1 would be every process there is.
    if pid.is_init() {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: plain integers. kill(2) itself is asked and not rustix, whose `Signal` holds no number without a name.
    if unsafe { libc::kill(target, signal) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
