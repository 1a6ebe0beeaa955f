//! Health and readiness with real processes: each kind of check, each way to say something, and the death of whoever listens.

use std::os::unix::net::UnixDatagram;

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::maker::{Maker, reference_python};
use crate::rig::port::free_port;
use crate::rig::wait::{until, until_true};

/// An HTTP server that listens once there is a file `open`, and answers 500 while there is a file `sick`, which it removes at its start.
const SERVER: &str = r#"
import http.server, os, sys, time
if os.path.exists("sick"):
    os.remove("sick")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        well = self.path == "/health" and not os.path.exists("sick")
        self.send_response(200 if well else 500)
        self.end_headers()
        self.wfile.write(b"some text\n" * 2000)
while not os.path.exists("open"):
    time.sleep(0.02)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"#;

/// Does what it finds in a file `say`, datagram by datagram, and writes down where it sends it. Half of them a child of its own sends.
const SPEAKER: &str = r#"
import os, socket, time
name = os.environ["NOTIFY_SOCKET"]
with open("address", "w") as file:
    file.write(name + "\n")
def send(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.encode(), name)
done, by_child = 0, False
while True:
    time.sleep(0.02)
    if not os.path.exists("say"):
        continue
    with open("say") as file:
        said = file.read().split("\n\n")[:-1]
    for text in said[done:]:
        by_child = not by_child
        if by_child:
            pid = os.fork()
            if pid == 0:
                send(text)
                os._exit(0)
            os.waitpid(pid, 0)
        else:
            send(text)
    done = len(said)
"#;

const APP: &str = "[program:app]\ncommand=/bin/cat\ndepends_on=web:healthy\n";

fn python(script: &str) -> String {
    format!("command={} -u {script}", reference_python().display())
}

fn started(files: &[(&str, &str)], config: &str) -> Daemon {
    let home = Home::new();
    files.iter().for_each(|(name, text)| home.write(name, text));
    Daemon::start_in(home, Maker::Upkeep, config)
}

/// What `supervisorctl status` says of a process after its pid and uptime.
fn shown(daemon: &Daemon, name: &str) -> String {
    let said = daemon.ctl(&["status", name]).stdout;
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    words.split_once(", uptime ").map_or(words.as_str(), |(_, rest)| rest).to_owned()
}

fn wait_shown(daemon: &Daemon, name: &str, end: &str) {
    until(&format!("{name} to be shown as {end:?}"), || shown(daemon, name).ends_with(end).then_some(()));
}

#[test]
fn a_web_server_is_asked_and_its_dependants_wait_until_it_is_well() {
    let port = free_port();
    let web = format!(
        "[program:web]\n{} {port}\nhealth_check=http://127.0.0.1:{port}/health\nhealth_interval=0.1\n\
         health_failures=2\nhealth_successes=2\nautorestart=false\n",
        python("server.py")
    );
    let daemon = started(&[("server.py", SERVER)], &format!("{web}{APP}"));
    daemon.wait("RUNNING", &["web"]);
    let waits = "app STARTING waits for web to be healthy (it is RUNNING, not healthy yet)";
    until_true("app to wait", || shown(&daemon, "app") == waits);
    wait_shown(&daemon, "web", &format!(", not healthy yet (127.0.0.1:{port}: connection refused)"));
    daemon.home.write("open", "");
    daemon.wait("RUNNING", &["app"]);
    wait_shown(&daemon, "web", ", healthy");
    let (web, app) = (daemon.pid_of("web"), daemon.pid_of("app"));
    daemon.kill_brain();
    wait_shown(&daemon, "web", ", healthy");
    daemon.home.write("sick", "");
    until_true("it to be started again", || ![0, web].contains(&daemon.pid_of("web")));
    let line =
        format!("unhealthy: web (pid {web}): HTTP status 500; it is started again (health_action=restart)");
    daemon.wait_log(&line);
    wait_shown(&daemon, "web", ", healthy");
    assert_eq!(daemon.pid_of("app"), app, "it runs on");
}

/// More than are asked at once, by name: each has its turn, and none has to wait for the next round.
#[test]
fn many_that_are_asked_at_the_same_time_are_all_asked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // It ends with the process of this test.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let web = format!(
        "[program:web]\ncommand=/bin/cat\nnumprocs=150\nprocess_name=%(process_num)d\nstartsecs=0\nstdout_logfile=NONE\n\
         redirect_stderr=true\nhealth_check=tcp://localhost:{port}\nhealth_interval=1h\nhealth_timeout=20\n"
    );
    let daemon = started(&[], &format!("{web}{APP}"));
    daemon.wait("RUNNING", &["app"]);
}

#[test]
fn who_refuses_connections_is_restarted_within_its_limit_and_the_reason_is_shown() {
    let port = free_port();
    let web = format!(
        "[program:web]\ncommand=/bin/cat\nstartsecs=0\nhealth_check=tcp://127.0.0.1:{port}\nhealth_interval=0.1\n\
         health_start_period=0\nhealth_failures=2\nrestart_limit=1\nrestart_delay=0.1\n"
    );
    let daemon = started(&[], &web);
    daemon.wait("FATAL", &["web"]);
    let expected =
        format!("web FATAL Restarted 1 times in 60 s: Unhealthy: 127.0.0.1:{port}: connection refused");
    assert_eq!(shown(&daemon, "web"), expected);
    daemon.wait_log(&format!("health check of web failed: 127.0.0.1:{port}: connection refused (2 of 2)"));
}

#[test]
fn an_update_changes_how_a_process_is_looked_at_while_it_runs() {
    let port = free_port();
    let web = "[program:web]\ncommand=/bin/cat\n";
    let check = format!(
        "health_check=tcp://127.0.0.1:{port}\nhealth_interval=0.1\nhealth_start_period=0\nhealth_action=none\nready=notify\n"
    );
    let daemon = started(&[], web);
    daemon.wait("RUNNING", &["web"]);
    let pid = daemon.pid_of("web");
    let update = |text: &str| {
        let config = daemon.home.read("supervisord.conf");
        let (head, _) = config.split_once("[program:web]").expect("a program");
        daemon.home.write("supervisord.conf", &format!("{head}{text}"));
        assert_eq!(daemon.ctl(&["update"]).stdout, "web: updated process group\n");
    };
    update(&format!("{web}{check}"));
    wait_shown(&daemon, "web", &format!(", unhealthy (127.0.0.1:{port}: connection refused)"));
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    wait_shown(&daemon, "web", ", healthy");
    drop(listener);
    update(web);
    assert!(!shown(&daemon, "web").contains(','), "nothing is said of health");
    assert_eq!((daemon.state("web").as_deref(), daemon.pid_of("web")), (Some("RUNNING"), pid));
}

#[test]
fn words_are_heard_from_the_process_and_its_children_and_from_nobody_else() {
    let web = format!("[program:web]\n{}\nready=notify\n", python("speaker.py"));
    let mut daemon = started(&[("speaker.py", SPEAKER)], &format!("{web}{APP}"));
    daemon.wait("RUNNING", &["web"]);
    daemon.wait_file("address", "\n");
    let name = daemon.home.read("address");
    let stranger = UnixDatagram::unbound().expect("a socket");
    stranger.send_to(b"READY=1\nSTATUS=forged", name.trim()).expect("sent");
    daemon.wait_log(&format!("process {} does not belong to 'web'", std::process::id()));
    daemon.home.write("say", "STATUS=Warming up\nX=y\n\n");
    wait_shown(&daemon, "web", ", not ready yet; Warming up");
    assert_eq!(daemon.state("app").as_deref(), Some("STARTING"));
    daemon.kill_brain();
    daemon.home.write("say", "STATUS=Warming up\nX=y\n\nREADY=1\nSTATUS=Open\u{7}\n\n");
    daemon.wait("RUNNING", &["app"]);
    wait_shown(&daemon, "web", ", healthy; Open");
    daemon.kill_keeper();
    daemon.kill_brain();
    wait_shown(&daemon, "web", ", healthy; Open");
    daemon.home.write("say", "STATUS=Warming up\nX=y\n\nREADY=1\nSTATUS=Open\u{7}\n\nSTATUS=Still there\n\n");
    wait_shown(&daemon, "web", ", healthy; Still there");
}

/// Becomes another user, as a server that is started as root does, and says what the first argument is.
const DROPS: &str = r#"
import os, socket, sys, time
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    try:
        out.sendto(sys.argv[1].encode(), os.environ["NOTIFY_SOCKET"])
    except PermissionError:
        print("may not", flush=True)
while True:
    time.sleep(60)
"#;

/// Only root can start a program as itself that becomes another user.
#[test]
fn who_changes_its_user_itself_speaks_as_notify_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let section = |name: &str, options: &str| {
        format!(
            "[program:{name}]\n{} READY=1\nready=notify\nstdout_logfile=%(here)s/{name}.log\n{options}\n",
            python("drops.py")
        )
    };
    let text = section("own", "") + &section("named", "notify_user=65534");
    let daemon = started(&[("drops.py", DROPS)], &text);
    daemon.wait("RUNNING", &["own", "named"]);
    wait_shown(&daemon, "named", ", healthy");
    daemon.wait_file("own.log", "may not");
    wait_shown(&daemon, "own", ", not ready yet");
    // What runs keeps its socket, and the next start has another one.
    let pid = daemon.pid_of("own");
    let head = daemon.home.read("supervisord.conf").replace(&text, "");
    let text = section("own", "notify_user=65534") + &section("named", "notify_user=65534");
    daemon.home.write("supervisord.conf", &format!("{head}{text}"));
    daemon.ctl(&["update"]);
    assert_eq!(daemon.pid_of("own"), pid);
    daemon.kill_brain();
    wait_shown(&daemon, "own", ", not ready yet");
    daemon.ctl(&["restart", "own"]);
    wait_shown(&daemon, "own", ", healthy");
}

#[test]
fn who_falls_silent_is_started_again() {
    let web = format!("[program:web]\n{}\nhealth_watchdog=0.5\nstartsecs=0\n", python("speaker.py"));
    let daemon = started(&[("speaker.py", SPEAKER)], &web);
    let pid = until("a child", || Some(daemon.pid_of("web")).filter(|pid| *pid != 0));
    daemon.wait_log(&format!("unhealthy: web (pid {pid}): no WATCHDOG=1 for 0.5 s; it is started again"));
    until_true("another child", || ![0, pid].contains(&daemon.pid_of("web")));
}

#[test]
fn a_newline_on_a_descriptor_is_enough_whoever_dies_meanwhile() {
    let script = "while [ ! -e open ]; do sleep 0.02; done; printf wait >&7; while [ ! -e go ]; do sleep 0.02; done; \
                  echo >&7; touch told; exec cat";
    let web = format!("[program:web]\ncommand=/bin/sh -c '{script}'\nready=fd:7\n");
    let mut daemon = started(&[], &format!("{web}{APP}"));
    daemon.wait("RUNNING", &["web"]);
    wait_shown(&daemon, "web", ", not ready yet");
    daemon.home.write("open", "");
    daemon.kill_keeper();
    daemon.kill_brain();
    wait_shown(&daemon, "web", ", not ready yet");
    daemon.home.write("go", "");
    daemon.wait("RUNNING", &["app"]);
    wait_shown(&daemon, "web", ", healthy");
    until_true("it to go on", || daemon.home.join("told").exists());
    daemon.kill_brain();
    wait_shown(&daemon, "web", ", healthy");
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let socket = "examples/run/health.sock";
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/health.conf", socket, &[]);
    daemon.wait("RUNNING", &["store", "gate", "app"]);
    wait_shown(&daemon, "store", ", healthy");
    wait_shown(&daemon, "worker", ", healthy");
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
