//! Logs that somebody else renames, truncates or deletes while they are written.

use std::fs;

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, member};
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;
use crate::rig::wait::until_true;

/// A program that writes a number every few milliseconds.
fn counting(options: &str) -> String {
    let script = r#"i=0; while :; do i=$((i+1)); printf "%%07d\n" $i; sleep 0.005; done"#;
    format!("[program:count]\ncommand=/bin/sh -c '{script}'\nstopsignal=KILL\nstartsecs=0\n{options}")
}

/// Starts a daemon whose program writes to `logs/count`.
fn start(options: &str) -> Daemon {
    let home = crate::rig::home::Home::new();
    fs::create_dir(home.join("logs")).expect("a directory");
    let body = counting(&format!("stdout_logfile=%(here)s/logs/count\n{options}"));
    let daemon = Daemon::start_in(home, Maker::Upkeep, &body);
    more(&daemon, "logs/count");
    daemon
}

/// Waits until a file has more lines than now.
fn more(daemon: &Daemon, name: &str) {
    let before = daemon.home.read(name).len();
    until_true("more lines", || daemon.home.read(name).len() > before + 80);
}

fn stop(daemon: &Daemon) {
    daemon.call("supervisor.stopProcess", &[Text("count"), Bool(true)]);
    assert_eq!(daemon.state("count").as_deref(), Some("STOPPED"));
}

/// The numbers in these files, one after the other, come without a gap from the first of them on.
fn assert_unbroken(daemon: &Daemon, files: &[&str]) {
    let text: String = files.iter().map(|file| daemon.home.read(file)).collect();
    let first: usize = text.get(..7).and_then(|digits| digits.parse().ok()).expect("a number");
    for (index, line) in text.lines().enumerate() {
        assert_eq!(line, format!("{:07}", first + index), "{files:?}");
    }
}

/// What logrotate does by default, with `postrotate kill -USR2`.
#[test]
fn a_log_that_is_renamed_is_written_on_until_it_is_reopened() {
    let daemon = start("");
    fs::rename(daemon.home.join("logs/count"), daemon.home.join("logs/count.old")).expect("a rename");
    more(&daemon, "logs/count.old");
    assert!(!daemon.home.join("logs/count").exists());
    daemon.signal(Signal::USR2);
    more(&daemon, "logs/count");
    stop(&daemon);
    assert_unbroken(&daemon, &["logs/count.old", "logs/count"]);
    assert_eq!(&daemon.home.read("logs/count.old")[..8], "0000001\n");
}

/// What logrotate does with `copytruncate`: no hole is left where the old bytes were, and nothing else is lost.
#[test]
fn a_log_that_is_truncated_begins_anew() {
    let daemon = start("");
    for _ in 0..3 {
        more(&daemon, "logs/count");
        fs::File::options()
            .write(true)
            .open(daemon.home.join("logs/count"))
            .and_then(|file| file.set_len(0))
            .expect("a truncation");
        more(&daemon, "logs/count");
    }
    stop(&daemon);
    assert_unbroken(&daemon, &["logs/count"]);
}

/// A deleted log is written on, as Supervisor does, and made anew by USR2 and by clearing.
#[test]
fn a_log_that_is_deleted_comes_back_when_asked() {
    let daemon = start("");
    fs::remove_file(daemon.home.join("logs/count")).expect("a removal");
    daemon.signal(Signal::USR2);
    more(&daemon, "logs/count");
    fs::remove_file(daemon.home.join("logs/count")).expect("a removal");
    daemon.call("supervisor.clearProcessLogs", &[Text("count")]);
    more(&daemon, "logs/count");
    stop(&daemon);
    assert_unbroken(&daemon, &["logs/count"]);
}

/// Neither reopening nor rotating nor clearing works without the folder; the program writes on into the open file.
#[test]
fn a_folder_that_is_deleted_costs_nothing_but_what_lay_there() {
    let daemon = start("stdout_logfile_maxbytes=1000\nstdout_logfile_backups=2\n");
    let held = fs::File::open(daemon.home.join("logs/count")).expect("the open log");
    fs::remove_dir_all(daemon.home.join("logs")).expect("a removal");
    daemon.wait_log("could not be rotated: No such file or directory");
    daemon.signal(Signal::USR2);
    daemon.wait_log("could not be reopened: No such file or directory");
    let fault = daemon.call("supervisor.clearProcessLogs", &[Text("count")]);
    assert!(fault.contains("FAILED"), "{fault}");
    assert!(held.metadata().expect("a file").len() > 0);
    assert!(!daemon.call("upkeep.getLogLosses", &[]).contains("struct"));
    fs::create_dir(daemon.home.join("logs")).expect("a directory");
    daemon.signal(Signal::USR2);
    until_true("the new log", || !daemon.home.read("logs/count").is_empty());
    until_true("a rotation", || daemon.home.join("logs/count.1").exists());
    stop(&daemon);
    assert_unbroken(&daemon, &["logs/count.2", "logs/count.1", "logs/count"]);
}

/// A daemon that comes up while the folder is missing opens the log of a running program as soon as it can.
#[test]
fn a_folder_that_is_missing_when_the_daemon_dies_is_used_when_it_is_back() {
    let daemon = start("");
    fs::remove_dir_all(daemon.home.join("logs")).expect("a removal");
    let pid = daemon.pid_of("count");
    daemon.kill_brain();
    daemon.wait_log("logs/count': No such file or directory; its lines are dropped");
    let status = daemon.upkeep(&["status"]).stdout;
    assert!(status.contains(" dropped (No such file or directory)\n"), "{status}");
    fs::create_dir(daemon.home.join("logs")).expect("a directory");
    more(&daemon, "logs/count");
    assert_eq!(daemon.pid_of("count"), pid);
    stop(&daemon);
    assert_unbroken(&daemon, &["logs/count"]);
    let losses = daemon.call("upkeep.getLogLosses", &[]);
    assert_eq!(member(&losses, "dropping").as_deref(), Some("0"), "{losses}");
}
