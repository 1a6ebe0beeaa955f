//! The end of the daemon, and its coming up again (sections 8 and 11, PROC-027, PROC-032).

use std::sync::Arc;

use upkeep_core::spec::{Autorestart, GroupSpec, ProcessSpec};
use upkeep_core::{Answer, Refusal, RunEnd, StateName, signal};
use upkeep_sim::{Ask, Did, Plan, Signalling, Sim, millis, secs};

use crate::scene::{ALL, alone, answer, begun, events_of, group, standing, web};

/// What happened to which process, in order: `g:a 15` for a signal, `g:a x` for an end.
fn story(sim: &Sim) -> Vec<String> {
    let told = sim.deeds().iter().filter_map(|deed| match deed.did {
        Did::Signal { signal, .. } => Some(format!("{} {}", deed.process, signal.0)),
        Did::End(_) => Some(format!("{} x", deed.process)),
        Did::Fork | Did::FailToFork => None,
    });
    told.collect()
}

fn ranked(name: &str, priority: i64, members: &[(&str, i64)]) -> GroupSpec {
    let member = |&(name, priority): &(&str, i64)| ProcessSpec { priority, ..ProcessSpec::new(name, name) };
    GroupSpec { priority, ..GroupSpec::plain(name, members.iter().map(member).collect()) }
}

#[test]
fn groups_end_in_descending_order_one_after_another_proc_184_proc_185() {
    let mut sim = Sim::new(vec![
        ranked("first", 1, &[("a", 2), ("b", 1)]),
        ranked("last", 3, &[("a", 1), ("b", 2)]),
        ranked("same1", 2, &[("a", 1)]),
        ranked("same2", 2, &[("a", 1)]),
    ]);
    sim.plan("last:a", [Plan::runs().lingering(secs(3))]);
    sim.begin().advance(secs(2)).shutdown().advance(secs(60));
    assert_eq!(
        story(&sim),
        [
            "last:b 15",
            "last:a 15",
            "last:b x",
            "last:a x",
            "same2:a 15",
            "same2:a x",
            "same1:a 15",
            "same1:a x",
            "first:a 15",
            "first:b 15",
            "first:a x",
            "first:b x",
        ]
    );
    assert_eq!(sim.terminations(), [false]);
}

#[test]
fn the_end_from_every_state_proc_027_proc_240_proc_246() {
    for state in ALL {
        let (last, seconds) = match state {
            StateName::Starting | StateName::Running | StateName::Stopping => (StateName::Stopped, 5),
            StateName::Backoff => (StateName::Fatal, 0),
            StateName::Stopped | StateName::Exited | StateName::Fatal | StateName::Unknown => (state, 0),
        };
        let mut sim = standing(state);
        let launches = sim.launches().len();
        let asked = sim.now().mono;
        sim.shutdown().run_until(Sim::has_ended);
        assert_eq!((sim.state("web"), sim.now().mono.since(asked)), (last, secs(seconds)), "{state:?}");
        assert_eq!((sim.terminations(), sim.launches().len()), (&[false][..], launches), "{state:?}");
        assert_eq!(sim.left_alive(), [] as [&str; 0], "{state:?}");
        assert_eq!(
            sim.events().iter().filter(|event| **event == "SUPERVISOR_STOPPING").count(),
            1,
            "{state:?}"
        );
    }
}

#[test]
fn a_stubborn_child_is_killed_proc_246_proc_032() {
    let mut sim = begun(|spec| spec.stopwaitsecs = 4, [Plan::runs().ignoring(&[signal::TERM])]);
    sim.advance(secs(2)).shutdown().advance(millis(3999));
    assert!(!sim.has_ended());
    sim.advance(millis(1));
    assert_eq!((sim.terminations(), sim.state("web")), (&[false][..], StateName::Stopped));
}

#[test]
fn nothing_starts_any_more_proc_032() {
    let mut spec = ranked("early", 1, &[("exits", 1), ("fails", 1), ("slow", 1)]);
    Arc::make_mut(&mut spec.processes[0]).autorestart = Autorestart::Always;
    let mut sim = Sim::new(vec![spec, ranked("late", 2, &[("holds", 1)])]);
    sim.plan("late:holds", [Plan::runs().ignoring(&[signal::TERM])]);
    sim.plan("early:exits", [Plan::exits(secs(5), 0)]).plan("early:fails", [Plan::fails("no")]);
    sim.plan("early:slow", [Plan::fails("no").launched_after(secs(5))]);
    sim.begin().advance(secs(2)).shutdown();
    let launches = sim.launches().len();
    sim.advance(secs(6));
    let states = ["exits", "fails", "slow"].map(|name| sim.state(&format!("early:{name}")));
    assert_eq!(states[..2], [StateName::Exited, StateName::Fatal], "the retry that came due is given up");
    sim.run_until(Sim::has_ended);
    assert_eq!(sim.launches().len(), launches);
    assert_eq!(sim.state("early:slow"), StateName::Fatal);
}

#[test]
fn who_is_waited_for_is_told_at_once_and_every_three_seconds_proc_241() {
    let mut sim = Sim::new(vec![ranked("g", 1, &[("a", 1), ("b", 1)]), alone(web(|_| {}))]);
    sim.plan("web", [Plan::runs().lingering(secs(4))]).begin().advance(secs(2));
    let before = sim.log().len();
    sim.shutdown();
    let told = |sim: &Sim| -> Vec<String> {
        let log = sim.log().split_off(before);
        log.into_iter().filter(|line| line.starts_with("Info waiting")).collect()
    };
    assert_eq!(told(&sim), ["Info waiting for a, b, web to die"]);
    sim.advance(millis(2999));
    assert_eq!(told(&sim).len(), 1);
    sim.advance(millis(1));
    assert_eq!(told(&sim).len(), 2);
    sim.advance(secs(100));
    assert_eq!(told(&sim).len(), 2, "all at an end after four seconds");
}

#[test]
fn asked_again_changes_nothing_but_an_end_beats_a_restart_proc_230_proc_232() {
    type Word = fn(&mut Sim) -> &mut Sim;
    let rows: [(&str, Word, Word, bool); 4] = [
        ("twice", Sim::shutdown, Sim::shutdown, false),
        ("HUP while going down", Sim::shutdown, Sim::restart, false),
        ("TERM while restarting", Sim::restart, Sim::shutdown, false),
        ("HUP twice", Sim::restart, Sim::restart, true),
    ];
    for (what, first, second, again) in rows {
        let mut sim = begun(|_| {}, [Plan::runs().lingering(secs(5))]);
        first(sim.advance(secs(2)));
        second(sim.advance(secs(1)));
        sim.advance(secs(4));
        assert_eq!(sim.terminations(), [again], "{what}");
        assert_eq!(sim.signals("web"), [signal::TERM], "{what}");
        let stopping = sim.events().into_iter().filter(|event| *event == "SUPERVISOR_STOPPING").count();
        assert_eq!(stopping, 1, "{what} (evt_039)");
    }
}

#[test]
fn coming_up_again_remembers_nothing_proc_244() {
    let mut sim = Sim::new(vec![group("g", &["a", "b"])]);
    sim.begin().advance(secs(2)).request(Ask::stop("g:a"));
    let old = sim.launches().len();
    sim.restart().advance(secs(5));
    assert_eq!([sim.state("g:a"), sim.state("g:b")], [StateName::Running; 2], "stopped by hand is forgotten");
    let runs: Vec<u64> = sim.launches().iter().map(|(_, _, run)| run.0).collect();
    assert!(runs.windows(2).all(|pair| pair[0] < pair[1]), "no run number comes twice: {runs:?}");
    assert_eq!((old, runs.len()), (2, 4));
    sim.restart_with(vec![group("h", &["c"])]).advance(secs(5));
    assert!(sim.process("g:a").is_none());
    assert_eq!((sim.state("h:c"), sim.terminations()), (StateName::Running, &[true, true][..]));
}

#[test]
fn whoever_waits_is_answered_before_the_end_rpc_102() {
    for (what, request) in [
        ("start", Ask::start("web")),
        ("stop", Ask::stop("web")),
        ("update", Ask::update(alone(web(|spec| spec.command = "new".to_owned())))),
        ("many", Ask::stop("all")),
    ] {
        let running = what != "start";
        let mut sim =
            begun(|spec| (spec.autostart, spec.startsecs) = (running, 3), [Plan::runs().lingering(secs(3))]);
        let call = sim.request(request);
        sim.advance(secs(1)).shutdown().run_until(Sim::has_ended);
        assert_eq!(sim.answers(call).answers.len(), 1, "{what}");
    }
}

#[test]
fn an_answer_that_would_come_too_late_is_a_refusal_rpc_013() {
    let mut sim = begun(|_| {}, [Plan::runs().signalling(Signalling::Denied)]);
    sim.answer_signals_after(millis(10)).advance(secs(2));
    let first = sim.request(Ask::signal("web", "HUP"));
    sim.advance(millis(5));
    let second = sim.request(Ask::signal("web", "HUP"));
    sim.advance(millis(5));
    assert_eq!((sim.state("web"), answer(&sim, second)), (StateName::Unknown, None));
    sim.restart();
    assert_eq!(sim.terminations(), [true]);
    assert!(matches!(answer(&sim, first), Some(Err(Refusal::Failed(_)))));
    assert!(matches!(sim.answers(second).answers[..], [(_, Answer::One(Err(Refusal::ShuttingDown)))]));
}

#[test]
fn an_exit_while_going_down_is_an_exit_proc_032() {
    let mut spec = ranked("early", 1, &[("a", 1)]);
    Arc::make_mut(&mut spec.processes[0]).autorestart = Autorestart::Always;
    let mut sim = Sim::new(vec![spec, ranked("late", 2, &[("b", 1)])]);
    sim.plan("late:b", [Plan::runs().lingering(secs(5))]);
    sim.begin().advance(secs(2)).shutdown();
    sim.end_child("early:a", RunEnd::Code(0));
    sim.advance(secs(10));
    assert_eq!(events_of(&sim, "early:a").last(), Some(&"EXITED from RUNNING expected:1 pid:101"));
    assert_eq!(sim.forks("early:a"), 1);
}

/// EVT-039: a pool is stopped when its listeners have nothing left to do, or a second later.
#[test]
fn a_pool_has_its_last_events_before_it_is_stopped_evt_039() {
    use upkeep_core::spec::{GroupKind, GroupSpec, ListenerSpec, ProcessSpec};
    use upkeep_core::{Effect, Input, Mono, Now, RunId, Supervisor};
    let at = |seconds: u64| Now { mono: Mono((1000 + seconds) * 1_000_000_000), wall: 0 };
    let spec = |name: &str| ProcessSpec { startsecs: 0, ..ProcessSpec::new(name, "x") };
    let pool = GroupSpec {
        kind: GroupKind::Listener(ListenerSpec::default()),
        priority: -1,
        ..GroupSpec::plain("pool", vec![spec("listener")])
    };
    for told in [true, false] {
        let mut core = Supervisor::new();
        core.handle(at(0), Input::Setup(pool.clone()));
        core.handle(at(0), Input::Begin { recovered: false });
        core.handle(at(0), Input::Spawned { run: RunId(1), pid: 7, at: at(0).mono });
        core.handle(at(1), Input::Shutdown);
        let mut orders = || std::iter::from_fn(|| core.poll_effect()).collect::<Vec<_>>();
        let before = orders();
        assert!(before.contains(&Effect::AwaitIdle { pool: "pool".to_owned() }), "{before:?}");
        let signal = |orders: &[Effect]| orders.iter().any(|order| matches!(order, Effect::Signal { .. }));
        assert!(!signal(&before), "{before:?}");
        if told {
            core.handle(at(1), Input::PoolIdle { pool: "another".to_owned() });
            assert_eq!(std::iter::from_fn(|| core.poll_effect()).count(), 0);
            core.handle(at(1), Input::PoolIdle { pool: "pool".to_owned() });
        } else {
            assert_eq!(core.next_deadline(), Some(at(2).mono));
            core.handle(at(2), Input::Tick);
        }
        let after: Vec<Effect> = std::iter::from_fn(|| core.poll_effect()).collect();
        assert!(signal(&after), "told {told}: {after:?}");
        assert!(core.next_deadline().is_some_and(|deadline| deadline > at(1).mono));
    }
}
