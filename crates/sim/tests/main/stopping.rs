//! `stop_sequence` in virtual time.

use upkeep_core::StateName;
use upkeep_core::signal::{HUP, INT, KILL, TERM};
use upkeep_sim::{Ask, Crash, Plan, Sim, groups, secs};

const SEQUENCE: &str = "stop_sequence=TERM 10, INT 5, KILL";

fn conf(options: &str) -> String {
    format!("[program:web]\ncommand=web\n{options}\n")
}

/// `web` runs, ignores these signals, and has just been told to stop.
fn stopping(options: &str, ignored: &[upkeep_core::signal::Signal]) -> Sim {
    let mut sim = Sim::from_conf(&conf(options));
    sim.plan("web", [Plan::runs().ignoring(ignored)]);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    sim.request(Ask::stop("web").without_waiting());
    sim
}

#[test]
fn each_signal_gets_its_time() {
    let mut sim = stopping(SEQUENCE, &[TERM, INT]);
    assert_eq!(sim.signals("web"), [TERM]);
    sim.advance(secs(9));
    assert_eq!(sim.signals("web"), [TERM]);
    sim.advance(secs(1));
    assert_eq!(sim.signals("web"), [TERM, INT]);
    sim.advance(secs(4));
    assert_eq!(sim.state("web"), StateName::Stopping);
    sim.advance(secs(1));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![TERM, INT, KILL], StateName::Stopped));
    let line = "Warn 'web' (101) has not stopped, going on with SIGINT".to_owned();
    assert!(sim.log().contains(&line), "{:?}", sim.log());
}

#[test]
fn it_ends_with_the_first_signal_that_works_and_begins_anew_next_time() {
    let mut sim = stopping(SEQUENCE, &[TERM]);
    sim.advance(secs(12));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![TERM, INT], StateName::Stopped));
    sim.request(Ask::start("web"));
    sim.advance(secs(2));
    sim.request(Ask::stop("web").without_waiting());
    assert_eq!(sim.signals("web")[2..], [TERM]);
}

#[test]
fn a_step_without_a_time_takes_stopwaitsecs() {
    let mut sim = stopping("stop_sequence=HUP, TERM 1\nstopwaitsecs=3", &[HUP, TERM]);
    sim.advance(secs(3));
    assert_eq!(sim.signals("web"), [HUP, TERM]);
    sim.advance(secs(1));
    assert_eq!(sim.signals("web"), [HUP, TERM, KILL]);
}

#[test]
fn a_death_of_the_daemon_goes_on_with_the_step() {
    let mut sim = stopping(SEQUENCE, &[TERM, INT]);
    for _ in 0..16 {
        sim.advance(secs(1)).crash(Crash::default());
    }
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![TERM, INT, KILL], StateName::Stopped));
}

#[test]
fn an_update_changes_the_steps_that_are_left() {
    let mut sim = stopping(SEQUENCE, &[TERM, INT, HUP]);
    sim.request(Ask::update(groups(&conf("stop_sequence=TERM 1, HUP 2, KILL")).remove(0)).without_waiting());
    sim.advance(secs(13));
    assert_eq!(sim.signals("web"), [TERM, HUP, KILL]);
}

#[test]
fn clients_are_told_the_first_signal_and_the_whole_time() {
    let spec = groups(&conf("stop_sequence=INT 1.5, TERM 2, KILL")).remove(0).processes.remove(0);
    assert_eq!((spec.stopsignal, spec.stopwaitsecs), (INT, 4));
    let spec = groups(&conf("stop_sequence=KILL")).remove(0).processes.remove(0);
    assert_eq!((spec.stopsignal, spec.stopwaitsecs), (KILL, 10));
}
