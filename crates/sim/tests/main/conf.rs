//! From configuration text to behaviour: what a user writes is what happens.

use upkeep_core::{Answer, StateName, Update, signal};
use upkeep_sim::{Ask, Plan, Sim, groups, secs};

fn updated(sim: &Sim, call: upkeep_core::CallId) -> Option<&Update> {
    match &sim.answers(call).answers[..] {
        [(_, Answer::Updated(update))] => Some(update),
        _ => None,
    }
}

#[test]
fn stopwaitsecs_then_sigkill_proc_025() {
    let mut sim = Sim::from_conf("[program:web]\ncommand=web\nstopwaitsecs=10");
    sim.plan("web", [Plan::runs().ignoring(&[signal::TERM])]);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    sim.request(Ask::stop("web"));
    sim.advance(secs(10));
    assert_eq!(sim.signals("web"), [signal::TERM, signal::KILL]);
}

#[test]
fn numprocs_grows_and_shrinks_without_a_restart_d_37_proc_038() {
    let conf = |numprocs: u32| {
        groups(&format!(
            "[program:w]\ncommand=w\nnumprocs={numprocs}\nprocess_name=%(program_name)s_%(process_num)02d"
        ))
    };
    let mut sim = Sim::new(conf(2));
    sim.begin().advance(secs(2));
    let grown = sim.request(Ask::update(conf(4).remove(0)));
    assert_eq!(updated(&sim, grown).map(|update| update.started.clone()), Some(names(&["w_02", "w_03"])));
    sim.advance(secs(2));
    let shrunk = sim.request(Ask::update(conf(1).remove(0)));
    assert_eq!(
        updated(&sim, shrunk).map(|update| update.stopped.clone()),
        Some(names(&["w_01", "w_02", "w_03"]))
    );
    assert_eq!((sim.state("w:w_00"), sim.forks("w:w_00")), (StateName::Running, 1));
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn groups_start_in_order_of_priority_then_name_proc_180_proc_185() {
    let sim = &mut Sim::from_conf(
        "[program:z]\ncommand=z\npriority=1\n[program:b]\ncommand=b\n[program:a]\ncommand=a\n\
         [program:m2]\ncommand=m\npriority=1\n[program:m1]\ncommand=m\npriority=2\n[group:g]\nprograms=m2,m1\npriority=500\n",
    );
    sim.begin();
    let launched: Vec<&str> = sim.launches().iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(launched, ["z", "g:m2", "g:m1", "a", "b"]);
}

#[test]
fn a_changed_environment_of_supervisord_restarts_every_program_cfg_423() {
    let conf =
        |value: &str| groups(&format!("[supervisord]\nenvironment=A={value}\n[program:web]\ncommand=web"));
    let mut sim = Sim::new(conf("1"));
    sim.begin().advance(secs(2));
    let call = sim.request(Ask::update(conf("2").remove(0)));
    sim.advance(secs(2));
    assert_eq!(updated(&sim, call).map(|update| update.restarted.clone()), Some(names(&["web"])));
    assert_eq!(sim.forks("web"), 2);
}
