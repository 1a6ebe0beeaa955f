//! Every fault of the API, by the calls that lead to it.

use crate::rig::http::Arg::{self, Bool, Int, Text};
use crate::rig::http::post;
use crate::rig::stage::compare;

const CONFIG: &str = "\
[program:cat]
command=/bin/cat
[program:quiet]
command=/bin/cat
stdout_logfile=NONE
stderr_logfile=NONE
[program:idle]
command=/bin/cat
autostart=false
[program:missing]
command=/no/such/program
autostart=false
[program:nameless]
command=no-such-program-anywhere
autostart=false
[program:plain]
command=/etc/passwd
autostart=false
[program:folder]
command=/etc
autostart=false
[program:unquoted]
command=/bin/cat 'a
autostart=false
[program:empty]
command=''
autostart=false
[program:hasty]
command=/bin/sh -c 'exit 1'
autostart=false
startretries=0
[program:stubborn]
command=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'
stopwaitsecs=2
stopasgroup=true
";

const CAT: &str = "[program:cat]\ncommand=/bin/cat\n";

/// (what it covers, method, arguments), played in this order.
const CALLS: &[(&str, &str, &[Arg<'_>])] = &[
    ("RPC-040, RPC-012", "supervisor.noSuchMethod", &[]),
    ("RPC-012: one part", "getState", &[]),
    ("RPC-012: three parts", "supervisor.getState.x", &[]),
    ("RPC-012: private", "supervisor._update", &[]),
    ("RPC-012: an attribute", "supervisor.supervisord", &[]),
    ("RPC-012: another namespace", "nobody.getState", &[]),
    ("RPC-011: blanks", " supervisor.getState ", &[]),
    ("RPC-041, RPC-014: too many", "supervisor.getState", &[Int(1)]),
    ("RPC-014: too few", "supervisor.startProcess", &[]),
    ("RPC-061", "system.methodHelp", &[Text("no.such")]),
    ("RPC-062", "system.methodSignature", &[Text("no.such")]),
    ("RPC-062: all of them are listed", "system.methodSignature", &[Text("supervisor.startProcess")]),
    ("RPC-062", "system.methodSignature", &[Text("supervisor.tailProcessStdoutLog")]),
    ("RPC-045, RPC-081", "supervisor.getProcessInfo", &[Text("nobody")]),
    ("RPC-081: group form", "supervisor.getProcessInfo", &[Text("cat:*")]),
    ("RPC-081: unknown member", "supervisor.getProcessInfo", &[Text("cat:dog")]),
    ("RPC-081: empty", "supervisor.getProcessInfo", &[Text("")]),
    ("RPC-110: unknown", "supervisor.startProcess", &[Text("nobody")]),
    ("RPC-113: unknown group", "supervisor.startProcessGroup", &[Text("nobody")]),
    ("RPC-047, RPC-110, PROC-040", "supervisor.startProcess", &[Text("missing")]),
    ("PROC-040: not on the path", "supervisor.startProcess", &[Text("nameless")]),
    ("RPC-048, PROC-042", "supervisor.startProcess", &[Text("plain")]),
    ("PROC-041", "supervisor.startProcess", &[Text("folder")]),
    ("PROC-040: an empty name", "supervisor.startProcess", &[Text("empty")]),
    ("PROC-047", "supervisor.startProcess", &[Text("unquoted")]),
    ("PROC-052: the state is untouched", "supervisor.getProcessInfo", &[Text("missing")]),
    ("RPC-052", "supervisor.startProcess", &[Text("cat")]),
    ("RPC-113: nothing to start", "supervisor.startProcessGroup", &[Text("cat")]),
    ("RPC-051, RPC-111", "supervisor.startProcess", &[Text("hasty")]),
    ("RPC-116: unknown", "supervisor.stopProcess", &[Text("nobody")]),
    ("RPC-053", "supervisor.stopProcess", &[Text("idle")]),
    ("RPC-118: unknown group", "supervisor.stopProcessGroup", &[Text("nobody")]),
    ("RPC-118: nothing to stop", "supervisor.stopProcessGroup", &[Text("idle")]),
    ("RPC-119: unknown", "supervisor.signalProcess", &[Text("nobody"), Text("HUP")]),
    ("RPC-046", "supervisor.signalProcess", &[Text("cat"), Text("NOSUCH")]),
    ("RPC-119: name before signal", "supervisor.signalProcess", &[Text("nobody"), Text("NOSUCH")]),
    ("RPC-119: signal before state", "supervisor.signalProcess", &[Text("idle"), Text("NOSUCH")]),
    ("RPC-119: not running", "supervisor.signalProcess", &[Text("idle"), Text("HUP")]),
    ("RPC-119: by number", "supervisor.signalProcess", &[Text("cat"), Text("18")]),
    ("RPC-120: group", "supervisor.signalProcessGroup", &[Text("cat"), Text("CONT")]),
    ("RPC-120: bad signal", "supervisor.signalProcessGroup", &[Text("cat"), Text("NOSUCH")]),
    ("RPC-119: a whole group", "supervisor.signalProcess", &[Text("cat:*"), Text("CONT")]),
    ("RPC-145: no log", "supervisor.readProcessStdoutLog", &[Text("quiet"), Int(0), Int(0)]),
    ("RPC-145: no stderr log", "supervisor.readProcessStderrLog", &[Text("quiet"), Int(0), Int(0)]),
    ("RPC-144, RPC-042", "supervisor.readProcessStdoutLog", &[Text("cat"), Int(-1), Int(1)]),
    ("RPC-144", "supervisor.readProcessStdoutLog", &[Text("cat"), Int(0), Int(-1)]),
    ("RPC-141: empty", "supervisor.readProcessLog", &[Text("cat"), Int(0), Int(0)]),
    ("RPC-145: unknown", "supervisor.readProcessLog", &[Text("nobody"), Int(0), Int(0)]),
    ("RPC-155", "supervisor.tailProcessStdoutLog", &[Text("quiet"), Int(0), Int(10)]),
    ("RPC-150: unknown", "supervisor.tailProcessLog", &[Text("nobody"), Int(0), Int(10)]),
    ("RPC-157", "supervisor.clearProcessLogs", &[Text("cat")]),
    ("RPC-157: unknown", "supervisor.clearProcessLogs", &[Text("nobody")]),
    ("RPC-157: group form", "supervisor.clearProcessLogs", &[Text("cat:*")]),
    ("RPC-144: the daemon's log", "supervisor.readLog", &[Int(-1), Int(1)]),
    ("RPC-160: unknown", "supervisor.sendProcessStdin", &[Text("nobody"), Text("x")]),
    ("RPC-160: not running", "supervisor.sendProcessStdin", &[Text("idle"), Text("x")]),
    ("RPC-160: not a string", "supervisor.sendProcessStdin", &[Text("cat"), Int(1)]),
    ("RPC-160", "supervisor.sendProcessStdin", &[Text("cat"), Text("hello & <bye>\n")]),
    ("RPC-162", "supervisor.sendRemoteCommEvent", &[Text("type"), Text("data")]),
    ("RPC-055, RPC-132", "supervisor.addProcessGroup", &[Text("cat")]),
    ("RPC-132: unknown", "supervisor.addProcessGroup", &[Text("nobody")]),
    ("RPC-056, RPC-133", "supervisor.removeProcessGroup", &[Text("cat")]),
    ("RPC-133: unknown", "supervisor.removeProcessGroup", &[Text("nobody")]),
    ("RPC-133", "supervisor.removeProcessGroup", &[Text("idle")]),
    ("RPC-133: gone", "supervisor.getProcessInfo", &[Text("idle")]),
    ("RPC-132: back", "supervisor.addProcessGroup", &[Text("idle")]),
    ("RPC-130: nothing new", "supervisor.reloadConfig", &[]),
    ("RPC-101: a group", "supervisor.startProcess", &[Text("idle:*"), Bool(true)]),
    ("RPC-117: a group", "supervisor.stopProcess", &[Text("idle:*"), Bool(true)]),
    ("RPC-122", "supervisor.stopProcess", &[Text("stubborn"), Bool(false)]),
    ("RPC-116: stopping already", "supervisor.stopProcess", &[Text("stubborn")]),
    ("PROC-031: start while stopping", "supervisor.startProcess", &[Text("stubborn")]),
    ("RPC-114", "supervisor.startAllProcesses", &[Int(1), Int(2)]),
];

/// RPC-040…043, RPC-045…048, RPC-051…056: each fault's code and text, and what the same calls answer when they succeed. RPC-092: FATAL
/// tells why. PROC-314: a start while stopping is logged.
#[test]
fn rpc_040_every_fault() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat", "quiet", "stubborn"]);
        for (covers, method, args) in CALLS {
            let answer = stage.daemon.call(method, args);
            stage.note(&format!("{covers}: {method} {args:?}"), &answer);
        }
        stage.daemon.wait("FATAL", &["hasty"]);
        stage.call("supervisor.getProcessInfo", &[Text("hasty")]);
        let log = stage.daemon.log();
        let again: Vec<&str> = log.lines().filter(|line| line.contains("already running")).collect();
        stage.note("PROC-314", &again.join("\n"));
    });
}

/// RPC-050, RPC-111: a process that is stopped while somebody waits for its start.
#[test]
fn rpc_111_abnormal_termination() {
    compare("[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=30\n", |stage| {
        let answer = std::thread::scope(|scope| {
            let daemon = &stage.daemon;
            let waiting = scope.spawn(|| daemon.call("supervisor.startProcess", &[Text("slow")]));
            daemon.wait("STARTING", &["slow"]);
            daemon.call("supervisor.stopProcess", &[Text("slow")]);
            waiting.join().expect("the waiting call")
        });
        stage.note("start, stopped meanwhile", &answer);
        stage.call("supervisor.getProcessInfo", &[Text("slow")]);
    });
}

/// RPC-057, CFG-421: a configuration that cannot be read changes nothing.
#[test]
fn rpc_057_cannot_reread() {
    compare(CAT, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        let config = stage.daemon.home.read("supervisord.conf");
        for broken in ["[program:new]\n", "[program:new]\ncommand=x\nstartsecs=soon\n", "nonsense\n"] {
            stage.daemon.home.write("supervisord.conf", &format!("{config}{broken}"));
            let answer = stage.daemon.call("supervisor.reloadConfig", &[]);
            stage.note(broken, first_line_of_fault(&answer));
        }
        stage.daemon.home.write("supervisord.conf", &config);
        stage.call("supervisor.reloadConfig", &[]);
        stage.note("still running", &format!("{:?}", stage.daemon.state("cat")));
    });
}

/// The reference's text ends with its first line; ours goes on with the place and a hint.
fn first_line_of_fault(answer: &str) -> &str {
    answer.split("\n  --&gt;").next().unwrap_or(answer).split("</string>").next().unwrap_or(answer)
}

/// RPC-044, RPC-013, PROC-242: during a shutdown only system.* and sendRemoteCommEvent are answered.
#[test]
fn rpc_044_shutdown_state() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["stubborn"]);
        stage.call("supervisor.shutdown", &[]);
        stage.daemon.wait_log("waiting for");
        let methods = ["supervisor.getState", "supervisor.getAllProcessInfo", "supervisor.shutdown"];
        methods.iter().for_each(|method| stage.call(method, &[]));
        stage.call("supervisor.sendRemoteCommEvent", &[Text("a"), Text("b")]);
        stage.call("system.methodSignature", &[Text("supervisor.shutdown")]);
        stage.note_end();
    });
}

/// RPC-008, RPC-009: what is no call at all.
#[test]
fn rpc_008_not_a_call() {
    compare(CAT, |stage| {
        for body in ["<nonsense", "<?xml version='1.0'?><methodCall><params></params></methodCall>"] {
            let answer = post(&stage.daemon.socket(), body).expect("an answer");
            stage.note(body, &format!("{} {}", answer.status, answer.body));
        }
        let log = stage.daemon.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("is invalid:")).collect();
        stage.note("log", &lines.join("\n"));
    });
}

/// RPC-063…065: several calls in one; the results are bare values (D-66).
#[test]
fn rpc_063_multicall() {
    let call = |method: &str, params: &str| {
        format!(
            "<value><struct><member><name>methodName</name><value>{method}</value></member>\
             <member><name>params</name><value><array><data>{params}</data></array></value></member></struct></value>"
        )
    };
    let calls = [
        call("supervisor.getIdentification", ""),
        call("supervisor.getProcessInfo", "<value>nobody</value>"),
        call("supervisor.stopProcess", "<value>cat</value>"),
        call("supervisor.startProcess", "<value>cat</value>"),
        call("system.multicall", ""),
        "<value><struct><member><name>params</name><value><array><data></data></array></value></member></struct></value>"
            .to_owned(),
    ];
    let body = format!(
        "<?xml version='1.0'?><methodCall><methodName>system.multicall</methodName><params><param><value><array>\
         <data>{}</data></array></value></param></params></methodCall>",
        calls.concat()
    );
    compare(CAT, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        let answer = post(&stage.daemon.socket(), &body).expect("an answer");
        stage.note("multicall", &format!("{} {}", answer.status, answer.body));
    });
}
