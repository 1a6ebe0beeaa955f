//! `upkeep config list | show | rollback`: configurations that were applied.

mod back;
mod diff;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use upkeep_api::{ConfigFile, ConfigGeneration};

use super::link::Link;
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

pub(super) fn config(options: &Options) -> Result<i32, Problem> {
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => list(options),
        ["show", numbers @ ..] if numbers.len() <= 2 => show_files(options, numbers),
        ["rollback", number] => back::rollback(options, number),
        ["rollback"] => Err(Problem::usage("`upkeep config rollback` needs a number")
            .hint("`upkeep config list` shows which there are")),
        _ => Err(Problem::usage("`upkeep config` knows list, show [N [M]] and rollback N")
            .hint("`upkeep config --help` tells more")),
    }
}

/// The configurations that are kept, oldest first.
fn generations(link: &Link) -> Result<Vec<ConfigGeneration>, Problem> {
    let what = "ask which configurations were applied";
    link.check(what, link.client.config_generations())?
        .ok_or_else(|| Problem::new(what, "this server keeps none"))
}

fn list(options: &Options) -> Result<i32, Problem> {
    let all = generations(&Link::open(options)?)?;
    if options.json {
        let one = |one: &ConfigGeneration| {
            json!({
                "number": one.number,
                "time": one.time,
                "cause": one.cause,
                "changed": one.changed,
                "running": one.running,
            })
        };
        show::json(&json!(all.iter().map(one).collect::<Vec<_>>()));
        return Ok(status::DONE);
    }
    if all.is_empty() {
        screen::line("none is kept ([supervisord] config_history = 0)");
    }
    let lines: Vec<String> = all.iter().map(|one| line(one, &TimeZone::system())).collect();
    lines.iter().for_each(|line| {
        screen::line(line);
    });
    Ok(status::DONE)
}

/// `3  2026-11-21 02:50:11  update      2 groups changed  running`
fn line(one: &ConfigGeneration, zone: &TimeZone) -> String {
    let time = Timestamp::from_second(one.time).map(|time| time.to_zoned(zone.clone()));
    let time = time.map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let changed = match one.changed {
        0 => String::new(),
        1 => "1 group changed".to_owned(),
        many => format!("{many} groups changed"),
    };
    let running = if one.running { "running" } else { "" };
    let line = format!("{:>4}  {time}  {:12}  {changed:18}  {running}", one.number, one.cause);
    line.trim_end().to_owned()
}

/// A number of a configuration.
fn number(text: &str) -> Result<i64, Problem> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        Problem::usage(&format!("\"{text}\" is no number of a configuration"))
            .hint("`upkeep config list` shows which there are")
    })
}

/// The number of the one that runs.
fn running(link: &Link) -> Result<i64, Problem> {
    let all = generations(link)?;
    let running = all.iter().find(|one| one.running).map(|one| one.number);
    running.ok_or_else(|| {
        Problem::new("show a configuration", "none is kept ([supervisord] config_history = 0)")
    })
}

fn show_files(options: &Options, numbers: &[&str]) -> Result<i32, Problem> {
    if numbers.len() == 2 && !options.diff {
        return Err(Problem::usage("`upkeep config show N M` needs --diff"));
    }
    let link = Link::open(options)?;
    let ask =
        |number: i64| link.check(&format!("show configuration {number}"), link.client.config_files(number));
    let old = numbers.first().map_or_else(|| running(&link), |text| number(text))?;
    let files = ask(old)?;
    let lines = if options.diff {
        let new = numbers.get(1).map_or_else(|| running(&link), |text| number(text))?;
        differences((old, &files), (new, &ask(new)?))
    } else if options.json {
        let one = |file: &ConfigFile| json!({ "path": file.path, "text": file.text });
        show::json(&json!(files.iter().map(one).collect::<Vec<_>>()));
        return Ok(status::DONE);
    } else {
        files.iter().flat_map(|file| [format!("==> {} <==", file.path), file.text.clone()]).collect()
    };
    let is_terminal = show::is_terminal();
    lines.iter().for_each(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        screen::line(&if is_terminal { show::visible(line) } else { line.to_owned() });
    });
    Ok(status::DONE)
}

/// What stands in one and not in the other, file by file.
fn differences(old: (i64, &[ConfigFile]), new: (i64, &[ConfigFile])) -> Vec<String> {
    let find = |files: &[ConfigFile], path: &str| {
        files.iter().find(|file| file.path == path).map(|file| file.text.clone())
    };
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for path in old.1.iter().chain(new.1).map(|file| &file.path) {
        if !seen.insert(path) {
            continue;
        }
        let (before, now) = (find(old.1, path), find(new.1, path));
        if before == now {
            continue;
        }
        let name = |number: i64, text: &Option<String>| match text {
            Some(_) => format!("{path} ({number})"),
            None => format!("/dev/null ({number})"),
        };
        lines.push(format!("--- {}", name(old.0, &before)));
        lines.push(format!("+++ {}", name(new.0, &now)));
        lines.extend(diff::unified(&before.unwrap_or_default(), &now.unwrap_or_default()));
    }
    if lines.is_empty() {
        lines.push(format!("{} and {} say the same", old.0, new.0));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each() {
        let one = |number, cause: &str, changed, running| ConfigGeneration {
            number,
            time: 1_795_229_411,
            cause: cause.to_owned(),
            changed,
            running,
        };
        for (generation, expected) in [
            (one(1, "start", 0, false), "   1  2026-11-21 02:50:11  start"),
            (one(12, "update", 1, false), "  12  2026-11-21 02:50:11  update        1 group changed"),
            (
                one(3, "rollback 1", 2, true),
                "   3  2026-11-21 02:50:11  rollback 1    2 groups changed    running",
            ),
        ] {
            assert_eq!(line(&generation, &TimeZone::UTC), expected);
        }
    }

    #[test]
    fn differences_of_files() {
        let file = |path: &str, text: &str| ConfigFile { path: path.to_owned(), text: text.to_owned() };
        let old = [file("/a", "x\n"), file("/b", "y\n")];
        let new = [file("/a", "x\n"), file("/c", "z\n")];
        let expected = [
            "--- /b (1)",
            "+++ /dev/null (2)",
            "@@ -1,1 +0,0 @@",
            "-y",
            "--- /dev/null (1)",
            "+++ /c (2)",
            "@@ -0,0 +1,1 @@",
            "+z",
        ];
        assert_eq!(differences((1, &old), (2, &new)), expected);
        assert_eq!(differences((1, &old), (3, &old)), ["1 and 3 say the same"]);
    }
}
