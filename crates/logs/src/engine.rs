//! The log thread and the handle to it.
//!
//! Owns the children's pipes and all open logs. Never makes a caller wait, never blocks on a reader of a log, and never
//! lets one child's flood keep another's line waiting for more than a turn.

mod console;
pub(crate) mod credit;
mod desk;
mod lines;
mod outlet;
mod outputs;
mod pace;
mod rate;
mod sources;
mod stream;
mod wake;
mod worker;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::file::{RotatingFile, clear_path};
use crate::forward::Forwarders;
use crate::journal::{self, Journal, Line, Unwritten};
use crate::level::Level;
use crate::losses::{Loss, Losses};
use crate::passage::Passage;
use crate::spool::Spool;
use crate::syslog::Syslog;
use crate::tidy::Tidy;
use credit::Lease;
pub use lines::{LineFormat, LineRules, Origin};
use outputs::Outputs;
pub use rate::{Rate, Unit};
use sources::Sources;
use wake::Wake;
use worker::Worker;

/// How long [`Engine::shutdown`] waits for the last writes.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(3);

/// Which stream, chosen by the caller: one output channel of one run of a process. A number below 2^63 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl StreamId {
    /// The daemon's own log, in [`LogEvent`]s about its file. Not for [`Engine::attach`].
    pub const JOURNAL: Self = Self(u64::MAX);

    /// How its pipe is known to the sources: even, and not 0.
    fn source(self) -> u64 {
        self.0.wrapping_add(1) << 1
    }

    /// The stream that this source is.
    fn of_source(key: u64) -> Self {
        Self((key >> 1).wrapping_sub(1))
    }
}

/// Where the lines of a stream go in syslog (PROC-152).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogTag {
    /// The ident: the daemon's program name, such as `supervisord`.
    pub ident: String,
    /// What stands before each line: the process name.
    pub name: String,
}

/// What happens to the bytes of a stream.
#[derive(Debug, Default)]
pub struct Sink {
    /// Where they are appended. Streams whose files have the same path share one file, so that rotation is right for
    /// all; the limits of the last one count.
    pub file: Option<RotatingFile>,
    /// Send each line to syslog too.
    pub syslog: Option<SyslogTag>,
    /// Copy each line to standard output with this before it: `NAME | `.
    pub console: Option<String>,
    /// Look at the stream line by line. What is written to the file, to syslog and to standard output comes in whole lines then.
    pub lines: Option<Box<LineRules>>,
    /// Remove ANSI sequences from everything but the tags (PROC-150, PROC-151).
    pub strip_ansi: bool,
    /// Bytes kept between communication tags; 0 does not look for tags (PROC-155).
    pub capture_maxbytes: usize,
    /// What an earlier thread told of this stream by [`LogEvent::Capturing`], put together.
    pub capture_begun: Vec<u8>,
    /// Report each chunk, captured data included, for PROCESS_LOG events (PROC-160).
    pub events: bool,
    /// Report each chunk for another reason: the event listener protocol, the debug echo.
    pub copy: bool,
    /// Report chunks as they were read, before ANSI removal: the words of an event listener.
    pub raw: bool,
    /// Where the bytes are first, so that what was reported can be reported again by somebody else. What is in there and
    /// unread is reported at once, and goes nowhere else: it has been written. Counts when the stream is attached.
    pub spool: Option<Spool>,
}

/// What the log thread has to tell.
#[derive(Debug)]
pub enum LogEvent {
    /// The child closed its end while it lives. The stream is gone.
    Closed {
        /// Which stream.
        id: StreamId,
        /// The number its pipe had, for people (PROC-318).
        fd: i32,
    },
    /// All that was asked for by [`Engine::drain`] is in the log (or waits for a full fifo or terminal to have room). The stream is gone.
    Drained {
        /// Which stream.
        id: StreamId,
    },
    /// All that was asked for by [`Engine::sync`] is in the logs.
    Synced {
        /// The caller's.
        token: u64,
    },
    /// [`Engine::clear`] is done.
    Cleared {
        /// The caller's.
        token: u64,
        /// False when the file could not be removed or created; a [`LogEvent::Warn`] came before, saying why.
        ok: bool,
    },
    /// A chunk as read, after ANSI removal unless [`Sink::raw`]; only with [`Sink::events`] or [`Sink::copy`].
    Chunk {
        /// Which stream.
        id: StreamId,
        /// At most 128 KiB.
        data: Vec<u8>,
        /// How far [`Sink::spool`] has been read with it; 0 without one.
        upto: u64,
        /// Keep it as long as `data` waits: a stream with too much of it waiting is not read on.
        lease: Lease,
    },
    /// What stood between communication tags.
    Captured {
        /// Which stream.
        id: StreamId,
        /// At most `capture_maxbytes`, or a single chunk if that is more (PROC-159).
        data: Vec<u8>,
        /// As with [`LogEvent::Chunk`].
        lease: Lease,
    },
    /// Where a stream stands that is searched for communication tags, each time that has changed: for
    /// [`Sink::capture_begun`], should somebody else have to go on. Nothing is open when there are no bytes at all.
    Capturing {
        /// Which stream.
        id: StreamId,
        /// So many bytes of what was told before still stand.
        keep: usize,
        /// What comes behind them.
        data: Vec<u8>,
        /// As with [`LogEvent::Chunk`].
        lease: Lease,
    },
    /// Where the line stands that a stream with [`Sink::lines`] has begun, each time that has changed: for
    /// [`LineRules::begun`], should somebody else have to go on. Nothing has begun when there are no bytes at all.
    Begun {
        /// Which stream.
        id: StreamId,
        /// So many bytes of what was told before still stand.
        keep: usize,
        /// What comes behind them.
        data: Vec<u8>,
        /// As with [`LogEvent::Chunk`].
        lease: Lease,
    },
    /// What some logs have lost is not what it was: [`Engine::changed_losses`] tells which, and this is not said again before
    /// somebody has asked.
    Lost,
    /// More lines come than [`LineRules::rate`] says: what is over it is dropped until [`LogEvent::WithinLimit`].
    Limited {
        /// Which stream.
        id: StreamId,
        /// The limit, in words.
        limit: String,
        /// The log that lacks them.
        path: PathBuf,
    },
    /// A stream keeps to its limit again, or has ended.
    WithinLimit {
        /// Which stream.
        id: StreamId,
        /// How many lines were dropped.
        lines: u64,
        /// How many bytes they had.
        bytes: u64,
        /// The log that lacks them.
        path: PathBuf,
    },
    /// A log cannot be written: its bytes are dropped until [`LogEvent::Resumed`].
    Dropping {
        /// A stream that writes there, or [`StreamId::JOURNAL`].
        id: StreamId,
        /// Why.
        error: io::Error,
        /// Which file.
        path: PathBuf,
    },
    /// A log is closed before it could be written again.
    GaveUp {
        /// A stream that wrote there, or [`StreamId::JOURNAL`].
        id: StreamId,
        /// How many bytes were dropped.
        bytes: u64,
        /// Which file.
        path: PathBuf,
    },
    /// A log is written again.
    Resumed {
        /// A stream that writes there, or [`StreamId::JOURNAL`].
        id: StreamId,
        /// How many bytes were dropped.
        bytes: u64,
        /// Which file.
        path: PathBuf,
    },
    /// [`Engine::watch`]: the log at this path has more bytes, or is another file.
    Grew {
        /// As it was asked for.
        path: PathBuf,
    },
    /// There is a stream that is fast enough for [`Engine::set_passage`]. Said once.
    WantsPassage,
    /// Something for the daemon's log, at level WARN.
    Warn {
        /// The line.
        text: String,
    },
}

/// What the handle asks of the thread.
pub(crate) enum Command {
    Attach { id: StreamId, pipe: OwnedFd, sink: Box<Sink> },
    Drain { id: StreamId },
    Sync { ids: Vec<StreamId>, token: u64 },
    ReopenAll,
    ReopenJournal,
    Clear { id: StreamId, token: u64 },
    Reconfigure { id: StreamId, sink: Box<Sink> },
    SetJournal(Box<Journal>),
    Journal(Line),
    Credit { id: StreamId },
    Warn { text: String },
    Lost,
    Forget { path: PathBuf },
    SetPassage(Option<Passage>),
    Duplicate { answer: Sender<Vec<(StreamId, OwnedFd)>> },
    Shutdown,
}

/// Paths that somebody wants to hear of, open or not. Shared, so that a path is watched when [`Engine::watch`] returns.
pub(crate) type Watched = Arc<Mutex<HashSet<PathBuf>>>;

/// The handle to the log thread; clones are the same thread. When the last one is gone, the thread ends by itself.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    commands: Sender<Command>,
    wake: Arc<Wake>,
    level: AtomicU8,
    queue: journal::Queue,
    watched: Watched,
    losses: Losses,
    thread: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    handle: JoinHandle<()>,
    ended: Receiver<()>,
}

impl Shared {
    fn send(&self, command: Command) {
        // Fails only after shutdown, when there is nobody to ask anything of.
        if self.commands.send(command).is_ok() {
            self.wake.once();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.send(Command::Shutdown);
    }
}

/// As long as it lives, the log thread is not woken for what it is asked ([`Engine::gather`]).
#[derive(Debug)]
#[must_use = "the thread is woken as soon as this is gone"]
pub struct Gathering {
    shared: Arc<Shared>,
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.shared.wake.let_go();
    }
}

/// What others have counted is told by the log thread.
fn losses(commands: Sender<Command>, wake: Arc<Wake>) -> Losses {
    Losses::new(move || {
        // Nobody is told any more when the thread is gone.
        if commands.send(Command::Lost).is_ok() {
            wake.once();
        }
    })
}

/// What other threads have to say takes the way over the log thread.
fn warn(commands: Sender<Command>, wake: Arc<Wake>) -> impl Fn(String) + Send + Sync + 'static {
    move |text| {
        // Nobody is told any more when the thread is gone.
        if commands.send(Command::Warn { text }).is_ok() {
            wake.once();
        }
    }
}

impl Engine {
    /// Starts the log thread. `events` is called on it, so it must only pass the event on, and not wait.
    ///
    /// # Errors
    /// No descriptor or no thread could be had.
    pub fn start(events: impl Fn(LogEvent) + Send + 'static) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let wake = Arc::new(Wake::new()?);
        let queue = journal::Queue::default();
        let watched = Watched::default();
        let losses = losses(commands.clone(), Arc::clone(&wake));
        let seen = (Arc::clone(&watched), losses.clone());
        let out = Outputs::new(Sources::new()?, Syslog::default(), seen, Box::new(events));
        let forwarders = Forwarders::new(losses.clone(), warn(commands.clone(), Arc::clone(&wake)));
        let out = out.with(Tidy::new(warn(commands.clone(), Arc::clone(&wake))), forwarders);
        let mut worker = Worker::new(inbox, commands.clone(), Arc::clone(&wake), queue.clone(), out)?;
        let (end, ended) = mpsc::channel();
        let handle = std::thread::Builder::new().name("logs".to_owned()).spawn(move || {
            worker.run();
            // Nobody waits when the handle is gone.
            let _ = end.send(());
        })?;
        let thread = Mutex::new(Some(Running { handle, ended }));
        let level = AtomicU8::new(0);
        Ok(Self { shared: Arc::new(Shared { commands, wake, level, queue, watched, losses, thread }) })
    }

    /// Much will be asked for at once, and nobody waits for any of it: the thread is woken for all when the answer is dropped. Two threads
    /// that allocate at once stand in each other's way, and whoever asks may have the more urgent work. One at a time; do not call
    /// [`Self::shutdown`] meanwhile.
    pub fn gather(&self) -> Gathering {
        self.shared.wake.hold();
        Gathering { shared: Arc::clone(&self.shared) }
    }

    /// Takes over the read end of a child's pipe: it is made non-blocking and read as data comes. An older stream of
    /// the same id is closed without a word.
    pub fn attach(&self, id: StreamId, pipe: OwnedFd, sink: Sink) {
        self.send(Command::Attach { id, pipe, sink: Box::new(sink) });
    }

    /// The child has exited: reads what it wrote before this call, closes the pipe, then says [`LogEvent::Drained`],
    /// also for a stream that is not there (any more). Others that hold the pipe open are not read further (PROC-085).
    pub fn drain(&self, id: StreamId) {
        self.send(Command::Drain { id });
    }

    /// Reads and writes what is in these pipes now, then says [`LogEvent::Synced`], so that a tail sees it. With no
    /// ids it waits for the journal lines so far.
    pub fn sync(&self, ids: Vec<StreamId>, token: u64) {
        self.send(Command::Sync { ids, token });
    }

    /// Asks for one [`LogEvent::Grew`] when the log at this path (as given to [`RotatingFile::open`], the daemon's own
    /// included) is next written, rotated, cleared or reopened, or when a stream first opens it. For tails that
    /// follow: nothing that is written after this call goes untold, so ask, then read, then wait, and again.
    pub fn watch(&self, path: PathBuf) {
        self.watcher()(path);
    }

    /// [`Self::watch`] for somebody who keeps no thread alive by it.
    pub fn watcher(&self) -> impl Fn(PathBuf) + Send + Sync + 'static {
        let watched = Arc::clone(&self.shared.watched);
        // A poisoned set means the log thread is gone, and nothing grows any more.
        move |path| drop(watched.lock().map(|mut watched| watched.insert(path)))
    }

    /// What logs have lost since this handle was made, by path as given to [`RotatingFile::open`]; those that have lost
    /// nothing, or were cleared since, are left out. Never waits for the log thread. Syslog counts as the path of its socket.
    #[must_use]
    pub fn losses(&self) -> BTreeMap<PathBuf, Loss> {
        self.shared.losses.all()
    }

    /// The losses that have changed since the last call, with `None` for one that is forgotten: that a log began or ceased to lose
    /// bytes, or has lost twice as many as when it was told last. After the next change there is a [`LogEvent::Lost`].
    #[must_use]
    pub fn changed_losses(&self) -> Vec<(PathBuf, Option<Loss>)> {
        self.shared.losses.take_news()
    }

    /// Nobody's log is at this path any more: what it has lost is forgotten, as soon as nobody writes it.
    pub fn forget_losses(&self, path: PathBuf) {
        self.send(Command::Forget { path });
    }

    /// Adds what an earlier process has counted for a log.
    pub fn restore_loss(&self, path: PathBuf, bytes: u64, reason: String) {
        self.shared.losses.restore(path, bytes, reason);
    }

    /// Empties a log that no live stream writes; see [`clear_path`]. One that is not there lacks nothing either. Waits for the disk.
    ///
    /// # Errors
    /// Those of [`clear_path`].
    pub fn clear_unused(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            clear_path(path)?;
        }
        self.shared.losses.forget(path);
        Ok(())
    }

    /// Closes and reopens all logs of live streams, in append mode (PROC-140).
    pub fn reopen_all(&self) {
        self.send(Command::ReopenAll);
    }

    /// Closes and reopens the daemon's own log (PROC-170); lines queued before go into the old file.
    pub fn reopen_journal(&self) {
        self.send(Command::ReopenJournal);
    }

    /// Removes and recreates the log of a live stream ([`StreamId::JOURNAL`]: the daemon's own), then says
    /// [`LogEvent::Cleared`]. `ok` is true for a stream that has no file or is not there.
    pub fn clear(&self, id: StreamId, token: u64) {
        self.send(Command::Clear { id, token });
    }

    /// Replaces what happens to the bytes of a live stream.
    pub fn reconfigure(&self, id: StreamId, sink: Sink) {
        self.send(Command::Reconfigure { id, sink: Box::new(sink) });
    }

    /// Asks for duplicates of all pipes that are read; they come when the thread gets to it. One that cannot be
    /// duplicated is left out.
    #[must_use]
    pub fn duplicates(&self) -> Receiver<Vec<(StreamId, OwnedFd)>> {
        let (answer, duplicates) = mpsc::channel();
        self.send(Command::Duplicate { answer });
        duplicates
    }

    /// Has fast streams take the way through there. Others should hold its parts by now.
    pub fn set_passage(&self, passage: Passage) {
        self.send(Command::SetPassage(Some(passage)));
    }

    /// Has fast streams go without one. What is on its way through the old one arrives before.
    pub fn forget_passage(&self) {
        self.send(Command::SetPassage(None));
    }

    /// Says where the daemon's own lines go, from the next one on. Lines before the first journal are kept for it.
    pub fn set_journal(&self, journal: Journal) {
        self.shared.level.store(journal.level as u8, Ordering::Relaxed);
        self.send(Command::SetJournal(Box::new(journal)));
    }

    /// Whether a line of this level would be written: ask before formatting a costly one.
    #[must_use]
    pub fn wants(&self, level: Level) -> bool {
        level as u8 >= self.shared.level.load(Ordering::Relaxed)
    }

    /// A line of the daemon's own log, stamped with the time of this call. Never waits: when too many lines are queued
    /// it is dropped, and the number of dropped lines is logged later.
    pub fn journal(&self, level: Level, text: String) {
        self.journal_at(SystemTime::now(), level, text);
    }

    /// The same for a line that was logged at this time.
    pub fn journal_at(&self, at: SystemTime, level: Level, text: String) {
        if self.wants(level) && self.shared.queue.admit(text.len()) {
            let line = Line { at, level, text };
            self.shared.queue.enter(&line);
            self.send(Command::Journal(line));
        }
    }

    /// Lines that may not be in the log yet, the newest of them if they have more than `most` bytes.
    #[must_use]
    pub fn unwritten(&self, most: usize) -> Vec<Unwritten> {
        self.shared.queue.unwritten(most)
    }

    /// Does everything asked for so far, writes what is held back, and ends the thread. Pipes still open are closed
    /// unread. Returns false if the thread did not end in time (3 s: a disk that hangs).
    pub fn shutdown(self) -> bool {
        self.send(Command::Shutdown);
        let running = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return true };
        match running.ended.recv_timeout(SHUTDOWN_WAIT) {
            Err(mpsc::RecvTimeoutError::Timeout) => false,
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => running.handle.join().is_ok(),
        }
    }

    fn send(&self, command: Command) {
        self.shared.send(command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_one_stream_or_something_else() {
        for id in [0, 1, 2, 77, (1 << 63) - 2].map(StreamId) {
            let source = id.source();
            assert_eq!(StreamId::of_source(source), id);
            assert!(source != worker::WAKE && outputs::OutletKey::from_source(source).is_none(), "{id:?}");
        }
    }
}
