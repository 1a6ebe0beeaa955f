//! Servers that cannot be used, and logins (CTL-001 … CTL-005, CTL-020 … CTL-029).

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;
use upkeep_api::ProcessState;

use crate::reference::{Daemon, HEAD, Pair, Side, run_in};

/// Commands with and without the check for a server.
const COMMANDS: &[&str] = &[
    "clear x",
    "fg x",
    "maintail",
    "pid",
    "pid x",
    "restart x",
    "signal HUP x",
    "start x",
    "status",
    "stop x",
    "tail x",
    "version",
    "add x",
    "avail",
    "reload",
    "remove x",
    "reread",
    "shutdown",
    "update",
    "add",
    "start",
    "help",
    "tail",
    "tail -f x",
    "nope",
];

#[track_caller]
fn same_in(dir: &Path, args: &[&str]) -> (String, Option<i32>) {
    let [theirs, ours] = [Side::Reference, Side::Ours].map(|side| run_in(dir, side, args, ""));
    assert_eq!(ours.stdout, theirs.stdout, "stdout of {args:?}; theirs is right");
    assert_eq!(ours.status, theirs.status, "exit status of {args:?}; theirs is right");
    (ours.stdout, ours.status)
}

#[track_caller]
fn every_command_at(dir: &Path, url: &str) {
    for command in COMMANDS {
        let args: Vec<&str> = ["-s", url].into_iter().chain(command.split(' ')).collect();
        same_in(dir, &args);
    }
}

fn directory() -> TempDir {
    let dir = TempDir::new().expect("tempdir");
    fs::write(dir.path().join("c.conf"), "[supervisorctl]\nserverurl=ftp://x\n").expect("write");
    dir
}

#[test]
fn refused_ctl_021_ctl_023_ctl_024() {
    let dir = directory();
    drop(UnixListener::bind(dir.path().join("s")).expect("bind"));
    every_command_at(dir.path(), &format!("unix://{}/s", dir.path().display()));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port").port();
    every_command_at(dir.path(), &format!("http://127.0.0.1:{port}"));
}

#[test]
fn no_socket_file_ctl_022_ctl_023_ctl_024() {
    let dir = directory();
    every_command_at(dir.path(), &format!("unix://{}/none", dir.path().display()));
}

#[test]
fn not_a_protocol_ctl_020() {
    let dir = directory();
    for command in COMMANDS {
        let args: Vec<&str> = ["-c", "c.conf"].into_iter().chain(command.split(' ')).collect();
        same_in(dir.path(), &args);
    }
}

#[test]
fn permission_denied_ctl_026() {
    // For root every socket file is open, so this shows the form of the line with a directory in the way instead.
    let dir = directory();
    fs::write(dir.path().join("file"), "").expect("write");
    every_command_at(dir.path(), &format!("unix://{}/file/s", dir.path().display()));
    fs::create_dir(dir.path().join("d")).expect("mkdir");
    fs::set_permissions(dir.path().join("d"), fs::Permissions::from_mode(0o755)).expect("chmod");
    every_command_at(dir.path(), &format!("unix://{}/d", dir.path().display()));
}

#[test]
fn no_supervisor_namespace_ctl_025_cfg_254() {
    let head = HEAD.replace("[rpcinterface:supervisor]\nsupervisor.", "[rpcinterface:other]\nsupervisor.");
    assert_ne!(head, HEAD);
    let daemon = Daemon::start_with(&head, "");
    every_command_at(daemon.dir.path(), &daemon.url());
}

#[test]
fn options_ctl_001_to_004() {
    let dir = directory();
    for args in [
        &["--version"][..],
        &["-v"],
        &["-s"],
        &["-s", "nope", "status"],
        &["-c", "none.conf", "status"],
        &["--nope"],
        &["-c", "a", "-c", "b"],
    ] {
        let [theirs, ours] = [Side::Reference, Side::Ours].map(|side| run_in(dir.path(), side, args, ""));
        assert_eq!((&ours.stdout, ours.status), (&theirs.stdout, theirs.status), "{args:?}");
        let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        assert_eq!(first(&ours.stderr), first(&theirs.stderr), "{args:?}");
    }
}

const LOGIN: &str = "[inet_http_server]\nport=127.0.0.1:PORT\nusername=me\npassword=se:cret\n\
    [program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// Two daemons that also listen on TCP ports, and the ports' URLs.
fn with_login() -> (Daemon, String) {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port").port();
    let daemon = Daemon::start(&LOGIN.replace("PORT", &port.to_string()));
    daemon.wait_state("cat", ProcessState::Running);
    (daemon, format!("http://127.0.0.1:{port}"))
}

#[test]
fn logins_ctl_012_ctl_027() {
    let (daemon, url) = with_login();
    let dir = daemon.dir.path();
    for (user, password) in [("me", "se:cret"), ("me", "wrong")] {
        for command in ["status", "version", "pid cat", "avail", "tail cat", "add x"] {
            let args: Vec<&str> =
                ["-s", &url, "-u", user, "-p", password].into_iter().chain(command.split(' ')).collect();
            let [theirs, ours] = [Side::Reference, Side::Ours].map(|side| run_in(dir, side, &args, ""));
            // One line instead of two (D-13): the first is the same.
            let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
            assert_eq!(first(&ours.stdout), first(&theirs.stdout), "{args:?}");
            assert_eq!(ours.status, theirs.status, "{args:?}");
            if password == "wrong" {
                assert_eq!(ours.stdout, "Server requires authentication\n");
            } else {
                assert_eq!(ours.stdout, theirs.stdout, "{args:?}");
            }
        }
    }
    let outcome = run_in(dir, Side::Ours, &["-s", &url, "-u", "me", "status"], "");
    assert_eq!(outcome.stdout, "Server requires authentication\n");
    assert_eq!(outcome.status, Some(1));
}

/// CTL-007: with `-i` a command asks first, and no shell follows. CTL-005: without, it does not ask. CTL-105…107.
#[test]
fn shutdown_and_reload_ctl_105_106_107() {
    let pair = Pair::start("");
    pair.same_with(&["-i", "shutdown"], "n\n");
    pair.same_with(&["-i", "reload"], "\n");
    pair.same_with(&["-i", "reload"], "");
    pair.same_with(&["-i", "version"], "");
    pair.same_with(&["-i", "reload"], "Yes\n");
    for daemon in pair.both() {
        crate::reference::wait_for("the daemon to be back", || daemon.client().pid().ok());
    }
    pair.same(&["shutdown"]);
}
