//! Logs that grow, and how following them ends (CTL-074, CTL-075).

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use upkeep_api::ProcessState;

use crate::reference::{Daemon, Side, command};

const PROGRAMS: &str = "[program:talk]\ncommand=/bin/sh -c \"echo ready; exec cat\"\nstartsecs=0\n\
    [program:nolog]\ncommand=/bin/cat\nstdout_logfile=NONE\nstartsecs=0\n\
    [program:left]\ncommand=/bin/sh -c \"echo ready; exec cat\"\nstartsecs=0\n[group:g]\nprograms=left\n";

fn daemon() -> Daemon {
    let daemon = Daemon::start(PROGRAMS);
    for name in ["talk", "nolog", "g:left"] {
        daemon.wait_state(name, ProcessState::Running);
    }
    daemon
}

fn follow(daemon: &Daemon, side: Side, args: &[&str]) -> Child {
    let all: Vec<&str> = ["-c", "c.conf"].iter().chain(args).copied().collect();
    command(daemon.dir.path(), side, &all).stdout(Stdio::piped()).spawn().expect("start the client")
}

/// Ctrl-C, as a terminal sends it.
fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

#[test]
fn until_ctrl_c_ctl_074() {
    let daemon = daemon();
    for args in [["tail", "-f", "talk"], ["tail", "-f", "left"]] {
        let mut child = follow(&daemon, Side::Ours, &args);
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = || {
            let mut text = String::new();
            lines.read_line(&mut text).expect("line");
            text
        };
        assert_eq!(line(), "==> Press Ctrl-C to exit <==\n");
        assert_eq!(line(), "ready\n", "{args:?}");
        let name = if args.contains(&"left") { "g:left" } else { "talk" };
        daemon.client().send_process_stdin(name, "new ✓\n").expect("stdin");
        while line() != "new ✓\n" {}
        interrupt(&child);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).expect("rest");
        assert_eq!(rest, "\n", "{args:?}");
        assert_eq!(child.wait().expect("wait").code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_log_that_is_not_there_ctl_075() {
    let daemon = daemon();
    for args in [["tail", "-f", "nolog"], ["tail", "-f", "zzz"]] {
        let all: Vec<&str> = ["-c", "c.conf"].into_iter().chain(args).collect();
        let [theirs, ours] = [Side::Reference, Side::Ours].map(|side| daemon.run(side, &all, ""));
        assert_eq!(ours, theirs, "{args:?}");
    }
}

#[test]
fn the_main_log_ctl_076() {
    let daemon = daemon();
    let mut child = follow(&daemon, Side::Ours, &["maintail", "-f"]);
    let mut lines =
        BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("line"));
    assert_eq!(lines.next().as_deref(), Some("==> Press Ctrl-C to exit <=="));
    daemon.client().stop_process("talk").expect("stop");
    assert!(lines.any(|line| line.contains("stopped: talk")));
    interrupt(&child);
    assert_eq!(child.wait().expect("wait").code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let daemon = daemon();
    let mut child = follow(&daemon, Side::Ours, &["tail", "-f", "talk"]);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.next().is_some());
    drop(lines);
    let deadline = std::time::Instant::now() + crate::reference::PATIENCE;
    while child.try_wait().expect("wait").is_none() {
        assert!(std::time::Instant::now() < deadline);
        daemon.client().send_process_stdin("talk", "more\n").expect("stdin");
    }
}
