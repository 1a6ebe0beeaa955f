//! What the tests stand on: a keeper whose daemons hand their links to the test, so that the test is the daemon.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use upkeep_keeper::Link;
use upkeep_keeper::wire::{SpawnPlan, StdinPlan, ToDaemon, ToKeeper, UserPlan};

/// Nothing here takes longer, however busy the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A frame of the keeper with its descriptors.
pub(crate) type Heard = (ToDaemon, Vec<OwnedFd>);

/// Waits until `condition` gives something.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn readable(fd: BorrowedFd<'_>, what: &str) {
    let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ready, 1, "waited in vain for {what}");
}

/// Sends a signal by number to a process that the test has started, or its keeper has.
pub(crate) fn kill(pid: u32, signal: Signal) {
    kill_process(pid_of(pid), signal).unwrap();
}

pub(crate) fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// A field of `/proc/PID/status`; `None` if the process is gone.
pub(crate) fn status_field(pid: u32, field: &str) -> Option<String> {
    field_of(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, field)
}

/// A field of a text in the form of `/proc/PID/status`.
pub(crate) fn field_of(status: &str, field: &str) -> Option<String> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// The process is no more, not even as a zombie.
pub(crate) fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// A keeper under test.
pub(crate) struct Rig {
    pub(crate) dir: tempfile::TempDir,
    listener: UnixListener,
    /// The launcher, which in the foreground becomes the keeper.
    pub(crate) launcher: Child,
    /// Processes to end when the test does.
    children: Vec<u32>,
}

impl Rig {
    /// A keeper in the foreground.
    pub(crate) fn foreground() -> Self {
        Self::start("foreground", |command| command)
    }

    /// A keeper that goes into the background.
    pub(crate) fn background() -> Self {
        Self::start("background", |command| command)
    }

    /// A daemon without a keeper, which starts one.
    pub(crate) fn heir() -> Self {
        Self::start("daemon", |command| command)
    }

    /// A keeper whose launcher is started as `change` says.
    pub(crate) fn start(role: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_keeper-stub")), role, change)
    }

    /// A keeper whose launcher is started by a shell, after these commands.
    pub(crate) fn start_after(commands: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        let stub = env!("CARGO_BIN_EXE_keeper-stub");
        shell.arg("-c").arg(format!("{commands}; exec {stub} \"$@\"")).arg("sh");
        Self::start_by(shell, "foreground", |command| command)
    }

    fn start_by(mut command: Command, role: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = dir.path().join("control");
        let listener = UnixListener::bind(&control).unwrap();
        command.arg(role).arg(&control).stdin(Stdio::null());
        command.stderr(fs::File::create(dir.path().join("stderr")).unwrap());
        let launcher = change(&mut command).spawn().unwrap();
        Self { dir, listener, launcher, children: Vec::new() }
    }

    /// The pid of a keeper in the foreground.
    pub(crate) fn pid(&self) -> u32 {
        self.launcher.id()
    }

    /// The next daemon that the keeper starts.
    pub(crate) fn daemon(&self) -> Daemon {
        readable(self.listener.as_fd(), "a daemon");
        let (control, _) = self.listener.accept().unwrap();
        readable(control.as_fd(), "a daemon's link");
        let (mut pid, mut fds) = ([0; 4], Vec::new());
        let came = upkeep_os::recv_with_fds(control.as_fd(), &mut pid, &mut fds).unwrap();
        assert_eq!((came.length, came.lost), (pid.len(), false));
        let socket = UnixStream::from(fds.pop().unwrap());
        let raw = socket.try_clone().unwrap();
        Daemon { link: Link::new(socket), raw, control, pid: u32::from_le_bytes(pid) }
    }

    /// The next daemon, past its inventory, which is empty, and ready.
    pub(crate) fn ready_daemon(&self) -> Daemon {
        let mut daemon = self.daemon();
        let inventory = daemon.inventory();
        assert_eq!(inventory.len(), 1, "{inventory:?}");
        daemon.say(&ToKeeper::Ready { detach: None });
        daemon
    }

    /// Sees to it that this process ends when the test does.
    pub(crate) fn adopt(&mut self, pid: u32) {
        self.children.push(pid);
    }

    /// What the keeper, or its launcher, ends with.
    pub(crate) fn end(&mut self) -> ExitStatus {
        until("the end of the keeper", || self.launcher.try_wait().unwrap())
    }

    /// What keeper and daemons said on stderr.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Children first: as long as the keeper is there nobody else can have their pids.
        for &pid in &self.children {
            let parent = status_field(pid, "PPid");
            if parent.is_some_and(|parent| parent == self.launcher.id().to_string()) {
                let _ = kill_process(pid_of(pid), Signal::KILL);
            }
        }
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

/// A daemon: a stub that waits to be told how to end, and the link it would have used.
pub(crate) struct Daemon {
    pub(crate) link: Link,
    /// The link's socket, for what no daemon would say.
    pub(crate) raw: UnixStream,
    control: UnixStream,
    pub(crate) pid: u32,
}

impl Daemon {
    pub(crate) fn say(&mut self, frame: &ToKeeper) {
        self.say_with(frame, &[]);
    }

    pub(crate) fn say_with(&mut self, frame: &ToKeeper, fds: &[BorrowedFd<'_>]) {
        self.link.send(frame, fds).unwrap();
        self.link.flush().unwrap();
    }

    /// The next frame.
    pub(crate) fn hear(&mut self) -> Heard {
        until("a frame", || {
            let heard = self.link.recv().expect("the keeper is there");
            self.link.flush().expect("the keeper is there");
            heard
        })
    }

    /// The inventory without its end.
    pub(crate) fn inventory(&mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let heard = self.hear();
            if heard.0 == ToDaemon::InventoryEnd {
                return all;
            }
            all.push(heard);
        }
    }

    /// Everything the keeper says up to the answer to a question asked now.
    pub(crate) fn hear_all(&mut self) -> Vec<Heard> {
        const QUESTION: u64 = u64::MAX;
        self.say(&ToKeeper::Signal { token: QUESTION, run: u64::MAX, signo: 0, group: false });
        let mut all = Vec::new();
        loop {
            let heard = self.hear();
            if matches!(heard.0, ToDaemon::Signalled { token: QUESTION, .. }) {
                return all;
            }
            all.push(heard);
        }
    }

    /// Starts a child that must come to be; its pid and pipes.
    pub(crate) fn spawn(&mut self, run: u64, plan: SpawnPlan) -> (u32, Vec<OwnedFd>) {
        self.say(&ToKeeper::Spawn { run, plan });
        match self.hear() {
            (ToDaemon::Spawned { run: heard, pid, .. }, fds) if heard == run => (pid, fds),
            (other, _) => panic!("not spawned: {other:?}"),
        }
    }

    /// Returns when everything that was said has been done.
    pub(crate) fn sync(&mut self) {
        self.say(&ToKeeper::Signal { token: u64::MAX, run: u64::MAX, signo: 0, group: false });
        let heard = self.hear().0;
        assert!(matches!(heard, ToDaemon::Signalled { token: u64::MAX, .. }), "{heard:?}");
    }

    /// The raw wait status of a child's end, which must be what the keeper says next.
    pub(crate) fn exit_of(&mut self, run: u64) -> i32 {
        match self.hear().0 {
            ToDaemon::Exited { run: heard, exit, .. } if heard == run => exit.status,
            other => panic!("no exit of {run}: {other:?}"),
        }
    }

    /// Ends the daemon as a fault would, and its link with it.
    pub(crate) fn crash(self) {
        kill(self.pid, Signal::KILL);
    }

    /// Lets go of the link; the daemon lives as long as what is returned.
    pub(crate) fn hang_up(self) -> UnixStream {
        self.control
    }

    /// Ends the daemon with this status.
    pub(crate) fn exit(mut self, code: u8) {
        self.control.write_all(&[code]).unwrap();
    }
}

/// A shell that runs this script, with pipes for all three.
pub(crate) fn sh(script: &str) -> SpawnPlan {
    SpawnPlan {
        path: b"/bin/sh".to_vec(),
        argv: [b"sh".as_slice(), b"-c", script.as_bytes()].map(<[u8]>::to_vec).to_vec(),
        env: [b"PATH=/usr/bin:/bin"].iter().collect(),
        cwd: None,
        umask: None,
        user: UserPlan::Keep,
        stdin: StdinPlan::Pipe,
        stderr_to_stdout: false,
        restraints: Vec::new(),
    }
}

/// Everything that comes out of a pipe, to its end.
pub(crate) fn read_all(pipe: OwnedFd) -> String {
    let mut text = String::new();
    fs::File::from(pipe).read_to_string(&mut text).unwrap();
    text
}

/// What is in a pipe up to the end of a line.
pub(crate) fn read_line(pipe: &OwnedFd) -> String {
    let (mut line, mut byte) = (String::new(), [0]);
    loop {
        readable(pipe.as_fd(), "a line");
        assert_eq!(rustix::io::read(pipe, &mut byte).unwrap(), 1, "the pipe ends after {line:?}");
        if byte == *b"\n" {
            return line;
        }
        line.push(char::from(byte[0]));
    }
}
