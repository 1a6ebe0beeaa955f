//! Programs with a schedule in virtual time: when they run, and when they do not. The clock begins at 22:13:20.

use upkeep_core::{RunEnd, StateName};
use upkeep_sim::{Ask, Crash, InFlight, Plan, Sim, groups, secs};

const BEGUN: u64 = 1_000_000_000_000;

fn job(options: &str) -> String {
    format!("[program:job]\ncommand=job\nschedule=* * * * *\nschedule_timezone=UTC\n{options}\n")
}

/// A world with `job` in it, which takes so long each time.
fn begun(options: &str, takes: u64) -> Sim {
    let mut sim = Sim::from_conf(&job(options));
    sim.plan("job", [Plan::exits(secs(takes), 0)]).begin();
    sim
}

/// When processes were launched, in seconds from the beginning.
fn launches(sim: &Sim) -> Vec<u64> {
    sim.launches().iter().map(|(at, _, _)| (at.0 - BEGUN) / 1_000_000_000).collect()
}

fn logged(sim: &Sim, line: &str) -> usize {
    sim.log().iter().filter(|logged| logged.contains(line)).count()
}

/// Seconds from the beginning until its next run.
fn next(sim: &Sim) -> Option<i64> {
    sim.process("job")?.next_run().map(|at| at - 1_700_000_000)
}

#[test]
fn it_runs_when_its_time_comes_and_not_before() {
    let mut sim = begun("", 5);
    assert_eq!((sim.state("job"), next(&sim)), (StateName::Stopped, Some(40)));
    sim.advance(secs(120));
    assert_eq!(launches(&sim), [40, 100]);
    assert_eq!((sim.state("job"), next(&sim)), (StateName::Exited, Some(160)));
    let last = sim.process("job").and_then(|process| process.timer()?.last.clone()).expect("it ran");
    assert_eq!((last.started, last.took, last.end), (1_700_000_100, secs(5), RunEnd::Code(0)));
    assert!(
        sim.log()
            .contains(&"Info ran: job for 5 s (exit status 0), next run 2023-11-14 22:15:00 UTC".to_owned())
    );
}

#[test]
fn a_run_that_ends_at_once_is_no_failed_start_and_a_failed_run_is_not_repeated() {
    let mut sim = Sim::from_conf(&job(""));
    sim.plan("job", [Plan::exits(secs(0), 1), Plan::fails("no"), Plan::exits(secs(0), 0)]).begin();
    sim.advance(secs(60));
    assert_eq!((launches(&sim), sim.state("job")), (vec![40], StateName::Exited));
    sim.advance(secs(60));
    assert_eq!(launches(&sim), [40, 100, 101], "what could not be started at all is tried again");
}

#[test]
fn what_is_given_up_runs_when_it_is_due_again() {
    let mut sim = Sim::from_conf(&job("startretries=0"));
    sim.plan("job", [Plan::fails("no"), Plan::exits(secs(1), 0)]).begin().advance(secs(60));
    assert_eq!(sim.state("job"), StateName::Fatal);
    sim.advance(secs(60));
    assert_eq!((launches(&sim), sim.state("job")), (vec![40, 100], StateName::Exited));
}

#[test]
fn autorestart_tries_a_failed_run_again_if_somebody_says_so() {
    let mut sim = Sim::from_conf(&job("autorestart=unexpected\nrestart_delay=5"));
    sim.plan("job", [Plan::exits(secs(1), 1), Plan::exits(secs(1), 0)]).begin().advance(secs(110));
    assert_eq!(launches(&sim), [40, 46, 100]);
}

#[test]
fn a_run_meets_the_one_before() {
    for (overlap, expected) in [
        // A run takes 90 seconds.
        ("skip", vec![40, 160, 280]),
        ("queue", vec![40, 130, 220, 310]),
        ("kill", vec![40, 100, 160, 220, 280]),
    ] {
        let mut sim = begun(&format!("schedule_overlap={overlap}"), 90);
        sim.advance(secs(330));
        assert_eq!(launches(&sim), expected, "{overlap}\n{}", sim.recent());
    }
    let mut sim = begun("", 90);
    sim.advance(secs(110));
    assert_eq!(logged(&sim, "Info due: job is still RUNNING, this run is left out (schedule_overlap)"), 1);
}

#[test]
fn one_run_at_most_follows() {
    let mut sim = begun("schedule_overlap=queue", 400);
    sim.plan("job", [Plan::exits(secs(400), 0), Plan::exits(secs(1), 0)]);
    sim.advance(secs(470));
    assert_eq!(launches(&sim), [40, 440, 460]);
}

#[test]
fn a_stop_switches_the_schedule_off_and_a_start_on() {
    let mut sim = begun("", 5);
    let stop = sim.request(Ask::stop("job"));
    assert_eq!(sim.answers(stop).one(), Some(Ok(())), "it waits for its time: there is something to stop");
    assert_eq!(next(&sim), None);
    let again = sim.request(Ask::stop("job"));
    assert!(sim.answers(again).one().is_some_and(|answer| answer.is_err()));
    sim.advance(secs(300));
    assert!(launches(&sim).is_empty());
    sim.request(Ask::start("job"));
    sim.advance(secs(50));
    assert_eq!(launches(&sim), [300, 340], "now, and when it is due");
}

#[test]
fn a_stop_of_a_run_is_the_end_of_what_was_to_follow() {
    for overlap in ["queue", "kill"] {
        let mut sim = Sim::from_conf(&job(&format!("schedule_overlap={overlap}")));
        sim.plan("job", [Plan::runs().lingering(secs(5))]).begin().advance(secs(102));
        sim.request(Ask::stop("job"));
        sim.advance(secs(300));
        assert_eq!((launches(&sim), sim.state("job")), (vec![40], StateName::Stopped), "{overlap}");
    }
}

#[test]
fn one_of_many_is_switched_on_and_does_not_run_at_once() {
    let mut sim = begun("", 5);
    let stop = sim.request(Ask::stop("all"));
    let start = sim.request(Ask::start("all"));
    for call in [stop, start] {
        assert!(matches!(
            &sim.answers(call).answers[..],
            [(_, upkeep_core::Answer::Many(outcomes))] if outcomes.len() == 1 && outcomes[0].result.is_ok()
        ));
    }
    sim.advance(secs(50));
    assert_eq!(launches(&sim), [40]);
}

#[test]
fn autostart_off_waits_for_a_start_by_hand() {
    let mut sim = begun("autostart=false", 5);
    sim.advance(secs(100));
    assert_eq!((launches(&sim), next(&sim)), (vec![], None));
    sim.request(Ask::start("job"));
    sim.advance(secs(100));
    assert_eq!(launches(&sim), [100, 160]);
}

#[test]
fn what_is_not_there_is_waited_for() {
    let text = job("depends_on=db") + "[program:db]\ncommand=db\nautostart=false\n";
    let mut sim = Sim::from_conf(&text);
    sim.plan("job", [Plan::exits(secs(1), 0)]).begin().advance(secs(210));
    assert_eq!(sim.state("job"), StateName::Starting);
    assert_eq!(sim.state("db"), StateName::Stopped, "it was not asked for");
    sim.request(Ask::start("db"));
    sim.advance(secs(5));
    assert_eq!((sim.state("job"), sim.forks("job")), (StateName::Exited, 1));
}

#[test]
fn a_dead_daemon_loses_no_run_and_makes_none_twice() {
    for in_flight in [InFlight::Lost, InFlight::Made] {
        for orders in 0..12 {
            let mut sim = begun("", 5);
            sim.advance(secs(39));
            sim.crash_after(orders, Crash { in_flight, ..Crash::default() });
            sim.advance(secs(80));
            assert_eq!(sim.forks("job"), 2, "{in_flight:?} after {orders} orders\n{}", sim.recent());
        }
    }
}

#[test]
fn a_run_that_takes_the_place_of_another_comes_whenever_the_daemon_dies() {
    for in_flight in [InFlight::Lost, InFlight::Made] {
        for orders in 0..12 {
            let mut sim = Sim::from_conf(&job("schedule_overlap=kill"));
            sim.plan("job", [Plan::runs().lingering(secs(3))]).begin().advance(secs(99));
            sim.crash_after(orders, Crash { in_flight, ..Crash::default() });
            sim.advance(secs(20));
            let forks = sim.forks("job");
            assert_eq!((forks, sim.state("job")), (2, StateName::Running), "{in_flight:?} {orders}");
        }
    }
}

#[test]
fn deaths_between_keep_what_is_wanted() {
    let mut sim = begun("schedule_overlap=queue", 90);
    sim.advance(secs(110)).crash(Crash::default()).advance(secs(40));
    assert_eq!(launches(&sim), [40, 130], "one follows");
    sim.request(Ask::stop("job"));
    sim.crash(Crash::default()).advance(secs(200));
    assert_eq!(launches(&sim), [40, 130], "off stays off");
}

#[test]
fn a_little_late_is_in_time() {
    let mut sim = begun("", 5);
    sim.advance(secs(30)).crash(Crash { down: secs(60), ..Crash::default() }).advance(secs(20));
    assert_eq!(launches(&sim), [90, 100]);
    assert_eq!(logged(&sim, "missed"), 0);
}

#[test]
fn what_was_missed_is_left_out_or_run_once() {
    for (missed, expected) in [("skip", vec![2800]), ("run_once", vec![2000, 2800])] {
        let options = format!("schedule=13,30,40,0 * * * *\nschedule_missed={missed}");
        let text = job(&options).replace("schedule=* * * * *\n", "");
        let mut sim = Sim::from_conf(&text);
        sim.plan("job", [Plan::exits(secs(1), 0)]).begin();
        // 22:30 is after 1000 s, 22:40 after 1600 s.
        sim.advance(secs(500)).crash(Crash { down: secs(1500), ..Crash::default() }).advance(secs(1000));
        assert_eq!(launches(&sim), expected, "{missed}\n{}", sim.recent());
    }
}

#[test]
fn a_clock_that_jumps_ahead_has_missed_something() {
    for (missed, expected) in [("skip", vec![]), ("run_once", vec![10])] {
        let text = job(&format!("schedule_missed={missed}")).replace("* * * * *", "0 3 * * *");
        let mut sim = Sim::from_conf(&text);
        sim.plan("job", [Plan::exits(secs(1), 0)]).begin().advance(secs(10));
        sim.set_clock(3 * 24 * 3600 + 8 * 3600).advance(secs(1000));
        assert_eq!(launches(&sim), expected, "{missed}");
        assert_eq!(
            logged(&sim, "missed: job was not run at 2023-11-15 03:00:00 UTC"),
            usize::from(missed == "skip")
        );
    }
}

#[test]
fn a_clock_that_is_set_back_runs_nothing_twice_or_goes_by_the_new_time() {
    let hourly = job("").replace("* * * * *", "0 * * * *");
    for (back, expected) in [
        // By half an hour: 23:00 was, so that the next is 24:00, which takes an hour and a half now.
        (1800, vec![2800, 8200]),
        // By three hours.
        (3 * 3600, vec![2800, 2800 + 3600, 2800 + 7200]),
    ] {
        let mut sim = Sim::from_conf(&hourly);
        sim.plan("job", [Plan::exits(secs(1), 0)]).begin().advance(secs(2810));
        sim.set_clock(-back).advance(secs(7500));
        assert_eq!(launches(&sim), expected, "{back}");
    }
}

#[test]
fn chance_puts_runs_off_each_by_its_own_and_no_further() {
    let text = job("schedule_jitter=30s\nnumprocs=20\nprocess_name=%(process_num)d");
    let mut sim = Sim::from_conf(&text);
    sim.begin().advance(secs(90));
    let at = launches(&sim);
    assert_eq!(at.len(), 20);
    assert!(at.iter().all(|at| (40..=70).contains(at)), "{at:?}");
    assert!(at.first() != at.last(), "{at:?}");
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_the_next_one_comes() {
    let mut sim = Sim::from_conf(&job("max_runtime=30"));
    sim.plan("job", [Plan::runs()]).begin().advance(secs(95));
    assert_eq!(launches(&sim), [40], "{}", sim.recent());
    assert!(!sim.is("job", StateName::Running), "{}", sim.recent());
    sim.advance(secs(10));
    assert_eq!(launches(&sim), [40, 100]);
}

#[test]
fn an_update_changes_the_plan_and_not_the_run() {
    let mut sim = begun("", 200);
    sim.advance(secs(50));
    let later = job("").replace("* * * * *", "20 * * * *");
    sim.request(Ask::update(groups(&later).remove(0)));
    assert_eq!((sim.state("job"), next(&sim)), (StateName::Running, Some(400)));
    assert_eq!(sim.signals("job"), []);
    let plain = "[program:job]\ncommand=job\n";
    sim.request(Ask::update(groups(plain).remove(0)));
    assert_eq!((sim.state("job"), next(&sim)), (StateName::Running, None));
}

#[test]
fn an_update_of_the_command_does_not_run_what_waits() {
    let mut sim = begun("", 5);
    let other = job("").replace("command=job", "command=other");
    sim.request(Ask::update(groups(&other).remove(0)));
    sim.advance(secs(50));
    assert_eq!(launches(&sim), [40]);
    sim.request(Ask::stop("job"));
    sim.request(Ask::update(groups(&job("")).remove(0)));
    sim.advance(secs(60));
    assert_eq!(launches(&sim), [40, 100], "as if it were new");
}

#[test]
fn an_update_makes_a_schedule_of_a_plain_program() {
    let mut sim = Sim::from_conf("[program:job]\ncommand=job\n");
    sim.plan("job", [Plan::exits(secs(50), 0)]).begin().advance(secs(5));
    sim.request(Ask::update(groups(&job("")).remove(0)));
    sim.advance(secs(110));
    assert_eq!(launches(&sim), [0, 100], "its first run has not ended at the first time");
}

#[test]
fn nothing_runs_once_everything_ends() {
    let mut sim = Sim::from_conf(&(job("") + "[program:slow]\ncommand=slow\nstopwaitsecs=300\n"));
    sim.plan("slow", [Plan::runs().lingering(secs(200))]).begin().advance(secs(20));
    sim.shutdown().advance(secs(250));
    assert!(sim.has_ended());
    assert_eq!(launches(&sim), [0], "slow alone");
}

#[test]
fn many_jobs_of_every_second_survive_a_long_sleep() {
    let mut sim = Sim::from_conf(
        &job("schedule_jitter=1d\nschedule_missed=run_once").replace("* * * * *", "* * * * * *"),
    );
    sim.plan("job", [Plan::exits(secs(0), 0)]).begin();
    sim.set_clock(1000 * 24 * 3600);
    assert!(sim.launches().len() <= 2, "{:?}", launches(&sim));
}

/// A run of each hour, put off by up to 50 minutes: what the machine slept through is left out, what is still to come is not.
#[test]
fn chance_keeps_what_is_still_to_come_after_a_run_that_was_missed() {
    let mut sim = Sim::from_conf(&job("schedule_jitter=50m").replace("* * * * *", "0 * * * *"));
    sim.plan("job", [Plan::exits(secs(1), 0)]).begin();
    assert!(next(&sim).is_some_and(|at| at < 2800 + 3000), "{}", sim.recent());
    // It is a minute after midnight, and that of eleven o'clock was missed.
    sim.advance(secs(10)).set_clock(6463 - 10).advance(secs(1));
    assert_eq!(
        (launches(&sim), logged(&sim, "missed: job was not run at 2023-11-14 23:00:00 UTC")),
        (vec![], 1)
    );
    assert!(next(&sim).is_some_and(|at| (6464..=6400 + 3000).contains(&at)), "{:?}", next(&sim));
}

#[test]
fn an_update_of_another_option_leaves_out_no_run_that_chance_has_put_off() {
    let conf = |missed: &str| {
        job(&format!("schedule_jitter=50m\nschedule_missed={missed}")).replace("* * * * *", "0 * * * *")
    };
    let mut sim = Sim::from_conf(&conf("skip"));
    let before = next(sim.begin()).expect("planned");
    assert!(before > 2802, "chance has put it off: {before}");
    sim.advance(secs(2801));
    sim.request(Ask::update(groups(&conf("run_once")).remove(0)));
    assert_eq!(next(&sim), Some(before));
}

/// The daemon comes up again, which takes as long as `slow` needs to end: it is over at 22:58:20.
#[test]
fn what_was_to_run_while_there_was_no_daemon_is_left_out_or_run_once() {
    for (options, expected) in [
        ("schedule_missed=skip", vec![2800]),
        ("schedule_missed=run_once", vec![2700, 2800]),
        ("schedule_missed=run_once\nautostart=false", vec![]),
    ] {
        let conf = job(options).replace("* * * * *", "0,48,50 * * * *");
        let mut sim = Sim::from_conf(&(conf + "[program:slow]\ncommand=slow\nstopwaitsecs=3600\n"));
        sim.plan("job", [Plan::exits(secs(1), 0)]);
        sim.plan("slow", [Plan::runs().lingering(secs(700))]).begin().advance(secs(2000));
        sim.restart().advance(secs(1000));
        let of_job = sim.launches().iter().filter(|(_, name, _)| name == "job");
        let at: Vec<u64> = of_job.map(|(at, _, _)| (at.0 - BEGUN) / 1_000_000_000).collect();
        assert_eq!(at, expected, "{options}\n{}", sim.recent());
        sim.crash(Crash::default()).advance(secs(1));
        assert_eq!(sim.forks("job"), expected.len(), "{options}");
    }
}

/// A daemon that dies right after it has begun still knows what was missed.
#[test]
fn what_was_planned_before_outlives_the_next_daemon_too() {
    for orders in 0..8 {
        let conf = job("schedule_missed=run_once").replace("* * * * *", "50 * * * *");
        let mut sim = Sim::from_conf(&(conf + "[program:slow]\ncommand=slow\nstopwaitsecs=3600\n"));
        sim.plan("job", [Plan::exits(secs(1), 0)]);
        sim.plan("slow", [Plan::runs().lingering(secs(700))]).begin().advance(secs(2000));
        sim.restart().advance(secs(699)).crash_after(orders, Crash::default());
        sim.advance(secs(100));
        assert_eq!(sim.forks("job"), 1, "{orders}\n{}", sim.recent());
    }
}

/// At 22:47 a long run begins, at 22:48 one more is due and waits for its end. The daemon comes up again before that.
#[test]
fn a_run_that_was_due_and_had_not_begun_is_run_once() {
    let conf = job("schedule_missed=run_once\nschedule_overlap=queue").replace("* * * * *", "47,48 * * * *");
    let mut sim = Sim::from_conf(&conf);
    sim.plan("job", [Plan::exits(secs(10_000), 0)]).begin().advance(secs(2100));
    assert_eq!(launches(&sim), [2020]);
    sim.restart().advance(secs(300));
    assert_eq!(launches(&sim).len(), 2, "{}", sim.recent());
}
