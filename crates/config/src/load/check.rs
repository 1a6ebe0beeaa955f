//! What is looked at only when checking: things that go wrong later, at a start or when somebody connects.

use upkeep_core::spec::{GroupSpec, ProcessSpec};

use super::{At, Loader};
use crate::server::{Address, Server};
use crate::shlex;
use crate::sources::Sources;
use crate::value::Wrong;

impl Loader<'_> {
    /// Commands that cannot be split or are empty: their processes would never start (CFG-234, PROC-044, PROC-047).
    pub(super) fn check_commands(&mut self, groups: &[GroupSpec]) {
        for process in groups.iter().flat_map(|group| &group.processes) {
            let wrong = match shlex::split(&process.command) {
                Ok(words) if words.is_empty() => {
                    Wrong::from(format!("[{}] command is empty", process.section))
                }
                Ok(_) => continue,
                Err(error) => Wrong::new(
                    format!("[{}] command cannot be split: {error}", process.section),
                    "close every quote; \" ;\" and \" #\" begin a comment even inside quotes",
                ),
            };
            let at = self.key_of(process, "command");
            self.error(wrong, &at);
        }
    }

    fn key_of(&self, process: &ProcessSpec, key: &str) -> At {
        let section = self.document.section(&process.section);
        let entry = section.and_then(|section| self.document.entry(section, key));
        let place = entry.map(|entry| entry.place).or(section.map(|section| section.place));
        At {
            section: process.section.to_string(),
            key: Some(key.to_owned()),
            place: place.unwrap_or(self.document.defaults.place),
        }
    }

    /// Files that `[include]` matches and that are passed over (CFG-072): what they say is missing.
    pub(super) fn check_includes(&mut self, sources: &Sources) {
        let Some(section) = self.document.section("include") else { return };
        let place = self.document.entry(section, "files").map_or(section.place, |entry| entry.place);
        let at = At { section: "include".to_owned(), key: None, place };
        let files = sources.includes.iter().flat_map(|include| &include.files);
        // What is an error is told as such.
        if self.problems.iter().any(|problem| problem.section.as_deref() == Some("include")) {
            return;
        }
        for file in files.filter(|file| file.text.is_none()) {
            let message =
                format!("'{}', which [include] matches, cannot be read and is passed over", file.path);
            let hint = "it must be a file that the daemon's user may read; else write a pattern that does not match it";
            self.remark(Wrong::new(message, hint), &at);
        }
    }

    /// Open doors (D-60).
    pub(super) fn check_servers(&mut self, servers: &[Server]) {
        for server in servers {
            let Address::Inet { host, port } = &server.address else { continue };
            let loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
            if loopback || server.auth.is_some() || server.allow_unauthenticated {
                continue;
            }
            let Some(section) = self.document.section(&server.section) else { continue };
            let message =
                format!("[{}] lets everybody in who can reach it: there is no password", server.section);
            let hint = format!(
                "set username and password, or bind 127.0.0.1:{port}, or say allow_unauthenticated=true"
            );
            self.remark(Wrong::new(message, hint), &At::section(section));
        }
    }
}
