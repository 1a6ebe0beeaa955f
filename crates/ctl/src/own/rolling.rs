//! `upkeep restart --rolling`, and what others tell of rolling restarts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use upkeep_api::{ProcessInfo, ProcessState, RollingInfo};

use super::history::ago;
use super::link::{Link, no_such_process};
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::names::{Target, namespec};
use crate::rolling::{follow, names, summary};
use crate::screen;

pub(super) fn restart(options: &Options) -> Result<i32, Problem> {
    if options.words.is_empty() {
        let hint = "`upkeep restart --rolling all` means every process that runs";
        return Err(Problem::usage("`upkeep restart` needs the name of a process or group").hint(hint));
    }
    let wait = options.wait.as_deref().map_or(Ok(0), seconds)?;
    let link = Link::open(options)?;
    let names = targets(&link, &options.words)?;
    let batch = options.batch.as_deref().unwrap_or_default();
    let begun = link.check(WHAT, link.client.restart_rolling(&names, batch, wait))?;
    let Some(number) = begun else {
        return Err(Problem::new(WHAT, "this server can only restart all of them at once")
            .hint("`upkeep restart` without --rolling does that"));
    };
    let mut told = Told::new(options.json);
    let info = outcome(&link, number, &mut told)?;
    let problem = problem(WHAT, &info);
    if options.json {
        let errors: Vec<_> = problem.iter().map(Problem::to_json).collect();
        show::json(&json!({ "rolling": in_json(&info), "errors": errors }));
    } else if info.members.iter().all(|member| member.stage == "left") {
        screen::line("nothing to restart");
    }
    let Some(problem) = problem else { return Ok(status::DONE) };
    if !options.json {
        screen::note(&problem.to_string());
    }
    Ok(problem.status)
}

const WHAT: &str = "restart bit by bit";

/// Whole seconds, at least one.
fn seconds(text: &str) -> Result<i64, Problem> {
    let seconds = ago(text).map(|time| time.as_secs()).filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| {
        Problem::usage(&format!("not a time for --wait: \"{text}\"")).hint("write seconds, or such as 2m")
    })
}

fn targets(link: &Link, words: &[String]) -> Result<Vec<String>, Problem> {
    if words.iter().any(|word| word == "all") {
        return Ok(vec!["all".to_owned()]);
    }
    let all = link.processes()?;
    let mut names = Vec::new();
    for word in words {
        // All or none: a part of what was meant would look like a success.
        let found = link.targets(word, &all);
        let found = found.map_err(|hint| no_such_process(&format!("restart \"{word}\""), hint))?;
        names.extend(found.into_iter().map(|target| match target {
            Target::Group(group) => format!("{group}:*"),
            Target::Process { group, name } => format!("{group}:{name}"),
        }));
    }
    Ok(names)
}

/// Follows one to its end.
pub(super) fn outcome(link: &Link, number: i64, told: &mut Told) -> Result<RollingInfo, Problem> {
    let followed = follow(&link.client, number, |info| told.tell(info));
    link.check("follow the rolling restart, which goes on", followed)?.ok_or_else(|| {
        Problem::new(WHAT, "the daemon does not know any more what became of it").hint("its log tells more")
    })
}

/// What has been told of its processes.
pub(super) struct Told {
    json: bool,
    stages: BTreeMap<(String, String), String>,
}

impl Told {
    pub(super) fn new(json: bool) -> Self {
        Self { json, stages: BTreeMap::new() }
    }

    fn tell(&mut self, info: &RollingInfo) {
        let of = info.members.iter().filter(|member| member.stage != "left").count();
        let mut done = 0;
        for member in &info.members {
            done += usize::from(member.stage == "done");
            let key = (member.group.clone(), member.name.clone());
            let before = self.stages.insert(key, member.stage.clone());
            if self.json || before.as_deref() == Some(member.stage.as_str()) {
                continue;
            }
            let name = namespec(&member.group, &member.name);
            match member.stage.as_str() {
                "done" => drop(screen::line(&format!("{name}: restarted ({done} of {of})"))),
                "failed" => screen::note(&format!("{name}: {}", member.reason)),
                "left" => drop(screen::line(&format!("{name}: left alone, {}", member.reason))),
                _ => {}
            }
        }
    }
}

/// What is wrong about one that is over.
pub(super) fn problem(what: &str, info: &RollingInfo) -> Option<Problem> {
    if info.state == "done" {
        return None;
    }
    let why = if info.state == "failed" {
        info.reason.clone()
    } else {
        format!("it was {}: {}", info.state, info.reason)
    };
    let problem = Problem::new(what, &why);
    let rest = if info.update { "those run on with their old options" } else { "those run on" };
    Some(match (names(info, "pending").is_empty(), summary(info)) {
        (_, text) if text.is_empty() => problem,
        (true, text) => problem.hint(text),
        (false, text) => problem.hint(format!("{text} ({rest})")),
    })
}

/// Lines about those that matter now: under way, or failed at a process that still does not run.
pub(super) fn notes(all: &[RollingInfo], processes: &[ProcessInfo]) -> Vec<String> {
    let down = processes.iter().filter(|process| process.state != ProcessState::Running);
    let mut known = BTreeSet::new();
    known.extend(down.map(|process| (&process.group, &process.name)));
    let still_down = |info: &RollingInfo| {
        let mut failed = info.members.iter().filter(|member| member.stage == "failed");
        failed.any(|member| known.contains(&(&member.group, &member.name)))
    };
    let note = |info: &RollingInfo| match info.state.as_str() {
        "under way" => {
            let of = info.members.iter().filter(|member| member.stage != "left").count();
            Some(format!(
                "rolling restart {} is under way: {} of {of} restarted",
                info.number,
                names(info, "done").len()
            ))
        }
        "failed" if still_down(info) => {
            Some(format!("rolling restart {} failed at {}; {}", info.number, info.reason, summary(info)))
        }
        _ => None,
    };
    all.iter().filter_map(note).collect()
}

pub(super) fn in_json(info: &RollingInfo) -> Value {
    let members = info.members.iter().map(|member| {
        json!({
            "name": namespec(&member.group, &member.name),
            "group": member.group,
            "process": member.name,
            "stage": member.stage,
            "reason": member.reason,
        })
    });
    json!({
        "number": info.number,
        "state": info.state,
        "reason": info.reason,
        "update": info.update,
        "processes": members.collect::<Vec<_>>(),
    })
}
