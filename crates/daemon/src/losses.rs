//! Which logs have lost bytes, process by process.

use std::path::Path;

use upkeep_api::{Channel, LogLoss};
use upkeep_logs::Loss;

use crate::logfiles::LogPaths;
use crate::names::lexical;
use crate::shell::Shell;

impl Shell {
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
