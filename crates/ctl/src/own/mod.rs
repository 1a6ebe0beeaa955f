//! `upkeep status`, `upkeep start`, …: our own command line, for people and for readers of JSON.
//!
//! It says what was done to what; where something failed, what, why, and what to do next. With `--json` everything,
//! errors included, is one JSON document on stdout.
//!
//! Exit statuses: 0 done, 1 something could not be done, 2 wrong usage or configuration, 3 `status` shows something
//! that does not run, 4 the daemon cannot be reached.

mod check;
mod config;
mod control;
mod convert;
mod daemon;
mod following;
mod graph;
mod groups;
mod health;
mod history;
mod link;
mod listeners;
mod logs;
mod losses;
mod options;
mod plan;
mod problem;
mod reload;
mod rolling;
mod schedules;
mod show;
mod status;
mod upgrade;
mod view;

use serde_json::json;

use crate::screen;

use options::Options;
use problem::{Problem, status as code};

type Run = fn(&Options) -> Result<i32, Problem>;

/// One command.
struct Row {
    name: &'static str,
    /// What follows the name.
    usage: &'static str,
    about: &'static str,
    run: Run,
}

const fn row(name: &'static str, usage: &'static str, about: &'static str, run: Run) -> Row {
    Row { name, usage, about, run }
}

const COMMANDS: &[Row] = &[
    row(
        "status",
        "[NAME ...]",
        "What runs, and how. Exits with 3 if something shown has stopped, ended or failed.",
        status::status,
    ),
    row("start", "NAME ... | all", "Start processes and wait until they run.", control::start),
    row("stop", "NAME ... | all", "Stop processes and wait until they have ended.", control::stop),
    row(
        "restart",
        "[--rolling [--batch N|N%] [--wait TIME]] NAME ... | all",
        "Stop processes, then start them.\n\n  \
         --rolling     some of those that run at a time, and the next ones only when those are RUNNING and healthy; if one does not get\n                \
         there, the rest is left as it is\n  \
         --batch N     how many at a time: a number, or a percentage of those of each program (default: rolling_batch, 1)\n  \
         --wait TIME   how long each may take: 90, 2m (default: rolling_wait, or what its options let expect)",
        control::restart,
    ),
    row("signal", "SIGNAL NAME ... | SIGNAL all", "Send a signal, by name or number.", control::signal),
    row(
        "logs",
        "[-f] [-n BYTES] [--since TIME] [--grep TEXT] [--stderr] [NAME ...]",
        "The end of what processes wrote; of the daemon's own log without NAME.\n\n  \
         -f            go on with what is added\n  \
         -n BYTES      how much of the end (default 1600; 0 is everything)\n  \
         --since TIME  lines since then, old files included, those of many processes in order of time: 10m, 2h, 07:30, 2026-11-21, \
         2026-11-21T07:30\n  \
         --grep TEXT   lines with this text, of all there are\n  \
         --stderr      standard error instead of standard output",
        logs::logs,
    ),
    row(
        "listeners",
        "[POOL ...]",
        "Event listeners: what each does, how many events wait and how many were discarded.",
        listeners::listeners,
    ),
    row("check", "", "Every problem of a configuration at once, without touching the daemon.", check::check),
    row(
        "convert",
        "FILE [--to DIALECT] [-o OUT] [--flatten]",
        "Write a configuration in another dialect: what it says stays the same, or it is refused.\n\n  \
         --to DIALECT  yaml, toml, json or ini; without it, what the ending of OUT says\n  \
         -o OUT        a new file instead of standard output\n  \
         --flatten     together with all that it includes",
        convert::convert,
    ),
    row(
        "graph",
        "[text | dot | mermaid]",
        "The order in which programs start, and what each waits for (depends_on), from the configuration.",
        graph::graph,
    ),
    row(
        "diff",
        "[GROUP ...]",
        "What `update` would do to each process, which options are the reason, and in which lines they stand.",
        plan::diff,
    ),
    row(
        "config",
        "list | show [N] [--diff [M]] | rollback N [--dry-run] [--write]",
        "The configurations that were applied, as they were read.\n\n  \
         list         their numbers, when and by what each was applied, and which one runs\n  \
         show N       the text of all files of one; without N, of the one that runs. --diff: what is otherwise in the one that runs, \
         or in M\n  \
         rollback N   tell what going back would do, as `upkeep diff` does, and do it; the files on disk stay as they are\n  \
         --dry-run    only tell\n  \
         --write      then write the files back, too, each with its owner and mode",
        config::config,
    ),
    row(
        "reread",
        "[--plan]",
        "Read the configuration again and tell what differs; changes nothing that runs.\n\n  \
         --plan      per process, as `upkeep diff` tells it",
        groups::reread,
    ),
    row(
        "update",
        "[GROUP ...] [--dry-run]",
        "Read the configuration again and make what runs agree with it.\n\n  \
         --dry-run   only tell what would be done, as `upkeep diff` does",
        groups::update,
    ),
    row(
        "upgrade",
        "[--binary PATH]",
        "Replace the daemon by another program, or by what is now in the file that it was started from; every process \
         runs on. If the program is no good, everything stays as it was.\n\n  \
         --binary PATH   the program",
        upgrade::upgrade,
    ),
    row("pid", "[NAME ...]", "The daemon's pid, or those of processes.", daemon::pid),
    row("version", "", "Versions of this program and of the daemon.", daemon::version),
    row("shutdown", "", "Stop everything, and the daemon.", daemon::shutdown),
    row(
        "reload",
        "[--keep | NAME ...]",
        "Stop everything, read the configuration again, and start over.\n\n  \
         NAME        stop nothing: let these programs read their own configuration again (reload_command, reload_signal)\n  \
         --keep      stop nothing: apply what the configuration says about the daemon itself and its servers, and\n              \
         tell what waits for `upkeep update` or for a new start",
        reload::reload,
    ),
];

const COMMON: &str = "  -c FILE     the configuration (else the usual places are searched)
  -s URL      the daemon's address: unix:///PATH or http://HOST:PORT
  -u USER     name to log in with
  -p PASSWORD password to log in with
  --json      print JSON
  -h, --help  this text
";

/// Runs `upkeep ARGS…`; gives the exit status.
pub(crate) fn upkeep(args: &[String]) -> i32 {
    let wants_json = args.iter().any(|arg| arg == "--json");
    match dispatch(args) {
        Ok(status) => status,
        Err(problem) if wants_json => {
            show::json(&json!({ "error": problem.to_json() }));
            problem.status
        }
        Err(problem) => {
            screen::note(&problem.to_string());
            problem.status
        }
    }
}

fn dispatch(args: &[String]) -> Result<i32, Problem> {
    let options = Options::parse(args)?;
    let Some(row) = COMMANDS.iter().find(|row| row.name == options.command) else {
        return Err(unknown(&options.command));
    };
    if options.help {
        screen::bytes(help(row).as_bytes());
        return Ok(code::DONE);
    }
    (row.run)(&options)
}

fn help(row: &Row) -> String {
    let usage = format!("usage: upkeep {} [options] {}", row.name, row.usage);
    format!("{}\n\n{}\n\n{COMMON}", usage.trim_end(), row.about)
}

fn unknown(command: &str) -> Problem {
    let names: Vec<_> = COMMANDS.iter().map(|row| row.name).collect();
    let hint = crate::resolve::nearest(command, names.iter().copied()).map_or_else(
        || "`upkeep help` lists the commands".to_owned(),
        |name| format!("did you mean `upkeep {name}`?"),
    );
    Problem::usage(&format!("there is no command \"{command}\"")).hint(hint)
}
