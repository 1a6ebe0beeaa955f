//! In which order processes are started and stopped.

use crate::rig::stage::{Stage, compare};

const CONFIG: &str = "\
[program:last]
command=/bin/cat
priority=30
[program:first]
command=/bin/cat
priority=10
[program:b]
command=/bin/cat
[program:a]
command=/bin/cat
[program:y]
command=/bin/cat
[program:x]
command=/bin/cat
[group:team]
programs=y,x
priority=20
";

const NAMES: [&str; 6] = ["first", "team:y", "team:x", "last", "a", "b"];

/// The log's lines that begin with `what`, in order.
fn note_order(stage: &mut Stage, what: &str) {
    let log = stage.daemon.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(what)).collect();
    stage.note(what, &lines.join("\n"));
}

/// PROC-180, PROC-181, PROC-185: autostart by priority and name; members of a group as listed.
#[test]
fn proc_180_autostart() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &NAMES);
        note_order(stage, "spawned:");
    });
}

/// PROC-184, PROC-241: shutdown in the opposite order, one group after the other.
#[test]
fn proc_184_shutdown() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &NAMES);
        stage.call("supervisor.shutdown", &[]);
        stage.note_end();
        let log = stage.daemon.log();
        let lines = log
            .lines()
            .filter(|line| line.contains("stopped:") && !line.contains(": x ") && !line.contains(": y "));
        let text = lines.collect::<Vec<_>>().join("\n");
        stage.note("groups of one", &text);
        // The next such line comes three seconds later, if it takes so long.
        let first = log.lines().find(|line| line.contains("waiting for")).unwrap_or_default();
        stage.note("waiting for", first);
    });
}

/// PROC-182: a start of everything goes by priority.
#[test]
fn proc_182_start_all() {
    let config = CONFIG.replace("command=/bin/cat", "command=/bin/cat\nautostart=false");
    compare(&config, |stage| {
        stage.ctl_in_any_order(&["start", "all"]);
        note_order(stage, "spawned:");
    });
}
