//! Many processes as `getAllProcessInfo` tells them, in two allocations however many they are.
//!
//! It is what the daemon's task hands out most: it is made at once, and kept small while a client takes its time to
//! read what is made of it.

use std::ops::Deref;
use std::sync::Arc;

use crate::verbs::Written;
use crate::{ProcessInfo, ProcessState};

/// One process of a [`ProcessList`]; the fields are those of [`ProcessInfo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are described at ProcessInfo")]
pub struct ProcessView<'a> {
    pub name: &'a str,
    pub group: &'a str,
    pub start: i64,
    pub stop: i64,
    pub now: i64,
    pub state: ProcessState,
    pub spawnerr: &'a str,
    pub exitstatus: i32,
    pub stdout_logfile: &'a str,
    pub stderr_logfile: &'a str,
    pub pid: u32,
    pub description: &'a str,
}

/// Processes in the order in which they are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessList {
    /// The texts of all, one after the other.
    text: String,
    entries: Vec<Entry>,
}

/// Processes as they were told at one moment, for all who ask in that moment.
#[derive(Clone, Debug, Default)]
pub struct SharedList(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    list: ProcessList,
    written: Written,
}

impl SharedList {
    /// From now on what is written of it is kept, for others who ask for the same: 1.2 KB for a process.
    pub fn keep(&self) {
        self.0.written.keep();
    }

    /// Nobody else will ask for it: what was written is let go, however long some client still reads.
    pub fn forget(&self) {
        self.0.written.forget();
    }

    pub(crate) fn written(&self) -> &Written {
        &self.0.written
    }
}

/// What was written of it follows from the list.
impl PartialEq for SharedList {
    fn eq(&self, other: &Self) -> bool {
        self.0.list == other.0.list
    }
}

impl Eq for SharedList {}

impl From<ProcessList> for SharedList {
    fn from(list: ProcessList) -> Self {
        Self(Arc::new(Shared { list, written: Written::default() }))
    }
}

impl FromIterator<ProcessInfo> for SharedList {
    fn from_iter<T: IntoIterator<Item = ProcessInfo>>(infos: T) -> Self {
        ProcessList::from_iter(infos).into()
    }
}

impl Deref for SharedList {
    type Target = ProcessList;

    fn deref(&self) -> &ProcessList {
        &self.0.list
    }
}

/// A process without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Where each of its texts ends; they begin where the one before ended.
    ends: [usize; TEXTS],
    start: i64,
    stop: i64,
    now: i64,
    state: ProcessState,
    exitstatus: i32,
    pid: u32,
}

/// Texts of a process.
const TEXTS: usize = 6;

/// Bytes of the texts of a usual process, with a log of each channel.
const USUAL_TEXT: usize = 192;

impl ProcessList {
    /// One with room for so many processes.
    #[must_use]
    pub fn with_capacity(processes: usize) -> Self {
        Self {
            text: String::with_capacity(processes.saturating_mul(USUAL_TEXT)),
            entries: Vec::with_capacity(processes),
        }
    }

    /// Adds a process at the end.
    pub fn push(&mut self, process: ProcessView<'_>) {
        let ProcessView { start, stop, now, state, exitstatus, pid, .. } = process;
        let ends = process.texts().map(|text| {
            self.text.push_str(text);
            self.text.len()
        });
        self.entries.push(Entry { ends, start, stop, now, state, exitstatus, pid });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The process at this place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<ProcessView<'_>> {
        let &Entry { ends, start, stop, now, state, exitstatus, pid } = self.entries.get(at)?;
        let mut from = self.begin(at);
        let [name, group, spawnerr, stdout_logfile, stderr_logfile, description] = ends.map(|end| {
            let text = self.text.get(from..end).unwrap_or_default();
            from = end;
            text
        });
        Some(ProcessView {
            name,
            group,
            start,
            stop,
            now,
            state,
            spawnerr,
            exitstatus,
            stdout_logfile,
            stderr_logfile,
            pid,
            description,
        })
    }

    /// All the texts of all processes.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// All the texts of the process at this place.
    pub(crate) fn texts(&self, at: usize) -> &str {
        let end = self.entries.get(at).map(|entry| entry.ends[TEXTS - 1]);
        end.and_then(|end| self.text.get(self.begin(at)..end)).unwrap_or_default()
    }

    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |entry| entry.ends[TEXTS - 1])
    }

    /// Every process.
    pub fn iter(&self) -> impl Iterator<Item = ProcessView<'_>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

impl<'a> ProcessView<'a> {
    fn texts(&self) -> [&'a str; TEXTS] {
        let Self { name, group, spawnerr, stdout_logfile, stderr_logfile, description, .. } = *self;
        [name, group, spawnerr, stdout_logfile, stderr_logfile, description]
    }
}

impl From<ProcessView<'_>> for ProcessInfo {
    fn from(process: ProcessView<'_>) -> Self {
        Self {
            name: process.name.to_owned(),
            group: process.group.to_owned(),
            start: process.start,
            stop: process.stop,
            now: process.now,
            state: process.state,
            spawnerr: process.spawnerr.to_owned(),
            exitstatus: process.exitstatus,
            stdout_logfile: process.stdout_logfile.to_owned(),
            stderr_logfile: process.stderr_logfile.to_owned(),
            pid: process.pid,
            description: process.description.to_owned(),
        }
    }
}

impl<'a> From<&'a ProcessInfo> for ProcessView<'a> {
    fn from(info: &'a ProcessInfo) -> Self {
        Self {
            name: &info.name,
            group: &info.group,
            start: info.start,
            stop: info.stop,
            now: info.now,
            state: info.state,
            spawnerr: &info.spawnerr,
            exitstatus: info.exitstatus,
            stdout_logfile: &info.stdout_logfile,
            stderr_logfile: &info.stderr_logfile,
            pid: info.pid,
            description: &info.description,
        }
    }
}

impl FromIterator<ProcessInfo> for ProcessList {
    fn from_iter<T: IntoIterator<Item = ProcessInfo>>(infos: T) -> Self {
        let mut list = Self::default();
        infos.into_iter().for_each(|info| list.push((&info).into()));
        list
    }
}
