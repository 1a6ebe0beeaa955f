//! The event of our own: a crash loop. Who did not ask for it is not sent it.

use super::{LISTENER, recorded, section};
use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::wait::until_true;

const LOOP: &str = "\
[program:loop]
command=/bin/sh -c 'exit 3'
startsecs=0
autorestart=true
restart_delay=0.02
restart_limit=2
";

/// A listener of all states hears BACKOFF and FATAL as ever, one of crash loops hears of this alone.
#[test]
fn a_crash_loop_is_an_event() {
    let home = Home::new();
    home.write("listen.py", LISTENER);
    let states = section("states", "events=PROCESS_STATE\nbuffer_size=1000");
    let loops = section("loops", "events=PROCESS_CRASH_LOOP");
    let daemon = Daemon::start_in(home, Maker::Upkeep, &format!("{states}{loops}{LOOP}"));
    daemon.wait("FATAL", &["loop"]);
    let about = |name: &str| -> Vec<(String, String)> {
        let events = recorded(&daemon.home, name).into_iter();
        let of_loop = events.filter(|event| event.data.starts_with("processname:loop "));
        of_loop.map(|event| (event.name().to_owned(), event.data)).collect()
    };
    until_true("the last state", || about("states").iter().any(|(name, _)| name == "PROCESS_STATE_FATAL"));
    until_true("the crash loop", || !about("loops").is_empty());
    let data = "processname:loop groupname:loop restarts:2 window:60".to_owned();
    assert_eq!(about("loops"), [("PROCESS_CRASH_LOOP".to_owned(), data)]);
    let states = about("states");
    assert!(
        states.iter().all(|(name, data)| name.starts_with("PROCESS_STATE_") && data.contains(" from_state:"))
    );
    let waits: Vec<&str> = states
        .iter()
        .filter(|(name, _)| name == "PROCESS_STATE_BACKOFF")
        .map(|(_, data)| data.as_str())
        .collect();
    assert_eq!(
        waits,
        [
            "processname:loop groupname:loop from_state:EXITED tries:1",
            "processname:loop groupname:loop from_state:EXITED tries:2",
        ]
    );
}

/// `on_giveup = shutdown`: everything ends, and the exit status says that it should not have.
#[test]
fn a_daemon_may_end_with_who_is_given_up() {
    let other = "[program:other]\ncommand=/bin/cat\n";
    let mut daemon =
        Daemon::start(Maker::Upkeep, &format!("{other}{LOOP}autostart=false\non_giveup=shutdown\n"));
    daemon.wait("RUNNING", &["other"]);
    daemon.ctl(&["start", "loop"]);
    assert_eq!(daemon.wait_for_end(), Some(1));
    let log = daemon.log();
    assert!(log.contains("WARN loop was given up: everything is stopped (on_giveup=shutdown)"), "{log}");
    assert!(log.contains("WARN stopped: other (terminated by SIGTERM)"), "{log}");
}
