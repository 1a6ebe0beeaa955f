//! `upkeep logs`.

use std::thread;

use serde_json::json;
use upkeep_api::{Channel, ProcessInfo};
use upkeep_client::{ClientError, Log};

use super::link::{Link, no_such_process};
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

/// How much of the end is shown when nothing is said.
const DEFAULT_BYTES: i32 = 1600;
const DAEMON: &str = "the daemon";

/// A log and what it is called on the screen.
struct Wanted {
    name: String,
    log: Log,
}

pub(super) fn logs(options: &Options) -> Result<i32, Problem> {
    let link = Link::open(options)?;
    let wanted = wanted(&link, options)?;
    if options.follow { follow_all(&link, options, wanted) } else { show_all(&link, options, &wanted) }
}

fn wanted(link: &Link, options: &Options) -> Result<Vec<Wanted>, Problem> {
    if options.words.is_empty() {
        return Ok(vec![Wanted { name: DAEMON.to_owned(), log: Log::Main }]);
    }
    let all = link.processes()?;
    let mut found: Vec<Wanted> = Vec::new();
    for name in &options.words {
        for info in named(link, name, &all)? {
            let log = Log::Process(format!("{}:{}", info.group, info.name), channel(options));
            if !found.iter().any(|other| other.log == log) {
                found.push(Wanted { name: namespec(&info.group, &info.name), log });
            }
        }
    }
    Ok(found)
}

fn named<'a>(link: &Link, name: &str, all: &'a [ProcessInfo]) -> Result<Vec<&'a ProcessInfo>, Problem> {
    if name == "all" {
        return Ok(all.iter().collect());
    }
    let no_such = |hint| no_such_process(&format!("show the log of \"{name}\""), hint);
    Ok(members(&link.targets(name, all).map_err(no_such)?, all))
}

fn channel(options: &Options) -> Channel {
    if options.stderr { Channel::Stderr } else { Channel::Stdout }
}

fn show_all(link: &Link, options: &Options, wanted: &[Wanted]) -> Result<i32, Problem> {
    let bytes = i64::from(options.bytes.unwrap_or(DEFAULT_BYTES)).abs();
    let (mut logs, mut problems) = (Vec::new(), Vec::new());
    for one in wanted {
        let answer = match &one.log {
            Log::Main => link.client.read_log(-bytes, 0),
            Log::Process(name, channel) => link.client.read_process_log(name, *channel, -bytes, 0),
        };
        match answer {
            Ok(text) if options.json => logs.push(json!({ "name": one.name, "text": text })),
            Ok(text) => print(&one.name, &text, wanted.len() > 1),
            Err(error) => problems.push(unreadable(link, one, &error)),
        }
    }
    if options.json {
        let errors: Vec<_> = problems.iter().map(Problem::to_json).collect();
        show::json(&json!({ "logs": logs, "errors": errors }));
    } else {
        problems.iter().for_each(|problem| screen::note(&problem.to_string()));
    }
    Ok(problems.iter().map(|problem| problem.status).max().unwrap_or(status::DONE))
}

fn print(name: &str, text: &str, with_name: bool) {
    if with_name {
        screen::line(&format!("==> {name} <=="));
    }
    screen::bytes(text.as_bytes());
    if !text.is_empty() && !text.ends_with('\n') {
        screen::line("");
    }
}

fn unreadable(link: &Link, one: &Wanted, error: &ClientError) -> Problem {
    let what = format!("show the log of {}", one.name);
    match error {
        ClientError::Status { code: 404 | 410, .. } => {
            Problem::new(&what, "it has no log file").hint("is its logfile set to NONE, or not written yet?")
        }
        ClientError::Fault(fault) if fault.text == "NO_FILE" => {
            Problem::new(&what, "it has no log file").hint("is its logfile set to NONE?")
        }
        other => Problem::of_call(&what, &link.url, other),
    }
}

/// Follows every log until the daemon ends them or the user this program.
fn follow_all(link: &Link, options: &Options, wanted: Vec<Wanted>) -> Result<i32, Problem> {
    let style = match (options.json, wanted.len()) {
        (true, _) => Style::Json,
        (false, 0 | 1) => Style::Raw,
        (false, _) => Style::Named,
    };
    let results = thread::scope(|scope| {
        let follow = |one: Wanted| scope.spawn(move || follow(link, &one, style));
        let threads: Vec<_> = wanted.into_iter().map(follow).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect::<Vec<_>>()
    });
    let mut worst = status::DONE;
    for problem in results.into_iter().filter_map(Result::err) {
        worst = worst.max(problem.status);
        if options.json {
            show::json_line(&json!({ "error": problem.to_json() }));
        } else {
            screen::note(&problem.to_string());
        }
    }
    Ok(worst)
}

/// How followed logs are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// One log: its bytes.
    Raw,
    /// Whole lines, each behind its log's name.
    Named,
    /// A JSON document per line.
    Json,
}

fn follow(link: &Link, one: &Wanted, style: Style) -> Result<(), Problem> {
    let mut follow = link.client.follow(&one.log).map_err(|error| unreadable(link, one, &error))?;
    let mut lines = Lines::default();
    loop {
        let piece = follow.piece().map_err(|error| unreadable(link, one, &error))?;
        let is_end = piece.is_empty();
        let is_read = match style {
            Style::Raw => screen::bytes(&piece),
            Style::Named | Style::Json => {
                lines.add(&piece, is_end).iter().all(|line| show_line(&one.name, line, style))
            }
        };
        if is_end || !is_read {
            return Ok(());
        }
    }
}

fn show_line(name: &str, line: &str, style: Style) -> bool {
    match style {
        Style::Raw | Style::Named => screen::line(&format!("{name} | {line}")),
        Style::Json => show::json_line(&json!({ "name": name, "line": line })),
    }
}

/// Cuts pieces into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines that are whole now; at the end also the rest.
    fn add(&mut self, piece: &[u8], is_end: bool) -> Vec<String> {
        self.0.extend_from_slice(piece);
        let whole = match self.0.iter().rposition(|&byte| byte == b'\n') {
            Some(at) => at + 1,
            None => 0,
        };
        let whole = if is_end { self.0.len() } else { whole };
        let bytes: Vec<u8> = self.0.drain(..whole).collect();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(b"one\ntw", false), ["one"]);
        assert!(lines.add(b"o", false).is_empty());
        assert_eq!(lines.add("\n队\n列".as_bytes(), false), ["two", "队"]);
        assert_eq!(lines.add(b"", true), ["列"]);
        assert!(lines.add(b"", true).is_empty());
    }
}
