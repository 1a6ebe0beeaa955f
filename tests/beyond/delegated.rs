//! A daemon without privileges in a part of the control groups that is its own, on the kernel of a guest: `memory_limit`, and what it says
//! of what it cannot have.

use std::fs::File;
use std::os::unix::fs::chown;
use std::process::Command;

use crate::rig::cgroups::{Group, ROOT};
use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::guest::{Guest, in_guest};
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until_true;

/// Who it is that systemd's unit names as user.
const NOBODY: u32 = 65534;
/// Where the groups are mounted once more, so that nothing can be changed.
const FIXED: &str = "/run/fixed";
/// More than `memory_limit` here, and so much that no shell has it.
const MUCH: u64 = 30_000_000;

/// A program with `memory_limit` in a control group of its own below the one that is delegated.
fn measured(name: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand=/bin/sh {name}\ndirectory=%(here)s\ncgroup={ROOT}/unit/{name}\nstartsecs=0\nautorestart=true\nstopasgroup=true\n\
         memory_limit=20MB\nmemory_limit_interval=1\n{options}\n"
    )
}

/// A program that cannot have what it asks for.
fn refused(name: &str, folder: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand=/bin/cat\nstartsecs=0\nstartretries=0\ncgroup={folder}/{name}\n{options}\n"
    )
}

/// As a unit of systemd with `User=`, `Delegate=yes` and `DelegateSubgroup=daemon` runs it, on a system with the controllers cpu and memory.
#[test]
fn a_daemon_without_privileges_measures_memory_where_it_is_delegated() {
    in_guest(a_daemon_without_privileges_measures_memory_where_it_is_delegated, |guest| {
        Group::of("").write("cgroup.subtree_control", "+cpu +memory");
        let [unit, own, crowded] = ["unit", "unit/daemon", "crowded"].map(|name| Group::of(name).made());
        let later = Group::of("unit/later").made();
        [&unit, &own, &crowded, &later].iter().for_each(|group| group.delegate(NOBODY));
        later.keep("cgroup.subtree_control");
        let mut inhabitant = Command::new("sleep").arg("1000").spawn().expect("sleep");
        crowded.write("cgroup.procs", &inhabitant.id().to_string());
        own.write("cgroup.procs", "0");
        mount_fixed();
        let mut daemon = start_as_nobody(guest);
        what_is_missing_is_named(&daemon);
        assert_eq!(crowded.read("cgroup.subtree_control"), "", "or nobody could join groups below it");
        daemon.wait("RUNNING", &["reader"]);
        assert_eq!(unit.read("cgroup.subtree_control"), "memory", "turned on below, as far as it is there");
        begin_to_count_late(&daemon, &later);
        memory_is_measured(&daemon);
        what_was_not_counted_is_measured(&daemon);
        daemon.ctl(&["shutdown"]);
        assert_eq!(daemon.wait_for_end(), Some(0));
        for name in ["tree", "reader", "shared"] {
            assert!(!unit.has(name), "{name} is left: {}", daemon.log());
        }
        inhabitant.kill().expect("killed");
        inhabitant.wait().expect("its end");
    });
}

fn start_as_nobody(guest: &Guest) -> Daemon {
    let home = Home::new();
    chown(home.path(), Some(NOBODY), Some(NOBODY)).expect("given away");
    let big = guest.disk().join("big");
    File::create(&big).and_then(|file| file.set_len(MUCH)).expect("a big file");
    // The guest forgets a file of the machine that nobody has open.
    home.write("reader", &format!("exec 3<{}\ncat <&3 >/dev/null\ntouch read\nexec cat\n", big.display()));
    home.write("tree", "[ -e full ] && exec cat\ntouch full\nsh -c 'perl hog & wait' &\nwait\n");
    home.write("hog", &format!("$x = chr 0; $x x= {MUCH}; sleep 1000"));
    let more = format!("sub more {{ $held{{++$n}} = chr 0; $held{{$n}} x= {MUCH} }}");
    home.write(
        "late",
        &format!("exec perl -e '{more} $SIG{{USR1}} = \\&more; more; mkdir \"half\"; sleep 1 while 1'\n"),
    );
    home.write("shared", &format!("head -c {MUCH} /dev/zero >held\nexec cat\n"));
    let body = measured("reader", "")
        + &measured("tree", "autostart=false")
        + &measured(
            "shared",
            "autostart=false\nmemory_limit_action=kill\nmax_restarts_per_day=1\nkillasgroup=true",
        )
        + &measured("late", "memory_limit=50MB")
            .replace("/unit/", "/unit/later/")
            .replace("memory_limit=20MB\n", "")
        + &refused("bound", &format!("{ROOT}/unit"), "writable_paths=/tmp")
        + &refused("counted", &format!("{ROOT}/unit"), "pids_limit=5")
        + &refused("crowd", &format!("{ROOT}/crowded"), "cpu_limit=50")
        + &refused("else", &format!("{ROOT}/crowded"), "")
        + &refused("fixed", &format!("{FIXED}/unit"), "");
    let head = HEAD.replacen(']', "]\nuser=nobody", 1);
    home.write("supervisord.conf", &format!("{head}{body}"));
    Daemon::start_with(home, Maker::Upkeep, "supervisord.conf", "sock", &[])
}

/// The groups once more, where nothing can be changed.
fn mount_fixed() {
    std::fs::create_dir(FIXED).expect("a folder");
    for args in [["--bind", ROOT, FIXED], ["-o", "remount,bind,ro", FIXED]] {
        assert!(Command::new("mount").args(args).status().expect("mount").success(), "{args:?}");
    }
}

fn what_is_missing_is_named(daemon: &Daemon) {
    daemon.wait("FATAL", &["bound", "counted", "crowd", "else", "fixed"]);
    for (name, text) in [
        (
            "bound",
            "can't apply writable_paths: ENOSYS (the kernel has no Landlock: that is in Linux 5.13 or newer)",
        ),
        (
            "counted",
            "can't apply pids_limit: the controller pids is not there for groups in '/sys/fs/cgroup/unit': \
             its cgroup.controllers has what is",
        ),
        (
            "crowd",
            "can't apply cpu_limit: the controller cpu cannot be turned on for groups in '/sys/fs/cgroup/crowded': \
             processes live in that group itself",
        ),
        (
            "else",
            "can't apply cgroup: EACCES (the daemon may not move processes there: the folder has to be its user's, with the \
             group it comes from)",
        ),
        (
            "fixed",
            "can't apply cgroup: '/run/fixed/unit/fixed' cannot be made: Read-only file system (os error 30)",
        ),
    ] {
        let said = daemon.ctl(&["status", name]).stdout;
        assert!(said.contains(text), "{said}\n{}", daemon.log());
    }
}

/// Memory of all that descend from a program, and files in memory, count; what the kernel remembers of files on a disk does not.
fn memory_is_measured(daemon: &Daemon) {
    until_true("the reader to have read", || daemon.home.join("read").exists());
    let reader = daemon.pid_of("reader");
    daemon.ctl(&["start", "tree", "shared"]);
    daemon.wait("FATAL", &["shared"]);
    until_true("the tree to be full", || daemon.log().contains("ending 'tree' ("));
    daemon.wait("RUNNING", &["tree"]);
    let log = daemon.log();
    let ended = |name: &str| {
        let of_it = |line: &&str| line.contains(&format!("ending '{name}' ("));
        let by_group = |line: &&str| line.contains("of memory in its control group (memory_limit is 20 MB)");
        (log.lines().filter(of_it).count(), log.lines().filter(of_it).filter(by_group).count())
    };
    assert_eq!(["tree", "shared", "reader"].map(ended), [(1, 1), (2, 2), (0, 0)], "{log}");
    assert!(
        log.contains("stopped: tree (") && log.contains("exited: shared (terminated by SIGKILL"),
        "{log}"
    );
    assert_eq!(daemon.pid_of("reader"), reader, "{log}");
    let held: u64 = Group::of("unit/reader").read("memory.current").parse().expect("a number");
    assert!(held > MUCH, "the kernel still has the file in memory: {held}");
}

/// The controller is turned on when the program has run for a while: the kernel counts in the group what comes from then on, and that alone.
fn begin_to_count_late(daemon: &Daemon, later: &Group) {
    until_true("the program to use half", || daemon.home.join("half").exists());
    later.write("cgroup.subtree_control", "+memory");
    procfs::signal(daemon.pid_of("late"), rustix::process::Signal::USR1);
}

fn what_was_not_counted_is_measured(daemon: &Daemon) {
    daemon.wait_log("ending 'late' (");
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("ending 'late' (")).unwrap_or_default();
    assert!(line.contains("MB of memory (memory_limit is 50 MB)"), "{line}");
}
