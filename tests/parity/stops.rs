//! Whom a signal reaches, and what a process says while it stops.

use std::fmt::Write as _;

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::http::Arg::Text;
use crate::rig::procfs;
use crate::rig::stage::{Stage, compare};
use crate::rig::wait::{until, until_true};

/// Programs with a child each, which writes down its pid and knows nothing of any pipe.
fn families(rows: &[(&str, &str, &str)]) -> String {
    rows.iter().fold(String::new(), |mut config, (name, trap, options)| {
        writeln!(
            config,
            "[program:{name}]\ncommand=/bin/sh -c 'sleep 30 >/dev/null 2>&1 & echo $! > %(here)s/{name}.pid; {trap} \
             while :; do sleep 0.05; done'\nautorestart=false\n{options}"
        )
        .expect("a string");
        config
    })
}

/// The grandchildren, ended with the test: nobody else would do it.
struct Grandchildren(Vec<(&'static str, i32)>);

impl Grandchildren {
    fn of(daemon: &Daemon, names: &[&'static str]) -> Grandchildren {
        let pid = |name: &str| {
            until("a grandchild", || daemon.home.read(&format!("{name}.pid")).trim().parse::<i32>().ok())
        };
        Grandchildren(names.iter().map(|name| (*name, pid(name))).collect())
    }
}

impl Drop for Grandchildren {
    fn drop(&mut self) {
        for (_, pid) in &self.0 {
            if procfs::process(*pid).is_some_and(|process| process.comm == "sleep") {
                procfs::signal(*pid, Signal::KILL);
            }
        }
    }
}

/// Programs that say something between the signal and their end.
const TALKERS: &str = "\
[program:polite]
command=/bin/sh -c 'trap \"echo bye; sleep 0.3; echo gone; exit 0\" TERM; echo up; while :; do sleep 0.05; done'
stdout_logfile=%(here)s/polite
[program:merged]
command=/bin/sh -c 'trap \"echo bye >&2; exit 0\" TERM; echo up; while :; do sleep 0.05; done'
redirect_stderr=true
stdout_logfile=%(here)s/merged
";

/// PROC-080…083, D-39: stopasgroup and killasgroup say whether grandchildren are meant; `signal` never means them.
/// PROC-084: what is said between the signal and the end is in the log.
#[test]
fn proc_082_stops() {
    let deaf = "trap \"\" TERM;";
    let config = families(&[
        ("alone", "", ""),
        ("kill_only", "", "killasgroup=true"),
        ("group", "", "stopasgroup=true"),
        ("deaf", deaf, "stopwaitsecs=1"),
        ("deaf_group", deaf, "stopwaitsecs=1\nkillasgroup=true"),
        ("asked", "", "stopasgroup=true"),
    ]);
    let names = ["alone", "kill_only", "group", "deaf", "deaf_group", "asked"];
    compare(&(config + TALKERS), |stage| {
        stage.daemon.wait("RUNNING", &names);
        for name in ["polite", "merged"] {
            stage.daemon.wait_file(name, "up\n");
        }
        let grandchildren = Grandchildren::of(&stage.daemon, &names);
        stage.call("supervisor.signalProcess", &[Text("asked"), Text("TERM")]);
        stage.daemon.wait("EXITED", &["asked"]);
        stage.daemon.call("supervisor.stopAllProcesses", &[]);
        for (name, pid) in &grandchildren.0 {
            if ["group", "deaf_group"].contains(name) {
                until_true("the end of a grandchild", || !procfs::alive(*pid));
            }
            stage.note(&format!("the child of {name} lives"), &procfs::alive(*pid).to_string());
        }
        for name in ["polite", "merged"] {
            let said = stage.daemon.home.read(name);
            stage.note(name, &said);
        }
    });
}

/// PROC-313, PROC-234, PROC-318, PROC-322: debug lines of a stop between two tries, of an exit and of a closed channel;
/// a member of a group goes by its own name.
#[test]
fn proc_313_debug_lines() {
    let config = "\
[supervisord]
loglevel=debug
[program:hasty]
command=/bin/sh -c 'exit 1'
startretries=10
[program:silent]
command=/bin/sh -c 'exec >&- 2>&-; exec sleep 60'
[program:member]
command=/bin/cat
[group:team]
programs=hasty,silent,member
";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["team:silent", "team:member"]);
        stop_between_tries(stage);
        stage.ctl(&["stop", "team:member"]);
        let closed = regex_lite::Regex::new(r"DEBG fd \d+ closed, stopped monitoring ").expect("a pattern");
        let log = stage.daemon.log();
        let of_silent = |line: &&str| closed.is_match(line) && line.contains("silent");
        stage.note("closed channels", &log.lines().filter(of_silent).count().to_string());
        stage
            .note("a child quit", &log.contains("DEBG received SIGCHLD indicating a child quit").to_string());
        for name in ["member", "silent"] {
            // A stop that is over before somebody looks for the first time is not waited for.
            let waits = |line: &&str| line.ends_with(" to stop");
            let about = |line: &&str| line.contains(name) && !line.contains(" fd ") && !waits(line);
            let lines: Vec<&str> = log.lines().filter(about).collect();
            stage.note(name, &lines.join("\n"));
        }
    });
}

/// A stop that comes between two tries, and its line in the log.
fn stop_between_tries(stage: &mut Stage) {
    let line = "DEBG Attempted to kill hasty, which is in BACKOFF state.";
    until_true("a stop between two tries", || {
        stage.daemon.wait("BACKOFF", &["team:hasty"]);
        stage.daemon.call("supervisor.stopProcess", &[Text("team:hasty")]);
        let told = stage.daemon.log().contains(line);
        if !told {
            // The next try had begun meanwhile.
            stage.daemon.try_call("supervisor.startProcess", &[Text("team:hasty")]);
        }
        told
    });
    stage.note("stopped", &format!("{:?}", stage.daemon.state("team:hasty")));
}
