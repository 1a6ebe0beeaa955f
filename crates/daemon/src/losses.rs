//! Which logs have lost bytes, process by process.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use upkeep_api::{Channel, LogLoss};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Loss;

use crate::logfiles::LogPaths;
use crate::names::lexical;
use crate::records::LOSSES_KEY;
use crate::shell::Shell;

/// The losses of so many logs outlive the daemon.
const MOST_HELD: usize = 500;

/// What a log has lost, as the keeper holds it for the next daemon.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LossRecord {
    path: String,
    bytes: u64,
    reason: String,
}

impl Shell {
    /// Lets the keeper hold what is known of losses, since the counts end with this daemon.
    pub(crate) fn hold_losses(&mut self) {
        let lost = self.engine.losses();
        let records: Vec<LossRecord> = lost
            .iter()
            .filter(|(_, loss)| loss.bytes > 0)
            .take(MOST_HELD)
            .filter_map(LossRecord::of)
            .collect();
        if records.is_empty() {
            if std::mem::take(&mut self.losses_held) {
                self.send(&ToKeeper::Delete { key: LOSSES_KEY });
            }
        } else if let Ok(value) = serde_json::to_vec(&records) {
            self.losses_held = true;
            self.send(&ToKeeper::Put { key: LOSSES_KEY, value });
        }
    }

    /// Goes on counting where the last daemon stopped.
    pub(crate) fn restore_losses(&mut self, record: Option<Vec<u8>>) {
        let Some(record) = record else { return };
        self.losses_held = true;
        let records: Vec<LossRecord> = serde_json::from_slice(&record).unwrap_or_default();
        for LossRecord { path, bytes, reason } in records {
            self.engine.restore_loss(path.into(), bytes, reason);
        }
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
        lost.retain(|path, _| told.iter().all(|loss| Path::new(&loss.path) != path));
        told.extend(lost.iter().map(|(path, loss)| self.own_loss(path, loss)));
        told
    }

    /// A loss that is no active process's: the daemon's own log, syslog, or the log of a process that was removed.
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
    fn of((path, loss): (&PathBuf, &Loss)) -> Option<Self> {
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
