//! `--log-prefix`: the lines of all children on one standard output.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{ChildStdout, Stdio};

use rustix::process::Signal;

use super::{Guard, ends, foreground, home, start};
use crate::rig::http::{self, Arg::Text};
use crate::rig::procfs;
use crate::rig::run::ended;
use crate::rig::wait::{PATIENCE, until, until_true};

/// Programs that write `NUMBER of NAME` in two pieces, odd lines to standard output and even ones to standard error. Some
/// second pieces come late.
const WRITER: &str = "\
command=/bin/sh -c 'read go < go; i=0; while [ $i -lt 100 ]; do i=$((i+1)); \
if [ $((i%%2)) = 1 ]; then exec 3>&1; else exec 3>&2; fi; printf \"$i of \" >&3; \
[ $((i%%25)) = 0 ] && sleep 0.01; echo $SUPERVISOR_PROCESS_NAME >&3; done; printf \"last of $SUPERVISOR_PROCESS_NAME\"'
directory=%(here)s
startsecs=0
autorestart=false
";

/// The lines that programs wrote, by the name before them. Lines of the daemon's own log have none.
fn by_name(output: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines = BTreeMap::<String, Vec<String>>::new();
    for line in output.lines() {
        if let Some((name, text)) = line.split_once(" | ") {
            lines.entry(name.trim_end().to_owned()).or_default().push(text.to_owned());
        } else {
            assert!(is_own(line), "{line:?}");
        }
    }
    lines
}

/// Whether this is a line of the daemon's own log, or what it says before there is one.
fn is_own(line: &str) -> bool {
    let level = |word| ["INFO", "WARN", "CRIT", "ERRO"].contains(&word);
    line.split(' ').nth(2).is_some_and(level) || line.contains("UserWarning") || line.starts_with("  ")
}

/// A hundred programs at once: every line is whole, in order, there once, and behind the right name.
#[test]
fn lines_of_a_hundred_programs_do_not_mix() {
    let home = home(&format!("[program:w]\nprocess_name=w_%(process_num)02d\nnumprocs=100\n{WRITER}"));
    let status = std::process::Command::new("mkfifo").arg(home.join("go")).status().expect("mkfifo");
    assert!(status.success());
    let mut starter = std::fs::File::options().read(true).write(true).open(home.join("go")).expect("a fifo");
    std::io::Write::write_all(&mut starter, "go\n".repeat(100).as_bytes()).expect("words");
    let said = ends(&home, &["--log-prefix", "--exit-when", "all-exited"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let lines = by_name(&said.stdout);
    assert_eq!(lines.len(), 100);
    for number in 0..100 {
        let name = format!("w_{number:02}");
        let found = &lines[&format!("w:{name}")];
        assert_eq!(found.len(), 101, "{name}: {found:?}");
        for (rest, what) in [(1, "stdout"), (0, "stderr")] {
            let wanted: Vec<String> =
                (1..=100).filter(|i| i % 2 == rest).map(|i| format!("{i} of {name}")).collect();
            let numbered = |line: &&String| line.split(' ').next().and_then(|n| n.parse().ok());
            let of_channel: Vec<String> = found
                .iter()
                .filter(|line| numbered(line).is_some_and(|number: u32| number % 2 == rest))
                .cloned()
                .collect();
            assert_eq!(of_channel, wanted, "{name} {what}");
        }
        assert!(found.contains(&format!("last of {name}")), "{found:?}");
    }
}

/// Whatever the log settings are, each line comes once; a log file has it too, as it was written; names are aligned; the
/// words that a listener says to its pool are left out.
#[test]
fn each_line_comes_once_whatever_its_log_is() {
    let job = |name: &str, log: &str| {
        format!(
            "[program:{name}]\ncommand=/bin/sh -c 'echo out; echo err >&2'\nstartsecs=0\nautorestart=false\n{log}\n"
        )
    };
    let config = [
        job("auto", ""),
        job("none", "stdout_logfile=NONE\nstderr_logfile=NONE"),
        job("standard", "stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstderr_logfile=/dev/stderr"),
        job("numbered", "stdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\nredirect_stderr=true"),
        job("filed", "stdout_logfile=%(here)s/filed.log\nredirect_stderr=true"),
        "[eventlistener:hears]\ncommand=/bin/sh -c 'echo READY; echo heard >&2; exec cat'\nevents=TICK_3600\n"
            .to_owned(),
        "[group:duo]\nprograms=auto\n[supervisord]\nlog_prefix=true\n".to_owned(),
    ]
    .concat();
    let home = home(&config);
    let said = ends(&home, &["--exit-when", "all-exited"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let mut lines: Vec<&str> = said.stdout.lines().filter(|line| line.contains(" | ")).collect();
    lines.sort_unstable();
    let names = ["duo:auto", "filed", "none", "numbered", "standard"];
    let mut wanted: Vec<String> =
        names.iter().flat_map(|name| [format!("{name:8} | err"), format!("{name:8} | out")]).collect();
    wanted.push("hears    | heard".to_owned());
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    assert_eq!(home.read("filed.log"), "out\nerr\n");
}

/// Reads until the other end is closed.
fn rest_of(mut output: ChildStdout) -> String {
    let mut text = Vec::new();
    output.read_to_end(&mut text).expect("output");
    String::from_utf8_lossy(&text).into_owned()
}

const FLOOD: &str = "\
[program:flood]
command=/bin/sh -c 'seq 1000000 1999999; echo done > finished; read go; echo after; echo again >> finished; exec cat'
directory=%(here)s
stdout_logfile=%(here)s/flood.log
stdout_logfile_maxbytes=0
";

/// Nobody reads: the program and its log go on, calls are answered, and what is dropped is counted and said. Then
/// somebody reads on: only whole lines.
#[test]
fn a_reader_that_stands_still_stops_nobody() {
    let home = home(FLOOD);
    let mut command = foreground(&home, &["bin/upkeep", "run", "-c", "supervisord.conf", "--log-prefix"]);
    let mut guard = Guard(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a daemon"));
    until_true("the flood's end", || home.read("finished").contains("done"));
    let call = |method: &str, args: &[_]| http::call(&home.join("sock"), method, args).expect("an answer");
    assert!(call("supervisor.getState", &[]).contains("RUNNING"));
    until_true("the last line in the log", || home.read("flood.log").ends_with("1999999\n"));
    assert_eq!(home.read("flood.log").lines().count(), 1_000_000);
    until_true("the loss to be told", || call("upkeep.getLogLosses", &[]).contains("/dev/stdout"));
    assert!(home.read("supervisord.log").contains("cannot write log file '/dev/stdout'"));
    let output = guard.0.stdout.take().expect("its output");
    let reader = std::thread::spawn(move || rest_of(output));
    until_true("an end of the loss", || home.read("supervisord.log").contains("'/dev/stdout' works again"));
    call("supervisor.sendProcessStdin", &[Text("flood"), Text("go\n")]);
    until_true("the answer", || home.read("flood.log").ends_with("after\n"));
    procfs::signal(i32::try_from(guard.0.id()).expect("a pid"), Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)));
    let lines = by_name(&reader.join().expect("the reader"));
    let found = &lines["flood"];
    assert!(found.len() < 1_000_000 && found.len() > 1000, "{}", found.len());
    assert_eq!(found.last().map(String::as_str), Some("after"));
    let whole = |line: &String| line.len() == 7 && line.starts_with('1');
    assert!(found[..found.len() - 1].iter().all(whole));
}

/// The reader goes away: nothing ends, and the log has everything.
#[test]
fn a_reader_that_goes_away_ends_nobody() {
    let home = home(FLOOD);
    let mut command = foreground(&home, &["bin/upkeep", "run", "-c", "supervisord.conf", "--log-prefix"]);
    let mut guard = Guard(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a daemon"));
    let mut output = guard.0.stdout.take().expect("its output");
    output.read_exact(&mut [0; 100]).expect("a beginning");
    drop(output);
    until_true("the flood's end", || home.read("flood.log").ends_with("1999999\n"));
    let call = |method: &str, args: &[_]| http::call(&home.join("sock"), method, args).expect("an answer");
    call("supervisor.sendProcessStdin", &[Text("flood"), Text("go\n")]);
    until_true("the answer", || home.read("flood.log").ends_with("after\n"));
    assert_eq!(home.read("flood.log").lines().count(), 1_000_001);
    procfs::signal(i32::try_from(guard.0.id()).expect("a pid"), Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)));
}

/// The daemon is killed, and later all its lines still have their names.
#[test]
fn names_outlive_the_daemon() {
    let home = home(
        "[program:cat]\ncommand=/bin/sh -c 'echo first; exec cat'\n\
         [program:steady]\ncommand=/bin/sh -c 'while :; do echo tick; sleep 0.01; done'\n",
    );
    let mut guard = Guard(start(&home, &["bin/upkeep", "run", "-c", "supervisord.conf", "--log-prefix"]));
    until_true("the first line", || home.read("foreground").contains("cat    | first\n"));
    let keeper = i32::try_from(guard.0.id()).expect("a pid");
    for word in ["second\n", "third\n"] {
        let brain = until("the deciding process", || procfs::brain(keeper));
        procfs::signal(brain, Signal::KILL);
        until_true("another one", || procfs::brain(keeper).is_some_and(|pid| pid != brain));
        let send =
            || http::call(&home.join("sock"), "supervisor.sendProcessStdin", &[Text("cat"), Text(word)]);
        until("its answer", || send().ok());
        until_true("the line", || home.read("foreground").contains(&format!("cat    | {word}")));
    }
    procfs::signal(keeper, Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)));
    let lines = by_name(&home.read("foreground"));
    assert!(lines["steady"].iter().all(|line| line == "tick"), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
}
