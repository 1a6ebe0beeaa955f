//! What a reread calls added, changed and removed.

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::stage::compare;
use crate::rig::wait::until_true;

/// A group of every kind, and nothing that starts.
const BASE: &str = "\
[program:plain]
command=/bin/cat
autostart=false
[program:logged]
command=/bin/cat
autostart=false
stdout_logfile=%(here)s/logged.out
stderr_logfile=NONE
[program:many]
command=/bin/cat
autostart=false
process_name=%(process_num)d
numprocs=2
[program:a]
command=/bin/cat
autostart=false
[program:b]
command=/bin/cat
autostart=false
[group:team]
programs=a,b
[eventlistener:ears]
command=/bin/cat
autostart=false
events=TICK_5
[fcgi-program:fast]
command=/bin/cat
autostart=false
socket=unix://%(here)s/fast
";

/// A section, and what is written at its end.
const CHANGES: &[(&str, &str)] = &[
    ("program:plain", "command=/bin/cat -u"),
    ("program:plain", "command=/bin/cat "),
    ("program:plain", "priority=5"),
    ("program:plain", "priority=999"),
    ("program:plain", "autostart=true"),
    ("program:plain", "autorestart=true"),
    ("program:plain", "startsecs=2"),
    ("program:plain", "startretries=4"),
    ("program:plain", "exitcodes=0,1"),
    ("program:plain", "stopsignal=INT"),
    ("program:plain", "stopsignal=15"),
    ("program:plain", "stopwaitsecs=11"),
    ("program:plain", "stopasgroup=true"),
    ("program:plain", "killasgroup=true"),
    ("program:plain", "user=root"),
    ("program:plain", "umask=022"),
    ("program:plain", "directory=/"),
    ("program:plain", "redirect_stderr=true"),
    ("program:plain", "environment=A=1"),
    ("program:plain", "serverurl=http://x:1"),
    ("program:plain", "serverurl=AUTO"),
    ("program:plain", "stdout_logfile=%(here)s/x"),
    ("program:plain", "stdout_logfile=NONE"),
    ("program:plain", "stdout_logfile=AUTO"),
    ("program:plain", "stdout_logfile_maxbytes=1MB"),
    ("program:plain", "stdout_logfile_backups=1"),
    ("program:plain", "stdout_capture_maxbytes=1MB"),
    ("program:plain", "stdout_events_enabled=true"),
    ("program:plain", "stdout_syslog=true"),
    ("program:plain", "stderr_logfile_maxbytes=1MB"),
    ("program:plain", "stderr_events_enabled=true"),
    ("program:plain", "process_name=other"),
    ("program:plain", "numprocs=0"),
    ("program:plain", "unknown=key"),
    ("program:logged", "stdout_logfile=%(here)s/other.out"),
    ("program:logged", "stdout_logfile=AUTO"),
    ("program:logged", "stdout_logfile=NONE"),
    ("program:logged", "stderr_logfile=AUTO"),
    ("program:logged", "stderr_logfile=%(here)s/logged.err"),
    ("program:many", "numprocs=3"),
    ("program:many", "numprocs=1"),
    ("program:many", "numprocs_start=1"),
    ("program:a", "startsecs=5"),
    ("program:a", "priority=5"),
    ("group:team", "priority=5"),
    ("group:team", "programs=b,a"),
    ("group:team", "programs=a"),
    ("eventlistener:ears", "events=TICK_60"),
    ("eventlistener:ears", "events=TICK_5,TICK_5"),
    ("eventlistener:ears", "events=TICK_5,TICK"),
    ("eventlistener:ears", "buffer_size=11"),
    ("eventlistener:ears", "priority=5"),
    ("eventlistener:ears", "command=/bin/cat -u"),
    ("eventlistener:ears", "stdout_capture_maxbytes=5"),
    ("fcgi-program:fast", "socket=unix://%(here)s/slow"),
    ("fcgi-program:fast", "socket=tcp://localhost:9"),
    ("fcgi-program:fast", "socket_mode=0777"),
    ("fcgi-program:fast", "socket_owner=nobody"),
    ("fcgi-program:fast", "socket_backlog=7"),
    ("fcgi-program:fast", "priority=5"),
    ("fcgi-program:fast", "user=nobody"),
    ("supervisord", "environment=A=1"),
    ("supervisord", "umask=077"),
    ("supervisord", "identifier=other"),
    ("program:new", "command=/bin/cat"),
    ("group:new", "programs=plain"),
    ("group:new", "programs=a"),
];

/// The base with one line more: a key that is written again wins.
fn changed((section, line): (&str, &str)) -> String {
    format!("{HEAD}{BASE}[{section}]\n{line}\n")
}

/// CFG-422, CFG-423, CFG-420, RPC-130, RPC-131: one change at a time, and what a reread calls it.
#[test]
fn cfg_422_what_is_a_change() {
    compare(BASE, |stage| {
        for change in CHANGES {
            stage.daemon.home.write("supervisord.conf", &changed(*change));
            let answer = stage.daemon.call("supervisor.reloadConfig", &[]);
            let names = answer.lines().filter(|line| line.contains("<string>") || line.contains("data>"));
            stage.note(&format!("{change:?}"), &names.collect::<Vec<_>>().join(" "));
        }
    });
}

/// CFG-422, D-37: an AUTO log that gets a name is a change, and the process goes on into it.
#[test]
fn cfg_422_an_auto_log_gets_a_name() {
    let program = "[program:echo]\ncommand=/bin/cat\n";
    let daemon = Daemon::start(Maker::Upkeep, program);
    daemon.wait("RUNNING", &["echo"]);
    let pid = daemon.pid_of("echo");
    let named = format!("{HEAD}{program}stdout_logfile=%(here)s/named\n");
    daemon.home.write("supervisord.conf", &named);
    let said = daemon.ctl(&["update"]);
    assert_eq!(said.stdout, "echo: updated process group\n", "{said:?}");
    // The answer does not wait for a disk: what is written meanwhile may still go into the old file.
    until_true("output in the new log", || {
        daemon.call("supervisor.sendProcessStdin", &[Text("echo"), Text("hello\n")]);
        daemon.home.read("named").contains("hello\n")
    });
    assert_eq!(daemon.pid_of("echo"), pid);
}

/// CTL-099, CTL-104: with `strict_update = true` an update says and does what the original's does, whatever changed.
#[test]
fn ctl_104_strict_updates() {
    let strict = |config: &str| config.replace("[supervisord]\n", "[supervisord]\nstrict_update=true\n");
    compare(&format!("[supervisord]\nstrict_update=true\n{BASE}"), |stage| {
        // Every change is made on the one before, so each undoes that one too.
        for change in CHANGES.iter().step_by(5) {
            stage.daemon.home.write("supervisord.conf", &strict(&changed(*change)));
            stage.note(&format!("{change:?}"), "");
            stage.ctl(&["update"]);
        }
        stage.ctl(&["status"]);
    });
}
