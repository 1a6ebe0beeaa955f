//! Rolling restarts with real web servers: somebody always answers, a broken version is kept from the others, and no death ends it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::http::{Arg, exchange};
use crate::rig::maker::{Maker, reference_python};
use crate::rig::port::free_port;
use crate::rig::run::Said;
use crate::rig::wait::until;

/// A web server that answers with its version, and with 500 if that is `broken`. It notes when it begins to listen, and when it ends.
const SERVER: &str = r#"
import http.server, os, signal, sys
port, version = int(sys.argv[1]), sys.argv[2]
def note(what):
    with open("order", "a") as file:
        file.write(f"{what} {port}\n")
def leave(*_):
    note("down")
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if version == "broken" else 200)
        self.end_headers()
        self.wfile.write(version.encode())
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", port), Answer)
note("up")
server.serve_forever()
"#;

const COUNT: u16 = 3;

/// So many ports in a row that nobody listens at.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut tried = std::iter::repeat_with(free_port);
    let found = tried.by_ref().take(1000).find(|first| (*first..*first + COUNT).all(is_free));
    found.expect("ports in a row")
}

fn config(first: u16, version: &str, more: &str) -> String {
    format!(
        "[program:web]\ncommand={} -u server.py %(process_num)d {version}\nprocess_name=%(process_num)d\n\
         numprocs={COUNT}\nnumprocs_start={first}\nstartsecs=0\nhealth_check=http://127.0.0.1:%(process_num)d/\n\
         health_interval=0.1\n{more}\n",
        reference_python().display()
    )
}

struct Scene {
    daemon: Daemon,
    first: u16,
}

impl Scene {
    fn new(more: &str) -> Scene {
        let home = Home::new();
        home.write("server.py", SERVER);
        let first = free_ports();
        let daemon = Daemon::start_in(home, Maker::Upkeep, &config(first, "one", more));
        let scene = Scene { daemon, first };
        scene.wait_all("one");
        scene
    }

    fn names(&self) -> Vec<String> {
        (self.first..self.first + COUNT).map(|port| format!("web:{port}")).collect()
    }

    fn versions(&self) -> Vec<String> {
        (self.first..self.first + COUNT).map(|port| answer(port).unwrap_or_default()).collect()
    }

    fn wait_all(&self, version: &str) {
        until(&format!("all to answer {version}"), || {
            (self.versions() == vec![version; usize::from(COUNT)]).then_some(())
        });
        until("all to be healthy", || {
            let shown = self.daemon.ctl(&["status"]).stdout;
            (shown.matches(", healthy").count() == usize::from(COUNT)).then_some(())
        });
    }

    /// Writes other options; nothing is done with them yet.
    fn rewrite(&self, version: &str, more: &str) {
        let text = self.daemon.home.read("supervisord.conf");
        let (head, _) = text.split_once("[program:web]").expect("a program");
        self.daemon.home.write("supervisord.conf", &format!("{head}{}", config(self.first, version, more)));
    }

    /// What the servers have noted since all were up.
    fn order(&self) -> Vec<String> {
        let noted = self.daemon.home.read("order");
        noted.lines().skip(usize::from(COUNT)).map(str::to_owned).collect()
    }

    /// One after the other goes down and comes up.
    fn in_turn(&self) -> Vec<String> {
        let ports = self.first..self.first + COUNT;
        ports.flat_map(|port| [format!("down {port}"), format!("up {port}")]).collect()
    }

    /// Does something while somebody asks for a page all the time, who must always get one from any server.
    fn served<T>(&self, during: impl FnOnce() -> T) -> T {
        let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let visitor = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let any =
                        (0..3).any(|_| (self.first..self.first + COUNT).any(|port| answer(port).is_some()));
                    assert!(any, "nobody answers");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
            let result = during();
            over.store(true, Ordering::Relaxed);
            visitor.join().expect("always served");
            assert!(asked.load(Ordering::Relaxed) > 0, "nobody asked");
            result
        })
    }
}

/// What a server says; `None` if it does not, or not with status 200.
fn answer(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
}

fn last_line(said: &Said) -> &str {
    said.stdout.lines().last().unwrap_or_default()
}

/// D-40.
#[test]
fn somebody_always_answers_whatever_happens_to_the_daemon_meanwhile() {
    let scene = Scene::new("");
    let happens: [fn(&Daemon); 2] = [Daemon::kill_brain, |daemon| {
        let said = daemon.upkeep(&["upgrade"]);
        assert_eq!(said.status, Some(0), "{}", said.stderr);
    }];
    for happens in happens {
        scene.daemon.home.write("order", "up\nup\nup\n");
        let said = scene.served(|| {
            std::thread::scope(|scope| {
                let client = scope.spawn(|| scene.daemon.upkeep(&["restart", "--rolling", "web:*"]));
                until("the first to go down", || (!scene.order().is_empty()).then_some(()));
                happens(&scene.daemon);
                client.join().expect("an answer")
            })
        });
        assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{}", said.stdout);
        assert_eq!(last_line(&said), format!("{}: restarted (3 of 3)", scene.names()[2]));
        assert_eq!(scene.order(), scene.in_turn(), "never two at once");
        scene.wait_all("one");
    }
    scene.daemon.wait_log("rolling restart 2 is done: 3 processes were restarted");
}

const TWO_PROGRAMS: &str = "[group:web]\nprograms=api,jobs\n\
    [program:api]\ncommand=/bin/sleep 1001\nprocess_name=api_%(process_num)d\nnumprocs=3\nstartsecs=0\n\
    stdout_logfile=NONE\nstderr_logfile=NONE\nupdate_strategy=rolling\n\
    [program:jobs]\ncommand=/bin/sleep 1002\nprocess_name=jobs_%(process_num)d\nnumprocs=2\nstartsecs=0\n\
    stdout_logfile=NONE\nstderr_logfile=NONE\nupdate_strategy=rolling\n";

/// More or fewer processes start or stop the difference, and another command of one program restarts that program alone.
#[test]
fn an_update_touches_only_what_differs() {
    let daemon = Daemon::start_in(Home::new(), Maker::Upkeep, TWO_PROGRAMS);
    let all = ["web:api_0", "web:api_1", "web:api_2", "web:jobs_0", "web:jobs_1"];
    daemon.wait("RUNNING", &all);
    let pids = |names: &[&str]| names.iter().map(|name| daemon.pid_of(name)).collect::<Vec<_>>();
    let before = pids(&all);
    let update = |text: &str| {
        let head = daemon.home.read("supervisord.conf");
        let head = head.split("[group:web]").next().expect("a head").to_owned();
        daemon.home.write("supervisord.conf", &format!("{head}{text}"));
        let said = daemon.upkeep(&["update"]);
        assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{}", said.stdout);
    };
    update(&TWO_PROGRAMS.replace("numprocs=3", "numprocs=4"));
    daemon.wait("RUNNING", &["web:api_3"]);
    assert_eq!(pids(&all), before);
    let fewer = TWO_PROGRAMS.replace("numprocs=3", "numprocs=2");
    update(&fewer);
    assert_eq!(daemon.ctl(&["status"]).stdout.lines().count(), 4);
    let (left, kept) = ([all[0], all[1], all[3], all[4]], [before[0], before[1], before[3], before[4]]);
    assert_eq!(pids(&left), kept);
    update(&fewer.replace("sleep 1001", "sleep 1003"));
    let after = pids(&left);
    assert!(after[0] != kept[0] && after[1] != kept[1], "{after:?} {kept:?}");
    assert_eq!(after[2..], kept[2..], "the other program runs on");
    daemon.wait_log("rolling restart 1 is done: 2 processes were restarted");
}

#[test]
fn a_broken_version_reaches_one_and_the_others_go_on_answering() {
    let rolling = "update_strategy=rolling\n";
    let scene = Scene::new(rolling);
    let names = scene.names();
    // It need not have begun to listen to be thought unwell.
    let hasty = "health_start_period=0\nhealth_failures=10\nhealth_action=none\n";
    scene.rewrite("broken", &format!("{rolling}{hasty}"));
    let said = scene.served(|| scene.daemon.upkeep(&["update"]));
    assert_eq!(said.status, Some(1), "{said:?}");
    assert_eq!(said.stdout, "web: updated in part\n");
    let error =
        said.stderr.lines().find_map(|line| line.strip_prefix("error: cannot update all of \"web\": "));
    let why = error.unwrap_or_default();
    assert!(why.starts_with(&format!("{}: it is unhealthy: ", names[0])), "{}", said.stderr);
    let rest = format!("not restarted: {}, {} (those run on with their old options)", names[1], names[2]);
    assert!(said.stderr.contains(&rest), "{}", said.stderr);
    let line =
        scene.daemon.home.read("supervisord.conf").lines().position(|line| line.starts_with("command="));
    let cause = format!("/supervisord.conf:{})", line.expect("a command") + 1);
    let holds = || {
        assert_eq!(scene.versions()[1..], ["one", "one"]);
        for said in [scene.daemon.upkeep(&["diff"]), scene.daemon.upkeep(&["update", "--dry-run"])] {
            let planned: Vec<&str> = said
                .stdout
                .lines()
                .filter(|line| line.contains(" command (") && line.contains(&cause))
                .collect();
            assert_eq!(planned.len(), 2, "{}{}", said.stdout, said.stderr);
        }
        let shown = scene.daemon.ctl(&["status"]).stdout;
        let behind = "has its old options, since the rolling restart has failed";
        assert_eq!(shown.matches(behind).count(), 2, "{shown}");
        assert_eq!(scene.daemon.upkeep(&["reread"]).stdout.lines().next(), Some("web: changed"));
        let page = exchange(&scene.daemon.socket(), "GET /status.json HTTP/1.0\r\n\r\n").expect("an answer");
        let failed = format!(" · rolling restart 1 failed: {}: it is unhealthy: ", names[0]);
        assert!(page.body.contains(&failed), "{}", page.body);
    };
    holds();
    scene.daemon.kill_brain();
    holds();
    scene
        .daemon
        .wait_log(&format!("rolling restart 1 failed at {why}; not restarted: {}, {}", names[1], names[2]));
    let said = scene.daemon.ctl(&["update"]);
    let text = format!("web: ERROR (rolling restart failed: {}", names[1]);
    assert!(said.status == Some(1) && said.stdout.starts_with(&text), "it takes up the next: {said:?}");
    assert_eq!(scene.versions()[2], "one");
    scene.rewrite("two", rolling);
    let said = scene.daemon.ctl(&["update"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), "web: updated process group\n"));
    scene.wait_all("two");
    // Two at a time: both are restarted before anybody knows.
    scene.rewrite("broken", &format!("{rolling}rolling_batch=2\n{hasty}"));
    let said = scene.served(|| scene.daemon.upkeep(&["update"]));
    assert!(said.stderr.contains(&format!("hint: not restarted: {} (", names[2])), "{}", said.stderr);
    assert_eq!(scene.versions(), ["", "", "two"]);
}

#[test]
fn an_update_that_rolls_goes_on_without_its_client_and_under_the_next_daemon() {
    let rolling = "update_strategy=rolling\n";
    let scene = Scene::new(rolling);
    scene.rewrite("two", rolling);
    scene.daemon.upkeep(&["reread"]);
    let news = |seen: &str| {
        let answer = scene.daemon.call("upkeep.waitForChange", &[Arg::Text("rolling"), Arg::Text(seen)]);
        let text = answer.split_once("<string>").and_then(|(_, rest)| rest.split_once("</string>"));
        text.unwrap_or_else(|| panic!("a text: {answer}")).0.to_owned()
    };
    let before = news("");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| news(&before));
        let begun = scene.daemon.call("upkeep.updateProcessGroup", &[Arg::Text("web")]);
        assert!(begun.contains("rolling"), "{begun}");
        assert_ne!(waiting.join().expect("an answer"), before, "it has changed");
    });
    let shown = scene.daemon.upkeep(&["status"]);
    assert!(shown.stdout.contains("waits for its turn in a rolling restart"), "{}", shown.stdout);
    assert!(shown.stderr.contains("rolling restart 1 is under way: "), "{}", shown.stderr);
    let second = scene.daemon.upkeep(&["restart", "--rolling", "web:*"]);
    assert!(second.stderr.contains("rolling restart 1 is under way, and web:"), "{second:?}");
    scene.served(|| {
        scene.daemon.kill_brain();
        scene.wait_all("two");
    });
    assert_eq!(scene.order(), scene.in_turn());
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let socket = "examples/run/rolling.sock";
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/rolling.conf", socket, &[]);
    daemon.wait("RUNNING", &["web:web_19431", "web:web_19432", "web:web_19433"]);
    let said = daemon.upkeep(&["restart", "--rolling", "web:web_1943[12]"]);
    assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{}", said.stdout);
    assert!(last_line(&said).ends_with(": restarted (2 of 2)"), "{}", said.stdout);
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
