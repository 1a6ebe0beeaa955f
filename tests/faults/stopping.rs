//! A stop of several steps goes on where it was when the daemon dies.

use crate::rig::daemon::Daemon;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;

const STUBBORN: &str = "\
[program:stubborn]
command=/bin/sh -c 'trap \"echo got TERM\" TERM; trap \"echo got INT\" INT; echo up; while :; do sleep 0.05; done'
stdout_logfile=%(here)s/stubborn.log
stop_sequence=TERM 0.5, INT 3, KILL
killasgroup=true
";

#[test]
fn each_step_comes_once_whichever_daemon_is_there() {
    let daemon = Daemon::start(Maker::Upkeep, STUBBORN);
    daemon.wait("RUNNING", &["stubborn"]);
    daemon.wait_file("stubborn.log", "up\n");
    daemon.call("supervisor.stopProcess", &[Text("stubborn"), Bool(false)]);
    daemon.wait_file("stubborn.log", "got TERM\n");
    daemon.kill_brain();
    daemon.wait_file("stubborn.log", "got INT\n");
    daemon.kill_brain();
    daemon.wait("STOPPED", &["stubborn"]);
    let said = daemon.home.read("stubborn.log");
    let mut said: Vec<&str> = said.lines().collect();
    // A shell that gets both before it has the processor again takes them in the order of their numbers.
    said.sort_unstable();
    assert_eq!(said, ["got INT", "got TERM", "up"]);
    let log = daemon.log();
    assert!(log.contains(") has not stopped, going on with SIGINT\n"), "{log}");
    assert!(log.contains("WARN stopped: stubborn (terminated by SIGKILL)"), "{log}");
}
