//! Checks that are commands, with real processes, and who may speak for a program: what runs is ended, what lies about is removed.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::rig::daemon::{Daemon, member};
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::{until, until_true};

/// Says who and where it is, waits while there is a file `hold`, and fails while there is a file `sick`.
const PROBE: &str = "\
echo \"$UPKEEP_HOOK $UPKEEP_MAINPID $COLOR $PWD $$\" >> asked
sleep 1000 & echo $! >> inner
while [ -e hold ]; do sleep 0.02; done
kill $!
[ ! -e sick ] || { echo; echo \"  the store is \"$(printf %0300d 0); echo more >&2; exit 3; }
echo fine
";

fn web(options: &str) -> String {
    format!(
        "[program:web]\ncommand=/bin/cat\nautorestart=false\ndirectory=%(here)s\nenvironment=COLOR=\"blue\"\n\
         health_check=exec:/bin/sh probe.sh\nhealth_interval=0.1\nhealth_start_period=0\nhealth_failures=1\n\
         stdout_logfile=%(here)s/web.out\nredirect_stderr=true\n{options}\n"
    )
}

fn started(options: &str, files: &[&str]) -> Daemon {
    let home = Home::new();
    home.write("probe.sh", PROBE);
    files.iter().for_each(|name| home.write(name, ""));
    Daemon::start_in(home, Maker::Upkeep, &web(options))
}

/// What `supervisorctl status` says of `web` after its pid and uptime.
fn shown(daemon: &Daemon) -> String {
    let words = daemon.ctl(&["status", "web"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    words.split_once(", uptime ").map_or(words.as_str(), |(_, rest)| rest).to_owned()
}

fn wait_shown(daemon: &Daemon, end: &str) {
    until(&format!("web to be shown as {end:?}"), || shown(daemon).ends_with(end).then_some(()));
}

/// The last number that the commands wrote to a file, if it is not one of these.
fn number(daemon: &Daemon, file: &str, but: &[i32]) -> i32 {
    until("a command", || {
        let text = daemon.home.read(file);
        let line = text.strip_suffix('\n')?.lines().last()?;
        line.split(' ').next_back()?.parse().ok().filter(|pid| !but.contains(pid))
    })
}

fn wait_gone(pids: &[i32]) {
    until_true("the command to be gone", || pids.iter().all(|pid| !procfs::alive(*pid)));
}

#[test]
fn a_command_runs_as_its_program_does_and_its_first_line_is_the_reason() {
    let daemon = started("health_action=none", &[]);
    wait_shown(&daemon, ", healthy");
    let asked = daemon.home.read("asked");
    let expected = format!("health_check {} blue {} ", daemon.pid_of("web"), daemon.home.path().display());
    assert!(asked.starts_with(&expected), "{asked} is not {expected}");
    assert_eq!(daemon.ctl(&["status"]).stdout.lines().count(), 1, "it is no process");
    daemon.home.write("sick", "");
    let reason = format!("the store is {}", "0".repeat(187));
    wait_shown(&daemon, &format!(", unhealthy ({reason})"));
    daemon.wait_log(&format!("health check of web failed: {reason} (1 of 1)"));
    std::fs::remove_file(daemon.home.join("sick")).expect("removed");
    wait_shown(&daemon, ", healthy");
    assert_eq!(daemon.home.read("web.out"), "", "what it says goes to no log");
    assert!(!daemon.log().contains("health_check of web"), "{}", daemon.log());
    daemon.ctl(&["stop", "web"]);
}

#[test]
fn who_takes_too_long_is_killed_with_all_it_started() {
    let daemon = started("health_action=none\nhealth_timeout=0.3", &["hold"]);
    let first = [number(&daemon, "asked", &[]), number(&daemon, "inner", &[])];
    wait_shown(&daemon, ", unhealthy (no answer within 0.3 s)");
    wait_gone(&first);
    number(&daemon, "asked", &first);
    daemon.ctl(&["stop", "web"]);
    let last = [number(&daemon, "asked", &[]), number(&daemon, "inner", &[])];
    wait_gone(&last);
}

#[test]
fn whoever_dies_meanwhile_no_command_is_left_and_none_has_failed() {
    let mut daemon = started("health_timeout=1h\nhealth_action=restart", &["hold"]);
    daemon.wait("RUNNING", &["web"]);
    let web = daemon.pid_of("web");
    let mut seen = Vec::new();
    let mut next = |daemon: &Daemon| {
        let pids = [number(daemon, "asked", &seen), number(daemon, "inner", &seen)];
        seen.extend(pids);
        pids
    };
    let old = next(&daemon);
    daemon.kill_brain();
    wait_gone(&old);
    let old = next(&daemon);
    daemon.kill_keeper();
    assert_eq!(daemon.upkeep(&["upgrade"]).status, Some(0));
    wait_gone(&old);
    let old = next(&daemon);
    daemon.kill_keeper();
    daemon.kill_brain();
    wait_gone(&old);
    next(&daemon);
    assert_eq!(shown(&daemon).split(", ").last(), Some("not healthy yet"));
    std::fs::remove_file(daemon.home.join("hold")).expect("removed");
    wait_shown(&daemon, ", healthy");
    assert_eq!(daemon.pid_of("web"), web);
    assert!(!daemon.log().contains("health check of web failed"), "{}", daemon.log());
}

#[test]
fn another_question_is_asked_without_a_restart_and_wrong_ones_are_refused() {
    let daemon = started("health_timeout=1h", &["hold"]);
    let old = [number(&daemon, "asked", &[]), number(&daemon, "inner", &[])];
    let pid = daemon.pid_of("web");
    let config = daemon.home.read("supervisord.conf");
    let update = |value: &str| {
        daemon.home.write("supervisord.conf", &config.replace("exec:/bin/sh probe.sh", value));
        daemon.ctl(&["update"])
    };
    update("exec:/bin/true");
    wait_gone(&old);
    wait_shown(&daemon, ", healthy");
    for (value, message, hint) in [
        ("exec:", "the command of health_check is empty", "write exec:COMMAND"),
        ("exec:sh 'a", "not a valid command for health_check", "close the quotation marks"),
        ("exec://true", "not a valid health_check", "write the command right behind the colon"),
        ("run:true", "not a valid health_check", "tcp://HOST:PORT or exec:COMMAND"),
    ] {
        update(value);
        let checked = daemon.upkeep(&["check"]);
        let said = checked.stdout + &checked.stderr;
        assert!(said.contains(message) && said.contains(hint), "{value}: {said}");
    }
    assert_eq!(daemon.pid_of("web"), pid);
    wait_shown(&daemon, ", healthy");
}

#[test]
fn all_that_is_known_of_health_can_be_asked_for() {
    let daemon = started("health_action=none", &["sick"]);
    wait_shown(&daemon, "0)");
    let told = daemon.call("upkeep.getHealth", &[]);
    let text = |name: &str| member(&told, name).unwrap_or_else(|| panic!("no {name}: {told}"));
    assert_eq!(
        (text("name"), text("check"), text("state")),
        ("web".to_owned(), "exec:/bin/sh probe.sh".to_owned(), "unhealthy".to_owned(),)
    );
    assert!(text("last_result").starts_with("the store is 00") && text("reason") == text("last_result"));
    assert_eq!((text("ready"), text("successes")), ("1".to_owned(), "0".to_owned()));
    let number = |name: &str| text(name).parse::<i64>().expect("a number");
    assert!(number("failures") > 0 && number("since") <= number("last_check"), "{told}");
    let json = daemon.upkeep(&["status", "--json"]).stdout;
    assert!(json.contains("\"state\": \"unhealthy\"") || json.contains("\"state\":\"unhealthy\""), "{json}");
    daemon.ctl(&["stop", "web"]);
    assert_eq!(member(&daemon.call("upkeep.getHealth", &[]), "state").as_deref(), Some("unknown"));
}

/// Sends this to that socket; 0, or the error that the system gave.
const SEND: &str = "import socket,sys\n\
try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'X=y', sys.argv[1])\n\
except OSError as error: sys.exit(error.errno)";

fn send_as(uid: u32, socket: &str) -> Option<i32> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", SEND, socket]).current_dir("/").uid(uid).gid(uid);
    command.status().expect("python3").code()
}

fn socket_of(daemon: &Daemon, name: &str) -> String {
    until("a socket", || {
        let environment = procfs::environment(daemon.pid_of(name));
        environment.iter().find_map(|entry| entry.strip_prefix("NOTIFY_SOCKET=").map(str::to_owned))
    })
}

#[test]
fn only_its_user_may_speak_for_a_program_and_nothing_is_left_over() {
    const DENIED: i32 = 13;
    let speak = "import os,socket,time\\nsocket.socket(1,2).sendto(b\"READY=1\",os.environ[\"NOTIFY_SOCKET\"])\\ntime.sleep(9999)";
    let program = |name: &str, options: &str| {
        format!(
            "[program:{name}]\ncommand=/usr/bin/python3 -c 'exec(\"{}\")'\nready=notify\ndirectory=/\n{options}\n",
            speak.replace('"', "\\\"")
        )
    };
    let config = program("other", "user=nobody\nprivate_tmp=true") + &program("own", "autorestart=true");
    let mut daemon = Daemon::start(Maker::Upkeep, &config);
    let well = |daemon: &Daemon| {
        let status = daemon.ctl(&["status"]).stdout;
        status.lines().filter(|line| line.ends_with(", healthy")).count() == 2
    };
    until_true("both to be ready", || well(&daemon));
    let [other, own] = ["other", "own"].map(|name| socket_of(&daemon, name));
    let about = std::fs::metadata(&other).expect("a socket");
    assert!(about.file_type().is_socket() && about.mode() & 0o777 == 0o600, "{about:?}");
    let (nobody, somebody) = (about.uid(), 54_321);
    assert_eq!([nobody, 0, somebody].map(|uid| send_as(uid, &other)), [Some(0), Some(0), Some(DENIED)]);
    assert_eq!([0, nobody].map(|uid| send_as(uid, &own)), [Some(0), Some(DENIED)]);
    let folder = Path::new(&own).parent().expect("a folder");
    assert_eq!(std::fs::metadata(folder).expect("a folder").mode() & 0o777, 0o711);
    daemon.kill_brain();
    assert!(until("both", || well(&daemon).then_some(true)) && Path::new(&own).exists());
    daemon.ctl(&["stop", "other"]);
    until_true("its socket to go", || !Path::new(&other).exists());
    let (brain, pid) = (daemon.brain().expect("a daemon"), daemon.pid_of("own"));
    [brain, pid].into_iter().for_each(|pid| procfs::signal(pid, Signal::KILL));
    until_true("the socket of the dead to go", || !Path::new(&own).exists());
    until_true("another one", || ![0, pid].contains(&daemon.pid_of("own")));
    let own = socket_of(&daemon, "own");
    daemon.kill_both();
    assert!(Path::new(&own).exists());
    daemon.start_again();
    until_true("both to be ready again", || well(&daemon));
    until_true("what was left to go", || !Path::new(&own).exists());
    let last = socket_of(&daemon, "own");
    daemon.ctl(&["shutdown"]);
    daemon.wait_for_end();
    until_true("the last one to go", || !Path::new(&last).exists());
}
