//! `upkeep pid`, `version`, `shutdown`.

use serde_json::json;

use super::link::{Link, no_such_process};
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

pub(super) fn pid(options: &Options) -> Result<i32, Problem> {
    let link = Link::open(options)?;
    if options.words.is_empty() {
        let pid = link.check("ask for the daemon's pid", link.client.pid())?;
        if options.json {
            show::json(&json!({ "pid": pid }));
        } else {
            screen::line(&pid.to_string());
        }
        return Ok(status::DONE);
    }
    pids(&link, options)
}

/// A line per process: its pid, 0 if it does not run, so that scripts can count on one.
fn pids(link: &Link, options: &Options) -> Result<i32, Problem> {
    let all = link.processes()?;
    let mut shown = Vec::new();
    for name in &options.words {
        if name == "all" {
            shown.extend(&all);
            continue;
        }
        let no_such = |hint| no_such_process(&format!("show the pid of \"{name}\""), hint);
        shown.extend(members(&link.targets(name, &all).map_err(no_such)?, &all));
    }
    if options.json {
        let list: Vec<_> = shown
            .iter()
            .map(|info| json!({ "name": namespec(&info.group, &info.name), "pid": (info.pid != 0).then_some(info.pid) }))
            .collect();
        show::json(&json!({ "processes": list }));
    } else {
        shown.iter().for_each(|info| {
            screen::line(&info.pid.to_string());
        });
    }
    Ok(if shown.iter().any(|info| info.pid == 0) { status::NOT_RUNNING } else { status::DONE })
}

/// Our own version is known without a daemon; that of the daemon is told if it answers.
pub(super) fn version(options: &Options) -> Result<i32, Problem> {
    options.no_words()?;
    let own = env!("CARGO_PKG_VERSION");
    let daemon = Link::open(options)
        .ok()
        .and_then(|link| Some((link.client.supervisor_version().ok()?, link.client.api_version().ok()?)));
    if options.json {
        let daemon = daemon.map(|(supervisor, api)| json!({ "supervisor": supervisor, "api": api }));
        show::json(&json!({ "upkeep": own, "daemon": daemon }));
        return Ok(status::DONE);
    }
    screen::line(&format!("upkeep {own}"));
    match daemon {
        Some((supervisor, api)) => screen::line(&format!("daemon: Supervisor {supervisor}, interface {api}")),
        None => screen::line("daemon: not reachable"),
    };
    Ok(status::DONE)
}

pub(super) fn shutdown(options: &Options) -> Result<i32, Problem> {
    options.no_words()?;
    let link = Link::open(options)?;
    link.check("shut the daemon down", link.client.shutdown())?;
    done(options, "the daemon stops every process, then itself")
}

/// It was asked for, and happens by itself.
pub(super) fn done(options: &Options, text: &str) -> Result<i32, Problem> {
    if options.json {
        show::json(&json!({ "ok": true }));
    } else {
        screen::line(text);
    }
    Ok(status::DONE)
}
