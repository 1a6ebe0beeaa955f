//! Queues that are kept on disk: `event_queue = durable`.

use super::{LISTENER, Recorded, recorded, section_answering};
use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;
use crate::rig::wait::until_true;

const OPTIONS: &str = "events=REMOTE_COMMUNICATION\nbuffer_size=2\nevent_queue=durable";

fn start(home: Home, more: &str) -> Daemon {
    home.write("listen.py", LISTENER);
    let config = section_answering("kept", "'hold %(here)s/go'", &format!("{OPTIONS}\n{more}"));
    Daemon::start_in(home, Maker::Upkeep, &config)
}

fn send(daemon: &Daemon, numbers: std::ops::Range<usize>) {
    for number in numbers {
        daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text(&format!("n{number}"))]);
    }
}

fn texts(events: &[Recorded]) -> Vec<&str> {
    events.iter().map(|event| event.data.trim_start_matches("type:t\n")).collect()
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("n{number}")).collect()
}

/// Ten times more than the buffer holds, and a death of the daemon in between: every event once, in order.
#[test]
fn nothing_is_discarded_and_a_death_loses_nothing() {
    let daemon = start(Home::new(), "");
    daemon.wait("RUNNING", &["kept"]);
    send(&daemon, 0..20);
    until_true("the first event", || recorded(&daemon.home, "kept").len() == 1);
    daemon.kill_brain();
    send(&daemon, 20..25);
    daemon.home.write("go", "");
    until_true("all events", || recorded(&daemon.home, "kept").len() >= 25);
    let events = recorded(&daemon.home, "kept");
    assert_eq!(texts(&events), expected(0..25));
    assert!(events.windows(2).all(|pair| pair[0].pool_serial < pair[1].pool_serial), "{events:#?}");
    assert!(!daemon.log().contains("overflowed"), "{}", daemon.log());
    let file = daemon.home.join("kept-supervisor.events");
    until_true("an empty file", || file.metadata().is_ok_and(|about| about.len() == 0));
}

/// The daemon ends and another one starts: what no listener has taken comes first there.
#[test]
fn another_daemon_finds_what_was_left() {
    let mut daemon = start(Home::new(), "");
    daemon.wait("RUNNING", &["kept"]);
    daemon.call("supervisor.stopProcess", &[Text("kept"), Bool(true)]);
    send(&daemon, 0..10);
    daemon.call("supervisor.restart", &[]);
    until_true("a new beginning", || daemon.log().matches("supervisord started with pid").count() == 2);
    daemon.wait("RUNNING", &["kept"]);
    send(&daemon, 10..12);
    until_true("the first event", || recorded(&daemon.home, "kept").len() == 1);
    daemon.call("supervisor.shutdown", &[]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    // The first was given to a listener that was killed without an answer: it comes again.
    std::fs::remove_file(daemon.home.join("kept.events")).expect("a record");
    daemon.home.write("go", "");
    daemon.start_again();
    until_true("all events", || recorded(&daemon.home, "kept").len() >= 12);
    assert_eq!(texts(&recorded(&daemon.home, "kept")), expected(0..12));
}

/// A place where nothing can be kept is said, and the pool does as others do.
#[test]
fn a_queue_without_a_file_is_one_in_memory() {
    let home = Home::new();
    std::fs::create_dir(home.join("kept-supervisor.events")).expect("a directory");
    let daemon = start(home, "");
    daemon.wait("RUNNING", &["kept"]);
    daemon.wait_log("pool kept: events cannot be kept in ");
    send(&daemon, 0..1);
    // One is in its hands, two more are kept.
    until_true("the first event", || recorded(&daemon.home, "kept").len() == 1);
    send(&daemon, 1..5);
    daemon.wait_log("pool kept event buffer overflowed, discarding event 2");
}
