//! One command per run: the same stdout, the same exit status.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use upkeep_api::ProcessState;

use crate::reference::{Daemon, Pair, Side, sorted};

const PROGRAMS: &str = "
[program:cat]
command=/bin/cat
startsecs=0
[program:talk]
command=/bin/sh -c \"echo one two; echo three >&2; exec cat\"
startsecs=0
[program:a-name-that-is-longer-than-thirty-characters]
command=/bin/cat
autostart=false
startsecs=0
[program:web]
command=/bin/cat
numprocs=3
process_name=%(program_name)s_%(process_num)02d
autostart=false
startsecs=0
[program:missing]
command=/nonexistent/file
autostart=false
[program:notexec]
command=%(here)s/c.conf
autostart=false
[program:dies]
command=/bin/sh -c \"exit 1\"
autostart=false
startretries=0
[program:ends]
command=/bin/sh -c \"exit 3\"
startsecs=0
autorestart=false
[program:nolog]
command=/bin/cat
stdout_logfile=NONE
startsecs=0
[program:nofile]
command=/bin/cat
stdout_logfile=%(here)s/gone.log
startsecs=0
[program:left]
command=/bin/cat
startsecs=0
[program:right]
command=/bin/cat
startsecs=0
[group:pair]
programs=left,right
";

fn pair() -> Pair {
    let pair = Pair::start(PROGRAMS);
    for name in ["cat", "talk", "nolog", "nofile", "pair:left", "pair:right"] {
        pair.wait_state(name, ProcessState::Running);
    }
    pair.wait_state("ends", ProcessState::Exited);
    for daemon in pair.both() {
        crate::reference::wait_for("talk to have talked", || {
            let log = daemon.client().read_process_log("talk", upkeep_api::Channel::Stderr, 0, 0).ok()?;
            (log == "three\n").then_some(())
        });
    }
    pair
}

/// CTL-040…044, CTL-050…066.
#[test]
fn control_and_status_ctl_040_to_066() {
    let pair = pair();
    pair.same_lines(
        "status
        status all
        status nope all
        status cat
        status cat cat
        status web:*
        status web:
        status web:web_01 cat
        status web:nope
        status nope
        status nope:*
        status nope: cat
        status cat a-name-that-is-longer-than-thirty-characters
        status ends
        status pair:* zzz
        start
        start cat
        start missing
        start notexec
        start dies
        start zzz
        start zzz:*
        start zzz:
        start web:zzz
        start web:web_00
        start web:*
        start web:*
        start zzz:* cat
        start cat missing cat
        start missing cat
        status
        stop
        stop web:web_00
        stop web:web_00
        stop web:*
        stop web:*
        stop zzz zzz:* web:zzz
        stop zzz cat
        start cat
        stop pair:*
        start pair:
        restart
        restart cat
        stop cat
        restart cat
        restart pair:*
        restart web:*
        restart missing
        restart cat pair:left
        restart zzz
        signal
        signal HUP
        signal HUP zzz
        signal USR9 cat
        signal WINCH cat
        signal 28 cat
        signal sigwinch cat
        signal WINCH ends
        signal WINCH pair:*
        signal WINCH web:*
        signal WINCH zzz:*
        signal USR9 pair:*
        signal USR9 zzz
        signal WINCH cat ends cat
        clear
        clear cat
        clear cat ends web:web_00
        clear zzz
        clear zzz cat
        clear all
        clear zzz:*
        status",
    );
}

#[test]
fn everything_at_once_ctl_054_058_061() {
    let pair = Pair::start(
        "[program:a]\ncommand=/bin/cat\nstartsecs=0\n\
         [program:b]\ncommand=/bin/cat\nstartsecs=0\nautostart=false\n\
         [program:c]\ncommand=/nonexistent\nautostart=false\n",
    );
    pair.wait_state("a", ProcessState::Running);
    pair.same_lines(
        "start all
        start all
        start zzz all
        signal WINCH all
        signal USR9 all
        stop all
        stop all
        stop zzz all
        signal WINCH all
        restart all
        status
        pid all",
    );
}

/// CTL-070…076.
#[test]
fn logs_ctl_070_to_076() {
    let pair = pair();
    pair.same_lines(
        "tail
        tail talk
        tail talk stdout
        tail talk stderr
        tail talk STDERR
        tail talk stdoot
        tail talk it's
        tail -4 talk
        tail -0 talk
        tail -1000 talk stderr
        tail --4 talk
        tail -4_0 talk
        tail -x talk
        tail -5
        tail -f
        tail - talk
        tail -99999999999 talk
        tail -5 talk stderr x
        tail talk x stderr
        tail talk stderr stdout x
        tail nolog
        tail zzz
        tail zzz stderr
        tail pair:*
        tail cat
        maintail -1
        maintail -x
        maintail x
        maintail -1 -2
        maintail -99999999999",
    );
    for daemon in pair.both() {
        fs::remove_file(daemon.dir.path().join("gone.log")).expect("remove");
    }
    pair.same(&["tail", "nofile"]);
}

#[test]
fn the_main_log_ctl_076() {
    let daemon = Daemon::start("");
    let path = daemon.dir.path().join("d.log");
    let log = fs::read_to_string(&path).expect("log");
    assert!(log.len() > 20);
    assert_eq!(daemon.run(Side::Ours, &["-c", "c.conf", "maintail", "-0"], "").stdout.len(), {
        crate::reference::normalise(&format!("{log}\n"), daemon.dir.path()).len()
    });
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("chmod");
    fs::remove_file(&path).expect("remove");
    for side in [Side::Reference, Side::Ours] {
        let outcome = daemon.run(side, &["-c", "c.conf", "maintail"], "");
        assert_eq!(outcome.stdout, "supervisord: ERROR (no log file)\n", "{side:?}");
        assert_eq!(outcome.status, Some(1), "{side:?}");
    }
}

/// CTL-008, CTL-077, CTL-085…091, CTL-152.
#[test]
fn other_commands_ctl_008_077_085_to_091() {
    let pair = pair();
    pair.same_lines(
        "pid
        pid cat
        pid cat pair:left
        pid ends
        pid web:web_00 cat
        pid zzz
        pid zzz cat
        pid all
        pid zzz all
        version
        version x
        avail
        avail x
        open
        open x
        open https://x
        open http:x
        open ftp://x
        quit
        quit now
        exit
        EOF
        fg
        fg cat ends
        fg zzz
        fg web:*
        fg ends
        frobnicate
        Status
        stat
        status;
        status-cat
        !ls
        ?stop
        ?
        -
        :
        status all;all
        add
        add cat
        add zzz
        add zzz cat
        remove
        remove cat
        remove zzz
        reread x
        reload x
        shutdown x
        reread
        update
        update all
        update zzz
        update cat",
    );
    let other = format!("open {}", pair.theirs.url());
    pair.same_lines(&other);
}

#[test]
fn quoting_is_lost_ctl_003() {
    let pair = Pair::start("[program:cat]\ncommand=/bin/cat\nstartsecs=0\n");
    pair.wait_state("cat", ProcessState::Running);
    pair.same(&["status cat"]);
    pair.same(&["  status ", "", "cat"]);
    pair.same(&["", ""]);
    pair.same(&["status", "cat\tcat"]);
    pair.same(&["help", "add remove"]);
}

/// CTL-110…130.
#[test]
fn help_ctl_110_to_130() {
    let pair = Pair::start("");
    let topics = "add avail clear exit fg maintail open pid quit reload remove reread restart shutdown signal start \
                  status stop tail update version help EOF nope";
    pair.same(&["help"]);
    for topic in topics.split_whitespace() {
        pair.same(&["help", topic]);
    }
}

#[test]
fn add_and_remove_ctl_097_098() {
    let pair = Pair::start(
        "[program:a]\ncommand=/bin/cat\nstartsecs=0\n[program:b]\ncommand=/bin/cat\nstartsecs=0\n",
    );
    pair.wait_state("a", ProcessState::Running);
    pair.wait_state("b", ProcessState::Running);
    pair.same_lines(
        "stop a
        remove a b zzz
        status
        avail
        add a b zzz
        add zzz b
        remove zzz b",
    );
}

#[test]
fn names_that_guides_teach_d_41() {
    let daemon = Daemon::start(PROGRAMS);
    for name in ["cat", "talk", "pair:left", "pair:right"] {
        daemon.wait_state(name, ProcessState::Running);
    }
    daemon.wait_state("ends", ProcessState::Exited);
    let rows: [(&str, &str, &str, i32); 19] = [
        ("start web", "web:web_00: started\nweb:web_01: started\nweb:web_02: started\n", "", 0),
        (
            "status web",
            "web:web_00                       RUNNING   pid N, uptime T\n\
             web:web_01                       RUNNING   pid N, uptime T\n\
             web:web_02                       RUNNING   pid N, uptime T\n",
            "",
            0,
        ),
        ("signal WINCH web_0[12]", "web:web_01: signalled\nweb:web_02: signalled\n", "", 0),
        (
            "restart web",
            "web:web_00: stopped\nweb:web_01: stopped\nweb:web_02: stopped\n\
             web:web_00: started\nweb:web_01: started\nweb:web_02: started\n",
            "",
            0,
        ),
        ("stop web_01", "web:web_01: stopped\n", "", 0),
        ("pid web_01", "0\n", "", 7),
        ("pid pair", "N\nN\n", "", 0),
        ("status left", "pair:left                        RUNNING   pid N, uptime T\n", "", 0),
        ("clear right", "pair:right: cleared\n", "", 0),
        ("clear web:*", "web:web_00: cleared\nweb:web_01: cleared\nweb:web_02: cleared\n", "", 0),
        ("clear cat:", "cat: cleared\n", "", 0),
        ("pid web:*", "N\n0\nN\n", "", 7),
        ("clear pair", "pair:left: cleared\npair:right: cleared\n", "", 0),
        ("tail left", "\n", "", 0),
        ("fg web_01", "ERROR: process not running\n", "", 1),
        (
            "tail pair",
            "pair: ERROR (no such process name)\n",
            "hint: \"pair\" could be pair:left or pair:right\n",
            1,
        ),
        (
            "restart cta",
            "cta: ERROR (no such process)\ncta: ERROR (no such process)\n",
            "hint: did you mean \"cat\"?\n",
            1,
        ),
        ("status tlak", "tlak: ERROR (no such process)\n", "hint: did you mean \"talk\"?\n", 4),
        ("fg carrot", "ERROR: bad process name supplied\n", "", 1),
    ];
    for (line, stdout, stderr, status) in rows {
        let args: Vec<&str> = ["-c", "c.conf"].into_iter().chain(line.split(' ')).collect();
        let outcome = daemon.run(Side::Ours, &args, "");
        assert_eq!(sorted(&outcome.stdout), sorted(stdout), "{line}");
        assert_eq!(outcome.stderr, stderr, "{line}");
        assert_eq!(outcome.status, Some(status), "{line}");
    }
}

#[test]
fn strict_names_restore_the_reference_d_41() {
    let pair = Pair::start(PROGRAMS);
    pair.wait_state("pair:left", ProcessState::Running);
    for daemon in pair.both() {
        let path = daemon.dir.path().join("c.conf");
        let text = fs::read_to_string(&path).expect("config");
        fs::write(&path, text.replace("[supervisorctl]\n", "[supervisorctl]\nstrict_names=true\n"))
            .expect("write");
    }
    for line in "status web|start web|stop pair|restart left|clear web:*|signal WINCH right|pid pair|pid pair:*|tail left|fg left"
        .split('|')
    {
        let ours = pair.same(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ours.stderr, "", "{line}");
    }
}

/// CTL-011: what a log holds is shown byte by byte, so no encoding can be in the way, and there is nothing to warn of.
#[test]
fn any_locale_will_do() {
    let pair = Pair::start("[program:sign]\ncommand=/bin/sh -c \"echo ✓; exec cat\"\nstartsecs=0\n");
    pair.wait_state("sign", ProcessState::Running);
    let tail = |side: Side, daemon: &Daemon| {
        let mut client =
            crate::reference::command(daemon.dir.path(), side, &["-c", "c.conf", "tail", "sign"]);
        let output = client.env("PYTHONIOENCODING", "latin-1").output().expect("run the client");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
    };
    crate::reference::wait_for("the sign", || (tail(Side::Ours, &pair.ours).0 == "✓\n\n").then_some(()));
    assert_eq!(tail(Side::Ours, &pair.ours).1, Some(0));
    let (shown, _) = tail(Side::Reference, &pair.theirs);
    assert!(shown.starts_with("Warning: sys.stdout.encoding is set to"), "{shown}");
}

/// CTL-151, D-67, CFG-255: a plugin's commands are unknown, and why is said beside it.
#[test]
fn plugins_are_not_loaded() {
    let dir = tempfile::TempDir::new().expect("tempdir");
    let conf = "[supervisorctl]\n[ctlplugin:cache]\nsupervisor.ctl_factory=cache:make\n";
    fs::write(dir.path().join("c.conf"), conf).expect("write");
    let outcome = crate::reference::run_in(dir.path(), Side::Ours, &["-c", "c.conf", "cache_clear"], "");
    assert_eq!((outcome.stdout.as_str(), outcome.status), ("*** Unknown syntax: cache_clear\n", Some(1)));
    assert!(outcome.stderr.contains("cannot be used: cache"), "{outcome:?}");
    let outcome = crate::reference::run_in(dir.path(), Side::Ours, &["-c", "c.conf", "help"], "");
    assert!(outcome.stdout.contains("default commands"), "{outcome:?}");
}
