//! Reaping: the one place where children are waited for.

use std::io;
use std::mem::MaybeUninit;

/// A child that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its pid.
    pub pid: u32,
    /// Raw wait status (wait(2)).
    pub status: i32,
    /// User CPU time in microseconds.
    pub utime_us: u64,
    /// System CPU time in microseconds.
    pub stime_us: u64,
    /// Peak resident memory in KiB.
    pub maxrss_kib: u64,
}

/// The next child that has ended, whoever started it; `None` if there is none now.
#[must_use]
pub fn reap() -> Option<Ended> {
    loop {
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both pointers are to writable memory of the right type that lives through the call.
        let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        if pid == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) {
            continue;
        }
        if pid <= 0 {
            return None;
        }
        // SAFETY: zeroed is a valid rusage (integers only), and wait4 has filled it.
        let usage = unsafe { usage.assume_init() };
        return Some(Ended {
            pid: pid.unsigned_abs(),
            status,
            utime_us: micros(usage.ru_utime),
            stime_us: micros(usage.ru_stime),
            maxrss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
        });
    }
}

/// Waits for one child to end; returns its raw wait status.
///
/// # Errors
/// It is not a child of this process.
pub fn wait_child(pid: u32) -> io::Result<i32> {
    let mut status = 0;
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the status points to a writable integer that lives through the call.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(status)
}

fn micros(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_usec).unwrap_or(0))
}
