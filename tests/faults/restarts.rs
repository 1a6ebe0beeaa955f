//! A program that waits before it is started again: the wait, its reason and the count outlive the daemon.

use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::home::{Home, repository};
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;

fn config(options: &str) -> String {
    format!("[program:late]\ncommand=/bin/sh -c 'exit 3'\nstartsecs=0\nautorestart=true\n{options}")
}

fn description(daemon: &Daemon) -> String {
    let info = daemon.call("supervisor.getProcessInfo", &[Text("late")]);
    member(&info, "description").unwrap_or_default()
}

/// The wait is there after each death; `update` applies another one to who waits; the limit ends it.
#[test]
fn a_wait_outlives_the_daemon() {
    let daemon = Daemon::start(Maker::Upkeep, &config("restart_delay=1h\n"));
    daemon.wait("BACKOFF", &["late"]);
    let since = |daemon: &Daemon| member(&daemon.call("supervisor.getProcessInfo", &[Text("late")]), "start");
    let started = since(&daemon);
    for _ in 0..3 {
        daemon.kill_brain();
        let text = description(&daemon);
        assert!(text.starts_with("Bad exit code 3; starts again in ") && text.contains(" min"), "{text}");
        assert_eq!(daemon.state("late").as_deref(), Some("BACKOFF"));
    }
    let said = daemon.ctl_of(Maker::Reference, &["status"]).stdout;
    assert!(said.starts_with("late                             BACKOFF   Bad exit code 3; starts"), "{said}");
    assert_eq!(since(&daemon), started, "it was not started meanwhile");
    let other = config("restart_delay=0.05\nrestart_limit=2\n");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{other}"));
    daemon.ctl(&["update"]);
    daemon.wait("FATAL", &["late"]);
    assert_eq!(description(&daemon), "Restarted 2 times in 60 s: Bad exit code 3");
    daemon.wait_log("WARN gave up: late entered FATAL state, restarted 2 times within 60 s (restart_limit)");
}

/// Who was given up is tried again now and then, whichever daemon is there.
#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let socket = "examples/run/restarts.sock";
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/restarts.conf", socket, &[]);
    daemon.wait("BACKOFF", &["job", "worker:worker_02"]);
    daemon.wait_file("examples/run/restarts.log", "INFO waiting: job starts again in 60 min\n");
    daemon.wait_file("examples/run/restarts.log", "INFO waiting: importer starts");
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
