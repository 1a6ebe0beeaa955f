//! Many logs at once, as they grow.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use upkeep_client::{Client, ClientError, Log, Place};

use super::link::Link;
use super::logs::{Wanted, unreadable, wanted};
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use super::view::{Style, View};
use crate::screen;

/// How often is looked for logs that are missing, and for more processes that the names mean, if the daemon does not tell of those.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// From one such look to the next at least.
const PACE: Duration = Duration::from_millis(200);

/// How following a log ended.
struct End {
    log: Log,
    problem: Option<Problem>,
    /// Whether there is no such file, or not yet.
    is_missing: bool,
}

/// What there is to be done.
enum News {
    Ended(End),
    /// There may be more processes.
    Look,
}

/// Which logs are followed, and which may be.
struct Chase {
    known: Vec<Log>,
    /// Those that were asked for and are not there; only the first ones are complained of.
    missing: Vec<Log>,
    /// How many have had a number, which is their colour.
    count: usize,
}

/// Whether the names may come to mean more processes: other names than those of single processes do.
pub(super) fn may_grow(options: &Options, wanted: &[Wanted]) -> bool {
    options.words.iter().any(|word| wanted.iter().all(|one| one.name != *word))
}

/// Follows every log until the daemon ends them or the user this program; those of processes that are added meanwhile, too.
pub(super) fn follow_all(
    link: &Link,
    options: &Options,
    first: &[Wanted],
    starts: Vec<(usize, Option<Place>)>,
    view: &View<'_>,
) -> Result<i32, Problem> {
    let may_grow = may_grow(options, first);
    let (news, all_news) = mpsc::channel();
    if may_grow {
        tell_of_processes(link.client.clone(), news.clone());
    }
    let mut worst = status::DONE;
    thread::scope(|scope| {
        let begin = |number: usize, one: Wanted, start: Option<Place>| {
            let news = news.clone();
            // Somebody waits as long as anything is followed.
            scope.spawn(move || drop(news.send(News::Ended(End::of(link, number, &one, start, view)))));
        };
        let mut running = starts.len();
        for (number, start) in starts {
            begin(number, first[number].clone(), start);
        }
        let mut chase = Chase::of(first);
        while running > 0 {
            let next = match may_grow && !chase.missing.is_empty() {
                true => all_news.recv_timeout(LOOK_AGAIN).ok(),
                false => all_news.recv().ok(),
            };
            if let Some(News::Ended(end)) = next {
                running -= 1;
                let is_first =
                    first.iter().any(|one| one.log == end.log) && !chase.missing.contains(&end.log);
                worst = worst.max(chase.settle(end, is_first, view));
                continue;
            }
            for (number, one, start) in chase.added(link, options) {
                running += 1;
                begin(number, one, start);
            }
        }
    });
    Ok(worst)
}

/// Says when there may be other processes, until this program ends.
fn tell_of_processes(client: Client, news: mpsc::Sender<News>) {
    thread::spawn(move || {
        let mut seen = String::new();
        loop {
            match client.wait_for_change("processes", &seen) {
                Ok(Some(change)) => seen = change,
                Ok(None) | Err(_) => thread::sleep(LOOK_AGAIN),
            }
            if news.send(News::Look).is_err() {
                return;
            }
            thread::sleep(PACE);
        }
    });
}

impl Chase {
    fn of(first: &[Wanted]) -> Self {
        let known = first.iter().map(|one| one.log.clone()).collect();
        Self { known, missing: Vec::new(), count: first.len() }
    }

    /// Processes that were added, and those whose logs were missing.
    fn added(&mut self, link: &Link, options: &Options) -> Vec<(usize, Wanted, Option<Place>)> {
        // Nobody has such a name now: somebody may have it later.
        let all = wanted(link, options).unwrap_or_default();
        let mut added = Vec::new();
        for one in all {
            if !self.known.contains(&one.log) {
                self.known.push(one.log.clone());
                // All of what was not there before is new.
                let start = self.missing.contains(&one.log).then(Place::default);
                added.push((self.count, one, start));
                self.count += 1;
            }
        }
        added
    }

    /// Takes note of an end, and tells the exit status that it causes.
    fn settle(&mut self, end: End, is_first: bool, view: &View<'_>) -> i32 {
        if end.is_missing {
            self.known.retain(|log| *log != end.log);
            if !self.missing.contains(&end.log) {
                self.missing.push(end.log);
            }
            if !is_first {
                return status::DONE;
            }
        }
        let Some(problem) = end.problem else { return status::DONE };
        if view.style == Style::Json {
            show::json_line(&json!({ "error": problem.to_json() }));
        } else {
            screen::note(&problem.to_string());
        }
        problem.status
    }
}

impl End {
    fn of(link: &Link, number: usize, one: &Wanted, start: Option<Place>, view: &View<'_>) -> Self {
        let result = follow(link, number, one, start, view);
        let is_missing = matches!(result, Err(ClientError::Status { code: 404 | 410, .. }));
        let problem = result.err().map(|error| unreadable(link, one, &error));
        Self { log: one.log.clone(), problem, is_missing }
    }
}

/// Shows what comes until there is no more to come, or nobody looks.
fn follow(
    link: &Link,
    number: usize,
    one: &Wanted,
    start: Option<Place>,
    view: &View<'_>,
) -> Result<(), ClientError> {
    let mut follow = match start {
        Some(start) => link.client.follow_from(&one.log, &start)?,
        None => link.client.follow(&one.log)?,
    };
    let mut lines = Lines::default();
    loop {
        let piece = follow.piece()?;
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
