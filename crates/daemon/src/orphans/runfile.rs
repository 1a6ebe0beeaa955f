//! The run file: which children live, for a daemon that starts after keeper and daemon were killed together.
//!
//! It lies beside the pid file as `PIDFILE.children`: a JSON object a line, the boot it is about, children that were
//! made, children that are gone. Only appended to, by a thread of its own, and written anew when most of it is history.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use upkeep_logs::{Engine, Level};

use super::Register;
use crate::age::start_ticks;
use crate::clerk::Clerk;
use crate::ownfile::{open_own, replace_own};
use upkeep_core::ordered;

/// Lines about the past that are not worth writing the file anew.
const SLACK: usize = 1000;
/// How long the end of the daemon waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// A child, and how to stop it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    /// When it was started, in clock ticks since boot: with the pid it names one process for ever (proc(5)). 0 until the
    /// thread has looked.
    pub(crate) ticks: u64,
    /// Inode numbers of the pipes that it got as descriptors 0 to 2; 0 where there is none.
    #[serde(default)]
    pub(crate) pipes: [u64; 3],
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) signal: i32,
    pub(crate) wait: i64,
    pub(crate) stop_group: bool,
    pub(crate) kill_group: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Boot(String),
    Child(Box<Entry>),
    Gone(u32),
}

/// What the thread is asked.
#[derive(Debug)]
enum Order {
    Child(Entry),
    Gone(u32),
    Move { path: PathBuf, done: Sender<()> },
    Remove,
}

impl Order {
    /// `None` if it is not worth a line.
    fn recognised(self) -> Option<Self> {
        match self {
            Self::Child(entry) => recognise(entry).map(Self::Child),
            Self::Gone(_) | Self::Move { .. } | Self::Remove => Some(self),
        }
    }
}

/// The handle; the thread ends with it.
#[derive(Debug)]
pub(crate) struct RunFile(Clerk<Order>);

impl RunFile {
    /// Starts a file with these children in it; an older one is replaced. What goes wrong is said in the log.
    ///
    /// # Errors
    /// No thread could be had.
    pub(crate) fn start(
        path: PathBuf,
        children: Vec<Entry>,
        register: Option<Register>,
        engine: Engine,
    ) -> io::Result<Self> {
        let mut writer = Writer {
            path,
            register,
            living: BTreeMap::new(),
            file: None,
            lines: 0,
            engine,
            complained: false,
        };
        let work = move |inbox: &Receiver<Order>| {
            let recognised = children.into_iter().filter_map(recognise);
            writer.living = ordered::map(recognised.map(|child| (child.pid, Box::new(child))));
            writer.renew();
            inbox.iter().filter_map(Order::recognised).for_each(|order| writer.obey(order));
        };
        Clerk::start("children", work).map(Self)
    }

    /// A child was made.
    pub(crate) fn add(&self, entry: Entry) {
        self.order(Order::Child(entry));
    }

    /// A child is gone.
    pub(crate) fn gone(&self, pid: u32) {
        self.order(Order::Gone(pid));
    }

    /// From now on the file is this one. The answer comes when the old one is gone.
    pub(crate) fn move_to(&self, path: PathBuf) -> Receiver<()> {
        let (done, moved) = mpsc::channel();
        self.order(Order::Move { path, done });
        moved
    }

    /// The daemon ends in order: there are no children, and no file is needed.
    pub(crate) fn remove(self) {
        self.order(Order::Remove);
        self.0.finish(LAST_WRITES);
    }

    fn order(&self, order: Order) {
        self.0.order(order);
    }
}

struct Writer {
    path: PathBuf,
    /// It lies where this file does, so to say.
    register: Option<Register>,
    /// In boxes, since half of a tree's room may be free.
    living: BTreeMap<u32, Box<Entry>>,
    file: Option<File>,
    lines: usize,
    engine: Engine,
    complained: bool,
}

impl Writer {
    fn obey(&mut self, order: Order) {
        let line = match order {
            Order::Child(entry) => {
                let entry = Box::new(entry);
                self.living.insert(entry.pid, entry.clone());
                Line::Child(entry)
            }
            Order::Gone(pid) => {
                if self.living.remove(&pid).is_none() {
                    return;
                }
                Line::Gone(pid)
            }
            Order::Move { path, done } => {
                self.move_to(path);
                // Nobody may wait for it any more.
                let _ = done.send(());
                return;
            }
            Order::Remove => {
                self.file = None;
                // Somebody may have removed it already: it is gone either way.
                return drop(std::fs::remove_file(&self.path));
            }
        };
        if self.file.is_none() || self.lines > 4 * self.living.len() + SLACK {
            return self.renew();
        }
        self.lines += 1;
        let written = self.file.as_mut().map_or(Ok(()), |file| write_line(file, &line));
        if let Err(error) = written {
            self.file = None;
            self.complain(&error);
        }
    }

    /// The old file stays until the new one is there.
    fn move_to(&mut self, path: PathBuf) {
        let old = std::mem::replace(&mut self.path, path);
        self.file = None;
        // Somebody may have removed it: then it is found nowhere anyway.
        let _ = self.register.as_ref().map(|register| register.follow(&self.path));
        self.renew();
        if self.file.is_some() && old != self.path {
            // Somebody may have removed it already: it is gone either way.
            let _ = std::fs::remove_file(&old);
        }
    }

    /// Writes the file anew, beside its name first.
    fn renew(&mut self) {
        match self.write_anew() {
            Ok(file) => {
                self.file = Some(file);
                self.lines = self.living.len() + 1;
                self.complained = false;
            }
            Err(error) => self.complain(&error),
        }
    }

    fn write_anew(&self) -> io::Result<File> {
        let mut text = Vec::new();
        write_line(&mut text, &Line::Boot(boot_id()?))?;
        for child in self.living.values() {
            write_line(&mut text, &Line::Child(child.clone()))?;
        }
        replace_own(&self.path, OFlags::APPEND, |file| file.write_all(&text))
    }

    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            let path = self.path.display();
            self.engine.journal(
                Level::Warn,
                format!(
                    "cannot write '{path}': {error}; if supervisord is killed with all its helpers, the next one may \
                     not recognise the processes that are left"
                ),
            );
        }
    }
}

fn write_line(to: &mut impl Write, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    to.write_all(&text)
}

fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The entry with the time of its start; `None` if the process is gone already, of which its entry would only be told next.
fn recognise(entry: Entry) -> Option<Entry> {
    let ticks = start_ticks(entry.pid)?;
    Some(Entry { ticks, ..entry })
}

/// The children in a run file that still live.
///
/// # Errors
/// It is there and cannot be read, or is not ours.
pub(crate) fn survivors(path: &Path) -> io::Result<Vec<Entry>> {
    let file = match open_own(path, OFlags::empty()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut living: BTreeMap<u32, Entry> = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        // A line that was cut by the crash is the last one.
        let Ok(line) = serde_json::from_str(&line?) else { break };
        match line {
            Line::Boot(boot) if boot == boot_id()? => {}
            Line::Boot(_) => return Ok(Vec::new()),
            Line::Child(entry) => drop(living.insert(entry.pid, *entry)),
            Line::Gone(pid) => drop(living.remove(&pid)),
        }
    }
    Ok(living.into_values().filter(|child| start_ticks(child.pid) == Some(child.ticks)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: u32, ticks: u64) -> Entry {
        Entry {
            pid,
            ticks,
            pipes: [1, 2, 3],
            group: "g".to_owned(),
            name: "p".to_owned(),
            signal: 15,
            wait: 10,
            stop_group: false,
            kill_group: true,
        }
    }

    #[test]
    fn only_the_same_process_of_the_same_boot_is_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid.children");
        assert_eq!(survivors(&path).unwrap(), [], "no file, no survivors");
        let (own, ticks) = (std::process::id(), start_ticks(std::process::id()).unwrap());
        let mut writer = Writer {
            path: path.clone(),
            register: None,
            living: BTreeMap::new(),
            file: None,
            lines: 0,
            engine: Engine::start(|_| {}).unwrap(),
            complained: false,
        };
        writer.obey(Order::Child(entry(own, ticks)));
        writer.obey(Order::Child(entry(u32::MAX - 1, 7)));
        writer.file = None;
        assert_eq!(survivors(&path).unwrap(), [entry(own, ticks)]);
        let text = std::fs::read_to_string(&path).unwrap();
        for (cause, changed) in [
            ("its pid was given to another", text.replace(&format!("\"ticks\":{ticks}"), "\"ticks\":1")),
            ("another boot", text.replace("{\"boot\":\"", "{\"boot\":\"x")),
            ("it is gone", format!("{text}{{\"gone\":{own}}}\n")),
        ] {
            std::fs::write(&path, changed).unwrap();
            assert_eq!(survivors(&path).unwrap(), [], "{cause}");
        }
        std::fs::write(&path, format!("{text}{{\"gone\":{}", own / 10)).unwrap();
        assert_eq!(survivors(&path).unwrap().len(), 1, "a line that was cut says nothing");
    }

    #[test]
    fn history_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid.children");
        let file = RunFile::start(path.clone(), Vec::new(), None, Engine::start(|_| {}).unwrap()).unwrap();
        let own = std::process::id();
        for _ in 0..5000 {
            file.add(entry(own, 0));
            file.gone(own);
        }
        file.add(entry(own, 0));
        assert!(file.0.finish(Duration::from_secs(30)));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= SLACK + 10, "{lines}");
    }
}
