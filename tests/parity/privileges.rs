//! A daemon that gives up the rights it was started with, and what its processes may then do.

use std::os::unix::fs::{PermissionsExt, chown};

use crate::rig::daemon::{Daemon, member};
use rustix::process::Signal;

use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::http::{call_xml, exchange, exchange_tcp, free_port, post_request};
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::procfs;
use crate::rig::stage::same_story;

/// `nobody` of every system.
const NOBODY: u32 = 65534;

/// A user that is not root, a limit to raise, files to include, logs to clean up, open servers: all that is told at a start.
const CONFIG: &str = "\
[supervisord]
user=nobody
minfds=700
[include]
files=%(here)s/no*thing.ini %(here)s/extra.ini
[inet_http_server]
port=127.0.0.1:PORT
[program:same]
command=/bin/cat
user=nobody
[program:another]
command=/bin/cat
user=root
startretries=0
stderr_logfile=%(here)s/another.err
[program:untouchable]
command=%(here)s/perl -e '$< = 0; $> = 0; $| = 1; print q(up); sleep 600'
autostart=false
autorestart=false
startsecs=0
stdout_logfile=%(here)s/untouchable
[program:forbidden]
command=%(here)s/secret
autostart=false
[program:limit]
command=/bin/sh -c 'prlimit --pid $PPID --nproc=1:1'
autostart=false
autorestart=false
startsecs=0
[program:late]
command=/bin/cat
autostart=false
";

/// A directory that belongs to nobody, with a program that does not.
fn home() -> Home {
    let home = Home::new();
    home.write("extra.ini", "");
    // What Python imports late it may not find any more when its own files belong to root.
    home.write("sitecustomize.py", "import encodings.idna\n");
    home.write("secret", "#!/bin/sh\n");
    std::fs::set_permissions(home.join("secret"), PermissionsExt::from_mode(0o700)).expect("a mode");
    // A program that makes itself root, whom its starter may not signal any more.
    std::fs::copy("/usr/bin/perl", home.join("perl")).expect("a copy");
    std::fs::set_permissions(home.join("perl"), PermissionsExt::from_mode(0o4755)).expect("a mode");
    // A directory by the name of a log cannot be removed as one.
    home.write("old-stdout---supervisor-abcdefgh.log/file", "");
    chown(home.path(), Some(NOBODY), None).expect("an owner");
    home
}

/// The lines of /proc/PID/status about user and groups.
fn identity(pid: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let lines =
        status.lines().filter(|line| ["Uid:", "Gid:", "Groups:"].iter().any(|key| line.starts_with(key)));
    lines.collect::<Vec<_>>().join("\n")
}

fn spawnerr(daemon: &Daemon, name: &str) -> String {
    let answer = daemon.call("supervisor.startProcess", &[Text(name)]);
    let info = daemon.call("supervisor.getProcessInfo", &[Text(name)]);
    format!("{:?} {:?}", member(&answer, "faultString"), member(&info, "spawnerr"))
}

/// A process that may not be signalled, and what can be done with it then.
fn unknown(daemon: &Daemon) -> String {
    daemon.call("supervisor.startProcess", &[Text("untouchable")]);
    daemon.wait_file("untouchable", "up");
    let pid = daemon.pid_of("untouchable");
    let mut story = Vec::new();
    let fault = |answer: &str| {
        let text = member(answer, "faultString")?.replace(&pid.to_string(), "PID");
        Some(format!("{} {text}", member(answer, "faultCode")?))
    };
    for (method, args) in [
        ("stopProcess", &[Text("untouchable")][..]),
        ("stopProcess", &[Text("untouchable")]),
        ("signalProcess", &[Text("untouchable"), Text("HUP")]),
        ("startProcess", &[Text("untouchable")]),
    ] {
        let said = fault(&daemon.call(&format!("supervisor.{method}"), args)).expect("a fault");
        // The original goes on with a traceback, ours with what the system said.
        story.push(format!("{method}: {}", said.split("(PID):").next().unwrap_or_default()));
        story.push(format!("{:?}", daemon.state("untouchable")));
    }
    if daemon.maker == Maker::Upkeep {
        procfs::signal(pid, Signal::KILL);
        daemon.wait("EXITED", &["untouchable"]);
    }
    story.join("\n")
}

/// PROC-200, PROC-173, PROC-207…210, PROC-319, CFG-070, CFG-071, CFG-080, CFG-083: what is logged at a start, in its order.
/// PROC-043, PROC-048, PROC-060, PROC-069: processes of a daemon that is not root.
/// PROC-028, PROC-029, PROC-317, RPC-049: one that may not be signalled; D-07: which is over when it ends.
/// RPC-001, RPC-036: every server serves, and without a password everybody.
#[test]
fn proc_208_another_user() {
    same_story(|maker| {
        let port = free_port();
        let config = CONFIG.replace("PORT", &port.to_string());
        let daemon = Daemon::start_after("export PYTHONPATH=$PWD; ulimit -Sn 512", home(), maker, &config);
        daemon.wait("RUNNING", &["same"]);
        daemon.wait("FATAL", &["another"]);
        let mut story = vec![identity(daemon.pid()), identity(daemon.pid_of("same"))];
        let request = post_request(&call_xml("supervisor.getState", &[]));
        let answers = [exchange(&daemon.socket(), &request), exchange_tcp(port, &request)];
        story.extend(answers.map(|answer| answer.expect("an answer").body));
        let tail = "GET /logtail/nobody HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answers = [exchange(&daemon.socket(), tail), exchange_tcp(port, tail)];
        story.extend(answers.map(|answer| format!("{}", answer.expect("an answer").status)));
        story.push(daemon.home.read("another.err"));
        story.push(spawnerr(&daemon, "forbidden"));
        story.push(unknown(&daemon));
        daemon.call("supervisor.startProcess", &[Text("limit")]);
        daemon.wait("EXITED", &["limit"]);
        story.push(spawnerr(&daemon, "late"));
        let log = daemon.log();
        let start = log.lines().take_while(|line| !line.contains("spawned:"));
        story.push(start.collect::<Vec<_>>().join("\n"));
        plain(&story.join("\n"), daemon.home.path())
    });
}

/// The configuration is read before the rights are given up, and not again.
#[test]
fn a_configuration_may_be_for_root_alone() {
    for maker in [Maker::Reference, Maker::Upkeep] {
        let config = "[supervisord]\nuser=nobody\n[program:cat]\ncommand=/bin/cat\n";
        let daemon = Daemon::start_after("chmod 600 supervisord.conf", home(), maker, config);
        daemon.wait("RUNNING", &["cat"]);
        assert!(identity(daemon.pid()).contains("65534"), "{}", identity(daemon.pid()));
    }
}
