//! Commands beside a process, in virtual time.

use upkeep_core::signal::{HUP, INT, KILL, TERM};
use upkeep_core::{Answer, Refusal, RunEnd, StateName};
use upkeep_sim::{Ask, Crash, InFlight, Plan, Signalling, Sim, groups, millis, secs};

fn conf(options: &str) -> String {
    format!("[program:web]\ncommand=web\n{options}\n")
}

fn sim(options: &str) -> Sim {
    Sim::from_conf(&conf(options))
}

/// `web` with these options is RUNNING.
fn running(options: &str) -> Sim {
    let mut sim = sim(options);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    sim
}

fn takes(seconds: u64) -> Plan {
    Plan::exits(secs(seconds), 0)
}

/// Forks of the process and of its hooks, in order.
fn order(sim: &Sim) -> Vec<&str> {
    let forks = sim.deeds().iter().filter(|deed| deed.did == upkeep_sim::Did::Fork);
    forks.map(|deed| deed.process.as_str()).collect()
}

fn waits_for(sim: &Sim) -> Option<&'static str> {
    sim.process("web").unwrap().waits_for_errand().map(|kind| kind.as_str())
}

#[test]
fn a_start_waits_for_pre_start() {
    let mut sim = sim("pre_start=migrate\npost_start=tell");
    sim.plan("web pre_start", [takes(5)]);
    sim.begin().advance(secs(4));
    assert_eq!(
        (sim.state("web"), sim.forks("web"), waits_for(&sim)),
        (StateName::Starting, 0, Some("pre_start"))
    );
    sim.advance(secs(1));
    assert_eq!((sim.forks("web"), waits_for(&sim), sim.forks("web post_start")), (1, None, 0));
    sim.advance(secs(1));
    assert_eq!((sim.state("web"), sim.forks("web post_start")), (StateName::Running, 1));
    assert!(sim.process("web").unwrap().errands().is_empty());
}

#[test]
fn a_pre_start_that_fails_is_a_spawn_error() {
    let mut sim = sim("pre_start=migrate\nstartretries=1");
    sim.plan("web pre_start", [Plan::exits(secs(1), 3), Plan::fails("can't find command 'migrate'")]);
    sim.begin().advance(secs(1));
    let process = sim.process("web").unwrap();
    assert_eq!(process.spawnerr(), Some("pre_start failed: exit status 3"));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Backoff, 0));
    sim.advance(secs(1));
    let process = sim.process("web").unwrap();
    assert_eq!(process.spawnerr(), Some("pre_start failed: can't find command 'migrate'"));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Fatal, 0));
    assert!(sim.log().contains(&"Warn pre_start of web failed: exit status 3".to_owned()), "{:?}", sim.log());
}

#[test]
fn a_hook_that_hangs_is_killed_with_its_group() {
    let mut sim = sim("pre_start=migrate\nhook_timeout=2\nstartretries=0");
    sim.plan("web pre_start", [Plan::runs()]);
    sim.begin().advance(millis(1999));
    assert_eq!(sim.state("web"), StateName::Starting);
    sim.advance(millis(1));
    assert_eq!((sim.signals("web pre_start"), sim.state("web")), (vec![KILL], StateName::Fatal));
    let error = Some("pre_start failed: it took longer than 2 s");
    assert_eq!(sim.process("web").unwrap().spawnerr(), error);
}

#[test]
fn a_stop_ends_pre_start() {
    let mut sim = sim("pre_start=migrate\nstopwaitsecs=3");
    sim.plan("web pre_start", [Plan::runs().ignoring(&[TERM])]);
    sim.begin().advance(secs(1));
    let stop = sim.request(Ask::stop("web"));
    assert_eq!((sim.state("web"), waits_for(&sim)), (StateName::Stopping, Some("pre_start")));
    sim.advance(secs(3));
    assert_eq!(sim.signals("web pre_start"), [TERM, KILL]);
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 0));
    assert_eq!(sim.answers(stop).answers.len(), 1);
    assert!(!sim.log().iter().any(|line| line.contains("cannot be ended")), "{:?}", sim.log());
}

#[test]
fn a_stop_goes_through_all_its_hooks() {
    let mut sim = running("pre_stop=drain\npost_stop=clean\nstopwaitsecs=3");
    sim.plan("web", [Plan::runs()]).plan("web pre_stop", [takes(20)]).plan("web post_stop", [takes(4)]);
    let stop = sim.request(Ask::stop("web"));
    sim.advance(secs(19));
    assert_eq!((sim.signals("web"), waits_for(&sim)), (vec![], Some("pre_stop")));
    sim.advance(secs(1));
    assert_eq!((sim.signals("web"), waits_for(&sim)), (vec![TERM], Some("post_stop")));
    assert_eq!((sim.state("web"), sim.answers(stop).answers.len()), (StateName::Stopping, 0));
    assert_eq!(sim.process("web").unwrap().pid(), 0);
    sim.advance(secs(4));
    assert_eq!((sim.state("web"), sim.answers(stop).answers.len()), (StateName::Stopped, 1));
    assert_eq!(order(&sim), ["web", "web pre_stop", "web post_stop"]);
    assert_eq!(sim.events().last(), Some(&"web STOPPED from STOPPING pid:101"));
}

#[test]
fn who_does_not_wait_is_answered_at_once() {
    let mut sim = running("pre_stop=drain\npre_start=migrate");
    sim.plan("web pre_stop", [takes(20)]).plan("web pre_start", [takes(20)]);
    let stop = sim.request(Ask::stop("web").without_waiting());
    assert_eq!(sim.answers(stop).answers.len(), 1);
    sim.advance(secs(20));
    let start = sim.request(Ask::start("web").without_waiting());
    assert_eq!((sim.answers(start).answers.len(), sim.state("web")), (1, StateName::Starting));
}

#[test]
fn a_stop_command_takes_the_place_of_the_first_signal() {
    let mut sim = running("stop_command=ask\nstop_sequence=TERM 10, INT 5, KILL");
    sim.plan("web stop_command", [takes(1)]);
    sim.request(Ask::stop("web").without_waiting());
    sim.advance(secs(9));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![], StateName::Stopping));
    sim.end_child("web", RunEnd::Code(0));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![], StateName::Stopped));
}

#[test]
fn signals_follow_a_stop_command_that_does_not_help() {
    let mut sim = Sim::from_conf(&conf("stop_command=ask\nstop_sequence=TERM 10, INT 5, KILL"));
    sim.plan("web", [Plan::runs().ignoring(&[INT])]).plan("web stop_command", [Plan::runs()]);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    sim.request(Ask::stop("web").without_waiting());
    sim.advance(secs(9));
    assert_eq!((sim.signals("web"), sim.signals("web stop_command")), (vec![], vec![]));
    sim.advance(secs(1));
    assert_eq!((sim.signals("web"), sim.signals("web stop_command")), (vec![INT], vec![KILL]));
    sim.advance(secs(5));
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![INT, KILL], StateName::Stopped));
}

#[test]
fn the_first_signal_follows_a_stop_command_that_fails() {
    let mut sim = running("stop_command=ask");
    sim.plan("web stop_command", [Plan::fails("can't find command 'ask'")]);
    sim.request(Ask::stop("web").without_waiting());
    assert_eq!((sim.signals("web"), sim.state("web")), (vec![TERM], StateName::Stopped));
}

#[test]
fn a_stop_command_that_outlives_the_process_is_waited_for_until_its_time_is_over() {
    let mut sim = running("stop_command=ask\nstopwaitsecs=5");
    sim.plan("web stop_command", [Plan::runs()]);
    sim.request(Ask::stop("web").without_waiting());
    sim.end_child("web", RunEnd::Code(0));
    assert_eq!((sim.state("web"), waits_for(&sim)), (StateName::Stopping, Some("stop_command")));
    sim.advance(secs(5));
    assert_eq!((sim.signals("web stop_command"), sim.state("web")), (vec![KILL], StateName::Stopped));
}

#[test]
fn who_ends_by_itself_is_followed_by_post_stop_before_it_starts_again() {
    let mut sim = sim("post_stop=clean\npre_start=migrate\nautorestart=true");
    sim.plan("web", [Plan::exits(secs(3), 1), Plan::runs()]).plan("web post_stop", [takes(4)]);
    sim.begin().advance(secs(3));
    assert_eq!((sim.state("web"), waits_for(&sim)), (StateName::Starting, Some("post_stop")));
    sim.advance(secs(4));
    assert_eq!(order(&sim), ["web pre_start", "web", "web post_stop", "web pre_start", "web"]);
}

#[test]
fn what_is_beside_a_process_ends_with_it() {
    let mut sim = sim("post_start=warm");
    sim.plan("web post_start", [Plan::runs()]);
    sim.begin().advance(secs(2));
    sim.end_child("web", RunEnd::Code(0));
    assert_eq!((sim.signals("web post_start"), sim.state("web")), (vec![TERM], StateName::Exited));
    sim.request(Ask::start("web"));
    sim.advance(secs(2));
    sim.request(Ask::stop("web").without_waiting());
    assert_eq!((sim.signals("web post_start"), sim.state("web")), (vec![TERM, TERM], StateName::Stopped));
}

#[test]
fn the_end_of_the_daemon_waits_for_hooks() {
    let mut sim = running("post_stop=clean\nautorestart=false\nhook_timeout=7");
    sim.plan("web post_stop", [Plan::runs()]);
    sim.end_child("web", RunEnd::Code(0));
    assert_eq!(sim.state("web"), StateName::Exited);
    sim.shutdown().advance(secs(6));
    assert_eq!(sim.terminations(), [] as [bool; 0]);
    sim.advance(secs(1));
    assert_eq!((sim.terminations(), sim.signals("web post_stop")), (&[false][..], vec![KILL]));
}

#[test]
fn the_end_of_the_daemon_ends_a_start() {
    let mut sim = sim("pre_start=migrate");
    sim.plan("web pre_start", [Plan::runs()]);
    sim.begin().advance(secs(1));
    sim.shutdown().advance(secs(1));
    assert_eq!((sim.terminations(), sim.signals("web pre_start")), (&[false][..], vec![TERM]));
    assert_eq!(sim.forks("web"), 0);
}

#[test]
fn an_update_ends_a_start_and_begins_a_new_one() {
    let mut sim = sim("pre_start=migrate");
    sim.plan("web pre_start", [Plan::runs(), takes(1)]);
    sim.begin().advance(secs(1));
    let new = groups("[program:web]\ncommand=new\npre_start=other\n").remove(0);
    sim.request(Ask::update(new).without_waiting());
    sim.advance(secs(2));
    assert_eq!(
        (sim.signals("web pre_start"), sim.forks("web pre_start"), sim.forks("web")),
        (vec![TERM], 2, 1)
    );
}

#[test]
fn new_hooks_are_taken_over_without_a_restart() {
    let mut sim = running("");
    let new = groups(&conf("post_stop=clean")).remove(0);
    sim.request(Ask::update(new).without_waiting());
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 1));
    sim.request(Ask::stop("web").without_waiting());
    assert_eq!(order(&sim), ["web", "web post_stop"]);
}

#[test]
fn a_hook_that_cannot_be_ended_holds_up_nobody_for_ever() {
    let mut sim = running("post_stop=clean\nhook_timeout=2\nautorestart=false");
    sim.plan("web post_stop", [Plan::runs().signalling(Signalling::Denied)]);
    sim.request(Ask::stop("web").without_waiting());
    sim.advance(secs(2));
    assert_eq!(sim.state("web"), StateName::Stopped);
    let line = "Critical post_stop of web (pid 102) cannot be ended and is left alone: [Errno 1] Operation not permitted";
    assert!(sim.log().contains(&line.to_owned()), "{:?}", sim.log());
}

#[test]
fn a_program_that_is_removed_takes_its_hooks_along() {
    let mut sim = running("post_stop=clean\nautorestart=false");
    sim.plan("web post_stop", [Plan::runs()]);
    sim.end_child("web", RunEnd::Code(0));
    sim.request(Ask::remove("web"));
    assert_eq!(sim.signals("web post_stop"), [KILL]);
}

#[test]
fn a_reload_is_answered_when_its_command_is_done() {
    let mut sim = running("reload_command=reread");
    sim.plan("web reload_command", [takes(3), Plan::exits(secs(1), 2)]);
    let reload = sim.request(Ask::reload("web"));
    let second = sim.request(Ask::reload("web"));
    let text = "reload_command of web still runs".to_owned();
    assert_eq!(only(&sim, second), Answer::One(Err(Refusal::Failed(text))));
    sim.advance(secs(3));
    assert_eq!(only(&sim, reload), Answer::One(Ok(())));
    let third = sim.request(Ask::reload("web"));
    sim.advance(secs(1));
    let text = "reload_command of web failed: exit status 2".to_owned();
    assert_eq!(only(&sim, third), Answer::One(Err(Refusal::Failed(text))));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Running, 1));
}

#[test]
fn a_reload_may_be_a_signal_and_may_be_impossible() {
    let mut sim = Sim::from_conf(&conf("reload_signal=HUP"));
    sim.plan("web", [Plan::runs().ignoring(&[HUP])]);
    sim.begin().run_until(|sim| sim.is("web", StateName::Running));
    let reload = sim.request(Ask::reload("web"));
    assert_eq!((only(&sim, reload), sim.signals("web")), (Answer::One(Ok(())), vec![HUP]));
    sim.request(Ask::stop("web"));
    let reload = sim.request(Ask::reload("web"));
    assert_eq!(only(&sim, reload), Answer::One(Err(Refusal::NotRunning("web".to_owned()))));
    let mut sim = running("");
    let reload = sim.request(Ask::reload("web"));
    let text = "web has neither reload_command nor reload_signal".to_owned();
    assert_eq!(only(&sim, reload), Answer::One(Err(Refusal::Failed(text))));
}

fn only(sim: &Sim, call: upkeep_core::CallId) -> Answer {
    let [(_, answer)] = &sim.answers(call).answers[..] else { panic!("{:?}", sim.answers(call)) };
    answer.clone()
}

/// A day with every hook; the daemon dies after so many steps, with what it had ordered lost or made.
fn day(dies_after: Option<(usize, InFlight)>) -> (Vec<String>, usize) {
    let options = "pre_start=a\npost_start=b\npre_stop=c\nstop_command=d\npost_stop=e\nhook_timeout=3\nautorestart=true";
    let mut sim = sim(options);
    sim.plan("web", [Plan::exits(secs(4), 1), Plan::runs().ignoring(&[TERM])]);
    sim.plan("web pre_start", [takes(1), Plan::runs(), takes(1)]).plan("web post_start", [takes(2)]);
    sim.plan("web pre_stop", [takes(2)]).plan("web stop_command", [Plan::runs()]);
    sim.plan("web post_stop", [takes(1), takes(2)]);
    sim.begin();
    let mut steps = 0;
    for ask in [None, Some(Ask::stop("web").without_waiting()), Some(Ask::start("web").without_waiting())] {
        if let Some(ask) = ask {
            sim.request_only(ask);
        }
        let until = sim.now().mono.after(secs(25));
        while sim.step(until) {
            steps += 1;
            if let Some((_, in_flight)) = dies_after.filter(|(step, _)| *step == steps) {
                sim.crash(Crash { in_flight, ..Crash::default() });
            }
        }
    }
    sim.shutdown().advance(secs(30));
    assert_eq!(sim.terminations(), [false], "{}", sim.recent());
    assert_eq!(sim.left_alive(), [] as [&str; 0]);
    assert_eq!(sim.dismissed(), []);
    let told = sim.events().into_iter().map(|event| event.split(" pid:").next().unwrap_or(event).to_owned());
    let done =
        sim.deeds().iter().map(|deed| format!("{} {} {:?}", deed.at.0 / 1_000_000, deed.process, deed.did));
    (told.chain(done).collect(), steps)
}

#[test]
fn no_death_of_the_daemon_changes_the_story() {
    let (story, steps) = day(None);
    assert!(steps > 20, "{story:#?}");
    for in_flight in [InFlight::Lost, InFlight::Made] {
        for step in 1..=steps {
            let (told, _) = day(Some((step, in_flight)));
            assert_eq!(told, story, "dead after step {step}, {in_flight:?}");
        }
    }
}

/// The daemon dies after any number of orders, when the command is ordered and when it has ended: who asked for it is told what
/// came of it.
#[test]
fn who_asked_for_a_reload_is_answered_wherever_the_daemon_dies() {
    let failed = Refusal::Failed("reload_command of web failed: exit status 3".to_owned());
    for orders in 0..10 {
        for (in_flight, wait) in [(InFlight::Lost, 0), (InFlight::Made, 0), (InFlight::Lost, 1999)] {
            let mut sim = running("reload_command=check");
            sim.plan("web reload_command", [Plan::exits(secs(2), 3), Plan::exits(secs(2), 3)]);
            let crash = Crash { down: millis(10), in_flight };
            if wait == 0 {
                sim.crash_after(orders, crash);
            }
            let call = sim.request(Ask::reload("web"));
            sim.advance(millis(wait));
            if wait > 0 {
                sim.crash_after(orders, crash);
            }
            sim.advance(secs(10));
            assert_eq!(sim.answers(call).one(), Some(Err(failed.clone())), "{orders} {in_flight:?} {wait}");
            assert_eq!(sim.forks("web reload_command"), 1, "{orders} {in_flight:?} {wait}");
        }
    }
}

/// One was done when the daemon died, one still ran, and the third only got a signal.
#[test]
fn who_asked_for_many_reloads_is_told_of_each() {
    let program = |name: &str, options: &str| format!("[program:{name}]\ncommand={name}\n{options}\n");
    let conf = [
        program("quick", "reload_command=check"),
        program("signalled", "reload_signal=HUP"),
        program("slow", "reload_command=check"),
    ];
    for orders in 0..10 {
        let mut sim = Sim::from_conf(&conf.concat());
        sim.plan("quick reload_command", [Plan::exits(secs(1), 3)]);
        sim.plan("slow reload_command", [takes(3)]);
        sim.begin().run_until(|sim| sim.is("slow", StateName::Running));
        let call = sim.request(Ask::reload("all"));
        sim.advance(millis(999));
        sim.crash_after(orders, Crash::default());
        sim.advance(millis(1));
        sim.disarm();
        sim.crash(Crash::default()).advance(secs(5));
        let Some((_, Answer::Many(mut told))) = sim.answers(call).answers.first().cloned() else {
            panic!("{orders}: {:?}", sim.answers(call))
        };
        told.sort_by(|a, b| a.process.cmp(&b.process));
        let told: Vec<_> = told.iter().map(|one| (one.process.as_str(), one.result.is_ok())).collect();
        assert_eq!(told, [("quick", false), ("signalled", true), ("slow", true)], "{orders}");
        let text = format!("{:?}", sim.answers(call));
        assert!(text.contains("exit status 3"), "{orders}: {text}");
    }
}

/// It is taken out of the configuration, and its child has ended, but not what runs after that: the next daemon waits for that, and
/// tells how the child ended.
#[test]
fn the_end_of_one_that_is_no_longer_configured_is_told_after_its_hook() {
    let both =
        format!("{}[program:other]\ncommand=other\n[group:g]\nprograms=web,other\n", conf("post_stop=tidy"));
    let without = "[program:other]\ncommand=other\n[group:g]\nprograms=other\n";
    for (wait, in_flight) in [(0, InFlight::Lost), (0, InFlight::Made), (500, InFlight::Lost)] {
        let mut sim = Sim::from_conf(&both);
        sim.plan("g:web post_stop", [takes(2), takes(2)]);
        sim.begin().run_until(|sim| sim.is("g:web", StateName::Running));
        sim.request(Ask::update(groups(without).remove(0)));
        sim.advance(millis(wait));
        sim.crash(Crash { down: millis(10), in_flight }).advance(secs(20));
        let told = sim.log().iter().filter(|line| line.contains("stopped: web")).count();
        assert_eq!(told, 1, "{wait} {in_flight:?}: {:?}", sim.log());
        assert!(sim.process("g:web").is_none(), "{wait} {in_flight:?}");
        assert_eq!(sim.state("g:other"), StateName::Running);
    }
}
