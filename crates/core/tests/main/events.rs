//! Data of events at the moment they are told (EVT-003 … EVT-010, EVT-022, EVT-030 … EVT-041).

use upkeep_core::spec::{Autorestart, GroupSpec};
use upkeep_core::{RunEnd, StateName, signal};
use upkeep_sim::{Ask, Plan, Signalling, Sim, millis, secs};

use crate::scene::{begun, events_of, group, standing};

#[test]
fn each_way_between_states_tells_its_data_evt_003_to_010() {
    type Act = fn(&mut Sim);
    let rows: [(&str, StateName, Act, &[&str]); 12] = [
        (
            "evt_003",
            StateName::Stopped,
            |sim| {
                sim.request(Ask::start("web"));
            },
            &["STARTING from STOPPED tries:0"],
        ),
        (
            "evt_003, tries",
            StateName::Backoff,
            |sim| {
                sim.advance(secs(1));
            },
            &["STARTING from BACKOFF tries:1", "BACKOFF from STARTING tries:2"],
        ),
        (
            "evt_003, from EXITED",
            StateName::Exited,
            |sim| {
                sim.request(Ask::start("web"));
            },
            &["STARTING from EXITED tries:0"],
        ),
        (
            "evt_003, from FATAL",
            StateName::Fatal,
            |sim| {
                sim.request(Ask::start("web"));
            },
            &["STARTING from FATAL tries:0", "BACKOFF from STARTING tries:1", "FATAL from BACKOFF"],
        ),
        (
            "evt_004",
            StateName::Starting,
            |sim| {
                sim.advance(secs(1));
            },
            &["RUNNING from STARTING pid:101"],
        ),
        (
            "evt_006",
            StateName::Running,
            |sim| {
                sim.request(Ask::stop("web"));
            },
            &["STOPPING from RUNNING pid:101"],
        ),
        (
            "evt_006, early",
            StateName::Starting,
            |sim| {
                sim.request(Ask::stop("web"));
            },
            &["STOPPING from STARTING pid:101"],
        ),
        (
            "evt_007",
            StateName::Running,
            |sim| {
                sim.end_child("web", RunEnd::Code(0));
            },
            &["EXITED from RUNNING expected:1 pid:101"],
        ),
        (
            "evt_008",
            StateName::Stopping,
            |sim| {
                sim.advance(secs(5));
            },
            &["STOPPED from STOPPING pid:101"],
        ),
        (
            "evt_008, BACKOFF",
            StateName::Backoff,
            |sim| {
                sim.request(Ask::stop("web"));
            },
            &["STOPPED from BACKOFF pid:0"],
        ),
        (
            "evt_009, at the end",
            StateName::Backoff,
            |sim| {
                sim.shutdown();
            },
            &["FATAL from BACKOFF"],
        ),
        (
            "evt_007, D-07",
            StateName::Unknown,
            |sim| {
                sim.end_child("web", RunEnd::Code(0));
            },
            &["EXITED from UNKNOWN expected:1 pid:101"],
        ),
    ];
    for (rule, state, act, expected) in rows {
        let mut sim = standing(state);
        let before = events_of(&sim, "web").len();
        act(&mut sim);
        assert_eq!(events_of(&sim, "web")[before..], *expected, "{rule}");
    }
}

#[test]
fn an_early_exit_tells_no_pid_and_counts_evt_005() {
    let sim = begun(|_| {}, [Plan::exits(millis(0), 0)]);
    assert_eq!(events_of(&sim, "web"), ["STARTING from STOPPED tries:0", "BACKOFF from STARTING tries:1"]);
}

#[test]
fn an_unknown_one_tells_nothing_more_evt_010() {
    for ask in [Ask::stop("web"), Ask::signal("web", "HUP")] {
        let mut sim = begun(|_| {}, [Plan::runs().signalling(Signalling::Denied)]);
        sim.advance(secs(2)).request(ask);
        assert!(events_of(&sim, "web").last().is_some_and(|event| event.starts_with("UNKNOWN from ")));
    }
}

#[test]
fn the_order_at_the_start_evt_030() {
    let mut sim = Sim::new(vec![group("g", &["a"]), group("h", &["b"])]);
    sim.begin();
    assert_eq!(
        sim.events(),
        [
            "GROUP_ADDED g",
            "GROUP_ADDED h",
            "SUPERVISOR_RUNNING",
            "g:a STARTING from STOPPED tries:0",
            "h:b STARTING from STOPPED tries:0",
        ]
    );
}

#[test]
fn an_exit_that_restarts_tells_each_change_once_evt_032() {
    let mut sim = begun(|spec| spec.autorestart = Autorestart::Always, [Plan::runs()]);
    sim.advance(secs(2)).end_child("web", RunEnd::Signal { signal: signal::KILL, core: false });
    assert_eq!(
        events_of(&sim, "web")[2..],
        ["EXITED from RUNNING expected:0 pid:101", "STARTING from EXITED tries:0"]
    );
}

#[test]
fn stopping_is_told_before_anything_stops_evt_039() {
    let mut sim = standing(StateName::Running);
    sim.shutdown();
    let events = sim.events();
    assert_eq!(events[events.len() - 2..], ["SUPERVISOR_STOPPING", "web STOPPING from RUNNING pid:101"]);
}

#[test]
fn an_updated_group_is_not_taken_away_and_added_again_evt_034_d_37() {
    let mut sim = Sim::new(vec![group("g", &["a"])]);
    sim.begin().advance(secs(2)).request(Ask::update(GroupSpec { priority: 1, ..group("g", &["a", "b"]) }));
    sim.advance(secs(2));
    let groups: Vec<&str> = sim.events().into_iter().filter(|event| event.starts_with("GROUP")).collect();
    assert_eq!(groups, ["GROUP_ADDED g"]);
}
