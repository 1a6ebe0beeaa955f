//! PID 1 of a pid namespace.

use rustix::process::Signal;

use super::{Guard, home, start};
use crate::rig::procfs;
use crate::rig::run::ended;
use crate::rig::wait::{PATIENCE, until, until_true};

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
    let script = "exec bin/upkeep run -c supervisord.conf";
    let words = [
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
    ];
    let mut guard = Guard(start(&home, &words));
    until_true("the orphan's words", || home.read("orphans").contains("orphan"));
    until_true("its end", || home.read("supervisord.log").contains("reaped unknown pid"));
    let outer = i32::try_from(guard.0.id()).expect("a pid");
    assert_eq!(home.read("supervisord.pid").trim(), "1");
    let one =
        until("PID 1", || procfs::descendants(outer).into_iter().find(|process| process.parent == outer));
    let brain = until("the deciding process", || procfs::brain(one.pid));
    procfs::signal(brain, Signal::KILL);
    until_true("another one", || procfs::brain(one.pid).is_some_and(|pid| pid != brain));
    until_true("no zombie but those of living parents", || {
        home.join("zombies").exists() && home.read("zombies").lines().count() <= 2
    });
    procfs::signal(one.pid, Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)), "{}", home.read("supervisord.log"));
    assert_eq!(home.read("order"), "first\nlast\n");
}
