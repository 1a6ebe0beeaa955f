//! `cpu_limit` and `pids_limit` on a kernel that has the controllers: that of a guest, whoever runs the tests.

use crate::rig::cgroups::{Group, ROOT};
use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::guest::in_guest;
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until_true;

/// Waits until it is alone, starts processes until the kernel refuses one, and tries it again at each SIGUSR1.
const FORKS: &str = r#"$| = 1;
sub one { my $pid = fork; defined $pid or return 0; $pid or do { sleep 1000; exit }; 1 }
$SIG{USR1} = sub { print one() ? "one more" : "still refused", "\n" };
sub others { open my $in, "<", "/sys/fs/cgroup/upkeep/forks/pids.current" or die $!; <$in> > 1 }
select undef, undef, undef, 0.05 while others();
my $n = 1;
$n++ while one();
print "$n and no more: $!\n";
sleep 1 while 1;
"#;

/// Works a little, again and again.
const STEADY: &str = "while :; do i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; sleep 0.1; done";

/// As the first process of a container does, which lives in the container's own group: it leaves that for one below.
const PRELUDE: &str = "set -e; cd /sys/fs/cgroup/container; echo 0 >cgroup.procs; mkdir daemon; echo 0 >daemon/cgroup.procs; cd \"$OLDPWD\"";

/// A program in a control group of its own below this one.
fn program(above: &str, name: &str, command: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand={command}\ncgroup={ROOT}/{above}/{name}\nstartsecs=0\nstopasgroup=true\nkillasgroup=true\n\
         stdout_logfile=%(here)s/{name}.out\nredirect_stderr=true\n{options}\n"
    )
}

fn of_time_and_number(cpu: u32, pids: u32) -> String {
    program("container", "burn", "/bin/sh -c 'while :; do :; done'", &format!("cpu_limit={cpu}%%"))
        + &program("container", "steady", &format!("/bin/sh -c '{STEADY}'"), "cpu_limit=10000%%")
        + &program("upkeep", "forks", "/usr/bin/perl %(here)s/forks", &format!("pids_limit={pids}"))
}

#[test]
fn control_groups_limit_what_programs_use() {
    in_guest(control_groups_limit_what_programs_use, |_| {
        Group::of("").write("cgroup.subtree_control", "+cpu +pids +memory");
        let [above, container] = ["upkeep", "container"].map(|name| Group::of(name).made());
        let home = Home::new();
        home.write("forks", FORKS);
        let mut daemon = Daemon::start_after(PRELUDE, home, Maker::Upkeep, &of_time_and_number(20, 4));
        daemon.wait("RUNNING", &["burn", "steady", "forks"]);
        let turned_on = [&container, &above].map(|group| group.read("cgroup.subtree_control"));
        assert_eq!(turned_on, ["cpu", "pids"], "turned on below, and no more than is needed");
        time_is_limited();
        numbers_are_limited(&daemon, 4);
        limits_outlive_the_daemon(&daemon);
        an_update_starts_anew_with_other_limits(&daemon);
        daemon.ctl(&["shutdown"]);
        assert_eq!(daemon.wait_for_end(), Some(0));
        for (group, name) in [(&container, "burn"), (&container, "steady"), (&above, "forks")] {
            assert!(!group.has(name), "{name} is left: {}", daemon.log());
        }
    });
}

fn time_is_limited() {
    let [burn, steady] = ["container/burn", "container/steady"].map(Group::of);
    assert_eq!(burn.read("cpu.max"), "20000 100000");
    until_true("the burning program to be throttled", || burn.count("cpu.stat", "nr_throttled") > 2);
    until_true("its neighbour to work", || steady.count("cpu.stat", "nr_periods") > 2);
    assert_eq!(steady.count("cpu.stat", "nr_throttled"), 0, "its neighbour is not");
}

fn numbers_are_limited(daemon: &Daemon, limit: u64) {
    daemon.wait_file("forks.out", &format!("{limit} and no more: Resource temporarily unavailable\n"));
    let forks = Group::of("upkeep/forks");
    assert_eq!((forks.read("pids.max"), forks.read("pids.current")), (limit.to_string(), limit.to_string()));
    assert!(forks.count("pids.events", "max") > 0, "the kernel has refused some");
}

fn limits_outlive_the_daemon(daemon: &Daemon) {
    let pids = ["burn", "steady", "forks"].map(|name| daemon.pid_of(name));
    let burn = Group::of("container/burn");
    daemon.kill_brain();
    assert_eq!(["burn", "steady", "forks"].map(|name| daemon.pid_of(name)), pids);
    let throttled = burn.count("cpu.stat", "nr_throttled");
    until_true("it to be throttled again", || burn.count("cpu.stat", "nr_throttled") > throttled);
    procfs::signal(pids[2], rustix::process::Signal::USR1);
    daemon.wait_file("forks.out", "still refused\n");
}

/// What is not changed runs on.
fn an_update_starts_anew_with_other_limits(daemon: &Daemon) {
    let names = ["burn", "steady", "forks"];
    let before = names.map(|name| daemon.pid_of(name));
    daemon.home.write("supervisord.conf", &format!("{HEAD}{}", of_time_and_number(40, 3)));
    daemon.ctl(&["update"]);
    numbers_are_limited(daemon, 3);
    daemon.wait("RUNNING", &names);
    assert_eq!(Group::of("container/burn").read("cpu.max"), "40000 100000");
    let after = names.map(|name| daemon.pid_of(name));
    assert_eq!([0, 1, 2].map(|at: usize| before[at] == after[at]), [false, true, false]);
}
