//! Dependencies with real processes: starts wait, stops come in order, and neither is lost with the daemon.

use std::time::Duration;

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::wait::{until, within};

/// `db` is up once the test lets it be; `web` takes a moment to end, and says when it has.
const CONFIG: &str = "\
[program:web]
command=/bin/sh -c 'trap \"sleep 0.5; echo web >> order; exit 0\" TERM; while :; do sleep 0.05; done'
depends_on=migrate:completed, db
on_dependency_stop=restart
priority=1
[program:migrate]
command=/bin/sh -c 'while [ ! -e migrated ]; do sleep 0.05; done'
depends_on=db
startsecs=0
autorestart=false
[program:db]
command=/bin/sh -c 'trap \"echo db >> order; exit 0\" TERM; while :; do sleep 0.05; done'
startsecs=2
[program:other]
command=/bin/cat
";

fn started() -> Daemon {
    Daemon::start(Maker::Upkeep, CONFIG)
}

/// The line of `supervisorctl status` about a process, with single blanks.
fn shown(daemon: &Daemon, name: &str) -> String {
    let said = daemon.ctl(&["status", name]);
    said.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn let_migrate_end(daemon: &Daemon) {
    std::fs::write(daemon.home.join("migrated"), "").expect("written");
}

fn order(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.home.join("order")).unwrap_or_default()
}

/// D-33: with `depends_on` they do.
#[test]
fn starts_wait_and_say_for_what_also_after_a_death() {
    let daemon = started();
    daemon.wait("RUNNING", &["other"]);
    assert_eq!(shown(&daemon, "migrate"), "migrate STARTING waits for db to be running (it is STARTING)");
    daemon.kill_brain();
    daemon.wait("RUNNING", &["db", "migrate"]);
    assert_eq!(shown(&daemon, "web"), "web STARTING waits for migrate to have completed (it is RUNNING)");
    daemon.kill_brain();
    assert_eq!(daemon.state("web").as_deref(), Some("STARTING"));
    let_migrate_end(&daemon);
    daemon.wait("RUNNING", &["web"]);
    daemon.wait("EXITED", &["migrate"]);
}

#[test]
fn a_stop_takes_along_what_restarts_with_it_and_comes_after_it() {
    let daemon = started();
    let_migrate_end(&daemon);
    daemon.wait("RUNNING", &["web"]);
    let first = daemon.pid_of("web");
    assert_eq!(daemon.ctl(&["stop", "db"]).stdout, "db: stopped\n");
    assert_eq!(order(&daemon), "web\ndb\n");
    assert_eq!(shown(&daemon, "web"), "web STARTING waits for db to be running (it is STOPPED)");
    let said = within(Duration::from_millis(300), || (daemon.state("db")? != "STOPPED").then_some(()));
    assert_eq!(said, None, "what was stopped on purpose stays stopped");
    assert_eq!(daemon.ctl(&["start", "db"]).stdout, "db: started\n");
    daemon.wait("RUNNING", &["web"]);
    assert_ne!(daemon.pid_of("web"), first);
}

#[test]
fn an_ordered_stop_outlives_the_daemon() {
    let daemon = started();
    let_migrate_end(&daemon);
    daemon.wait("RUNNING", &["web"]);
    let stop = daemon.ctl(&["signal", "STOP", "web"]);
    assert_eq!(stop.stdout, "web: signalled\n");
    std::thread::scope(|scope| {
        let client = scope.spawn(|| daemon.ctl(&["stop", "db"]));
        daemon.wait("STOPPING", &["web"]);
        daemon.kill_brain();
        assert_eq!(daemon.state("db").as_deref(), Some("RUNNING"), "web has not ended yet");
        daemon.ctl(&["signal", "CONT", "web"]);
        assert_eq!(client.join().expect("a client").stdout, "db: stopped\n");
    });
    assert_eq!(order(&daemon), "web\ndb\n");
}

#[test]
fn everything_ends_in_order() {
    let mut daemon = started();
    let_migrate_end(&daemon);
    daemon.wait("RUNNING", &["web"]);
    daemon.ctl(&["shutdown"]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert_eq!(order(&daemon), "web\ndb\n");
}

#[test]
fn a_start_in_vain_is_told_and_comes_all_the_same() {
    let broken = CONFIG
        .replace("[program:db]\n", "[program:db]\nstartretries=0\nautostart=false\n")
        .replace("trap \"echo db >> order; exit 0\" TERM;", "[ -e works ] || exit 1;")
        .replace("priority=1\n", "priority=1\nautostart=false\n")
        .replace("startsecs=0\n", "startsecs=0\nautostart=false\n");
    let daemon = Daemon::start(Maker::Upkeep, &broken);
    daemon.wait("RUNNING", &["other"]);
    let said = daemon.ctl(&["start", "migrate"]);
    assert_eq!(said.stdout, "migrate: ERROR (abnormal termination)\n", "{said:?}");
    assert_eq!(shown(&daemon, "migrate"), "migrate STARTING waits for db to be running (it is FATAL)");
    std::fs::write(daemon.home.join("works"), "").expect("written");
    assert_eq!(daemon.ctl(&["start", "db"]).stdout, "db: started\n");
    daemon.wait("RUNNING", &["migrate"]);
    daemon.ctl(&["stop", "migrate"]);
    until("it is stopped", || (daemon.state("migrate")? == "STOPPED").then_some(()));
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let socket = "examples/run/dependencies.sock";
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/dependencies.conf", socket, &[]);
    daemon.wait("RUNNING", &["clock"]);
    assert_eq!(shown(&daemon, "web"), "web STARTING waits for migrate to have completed (it is STARTING)");
    daemon.wait("RUNNING", &["web", "db"]);
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
    let graph = daemon.upkeep(&["graph"]);
    let expected = "1  clock\n   db\n2  migrate  after db (running)\n3  web      after db (running), migrate (completed)\n";
    assert_eq!(graph.stdout, expected, "{graph:?}");
}
