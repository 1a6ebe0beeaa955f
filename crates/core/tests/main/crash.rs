//! The daemon dies, another goes on: the world outside does not notice.

use std::sync::Arc;

use upkeep_core::spec::Autorestart;
use upkeep_core::{Answer, RunEnd, StateName, signal};
use upkeep_sim::{Ask, Crash, InFlight, Plan, Signalling, Sim, millis, secs};

use crate::scene::{ALL, alone, answer, begun, events_of, group, names, standing, web};

fn away(down: std::time::Duration) -> Crash {
    Crash { down, ..Crash::default() }
}

#[test]
fn every_state_is_there_again() {
    for state in ALL {
        let mut sim = standing(state);
        let seen = |sim: &Sim| {
            let process = sim.process("web").expect("it is there");
            let times = (process.started(), process.stopped(), process.exitstatus(), process.failures());
            (*process.state(), times, process.spawnerr().map(str::to_owned))
        };
        let (before, deeds, events) = (seen(&sim), sim.deeds().len(), sim.events().len());
        sim.crash(Crash::default());
        assert_eq!(seen(&sim), before, "{state:?}");
        assert_eq!((sim.deeds().len(), sim.events().len()), (deeds, events), "{state:?}: nothing happened");
    }
}

#[test]
fn deadlines_go_on() {
    for (what, mut sim, wait, state) in [
        ("startsecs", standing(StateName::Starting), 1, StateName::Running),
        ("retry", standing(StateName::Backoff), 1, StateName::Backoff),
        ("stopwaitsecs", standing(StateName::Stopping), 5, StateName::Stopped),
    ] {
        sim.crash(away(millis(300))).advance(secs(wait));
        assert_eq!(sim.state("web"), state, "{what}");
    }
}

#[test]
fn a_retry_that_came_due_meanwhile_is_made_proc_020() {
    let mut sim = begun(|_| {}, [Plan::fails("no"), Plan::runs()]);
    sim.crash(away(secs(60))).advance(secs(1));
    assert_eq!(sim.state("web"), StateName::Running);
    assert_eq!(
        events_of(&sim, "web")[1..],
        ["BACKOFF from STARTING tries:1", "STARTING from BACKOFF tries:1", "RUNNING from STARTING pid:101"]
    );
}

#[test]
fn a_kill_that_came_due_meanwhile_is_made_proc_025() {
    let mut sim = begun(|spec| spec.stopwaitsecs = 5, [Plan::runs().ignoring(&[signal::TERM])]);
    sim.advance(secs(2)).request(Ask::stop("web").without_waiting());
    sim.crash(away(secs(60))).settle();
    assert_eq!(names(&sim.signals("web")), ["SIGTERM", "SIGKILL"]);
    assert_eq!(sim.state("web"), StateName::Stopped);
}

/// Exits while nobody was there count from when they happened, whatever deadlines passed since.
#[test]
fn exits_meanwhile_are_judged_by_their_own_time_proc_014_proc_015_proc_018() {
    let starting = "STARTING from STOPPED tries:0";
    for (what, plan, expected) in [
        ("too quick", Plan::exits(millis(900), 0), vec![starting, "BACKOFF from STARTING tries:1"]),
        (
            "after startsecs",
            Plan::exits(secs(2), 0),
            vec![starting, "RUNNING from STARTING pid:101", "EXITED from RUNNING expected:1 pid:101"],
        ),
        (
            "unexpected",
            Plan::exits(secs(2), 7),
            vec![
                starting,
                "RUNNING from STARTING pid:101",
                "EXITED from RUNNING expected:0 pid:101",
                "STARTING from EXITED tries:0",
            ],
        ),
        ("none", Plan::runs(), vec![starting, "RUNNING from STARTING pid:101"]),
    ] {
        let mut sim =
            Sim::new(vec![alone(web(|_| {})), alone(upkeep_core::spec::ProcessSpec::new("aaa", "aaa"))]);
        sim.plan("web", [plan, Plan::runs().launched_after(secs(100))]).begin();
        let pid = sim.process("web").map_or(0, upkeep_core::Process::pid);
        sim.crash(away(secs(60))).settle();
        let told: Vec<String> = events_of(&sim, "web")
            .iter()
            .map(|event| event.replace(&format!("pid:{pid}"), "pid:101"))
            .collect();
        assert_eq!(told, expected, "{what}");
    }
}

#[test]
fn a_start_on_its_way_is_made_once_proc_011() {
    for in_flight in [InFlight::Lost, InFlight::Made] {
        for down in [0, 5] {
            let mut sim = begun(|_| {}, [Plan::runs().launched_after(secs(1))]);
            sim.crash(Crash { down: secs(down), in_flight }).advance(secs(5));
            assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 1), "{in_flight:?} {down}");
        }
    }
}

#[test]
fn a_stop_before_the_fork_is_kept_proc_023() {
    for (in_flight, forks) in [(InFlight::Lost, 0), (InFlight::Made, 1)] {
        let mut sim = begun(|_| {}, [Plan::runs().launched_after(secs(1))]);
        sim.request(Ask::stop("web").without_waiting());
        sim.crash(Crash { in_flight, ..Crash::default() }).advance(secs(5));
        assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, forks), "{in_flight:?}");
        assert_eq!(sim.signals("web").len(), forks);
        assert!(!sim.log().iter().any(|line| line.contains("unknown termination")), "{:?}", sim.log());
    }
}

/// One who only waits until a start or a stop has begun is answered by the next daemon, whenever the last one died.
#[test]
fn who_waits_for_a_beginning_alone_is_answered() {
    for orders in 0..8 {
        for in_flight in [InFlight::Lost, InFlight::Made] {
            let crash = Crash { in_flight, ..Crash::default() };
            let mut starts =
                begun(|spec| spec.autostart = false, [Plan::runs().launched_after(secs(1)), Plan::runs()]);
            let mut stops = standing(StateName::Running);
            stops.answer_signals_after(secs(1));
            for (sim, ask, state) in [
                (&mut starts, Ask::start("web"), StateName::Running),
                (&mut stops, Ask::stop("web"), StateName::Stopped),
            ] {
                sim.crash_after(orders, crash);
                let call = sim.request_only(ask.without_waiting());
                sim.disarm();
                sim.crash(crash).advance(secs(20));
                assert_eq!(
                    (answer(sim, call), sim.state("web")),
                    (Some(Ok(())), state),
                    "{orders} {in_flight:?}"
                );
            }
        }
    }
}

#[test]
fn stopped_by_hand_stays_stopped_proc_010() {
    for (state, crashes) in [(StateName::Stopping, 1), (StateName::Stopping, 3), (StateName::Running, 1)] {
        let mut sim = standing(state);
        if state == StateName::Running {
            sim.request(Ask::stop("web").without_waiting());
        }
        for _ in 0..crashes {
            sim.crash(away(secs(1)));
        }
        sim.advance(secs(100));
        assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 1), "{state:?}");
    }
}

#[test]
fn a_child_that_vanished_is_an_unexpected_end() {
    for (policy, state) in
        [(Autorestart::Unexpected, StateName::Starting), (Autorestart::Never, StateName::Exited)]
    {
        let mut sim = begun(|spec| spec.autorestart = policy, [Plan::runs()]);
        sim.advance(secs(5)).lose_child("web");
        sim.crash(Crash::default());
        assert_eq!(sim.state("web"), state);
        assert!(sim.log().iter().any(|line| line.starts_with("Warn exited: web (unknown termination cause")));
    }
}

#[test]
fn an_update_goes_on_where_it_was_d_37() {
    let new = || alone(web(|spec| spec.command = "new".to_owned()));
    for before in [StateName::Running, StateName::Stopping] {
        let mut sim = standing(before);
        let call = sim.request(Ask::update(new()));
        sim.advance(secs(1)).crash(away(secs(1)));
        sim.advance(secs(10));
        let answered = &sim.answers(call).answers;
        assert!(matches!(answered[..], [(_, Answer::Updated(_))]), "{before:?}: {answered:?}");
        assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 2), "{before:?}");
        assert_eq!(sim.process("web").map(|process| process.spec().command.as_str()), Some("new"));
    }
}

#[test]
fn an_update_that_does_not_start_again_does_not_start_after_a_crash_d_37() {
    let mut sim = standing(StateName::Running);
    let new = alone(web(|spec| (spec.command, spec.autostart) = ("new".to_owned(), false)));
    sim.request(Ask::strict_update(new));
    sim.crash(away(secs(1))).advance(secs(10));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 1));
}

#[test]
fn the_end_goes_on_proc_184_proc_240() {
    for restart in [false, true] {
        for in_flight in [InFlight::Lost, InFlight::Made] {
            for down in [millis(0), secs(2), secs(20)] {
                let mut sim =
                    Sim::new(vec![group("a", &["x", "new"]), group("b", &["y"]), group("c", &["f"])]);
                sim.plan("b:y", [Plan::runs().lingering(secs(3))]);
                sim.plan("a:new", [Plan::runs().launched_after(secs(7))]);
                sim.plan("c:f", [Plan::fails("no")]).begin().advance(millis(500));
                if restart {
                    sim.restart()
                } else {
                    sim.shutdown()
                };
                let launches = sim.launches().len();
                sim.advance(secs(1)).crash(Crash { down, in_flight });
                sim.run_until(|sim| !sim.terminations().is_empty());
                assert_eq!(sim.terminations(), [restart], "{in_flight:?} {down:?}");
                assert_eq!(sim.left_alive(), [] as [&str; 0], "{in_flight:?} {down:?}");
                assert!(
                    restart || sim.launches().len() == launches,
                    "{in_flight:?} {down:?}: nothing starts"
                );
            }
        }
    }
}

#[test]
fn dead_again_and_again() {
    let mut sim = begun(|spec| spec.autorestart = Autorestart::Always, [Plan::exits(secs(3), 0)]);
    for _ in 0..50 {
        sim.crash(away(millis(700))).advance(millis(300));
    }
    assert_eq!(sim.forks("web"), 17, "every three seconds, crash or no crash, give or take the time away");
}

#[test]
fn run_numbers_go_on() {
    for state in [StateName::Running, StateName::Stopped] {
        let mut sim = begun(|_| {}, [Plan::runs()]);
        sim.advance(secs(2));
        if state == StateName::Stopped {
            sim.request(Ask::stop("web"));
        }
        sim.crash(Crash::default());
        sim.end_child("web", RunEnd::Code(9));
        sim.request(Ask::start("web").without_waiting());
        let runs: Vec<u64> = sim.launches().iter().map(|(_, _, run)| run.0).collect();
        assert_eq!(runs, [1, 2], "{state:?}");
    }
}

/// The update that took it out of the configuration had begun to stop it, or not even that.
#[test]
fn what_is_no_longer_configured_is_stopped_all_the_same_d_37() {
    for orders in [0, 1, 2, 100] {
        let mut spec =
            web(|spec| (spec.stopwaitsecs, spec.stopsignal, spec.killasgroup) = (2, signal::INT, true));
        spec.name = "old".to_owned();
        let mut sim = Sim::new(vec![upkeep_core::spec::GroupSpec::plain("g", vec![spec])]);
        sim.plan("g:old", [Plan::runs().ignoring(&[signal::INT])]).begin().advance(secs(2));
        sim.crash_after(orders, Crash::default());
        sim.request(Ask::update(group("g", &[])));
        if sim.is_armed() {
            sim.disarm();
            sim.crash(Crash::default());
        }
        assert_eq!(sim.state("g:old"), StateName::Stopping, "{orders}");
        assert!(sim.dismissed().is_empty(), "{orders}");
        sim.advance(secs(3));
        assert!(sim.process("g:old").is_none(), "{orders}");
        let last = sim.signals("g:old").last().copied();
        assert_eq!(last, Some(signal::KILL), "{orders}");
        assert_eq!(events_of(&sim, "g:old").last(), Some(&"STOPPED from STOPPING pid:101"), "{orders}");
    }
}

#[test]
fn what_was_to_start_again_and_is_no_longer_configured_goes_d_37() {
    let mut sim = Sim::new(vec![group("g", &["old"])]);
    sim.plan("g:old", [Plan::runs().signalling(Signalling::Denied)]).begin().advance(secs(2));
    let mut new = group("g", &["old"]);
    Arc::make_mut(&mut new.processes[0]).command = "new".to_owned();
    sim.request(Ask::update(new));
    assert_eq!(sim.state("g:old"), StateName::Unknown);
    sim.crash_after(0, Crash::default()).request(Ask::update(group("g", &[])));
    sim.end_child("g:old", RunEnd::Code(0));
    assert!(sim.process("g:old").is_none());
    assert_eq!(sim.forks("g:old"), 1);
}

/// The daemon dies after any number of orders of a request about several; the next one is told what the client waits for.
#[test]
fn a_client_that_waits_for_many_is_answered_wherever_the_daemon_dies() {
    for orders in 0..20 {
        for in_flight in [InFlight::Lost, InFlight::Made] {
            let mut sim = Sim::new(vec![group("g", &["a", "b", "c"])]);
            sim.begin().advance(secs(2));
            let crash = Crash { down: millis(10), in_flight };
            for (ask, state) in [
                (Ask::stop("all"), StateName::Stopped),
                (Ask::start("all"), StateName::Running),
                (Ask::stop("all").without_waiting(), StateName::Stopped),
                (Ask::start("all").without_waiting(), StateName::Running),
            ] {
                sim.crash_after(orders, crash);
                let call = sim.request(ask);
                sim.disarm();
                sim.advance(secs(20));
                let results = crate::scene::many(&sim, call).expect("an answer");
                assert!(results.iter().all(|(_, result)| result.is_ok()), "{orders}: {results:?}");
                let states = ["g:a", "g:b", "g:c"].map(|name| sim.state(name));
                assert_eq!(states, [state; 3], "{orders} {in_flight:?}");
            }
        }
    }
}

/// What was to stop and has ended by itself meanwhile is not started again for that.
#[test]
fn what_a_client_has_stopped_stays_stopped_if_it_ends_before_the_next_daemon() {
    let mut sim =
        begun(|spec| spec.autorestart = Autorestart::Always, [Plan::exits(secs(5), 0), Plan::runs()]);
    sim.advance(secs(4));
    sim.crash_after(0, away(secs(5)));
    let call = sim.request(Ask::stop("web"));
    assert_eq!((sim.state("web"), crate::scene::answer(&sim, call)), (StateName::Stopped, Some(Ok(()))));
    assert_eq!(sim.forks("web"), 1);
}

/// Somebody else has started it again since: that stays as it is.
#[test]
fn what_has_stopped_and_was_started_again_is_not_stopped_twice() {
    let mut sim = Sim::new(vec![group("g", &["a", "b"])]);
    sim.plan("g:b", [Plan::runs().lingering(secs(8))]).begin().advance(secs(2));
    let call = sim.request(Ask::stop("all"));
    sim.request(Ask::start("g:a"));
    sim.crash(Crash::default());
    sim.advance(secs(20));
    assert_eq!(crate::scene::many(&sim, call).map(|all| all.len()), Some(2));
    assert_eq!((sim.state("g:a"), sim.state("g:b")), (StateName::Running, StateName::Stopped));
}

/// What was about to start, after a pause or after something else, stays stopped wherever the daemon dies.
#[test]
fn what_was_stopped_before_it_could_start_does_not_start() {
    let conf = "[program:a]\ncommand=a\n[program:flaps]\ncommand=flaps\nstartretries=50\n\
                [program:waits]\ncommand=waits\ndepends_on=never\n[program:never]\ncommand=never\nautostart=false\n";
    for orders in 0..12 {
        for asked in [Ask::stop("all"), Ask::stop("all").without_waiting()] {
            let mut sim = Sim::from_conf(conf);
            sim.plan("flaps", [Plan::exits(millis(100), 1)]).begin().advance(millis(500));
            assert_eq!((sim.state("flaps"), sim.state("waits")), (StateName::Backoff, StateName::Starting));
            let crash = Crash { down: millis(10), in_flight: InFlight::Lost };
            sim.crash_after(orders, crash);
            let call = sim.request(asked);
            sim.disarm();
            sim.advance(secs(20));
            let results = crate::scene::many(&sim, call).expect("an answer");
            assert!(results.iter().all(|(_, result)| result.is_ok()), "{orders}: {results:?}");
            let states = ["a", "flaps", "waits"].map(|name| sim.state(name));
            assert_eq!(states, [StateName::Stopped; 3], "{orders}\n{}", sim.recent());
            assert_eq!(sim.forks("waits"), 0, "{orders}");
        }
    }
}
