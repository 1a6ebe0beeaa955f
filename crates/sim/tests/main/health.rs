//! Health in virtual time: what a process says and answers, what follows from it, and that no death of the daemon forgets it.

use std::time::Duration;

use upkeep_core::health::{Verdict, Word};
use upkeep_core::{StateName, signal};
use upkeep_sim::{Ask, Crash, Plan, Reaction, Sim, groups, millis, secs};

use Reaction::{Ill, Nothing, Unasked, Well};

const CHECK: &str = "health_check=tcp://127.0.0.1:1\nhealth_start_period=0\n";

fn web(options: &str) -> String {
    format!("[program:web]\ncommand=web\nautorestart=true\n{options}\n")
}

fn begun(options: &str, plan: Plan) -> Sim {
    let mut sim = Sim::from_conf(&web(options));
    sim.plan("web", [plan, Plan::runs()]).begin();
    sim
}

fn verdict(sim: &Sim) -> Option<Verdict> {
    sim.process("web").and_then(|process| process.health()).map(|health| health.verdict)
}

fn health_events(sim: &Sim) -> Vec<&str> {
    let ours = |event: &&str| event.contains("HEALTHY");
    sim.events().into_iter().filter(ours).collect()
}

fn has_logged(sim: &Sim, line: &str) -> bool {
    sim.log().iter().any(|logged| logged == line)
}

#[test]
fn without_the_keys_nothing_is_looked_at_and_nobody_wakes() {
    let mut sim = begun("", Plan::runs());
    sim.advance(secs(2));
    assert_eq!(verdict(&sim), None);
    assert_eq!(sim.core().next_deadline(), None);
    assert!(sim.process("web").is_some_and(|process| process.is_healthy()));
}

#[test]
fn a_good_answer_makes_it_healthy_and_bad_ones_in_a_row_unhealthy_and_it_starts_again() {
    let mut sim = begun(CHECK, Plan::runs().answering(&[Well, Ill, Ill, Well, Ill]));
    sim.advance(millis(900));
    assert_eq!(verdict(&sim), Some(Verdict::Unknown));
    sim.advance(millis(200));
    assert_eq!(verdict(&sim), Some(Verdict::Healthy));
    sim.advance(secs(40));
    assert_eq!(verdict(&sim), Some(Verdict::Healthy), "never three in a row so far");
    sim.run_until(|sim| sim.forks("web") == 2);
    assert_eq!(health_events(&sim)[..2], ["web HEALTHY", "web UNHEALTHY HTTP status 500"]);
    assert_eq!(sim.signals("web"), [signal::TERM]);
    assert!(has_logged(&sim, "Info health check of web failed: HTTP status 500 (2 of 3)"), "{:?}", sim.log());
    let line = "Warn unhealthy: web (pid 101): HTTP status 500; it is started again (health_action=restart)";
    assert!(has_logged(&sim, line), "{:?}", sim.log());
    sim.advance(secs(5));
    assert_eq!((sim.state("web"), verdict(&sim)), (StateName::Running, Some(Verdict::Healthy)));
}

#[test]
fn in_the_start_period_failures_do_not_count_and_it_is_asked_every_second() {
    let options = "health_check=tcp://h:1\nhealth_start_period=20\nhealth_interval=5\nhealth_successes=2";
    let answers = [Ill, Ill, Nothing, Ill, Well, Well, Ill];
    let mut sim = begun(options, Plan::runs().answering(&answers));
    sim.advance(millis(8_500));
    assert_eq!(verdict(&sim), Some(Verdict::Unknown));
    sim.run_until(|sim| verdict(sim) == Some(Verdict::Healthy));
    assert_eq!((sim.forks("web"), health_events(&sim).len()), (1, 1));
    sim.run_until(|sim| sim.forks("web") == 2);
    let mut slow = begun("health_check=tcp://h:1\nhealth_start_period=20", Plan::runs().answering(&[Ill]));
    slow.advance(secs(36));
    assert_eq!((slow.forks("web"), verdict(&slow)), (1, Some(Verdict::Unknown)));
    slow.advance(secs(15));
    assert_eq!(slow.forks("web"), 2);
}

#[test]
fn who_does_not_answer_in_time_has_failed_and_a_late_answer_changes_nothing() {
    let options =
        format!("{CHECK}health_timeout=2\nhealth_interval=4\nhealth_failures=2\nhealth_action=none");
    let mut sim = begun(&options, Plan::runs().answering(&[Nothing, Nothing, Well]));
    sim.advance(millis(3_100));
    let counted =
        |sim: &Sim| sim.process("web").and_then(|process| process.health()).map(|health| health.failures);
    assert_eq!(counted(&sim), Some(1));
    sim.advance(secs(7));
    assert_eq!(health_events(&sim), ["web UNHEALTHY no answer within 2 s"]);
    sim.advance(secs(5));
    assert_eq!(health_events(&sim)[1..], ["web HEALTHY"]);
    assert_eq!((sim.forks("web"), sim.state("web")), (1, StateName::Running), "it is only shown");
}

#[test]
fn a_check_that_cannot_be_made_says_nothing() {
    let options = format!("{CHECK}health_failures=1\nhealth_interval=1");
    let mut sim = begun(&options, Plan::runs().answering(&[Well, Unasked]));
    sim.advance(secs(60));
    assert_eq!((sim.forks("web"), verdict(&sim)), (1, Some(Verdict::Healthy)));
}

#[test]
fn restarts_for_the_sake_of_health_obey_the_policy_and_say_why() {
    let options = format!("{CHECK}health_failures=1\nrestart_delay=5\nrestart_limit=2\nrestart_window=1h");
    let mut sim = Sim::from_conf(&web(&options));
    sim.plan("web", [Plan::runs().answering(&[Ill])]).begin();
    sim.advance(secs(3));
    assert_eq!(sim.state("web"), StateName::Backoff);
    let error = |sim: &Sim| sim.process("web").and_then(|process| process.spawnerr().map(str::to_owned));
    assert_eq!(error(&sim).as_deref(), Some("Unhealthy: HTTP status 500"));
    sim.advance(secs(60));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Fatal, 3));
    let expected = "Restarted 2 times in 60 min: Unhealthy: HTTP status 500";
    assert_eq!(error(&sim).as_deref(), Some(expected));
    assert!(sim.events().iter().any(|event| event.starts_with("web CRASH_LOOP")));
}

#[test]
fn health_action_stop_stops_it_for_good() {
    let options = format!("{CHECK}health_failures=1\nhealth_action=stop");
    let mut sim = begun(&options, Plan::runs().answering(&[Ill]));
    sim.advance(secs(60));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 1));
}

#[test]
fn who_stops_an_unhealthy_one_that_is_ending_keeps_it_from_starting_again() {
    let options = format!("{CHECK}health_failures=1");
    for many in [false, true] {
        let mut sim = begun(&options, Plan::runs().answering(&[Ill]).lingering(secs(5)));
        sim.run_until(|sim| sim.is("web", StateName::Stopping));
        let call = sim.request(if many { Ask::stop("all") } else { Ask::stop("web") });
        sim.crash(Crash::default());
        sim.advance(secs(20));
        assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Stopped, 1));
        assert_eq!(sim.answers(call).answers.len(), 1);
    }
}

#[test]
fn readiness_comes_before_checks_and_has_a_time() {
    let options = format!("{CHECK}ready=notify");
    let mut sim = begun(&options, Plan::runs().answering(&[Well]).saying(secs(20), Word::Ready));
    sim.advance(secs(19));
    assert_eq!((sim.state("web"), verdict(&sim)), (StateName::Running, Some(Verdict::Unknown)));
    sim.advance(millis(1_010));
    assert_eq!(verdict(&sim), Some(Verdict::Healthy));
    let mut late = begun("ready=fd:3\nready_timeout=10", Plan::runs());
    late.advance(millis(9_900));
    assert_eq!(late.forks("web"), 1);
    late.advance(millis(200));
    assert_eq!(health_events(&late), ["web UNHEALTHY not ready after 10 s"]);
    assert_eq!(late.forks("web"), 2);
}

#[test]
fn silence_is_noticed_and_so_is_a_word_of_sickness() {
    let talks = || Plan::runs().saying(secs(3), Word::Alive).saying(secs(6), Word::Alive);
    let mut sim = begun("health_watchdog=4", talks());
    sim.advance(millis(9_900));
    assert_eq!((sim.forks("web"), verdict(&sim)), (1, Some(Verdict::Healthy)));
    sim.advance(millis(200));
    assert_eq!(health_events(&sim)[1..], ["web UNHEALTHY no WATCHDOG=1 for 4 s"]);
    assert_eq!(sim.forks("web"), 2);
    let mut sick = begun("health_watchdog=4\nhealth_action=none", talks().saying(secs(4), Word::Sick));
    sick.advance(millis(4_100));
    assert_eq!(verdict(&sick), Some(Verdict::Unhealthy));
    sick.advance(secs(2));
    assert_eq!(verdict(&sick), Some(Verdict::Healthy), "it says that it lives");
}

#[test]
fn who_depends_on_a_healthy_one_waits_for_that() {
    let text = format!("{}[program:app]\ncommand=app\ndepends_on=web:healthy", web("ready=notify"));
    let mut sim = Sim::from_conf(&text);
    sim.plan("web", [Plan::runs().saying(secs(9), Word::Ready)]).begin();
    sim.advance(secs(8));
    assert_eq!((sim.state("web"), sim.forks("app")), (StateName::Running, 0));
    let obstacle = sim.process("app").and_then(|process| sim.core().obstacle_of(process));
    let obstacle = obstacle.map(|obstacle| obstacle.to_string());
    assert_eq!(obstacle.as_deref(), Some("waits for web to be healthy (it is RUNNING, not healthy yet)"));
    sim.advance(secs(1));
    assert_eq!(sim.forks("app"), 1);
}

#[test]
fn dependants_end_first_and_come_back_with_it() {
    let text = format!(
        "{}[program:app]\ncommand=app\ndepends_on=web:healthy\non_dependency_stop=restart",
        web(&format!("{CHECK}health_failures=1\nhealth_interval=3"))
    );
    let mut sim = Sim::from_conf(&text);
    sim.plan("web", [Plan::runs().answering(&[Well, Ill]), Plan::runs()]);
    sim.plan("app", [Plan::runs().lingering(secs(2)), Plan::runs()]).begin();
    sim.run_until(|sim| !sim.signals("app").is_empty());
    assert_eq!((sim.state("web"), sim.signals("web").len()), (StateName::Running, 0));
    sim.crash(Crash::default());
    sim.run_until(|sim| sim.forks("app") == 2);
    assert_eq!((sim.forks("web"), verdict(&sim)), (2, Some(Verdict::Healthy)));
    sim.advance(secs(60));
    assert_eq!((sim.forks("web"), sim.forks("app")), (2, 2));
}

/// What happens to the world if nobody dies, as health is concerned.
fn story(sim: &Sim) -> (Vec<String>, usize, StateName) {
    let events: Vec<String> = health_events(sim).into_iter().map(str::to_owned).collect();
    (events, sim.forks("web"), sim.state("web"))
}

#[test]
fn a_death_of_the_daemon_at_any_step_forgets_nothing() {
    let options = "ready=notify\nready_timeout=5\nhealth_check=tcp://h:1\nhealth_start_period=0\nhealth_failures=2\n\
                   health_interval=2\nrestart_limit=1\nrestart_window=1h";
    let plan = Plan::runs().saying(secs(2), Word::Ready).answering(&[Well, Well, Ill]);
    let world = || {
        let mut sim = Sim::from_conf(&web(options));
        sim.plan("web", [plan.clone(), plan.clone().lingering(secs(1))]).begin();
        sim
    };
    let whole = {
        let mut sim = world();
        sim.advance(secs(60));
        story(&sim)
    };
    assert_eq!((whole.0.len(), whole.1, whole.2), (4, 2, StateName::Fatal), "{whole:?}");
    // At each time, and after each order of the next turn.
    for tenth in (0..140).step_by(3) {
        for orders in 0..4 {
            let mut sim = world();
            sim.advance(millis(100 * tenth));
            sim.crash_after(orders, Crash { down: Duration::ZERO, ..Crash::default() });
            sim.advance(secs(60));
            assert_eq!(story(&sim), whole, "{tenth} {orders}\n{}", sim.recent());
        }
    }
}

#[test]
fn an_update_changes_how_it_is_looked_at_while_it_runs() {
    let plan = Plan::runs().answering(&[Well, Ill]);
    let mut sim = begun("", plan.clone());
    sim.advance(secs(5));
    let update = |sim: &mut Sim, options: &str| {
        let group = groups(&web(options)).remove(0);
        sim.request(Ask::update(group));
    };
    update(
        &mut sim,
        &format!("{CHECK}ready=notify\nhealth_watchdog=3\nhealth_action=none\nhealth_failures=2"),
    );
    sim.advance(millis(10));
    assert_eq!(verdict(&sim), Some(Verdict::Healthy), "what it cannot say it need not say");
    sim.advance(secs(30));
    assert_eq!(verdict(&sim), Some(Verdict::Unhealthy), "it is asked all the same");
    update(&mut sim, "health_check=tcp://h:2\nhealth_action=none");
    assert_eq!(verdict(&sim), Some(Verdict::Unknown), "another question");
    update(&mut sim, "");
    assert_eq!(verdict(&sim), None);
    sim.advance(secs(1));
    assert_eq!((sim.forks("web"), sim.core().next_deadline()), (1, None));
}

#[test]
fn nothing_is_asked_once_the_end_has_begun() {
    let mut sim = begun(CHECK, Plan::runs().answering(&[Well, Ill]).lingering(secs(8)));
    sim.advance(secs(3));
    sim.shutdown().advance(secs(20));
    assert_eq!((sim.terminations(), sim.forks("web")), (&[false][..], 1));
}
