//! A disk that is full: the daemon goes on, says so, counts what is lost, and resumes by itself.

use std::process::{Command, Stdio};

use crate::rig::daemon::{Daemon, member};
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;
use crate::rig::run::plain_environment;
use crate::rig::wait::until_true;

/// A small file system for the logs, seen by the daemon and its children alone.
const INSIDE: &str = "\
set -e
mkdir small
mount -t tmpfs -o size=64k none small
exec bin/supervisord -n -c supervisord.conf
";

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

fn start() -> Daemon {
    let home = Home::new();
    home.write("inside", INSIDE);
    let prelude = "exec unshare --mount --propagation private /bin/sh ./inside";
    let daemon = Daemon::start_after(prelude, home, Maker::Upkeep, PROGRAM);
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
    inside(&daemon, "head -c 1000000 /dev/zero > small/filler || true");
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
