//! The listeners that people run: those of superlance and supervisor-checks, with the configuration of their
//! documentation (but for a shorter TICK), do under ours what they do under the original.

use std::collections::BTreeSet;

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::http::exchange_tcp;
use crate::rig::maker::{Maker, reference_bin};
use crate::rig::plain::plain;
use crate::rig::port::free_port;
use crate::rig::smtp::MailServer;
use crate::rig::stage::same_story;
use crate::rig::wait::until_true;

/// Stands in for sendmail: appends the mail to the file that its first argument names.
const SENDMAIL: &str = "cat > $1.new; echo >> $1.new; echo . >> $1.new; cat $1.new >> $1\n";

/// Takes sixty megabytes when it is sent a line.
const GROWER: &str = "import sys\nsys.stdin.readline()\ngrown = b'x' * 60_000_000\nsys.stdin.readline()\n";

/// Answers 200 at a port, and 500 from when it was asked for `/break` until its end.
const WEB: &str = r#"
import http.server, socketserver, sys
broken = []
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/break":
            broken.append(True)
        self.send_response(500 if broken else 200)
        self.end_headers()
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
"#;

/// memmon restarts what has grown and leaves alone what has not; httpok and supervisor_http_check restart servers that
/// answer 500; memmon and httpok write a mail about it.
#[test]
fn memmon_httpok_and_a_check_restart_what_is_ill() {
    let story = same_story(|maker| {
        let ports = [free_port(), free_port()];
        let daemon = start(maker, &restarting(ports));
        daemon.wait("RUNNING", &["grower", "steady", "web", "probed", "memmon"]);
        let [steady, ill @ ..] =
            ["steady", "grower", "web", "probed"].map(|name| (name, daemon.pid_of(name)));
        make_ill(&daemon, ports);
        for (name, pid) in ill {
            until_true(&format!("another {name}"), || ![0, pid].contains(&daemon.pid_of(name)));
        }
        for port in ports {
            until_true("a server that is well", || ask(port, "/") == Some(200));
        }
        assert_eq!(daemon.pid_of(steady.0), steady.1, "{maker:?}: {}", daemon.log());
        daemon.wait_file("check.err", "Starting process probed");
        let mails = ["memmon", "httpok"].map(|name| first_mail(&daemon, name)).join("\n");
        let checked = spoken(&daemon.home.read("check.err"));
        format!("{mails}\n{checked}").replace(&ports[0].to_string(), "PORT")
    });
    let facts = [
        "process grower:grower restarted",
        "500 Internal Server Error",
        "web restarted",
        "Stopped process probed",
    ];
    for fact in facts {
        assert!(story.contains(fact), "{fact}: {story}");
    }
}

/// One grows, two servers break; only then the listeners that look at the servers are started.
fn make_ill(daemon: &Daemon, ports: [u16; 2]) {
    daemon.call("supervisor.sendProcessStdin", &[Text("grower"), Text("grow\n")]);
    for port in ports {
        until_true("a server that answers", || ask(port, "/") == Some(200));
        assert_eq!(ask(port, "/break"), Some(500));
    }
    for name in ["httpok", "check"] {
        daemon.call("supervisor.startProcess", &[Text(name), Bool(false)]);
    }
}

fn restarting(ports: [u16; 2]) -> String {
    let [web, probed] = ports;
    format!(
        "{}{}{}\
         [program:grower]\ncommand=python3 %(here)s/grow.py\n[program:steady]\ncommand=python3 %(here)s/grow.py\n\
         [program:web]\ncommand=python3 %(here)s/web.py {web}\n[program:probed]\ncommand=python3 %(here)s/web.py {probed}\n",
        section("memmon", "memmon -p grower=30MB -p steady=30MB MAIL", "events=TICK_5"),
        section(
            "httpok",
            &format!("httpok -p web MAIL http://127.0.0.1:{web}/tasty/service"),
            "events=TICK_5\nautostart=false"
        ),
        section(
            "check",
            &format!("supervisor_http_check -g probed -n probed_check -u /ping -t 30 -r 3 -p {probed}"),
            "events=TICK_5\nautostart=false"
        ),
    )
}

/// crashmail writes one mail, about the exit that nobody expected; fatalmailbatch tells in one what has become FATAL.
#[test]
fn crashmail_and_fatalmailbatch_tell_of_the_dead() {
    let story = same_story(|maker| {
        let server = MailServer::start();
        let daemon = start(maker, &telling(&server.address()));
        daemon.wait("RUNNING", &["crashmail", "fatalmailbatch"]);
        for name in ["ends", "crashes"] {
            daemon.call("supervisor.startProcess", &[Text(name), Bool(true)]);
            daemon.wait("EXITED", &[name]);
        }
        let crash = first_mail(&daemon, "crashmail");
        assert_eq!(daemon.home.read("crashmail.mails").matches("Subject:").count(), 1);
        let batch = batch(&server, 2);
        plain(&format!("{crash}\n{batch}"), daemon.home.path())
    });
    assert!(story.contains("Process doomed:doomed_1 failed to start too many times"), "{story}");
}

fn telling(server: &str) -> String {
    let alerts = format!(
        "fatalmailbatch --toEmail=you@bar.com --fromEmail=me@bar.com --smtpHost={server} -e TICK_5 -i 0.01"
    );
    format!(
        "{}{}\
         [program:ends]\ncommand=/bin/sh -c 'exit 0'\nstartsecs=0\nautostart=false\nautorestart=false\n\
         [program:crashes]\ncommand=/bin/sh -c 'exit 3'\nstartsecs=0\nautostart=false\nautorestart=false\n\
         [program:doomed]\ncommand=/bin/sh -c 'exit 1'\nstartretries=0\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)s\n",
        section("crashmail", "crashmail -o hostname -a MAIL", "events=PROCESS_STATE\nbuffer_size=50"),
        section("fatalmailbatch", &alerts, "events=PROCESS_STATE,TICK_5\nbuffer_size=50"),
    )
}

/// A listener whose mails go to `NAME.mails`.
fn section(name: &str, command: &str, more: &str) -> String {
    let mail = format!("-m admin@example.com -s 'sh %(here)s/sendmail %(here)s/{name}.mails'");
    let command = reference_bin().join(command.replace("MAIL", &mail));
    format!(
        "[eventlistener:{name}]\ncommand={}\nstderr_logfile=%(here)s/{name}.err\n{more}\n",
        command.display()
    )
}

fn start(maker: Maker, config: &str) -> Daemon {
    let home = Home::new();
    for (name, text) in [("sendmail", SENDMAIL), ("grow.py", GROWER), ("web.py", WEB)] {
        home.write(name, text);
    }
    Daemon::start_in(home, maker, config)
}

/// The status of an answer to GET, if there is one.
fn ask(port: u16, path: &str) -> Option<u16> {
    Some(exchange_tcp(port, &format!("GET {path} HTTP/1.0\r\n\r\n")).ok()?.status)
}

/// The first mail that a listener sent with [`SENDMAIL`], without what may differ.
fn first_mail(daemon: &Daemon, listener: &str) -> String {
    let file = format!("{listener}.mails");
    daemon.wait_file(&file, "\n.\n");
    let mails = daemon.home.read(&file);
    let mail = mails.split("\n.\n").next().unwrap_or_default();
    let varies = |line: &&str| !line.starts_with("memmon.py restarted the process");
    mail.lines().filter(varies).collect::<Vec<_>>().join("\n")
}

/// What supervisor-checks said of the first restart, without times and addresses.
fn spoken(log: &str) -> String {
    let line = |line: &str| line.split_once("] ").map(|(_, said)| said.to_owned());
    let about = |said: &String| said.contains("process probed") && !said.contains("http://");
    let mut said: Vec<String> = log.lines().filter_map(line).filter(about).collect();
    let end = said.iter().position(|said| said.starts_with("Starting ")).map_or(0, |at| at + 1);
    said.truncate(end);
    said.join("\n")
}

/// Takes mails until so many processes have been told of: a TICK may come between two of them.
fn batch(server: &MailServer, processes: usize) -> String {
    let mut heads = BTreeSet::new();
    let mut told = BTreeSet::new();
    while told.len() < processes {
        let mail = server.receive();
        let (head, text) = mail.split_once("\n\n").expect("headers and a text");
        let stays = |line: &&str| ["Subject:", "From:", "To:"].iter().any(|name| line.starts_with(name));
        heads.extend(head.lines().filter(stays).map(str::to_owned));
        told.extend(text.lines().filter(|line| !line.is_empty()).map(untimed));
    }
    format!("{heads:#?}\n{told:#?}")
}

/// What stands after the time.
fn untimed(line: &str) -> String {
    line.split_once(" -- ").map_or(line, |(_, told)| told).to_owned()
}
