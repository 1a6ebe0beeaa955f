//! Lines on their way to a syslog server over TLS, with real processes and the TLS of somebody else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::receiver::Receiver;
use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;

const CAT: &str = "\
[program:cat]
command=/bin/sh -c 'while IFS= read -r line; do echo \"$line\"; done'
stdout_logfile=%(here)s/out
";

const EXTENSIONS: &str = "\
[req]
distinguished_name=dn
[dn]
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
[server]
basicConstraints=critical,CA:FALSE
subjectAltName=DNS:logs.test
[client]
basicConstraints=critical,CA:FALSE
extendedKeyUsage=clientAuth
";

/// Makes `NAME.key` and `NAME.pem`, signed by `signed_by` or itself.
fn certificate(home: &Home, name: &str, extensions: &str, signed_by: Option<&str>) {
    let (key, pem) = (home.join(&format!("{name}.key")), home.join(&format!("{name}.pem")));
    let mut command = Command::new("openssl");
    command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30".split(' '));
    command.arg("-config").arg(home.join("cnf")).args(["-extensions", extensions]);
    command.args(["-subj", &format!("/CN={name}")]).arg("-keyout").arg(key).arg("-out").arg(pem);
    if let Some(authority) = signed_by {
        command.arg("-CA").arg(home.join(&format!("{authority}.pem")));
        command.arg("-CAkey").arg(home.join(&format!("{authority}.key")));
    }
    let output = command.stdin(Stdio::null()).output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn home_with_certificates() -> Home {
    let home = Home::new();
    home.write("cnf", EXTENSIONS);
    certificate(&home, "ca", "ca", None);
    certificate(&home, "server", "server", Some("ca"));
    certificate(&home, "client", "client", Some("ca"));
    certificate(&home, "stranger", "client", None);
    home
}

fn say(daemon: &Daemon, line: &str) {
    daemon.call("supervisor.sendProcessStdin", &[Text("cat"), Text(&format!("{line}\n"))]);
}

/// What goes by these certificates, a line for each key.
fn rules(home: &Home, port: &str, ca: &str, own: &str) -> String {
    let path = |name: &str| home.join(name).display().to_string();
    format!(
        "{CAT}stdout_forward=tls://127.0.0.1:{port}\nforward_tls_ca={}\nforward_tls_cert={}\nforward_tls_key={}\n",
        path(ca),
        path(&format!("{own}.pem")),
        path(&format!("{own}.key")),
    )
}

fn configure(daemon: &Daemon, body: &str) {
    daemon.home.write("supervisord.conf", &format!("{HEAD}{body}"));
    assert_eq!(daemon.ctl(&["update"]).stdout, "cat: updated process group\n");
}

/// Each mistake is told with what to do about it, `update` mends it while the program runs, and then all that waited arrives, once and in
/// order; also what was written while the server was away.
#[test]
fn mistakes_are_told_and_mended_and_nothing_that_waits_is_lost() {
    let home = home_with_certificates();
    let receiver = Receiver::start("tls_receiver.py", &home, None);
    let port = home.read("port");
    let body = rules(&home, &port, "stranger.pem", "client");
    let mut daemon = Daemon::start_in(home, Maker::Upkeep, &body);
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    say(&daemon, "one");
    let why = "the server's certificate is signed by nobody in '";
    daemon.wait_log(&format!("cannot forward lines to tls://127.0.0.1:{port}: {why}"));
    let status = daemon.upkeep(&["status"]).stderr;
    assert!(status.contains(&format!("warning: tls://127.0.0.1:{port}: 0 bytes dropped ({why}")), "{status}");

    configure(&daemon, &rules(&daemon.home, &port, "ca.pem", "client"));
    say(&daemon, "two");
    daemon.wait_log("the server's certificate is not for '127.0.0.1'");

    let named =
        |own: &str| format!("{}forward_tls_name=logs.test\n", rules(&daemon.home, &port, "ca.pem", own));
    configure(&daemon, &named("stranger"));
    say(&daemon, "three");
    daemon.wait_log("it refuses our certificate '");

    let key = daemon.home.join("client.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    configure(&daemon, &named("client"));
    say(&daemon, "four");
    daemon.wait_log(&format!("its mode is 0644: chmod 600 {}", key.display()));
    assert!(
        !daemon.home.read("tls").contains("stdout"),
        "nobody was told anything: {}",
        daemon.home.read("tls")
    );

    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    daemon.wait_file("tls", &format!(" cat {pid} stdout - four\n"));
    daemon.wait_log(&format!("lines are forwarded to tls://127.0.0.1:{port} again; 0 bytes were dropped"));
    say(&daemon, "five \u{4e2d}");
    daemon.wait_file("tls", " stdout - five \u{4e2d}\n");

    drop(receiver);
    say(&daemon, "six");
    daemon.wait_file("out", "six\n");
    let _receiver = Receiver::start("tls_receiver.py", &daemon.home, Some(&port));
    daemon.wait_file("tls", " stdout - six\n");
    assert_eq!(daemon.pid_of("cat"), pid);
    say(&daemon, "seven");
    daemon.wait_file("out", "seven\n");
    daemon.signal(rustix::process::Signal::TERM);
    daemon.wait_for_end();
    let text = daemon.home.read("tls");
    let mut lines: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(" stdout - ")).map(|(_, text)| text).collect();
    // Each `update` hands over what waits, and the last of them may have been faster.
    lines[..4].sort_unstable();
    assert_eq!(lines, ["four", "one", "three", "two", "five \u{4e2d}", "six", "seven"]);
    assert!(text.ends_with("seven\n-- closed\n"), "the end of the connection is told: {text}");
}

/// Nothing of TLS is there, and no thread, as long as nobody forwards anything.
#[test]
fn a_destination_is_not_connected_to_before_there_is_something_to_send() {
    let home = home_with_certificates();
    let receiver = Receiver::start("tls_receiver.py", &home, None);
    let port = home.read("port");
    let body = format!("{}forward_tls_name=logs.test\n", rules(&home, &port, "ca.pem", "client"));
    let daemon = Daemon::start_in(home, Maker::Upkeep, &body);
    daemon.wait("RUNNING", &["cat"]);
    say(&daemon, "one");
    daemon.wait_file("tls", " stdout - one\n");
    configure(&daemon, CAT);
    daemon.wait_file("tls", "-- closed\n");
    assert_eq!(daemon.home.read("tls").lines().count(), 2, "one connection");
    drop(receiver);
}
