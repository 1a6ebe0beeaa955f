//! Events of our own: health. Who did not ask for them is not sent them.

use super::{LISTENER, recorded, section};
use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::port::free_port;
use crate::rig::wait::until_true;

#[test]
fn a_verdict_is_an_event() {
    let home = Home::new();
    home.write("listen.py", LISTENER);
    let port = free_port();
    let web = format!(
        "[program:web]\ncommand=/bin/cat\nhealth_check=tcp://127.0.0.1:{port}\nhealth_interval=0.1\nhealth_start_period=0\n\
         health_action=none\n"
    );
    let sections = section("states", "events=PROCESS_STATE") + &section("health", "events=PROCESS_HEALTH");
    let daemon = Daemon::start_in(home, Maker::Upkeep, &format!("{sections}{web}"));
    let told = |name: &str| -> Vec<(String, String)> {
        let events = recorded(&daemon.home, name).into_iter();
        events.map(|event| (event.name().to_owned(), event.data)).collect()
    };
    until_true("the first event", || told("health").len() == 1);
    let server = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    until_true("the second event", || told("health").len() == 2);
    drop(server);
    let head = format!("processname:web groupname:web pid:{}\n", daemon.pid_of("web"));
    let expected = [
        ("PROCESS_HEALTH_UNHEALTHY".to_owned(), format!("{head}127.0.0.1:{port}: connection refused")),
        ("PROCESS_HEALTH_HEALTHY".to_owned(), head),
    ];
    assert_eq!(told("health")[..2], expected);
    assert!(told("states").iter().all(|(name, _)| name.starts_with("PROCESS_STATE_")));
}
