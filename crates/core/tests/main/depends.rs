//! Dependencies: who waits for whom before a start, and who goes first at a stop.

use std::sync::Arc;

use upkeep_core::spec::{
    Autorestart, Condition, Dependency, GroupSpec, OnDependencyStop, ProcessSpec, Target,
};
use upkeep_core::{Refusal, StateName};
use upkeep_sim::{Ask, Crash, Plan, Sim, millis, secs};

use crate::scene::{alone, answer, ask, events_of};

/// A program that depends on these, each `NAME` or `NAME:CONDITION`; a name that ends with `*` is a group.
fn program(name: &str, depends_on: &[&str]) -> ProcessSpec {
    let mut spec = ProcessSpec::new(name, name);
    spec.depends_on = depends_on.iter().map(|text| dependency(text)).collect();
    spec
}

fn dependency(text: &str) -> Dependency {
    let (name, condition) = text.split_once(':').unwrap_or((text, "running"));
    let condition = match condition {
        "started" => Condition::Started,
        "healthy" => Condition::Healthy,
        "completed" => Condition::Completed,
        _ => Condition::Running,
    };
    let group = name.trim_end_matches('*');
    let process = (group == name).then(|| name.to_owned());
    Dependency {
        name: name.to_owned(),
        targets: vec![Target { group: group.to_owned(), process }],
        condition,
    }
}

fn world(programs: Vec<ProcessSpec>) -> Sim {
    Sim::new(programs.into_iter().map(alone).collect())
}

/// What stands in the way of a process.
fn obstacle(sim: &Sim, name: &str) -> Option<String> {
    let process = sim.process(name).expect("it is there");
    sim.core().obstacle_of(process).map(|obstacle| obstacle.to_string())
}

/// The order in which children were made.
fn launched(sim: &Sim) -> Vec<&str> {
    sim.launches().iter().map(|(_, name, _)| name.as_str()).collect()
}

#[test]
fn each_condition_is_waited_for() {
    for (condition, at_half, at_two, at_four) in [
        ("started", true, true, true),
        ("running", false, true, true),
        ("healthy", false, true, true),
        ("completed", false, false, true),
    ] {
        let mut sim = world(vec![program("web", &[&format!("db:{condition}")]), program("db", &[])]);
        sim.plan("db", [Plan::exits(secs(3), 0)]).begin();
        assert_eq!(sim.state("web"), StateName::Starting, "{condition}");
        assert_eq!(launched(&sim)[0], "db", "{condition}");
        for (wait, expected) in [(millis(500), at_half), (millis(1500), at_two), (secs(2), at_four)] {
            sim.advance(wait);
            assert_eq!(sim.forks("web") == 1, expected, "{condition}: {:?}", obstacle(&sim, "web"));
        }
    }
}

#[test]
fn a_whole_group_is_waited_for() {
    let mut workers = GroupSpec::plain("pool", vec![ProcessSpec::new("a", "a"), ProcessSpec::new("b", "b")]);
    std::sync::Arc::make_mut(&mut workers.processes[1]).startsecs = 5;
    let mut sim = Sim::new(vec![alone(program("web", &["pool*"])), workers]);
    sim.begin();
    sim.advance(secs(4));
    assert_eq!(
        obstacle(&sim, "web").expect("an obstacle"),
        "waits for pool:b to be running (it is STARTING)"
    );
    sim.advance(secs(2));
    assert_eq!(sim.forks("web"), 1);
}

#[test]
fn what_waits_is_shown_as_starting_and_told_once() {
    let mut sim = world(vec![program("web", &["db"]), program("db", &[])]);
    sim.begin();
    assert_eq!(obstacle(&sim, "web").expect("an obstacle"), "waits for db to be running (it is STARTING)");
    assert!(sim.log().contains(&"Info web waits for db to be running (it is STOPPED)".to_owned()));
    sim.advance(secs(5));
    assert_eq!(obstacle(&sim, "web"), None);
    let events = events_of(&sim, "web");
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].starts_with("STARTING from STOPPED") && events[1].starts_with("RUNNING from STARTING"));
}

#[test]
fn a_start_brings_what_it_needs_and_the_client_waits_for_all_of_it() {
    let by_hand = |mut spec: ProcessSpec| {
        spec.autostart = false;
        spec
    };
    let mut sim = world(vec![
        by_hand(program("web", &["migrate:completed", "cache"])),
        by_hand(program("migrate", &["db"])),
        by_hand(program("db", &[])),
        by_hand(program("cache", &[])),
        by_hand(program("other", &[])),
    ]);
    sim.plan("migrate", [Plan::exits(secs(2), 0)]).begin();
    assert_eq!(sim.launches().len(), 0);
    let call = sim.request(Ask::start("web"));
    sim.advance(secs(3));
    assert_eq!(answer(&sim, call), None, "migrate is not done");
    sim.advance(secs(3));
    assert_eq!(answer(&sim, call), Some(Ok(())));
    assert_eq!(launched(&sim), ["db", "cache", "migrate", "web"]);
    assert_eq!(ask(&mut sim, Ask::start("web")), Some(Err(Refusal::AlreadyStarted("web".to_owned()))));
}

#[test]
fn a_start_without_waiting_is_answered_at_once() {
    let mut sim = world(vec![program("web", &["db"]), program("db", &[])]);
    sim.begin();
    sim.request(Ask::stop("web"));
    assert_eq!(sim.state("web"), StateName::Stopped);
    assert_eq!(ask(&mut sim, Ask::start("web").without_waiting()), Some(Ok(())));
}

#[test]
fn what_is_given_up_is_waited_for_with_the_reason_and_not_by_clients() {
    let mut sim = world(vec![program("web", &["db"]), program("db", &[])]);
    sim.plan(
        "db",
        [Plan::fails("no"), Plan::fails("no"), Plan::fails("no"), Plan::fails("no"), Plan::runs()],
    );
    sim.begin();
    sim.request(Ask::stop("web"));
    let call = sim.request(Ask::start("web"));
    sim.advance(secs(2));
    assert_eq!((sim.state("db"), answer(&sim, call)), (StateName::Backoff, None), "it may still come");
    sim.advance(secs(20));
    assert_eq!(sim.state("db"), StateName::Fatal);
    assert_eq!(answer(&sim, call), Some(Err(Refusal::AbnormalTermination("web".to_owned()))));
    assert_eq!(sim.state("web"), StateName::Starting);
    assert_eq!(obstacle(&sim, "web").expect("an obstacle"), "waits for db to be running (it is FATAL)");
    sim.request(Ask::start("db"));
    sim.advance(secs(2));
    assert_eq!(sim.forks("web"), 1, "it is started as soon as it can be");
}

#[test]
fn what_is_not_active_is_waited_for_until_it_is() {
    let mut sim = world(vec![program("web", &["db"])]);
    sim.begin();
    assert_eq!(obstacle(&sim, "web").expect("an obstacle"), "waits for db to be running (it is not active)");
    sim.request(Ask::add(alone(program("db", &[]))));
    sim.advance(secs(2));
    assert_eq!(sim.forks("web"), 1);
}

#[test]
fn what_waits_can_be_stopped_updated_and_removed() {
    let waiting = || {
        let mut sim = world(vec![program("web", &["db"])]);
        sim.begin();
        sim
    };
    let mut sim = waiting();
    assert_eq!(ask(&mut sim, Ask::stop("web")), Some(Ok(())));
    assert_eq!((sim.state("web"), ask(&mut sim, Ask::remove("web"))), (StateName::Stopped, Some(Ok(()))));
    let mut sim = waiting();
    sim.request(Ask::update(alone(program("web", &[]))));
    sim.advance(secs(2));
    assert_eq!(
        (sim.state("web"), sim.forks("web")),
        (StateName::Running, 1),
        "nothing is in its way any more"
    );
    sim.request(Ask::update(alone(program("web", &["db"]))));
    sim.advance(secs(2));
    assert_eq!(
        (sim.state("web"), sim.forks("web")),
        (StateName::Running, 1),
        "nor does it disturb what runs"
    );
    let mut sim = waiting();
    sim.shutdown();
    sim.advance(secs(2));
    assert_eq!(sim.terminations(), [false]);
}

#[test]
fn a_crash_waits_for_what_is_gone_meanwhile() {
    let mut sim = world(vec![program("web", &["db"]), program("db", &[])]);
    sim.plan("web", [Plan::exits(secs(5), 1), Plan::runs()]).begin();
    sim.advance(secs(3));
    sim.request(Ask::stop("db"));
    assert_eq!((sim.state("db"), sim.state("web")), (StateName::Stopped, StateName::Running), "ignore");
    sim.advance(secs(5));
    assert_eq!((sim.forks("web"), sim.forks("db")), (1, 1), "nobody starts what was stopped on purpose");
    assert_eq!(obstacle(&sim, "web").expect("an obstacle"), "waits for db to be running (it is STOPPED)");
    sim.request(Ask::start("db"));
    sim.advance(secs(2));
    assert_eq!(sim.forks("web"), 2);
}

#[test]
fn a_stop_takes_along_and_comes_last() {
    for (policy, state) in [
        (OnDependencyStop::Ignore, StateName::Running),
        (OnDependencyStop::Stop, StateName::Stopped),
        (OnDependencyStop::Restart, StateName::Starting),
    ] {
        let mut web = program("web", &["db"]);
        web.on_dependency_stop = policy;
        let mut sim = world(vec![web, program("db", &[])]);
        sim.plan("web", [Plan::runs().lingering(secs(3)), Plan::runs()]).begin();
        sim.advance(secs(4));
        let call = sim.request(Ask::stop("db"));
        if policy != OnDependencyStop::Ignore {
            assert_eq!((sim.state("web"), sim.state("db")), (StateName::Stopping, StateName::Running));
            assert_eq!(answer(&sim, call), None);
            sim.advance(secs(4));
        }
        assert_eq!((sim.state("web"), sim.state("db")), (state, StateName::Stopped), "{policy:?}");
        assert_eq!(answer(&sim, call), Some(Ok(())));
        sim.request(Ask::start("db"));
        sim.advance(secs(4));
        assert_eq!(sim.is("web", StateName::Running), policy != OnDependencyStop::Stop, "{policy:?}");
        assert_eq!(sim.forks("web"), if policy == OnDependencyStop::Restart { 2 } else { 1 });
    }
}

#[test]
fn a_crash_takes_along_what_is_to_restart_with_it() {
    let mut web = program("web", &["db"]);
    web.on_dependency_stop = OnDependencyStop::Restart;
    let mut sim = world(vec![web, program("db", &[])]);
    sim.plan("db", [Plan::exits(secs(5), 1), Plan::runs()]).begin();
    sim.advance(secs(10));
    assert_eq!((sim.state("web"), sim.state("db")), (StateName::Running, StateName::Running));
    assert_eq!(launched(&sim), ["db", "web", "db", "web"]);
}

#[test]
fn everything_ends_in_order() {
    for whole_daemon in [true, false] {
        let mut db = program("db", &[]);
        db.priority = 1000;
        let mut sim =
            world(vec![program("web", &["migrate:completed", "db"]), db, program("migrate", &["db"])]);
        sim.plan("migrate", [Plan::exits(secs(2), 0)]);
        sim.plan("web", [Plan::runs().lingering(secs(3))]).begin();
        sim.advance(secs(8));
        assert_eq!(sim.state("web"), StateName::Running);
        if whole_daemon {
            sim.shutdown();
        } else {
            sim.request(Ask::stop("all"));
        }
        assert_eq!((sim.state("web"), sim.state("db")), (StateName::Stopping, StateName::Running));
        sim.advance(secs(4));
        if whole_daemon {
            assert_eq!(sim.terminations(), [false]);
        }
        let ends = sim.events().into_iter().filter(|event| event.contains(" STOPPED from")).count();
        assert_eq!(ends, 2, "{:?}", sim.events());
    }
}

#[test]
fn a_stop_of_many_is_answered_without_waiting_too() {
    let mut sim = world(vec![program("web", &["db"]), program("db", &[])]);
    sim.plan("web", [Plan::runs().lingering(secs(3))]).begin();
    sim.advance(secs(4));
    let call = sim.request(Ask::stop("all").without_waiting());
    sim.advance(millis(1));
    assert_eq!(crate::scene::many(&sim, call).map(|all| all.len()), Some(2));
    sim.advance(secs(4));
    assert_eq!((sim.state("web"), sim.state("db")), (StateName::Stopped, StateName::Stopped));
}

#[test]
fn what_is_to_stop_last_does_not_start_again_when_it_ends_before() {
    let mut db = program("db", &[]);
    db.autorestart = upkeep_core::spec::Autorestart::Always;
    let mut sim = world(vec![program("web", &["db"]), db]);
    sim.plan("web", [Plan::runs().lingering(secs(8))]);
    sim.plan("db", [Plan::exits(secs(6), 0), Plan::runs()]).begin();
    sim.advance(secs(4));
    sim.request(Ask::stop("all"));
    sim.advance(secs(10));
    assert_eq!((sim.state("web"), sim.forks("db")), (StateName::Stopped, 1));
}

#[test]
fn a_new_daemon_goes_on_waiting_and_stopping() {
    let mut web = program("web", &["db"]);
    web.on_dependency_stop = OnDependencyStop::Stop;
    let mut db = program("db", &[]);
    db.startsecs = 5;
    let mut sim = world(vec![web, db]);
    sim.plan("web", [Plan::runs().lingering(secs(4))]).begin();
    sim.advance(secs(2));
    assert_eq!(sim.state("web"), StateName::Starting);
    sim.crash(Crash { down: millis(100), ..Crash::default() });
    sim.advance(secs(2));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Starting, 0), "db is not up yet");
    sim.advance(secs(3));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 1));
    sim.request(Ask::stop("db"));
    sim.crash(Crash { down: millis(100), ..Crash::default() });
    assert_eq!((sim.state("web"), sim.state("db")), (StateName::Stopping, StateName::Running));
    sim.advance(secs(5));
    assert_eq!((sim.state("web"), sim.state("db")), (StateName::Stopped, StateName::Stopped));
}

/// Groups that were updated one after another depend on each other for a while.
#[test]
fn a_circle_ends_all_the_same() {
    for whole_daemon in [true, false] {
        let mut sim = world(vec![program("a", &[]), program("b", &["a"]), program("c", &["b"])]);
        sim.begin();
        sim.advance(secs(10));
        sim.request(Ask::update(alone(program("a", &["c"]))));
        assert!(["a", "b", "c"].iter().all(|name| sim.is(name, StateName::Running)));
        let call = if whole_daemon {
            sim.shutdown();
            None
        } else {
            Some(sim.request(Ask::stop("all")))
        };
        sim.advance(secs(10));
        assert!(["a", "b", "c"].iter().all(|name| sim.is(name, StateName::Stopped)), "{}", sim.recent());
        assert_eq!(sim.terminations().len(), usize::from(whole_daemon));
        assert!(call.is_none_or(|call| crate::scene::many(&sim, call).is_some()));
    }
}

/// It is to end between what it depends on and what depends on it, and ends by itself before its turn comes.
#[test]
fn what_restarts_with_another_does_so_even_if_it_ends_before_its_turn() {
    let mut web = program("web", &["db"]);
    web.on_dependency_stop = OnDependencyStop::Restart;
    let mut tail = program("tail", &["web"]);
    tail.on_dependency_stop = OnDependencyStop::Stop;
    let mut sim = world(vec![web, tail, program("db", &[])]);
    sim.plan("tail", [Plan::runs().lingering(secs(8))]);
    sim.plan("web", [Plan::exits(secs(10), 0), Plan::runs()]).begin();
    sim.advance(secs(8));
    sim.request(Ask::stop("db"));
    assert_eq!((sim.state("tail"), sim.state("web")), (StateName::Stopping, StateName::Running));
    sim.advance(secs(20));
    assert_eq!((sim.state("tail"), sim.state("db")), (StateName::Stopped, StateName::Stopped));
    sim.request(Ask::start("db"));
    sim.advance(secs(4));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 2), "as if it had been stopped");
    assert_eq!(ask(&mut sim, Ask::stop("web")), Some(Ok(())));
    sim.advance(secs(4));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 2), "and once only");
}

#[test]
fn what_is_to_stop_last_is_not_tried_for_ever() {
    let mut db = program("db", &[]);
    let policy = Arc::make_mut(&mut db.restart);
    policy.on_giveup = upkeep_core::spec::OnGiveup::RetryEvery(secs(30));
    policy.limit = Some(1);
    db.autorestart = upkeep_core::spec::Autorestart::Always;
    let mut sim = world(vec![program("web", &["db:started"]), db]);
    sim.plan("web", [Plan::runs().lingering(secs(60))]);
    sim.plan("db", [Plan::exits(millis(500), 1), Plan::exits(millis(900), 1), Plan::runs()]).begin();
    sim.run_until(|sim| sim.forks("db") == 2 && sim.is("db", StateName::Starting));
    sim.advance(millis(100));
    sim.request(Ask::stop("all"));
    assert_eq!((sim.state("web"), sim.state("db")), (StateName::Stopping, StateName::Starting));
    sim.advance(secs(100));
    assert_eq!((sim.state("web"), sim.forks("db")), (StateName::Stopped, 2), "{}", sim.recent());
}

#[test]
fn who_waits_in_vain_is_told_from_who_only_waits() {
    let mut sim = world(vec![
        program("tail", &["web"]),
        program("web", &["migrate:completed"]),
        program("migrate", &[]),
        program("other", &["stopped"]),
        program("stopped", &[]),
    ]);
    sim.plan("migrate", [Plan::fails("no")]).begin();
    sim.request(Ask::stop("stopped"));
    let in_vain = |sim: &Sim| {
        ["tail", "web", "migrate", "other"]
            .map(|name| sim.core().waits_in_vain(sim.process(name).expect("it is there")))
    };
    assert_eq!(in_vain(&sim), [false; 4]);
    sim.advance(secs(30));
    assert_eq!(sim.state("migrate"), StateName::Fatal);
    assert_eq!(in_vain(&sim), [true, true, false, false]);
}

/// `tail` waits for `web`, and `web` for one that was stopped, which nobody is about to start.
#[test]
fn a_client_does_not_wait_for_one_that_waits_in_vain() {
    let row = || {
        let mut sim = world(vec![program("tail", &["web"]), program("web", &["db"]), program("db", &[])]);
        sim.plan("db", [Plan::runs(), Plan::exits(millis(500), 1)]).begin();
        sim.request(Ask::stop("all"));
        sim
    };
    let refused = Some(Err(Refusal::AbnormalTermination("tail".to_owned())));
    let mut sim = row();
    sim.request(Ask::start("web").without_waiting());
    sim.request(Ask::stop("db"));
    assert_eq!(ask(&mut sim, Ask::start("tail")), refused, "from the beginning");
    assert_eq!(obstacle(&sim, "tail").as_deref(), Some("waits for web to be running (it is STARTING)"));
    let mut sim = row();
    let call = sim.request(Ask::start("tail"));
    assert_eq!(answer(&sim, call), None);
    sim.crash(Crash::default());
    sim.request(Ask::stop("db"));
    assert_eq!(answer(&sim, call), refused, "since then");
}

/// `db` is about to be started once more, and `web`, which depends on it, takes its time to end.
#[test]
fn who_is_in_backoff_does_not_start_while_its_stop_waits_for_another() {
    let web = ProcessSpec { on_dependency_stop: OnDependencyStop::Stop, ..program("web", &["db:started"]) };
    let mut sim = world(vec![web, program("db", &[])]);
    sim.plan("db", [Plan::exits(millis(500), 1)]).plan("web", [Plan::runs().lingering(secs(5))]).begin();
    sim.run_until(|sim| sim.is("db", StateName::Backoff));
    assert!(sim.is("web", StateName::Starting) && sim.forks("web") == 1, "{}", sim.recent());
    let forks = sim.forks("db");
    sim.request(Ask::stop("db").without_waiting());
    sim.advance(secs(20));
    assert_eq!((sim.state("db"), sim.state("web")), (StateName::Stopped, StateName::Stopped));
    assert_eq!(sim.forks("db"), forks, "{}", sim.recent());
}

/// `web` waits for `slow`; `first` had completed before, and has failed since.
#[test]
fn a_client_is_told_of_whatever_has_become_impossible() {
    let slow = ProcessSpec { startsecs: 1000, ..program("slow", &[]) };
    let web = program("web", &["first:completed", "slow"]);
    let first = ProcessSpec { autorestart: Autorestart::Never, ..program("first", &[]) };
    let mut sim = world(vec![web, program("tail", &["web"]), first, slow]);
    sim.plan("first", [Plan::exits(secs(2), 0), Plan::exits(secs(2), 1)]).begin().advance(secs(3));
    assert_eq!(obstacle(&sim, "web").as_deref(), Some("waits for slow to be running (it is STARTING)"));
    sim.request(Ask::stop("tail"));
    let call = sim.request(Ask::start("tail"));
    sim.request(Ask::start("first"));
    assert_eq!(answer(&sim, call), None);
    sim.advance(secs(3));
    assert_eq!(answer(&sim, call), Some(Err(Refusal::AbnormalTermination("tail".to_owned()))));
}

/// The daemon dies after any number of orders of a request to start all: those that wait for others are started too.
#[test]
fn those_that_wait_for_others_are_started_wherever_the_daemon_dies() {
    for orders in 0..30 {
        for ask in [Ask::start("all"), Ask::start("all").without_waiting()] {
            let mut programs = vec![
                program("db", &[]),
                program("web", &["db"]),
                program("cron", &["web"]),
                program("log", &[]),
            ];
            programs.iter_mut().for_each(|program| program.autostart = false);
            let mut sim = world(programs);
            sim.begin().crash_after(orders, Crash::default());
            let call = sim.request(ask);
            sim.disarm();
            sim.advance(secs(20));
            let results = crate::scene::many(&sim, call).expect("an answer");
            assert!(
                results.len() == 4 && results.iter().all(|(_, result)| result.is_ok()),
                "{orders}: {results:?}"
            );
            let states = ["db", "web", "cron", "log"].map(|name| sim.state(name));
            assert_eq!(states, [StateName::Running; 4], "{orders}");
        }
    }
}

/// Whom somebody has stopped while it waited is not started again for the one who wanted all to run.
#[test]
fn what_was_stopped_while_it_waited_stays_stopped_when_the_daemon_dies() {
    let mut programs = vec![program("db", &[]), program("web", &["db"])];
    programs.iter_mut().for_each(|program| (program.autostart, program.startsecs) = (false, 5));
    let mut sim = world(programs);
    sim.begin();
    let call = sim.request(Ask::start("all"));
    assert_eq!(ask(&mut sim, Ask::stop("web")), Some(Ok(())));
    sim.crash(Crash::default());
    sim.advance(secs(20));
    assert_eq!((sim.state("db"), sim.state("web")), (StateName::Running, StateName::Stopped));
    assert_eq!(crate::scene::many(&sim, call).map(|all| all.len()), Some(2));
}
