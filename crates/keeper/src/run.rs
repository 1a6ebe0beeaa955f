//! The keeper's life: one loop over signals and the daemon's socket.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use upkeep_os::{Ended, SignalFd, Thrift, monotonic_ns};

use crate::children::{Adopted, Children, Pipes};
use crate::daemon::{Daemon, Restarts, complain};
use crate::estate::Estate;
use crate::hold::Hold;
use crate::launch::{BootData, OPEN_FILES, Orders};
use crate::replace::{Outcome, Replacement, UNDERSTOOD};
use crate::unseen::Unseen;
use crate::watch::{self, Watch};
use crate::wire::{Detach, SPOKEN, ToDaemon, ToKeeper};

/// Signals that come as data (signal(7), Linux): HUP INT QUIT USR1 USR2 TERM CHLD.
const SIGNALS: [i32; 7] = [1, 2, 3, 10, 12, 15, CHLD];
const CHLD: i32 = 17;

#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) orders: Orders,
    pub(crate) executable: OwnedFd,
    signals: SignalFd,
    pub(crate) children: Children,
    pub(crate) watch: Watch,
    pub(crate) hold: Hold,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) restarts: Restarts,
    pub(crate) unseen: Unseen,
    /// Daemons started so far.
    pub(crate) generation: u32,
    /// A daemon has served.
    pub(crate) ready: bool,
    pub(crate) detached: bool,
    /// Its daemon is still handing over what there is. Half of that is worse than nothing: a process without its child would
    /// be started a second time.
    heir: bool,
    /// The status to end with when the daemon has ended.
    pub(crate) quit: Option<u8>,
    /// The one that is under way.
    pub(crate) replacement: Option<Replacement>,
    /// What became of the last one.
    pub(crate) replaced: Option<Outcome>,
    thrift: Thrift,
}

/// Keeps until the daemon says that it ends on purpose; returns the status to end with.
#[must_use]
pub fn run(boot: BootData) -> i32 {
    let started = match boot {
        BootData::Reader => return UNDERSTOOD,
        BootData::Broken(error) => Err(error),
        BootData::Keeper(orders) => Keeper::begin(*orders),
    };
    match started {
        Ok(Some(mut keeper)) => keeper.run(),
        Ok(None) => 0,
        Err(error) => {
            complain(&format!("the keeper process cannot start: {error}"));
            1
        }
    }
}

impl Keeper {
    /// `None` in a process that only had to start the keeper.
    fn begin(mut orders: Orders) -> io::Result<Option<Self>> {
        if std::mem::take(&mut orders.content.leave_parent) {
            restore_limit();
            if upkeep_os::fork_child()?.is_some() {
                return Ok(None);
            }
        }
        let estate = orders.content.estate.take();
        let mut keeper = Self::new(orders)?;
        // Low descriptors, while there are some.
        keeper.children.nursery()?;
        if let Some(estate) = estate {
            keeper.take_over(estate)?;
        }
        Ok(Some(keeper))
    }

    fn new(orders: Orders) -> io::Result<Self> {
        let called = orders.content.program.first().map(|name| name.to_string_lossy().into_owned());
        let called = called.unwrap_or_default();
        upkeep_os::set_process_name(called.rsplit('/').next().unwrap_or("supervisord"));
        upkeep_os::ignore_pipe_signals()?;
        Ok(Self {
            executable: upkeep_os::own_executable()?,
            signals: SignalFd::new(&SIGNALS)?,
            orders,
            children: Children::default(),
            watch: Watch::default(),
            hold: Hold::default(),
            daemon: None,
            restarts: Restarts::new(),
            unseen: Unseen::default(),
            generation: 0,
            ready: false,
            detached: false,
            heir: false,
            quit: None,
            replacement: None,
            replaced: None,
            thrift: Thrift::default(),
        })
    }

    /// Goes on where an earlier keeper stopped.
    fn take_over(&mut self, estate: Estate) -> io::Result<()> {
        let Estate {
            generation,
            ready,
            detached,
            greet,
            unseen,
            daemon,
            records,
            held,
            children,
            replaced,
            lent,
        } = estate;
        (self.generation, self.ready, self.detached) = (generation, ready, detached);
        self.unseen = Unseen::from_pairs(&unseen);
        self.hold = Hold::take_over(records, held)?;
        let ends = self.children.take_over(children, &mut self.watch)?;
        self.children.take_over_lent(lent)?;
        if let Some(part) = daemon {
            let daemon = Daemon::take_over(&part)?;
            if let Some(pidfd) = &daemon.pidfd {
                self.watch.add(watch::DAEMON, pidfd)?;
            }
            self.daemon = Some(daemon);
            self.restarts.none();
        }
        self.heir = greet;
        if greet {
            self.tell_all();
        }
        ends.iter().for_each(|end| self.tell(end));
        if let Some((token, failure)) = replaced {
            self.report(Outcome { token, failure });
        }
        Ok(())
    }

    /// For the next keeper; without a daemon as long as something is on its way between that and the keeper.
    pub(crate) fn estate(&self) -> Estate {
        Estate {
            generation: self.generation,
            ready: self.ready,
            detached: self.detached,
            greet: false,
            unseen: self.unseen.pairs(),
            daemon: self.daemon.as_ref().and_then(Daemon::part),
            records: self.hold.records(),
            held: self.hold.numbers(),
            children: self.children.parts(),
            replaced: self.replaced.as_ref().map(|last| (last.token, last.failure.clone())),
            lent: self.children.lent_part(),
        }
    }

    fn run(&mut self) -> i32 {
        // What ended under an earlier keeper is not told again: a new signal handling forgets pending CHLDs (signal(7)).
        if let Some(status) = self.reap() {
            return status;
        }
        loop {
            if self.restarts.due(monotonic_ns())
                && let Err(error) = self.start_daemon()
            {
                complain(&format!("the keeper process cannot start its daemon: {error}"));
                if !self.ready {
                    return 1;
                }
                self.restarts.died(monotonic_ns(), 0, false);
            }
            self.exchange();
            if let Some(daemon) = &mut self.daemon {
                if self.heir && daemon.is_overdue(monotonic_ns()) {
                    complain("the daemon goes on with another keeper process: this one ends");
                    return 1;
                }
                daemon.end_if_overdue(monotonic_ns());
            }
            self.go_on_replacing();
            self.wait();
            if let Some(status) = self.take_ends() {
                return status;
            }
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
        let daemon = match &self.replacement {
            Some(replacement) if replacement.is_on_trial() => {
                let words = Some(replacement.words.as_fd());
                Daemon::start(&self.orders.content, replacement.executable.as_fd(), words)?
            }
            Some(_) | None => Daemon::start(&self.orders.content, self.executable.as_fd(), None)?,
        };
        self.daemon = Some(daemon);
        self.tell_all();
        self.generation = self.generation.saturating_add(1);
        Ok(())
    }

    /// Queues all that a daemon must know.
    fn tell_all(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let welcome = ToDaemon::Welcome {
            wire_version: SPOKEN,
            keeper_pid: std::process::id(),
            generation: self.generation,
            detached: self.detached,
        };
        daemon.tell(&welcome, Vec::new());
        self.hold
            .inventory()
            .chain(self.children.inventory())
            .for_each(|(frame, fds)| daemon.tell(&frame, fds));
        if let Some(outcome) = &self.replaced {
            daemon.tell(&outcome.frame(), Vec::new());
        }
        daemon.tell(&ToDaemon::InventoryEnd, Vec::new());
        for signo in self.unseen.for_new_daemon() {
            daemon.tell(&ToDaemon::SignalReceived { signo }, Vec::new());
        }
    }

    /// Sleeps until a signal, a frame, room in the socket, or the time to start a daemon; or to give memory back.
    fn wait(&mut self) {
        let now_ns = monotonic_ns();
        let quiet = self.thrift.wait().map(|quiet| u64::try_from(quiet.as_nanos()).unwrap_or(u64::MAX));
        let waits = [
            self.restarts.wait_ns(now_ns),
            self.daemon.as_ref().and_then(|daemon| daemon.patience_ns(now_ns)),
            self.replacement.as_ref().and_then(|replacement| replacement.patience_ns(now_ns)),
            quiet,
        ];
        let timeout = waits.into_iter().flatten().min().map(timespec);
        let mut polled = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let ends = self.watch.as_fd().into_iter().chain(self.children.unreported());
        polled.extend(ends.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if let Some((daemon, socket)) =
            self.daemon.as_ref().and_then(|daemon| Some((daemon, daemon.socket()?)))
        {
            let mut interest = PollFlags::empty();
            interest.set(PollFlags::OUT, daemon.wants_write());
            interest.set(PollFlags::IN, !daemon.is_behind());
            polled.push(PollFd::from_borrowed_fd(socket, interest));
        }
        // An interrupted or failed wait only means a turn with nothing to do.
        let happened = poll(&mut polled, timeout.as_ref()).unwrap_or(1);
        if happened == 0 && monotonic_ns().saturating_sub(now_ns) >= quiet.unwrap_or(u64::MAX) {
            self.thrift.give_back(true);
        }
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
        let daemon = self.reap_children();
        daemon.and_then(|ended| self.daemon_ended(ended.status))
    }

    /// Reaps every process that has ended; returns the daemon if it is among them.
    fn reap_children(&mut self) -> Option<Ended> {
        let mut daemon = None;
        while let Some(ended) = upkeep_os::reap() {
            let ours = |daemon: &Daemon| daemon.pidfd.is_none() && daemon.pid == ended.pid;
            if self.daemon.as_ref().is_some_and(ours) {
                daemon = Some(ended);
            } else if !self.reader_ended(&ended) {
                self.child_ended(&ended);
            }
        }
        daemon
    }

    /// Takes in the ends of those that are not our children; the status if it is time to end.
    fn take_ends(&mut self) -> Option<i32> {
        let mut ended = self.watch.ended();
        ended.extend(self.children.ended_unreported());
        for &run in ended.iter().filter(|key| **key != watch::DAEMON) {
            if let Some(frame) = self.children.adopted_ended(run, &self.watch) {
                self.tell(&frame);
            }
        }
        ended.contains(&watch::DAEMON).then(|| self.adopted_daemon_ended()).flatten()
    }

    fn adopted_daemon_ended(&mut self) -> Option<i32> {
        let pidfd = self.daemon.as_mut()?.pidfd.take()?;
        self.watch.remove(&pidfd);
        let pid = self.daemon.as_ref()?.pid;
        self.daemon_ended(upkeep_os::ended_status(&pidfd, pid))
    }

    /// Tells what is also in the inventory, except of a stranger: so strangers' ends are not piled up for a daemon that
    /// does not listen.
    fn child_ended(&mut self, ended: &Ended) {
        let frame = self.children.ended(ended, &self.watch);
        let behind = self.daemon.as_ref().is_some_and(Daemon::is_behind);
        if !(behind && matches!(frame, ToDaemon::Reaped { .. })) {
            self.tell(&frame);
        }
    }

    /// The daemon is gone: ends with it if it meant to, or if it never served; else another one is wanted.
    fn daemon_ended(&mut self, status: i32) -> Option<i32> {
        if let Some(daemon) = &mut self.daemon {
            daemon.ended();
        }
        self.receive();
        self.children.lend_nothing();
        let daemon = self.daemon.take()?;
        if let Some(quit) = self.quit {
            return Some(i32::from(quit));
        }
        if !self.ready {
            let code = if status & 0x7f == 0 { status >> 8 & 0xff } else { 1 };
            return Some(code);
        }
        if std::mem::take(&mut self.heir) {
            self.forget();
        }
        let now_ns = monotonic_ns();
        self.restarts.died(now_ns, now_ns.saturating_sub(daemon.since_ns), daemon.ready);
        self.replacements_daemon_ended(status);
        None
    }

    /// Lets go of what was handed over by half: the next daemon begins afresh, and finds the children by the run file.
    fn forget(&mut self) {
        self.children.forget();
        self.watch = Watch::default();
        self.hold = Hold::default();
    }

    /// Queues a frame for the daemon; without one, what matters is in the inventory.
    pub(crate) fn tell(&mut self, frame: &ToDaemon) {
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
        self.thrift.worked();
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
            ToKeeper::Lend { run, number } => self.children.lend(run, number, fds.next()),
            ToKeeper::Put { key, value } => self.hold.put(key, value),
            ToKeeper::Extend { key, keep, value } => self.hold.extend(key, keep, &value),
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
            ToKeeper::Adopt { run, pid, start_ns, exited, has_pidfd, has_stdin, has_stdout, has_stderr } => {
                let mut take = |there: bool| if there { fds.next() } else { None };
                let pidfd = take(has_pidfd);
                let [stdin, stdout, stderr] =
                    [has_stdin, has_stdout, has_stderr].map(|there| take(there).map(Rc::new));
                let pipes = Pipes { stdin, stdout, stderr };
                self.adopt(run, Adopted { pid, start_ns, exit: exited, pidfd, pipes });
            }
            ToKeeper::Replace { token, patience_ns } => self.replace(token, patience_ns, fds.next()),
        }
    }

    fn adopt(&mut self, run: u64, adopted: Adopted) {
        if let Some(frame) = self.children.adopt(run, adopted, &mut self.watch) {
            self.tell(&frame);
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
        self.heir = false;
        self.orders.tell_launcher();
        if let Some(daemon) = &mut self.daemon {
            daemon.ready = true;
        }
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

/// The keeper of a daemon whose own limit is raised: its children get theirs (PROC-077).
fn restore_limit() {
    let limit = std::env::var(OPEN_FILES).ok().and_then(|text| text.parse().ok());
    // Children with a higher limit than they should have are better than none.
    let _ = limit.map(upkeep_os::lower_open_files);
}

fn timespec(ns: u64) -> Timespec {
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Timespec { tv_sec: part(ns / 1_000_000_000), tv_nsec: part(ns % 1_000_000_000) }
}
