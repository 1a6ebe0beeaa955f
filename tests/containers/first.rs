//! PID 1 of a pid namespace.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Guard, home, start};
use crate::rig::procfs;
use crate::rig::run::ended;
use crate::rig::wait::{PATIENCE, until, until_true};

/// Runs a script as PID 1.
fn in_a_namespace(script: &str) -> [&str; 10] {
    [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
    ]
}

/// The pid that PID 1 has out here.
fn first_of(guard: &Guard) -> i32 {
    let outer = i32::try_from(guard.0.id()).expect("a pid");
    let child = || procfs::descendants(outer).into_iter().find(|process| process.parent == outer);
    until("PID 1", child).pid
}

/// PID 1 of a pid namespace: it reaps what nobody else does, survives the death of the daemon, passes signals on and ends
/// in order, descending by priority, with status 0.
#[test]
fn pid_1_reaps_orphans_and_ends_in_order() {
    let config = "\
[program:parent]
command=/bin/sh -c '(sleep 0.3; exit 4) & (sleep 0.4; exit 5) & echo forked > forked; exec sleep 600'
directory=%(here)s
priority=1
[program:leaves]
command=/bin/sh -c 'setsid sh -c \"sleep 0.2; echo orphan >> orphans\" & exit 0'
directory=%(here)s
startsecs=0
autorestart=false
[program:last]
command=/bin/sh -c 'trap \"echo last >> order; exit 0\" TERM; while :; do sleep 0.05; done'
directory=%(here)s
priority=2
[program:first]
command=/bin/sh -c 'trap \"echo first >> order; exit 0\" TERM; while :; do sleep 0.05; done'
directory=%(here)s
priority=3
[program:look]
command=/bin/sh -c 'while :; do grep -ls \"^State:.Z\" /proc/[0-9]*/status > look.new; mv look.new zombies; sleep 0.1; done'
directory=%(here)s
";
    let home = home(config);
    let mut guard = Guard(start(&home, &in_a_namespace("exec bin/upkeep run -c supervisord.conf")));
    until_true("the orphan's words", || home.read("orphans").contains("orphan"));
    until_true("its end", || home.read("supervisord.log").contains("reaped unknown pid"));
    let one = first_of(&guard);
    let brain = until("the deciding process", || procfs::brain(one));
    procfs::signal(brain, Signal::KILL);
    until_true("another one", || procfs::brain(one).is_some_and(|pid| pid != brain));
    until_true("no zombie but those of living parents", || {
        home.join("zombies").exists() && home.read("zombies").lines().count() <= 2
    });
    procfs::signal(one, Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)), "{}", home.read("supervisord.log"));
    assert_eq!(home.read("order"), "first\nlast\n");
}

/// Each signal to PID 1 does what it does to a daemon elsewhere: from outside, as the container's host sends it, and from
/// inside, where the kernel gives PID 1 only what it asked for.
#[test]
fn pid_1_takes_signals() {
    let home = home(
        "\
[program:steady]
command=/bin/sh -c 'echo start >> starts; exec sleep 600'
directory=%(here)s
[program:inside]
command=/bin/sh -c 'read word < order; kill -s $word 1; exec sleep 600'
directory=%(here)s
",
    );
    let fifo = std::process::Command::new("mkfifo").arg(home.join("order")).status().expect("mkfifo");
    assert!(fifo.success());
    for last in ["TERM", "INT", "QUIT"] {
        home.write("starts", "");
        let mut guard = Guard(start(&home, &in_a_namespace("exec bin/upkeep run -c supervisord.conf")));
        let one = first_of(&guard);
        let log = || home.read("supervisord.log");
        let command = |word| std::fs::write(home.join("order"), format!("{word}\n")).expect("an order");
        let starts = |count| until_true("a start", || home.read("starts").lines().count() == count);
        starts(1);
        std::fs::rename(home.join("supervisord.log"), home.join("old.log")).expect("a renamed log");
        procfs::signal(one, Signal::USR2);
        until_true("a new log", || home.join("supervisord.log").exists());
        procfs::signal(one, Signal::HUP);
        starts(2);
        command("HUP");
        starts(3);
        procfs::signal(one, Signal::CHILD);
        command(last);
        assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)), "{last}: {}", log());
        assert!(log().contains(&format!("received SIG{last}")), "{last}: {}", log());
    }
}

/// The container's status is what the rule says, and nothing is left of it.
#[test]
fn pid_1_ends_with_the_status_of_its_rule() {
    let home = home(
        "\
[program:job]
command=/bin/sh -c 'exit 7'
startsecs=0
autorestart=false
[program:steady]
command=/bin/sleep 600
",
    );
    let script = "exec bin/upkeep run -c supervisord.conf --exit-when any-exited:job";
    let mut guard = Guard(start(&home, &in_a_namespace(script)));
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(7)), "{}", home.read("supervisord.log"));
}

/// As `docker stop`: who ignores TERM is killed after its own time, those of a lower priority are asked only then, and all
/// of it takes no longer than the ten seconds that a container has.
#[test]
fn pid_1_stops_the_stubborn_in_order_and_in_time() {
    let noting = |name: &str, priority: u32, then: &str| {
        format!(
            "[program:{name}]\n\
             command=/bin/sh -c 'trap \"echo {name} >> order{then}\" TERM; echo {name} >> ready; while :; do sleep 0.05; done'\n\
             directory=%(here)s\npriority={priority}\nstopwaitsecs=1\n"
        )
    };
    let config =
        [noting("base", 1, "; exit 0"), noting("deaf", 2, ""), noting("front", 3, "; exit 0")].concat();
    let home = home(&config);
    let mut guard = Guard(start(&home, &in_a_namespace("exec bin/upkeep run -c supervisord.conf")));
    until_true("all of them", || home.read("ready").lines().count() == 3);
    let asked = Instant::now();
    procfs::signal(first_of(&guard), Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)), "{}", home.read("supervisord.log"));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(home.read("order"), "front\ndeaf\nbase\n");
    assert!(home.read("supervisord.log").contains("killing 'deaf'"), "{}", home.read("supervisord.log"));
}
