//! `upkeep status`.

use serde_json::{Value, json};
use upkeep_api::ProcessInfo;

use super::health::Health;
use super::link::{Link, no_such_process};
use super::losses::Losses;
use super::options::Options;
use super::problem::{Problem, status as code};
use super::rolling;
use super::schedules::Schedules;
use super::show;
use crate::commands::is_stopped;
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

pub(super) fn status(options: &Options) -> Result<i32, Problem> {
    let link = Link::open(options)?;
    let all = link.processes()?;
    let losses = Losses::ask(&link)?;
    let rollings = link.check("ask for rolling restarts", link.client.rolling_restarts())?;
    let (shown, problems) = selected(&link, options, &all);
    if options.json {
        let schedules = Schedules::ask(&link)?;
        let health = Health::ask(&link)?;
        let in_json = |info: &&ProcessInfo| in_json(info, &losses, &schedules, &health);
        let processes: Vec<_> = shown.iter().map(in_json).collect();
        let errors: Vec<_> = problems.iter().map(Problem::to_json).collect();
        let rollings: Vec<_> = rollings.iter().map(rolling::in_json).collect();
        show::json(&json!({
            "processes": processes,
            "log_losses": losses.others_in_json(),
            "rolling_restarts": rollings,
            "errors": errors,
        }));
    } else {
        problems.iter().for_each(|problem| screen::note(&problem.to_string()));
        screen::bytes(table(&shown, &losses).as_bytes());
        losses.others().for_each(|line| screen::note(&line));
        rolling::notes(&rollings, &all).iter().for_each(|line| screen::note(line));
    }
    Ok(if shown.iter().any(|info| is_stopped(info.state)) {
        code::NOT_RUNNING
    } else if problems.is_empty() {
        code::DONE
    } else {
        code::FAILED
    })
}

fn selected<'a>(
    link: &Link,
    options: &Options,
    all: &'a [ProcessInfo],
) -> (Vec<&'a ProcessInfo>, Vec<Problem>) {
    if options.words.is_empty() || options.words.iter().any(|word| word == "all") {
        return (all.iter().collect(), Vec::new());
    }
    let (mut shown, mut problems) = (Vec::new(), Vec::new());
    for name in &options.words {
        match link.targets(name, all) {
            Ok(targets) => shown.extend(members(&targets, all)),
            Err(hint) => problems.push(no_such_process(&format!("show \"{name}\""), hint)),
        }
    }
    (shown, problems)
}

fn in_json(info: &ProcessInfo, losses: &Losses, schedules: &Schedules, health: &Health) -> Value {
    let mut value = show::process(info);
    value["log_losses"] = losses.in_json(info);
    value["schedule"] = schedules.in_json(info);
    value["health"] = health.in_json(info);
    value
}

fn table(shown: &[&ProcessInfo], losses: &Losses) -> String {
    if shown.is_empty() {
        return String::new();
    }
    let names: Vec<_> = shown.iter().map(|info| namespec(&info.group, &info.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(NAME.len());
    let mut text = String::new();
    if show::is_terminal() {
        text.push_str(&format!("{NAME:<width$}  {:<STATE_WIDTH$}  DESCRIPTION\n", "STATE"));
    }
    for (info, name) in shown.iter().zip(&names) {
        let state = show::state(info.state, STATE_WIDTH);
        let line = format!("{name:<width$}  {state}  {}{}", info.description, losses.mark(info));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

const NAME: &str = "NAME";
/// The longest states are `STARTING` and `STOPPING`.
const STATE_WIDTH: usize = 8;
