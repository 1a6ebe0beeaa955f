//! Several wishes about one process at once: a person's counts for more than what is done by itself.

use upkeep_core::StateName;
use upkeep_core::signal::TERM;
use upkeep_sim::{Ask, Crash, Plan, Sim, groups, millis, secs};

fn starts(sim: &Sim, name: &str) -> usize {
    sim.log().iter().filter(|line| line.contains(&format!("spawned: '{name}'"))).count()
}

/// `app` ends before `db`; both take their time for it.
const PAIR: &str = "[program:db]\ncommand=db\nautorestart=true\nmax_runtime=60\nwatch=*.conf\n\
                    [program:app]\ncommand=app\ndepends_on=db\non_dependency_stop=stop\nstopwaitsecs=9\n";

fn pair() -> Sim {
    let mut sim = Sim::from_conf(PAIR);
    sim.plan("db", [Plan::runs().ignoring(&[TERM])]).plan("app", [Plan::runs().ignoring(&[TERM])]);
    sim.begin().run_until(|sim| sim.is("app", StateName::Running));
    sim
}

#[test]
fn a_bound_does_not_undo_a_stop_that_waits_for_another() {
    let mut sim = pair();
    sim.advance(secs(55));
    sim.request(Ask::stop("db").without_waiting());
    assert_eq!(sim.state("db"), StateName::Running, "it waits for app");
    sim.advance(secs(60));
    assert_eq!((sim.state("db"), starts(&sim, "db")), (StateName::Stopped, 1));
}

#[test]
fn who_is_stopped_while_a_watch_starts_it_anew_stays_stopped() {
    for (name, waits) in [("db", true), ("all", true), ("db", false), ("all", false)] {
        for dies in [false, true] {
            let mut sim = pair();
            if !waits {
                sim.request(Ask::stop("app"));
                sim.advance(secs(20));
            }
            sim.files_changed("program:db");
            sim.request(Ask::stop(name).without_waiting());
            if dies {
                sim.crash(Crash::default());
            }
            sim.advance(secs(60));
            let state = (sim.state("db"), starts(&sim, "db"));
            assert_eq!(state, (StateName::Stopped, 1), "{name} {waits} {dies}: {:#?}", sim.log());
        }
    }
}

#[test]
fn files_start_nobody_who_was_stopped_by_hand_along() {
    let text = "[program:db]\ncommand=db\n[program:app]\ncommand=app\ndepends_on=db\nwatch=*\n\
                on_dependency_stop=ignore\nautorestart=false\n";
    let mut sim = Sim::from_conf(text);
    sim.plan("app", [Plan::exits(secs(5), 0), Plan::runs()]).begin().advance(secs(2));
    sim.request(Ask::stop("db"));
    sim.run_until(|sim| sim.is("app", StateName::Exited));
    sim.files_changed("program:app").advance(secs(20));
    assert_eq!((sim.state("db"), sim.state("app")), (StateName::Stopped, StateName::Starting));
    sim.request(Ask::start("db"));
    sim.advance(secs(5));
    assert_eq!(sim.state("app"), StateName::Running, "{}", sim.recent());
}

const JOB: &str = "[program:job]\ncommand=COMMAND\nschedule=* * * * *\nschedule_timezone=UTC\nwatch=*\n";

#[test]
fn neither_files_nor_an_update_run_a_job_whose_schedule_is_off() {
    let mut sim = Sim::from_conf(JOB);
    sim.plan("job", [Plan::exits(secs(5), 0), Plan::runs().ignoring(&[TERM])]);
    sim.begin().advance(secs(60));
    assert_eq!((sim.state("job"), starts(&sim, "job")), (StateName::Exited, 1));
    sim.files_changed("program:job");
    assert_eq!(sim.state("job"), StateName::Exited, "its time has not come");
    sim.run_until(|sim| sim.is("job", StateName::Running));
    sim.request(Ask::stop("job").without_waiting());
    sim.request(Ask::update(groups(&JOB.replace("COMMAND", "other")).remove(0)).without_waiting());
    sim.advance(secs(200));
    assert_eq!((sim.state("job"), starts(&sim, "job")), (StateName::Stopped, 2), "{}", sim.recent());
}

/// Nothing is done about `db`, so nobody need wait for it.
#[test]
fn a_client_does_not_wait_for_whom_nothing_is_done_about() {
    let mut sim = Sim::from_conf(
        "[program:db]\ncommand=db\nready=notify\nready_timeout=5\nhealth_action=none\n\
         [program:app]\ncommand=app\nautostart=false\ndepends_on=db:healthy\n",
    );
    sim.begin().advance(secs(20));
    let call = sim.request(Ask::start("app"));
    sim.advance(secs(5));
    assert_eq!(sim.answers(call).answers.len(), 1, "{}", sim.recent());
}

/// As in every other stop: the next start has all its tries.
#[test]
fn a_stop_of_one_that_waits_forgets_its_failed_starts() {
    let text = "[program:db]\ncommand=db\nautostart=false\n\
                [program:web]\ncommand=web\nautostart=false\ndepends_on=db\nstartretries=2\n";
    let mut sim = Sim::from_conf(text);
    let no = || Plan::fails("no");
    sim.plan("web", [no(), no(), no(), Plan::runs()]).begin();
    sim.request(Ask::start("db"));
    sim.request(Ask::start("web").without_waiting());
    sim.advance(millis(1500)).request(Ask::stop("db"));
    sim.run_until(|sim| sim.process("web").is_some_and(|web| sim.core().obstacle_of(web).is_some()));
    sim.request(Ask::stop("web"));
    sim.request(Ask::start("web").without_waiting());
    sim.advance(secs(20));
    assert_eq!(sim.state("web"), StateName::Running, "{}", sim.recent());
}

/// Of those that somebody waits for one has stopped, and an update has started it again: it waits for another, and has no run yet.
#[test]
fn the_next_daemon_does_not_wait_for_the_stop_of_one_that_was_to_start_since() {
    let conf = |command: &str| {
        format!(
            "[program:db]\ncommand=db\nstopwaitsecs=60\n[program:web]\ncommand={command}\ndepends_on=db\n"
        )
    };
    let mut sim = Sim::from_conf(&conf("one"));
    sim.plan("db", [Plan::runs().lingering(secs(20))]).begin();
    sim.run_until(|sim| sim.is("web", StateName::Running));
    let call = sim.request(Ask::stop("all"));
    sim.run_until(|sim| sim.is("web", StateName::Stopped));
    let web = groups(&conf("two")).into_iter().find(|group| group.name == "web").expect("web");
    sim.request(Ask::update(web).without_waiting());
    assert!(sim.process("web").is_some_and(|web| sim.core().obstacle_of(web).is_some()), "{}", sim.recent());
    sim.crash(Crash::default()).advance(secs(60));
    assert_eq!(
        (sim.state("db"), sim.answers(call).answers.len()),
        (StateName::Stopped, 1),
        "{}",
        sim.recent()
    );
}

/// The last process ends, and the daemon dies before it has said so: the next one finds that all is over.
#[test]
fn who_waits_is_answered_by_a_daemon_that_has_nothing_left_to_do_but_to_end() {
    for orders in 0..8 {
        let mut sim = Sim::from_conf("[program:db]\ncommand=db\n");
        sim.plan("db", [Plan::runs().lingering(secs(2))]).begin().advance(secs(2));
        let call = sim.request(Ask::stop("db"));
        sim.restart().advance(secs(1)).crash_after(orders, Crash::default());
        sim.advance(secs(20));
        assert_eq!(sim.answers(call).answers.len(), 1, "{orders}: {}", sim.recent());
    }
}
