//! The daemon is killed; what became of the children's output?

use std::fs;

use crate::rig::daemon::Daemon;
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::wait::until_true;

/// What the children here write: the lines 1, 2, 3 … up to `last`.
fn count_to(last: usize) -> String {
    (1..=last).map(|number| format!("{number}\n")).collect()
}

/// The logs must hold the beginning of `written`, nothing missing and nothing twice; returns where they end.
fn assert_in_order(daemon: &Daemon, files: &[&str], written: &str) -> usize {
    let logged: String = files.iter().map(|file| daemon.home.read(file)).collect();
    let same = logged.bytes().zip(written.bytes()).take_while(|(left, right)| left == right).count();
    let near = logged.get(same..logged.len().min(same + 40)).unwrap_or_default();
    assert_eq!(same, logged.len(), "{files:?}: at byte {same} comes {near:?}");
    same
}

/// A steady trickle, killed ten times.
#[test]
fn a_trickle_goes_on() {
    let config = "\
[program:count]
command=/bin/sh -c 'trap \"exit 0\" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.005; done'
stdout_logfile=%(here)s/count
[program:errors]
command=/bin/sh -c 'trap \"exit 0\" TERM; i=0; while :; do i=$((i+1)); echo $i >&2; sleep 0.005; done'
stderr_logfile=%(here)s/errors
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["count", "errors"]);
    for _ in 0..10 {
        let lines = daemon.home.read("count").lines().count();
        daemon.kill_brain();
        until_true("more output", || daemon.home.read("count").lines().count() > lines + 5);
    }
    daemon.call("supervisor.stopAllProcesses", &[]);
    let written = count_to(100_000);
    for file in ["count", "errors"] {
        let end = assert_in_order(&daemon, &[file], &written);
        assert!(end > 150, "{file} ends at byte {end}");
    }
}

/// As much as a child can write, killed while it pours, rotation included.
#[test]
fn a_flood_goes_on() {
    let config = "\
[program:flood]
command=/bin/sh -c 'read go; seq 1 1000000; echo END >&2; exec cat'
stdout_logfile=%(here)s/flood
stdout_logfile_maxbytes=2MB
stdout_logfile_backups=9
stderr_logfile=%(here)s/flood.err
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["flood"]);
    daemon.call("supervisor.sendProcessStdin", &[Text("flood"), Text("go\n")]);
    while !daemon.home.read("flood.err").contains("END") {
        daemon.kill_brain();
    }
    daemon.call("supervisor.stopProcess", &[Text("flood")]);
    let names: Vec<String> =
        (1..10).rev().map(|n| format!("flood.{n}")).chain(["flood".to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let written = count_to(1_000_000);
    assert_eq!(assert_in_order(&daemon, &names, &written), written.len());
}

/// Whole pipes at once, killed while they are under way from the pipe to the log.
#[test]
fn a_torrent_goes_on() {
    const TIMES: usize = 20;
    let config = "\
[program:torrent]
command=/bin/sh -c 'seq 1 1000000 >all; read go; for i in $(seq TIMES); do cat all; done; echo END >&2; exec cat'
directory=%(here)s
stdout_logfile=%(here)s/torrent
stdout_logfile_maxbytes=0
stderr_logfile=%(here)s/torrent.err
"
    .replace("TIMES", &TIMES.to_string());
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["torrent"]);
    daemon.call("supervisor.sendProcessStdin", &[Text("torrent"), Text("go\n")]);
    while !daemon.home.read("torrent.err").contains("END") {
        daemon.kill_brain();
    }
    daemon.call("supervisor.stopProcess", &[Text("torrent")]);
    let (all, logged) = (daemon.home.read("all"), daemon.home.read("torrent"));
    assert_eq!(logged.len(), all.len() * TIMES);
    let at = logged.as_bytes().chunks(all.len()).position(|part| part != all.as_bytes());
    assert_eq!(at, None, "in this repetition something is out of place");
}

/// What goes from the pipe to the log is held by whichever keeper there is.
#[test]
fn another_keeper_holds_what_is_under_way() {
    let config =
        "[program:wide]\ncommand=/bin/sh -c 'seq 1 100000; exec cat'\nstdout_logfile=%(here)s/wide\n";
    let mut daemon = Daemon::start(Maker::Upkeep, config);
    for _ in 0..2 {
        let keeper = daemon.keeper();
        until_true("the keeper holds it", || holds(keeper, "memfd:passage"));
        daemon.kill_keeper();
    }
}

fn holds(pid: i32, what: &str) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.any(|link| link.to_string_lossy().contains(what))
}

/// What a child writes last, while nobody reads, is in the log before its end is told.
#[test]
fn last_words_are_kept() {
    let config = "\
[program:brief]
command=/bin/sh -c 'read go; seq 1 1000; exit 5'
stdout_logfile=%(here)s/brief
startsecs=0
autorestart=false
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["brief"]);
    daemon.call("supervisor.sendProcessStdin", &[Text("brief"), Text("go\n")]);
    daemon.kill_brain();
    daemon.wait("EXITED", &["brief"]);
    let written = count_to(1000);
    assert_eq!(assert_in_order(&daemon, &["brief"], &written), written.len());
}

/// Standard input stays connected: what is sent after a death arrives.
#[test]
fn standard_input_stays_connected() {
    let config = "[program:cat]\ncommand=/bin/cat\nstdout_logfile=%(here)s/echo\n";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["cat"]);
    for word in ["one", "two", "three"] {
        daemon.call("supervisor.sendProcessStdin", &[Text("cat"), Text(&format!("{word}\n"))]);
        daemon.wait_file("echo", word);
        daemon.kill_brain();
    }
    assert_eq!(daemon.home.read("echo"), "one\ntwo\nthree\n");
}
