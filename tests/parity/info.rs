//! What the API tells of processes and their configuration.

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::http::Arg;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::stage::compare;
use crate::rig::wait::until_true;

/// One process in each state, and a bit of every kind of option.
const MIXED: &str = "\
[program:cat]
command=/bin/cat
priority=5
stdout_logfile=%(here)s/cat.log
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=3
stderr_logfile=NONE
environment=A=\"1\",B=\"%(here)s\"
stopsignal=INT
stopwaitsecs=3
umask=027
[program:pair]
command=/bin/sh -c 'exec sleep 600'
process_name=%(program_name)s_%(process_num)02d
numprocs=2
numprocs_start=3
redirect_stderr=true
directory=/
stopasgroup=true
exitcodes=0,2
[program:idle]
command=/bin/true
autostart=false
startretries=7
startsecs=9
[program:starting]
command=/bin/cat
autostart=false
startsecs=99
[program:ended]
command=/bin/sh -c 'exit 3'
startsecs=0
autorestart=false
[program:missing]
command=/no/such/program
startretries=0
[program:broken]
command=/bin/sh -c 'exit 1'
startretries=0
[program:in_a]
command=/bin/cat
stdout_capture_maxbytes=2KB
stdout_events_enabled=true
serverurl=http://example.invalid:1
[program:in_b]
command=/bin/cat
[group:team]
programs=in_b,in_a
priority=3
[eventlistener:ears]
command=/bin/cat
events=TICK_3600
buffer_size=4
";

const SETTLED: [(&str, &[&str]); 4] = [
    ("RUNNING", &["cat", "pair:pair_03", "pair:pair_04", "team:in_a", "team:in_b", "ears"]),
    ("STOPPED", &["idle", "starting"]),
    ("EXITED", &["ended"]),
    ("FATAL", &["missing", "broken"]),
];

/// RPC-082…094, RPC-083: order, every key, descriptions; PROC-038.
#[test]
fn rpc_083_all_process_info() {
    compare(MIXED, |stage| {
        SETTLED.iter().for_each(|(state, names)| stage.daemon.wait(state, names));
        stage.call("supervisor.getAllProcessInfo", &[]);
        for name in ["cat", "pair:pair_04", "team:in_a", "idle"] {
            stage.call("supervisor.getProcessInfo", &[Arg::Text(name)]);
        }
        // What is told changes with the processes, also within a second.
        stage.call("supervisor.stopProcess", &[Arg::Text("cat")]);
        stage.call("supervisor.getAllProcessInfo", &[]);
        stage.call("supervisor.startProcess", &[Arg::Text("starting"), Arg::Bool(false)]);
        stage.call("supervisor.getAllProcessInfo", &[]);
        for name in ["cat", "starting"] {
            stage.call("supervisor.getProcessInfo", &[Arg::Text(name)]);
        }
    });
}

/// RPC-134…137: the configuration of every process, sorted by name. D-68: with autorestart, as Supervisor 4.4 will have it.
#[test]
fn rpc_134_all_config_info() {
    compare(MIXED, |stage| {
        let info = stage.daemon.call("supervisor.getAllConfigInfo", &[]);
        let later = info.contains("<name>autorestart</name>");
        assert_eq!(later, stage.daemon.maker == Maker::Upkeep);
        stage.note("getAllConfigInfo", &without_later_keys(&info));
    });
}

/// Supervisor 4.4 adds `autorestart` to each struct, and so do we (D-68).
fn without_later_keys(xml: &str) -> String {
    let parts: Vec<&str> = xml.split("<member>\n").collect();
    let kept: Vec<&str> =
        parts.into_iter().filter(|part| !part.starts_with("<name>autorestart</name>")).collect();
    kept.join("<member>\n")
}

/// RPC-060, RPC-070…074, D-65: the list of methods, versions, identification, state. RPC-075, RPC-076: restart and shutdown
/// answer at once, then do it. PROC-235: what would end others does nothing.
#[test]
fn rpc_060_about_the_daemon() {
    compare("", |stage| {
        let methods = [
            "system.listMethods",
            "supervisor.getAPIVersion",
            "supervisor.getVersion",
            "supervisor.getSupervisorVersion",
            "supervisor.getIdentification",
            "supervisor.getState",
            "supervisor.getAllProcessInfo",
        ];
        methods.iter().for_each(|method| stage.call(method, &[]));
        let pid = stage.daemon.call("supervisor.getPID", &[]);
        let right = pid.contains(&format!("<int>{}</int>", stage.daemon.pid()));
        stage.note("getPID is the pid in the pid file", &right.to_string());
        for pid in [Some(stage.daemon.pid()), procfs::brain(stage.daemon.pid())].into_iter().flatten() {
            [Signal::PIPE, Signal::XFSZ].into_iter().for_each(|signal| procfs::signal(pid, signal));
        }
        stage.call("supervisor.getState", &[]);
        stage.call("supervisor.restart", &[]);
        until_true("the second start", || stage.daemon.log().matches("started with pid").count() == 2);
        until_true("an answer", || stage.daemon.try_call("supervisor.getState", &[]).is_some());
        stage.call("supervisor.shutdown", &[]);
        stage.note_end();
        stage.note_log(&[]);
    });
}

/// CFG-251: the standard methods are published under every name that asks for them, and the log says so (CFG-256).
#[test]
fn cfg_251_another_namespace() {
    let other = "[rpcinterface:other]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    compare(other, |stage| {
        stage.call("other.getState", &[]);
        stage.call("other.getProcessInfo", &[Arg::Text("nobody")]);
        stage.call("system.listMethods", &[]);
        stage.call("system.methodSignature", &[Arg::Text("other.startProcess")]);
        stage.note_log(&[]);
    });
}

/// Whoever asks several times in a second is given what was written before, and never what is not true any more.
#[test]
fn what_is_told_again_is_true() {
    let config = "\
[program:many]
command=/bin/sleep 6000
process_name=%(process_num)02d
numprocs=70
startsecs=0
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    let running = || {
        let info = daemon.call("supervisor.getAllProcessInfo", &[]);
        info.matches("<string>RUNNING</string>").count()
    };
    until_true("all to run", || running() == 70);
    for stopped in 0..20 {
        assert_eq!([running(), running(), running()], [70 - stopped; 3]);
        let name = format!("many:{stopped:02}");
        daemon.call("supervisor.stopProcess", &[Arg::Text(&name), Arg::Bool(true)]);
    }
}
