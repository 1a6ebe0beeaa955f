//! `upkeep logs`.

use jiff::Timestamp;
use serde_json::{Value, json};
use upkeep_api::{Channel, ProcessInfo};
use upkeep_client::{ClientError, Log, Place};

use super::following::{follow_all, may_grow};
use super::history::{Entry, entries, merged};
use super::link::{Link, no_such_process};
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use super::view::{Search, View};
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

/// How much of the end is shown when nothing is said.
const DEFAULT_BYTES: i32 = 1600;
const DAEMON: &str = "the daemon";
/// How much of each log is searched when nothing is said.
const SEARCHED_BYTES: i64 = 8 << 20;

/// A log and what it is called on the screen.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) log: Log,
}

pub(super) fn logs(options: &Options) -> Result<i32, Problem> {
    let search = Search::new(options)?;
    let link = Link::open(options)?;
    let wanted = wanted(&link, options)?;
    let is_one = wanted.len() < 2 && !(options.follow && may_grow(options, &wanted));
    let view = View::new(options, &search, is_one);
    if search.since.is_none() && (search.text.is_none() || options.follow) {
        let starts: Vec<_> = (0..wanted.len()).map(|number| (number, None)).collect();
        return if options.follow {
            follow_all(&link, options, &wanted, starts, &view)
        } else {
            show_all(&link, options, &wanted)
        };
    }
    let (starts, status) = show_history(&link, options, &wanted, &view);
    if options.follow { follow_all(&link, options, &wanted, starts, &view) } else { Ok(status) }
}

/// Shows the lines of all logs that are wanted, in the order of time, and tells with which to go on, and where.
fn show_history(
    link: &Link,
    options: &Options,
    wanted: &[Wanted],
    view: &View<'_>,
) -> (Vec<(usize, Option<Place>)>, i32) {
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
) -> Result<(Vec<Entry>, Option<Place>), Problem> {
    let most = match options.bytes {
        None => SEARCHED_BYTES,
        Some(0) => i64::MAX,
        Some(bytes) => i64::from(bytes).abs(),
    };
    let after = search.since.map_or(0, Timestamp::as_second);
    let tail = link.client.log_since(&one.log, after, most).map_err(|error| unreadable(link, one, &error))?;
    let Some((tail, place)) = tail else {
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
    Ok((found, Some(place)))
}

pub(super) fn wanted(link: &Link, options: &Options) -> Result<Vec<Wanted>, Problem> {
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

pub(super) fn unreadable(link: &Link, one: &Wanted, error: &ClientError) -> Problem {
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
