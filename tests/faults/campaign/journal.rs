//! The daemon's log as it grows: who was started when, and who ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::causes::{Causes, SLACK};
use super::workload::restless;

/// One life of a process.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) pid: i32,
    pub(super) spawned: SystemTime,
    pub(super) ended: Option<SystemTime>,
    /// The line about its end.
    pub(super) end: Option<String>,
}

pub(super) struct Journal {
    path: PathBuf,
    read: u64,
    rest: String,
    /// The lives of each process in their order.
    pub(super) lives: BTreeMap<String, Vec<Life>>,
    /// Lines about the same start or end that a killed daemon and its successor both wrote.
    pub(super) repeated: usize,
    pub(super) lines: usize,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Journal {
        Journal { path, read: 0, rest: String::new(), lives: BTreeMap::new(), repeated: 0, lines: 0 }
    }

    /// Reads what is new; says what must not be.
    pub(super) fn read_on(&mut self, causes: &Causes) -> Result<(), String> {
        let mut file = File::open(&self.path).map_err(|error| format!("the daemon's log: {error}"))?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.read)).and_then(|_| file.read_to_end(&mut bytes)).expect("a log");
        self.read += bytes.len() as u64;
        self.rest += &String::from_utf8_lossy(&bytes);
        let Some(end) = self.rest.rfind('\n') else { return Ok(()) };
        let later = self.rest.split_off(end + 1);
        let lines = std::mem::replace(&mut self.rest, later);
        lines.lines().try_for_each(|line| self.line(line, causes))
    }

    fn line(&mut self, line: &str, causes: &Causes) -> Result<(), String> {
        self.lines += 1;
        let Some((at, said)) = parse(line) else { return Err(format!("a line of the log: {line:?}")) };
        if let Some(rest) = said.strip_prefix("spawned: '") {
            let (name, pid) = rest.split_once("' with pid ").ok_or(line)?;
            return self.spawned(name, pid.parse().map_err(|_| line)?, at);
        }
        let ended = said.strip_prefix("exited: ").or_else(|| said.strip_prefix("stopped: "));
        ended.map_or(Ok(()), |rest| self.ended(rest.split(' ').next().unwrap_or_default(), at, line, causes))
    }

    fn spawned(&mut self, name: &str, pid: i32, at: SystemTime) -> Result<(), String> {
        let lives = self.lives.entry(name.to_owned()).or_default();
        match lives.last() {
            Some(last) if last.pid == pid && last.end.is_none() => self.repeated += 1,
            Some(last) if last.end.is_none() => {
                return Err(format!(
                    "{name} was started as {pid} while the log still has it as {}",
                    last.pid
                ));
            }
            _ => lives.push(Life { pid, spawned: at, ended: None, end: None }),
        }
        Ok(())
    }

    fn ended(&mut self, name: &str, at: SystemTime, line: &str, causes: &Causes) -> Result<(), String> {
        let Some(life) = self.lives.get_mut(name).and_then(|lives| lives.last_mut()) else {
            return Err(format!("an end without a start: {line}"));
        };
        if life.end.is_some() {
            self.repeated += 1;
            return Ok(());
        }
        (life.end, life.ended) = (Some(line.to_owned()), Some(at));
        if restless(name) || causes.explain(name, life.pid, life.spawned, at) {
            return Ok(());
        }
        Err(format!("{name}, pid {}, ended and nobody did that: {line}", life.pid))
    }

    /// The killed processes whose end is not in the log, though it is long ago.
    pub(super) fn untold(&self, causes: &Causes, patience: Duration) -> Vec<String> {
        // The same number may be given again, even to the same process: the end is one after the kill.
        let told = |name: &str, pid: i32, at: SystemTime| {
            let lives = self.lives.get(name).into_iter().flatten();
            lives
                .filter(|life| life.pid == pid)
                .any(|life| life.ended.is_some_and(|ended| ended + SLACK >= at))
        };
        let kills = causes.kills().into_iter();
        kills
            .filter(|(name, pid, at)| {
                at.elapsed().is_ok_and(|passed| passed >= patience) && !told(name, *pid, *at)
            })
            .map(|(name, pid, _)| format!("{name}, pid {pid}, was killed and its end is not in the log"))
            .collect()
    }

    /// Name and pid of those that ended by themselves, for the daemon, and had long been RUNNING.
    pub(super) fn exits_of_running(&self) -> impl Iterator<Item = (String, i32)> {
        let long = |life: &Life| {
            let lived = life.ended.and_then(|ended| ended.duration_since(life.spawned).ok());
            lived.is_some_and(|lived| lived > Duration::from_secs(3))
        };
        let exited = |life: &Life| life.end.as_ref().is_some_and(|line| line.contains(" exited: "));
        let steady = self.lives.iter().filter(|(name, _)| !restless(name));
        steady.flat_map(move |(name, lives)| {
            let lives = lives.iter().filter(move |life| exited(life) && long(life));
            lives.map(|life| (name.clone(), life.pid))
        })
    }

    pub(super) fn ends(&self) -> usize {
        self.lives.values().flatten().filter(|life| life.end.is_some()).count()
    }
}

/// Time and text of a line.
fn parse(line: &str) -> Option<(SystemTime, &str)> {
    let (date, rest) = line.split_at_checked(23)?;
    let (_level, said) = rest.trim_start().split_once(' ')?;
    let time: jiff::civil::DateTime = date.replace(',', ".").parse().ok()?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((zoned.into(), said))
}
