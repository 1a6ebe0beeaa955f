//! What our own log options do, with real processes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use super::receiver::Receiver;
use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::{Home, repository};
use crate::rig::maker::{Maker, reference_python};
use crate::rig::procfs;
use crate::rig::wait::{until, until_true};

/// Writes numbered lines, some hundred kilobytes a second.
const COUNT: &str = "\
[program:count]
command=/bin/sh -c 'i=0; while :; do i=$((i+1)); printf \"%%07d the quick brown fox\\n\" $i; [ $((i %% 100)) -gt 0 ] || sleep 0.01; done'
stdout_logfile=%(here)s/log
stopsignal=KILL
";

/// The old files of `log`, the newest first.
fn old_files(daemon: &Daemon) -> Vec<PathBuf> {
    let mut files: Vec<(u32, PathBuf)> = fs::read_dir(daemon.home.path())
        .expect("a directory")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_prefix("log.")?.to_owned();
            Some((name.strip_suffix(".gz").unwrap_or(&name).parse().ok()?, path))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

/// The text of a file, which gzip itself unpacks if it is packed.
fn unpacked(path: &Path) -> String {
    if path.extension().is_none_or(|ending| ending != "gz") {
        return fs::read_to_string(path).expect("a file");
    }
    let output = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip");
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn set_age(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_modified(SystemTime::now() - age).expect("a time");
}

fn is_unfinished(daemon: &Daemon) -> bool {
    daemon.home.join("log.gz.partial").exists()
}

/// The numbers of lines that follow each other without a gap; panics where they do not.
fn counted(text: &str) -> (u32, u32) {
    let numbers: Vec<u32> = text
        .lines()
        .map(|line| {
            let (number, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            assert_eq!(rest, "the quick brown fox", "{line:?}");
            number.parse().expect("a number")
        })
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "lines are missing, or there twice");
    (numbers[0], numbers[numbers.len() - 1])
}

/// However often the daemon dies while files are rotated and compressed: every line is there once, in order.
#[test]
fn nothing_is_lost_by_a_death_while_old_files_are_compressed() {
    let rules = "stdout_logfile_maxbytes=100KB\nstdout_logfile_backups=200\nstdout_logfile_compress=gzip\n";
    let daemon = Daemon::start(Maker::Upkeep, &format!("{COUNT}{rules}"));
    daemon.wait("RUNNING", &["count"]);
    for packed in 1..=4 {
        until_true("something being compressed", || {
            // One that the last death left is no news.
            let count = old_files(&daemon).len();
            count >= packed && is_unfinished(&daemon) || count > packed * 3
        });
        daemon.kill_brain();
    }
    assert_eq!(daemon.ctl(&["stop", "count"]).stdout, "count: stopped\n");
    until_true("all to be compressed", || {
        let plain = |number: u32| daemon.home.join(&format!("log.{number}")).exists();
        !(1..200).any(plain) && !is_unfinished(&daemon)
    });
    let texts: Vec<String> = old_files(&daemon).iter().rev().map(|path| unpacked(path)).collect();
    assert!(texts.len() >= 4, "{}", texts.len());
    let (first, _) = counted(&format!("{}{}", texts.concat(), daemon.home.read("log")));
    assert_eq!(first, 1);
}

#[test]
fn a_day_is_over_old_files_go_and_update_changes_all_that_while_the_program_runs() {
    let home = Home::new();
    for (name, days) in [("log", 1), ("log.1", 5), ("log.2.gz", 9)] {
        home.write(name, &format!("{name}\n"));
        set_age(&home.join(name), Duration::from_hours(24 * days));
    }
    let body = "[program:cat]\ncommand=/bin/sh -c 'while read -r line; do echo \"$line\"; done'\nstdout_logfile=%(here)s/log\n";
    let rules = "stdout_logfile_rotate=daily\nstdout_logfile_maxage=7d\n";
    let daemon = Daemon::start_in(home, Maker::Upkeep, &format!("{body}{rules}"));
    daemon.wait("RUNNING", &["cat"]);
    until_true("the oldest to go", || !daemon.home.join("log.2.gz").exists());
    let pid = daemon.pid_of("cat");
    say(&daemon, "one");
    daemon.wait_file("log", "one\n");
    assert_eq!((daemon.home.read("log.1"), daemon.home.read("log.2")), ("log\n".into(), "log.1\n".into()));

    let rules = "stdout_logfile_names=dates\nstdout_logfile_maxbytes=1\nstdout_logfile_maxtotal=100\nstdout_logfile_maxage=2d\n";
    daemon.home.write("supervisord.conf", &format!("{HEAD}{body}{rules}"));
    assert_eq!(daemon.ctl(&["update"]).stdout, "cat: updated process group\n");
    until_true("the older to go", || !daemon.home.join("log.2").exists());
    say(&daemon, "two");
    let dated = || {
        let entries = fs::read_dir(daemon.home.path()).expect("a directory");
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find(|name| name.starts_with("log.20"))
    };
    let name = until("a file with a date", dated);
    until_true("both lines", || daemon.home.read(&name) == "one\ntwo\n");
    assert_eq!(daemon.pid_of("cat"), pid, "it runs on");
    assert_eq!(daemon.ctl(&["tail", "cat"]).stdout.trim(), "", "readers see the present file");
}

fn say(daemon: &Daemon, line: &str) {
    use crate::rig::http::Arg::Text;
    daemon.call("supervisor.sendProcessStdin", &[Text("cat"), Text(&format!("{line}\n"))]);
}

/// Nothing that runs with the old keys alone has a second thread for old files. All of them together take no more than they may.
#[test]
fn old_files_are_looked_after_by_a_thread_that_ends() {
    const MOST: u64 = 16 << 10;
    let rules = "stdout_logfile_maxbytes=20KB\nstdout_logfile_backups=100\nstdout_logfile_compress=gzip\nstdout_logfile_maxtotal=16KB\n";
    let daemon = Daemon::start(Maker::Upkeep, &format!("{COUNT}{rules}"));
    until_true("a compressed file", || daemon.home.join("log.1.gz").exists());
    let first = || daemon.home.read("log").split(' ').next().and_then(|number| number.parse::<u32>().ok());
    until_true("some rotations", || first().is_some_and(|number| number > 10_000));
    daemon.ctl(&["stop", "count"]);
    let sizes =
        || old_files(&daemon).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum::<u64>();
    until_true("old files to be small together", || (1..=MOST).contains(&sizes()));
    let brain = daemon.brain().expect("a daemon");
    until_true("the thread to end", || !threads(brain).iter().any(|name| name == "old logs"));
    assert!(procfs::alive(brain));
}

fn threads(pid: i32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("tasks");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(|task| name(task.ok()?)).map(|name| name.trim().to_owned()).collect()
}

/// Says what its standard input says, on both outputs.
const ECHO: &str = "\
[program:cat]
command=/bin/sh -c 'while IFS= read -r line; do printf \"%%b\" \"$line\"; printf \"%%b\" \"$line\" >&2; done'
stdout_logfile=%(here)s/out
stderr_logfile=%(here)s/err
";

fn configure(daemon: &Daemon, body: &str) {
    daemon.home.write("supervisord.conf", &format!("{HEAD}{body}"));
    assert_eq!(daemon.ctl(&["update"]).stdout, "cat: updated process group\n");
}

/// A line that the daemon had read half of when it died is whole in the log, with the time, the process and its pid.
#[test]
fn lines_are_whole_whatever_dies_and_change_their_looks_while_the_program_runs() {
    let rules = "stdout_logfile_format=json\nstderr_logfile_format=timestamps\n";
    let mut daemon = Daemon::start(Maker::Upkeep, &format!("{ECHO}{rules}"));
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    say(&daemon, "one\\nhalf of ");
    daemon.wait_file("out", "\n");
    daemon.wait_file("err", "\n");
    until_held(&daemon, pid);
    daemon.kill_brain();
    until_held(&daemon, pid);
    daemon.kill_keeper();
    say(&daemon, "a \"line\"\\n");
    daemon.wait_file("out", "half of a ");
    daemon.wait_file("err", "half of a ");
    let said: Vec<serde_json::Value> =
        daemon.home.read("out").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let messages: Vec<&str> = said.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, ["one", "half of a \"line\""]);
    for line in &said {
        assert_eq!(
            (&line["group"], &line["process"], &line["channel"], line["pid"].as_i64()),
            (&"cat".into(), &"cat".into(), &"stdout".into(), Some(i64::from(pid)))
        );
        assert!(line["time"].as_str().expect("a time").parse::<jiff::Timestamp>().is_ok(), "{line}");
    }
    let err = daemon.home.read("err");
    let texts: Vec<&str> = err.lines().map(|line| line.split_once(' ').expect("a time").1).collect();
    assert_eq!(texts, ["one", "half of a \"line\""]);

    say(&daemon, "three ");
    until_held(&daemon, pid);
    configure(&daemon, &format!("{ECHO}stdout_logfile_format=timestamps\n"));
    say(&daemon, "times\\nfour\\n");
    daemon.wait_file("out", " four\n");
    daemon.wait_file("err", "times\nfour\n");
    assert!(daemon.home.read("out").contains(" three times\n"), "{}", daemon.home.read("out"));
    assert_eq!(daemon.pid_of("cat"), pid);
    assert_eq!(
        daemon.ctl(&["tail", "cat"]).stdout,
        daemon.home.read("out") + "\n",
        "readers see what is in the file"
    );
}

/// Waits until the keeper has what was read and not written.
fn until_held(daemon: &Daemon, pid: i32) {
    use crate::rig::http::Arg::{Int, Text};
    until_true("the output to be read", || is_read(pid));
    // Answered after all that the log thread has told until then, which was sent before the next answer.
    daemon.call("supervisor.tailProcessStdoutLog", &[Text("cat"), Int(0), Int(0)]);
    daemon.call("supervisor.getState", &[]);
}

/// Whether the pipes of its outputs hold nothing that was not read.
fn is_read(pid: i32) -> bool {
    let pipe = |fd: u32| File::options().read(true).open(format!("/proc/{pid}/fd/{fd}"));
    (1..=2).all(|fd| pipe(fd).is_ok_and(|pipe| rustix::io::ioctl_fionread(&pipe).is_ok_and(|left| left == 0)))
}

#[test]
fn what_is_over_the_limit_is_dropped_counted_and_said_once() {
    let rules = "stdout_rate_limit=10/s burst 20\n";
    let daemon = Daemon::start(Maker::Upkeep, &format!("{ECHO}{rules}"));
    daemon.wait("RUNNING", &["cat"]);
    say(&daemon, &"x\\n".repeat(100));
    daemon.wait_log("'cat' writes more than 10 lines a second to its stdout log");
    daemon.wait_file("err", &"x\n".repeat(100));
    assert_eq!(daemon.home.read("out"), "x\n".repeat(20));
    let status = daemon.upkeep(&["status"]);
    assert!(
        status.stdout.contains("log: 160 bytes dropped (more than 10 lines a second)"),
        "{}",
        status.stdout
    );
    configure(&daemon, ECHO);
    daemon.wait_log("80 lines (160 bytes) were dropped");
    say(&daemon, &"y\\n".repeat(100));
    daemon.wait_file("out", &"y\n".repeat(100));
    assert_eq!(daemon.log().matches("writes more than").count(), 1);
    let status = daemon.upkeep(&["status"]);
    assert!(status.stdout.contains("log: 160 bytes dropped\n"), "{}", status.stdout);

    // The count outlives the daemon, and ends with the file.
    let mut daemon = daemon;
    daemon.kill_brain();
    daemon.kill_keeper();
    daemon.kill_brain();
    let status = daemon.upkeep(&["status"]);
    assert!(status.stdout.contains("log: 160 bytes dropped\n"), "{}", status.stdout);
    assert_eq!(daemon.ctl(&["clear", "cat"]).stdout, "cat: cleared\n");
    daemon.kill_brain();
    let status = daemon.upkeep(&["status"]);
    assert!(!status.stdout.contains("dropped"), "{}", status.stdout);
}

/// What a log lacks concerns nobody any more once it is cleared, whether it is there or not, or once no program has it. The next
/// daemon knows that, too.
#[test]
fn what_a_log_lacks_is_forgotten_with_it() {
    let program = |name: &str, log: &str| {
        let rules = "startsecs=0\nautorestart=false\nstdout_rate_limit=10/s burst 20\n";
        format!(
            "[program:{name}]\ncommand=/bin/sh -c 'yes | head -n 100'\n{rules}stdout_logfile=%(here)s/{log}\n"
        )
    };
    let names = ["cleared", "gone", "moved", "removed", "stays"];
    // Others have the same log: what it lacks does not go with them.
    let sharers = program("shares", "stays") + &program("shared", "stays");
    let daemon = Daemon::start(Maker::Upkeep, &(names.map(|name| program(name, name)).concat() + &sharers));
    daemon.wait("EXITED", &names);
    daemon.wait("EXITED", &["shares", "shared"]);
    let lost = |daemon: &Daemon| {
        let losses = daemon.call("upkeep.getLogLosses", &[]);
        names.into_iter().filter(|name| losses.contains(&format!("/{name}<"))).collect::<Vec<_>>()
    };
    until_true("all of them to be counted", || lost(&daemon) == names);
    fs::remove_file(daemon.home.join("gone")).expect("a log");
    for name in ["cleared", "gone"] {
        assert_eq!(daemon.ctl(&["clear", name]).stdout, format!("{name}: cleared\n"));
    }
    assert_eq!(lost(&daemon), ["moved", "removed", "stays"]);
    let rest = [program("cleared", "cleared"), program("gone", "gone"), program("moved", "elsewhere")];
    let rest = rest.concat() + &program("stays", "stays") + &program("shared", "own");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{rest}"));
    let told = daemon.ctl(&["update"]).stdout;
    assert!(told.contains("removed: removed process group\n"), "{told}");
    until_true("only one to be left", || lost(&daemon) == ["stays"]);
    daemon.kill_brain();
    assert_eq!(lost(&daemon), ["stays"]);
}
/// A syslog server gets each line once and in order, also what was written while it was away; one that never comes holds up nobody.
#[test]
fn lines_reach_servers_that_come_and_go() {
    let home = Home::new();
    let receiver = Receiver::start("receiver.py", &home, None);
    let port = home.read("port");
    let rules = format!(
        "stdout_forward=udp://127.0.0.1:{port},tcp://127.0.0.1:{port},journald://{}/journal.sock\n\
         stderr_forward=journald:///nonexistent/journald\n",
        home.path().display()
    );
    let daemon = Daemon::start_in(home, Maker::Upkeep, &format!("{ECHO}{rules}"));
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    say(&daemon, "one\\ntwo \u{4e2d}\\n");
    let end = format!(" cat {pid} stdout - two \u{4e2d}\n");
    for name in ["udp", "tcp"] {
        daemon.wait_file(name, &end);
        let text = daemon.home.read(name);
        let (first, second) = text.split_once('\n').expect("two lines");
        assert!(
            first.starts_with("<14>1 2") && first.ends_with(&format!(" cat {pid} stdout - one")),
            "{text}"
        );
        assert!(second.starts_with("<14>1 2"), "{text}");
    }
    daemon.wait_file("journal", "MESSAGE=two \u{4e2d} PRIORITY=6 SYSLOG_FACILITY=1 SYSLOG_IDENTIFIER=cat");
    daemon.wait_log("cannot forward lines to journald:///nonexistent/journald: No such file or directory");

    drop(receiver);
    say(&daemon, "three\\n");
    daemon.wait_file("out", "three\n");
    daemon.wait_log(&format!("cannot forward lines to tcp://127.0.0.1:{port}: "));
    let status = daemon.upkeep(&["status"]).stderr;
    assert!(status.contains(&format!("warning: tcp://127.0.0.1:{port}: 0 bytes dropped (")), "{status}");
    let _receiver = Receiver::start("receiver.py", &daemon.home, Some(&port));
    daemon.wait_file("tcp", " stdout - three\n");
    daemon.wait_log(&format!("lines are forwarded to tcp://127.0.0.1:{port} again; 0 bytes were dropped"));
    assert_eq!(daemon.home.read("tcp").lines().count(), 3);

    // More than can wait for a journald that is not there: the program is not held up.
    let brain = daemon.brain().expect("a daemon");
    say(&daemon, &format!("{}\\n", "x".repeat(2000)).repeat(20));
    until_true("lines to be dropped", || {
        say(&daemon, &format!("{}\\n", "x".repeat(2000)).repeat(20));
        daemon.log().contains("lines for journald:///nonexistent/journald are dropped: too many of them wait")
    });
    assert!(threads(brain).iter().any(|name| name == "forward"));
    configure(&daemon, ECHO);
    until_true("the threads to end", || !threads(brain).iter().any(|name| name == "forward"));
    assert_eq!(daemon.pid_of("cat"), pid);
}

/// Two processes that say a line when they are told to; their logs are rotated after each second line, and compressed.
const TWO: &str = "\
[program:web]
command=/bin/sh -c 'while IFS= read -r line; do echo \"$line\"; done'
process_name=%(process_num)d
numprocs=2
stdout_logfile=%(here)s/web%(process_num)d
stdout_logfile_format=timestamps
stdout_logfile_maxbytes=60
stdout_logfile_compress=gzip
[program:raw]
command=/bin/sh -c 'echo no time; exec sleep 1000'
stdout_logfile=%(here)s/raw
";

fn tell(daemon: &Daemon, name: &str, line: &str) {
    use crate::rig::http::Arg::{Int, Text};
    daemon.call("supervisor.sendProcessStdin", &[Text(name), Text(&format!("{line}\n"))]);
    let last = || {
        let said =
            daemon.call("upkeep.readProcessLogSince", &[Text(name), Text("stdout"), Int(0), Int(10_000)]);
        said.contains(&format!(" {line}\n")).then_some(())
    };
    until("the line", last);
}

/// Lines of two processes, from files that were rotated and compressed, in the order of time; then those that come.
#[test]
fn lines_of_many_logs_are_shown_in_order_of_time() {
    let daemon = Daemon::start(Maker::Upkeep, TWO);
    daemon.wait("RUNNING", &["web:0", "web:1", "raw"]);
    for (name, line) in [("web:0", "one"), ("web:1", "two x"), ("web:0", "three x"), ("web:1", "four")] {
        tell(&daemon, name, line);
    }
    until_true("compressed files", || daemon.home.join("web0.1.gz").exists());
    let untimed = |text: &str| -> Vec<String> {
        let untime = |line: &str| {
            let (name, rest) = line.split_once(" | ").expect("a name");
            format!("{name} {}", rest.split_once(' ').expect("a time").1)
        };
        text.lines().map(untime).collect()
    };
    let said = daemon.upkeep(&["logs", "web:*", "--since", "10m"]);
    assert_eq!(
        untimed(&said.stdout),
        ["web:0 one", "web:1 two x", "web:0 three x", "web:1 four"],
        "{said:?}"
    );
    assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""));
    let said = daemon.upkeep(&["logs", "web:*", "--grep", " x"]);
    assert_eq!(untimed(&said.stdout), ["web:1 two x", "web:0 three x"], "{said:?}");
    let said = daemon.upkeep(&["logs", "web:*", "--since", "2200-01-01"]);
    assert_eq!(said.stdout, "", "{said:?}");
    let said = daemon.upkeep(&["logs", "raw", "--since", "10m"]);
    assert_eq!(said.stdout, "no time\n");
    assert_eq!(said.stderr, "note: the lines of raw have no times: --since goes by its files\n");
    let said = daemon.upkeep(&["logs", "web:0", "--grep", "one", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(document["lines"][0]["name"], "web:0");
    assert!(
        document["lines"][0]["time"].as_str().expect("a time").parse::<jiff::Timestamp>().is_ok(),
        "{document}"
    );
    let said = daemon.upkeep(&["logs", "web:0", "--since", "yesterday"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(2), ""), "{said:?}");
    assert!(said.stderr.contains("not a time for --since: \"yesterday\""), "{said:?}");
    let said = daemon.upkeep(&["status", "--grep", "x"]);
    assert_eq!(said.status, Some(2), "{said:?}");

    let follow =
        Background::start(&daemon, &["logs", "-f", "web:*", "--since", "10m", "--grep", " x"], "followed");
    daemon.wait_file("followed", "three x\n");
    tell(&daemon, "web:0", "five");
    tell(&daemon, "web:0", "six x");
    tell(&daemon, "web:1", "seven x");
    daemon.wait_file("followed", "six x\n");
    daemon.wait_file("followed", "seven x\n");
    let mut lines = untimed(&daemon.home.read("followed"));
    lines[2..].sort();
    assert_eq!(lines, ["web:1 two x", "web:0 three x", "web:0 six x", "web:1 seven x"]);

    // A process that is added is followed, too.
    daemon.home.write("supervisord.conf", &format!("{HEAD}{}", TWO.replace("numprocs=2", "numprocs=3")));
    assert_eq!(daemon.ctl(&["update"]).status, Some(0));
    daemon.wait("RUNNING", &["web:2"]);
    tell(&daemon, "web:2", "eight x");
    daemon.wait_file("followed", "eight x\n");
    assert!(untimed(&daemon.home.read("followed")).contains(&"web:2 eight x".to_owned()));
    drop(follow);
}

/// On a terminal names have colours, and what was searched for is marked; nowhere else.
#[test]
fn a_terminal_has_colours() {
    let daemon = Daemon::start(Maker::Upkeep, TWO);
    daemon.wait("RUNNING", &["web:0", "web:1"]);
    tell(&daemon, "web:0", "one");
    let terminal = |environment: &[(&str, &str)]| {
        let mut command = Command::new(reference_python());
        command.args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]);
        command.arg(daemon.home.join("bin/upkeep")).args(["logs", "web:*", "--grep", "one", "-c"]);
        command.arg(daemon.home.join("supervisord.conf")).env("TERM", "xterm").env_remove("NO_COLOR");
        let output = command.envs(environment.iter().copied()).stdin(Stdio::null()).output().expect("python");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = terminal(&[]);
    assert!(
        said.starts_with("\x1b[36mweb:0 |\x1b[0m 2") && said.ends_with(" \x1b[1;31mone\x1b[0m\r\n"),
        "{said:?}"
    );
    let said = terminal(&[("NO_COLOR", "1")]);
    assert!(said.starts_with("web:0 | 2") && said.ends_with(" one\r\n"), "{said:?}");
    assert!(!daemon.upkeep(&["logs", "web:*", "--grep", "one"]).stdout.contains('\x1b'));
}

/// A command of ours that runs until it is dropped.
struct Background(Child);

impl Background {
    fn start(daemon: &Daemon, words: &[&str], output: &str) -> Background {
        let mut command = Command::new(daemon.home.join("bin/upkeep"));
        let file = File::create(daemon.home.join(output)).expect("a file");
        command.args(words).arg("-c").arg(daemon.home.join("supervisord.conf"));
        Background(command.stdin(Stdio::null()).stdout(file).spawn().expect("upkeep"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/logs.conf", "examples/run/logs.sock", &[]);
    daemon.wait("RUNNING", &["web"]);
    daemon.wait_file("examples/run/web.log", "GET /index.html 200\n");
    daemon.wait_file("examples/run/api.json", "\"message\":\"order 4711 is paid\"}\n");
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
