//! Signals to the pid in the pid file.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::http::free_port;
use crate::rig::maker::Maker;
use crate::rig::stage::compare;
use crate::rig::wait::until_true;

const CONFIG: &str = "\
[program:cat]
command=/bin/cat
stdout_logfile=%(here)s/cat.log
";

/// PROC-230, PROC-243: TERM, INT and QUIT shut down.
#[test]
fn proc_230_term_int_quit() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        compare(CONFIG, |stage| {
            stage.daemon.wait("RUNNING", &["cat"]);
            stage.daemon.signal(signal);
            stage.note_end();
            stage.note_log(&["cat"]);
        });
    }
}

/// PROC-231, PROC-244: HUP is a reload in the same process, and what was stopped by hand starts again. PROC-245: on a new
/// socket.
#[test]
fn proc_231_hup() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        stage.ctl(&["stop", "cat"]);
        let before = stage.daemon.pid();
        let made = || stage.daemon.socket().metadata().and_then(|socket| socket.modified()).expect("a time");
        let first_made = made();
        stage.daemon.signal(Signal::HUP);
        until_true("the second start", || stage.daemon.log().matches("started with pid").count() == 2);
        stage.daemon.wait("RUNNING", &["cat"]);
        let written = stage.daemon.home.read("supervisord.pid");
        let new = made() != first_made;
        stage.note("same pid", &(written == format!("{before}\n")).to_string());
        stage.note("new socket", &new.to_string());
        stage.note_log(&["cat"]);
    });
}

/// PROC-244, PROC-245: a server at a TCP port is there again after a reload.
#[test]
fn proc_245_hup_with_a_port() {
    for maker in [Maker::Reference, Maker::Upkeep] {
        let port = free_port();
        let daemon = Daemon::start(maker, &format!("[inet_http_server]\nport=127.0.0.1:{port}\n"));
        let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        daemon.signal(Signal::HUP);
        daemon.wait_log("received SIGHUP");
        until_true("the second start", || daemon.log().matches("started with pid").count() == 2);
        drop(client);
        TcpStream::connect(("127.0.0.1", port)).expect("it listens again");
    }
}

/// PROC-233, PROC-140, PROC-170: USR2 opens every log anew, so that logrotate may move them away.
#[test]
fn proc_233_usr2() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        for name in ["cat.log", "supervisord.log"] {
            let home = &stage.daemon.home;
            std::fs::rename(home.join(name), home.join(&format!("{name}.moved"))).expect("a rename");
        }
        stage.daemon.signal(Signal::USR2);
        until_true("both files to be there again", || {
            ["cat.log", "supervisord.log"].iter().all(|name| stage.daemon.home.join(name).exists())
        });
        stage.ctl(&["stop", "cat"]);
        let moved = stage.daemon.home.read("supervisord.log.moved");
        stage.note(
            "old log",
            &moved.lines().skip_while(|line| !line.contains("SIGUSR2")).collect::<Vec<_>>().join("\n"),
        );
        stage.note_log(&["cat"]);
    });
}

/// PROC-232: HUP during a shutdown.
#[test]
fn proc_232_hup_during_shutdown() {
    let config = "\
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'
stopwaitsecs=3
killasgroup=true
";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["deaf"]);
        stage.daemon.signal(Signal::TERM);
        stage.daemon.wait_log("received SIGTERM");
        stage.daemon.signal(Signal::HUP);
        stage.daemon.wait_log("ignored SIGHUP indicating restart request (shutdown in progress)");
        stage.note_end();
    });
}

/// D-15: USR1 kills the original (PROC-236); ours says so in the log and goes on.
#[test]
fn d_015_usr1_is_ignored() {
    let daemon = Daemon::start(Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    daemon.signal(Signal::USR1);
    daemon.wait_log("SIGUSR1");
    assert_eq!(daemon.pid_of("cat"), pid);
}
