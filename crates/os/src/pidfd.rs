//! Processes that are nobody's child here: known by a descriptor, which unlike a pid never means another one.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags};

/// What is known of how a process ended when nothing is (`status & 0x7f` is neither an exit nor a signal).
pub const UNKNOWN_STATUS: i32 = 0x7fff;

/// A descriptor of the process that has this pid now. Readable once it has ended (pidfd_open(2)).
///
/// # Errors
/// There is none, or no descriptor could be had.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends a signal to the process, or to the process group that it leads. Signal 0 only asks.
///
/// # Errors
/// ESRCH if it has ended; those of kill(2).
pub fn kill_pidfd(pidfd: impl AsFd, pid: u32, signal: i32, group: bool) -> io::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    let asked = if group { 0 } else { signal };
    // SAFETY: integers, and a null pointer where the call takes one.
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, fd, asked, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if sent != 0 {
        return Err(io::Error::last_os_error());
    }
    // It is still there, so its pid, and the group of that number, are its own.
    if group { crate::kill_child(pid, signal, true) } else { Ok(()) }
}

/// The raw wait status of a process that has ended; [`UNKNOWN_STATUS`] if nobody can tell any more.
///
/// A newer kernel keeps it with the descriptor (Linux 6.15); before, it can be read as long as the parent has not.
#[must_use]
pub fn ended_status(pidfd: impl AsFd, pid: u32) -> i32 {
    let pidfd = pidfd.as_fd();
    let told = kept_status(pidfd).or_else(|| zombie_status(pid));
    // The parent may have reaped it between the two looks.
    told.or_else(|| kept_status(pidfd)).unwrap_or(UNKNOWN_STATUS)
}

/// `struct pidfd_info` of linux/pidfd.h, in its first size.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The part of [`Info`] about the end (PIDFD_INFO_EXIT).
const ABOUT_EXIT: u64 = 1 << 3;
/// `_IOWR(0xff, 11, struct pidfd_info)` (PIDFD_GET_INFO).
const GET_INFO: u32 = 3 << 30 | INFO_SIZE << 16 | 0xff << 8 | 11;
/// The size that linux/pidfd.h calls version 0.
const INFO_SIZE: u32 = 64;

fn kept_status(pidfd: impl AsFd) -> Option<i32> {
    let mut info = Info { mask: ABOUT_EXIT, ..Info::default() };
    // SAFETY: the request names the size of what the pointer leads to, which lives through the call; it holds integers
    // only, so whatever the kernel writes is valid. A descriptor or a kernel that does not know it refuses.
    let asked = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), GET_INFO as libc::Ioctl, &raw mut info) };
    (asked == 0 && info.mask & ABOUT_EXIT != 0).then_some(info.exit_code)
}

/// From `/proc`, of a process that its parent has not reaped (proc_pid_stat(5), exit_code).
fn zombie_status(pid: u32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split_whitespace();
    (fields.next()? == "Z").then_some(())?;
    fields.next_back()?.parse().ok()
}

const _: () = assert!(mem::size_of::<Info>() == INFO_SIZE as usize, "the kernel takes the size at its word");

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn the_end_of_a_process_is_known_before_and_after_its_parent_reaped_it() {
        for (script, status) in [("read x; exit 3", 3 << 8), ("read x; kill -9 $$", 9)] {
            let mut child =
                Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
            let fd = pidfd(child.id()).unwrap();
            kill_pidfd(&fd, child.id(), 0, false).unwrap();
            drop(child.stdin.take());
            poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
            assert_eq!(ended_status(&fd, child.id()), status, "a zombie");
            child.wait().unwrap();
            let known = ended_status(&fd, child.id());
            assert!(known == status || known == UNKNOWN_STATUS, "{known}");
            assert!(kill_pidfd(&fd, child.id(), 0, false).is_err());
        }
    }

    #[test]
    fn a_group_is_reached_through_its_leader() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 100 & wait"]);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().unwrap();
        let fd = pidfd(child.id()).unwrap();
        kill_pidfd(&fd, child.id(), libc::SIGKILL, true).unwrap();
        child.wait().unwrap();
        let gone = kill_pidfd(&fd, child.id(), libc::SIGKILL, true).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));
    }
}
