//! How a daemon starts, and how it says that it cannot.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::procfs;
use crate::rig::run::{Said, run};
use crate::rig::stage::{compare, compare_prepared, differences, same_story};
use crate::rig::wait::{until, until_true};

/// Runs a program of `maker` in a directory that `prepare` filled.
fn tool(maker: Maker, prepare: impl Fn(&Home), name: &str, args: &[&str]) -> Said {
    let home = Home::new();
    maker.install(&home.join("bin"));
    prepare(&home);
    let mut said = run(&home.join(&format!("bin/{name}")), args, home.path());
    said.stdout = plain(&said.stdout, home.path());
    said.stderr = plain(&said.stderr, home.path());
    said
}

fn both(prepare: impl Fn(&Home), name: &str, args: &[&str]) -> (Said, Said) {
    (tool(Maker::Reference, &prepare, name, args), tool(Maker::Upkeep, &prepare, name, args))
}

/// Ours may add the place and a hint after the original's text; the original names a place in its own source.
fn without_places(stderr: &str) -> String {
    let extra = |line: &str| {
        let start = line.trim_start();
        ["-->", "hint:", "self.warnings.warn("].iter().any(|extra| start.starts_with(extra))
    };
    // The original also warns about a search that found nothing (CFG-004): there is nothing to warn of.
    let lines = stderr.lines().filter(|line| !extra(line) && !line.contains("UserWarning:"));
    lines.collect::<Vec<_>>().join("\n")
}

/// CFG-401…406, CFG-005, CFG-006, CFG-085 ff.: wrong uses, their text on stderr and exit status 2.
#[test]
fn cfg_401_wrong_uses() {
    let uses: &[&[&str]] = &[
        &["-x"],
        &["--no"],
        &["--nonsense"],
        &["-c"],
        &["--configuration"],
        &["-l", "a", "-l", "b"],
        &["-c", "a", "-c", "b"],
        &["foo", "bar"],
        &["-e", "loud"],
        &["-y", "10XB"],
        &["-a", "many"],
        &["-m", "9"],
        &["-d", "/no/such/dir"],
        &["-l", "/no/such/dir/log"],
        &["-u", "nobody-of-that-name"],
        &["-e", "bad", "-v"],
        &["-c", "/no/such/file"],
        &["-c", "/etc"],
        &["--nodaemon=yes"],
    ];
    for args in uses {
        let (reference, ours) = both(|_| {}, "supervisord", args);
        assert_eq!(reference.status, ours.status, "{args:?}: {ours:?}");
        assert_eq!(reference.stdout, ours.stdout, "{args:?}");
        assert_eq!(without_places(&reference.stderr), without_places(&ours.stderr), "{args:?}");
    }
}

/// CTL-001…004, CTL-020: the client's command line.
#[test]
fn ctl_001_wrong_uses() {
    let uses: &[&[&str]] = &[
        &["--version"],
        &["-x"],
        &["-s"],
        &["-c", "/no/such/file", "status"],
        &["-s", "unix:///no/such/socket", "status"],
        &["-s", "unix:///no/such/socket", "pid"],
        &["-s", "unix:///no/such/socket", "start", "x"],
        &["-s", "http://127.0.0.1:9", "status"],
        &["-s", "http://127.0.0.1:9", "stop", "x"],
        &["-s", "http://127.0.0.1:9", "shutdown"],
        &["-s", "unix:///no/such/socket", "shutdown"],
        &["-s", "unix:///no/such/socket", "help", "status"],
    ];
    for args in uses {
        let (reference, ours) = both(|_| {}, "supervisorctl", args);
        assert_eq!(reference.status, ours.status, "{args:?}: {ours:?}");
        assert_eq!(reference.stdout, ours.stdout, "{args:?}");
        assert_eq!(without_places(&reference.stderr), without_places(&ours.stderr), "{args:?}");
    }
}

/// CFG-407…409: what prints and ends. The help's own words are ours; its form is the original's.
#[test]
fn cfg_407_help_and_version() {
    for args in [&["-v"][..], &["--version"], &["--ver"], &["-v", "-e", "bad"]] {
        let (reference, ours) = both(|_| {}, "supervisord", args);
        assert_eq!(reference, ours, "{args:?}");
    }
    for (name, args) in [("supervisord", "-h"), ("supervisord", "-?"), ("supervisorctl", "--help")] {
        let (reference, ours) = both(|_| {}, name, &[args]);
        assert_eq!((reference.status, &reference.stderr), (ours.status, &ours.stderr), "{name}");
        let first = |said: &Said| said.stdout.lines().next().map(str::to_owned);
        assert_eq!(first(&reference), first(&ours), "{name}");
        assert_eq!(options(&reference.stdout), options(&ours.stdout), "{name}");
    }
}

/// The options that a help names, as `-x/--long`. The original has a slip of the pen in one of them.
fn options(help: &str) -> Vec<String> {
    let lines = help.lines().filter(|line| line.starts_with('-') && line.contains(" -- "));
    let named = lines.filter_map(|line| line.split(" -- ").next());
    let mut options: Vec<String> =
        named.map(|option| option.trim().replace("--history-file", "--history_file FILENAME")).collect();
    options.sort_unstable();
    options
}

/// CFG-411: the sample loads, in the original too, and nothing but the usual notes is said about it.
#[test]
fn cfg_411_sample_configuration() {
    let sample = tool(Maker::Upkeep, |_| {}, "echo_supervisord_conf", &[]);
    assert_eq!((sample.status, sample.stderr.as_str()), (Some(0), ""));
    for maker in [Maker::Reference, Maker::Upkeep] {
        let home = Home::new();
        let inside = sample.stdout.replace("/tmp/", &format!("{}/", home.path().display()));
        home.write("sample.conf", &inside);
        let mut daemon = Daemon::start_with(home, maker, "sample.conf", "supervisor.sock", &[]);
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait_for_end(), Some(0), "{maker:?}");
    }
}

/// CFG-002…004: no configuration anywhere.
#[test]
fn cfg_002_no_configuration() {
    let (reference, ours) = both(|_| {}, "supervisord", &[]);
    assert_eq!(reference.status, ours.status);
    assert_eq!(without_places(&reference.stderr), without_places(&ours.stderr));
}

/// CFG-001, CFG-004: the file is found beside the programs; root is warned of the search, on stderr alone.
#[test]
fn cfg_004_found_by_searching() {
    let run_one = |maker: Maker| {
        let home = Home::new();
        home.write("etc/supervisord.conf", &HEAD.replace("%(here)s", &home.path().display().to_string()));
        home.write("ignored/etc/supervisord.conf", "broken");
        let mut daemon = Daemon::start_found(home, maker);
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait_for_end(), Some(0), "{maker:?}");
        let shown = daemon.home.read("foreground");
        let warnings =
            shown.lines().filter_map(|line| line.find("UserWarning:").map(|at| line[at..].to_owned()));
        (warnings.collect::<Vec<_>>(), daemon.log().contains("UserWarning"))
    };
    assert_eq!(run_one(Maker::Reference), run_one(Maker::Upkeep));
}

/// CFG-005, PROC-205, PROC-203: daemonized; the parent ends with 0 and the pid file is right.
#[test]
fn proc_203_daemonize() {
    let run_one = |maker: Maker| {
        let home = Home::new();
        maker.install(&home.join("bin"));
        home.write("supervisord.conf", &format!("{HEAD}[program:cat]\ncommand=/bin/cat\n"));
        let said = run(&home.join("bin/supervisord"), &["-c", "supervisord.conf"], home.path());
        let written =
            until("a pid file", || Some(home.read("supervisord.pid")).filter(|text| text.ends_with('\n')));
        let pid: i32 = written.trim().parse().expect("a pid");
        until_true("the ready line", || {
            home.read("supervisord.log").contains("supervisord started with pid")
        });
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("a directory");
        let descriptors: Vec<_> = (0..3)
            .map(|n| std::fs::read_link(format!("/proc/{pid}/fd/{n}")).expect("a descriptor"))
            .collect();
        let mode = std::fs::metadata(home.join("sock")).expect("a socket").mode() & 0o7777;
        procfs::signal(pid, Signal::TERM);
        until_true("its end", || !procfs::alive(pid));
        let left = ["sock", "supervisord.pid"].map(|name| home.join(name).exists());
        let log = home.read("supervisord.log");
        let daemon_lines = log.lines().filter(|line| !line.contains("cat")).collect::<Vec<_>>().join("\n");
        let text = format!("{said:?}\n{cwd:?}\n{descriptors:?}\n{mode:o}\n{left:?}\n{daemon_lines}");
        plain(&text, home.path())
    };
    let (reference, ours) = (run_one(Maker::Reference), run_one(Maker::Upkeep));
    assert!(reference == ours, "{}", differences(&reference, &ours));
}

/// CFG-121, PROC-202: a second daemon with the same files gives up with status 2 and the first one goes on; D-06: with its
/// logs. PROC-201: in the background too, which its starter is told.
#[test]
fn proc_202_second_daemon() {
    compare("[program:cat]\ncommand=/bin/cat\n", |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        let home = &stage.daemon.home;
        let foreground = run(&home.join("bin/supervisord"), &["-n", "-c", "supervisord.conf"], home.path());
        let background = run(&home.join("bin/supervisord"), &["-c", "supervisord.conf"], home.path());
        let pid = home.read("supervisord.pid") == format!("{}\n", stage.daemon.pid());
        for (title, said) in [("second", foreground), ("in the background", background)] {
            stage.note(title, &format!("{:?}\n{}\npid file untouched: {pid}", said.status, said.stderr));
        }
        if stage.daemon.maker == Maker::Upkeep {
            let log =
                member(&stage.daemon.call("supervisor.getProcessInfo", &[Text("cat")]), "stdout_logfile");
            assert!(
                Path::new(&log.expect("an AUTO log")).exists(),
                "D-06: the log of a living process is gone"
            );
        }
        stage.ctl(&["status"]);
    });
}

/// CFG-123: the socket of a daemon that was killed is replaced.
#[test]
fn cfg_123_stale_socket() {
    let start = |maker: Maker| {
        let home = Home::new();
        drop(UnixListener::bind(home.join("sock")).expect("a socket"));
        let daemon = Daemon::start_in(home, maker, "");
        let said = daemon.home.read("foreground");
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("Unlinking")).collect();
        plain(&lines.join("\n"), daemon.home.path())
    };
    assert_eq!(start(Maker::Reference), start(Maker::Upkeep));
}

/// CFG-110…112: mode of the socket. CFG-082, CFG-084, PROC-204: directory, umask and a session of its own are for daemons in
/// the background only; D-34: which is said.
#[test]
fn cfg_111_socket_mode() {
    let config = "[unix_http_server]\nchmod=0640\n[supervisord]\ndirectory=/usr\numask=007\n";
    compare(config, |stage| {
        let socket = std::fs::metadata(stage.daemon.socket()).expect("a socket");
        let cwd = std::fs::read_link(format!("/proc/{}/cwd", stage.daemon.pid())).expect("a directory");
        let log = std::fs::metadata(stage.daemon.home.join("supervisord.log")).expect("a log");
        let text = format!("{:o} {} {:o}", socket.mode() & 0o7777, cwd.display(), log.mode() & 0o7777);
        stage.note("modes", &text);
        let sessions = [stage.daemon.pid(), procfs::own_pid()].map(procfs::session);
        stage.note("in the session of its starter", &(sessions[0] == sessions[1]).to_string());
        let said = stage.daemon.log().contains(" WARN [supervisord] directory and umask are not applied");
        assert_eq!(said, stage.daemon.maker == Maker::Upkeep);
    });
}

/// PROC-172, PROC-207: a log that cannot be opened, a limit that cannot be had: nothing is started, nothing is left.
#[test]
fn proc_172_cannot_start() {
    for (options, status) in [("logfile=%(here)s", Some(1)), ("minfds=99999999999", Some(2))] {
        let config = HEAD
            .replace("[supervisord]\n", "[supervisord]\nOPTION\n")
            .replace("logfile=%(here)s/super", "x=");
        let prepare = |home: &Home| home.write("supervisord.conf", &config.replace("OPTION", options));
        let (reference, ours) = both(prepare, "supervisord", &["-n", "-c", "supervisord.conf"]);
        assert_eq!((reference.status, ours.status), (status, status), "{options}: {ours:?}");
        if status == Some(2) {
            assert_eq!(without_places(&reference.stderr), without_places(&ours.stderr), "{options}");
        } else {
            assert!(ours.stderr.starts_with("Error: cannot open the log file 'HOME': "), "{ours:?}");
        }
    }
}

/// PROC-212: whoever is killed leaves pid file and socket behind; the next one replaces them.
#[test]
fn proc_212_after_a_kill() {
    let run_one = |maker: Maker| {
        let home = Home::new();
        maker.install(&home.join("bin"));
        home.write("supervisord.conf", &format!("{HEAD}[program:cat]\ncommand=/bin/cat\n"));
        let mut story = Vec::new();
        let mut last = 0;
        for signal in [Signal::KILL, Signal::TERM] {
            let said = run(&home.join("bin/supervisord"), &["-c", "supervisord.conf"], home.path());
            story.push(format!("{:?} {}", said.status, said.stdout));
            let pid = until("another pid", || {
                home.read("supervisord.pid").trim().parse::<i32>().ok().filter(|pid| *pid != last)
            });
            until_true("an answer", || {
                crate::rig::http::call(&home.join("sock"), "supervisor.getState", &[]).is_ok()
            });
            let family = procfs::descendants(pid);
            if (maker, signal) == (Maker::Upkeep, Signal::KILL) {
                // Alone it would be replaced by the other process.
                procfs::kill_both(pid, procfs::brain(pid).expect("a deciding process"));
            } else {
                procfs::signal(pid, signal);
            }
            until_true("its end", || {
                !procfs::alive(pid) && family.iter().all(|child| !procfs::alive(child.pid))
            });
            let left = ["sock", "supervisord.pid"].map(|name| home.join(name).exists());
            story.push(format!("{signal:?} leaves {left:?}"));
            last = pid;
        }
        plain(&story.join("\n"), home.path())
    };
    same_story(run_one);
}

/// PROC-045, PROC-046: descriptors run out, a log is a directory. PROC-205: a pid file that cannot be written is no reason to
/// stop.
#[test]
fn proc_045_what_cannot_be_opened() {
    let config = "\
[supervisord]
pidfile=%(here)s/sub
[program:up]
command=/bin/cat
startsecs=0
[program:late]
command=/bin/cat
autostart=false
startretries=0
startsecs=0
[program:folder]
command=/bin/cat
stdout_logfile=%(here)s/sub
autostart=false
startretries=0
";
    compare_prepared(config, &|home| home.write("sub/file", ""), |stage| {
        stage.daemon.wait("RUNNING", &["up"]);
        if stage.daemon.maker == Maker::Upkeep {
            // What logs go through comes after the first start: then nothing more is to come.
            let fds = format!("/proc/{}/fd", stage.daemon.pid());
            let is_passage = |fd: std::fs::DirEntry| {
                std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().contains("memfd:passage"))
            };
            until_true("the passage", || {
                std::fs::read_dir(&fds).is_ok_and(|mut all| all.any(|fd| fd.is_ok_and(is_passage)))
            });
        }
        let usual =
            prlimit(Pid::from_raw(stage.daemon.pid()), Resource::Nofile, one_more(stage.daemon.pid()))
                .expect("a limit");
        stage.call("supervisor.startProcess", &[Text("late")]);
        prlimit(Pid::from_raw(stage.daemon.pid()), Resource::Nofile, usual).expect("a limit");
        stage.call("supervisor.startProcess", &[Text("folder")]);
        for name in ["late", "folder"] {
            stage.daemon.wait("FATAL", &[name]);
            stage.call("supervisor.getProcessInfo", &[Text(name)]);
        }
        stage.call("supervisor.startProcess", &[Text("late")]);
        // The original says that it could not write and then not that it is up (PROC-210), though it is.
        let log = stage.daemon.log();
        assert!(log.contains("CRIT could not write pidfile"), "{log}");
        assert_eq!(log.contains("started with pid"), stage.daemon.maker == Maker::Upkeep);
        for name in ["late", "folder"] {
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(name)).collect();
            stage.note(name, &lines.join("\n"));
        }
    });
}

/// A limit that leaves one more descriptor to a process: enough for a connection, too little for a pipe.
fn one_more(pid: i32) -> Rlimit {
    let used = |number: &u64| Path::new(&format!("/proc/{pid}/fd/{number}")).symlink_metadata().is_ok();
    let free = (0..).find(|number| !used(number));
    Rlimit { current: free.map(|number| number + 1), ..getrlimit(Resource::Nofile) }
}

/// Neither reads a configuration twice before it serves, so one that comes through pipes will do.
#[test]
fn a_configuration_may_come_through_a_pipe() {
    for maker in [Maker::Reference, Maker::Upkeep] {
        let pipe = "for name in supervisord.conf dog.conf; do mv $name $name.text; mkfifo $name; { cat $name.text >$name & } done";
        let home = Home::new();
        home.write("dog.conf", "[program:dog]\ncommand=/bin/cat\n");
        let body = "[include]\nfiles=dog.conf\n[program:cat]\ncommand=/bin/cat\n";
        let daemon = Daemon::start_after(pipe, home, maker, body);
        daemon.wait("RUNNING", &["cat", "dog"]);
        if maker == Maker::Upkeep {
            let pids = ["cat", "dog"].map(|name| daemon.pid_of(name));
            daemon.kill_brain();
            assert_eq!(["cat", "dog"].map(|name| daemon.pid_of(name)), pids);
        }
    }
}
