//! `upkeep logs`.

use std::thread;

use jiff::Timestamp;
use serde_json::{Value, json};
use upkeep_api::{Channel, ProcessInfo};
use upkeep_client::{ClientError, Log};

use super::history::{Entry, entries, merged};
use super::link::{Link, no_such_process};
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use super::view::{Search, Style, View};
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

/// How much of the end is shown when nothing is said.
const DEFAULT_BYTES: i32 = 1600;
const DAEMON: &str = "the daemon";
/// How much of each log is searched when nothing is said.
const SEARCHED_BYTES: i64 = 8 << 20;

/// A log and what it is called on the screen.
struct Wanted {
    name: String,
    log: Log,
}

pub(super) fn logs(options: &Options) -> Result<i32, Problem> {
    let search = Search::new(options)?;
    let link = Link::open(options)?;
    let wanted = wanted(&link, options)?;
    let view = View::new(options, &search, wanted.len());
    if search.since.is_none() && (search.text.is_none() || options.follow) {
        let starts: Vec<_> = (0..wanted.len()).map(|number| (number, None)).collect();
        return if options.follow {
            follow_all(&link, &wanted, &starts, &view)
        } else {
            show_all(&link, options, &wanted)
        };
    }
    let (starts, status) = show_history(&link, options, &wanted, &view);
    if options.follow { follow_all(&link, &wanted, &starts, &view) } else { Ok(status) }
}

/// Shows the lines of all logs that are wanted, in the order of time, and tells with which to go on, and where.
fn show_history(
    link: &Link,
    options: &Options,
    wanted: &[Wanted],
    view: &View<'_>,
) -> (Vec<(usize, Option<u64>)>, i32) {
    let (mut all, mut starts, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (number, one) in wanted.iter().enumerate() {
        match past(link, options, number, one, view.search) {
            Ok((entries, start)) => {
                all.extend(entries);
                starts.push((number, start));
            }
            Err(problem) => problems.push(problem),
        }
    }
    let all = merged(all);
    if options.json && !options.follow {
        let lines: Vec<Value> = all
            .iter()
            .filter(|entry| view.search.wants(&entry.line))
            .map(|entry| json!({ "name": wanted[entry.log].name, "time": entry.at.map(|at| at.to_string()), "line": entry.line }))
            .collect();
        let errors: Vec<_> = problems.iter().map(Problem::to_json).collect();
        show::json(&json!({ "lines": lines, "errors": errors }));
    } else {
        problems.iter().for_each(|problem| screen::note(&problem.to_string()));
        let mut rest = all.iter();
        while let Some(entry) = rest.next()
            && view.show(entry.log, &wanted[entry.log].name, &entry.line)
        {}
    }
    (starts, problems.iter().map(|problem| problem.status).max().unwrap_or(status::DONE))
}

/// The lines of a log that may be wanted, and the size of its file.
fn past(
    link: &Link,
    options: &Options,
    number: usize,
    one: &Wanted,
    search: &Search,
) -> Result<(Vec<Entry>, Option<u64>), Problem> {
    let most = match options.bytes {
        None => SEARCHED_BYTES,
        Some(0) => i64::MAX,
        Some(bytes) => i64::from(bytes).abs(),
    };
    let after = search.since.map_or(0, Timestamp::as_second);
    let tail = link.client.log_since(&one.log, after, most).map_err(|error| unreadable(link, one, &error))?;
    let Some(tail) = tail else {
        let why = "the daemon cannot read old files: it is no Upkeep, or an older one";
        return Err(Problem::new(&format!("search the log of {}", one.name), why));
    };
    let mut found = entries(number, &String::from_utf8_lossy(&tail.data), tail.overflow);
    if let Some(since) = search.since {
        if found.iter().all(|entry| entry.at.is_none()) && !found.is_empty() {
            screen::note(&format!(
                "note: the lines of {} have no times: --since goes by its files",
                one.name
            ));
        }
        let is_reached = found.first().and_then(|first| first.at).is_some_and(|first| first < since);
        if tail.overflow && !is_reached {
            screen::note(&format!("note: {} has more lines since then: -n BYTES shows more", one.name));
        }
        found.retain(|entry| entry.at.is_none_or(|at| at >= since));
    } else if tail.overflow {
        screen::note(&format!(
            "note: only the last {most} bytes of {} are searched: -n BYTES says how many",
            one.name
        ));
    }
    Ok((found, u64::try_from(tail.offset).ok()))
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
fn follow_all(
    link: &Link,
    wanted: &[Wanted],
    starts: &[(usize, Option<u64>)],
    view: &View<'_>,
) -> Result<i32, Problem> {
    let results = thread::scope(|scope| {
        let threads: Vec<_> = starts
            .iter()
            .map(|&(number, start)| scope.spawn(move || follow(link, number, &wanted[number], start, view)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect::<Vec<_>>()
    });
    let mut worst = status::DONE;
    for problem in results.into_iter().filter_map(Result::err) {
        worst = worst.max(problem.status);
        if view.style == Style::Json {
            show::json_line(&json!({ "error": problem.to_json() }));
        } else {
            screen::note(&problem.to_string());
        }
    }
    Ok(worst)
}

fn follow(
    link: &Link,
    number: usize,
    one: &Wanted,
    start: Option<u64>,
    view: &View<'_>,
) -> Result<(), Problem> {
    let begun = match start {
        Some(start) => link.client.follow_from(&one.log, start),
        None => link.client.follow(&one.log),
    };
    let mut follow = begun.map_err(|error| unreadable(link, one, &error))?;
    let mut lines = Lines::default();
    loop {
        let piece = follow.piece().map_err(|error| unreadable(link, one, &error))?;
        let is_end = piece.is_empty();
        let is_read = match view.style {
            Style::Raw if view.search.text.is_none() => screen::bytes(&piece),
            Style::Raw | Style::Named | Style::Json => {
                lines.add(&piece, is_end).iter().all(|line| view.show(number, &one.name, line))
            }
        };
        if is_end || !is_read {
            return Ok(());
        }
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
