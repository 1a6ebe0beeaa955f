//! Every command of `supervisorctl`: output and exit status, with each client on each daemon.

use crate::rig::stage::{Stage, compare_crossed};

const CONFIG: &str = "\
[program:cat]
command=/bin/cat
[program:pair]
command=/bin/cat
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[program:talker]
command=/bin/sh -c 'echo one; echo two; echo oops >&2; exec cat'
[program:idle]
command=/bin/cat
autostart=false
[program:missing]
command=/no/such/program
startretries=0
[program:plain]
command=/etc/passwd
autostart=false
[program:hasty]
command=/bin/sh -c 'exit 1'
autostart=false
startretries=0
[program:quiet]
command=/bin/cat
stdout_logfile=NONE
stderr_logfile=NONE
";

fn settle(stage: &Stage) {
    stage.daemon.wait("RUNNING", &["cat", "pair:pair_00", "pair:pair_01", "talker", "quiet"]);
    stage.daemon.wait("FATAL", &["missing"]);
}

fn play(stage: &mut Stage, commands: &[&[&str]]) {
    settle(stage);
    for words in commands {
        stage.ctl(words);
    }
}

/// CTL-040…044.
#[test]
fn ctl_040_status() {
    compare_crossed(CONFIG, |stage| {
        let commands: &[&[&str]] = &[
            &["status"],
            &["status", "all"],
            &["status", "cat"],
            &["status", "cat", "cat", "pair:pair_01"],
            &["status", "pair:*"],
            &["status", "pair:"],
            &["status", "cat:cat"],
            &["status", "nobody"],
            &["status", "nobody:*", "cat"],
            &["status", "missing", "nobody"],
            &["status", "pair:nobody"],
        ];
        play(stage, commands);
    });
}

/// CTL-044, D-38: who is still coming up, or waits for another try, is no failure.
#[test]
fn ctl_044_status_of_who_comes_up() {
    let config = "\
[program:young]
command=/bin/sleep 600
startsecs=600
[program:again]
command=/bin/sh -c 'exit 1'
startretries=1000
";
    compare_crossed(config, |stage| {
        stage.daemon.wait("STARTING", &["young"]);
        stage.daemon.wait("BACKOFF", &["again"]);
        for name in ["young", "again"] {
            // BACKOFF, or STARTING again.
            let said = stage.daemon.ctl_of(stage.client(), &["status", name]);
            stage.note(&format!("exit status about {name}"), &format!("{:?}", said.status));
        }
    });
}

/// CTL-009, CTL-050…061: start, stop, restart; a later success does not take back a failure.
#[test]
fn ctl_050_start_stop_restart() {
    compare_crossed(CONFIG, |stage| {
        let commands: &[&[&str]] = &[
            &["start"],
            &["stop"],
            &["restart"],
            &["start", "cat"],
            &["start", "idle"],
            &["start", "nobody"],
            &["start", "missing"],
            &["start", "plain"],
            &["start", "hasty"],
            &["start", "pair:*"],
            &["start", "nobody:*"],
            &["stop", "idle"],
            &["stop", "idle"],
            &["stop", "nobody"],
            &["stop", "nobody:*"],
            &["stop", "cat", "idle", "talker"],
            &["start", "talker", "nobody", "cat"],
            &["restart", "cat"],
            &["restart", "idle"],
            &["restart", "nobody"],
            &["status"],
        ];
        play(stage, commands);
        stage.ctl_in_any_order(&["stop", "pair:*"]);
        stage.ctl_in_any_order(&["start", "pair:*"]);
        stage.ctl_in_any_order(&["restart", "pair:*"]);
        stage.ctl_in_any_order(&["stop", "all"]);
        stage.ctl(&["status"]);
        stage.ctl_in_any_order(&["start", "all"]);
    });
}

/// CTL-062…066: signal and clear.
#[test]
fn ctl_062_signal_clear() {
    compare_crossed(CONFIG, |stage| {
        let commands: &[&[&str]] = &[
            &["signal"],
            &["signal", "HUP"],
            &["signal", "CONT", "cat"],
            &["signal", "SIGCONT", "cat", "talker"],
            &["signal", "NOSUCH", "cat"],
            &["signal", "CONT", "nobody"],
            &["signal", "CONT", "idle"],
            &["signal", "CONT", "pair:*"],
            &["signal", "CONT", "nobody:*"],
            &["clear"],
            &["clear", "talker"],
            &["clear", "talker", "nobody"],
            &["clear", "idle"],
            &["tail", "talker"],
        ];
        play(stage, commands);
        stage.ctl_in_any_order(&["signal", "CONT", "all"]);
        stage.ctl_in_any_order(&["clear", "all"]);
    });
}

/// CTL-070…076: tail and maintail.
#[test]
fn ctl_070_tail() {
    compare_crossed(CONFIG, |stage| {
        settle(stage);
        stage.daemon.call("supervisor.clearLog", &[]);
        let commands: &[&[&str]] = &[
            &["tail"],
            &["tail", "talker"],
            &["tail", "talker", "stdout"],
            &["tail", "talker", "STDERR"],
            &["tail", "-3", "talker"],
            &["tail", "-0", "talker"],
            &["tail", "-3", "talker", "stderr"],
            &["tail", "talker", "nonsense"],
            &["tail", "-x", "talker"],
            &["tail", "-f"],
            &["tail", "-3"],
            &["tail", "nobody"],
            &["tail", "pair:*"],
            &["tail", "quiet"],
            &["tail", "a", "b", "c", "d"],
            &["maintail", "nonsense"],
            &["maintail", "-x"],
            &["maintail", "-3", "-4"],
        ];
        play(stage, commands);
    });
}

/// CTL-085…089, CTL-008: pid, version, avail, and what is no command.
#[test]
fn ctl_085_pid_version_avail() {
    compare_crossed(CONFIG, |stage| {
        settle(stage);
        let pid = stage.daemon.ctl(&["pid"]);
        let right = pid.stdout.trim() == stage.daemon.pid().to_string();
        stage.note("pid", &format!("{right} {:?}", pid.status));
        for (name, running) in [("cat", true), ("idle", false), ("pair:pair_01", true)] {
            let said = stage.daemon.ctl(&["pid", name]);
            let right = said.stdout.trim() == stage.daemon.pid_of(name).to_string();
            stage.note("pid of one", &format!("{name} {running} {right} {:?}", said.status));
        }
        let lines =
            stage.daemon.ctl(&["pid", "all"]).stdout.lines().map(|line| line == "0").collect::<Vec<_>>();
        stage.note("pid all", &format!("{lines:?}"));
        let commands: &[&[&str]] = &[
            &["pid", "nobody"],
            &["version"],
            &["version", "x"],
            &["avail"],
            &["avail", "x"],
            &["nonsense"],
            &["nonsense", "with", "words"],
            &["STATUS"],
            &["!ls"],
            &["open", "ftp://x"],
            &["quit"],
            &["exit"],
            &["fg"],
            &["fg", "a", "b"],
            &["fg", "nobody"],
            &["fg", "idle"],
        ];
        play(stage, commands);
    });
}

/// CTL-095…101, CTL-105, CTL-106: what a wrong use of the configuration's commands says.
#[test]
fn ctl_095_usage_of_updates() {
    compare_crossed(CONFIG, |stage| {
        let commands: &[&[&str]] = &[
            &["reread"],
            &["reread", "x"],
            &["add"],
            &["add", "cat"],
            &["add", "nobody"],
            &["remove"],
            &["remove", "cat"],
            &["remove", "nobody"],
            &["remove", "idle"],
            &["add", "idle"],
            &["update"],
            &["update", "all"],
            &["update", "nobody"],
            &["update", "cat"],
            &["reload", "x"],
            &["shutdown", "x"],
        ];
        play(stage, commands);
    });
}

/// CTL-110…130: the help.
#[test]
fn ctl_110_help() {
    compare_crossed("", |stage| {
        let topics = [
            "add", "avail", "clear", "exit", "fg", "help", "maintail", "open", "pid", "quit", "reload",
            "remove", "reread", "restart", "shutdown", "signal", "start", "status", "stop", "tail", "update",
            "version",
        ];
        stage.ctl(&["help"]);
        stage.ctl(&["?"]);
        topics.iter().for_each(|topic| stage.ctl(&["help", topic]));
        stage.ctl(&["help", "nonsense"]);
        stage.ctl(&["help", "EOF"]);
    });
}

/// D-41: with `strict_names` a name is what it is in the original, and nothing else: CTL-060, CTL-066, CTL-086.
#[test]
fn d_041_strict_names() {
    let config = format!("[supervisorctl]\nstrict_names=true\n{CONFIG}");
    compare_crossed(&config, |stage| {
        let commands: &[&[&str]] = &[
            &["status", "pair"],
            &["status", "pair_00"],
            &["status", "c*"],
            &["stop", "pair"],
            &["restart", "pair"],
            &["clear", "pair:*"],
            &["pid", "pair:*"],
            &["tail", "pair"],
        ];
        play(stage, commands);
    });
}

/// CTL-105, CTL-106, CTL-022, CTL-024: reload, shutdown, and what is said when nobody is there any more.
#[test]
fn ctl_106_shutdown() {
    compare_crossed(CONFIG, |stage| {
        settle(stage);
        stage.ctl(&["reload"]);
        settle_again(stage);
        stage.ctl(&["shutdown"]);
        stage.note_end();
        let names = ["status", "pid", "version", "shutdown", "reread", "update", "avail"];
        names.iter().for_each(|name| stage.ctl(&[name]));
        stage.ctl(&["start", "cat"]);
    });
}

fn settle_again(stage: &Stage) {
    let twice = || stage.daemon.log().matches("supervisord started with pid").count() == 2;
    crate::rig::wait::until_true("the daemon to start again", twice);
    settle(stage);
}
