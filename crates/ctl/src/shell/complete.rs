//! Completion of commands and names (CTL-145 … CTL-149).

use std::cell::OnceCell;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use upkeep_api::ProcessInfo;
use upkeep_client::Client;

use crate::commands::{COMMANDS, Words, find};

/// Completes one command line; the names are fetched once for it (CTL-148).
pub(super) struct Completion {
    client: Option<Client>,
    processes: OnceCell<Vec<ProcessInfo>>,
}

impl Completion {
    pub(super) fn new(client: Option<Client>) -> Self {
        Self { client, processes: OnceCell::new() }
    }

    /// All processes; none where the server cannot tell.
    fn processes(&self) -> &[ProcessInfo] {
        self.processes.get_or_init(|| {
            self.client.as_ref().and_then(|client| client.all_process_info().ok()).unwrap_or_default()
        })
    }

    /// What may replace the word `text`, the last one of `line`.
    fn candidates(&self, line: &str, text: &str) -> Vec<String> {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let is_first = words.next().is_none() && !line.ends_with(' ');
        let kind = if is_first { Words::Commands } else { find(first).map_or(Words::Other, |c| c.words) };
        let all = match kind {
            Words::Other => Vec::new(),
            Words::Commands => command_names(),
            Words::Groups => group_names(self.processes()),
            Words::Processes => process_names(self.processes(), text),
        };
        all.into_iter().filter(|name| name.starts_with(text)).map(|name| name + " ").collect()
    }
}

fn command_names() -> Vec<String> {
    let names = COMMANDS.iter().map(|command| command.name);
    std::iter::once("help").chain(names).map(str::to_owned).collect()
}

fn group_names(processes: &[ProcessInfo]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for info in processes {
        if !names.contains(&info.group) {
            names.push(info.group.clone());
        }
    }
    names
}

/// `P` where group and process have one name, unless a colon is typed; else `G:P`, and `G:*` once.
fn process_names(processes: &[ProcessInfo], text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for info in processes {
        if !text.contains(':') && info.name == info.group {
            names.push(info.name.clone());
            continue;
        }
        names.push(format!("{}:{}", info.group, info.name));
        let whole = format!("{}:*", info.group);
        if !names.contains(&whole) {
            names.push(whole);
        }
    }
    names
}

/// Characters that end a word: those of readline, but `:`, `*` and `-` (CTL-149).
fn ends_word(c: char) -> bool {
    " \t\n`~!@#$%^&()=+[{]}\\|;'\",<>/?".contains(c)
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = typed.rfind(ends_word).map_or(0, |at| at + 1);
        let text = typed.get(start..).unwrap_or_default();
        Ok((start, self.candidates(typed, text)))
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;
    use upkeep_api::ProcessState;

    fn info(group: &str, name: &str) -> ProcessInfo {
        ProcessInfo {
            name: name.to_owned(),
            group: group.to_owned(),
            start: 0,
            stop: 0,
            now: 0,
            state: ProcessState::Stopped,
            spawnerr: String::new(),
            exitstatus: 0,
            stdout_logfile: String::new(),
            stderr_logfile: String::new(),
            pid: 0,
            description: String::new(),
        }
    }

    #[test]
    fn what_can_follow_ctl_145_ctl_146_ctl_147_ctl_149() {
        let completion = Completion::new(None);
        let infos = vec![info("cat", "cat"), info("web", "web-1"), info("web", "web-2")];
        completion.processes.set(infos).expect("first");
        let rows: [(&str, &[&str]); 13] = [
            ("sta", &["start ", "status "]),
            ("h", &["help "]),
            ("help re", &["reload ", "remove ", "reread ", "restart "]),
            ("add ", &["cat ", "web "]),
            ("update w", &["web "]),
            ("start ", &["cat ", "web:web-1 ", "web:* ", "web:web-2 "]),
            ("start we", &["web:web-1 ", "web:* ", "web:web-2 "]),
            ("start web:web-1 c", &["cat "]),
            ("stop cat:", &["cat:cat ", "cat:* "]),
            ("tail web:web-2", &["web:web-2 "]),
            ("version ", &[]),
            ("nonsense x", &[]),
            ("signal HUP c", &["cat "]),
        ];
        for (line, expected) in rows {
            let history = rustyline::history::MemHistory::new();
            let (_, found) =
                completion.complete(line, line.len(), &Context::new(&history)).expect("complete");
            assert_eq!(found, expected, "{line:?}");
        }
    }

    #[test]
    fn a_blank_line_completes_to_every_command_ctl_145() {
        assert_eq!(Completion::new(None).candidates("", "").len(), COMMANDS.len() + 1);
    }
}
