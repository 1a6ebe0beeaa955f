//! `upkeep diff`, `upkeep reread --plan` and `upkeep update --dry-run`: what an update would do, and why.

use serde_json::json;
use upkeep_api::{PlannedCause, PlannedChange, PlannedDependant};

use super::link::Link;
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

/// All of it, or that of the groups that are named.
pub(super) fn diff(options: &Options) -> Result<i32, Problem> {
    let link = Link::open(options)?;
    let what = "compare the configuration with what runs";
    let Some(mut plan) = link.check(what, link.client.plan())? else {
        return Err(
            Problem::new(what, "this server cannot tell").hint("`upkeep reread` tells which groups differ")
        );
    };
    if !options.words.is_empty() && !options.words.iter().any(|word| word == "all") {
        check_names(&link, &options.words, &plan)?;
        plan.retain(|change| options.words.contains(&change.group));
    }
    if options.json {
        show::json(&all_in_json(&plan));
    } else {
        lines(&plan).iter().for_each(|line| {
            screen::line(line);
        });
    }
    Ok(status::DONE)
}

/// Each of the groups must be active, or be new: a name with a mistake in it would else be told to stay as it is.
fn check_names(link: &Link, names: &[String], plan: &[PlannedChange]) -> Result<(), Problem> {
    let active = link.processes()?;
    let is_known = |name: &String| {
        active.iter().any(|info| info.group == *name) || plan.iter().any(|change| change.group == *name)
    };
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let what = format!("tell what an update would do to \"{name}\"");
            Err(Problem::new(&what, "no such group, active or new")
                .hint("`upkeep diff` without names tells of all"))
        }
    }
}

/// A plan as JSON.
pub(super) fn all_in_json(plan: &[PlannedChange]) -> serde_json::Value {
    json!(plan.iter().map(in_json).collect::<Vec<_>>())
}

/// A plan for people.
pub(super) fn lines(plan: &[PlannedChange]) -> Vec<String> {
    if plan.is_empty() {
        return vec!["nothing would change".to_owned()];
    }
    let width = plan.iter().map(|change| name(change).chars().count()).max().unwrap_or_default();
    let line = |change: &PlannedChange| {
        let mut parts: Vec<String> = change.causes.iter().map(|one| cause(one, change)).collect();
        if change.seconds > 0 {
            parts.push(format!("stopping may take {} s", change.seconds));
        }
        if change.starting > 0 {
            parts.push(format!("starting {} s", change.starting));
        }
        for (word, what) in [("restart", "restarts"), ("stop", "stops")] {
            let along = change.dependants.iter().filter(|one| one.change == word);
            let names: Vec<String> = along.map(|one| called(&one.group, &one.name)).collect();
            if !names.is_empty() {
                parts.push(format!("{what} {} with it", names.join(" ")));
            }
        }
        format!("{:width$}  {:10}  {}", name(change), change.change, parts.join(", ")).trim_end().to_owned()
    };
    plan.iter().map(line).collect()
}

fn name(change: &PlannedChange) -> String {
    called(&change.group, &change.name)
}

fn called(group: &str, name: &str) -> String {
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

/// `command (FILE:LINE)`; with its section if that is no program of this name.
fn cause(cause: &PlannedCause, change: &PlannedChange) -> String {
    let own = cause
        .section
        .split_once(':')
        .is_some_and(|(_, name)| [&*change.name, &*change.group].contains(&name));
    let what = match (cause.option.as_str(), own) {
        ("", _) => format!("[{}]", cause.section),
        (option, true) => option.to_owned(),
        (option, false) => format!("[{}] {option}", cause.section),
    };
    let line = if cause.line > 0 { format!(":{}", cause.line) } else { String::new() };
    format!("{what} ({}{line})", cause.file)
}

fn in_json(change: &PlannedChange) -> serde_json::Value {
    let cause = |cause: &PlannedCause| json!({ "section": cause.section, "option": cause.option, "file": cause.file, "line": cause.line });
    let dependant =
        |one: &PlannedDependant| json!({ "group": one.group, "name": one.name, "change": one.change });
    json!({
        "group": change.group,
        "name": change.name,
        "change": change.change,
        "seconds": change.seconds,
        "starting": change.starting,
        "dependants": change.dependants.iter().map(dependant).collect::<Vec<_>>(),
        "causes": change.causes.iter().map(cause).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(
        group: &str,
        name: &str,
        change: &str,
        seconds: i64,
        causes: &[(&str, &str, i64)],
    ) -> PlannedChange {
        let cause = |&(section, option, line): &(&str, &str, i64)| PlannedCause {
            section: section.to_owned(),
            option: option.to_owned(),
            file: "/x".to_owned(),
            line,
        };
        PlannedChange {
            group: group.to_owned(),
            name: name.to_owned(),
            change: change.to_owned(),
            seconds,
            starting: 0,
            dependants: Vec::new(),
            causes: causes.iter().map(cause).collect(),
        }
    }

    #[test]
    fn each_process_has_its_line() {
        let plan = [
            change(
                "web",
                "web",
                "restart",
                10,
                &[("program:web", "command", 3), ("supervisord", "environment", 1)],
            ),
            change("queue", "q_1", "new", 0, &[("program:queue", "numprocs", 7)]),
            change("api", "api", "restart", 0, &[("program:api", "env_files", 0)]),
            change("b", "b", "new", 0, &[("program:b", "", 9)]),
            change("old", "old", "removed", 0, &[]),
        ];
        let expected = [
            "web        restart     command (/x:3), [supervisord] environment (/x:1), stopping may take 10 s",
            "queue:q_1  new         numprocs (/x:7)",
            "api        restart     env_files (/x)",
            "b          new         [program:b] (/x:9)",
            "old        removed",
        ];
        assert_eq!(lines(&plan), expected);
        let along = |name: &str, change: &str| PlannedDependant {
            group: name.to_owned(),
            name: name.to_owned(),
            change: change.to_owned(),
        };
        let dependants = vec![along("api", "restart"), along("w", "restart"), along("job", "stop")];
        let busy = PlannedChange { starting: 35, dependants, ..change("db", "db", "restart", 40, &[]) };
        let expected = "db  restart     stopping may take 40 s, starting 35 s, restarts api w with it, stops job with it";
        assert_eq!(lines(&[busy]), [expected]);
        assert_eq!(lines(&[]), ["nothing would change"]);
    }
}
