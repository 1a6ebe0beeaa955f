//! FastCGI programs: the socket their processes share, and a real FastCGI server behind it.

use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::http::free_port;
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::procfs;
use crate::rig::run::{plain_environment, run};
use crate::rig::stage::{Stage, compare, compare_prepared, same_story};
use crate::rig::wait::{until, until_true};

/// A program whose two processes say what their standard input is.
const PAIR: &str = "\
[fcgi-program:web]
command=/bin/sh -c 'readlink /proc/self/fd/0 | cut -d[ -f1; exec sleep 600'
process_name=%(program_name)s_%(process_num)02d
numprocs=2
stdout_logfile=%(here)s/%(program_name)s_%(process_num)02d.out
";

fn note_socket(stage: &mut Stage, name: &str) {
    let text = match std::fs::symlink_metadata(stage.daemon.home.join(name)) {
        Ok(about) => {
            let kind = about.file_type().is_socket();
            format!("socket {kind}, mode {:o}, {}:{}", about.mode() & 0o7777, about.uid(), about.gid())
        }
        Err(error) => error.to_string(),
    };
    stage.note(name, &text);
}

/// Which lines of the log are about sockets, in order.
fn note_sockets_log(stage: &mut Stage) {
    let log = stage.daemon.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" socket ")).collect();
    stage.note("log", &lines.join("\n"));
}

/// PROC-260 … PROC-263, CFG-210, CFG-211, CFG-213, CFG-214: tested at the start, made by the first process, shared, closed by
/// the last one, its file left; made anew by the next start. No standard input to write to.
#[test]
fn proc_261_life_of_a_socket() {
    let config = format!(
        "{PAIR}socket=unix://%(here)s/web.sock\nsocket_mode=0640\nsocket_owner=nobody\nautostart=false\n"
    );
    // A file that is in the way is replaced, if it is a socket.
    let prepare = |home: &Home| drop(std::os::unix::net::UnixListener::bind(home.join("web.sock")));
    compare_prepared(&config, &prepare, |stage| {
        note_sockets_log(stage);
        for name in ["web:web_00", "web:web_01"] {
            stage.call("supervisor.startProcess", &[Text(name), Bool(true)]);
        }
        note_socket(stage, "web.sock");
        for file in ["web_00.out", "web_01.out"] {
            stage.daemon.wait_file(file, "\n");
            let text = stage.daemon.home.read(file);
            stage.note(file, &text);
        }
        stage.call("supervisor.sendProcessStdin", &[Text("web:web_00"), Text("words")]);
        stage.call("supervisor.stopProcess", &[Text("web:web_00"), Bool(true)]);
        note_sockets_log(stage);
        stage.call("supervisor.stopProcess", &[Text("web:web_01"), Bool(true)]);
        note_sockets_log(stage);
        note_socket(stage, "web.sock");
        // The order of the results is that of completion.
        stage.daemon.call("supervisor.startProcessGroup", &[Text("web"), Bool(true)]);
        stage.daemon.call("supervisor.stopProcessGroup", &[Text("web"), Bool(true)]);
        stage.call("supervisor.removeProcessGroup", &[Text("web")]);
        stage.call("supervisor.addProcessGroup", &[Text("web")]);
        note_sockets_log(stage);
    });
}

/// PROC-245, PROC-264, CFG-214: the usual owner and mode; an end and a new beginning of the daemon.
#[test]
fn proc_264_owner_and_restart() {
    let config = format!("{PAIR}user=nobody\nsocket=unix://%(here)s/web.sock\n");
    let names = ["web:web_00", "web:web_01"];
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &names);
        note_socket(stage, "web.sock");
        stage.call("supervisor.restart", &[]);
        until_true("a new beginning", || {
            stage.daemon.log().matches("supervisord started with pid").count() == 2
        });
        stage.daemon.wait("RUNNING", &names);
        stage.call("supervisor.shutdown", &[]);
        stage.note_end();
        note_sockets_log(stage);
    });
}

/// PROC-262, CFG-410: a socket that cannot be made ends the start with status 1.
#[test]
fn proc_262_no_socket_no_start() {
    for maker in [Maker::Reference, Maker::Upkeep] {
        let home = Home::new();
        maker.install(&home.join("bin"));
        home.write("supervisord.conf", &format!("{HEAD}{PAIR}socket=unix:///no/such/dir/s\n"));
        let said = run(&home.join("bin/supervisord"), &["-n", "-c", "supervisord.conf"], home.path());
        assert_eq!(said.status, Some(1), "{maker:?}: {said:?}");
        let text =
            "Could not create FastCGI socket unix:///no/such/dir/s: [Errno 2] No such file or directory";
        assert!(said.stderr.contains(text), "{maker:?}: {said:?}");
        assert!(!home.join("sock").exists(), "{maker:?}: the server's socket is gone");
    }
}

/// D-09, CFG-188: in a group, the processes of a program share the socket of their program, which the original gives none.
#[test]
fn d_09_members_of_a_group_have_their_socket() {
    let config = format!(
        "{PAIR}socket=unix://%(here)s/web.sock\n[fcgi-program:plain]\ncommand=/bin/cat\n\
         [fcgi-program:odd]\ncommand=/bin/cat\nsocket=odd://\n[group:team]\nprograms=web,plain,odd\n"
    );
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["team:web_00", "team:web_01", "team:plain", "team:odd"]);
    for file in ["web_00.out", "web_01.out"] {
        daemon.wait_file(file, "socket:\n");
    }
    assert!(std::os::unix::net::UnixStream::connect(daemon.home.join("web.sock")).is_ok());
    let log = daemon.log();
    assert_eq!(log.matches("Creating socket").count(), 2, "once as a test, once for both: {log}");
    assert!(log.contains("Bad socket format"), "a member's mistake is a warning: {log}");
}

/// A script for `php-cgi` that says who answered and what it was asked.
const SCRIPT: &str = "<?php echo 'pid ', getmypid(), ' asked ', $_SERVER['QUERY_STRING'];";

/// Asks the FastCGI server behind `address`; the answer comes when the returned child ends.
fn ask(home: &Home, address: &str, query: &str) -> std::process::Child {
    let mut command = Command::new("cgi-fcgi");
    plain_environment(&mut command);
    command
        .args(["-bind", "-connect", address])
        .env("SCRIPT_FILENAME", home.join("answer.php"))
        .envs([("REQUEST_METHOD", "GET"), ("QUERY_STRING", query), ("REDIRECT_STATUS", "200")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cgi-fcgi")
}

fn answer(child: std::process::Child) -> String {
    let output = child.wait_with_output().expect("an answer");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn php(socket: &str) -> String {
    format!(
        "[fcgi-program:php]\ncommand=/usr/bin/php-cgi\nsocket={socket}\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)02d\n"
    )
}

/// PROC-260, PROC-265: real FastCGI workers answer through a unix and a TCP socket.
#[test]
fn proc_260_php_answers() {
    for unix in [true, false] {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.expect("a port").port();
        let home = Home::new();
        home.write("answer.php", SCRIPT);
        let url =
            if unix { "unix://%(here)s/php.sock".to_owned() } else { format!("tcp://127.0.0.1:{port}") };
        let daemon = Daemon::start_in(home, Maker::Upkeep, &php(&url));
        daemon.wait("RUNNING", &["php:php_00", "php:php_01"]);
        let address = if unix {
            daemon.home.join("php.sock").display().to_string()
        } else {
            format!("127.0.0.1:{port}")
        };
        let pids = ["php:php_00", "php:php_01"].map(|name| daemon.pid_of(name));
        for query in ["one", "two"] {
            let text = answer(ask(&daemon.home, &address, query));
            assert!(text.ends_with(&format!("asked {query}")), "{url}: {text:?}");
            assert!(pids.iter().any(|pid| text.contains(&format!("pid {pid} "))), "{url}: {text:?}");
        }
    }
}

/// A request that waits in the socket's queue while the daemon dies is answered; the socket is the same afterwards, and a
/// process that starts then shares it.
#[test]
fn a_socket_and_its_queue_survive_the_daemon() {
    let home = Home::new();
    home.write("answer.php", SCRIPT);
    let daemon = Daemon::start_in(home, Maker::Upkeep, &php("unix://%(here)s/php.sock"));
    let names = ["php:php_00", "php:php_01"];
    daemon.wait("RUNNING", &names);
    let pids = names.map(|name| daemon.pid_of(name));
    let address = daemon.home.join("php.sock").display().to_string();
    pids.iter().for_each(|&pid| procfs::signal(pid, Signal::STOP));
    let waiting = ask(&daemon.home, &address, "patience");
    daemon.kill_brain();
    pids.iter().for_each(|&pid| procfs::signal(pid, Signal::CONT));
    assert!(answer(waiting).ends_with("asked patience"));
    assert_eq!(names.map(|name| daemon.pid_of(name)), pids);
    daemon.call("supervisor.stopProcess", &[Text(names[0]), Bool(true)]);
    daemon.call("supervisor.startProcess", &[Text(names[0]), Bool(true)]);
    daemon.call("supervisor.stopProcess", &[Text(names[1]), Bool(true)]);
    assert!(answer(ask(&daemon.home, &address, "again")).ends_with("asked again"));
    assert_eq!(daemon.log().matches("Creating socket").count(), 2, "{}", daemon.log());
    daemon.call("supervisor.stopProcess", &[Text(names[0]), Bool(true)]);
    daemon.wait_log("Closing socket unix");
    until_true("nobody to listen", || std::os::unix::net::UnixStream::connect(&address).is_err());
}

/// PROC-261: what is said of the socket comes after what is said of the process, also of one that fails again and again.
/// PROC-265: a TCP port is free again at once, for the next start and for a reload (PROC-245), though a client was there.
#[test]
fn proc_265_tcp_again_and_again() {
    let story = same_story(|maker| {
        let port = free_port();
        let body = format!(
            "[fcgi-program:web]\ncommand=/bin/sleep 600\nsocket=tcp://LocalHost:{port}\n\
             [fcgi-program:hasty]\ncommand=/bin/false\nstartretries=0\nsocket=unix://%(here)s/hasty.sock\n"
        );
        let daemon = Daemon::start(maker, &body);
        daemon.wait("RUNNING", &["web"]);
        daemon.wait("FATAL", &["hasty"]);
        let hasty = daemon.log();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let said = daemon.ctl(&["restart", "web"]).stdout;
        drop(client);
        TcpStream::connect(("127.0.0.1", port)).expect("it listens again");
        daemon.signal(Signal::HUP);
        until_true("a new beginning", || daemon.log().matches("supervisord started with pid").count() == 2);
        daemon.wait("RUNNING", &["web"]);
        TcpStream::connect(("127.0.0.1", port)).expect("it listens once more");
        let (all, about) =
            (daemon.log(), |line: &&str| ["web", "tcp://"].iter().any(|word| line.contains(word)));
        let web: Vec<&str> = all.lines().filter(about).filter(|line| !line.contains("waiting for")).collect();
        let last: Vec<&str> =
            hasty.lines().filter(|line| line.contains("hasty") && !line.contains("spawned")).collect();
        plain(&format!("{said}{}\n{}", web.join("\n"), last.join("\n")), daemon.home.path())
            .replace(&port.to_string(), "PORT")
    });
    assert_eq!(story.matches("Closing socket tcp://localhost:PORT").count(), 4, "{story}");
}

/// The only worker and the daemon are killed while a request waits, so that nobody but the keeper has the socket: the worker
/// that follows answers, at the same socket. The original closes it with the worker, and the request is lost.
#[test]
fn a_waiting_request_outlives_worker_and_daemon() {
    let home = Home::new();
    home.write("answer.php", SCRIPT);
    let body =
        "[fcgi-program:php]\ncommand=/usr/bin/php-cgi\nsocket=unix://%(here)s/php.sock\nautorestart=true\n";
    let daemon = Daemon::start_in(home, Maker::Upkeep, body);
    daemon.wait("RUNNING", &["php"]);
    let address = daemon.home.join("php.sock").display().to_string();
    let worker = daemon.pid_of("php");
    freeze(worker);
    let waiting = ask(&daemon.home, &address, "patience");
    until_true("the request to wait", || sockets_at(&address) > 1);
    let brain = until("the deciding process", || procfs::brain(daemon.pid()));
    freeze(brain);
    procfs::signal(worker, Signal::KILL);
    until_true("the worker's end", || !procfs::alive(worker));
    procfs::signal(brain, Signal::KILL);

    let text = answer(waiting);
    assert!(text.ends_with("asked patience"), "{text:?}\n{}", daemon.log());
    daemon.wait("RUNNING", &["php"]);
    assert_ne!(daemon.pid_of("php"), worker);
    assert_eq!(daemon.log().matches("Creating socket").count(), 2, "once as a test: {}", daemon.log());
}

/// The same while hooks run between the one worker and the next, and the daemon dies during one of them.
#[test]
fn a_waiting_request_outlives_hooks_between_workers() {
    let home = Home::new();
    home.write("answer.php", SCRIPT);
    let hook = |name: &str| {
        format!("{name}=/bin/sh -c 'echo {name} >> order; while [ ! -e go.{name} ]; do sleep 0.02; done'\n")
    };
    let body = format!(
        "[fcgi-program:php]\ncommand=/usr/bin/php-cgi\nsocket=unix://%(here)s/php.sock\nautorestart=true\n{}{}",
        hook("pre_start"),
        hook("post_stop")
    );
    home.write("go.pre_start", "");
    let daemon = Daemon::start_in(home, Maker::Upkeep, &body);
    daemon.wait("RUNNING", &["php"]);
    let address = daemon.home.join("php.sock").display().to_string();
    let worker = daemon.pid_of("php");
    freeze(worker);
    let waiting = ask(&daemon.home, &address, "patience");
    until_true("the request to wait", || sockets_at(&address) > 1);
    std::fs::remove_file(daemon.home.join("go.pre_start")).expect("a file");
    procfs::signal(worker, Signal::KILL);
    daemon.wait_file("order", "pre_start\npost_stop\n");
    daemon.home.write("go.post_stop", "");
    daemon.wait_file("order", "post_stop\npre_start\n");
    daemon.kill_brain();
    daemon.home.write("go.pre_start", "");
    let text = answer(waiting);
    assert!(text.ends_with("asked patience"), "{text:?}\n{}", daemon.log());
    assert_eq!(daemon.log().matches("Creating socket").count(), 2, "once as a test: {}", daemon.log());
    daemon.call("supervisor.stopProcess", &[Text("php"), Bool(true)]);
    until_true("nobody to listen", || std::os::unix::net::UnixStream::connect(&address).is_err());
}

/// A start that its hook makes fail lets go of the socket.
#[test]
fn a_start_that_fails_by_its_hook_closes_the_socket() {
    let body = "[fcgi-program:php]\ncommand=/usr/bin/php-cgi\nsocket=unix://%(here)s/php.sock\nautorestart=true\n\
                startretries=0\npre_start=/bin/sh -c '[ ! -e bad ]'\n";
    let daemon = Daemon::start(Maker::Upkeep, body);
    daemon.wait("RUNNING", &["php"]);
    daemon.home.write("bad", "");
    procfs::signal(daemon.pid_of("php"), Signal::KILL);
    daemon.wait("FATAL", &["php"]);
    let address = daemon.home.join("php.sock");
    until_true("nobody to listen", || std::os::unix::net::UnixStream::connect(&address).is_err());
}

/// Stops a process, and returns when it has stopped: until then it may still accept.
fn freeze(pid: i32) {
    procfs::signal(pid, Signal::STOP);
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    until_true("the process to stop", || stat().contains(") T "));
}

/// How many sockets of the system have the name, or one that begins so, as ours has before it is moved into place: the one
/// that listens, and one for each client that waits.
fn sockets_at(path: &str) -> usize {
    let all = std::fs::read_to_string("/proc/net/unix").expect("the sockets");
    all.lines().filter(|line| line.contains(path)).count()
}
