//! Requests about logs: read off the daemon's task, after the log thread has written what there is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use upkeep_api::{ActionResult, Channel, Fault, FaultCode, FileId, LogTail, Reply, Request, apart};
use upkeep_core::{ProcId, RunId};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::{Engine, Level, LogEvent, ReadError, StreamId};

use crate::calls::respond;
use crate::errors::words;
use crate::keeping::{name_pid, run_of, stderr_of, stdout_of};
use crate::names::resolve_process;
use crate::prepare::{Order, Sinks};
use crate::records::{CAPTURE_KEY, LINE_KEY};
use crate::shell::{Message, Responder, Shell};
use crate::tasks;

/// How long an answer about a log waits for the log thread: one that a disk holds up must not hold up the others.
const SYNC_PATIENCE: Duration = Duration::from_secs(2);
/// How long reading or clearing a log may take.
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// How long who gave running processes other logs waits until they are open.
const OPEN_PATIENCE: Duration = Duration::from_secs(2);
/// Logs that are read at once; a dead disk gets no more threads than these.
static READERS: Semaphore = Semaphore::const_new(32);

/// What is left to do to clear one process's logs.
struct Clearing {
    process: String,
    group: String,
    /// Answers of the log thread for channels that are being written.
    live: Vec<oneshot::Receiver<bool>>,
    /// Files nobody writes (D-11).
    idle: Vec<PathBuf>,
}

/// Logs that are being opened for a run that goes on.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// Later ones have larger numbers.
    number: u64,
    /// Closed once they are open, or cannot be opened.
    opened: watch::Receiver<()>,
}

/// Logs that are to be opened for a run that goes on.
#[derive(Debug)]
pub(crate) struct Renewing {
    run: RunId,
    number: u64,
    order: Order,
    /// Dropped once they are open.
    opening: watch::Sender<()>,
}

impl Shell {
    pub(crate) fn log_request(&mut self, request: Request, reply: Responder) {
        match request {
            Request::ReadLog { offset, length } => match self.main_log() {
                None => respond(reply, Err(Fault::new(FaultCode::NoFile))),
                Some(path) => {
                    self.after_sync(Vec::new(), reply, move || read(&path, offset, length));
                }
            },
            Request::ReadProcessLog { name, channel, offset, length } => {
                match self.readable(&name, channel) {
                    Err(fault) => respond(reply, Err(fault)),
                    Ok((_, None)) => respond(reply, Err(Fault::new(FaultCode::NoFile))),
                    Ok((streams, Some(path))) => {
                        self.after_sync(streams, reply, move || read(&path, offset, length));
                    }
                }
            }
            Request::TailProcessLog { name, channel, offset, length } => {
                match self.readable(&name, channel) {
                    Err(fault) => respond(reply, Err(fault)),
                    Ok((_, None)) => {
                        let nothing = LogTail { data: Vec::new(), offset: 0, overflow: false };
                        respond(reply, Ok(Reply::Tail(nothing)));
                    }
                    Ok((streams, Some(path))) => {
                        self.after_sync(streams, reply, move || Ok(tail(&path, offset, length)));
                    }
                }
            }
            Request::ReadLogSince { process, since, length, file } => {
                let found = match process {
                    Some((name, channel)) => self.readable(&name, channel),
                    None => Ok((Vec::new(), self.main_log())),
                };
                match found {
                    Err(fault) => respond(reply, Err(fault)),
                    Ok((_, None)) => respond(reply, Err(Fault::new(FaultCode::NoFile))),
                    Ok((streams, Some(path))) => {
                        self.after_sync(streams, reply, move || read_since(&path, since, length, file));
                    }
                }
            }
            Request::ClearLog => self.clear_main_log(reply),
            Request::ClearProcessLogs { name } => self.clear_one(name, reply),
            Request::ClearAllProcessLogs => self.clear_all(reply),
            other => self.answer(other, reply),
        }
    }

    /// The streams to wait for and the file to read.
    fn readable(&self, name: &str, channel: Channel) -> Result<(Vec<StreamId>, Option<PathBuf>), Fault> {
        let id = resolve_process(&self.core, name)?;
        let paths = self.paths_of(id);
        let path = match channel {
            Channel::Stdout => paths.stdout,
            Channel::Stderr => paths.stderr,
        };
        Ok((self.streams_of(id), path.map(PathBuf::from)))
    }

    /// A process's streams, and those of runs whose last bytes are still on their way.
    fn streams_of(&self, id: ProcId) -> Vec<StreamId> {
        let current = self.core.process(id).and_then(|process| process.state().run());
        let mut streams = Vec::new();
        for (&run, entry) in &self.runs {
            if Some(run) == current || entry.draining.is_some() || self.core.process_of(run) == Some(id) {
                streams.extend(entry.has_stdout.then(|| stdout_of(run)));
                streams.extend(entry.has_stderr.then(|| stderr_of(run)));
            }
        }
        streams
    }

    /// Runs `job` on a thread that may wait for the disk, once the log thread has written what is in these streams.
    fn after_sync(
        &mut self,
        streams: Vec<StreamId>,
        reply: Responder,
        job: impl FnOnce() -> Result<Reply, Fault> + Send + 'static,
    ) {
        let (token, synced) = self.new_token();
        self.engine.sync(streams, token);
        tasks::spawn(async move {
            // A log thread that is gone has nothing more to write; one that a disk holds up writes what it has later.
            let _ = timeout(SYNC_PATIENCE, synced).await;
            respond(
                reply,
                timeout(READ_PATIENCE, read_apart(job)).await.unwrap_or_else(|_| Err(silent_disk())),
            );
        });
    }

    fn clear_main_log(&mut self, reply: Responder) {
        if !self.main_log().is_some_and(|path| path.exists()) {
            return respond(reply, Err(Fault::new(FaultCode::NoFile)));
        }
        // Once for each place where the log goes (PROC-320).
        let places = 1 + usize::from(self.in_foreground() && !self.settings().silent);
        for _ in 0..places {
            self.log(Level::Info, "reopening log file");
        }
        let (token, cleared) = self.new_token();
        self.engine.clear(StreamId::JOURNAL, token);
        tasks::spawn(async move {
            let result = match timeout(READ_PATIENCE, cleared).await {
                Ok(Ok(true)) => Ok(Reply::Bool(true)),
                Ok(Ok(false) | Err(_)) => Err(Fault::new(FaultCode::Failed)),
                Err(_) => Err(silent_disk()),
            };
            respond(reply, result);
        });
    }

    fn clear_one(&mut self, name: String, reply: Responder) {
        match resolve_process(&self.core, &name) {
            Err(fault) => respond(reply, Err(fault)),
            Ok(id) => {
                let (clearing, engine) = (self.begin_clearing(id), self.engine.clone());
                tasks::spawn(async move {
                    let ok = match clearing {
                        Some(clearing) => clearing.finish(engine, Instant::now() + READ_PATIENCE).await,
                        None => false,
                    };
                    let failed = || Fault::about(FaultCode::Failed, name);
                    respond(reply, if ok { Ok(Reply::Bool(true)) } else { Err(failed()) });
                });
            }
        }
    }

    fn clear_all(&mut self, reply: Responder) {
        let ids = self.core.all_by_priority();
        let all: Vec<Clearing> = ids.into_iter().filter_map(|id| self.begin_clearing(id)).collect();
        let (engine, deadline) = (self.engine.clone(), Instant::now() + READ_PATIENCE);
        tasks::spawn(async move {
            let mut results = Vec::with_capacity(all.len());
            for clearing in all {
                let (name, group) = (clearing.process.clone(), clearing.group.clone());
                let full = if group == name { name.clone() } else { format!("{group}:{name}") };
                let fault = match clearing.finish(engine.clone(), deadline).await {
                    true => None,
                    false => Some(Fault::about(FaultCode::Failed, full)),
                };
                results.push(ActionResult { name, group, fault });
            }
            respond(reply, Ok(Reply::Results(results)));
        });
    }

    fn begin_clearing(&mut self, id: ProcId) -> Option<Clearing> {
        let process = self.core.process(id)?;
        let (process, group) = (process.name().to_owned(), process.group().to_owned());
        let paths = self.paths_of(id);
        let run = self.core.process(id).and_then(|process| process.state().run());
        let entry = run.and_then(|run| self.runs.get(&run));
        let (out, err) = entry.map_or((false, false), |entry| (entry.has_stdout, entry.has_stderr));
        let mut clearing = Clearing { process, group, live: Vec::new(), idle: Vec::new() };
        for (live, stream, path) in
            [(out, run.map(stdout_of), paths.stdout), (err, run.map(stderr_of), paths.stderr)]
        {
            match (live, stream, path) {
                (true, Some(stream), Some(_)) => {
                    let (token, cleared) = self.new_token();
                    self.engine.clear(stream, token);
                    clearing.live.push(cleared);
                }
                (_, _, Some(path)) => clearing.idle.push(path.into()),
                (_, _, None) => {}
            }
        }
        Some(clearing)
    }

    /// The log thread has something to say.
    pub(crate) fn log_event(&mut self, event: LogEvent) {
        match event {
            LogEvent::Closed { id, fd } => self.stream_closed(id, fd),
            LogEvent::Drained { id } => {
                let run = run_of(id);
                if let Some(open) = self.runs.get_mut(&run).and_then(|entry| entry.draining.as_mut()) {
                    *open = open.saturating_sub(1);
                }
                self.release_if_drained(run);
            }
            LogEvent::Synced { token } => self.finish_token(token, true),
            LogEvent::Cleared { token, ok } => self.finish_token(token, ok),
            LogEvent::Chunk { id, data, upto, lease } => {
                self.hears(id, upto);
                self.output(id, &data);
                self.free_said(id, upto);
                drop(lease);
            }
            LogEvent::Captured { id, data, lease } => {
                self.captured(id, &data);
                drop(lease);
            }
            LogEvent::Capturing { id, keep, data, lease } => {
                self.keep_held_back(CAPTURE_KEY | id.0, keep, data);
                self.capture_leases.push(lease);
            }
            LogEvent::Begun { id, keep, data, lease } => {
                self.keep_held_back(LINE_KEY | id.0, keep, data);
                self.capture_leases.push(lease);
            }
            LogEvent::Limited { id, limit, path } => {
                let ((name, channel), path) = (self.name_of(id), path.display());
                let text = format!(
                    "'{name}' writes more than {limit} to its {channel} log '{path}': what is over it is dropped"
                );
                self.log(Level::Warn, text);
            }
            LogEvent::WithinLimit { id, lines, bytes, path } => {
                let ((name, _), path) = (self.name_of(id), path.display());
                let text = format!(
                    "'{name}' keeps to the limit of its log '{path}' again; {lines} lines ({bytes} bytes) were dropped"
                );
                self.log(Level::Warn, text);
            }
            // Those who follow it have heard.
            LogEvent::Grew { .. } => {}
            LogEvent::Lost => self.hold_losses(),
            LogEvent::WantsPassage => self.make_passage(),
            LogEvent::Dropping { error, path, .. } => {
                let (path, error) = (path.display(), words(&error));
                self.log(
                    Level::Error,
                    format!(
                        "cannot write log file '{path}': {error}; its lines are dropped until it works again"
                    ),
                );
            }
            LogEvent::Resumed { bytes, path, .. } => {
                let path = path.display();
                self.log(Level::Warn, format!("log file '{path}' works again; {bytes} bytes were dropped"));
            }
            LogEvent::GaveUp { bytes, path, .. } => {
                let path = path.display();
                self.log(Level::Warn, format!("log file '{path}' is closed; {bytes} bytes were dropped"));
            }
            LogEvent::Warn { text } => self.log(Level::Warn, text),
        }
    }

    /// Lets the keeper hold what has been read and not written, for the next daemon: what stands between communication tags so
    /// far, and the line that has begun.
    fn keep_held_back(&mut self, key: u64, keep: usize, value: Vec<u8>) {
        if keep > 0 || !value.is_empty() {
            self.captures.insert(key);
            let keep = u64::try_from(keep).unwrap_or(u64::MAX);
            self.send(&ToKeeper::Extend { key, keep, value });
        } else if self.captures.remove(&key) {
            self.send(&ToKeeper::Delete { key });
        }
    }

    /// Nobody goes on with what a run captured.
    pub(crate) fn drop_captures(&mut self, run: RunId) {
        for id in [stdout_of(run), stderr_of(run)] {
            self.keep_held_back(CAPTURE_KEY | id.0, 0, Vec::new());
            self.keep_held_back(LINE_KEY | id.0, 0, Vec::new());
        }
    }

    fn finish_token(&mut self, token: u64, ok: bool) {
        if let Some(waiting) = self.tokens.remove(&token) {
            // Nobody waits if the client has gone.
            let _ = waiting.send(ok);
        }
    }

    /// A child closed a channel while it lives: there is nothing to drain there later.
    fn stream_closed(&mut self, id: StreamId, fd: i32) {
        let run = run_of(id);
        if self.engine.wants(Level::Debug) {
            let (name, channel) = self.name_of(id);
            self.log(Level::Debug, format!("fd {fd} closed, stopped monitoring '{name}' {channel}"));
        }
        let Some(entry) = self.runs.get_mut(&run) else { return };
        if entry.draining.is_some() {
            return;
        }
        if id == stdout_of(run) {
            entry.has_stdout = false;
        } else {
            entry.has_stderr = false;
        }
    }

    /// The names of a stream's process and channel.
    fn name_of(&self, id: StreamId) -> (&str, &'static str) {
        let run = run_of(id);
        let process = self.owner_of(run).and_then(|(process, _)| self.core.process(process));
        let channel = if id == stdout_of(run) { "stdout" } else { "stderr" };
        (process.map_or("?", |process| process.name()), channel)
    }

    /// A process got other log options while it runs on: its new sinks are opened with [`Self::open_new_logs`].
    pub(crate) fn reconfigure(&mut self, id: ProcId) {
        let Some(run) = self.core.process(id).and_then(|process| process.state().run()) else { return };
        let Some(order) = self.order_for(id) else { return };
        let (opening, opened) = watch::channel(());
        self.next_renewal += 1;
        let number = self.next_renewal;
        self.renewals.insert(run, Renewal { number, opened });
        self.renewing.push(Renewing { run, number, order, opening });
    }

    /// Opens the logs that running processes are to get, on a thread of their own.
    pub(crate) fn open_new_logs(&mut self) {
        if self.renewing.is_empty() {
            return;
        }
        let (all, messages) = (std::mem::take(&mut self.renewing), self.messages.clone());
        let open = move || {
            for Renewing { run, number, order, opening } in all {
                let sinks = Box::new(order.open_new_sinks());
                // Fails only when the daemon has ended.
                let _ = messages.send(Message::Sinks { run, number, sinks });
                drop(opening);
            }
        };
        tasks::spawn(async move {
            if apart(open).await.is_none() {
                log::error!(
                    "new log files of running processes cannot be opened, the old ones stay: no thread can be had"
                );
            }
        });
    }

    /// Waits until the logs that running processes are about to get are open, but not for a disk that hangs. What is sent to the
    /// daemon's task then comes after they are in use. `None` if there are no such logs.
    pub(crate) fn new_logs(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let mut opened: Vec<_> = self.renewals.values().map(|renewal| renewal.opened.clone()).collect();
        let wait = async move {
            for opened in &mut opened {
                // Nothing is ever sent: this is the end of the thread that opens them.
                let _ = opened.changed().await;
            }
        };
        let wait = async move { drop(timeout(OPEN_PATIENCE, wait).await) };
        (!self.renewals.is_empty()).then_some(wait)
    }

    pub(crate) fn new_sinks(&mut self, run: RunId, number: u64, mut sinks: Box<Sinks>) {
        if self.renewals.get(&run).is_none_or(|renewal| renewal.number != number) {
            // Later ones are being opened. A disk may hold up the end of these as well.
            tasks::spawn(async move { apart(move || drop(sinks)).await.unwrap_or_default() });
            return;
        }
        self.renewals.remove(&run);
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.heard |= sinks.are_heard();
            let pid = entry.made.as_ref().map_or(0, |made| made.pid);
            let both =
                [sinks.stdout.as_mut().ok(), sinks.stderr.as_mut().and_then(|sink| sink.as_mut().ok())];
            both.into_iter().flatten().for_each(|sink| name_pid(sink, pid));
        }
        let Sinks { stdout, stderr } = *sinks;
        for (stream, sink) in [(stdout_of(run), Some(stdout)), (stderr_of(run), stderr)] {
            match sink {
                None => {}
                Some(Ok(sink)) => self.engine.reconfigure(stream, sink),
                Some(Err(error)) => self.log(
                    Level::Error,
                    format!("cannot open the new log file of a running process, the old one stays: {error}"),
                ),
            }
        }
    }
}

impl Clearing {
    /// Waits for the log thread and clears the rest.
    async fn finish(self, engine: Engine, deadline: Instant) -> bool {
        timeout_at(deadline, self.wait(engine)).await.unwrap_or(false)
    }

    async fn wait(self, engine: Engine) -> bool {
        let mut ok = true;
        for cleared in self.live {
            ok &= cleared.await.unwrap_or(false);
        }
        let idle = self.idle;
        let clear = move || idle.iter().all(|path| engine.clear_unused(path).is_ok());
        ok & apart(clear).await.unwrap_or(false)
    }
}

/// Runs `job` on a thread that may wait for the disk, if not too many do already.
async fn read_apart(job: impl FnOnce() -> Result<Reply, Fault> + Send + 'static) -> Result<Reply, Fault> {
    let failed = || Fault::new(FaultCode::Failed);
    let place = READERS.acquire().await.map_err(|_| failed())?;
    let done = apart(move || {
        let result = job();
        drop(place);
        result
    });
    done.await.unwrap_or_else(|| Err(failed()))
}

/// The fault of a request that a disk holds up.
fn silent_disk() -> Fault {
    Fault::about(FaultCode::Failed, "the disk does not answer")
}

fn read(path: &Path, offset: i64, length: i64) -> Result<Reply, Fault> {
    upkeep_logs::read(path, offset, length).map(Reply::Bytes).map_err(|error| match error {
        ReadError::Arguments { .. } => Fault::new(FaultCode::BadArguments),
        ReadError::NoFile(path) => Fault::about(FaultCode::NoFile, path),
        ReadError::Failed { .. } => Fault::new(FaultCode::Failed),
    })
}

fn read_since(path: &Path, since: i64, length: i64, with_file: bool) -> Result<Reply, Fault> {
    let length = u64::try_from(length).map_err(|_| Fault::new(FaultCode::BadArguments))?;
    let since = UNIX_EPOCH + Duration::from_secs(u64::try_from(since).unwrap_or(0));
    match upkeep_logs::read_since(path, since, length) {
        Ok((tail, present)) => {
            let tail = LogTail { data: tail.data, offset: tail.offset, overflow: tail.overflow };
            let file = || present.as_ref().map(FileId::of);
            Ok(if with_file { Reply::TailOf(tail, file()) } else { Reply::Tail(tail) })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Fault::about(FaultCode::NoFile, path.display().to_string()))
        }
        Err(_) => Err(Fault::new(FaultCode::Failed)),
    }
}

fn tail(path: &Path, offset: i64, length: i64) -> Reply {
    let tail = upkeep_logs::tail(path, offset, length);
    Reply::Tail(LogTail { data: tail.data, offset: tail.offset, overflow: tail.overflow })
}
