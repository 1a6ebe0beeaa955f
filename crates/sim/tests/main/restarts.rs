//! The restart policy in virtual time: waits, limits, and what follows when a process is given up.

use std::time::Duration;

use upkeep_core::{Answer, StateName, signal};
use upkeep_sim::{Ask, Crash, Plan, Sim, groups, millis, secs};

const BEGUN: u64 = 1_000_000_000_000;

fn web(options: &str) -> String {
    format!("[program:web]\ncommand=web\nautorestart=true\n{options}")
}

/// A world with `web` in it, whose children all do the same.
fn begun(options: &str, plan: Plan) -> Sim {
    let mut sim = Sim::from_conf(&web(options));
    sim.plan("web", [plan]).begin();
    sim
}

/// When `web` was launched, in milliseconds from the beginning.
fn launches(sim: &Sim) -> Vec<u64> {
    sim.launches().iter().map(|(at, _, _)| (at.0 - BEGUN) / 1_000_000).collect()
}

/// What happened to `web` after its first start, without what is Supervisor's own.
fn states(sim: &Sim) -> Vec<String> {
    let of_web = sim.events().into_iter().filter_map(|event| event.strip_prefix("web "));
    of_web.map(|event| event.split(" pid:").next().unwrap_or(event).to_owned()).collect()
}

fn has_logged(sim: &Sim, line: &str) -> bool {
    sim.log().iter().any(|logged| logged == line)
}

/// D-32.
#[test]
fn without_the_keys_an_exit_is_followed_by_a_start_at_once() {
    let mut sim = begun("", Plan::exits(secs(2), 0));
    sim.advance(secs(7));
    assert_eq!(launches(&sim), [0, 2000, 4000, 6000]);
    assert!(sim.process("web").is_some_and(|process| process.restarts().is_none()));
    assert!(!states(&sim).iter().any(|event| event.starts_with("BACKOFF")));
}

#[test]
fn an_exit_waits_in_backoff_for_the_delay() {
    let mut sim = begun("restart_delay=5", Plan::exits(secs(2), 0));
    sim.advance(secs(3));
    assert_eq!(sim.state("web"), StateName::Backoff);
    sim.advance(secs(20));
    assert_eq!(launches(&sim), [0, 7000, 14_000, 21_000]);
    assert_eq!(
        states(&sim)[2..6],
        [
            "EXITED from RUNNING expected:1",
            "BACKOFF from EXITED tries:1",
            "STARTING from BACKOFF tries:1",
            "RUNNING from STARTING",
        ]
    );
    assert!(has_logged(&sim, "Info waiting: web starts again in 5 s"));
}

#[test]
fn only_what_restarts_anyway_waits() {
    for (autorestart, code, state) in [
        ("false", 1, StateName::Exited),
        ("unexpected", 0, StateName::Exited),
        ("unexpected", 1, StateName::Backoff),
    ] {
        let options = format!("restart_delay=5\nautorestart={autorestart}");
        let text = format!("[program:web]\ncommand=web\n{options}");
        let mut sim = Sim::from_conf(&text);
        sim.plan("web", [Plan::exits(secs(2), code)]).begin().advance(secs(3));
        assert_eq!(sim.state("web"), state, "{autorestart} {code}");
    }
}

#[test]
fn waits_grow_and_begin_again_after_a_stable_run() {
    let mut sim = Sim::from_conf(&web("restart_delay=1\nrestart_delay_max=5\nrestart_reset_after=10"));
    let short = || Plan::exits(secs(2), 1);
    sim.plan("web", [short(), short(), short(), short(), Plan::exits(secs(10), 1), short()]);
    sim.begin().advance(secs(42));
    let waits: Vec<Duration> = [1, 2, 4, 5, 1, 2].map(secs).into();
    let lives = [2, 2, 2, 2, 10, 2].map(secs);
    let expected: Vec<u64> = waits
        .iter()
        .zip(lives)
        .scan(0, |at, (wait, life)| {
            *at += u64::try_from((*wait + life).as_millis()).expect("short");
            Some(*at)
        })
        .collect();
    assert_eq!(launches(&sim)[1..7], expected);
}

#[test]
fn failed_starts_wait_as_well_and_startretries_still_ends_them() {
    let mut sim = begun("restart_delay=4\nstartretries=2", Plan::exits(millis(100), 1));
    sim.advance(secs(60));
    assert_eq!(launches(&sim), [0, 4100, 8200]);
    assert_eq!(sim.state("web"), StateName::Fatal);
    let gave_up = "Info gave up: web entered FATAL state, too many start retries too quickly";
    assert!(has_logged(&sim, gave_up));
}

/// D-31: they grow by a second each.
#[test]
fn a_limit_alone_leaves_the_waits_as_they_were() {
    let mut sim = begun("restart_limit=3\nstartretries=9", Plan::exits(secs(2), 1));
    sim.advance(secs(60));
    assert_eq!(launches(&sim), [0, 2000, 4000, 6000]);
    let mut sim = begun("restart_limit=3\nstartretries=0", Plan::fails("no child today"));
    sim.advance(secs(60));
    assert_eq!(launches(&sim), [0, 1000, 3000, 6000], "one second more each time");
}

#[test]
fn a_crash_loop_is_told_and_ends_in_fatal() {
    let mut sim = begun("restart_limit=2", Plan::exits(secs(2), 1));
    sim.advance(secs(60));
    assert_eq!(
        states(&sim)[states(&sim).len() - 3..],
        ["EXITED from RUNNING expected:0", "CRASH_LOOP restarts:2 window:60", "FATAL from EXITED",]
    );
    let line = "Warn gave up: web entered FATAL state, restarted 2 times within 60 s (restart_limit)";
    assert!(has_logged(&sim, line), "{:?}", sim.log());
    let reason = sim.process("web").and_then(|process| process.spawnerr()).map(str::to_owned);
    assert_eq!(reason.as_deref(), Some("Restarted 2 times in 60 s: Bad exit code 1"));
}

#[test]
fn the_window_slides() {
    let mut sim = begun("restart_limit=2\nrestart_window=10", Plan::exits(secs(5), 1));
    sim.advance(secs(102));
    assert_eq!(sim.state("web"), StateName::Running, "an exit each five seconds is allowed");
    let mut sim = begun("restart_limit=2\nrestart_window=10.001", Plan::exits(secs(5), 1));
    sim.advance(secs(100));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Fatal, 3));
}

#[test]
fn a_start_by_hand_begins_anew() {
    let mut sim = begun("restart_limit=2", Plan::exits(secs(2), 1));
    sim.advance(secs(20));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Fatal, 3));
    sim.request(Ask::start("web"));
    sim.advance(secs(20));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Fatal, 6));
    let mut sim = begun("restart_delay=1\nrestart_delay_max=60", Plan::exits(secs(2), 1));
    sim.run_until(|sim| sim.forks("web") == 4).run_until(|sim| sim.is("web", StateName::Backoff));
    sim.request(Ask::stop("web"));
    assert_eq!(sim.state("web"), StateName::Stopped);
    sim.request(Ask::start("web"));
    let begun = launches(&sim)[4];
    sim.advance(secs(3));
    assert_eq!(launches(&sim)[5] - begun, 3000, "the first wait again");
}

#[test]
fn given_up_it_is_tried_now_and_then_until_it_stays_up() {
    let options = "restart_limit=1\nrestart_reset_after=30\non_giveup=retry_every 5m";
    let mut sim = Sim::from_conf(&web(options));
    let crash = || Plan::exits(secs(2), 1);
    sim.plan("web", [crash(), crash(), crash(), Plan::fails("no"), Plan::exits(secs(40), 1), Plan::runs()]);
    sim.begin().advance(secs(10));
    assert_eq!(sim.state("web"), StateName::Backoff);
    let told = states(&sim);
    assert_eq!(
        told[told.len() - 3..],
        ["CRASH_LOOP restarts:1 window:60", "FATAL from EXITED", "BACKOFF from FATAL tries:0",]
    );
    assert!(has_logged(&sim, "Info waiting: web starts again in 5 min"));
    sim.advance(secs(3000));
    assert_eq!(launches(&sim), [0, 2000, 304_000, 606_000, 906_000, 946_000]);
    assert_eq!(sim.state("web"), StateName::Running);
    let fatal = states(&sim).iter().filter(|event| event.starts_with("FATAL")).count();
    assert_eq!(fatal, 1, "one mail about it is enough");
}

#[test]
fn on_giveup_goes_without_the_other_keys() {
    let mut sim = begun("on_giveup=retry_every 60\nstartretries=1", Plan::fails("no"));
    sim.advance(secs(125));
    assert_eq!(launches(&sim), [0, 1000, 61_000, 121_000]);
}

#[test]
fn given_up_it_may_take_the_daemon_with_it() {
    let text = format!("{}[program:other]\ncommand=other\n", web("restart_limit=1\non_giveup=shutdown\n"));
    let mut sim = Sim::from_conf(&text);
    sim.plan("web", [Plan::exits(secs(2), 1)]);
    sim.begin().advance(secs(10));
    assert!(sim.has_ended() && sim.has_failed());
    assert_eq!(sim.signals("other"), [signal::TERM]);
    assert!(has_logged(&sim, "Warn web was given up: everything is stopped (on_giveup=shutdown)"));
}

#[test]
fn a_shutdown_does_not_wait_for_a_delayed_start() {
    let mut sim = begun("restart_delay=60\non_giveup=retry_every 60", Plan::exits(secs(2), 1));
    sim.advance(secs(5)).shutdown();
    assert!(sim.has_ended() && !sim.has_failed());
    assert_eq!(sim.forks("web"), 1);
}

#[test]
fn jitter_spreads_what_failed_together() {
    let options = "restart_delay=10\nrestart_jitter=50\nnumprocs=20\nprocess_name=%(process_num)s";
    let mut sim = Sim::from_conf(&web(options));
    for number in 0..20 {
        sim.plan(&format!("web:{number}"), [Plan::exits(secs(2), 1), Plan::runs()]);
    }
    sim.begin().advance(secs(30));
    let again = &launches(&sim)[20..];
    assert_eq!(again.len(), 20);
    assert!(again.iter().all(|at| (7000..=12_000).contains(at)), "{again:?}");
    assert!(again.last().zip(again.first()).is_some_and(|(last, first)| last - first > 2500), "{again:?}");
}

#[test]
fn a_death_of_the_daemon_loses_no_wait_and_no_count() {
    let options = "restart_delay=4\nrestart_delay_max=60\nrestart_limit=3";
    let calm = {
        let mut sim = begun(options, Plan::exits(secs(2), 1));
        sim.advance(secs(120));
        launches(&sim)
    };
    assert_eq!(calm, [0, 6000, 16_000, 34_000]);
    let mut sim = begun(options, Plan::exits(secs(2), 1));
    for _ in 0..120 {
        sim.advance(secs(1)).crash(Crash::default());
    }
    assert_eq!(launches(&sim), calm);
    assert_eq!(sim.state("web"), StateName::Fatal);
    assert!(states(&sim).iter().filter(|event| event.starts_with("CRASH_LOOP")).count() == 1);
}

#[test]
fn a_death_of_the_daemon_does_not_forgive_who_was_given_up() {
    let mut sim = begun("restart_limit=1\non_giveup=retry_every 60", Plan::exits(secs(2), 1));
    sim.advance(secs(10));
    for _ in 0..6 {
        sim.crash(Crash::default()).advance(secs(30));
    }
    assert_eq!(launches(&sim), [0, 2000, 64_000, 126_000, 188_000]);
}

#[test]
fn new_options_are_applied_while_it_runs_or_waits() {
    let mut sim = begun("restart_delay=600", Plan::exits(secs(2), 1));
    sim.advance(secs(10));
    let call = sim.request(Ask::update(groups(&web("restart_delay=30")).remove(0)));
    match &sim.answers(call).answers[..] {
        [(_, Answer::Updated(update))] => {
            assert_eq!((&update.live[..], update.restarted.len()), (&["web".to_owned()][..], 0))
        }
        other => panic!("{other:?}"),
    }
    sim.crash(Crash::default());
    sim.advance(secs(31));
    assert_eq!(launches(&sim), [0, 40_000], "the wait is 30 seconds from now, and that is written down");
    sim.request(Ask::update(groups(&web("")).remove(0)));
    sim.advance(secs(4));
    assert_eq!(launches(&sim)[2..], [42_000, 44_000], "without the keys, as in Supervisor");
}
