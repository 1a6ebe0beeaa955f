//! Making a child without a copy of anything.
//!
//! fork(2) copies the page tables and the table of descriptors, and the child then closes one by one what it was given: with
//! 6,000 descriptors 3.7 ms of two cores for each child, where this takes 1 ms, nearly all of it the kernel's for exec(2).
//! So the child shares both at first. It takes a table of its own with the few lowest descriptors in it, where its ends of
//! the pipes were put for it, and leaves the shared memory when it executes its program.
//!
//! The parent waits only until the child has that table: while one child executes its program on one processor, the next is
//! made on another. Each has a stack and a plan of its own until it has left; of those that are under way there are few,
//! but one that hangs on a dead disk holds nobody up.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::io::{DupFlags, dup3, fcntl_dupfd_cloexec};
use rustix::thread::futex::{self, Timespec};

use super::restraint::spawn_restrained;
use super::{Ends, Plan, Stdio, become_program, spawn_by_fork};

/// What a child may use of its stack before it executes its program; pages that it does not touch cost nothing.
const STACK: usize = 128 * 1024;
/// How long a child may take to execute its program before it is not waited for any more.
const PATIENCE: Duration = Duration::from_millis(500);
/// Children that may be under way at once. More gain nothing on few processors, and each has its pages.
const CROWD: usize = 4;
/// Lowest number of a descriptor that is not a standard one.
const FIRST: RawFd = 3;

/// The child has not come to taking a table of descriptors of its own.
const SHARES: u32 = 0;
/// It has one.
const APART: u32 = 1;
/// It could not get one, and has ended.
const REFUSED: u32 = 2;

/// Makes children; keeps what they need to be made.
#[derive(Debug)]
pub struct Nursery {
    /// Low descriptors, where each child finds its ends of the pipes; nothing lies there in between.
    ends: [OwnedFd; 3],
    nothing: File,
    patience: Duration,
    /// Nothing can be shared here: no close_range(2), or it is forbidden.
    forks: bool,
    #[expect(clippy::vec_box, reason = "as those in use")]
    free: Vec<Box<Cradle>>,
    /// Children that have not come to their program, oldest first.
    #[expect(clippy::vec_box, reason = "the child has its address")]
    taken: Vec<Box<Cradle>>,
}

/// What a child uses until it has left the shared memory. It lies still: the child and the kernel have its address.
#[derive(Debug)]
struct Cradle {
    /// Not 0 as long as the child is here: the kernel clears it and wakes who waits.
    here: AtomicU32,
    progress: AtomicU32,
    ends: Ends,
    plan: Option<Plan>,
    stack: Vec<u8>,
    since: Instant,
}

impl Nursery {
    /// Takes three descriptors, the lowest that are free: to be made before there are many.
    ///
    /// # Errors
    /// No descriptors.
    pub fn new() -> io::Result<Self> {
        let nothing = File::open("/dev/null")?;
        let end = || Ok::<_, io::Error>(fcntl_dupfd_cloexec(&nothing, FIRST)?);
        let ends = [end()?, end()?, end()?];
        Ok(Self { ends, nothing, patience: PATIENCE, forks: false, free: Vec::new(), taken: Vec::new() })
    }

    /// Starts the program, the leader of a new process group; returns its pid. The descriptors are above 2.
    ///
    /// # Errors
    /// Those of clone(2), and [`super::Unrestrained`]. What else fails after it is the child's to say.
    pub fn spawn(&mut self, plan: Plan, stdio: Stdio<'_>) -> io::Result<u32> {
        if !plan.steps.is_empty() {
            return spawn_restrained(&plan, stdio, self.patience);
        }
        // One more descriptor has no place among those that are laid down low; there are few such programs.
        if self.forks || stdio.more.is_some() {
            return spawn_by_fork(&plan, stdio);
        }
        let mut cradle = self.cradle();
        cradle.plan = Some(plan);
        let wanted = [stdio.stdin, stdio.stdout, stdio.stderr.unwrap_or(stdio.stdout)];
        cradle.ends = put(&mut self.ends, wanted)?;
        let made = cradle.give_birth().and_then(|pid| cradle.wait_apart(pid));
        // Else the end of a pipe would seem to be in use as long as there is no next child. It takes no descriptor, and if it
        // failed all the same the child would be there nevertheless: nothing from here on may say that it is not.
        let _ = put(&mut self.ends, [self.nothing.as_fd(); 3]);
        match made {
            Ok(pid) => {
                self.taken.push(cradle);
                Ok(pid)
            }
            Err(error) => self.not_made(cradle, stdio, error),
        }
    }

    /// Forks instead if that may help.
    fn not_made(&mut self, mut cradle: Box<Cradle>, stdio: Stdio<'_>, error: io::Error) -> io::Result<u32> {
        let plan = cradle.plan.take();
        self.free.push(cradle);
        match plan {
            Some(plan) if is_forbidden(&error) => {
                self.forks = true;
                spawn_by_fork(&plan, stdio)
            }
            Some(_) | None => Err(error),
        }
    }

    /// One that nobody uses; waits if there are too many children under way that may still come to their programs.
    fn cradle(&mut self) -> Box<Cradle> {
        self.tidy();
        while self.taken.len() >= CROWD
            && let Some(next) = self.taken.iter().find(|cradle| cradle.is_waited_for(self.patience))
        {
            next.wait_left(self.patience);
            self.tidy();
        }
        self.free.pop().unwrap_or_else(Cradle::new)
    }

    /// Takes back what children have left.
    fn tidy(&mut self) {
        for mut cradle in self.taken.extract_if(.., |cradle| !cradle.is_taken()) {
            cradle.plan = None;
            if self.free.len() < CROWD {
                self.free.push(cradle);
            }
        }
    }
}

impl Drop for Nursery {
    /// What a child still uses is never given back: it has its stack there.
    fn drop(&mut self) {
        self.tidy();
        self.taken.drain(..).for_each(std::mem::forget);
    }
}

/// Lays descriptors down low.
fn put(ends: &mut [OwnedFd; 3], wanted: [BorrowedFd<'_>; 3]) -> io::Result<Ends> {
    for (end, wanted) in ends.iter_mut().zip(wanted) {
        dup3(wanted, end, DupFlags::CLOEXEC)?;
    }
    let [stdin, stdout, stderr] = ends.each_ref().map(AsRawFd::as_raw_fd);
    Ok(Ends { stdin, stdout, stderr, more: None })
}

/// Whether an error says that sharing is not to be had here, and not that there is no room for another process.
fn is_forbidden(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOMEM))
}

impl Cradle {
    fn new() -> Box<Self> {
        Box::new(Self {
            here: AtomicU32::new(0),
            progress: AtomicU32::new(SHARES),
            ends: Ends { stdin: 0, stdout: 1, stderr: 2, more: None },
            plan: None,
            // Not written to: pages are there when they are touched.
            stack: Vec::with_capacity(STACK),
            since: Instant::now(),
        })
    }

    fn is_taken(&self) -> bool {
        self.here.load(Ordering::Acquire) != 0
    }

    /// Makes the child.
    fn give_birth(&mut self) -> io::Result<u32> {
        self.since = Instant::now();
        self.here.store(1, Ordering::Release);
        self.progress.store(SHARES, Ordering::Release);
        let top = self.stack.spare_capacity_mut().as_mut_ptr_range().end;
        // The stack begins at a multiple of 16 (System V ABI).
        let top = top.map_addr(|address| address & !15);
        let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
        let (cradle, none) = (std::ptr::from_mut(self), std::ptr::null_mut::<libc::c_void>());
        // SAFETY: the child runs `born` on a stack of its own, as large as `STACK`, with a pointer to this, which lies
        // still and is changed by nobody as long as `here` is not 0: the kernel clears that when the child has left our
        // memory, by exec or by its end. It runs beside us like a thread, but touches only atomics and what nobody
        // changes, takes no lock and no heap.
        let pid = unsafe {
            let here = (*cradle).here.as_ptr();
            libc::clone(born, top.cast(), flags, cradle.cast(), none, none, here)
        };
        if pid < 0 {
            self.here.store(0, Ordering::Release);
            return Err(io::Error::last_os_error());
        }
        Ok(pid.unsigned_abs())
    }

    /// The child has come so far.
    fn go_on(&self, progress: u32) {
        self.progress.store(progress, Ordering::Release);
        // Nobody may wait for it.
        let _ = futex::wake(&self.progress, futex::Flags::empty(), 1);
    }

    /// Whether the child may still come to its program in time.
    fn is_waited_for(&self, patience: Duration) -> bool {
        self.is_taken() && self.since.elapsed() < patience
    }

    /// Waits until the child has left, or its time is over.
    fn wait_left(&self, patience: Duration) {
        while self.is_waited_for(patience) {
            wait_while(&self.here, 1, patience.saturating_sub(self.since.elapsed()));
        }
    }

    /// Waits until the child does not share our descriptors any more.
    fn wait_apart(&self, pid: u32) -> io::Result<u32> {
        // One that was killed says nothing: so it is looked after now and then.
        while self.is_taken() && self.progress.load(Ordering::Acquire) == SHARES {
            wait_while(&self.progress, SHARES, Duration::from_millis(1));
        }
        if self.progress.load(Ordering::Acquire) != REFUSED {
            return Ok(pid);
        }
        // It only ends, and nobody shall wonder who that was.
        crate::wait_child(pid)?;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Sleeps while the word has this value, for so long at most. Without the C library, whose errno children share that are
/// under way.
fn wait_while(word: &AtomicU32, value: u32, limit: Duration) {
    let limit = Timespec::try_from(limit).unwrap_or_default();
    // Whatever it says, the word is looked at again.
    let _ = futex::wait(word, futex::Flags::empty(), value, Some(&limit));
}

/// The child's first steps: a table of descriptors of its own, with nothing in it but what it needs.
extern "C" fn born(cradle: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it is the one that `give_birth` passed, which stays as it is as long as this process runs here.
    let cradle: &Cradle = unsafe { &*cradle.cast::<Cradle>() };
    let ends = cradle.ends;
    // As long as the register is open here.
    if let Some(plan) = &cradle.plan {
        plan.enter(ends);
    }
    let above = ends.stdin.max(ends.stdout).max(ends.stderr) + 1;
    // SAFETY: plain integers. Only the copy that it makes for this process loses its descriptors.
    let apart = unsafe { libc::syscall(libc::SYS_close_range, above, u32::MAX, libc::CLOSE_RANGE_UNSHARE) };
    let Some(plan) = cradle.plan.as_ref().filter(|_| apart == 0) else {
        cradle.go_on(REFUSED);
        // SAFETY: ends this process alone, at once.
        unsafe { libc::_exit(1) }
    };
    // A signal to its group finds one as soon as the parent knows of it.
    // SAFETY: plain integers.
    unsafe { libc::setpgid(0, 0) };
    cradle.go_on(APART);
    become_program(plan, ends, None)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::spawn::{Identity, NOT_SPAWNED, Program};

    fn shell(script: &str) -> Plan {
        let argv = ["sh", "-c", script].map(|word| word.as_bytes().to_vec()).to_vec();
        let path = b"/bin/sh".to_vec();
        let env = [b"PATH=/bin:/usr/bin"].iter().collect();
        Plan::new(Program {
            path,
            argv,
            env,
            cwd: None,
            umask: None,
            identity: Identity::Keep,
            restraints: Vec::new(),
        })
        .unwrap()
    }

    /// Starts it with a pipe as its standard output; returns its pid and what can be read there.
    fn start(nursery: &mut Nursery, plan: Plan) -> (u32, File) {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let nothing = File::open("/dev/null").unwrap();
        let stdio = Stdio { stdin: nothing.as_fd(), stdout: write.as_fd(), stderr: None, more: None };
        (nursery.spawn(plan, stdio).unwrap(), File::from(read))
    }

    fn words(mut output: File) -> String {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_child_has_its_ends_and_no_other_descriptor_of_ours_and_we_have_all() {
        for forks in [false, true] {
            let mut nursery = Nursery::new().unwrap();
            nursery.forks = forks;
            let many: Vec<File> = (0..500).map(|_| File::open("/dev/null").unwrap()).collect();
            // A descriptor that could be inherited.
            let open = rustix::io::fcntl_dupfd_cloexec(&many[0], 0).unwrap();
            rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
            let (pid, output) = start(&mut nursery, shell("echo /proc/$$/fd/*; echo done >&2"));
            // The end of what is read comes only when nobody here has the other end of the pipe any more.
            let words = words(output);
            let [fds, done] = words.lines().collect::<Vec<_>>()[..] else { panic!("{words}") };
            let fds: Vec<_> = fds.split(' ').filter_map(|path| path.rsplit('/').next()).collect();
            assert_eq!((&fds[..3], done), (&["0", "1", "2"][..], "done"), "{words}");
            assert!(fds.len() <= 4, "one more is the directory that the shell reads: {words}");
            assert_eq!(crate::wait_child(pid).unwrap(), 0);
            assert!(many.iter().all(|file| file.metadata().is_ok()), "ours are as they were");
            assert_eq!(nursery.forks, forks, "the quick way is to be had here");
        }
    }

    #[test]
    fn one_more_descriptor_lies_where_it_is_to_and_no_other() {
        use crate::spawn::{Restraint, What};
        let mut nursery = Nursery::new().unwrap();
        for number in [3, 4, 77] {
            for restrained in [false, true] {
                let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
                let (out, end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
                let nothing = File::open("/dev/null").unwrap();
                let more = Some((write.as_fd(), number));
                let stdio = Stdio { stdin: nothing.as_fd(), stdout: end.as_fd(), stderr: None, more };
                let argv = ["bash", "-c", &format!("echo here >&{number}; echo /proc/$$/fd/*")];
                let argv = argv.map(|word| word.as_bytes().to_vec()).to_vec();
                let nice = Restraint { key: "nice".to_owned(), what: What::Nice(1) };
                let restraints = if restrained { vec![nice] } else { Vec::new() };
                let env = [b"PATH=/bin:/usr/bin"].iter().collect();
                let (path, identity) = (b"/bin/bash".to_vec(), Identity::Keep);
                let program = Program { path, argv, env, cwd: None, umask: None, identity, restraints };
                let pid = nursery.spawn(Plan::new(program).unwrap(), stdio).unwrap();
                drop((write, end));
                assert_eq!(words(File::from(read)), "here\n", "{number} {restrained}");
                let listed = words(File::from(out));
                let fds: Vec<_> =
                    listed.trim().split(' ').filter_map(|path| path.rsplit('/').next()).collect();
                let own = number.to_string();
                // Bash opens one to look, and moves its own away.
                let others = fds.iter().filter(|fd| !["0", "1", "2", "255", &own].contains(fd)).count();
                assert!(fds.contains(&own.as_str()) && others <= 1, "{number} {restrained}: {listed}");
                assert_eq!(crate::wait_child(pid).unwrap(), 0);
            }
        }
    }

    #[test]
    fn nobody_waits_for_ever_for_a_child_that_hangs_before_its_program() {
        let mut nursery = Nursery::new().unwrap();
        nursery.patience = Duration::ZERO;
        let children: Vec<_> =
            (0..20).map(|number| start(&mut nursery, shell(&format!("echo {number}")))).collect();
        for (number, (pid, output)) in children.into_iter().enumerate() {
            assert_eq!(words(output), format!("{number}\n"));
            assert_eq!(crate::wait_child(pid).unwrap(), 0);
        }
        nursery.tidy();
        assert!(nursery.taken.is_empty() && !nursery.free.is_empty(), "what they used is free again");
    }

    /// It runs beside the parent, in whose memory the C library keeps what failed.
    #[test]
    fn a_child_leaves_no_error_behind_whether_it_comes_to_its_program_or_not() {
        let mut nursery = Nursery::new().unwrap();
        // SAFETY: this thread's own.
        let error = || unsafe { libc::__errno_location() };
        for (path, status) in [(c"/bin/sh", 0), (c"/no/such/program", 127 << 8)] {
            // SAFETY: as above.
            unsafe { *error() = 0 };
            let (pid, output) = start(&mut nursery, Plan { path: path.to_owned(), ..shell("exit 0") });
            assert_eq!(crate::wait_child(pid).unwrap(), status);
            // SAFETY: as above.
            assert_eq!(unsafe { *error() }, 0, "{path:?}");
            drop(output);
        }
    }

    /// A child that is there must not be called one that is not: nobody would ever end it.
    #[test]
    fn the_last_descriptor_is_enough() {
        let mut nursery = Nursery::new().unwrap();
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let nothing = File::open("/dev/null").unwrap();
        let plan = shell("exit 3");
        let stdio = Stdio { stdin: nothing.as_fd(), stdout: write.as_fd(), stderr: None, more: None };
        // In a process of its own: the other tests need descriptors.
        // SAFETY: what the child does is what this thread alone could do; the C library's heap is usable after fork(2).
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let _ = crate::lower_open_files(1024);
            while let Ok(another) = nothing.try_clone() {
                std::mem::forget(another);
            }
            let status = nursery.spawn(plan, stdio).and_then(crate::wait_child);
            // SAFETY: ends this process alone, at once.
            unsafe { libc::_exit(status.map_or(99, |status| status >> 8)) }
        }
        let pid = u32::try_from(pid).unwrap();
        drop(read);
        assert_eq!(crate::wait_child(pid).unwrap() >> 8, 3);
    }

    #[test]
    fn children_outlive_the_nursery() {
        let others: Vec<Vec<u8>> = (0..20).map(|_| vec![0xff; STACK]).collect();
        let children: Vec<_> =
            (0..20).map(|_| start(&mut Nursery::new().unwrap(), shell("echo alive"))).collect();
        drop(others);
        for (pid, output) in children {
            let _other = vec![0xffu8; STACK];
            assert_eq!((words(output).as_str(), crate::wait_child(pid).unwrap()), ("alive\n", 0));
        }
    }

    /// Either its parent lives when it has written itself down, or its program is not executed.
    #[test]
    fn a_child_is_in_the_register_before_it_comes_to_its_program() {
        use std::sync::Arc;

        use crate::spawn::register::{Birth, SLOT, read_slot};
        use crate::spawn::restraint::steps;
        use crate::spawn::{Restraint, What};
        let mut nursery = Nursery::new().unwrap();
        let register = Arc::new(crate::memfd_with("register", b"").unwrap());
        let born = |run: u64| {
            let bytes = crate::read_memfd(&register).unwrap();
            let slot = bytes.chunks(SLOT).nth(1 + usize::try_from(run).unwrap()).unwrap_or_default();
            read_slot(slot).map(|(birth, _)| birth)
        };
        let nice = || vec![Restraint { key: "nice".to_owned(), what: What::Nice(1) }];
        for (run, (forks, restraints)) in (1..).zip([(false, vec![]), (true, vec![]), (false, nice())]) {
            nursery.forks = forks;
            for orphaned in [false, true] {
                let mut plan = shell("echo program; echo $$");
                plan.steps = steps(restraints.clone()).unwrap();
                plan.register(Some(Arc::clone(&register)), run);
                if orphaned && let Some(entry) = &mut plan.entry {
                    entry.disown();
                }
                let (pid, output) = start(&mut nursery, plan);
                let pipe =
                    output.metadata().map(|about| std::os::unix::fs::MetadataExt::ino(&about)).unwrap();
                let words = words(output);
                assert_eq!(words, if orphaned { String::new() } else { format!("program\n{pid}\n") });
                assert_eq!(crate::wait_child(pid).unwrap() >> 8, if orphaned { NOT_SPAWNED } else { 0 });
                let Some(Birth { run: of, pid: who, pipes, .. }) = born(run) else { panic!("{run}") };
                // What is not a pipe is not written down, nor what is one a second time.
                assert_eq!((of, who, pipes), (run, pid, [0, pipe, 0]), "{forks} {orphaned}");
            }
        }
    }

    #[test]
    fn a_program_that_is_not_there_ends_with_a_word() {
        let plan = shell("");
        let plan = Plan { path: c"/no/such/program".to_owned(), ..plan };
        let (pid, output) = start(&mut Nursery::new().unwrap(), plan);
        assert!(words(output).starts_with("supervisor: couldn't exec sh: ENOENT\n"));
        assert_eq!(crate::wait_child(pid).unwrap(), 127 << 8);
    }
}
