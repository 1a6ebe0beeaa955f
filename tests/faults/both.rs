//! Keeper and daemon are killed together; what does the next supervisord do with the processes that are left?

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, member};
use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until_true;

const PROGRAMS: &str = "\
[program:polite]
command=/bin/sh -c 'trap \"echo $$ >> %(here)s/asked; exit 0\" TERM; while :; do sleep 0.05; done'
stdout_logfile=NONE
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; exec sleep 600'
stopwaitsecs=1
[program:pair]
command=/bin/sleep 600
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[program:gone]
command=/bin/sleep 600
";

const NAMES: [&str; 4] = ["polite", "deaf", "pair:pair_00", "pair:pair_01"];

/// A daemon whose two processes were killed, and the pids that are left.
fn killed(more: &str) -> (Daemon, Vec<i32>) {
    let mut daemon =
        Daemon::start_in(Home::new(), Maker::Upkeep, &format!("{PROGRAMS}[supervisord]\n{more}"));
    daemon.wait("RUNNING", &NAMES);
    daemon.wait("RUNNING", &["gone"]);
    daemon.ctl(&["stop", "gone"]);
    // Every change was written down before the daemon could be asked about it; the file follows at once.
    until_true("the run file", || daemon.home.read("supervisord.pid.children").contains("\"gone\":"));
    let pids: Vec<i32> = NAMES.iter().map(|name| daemon.pid_of(name)).collect();
    daemon.kill_both();
    (daemon, pids)
}

fn living(pids: &[i32]) -> Vec<bool> {
    pids.iter().map(|&pid| procfs::process(pid).is_some_and(|process| !process.zombie)).collect()
}

/// The next one stops them as their programs say, by name, and kills those who do not listen. Returns what it said.
fn assert_stopped_first(mut daemon: Daemon, pids: &[i32]) -> String {
    assert_eq!(living(pids), [true; 4]);
    daemon.start_again();
    daemon.wait("RUNNING", &NAMES);
    assert_eq!(living(pids), [false; 4], "{}", daemon.log());
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("killed supervisord left behind")).expect("a warning");
    for (name, pid) in NAMES.iter().zip(pids) {
        let full = if name.contains(':') { (*name).to_owned() } else { format!("{name}:{name}") };
        assert!(line.contains(&format!("{full} (pid {pid})")), "{line}");
    }
    assert!(log.contains(&format!("killing 'deaf' ({}) with SIGKILL", pids[1])), "{log}");
    assert_eq!(daemon.home.read("asked").trim(), pids[0].to_string(), "it was asked, once");
    line.to_owned()
}

/// By default: stopped as their programs say, killed if they do not listen, and nothing runs twice.
#[test]
fn what_is_left_is_stopped_first() {
    let (daemon, pids) = killed("");
    let line = assert_stopped_first(daemon, &pids);
    assert!(!line.contains("gone"), "it had ended before: {line}");
}

/// `orphans = ignore`: they are named and left alone.
#[test]
fn what_is_left_can_be_left_alone() {
    let (mut daemon, pids) = killed("orphans=ignore\n");
    daemon.start_again();
    daemon.wait("RUNNING", &NAMES);
    assert_eq!(living(&pids), [true; 4]);
    assert!(daemon.log().contains("are left alone, as orphans=ignore says"), "{}", daemon.log());
    for pid in pids {
        procfs::signal(pid, Signal::KILL);
    }
}

/// The run file cannot be written: nobody is in it.
const UNWRITTEN: &str = "supervisord.pid.children.new/in the way";

/// A daemon that was killed before it had written down any child that it had made, and the pids that are left.
fn killed_before_it_wrote(config: &str, names: &[&str]) -> (Daemon, Vec<i32>) {
    let home = Home::new();
    std::fs::create_dir_all(home.join(UNWRITTEN)).expect("a directory");
    let mut daemon = Daemon::start_in(home, Maker::Upkeep, config);
    daemon.wait("RUNNING", names);
    let pids: Vec<i32> = names.iter().map(|name| daemon.pid_of(name)).collect();
    daemon.kill_both();
    assert!(!daemon.home.join("supervisord.pid.children").exists());
    std::fs::remove_dir_all(daemon.home.join("supervisord.pid.children.new")).expect("removed");
    (daemon, pids)
}

/// Who was not written down yet is stopped just the same: as its program says, by name, and before anybody is started.
#[test]
fn what_was_not_written_down_yet_is_stopped_first() {
    let (daemon, pids) = killed_before_it_wrote(PROGRAMS, &NAMES);
    assert_stopped_first(daemon, &pids);
}

/// After a reload with another pid file, those who follow are found beside that one, be they written down or not.
#[test]
fn a_reload_with_another_pidfile_leaves_nobody_behind() {
    const CONFIG: &str = "\
[program:one]
command=/bin/sleep 600
";
    for written in [true, false] {
        let mut daemon = Daemon::start(Maker::Upkeep, CONFIG);
        daemon.wait("RUNNING", &["one"]);
        let first = daemon.pid_of("one");
        if !written {
            let in_the_way = daemon.home.join("other.pid.children.new/in the way");
            std::fs::create_dir_all(in_the_way).expect("a directory");
        }
        let config = daemon.home.read("supervisord.conf").replace("supervisord.pid", "other.pid");
        daemon.home.write("supervisord.conf", &config);
        daemon.call("supervisor.restart", &[]);
        until_true("another process", || !procfs::alive(first));
        daemon.wait("RUNNING", &["one"]);
        until_true("the run file", || {
            !written || daemon.home.read("other.pid.children").contains("\"child\"")
        });
        assert!(!written || !daemon.home.join("supervisord.pid.children").exists());
        let left = daemon.pid_of("one");
        daemon.kill_both();
        if !written {
            std::fs::remove_dir_all(daemon.home.join("other.pid.children.new")).expect("removed");
        }
        daemon.start_again();
        daemon.wait("RUNNING", &["one"]);
        assert_eq!(living(&[left]), [false], "{}", daemon.log());
        assert!(daemon.log().contains(&format!("one:one (pid {left})")), "{}", daemon.log());
    }
}

/// Whoever was started by whichever daemon and keeper, with whatever each of them had been told.
#[test]
fn what_later_daemons_and_keepers_have_started_is_stopped_too() {
    const CONFIG: &str = "\
[program:first]
command=/bin/sleep 600
[program:second]
command=/bin/sleep 600
autostart=false
[program:third]
command=/bin/sleep 600
autostart=false
nice=1
";
    let home = Home::new();
    std::fs::create_dir_all(home.join(UNWRITTEN)).expect("a directory");
    let mut daemon = Daemon::start_in(home, Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["first"]);
    daemon.kill_brain();
    daemon.ctl(&["start", "second"]);
    daemon.kill_keeper();
    daemon.ctl(&["start", "third"]);
    let names = ["first", "second", "third"];
    let pids: Vec<i32> = names.iter().map(|name| daemon.pid_of(name)).collect();
    daemon.kill_both();
    daemon.start_again();
    daemon.wait("RUNNING", &["first"]);
    assert_eq!(living(&pids), [false; 3], "{}", daemon.log());
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("killed supervisord left behind")).expect("a warning");
    for (name, pid) in names.iter().zip(&pids) {
        assert!(line.contains(&format!("{name}:{name} (pid {pid})")), "{line}");
    }
}

/// Processes of this home's program, by what they were started as.
fn ours(home: &Home) -> Vec<(String, i32)> {
    let mark = format!("HOME_OF_TEST={}", home.path().display());
    let all = procfs::processes().into_iter().filter(|process| !process.zombie);
    let named = all.filter_map(|process| {
        let environment = procfs::environment(process.pid);
        environment.contains(&mark).then_some(())?;
        let name = environment.iter().find_map(|entry| entry.strip_prefix("SUPERVISOR_PROCESS_NAME="))?;
        Some((name.to_owned(), process.pid))
    });
    let mut named: Vec<(String, i32)> = named.collect();
    named.sort();
    named
}

/// Whenever it happens, be it while a child is made: no program runs twice.
#[test]
fn nobody_runs_twice_whenever_both_are_killed() {
    const CONFIG: &str = "\
[program:many]
command=/bin/sleep 600
process_name=%(process_num)03d
numprocs=60
startsecs=0
environment=HOME_OF_TEST=\"%(here)s\"
";
    let home = Home::new();
    std::fs::create_dir_all(home.join(UNWRITTEN)).expect("a directory");
    let mut daemon = Daemon::start_in(home, Maker::Upkeep, CONFIG);
    for least in [0, 1, 2, 5, 10, 20, 30, 45, 55, 60] {
        until_true("some to be started", || ours(&daemon.home).len() >= least);
        daemon.kill_both();
        daemon.start_again();
    }
    until_true("all to be started", || ours(&daemon.home).len() >= 60);
    let all = daemon.call("supervisor.getAllProcessInfo", &[]);
    let running = ours(&daemon.home);
    let mut names: Vec<&str> = running.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    assert_eq!((running.len(), names.len()), (60, 60), "{running:?}");
    for (name, pid) in &running {
        assert!(all.contains(&format!("<int>{pid}</int>")), "{name} {pid}: {all}");
    }
}

/// An end in order leaves nothing behind, and a death of the daemon alone is none of this.
#[test]
fn no_file_is_left_by_an_end_in_order() {
    let mut daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &NAMES);
    daemon.kill_brain();
    until_true("the run file of the next daemon", || {
        daemon.home.read("supervisord.pid.children").contains("\"name\":\"polite\"")
    });
    daemon.call("supervisor.shutdown", &[]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert!(!daemon.home.join("supervisord.pid.children").exists());
    assert!(!daemon.log().contains("left behind"), "{}", daemon.log());
}

const TAKEN: &str = "\
[program:talker]
command=/bin/sh -c 'trap \"echo said; echo complained >&2\" USR1; trap \"exit 3\" USR2; while :; do sleep 0.05; done'
stdout_logfile=%(here)s/talker.out
stderr_logfile=%(here)s/talker.err
autorestart=false
[program:reader]
command=/bin/sh -c 'exec 3<&0; while sleep 0.05; do test -e go && read word <&3 && echo $word && rm go; done'
stdout_logfile=%(here)s/reader
directory=%(here)s
[program:own]
command=/bin/sh -c 'mkfifo own; cat own > kept & exec > own; while :; do echo mine; sleep 0.05; done'
directory=%(here)s
[program:gone]
command=/bin/sleep 600
[eventlistener:ear]
command=/bin/sh -c 'echo READY; exec sleep 600'
events=PROCESS_STATE
[supervisord]
orphans=adopt
";

/// With `orphans=adopt`: they run on, their pipes are found again, what was theirs stays theirs.
#[test]
fn what_is_left_can_be_taken_over() {
    take_over(true);
}

/// The same before any of them was written down.
#[test]
fn what_was_not_written_down_yet_can_be_taken_over() {
    take_over(false);
}

fn take_over(written: bool) {
    const TAKEN_NAMES: [&str; 3] = ["talker", "reader", "own"];
    let home = Home::new();
    if !written {
        std::fs::create_dir_all(home.join(UNWRITTEN)).expect("a directory");
    }
    let mut daemon = Daemon::start_in(home, Maker::Upkeep, TAKEN);
    daemon.wait("RUNNING", &TAKEN_NAMES);
    daemon.wait("RUNNING", &["gone", "ear"]);
    daemon.wait_file("kept", "mine\n");
    let all = ["talker", "reader", "own", "gone", "ear"];
    let pids: Vec<i32> = all.iter().map(|name| daemon.pid_of(name)).collect();
    until_true("the run file", || {
        !written || daemon.home.read("supervisord.pid.children").matches("\"child\"").count() >= 5
    });
    let started = member(&daemon.call("supervisor.getProcessInfo", &[Text("talker")]), "start");
    daemon.kill_both();
    let config = daemon.home.read("supervisord.conf").replace("[program:gone]\ncommand=/bin/sleep 600\n", "");
    daemon.home.write("supervisord.conf", &config);
    daemon.start_again();
    daemon.wait("RUNNING", &["ear"]);
    for (name, pid) in all.iter().zip(&pids).take(3) {
        assert_eq!((daemon.state(name).as_deref(), daemon.pid_of(name)), (Some("RUNNING"), *pid), "{name}");
    }
    assert_eq!(living(&pids), [true, true, true, false, false], "{}", daemon.log());
    let now = member(&daemon.call("supervisor.getProcessInfo", &[Text("talker")]), "start");
    let [before, after] = [started, now].map(|text| text.expect("a time").parse::<i64>().expect("a number"));
    assert!((before - after).abs() <= 1, "{before} {after}");
    // Words go out and come in; the pipe that a program made itself is left to it.
    daemon.call("supervisor.signalProcess", &[Text("talker"), Text("USR1")]);
    daemon.wait_file("talker.out", "said\n");
    daemon.wait_file("talker.err", "complained\n");
    daemon.home.write("go", "");
    daemon.call("supervisor.sendProcessStdin", &[Text("reader"), Text("word\n")]);
    daemon.wait_file("reader", "word\n");
    let kept = daemon.home.read("kept").len();
    until_true("words of its own", || daemon.home.read("kept").len() > kept + 20);
    assert!(daemon.home.read("kept").lines().all(|line| line == "mine"));
    daemon.wait_log("the output of 'own' ");
    // Whatever dies next.
    daemon.kill_brain();
    assert_eq!((daemon.pid_of("talker"), daemon.pid_of("own")), (pids[0], pids[2]));
    daemon.call("supervisor.signalProcess", &[Text("talker"), Text("USR2")]);
    daemon.wait("EXITED", &["talker"]);
    daemon.call("supervisor.stopProcess", &[Text("reader")]);
    assert!(!procfs::alive(pids[1]));
    // Whether the kernel tells how a process ended whose parent is somebody else depends on its age.
    let log = daemon.log();
    let told = log.lines().find(|line| line.contains("exited: talker (")).expect("an end");
    assert!(told.contains("exit status 3") || told.contains("unknown termination cause"), "{told}");
}
