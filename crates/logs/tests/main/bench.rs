//! A log thread, a directory, and what was said, with waiting for conditions.

use std::fs;
use std::io::{PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use upkeep_logs::{Engine, LogEvent, MODE_NAMED, RotatingFile, Sink, StreamId};

/// How long anything may take before a test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) dir: TempDir,
    pub(crate) events: Receiver<LogEvent>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (sender, events) = mpsc::channel();
        let engine = Engine::start(move |event| {
            // A test that has seen enough listens no more.
            let _ = sender.send(event);
        })
        .unwrap();
        Self { engine, dir: tempfile::tempdir().unwrap(), events }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A sink into a file of this directory.
    pub(crate) fn sink(&self, name: &str, maxbytes: i64, backups: i64) -> Sink {
        let file = RotatingFile::open(self.path(name), maxbytes, backups, MODE_NAMED).unwrap();
        Sink { file: Some(file), ..Sink::default() }
    }

    /// Attaches a new pipe and returns its other end.
    pub(crate) fn attach(&self, id: u64, sink: Sink) -> PipeWriter {
        let (reader, writer) = std::io::pipe().unwrap();
        self.engine.attach(StreamId(id), OwnedFd::from(reader), sink);
        writer
    }

    /// The first event that `wanted` makes something of; others are dropped.
    pub(crate) fn wait<T>(&self, mut wanted: impl FnMut(LogEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("what was waited for did not happen"),
                Err(RecvTimeoutError::Disconnected) => panic!("the log thread has ended"),
            }
        }
    }

    pub(crate) fn wait_closed(&self, id: u64) {
        self.wait(|event| {
            matches!(event, LogEvent::Closed { id: of, .. } if of == StreamId(id)).then_some(())
        });
    }

    /// Drains the stream and waits for it.
    pub(crate) fn drain(&self, id: u64) {
        self.engine.drain(StreamId(id));
        self.wait(|event| matches!(event, LogEvent::Drained { id: of } if of == StreamId(id)).then_some(()));
    }

    /// Waits until what is in these pipes, and every earlier command, is done.
    pub(crate) fn sync(&self, ids: &[u64]) {
        self.engine.sync(ids.iter().copied().map(StreamId).collect(), 77);
        self.wait(|event| matches!(event, LogEvent::Synced { token: 77 }).then_some(()));
    }

    pub(crate) fn clear(&self, id: StreamId) -> bool {
        self.engine.clear(id, 5);
        self.wait(|event| match event {
            LogEvent::Cleared { token: 5, ok } => Some(ok),
            _ => None,
        })
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }
}

/// `PATH.N` … `PATH.1`, `PATH`, one after another: what was written, if nothing has fallen off the end.
pub(crate) fn whole(path: &Path) -> Vec<u8> {
    let numbered = |number: usize| PathBuf::from(format!("{}.{number}", path.display()));
    let backups = (1..).take_while(|&number| numbered(number).exists()).count();
    let mut all = Vec::new();
    for number in (1..=backups).rev() {
        all.extend(fs::read(numbered(number)).unwrap());
    }
    all.extend(fs::read(path).unwrap());
    all
}

/// Writes from a thread of its own and closes the pipe, as a child would.
pub(crate) fn child(mut pipe: PipeWriter, data: Vec<u8>) -> JoinHandle<()> {
    std::thread::spawn(move || pipe.write_all(&data).unwrap())
}

/// Waits until `condition` holds.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "what was waited for did not happen");
        std::thread::yield_now();
    }
}
