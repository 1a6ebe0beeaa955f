//! The keeper's life: one loop over signals and the daemon's socket.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use upkeep_os::{Ended, SignalFd, monotonic_ns};

use crate::children::Children;
use crate::daemon::{Daemon, Restarts, complain};
use crate::hold::Hold;
use crate::launch::BootData;
use crate::unseen::Unseen;
use crate::wire::{Detach, ToDaemon, ToKeeper, VERSION};

/// Signals that come as data (signal(7), Linux): HUP INT QUIT USR1 USR2 TERM CHLD.
const SIGNALS: [i32; 7] = [1, 2, 3, 10, 12, 15, CHLD];
const CHLD: i32 = 17;

#[derive(Debug)]
struct Keeper {
    boot: BootData,
    executable: OwnedFd,
    signals: SignalFd,
    children: Children,
    hold: Hold,
    daemon: Option<Daemon>,
    restarts: Restarts,
    unseen: Unseen,
    /// Daemons started so far.
    generation: u32,
    /// A daemon has served.
    ready: bool,
    detached: bool,
    /// The status to end with when the daemon has ended.
    quit: Option<u8>,
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

impl Keeper {
    fn new(boot: BootData) -> io::Result<Self> {
        let called = boot.program.first().map(|name| name.to_string_lossy().into_owned());
        let called = called.unwrap_or_default();
        upkeep_os::set_process_name(called.rsplit('/').next().unwrap_or("supervisord"));
        upkeep_os::ignore_pipe_signals()?;
        Ok(Self {
            executable: upkeep_os::own_executable()?,
            signals: SignalFd::new(&SIGNALS)?,
            boot,
            children: Children::default(),
            hold: Hold::default(),
            daemon: None,
            restarts: Restarts::new(),
            unseen: Unseen::default(),
            generation: 0,
            ready: false,
            detached: false,
            quit: None,
        })
    }

    fn run(&mut self) -> i32 {
        loop {
            if self.restarts.due(monotonic_ns())
                && let Err(error) = self.start_daemon()
            {
                complain(&format!("the keeper process cannot start its daemon: {error}"));
                if !self.ready {
                    return 1;
                }
                self.restarts.died(monotonic_ns(), 0);
            }
            self.exchange();
            if let Some(daemon) = &mut self.daemon {
                daemon.end_if_overdue(monotonic_ns());
            }
            self.wait();
            if let Some(status) = self.take_signals() {
                return status;
            }
        }
    }

    /// Carries out what the daemon asks and tells it what there is to tell, until only it or the world can go on.
    fn exchange(&mut self) {
        loop {
            self.receive();
            let Some(daemon) = &mut self.daemon else { return };
            let was_behind = daemon.is_behind();
            daemon.send();
            // Requests that were left when it was behind wait in our own buffer, where no poll sees them.
            if !was_behind || daemon.is_behind() {
                return;
            }
        }
    }

    /// Starts a daemon and queues all it must know: the inventory, and signals that none has seen.
    fn start_daemon(&mut self) -> io::Result<()> {
        let mut daemon = Daemon::start(&self.boot, self.executable.as_fd())?;
        let welcome = ToDaemon::Welcome {
            wire_version: VERSION,
            keeper_pid: std::process::id(),
            generation: self.generation,
            detached: self.detached,
        };
        daemon.tell(&welcome, Vec::new());
        self.hold
            .inventory()
            .chain(self.children.inventory())
            .for_each(|(frame, fds)| daemon.tell(&frame, fds));
        daemon.tell(&ToDaemon::InventoryEnd, Vec::new());
        for signo in self.unseen.for_new_daemon() {
            daemon.tell(&ToDaemon::SignalReceived { signo }, Vec::new());
        }
        self.generation = self.generation.saturating_add(1);
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Sleeps until a signal, a frame, room in the socket, or the time to start a daemon.
    fn wait(&self) {
        let now_ns = monotonic_ns();
        let waits = [
            self.restarts.wait_ns(now_ns),
            self.daemon.as_ref().and_then(|daemon| daemon.patience_ns(now_ns)),
        ];
        let timeout = waits.into_iter().flatten().min().map(timespec);
        let signals = PollFd::new(&self.signals, PollFlags::IN);
        // An interrupted or failed wait only means a turn with nothing to do.
        let _ = match self.daemon.as_ref().and_then(|daemon| Some((daemon, daemon.socket()?))) {
            None => poll(&mut [signals], timeout.as_ref()),
            Some((daemon, socket)) => {
                let mut interest = PollFlags::empty();
                interest.set(PollFlags::OUT, daemon.wants_write());
                interest.set(PollFlags::IN, !daemon.is_behind());
                poll(&mut [signals, PollFd::from_borrowed_fd(socket, interest)], timeout.as_ref())
            }
        };
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
        if reap { self.reap() } else { None }
    }

    fn pass_signal(&mut self, signo: i32) {
        if self.unseen.came(signo) {
            self.tell(&ToDaemon::SignalReceived { signo });
        }
    }

    fn signal_seen(&mut self, signo: i32) {
        if self.unseen.seen(signo) {
            self.tell(&ToDaemon::SignalReceived { signo });
        }
    }

    /// Reaps every process that has ended; the status if it is time to end.
    fn reap(&mut self) -> Option<i32> {
        let mut daemon = None;
        while let Some(ended) = upkeep_os::reap() {
            if self.daemon.as_ref().is_some_and(|daemon| daemon.pid == ended.pid) {
                daemon = Some(ended);
            } else {
                self.child_ended(&ended);
            }
        }
        daemon.and_then(|ended| self.daemon_ended(&ended))
    }

    /// Tells what is also in the inventory, except of a stranger: so strangers' ends are not piled up for a daemon that
    /// does not listen.
    fn child_ended(&mut self, ended: &Ended) {
        let frame = self.children.ended(ended);
        let behind = self.daemon.as_ref().is_some_and(Daemon::is_behind);
        if !(behind && matches!(frame, ToDaemon::Reaped { .. })) {
            self.tell(&frame);
        }
    }

    /// The daemon is gone: ends with it if it meant to, or if it never served; else another one is wanted.
    fn daemon_ended(&mut self, ended: &Ended) -> Option<i32> {
        if let Some(daemon) = &mut self.daemon {
            daemon.ended();
        }
        self.receive();
        let daemon = self.daemon.take()?;
        if let Some(quit) = self.quit {
            return Some(i32::from(quit));
        }
        if !self.ready {
            let code = if ended.status & 0x7f == 0 { ended.status >> 8 & 0xff } else { 1 };
            return Some(code);
        }
        let now_ns = monotonic_ns();
        self.restarts.died(now_ns, now_ns.saturating_sub(daemon.since_ns));
        None
    }

    /// Queues a frame for the daemon; without one, what matters is in the inventory.
    fn tell(&mut self, frame: &ToDaemon) {
        if let Some(daemon) = &mut self.daemon {
            daemon.tell(frame, Vec::new());
        }
    }

    /// Carries out every request that has come, unless the daemon does not take its answers.
    fn receive(&mut self) {
        while let Some(daemon) = self.daemon.as_mut().filter(|daemon| !daemon.is_behind())
            && let Some((frame, fds)) = daemon.receive()
        {
            self.carry_out(frame, fds);
        }
    }

    fn carry_out(&mut self, frame: ToKeeper, fds: Vec<OwnedFd>) {
        let mut fds = fds.into_iter();
        match frame {
            ToKeeper::Spawn { run, plan } => {
                let (frame, pipes) = self.children.start(run, plan, fds.next());
                if let Some(daemon) = &mut self.daemon {
                    daemon.tell(&frame, pipes);
                }
            }
            ToKeeper::Signal { token, run, signo, group } => {
                let errno = self.children.signal(run, signo, group);
                self.tell(&ToDaemon::Signalled { token, errno });
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
            ToKeeper::Quit { code } => self.leave(code),
            ToKeeper::Seen { signo } => self.signal_seen(signo),
        }
    }

    fn leave(&mut self, code: u8) {
        self.quit = Some(code);
        if let Some(daemon) = &mut self.daemon {
            daemon.leaves();
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
            self.tell(&ToDaemon::DetachFailed { errno });
        }
        if let Some(mask) = detach.umask {
            upkeep_os::set_umask(mask);
        }
        if let Err(error) = upkeep_os::stdio_to_null() {
            complain(&format!("the keeper process cannot let go of the terminal: {error}"));
        }
    }
}

fn timespec(ns: u64) -> Timespec {
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Timespec { tv_sec: part(ns / 1_000_000_000), tv_nsec: part(ns % 1_000_000_000) }
}
