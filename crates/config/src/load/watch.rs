//! `watch`: files whose change a program does something about.

use upkeep_core::spec::{PathPattern, WatchAction, WatchSpec};

use super::scope::Scope;
use crate::value::{self, Wrong, restart};

const WATCH: &str = "watch";
const IGNORE: &str = "watch_ignore";
/// Patterns that one program may have.
const MOST: usize = 64;

impl Scope<'_, '_> {
    pub(super) fn watch(&mut self) -> Option<WatchSpec> {
        let action = self.read("watch_action", value::watch_action).unwrap_or(WatchAction::Restart);
        let reloads = !["reload_command", "reload_signal"].iter().all(|key| self.entry(key).is_none());
        if action == WatchAction::Reload && !reloads {
            let message = "watch_action=reload needs reload_command or reload_signal";
            self.fail("watch_action", Wrong::new(message, "add reload_signal=HUP, or what it takes"));
        }
        let debounce = self.read("watch_debounce", restart::debounce).unwrap_or_default();
        let patterns = self.patterns(WATCH);
        let ignored = self.patterns(IGNORE);
        if patterns.is_empty() {
            self.remark_vain(&[IGNORE, "watch_action", "watch_debounce"], "without watch");
            return None;
        }
        let (mut ignore_names, mut ignore_paths) = (Vec::new(), Vec::new());
        for written in ignored {
            if written.contains('/') {
                ignore_paths.extend(self.pattern(IGNORE, &written));
            } else {
                ignore_names.push(written);
            }
        }
        let patterns: Vec<PathPattern> =
            patterns.iter().filter_map(|written| self.pattern(WATCH, written)).collect();
        self.doubt_env_files(&patterns);
        Some(WatchSpec { patterns, ignore_names, ignore_paths, action, debounce })
    }

    /// Files of variables are read with the configuration, and not at a start.
    fn doubt_env_files(&mut self, patterns: &[PathPattern]) {
        let named = self.named_files();
        let path = |pattern: &PathPattern| format!("{}/{}", pattern.root, pattern.parts.join("/"));
        let both = named.iter().find(|named| patterns.iter().any(|pattern| path(pattern) == named.path));
        if let Some(file) = both {
            let message = format!(
                "[{}] a change of {} starts it again with the variables that were read before",
                self.section.name, file.path
            );
            let at = self.at(WATCH);
            self.loader.remark(Wrong::new(message, "update reads env_files anew, and starts it again"), &at);
        }
    }

    /// What is written, without what cannot be meant.
    fn patterns(&mut self, key: &str) -> Vec<String> {
        if self.entry(key).is_none() {
            return Vec::new();
        }
        let written = self.with_few_names(|scope| scope.read(key, |text| Ok(value::list(text))));
        let written = written.unwrap_or_default();
        if written.len() > MOST {
            self.fail(key, format!("{key} has more than {MOST} patterns"));
            return Vec::new();
        }
        for pattern in &written {
            if let Some(wrong) = doubtful(key, pattern) {
                self.fail(key, wrong);
                return Vec::new();
            }
        }
        written
    }

    fn pattern(&mut self, key: &str, written: &str) -> Option<PathPattern> {
        let parts: Vec<&str> = written.split('/').collect();
        let literal = parts.iter().take_while(|part| !is_magic(part)).count();
        // Of a pattern without magic the last name may be that of a file.
        let literal = literal.min(parts.len() - 1);
        let beginning = parts[..literal].join("/");
        let beginning = match (beginning.as_str(), written.starts_with('/')) {
            ("", true) => "/".to_owned(),
            ("", false) => ".".to_owned(),
            (text, _) => text.to_owned(),
        };
        let root = self.with_few_names(|scope| scope.placed(key, &beginning))?;
        let mut rest: Vec<String> = Vec::new();
        for part in &parts[literal..] {
            let again = *part == "**" && rest.last().is_some_and(|last| last == "**");
            if !part.is_empty() && *part != "." && !again {
                rest.push((*part).to_owned());
            }
        }
        if root.trim_matches('/').is_empty() && rest.first().is_none_or(|first| is_magic(first)) {
            let message = format!("{key}: {written} is the whole system");
            self.fail(key, Wrong::new(message, "begin with a directory"));
            return None;
        }
        Some(PathPattern { root, parts: rest })
    }
}

fn is_magic(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

/// What is taken for something else than it would be.
fn doubtful(key: &str, pattern: &str) -> Option<Wrong> {
    let parts = || pattern.split('/');
    if pattern.is_empty() {
        return Some(Wrong::new(format!("{key} has an empty pattern"), "there is a comma too many"));
    }
    if pattern.contains(['{', '}']) {
        let message = format!("{key}: braces mean nothing in {pattern}");
        return Some(Wrong::new(message, "write each pattern by itself: *.js, *.css"));
    }
    if parts().any(|part| part.contains("**") && part != "**") {
        let message =
            format!("{key}: ** stands for directories, and must be alone between slashes: {pattern}");
        return Some(Wrong::new(message, "write **/*.py"));
    }
    let behind = parts().skip_while(|part| !is_magic(part)).any(|part| part == "..");
    if behind || parts().next_back() == Some("..") {
        return Some(Wrong::new(
            format!("{key}: .. cannot stand there in {pattern}"),
            "write the directory itself",
        ));
    }
    if pattern.starts_with('!') {
        let message = format!("{key}: {pattern} begins with !");
        return Some(Wrong::new(message, "write what is not to be looked at into watch_ignore"));
    }
    None
}
