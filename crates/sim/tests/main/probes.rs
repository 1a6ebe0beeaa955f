//! Health checks that are commands, in virtual time: what their end says, how many run at once, and that none is ever left over.

use std::time::Duration;

use upkeep_core::health::Verdict;
use upkeep_core::signal::{KILL, TERM};
use upkeep_core::{Fate, RunEnd, StateName};
use upkeep_sim::{Ask, Crash, Did, Plan, Signalling, Sim, groups, millis, secs};

const CHECK: &str = "health_check=exec:ask\nhealth_start_period=0\n";
const ASKED: &str = "web health_check";

fn web(options: &str) -> String {
    format!("[program:web]\ncommand=web\nautorestart=true\n{options}\n")
}

fn begun<const N: usize>(options: &str, checks: [Plan; N]) -> Sim {
    let mut sim = Sim::from_conf(&web(options));
    sim.plan(ASKED, checks).begin();
    sim
}

fn verdict(sim: &Sim) -> Option<Verdict> {
    sim.process("web").and_then(|process| process.health()).map(|health| health.verdict)
}

fn health_events(sim: &Sim) -> Vec<&str> {
    sim.events().into_iter().filter(|event| event.contains("HEALTHY")).collect()
}

/// The most commands of these processes that ever ran at once.
fn most_at_once(sim: &Sim, is_asked: impl Fn(&str) -> bool) -> usize {
    let (mut now, mut most) = (0, 0);
    for deed in sim.deeds().iter().filter(|deed| is_asked(&deed.process)) {
        match deed.did {
            Did::Fork => now += 1,
            Did::End(_) => now -= 1,
            Did::FailToFork | Did::Signal { .. } => {}
        }
        most = most.max(now);
    }
    most
}

#[test]
fn the_exit_status_says_how_it_is() {
    let well = || Plan::exits(secs(1), 0);
    let mut sim = begun(CHECK, [well(), Plan::exits(millis(1), 3), well(), Plan::exits(secs(1), 3)]);
    sim.advance(millis(2_100));
    assert_eq!(verdict(&sim), Some(Verdict::Healthy));
    sim.run_until(|sim| sim.forks("web") == 2);
    assert_eq!(health_events(&sim), ["web HEALTHY", "web UNHEALTHY exit status 3"]);
    assert_eq!((sim.forks(ASKED), sim.signals("web")), (6, vec![TERM]));
    let lines = sim.log();
    let about = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(about("health check of web failed: exit status 3 (3 of 3)"), 1, "{lines:?}");
    assert_eq!(about("health_check of web"), 0, "nothing is said of the commands: {lines:?}");
}

#[test]
fn one_that_cannot_be_found_is_a_failure_that_says_so() {
    let mut sim = begun(&format!("{CHECK}health_failures=1\nhealth_action=none"), [Plan::fails("no ask")]);
    sim.advance(secs(2));
    assert_eq!(health_events(&sim), ["web UNHEALTHY no ask"]);
    let last = sim.process("web").and_then(|process| process.health()?.last.clone());
    assert_eq!(last.and_then(|last| last.fault).as_deref(), Some("no ask"));
}

#[test]
fn one_that_takes_too_long_is_killed_with_its_group_and_never_doubled() {
    let options =
        format!("{CHECK}health_timeout=2\nhealth_interval=0.1\nhealth_failures=2\nhealth_action=none");
    let mut sim = begun(&options, [Plan::runs().ignoring(&[TERM])]);
    sim.advance(millis(2_050));
    assert_eq!((sim.signals(ASKED), sim.forks(ASKED)), (vec![], 1));
    sim.advance(millis(100));
    assert_eq!(sim.signals(ASKED), [KILL]);
    let group = |did: &Did| matches!(did, Did::Signal { group: true, .. });
    assert!(sim.deeds().iter().any(|deed| deed.process == ASKED && group(&deed.did)));
    sim.advance(secs(30));
    assert_eq!(health_events(&sim), ["web UNHEALTHY no answer within 2 s"]);
    assert!(sim.forks(ASKED) > 10 && most_at_once(&sim, |process| process == ASKED) == 1);
}

#[test]
fn so_many_run_at_once_and_who_waits_for_its_turn_has_not_failed() {
    let text = "[program:web]\ncommand=web\nnumprocs=50\nprocess_name=%(process_num)02d\nhealth_check=exec:ask\n\
                health_start_period=0\nhealth_failures=1\nhealth_timeout=3\nhealth_interval=0.1\n";
    let mut sim = Sim::from_conf(text);
    let names: Vec<String> = (0..50).map(|number| format!("web:{number:02}")).collect();
    for name in &names {
        sim.plan(&format!("{name} health_check"), [Plan::exits(secs(2), 0)]);
    }
    sim.begin().advance(secs(60));
    assert_eq!(most_at_once(&sim, |process| process.ends_with("health_check")), 16);
    for name in &names {
        assert_eq!(sim.forks(name), 1, "{name} is well");
        // Sixty seconds, two for each, sixteen at once: everybody's turn comes as often.
        assert!((8..=10).contains(&sim.forks(&format!("{name} health_check"))), "{name}");
    }
    let waiting = sim.request(Ask::stop("web:*"));
    sim.advance(secs(5));
    assert_eq!(sim.answers(waiting).answers.len(), 1);
    let before = sim.deeds().len();
    sim.advance(secs(30));
    assert_eq!(sim.deeds().len(), before, "nobody is asked any more");
}

#[test]
fn those_that_hang_keep_nobody_from_being_asked() {
    let text = "[program:bad]\ncommand=bad\nnumprocs=40\nprocess_name=%(process_num)02d\nhealth_check=exec:ask\n\
                health_timeout=1h\nhealth_interval=0.1\n[program:web]\ncommand=web\nhealth_check=exec:ask\n";
    let mut sim = Sim::from_conf(text);
    for number in 0..40 {
        sim.plan(&format!("bad:{number:02} health_check"), [Plan::runs()]);
    }
    sim.begin().advance(secs(20));
    assert_eq!(verdict(&sim), Some(Verdict::Healthy));
    let asks = |process: &str| process.starts_with("bad:") && process.ends_with("health_check");
    assert_eq!(most_at_once(&sim, asks), 40, "each is asked once");
}

#[test]
fn the_end_of_its_process_ends_it_and_nobody_waits_for_it() {
    let hangs = || Plan::runs().ignoring(&[TERM]);
    let mut sim = begun(&format!("{CHECK}health_timeout=1h\nstopwaitsecs=100"), [hangs()]);
    sim.advance(secs(5));
    let stop = sim.request(Ask::stop("web"));
    sim.advance(millis(10));
    assert_eq!((sim.state("web"), sim.answers(stop).answers.len()), (StateName::Stopped, 1));
    assert_eq!(sim.signals(ASKED), [KILL]);
    let mut sim = Sim::from_conf(&web(&format!("{CHECK}health_timeout=1h")));
    sim.plan(ASKED, [hangs()]).plan("web", [Plan::exits(secs(5), 0), Plan::runs()]).begin();
    sim.advance(secs(8));
    assert_eq!((sim.forks("web"), sim.forks(ASKED), sim.signals(ASKED)), (2, 2, vec![KILL]));
    assert!(health_events(&sim).is_empty(), "{:?}", sim.events());
    sim.shutdown().advance(secs(5));
    assert_eq!((sim.terminations(), sim.signals(ASKED).len()), (&[false][..], 2));
}

#[test]
fn another_command_is_asked_instead_at_once_and_the_old_one_does_not_count() {
    let mut sim = begun(&format!("{CHECK}health_timeout=1h\nhealth_failures=1"), [Plan::runs()]);
    sim.advance(secs(5));
    sim.plan(ASKED, [Plan::exits(millis(10), 0)]);
    let update = |sim: &mut Sim, options: &str| {
        sim.request(Ask::update(groups(&web(options)).remove(0)));
        sim.advance(millis(100));
    };
    update(&mut sim, "health_check=exec:other");
    assert_eq!(
        (sim.signals(ASKED), sim.forks("web"), verdict(&sim)),
        (vec![KILL], 1, Some(Verdict::Healthy))
    );
    sim.plan(ASKED, [Plan::runs()]);
    sim.advance(secs(11));
    update(&mut sim, "");
    assert_eq!((sim.signals(ASKED).len(), verdict(&sim)), (2, None));
    sim.advance(secs(60));
    assert_eq!((sim.forks("web"), sim.core().next_deadline()), (1, None));
}

/// What matters in the end: what was told, and how often the process was started.
fn story(sim: &Sim) -> (Vec<String>, usize, StateName) {
    let events = health_events(sim).into_iter().map(str::to_owned).collect();
    (events, sim.forks("web"), sim.state("web"))
}

#[test]
fn a_death_of_the_daemon_at_any_step_leaves_no_command_and_counts_none() {
    let well = [Plan::exits(millis(300), 0)];
    let ill = [Plan::exits(millis(300), 1)];
    let options =
        format!("{CHECK}health_interval=1\nhealth_timeout=1\nhealth_failures=2\nhealth_action=stop");
    for (checks, event, state) in [
        (well, "web HEALTHY", StateName::Running),
        (ill, "web UNHEALTHY exit status 1", StateName::Stopped),
        ([Plan::runs()], "web UNHEALTHY no answer within 1 s", StateName::Stopped),
    ] {
        let whole = (vec![event.to_owned()], 1, state);
        for tenth in (0..50).step_by(2) {
            for orders in 0..5 {
                let mut sim = begun(&options, checks.clone());
                sim.advance(millis(100 * tenth));
                sim.crash_after(orders, Crash { down: Duration::from_millis(tenth * 7), ..Crash::default() });
                sim.advance(secs(20));
                assert_eq!(story(&sim), whole, "{tenth} {orders}\n{}", sim.recent());
                assert_eq!(most_at_once(&sim, |process| process == ASKED), 1, "{tenth} {orders}");
            }
        }
    }
}

#[test]
fn the_next_daemon_kills_what_the_last_one_wanted_to_know() {
    let mut sim = begun(&format!("{CHECK}health_timeout=1h"), [Plan::runs(), Plan::exits(millis(1), 0)]);
    sim.advance(secs(5));
    sim.crash(Crash::default());
    let fates = |sim: &Sim| -> Vec<Fate> {
        sim.process("web").unwrap().errands().iter().map(|errand| errand.fate).collect()
    };
    assert_ne!(fates(&sim), [Fate::Runs]);
    sim.advance(secs(1));
    assert_eq!((sim.signals(ASKED), sim.forks(ASKED)), (vec![KILL], 2));
    assert_eq!((fates(&sim), verdict(&sim)), (vec![], Some(Verdict::Healthy)));
}

/// What `sudo` makes of a command, say: it may not be signalled.
fn denied() -> Plan {
    Plan::runs().signalling(Signalling::Denied)
}

const DENIED: &str = "health_check of web (pid 102) cannot be ended: [Errno 1] Operation not permitted; until it has ended by itself \
                      nothing is asked";

fn said(sim: &Sim, line: &str) -> usize {
    sim.log().iter().filter(|said| said.contains(line)).count()
}

#[test]
fn one_that_cannot_be_ended_is_never_doubled_and_goes_on_counting_as_no_answer() {
    let options = format!("{CHECK}health_timeout=2\nhealth_interval=3\nhealth_action=none");
    let vain = Plan::runs().ignoring(&[TERM, KILL]);
    let killed = DENIED.replace("[Errno 1] Operation not permitted", "it was killed, and is still there");
    for (check, line) in [(denied(), DENIED.to_owned()), (vain, killed)] {
        let mut sim = begun(&options, [check, Plan::exits(millis(1), 0)]);
        sim.advance(secs(60));
        assert_eq!((sim.forks(ASKED), said(&sim, &line)), (1, 1), "{:?}", sim.log());
        assert_eq!(health_events(&sim), ["web UNHEALTHY no answer within 2 s"]);
        assert_eq!(said(&sim, "(3 of 3)"), 1, "each time it is due is one more without an answer");
        let stuck = |sim: &Sim| sim.process("web").and_then(|process| Some(process.stuck_check()?.pid));
        assert_eq!(stuck(&sim), Some(102));
        sim.end_child(ASKED, RunEnd::Code(0));
        sim.advance(secs(4));
        assert_eq!((stuck(&sim), verdict(&sim)), (None, Some(Verdict::Healthy)));
    }
}

#[test]
fn one_that_cannot_be_ended_says_nothing_about_the_next_run_or_of_another_question() {
    let options =
        format!("{CHECK}health_timeout=2\nhealth_interval=1\nhealth_failures=1\nhealth_action=none");
    let stuck = || {
        let mut sim = begun(&options, [denied(), Plan::exits(millis(1), 0)]);
        sim.advance(secs(4));
        assert_eq!((verdict(&sim), said(&sim, DENIED)), (Some(Verdict::Unhealthy), 1));
        sim
    };
    let mut restarted = stuck();
    restarted.end_child("web", RunEnd::Code(0));
    let mut asked_otherwise = stuck();
    let other = web(&options.replace("exec:ask", "exec:other"));
    asked_otherwise.request(Ask::update(groups(&other).remove(0)));
    let mut known_to_the_next = stuck();
    known_to_the_next.crash(Crash::default());
    for (mut sim, thought) in [
        (restarted, Verdict::Unknown),
        (asked_otherwise, Verdict::Unknown),
        (known_to_the_next, Verdict::Unhealthy),
    ] {
        sim.advance(secs(30));
        assert_eq!((sim.forks(ASKED), verdict(&sim)), (1, Some(thought)));
        assert!(said(&sim, "(1 of 1)") <= 3 + 1, "{:?}", sim.log());
        sim.end_child(ASKED, RunEnd::Code(1));
        sim.run_until(|sim| verdict(sim) == Some(Verdict::Healthy));
        assert_eq!(most_at_once(&sim, |process| process == ASKED), 1);
    }
}

#[test]
fn one_that_outlives_its_program_is_not_doubled_by_another_of_that_name() {
    let options = format!("{CHECK}health_timeout=2\nhealth_interval=3\nhealth_action=none");
    let mut sim = begun(&options, [denied(), Plan::exits(millis(1), 0)]);
    sim.advance(secs(10));
    sim.request(Ask::stop("web"));
    sim.request(Ask::remove("web"));
    sim.request(Ask::add(groups(&web(&options)).remove(0)));
    sim.advance(secs(10));
    assert_eq!((sim.forks(ASKED), verdict(&sim)), (1, Some(Verdict::Unknown)));
    sim.end_child(ASKED, RunEnd::Code(0));
    sim.advance(secs(4));
    assert_eq!((most_at_once(&sim, |process| process == ASKED), verdict(&sim)), (1, Some(Verdict::Healthy)));
}

#[test]
fn those_whose_command_does_not_come_to_be_keep_nobody_from_being_asked() {
    let text = "[program:bad]\ncommand=bad\nnumprocs=20\nprocess_name=%(process_num)02d\nhealth_check=exec:ask\n\
                health_interval=0.1\n[program:web]\ncommand=web\nhealth_check=exec:ask\n";
    for stops in [false, true] {
        let mut sim = Sim::from_conf(text);
        for number in 0..20 {
            sim.plan(&format!("bad:{number:02} health_check"), [Plan::runs().launched_after(secs(3600))]);
        }
        sim.begin().advance(secs(2));
        assert_eq!(verdict(&sim), Some(Verdict::Unknown));
        if stops {
            // Nobody wants to know any more.
            sim.request(Ask::stop("bad:*").without_waiting());
        }
        sim.advance(secs(if stops { 1 } else { 15 }));
        assert_eq!(verdict(&sim), Some(Verdict::Healthy), "{stops}");
    }
}
