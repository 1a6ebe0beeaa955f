//! `upkeep reload`, `upkeep reload --keep` and `upkeep reload NAME …`.

use serde_json::{Value, json};
use upkeep_api::{KeptReload, Reread, Setting};

use super::control;
use super::daemon::done;
use super::link::Link;
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

pub(super) fn reload(options: &Options) -> Result<i32, Problem> {
    if !options.words.is_empty() {
        return programs(options);
    }
    let link = Link::open(options)?;
    if options.keep {
        return keep(&link, options);
    }
    link.check("start the daemon over", link.client.restart())?;
    done(options, "the daemon stops every process and starts over with the configuration as it is now")
}

/// With names it is about programs, and never about the daemon.
fn programs(options: &Options) -> Result<i32, Problem> {
    if options.keep {
        return Err(
            Problem::usage("--keep is about the daemon: it goes without names").hint("upkeep reload --keep")
        );
    }
    control::reload(options)
}

/// Applies what is about the daemon; what could not be applied is a failure, as scripts have to know of it.
fn keep(link: &Link, options: &Options) -> Result<i32, Problem> {
    let answer = link.check("reload the configuration", link.client.reload_keep()).map_err(as_it_was)?;
    let Some(kept) = answer else {
        return Err(Problem::new(
            "reload the configuration",
            "this server can only do so by stopping everything",
        )
        .hint("`upkeep reload` without --keep does that"));
    };
    if options.json {
        show::json(&in_json(&kept));
    } else {
        kept.not_applied.iter().for_each(|setting| screen::note(&text("not applied", setting)));
        lines(&kept).iter().for_each(|line| {
            screen::line(line);
        });
    }
    Ok(if kept.not_applied.is_empty() { status::DONE } else { status::FAILED })
}

/// The file may name an address or a password that the daemon does not go by yet.
fn as_it_was(problem: Problem) -> Problem {
    if problem.status == status::UNREACHABLE {
        return problem.hint(
            "the daemon still goes by what it read last: give that address or password with -s, -u and -p",
        );
    }
    problem
}

fn lines(kept: &KeptReload) -> Vec<String> {
    let mut lines: Vec<String> = kept.applied.iter().map(|setting| text("applied", setting)).collect();
    let Reread { added, changed, removed } = &kept.groups;
    for (names, what) in [(added, "new"), (changed, "changed"), (removed, "removed")] {
        lines.extend(names.iter().map(|name| format!("{name}: {what}")));
    }
    if kept.groups != Reread::default() {
        lines.push("`upkeep update` makes what runs agree with it".to_owned());
    } else if *kept == KeptReload::default() {
        lines.push("nothing has changed".to_owned());
    }
    lines
}

/// `applied: [supervisord] loglevel (why)`.
fn text(what: &str, setting: &Setting) -> String {
    let Setting { section, option, note } = setting;
    let space = if option.is_empty() { "" } else { " " };
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    format!("{what}: [{section}]{space}{option}{note}")
}

fn in_json(kept: &KeptReload) -> Value {
    let one = |setting: &Setting| json!({ "section": setting.section, "option": setting.option, "note": setting.note });
    let list = |settings: &[Setting]| settings.iter().map(one).collect::<Vec<_>>();
    json!({
        "applied": list(&kept.applied),
        "not_applied": list(&kept.not_applied),
        "added": kept.groups.added,
        "changed": kept.groups.changed,
        "removed": kept.groups.removed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(section: &str, option: &str, note: &str) -> Setting {
        Setting { section: section.to_owned(), option: option.to_owned(), note: note.to_owned() }
    }

    #[test]
    fn what_was_applied_and_what_waits() {
        let kept = KeptReload {
            applied: vec![setting("supervisord", "loglevel", ""), setting("inet_http_server", "", "closed")],
            not_applied: vec![],
            groups: Reread { added: vec!["a".to_owned()], ..Reread::default() },
        };
        let shown = [
            "applied: [supervisord] loglevel",
            "applied: [inet_http_server] (closed)",
            "a: new",
            "`upkeep update` makes what runs agree with it",
        ];
        assert_eq!(lines(&kept), shown);
        assert_eq!(lines(&KeptReload::default()), ["nothing has changed"]);
        let waits =
            KeptReload { not_applied: vec![setting("supervisord", "user", "why")], ..KeptReload::default() };
        assert_eq!(lines(&waits), [""; 0]);
        assert_eq!(text("not applied", &waits.not_applied[0]), "not applied: [supervisord] user (why)");
    }
}
