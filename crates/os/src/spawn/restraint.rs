//! What is done to a child before it executes its program: priorities, limits, privileges, what it may see and write.
//!
//! A child that is restrained does not share its parent's memory: some of this acts on everybody who shares it
//! (`oom_score_adj`), and of what fails the parent is told over a pipe that the execution of the program closes.

use std::ffi::{CString, NulError};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::Timespec;

use super::capabilities::{keep_bounding, raise_ambient};
use super::landlock::only_write_beneath;
use super::{Plan, Stdio, become_program};

/// One restraint, and the option that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restraint {
    /// Name of the option.
    pub key: String,
    /// What is done.
    pub what: What,
}

/// What is done to a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Nice value (setpriority(2)).
    Nice(i32),
    /// I/O class and level (ioprio_set(2)).
    Ionice {
        /// 1 realtime, 2 best-effort, 3 idle.
        class: u8,
        /// 0 is first.
        level: u8,
    },
    /// How readily the kernel kills it when memory runs out (proc_pid_oom_score_adj(5)).
    OomScoreAdj(i32),
    /// It joins this control group.
    Cgroup(Vec<u8>),
    /// `/tmp` and `/var/tmp` of its own, in memory.
    PrivateTmp,
    /// It may write beneath these paths only (landlock(7)).
    OnlyWriteBeneath(Vec<Vec<u8>>),
    /// A limit (setrlimit(2)).
    Rlimit {
        /// `RLIMIT_*`.
        resource: u32,
        /// `None` is unlimited.
        soft: Option<u64>,
        /// `None` is unlimited.
        hard: Option<u64>,
    },
    /// No program that it executes has more privileges (prctl(2)).
    NoNewPrivileges,
    /// Capabilities that it can have at most, as bits (capabilities(7)).
    BoundingSet(u64),
    /// Capabilities that it has whoever it is, as bits.
    AmbientSet(u64),
    /// Something that this version does not know.
    Unknown(u8),
}

/// A restraint that could not be applied; the child is gone.
#[derive(Debug)]
pub struct Unrestrained {
    /// Name of the option.
    pub key: String,
    /// errno.
    pub code: i32,
}

impl std::fmt::Display for Unrestrained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cannot be applied: {}", self.key, crate::errno_name(self.code))
    }
}

impl std::error::Error for Unrestrained {}

/// A restraint with everything that the child needs for it.
#[derive(Debug)]
pub(super) struct Step {
    key: String,
    /// What the child says if it fails.
    pub(super) prefix: Vec<u8>,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Nice(i32),
    Ionice(libc::c_int),
    Write { path: CString, text: String },
    PrivateTmp,
    OnlyWriteBeneath(Vec<CString>),
    Rlimit { resource: u32, limit: libc::rlimit },
    NoNewPrivileges,
    BoundingSet(u64),
    AmbientSet(u64),
    Unknown,
}

/// The steps in the order that works: what needs descriptors or privileges before what takes them away.
pub(super) fn steps(mut restraints: Vec<Restraint>) -> Result<Vec<Step>, NulError> {
    restraints.sort_by_key(|restraint| restraint.what.turn());
    restraints.into_iter().map(Step::new).collect()
}

impl What {
    fn turn(&self) -> u8 {
        match self {
            Self::Unknown(_) => 0,
            Self::Nice(_) | Self::Ionice { .. } | Self::OomScoreAdj(_) | Self::Cgroup(_) => 1,
            Self::PrivateTmp => 2,
            Self::OnlyWriteBeneath(_) => 3,
            Self::Rlimit { .. } => 4,
            Self::NoNewPrivileges => 5,
            Self::BoundingSet(_) => 6,
            Self::AmbientSet(_) => 7,
        }
    }
}

impl Step {
    fn new(restraint: Restraint) -> Result<Self, NulError> {
        let Restraint { key, what } = restraint;
        let limit = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
        let act = match what {
            What::Nice(value) => Act::Nice(value),
            What::Ionice { class, level } => {
                Act::Ionice((libc::c_int::from(class) << 13) | libc::c_int::from(level))
            }
            What::OomScoreAdj(value) => {
                Act::Write { path: c"/proc/self/oom_score_adj".to_owned(), text: value.to_string() }
            }
            What::Cgroup(mut directory) => {
                directory.extend_from_slice(b"/cgroup.procs");
                Act::Write { path: CString::new(directory)?, text: "0".to_owned() }
            }
            What::PrivateTmp => Act::PrivateTmp,
            What::OnlyWriteBeneath(paths) => {
                let paths = paths.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>()?;
                Act::OnlyWriteBeneath(paths)
            }
            What::Rlimit { resource, soft, hard } => {
                Act::Rlimit { resource, limit: libc::rlimit { rlim_cur: limit(soft), rlim_max: limit(hard) } }
            }
            What::NoNewPrivileges => Act::NoNewPrivileges,
            What::BoundingSet(set) => Act::BoundingSet(set),
            What::AmbientSet(set) => Act::AmbientSet(set),
            What::Unknown(_) => Act::Unknown,
        };
        let prefix = [b"supervisor: couldn't apply ".as_slice(), key.as_bytes(), b": "].concat();
        Ok(Self { key, prefix, act })
    }

    /// Whether it comes after the child has become its user.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.act, Act::AmbientSet(_))
    }

    /// Does it; for the child between fork(2) and exec, whose memory is its own.
    ///
    /// # Errors
    /// errno.
    pub(super) fn take(&self) -> Result<(), i32> {
        // SAFETY: the calls get plain integers, and pointers to what this holds, which outlives them; strings end with a
        // zero. All are system calls without locks or heap.
        unsafe {
            match &self.act {
                Act::Nice(value) => check(libc::setpriority(libc::PRIO_PROCESS, 0, *value).into()),
                // 1: this process.
                Act::Ionice(value) => check(libc::syscall(libc::SYS_ioprio_set, 1, 0, *value)),
                Act::Write { path, text } => write_to(path, text),
                Act::PrivateTmp => private_tmp(),
                Act::OnlyWriteBeneath(paths) => {
                    no_new_privileges()?;
                    only_write_beneath(paths)
                }
                Act::Rlimit { resource, limit } => {
                    let none = std::ptr::null_mut::<libc::rlimit>();
                    check(libc::syscall(libc::SYS_prlimit64, 0, *resource, &raw const *limit, none))
                }
                Act::NoNewPrivileges => no_new_privileges(),
                Act::BoundingSet(set) => keep_bounding(*set),
                Act::AmbientSet(set) => raise_ambient(*set),
                Act::Unknown => Err(libc::ENOSYS),
            }
        }
    }
}

/// What a system call of the C library returned.
pub(super) fn check(result: libc::c_long) -> Result<(), i32> {
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

pub(super) fn last_error() -> i32 {
    // SAFETY: this thread's own.
    unsafe { *libc::__errno_location() }
}

/// SAFETY: for the child between fork(2) and exec.
unsafe fn write_to(path: &CString, text: &str) -> Result<(), i32> {
    // SAFETY: the path ends with a zero, and text and length are those of one slice; the descriptor is nobody else's.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        check(fd.into())?;
        let written = check(libc::write(fd, text.as_ptr().cast(), text.len()) as libc::c_long);
        libc::close(fd);
        written
    }
}

/// SAFETY: for the child between fork(2) and exec.
unsafe fn no_new_privileges() -> Result<(), i32> {
    // SAFETY: plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())
}

/// Mounts of its own, of which others see nothing, with two empty folders in memory. What others mount it sees.
///
/// SAFETY: for the child between fork(2) and exec.
unsafe fn private_tmp() -> Result<(), i32> {
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: plain integers, null pointers where nothing is said, and constants that end with a zero.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS).into())?;
        check(libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_SLAVE, none.cast()).into())?;
        for folder in [c"/tmp", c"/var/tmp"] {
            let flags = libc::MS_NOSUID | libc::MS_NODEV;
            let (kind, options) = (c"tmpfs".as_ptr(), c"mode=1777,size=10%".as_ptr().cast());
            match check(libc::mount(kind, folder.as_ptr(), kind, flags, options).into()) {
                Err(libc::ENOENT) => {}
                result => result?,
            }
        }
    }
    Ok(())
}

/// Starts a program that is restrained; waits until it is executed, or its restraints have failed, or `patience` is over: then
/// the child says itself what goes wrong.
///
/// # Errors
/// Those of fork(2), and [`Unrestrained`].
pub(super) fn spawn_restrained(plan: &Plan, stdio: Stdio<'_>, patience: Duration) -> io::Result<u32> {
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: the child runs only `become_program`, which makes async-signal-safe calls alone, so it waits for no lock
    // that another thread of ours may have held.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {
            plan.enter(stdio.into());
            become_program(plan, stdio.into(), Some(tell.as_raw_fd()))
        }
        pid => pid,
    };
    drop(tell);
    // As the child does.
    // SAFETY: plain integers; it fails, to no harm, if the child has executed its program already.
    unsafe { libc::setpgid(pid, pid) };
    let pid = pid.unsigned_abs();
    match failure(&told, patience).and_then(|failure| Some((plan.steps.get(failure.step)?, failure.code))) {
        None => Ok(pid),
        Some((step, code)) => {
            crate::wait_child(pid)?;
            Err(io::Error::other(Unrestrained { key: step.key.clone(), code }))
        }
    }
}

/// What a child tells its parent of: the number of a step, and errno.
pub(super) struct Failure {
    pub(super) step: usize,
    pub(super) code: i32,
}

impl Failure {
    /// Tells it to the parent; for the child between fork and exec.
    pub(super) fn tell(&self, fd: RawFd) {
        let step = u8::try_from(self.step).unwrap_or(u8::MAX);
        let [a, b, c, d] = self.code.to_ne_bytes();
        let words = [step, a, b, c, d];
        // SAFETY: the pointer and length are those of one array. Nothing can be done if nobody reads it.
        unsafe { libc::write(fd, words.as_ptr().cast(), words.len()) };
    }
}

/// What the child tells before it executes its program.
fn failure(told: &OwnedFd, patience: Duration) -> Option<Failure> {
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(told, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) | Ok(0) => return None,
            Ok(_) => break,
        }
    }
    let mut words = [0; 5];
    match rustix::io::read(told.as_fd(), &mut words) {
        Ok(5) => {
            let [step, code @ ..] = words;
            Some(Failure { step: step.into(), code: i32::from_ne_bytes(code) })
        }
        Ok(_) | Err(_) => None,
    }
}
