//! Lines on their way to the daemon's own log: what they tell is known to the keeper before they are in the file, so a
//! daemon that dies between the two would take them with it. The keeper holds them; the next daemon logs what is missing.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use upkeep_config::LogFile;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::{Level, Unwritten};

use crate::records::JOURNAL_KEY;
use crate::shell::Shell;

/// Bytes of lines that the keeper holds at most.
const ROOM: usize = 32 << 10;

/// A line, as the keeper holds it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LineRecord {
    /// Nanoseconds since the epoch.
    at: u64,
    level: u8,
    text: String,
}

impl Shell {
    /// Lets the keeper hold what may not be in the log yet; it goes out with what the lines are about.
    pub(crate) fn hold_unwritten(&mut self) {
        let lines = self.engine.unwritten(ROOM);
        if lines.is_empty() {
            if std::mem::take(&mut self.journal_held) {
                self.send(&ToKeeper::Delete { key: JOURNAL_KEY });
            }
            return;
        }
        let records: Vec<LineRecord> = lines.iter().map(LineRecord::from).collect();
        if let Ok(value) = serde_json::to_vec(&records) {
            self.send(&ToKeeper::Put { key: JOURNAL_KEY, value });
            self.journal_held = true;
        }
    }

    /// Logs what the last daemon could not any more.
    pub(crate) fn log_unwritten(&mut self, record: Option<Vec<u8>>) {
        let Some(record) = record else { return };
        self.journal_held = true;
        let LogFile::Path(path) = &self.settings().logfile else { return };
        let records: Vec<LineRecord> = serde_json::from_slice(&record).unwrap_or_default();
        let lines = records.into_iter().filter_map(LineRecord::line).collect();
        for line in Unwritten::missing(lines, path) {
            self.engine.journal_at(line.at, line.level, line.text);
        }
    }
}

impl From<&Unwritten> for LineRecord {
    fn from(line: &Unwritten) -> Self {
        let at = line.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        Self { at: u64::try_from(at).unwrap_or(0), level: line.level as u8, text: line.text.clone() }
    }
}

impl LineRecord {
    fn line(self) -> Option<Unwritten> {
        let level = LEVELS.into_iter().find(|level| *level as u8 == self.level)?;
        Some(Unwritten { at: UNIX_EPOCH + Duration::from_nanos(self.at), level, text: self.text })
    }
}

const LEVELS: [Level; 7] =
    [Level::Blather, Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_the_record() {
        for level in LEVELS {
            let at = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
            let line = Unwritten { at, level, text: "what happened".to_owned() };
            let text = serde_json::to_vec(&LineRecord::from(&line)).unwrap();
            assert_eq!(serde_json::from_slice::<LineRecord>(&text).unwrap().line(), Some(line));
        }
    }
}
