//! Small matters: the clock, names, memory files, the own executable.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::ptr;

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC in nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Sets the name that ps(1) and top(1) show (at most 15 bytes of it).
pub fn set_process_name(name: &str) {
    if let Ok(name) = CString::new(name) {
        // A name is a courtesy: without it the process works all the same.
        let _ = rustix::thread::set_name(&name);
    }
}

/// Sets the file mode creation mask.
pub fn set_umask(mask: u32) {
    rustix::process::umask(Mode::from_raw_mode(mask));
}

/// Points descriptors 0 to 2 at `/dev/null`.
///
/// # Errors
/// `/dev/null` cannot be opened.
pub fn stdio_to_null() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// A file in memory with this content, close-on-exec.
///
/// # Errors
/// No descriptor or no memory could be had.
pub fn memfd_with(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    // Systems that want it said that a memory file holds no program refuse those of which it is not said; Linux before
    // 6.3 does not know the flag.
    let sealed = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL);
    let fd = sealed.or_else(|error| match error {
        Errno::INVAL => memfd_create(name, MemfdFlags::CLOEXEC),
        other => Err(other),
    })?;
    let mut file = File::from(fd);
    file.write_all(content)?;
    Ok(file.into())
}

/// The whole content of a memory file. Its position, which all duplicates share, is neither used nor moved.
///
/// # Errors
/// Those of fstat(2) and pread(2).
pub fn read_memfd(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(fd.try_clone()?);
    let length = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut content = vec![0; length];
    file.read_exact_at(&mut content, 0)?;
    Ok(content)
}

/// Whether a descriptor is closed when another program is executed.
///
/// # Errors
/// Those of fcntl(2).
pub fn set_cloexec(fd: impl AsFd, close: bool) -> io::Result<()> {
    let flags = if close { FdFlags::CLOEXEC } else { FdFlags::empty() };
    Ok(fcntl_setfd(fd, flags)?)
}

/// The same for a descriptor known by its number.
///
/// # Errors
/// It is not open.
pub fn set_cloexec_of(number: RawFd, close: bool) -> io::Result<()> {
    let flags = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: only sets a flag of whatever descriptor has this number; nobody's ownership changes.
    if unsafe { libc::fcntl(number, libc::F_SETFD, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes ownership of a descriptor whose number came from whoever executed this program, and makes it close-on-exec.
///
/// # Errors
/// It is not open, one of 0 to 2, or not inherited: what this process opened itself, or took before, is close-on-exec.
pub fn own_inherited_fd(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: F_GETFD only asks about the number.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is open, and not close-on-exec, so it came through exec and has no owner yet: the standard
    // library and rustix open everything close-on-exec, and the next line sees to it that it is not taken twice.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    set_cloexec(&fd, true)?;
    Ok(fd)
}

/// This process's own executable, whatever has become of the file since; it need not be readable.
///
/// # Errors
/// There is no `/proc`.
pub fn own_executable() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Becomes the program behind an open descriptor; returns only if that fails.
#[must_use]
pub fn exec_descriptor(executable: impl AsFd, argv: Vec<OsString>, env: Vec<OsString>) -> io::Error {
    let strings = |list: Vec<OsString>| {
        list.into_iter().map(|text| CString::new(text.into_vec())).collect::<Result<Vec<_>, _>>()
    };
    let (argv, env) = match (strings(argv), strings(env)) {
        (Ok(argv), Ok(env)) => (argv, env),
        (Err(error), _) | (_, Err(error)) => return error.into(),
    };
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv_pointers, env_pointers) = (pointers(&argv), pointers(&env));
    // SAFETY: the descriptor is open; both arrays end with a null pointer and point to strings that outlive the call.
    unsafe {
        libc::fexecve(executable.as_fd().as_raw_fd(), argv_pointers.as_ptr(), env_pointers.as_ptr());
    }
    io::Error::last_os_error()
}

/// Splits this single-threaded process in two; `None` in the child, its pid in the parent.
///
/// # Errors
/// Those of fork(2). EBUSY if there is another thread: what it has locked would stay locked in the child for ever.
pub fn fork_child() -> io::Result<Option<u32>> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: this is the only thread, and nobody else can start one, so the child may go on as any process may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid.unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_file_is_read_wherever_a_duplicate_stands() {
        let memory = memfd_with("test", b"whole content").unwrap();
        let mut duplicate = File::from(memory.try_clone().unwrap());
        let mut start = [0; 5];
        io::Seek::rewind(&mut duplicate).unwrap();
        io::Read::read_exact(&mut duplicate, &mut start).unwrap();
        assert_eq!(read_memfd(&memory).unwrap(), b"whole content");
        assert_eq!(io::Seek::stream_position(&mut duplicate).unwrap(), 5, "and is not moved");
        assert_eq!(read_memfd(&memfd_with("empty", b"").unwrap()).unwrap(), b"");
    }

    #[test]
    fn only_what_was_inherited_can_be_taken_and_only_once() {
        let own = memfd_with("own", b"").unwrap();
        assert_eq!(own_inherited_fd(own.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::EBADF));
        for number in [-1, 0, 2, 1_000_000] {
            assert!(own_inherited_fd(number).is_err(), "{number}");
        }
        // As exec leaves it.
        let inherited = memfd_with("inherited", b"").unwrap();
        set_cloexec(&inherited, false).unwrap();
        let number = std::os::fd::IntoRawFd::into_raw_fd(inherited);
        let taken = own_inherited_fd(number).unwrap();
        assert_eq!(own_inherited_fd(number).unwrap_err().raw_os_error(), Some(libc::EBADF));
        drop(taken);
    }

    #[test]
    fn a_process_with_threads_is_not_split() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || stopped.recv());
        assert_eq!(fork_child().unwrap_err().raw_os_error(), Some(libc::EBUSY));
        drop(stop);
        assert!(other.join().unwrap().is_err());
    }

    #[test]
    fn the_own_executable_is_that_of_this_process() {
        let executable = own_executable().unwrap();
        let path = format!("/proc/self/fd/{}", executable.as_raw_fd());
        assert_eq!(std::fs::read_link(path).unwrap(), std::env::current_exe().unwrap());
    }
}
