//! The shell, fed by a pipe on both sides, and by a terminal on ours.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use upkeep_api::ProcessState;

use crate::reference::{Daemon, Pair, Side, command, python, run_in, wait_for};

const PROGRAMS: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n\
    [program:web]\ncommand=/bin/cat\nnumprocs=2\nprocess_name=web-%(process_num)d\nstartsecs=0\n";

fn pair() -> Pair {
    let pair = Pair::start(PROGRAMS);
    pair.wait_state("cat", ProcessState::Running);
    pair.wait_state("web:web-1", ProcessState::Running);
    pair
}

/// CTL-006, CTL-107, CTL-140…143, CTL-152.
#[test]
fn piped_sessions_ctl_006_140_to_143() {
    let pair = pair();
    for session in [
        "",
        "quit\n",
        "exit\nstatus\n",
        "\n\n  \nversion\n",
        "version",
        "stop cat\nstatus cat\nstart cat\nquit\n",
        "nope\n!ls\n?version\n?\nEOF\n",
        "shutdown\nn\nreload\n\nversion\n",
        "reload\n",
        "open nope\nopen unix:///nonexistent/s\nstatus\n",
        "tail -0 cat\nmaintail x\n",
        "fg nope\nversion\n",
    ] {
        let outcome = pair.same_with(&[], session);
        assert_eq!(outcome.status, Some(0), "{session:?}");
    }
}

#[test]
fn fg_ends_with_the_input_ctl_080() {
    let daemon = Daemon::start(PROGRAMS);
    daemon.wait_state("cat", ProcessState::Running);
    let outcome = daemon.run(Side::Ours, &["-c", "c.conf", "fg", "cat"], "hello\n");
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stdout.starts_with("==> Press Ctrl-C to exit <==\n"), "{outcome:?}");
    assert!(outcome.stdout.ends_with("Exiting foreground\n"), "{outcome:?}");
    wait_for("the line to arrive", || {
        let log = daemon.client().read_process_log("cat", upkeep_api::Channel::Stdout, 0, 0).ok()?;
        (log == "hello\n").then_some(())
    });
}

#[test]
fn fg_of_a_process_that_ends_ctl_079() {
    let daemon = Daemon::start(
        "[program:once]\ncommand=/bin/sh -c \"read x; exit\"\nautorestart=false\nstartsecs=0\n",
    );
    daemon.wait_state("once", ProcessState::Running);
    let mut child = command(daemon.dir.path(), Side::Ours, &["-c", "c.conf", "fg", "once"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the client");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"bye\n").expect("write");
    daemon.wait_state("once", ProcessState::Exited);
    // The client may have seen the end already after the first line, and be gone.
    let _ = stdin.write_all(b"\n");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "==> Press Ctrl-C to exit <==\nProcess got killed\nExiting foreground\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_server_that_is_down_ctl_141() {
    let dir = tempfile::TempDir::new().expect("tempdir");
    let [theirs, ours] = [Side::Reference, Side::Ours]
        .map(|side| run_in(dir.path(), side, &["-s", "unix:///nonexistent/s"], "version\nadd x\n"));
    assert_eq!(ours, theirs);
}

/// Runs our shell on a terminal: waits for each text, then types what stands behind it. Gives all that was shown.
fn on_terminal(daemon: &Daemon, args: &[&str], steps: &[(&str, &str)]) -> (String, i32) {
    on_terminal_of(Side::Ours, daemon, args, steps)
}

/// The same for either side.
fn on_terminal_of(side: Side, daemon: &Daemon, args: &[&str], steps: &[(&str, &str)]) -> (String, i32) {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main/terminal.py");
    let mut command = std::process::Command::new(python());
    command.arg(script).arg(steps.len().to_string());
    steps.iter().for_each(|(wait, typed)| {
        command.args([wait, typed]);
    });
    let output = command
        .arg(side.program())
        .args(args)
        .current_dir(daemon.dir.path())
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("run on a terminal");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().expect("status"))
}

/// CTL-143…145, CTL-147, CTL-150.
#[test]
fn on_a_terminal_ctl_143_to_150() {
    let daemon = Daemon::start(PROGRAMS);
    daemon.wait_state("cat", ProcessState::Running);
    daemon.wait_state("web:web-1", ProcessState::Running);
    let history = daemon.dir.path().join("h");
    fs::write(&history, "status web:web-0\n").expect("write");
    let (shown, status) = on_terminal(
        &daemon,
        &["-c", "c.conf", "-r", "h"],
        &[
            ("supervisor> ", "vers\t\r"),
            ("4.3.0", ""),
            ("supervisor> ", "pid web:web-1\tcat\r"),
            ("supervisor> ", "tail -f cat\r"),
            ("==> Press Ctrl-C to exit <==", "\x03"),
            ("supervisor> ", "fg cat\r"),
            ("==> Press Ctrl-C to exit <==", "hello\r"),
            ("hello\r\nhello", "\x03"),
            ("Exiting foreground", ""),
            ("supervisor> ", "\x04"),
        ],
    );
    assert_eq!(status, 0, "{shown}");
    let typed = fs::read_to_string(&history).expect("history");
    assert_eq!(
        typed.lines().map(str::trim_end).collect::<Vec<_>>(),
        ["status web:web-0", "version", "pid web:web-1 cat", "tail -f cat", "fg cat"]
    );
}

#[test]
fn ctrl_c_at_the_prompt_leaves_ctl_143() {
    let daemon = Daemon::start(PROGRAMS);
    let (shown, status) = on_terminal(&daemon, &["-c", "c.conf"], &[("supervisor> ", "\x03")]);
    assert_eq!(status, 0, "{shown}");
}

#[test]
fn a_login_is_asked_for_ctl_028() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port").port();
    let daemon =
        Daemon::start(&format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n"));
    let url = format!("http://127.0.0.1:{port}");
    let (shown, status) = on_terminal(
        &daemon,
        &["-s", &url],
        &[
            ("Server requires authentication", ""),
            ("Username:", "me\r"),
            ("Password:", "wrong\r"),
            ("Username:", "me\r"),
            ("Password:", "secret\r"),
            ("supervisor> ", "version\r"),
            ("4.3.0", ""),
            ("supervisor> ", "\x04"),
        ],
    );
    assert_eq!(status, 0, "{shown}");
    assert!(!shown.contains("wrong") && !shown.contains("secret"), "{shown}");
}

/// CTL-145…150: what a Tab made of each line, as both histories have it; the names of a line are asked for once.
#[test]
fn tabs_complete_the_same() {
    let pair = Pair::start(&format!(
        "[supervisord]\nloglevel=trace\n[supervisorctl]\nhistory_file=%(here)s/h\n{PROGRAMS}"
    ));
    pair.wait_state("web:web-1", ProcessState::Running);
    // A line with its Tabs, and what tells that it has been taken.
    let typed = [
        ("vers\t", "4.3.0"),
        ("hel\tvers\t", "Show the version"),
        ("status ca\tweb:web-1\tweb:\tweb-0\t", "uptime"),
        ("clear cat:c\t", "cleared"),
        ("signal CONT web:*\t", "signalled"),
        ("remove ca\t", "still running"),
        ("add we\tca\t", "already active"),
        ("add nobo\t", "no such process"),
        ("version x\t", "accepts no arguments"),
    ];
    let lines = typed.map(|(line, _)| format!("{line}\r"));
    let mut steps: Vec<(&str, &str)> = Vec::new();
    for ((_, taken), line) in typed.iter().zip(&lines) {
        steps.extend([("supervisor> ", line.as_str()), (taken, "")]);
    }
    steps.push(("supervisor> ", "\x04"));
    let run = |side, daemon: &Daemon| {
        let (shown, status) = on_terminal_of(side, daemon, &["-c", "c.conf"], &steps);
        assert_eq!(status, 0, "{shown}");
        let log = fs::read_to_string(daemon.dir.path().join("d.log")).expect("log");
        let asked = log.matches("method called: supervisor.getAllProcessInfo()").count();
        let history = fs::read_to_string(daemon.dir.path().join("h")).expect("history");
        (history.lines().map(str::to_owned).collect::<Vec<_>>(), asked)
    };
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| run(Side::Reference, &pair.theirs));
        let ours = run(Side::Ours, &pair.ours);
        (theirs.join().expect("the original's shell"), ours)
    });
    assert_eq!(ours, theirs);
    assert_eq!(theirs.0[2], "status cat web:web-1 web:web-0 ");
}

/// CTL-078: both logs are followed, and each line goes to standard input.
#[test]
fn fg_on_a_terminal() {
    let daemon = Daemon::start(
        "[program:both]\ncommand=/bin/sh -c \"read a; echo out $a; read b; echo err $b >&2; exec cat\"\nstartsecs=0\n",
    );
    daemon.wait_state("both", ProcessState::Running);
    let steps = [
        ("==> Press Ctrl-C to exit <==", "one\r"),
        ("out one", "two\r"),
        ("err two", "three\r"),
        ("three\r\nthree", "\x03"),
        ("Exiting foreground", ""),
    ];
    let (shown, status) = on_terminal(&daemon, &["-c", "c.conf", "fg", "both"], &steps);
    assert_eq!(status, 0, "{shown}");
}

/// CTL-107: on a terminal too, `n` is no and `Y` is yes; CTL-141: the prompt comes back after the daemon has gone.
#[test]
fn a_shutdown_is_confirmed() {
    let daemon = Daemon::start("");
    let question = "Really shut the remote supervisord process down y/N? ";
    let steps = [
        ("supervisor> ", "shutdown\r"),
        (question, "n\r"),
        ("supervisor> ", "version\r"),
        ("4.3.0", "shutdown\r"),
        (question, "Y\r"),
        ("Shut down", ""),
        ("supervisor> ", "\x04"),
    ];
    let (shown, status) = on_terminal(&daemon, &["-c", "c.conf"], &steps);
    assert_eq!(status, 0, "{shown}");
}
