//! Which logs have lost bytes, process by process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use upkeep_api::{Channel, LogLoss};
use upkeep_core::ordered;
use upkeep_core::spec::GroupSpec;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Loss;

use crate::logfiles::LogPaths;
use crate::names::lexical;
use crate::records::{LOSS_KEYS, LOSSES_KEY};
use crate::shell::Shell;

/// What a log has lost, as the keeper holds it for the next daemon.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LossRecord {
    path: String,
    bytes: u64,
    reason: String,
}

/// Which losses the keeper holds, each under a key of its own: what changes costs as much as what has changed.
#[derive(Debug, Default)]
pub(crate) struct HeldLosses {
    keys: BTreeMap<PathBuf, u64>,
    /// Keys that were in use, and are not any more.
    free: Vec<u64>,
}

impl HeldLosses {
    /// The key for this path; `None` if so many are held that this one is known only as long as this daemon lives.
    fn key_for(&mut self, path: &Path) -> Option<u64> {
        if let Some(key) = self.keys.get(path) {
            return Some(*key);
        }
        let fresh = || Some(LOSS_KEYS.start + self.keys.len() as u64).filter(|key| LOSS_KEYS.contains(key));
        let key = self.free.pop().or_else(fresh)?;
        self.keys.insert(path.to_owned(), key);
        Some(key)
    }

    /// The key under which it was.
    fn forget(&mut self, path: &Path) -> Option<u64> {
        let key = self.keys.remove(path)?;
        self.free.push(key);
        Some(key)
    }
}

impl Shell {
    /// Lets the keeper hold what has changed, since the counts end with this daemon.
    pub(crate) fn hold_losses(&mut self) {
        for (path, loss) in self.engine.changed_losses() {
            self.hold_loss(&path, loss.filter(|loss| loss.bytes > 0).as_ref());
        }
    }

    /// Lets the keeper hold all of them, as they are now.
    pub(crate) fn hold_all_losses(&mut self) {
        self.hold_losses();
        for (path, loss) in self.engine.losses().iter().filter(|(_, loss)| loss.bytes > 0) {
            self.hold_loss(path, Some(loss));
        }
    }

    fn hold_loss(&mut self, path: &Path, loss: Option<&Loss>) {
        let Some(loss) = loss else {
            if let Some(key) = self.losses.forget(path) {
                self.send(&ToKeeper::Delete { key });
            }
            return;
        };
        let value = LossRecord::of(path, loss).and_then(|record| serde_json::to_vec(&record).ok());
        if let Some(value) = value
            && let Some(key) = self.losses.key_for(path)
        {
            self.send(&ToKeeper::Put { key, value });
        }
    }

    /// Goes on counting where the last daemon stopped.
    pub(crate) fn restore_losses(&mut self, records: &mut BTreeMap<u64, Vec<u8>>) {
        let mut used = BTreeSet::new();
        for (key, value) in records.extract_if(LOSS_KEYS, |_, _| true) {
            match serde_json::from_slice::<LossRecord>(&value) {
                Ok(LossRecord { path, bytes, reason }) => {
                    used.insert(key);
                    self.losses.keys.insert(path.as_str().into(), key);
                    self.engine.restore_loss(path.into(), bytes, reason);
                }
                Err(_) => self.send(&ToKeeper::Delete { key }),
            }
        }
        let end = used.last().map_or(LOSS_KEYS.start, |last| last + 1);
        self.losses.free = (LOSS_KEYS.start..end).filter(|key| !used.contains(key)).collect();
        self.restore_losses_of_before(records.remove(&LOSSES_KEY));
    }

    /// An earlier version held all of them in one record.
    fn restore_losses_of_before(&mut self, record: Option<Vec<u8>>) {
        let Some(record) = record else { return };
        let records: Vec<LossRecord> = serde_json::from_slice(&record).unwrap_or_default();
        for LossRecord { path, bytes, reason } in records {
            self.engine.restore_loss(path.into(), bytes, reason);
        }
        self.hold_all_losses();
        self.send(&ToKeeper::Delete { key: LOSSES_KEY });
    }

    /// The log files of a group's processes.
    pub(crate) fn logs_of(&self, group: &GroupSpec) -> BTreeSet<PathBuf> {
        let paths = group.processes.iter().flat_map(|spec| {
            let key = (group.name.clone(), spec.name.clone());
            LogPaths::borrowed(spec, self.logs.get(&key)).map(|path| path.map(PathBuf::from))
        });
        ordered::set(paths.flatten())
    }

    /// The log files of all processes.
    pub(crate) fn logs_of_all(&self) -> BTreeSet<PathBuf> {
        ordered::set(self.active.iter().flat_map(|group| self.logs_of(&group.spec)))
    }

    /// Nobody has these logs any more, as far as they are not among the others or those of another active group: what they lack
    /// does not concern anybody.
    pub(crate) fn forget_losses(&self, mut gone: BTreeSet<PathBuf>, now: &BTreeSet<PathBuf>) {
        // A device is not the log of one program.
        gone.retain(|path| !now.contains(path) && !path.starts_with("/dev"));
        if gone.is_empty() {
            return;
        }
        // An AUTO log is nobody else's.
        let others = self.active.iter().flat_map(|group| &group.spec.processes);
        for path in others.flat_map(|spec| LogPaths::borrowed(spec, None)).flatten() {
            gone.remove(Path::new(path));
        }
        gone.into_iter().for_each(|path| self.engine.forget_losses(path));
    }

    /// Every log with a loss: those of processes in the order of `status`, then the daemon's own.
    pub(crate) fn log_losses(&self) -> Vec<LogLoss> {
        let mut lost = self.engine.losses();
        let mut told = Vec::new();
        for process in lexical(&self.core) {
            let key = (process.group().to_owned(), process.name().to_owned());
            let [stdout, stderr] = LogPaths::borrowed(process.spec(), self.logs.get(&key));
            for (channel, path) in [(Channel::Stdout, stdout), (Channel::Stderr, stderr)] {
                let found = path.and_then(|path| Some((path, lost.get(Path::new(path))?)));
                told.extend(found.map(|(path, loss)| LogLoss {
                    name: process.name().to_owned(),
                    group: process.group().to_owned(),
                    channel: channel.name().to_owned(),
                    path: path.to_owned(),
                    ..unnamed(loss)
                }));
            }
        }
        let named = ordered::set(told.iter().map(|loss| Path::new(&loss.path)));
        lost.retain(|path, _| !named.contains(path.as_path()));
        told.extend(lost.iter().map(|(path, loss)| self.own_loss(path, loss)));
        told
    }

    /// A loss that is no active process's: the daemon's own log, syslog, a destination that lines are forwarded to, or a log that
    /// was a process's a moment ago.
    fn own_loss(&self, path: &Path, loss: &Loss) -> LogLoss {
        let is_main = self.main_log().as_deref() == Some(path) || path == Path::new("/dev/stdout");
        let channel = match path {
            _ if is_main => "main",
            _ if path == Path::new("/dev/log") => "syslog",
            _ if path.to_str().is_some_and(|path| path.contains("://")) => "forward",
            _ => "",
        };
        LogLoss { channel: channel.to_owned(), path: path.to_string_lossy().into_owned(), ..unnamed(loss) }
    }
}

impl LossRecord {
    fn of(path: &Path, loss: &Loss) -> Option<Self> {
        let path = path.to_str()?.to_owned();
        Some(Self { path, bytes: loss.bytes, reason: loss.reason.clone() })
    }
}

fn unnamed(loss: &Loss) -> LogLoss {
    LogLoss {
        name: String::new(),
        group: String::new(),
        channel: String::new(),
        path: String::new(),
        dropped: i64::try_from(loss.bytes).unwrap_or(i64::MAX),
        reason: loss.reason.clone(),
        dropping: loss.now,
    }
}
