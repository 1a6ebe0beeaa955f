//! Updates touch only what must change (D-37), and overtake one another.

use std::sync::Arc;

use upkeep_core::spec::{Autorestart, GroupKind, GroupSpec, ListenerSpec, ProcessSpec};
use upkeep_core::{
    Answer, CallId, Effect, Input, Now, ProcId, RunEnd, RunId, StateName, Supervisor, Update, signal,
};
use upkeep_sim::{Ask, Crash, InFlight, Plan, Signalling, Sim, millis, secs};

use crate::scene::{ALL, alone, events_of, group, names, standing, standing_with, web};

/// What an update did, as `s:a r:b n:c l:d` (stopped, restarted, new, live); `None` while it is open.
fn done(sim: &Sim, call: CallId) -> Option<String> {
    match sim.answers(call).answers.first() {
        Some((_, Answer::Updated(Update { stopped, restarted, started, live, .. }))) => {
            let lists = [("s", stopped), ("r", restarted), ("n", started), ("l", live)];
            let words =
                lists.iter().flat_map(|(mark, list)| list.iter().map(move |name| format!("{mark}:{name}")));
            Some(words.collect::<Vec<_>>().join(" "))
        }
        Some((_, other)) => panic!("the answer has another shape: {other:?}"),
        None => None,
    }
}

fn update(sim: &mut Sim, spec: GroupSpec) -> Option<String> {
    let call = sim.request(Ask::update(spec));
    done(sim, call)
}

fn members(names: &[&str]) -> GroupSpec {
    group("g", names)
}

/// A running group `g`, every process of which takes three seconds to stop.
fn running(names: &[&str]) -> Sim {
    let mut sim = Sim::new(vec![members(names)]);
    for name in names {
        sim.plan(&format!("g:{name}"), [Plan::runs().lingering(secs(3))]);
    }
    sim.begin().advance(secs(2));
    sim
}

/// The spec that a process goes by.
fn spec<'a>(sim: &'a Sim, name: &str) -> &'a ProcessSpec {
    sim.process(name).expect("it is there").spec()
}

#[test]
fn a_live_option_disturbs_nothing_in_any_state_d_37() {
    for state in ALL {
        let mut sim = standing(state);
        let (deeds, events) = (sim.deeds().len(), sim.events().len());
        let new = ProcessSpec { priority: 5, ..spec(&sim, "web").clone() };
        assert_eq!(update(&mut sim, alone(new)).as_deref(), Some("l:web"), "{state:?}");
        assert_eq!((sim.state("web"), sim.deeds().len(), sim.events().len()), (state, deeds, events));
        assert_eq!(
            (spec(&sim, "web").priority, sim.reconfigured()),
            (5, &["web".to_owned()][..]),
            "{state:?}"
        );
    }
}

#[test]
fn live_options_decide_from_now_on_d_37() {
    let mut sim = standing_with(StateName::Running, |spec| spec.autorestart = Autorestart::Never);
    let mut new = spec(&sim, "web").clone();
    (new.stopsignal, new.stopwaitsecs, new.autorestart) = (signal::INT, 2, Autorestart::Always);
    update(&mut sim, alone(new));
    sim.end_child("web", RunEnd::Code(0));
    assert_eq!(sim.state("web"), StateName::Starting, "autorestart");
    sim.request(Ask::stop("web"));
    sim.advance(secs(3));
    assert_eq!(names(&sim.signals("web")), ["SIGINT", "SIGKILL"], "stopsignal, stopwaitsecs");
}

#[test]
fn startsecs_changes_a_start_under_way_d_37() {
    for (startsecs, running_after) in [(0, 0), (10, 9500)] {
        let mut sim = standing_with(StateName::Starting, |spec| spec.startsecs = 3);
        sim.advance(millis(500));
        let new = ProcessSpec { startsecs, ..spec(&sim, "web").clone() };
        update(&mut sim, alone(new));
        if running_after > 0 {
            sim.advance(millis(running_after - 1));
            assert_eq!(sim.state("web"), StateName::Starting, "startsecs={startsecs}");
            sim.advance(millis(1));
        }
        assert_eq!(sim.state("web"), StateName::Running, "startsecs={startsecs}");
    }
}

#[test]
fn a_new_command_in_every_state_d_37() {
    for state in ALL {
        let (word, launched_at_once) = match state {
            StateName::Starting | StateName::Running | StateName::Stopping => (None, 0),
            StateName::Backoff | StateName::Stopped | StateName::Exited | StateName::Fatal => {
                (Some("r:web"), 1)
            }
            StateName::Unknown => (Some("l:web"), 0),
        };
        let mut sim = standing(state);
        sim.plan("web", [Plan::runs()]);
        let before = sim.launches().len();
        let new = ProcessSpec { autostart: true, ..web(|spec| spec.command = "new".to_owned()) };
        let call = sim.request(Ask::update(alone(new.clone())));
        assert_eq!(done(&sim, call).as_deref(), word, "{state:?}");
        assert_eq!(sim.launches().len() - before, launched_at_once, "{state:?}");
        sim.advance(secs(10));
        if state == StateName::Unknown {
            assert_eq!(sim.state("web"), StateName::Unknown);
            sim.end_child("web", RunEnd::Code(0));
            sim.advance(secs(2));
        }
        assert_eq!(done(&sim, call).as_deref(), word.or(Some("r:web")), "{state:?}");
        assert_eq!((sim.state("web"), spec(&sim, "web")), (StateName::Running, &new), "{state:?}");
        assert_eq!(sim.launches().len() - before, 1, "{state:?}: once");
    }
}

#[test]
fn what_does_not_start_by_itself_is_started_again_only_if_it_ran_d_37() {
    for (state, strict, again) in [
        (StateName::Running, false, true),
        (StateName::Starting, false, true),
        (StateName::Backoff, false, true),
        (StateName::Stopping, false, false),
        (StateName::Stopped, false, false),
        (StateName::Exited, false, false),
        (StateName::Fatal, false, false),
        (StateName::Running, true, false),
        (StateName::Backoff, true, false),
        (StateName::Stopped, true, false),
    ] {
        let mut sim = standing(state);
        sim.plan("web", [Plan::runs()]);
        let before = sim.launches().len();
        let new = web(|spec| (spec.autostart, spec.command) = (false, "new".to_owned()));
        let ask =
            if strict { Ask::strict_update(alone(new.clone())) } else { Ask::update(alone(new.clone())) };
        let call = sim.request(ask);
        sim.advance(secs(20));
        assert!(done(&sim, call).is_some(), "{state:?} strict={strict}");
        assert_eq!(sim.launches().len() - before, usize::from(again), "{state:?} strict={strict}");
        assert_eq!(sim.state("web") == StateName::Running, again, "{state:?} strict={strict}");
        assert_eq!(spec(&sim, "web"), &new, "{state:?} strict={strict}");
    }
}

#[test]
fn one_changed_process_leaves_its_siblings_alone_d_37() {
    let mut sim = running(&["a", "b", "c"]);
    let mut new = members(&["a", "b", "c"]);
    Arc::make_mut(&mut new.processes[1]).command = "new".to_owned();
    let call = sim.request(Ask::update(new));
    assert_eq!(done(&sim, call), None, "answered when it is done");
    sim.advance(secs(5));
    assert_eq!(done(&sim, call).as_deref(), Some("r:b"));
    assert_eq!([sim.forks("g:a"), sim.forks("g:b"), sim.forks("g:c")], [1, 2, 1]);
    assert_eq!(names(&sim.signals("g:b")), ["SIGTERM"]);
    assert!(sim.signals("g:a").is_empty() && sim.signals("g:c").is_empty());
}

#[test]
fn numprocs_grown_and_shrunk_d_37() {
    let mut sim = running(&["w_0", "w_1"]);
    assert_eq!(update(&mut sim, members(&["w_0", "w_1", "w_2", "w_3"])).as_deref(), Some("n:w_2 n:w_3"));
    assert_eq!([sim.forks("g:w_0"), sim.forks("g:w_3")], [1, 1]);
    sim.advance(secs(2));
    let call = sim.request(Ask::update(members(&["w_0"])));
    assert_eq!(done(&sim, call), None);
    assert_eq!(sim.state("g:w_1"), StateName::Stopping, "it stays until it has stopped");
    sim.advance(secs(3));
    assert_eq!(done(&sim, call).as_deref(), Some("s:w_1 s:w_2 s:w_3"));
    assert!(sim.process("g:w_1").is_none() && sim.process("g:w_3").is_none());
    assert_eq!(sim.state("g:w_0"), StateName::Running);
    assert_eq!((sim.forks("g:w_0"), sim.signals("g:w_0")), (1, Vec::new()));
}

#[test]
fn what_leaves_while_down_leaves_at_once_d_37() {
    for state in [StateName::Stopped, StateName::Exited, StateName::Fatal, StateName::Backoff] {
        let mut sim = standing(state);
        let word = if state == StateName::Backoff { "s:web" } else { "" };
        let mut other = group("web", &["other"]);
        Arc::make_mut(&mut other.processes[0]).autostart = false;
        assert_eq!(
            update(&mut sim, other).as_deref(),
            Some(order(["n:other", word].join(" ").trim()).as_str())
        );
        assert!(sim.process("web").is_none(), "{state:?}");
    }
}

/// The words of an update in the order it tells them: stopped before new.
fn order(words: &str) -> String {
    let mut words: Vec<&str> = words.split(' ').collect();
    words.sort_by_key(|word| !word.starts_with("s:"));
    words.join(" ")
}

#[test]
fn new_members_start_by_themselves_in_order_of_priority_d_62() {
    let mut sim = running(&["a"]);
    let mut new = members(&["a", "late", "early", "never"]);
    Arc::make_mut(&mut new.processes[2]).priority = 1;
    Arc::make_mut(&mut new.processes[3]).autostart = false;
    update(&mut sim, new);
    let launched: Vec<&str> = sim.launches().iter().skip(1).map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(launched, ["g:early", "g:late"]);
    assert_eq!(sim.state("g:never"), StateName::Stopped);
}

#[test]
fn autostart_switched_on_starts_what_never_ran_d_37() {
    for (ran, launches) in [(false, 1), (true, 1)] {
        let mut sim = standing(StateName::Stopped);
        if ran {
            sim.request(Ask::start("web").without_waiting());
            sim.request(Ask::stop("web").without_waiting());
            sim.advance(secs(6));
        }
        let new = ProcessSpec { autostart: true, ..spec(&sim, "web").clone() };
        update(&mut sim, alone(new));
        assert_eq!(sim.launches().len(), launches, "ran={ran}: what was stopped by hand stays so");
    }
}

#[test]
fn another_kind_of_group_restarts_all_d_37() {
    let mut sim = running(&["a", "b"]);
    let listener = ListenerSpec { buffer_size: 1, ..ListenerSpec::default() };
    let new = GroupSpec { kind: GroupKind::Listener(listener), ..members(&["a", "b"]) };
    let call = sim.request(Ask::update(new.clone()));
    sim.advance(secs(5));
    assert_eq!(done(&sim, call).as_deref(), Some("r:a r:b"));
    assert_eq!(sim.core().group("g").map(|group| group.kind().clone()), Some(new.kind));
    assert_eq!([sim.forks("g:a"), sim.forks("g:b")], [2, 2]);
}

#[test]
fn a_group_priority_is_live_d_37() {
    let mut sim = running(&["a"]);
    assert_eq!(update(&mut sim, GroupSpec { priority: 7, ..members(&["a"]) }).as_deref(), Some(""));
    assert_eq!(sim.core().group("g").map(upkeep_core::Group::priority), Some(7));
    assert_eq!(sim.forks("g:a"), 1);
}

#[test]
fn strict_restarts_all_changed_or_not_d_37() {
    let mut sim = running(&["a", "b"]);
    sim.request(Ask::stop("g:b"));
    sim.advance(secs(3));
    let call = sim.request(Ask::strict_update(members(&["a", "b"])));
    sim.advance(secs(5));
    assert_eq!(done(&sim, call).as_deref(), Some("r:a r:b"), "also what was stopped, as a group added anew");
    assert_eq!([sim.state("g:a"), sim.state("g:b")], [StateName::Running; 2]);
}

#[test]
fn nobody_is_updated_under_an_unknown_name_rpc_132() {
    let mut sim = running(&["a"]);
    let call = sim.request(Ask::update(group("h", &["a"])));
    let refusal = upkeep_core::Refusal::BadName("h".to_owned());
    assert!(matches!(&sim.answers(call).answers[..], [(_, Answer::One(Err(other)))] if *other == refusal));
}

/// A second update while the first still waits for `web` (RUNNING, or retired) to stop: the last wish counts.
#[test]
fn a_later_update_overtakes_an_earlier_one_d_37() {
    let command = |text: &str| alone(web(|spec| spec.command = text.to_owned()));
    let gone = || group("web", &[]);
    let live = || alone(web(|spec| spec.priority = 3));
    for (what, first, second) in [
        ("back to what it was", command("new"), command("web --serve")),
        ("another one", command("new"), command("newer")),
        ("live", command("new"), live()),
        ("gone after all", command("new"), gone()),
        ("back again", gone(), command("web --serve")),
        ("back again, other", gone(), command("newer")),
        ("gone twice", gone(), gone()),
    ] {
        for pause in [0, 1] {
            let mut sim = standing(StateName::Running);
            let first = sim.request(Ask::update(first.clone()));
            sim.advance(secs(pause));
            let second_call = sim.request(Ask::update(second.clone()));
            sim.advance(secs(30));
            assert!(done(&sim, first).is_some() && done(&sim, second_call).is_some(), "{what}");
            let wanted = second.processes.first();
            assert_eq!(sim.process("web").map(|process| process.spec()), wanted, "{what}");
            let running = if wanted.is_some() { vec![StateName::Running] } else { Vec::new() };
            let states: Vec<StateName> =
                sim.process("web").map(|process| process.state().name()).into_iter().collect();
            assert_eq!(states, running, "{what}");
            assert_eq!(names(&sim.signals("web")), ["SIGTERM"], "{what}: asked to stop once");
        }
    }
}

#[test]
fn an_update_that_cannot_stop_a_process_goes_on_when_it_ends_d_07() {
    for (new, state) in [
        (alone(web(|spec| spec.command = "new".to_owned())), Some(StateName::Running)),
        (group("web", &[]), None),
    ] {
        let mut sim = Sim::new(vec![alone(web(|_| {}))]);
        sim.plan("web", [Plan::runs().signalling(Signalling::Denied), Plan::runs()]).begin().advance(secs(2));
        let call = sim.request(Ask::update(new.clone()));
        assert!(done(&sim, call).is_some(), "nobody knows how long it takes");
        assert_eq!(sim.state("web"), StateName::Unknown);
        sim.end_child("web", RunEnd::Code(0));
        sim.advance(secs(2));
        assert_eq!(sim.process("web").map(|process| process.state().name()), state);
        assert_eq!(sim.process("web").map(|process| process.spec()), new.processes.first());
        if state.is_some() {
            sim.request(Ask::stop("web"));
            sim.advance(secs(20));
            assert_eq!(sim.state("web"), StateName::Stopped, "the wish is fulfilled once");
        }
    }
}

#[test]
fn a_hand_stop_before_an_update_stays_a_stop_if_nothing_restarts_d_37() {
    let mut sim = standing(StateName::Stopping);
    let new = ProcessSpec { priority: 5, ..spec(&sim, "web").clone() };
    update(&mut sim, alone(new));
    sim.advance(secs(20));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 1));
    assert_eq!(events_of(&sim, "web").last(), Some(&"STOPPED from STOPPING pid:101"));
}

#[test]
fn an_update_of_a_process_before_its_fork_waits_for_it_d_37() {
    let mut sim = Sim::new(vec![alone(web(|_| {}))]);
    sim.plan("web", [Plan::runs().launched_after(secs(3)), Plan::runs()]).begin();
    let call = sim.request(Ask::update(alone(web(|spec| spec.command = "new".to_owned()))));
    sim.advance(secs(2));
    assert_eq!((done(&sim, call), sim.launches().len()), (None, 1), "never two at once");
    sim.advance(secs(3));
    assert_eq!(done(&sim, call).as_deref(), Some("r:web"));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 2));
}

#[test]
fn an_update_cut_short_by_the_end_restarts_nothing_proc_032() {
    let mut sim = running(&["a", "b"]);
    let mut new = members(&["a", "b"]);
    Arc::make_mut(&mut new.processes[0]).command = "new".to_owned();
    let call = sim.request(Ask::update(new));
    sim.shutdown().advance(secs(10));
    assert_eq!(done(&sim, call).as_deref(), Some("r:a"));
    assert_eq!((sim.forks("g:a"), sim.terminations()), (1, &[false][..]));
}

#[test]
fn facts_about_a_run_that_is_over_change_nothing() {
    let mut core = Supervisor::new();
    let now = Now { wall: 1, ..Now::default() };
    let mut tell = |input: Input| {
        core.handle(now, input);
        std::iter::from_fn(|| core.poll_effect()).collect::<Vec<_>>()
    };
    let exited = |run| Input::Exited { run: RunId(run), end: RunEnd::Code(1), at: now.mono };
    let spawned = |run, pid| Input::Spawned { run: RunId(run), pid, at: now.mono };
    tell(Input::Setup(alone(web(|spec| spec.startsecs = 0))));
    tell(Input::Begin { recovered: false });
    tell(spawned(1, 7));
    assert!(tell(exited(1)).contains(&Effect::Spawn { id: ProcId(1), run: RunId(2) }));
    tell(spawned(2, 8));
    for stale in
        [exited(1), spawned(1, 9), Input::SpawnFailed { run: RunId(1), text: "late".to_owned() }, exited(77)]
    {
        assert_eq!(tell(stale.clone()), [], "{stale:?}");
    }
    assert_eq!(core.process(ProcId(1)).map(upkeep_core::Process::pid), Some(8));
}

/// The daemon dies after any number of orders of an update: the next one tells what is left, and answers.
#[test]
fn a_client_that_waits_for_an_update_is_answered_wherever_the_daemon_dies_d_37() {
    for orders in 0..20 {
        for in_flight in [InFlight::Lost, InFlight::Made] {
            let mut sim = running(&["a", "b", "c"]);
            let mut new = members(&["a", "b", "d"]);
            Arc::make_mut(&mut new.processes[0]).command = "new".to_owned();
            Arc::make_mut(&mut new.processes[1]).priority = 5;
            sim.crash_after(orders, Crash { down: millis(10), in_flight });
            let call = sim.request(Ask::update(new));
            sim.disarm();
            sim.crash(Crash { down: millis(10), in_flight });
            assert_eq!(done(&sim, call), None, "{orders}: two have not stopped");
            sim.advance(secs(20));
            let told = done(&sim, call);
            assert_eq!(told.as_deref(), Some("s:c r:a n:d l:b"), "{orders}\n{}", sim.recent());
            let forks = ["g:a", "g:b", "g:c", "g:d"].map(|name| sim.forks(name));
            assert_eq!(forks, [2, 1, 1, 1], "{orders} {in_flight:?}\n{}", sim.recent());
            assert_eq!((spec(&sim, "g:a").command.as_str(), sim.state("g:a")), ("new", StateName::Running));
            assert!(sim.process("g:c").is_none(), "{orders}");
        }
    }
}

/// Who was to be stopped for an update ended meanwhile, and cannot start again: nobody waits for that.
#[test]
fn an_update_does_not_wait_for_what_starts_in_vain_d_37() {
    let mut sim = running(&["a"]);
    sim.plan("g:a", [Plan::fails("no")]);
    let mut new = members(&["a"]);
    Arc::make_mut(&mut new.processes[0]).command = "new".to_owned();
    let call = sim.request(Ask::update(new));
    sim.crash(Crash { down: secs(30), ..Crash::default() });
    sim.advance(millis(10));
    assert_eq!((done(&sim, call).as_deref(), sim.state("g:a")), (Some("r:a"), StateName::Backoff));
}
