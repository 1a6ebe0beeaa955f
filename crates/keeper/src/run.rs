//! The keeper's life: one loop over signals and the daemon's socket.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use upkeep_os::{Ended, SignalFd, monotonic_ns};

use crate::children::Children;
use crate::hold::Hold;
use crate::launch::{BootData, LINK};
use crate::wire::{Detach, Incoming, Outgoing, ToDaemon, ToKeeper, VERSION};

/// A daemon that lived this long is started again at once.
const HEALTHY_NS: u64 = 1_000_000_000;
/// First pause before a daemon that died young is started again; it doubles each time.
const FIRST_PAUSE_NS: u64 = 10_000_000;
/// Longest pause.
const LAST_PAUSE_NS: u64 = 5_000_000_000;

/// Signals that come as data (signal(7), Linux): HUP INT QUIT USR1 USR2 TERM CHLD.
const SIGNALS: [i32; 7] = [1, 2, 3, 10, 12, 15, CHLD];
const CHLD: i32 = 17;
const KILL: i32 = 9;

/// A daemon that is running.
#[derive(Debug)]
struct Daemon {
    pid: u32,
    since_ns: u64,
    /// `None` once it closed its end or spoke nonsense.
    socket: Option<UnixStream>,
    incoming: Incoming,
    outgoing: Outgoing,
}

#[derive(Debug)]
struct Keeper {
    boot: BootData,
    executable: File,
    signals: SignalFd,
    children: Children,
    hold: Hold,
    daemon: Option<Daemon>,
    /// Signals that came while no daemon was there.
    waiting_signals: Vec<i32>,
    /// Daemons started so far.
    generation: u32,
    /// A daemon has served.
    ready: bool,
    detached: bool,
    /// The status to end with when the daemon has ended.
    quit: Option<u8>,
    pause_ns: u64,
    restart_at: Option<u64>,
}

/// Keeps until the daemon says that it ends on purpose; returns the status to end with.
#[must_use]
pub fn run(boot: BootData) -> i32 {
    match Keeper::new(boot) {
        Ok(mut keeper) => keeper.run(),
        Err(error) => {
            complain(&format!("the keeper process cannot start: {error}"));
            1
        }
    }
}

#[expect(clippy::print_stderr, reason = "the keeper has no log; in the background this goes nowhere")]
fn complain(text: &str) {
    eprintln!("{text}");
}

impl Keeper {
    fn new(boot: BootData) -> io::Result<Self> {
        let called = boot.program.first().map(|name| name.to_string_lossy().into_owned());
        let called = called.unwrap_or_default();
        upkeep_os::set_process_name(called.rsplit('/').next().unwrap_or("supervisord"));
        upkeep_os::ignore_pipe_signals()?;
        Ok(Self {
            executable: File::open("/proc/self/exe")?,
            signals: SignalFd::new(&SIGNALS)?,
            boot,
            children: Children::default(),
            hold: Hold::default(),
            daemon: None,
            waiting_signals: Vec::new(),
            generation: 0,
            ready: false,
            detached: false,
            quit: None,
            pause_ns: FIRST_PAUSE_NS,
            restart_at: Some(0),
        })
    }

    fn run(&mut self) -> i32 {
        loop {
            if self.restart_at.is_some_and(|at| at <= monotonic_ns()) {
                self.restart_at = None;
                if let Err(error) = self.start_daemon() {
                    complain(&format!("the keeper process cannot start its daemon: {error}"));
                    if !self.ready {
                        return 1;
                    }
                    self.schedule_restart();
                }
            }
            self.send();
            self.wait();
            if let Some(status) = self.take_signals() {
                return status;
            }
            self.receive();
        }
    }

    /// Starts a daemon and queues the inventory for it.
    fn start_daemon(&mut self) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let Some(pid) = upkeep_os::fork_child()? else {
            let error = self.become_daemon(theirs.into());
            complain(&format!("the daemon cannot be executed: {error}"));
            std::process::exit(1);
        };
        let mut outgoing = Outgoing::default();
        let mut queue = |frame: ToDaemon, fds: Vec<Rc<OwnedFd>>| {
            if let Err(error) = outgoing.push(&frame, fds) {
                complain(&format!("a part of the inventory cannot be handed on: {error}"));
            }
        };
        queue(
            ToDaemon::Welcome {
                wire_version: VERSION,
                keeper_pid: std::process::id(),
                generation: self.generation,
                detached: self.detached,
            },
            Vec::new(),
        );
        self.hold.inventory().chain(self.children.inventory()).for_each(|(frame, fds)| queue(frame, fds));
        queue(ToDaemon::InventoryEnd, Vec::new());
        for signo in self.waiting_signals.drain(..) {
            queue(ToDaemon::SignalReceived { signo }, Vec::new());
        }
        self.generation += 1;
        let since_ns = monotonic_ns();
        self.daemon =
            Some(Daemon { pid, since_ns, socket: Some(ours), incoming: Incoming::default(), outgoing });
        Ok(())
    }

    /// The forked process's way to the daemon; returns only if that fails.
    fn become_daemon(&self, socket: OwnedFd) -> io::Error {
        if let Err(error) = upkeep_os::set_cloexec(&socket, false).and_then(|()| upkeep_os::unblock_signals())
        {
            return error;
        }
        let mut env = self.boot.env.clone();
        env.push(OsString::from_vec(format!("{LINK}={}", socket.as_raw_fd()).into_bytes()));
        upkeep_os::exec_descriptor(&self.executable, self.boot.daemon_args.clone(), env)
    }

    /// Sleeps until a signal, a frame, room in the socket, or the time to start a daemon.
    fn wait(&self) {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if let Some(daemon) = &self.daemon
            && let Some(socket) = &daemon.socket
        {
            let room = if daemon.outgoing.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            fds.push(PollFd::new(socket, PollFlags::IN | room));
        }
        let timeout = self.restart_at.map(|at| {
            let wait = at.saturating_sub(monotonic_ns());
            let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            Timespec { tv_sec: part(wait / 1_000_000_000), tv_nsec: part(wait % 1_000_000_000) }
        });
        // An interrupted or failed wait only means a turn with nothing to do.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    /// Takes in every signal; the status if it is time to end.
    fn take_signals(&mut self) -> Option<i32> {
        let mut reap = false;
        while let Ok(Some(signo)) = self.signals.take() {
            if signo == CHLD {
                reap = true;
            } else {
                self.pass_signal(signo);
            }
        }
        if !reap {
            return None;
        }
        while let Some(ended) = upkeep_os::reap() {
            if self.daemon.as_ref().is_some_and(|daemon| daemon.pid == ended.pid) {
                if let Some(status) = self.daemon_ended(&ended) {
                    return Some(status);
                }
            } else {
                let frame = self.children.ended(&ended);
                self.tell(&frame, Vec::new());
            }
        }
        None
    }

    fn pass_signal(&mut self, signo: i32) {
        if self.daemon.as_ref().is_some_and(|daemon| daemon.socket.is_some()) {
            self.tell(&ToDaemon::SignalReceived { signo }, Vec::new());
        } else {
            self.waiting_signals.push(signo);
        }
    }

    /// The daemon is gone: ends with it if it meant to, or if it never served; else starts another.
    fn daemon_ended(&mut self, ended: &Ended) -> Option<i32> {
        self.receive();
        let daemon = self.daemon.take()?;
        let code = if ended.status & 0x7f == 0 { ended.status >> 8 & 0xff } else { 1 };
        if let Some(quit) = self.quit {
            return Some(i32::from(quit));
        }
        if !self.ready {
            return Some(code);
        }
        if monotonic_ns().saturating_sub(daemon.since_ns) >= HEALTHY_NS {
            self.pause_ns = FIRST_PAUSE_NS;
            self.restart_at = Some(0);
        } else {
            self.schedule_restart();
        }
        None
    }

    fn schedule_restart(&mut self) {
        self.restart_at = Some(monotonic_ns().saturating_add(self.pause_ns));
        self.pause_ns = (self.pause_ns * 2).min(LAST_PAUSE_NS);
    }

    /// Queues a frame for the daemon; without one, what matters is in the inventory.
    fn tell(&mut self, frame: &ToDaemon, fds: Vec<Rc<OwnedFd>>) {
        if let Some(daemon) = &mut self.daemon
            && daemon.socket.is_some()
            && let Err(error) = daemon.outgoing.push(frame, fds)
        {
            complain(&format!("the daemon cannot be told something: {error}"));
        }
    }

    fn send(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let Some(socket) = &daemon.socket else { return };
        if daemon.outgoing.flush(socket.as_fd()).is_err() {
            self.disconnect();
        }
    }

    /// Takes in every frame that has come.
    fn receive(&mut self) {
        while let Some(daemon) = &mut self.daemon {
            let Some(socket) = &daemon.socket else { return };
            match daemon.incoming.take::<ToKeeper>() {
                Ok(Some((frame, fds))) => self.carry_out(frame, fds),
                Ok(None) => match daemon.incoming.fill(socket.as_fd()) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => return self.disconnect(),
                },
                Err(error) => {
                    complain(&format!("the daemon sent {error}: it is started anew"));
                    return self.disconnect();
                }
            }
        }
    }

    /// A daemon that does not speak with its keeper is of no use: it ends, and another one starts.
    fn disconnect(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.socket = None;
            if self.quit.is_none() {
                // It may have ended by itself: then this reaches nobody, as it is not reaped yet.
                let _ = upkeep_os::kill_child(daemon.pid, KILL, false);
            }
        }
    }

    fn carry_out(&mut self, frame: ToKeeper, fds: Vec<OwnedFd>) {
        let mut fds = fds.into_iter();
        match frame {
            ToKeeper::Spawn { run, plan } => {
                let (frame, pipes) = self.children.start(run, plan, fds.next());
                self.tell(&frame, pipes);
            }
            ToKeeper::Signal { token, run, signo, group } => {
                let errno = self.children.signal(run, signo, group);
                self.tell(&ToDaemon::Signalled { token, errno }, Vec::new());
            }
            ToKeeper::Put { key, value } => self.hold.put(key, value),
            ToKeeper::Delete { key } => self.hold.delete(key),
            ToKeeper::Release { run } => self.children.release(run),
            ToKeeper::CloseStdin { run } => self.children.close_stdin(run),
            ToKeeper::Hold { name } => {
                if let Some(fd) = fds.next() {
                    self.hold.hold(name, fd);
                }
            }
            ToKeeper::Unhold { name } => self.hold.unhold(&name),
            ToKeeper::Ready { detach } => self.become_ready(detach),
            ToKeeper::Quit { code } => self.quit = Some(code),
        }
    }

    fn become_ready(&mut self, detach: Option<Detach>) {
        if let Some(detach) = detach
            && !self.detached
        {
            self.detached = true;
            self.detach(&detach);
        }
        self.ready = true;
        self.boot.tell_launcher();
    }

    /// Lets go of the terminal; a directory that cannot be had is reported (PROC-203).
    fn detach(&mut self, detach: &Detach) {
        if let Some(directory) = &detach.directory
            && let Err(error) = std::env::set_current_dir(OsString::from_vec(directory.clone()))
        {
            let errno = error.raw_os_error().unwrap_or_default();
            self.tell(&ToDaemon::DetachFailed { errno }, Vec::new());
        }
        if let Some(mask) = detach.umask {
            upkeep_os::set_umask(mask);
        }
        if let Err(error) = upkeep_os::stdio_to_null() {
            complain(&format!("the keeper process cannot let go of the terminal: {error}"));
        }
    }
}
