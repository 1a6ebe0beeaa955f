//! Fork and exec by a plan that is complete before the fork.
//!
//! Between the two the child makes only async-signal-safe calls, takes no lock and touches no heap: every string
//! it may need, also those of its error messages, was made before. What goes wrong there the child says itself on its
//! standard error, in Supervisor's words, and ends with 127 (PROC-060 … PROC-064).

mod birth;
mod capabilities;
mod landlock;
pub mod register;
mod restraint;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;

use rustix::process::{Gid, Uid, chdir};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::Strings;
use crate::errno::known_name;
use capabilities::keep_capabilities;
use restraint::{Failure, Step};

pub use birth::Nursery;
pub use landlock::landlock_version;
pub use restraint::{Restraint, Unrestrained, What};

/// Status of a child that could not become the program.
const NOT_SPAWNED: i32 = 127;
/// Last line of a child that could not become the program.
const FAREWELL: &[u8] = b"supervisor: child process was not spawned\n";
/// Descriptors closed one by one where close_range(2) is missing (Linux before 5.9).
const CLOSE_LIMIT: RawFd = 4096;

/// Largest signal number (signal(7)).
const LAST_SIGNAL: libc::c_int = 64;
/// Size of the kernel's signal mask.
const MASK_BYTES: usize = 8;
/// Size of the kernel's `sigaction` at most: handler, flags, restorer, mask.
const SIGACTION_WORDS: usize = 4;

/// Whom the child becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Stays who we are.
    Keep,
    /// Becomes this user.
    Switch {
        /// User.
        uid: u32,
        /// Primary group.
        gid: u32,
        /// Supplementary groups, the primary one first (PROC-068).
        groups: Vec<u32>,
    },
    /// Cannot become the wanted user: says so and ends.
    Refuse {
        /// The wanted user.
        uid: u32,
        /// Why.
        reason: String,
    },
}

/// Where the child's standard descriptors come from.
#[derive(Clone, Copy, Debug)]
pub struct Stdio<'a> {
    /// Standard input.
    pub stdin: BorrowedFd<'a>,
    /// Standard output.
    pub stdout: BorrowedFd<'a>,
    /// Standard error; `None` is the same as standard output.
    pub stderr: Option<BorrowedFd<'a>>,
    /// One more, with the number above 2 that it has in the child.
    pub more: Option<(BorrowedFd<'a>, RawFd)>,
}

/// The same in the child, where nobody owns them.
#[derive(Clone, Copy, Debug)]
struct Ends {
    stdin: RawFd,
    stdout: RawFd,
    stderr: RawFd,
    /// One more: where it is, and where it is to be.
    more: Option<(RawFd, RawFd)>,
}

impl From<Stdio<'_>> for Ends {
    fn from(stdio: Stdio<'_>) -> Self {
        Self {
            stdin: stdio.stdin.as_raw_fd(),
            stdout: stdio.stdout.as_raw_fd(),
            stderr: stdio.stderr.unwrap_or(stdio.stdout).as_raw_fd(),
            more: stdio.more.map(|(fd, number)| (fd.as_raw_fd(), number)),
        }
    }
}

/// A program to start, with everything the child needs between fork and exec.
#[derive(Debug)]
pub struct Plan {
    path: CString,
    argv: CStrings,
    env: CStrings,
    cwd: Option<CString>,
    umask: Option<u32>,
    identity: Identity,
    groups: Vec<Gid>,
    user_prefix: String,
    user_reason: String,
    cwd_prefix: Vec<u8>,
    exec_prefix: Vec<u8>,
    /// In the order in which they are taken.
    steps: Vec<Step>,
    /// Where the child writes itself down.
    entry: Option<register::Entry>,
}

/// Strings and the null-ended array of pointers to them that execve(2) wants.
#[derive(Debug)]
struct CStrings {
    // The pointers point into the heap buffer of this, which stays where it is when this moves.
    _owned: Strings,
    pointers: Vec<*const libc::c_char>,
}

impl CStrings {
    fn new(strings: Strings) -> io::Result<Self> {
        if strings.iter().any(|text| text.contains(&0)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let pointers = strings.iter().map(|text| text.as_ptr().cast()).chain([ptr::null()]).collect();
        Ok(Self { _owned: strings, pointers })
    }
}

/// What a plan is made of.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: Vec<u8>,
    /// The arguments; the first is the name as written.
    pub argv: Vec<Vec<u8>>,
    /// `K=V`.
    pub env: Strings,
    /// Working directory; `None` stays.
    pub cwd: Option<Vec<u8>>,
    /// File mode creation mask; `None` stays.
    pub umask: Option<u32>,
    /// Whom it becomes.
    pub identity: Identity,
    /// What is done to it before that.
    pub restraints: Vec<Restraint>,
}

impl Plan {
    /// Prepares everything.
    ///
    /// # Errors
    /// A string holds a NUL byte (EINVAL).
    pub fn new(program: Program) -> io::Result<Self> {
        let name = program.argv.first().cloned().unwrap_or_default();
        let (uid, reason) = match &program.identity {
            Identity::Keep => (0, String::new()),
            Identity::Switch { uid, .. } => (*uid, String::new()),
            Identity::Refuse { uid, reason } => (*uid, reason.clone()),
        };
        let groups = match &program.identity {
            Identity::Switch { groups, .. } => groups.iter().copied().map(Gid::from_raw).collect(),
            Identity::Keep | Identity::Refuse { .. } => Vec::new(),
        };
        let shown_cwd = program.cwd.clone().unwrap_or_default();
        Ok(Self {
            path: CString::new(program.path)?,
            argv: CStrings::new(program.argv.iter().collect())?,
            env: CStrings::new(program.env)?,
            cwd: program.cwd.map(CString::new).transpose()?,
            umask: program.umask,
            identity: program.identity,
            groups,
            user_prefix: format!("supervisor: couldn't setuid to {uid}: "),
            user_reason: reason,
            cwd_prefix: [b"supervisor: couldn't chdir to ".as_slice(), &shown_cwd, b": "].concat(),
            exec_prefix: [b"supervisor: couldn't exec ".as_slice(), &name, b": "].concat(),
            steps: restraint::steps(program.restraints)?,
            entry: None,
        })
    }

    /// The child is to write itself down in this register before it executes its program, under this number. It is to be
    /// made by this process.
    pub fn register(&mut self, register: Option<Arc<OwnedFd>>, run: u64) {
        self.entry = register.map(|register| register::Entry::new(register, run));
    }

    /// The first thing that the child does.
    fn enter(&self, ends: Ends) {
        if let Some(entry) = &self.entry {
            entry.make(ends);
        }
    }
}

/// Starts the program by fork(2).
fn spawn_by_fork(plan: &Plan, stdio: Stdio<'_>) -> io::Result<u32> {
    // SAFETY: the child runs only `become_program`, which makes async-signal-safe calls alone, so it waits for no lock
    // that another thread of ours may have held.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            plan.enter(stdio.into());
            become_program(plan, stdio.into(), None)
        }
        pid => {
            // The child does this too: whoever is first, a signal to its group finds one as soon as we return.
            // SAFETY: plain integers; it fails, to no harm, if the child has executed its program already.
            unsafe { libc::setpgid(pid, pid) };
            Ok(pid.unsigned_abs())
        }
    }
}

/// The child's way from fork to exec (PROC-064). It may share our memory, and with it errno: nothing
/// here writes or reads that, but for restraints, with which it does not. `tell` is where their failures are told.
fn become_program(plan: &Plan, ends: Ends, tell: Option<RawFd>) -> ! {
    // SAFETY: all calls are async-signal-safe (signal-safety(7)) and get plain integers, or pointers to strings and
    // arrays of `plan`, which is not changed and outlives the call; the arrays end with a null pointer.
    unsafe {
        libc::setpgid(0, 0);
        take_stdio(ends);
        let waited_for = tell.is_some();
        let tell = keep_few(tell, ends.more);
        take_steps(plan, false, tell);
        if !take_identity(plan) {
            leave();
        }
        take_steps(plan, true, tell);
        // What comes may take long, on a disk that hangs: the parent must not wait for it.
        if waited_for {
            libc::close(tell);
        }
        if let Some(cwd) = &plan.cwd
            && let Err(error) = chdir(cwd.as_c_str())
        {
            say_error(&plan.cwd_prefix, error.raw_os_error());
            leave();
        }
        if let Some(mask) = plan.umask {
            libc::umask(mask);
        }
        reset_signals();
        let error = execve(&plan.path, &plan.argv, &plan.env);
        say_error(&plan.exec_prefix, error);
        leave();
    }
}

/// Takes the steps that come before, or after, the child becomes its user; ends if one fails.
///
/// SAFETY: for the child between fork(2) and exec; if there are any steps, its memory is its own.
unsafe fn take_steps(plan: &Plan, late: bool, tell: RawFd) {
    for (number, step) in plan.steps.iter().enumerate().filter(|(_, step)| step.is_late() == late) {
        if let Err(code) = step.take() {
            Failure { step: number, code }.tell(tell);
            say_error(&step.prefix, code);
            leave();
        }
    }
    if !late && plan.steps.iter().any(Step::is_late) {
        // SAFETY: as this.
        unsafe { keep_capabilities() };
    }
}

/// Executes the program; returns only if that fails, with the error. Not by the C library, which writes the error where a
/// parent that shares our memory finds those of its own calls, and finds its errors for ours.
///
/// SAFETY: for the child between fork and exec.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
unsafe fn execve(path: &CString, argv: &CStrings, env: &CStrings) -> i32 {
    let (path, argv, env) = (path.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr());
    let result: i64;
    // SAFETY: the call as the kernel wants it, with strings and arrays that outlive it and end with a null pointer; it
    // changes no other registers than these, and no memory of this process unless that is replaced as a whole.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!(
            "syscall",
            inlateout("rax") libc::SYS_execve => result,
            in("rdi") path,
            in("rsi") argv,
            in("rdx") env,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!(
            "svc 0",
            in("x8") libc::SYS_execve,
            inlateout("x0") path => result,
            in("x1") argv,
            in("x2") env,
            options(nostack),
        );
    }
    i32::try_from(-result).unwrap_or(libc::EINVAL)
}

/// The same by the C library: on these processors its word for the error has to be trusted.
///
/// SAFETY: for the child between fork and exec.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn execve(path: &CString, argv: &CStrings, env: &CStrings) -> i32 {
    // SAFETY: strings and arrays that outlive the call; the arrays end with a null pointer.
    unsafe {
        libc::execve(path.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr());
        *libc::__errno_location()
    }
}

/// SAFETY: for the child between fork and exec; the descriptors are open and above 2.
unsafe fn take_stdio(ends: Ends) {
    // SAFETY: dup2 on open descriptors.
    unsafe {
        libc::dup2(ends.stdin, 0);
        libc::dup2(ends.stdout, 1);
        libc::dup2(ends.stderr, 2);
    }
}

/// Where the child has the pipe to its parent, if there is one and nothing else is to lie there.
const TELL: RawFd = 3;

/// Closes all descriptors above 2 but the pipe to the parent and one more, which comes to lie at its number; returns where the
/// pipe lies.
///
/// SAFETY: for the child between fork and exec, which uses no descriptor above 2 any more but these; if there are any, its
/// memory is its own.
unsafe fn keep_few(tell: Option<RawFd>, more: Option<(RawFd, RawFd)>) -> RawFd {
    let number = more.map_or(0, |(_, number)| number);
    let at = if number == TELL { TELL + 1 } else { TELL };
    let (low, high) = if tell.is_none() { (number, number) } else { (number.min(at), number.max(at)) };
    // SAFETY: plain integers. First both are out of the way of where they are to lie; nobody in this process uses afterwards
    // what was there, or is closed.
    unsafe {
        let away = |fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, number.max(at) + 1);
        let (tell, more) = (tell.map(away), more.map(|(fd, number)| (away(fd), number)));
        if let Some(fd) = tell {
            libc::dup3(fd, at, libc::O_CLOEXEC);
        }
        if let Some((fd, number)) = more {
            libc::dup2(fd, number);
        }
        close_range(TELL, low - 1);
        close_range(low + 1, high - 1);
        close_range(high + 1, RawFd::MAX);
    }
    at
}

/// Closes these descriptors, the last one among them, as far as they are above 2.
///
/// SAFETY: for the child between fork and exec, which uses none of these any more.
unsafe fn close_range(first: RawFd, last: RawFd) {
    let first = first.max(TELL);
    if first > last {
        return;
    }
    // SAFETY: plain integers; nobody in this process uses the closed descriptors afterwards.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) != 0 {
            for fd in first..=last.min(CLOSE_LIMIT) {
                libc::close(fd);
            }
        }
    }
}

/// Becomes the wanted user; false, with a word on stderr, if that cannot be (PROC-060). By the system calls themselves: the
/// functions of the C library look for other threads that are to change too.
fn take_identity(plan: &Plan) -> bool {
    let failed = |reason: &[u8]| {
        say(plan.user_prefix.as_bytes());
        say(reason);
        say(b"\n");
        false
    };
    match &plan.identity {
        Identity::Keep => true,
        Identity::Refuse { .. } => failed(plan.user_reason.as_bytes()),
        Identity::Switch { uid, gid, .. } => {
            if set_thread_groups(&plan.groups).is_err() {
                return failed(b"Could not set groups of effective user");
            }
            if set_thread_gid(Gid::from_raw(*gid)).is_err() {
                return failed(b"Could not set group id of effective user");
            }
            if let Err(error) = set_thread_uid(Uid::from_raw(*uid)) {
                say_error(plan.user_prefix.as_bytes(), error.raw_os_error());
                return false;
            }
            true
        }
    }
}

/// Default dispositions and an empty mask, but SIGPIPE and SIGXFSZ ignored as under Supervisor (PROC-076).
///
/// SAFETY: for the child between fork and exec.
unsafe fn reset_signals() {
    let default = [0u64; SIGACTION_WORDS];
    // SAFETY: the kernel reads one of its `sigaction` from `default`, which is large enough and all zero: SIG_DFL, no
    // flags, an empty mask. SIGKILL and SIGSTOP, which it refuses, are as they must be. The C library's own function is
    // not asked, since it keeps two signals to itself, which whoever started us may have ignored. signal(2) gets
    // constants; the set is made by sigemptyset before it is read.
    unsafe {
        // A refusal would be written where the parent looks for what its own calls say.
        for signal in (1..=LAST_SIGNAL).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null_mut::<u64>(),
                MASK_BYTES,
            );
        }
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

fn leave() -> ! {
    say(FAREWELL);
    // SAFETY: ends the process at once, without running what the parent registered for exit.
    unsafe { libc::_exit(NOT_SPAWNED) }
}

/// Writes to standard error; nothing can be done if that fails.
fn say(text: &[u8]) {
    // SAFETY: the pointer and length are those of one slice.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
    }
}

/// Writes a prefix, the name of an error, and a line end, without a heap.
fn say_error(prefix: &[u8], code: i32) {
    say(prefix);
    match known_name(code) {
        Some(name) => say(name.as_bytes()),
        None => say_number(code),
    }
    say(b"\n");
}

fn say_number(number: i32) {
    let mut digits = [0u8; 10];
    let mut rest = number.unsigned_abs();
    let mut at = digits.len();
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    say(&digits[at..]);
}
