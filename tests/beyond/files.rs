//! Templates, defaults and files of variables with real processes.

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::wait::until;

/// `web` writes down each time it starts what it got.
const CONFIG: &str = "\
[defaults]
autorestart=true
environment=WHERE=\"defaults\",ROLE=\"none\"
[template:worker]
command=/bin/sh -c 'echo \"%(program_name)s $SECRET $ROLE $WHERE\" >> got; exec sleep 1000'
env_files=.env, ?.env.local
environment=ROLE=\"worker\"
[program:web]
extends=worker
[program:other]
command=/bin/cat
";

fn started() -> Daemon {
    let home = Home::new();
    home.write(".env", "SECRET='s3cret-one' # of the test\n");
    let daemon = Daemon::start_in(home, Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["web", "other"]);
    daemon
}

fn got(daemon: &Daemon) -> String {
    daemon.home.read("got")
}

#[test]
fn a_changed_file_of_variables_is_an_update_of_who_names_it() {
    let daemon = started();
    daemon.wait_file("got", "web s3cret-one worker defaults\n");
    let other = daemon.pid_of("other");
    daemon.home.write(".env", "SECRET=s3cret-two\n");
    // A start alone takes what was read.
    daemon.ctl(&["restart", "web"]);
    until("another start", || (got(&daemon).lines().count() == 2).then_some(()));
    daemon.kill_brain();
    daemon.ctl(&["restart", "web"]);
    until("a third start", || (got(&daemon).lines().count() == 3).then_some(()));
    assert_eq!(got(&daemon), "web s3cret-one worker defaults\n".repeat(3));
    assert_eq!(daemon.ctl(&["reread"]).stdout, "web: changed\n");
    let said = daemon.ctl(&["update"]);
    assert!(said.stdout.contains("web: updated process group"), "{said:?}");
    daemon.wait_file("got", "web s3cret-two worker defaults\n");
    assert_eq!(daemon.pid_of("other"), other);
    assert_eq!(daemon.ctl(&["update"]).stdout, "");
}

#[test]
fn secrets_are_in_no_log_and_no_command_line() {
    let daemon = started();
    daemon.wait_file("got", "web s3cret-one");
    daemon.home.write(".env", "SECRET=s3cret-two\ns3cret without a name\n");
    let refused = daemon.ctl(&["reread"]);
    assert!(refused.stdout.contains("no = in this line"), "{refused:?}");
    assert!(refused.stdout.contains(".env, line 2"), "{refused:?}");
    let checked = daemon.upkeep(&["check"]);
    for text in [
        daemon.log(),
        daemon.home.read("foreground"),
        daemon.home.read("supervisord.pid.children"),
        daemon.call("supervisor.getAllConfigInfo", &[]),
        daemon.call("supervisor.getAllProcessInfo", &[]),
        refused.stdout,
        checked.stdout,
        checked.stderr,
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    let pid = daemon.pid_of("web");
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("its command line");
    assert!(!line.contains("s3cret"), "{line}");
}

/// A changed template is a change of those that extend it, and of nobody else.
#[test]
fn a_changed_template_changes_its_programs() {
    let daemon = started();
    let (web, other) = (daemon.pid_of("web"), daemon.pid_of("other"));
    let text = CONFIG.replace("env_files", "stopwaitsecs=3\nenv_files");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{text}"));
    daemon.ctl(&["update"]);
    assert_eq!(daemon.pid_of("web"), web, "an option that needs no restart");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{}", text.replace("\"worker\"", "\"boss\"")));
    daemon.ctl(&["update"]);
    daemon.wait_file("got", "web s3cret-one boss defaults\n");
    assert_eq!(daemon.pid_of("other"), other);
}

#[test]
fn another_dialect_is_found_where_supervisor_finds_nothing() {
    let home = Home::new();
    let text = "unix_http_server: {file: '%(here)s/sock'}\nsupervisord: {logfile: '%(here)s/log', pidfile: '%(here)s/pid'}\n\
        programs: {cat: {command: cat}}\n";
    home.write("upkeep.yaml", text);
    let path = home.join("upkeep.yaml").display().to_string();
    let daemon = Daemon::start_with(home, Maker::Upkeep, "upkeep.yaml", "sock", &[]);
    daemon.wait("RUNNING", &["cat"]);
    for program in ["supervisorctl", "upkeep"] {
        let bin = daemon.home.join("bin").join(program);
        let said = crate::rig::run::run(&bin, &["status"], daemon.home.path());
        assert!(said.stdout.contains("RUNNING"), "{program} without -c {path}: {said:?}");
    }
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let daemon =
        Daemon::start_with(home, Maker::Upkeep, "examples/files.yaml", "examples/run/files.sock", &[]);
    daemon.wait("RUNNING", &["mails", "invoices:invoices_0", "invoices:invoices_1"]);
    for (name, line) in [
        ("mails", "mails: The shop Welcome to The shop worker Asia/Shanghai\n"),
        ("invoices:invoices_1", "invoices: The shop Welcome to The shop slow Asia/Shanghai\n"),
    ] {
        until(line, || (daemon.ctl(&["tail", name]).stdout.contains(line)).then_some(()));
    }
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
