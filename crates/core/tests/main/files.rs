//! `watch`: what processes do when their files have changed.

use upkeep_core::StateName;
use upkeep_core::signal::{KILL, TERM};
use upkeep_core::spec::{Condition, Dependency, GroupSpec, OnDependencyStop, ProcessSpec, Target};
use upkeep_sim::{Ask, Crash, Plan, Sim, millis, secs};

use crate::scene::{ALL, alone, answer, begun, group, standing};

const WEB: &str = "program:web";

/// Who runs starts again, who ended by itself starts, and who was stopped stays so.
#[test]
fn each_state_has_its_rule() {
    for state in ALL {
        let mut sim = standing(state);
        let before = (sim.launches().len(), sim.signals("web"));
        sim.files_changed(WEB).advance(secs(6));
        let again = match state {
            StateName::Starting | StateName::Running | StateName::Backoff => true,
            StateName::Exited | StateName::Fatal => true,
            StateName::Stopped | StateName::Stopping | StateName::Unknown => false,
        };
        assert_eq!(sim.launches().len() > before.0, again, "{state:?}");
        let asked = matches!(state, StateName::Starting | StateName::Running);
        assert_eq!(sim.signals("web") != before.1, asked, "{state:?}");
        let expected = match state {
            StateName::Starting | StateName::Running => StateName::Running,
            StateName::Exited => StateName::Exited,
            StateName::Stopped | StateName::Stopping => StateName::Stopped,
            StateName::Backoff | StateName::Fatal | StateName::Unknown => continue,
        };
        assert_eq!(sim.state("web"), expected, "{state:?}");
    }
}

#[test]
fn it_is_stopped_as_always_and_starts_when_it_has_ended() {
    let mut sim = begun(|spec| spec.stopwaitsecs = 3, [Plan::runs().ignoring(&[TERM]), Plan::runs()]);
    sim.advance(secs(2));
    sim.files_changed(WEB).advance(secs(1));
    assert_eq!(sim.state("web"), StateName::Stopping);
    // The next change meanwhile is one with it.
    sim.files_changed(WEB).advance(secs(5));
    assert_eq!((sim.state("web"), sim.signals("web")), (StateName::Running, vec![TERM, KILL]));
    assert_eq!(sim.forks("web"), 2);
}

#[test]
fn who_is_told_to_stop_meanwhile_does_not_start() {
    let mut sim = standing(StateName::Running);
    let stop = sim.request(Ask::stop("web"));
    sim.files_changed(WEB).advance(secs(6));
    assert_eq!((sim.state("web"), answer(&sim, stop)), (StateName::Stopped, Some(Ok(()))));
    sim.files_changed(WEB).advance(secs(6));
    assert_eq!(sim.forks("web"), 1);
}

#[test]
fn only_the_copies_of_the_program_are_concerned() {
    let mut web = group("web", &["a", "b"]);
    web.processes.iter_mut().for_each(|process| std::sync::Arc::make_mut(process).section = WEB.into());
    let mut sim = Sim::new(vec![web, group("other", &["c"])]);
    sim.begin().advance(secs(2));
    sim.files_changed(WEB).advance(secs(2));
    assert_eq!((sim.forks("web:a"), sim.forks("web:b"), sim.forks("other:c")), (2, 2, 1));
}

#[test]
fn it_takes_along_what_depends_on_it() {
    let mut web = ProcessSpec::new("web", "web");
    let target = Target { group: "db".to_owned(), process: None };
    let dependency =
        Dependency { name: "db".to_owned(), targets: vec![target], condition: Condition::Running };
    web.depends_on = [dependency].into();
    web.on_dependency_stop = OnDependencyStop::Restart;
    let mut sim = Sim::new(vec![alone(web), alone(ProcessSpec::new("db", "db"))]);
    sim.plan("web", [Plan::runs().lingering(secs(1))]).begin().advance(secs(4));
    sim.files_changed("program:db").advance(millis(500));
    assert_eq!(
        (sim.state("web"), sim.state("db")),
        (StateName::Stopping, StateName::Running),
        "web ends first"
    );
    sim.advance(secs(6));
    assert_eq!((sim.state("web"), sim.state("db")), (StateName::Running, StateName::Running));
    assert_eq!((sim.forks("web"), sim.forks("db")), (2, 2));
}

#[test]
fn nothing_starts_once_everything_ends() {
    let mut sim = standing(StateName::Exited);
    sim.plan("web", [Plan::runs()]);
    sim.shutdown();
    sim.files_changed(WEB).advance(secs(1));
    assert_eq!(sim.forks("web"), 1);
    assert!(sim.has_ended());
}

/// The daemon dies after any of its orders: the program starts again, once or, where nobody could know, twice.
#[test]
fn a_restart_outlives_the_daemon() {
    for orders in 0..12 {
        let group = || vec![GroupSpec::plain("web", vec![ProcessSpec::new("web", "web")])];
        let mut sim = Sim::new(group());
        sim.plan("web", [Plan::runs().lingering(secs(1)), Plan::runs()]).begin().advance(secs(2));
        sim.crash_after(orders, Crash::default());
        sim.files_changed(WEB).advance(secs(12));
        if sim.forks("web") == 1 {
            // It died before anything was written down; the shell tells it again then.
            sim.files_changed(WEB).advance(secs(12));
        }
        assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 2), "{orders}");
    }
}
