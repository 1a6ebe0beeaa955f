//! Children that do what nobody expects of a child: none of it may hurt the daemon or another program.

use std::path::Path;

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Int, Text};
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until_true;

/// A Perl program that runs in the background for a while, as daemons do.
const DAEMON: &str = "\
#!/usr/bin/perl
use POSIX;
fork and exit;
setsid;
fork and exit;
open(my $file, '>>', 'daemons');
syswrite($file, \"$$\\n\");
sleep 60;
";

/// A program that puts itself into the background is told of, once; shells that leave nothing, or nothing for long, are not.
#[test]
fn a_daemonised_child_is_recognised() {
    let home = Home::new();
    write_script(&home, "daemon", DAEMON);
    let once = "directory=%(here)s\nstartsecs=0\nautorestart=false\n";
    let config = format!(
        "[program:web]\ncommand=%(here)s/daemon\nprocess_name=web_%(process_num)d\nnumprocs=2\n{once}\
         [program:wrapped]\ncommand=/bin/sh -c './daemon; exit 0'\nautostart=false\n{once}\
         [program:plain]\ncommand=/bin/sh -c 'true & exit 0'\n{once}\
         [program:brief]\ncommand=/bin/sh -c 'sleep 0.2 & exit 0'\n{once}\
         [program:failing]\ncommand=/bin/sh -c './daemon; exit 1'\nexitcodes=1\n{once}"
    );
    let daemon = Daemon::start_in(home, Maker::Upkeep, &config);
    daemon.wait_log("that it started lives on");
    daemon.call("supervisor.startProcess", &[Text("wrapped")]);
    daemon.wait_log("wrapped:wrapped ended at once with status 0, but process ");
    let log = daemon.log();
    let hints: Vec<&str> = log.lines().filter(|line| line.contains("lives on")).collect();
    assert_eq!(hints.len(), 2, "{hints:?}");
    assert!(hints[0].contains("WARN web:web_") && hints[0].contains("(daemon)"), "{hints:?}");
    let daemons = daemon.home.read("daemons");
    for pid in daemons.lines().map(|line| line.parse().expect("a pid")) {
        assert!(procfs::alive(pid));
        procfs::signal(pid, Signal::KILL);
    }
}

/// Who does not hear TERM, and who has stopped itself, is killed when its time is over.
#[test]
fn a_stop_ends_the_deaf_and_the_stopped() {
    let config = "\
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'
stdout_logfile=%(here)s/deaf
stopwaitsecs=1
stopasgroup=true
[program:stopped]
command=/bin/sh -c 'echo ready; kill -s STOP $$; sleep 600'
stdout_logfile=%(here)s/stopped
stopwaitsecs=1
[program:other]
command=/bin/sleep 600
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["deaf", "stopped", "other"]);
    daemon.wait_file("deaf", "ready");
    let stopped = daemon.pid_of("stopped");
    until_true("a stopped child", || status_of(stopped, "State:").starts_with('T'));
    daemon.call("supervisor.stopAllProcesses", &[]);
    daemon.wait("STOPPED", &["deaf", "stopped", "other"]);
    for name in ["deaf", "stopped"] {
        assert!(daemon.log().contains(&format!("killing '{name}'")), "{}", daemon.log());
    }
    assert!(!procfs::alive(stopped));
}

/// A child without standard output and error runs on, also through a death of the daemon, and costs nothing.
#[test]
fn a_child_may_close_its_output() {
    let config = "\
[program:closed]
command=/bin/sh -c 'echo last; exec >&- 2>&-; echo closed > closed; exec sleep 600'
directory=%(here)s
stdout_logfile=%(here)s/log
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait("RUNNING", &["closed"]);
    daemon.wait_file("closed", "closed");
    let pid = daemon.pid_of("closed");
    daemon.kill_brain();
    daemon.wait("RUNNING", &["closed"]);
    assert_eq!(daemon.pid_of("closed"), pid);
    assert_eq!(daemon.home.read("log"), "last\n");
    daemon.call("supervisor.stopProcess", &[Text("closed")]);
    daemon.wait("STOPPED", &["closed"]);
}

/// A line that does not end: the memory of the daemon stays as it is, and the logs within their limits.
#[test]
fn an_endless_line_needs_no_memory() {
    let config = "\
[program:moved]
command=/bin/sh -c 'read go; head -c 128M /dev/zero; echo END >&2; exec cat'
stdout_logfile=%(here)s/moved
stdout_logfile_maxbytes=1MB
stdout_logfile_backups=1
stderr_logfile=%(here)s/moved.err
[program:looked_at]
command=/bin/sh -c 'read go; head -c 128M /dev/zero; echo END >&2; exec cat'
stdout_logfile=%(here)s/looked_at
stdout_logfile_maxbytes=1MB
stdout_logfile_backups=1
stdout_capture_maxbytes=1MB
stderr_logfile=%(here)s/looked_at.err
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    let names = ["moved", "looked_at"];
    daemon.wait("RUNNING", &names);
    let brain = daemon.brain().expect("the deciding process");
    let before = kilobytes(brain, "VmRSS:");
    for name in names {
        daemon.call("supervisor.sendProcessStdin", &[Text(name), Text("go\n")]);
    }
    for name in names {
        daemon.wait_file(&format!("{name}.err"), "END");
    }
    let most = kilobytes(brain, "VmHWM:");
    assert!(most < before + 16 * 1024, "{before} kB became {most} kB");
    for name in names {
        for file in [name.to_owned(), format!("{name}.1")] {
            let length = std::fs::metadata(daemon.home.join(&file)).expect("a log").len();
            assert!(length <= (1 << 20) + 128 * 1024, "{file}: {length}");
        }
    }
}

/// Bytes that are no UTF-8 are logged as they are, and shown as far as that goes.
#[test]
fn output_need_not_be_text() {
    let config = "\
[program:noise]
command=/bin/sh -c 'printf \"a\\377\\376\\000\\300b\\n\"; echo end; exec sleep 600'
stdout_logfile=%(here)s/noise
";
    let daemon = Daemon::start(Maker::Upkeep, config);
    daemon.wait_file("noise", "end");
    let logged = std::fs::read(daemon.home.join("noise")).expect("a log");
    assert_eq!(logged, b"a\xff\xfe\0\xc0b\nend\n");
    let said = daemon.upkeep(&["logs", "noise"]);
    assert!(said.status == Some(0) && said.stdout.contains("end"), "{said:?}");
    let answer = daemon.call("supervisor.readProcessStdoutLog", &[Text("noise"), Int(0), Int(0)]);
    assert!(answer.contains("methodResponse"), "{answer}");
}

/// A fork bomb stays within the limit of its user; the daemon and others do not feel it, and a stop of the group ends all.
#[test]
fn a_fork_bomb_is_ended_whole() {
    const MOST: usize = 60;
    // The limit counts all processes of the user: one that nobody else has.
    let user = 54_000 + procfs::own_pid() % 10_000;
    let config = format!(
        "[program:bomb]\n\
         command=/usr/bin/prlimit --nproc={MOST} /usr/bin/setpriv --reuid={user} --clear-groups \
         /usr/bin/perl -e 'while () {{ fork; select undef, undef, undef, 0.05 }}'\n\
         stopasgroup=true\nkillasgroup=true\nautostart=false\n\
         [program:other]\ncommand=/bin/sleep 600\nautostart=false\n"
    );
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.call("supervisor.startProcess", &[Text("bomb")]);
    let leader = daemon.pid_of("bomb");
    let members = || {
        let all = procfs::processes().into_iter().filter(|process| !process.zombie);
        all.filter(|process| procfs::process_group(process.pid) == Some(leader)).count()
    };
    until_true("as many as may be", || members() == MOST);
    daemon.call("supervisor.startProcess", &[Text("other")]);
    daemon.wait("RUNNING", &["other", "bomb"]);
    assert!(members() <= MOST);
    daemon.call("supervisor.stopProcess", &[Text("bomb")]);
    until_true("the end of all", || members() == 0);
    assert_eq!(daemon.state("other").as_deref(), Some("RUNNING"));
}

/// A script whose interpreter is not there: the log says so in words.
#[test]
fn a_missing_interpreter_is_named() {
    let home = Home::new();
    write_script(&home, "script", "#!/no/such/interpreter -x\n");
    let config = "\
[program:script]
command=%(here)s/script
startretries=0
stderr_logfile=%(here)s/script.err
";
    let daemon = Daemon::start_in(home, Maker::Upkeep, config);
    daemon.wait("FATAL", &["script"]);
    daemon.wait_log("names the interpreter '/no/such/interpreter', which is not there");
    daemon.wait_file("script.err", "ENOENT");
}

/// Long arguments and a large environment arrive whole; what is too large for the system is said in words.
#[test]
fn arguments_and_environments_may_be_large() {
    let argument = "a".repeat(10_000);
    let variables: Vec<String> =
        (0..8).map(|number| format!("BIG{number}=\"{}\"", "v".repeat(131_000))).collect();
    let config = format!(
        "[program:large]\n\
         command=/bin/sh -c 'echo ${{#1}} $((${{#BIG0}}+${{#BIG1}}+${{#BIG2}}+${{#BIG3}}+${{#BIG4}}+${{#BIG5}}+${{#BIG6}}+${{#BIG7}})); exec sleep 600' sh {argument}\n\
         environment={}\nstdout_logfile=%(here)s/large\n\
         [program:larger]\ncommand=/bin/sleep 600\nstartretries=0\n\
         environment=HUGE=\"{}\"\nstderr_logfile=%(here)s/larger.err\n",
        variables.join(","),
        "v".repeat(140_000),
    );
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["large"]);
    daemon.wait_file("large", "10000 1048000\n");
    daemon.wait("FATAL", &["larger"]);
    daemon.wait_log("'larger' cannot be executed: the variable HUGE has 140005 bytes");
    daemon.wait_file("larger.err", "E2BIG");
    daemon.kill_brain();
    daemon.call("supervisor.stopProcess", &[Text("large")]);
    daemon.call("supervisor.startProcess", &[Text("large")]);
    daemon.wait("RUNNING", &["large"]);
}

fn write_script(home: &Home, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    home.write(name, text);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(home.join(name), mode).expect("an executable");
}

/// What /proc/PID/status has behind this word; empty if there is no such process.
fn status_of(pid: i32, word: &str) -> String {
    let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let text = text.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_default().trim().to_owned()
}

fn kilobytes(pid: i32, word: &str) -> u64 {
    status_of(pid, word).split(' ').next().and_then(|number| number.parse().ok()).expect("kilobytes")
}
