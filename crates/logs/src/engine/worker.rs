//! The log thread's loop.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::epoll::{Event, EventFlags};

use super::credit::Account;
use super::desk::Desk;
use super::outputs::{OutletKey, Outputs};
use super::pace::Pace;
use super::stream::{Got, Stream};
use super::wake::Wake;
use super::{Command, LogEvent, Sink, StreamId};
use crate::file::CHUNK;
use crate::journal::Queue;

/// Events taken from the kernel at once.
const EVENTS: usize = 64;
/// Bytes read from one stream before the others have their turn; what a wide pipe holds is more.
const A_TURN: usize = 4 * CHUNK;
/// Commands carried out before the pipes have their turn.
const COMMANDS_A_TURN: usize = 1024;
/// How long full logs have to take what waits for them when the thread ends.
const LAST_WRITES: Duration = Duration::from_secs(1);
/// How long is waited until a log is opened again that there was no descriptor for. Others go on meanwhile.
const SHORT: Duration = Duration::from_millis(20);
/// How often that is done before an answer is given all the same: for a second.
const TRIES: u32 = 50;
/// The same at the end of the thread, where nobody is held up by it.
const LAST_TRIES: u32 = 10;
/// The key of the handle; streams have other even keys, outlets have odd ones.
pub(super) const WAKE: u64 = 0;

/// An answer that waits for what is in the pipes.
enum Owed {
    Drained(StreamId),
    Synced(Vec<StreamId>, u64),
}

/// What could not be done for want of descriptors, and is tried again.
#[derive(Default)]
struct Late {
    again: Option<Instant>,
    /// Streams that are not waited for.
    paused: BTreeSet<StreamId>,
    /// With how often they may still be put off.
    owed: Vec<(Owed, u32)>,
}

impl Late {
    /// For how long everything else may be waited for.
    fn wait(&self) -> Option<Duration> {
        self.again.map(|again| again.saturating_duration_since(Instant::now()))
    }

    fn pause(&mut self, id: StreamId) {
        self.paused.insert(id);
        self.again.get_or_insert_with(|| Instant::now() + SHORT);
    }

    fn put_off(&mut self, owed: Owed, tries: u32) {
        self.owed.push((owed, tries.saturating_sub(1)));
        self.again.get_or_insert_with(|| Instant::now() + SHORT);
    }
}

pub(super) struct Worker {
    inbox: Receiver<Command>,
    commands: Sender<Command>,
    wake: Arc<Wake>,
    out: Outputs,
    desk: Desk,
    /// In boxes, since half of a tree's room may be free. A table by hashes would be twice as large as it was at first when as many
    /// have come and gone as had room in it.
    streams: BTreeMap<StreamId, Box<Stream>>,
    buffer: Box<[u8]>,
    pace: Pace,
    late: Late,
    stopping: bool,
}

impl Worker {
    pub(super) fn new(
        inbox: Receiver<Command>,
        commands: Sender<Command>,
        wake: Arc<Wake>,
        queue: Queue,
        out: Outputs,
    ) -> io::Result<Self> {
        out.sources.add(&*wake, WAKE, EventFlags::IN)?;
        Ok(Self {
            inbox,
            commands,
            wake,
            out,
            desk: Desk::new(queue),
            streams: BTreeMap::new(),
            buffer: vec![0; CHUNK].into_boxed_slice(),
            pace: Pace::new(Instant::now()),
            late: Late::default(),
            stopping: false,
        })
    }

    /// Works until [`Command::Shutdown`].
    pub(super) fn run(&mut self) {
        let (mut events, mut keys) = (Vec::<Event>::with_capacity(EVENTS), Vec::new());
        while !self.stopping {
            if let Err(error) = self.out.sources.wait(&mut events, &mut keys, self.late.wait()) {
                self.out.warn(format!("the log thread ends: {error}"));
                break;
            }
            // What was asked for before it was written is done before it is read.
            if let Some(at) = keys.iter().position(|&key| key == WAKE) {
                keys.swap(0, at);
            }
            for &key in &keys {
                self.happened(key);
            }
            if self.late.wait() == Some(Duration::ZERO) {
                self.try_again();
            }
            if let Some(rest) = self.pace.rest(Instant::now()) {
                self.wake.rest(rest);
            }
        }
        self.finish();
    }

    fn happened(&mut self, key: u64) {
        if key == WAKE {
            self.obey();
        } else if let Some(outlet) = OutletKey::from_source(key) {
            self.room(outlet);
        } else {
            self.readable(StreamId::of_source(key));
        }
    }

    /// Bytes, or the end, of a child's output. What is left after a turn is reported again at once.
    fn readable(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let mut left = A_TURN;
        while left > 0 {
            match stream.turn(&mut self.buffer, &mut self.out) {
                Got::Bytes(count) => {
                    self.pace.read(count, stream.is_reported());
                    left = left.saturating_sub(count);
                    if count < CHUNK || stream.must_pause(&self.out) {
                        break;
                    }
                }
                Got::Nothing => break,
                Got::Later => {
                    stream.pause(&self.out);
                    return self.late.pause(id);
                }
                Got::End => {
                    let closed = stream.closed();
                    self.close(id);
                    self.out.tell(closed);
                    return;
                }
            }
        }
        self.listen(id);
    }

    /// A full log has room: those who wait for it go on.
    fn room(&mut self, outlet: OutletKey) {
        if !self.out.flush(outlet, StreamId::JOURNAL) {
            return;
        }
        let waiting: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.outlet() == Some(outlet))
            .map(|(&id, _)| id)
            .collect();
        for id in waiting {
            self.listen(id);
        }
    }

    fn listen(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Err(error) = stream.listen(&self.out) {
            let closed = stream.closed();
            self.out.warn(format!("cannot wait for the output of a child: {error}"));
            self.close(id);
            self.out.tell(closed);
        }
    }

    fn obey(&mut self) {
        self.wake.take();
        for _ in 0..COMMANDS_A_TURN {
            let Ok(command) = self.inbox.try_recv() else { return };
            self.carry_out(command);
            if self.stopping {
                return;
            }
        }
        // There may be more: come back after the pipes.
        self.wake.once();
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Attach { id, pipe, sink } => self.attach(id, pipe, *sink),
            Command::Drain { id } => self.settle(Owed::Drained(id), TRIES),
            Command::Sync { ids, token } => self.settle(Owed::Synced(ids, token), TRIES),
            Command::ReopenAll => self.reopen_all(),
            Command::ReopenJournal => self.desk.reopen(&mut self.out),
            Command::Clear { id, token } => self.clear(id, token),
            Command::Reconfigure { id, sink } => self.reconfigure(id, *sink),
            Command::SetJournal(journal) => self.desk.set(*journal, &mut self.out),
            Command::Journal(line) => self.desk.write(line, &mut self.out),
            Command::Credit { id } => self.listen(id),
            Command::Warn { text } => self.out.warn(text),
            Command::Lost => self.out.tell(LogEvent::Lost),
            Command::Forget { path } => self.out.abandon(&path),
            Command::SetPassage(passage) => self.out.set_passage(passage),
            Command::Duplicate { answer } => {
                self.streams.values_mut().for_each(|stream| stream.tell_again(&self.out));
                let pipes =
                    self.streams.values().filter_map(|stream| Some((stream.id(), stream.duplicate().ok()?)));
                // Nobody waits any more: then nobody needs them.
                let _ = answer.send(pipes.collect());
            }
            Command::Shutdown => self.stopping = true,
        }
    }

    fn attach(&mut self, id: StreamId, pipe: OwnedFd, sink: Sink) {
        self.close(id);
        let account = Account::new(id, self.commands.clone(), Arc::clone(&self.wake));
        let fd = pipe.as_raw_fd();
        match Stream::new(id, pipe, sink, account, &mut self.out) {
            Ok(mut stream) => {
                stream.tell_unheard(&mut self.buffer, &self.out);
                stream.take_left(&mut self.buffer, &mut self.out);
                self.streams.insert(id, Box::new(stream));
                self.listen(id);
            }
            Err(error) => {
                self.out.warn(format!("cannot read the output of a child: {error}"));
                self.out.tell(LogEvent::Closed { id, fd });
            }
        }
    }

    /// Looks again at those whose logs could not be opened.
    fn try_again(&mut self) {
        let Late { paused, owed, .. } = std::mem::take(&mut self.late);
        for id in paused {
            self.readable(id);
        }
        for (owed, tries) in owed {
            self.settle(owed, tries);
        }
    }

    /// Writes what is to be written before this answer, and gives it; later, if that cannot be done yet.
    fn settle(&mut self, owed: Owed, tries: u32) {
        match owed {
            Owed::Drained(id) => {
                if !self.catch_up(id, tries == 0) {
                    return self.late.put_off(Owed::Drained(id), tries);
                }
                self.close(id);
                self.out.tell(LogEvent::Drained { id });
            }
            Owed::Synced(mut ids, token) => {
                // What does not fit yet stays in the pipe, where nothing is lost.
                ids.retain(|&id| !self.catch_up(id, false));
                if !ids.is_empty() && tries > 0 {
                    return self.late.put_off(Owed::Synced(ids, token), tries);
                }
                self.out.tell(LogEvent::Synced { token });
            }
        }
    }

    /// Reads what is in the pipe now: at most its capacity, however fast somebody goes on writing. False if that has to be done later,
    /// unless it is `now` or never.
    fn catch_up(&mut self, id: StreamId, now: bool) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return true };
        let mut left = stream.pending();
        while left > 0 {
            let got = match stream.turn(&mut self.buffer, &mut self.out) {
                Got::Later if now => stream.turn_now(&mut self.buffer, &mut self.out),
                got => got,
            };
            match got {
                Got::Bytes(count) => left = left.saturating_sub(count as u64),
                Got::Later => return false,
                Got::Nothing | Got::End => break,
            }
        }
        self.listen(id);
        true
    }

    fn reopen_all(&mut self) {
        let journal = self.desk.outlets();
        for key in self.out.keys() {
            if !journal.contains(&Some(key)) {
                self.out.reopen(key, StreamId::JOURNAL);
            }
        }
    }

    fn clear(&mut self, id: StreamId, token: u64) {
        let stream = self.streams.get(&id);
        let outlet = if id == StreamId::JOURNAL {
            self.desk.outlets()[0]
        } else {
            stream.and_then(|stream| stream.outlet())
        };
        let ok = outlet.is_none_or(|key| self.out.clear(key, id));
        self.out.tell(LogEvent::Cleared { token, ok });
    }

    fn reconfigure(&mut self, id: StreamId, sink: Sink) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.reconfigure(sink, &mut self.out);
        }
        self.listen(id);
    }

    fn close(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            stream.close(&mut self.out);
        }
    }

    fn finish(&mut self) {
        for _ in 0..LAST_TRIES {
            if self.late.owed.is_empty() {
                break;
            }
            std::thread::sleep(SHORT);
            self.try_again();
        }
        for (owed, _) in std::mem::take(&mut self.late.owed) {
            self.settle(owed, 0);
        }
        for stream in std::mem::take(&mut self.streams).into_values() {
            stream.leave(&mut self.out);
        }
        for text in self.out.finish_forwarding(Instant::now() + LAST_WRITES) {
            self.desk.say(text, &mut self.out);
        }
        self.out.finish(Instant::now() + LAST_WRITES);
    }
}
