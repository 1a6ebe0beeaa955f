//! The log thread's side of the daemon's own log.

use std::collections::VecDeque;
use std::path::Path;

use super::outputs::{OutletKey, Outputs, STDOUT};
use super::{StreamId, SyslogTag};
use crate::file::{MODE_NAMED, RotatingFile};
use crate::journal::{Formatter, Journal, Line, Queue};
use crate::level::Level;

/// Lines kept for the first journal.
const EARLY_LINES: usize = 1024;

/// Writes the daemon's own lines.
pub(super) struct Desk {
    queue: Queue,
    formatter: Formatter,
    /// `None` until the first journal.
    places: Option<Places>,
    early: VecDeque<Line>,
}

struct Places {
    level: Level,
    file: Option<OutletKey>,
    stdout: Option<OutletKey>,
    syslog: Option<SyslogTag>,
}

impl Desk {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, formatter: Formatter::default(), places: None, early: VecDeque::new() }
    }

    pub(super) fn set(&mut self, journal: Journal, out: &mut Outputs) {
        let places = Places {
            level: journal.level,
            file: journal.file.map(|file| out.acquire(file, StreamId::JOURNAL)),
            stdout: if journal.stdout { stdout(out) } else { None },
            syslog: journal.syslog.map(|ident| SyslogTag { ident, name: String::new() }),
        };
        if let Some(old) = self.places.replace(places) {
            for key in [old.file, old.stdout].into_iter().flatten() {
                out.release(key, StreamId::JOURNAL);
            }
        }
        for line in std::mem::take(&mut self.early) {
            self.put(&line, out);
        }
    }

    pub(super) fn write(&mut self, line: Line, out: &mut Outputs) {
        let length = line.text.len();
        if self.places.is_some() {
            self.put(&line, out);
        } else if self.early.len() < EARLY_LINES {
            self.early.push_back(line);
        }
        let dropped = self.queue.leave(length);
        if dropped > 0 {
            self.say_dropped(dropped, out);
        }
    }

    pub(super) fn reopen(&mut self, out: &mut Outputs) {
        for key in self.outlets().into_iter().flatten() {
            out.reopen(key, StreamId::JOURNAL);
        }
    }

    /// The log file and the copy on standard output.
    pub(super) fn outlets(&self) -> [Option<OutletKey>; 2] {
        self.places.as_ref().map_or([None, None], |places| [places.file, places.stdout])
    }

    fn put(&mut self, line: &Line, out: &mut Outputs) {
        let Some(places) = &self.places else { return };
        if line.level < places.level {
            return;
        }
        let text = self.formatter.line(line.at, line.level, &line.text).as_bytes();
        for key in [places.file, places.stdout].into_iter().flatten() {
            out.write(key, StreamId::JOURNAL, text);
        }
        if let Some(tag) = &places.syslog {
            for part in line.text.trim_end_matches('\n').split('\n') {
                let text = self.formatter.line(line.at, line.level, part).as_bytes();
                out.syslog(StreamId::JOURNAL, tag, text);
            }
        }
    }

    fn say_dropped(&mut self, dropped: u64, out: &mut Outputs) {
        let text =
            format!("{dropped} lines of this log were dropped because it could not be written fast enough");
        self.say(text, out);
    }

    /// Something that the log thread has to say itself.
    pub(super) fn say(&mut self, text: String, out: &mut Outputs) {
        self.put(&Line { at: std::time::SystemTime::now(), level: Level::Warn, text }, out);
    }
}

fn stdout(out: &mut Outputs) -> Option<OutletKey> {
    match RotatingFile::open(Path::new(STDOUT), 0, 0, MODE_NAMED) {
        Ok(file) => Some(out.acquire(file, StreamId::JOURNAL)),
        Err(error) => {
            out.warn(format!("cannot log to standard output: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::SystemTime;

    use super::*;
    use crate::engine::Watched;
    use crate::engine::sources::Sources;
    use crate::losses::Losses;
    use crate::syslog::Syslog;

    #[test]
    fn syslog_has_whole_lines_each_with_its_time_proc_171() {
        let dir = tempfile::tempdir().unwrap();
        let server = UnixDatagram::bind(dir.path().join("log")).unwrap();
        let syslog = Syslog::at(&dir.path().join("log"));
        let mut out = Outputs::new(
            Sources::new().unwrap(),
            syslog,
            (Watched::default(), Losses::new(|| ())),
            Box::new(|event| panic!("{event:?}")),
        );
        let mut desk = Desk::new(Queue::default());
        let journal =
            Journal { level: Level::Info, file: None, syslog: Some("sup".to_owned()), stdout: false };
        desk.set(journal, &mut out);
        let text = "two\nlines\n".to_owned();
        desk.put(&Line { at: SystemTime::now(), level: Level::Warn, text }, &mut out);
        for expected in ["WARN two", "WARN lines"] {
            let mut buffer = [0; 256];
            let count = server.recv(&mut buffer).unwrap();
            let message = str::from_utf8(&buffer[20..count]).unwrap();
            let (ident, line) = message.split_at(5);
            assert_eq!((ident, &line[24..]), ("sup: ", expected));
        }
    }
}
