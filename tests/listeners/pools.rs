//! Pools of several listeners, and several pools.

use super::{LISTENER, recorded, section, section_answering};
use crate::rig::http::Arg::Text;
use crate::rig::stage::{Stage, compare_prepared};
use crate::rig::wait::until_true;

fn compare(config: &str, scene: impl Fn(&mut Stage) + Sync) {
    compare_prepared(config, &|home| home.write("listen.py", LISTENER), scene);
}

/// EVT-090, EVT-091, EVT-092, CFG-192: each event goes to one listener of a pool, to every pool that wants it, and to
/// none that does not; oldest first.
#[test]
fn evt_090_one_of_a_pool_and_every_pool() {
    let many = "process_name=%(program_name)s_%(process_num)02d\nnumprocs=3\nevents=REMOTE_COMMUNICATION";
    let config = format!(
        "{}{}{}",
        section_answering("many", "'hold %(here)s/go'", many),
        section("one", "events=REMOTE_COMMUNICATION,TICK_3600\nbuffer_size=20"),
        section("none", "events=TICK_3600"),
    );
    compare(&config, |stage| {
        let listeners = ["many:many_00", "many:many_01", "many:many_02", "one", "none"];
        stage.daemon.wait("RUNNING", &listeners);
        let sent = ["a", "b", "c", "d", "e", "f", "g"];
        // Three are held by one listener each; the rest waits.
        for data in sent {
            stage.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text(data)]);
        }
        until_true("three busy listeners", || recorded(&stage.daemon.home, "many").len() == 3);
        until_true("the other pool", || recorded(&stage.daemon.home, "one").len() == sent.len());
        stage.daemon.home.write("go", "");
        until_true("the rest", || recorded(&stage.daemon.home, "many").len() == sent.len());
        for (pool, ordered) in [("many", false), ("one", true)] {
            let mut events: Vec<String> = recorded(&stage.daemon.home, pool)
                .iter()
                .map(|event| format!("{} {} {} {}", event.serial, event.pool_serial, event.head, event.data))
                .collect();
            if !ordered {
                events.sort_unstable();
            }
            stage.note(pool, &events.join("\n"));
        }
        assert_eq!(recorded(&stage.daemon.home, "none"), []);
    });
}

/// D-67, EVT-072, EVT-100: a Python result handler cannot be called; the pool works, its results are judged the usual way,
/// and the log says so.
#[test]
fn d_67_another_result_handler() {
    let home = crate::rig::home::Home::new();
    home.write("listen.py", LISTENER);
    let more = "events=REMOTE_COMMUNICATION\nresult_handler=my.package:judge";
    let config = section_answering("judged", "FAIL", more);
    let daemon = crate::rig::daemon::Daemon::start_in(home, crate::rig::maker::Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["judged"]);
    let said = |line: &str| line.contains(" CRIT ") && line.contains("my.package:judge");
    assert!(daemon.log().lines().any(said), "{}", daemon.log());
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("x")]);
    until_true("a second try", || recorded(&daemon.home, "judged").len() == 2);
    assert_eq!(daemon.upkeep(&["check"]).status, Some(1), "and check calls it an error");
}

/// What waits and what was discarded is counted, and can be asked for.
#[test]
fn evt_094_what_was_discarded_is_counted() {
    let home = crate::rig::home::Home::new();
    home.write("listen.py", LISTENER);
    let config = section_answering(
        "slow",
        "'hold %(here)s/go'",
        "events=REMOTE_COMMUNICATION,TICK_3600\nbuffer_size=2",
    );
    let daemon = crate::rig::daemon::Daemon::start_in(home, crate::rig::maker::Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["slow"]);
    until_true("the listener", || daemon.upkeep(&["listeners"]).stdout.ends_with("slow:slow  READY\n"));
    for number in 0..6 {
        daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text(&number.to_string())]);
    }
    let said = daemon.upkeep(&["listeners", "slow"]);
    assert_eq!(
        said.stdout,
        "slow  REMOTE_COMMUNICATION,TICK_3600  2 waiting (room for 2), 3 discarded\n  slow:slow  BUSY\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&daemon.upkeep(&["listeners", "--json"]).stdout).expect("JSON");
    assert_eq!((&json["pools"][0]["discarded"], &json["pools"][0]["waiting"]), (&3.into(), &2.into()));
    let said = daemon.upkeep(&["listeners", "nobody"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(1), ""));
    // The counters outlive the daemon.
    daemon.kill_brain();
    assert!(daemon.upkeep(&["listeners"]).stdout.contains("BUSY"));
}

/// EVT-097 with D-01: a rejected event goes back to its own pool only; EVT-101 with D-16: a type and its parent are one.
#[test]
fn d_01_d_16_accidents_of_the_original() {
    let config = format!(
        "{}{}",
        section_answering("rejects", "FAIL FAIL FAIL", "events=REMOTE_COMMUNICATION"),
        section("other", "events=TICK_3600,TICK,PROCESS_GROUP,PROCESS_GROUP_ADDED"),
    );
    let home = crate::rig::home::Home::new();
    home.write("listen.py", LISTENER);
    let daemon = crate::rig::daemon::Daemon::start_in(home, crate::rig::maker::Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["rejects", "other"]);
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("x")]);
    until_true("the accepted try", || recorded(&daemon.home, "rejects").len() == 4);
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("y")]);
    until_true("the next event", || recorded(&daemon.home, "rejects").len() == 5);
    until_true("both groups", || recorded(&daemon.home, "other").len() >= 2);
    let other = recorded(&daemon.home, "other");
    let mut groups: Vec<&str> =
        other.iter().map(|event| event.data.as_str()).filter(|data| data.contains("groupname")).collect();
    groups.sort_unstable();
    assert_eq!(groups, ["groupname:other\n", "groupname:rejects\n"], "each once");
    assert!(other.iter().all(|event| !event.name().contains("REMOTE")));
}
