//! `upkeep reload --keep`: the daemon itself is configured anew while everything runs on, and a death right afterwards
//! changes nothing of that.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::rig::background::Background;
use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::home::Home;
use crate::rig::http::{self, Arg::Text, call_xml, post_request};
use crate::rig::maker::Maker;
use crate::rig::port::free_port;
use crate::rig::procfs;
use crate::rig::run::{Said, plain_environment, run};
use crate::rig::wait::{until, until_true};

const PROGRAMS: &str = "[program:cat]\ncommand=/bin/cat\n[program:other]\ncommand=/bin/cat\n";

fn configure(daemon: &Daemon, more: &str) {
    daemon.home.write("supervisord.conf", &format!("{HEAD}{PROGRAMS}{more}"));
}

fn started(more: &str) -> Daemon {
    let daemon = Daemon::start(Maker::Upkeep, &format!("{PROGRAMS}{more}"));
    daemon.wait("RUNNING", &["cat", "other"]);
    daemon
}

fn keep(daemon: &Daemon) -> Said {
    daemon.upkeep(&["reload", "--keep"])
}

/// The pids of the workers.
fn workers(daemon: &Daemon) -> [i32; 2] {
    ["cat", "other"].map(|name| daemon.pid_of(name))
}

fn tcp(port: u16, password: &str, login: &str) -> String {
    format!("[inet_http_server]\nport=127.0.0.1:{port}\n{login}{password}\n")
}

/// The status of a call by TCP; `None` if nobody listens. The logins are `user:pass` and `user:next`.
fn status_of(port: u16, login: Option<&str>) -> Option<u16> {
    let request = post_request(&call_xml("supervisor.getState", &[]));
    let login = login.map(|login| match login {
        "user:pass" => "dXNlcjpwYXNz",
        "user:next" => "dXNlcjpuZXh0",
        other => panic!("encode {other}"),
    });
    let header = login.map_or(String::new(), |login| format!("Authorization: Basic {login}\r\n"));
    let request = request.replace("Content-Type", &format!("{header}Content-Type"));
    http::exchange_tcp(port, &request).ok().map(|answer| answer.status)
}

/// A client that keeps its connection.
struct Client(UnixStream);

impl Client {
    fn connect(socket: &Path) -> Client {
        Client(UnixStream::connect(socket).expect("a connection"))
    }

    fn ask(&mut self) -> String {
        self.0
            .write_all(post_request(&call_xml("supervisor.getIdentification", &[])).as_bytes())
            .expect("to ask");
        let mut answer = String::new();
        while !answer.contains("</methodResponse>") {
            let mut buffer = [0; 4096];
            let count = self.0.read(&mut buffer).expect("an answer");
            assert_ne!(count, 0, "the connection ended: {answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        answer
    }
}

/// Nearly everything at once; then the daemon dies, and all is as the reload has made it.
#[test]
fn everything_changes_but_the_workers() {
    let (first, second) = (free_port(), free_port());
    let daemon = started(&tcp(first, "pass", "username=user\npassword="));
    let before = workers(&daemon);
    let mut client = Client::connect(&daemon.socket());
    assert!(client.ask().contains("supervisor"));
    let more = "[supervisord]\nlogfile=%(here)s/new.log\nloglevel=debug\npidfile=%(here)s/new.pid\nidentifier=anew\n";
    configure(&daemon, &format!("{more}{}", tcp(second, "next", "username=user\npassword=")));
    let said = keep(&daemon);
    let expected = [
        "applied: [supervisord] logfile".to_owned(),
        "applied: [supervisord] loglevel".to_owned(),
        "applied: [supervisord] pidfile".to_owned(),
        "applied: [supervisord] identifier".to_owned(),
        format!("applied: [inet_http_server] port (127.0.0.1:{second} instead of 127.0.0.1:{first})"),
        "applied: [inet_http_server] password".to_owned(),
    ];
    assert_eq!(
        (said.status, said.stdout.lines().collect::<Vec<_>>()),
        (Some(0), expected.iter().map(String::as_str).collect()),
        "{said:?}"
    );
    assert!(client.ask().contains("anew"), "a client that stayed connected");
    assert_eq!(keep(&daemon).stdout, "nothing has changed\n");
    let as_configured = |when: &str| {
        assert_eq!(workers(&daemon), before, "{when}");
        assert_eq!(status_of(first, Some("user:pass")), None, "{when}");
        assert_eq!(status_of(second, Some("user:next")), Some(200), "{when}");
        assert_eq!(status_of(second, Some("user:pass")), Some(401), "{when}");
        assert!(daemon.call("supervisor.getIdentification", &[]).contains("anew"), "{when}");
        for (old, new) in [("supervisord.pid", "new.pid"), ("supervisord.pid.children", "new.pid.children")] {
            assert!(!daemon.home.join(old).exists(), "{when}: {old}");
            until_true(new, || !daemon.home.read(new).is_empty());
        }
        assert_eq!(daemon.home.read("new.pid"), format!("{}\n", daemon.pid()));
    };
    as_configured("after the reload");
    let old_log = daemon.home.read("supervisord.log");
    assert!(
        old_log
            .trim_end()
            .ends_with(&format!("this log goes on in {}", daemon.home.join("new.log").display())),
        "{old_log}"
    );
    daemon.kill_brain();
    as_configured("after a death");
    daemon.wait_file("new.log", "the daemon was started again by its keeper");
    assert_eq!(daemon.home.read("supervisord.log"), old_log);
    assert_eq!(keep(&daemon).stdout, "nothing has changed\n", "after a death");
}

/// A password changes while the socket stays: whoever is connected is asked for the new one. The request that asks for
/// it comes by that server, and the one that closes the server too.
#[test]
fn who_asks_is_answered_whatever_becomes_of_the_server() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let daemon = started(&tcp(port, "pass", "username=user\npassword="));
    let before = workers(&daemon);
    let by_tcp =
        |password: &str| daemon.upkeep(&["reload", "--keep", "-s", &url, "-u", "user", "-p", password]);
    configure(&daemon, &tcp(port, "next", "username=user\npassword="));
    assert_eq!(by_tcp("next").status, Some(4), "it is not in effect yet");
    let said = by_tcp("pass");
    assert_eq!(
        (said.status, said.stdout.as_str()),
        (Some(0), "applied: [inet_http_server] password\n"),
        "{said:?}"
    );
    assert_eq!(status_of(port, Some("user:pass")), Some(401));
    daemon.kill_brain();
    assert_eq!(status_of(port, Some("user:pass")), Some(401));
    assert_eq!(status_of(port, Some("user:next")), Some(200));
    configure(&daemon, "");
    let said = by_tcp("next");
    assert_eq!(
        (said.status, said.stdout.as_str()),
        (Some(0), "applied: [inet_http_server] (closed)\n"),
        "{said:?}"
    );
    assert_eq!(status_of(port, Some("user:next")), None);
    daemon.kill_brain();
    assert_eq!(status_of(port, Some("user:next")), None);
    assert_eq!(workers(&daemon), before);
}

/// Unix sockets: a new one, another mode, one that goes.
#[test]
fn socket_files_come_change_and_go() {
    let daemon = started("");
    let before = workers(&daemon);
    let move_to = |name: &str, mode: &str| {
        let config = format!("{HEAD}{PROGRAMS}[unix_http_server]\nfile=%(here)s/{name}\nchmod={mode}\n");
        daemon.home.write("supervisord.conf", &config);
    };
    let mode = |name: &str| {
        let about = std::fs::metadata(daemon.home.join(name)).expect("a socket");
        about.permissions().mode() & 0o7777
    };
    move_to("sock", "0770");
    assert_eq!(keep(&daemon).stdout, "applied: [unix_http_server] chmod\n");
    assert_eq!(mode("sock"), 0o770);
    move_to("moved", "0750");
    let said = keep(&daemon);
    assert!(said.stdout.starts_with("applied: [unix_http_server] file ("), "{said:?}");
    assert!(!daemon.home.join("sock").exists());
    assert_eq!(mode("moved"), 0o750);
    let pid_of = |name: &str| {
        let info = http::call(&daemon.home.join("moved"), "supervisor.getProcessInfo", &[Text(name)])
            .expect("an answer");
        member(&info, "pid").and_then(|pid| pid.parse::<i32>().ok()).expect("a pid")
    };
    assert_eq!(["cat", "other"].map(pid_of), before);
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    procfs::signal(brain, Signal::KILL);
    until_true("another one", || procfs::brain(daemon.pid()).is_some_and(|pid| pid != brain));
    assert_eq!(["cat", "other"].map(pid_of), before);
    assert!(!daemon.home.join("sock").exists());
}

/// Another host on the same port: the old socket is in the way of the new one. If that fails after all, the old one
/// listens again.
#[test]
fn the_same_port_of_another_host() {
    let (port, taken) = (free_port(), free_port());
    let _somebody = std::net::TcpListener::bind(("127.0.0.1", taken)).expect("a port");
    let server = |name: &str, place: &str| format!("[inet_http_server:{name}]\nport={place}\n");
    let daemon = started(&server("a", &format!("127.0.0.1:{port}")));
    configure(&daemon, &(server("a", &format!("*:{port}")) + &server("b", &format!("127.0.0.1:{taken}"))));
    let said = keep(&daemon);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.stderr.contains("something else listens there; nothing has been changed"), "{said:?}");
    assert_eq!(status_of(port, None), Some(200));
    configure(&daemon, &server("a", &format!("*:{port}")));
    let said = keep(&daemon);
    assert_eq!(
        said.stdout,
        format!("applied: [inet_http_server:a] port (*:{port} instead of 127.0.0.1:{port})\n"),
        "{said:?}"
    );
    assert_eq!(status_of(port, None), Some(200));
    daemon.kill_brain();
    assert_eq!(status_of(port, None), Some(200));
}

/// What cannot be had changes nothing, and nothing of the attempt is left.
#[test]
fn what_cannot_be_had_changes_nothing() {
    let (port, taken) = (free_port(), free_port());
    let _somebody = std::net::TcpListener::bind(("127.0.0.1", taken)).expect("a port");
    let daemon = started(&tcp(port, "pass", "username=user\npassword="));
    let before = workers(&daemon);
    let files = || {
        let entries = std::fs::read_dir(daemon.home.path()).expect("a directory");
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let there = files();
    let all_new = "[supervisord]\nlogfile=%(here)s/new.log\npidfile=%(here)s/new.pid\nidentifier=anew\n\
                   [unix_http_server]\nfile=%(here)s/new.sock\n";
    for (what, more, why) in [
        ("a broken file", "[supervisord]\nloglevel=loud\n".to_owned(), "bad logging level name 'loud'"),
        (
            "an unknown user",
            "[supervisord]\nuser=no-such-user\n".to_owned(),
            "Invalid user name no-such-user",
        ),
        ("a port in use", format!("{all_new}{}", tcp(taken, "", "")), "something else listens there"),
        (
            "a socket in no directory",
            format!("{all_new}[inet_http_server]\nport=192.0.2.1:9\n"),
            "cannot listen on 192.0.2.1:9",
        ),
        (
            "a log that is a directory",
            format!("{all_new}[supervisord]\nlogfile=/\n"),
            "cannot open the log file '/'",
        ),
        (
            "a pid file that is a directory",
            format!("{all_new}[supervisord]\npidfile=/\n"),
            "cannot write pidfile /",
        ),
    ] {
        configure(&daemon, &more);
        let said = keep(&daemon);
        assert_eq!(said.status, Some(1), "{what}: {said:?}");
        assert!(said.stderr.contains(why), "{what}: {said:?}");
        assert_eq!(files(), there, "{what}");
        assert_eq!(workers(&daemon), before, "{what}");
        assert_eq!(status_of(port, Some("user:pass")), Some(200), "{what}");
        assert!(daemon.call("supervisor.getIdentification", &[]).contains("supervisor"), "{what}");
    }
    daemon.kill_brain();
    assert_eq!(workers(&daemon), before);
    assert_eq!(status_of(port, Some("user:pass")), Some(200));
}

/// Output that is shown in the daemon's log while that moves back and forth: every line is in one of the two.
#[test]
fn a_log_that_moves_loses_no_line() {
    const LINES: usize = 400;
    let counter = format!(
        "[program:counter]\ncommand=/bin/sh -c 'i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo \"seq $i end\"; \
         sleep 0.005; done; sleep 1000'\n"
    );
    let with_log = |name: &str| format!("{counter}[supervisord]\nloglevel=debug\nlogfile=%(here)s/{name}\n");
    let daemon = started(&with_log("supervisord.log"));
    for name in ["b.log", "supervisord.log", "b.log", "supervisord.log", "b.log"] {
        configure(&daemon, &with_log(name));
        assert_eq!(keep(&daemon).stdout, "applied: [supervisord] logfile\n");
    }
    daemon.wait_file("b.log", &format!("seq {LINES} end"));
    let both = daemon.home.read("supervisord.log") + &daemon.home.read("b.log");
    for number in 1..=LINES {
        assert_eq!(both.matches(&format!("seq {number} end")).count(), 1, "line {number}");
    }
}

/// Who follows a log goes on where it goes on: in another file, whoever wrote the client, and after a rotation from outside.
#[test]
fn followers_go_on_with_the_new_file() {
    let daemon = started("");
    let config = daemon.home.join("supervisord.conf");
    let follow = |maker: Maker| {
        let (bin, name) = (daemon.home.join(&format!("bin.{maker:?}")), format!("heard.{maker:?}"));
        maker.install(&bin);
        let mut command = Command::new(bin.join("supervisorctl"));
        plain_environment(&mut command);
        let heard = std::fs::File::create(daemon.home.join(&name)).expect("a file");
        command.arg("-c").arg(&config).args(["maintail", "-f"]).env("PYTHONUNBUFFERED", "1");
        let child =
            command.stdin(Stdio::null()).stdout(heard).stderr(Stdio::null()).spawn().expect("a client");
        daemon.wait_file(&name, "entered RUNNING state");
        (child, name)
    };
    let followers = [Maker::Upkeep, Maker::Reference].map(follow);
    let heard = |text: &str| followers.iter().for_each(|(_, name)| daemon.wait_file(name, text));
    configure(&daemon, "[supervisord]\nlogfile=%(here)s/b.log\n");
    assert_eq!(keep(&daemon).stdout, "applied: [supervisord] logfile\n");
    assert_eq!(daemon.ctl(&["stop", "cat"]).stdout, "cat: stopped\n");
    heard("stopped: cat");
    std::fs::rename(daemon.home.join("b.log"), daemon.home.join("b.log.old")).expect("a rotation");
    daemon.signal(Signal::USR2);
    heard("supervisord logreopen");
    for (mut child, name) in followers {
        assert_eq!(daemon.home.read(&name).matches("stopped: cat").count(), 1, "{}", daemon.home.read(&name));
        child.kill().expect("killed");
        child.wait().expect("its end");
    }
}

/// Programs are not touched: what differs is told, and waits.
#[test]
fn programs_wait_for_an_update() {
    let daemon = started("");
    let before = workers(&daemon);
    daemon.home.write(
        "supervisord.conf",
        &format!("{HEAD}[supervisord]\nidentifier=anew\n[program:cat]\ncommand=/bin/cat -\n[program:new]\ncommand=/bin/cat\n"),
    );
    let said = keep(&daemon);
    let expected = "applied: [supervisord] identifier\nnew: new\ncat: changed\nother: removed\n\
                    `upkeep update` makes what runs agree with it\n";
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), expected), "{said:?}");
    daemon.kill_brain();
    assert_eq!(workers(&daemon), before);
    assert_eq!(daemon.state("new"), None);
    assert_eq!(daemon.upkeep(&["update"]).status, Some(0));
    assert_ne!(daemon.pid_of("cat"), before[0]);
    assert_eq!(daemon.state("other"), None);
    daemon.wait("RUNNING", &["cat", "new"]);
}

/// What no running process can become is told each time, as a failure; in the log too. What is written beside it holds.
#[test]
fn what_needs_a_new_start_is_told() {
    let daemon = started("");
    configure(
        &daemon,
        "[supervisord]\numask=077\nuser=nobody\nidentifier=anew\n[include]\nfiles=none/*.conf\n",
    );
    let said = keep(&daemon);
    assert_eq!(
        (said.status, said.stdout.as_str()),
        (Some(1), "applied: [supervisord] identifier\n"),
        "{said:?}"
    );
    let user = "[supervisord] user (holds from the next start on: stop the daemon and start it again)";
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "not applied: [supervisord] umask (has no effect in the foreground)".to_owned(),
            format!("not applied: {user}")
        ]
    );
    assert!(daemon.log().contains("WARN No file matches via include"), "{}", daemon.log());
    assert!(daemon.log().contains("WARN reload: [supervisord] user is not applied"), "{}", daemon.log());
    daemon.kill_brain();
    let again = keep(&daemon);
    assert_eq!((again.status, again.stderr), (Some(1), format!("not applied: {user}\n")));
    let json = daemon.upkeep(&["reload", "--keep", "--json"]).stdout;
    assert!(json.contains("\"not_applied\": [\n") && json.contains("\"option\": \"user\""), "{json}");
}

/// Mask, directory and limits of children, in the background: from their next start on, a death of the daemon
/// notwithstanding. Supervisor's own reload leaves the mask and the directory as they are (CFG-430).
#[test]
fn children_are_started_as_configured_from_then_on() {
    const TELL: &str = "[program:tell]\ncommand=/bin/sh -c 'umask; pwd; ulimit -n; echo END; exec /bin/cat'\n\
                        stdout_logfile=%(here)s/tell.log\n";
    let home = Home::new();
    Maker::Upkeep.install(&home.join("bin"));
    let here = home.path().display().to_string();
    let config = |more: &str| {
        let text = format!("{HEAD}[supervisord]\n{more}{TELL}").replace("%(here)s", &here);
        home.write("supervisord.conf", &text);
    };
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let minfds = hard.map_or(2000, |hard| hard.min(2000));
    config("umask=027\ndirectory=/usr\nminfds=100\n");
    let path = format!("{here}/supervisord.conf");
    let background = Background::start(&home, &path);
    let upkeep = |words: &[&str]| {
        let args: Vec<&str> = words.iter().copied().chain(["-c", &path]).collect();
        run(&home.join("bin/upkeep"), &args, home.path())
    };
    let ends = || home.read("tell.log").matches("END").count();
    until_true("its first start", || ends() == 1);
    config(&format!("umask=077\ndirectory=/tmp\nminfds={minfds}\n"));
    let said = upkeep(&["reload", "--keep"]);
    let later = "for processes from their next start on";
    for option in ["umask", "directory"] {
        assert!(said.stdout.contains(&format!("applied: [supervisord] {option} ({later})\n")), "{said:?}");
    }
    assert!(said.status == Some(0) && said.stdout.contains("applied: [supervisord] minfds"), "{said:?}");
    assert_eq!(ends(), 1, "it runs on");
    for starts in [2, 3, 4] {
        if starts == 3 {
            let brain = until("the deciding process", || procfs::brain(background.0));
            procfs::signal(brain, Signal::KILL);
        }
        let said = upkeep(if starts == 4 { &["reload"] } else { &["restart", "tell"] });
        assert_eq!(said.status, Some(0), "{said:?}");
        until_true("its next start", || ends() == starts);
    }
    let told = home.read("tell.log");
    let starts: Vec<Vec<&str>> = told.split_terminator("END\n").map(|one| one.lines().collect()).collect();
    assert_eq!(starts[0][..2], ["0027", "/usr"]);
    for start in &starts[1..] {
        assert_eq!(start[..2], ["0077", "/tmp"], "{told}");
        let limit = start[2].parse::<u64>().unwrap_or(u64::MAX);
        assert!(limit >= minfds, "{told}");
    }
}

/// `reload` without `--keep`, and SIGHUP, mean what they mean to Supervisor: everything stops and starts.
#[test]
fn a_plain_reload_and_sighup_stop_and_start() {
    let port = free_port();
    let daemon = started("");
    configure(&daemon, &tcp(port, "pass", "username=user\npassword="));
    assert_eq!(keep(&daemon).status, Some(0));
    let mut before = workers(&daemon);
    for how in ["upkeep reload", "SIGHUP"] {
        match how {
            "SIGHUP" => daemon.signal(Signal::HUP),
            _ => assert_eq!(daemon.upkeep(&["reload"]).status, Some(0)),
        }
        until_true("other pids", || {
            let pid = |name| {
                member(&daemon.try_call("supervisor.getProcessInfo", &[Text(name)])?, "pid")?.parse().ok()
            };
            let now = ["cat", "other"].map(|name| pid(name).unwrap_or(0));
            let other = now.iter().zip(&before).all(|(now, before): (&i32, &i32)| *now != 0 && now != before);
            if other {
                before = now;
            }
            other
        });
        assert_eq!(status_of(port, Some("user:pass")), Some(200), "{how}");
    }
}

/// A durable pool stays with its file though the options that name it have changed, a death of the daemon
/// notwithstanding.
#[test]
fn a_durable_pool_keeps_its_file() {
    let pool = "[eventlistener:pool]\ncommand=/bin/sleep 1000\nevents=REMOTE_COMMUNICATION\nbuffer_size=1\n\
                event_queue=durable\n";
    let daemon = started(pool);
    let events = || {
        let entries = std::fs::read_dir(daemon.home.path()).expect("a directory");
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".events")).collect::<Vec<_>>()
    };
    for data in ["one", "two", "three"] {
        daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text(data)]);
    }
    until_true("events on disk", || daemon.home.read("pool-supervisor.events").contains("three"));
    configure(&daemon, &format!("[supervisord]\nidentifier=anew\n{pool}"));
    assert_eq!(keep(&daemon).status, Some(0));
    daemon.kill_brain();
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("four")]);
    until_true("the next event on disk", || daemon.home.read("pool-supervisor.events").contains("four"));
    assert_eq!(events(), ["pool-supervisor.events"]);
    let pools = daemon.upkeep(&["listeners"]).stdout;
    assert!(pools.contains(" 4 waiting"), "{pools}");
}

/// The daemon is killed while it reloads, at any moment: what comes up is all of the one or all of the other
/// configuration, with the same workers, and it can be reloaded again.
#[test]
fn a_death_in_the_middle_leaves_the_old_or_the_new() {
    let ports = [free_port(), free_port()];
    let daemon = started(&tcp(ports[0], "pass", "username=user\npassword="));
    let before = workers(&daemon);
    let config = |at: usize| {
        let name = ["even", "odd"][at];
        let password = ["pass", "next"][at];
        let pidfile = ["supervisord.pid", "odd.pid"][at];
        let servers = tcp(ports[at], password, "username=user\npassword=");
        format!("[supervisord]\nidentifier={name}\npidfile=%(here)s/{pidfile}\n{servers}")
    };
    configure(&daemon, &config(0));
    assert_eq!(keep(&daemon).status, Some(0));
    for round in 0..6_u64 {
        let at = usize::from(round % 2 == 0);
        configure(&daemon, &config(at));
        let brain = until("the deciding process", || procfs::brain(daemon.pid()));
        std::thread::scope(|scope| {
            // It is answered, or told that nobody is there any more.
            scope.spawn(|| http::call(&daemon.socket(), "upkeep.reloadKeep", &[]).is_ok());
            let moment = std::time::Instant::now() + std::time::Duration::from_micros(300 + 700 * round);
            while std::time::Instant::now() < moment {
                std::hint::spin_loop();
            }
            procfs::signal(brain, Signal::KILL);
        });
        until_true("another one", || procfs::brain(daemon.pid()).is_some_and(|pid| pid != brain));
        let identifier = daemon.call("supervisor.getIdentification", &[]);
        let now = usize::from(identifier.contains("odd"));
        let login = ["user:pass", "user:next"];
        assert_eq!(status_of(ports[now], Some(login[now])), Some(200), "round {round}: {identifier}");
        assert_eq!(status_of(ports[1 - now], Some(login[1 - now])), None, "round {round}: {identifier}");
        assert_eq!(workers(&daemon), before, "round {round}");
        assert_eq!(keep(&daemon).status, Some(0), "round {round}: {}", daemon.log());
        assert_eq!(status_of(ports[at], Some(login[at])), Some(200), "round {round}");
        assert_eq!(status_of(ports[1 - at], Some(login[1 - at])), None, "round {round}");
    }
}

/// The death of the keeper and an upgrade after a reload: all is as it has made it, and can be changed again.
#[test]
fn another_keeper_and_an_upgrade_change_nothing() {
    let (first, second) = (free_port(), free_port());
    let body = format!("{PROGRAMS}{}", tcp(first, "pass", "username=user\npassword="));
    let mut daemon = Daemon::start_after("ulimit -Sn 1100", Home::new(), Maker::Upkeep, &body);
    daemon.wait("RUNNING", &["cat", "other"]);
    let before = workers(&daemon);
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let minfds = hard.map_or(1500, |hard| hard.min(1500));
    let more = format!("[supervisord]\nidentifier=anew\nminfds={minfds}\n");
    configure(&daemon, &format!("{more}{}", tcp(second, "next", "username=user\npassword=")));
    let said = keep(&daemon);
    assert_eq!(said.status, Some(0), "{said:?}");
    let as_configured = |daemon: &Daemon, when: &str| {
        assert_eq!(workers(daemon), before, "{when}");
        assert_eq!(status_of(first, Some("user:pass")), None, "{when}");
        assert_eq!(status_of(second, Some("user:next")), Some(200), "{when}");
        assert_eq!(status_of(second, Some("user:pass")), Some(401), "{when}");
        assert!(daemon.call("supervisor.getIdentification", &[]).contains("anew"), "{when}");
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.keeper())).expect("limits");
        let open = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a line");
        let soft = open.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(u64::MAX);
        assert!(soft >= minfds, "{when}: {limits}");
    };
    as_configured(&daemon, "after the reload");
    daemon.kill_keeper();
    as_configured(&daemon, "with another keeper");
    daemon.kill_brain();
    as_configured(&daemon, "with another keeper and another daemon");
    let said = daemon.upkeep(&["upgrade"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    as_configured(&daemon, "after an upgrade");
    configure(&daemon, &tcp(first, "pass", "username=user\npassword="));
    assert_eq!(keep(&daemon).status, Some(0));
    assert_eq!(status_of(first, Some("user:pass")), Some(200));
    assert_eq!(status_of(second, Some("user:next")), None);
    assert_eq!(workers(&daemon), before);
}

/// D-60: `upkeep run` refuses a server without a password that everybody can reach, also when it is reloaded.
#[test]
fn our_own_name_opens_no_door_to_the_world() {
    let port = free_port();
    let daemon = Daemon::start_as_upkeep(PROGRAMS);
    daemon.wait("RUNNING", &["cat", "other"]);
    let before = workers(&daemon);
    let open = format!("[inet_http_server]\nport=*:{port}\n");
    configure(&daemon, &open);
    for words in [&["reload", "--keep"][..], &["reload"]] {
        let said = daemon.upkeep(words);
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.stderr.contains("without a password"), "{said:?}");
    }
    daemon.signal(Signal::HUP);
    daemon.wait_log("restart refused, everything goes on as it is");
    assert_eq!(workers(&daemon), before);
    assert_eq!(status_of(port, None), None);
    configure(&daemon, &format!("{open}allow_unauthenticated=true\n"));
    assert_eq!(keep(&daemon).status, Some(0));
    assert_eq!(status_of(port, None), Some(200));
    assert_eq!(workers(&daemon), before);
}
