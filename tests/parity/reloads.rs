//! What a reload takes anew and what it leaves, what a reread never touches, and servers that cannot be opened.

use std::os::unix::fs::chown;
use std::path::Path;

use rustix::process::Signal;

use crate::rig::background::Background;
use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::home::Home;
use crate::rig::http::call;
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::procfs;
use crate::rig::run::run;
use crate::rig::stage::same_story;
use crate::rig::wait::{until, until_true};

/// A program that writes down at each start what it got from the daemon, in a file named relatively.
const LIMITS: &str = "\
[program:limits]
command=/bin/sh -c 'ulimit -Sn; umask; pwd; echo END; exec cat'
stdout_logfile=relative.log
";

fn rewrite(daemon: &Daemon, body: &str) {
    daemon.home.write("supervisord.conf", &format!("{HEAD}{body}"));
}

/// CFG-427, CFG-430: HUP reads everything again, but limits are raised only once. CFG-159: a relative log is opened where the
/// daemon is.
#[test]
fn cfg_427_reload() {
    let story = same_story(|maker| {
        let config = format!("[supervisord]\nminfds=300\n{LIMITS}");
        let daemon = Daemon::start_after("ulimit -Sn 256", Home::new(), maker, &config);
        daemon.wait_file("relative.log", "END\n");
        let more = "minfds=400\nidentifier=later\n[program:new]\ncommand=/bin/cat\nstartsecs=0\n";
        rewrite(&daemon, &format!("[supervisord]\n{more}{LIMITS}"));
        daemon.signal(Signal::HUP);
        until_true("its second start", || daemon.home.read("relative.log").matches("END").count() == 2);
        daemon.wait("RUNNING", &["new"]);
        let identifier = daemon.call("supervisor.getIdentification", &[]);
        plain(&format!("{}{identifier}", daemon.home.read("relative.log")), daemon.home.path())
    });
    assert!(story.matches("300\n").count() == 2 && story.contains("later"), "{story}");
}

/// CFG-430: in the background, where umask and directory are set, a reload leaves them.
#[test]
fn cfg_430_umask_and_directory_stay() {
    let story = same_story(|maker| {
        let home = Home::new();
        maker.install(&home.join("bin"));
        let here = home.path().display().to_string();
        let config = |more: &str| {
            let limits = LIMITS.replace("relative.log", &format!("{here}/absolute.log"));
            HEAD.replace("%(here)s", &here) + "[supervisord]\n" + more + &limits
        };
        home.write("supervisord.conf", &config("umask=027\ndirectory=/usr\n"));
        let background = Background::start(&home, &format!("{here}/supervisord.conf"));
        let ends = || home.read("absolute.log").matches("END").count();
        until_true("its first start", || ends() == 1);
        home.write("supervisord.conf", &config("umask=077\ndirectory=/tmp\n"));
        procfs::signal(background.0, Signal::HUP);
        until_true("its second start", || ends() == 2);
        let told = home.read("absolute.log");
        told.lines().filter(|line| line.starts_with(['0', '/'])).collect::<Vec<_>>().join("\n")
    });
    assert_eq!(story, "0027\n/usr\n0027\n/usr");
}

/// CFG-426: what a reread has to say about the configuration is said to nobody.
#[test]
fn cfg_426_warnings_of_a_reread() {
    let story = same_story(|maker| {
        let daemon = Daemon::start(maker, "[program:x]\ncommand=/bin/cat\n");
        let warned = "[program:x]\ncommand=/bin/cat\nredirect_stderr=true\nstderr_logfile=/tmp/x\n[include]\nfiles=no*thing\n";
        rewrite(&daemon, warned);
        let answer = daemon.call("supervisor.reloadConfig", &[]);
        let log = daemon.log();
        let said = log.lines().filter(|line| line.contains("For [") || line.contains("No file matches"));
        format!("{answer}{}", said.collect::<Vec<_>>().join("\n"))
    });
    assert!(story.contains("<string>x</string>"), "{story}");
}

/// CFG-424, D-05: a reread changes nothing of the running daemon, which removes the pid file that it wrote.
#[test]
fn cfg_424_reread_has_no_side_effects() {
    let mut daemon = Daemon::start(Maker::Upkeep, "");
    let other = "[supervisord]\nidentifier=other\npidfile=%(here)s/other.pid\nlogfile=%(here)s/other.log\n";
    rewrite(&daemon, other);
    daemon.call("supervisor.reloadConfig", &[]);
    assert!(daemon.call("supervisor.getIdentification", &[]).contains("<string>supervisor</string>"));
    assert!(daemon.log().contains("supervisord started with pid"), "the log that it has");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait_for_end(), Some(0));
    for name in ["supervisord.pid", "other.pid", "other.log"] {
        assert!(!daemon.home.join(name).exists(), "{name}");
    }
}

/// CFG-428, D-04: a broken configuration is refused with a line at CRIT and nothing stops; the original stops everything.
#[test]
fn cfg_428_broken_reload() {
    let daemon = Daemon::start(Maker::Upkeep, "[program:cat]\ncommand=/bin/cat\n");
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    rewrite(&daemon, "[program:cat]\ncommand=/bin/cat\nautostart=perhaps\n");
    daemon.signal(Signal::HUP);
    daemon.wait_log("CRIT restart refused");
    let answer = daemon.call("supervisor.restart", &[]);
    assert_eq!(member(&answer, "faultCode").as_deref(), Some("92"), "{answer}");
    assert_eq!(daemon.pid_of("cat"), pid);
}

/// CFG-429, D-04: a file that was named relatively is found again from another directory; the original ends.
#[test]
fn cfg_429_relative_file_after_a_change_of_directory() {
    let home = Home::new();
    Maker::Upkeep.install(&home.join("bin"));
    let here = home.path().display().to_string();
    let config = HEAD.replace("%(here)s", &here) + "[supervisord]\ndirectory=/usr\n";
    home.write("supervisord.conf", &config);
    let background = Background::start(&home, "supervisord.conf");
    let pid = background.0;
    let starts = || home.read("supervisord.log").matches("supervisord started with pid").count();
    until_true("the first start", || starts() == 1);
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).ok().as_deref(), Some(Path::new("/usr")));
    home.write("supervisord.conf", &(config + "identifier=again\n"));
    procfs::signal(pid, Signal::HUP);
    until_true("the second start", || starts() == 2);
    let identifier =
        until("an answer", || call(&home.join("sock"), "supervisor.getIdentification", &[]).ok());
    assert!(identifier.contains("again"), "{identifier}");
}

/// CFG-122, CFG-112: other reasons why a server cannot be opened. CFG-120: without servers there is nothing to open.
#[test]
fn cfg_122_servers() {
    const TELLS: &str = "[program:end]\ncommand=/bin/sh -c 'kill -TERM $PPID'\nstartsecs=0\n";
    for (servers, status) in [
        ("[unix_http_server]\nfile=%(here)s/none/sock\n", 2),
        ("[inet_http_server]\nport=192.0.2.1:9001\n", 2),
        (&format!("[unix_http_server]\nfile=%(here)s/{}\n", "x".repeat(120)), 2),
        ("[supervisord]\nuser=nobody\n[unix_http_server]\nfile=%(here)s/sock\nchown=root:root\n", 2),
        ("", 0),
    ] {
        let story = same_story(|maker| {
            let home = Home::new();
            maker.install(&home.join("bin"));
            let log = "[supervisord]\nlogfile=%(here)s/log\npidfile=%(here)s/pid\nchildlogdir=%(here)s\n";
            let servers = servers.replace("%(here)s", &home.path().display().to_string());
            home.write("x.conf", &format!("{log}{servers}{TELLS}"));
            chown(home.path(), Some(65534), None).expect("a directory of nobody");
            let said = run(&home.join("bin/supervisord"), &["-n", "-s", "-c", "x.conf"], home.path());
            let started = home.read("log").contains("supervisord started with pid");
            plain(&format!("{:?} {} {started}", said.status, said.stderr), home.path())
        });
        assert!(story.starts_with(&format!("Some({status})")), "{story}");
    }
}
