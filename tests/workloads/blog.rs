//! `examples/blog.yaml`: who waits for whom, and what becomes of the application without its posts.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::maker::{Maker, reference_python};
use crate::rig::port::free_port;
use crate::rig::procfs;
use crate::rig::wait::{until, until_true};

/// The example with ports that nobody else has, and half a second instead of five between restarts.
fn blog() -> (Daemon, u16) {
    blog_with("restart_delay: 0.5")
}

fn blog_with(delay: &str) -> (Daemon, u16) {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let file = "examples/blog.yaml";
    let mut text = home.read(file);
    let app = free_port();
    let python = reference_python().display().to_string();
    for (written, here) in [
        ("12345", free_port().to_string()),
        ("9422", free_port().to_string()),
        ("9421", app.to_string()),
        ("[python3,", format!("[{python},")),
        ("restart_limit: 3\n  restart_delay: 5\n", format!("restart_limit: 3\n  {delay}\n")),
    ] {
        assert!(text.contains(written), "{written}");
        text = text.replace(written, &here);
    }
    home.write(file, &text);
    (Daemon::start_with(home, Maker::Upkeep, file, "examples/run/blog.sock", &[]), app)
}

/// What the application answers to a browser, if it answers.
fn page(port: u16) -> Option<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn shown(daemon: &Daemon, name: &str) -> String {
    daemon.ctl(&["status", name]).stdout
}

#[test]
fn everyone_waits_for_whom_it_needs() {
    let (daemon, port) = blog();
    daemon.wait("RUNNING", &["ipc", "update", "app"]);
    until_true("the posts", || {
        page(port).is_some_and(|page| page.contains("200 OK") && page.ends_with("Hello\n"))
    });
    let log = daemon.home.read("examples/run/blog.log");
    let at = |words: &str| log.find(words).unwrap_or_else(|| panic!("{words}: {log}"));
    for server in ["ipc", "update"] {
        assert!(at(&format!("spawned: '{server}'")) < at(&format!("healthy: {server} ")), "{log}");
        assert!(at(&format!("healthy: {server} ")) < at("spawned: 'app'"), "{log}");
    }
    assert_eq!(daemon.state("updater").as_deref(), Some("STOPPED"));

    let app = daemon.pid_of("app");
    daemon.ctl(&["stop", "ipc"]);
    // It is ended for want of health, and waits for ipc before it starts again.
    until_true("a wait for ipc", || shown(&daemon, "app").contains("waits for ipc"));
    daemon.ctl(&["start", "ipc"]);
    daemon.wait("RUNNING", &["app"]);
    until_true("the posts again", || page(port).is_some_and(|page| page.contains("200 OK")));
    assert_ne!(daemon.pid_of("app"), app);

    // The updater has the update server started, and waits until it is healthy.
    daemon.ctl(&["stop", "update"]);
    let before = daemon.home.read("examples/run/blog.log").len();
    assert_eq!(daemon.ctl(&["start", "updater"]).stdout, "updater: started\n");
    daemon.wait_file("examples/run/updater.log", "newest version: 2.1\n");
    let log = daemon.home.read("examples/run/blog.log").split_off(before);
    assert!(log.find("healthy: update ") < log.find("spawned: 'updater'"), "{log}");
    assert!(log.contains("spawned: 'update'") && log.contains("healthy: update "), "{log}");
}

/// `restart_limit: 3` and `restart_delay: 5`: who fails that often is given up, and the others go on. Once five seconds have been
/// waited for, half a second is enough, which an update tells the one that waits.
#[test]
fn who_fails_waits_and_is_given_up_when_it_fails_too_often() {
    let (daemon, port) = blog_with("restart_delay: 5");
    daemon.wait("RUNNING", &["ipc", "update", "app"]);
    daemon.home.write("examples/blog/app.py", "raise SystemExit('no blog')\n");
    let app = daemon.pid_of("app");
    procfs::signal(app, Signal::KILL);
    let log = || daemon.home.read("examples/run/blog.log");
    until_true("a wait", || log().contains("app starts again in 5 s (restart 1 of 3 within "));
    let text = daemon.home.read("examples/blog.yaml");
    daemon.home.write("examples/blog.yaml", &text.replace("restart_delay: 5", "restart_delay: 0.5"));
    assert_eq!(daemon.upkeep(&["update", "app"]).status, Some(0));
    daemon.wait("FATAL", &["app"]);
    until("the reason", || daemon.home.read("examples/run/app.log").contains("no blog").then_some(()));
    assert_eq!(page(port), None);
    daemon.wait("RUNNING", &["ipc", "update"]);
    assert_eq!(log().matches("spawned: 'app'").count(), 1 + 3, "{}", log());
    assert!(log().contains("app entered FATAL state, restarted 3 times"), "{}", log());
}
