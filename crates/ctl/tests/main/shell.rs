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
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main/terminal.py");
    let mut command = std::process::Command::new(python());
    command.arg(script).arg(steps.len().to_string());
    steps.iter().for_each(|(wait, typed)| {
        command.args([wait, typed]);
    });
    let output = command
        .arg(Side::Ours.program())
        .args(args)
        .current_dir(daemon.dir.path())
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("run on a terminal");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().expect("status"))
}

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
