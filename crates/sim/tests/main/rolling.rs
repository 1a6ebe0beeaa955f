//! Rolling restarts in virtual time: batches, failures, stops meanwhile, and that no death of the daemon changes how they go.

use upkeep_core::{Answer, Batch, CallId, Refusal, Rolling, RollingEnd, RunEnd, Stage, StateName};
use upkeep_sim::{Ask, Crash, Plan, Reaction, Sim, groups, millis, secs};

const ALL: [&str; 4] = ["web:0", "web:1", "web:2", "web:3"];
const HEALTH: &str = "health_check=tcp://h:1\nhealth_start_period=5\nhealth_interval=2\nhealth_failures=2\n";

fn web(options: &str) -> String {
    many(4, "one", options)
}

fn many(count: u32, command: &str, options: &str) -> String {
    format!(
        "[program:web]\ncommand={command}\nnumprocs={count}\nprocess_name=%(process_num)d\n{options}\n\
         [program:other]\ncommand=other\n"
    )
}

fn begun(options: &str) -> Sim {
    let mut sim = Sim::from_conf(&web(options));
    sim.begin().advance(secs(20));
    sim
}

/// The last rolling restart.
fn last(sim: &Sim) -> &Rolling {
    sim.core().rollings().last().unwrap_or_else(|| panic!("none\n{}", sim.recent()))
}

fn end(sim: &Sim) -> Option<&RollingEnd> {
    last(sim).end.as_ref()
}

fn stages(sim: &Sim) -> Vec<&Stage> {
    last(sim).members.iter().map(|member| &member.stage).collect()
}

fn forks(sim: &Sim) -> [usize; 4] {
    ALL.map(|name| sim.forks(name))
}

fn is_well(sim: &Sim, name: &str) -> bool {
    sim.is(name, StateName::Running) && sim.process(name).is_some_and(|process| process.is_healthy())
}

/// Steps on to the end of the rolling restart, with a look at each step; at most so many may be unwell.
fn roll_on(sim: &mut Sim, most_unwell: usize) {
    let until = sim.now().mono.after(secs(1000));
    while end(sim).is_none() {
        assert!(sim.step(until), "it never ends\n{}", sim.recent());
        let unwell = ALL.iter().filter(|name| !is_well(sim, name)).count();
        assert!(unwell <= most_unwell, "{unwell} are unwell\n{}", sim.recent());
    }
}

/// The number that the request was answered with.
fn number(sim: &Sim, call: CallId) -> u64 {
    match sim.answers(call).answers[..] {
        [(_, Answer::Rolling(number))] => number,
        ref answers => panic!("{answers:?}"),
    }
}

fn has_logged(sim: &Sim, line: &str) -> bool {
    sim.log().iter().any(|logged| logged == line)
}

#[test]
fn without_one_nothing_is_kept_and_nobody_wakes() {
    let sim = begun("");
    assert_eq!((sim.core().rollings().count(), sim.core().has_rolling()), (0, false));
    assert_eq!(sim.core().next_deadline(), None);
}

#[test]
fn one_after_another_is_restarted_and_the_others_run() {
    for options in ["", HEALTH] {
        let mut sim = begun(options);
        let call = sim.request(Ask::rolling("web:*"));
        assert_eq!(number(&sim, call), 1);
        roll_on(&mut sim, 1);
        assert_eq!((end(&sim), forks(&sim)), (Some(&RollingEnd::Done), [2; 4]));
        assert_eq!(sim.forks("other"), 1);
        assert!(has_logged(&sim, "Info rolling restart 1: web:0 is back (1 of 4)"), "{:?}", sim.log());
        assert!(has_logged(&sim, "Info rolling restart 1 is done: 4 processes were restarted"));
        assert!(sim.events().contains(&"ROLLING_OVER 1"));
        assert!(!sim.core().has_rolling());
    }
}

#[test]
fn a_batch_is_of_one_program_and_of_its_size() {
    for (batch, most) in [(Batch::Count(2), 2), (Batch::Percent(50), 2), (Batch::Percent(100), 4)] {
        let mut sim = begun("");
        sim.request(Ask::rolling_by("all", batch, secs(10)));
        let busy = |sim: &Sim| {
            let stages = stages(sim).into_iter();
            stages.filter(|stage| matches!(stage, Stage::Ending { .. } | Stage::Starting { .. })).count()
        };
        assert_eq!(busy(&sim), 1, "other comes first, and alone");
        roll_on(&mut sim, most);
        assert_eq!((end(&sim), forks(&sim), sim.forks("other")), (Some(&RollingEnd::Done), [2; 4], 2));
    }
    let mut sim = begun("rolling_batch=50%");
    sim.request(Ask::rolling("web:*"));
    let begun = ALL.iter().filter(|name| !is_well(&sim, name)).count();
    assert_eq!(begun, 2, "the program says so");
    roll_on(&mut sim, 2);
}

#[test]
fn one_that_fails_leaves_the_rest_as_it_is() {
    let mut sim = begun("");
    sim.plan("web:1", [Plan::exits(millis(100), 3)]);
    sim.request(Ask::rolling("web:*"));
    roll_on(&mut sim, 1);
    assert_eq!((end(&sim), &forks(&sim)[2..]), (Some(&RollingEnd::Failed), &[1, 1][..]));
    let why = "it is FATAL: Exited too quickly (process log may have details)";
    assert_eq!(
        stages(&sim),
        [&Stage::Done, &Stage::Failed(why.to_owned()), &Stage::Pending, &Stage::Pending]
    );
    let line = format!("Warn rolling restart 1 failed at web:1: {why}; not restarted: web:2, web:3");
    assert!(has_logged(&sim, &line), "{:?}", sim.log());
    sim.advance(secs(100));
    assert!(is_well(&sim, "web:2") && is_well(&sim, "web:3"));
    assert_eq!(&forks(&sim)[2..], [1, 1]);
}

#[test]
fn the_others_of_a_batch_come_to_their_end_before_it_is_told() {
    let mut sim = begun("");
    sim.plan("web:1", [Plan::fails("no")]);
    sim.plan("web:0", [Plan::runs().launched_after(secs(8))]);
    sim.request(Ask::rolling_by("web:*", Batch::Count(2), secs(30)));
    roll_on(&mut sim, 2);
    let [first, second, ..] = stages(&sim)[..] else { panic!("four") };
    assert_eq!((first, second), (&Stage::Done, &Stage::Failed("it is FATAL: no".to_owned())));
    assert_eq!(forks(&sim), [2, 1, 1, 1]);
}

#[test]
fn who_is_not_healthy_in_time_has_failed() {
    let mut sim = begun(HEALTH);
    sim.plan("web:0", [Plan::runs().answering(&[Reaction::Ill])]);
    sim.request(Ask::rolling("web:*"));
    roll_on(&mut sim, 1);
    assert_eq!(stages(&sim)[0], &Stage::Failed("it is unhealthy: HTTP status 500".to_owned()));
    let mut sim = begun(&format!("{HEALTH}rolling_wait=3"));
    sim.plan("web:0", [Plan::runs().answering(&[Reaction::Ill])]);
    sim.request(Ask::rolling("web:*"));
    let before = sim.now().mono;
    roll_on(&mut sim, 1);
    assert_eq!(stages(&sim)[0], &Stage::Failed("it is not healthy in time: HTTP status 500".to_owned()));
    assert_eq!(sim.now().mono.since(before), secs(3));
    let mut sim = begun(HEALTH);
    sim.plan("web:0", [Plan::exits(millis(1500), 0).answering(&[Reaction::Ill])]);
    sim.request(Ask::rolling("web:*"));
    roll_on(&mut sim, 1);
    assert_eq!(stages(&sim)[0], &Stage::Failed("it has ended before it was healthy".to_owned()));
    let mut sim = begun("");
    sim.plan("web:0", [Plan::runs().launched_after(secs(20))]);
    sim.request(Ask::rolling("web:*"));
    roll_on(&mut sim, 1);
    assert_eq!(stages(&sim)[0], &Stage::Failed("its time is over: it is STARTING".to_owned()));
}

#[test]
fn who_does_not_run_is_left_alone_and_who_does_not_run_well_comes_first() {
    let mut sim = begun("startretries=100");
    sim.request(Ask::stop("web:0"));
    sim.plan("web:2", [Plan::exits(millis(10), 1), Plan::runs()]);
    sim.end_child("web:2", RunEnd::Code(1));
    sim.advance(millis(20));
    assert_eq!(sim.state("web:2"), StateName::Backoff);
    sim.request(Ask::rolling("web:*"));
    let names: Vec<&str> = last(&sim).members.iter().map(|member| member.process.as_str()).collect();
    assert_eq!(names, ["0", "2", "1", "3"]);
    roll_on(&mut sim, 2);
    assert_eq!(stages(&sim)[0], &Stage::Left("it is STOPPED".to_owned()));
    assert_eq!((end(&sim), sim.state("web:0")), (Some(&RollingEnd::Done), StateName::Stopped));
}

#[test]
fn a_stop_wins() {
    let mut sim = begun("");
    sim.request(Ask::rolling("web:*"));
    let waiting = sim.request(Ask::stop("web:3"));
    roll_on(&mut sim, 2);
    assert_eq!(sim.answers(waiting).one(), Some(Ok(())));
    assert_eq!(stages(&sim)[3], &Stage::Left("it is STOPPED".to_owned()), "it stays stopped");
    assert_eq!(sim.state("web:3"), StateName::Stopped);

    let mut sim = begun("");
    sim.plan("web:0", [Plan::runs()]);
    sim.request(Ask::rolling("web:*"));
    sim.request(Ask::stop("web:0"));
    assert_eq!(end(&sim), Some(&RollingEnd::Failed));
    assert_eq!(stages(&sim)[0], &Stage::Failed("it was stopped".to_owned()), "a stop of it calls it off");
    sim.advance(secs(60));
    assert_eq!((forks(&sim)[1..].to_vec(), sim.state("web:0")), (vec![1; 3], StateName::Stopped));

    let mut sim = begun("");
    sim.request(Ask::rolling("web:*"));
    sim.request(Ask::stop("all"));
    assert_eq!(stages(&sim)[1..], [&Stage::Pending; 3]);
    sim.advance(secs(60));
    assert!(ALL.iter().all(|name| sim.is(name, StateName::Stopped)), "{}", sim.recent());
}

/// Its processes are others than those that were to be restarted, which are gone.
#[test]
fn a_group_that_was_removed_and_added_meanwhile_is_left_alone() {
    let mut sim = begun("");
    let groups = groups(&web(""));
    sim.plan("other", [Plan::runs().launched_after(secs(5))]);
    sim.request(Ask::rolling_by("all", Batch::Count(1), secs(30)));
    sim.request(Ask::stop("web:*"));
    sim.request(Ask::remove("web"));
    let web = groups.into_iter().find(|group| group.name == "web").expect("web");
    sim.request(Ask::add(web));
    let until = sim.now().mono.after(secs(1000));
    while end(&sim).is_none() {
        assert!(sim.step(until), "it never ends\n{}", sim.recent());
    }
    assert_eq!((end(&sim), forks(&sim)), (Some(&RollingEnd::Done), [2; 4]));
    assert_eq!(stages(&sim)[1], &Stage::Left("it was removed".to_owned()));
}

#[test]
fn the_end_of_the_daemon_wins() {
    let mut sim = begun("");
    sim.request(Ask::rolling("web:*"));
    sim.shutdown();
    assert!(matches!(end(&sim), Some(RollingEnd::CalledOff(_))));
    sim.advance(secs(60));
    assert!(sim.has_ended());
    assert_eq!(&forks(&sim)[1..], [1; 3]);
}

#[test]
fn two_do_not_meet_in_one_process() {
    let mut sim = begun("");
    sim.request(Ask::rolling("web:*"));
    let second = sim.request(Ask::rolling("web:3"));
    let why = "rolling restart 1 is under way, and web:3 is part of it";
    assert_eq!(sim.answers(second).one(), Some(Err(Refusal::Failed(why.to_owned()))));
    let other = sim.request(Ask::rolling("other"));
    assert_eq!(number(&sim, other), 2);
    roll_on(&mut sim, 1);
    sim.advance(secs(60));
    let third = sim.request(Ask::rolling("web:3"));
    assert_eq!(number(&sim, third), 3);
}

#[test]
fn what_is_over_is_told_of_for_a_while() {
    let mut sim = begun("");
    for _ in 0..12 {
        sim.request(Ask::rolling("other"));
        sim.advance(secs(20));
    }
    let numbers: Vec<u64> = sim.core().rollings().map(|rolling| rolling.number).collect();
    assert_eq!(numbers, (5..=12).collect::<Vec<u64>>());
}

/// The same story with a death after each of its steps, and after some of the orders of a turn.
fn holds_anywhere(options: &str, story: impl Fn(&mut Sim, &mut dyn FnMut(&mut Sim))) {
    let groups = groups(&web(options));
    let begun = || {
        let mut sim = Sim::new(groups.clone());
        sim.begin().advance(secs(2));
        sim
    };
    let (mut sim, mut steps) = (begun(), 0);
    story(&mut sim, &mut |_| steps += 1);
    for step in 0..steps {
        for orders in [None, Some(0), Some(1), Some(3), Some(6)] {
            let (mut sim, mut at) = (begun(), 0);
            story(&mut sim, &mut |sim| {
                if at == step {
                    match orders {
                        None => sim.crash(Crash { down: millis(300), ..Crash::default() }),
                        Some(orders) => sim.crash_after(orders, Crash::default()),
                    };
                }
                at += 1;
            });
        }
    }
}

/// Healthy soon, and asked seldom after that.
const SOON: &str = "startsecs=0\nhealth_check=tcp://h:1\nhealth_interval=1h\n";
/// The first failure is one for good.
const AT_ONCE: &str = "startretries=0\n";

fn to_the_end(sim: &mut Sim, stepped: &mut dyn FnMut(&mut Sim)) {
    let until = sim.now().mono.after(secs(1000));
    while end(sim).is_none() {
        stepped(sim);
        assert!(sim.step(until), "it never ends\n{}", sim.recent());
        let unwell = ALL.iter().filter(|name| !is_well(sim, name)).count();
        assert!(unwell <= 1, "{unwell} are unwell\n{}", sim.recent());
    }
    sim.disarm();
}

#[test]
fn no_death_of_the_daemon_changes_how_it_goes() {
    for options in [SOON, "startsecs=0\nrolling_wait=900\n"] {
        holds_anywhere(options, |sim, stepped| {
            let soon = sim.now().mono.after(secs(30));
            sim.request(Ask::rolling("web:*"));
            to_the_end(sim, stepped);
            assert_eq!((end(sim), forks(sim)), (Some(&RollingEnd::Done), [2; 4]), "{}", sim.recent());
            assert_eq!(sim.forks("other"), 1);
            assert!(sim.now().mono < soon, "who is well is not waited for\n{}", sim.recent());
        });
    }
}

#[test]
fn no_death_of_the_daemon_goes_beyond_one_that_failed() {
    holds_anywhere(AT_ONCE, |sim, stepped| {
        sim.plan("web:2", [Plan::fails("no")]);
        sim.request(Ask::rolling("web:*"));
        to_the_end(sim, stepped);
        assert_eq!((end(sim), sim.forks("web:3")), (Some(&RollingEnd::Failed), 1), "{}", sim.recent());
        sim.crash(Crash::default()).advance(secs(10));
        assert_eq!((end(sim), sim.forks("web:3")), (Some(&RollingEnd::Failed), 1), "{}", sim.recent());
    });
}

/// The group of this text.
fn group(text: &str) -> upkeep_core::spec::GroupSpec {
    groups(text).into_iter().find(|group| group.name == "web").expect("web")
}

fn commands(sim: &Sim) -> Vec<&str> {
    ALL.iter().filter_map(|name| sim.process(name)).map(|process| process.spec().command.as_str()).collect()
}

const ROLLING: &str = "update_strategy=rolling\n";

fn updated(sim: &mut Sim, text: &str) -> upkeep_core::Update {
    let call = sim.request(Ask::update(group(text)));
    match &sim.answers(call).answers[..] {
        [(_, Answer::Updated(update))] => update.clone(),
        answers => panic!("{answers:?}"),
    }
}

#[test]
fn an_update_rolls_and_each_process_has_its_old_options_until_its_turn() {
    let mut sim = begun(ROLLING);
    let update = updated(&mut sim, &many(4, "two", ROLLING));
    assert_eq!((update.rolling, update.restarted.len()), (Some(1), 0));
    assert_eq!(commands(&sim)[1..], ["one"; 3]);
    assert!(sim.end_child("web:3", RunEnd::Code(1)));
    assert_eq!(commands(&sim)[3], "one", "it starts again as it was");
    roll_on(&mut sim, 2);
    assert_eq!((end(&sim), commands(&sim)), (Some(&RollingEnd::Done), vec!["two"; 4]));
    assert_eq!(forks(&sim), [2, 2, 2, 3]);
    assert!(!sim.core().has_rolling());
}

/// Who is on its way up is waited for by what follows, too.
#[test]
fn an_update_in_the_middle_of_one_restarts_no_more_at_once() {
    for dies in [false, true] {
        let mut sim = begun(ROLLING);
        updated(&mut sim, &many(4, "two", ROLLING));
        sim.advance(millis(300));
        assert!(matches!(stages(&sim)[0], Stage::Starting { .. }), "{:?}", stages(&sim));
        updated(&mut sim, &many(4, "two", ROLLING));
        if dies {
            sim.crash(Crash::default());
        }
        roll_on(&mut sim, 1);
        assert_eq!((end(&sim), commands(&sim)), (Some(&RollingEnd::Done), vec!["two"; 4]));
        assert_eq!(forks(&sim), [2; 4]);
    }
}

/// After an update that failed at `web:1`.
fn failed_update() -> Sim {
    let mut sim = begun(ROLLING);
    let no = || Plan::fails("no");
    sim.plan("web:1", [no(), no(), no(), no(), Plan::runs()]);
    updated(&mut sim, &many(4, "two", ROLLING));
    roll_on(&mut sim, 1);
    sim
}

#[test]
fn an_update_that_fails_leaves_the_others_as_they_are_and_the_next_one_goes_on() {
    for dies in [false, true] {
        let mut sim = failed_update();
        if dies {
            sim.crash(Crash::default());
        }
        assert_eq!(
            (end(&sim), commands(&sim)),
            (Some(&RollingEnd::Failed), vec!["two", "two", "one", "one"])
        );
        assert_eq!(forks(&sim), [2, 1, 1, 1]);
        assert!(sim.end_child("web:3", RunEnd::Code(1)));
        sim.advance(secs(10));
        assert_eq!((commands(&sim)[3], sim.forks("web:3")), ("one", 2), "also when it starts again");
        let update = updated(&mut sim, &many(4, "two", ROLLING));
        assert_eq!(update.rolling, Some(2));
        assert_eq!(last(&sim).members.len(), 2, "the first two have these options");
        roll_on(&mut sim, 2);
        assert_eq!((end(&sim), commands(&sim)), (Some(&RollingEnd::Done), vec!["two"; 4]));
        assert_eq!((forks(&sim), sim.core().has_rolling()), ([2, 1, 2, 3], false));
    }
}

#[test]
fn the_old_options_come_back_without_touching_those_that_have_them() {
    let mut sim = failed_update();
    let update = updated(&mut sim, &many(4, "one", ROLLING));
    // web:1 is FATAL: it starts at once, as nothing is lost by it.
    assert_eq!((update.rolling, update.restarted), (Some(2), vec!["1".to_owned()]));
    roll_on(&mut sim, 2);
    assert_eq!((commands(&sim), forks(&sim)), (vec!["one"; 4], [3, 2, 1, 1]));
    assert!(!sim.core().has_rolling());
}

#[test]
fn no_death_of_the_daemon_changes_how_an_update_goes() {
    for (options, fails) in [(SOON, false), (AT_ONCE, true)] {
        let options = format!("{ROLLING}{options}");
        let new = group(&many(4, "two", &options));
        holds_anywhere(&options, |sim, stepped| {
            if fails {
                sim.plan("web:2", [Plan::fails("no")]);
            }
            sim.request(Ask::update(new.clone()));
            to_the_end(sim, stepped);
            let expected = if fails { ["two", "two", "two", "one"] } else { ["two"; 4] };
            assert_eq!(commands(sim), expected, "{}", sim.recent());
            assert_eq!(sim.forks("web:3"), if fails { 1 } else { 2 }, "{}", sim.recent());
        });
    }
}

#[test]
fn only_what_differs_is_touched() {
    let mut sim = begun(ROLLING);
    let one_differs = many(4, "one", ROLLING);
    let mut spec = group(&one_differs);
    std::sync::Arc::make_mut(&mut spec.processes[2]).command = "two".to_owned();
    sim.request(Ask::update(spec));
    roll_on(&mut sim, 1);
    assert_eq!((forks(&sim), last(&sim).members.len()), ([1, 1, 2, 1], 1));
    for options in ["", ROLLING] {
        let mut sim = begun(options);
        let grown = updated(&mut sim, &many(6, "one", options));
        assert_eq!(
            (grown.started, grown.restarted.len(), grown.rolling),
            (vec!["4".into(), "5".into()], 0, None)
        );
        sim.advance(secs(10));
        assert!(is_well(&sim, "web:5"));
        let shrunk = updated(&mut sim, &many(3, "one", options));
        let gone: Vec<String> = ["3", "4", "5"].map(str::to_owned).to_vec();
        assert_eq!((shrunk.stopped, shrunk.restarted.len(), shrunk.rolling), (gone, 0, None));
        sim.advance(secs(10));
        assert_eq!(forks(&sim), [1; 4]);
        assert!(sim.process("web:3").is_none());
    }
    let mut sim = begun(ROLLING);
    let both = updated(&mut sim, &many(5, "two", ROLLING));
    assert_eq!((both.started, both.rolling), (vec!["4".to_owned()], Some(1)));
    roll_on(&mut sim, 1);
    assert_eq!((forks(&sim), sim.forks("web:4")), ([2; 4], 1));
}

#[test]
fn another_update_takes_the_place_of_one_that_rolls() {
    let mut sim = begun(ROLLING);
    updated(&mut sim, &many(4, "two", ROLLING));
    sim.advance(millis(1500));
    assert_eq!(commands(&sim), ["two", "two", "one", "one"]);
    let update = updated(&mut sim, &many(4, "one", ROLLING));
    assert_eq!(update.rolling, Some(2));
    let first = sim.core().rollings().next().and_then(|rolling| rolling.end.clone());
    assert_eq!(first, Some(RollingEnd::CalledOff("group web was updated".to_owned())));
    roll_on(&mut sim, 1);
    assert_eq!(
        (end(&sim), commands(&sim), &forks(&sim)[2..]),
        (Some(&RollingEnd::Done), vec!["one"; 4], &[1, 1][..])
    );
}

#[test]
fn a_strict_update_and_another_strategy_do_not_roll() {
    let mut sim = begun("");
    let update = updated(&mut sim, &many(4, "two", ""));
    assert_eq!((update.rolling, update.restarted.len()), (None, 4));
    let mut sim = begun(ROLLING);
    sim.request(Ask::strict_update(group(&many(4, "two", ROLLING))));
    assert_eq!(sim.core().rollings().count(), 0);
    let mut sim = begun("");
    let update = updated(&mut sim, &web(ROLLING));
    assert_eq!((update.live.len(), update.rolling), (4, None), "the strategy itself is no reason to restart");
}

/// A database, and who depends on it: who takes three seconds to end, before the database may.
fn with_dependant(policy: &str) -> Sim {
    let conf = format!(
        "[program:db]\ncommand=db\nstartsecs=0\n\
         [program:web]\ncommand=web\nstartsecs=0\ndepends_on=db\non_dependency_stop={policy}\n"
    );
    let mut sim = Sim::from_conf(&conf);
    sim.plan("web", [Plan::runs().lingering(secs(3))]).begin().advance(secs(2));
    sim
}

/// A story of a stop that is put off, with a death after each of its steps.
fn put_off_anywhere(policy: &str, story: impl Fn(&mut Sim), check: impl Fn(&Sim)) {
    let told = |at: Option<usize>, orders: Option<usize>| {
        let mut sim = with_dependant(policy);
        let dies = |sim: &mut Sim| match orders {
            None => drop(sim.crash(Crash { down: millis(300), ..Crash::default() })),
            Some(orders) => drop(sim.crash_after(orders, Crash::default())),
        };
        if at == Some(0) && orders.is_some() {
            dies(&mut sim);
        }
        story(&mut sim);
        let (until, mut steps) = (sim.now().mono.after(secs(60)), 1);
        loop {
            if at == Some(steps) {
                dies(&mut sim);
            }
            steps += 1;
            if !sim.step(until) {
                break;
            }
        }
        sim.disarm();
        // The daemon may die before it has written down what it is asked for.
        if sim.core().rollings().next().is_some() || orders.is_none() {
            check(&sim);
        }
        steps
    };
    for at in 0..told(None, None) {
        for orders in [None, Some(0), Some(1), Some(2), Some(3), Some(5), Some(8)] {
            told(Some(at), orders);
        }
    }
}

#[test]
fn who_waits_for_dependants_to_end_is_waited_for_whoever_dies() {
    for (policy, web) in [("restart", (StateName::Running, 2)), ("stop", (StateName::Stopped, 1))] {
        let story = |sim: &mut Sim| {
            sim.request(Ask::rolling("db"));
        };
        put_off_anywhere(policy, story, |sim| {
            let db = (end(sim).cloned(), sim.state("db"), sim.forks("db"));
            assert_eq!(db, (Some(RollingEnd::Done), StateName::Running, 2), "{policy}\n{}", sim.recent());
            assert_eq!((sim.state("web"), sim.forks("web")), web, "{policy}\n{}", sim.recent());
        });
    }
}

/// Both are part of it.
#[test]
fn who_depends_on_another_of_the_same_one_follows_its_policy_whoever_dies() {
    let (up, down) = (StateName::Running, StateName::Stopped);
    for (policy, web) in [("restart", up), ("stop", down), ("ignore", up)] {
        let story = |sim: &mut Sim| {
            sim.request(Ask::rolling("all"));
        };
        put_off_anywhere(policy, story, |sim| {
            assert!(end(sim).is_some(), "{policy}\n{}", sim.recent());
            assert_eq!((sim.state("db"), sim.state("web")), (up, web), "{policy}\n{}", sim.recent());
        });
    }
}

/// Somebody stops it while it waits for its dependants to end: that is the end of the rolling restart, and it stays stopped.
#[test]
fn a_stop_meanwhile_of_who_waits_for_dependants_wins_whoever_dies() {
    let story = |sim: &mut Sim| {
        sim.request(Ask::rolling("db"));
        sim.request(Ask::stop("db").without_waiting());
    };
    put_off_anywhere("restart", story, |sim| {
        assert_eq!(end(sim), Some(&RollingEnd::Failed), "{}", sim.recent());
        assert_eq!((sim.state("db"), sim.forks("db")), (StateName::Stopped, 1), "{}", sim.recent());
    });
}

/// An update comes while it waits for its dependants to end.
#[test]
fn an_update_meanwhile_of_who_waits_for_dependants_goes_first_whoever_dies() {
    for strategy in ["", "update_strategy=rolling\n"] {
        let new = groups(&format!("[program:db]\ncommand=new\nstartsecs=0\n{strategy}")).remove(0);
        let story = |sim: &mut Sim| {
            sim.request(Ask::rolling("db"));
            sim.request(Ask::update(new.clone()));
        };
        put_off_anywhere("restart", story, |sim| {
            let command = sim.process("db").map(|process| process.spec().command.clone());
            assert_eq!(command.as_deref(), Some("new"), "{strategy}\n{}", sim.recent());
            assert_eq!(sim.state("db"), StateName::Running, "{strategy}\n{}", sim.recent());
            assert!(sim.core().rollings().all(|rolling| rolling.end.is_some()), "{}", sim.recent());
        });
    }
}
