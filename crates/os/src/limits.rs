//! Resource limits of the daemon, which the children inherit (PROC-077).

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A limit that has an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// RLIMIT_NOFILE, `minfds`.
    OpenFiles,
    /// RLIMIT_NPROC, `minprocs`.
    Processes,
}

/// Raises the soft limit to `wanted` if it is lower, the hard one too if need be; true if anything changed (PROC-207).
///
/// # Errors
/// Only root may raise a hard limit.
pub fn raise_limit(limit: Limit, wanted: u64) -> io::Result<bool> {
    let resource = match limit {
        Limit::OpenFiles => Resource::Nofile,
        Limit::Processes => Resource::Nproc,
    };
    let Rlimit { current, maximum } = getrlimit(resource);
    if current.is_none_or(|soft| soft >= wanted) {
        return Ok(false);
    }
    let maximum = maximum.map(|hard| hard.max(wanted));
    setrlimit(resource, Rlimit { current: Some(wanted), maximum })?;
    Ok(true)
}

/// Does to another process what [`raise_limit`] does to this one.
///
/// # Errors
/// The process is not ours, or only root may raise a hard limit.
pub fn raise_limit_of(pid: u32, limit: Limit, wanted: u64) -> io::Result<bool> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let resource = match limit {
        Limit::OpenFiles => libc::RLIMIT_NOFILE,
        Limit::Processes => libc::RLIMIT_NPROC,
    };
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `found` is a live local; without a new limit nothing is read.
    if unsafe { libc::prlimit(pid, resource, std::ptr::null(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if found.rlim_cur >= wanted {
        return Ok(false);
    }
    let raised = libc::rlimit { rlim_cur: wanted, rlim_max: found.rlim_max.max(wanted) };
    // SAFETY: `raised` is a live local; the old limit is not asked for.
    if unsafe { libc::prlimit(pid, resource, &raw const raised, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(true)
}

/// Raises the soft limit on open descriptors as far as the hard one allows.
///
/// # Errors
/// Those of setrlimit(2).
pub fn raise_open_files_to_hard() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Lowers the soft limit on open descriptors; a higher one than there is changes nothing.
///
/// # Errors
/// Those of setrlimit(2).
pub fn lower_open_files(limit: u64) -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current > limit) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum })?;
    }
    Ok(())
}
