//! The daemon's own log: text and order of the lines, process by process.

use crate::rig::daemon::member;
use crate::rig::http::Arg::{Int, Text};
use crate::rig::stage::compare;

/// PROC-301…310, PROC-012…021, PROC-050, PROC-051: every way a process can end.
#[test]
fn proc_301_lives_of_processes() {
    let config = "\
[program:steady]
command=/bin/cat
[program:graceful]
command=/bin/sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.1; done'
stopasgroup=true
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'
stopwaitsecs=1
killasgroup=true
[program:hasty]
command=/bin/sh -c 'exit 1'
startretries=1
[program:missing]
command=/no/such/program
startretries=1
[program:done]
command=/bin/sh -c 'sleep 2; exit 0'
[program:failed]
command=/bin/sh -c 'sleep 2; exit 7'
autorestart=false
[program:killed]
command=/bin/sh -c 'sleep 2; kill -9 $$'
autorestart=false
[program:two]
command=/bin/sh -c 'sleep 2; exit 2'
exitcodes=0,2
";
    let names = ["steady", "graceful", "deaf", "hasty", "missing", "done", "failed", "killed", "two"];
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["steady", "graceful", "deaf"]);
        stage.daemon.wait("FATAL", &["hasty", "missing"]);
        stage.daemon.wait("EXITED", &["done", "failed", "killed", "two"]);
        for name in ["steady", "graceful", "deaf"] {
            stage.ctl(&["stop", name]);
        }
        stage.call("supervisor.getAllProcessInfo", &[]);
        stage.note_log(&names);
    });
}

/// PROC-018, PROC-305: a process that ended is started again at once, an unexpected end is a warning.
/// PROC-168: with `silent` nothing of it is shown in the foreground.
#[test]
fn proc_018_autorestart() {
    let config = "\
[supervisord]
silent=true
[program:again]
command=/bin/sh -c 'test -e %(here)s/second && exec cat; touch %(here)s/second; sleep 2; exit 3'
[program:always]
command=/bin/sh -c 'test -e %(here)s/third && exec cat; touch %(here)s/third; sleep 2; exit 0'
autorestart=true
";
    compare(config, |stage| {
        for name in ["again", "always"] {
            let line = format!("exited: {name} (exit status");
            stage.daemon.wait_log(&line);
            let again = format!("success: {name} entered RUNNING");
            crate::rig::wait::until_true("the second start", || {
                stage.daemon.log().matches(&again).count() == 2
            });
        }
        stage.note_log(&["again", "always"]);
        let shown = stage.daemon.home.read("foreground");
        stage.note("shown", &shown);
    });
}

/// PROC-206, PROC-209, PROC-210, PROC-241, PROC-243, CFG-256: start and end of the daemon itself.
#[test]
fn proc_210_start_and_end() {
    compare("[program:cat]\ncommand=/bin/cat\n", |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        stage.call("supervisor.shutdown", &[]);
        stage.note_end();
        stage.note_log(&["cat"]);
        for name in ["sock", "supervisord.pid"] {
            let there = stage.daemon.home.join(name).exists();
            stage.note(name, &there.to_string());
        }
        let shown = stage.daemon.home.read("foreground");
        let copied = shown.lines().filter(|line| !line.starts_with("Unlinking")).count();
        stage.note(
            "the log is copied to standard output",
            &(copied == stage.daemon.log().lines().count()).to_string(),
        );
    });
}

/// PROC-309: while a client waits for a stop.
#[test]
fn proc_309_waiting_for_a_stop() {
    let config = "\
[program:slow]
command=/bin/sh -c 'trap \"sleep 3; exit 0\" TERM; while :; do sleep 0.1; done'
";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["slow"]);
        stage.ctl(&["stop", "slow"]);
        let waited = stage.daemon.log().matches("INFO waiting for slow to stop\n").count();
        stage.note("said so at once and after two seconds", &waited.to_string());
        stage.note_log(&["slow"]);
    });
}

/// PROC-311, PROC-312, PROC-169: lines that only `loglevel=debug` shows.
#[test]
fn proc_311_debug_lines() {
    let config = "\
[supervisord]
loglevel=debug
[program:talker]
command=/bin/sh -c 'echo hello; echo oops >&2; exec cat'
[program:binary]
command=/bin/sh -c 'printf \"\\377\\001x\"; exec cat'
[program:team]
command=/bin/cat
stopasgroup=true
";
    let wanted = ["killing ", "sending ", "output:", "hello", "oops", "Undecodable"];
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["talker", "team", "binary"]);
        for words in [["signal", "CONT", "talker"], ["signal", "0", "team"]] {
            stage.ctl(&words);
        }
        stage.ctl(&["stop", "talker"]);
        stage.ctl(&["stop", "team"]);
        let log = stage.daemon.log();
        let (binary, others) = log
            .lines()
            .filter(|line| wanted.iter().any(|part| line.contains(part)))
            .partition::<Vec<_>, _>(|line| line.contains("binary") || line.contains("Undecodable"));
        stage.note("debug lines", &others.join("\n"));
        stage.note("of what is no text", &binary.join("\n"));
    });
}

/// RPC-077, RPC-078, PROC-320: the daemon's log by the API: slices of it, and a new file with the last line in the old one.
#[test]
fn rpc_077_log_of_the_daemon() {
    let config = "\
[program:cat]
command=/bin/cat
stdout_logfile=%(here)s/cat.out
stderr_logfile=%(here)s/cat.err
";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        let log = stage.daemon.log();
        for (offset, length, part) in
            [(0, 0, &log[..]), (0, 30, &log[..30]), (40, 9, &log[40..49]), (-25, 0, &log[log.len() - 25..])]
        {
            for method in ["supervisor.readLog", "supervisor.readMainLog"] {
                let read = stage.daemon.call(method, &[Int(offset), Int(length)]);
                let part = part.replace('>', "&gt;");
                assert!(
                    read.contains(&format!("<string>{part}</string>")),
                    "{method} {offset} {length}: {read}"
                );
            }
        }
        stage.call("supervisor.readLog", &[Int(99_999), Int(0)]);
        let home = &stage.daemon.home;
        std::fs::hard_link(home.join("supervisord.log"), home.join("old.log")).expect("a link");
        stage.call("supervisor.clearLog", &[]);
        stage.call("supervisor.clearProcessLogs", &[Text("cat")]);
        stage.call("supervisor.stopProcess", &[Text("cat")]);
        let old = stage.daemon.home.read("old.log");
        let told = old.lines().filter(|line| line.contains("INFO reopening log file")).count();
        stage.note("told in the old one, of both outputs", &told.to_string());
        stage.note_log(&["cat"]);
        std::fs::remove_file(stage.daemon.home.join("supervisord.log")).expect("a removal");
        for (method, args) in [("supervisor.readLog", &[Int(0), Int(0)][..]), ("supervisor.clearLog", &[])] {
            let answer = stage.daemon.call(method, args);
            stage.note(method, &format!("{:?}", member(&answer, "faultString")));
        }
    });
}
