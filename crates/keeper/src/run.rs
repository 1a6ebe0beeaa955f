//! The keeper's life: one loop over signals and the daemon's socket.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use upkeep_os::{SignalFd, Thrift, monotonic_ns};

use crate::children::Children;
use crate::daemon::{Daemon, Restarts, complain};
use crate::hold::Hold;
use crate::launch::{BootData, OPEN_FILES, Orders};
use crate::replace::{Outcome, Replacement, UNDERSTOOD};
use crate::unseen::Unseen;
use crate::watch::Watch;

/// Signals that come as data (signal(7), Linux): HUP INT QUIT USR1 USR2 TERM CHLD.
const SIGNALS: [i32; 7] = [1, 2, 3, 10, 12, 15, CHLD];
pub(crate) const CHLD: i32 = 17;

#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) orders: Orders,
    pub(crate) executable: OwnedFd,
    pub(crate) signals: SignalFd,
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
    pub(crate) heir: bool,
    /// The status to end with when the daemon has ended.
    pub(crate) quit: Option<u8>,
    /// The one that is under way.
    pub(crate) replacement: Option<Replacement>,
    /// What became of the last one.
    pub(crate) replaced: Option<Outcome>,
    pub(crate) thrift: Thrift,
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
