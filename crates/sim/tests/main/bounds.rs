//! `max_runtime`, `max_restarts_per_day` and `memory_limit` in virtual time.

use upkeep_core::StateName;
use upkeep_core::signal::{KILL, TERM};
use upkeep_sim::{Ask, Crash, Plan, Sim, groups, secs};

const HOUR: u64 = 3600;

fn conf(options: &str) -> String {
    format!("[program:web]\ncommand=web\nautorestart=true\n{options}\n")
}

fn running(options: &str) -> Sim {
    planned(options, Plan::runs())
}

fn planned(options: &str, plan: Plan) -> Sim {
    let mut sim = Sim::from_conf(&conf(options));
    sim.plan("web", [plan]);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    sim
}

fn starts(sim: &Sim) -> usize {
    sim.log().iter().filter(|line| line.contains("spawned: 'web'")).count()
}

fn update(sim: &mut Sim, options: &str) {
    sim.request(Ask::update(groups(&conf(options)).remove(0)).without_waiting());
}

#[test]
fn a_run_that_lasts_too_long_is_stopped_and_starts_again() {
    let mut sim = running("max_runtime=1h");
    sim.advance(secs(HOUR - 10));
    assert_eq!((sim.signals("web"), starts(&sim)), (vec![], 1));
    sim.advance(secs(10));
    assert_eq!((sim.signals("web"), starts(&sim)), (vec![TERM], 2));
    let line = "Warn ending 'web' (101): it ran for 60 min (max_runtime)".to_owned();
    assert!(sim.log().contains(&line), "{:?}", sim.log());
    let events: Vec<&str> = sim.events().into_iter().filter(|event| event.contains("web")).collect();
    let at = events.iter().position(|event| *event == "web LIMIT max_runtime").expect("an event");
    let states: Vec<&str> = events[at + 1..].iter().take(3).map(|event| &event[..11]).collect();
    assert_eq!(states, ["web STOPPIN", "web STOPPED", "web STARTIN"], "{events:?}");
    sim.advance(secs(HOUR));
    assert_eq!(starts(&sim), 3);
}

#[test]
fn who_does_not_end_in_time_is_killed_as_in_every_stop() {
    let mut sim = planned("max_runtime=1m\nstopwaitsecs=5", Plan::runs().ignoring(&[TERM]));
    sim.advance(secs(60));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![TERM], StateName::Stopping));
    sim.advance(secs(5));
    assert_eq!((&sim.signals("web")[..2], starts(&sim)), (&[TERM, KILL][..], 2));
}

#[test]
fn what_is_not_started_again_stays_stopped() {
    let mut sim = running("autorestart=false\nmax_runtime=1m");
    sim.advance(secs(100));
    assert_eq!((sim.state("web"), starts(&sim)), (StateName::Stopped, 1));
}

/// The time of a run is that of its child, whichever daemon is there.
#[test]
fn a_death_of_the_daemon_takes_no_time_away() {
    let mut sim = running("max_runtime=1m");
    for _ in 0..6 {
        sim.advance(secs(9)).crash(Crash::default());
    }
    assert_eq!(starts(&sim), 1);
    sim.advance(secs(6));
    assert_eq!((sim.signals("web"), starts(&sim)), (vec![TERM], 2));
}

/// It starts again also if the daemon dies while it is being stopped.
#[test]
fn a_death_meanwhile_changes_nothing() {
    let mut sim = planned("max_runtime=1m\nstopwaitsecs=9\nrestart_delay=5", Plan::runs().ignoring(&[TERM]));
    sim.advance(secs(60));
    assert_eq!(sim.state("web"), StateName::Stopping);
    sim.crash(Crash::default()).advance(secs(9));
    assert_eq!(sim.state("web"), StateName::Backoff, "the restart policy is obeyed");
    sim.advance(secs(5)).crash(Crash::default()).advance(secs(2));
    assert_eq!((sim.state("web"), starts(&sim)), (StateName::Running, 2));
}

#[test]
fn who_is_stopped_by_hand_meanwhile_stays_stopped() {
    for many in [false, true] {
        let mut sim = planned("max_runtime=1m\nstopwaitsecs=9", Plan::runs().ignoring(&[TERM]));
        sim.advance(secs(61));
        assert_eq!(sim.state("web"), StateName::Stopping);
        sim.request(Ask::stop(if many { "all" } else { "web" }).without_waiting());
        sim.crash(Crash::default()).advance(secs(20));
        assert_eq!((sim.state("web"), starts(&sim)), (StateName::Stopped, 1), "{many}");
    }
}

#[test]
fn restarts_count_for_the_restart_policy() {
    let mut sim = running("max_runtime=10\nrestart_limit=2\nrestart_window=1h");
    sim.advance(secs(40));
    assert_eq!((sim.state("web"), starts(&sim)), (StateName::Fatal, 3));
    let line = "Warn gave up: web entered FATAL state, restarted 2 times within 60 min (restart_limit)";
    assert!(sim.log().contains(&line.to_owned()), "{:?}", sim.log());
}

#[test]
fn an_update_changes_how_long_it_may_run() {
    let mut sim = running("max_runtime=1h");
    sim.advance(secs(100));
    update(&mut sim, "max_runtime=2h");
    sim.advance(secs(HOUR));
    assert_eq!(starts(&sim), 1);
    update(&mut sim, "max_runtime=1m");
    sim.advance(secs(2));
    assert_eq!(starts(&sim), 2, "it has run for longer already");
    update(&mut sim, "");
    sim.advance(secs(9 * HOUR));
    assert_eq!(starts(&sim), 2);
}

#[test]
fn a_day_has_so_many_restarts() {
    let options = "max_restarts_per_day=3\nrestart_delay=5h";
    let mut sim = planned(options, Plan::exits(secs(10), 1));
    sim.advance(secs(24 * HOUR));
    let gave_up =
        "Warn gave up: web entered FATAL state, restarted 3 times within 24 h (max_restarts_per_day)";
    assert_eq!((sim.state("web"), starts(&sim)), (StateName::Fatal, 4), "{:?}", sim.log());
    assert!(sim.log().contains(&gave_up.to_owned()), "{:?}", sim.log());
    let mut sim = planned("max_restarts_per_day=3\nrestart_delay=9h", Plan::exits(secs(10), 1));
    sim.advance(secs(240 * HOUR));
    assert_ne!(sim.state("web"), StateName::Fatal, "a day forgets");
}

#[test]
fn a_day_counts_across_a_death_of_the_daemon() {
    let mut sim = planned("max_restarts_per_day=3\nrestart_delay=5h", Plan::exits(secs(10), 1));
    for _ in 0..8 {
        sim.advance(secs(3 * HOUR)).crash(Crash::default());
    }
    assert_eq!((sim.state("web"), starts(&sim)), (StateName::Fatal, 4));
}

const MEMORY: &str = "memory_limit=100MB\nmemory_limit_interval=5";
const MEGA: u64 = 1 << 20;

#[test]
fn who_uses_too_much_memory_is_stopped_and_starts_again() {
    let mut sim = running(MEMORY);
    sim.uses("web", Ok(100 * MEGA)).advance(secs(60));
    assert_eq!((sim.signals("web"), sim.measured()), (vec![], 12), "measured every five seconds");
    sim.uses("web", Ok(101 * MEGA)).advance(secs(5));
    sim.uses("web", Ok(0)).advance(secs(60));
    assert_eq!((sim.signals("web"), starts(&sim)), (vec![TERM], 2));
    let line = "Warn ending 'web' (101): it used 101 MB of memory (memory_limit is 100 MB)".to_owned();
    assert!(sim.log().contains(&line), "{:?}", sim.log());
}

#[test]
fn it_may_be_killed_at_once() {
    let mut sim = running(&format!("{MEMORY}\nmemory_limit_action=kill\nrestart_delay=3"));
    sim.uses("web", Ok(200 * MEGA)).advance(secs(6));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![KILL], StateName::Backoff));
    sim.uses("web", Ok(0)).advance(secs(5));
    assert_eq!((starts(&sim), sim.state("web")), (2, StateName::Running));
}

/// The next daemon measures at once, and then in the same rhythm.
#[test]
fn measuring_goes_on_after_a_death_of_the_daemon() {
    let mut sim = running(MEMORY);
    sim.uses("web", Ok(200 * MEGA)).crash(Crash::default());
    sim.advance(secs(1)).uses("web", Ok(0)).advance(secs(5));
    assert_eq!(starts(&sim), 2);
    let before = sim.measured();
    sim.advance(secs(50));
    assert_eq!(sim.measured() - before, 10);
}

#[test]
fn what_cannot_be_measured_is_said_once() {
    let mut sim = running(MEMORY);
    sim.uses("web", Err("no /proc")).advance(secs(60));
    let line = "Warn memory_limit of 'web' has no effect: its memory cannot be measured: no /proc";
    assert_eq!(sim.log().iter().filter(|said| *said == line).count(), 1);
    assert_eq!((sim.state("web"), sim.measured()), (StateName::Running, 1));
}

/// Without the option nothing is measured; an update turns it on and off for who runs.
#[test]
fn an_update_turns_measuring_on_and_off() {
    let mut sim = running("");
    sim.uses("web", Ok(200 * MEGA)).advance(secs(60));
    assert_eq!(sim.measured(), 0);
    update(&mut sim, MEMORY);
    sim.advance(secs(5));
    assert_eq!((sim.measured(), sim.signals("web")), (1, vec![TERM]));
    sim.uses("web", Ok(0)).advance(secs(10));
    update(&mut sim, "");
    let before = sim.measured();
    sim.advance(secs(60));
    assert_eq!((sim.measured(), sim.state("web")), (before, StateName::Running));
}

/// `web` depends on `db`, which uses too much or runs for too long.
fn with_dependant(bounds: &str, policy: &str) -> Sim {
    let text = format!(
        "[program:db]\ncommand=db\nautorestart=true\n{bounds}\n\
         [program:web]\ncommand=web\ndepends_on=db\non_dependency_stop={policy}\n"
    );
    let mut sim = Sim::from_conf(&text);
    sim.plan("web", [Plan::runs().lingering(secs(4))]);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    sim
}

#[test]
fn who_goes_beyond_ends_after_those_that_depend_on_it() {
    for bounds in ["max_runtime=1m", MEMORY] {
        let mut sim = with_dependant(bounds, "restart");
        sim.uses("db", Ok(200 * MEGA)).run_until(|sim| sim.is("web", StateName::Stopping));
        assert_eq!((sim.state("db"), sim.signals("db")), (StateName::Running, vec![]), "{bounds}");
        sim.uses("db", Ok(0)).advance(secs(3));
        assert_eq!(sim.signals("db"), [], "{bounds}: the other one has not ended");
        sim.advance(secs(5));
        assert_eq!((sim.signals("db"), sim.forks("db"), sim.forks("web")), (vec![TERM], 2, 2), "{bounds}");
        assert!(sim.is("db", StateName::Running) && sim.is("web", StateName::Running), "{bounds}");
        assert_eq!(sim.log().iter().filter(|line| line.contains("ending 'db'")).count(), 1, "{bounds}");
    }
}

#[test]
fn who_goes_beyond_ends_in_order_whenever_the_daemon_dies() {
    for bounds in ["max_runtime=1m", MEMORY] {
        for orders in 0..10 {
            let mut sim = with_dependant(bounds, "restart");
            sim.uses("db", Ok(200 * MEGA)).crash_after(orders, Crash::default());
            sim.run_until(|sim| sim.is("web", StateName::Stopping));
            sim.crash(Crash::default());
            assert_eq!(sim.signals("db"), [], "{bounds} {orders}");
            // A signal that was lost with a daemon comes at the deadline.
            sim.uses("db", Ok(0)).advance(secs(25));
            assert_eq!(
                (sim.signals("db"), sim.forks("db"), sim.forks("web")),
                (vec![TERM], 2, 2),
                "{bounds} {orders}"
            );
        }
    }
}

#[test]
fn who_is_killed_or_does_not_matter_to_others_ends_at_once() {
    let mut sim = with_dependant(&format!("{MEMORY}\nmemory_limit_action=kill"), "restart");
    sim.uses("db", Ok(200 * MEGA)).run_until(|sim| !sim.signals("db").is_empty());
    assert_eq!((sim.signals("db"), sim.signals("web")), (vec![KILL], vec![]));
    sim.advance(secs(1));
    assert_eq!(sim.signals("web"), [TERM], "the other one follows");
    let mut sim = with_dependant("max_runtime=1m", "ignore");
    sim.run_until(|sim| !sim.signals("db").is_empty());
    assert_eq!((sim.signals("db"), sim.signals("web")), (vec![TERM], vec![]));
}

/// It waits for those that depend on it when somebody stops it by hand: it does not start again.
#[test]
fn a_stop_by_hand_is_obeyed_while_others_end_first() {
    let mut sim = with_dependant("max_runtime=1m", "restart");
    sim.run_until(|sim| sim.is("web", StateName::Stopping));
    sim.request(Ask::stop("db").without_waiting());
    sim.advance(secs(20));
    assert_eq!((sim.state("db"), sim.forks("db")), (StateName::Stopped, 1));
}

#[test]
fn restarts_of_who_ends_in_order_count_too() {
    let mut sim = with_dependant("max_runtime=10\nrestart_limit=2\nrestart_window=1h", "restart");
    sim.advance(secs(100));
    assert_eq!((sim.state("db"), sim.forks("db")), (StateName::Fatal, 3));
}
