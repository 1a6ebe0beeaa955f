//! Requests: who may ask what in which state, what the answer is and when it comes (the ledger's RPC-100 … RPC-122).

use std::sync::Arc;

use upkeep_core::spec::ProcessSpec;
use upkeep_core::{Answer, CallId, Refusal, StateName, signal};
use upkeep_sim::{Ask, Plan, Signalling, Sim, millis, secs};

use crate::scene::{ALL, alone, answer, ask, begun, group, many, names, standing, web};

type Verdict = Option<Result<(), Refusal>>;

fn refused(refusal: fn(String) -> Refusal) -> Verdict {
    Some(Err(refusal("web".to_owned())))
}

#[test]
fn a_start_in_every_state_rpc_110_rpc_111_proc_031() {
    let unknown = || Some(Err(Refusal::Failed("web is in an unknown process state".to_owned())));
    for state in ALL {
        let (expected, launches) = match state {
            StateName::Stopped | StateName::Exited | StateName::Fatal => (None, 1),
            StateName::Starting | StateName::Running | StateName::Backoff => {
                (refused(Refusal::AlreadyStarted), 0)
            }
            StateName::Stopping => (refused(Refusal::AbnormalTermination), 0),
            StateName::Unknown => (unknown(), 0),
        };
        let mut sim = standing(state);
        sim.plan("web", [Plan::runs()]);
        let before = sim.launches().len();
        assert_eq!(ask(&mut sim, Ask::start("web")), expected, "{state:?}");
        assert_eq!(sim.launches().len() - before, launches, "{state:?}");
        if launches == 0 {
            assert_eq!(sim.state("web"), state, "a refusal changes nothing");
        }
    }
}

#[test]
fn a_start_while_stopping_is_logged_proc_314() {
    let mut sim = standing(StateName::Stopping);
    sim.request(Ask::start("web"));
    assert_eq!(sim.log().last().map(String::as_str), Some("Warn process 'web' already running"));
}

#[test]
fn the_command_is_judged_before_the_state_rpc_110_proc_052() {
    for state in ALL {
        let mut sim = standing(state);
        let (launches, log) = (sim.launches().len(), sim.log().len());
        let found = Refusal::NoFile("can't find command 'web'".to_owned());
        assert_eq!(ask(&mut sim, Ask::start_found("web", found.clone())), Some(Err(found)), "{state:?}");
        assert_eq!((sim.state("web"), sim.launches().len(), sim.log().len()), (state, launches, log));
    }
    let mut sim = standing(StateName::Stopped);
    let found = Refusal::NotExecutable("command at '/etc' is a directory".to_owned());
    let expected = Some(Err(Refusal::BadName("nobody".to_owned())));
    assert_eq!(ask(&mut sim, Ask::start_found("nobody", found)), expected, "the name is judged first");
}

#[test]
fn a_stop_in_every_state_rpc_116() {
    for state in ALL {
        let expected = match state {
            StateName::Starting | StateName::Running => None,
            StateName::Backoff => Some(Ok(())),
            StateName::Stopped
            | StateName::Stopping
            | StateName::Exited
            | StateName::Fatal
            | StateName::Unknown => refused(Refusal::NotRunning),
        };
        let mut sim = standing(state);
        let signals = sim.signals("web").len();
        let call = sim.request(Ask::stop("web"));
        assert_eq!(answer(&sim, call), expected, "{state:?}");
        let sent = sim.signals("web").len() - signals;
        assert_eq!(sent, usize::from(expected.is_none()), "{state:?}: one signal or none");
        sim.advance(secs(5));
        assert_eq!(answer(&sim, call), expected.or(Some(Ok(()))), "{state:?}");
    }
}

#[test]
fn a_signal_in_every_state_rpc_119() {
    for state in ALL {
        let expected = match state {
            StateName::Starting | StateName::Running | StateName::Stopping => Some(Ok(())),
            StateName::Stopped
            | StateName::Backoff
            | StateName::Exited
            | StateName::Fatal
            | StateName::Unknown => refused(Refusal::NotRunning),
        };
        let mut sim = standing(state);
        assert_eq!(ask(&mut sim, Ask::signal("web", "CONT")), expected, "{state:?}");
        assert_eq!(sim.state("web"), state, "{state:?}");
        assert_eq!(sim.signals("web").contains(&signal::Signal(18)), expected == Some(Ok(())), "{state:?}");
    }
}

#[test]
fn a_signal_before_the_fork_finds_nobody_rpc_119() {
    let mut sim = begun(|_| {}, [Plan::runs().launched_after(secs(3))]);
    assert_eq!(ask(&mut sim, Ask::signal("web", "HUP")), refused(Refusal::NotRunning));
    sim.advance(secs(3));
    assert_eq!(ask(&mut sim, Ask::signal("web", "CONT")), Some(Ok(())));
}

#[test]
fn names_nobody_has_rpc_110_rpc_119() {
    for unknown in
        [Ask::start("nobody"), Ask::stop("nobody"), Ask::signal("nobody", "HUP"), Ask::remove("nobody")]
    {
        let mut sim = standing(StateName::Running);
        assert_eq!(ask(&mut sim, unknown), Some(Err(Refusal::BadName("nobody".to_owned()))));
    }
}

/// When an answer came, in milliseconds after it was asked for, and which.
fn timed(sim: &mut Sim, ask: Ask) -> (u128, Verdict) {
    let asked = sim.now().mono;
    let call = sim.request(ask);
    sim.advance(secs(60));
    let when = sim.answers(call).answers.first().map_or(0, |(at, _)| at.since(asked).as_millis());
    (when, answer(sim, call))
}

#[test]
fn when_a_start_is_answered_rpc_100_rpc_102_rpc_111_rpc_112() {
    let spawn_error = || refused(Refusal::SpawnError);
    let row = |startsecs, plan: Plan, waiting, hurried| (startsecs, plan, waiting, hurried);
    for (startsecs, plan, waiting, hurried) in [
        row(4, Plan::runs(), (4000, Some(Ok(()))), (0, Some(Ok(())))),
        row(4, Plan::runs().launched_after(secs(2)), (6000, Some(Ok(()))), (2000, Some(Ok(())))),
        row(0, Plan::runs(), (0, Some(Ok(()))), (0, Some(Ok(())))),
        row(0, Plan::exits(secs(0), 3), (0, Some(Ok(()))), (0, Some(Ok(())))),
        row(4, Plan::exits(millis(500), 0), (500, spawn_error()), (0, Some(Ok(())))),
        row(4, Plan::exits(secs(4), 0), (4000, Some(Ok(()))), (0, Some(Ok(())))),
        row(4, Plan::fails("no"), (0, spawn_error()), (0, spawn_error())),
        row(4, Plan::fails("no").launched_after(secs(1)), (1000, spawn_error()), (1000, spawn_error())),
    ] {
        for (ask, expected) in [(Ask::start("web"), waiting), (Ask::start("web").without_waiting(), hurried)]
        {
            let mut sim = begun(
                |spec| (spec.autostart, spec.startsecs) = (false, startsecs),
                [plan.clone(), Plan::runs()],
            );
            assert_eq!(timed(&mut sim, ask), expected, "startsecs={startsecs} {plan:?}");
            let failed = expected.1 == spawn_error();
            if failed {
                assert_eq!(sim.state("web"), StateName::Running, "it is tried again all the same");
            }
        }
    }
}

#[test]
fn a_start_that_is_stopped_meanwhile_rpc_111() {
    let mut sim = begun(|spec| (spec.autostart, spec.startsecs) = (false, 5), [Plan::runs()]);
    let start = sim.request(Ask::start("web"));
    sim.advance(secs(1));
    assert_eq!(answer(&sim, start), None);
    sim.request(Ask::stop("web").without_waiting());
    assert_eq!(answer(&sim, start), refused(Refusal::AbnormalTermination));
}

#[test]
fn when_a_stop_is_answered_rpc_116_rpc_122() {
    for (plan, waiting, hurried) in [
        (Plan::runs(), 0, 0),
        (Plan::runs().lingering(secs(3)), 3000, 0),
        (Plan::runs().ignoring(&[signal::TERM]), 10_000, 0),
    ] {
        for (ask, expected) in [(Ask::stop("web"), waiting), (Ask::stop("web").without_waiting(), hurried)] {
            let mut sim = begun(|_| {}, [plan.clone()]);
            sim.advance(secs(5));
            assert_eq!(timed(&mut sim, ask), (expected, Some(Ok(()))), "{plan:?}");
            assert_eq!(sim.state("web"), StateName::Stopped, "{plan:?}: SIGKILL comes, waited for or not");
        }
    }
}

#[test]
fn a_hurried_stop_is_answered_when_the_signal_is_sent_rpc_116() {
    let mut sim = begun(|_| {}, [Plan::runs().lingering(secs(9))]);
    sim.answer_signals_after(millis(30)).advance(secs(5));
    let call = sim.request(Ask::stop("web").without_waiting());
    assert_eq!(answer(&sim, call), None);
    sim.advance(millis(30));
    assert_eq!((answer(&sim, call), sim.state("web")), (Some(Ok(())), StateName::Stopping));
}

#[test]
fn everyone_who_waits_is_answered_rpc_102() {
    let mut sim = begun(|_| {}, [Plan::runs().lingering(secs(3))]);
    sim.advance(secs(5));
    let all = sim.request(Ask::stop("all"));
    assert_eq!(ask(&mut sim, Ask::stop("web")), refused(Refusal::NotRunning), "STOPPING is not running");
    sim.advance(secs(3));
    assert_eq!(many(&sim, all), Some(vec![("web".to_owned(), Ok(()))]));
    assert!(sim.calls().all(|(_, call)| call.answers.len() == 1));
}

#[test]
fn a_signal_that_cannot_be_sent_rpc_119_proc_028() {
    for (signalling, result, state) in [
        (
            Signalling::Denied,
            Some(Err("unknown problem sending sig web (101):[Errno 1] Operation not permitted")),
            StateName::Unknown,
        ),
        (Signalling::Gone, Some(Ok(())), StateName::Running),
    ] {
        let mut sim = begun(|_| {}, [Plan::runs().signalling(signalling)]);
        sim.advance(secs(5));
        let expected = result.map(|result| result.map_err(|text: &str| Refusal::Failed(text.to_owned())));
        assert_eq!(ask(&mut sim, Ask::signal("web", "HUP")), expected, "{signalling:?}");
        assert_eq!(sim.state("web"), state, "{signalling:?}");
        if let Some(Err(Refusal::Failed(text))) = expected {
            assert_eq!(sim.log().last(), Some(&format!("Critical {text}")), "proc_317");
        }
    }
}

#[test]
fn two_signals_that_cannot_be_sent_are_two_failures_rpc_119() {
    let mut sim = begun(|_| {}, [Plan::runs().signalling(Signalling::Denied)]);
    sim.answer_signals_after(millis(10)).advance(secs(5));
    let calls = [sim.request(Ask::signal("web", "HUP")), sim.request(Ask::signal("web", "USR1"))];
    sim.advance(secs(1));
    for call in calls {
        assert!(matches!(answer(&sim, call), Some(Err(Refusal::Failed(_)))), "{:?}", sim.answers(call));
    }
}

/// A group of processes in different states: a STOPPED, b RUNNING, c BACKOFF, d STOPPING, e FATAL, f STARTING.
fn mixed() -> Sim {
    let mut spec = group("g", &["a", "b", "c", "d", "e", "f"]);
    Arc::make_mut(&mut spec.processes[0]).autostart = false;
    Arc::make_mut(&mut spec.processes[4]).startretries = 0;
    Arc::make_mut(&mut spec.processes[5]).startsecs = 3600;
    let mut sim = Sim::new(vec![spec]);
    sim.plan("g:c", [Plan::fails("no")]).plan("g:e", [Plan::fails("no")]);
    sim.plan("g:d", [Plan::runs().lingering(secs(5))]);
    sim.begin().advance(millis(1500)).request(Ask::stop("g:d").without_waiting());
    let states: Vec<StateName> = ["a", "b", "c", "d", "e", "f"].map(|p| sim.state(&format!("g:{p}"))).into();
    use StateName::{Backoff, Fatal, Running, Starting, Stopped, Stopping};
    assert_eq!(states, [Stopped, Running, Backoff, Stopping, Fatal, Starting]);
    sim
}

fn results(sim: &Sim, call: CallId) -> Option<Vec<(String, String)>> {
    let show = |result: Result<(), Refusal>| {
        result.map_or_else(|refusal| format!("{refusal:?}"), |()| "ok".to_owned())
    };
    many(sim, call).map(|all| all.into_iter().map(|(name, result)| (name, show(result))).collect())
}

fn pairs(rows: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(rows.iter().map(|&(name, result)| (name.to_owned(), result.to_owned())).collect())
}

#[test]
fn starting_many_leaves_out_what_runs_rpc_113_rpc_115() {
    for name in ["g:*", "all"] {
        let mut sim = mixed();
        let call = sim.request(Ask::start(name));
        assert_eq!(results(&sim, call), None, "a is not RUNNING yet");
        sim.advance(secs(1));
        let expected = [("d", "AbnormalTermination(\"g:d\")"), ("e", "SpawnError(\"g:e\")"), ("a", "ok")];
        assert_eq!(results(&sim, call), pairs(&expected), "{name}: failures first, then by completion");
    }
}

#[test]
fn starting_nothing_is_an_empty_answer_rpc_113() {
    let mut sim = standing(StateName::Running);
    let call = sim.request(Ask::start("web:*"));
    assert_eq!(many(&sim, call), Some(Vec::new()));
    let call = sim.request(Ask::signal("web:*", "nonsense"));
    assert_eq!(results(&sim, call), pairs(&[("web", "BadSignal(\"nonsense\")")]));
}

#[test]
fn stopping_many_rpc_118() {
    for name in ["g:*", "all"] {
        let mut sim = mixed();
        sim.plan("g:b", [Plan::runs()]);
        let call = sim.request(Ask::stop(name));
        let expected = [("c", "ok"), ("b", "ok"), ("f", "ok")];
        assert_eq!(results(&sim, call), pairs(&expected), "{name}: only running ones, by completion");
        assert_eq!(sim.state("g:d"), StateName::Stopping, "it stops on its own time");
    }
}

#[test]
fn signalling_many_rpc_120() {
    let mut sim = mixed();
    let call = sim.request(Ask::signal("g:*", "CONT"));
    assert_eq!(results(&sim, call), pairs(&[("b", "ok"), ("d", "ok"), ("f", "ok")]));
    let call = sim.request(Ask::signal("all", "nonsense"));
    let bad = "BadSignal(\"nonsense\")";
    assert_eq!(results(&sim, call), pairs(&[("b", bad), ("d", bad), ("f", bad)]));
    assert_eq!(names(&sim.signals("g:b")), ["SIGCONT"]);
}

#[test]
fn results_come_by_completion_rpc_115_rpc_118() {
    let mut sim = Sim::new(vec![group("g", &["a", "b", "c"])]);
    for (name, lingers) in [("g:a", 3), ("g:b", 1), ("g:c", 2)] {
        sim.plan(name, [Plan::runs().lingering(secs(lingers))]);
    }
    sim.begin().advance(secs(2));
    let call = sim.request(Ask::stop("g:*"));
    sim.advance(secs(3));
    assert_eq!(results(&sim, call), pairs(&[("b", "ok"), ("c", "ok"), ("a", "ok")]));
}

/// Processes named by priority in groups named by priority: `g1` before `g2`, in it `p1` before `p2`.
fn ranked() -> Vec<upkeep_core::spec::GroupSpec> {
    let make = |name: &str, priority| {
        let ranks = [("p3", 3), ("p1", 1), ("p2", 2)];
        let member = |(name, priority)| Arc::new(ProcessSpec { priority, ..ProcessSpec::new(name, name) });
        let mut spec = group(name, &[]);
        spec.processes = ranks.into_iter().map(member).collect();
        spec.priority = priority;
        spec
    };
    vec![make("g2", 2), make("g1", 1)]
}

/// PROC-180…183.
#[test]
fn many_are_asked_in_ascending_priority_proc_180_to_183_d_61_d_62() {
    let ascending = ["g1:p1", "g1:p2", "g1:p3", "g2:p1", "g2:p2", "g2:p3"];
    let mut sim = Sim::new(ranked());
    sim.begin();
    let launched = |sim: &Sim, from: usize| -> Vec<String> {
        sim.launches()[from..].iter().map(|(_, name, _)| name.clone()).collect()
    };
    assert_eq!(launched(&sim, 0), ascending, "autostart");
    let times: Vec<_> = sim.launches().iter().map(|(at, _, _)| *at).collect();
    assert!(times.iter().all(|at| *at == times[0]), "all at once, nobody waits for RUNNING");
    sim.advance(secs(2)).request(Ask::stop("all"));
    let stopped: Vec<&str> = sim
        .events()
        .into_iter()
        .filter_map(|event| event.split_once(" STOPPING from ").map(|(name, _)| name))
        .collect();
    assert_eq!(stopped, ascending, "stop all");
    sim.request(Ask::start("all"));
    assert_eq!(launched(&sim, 6), ascending, "start all");
}

#[test]
fn equal_priorities_keep_the_order_of_the_configuration_proc_181_proc_185_d_62() {
    let mut sim = Sim::new(vec![group("b", &["z", "y"]), group("a", &["x"])]);
    sim.begin();
    let launched: Vec<&str> = sim.launches().iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(launched, ["b:z", "b:y", "a:x"]);
}

#[test]
fn restart_is_the_stop_of_all_then_the_start_of_all_ctl_060_ctl_061() {
    let mut sim = Sim::new(vec![group("g", &["a"]), alone(web(|spec| spec.autostart = false))]);
    sim.begin().advance(secs(2));
    let stop = sim.request(Ask::stop("all"));
    assert_eq!(results(&sim, stop), pairs(&[("a", "ok")]));
    let start = sim.request(Ask::start("all"));
    sim.advance(secs(1));
    assert_eq!(results(&sim, start), pairs(&[("a", "ok"), ("web", "ok")]), "also what was stopped");
    let (stop, start) = (sim.request(Ask::stop("web")), sim.request(Ask::start("web")));
    sim.advance(secs(1));
    assert_eq!((answer(&sim, stop), answer(&sim, start)), (Some(Ok(())), Some(Ok(()))));
    sim.request(Ask::stop("web"));
    assert_eq!(ask(&mut sim, Ask::stop("web")), refused(Refusal::NotRunning), "then it is started");
    assert_eq!(ask(&mut sim, Ask::start("web").without_waiting()), Some(Ok(())));
}

#[test]
fn groups_come_and_go_rpc_132_rpc_133() {
    let mut sim = Sim::new(vec![group("g", &["a"])]);
    sim.begin().advance(secs(2));
    assert_eq!(ask(&mut sim, Ask::add(group("g", &["b"]))), Some(Err(Refusal::AlreadyAdded("g".to_owned()))));
    assert_eq!(ask(&mut sim, Ask::remove("g")), Some(Err(Refusal::StillRunning("g".to_owned()))));
    sim.request(Ask::stop("g:a"));
    assert_eq!(ask(&mut sim, Ask::remove("g")), Some(Ok(())));
    assert!(sim.process("g:a").is_none() && sim.core().processes().next().is_none());
    assert_eq!(ask(&mut sim, Ask::add(group("g", &["b"]))), Some(Ok(())));
    assert_eq!(sim.state("g:b"), StateName::Starting, "it starts by itself");
    let events = sim.events();
    let groups: Vec<&&str> = events.iter().filter(|event| event.starts_with("GROUP")).collect();
    assert_eq!(groups, [&"GROUP_ADDED g", &"GROUP_REMOVED g", &"GROUP_ADDED g"]);
}

#[test]
fn who_stands_in_the_way_of_a_removal_rpc_133() {
    for state in ALL {
        let mut sim = standing(state);
        let expected = match state {
            StateName::Stopped | StateName::Exited | StateName::Fatal => Some(Ok(())),
            StateName::Starting | StateName::Running | StateName::Backoff | StateName::Stopping => {
                refused(Refusal::StillRunning)
            }
            // Its child lives: Supervisor forgets it, and so it could run twice.
            StateName::Unknown => refused(Refusal::StillRunning),
        };
        assert_eq!(ask(&mut sim, Ask::remove("web")), expected, "{state:?}");
    }
}

#[test]
fn a_name_is_taken_once_d_64() {
    let mut sim = Sim::new(vec![group("g", &["a"]), group("g", &["b"])]);
    sim.begin();
    assert!(sim.process("g:a").is_some() && sim.process("g:b").is_none());
    assert!(sim.log()[0].starts_with("Error "), "{:?}", sim.log());
}

#[test]
fn a_later_process_of_the_same_name_wins_cfg_170() {
    let mut spec = group("g", &["a", "b", "a"]);
    Arc::make_mut(&mut spec.processes[2]).command = "later".to_owned();
    let sim = Sim::new(vec![spec]);
    assert_eq!(sim.process("g:a").map(|process| process.spec().command.as_str()), Some("later"));
    assert_eq!(sim.core().processes().count(), 2);
}

#[test]
fn once_it_goes_down_nothing_is_taken_on_rpc_013() {
    for request in [
        Ask::start("web"),
        Ask::stop("web"),
        Ask::signal("web", "HUP"),
        Ask::add(group("g", &["a"])),
        Ask::remove("web"),
        Ask::update(alone(web(|spec| spec.priority = 1))),
        Ask::stop("all"),
    ] {
        let mut sim = begun(|_| {}, [Plan::runs().lingering(secs(5))]);
        sim.shutdown();
        let call = sim.request(request);
        assert!(matches!(sim.answers(call).answers[..], [(_, Answer::One(Err(Refusal::ShuttingDown)))]));
    }
}
