//! The shell's history file: one line per line, as readline keeps it, so that both clients can share it (CTL-150).

use std::fs;
use std::path::PathBuf;

/// What has been typed. Written when it is dropped; a file that cannot be read or written is no error.
pub(super) struct History {
    file: Option<PathBuf>,
    lines: Vec<String>,
}

impl History {
    pub(super) fn load(file: Option<PathBuf>) -> Self {
        let bytes = file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        let lines = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
        Self { file, lines }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Takes up a line, unless it is empty or the last one again; says whether it did.
    pub(super) fn add(&mut self, line: &str) -> bool {
        let is_new = !line.is_empty() && self.lines.last().is_none_or(|last| last != line);
        if is_new {
            self.lines.push(line.to_owned());
        }
        is_new
    }
}

impl Drop for History {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        let text: String = self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let _ = fs::write(file, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_at_start_written_at_the_end_ctl_150() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("history");
        fs::write(&file, "status\nstart a\n").expect("write");
        let mut history = History::load(Some(file.clone()));
        assert_eq!(history.lines(), ["status", "start a"]);
        assert!(!history.add("start a"));
        assert!(!history.add(""));
        assert!(history.add("stop a"));
        drop(history);
        assert_eq!(fs::read_to_string(&file).expect("read"), "status\nstart a\nstop a\n");
    }

    #[test]
    fn errors_are_ignored_ctl_150() {
        let mut history = History::load(Some("/nonexistent/dir/file".into()));
        assert!(history.add("x"));
        drop(history);
    }
}
