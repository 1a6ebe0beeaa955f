//! A disk that is full or read-only: the daemon goes on, says so, counts what is lost, and resumes by itself.

use std::process::{Command, Stdio};

use crate::rig::daemon::{Daemon, member};
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;
use crate::rig::run::plain_environment;
use crate::rig::wait::until_true;

/// A small file system for the logs, seen by the daemon and its children alone.
const MOUNT: &str = "\
set -e
mkdir small
mount -t tmpfs -o size=64k none small
";
/// Fills it.
const FILL: &str = "head -c 1000000 /dev/zero > small/filler 2> /dev/null || true";

const PROGRAM: &str = "\
[program:count]
command=/bin/sh -c 'i=0; while :; do i=$((i+1)); printf \"%%07d\\n\" $i; sleep 0.005; done'
stdout_logfile=%(here)s/small/log
stdout_logfile_maxbytes=0
stopsignal=KILL
[program:other]
command=/bin/sh -c 'while :; do echo x; sleep 0.02; done'
stdout_logfile=%(here)s/other
";

/// Starts a daemon for which `small` is a small file system, after `script` has run there.
fn start_with(script: &str, config: &str) -> Daemon {
    let home = Home::new();
    home.write("inside", &format!("{MOUNT}{script}\nexec bin/supervisord -n -c supervisord.conf\n"));
    let prelude = "exec unshare --mount --propagation private /bin/sh ./inside";
    Daemon::start_after(prelude, home, Maker::Upkeep, config)
}

fn start() -> Daemon {
    let daemon = start_with("", PROGRAM);
    daemon.wait("RUNNING", &["count", "other"]);
    daemon
}

/// Runs a command where the daemon sees its file systems; returns what it prints.
fn inside(daemon: &Daemon, script: &str) -> String {
    let mut command = Command::new("nsenter");
    plain_environment(&mut command);
    let pid = daemon.pid().to_string();
    let output = command
        .args(["--target", &pid, "--mount", "--wd", "/bin/sh", "-c"])
        .arg(format!("cd {}; {script}", daemon.home.path().display()))
        .stdin(Stdio::null())
        .output()
        .expect("nsenter");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the log says was dropped in all.
fn dropped(log: &str) -> usize {
    let counts = log
        .lines()
        .filter_map(|line| line.split(" works again; ").nth(1)?.split(' ').next()?.parse::<usize>().ok());
    counts.sum()
}

/// Every byte that was written is in the log or was counted; others are not disturbed; the API answers all the time.
#[test]
fn a_full_disk_costs_what_is_counted_and_nothing_else() {
    let daemon = start();
    until_true("some lines", || daemon.home.join("other").exists() && size(&daemon) > 80);
    inside(&daemon, FILL);
    daemon.wait_log("cannot write log file");
    assert!(daemon.log().contains("No space left on device; its lines are dropped"), "{}", daemon.log());
    let others = daemon.home.read("other").lines().count();
    until_true("the other's lines", || daemon.home.read("other").lines().count() > others + 3);
    assert_eq!(daemon.state("count").as_deref(), Some("RUNNING"));
    let status = daemon.upkeep(&["status"]).stdout;
    assert!(status.contains(" dropped (No space left on device)\n"), "{status}");
    inside(&daemon, "rm small/filler");
    daemon.wait_log(" works again; ");
    let before = size(&daemon);
    until_true("new lines", || size(&daemon) > before + 80);
    daemon.call("supervisor.stopProcess", &[Text("count"), Bool(true)]);
    let log = inside(&daemon, "cat small/log");
    let last: usize = log.lines().last().and_then(|line| line.parse().ok()).expect("a number");
    assert_eq!(log.len() + dropped(&daemon.log()), last * 8, "{}", daemon.log());
    let losses = daemon.call("upkeep.getLogLosses", &[]);
    assert_eq!(member(&losses, "dropped"), Some(dropped(&daemon.log()).to_string()));
    assert_eq!(member(&losses, "dropping").as_deref(), Some("0"));
    assert!(!daemon.upkeep(&["status"]).stdout.contains("No space"));
    assert!(!daemon.ctl(&["status"]).stdout.contains("dropped"));
    daemon.call("supervisor.clearProcessLogs", &[Text("count")]);
    assert!(!daemon.call("upkeep.getLogLosses", &[]).contains("struct"), "an empty log lacks nothing");
}

fn size(daemon: &Daemon) -> usize {
    inside(daemon, "wc -c < small/log").trim().parse().expect("a size")
}

/// The daemon's own log is no exception; what it could not say is counted like the rest.
#[test]
fn the_daemons_own_log_may_be_on_a_full_disk() {
    let config = "\
[supervisord]
logfile=%(here)s/small/own
[program:cat]
command=/bin/cat
stdout_logfile=%(here)s/cat
startsecs=0
";
    let daemon = start_with(FILL, config);
    daemon.wait("RUNNING", &["cat"]);
    let status = daemon.upkeep(&["status"]);
    assert!(status.stderr.starts_with("warning: ") && status.stderr.contains("small/own: "), "{status:?}");
    assert!(status.stderr.contains("dropped (No space left on device)"), "{status:?}");
    assert!(status.stdout.starts_with("cat   RUNNING "), "{status:?}");
    assert!(daemon.home.read("foreground").contains("its lines are dropped until it works again"));
    inside(&daemon, "rm small/filler");
    daemon.call("supervisor.stopProcess", &[Text("cat"), Bool(true)]);
    until_true("the log to be written", || inside(&daemon, "cat small/own").contains(" works again; "));
    assert!(!inside(&daemon, "cat small/own").contains("supervisord started"));
}

/// No room for the pid file: it is written when there is.
#[test]
fn a_pid_file_is_written_when_there_is_room() {
    let config = "[supervisord]\npidfile=%(here)s/small/pid\n";
    let mut daemon = start_with(FILL, config);
    assert!(daemon.log().contains("CRIT could not write pidfile "), "{}", daemon.log());
    inside(&daemon, "rm small/filler");
    daemon.wait_log("small/pid is written now");
    assert_eq!(inside(&daemon, "cat small/pid"), format!("{}\n", daemon.pid()));
    daemon.call("supervisor.shutdown", &[]);
    assert_eq!(daemon.wait_for_end(), Some(0));
}

/// What is there instead of a pid file that could not be written is not removed at the end.
#[test]
fn a_pid_file_that_cannot_be_written_stops_nobody() {
    let config = "[supervisord]\npidfile=%(here)s/pid\n[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";
    let mut daemon = start_with(&format!("ln -s small/pid pid; {FILL}"), config);
    daemon.wait("RUNNING", &["cat"]);
    assert!(daemon.log().contains("CRIT could not write pidfile "), "{}", daemon.log());
    assert_eq!(daemon.home.read("small/pid"), "");
    daemon.kill_brain();
    daemon.wait("RUNNING", &["cat"]);
    daemon.call("supervisor.shutdown", &[]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert!(daemon.home.path().join("pid").is_symlink(), "it was never ours");
}

#[test]
fn a_read_only_disk_fails_starts_until_it_is_writable() {
    let config = "\
[program:late]
command=/bin/cat
stdout_logfile=%(here)s/small/late
autostart=false
startsecs=0
startretries=0
[program:other]
command=/bin/cat
stdout_logfile=%(here)s/other
startsecs=0
";
    let daemon = start_with("mount -o remount,ro small", config);
    daemon.wait("RUNNING", &["other"]);
    assert_eq!(daemon.ctl(&["start", "late"]).stdout, "late: ERROR (spawn error)\n");
    assert!(daemon.upkeep(&["status", "late"]).stdout.contains("EROFS"));
    inside(&daemon, "mount -o remount,rw small");
    assert_eq!(daemon.ctl(&["start", "late"]).stdout, "late: started\n");
    assert!(inside(&daemon, "ls small").contains("late"));
}

/// A fifo without a reader: what nobody reads is dropped and counted, and a reader gets what comes then.
#[test]
fn a_log_that_nobody_reads_is_counted() {
    let home = Home::new();
    let path = home.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a fifo");
    let config = "\
[program:talks]
command=/bin/sh -c 'while :; do echo x; sleep 0.01; done'
stdout_logfile=%(here)s/fifo
stdout_logfile_maxbytes=0
stopsignal=KILL
startsecs=0
";
    let daemon = Daemon::start_in(home, Maker::Upkeep, config);
    let status = || daemon.upkeep(&["status"]).stdout;
    until_true("a loss", || status().contains(" dropped (No such device or address)\n"));
    let mut reader = std::fs::File::open(&path).expect("the fifo");
    let mut line = [0; 2];
    std::io::Read::read_exact(&mut reader, &mut line).expect("a line");
    assert_eq!(&line, b"x\n");
    daemon.wait_log(" works again; ");
    assert!(status().ends_with(" dropped\n"), "{}", status());
}
