//! Clients that have asked what takes a while when the daemon dies: the next one asks itself again, and answers.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::fs::{Mode, OFlags};

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::http::{call_xml, post_request};
use crate::rig::maker::Maker;
use crate::rig::run::{Said, run};
use crate::rig::wait::{until, until_true};

const PROGRAMS: &str = "\
[program:web]
command=/bin/cat
[program:slow]
command=/bin/sh -c 'trap \"touch asked; while ! test -e go; do sleep 0.05; done; exit 0\" TERM; while :; do sleep 0.05; done'
";

const MORE: &str = "[program:more]\ncommand=/bin/cat\n";

/// Another pipe in the place of the configuration: who reads the one before does not get what is written to this one.
fn new_pipe(daemon: &Daemon) {
    let made = Command::new("mkfifo").arg(daemon.home.join("pipe")).status().expect("mkfifo");
    assert!(made.success());
    std::fs::rename(daemon.home.join("pipe"), daemon.home.join("supervisord.conf")).expect("a new name");
}

/// The other end of the pipe, once somebody reads it.
fn writer(daemon: &Daemon) -> OwnedFd {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    until("a reader", || rustix::fs::open(daemon.home.join("supervisord.conf"), flags, Mode::empty()).ok())
}

/// What a command says that is asked while the daemon cannot read its configuration, and dies so many times.
fn asked(daemon: &Daemon, words: &[&str], deaths: usize) -> Said {
    let (program, home) = (daemon.home.join("bin/upkeep"), daemon.home.path().to_owned());
    let client = format!("[supervisorctl]\nserverurl=unix://{}\n", daemon.socket().display());
    daemon.home.write("client.conf", &client);
    let words: Vec<&str> = words.iter().copied().chain(["-c", "client.conf"]).collect();
    std::thread::scope(|scope| {
        new_pipe(daemon);
        let command = scope.spawn(|| run(&program, &words, &home));
        for _ in 0..deaths {
            let before = writer(daemon);
            new_pipe(daemon);
            daemon.kill_brain();
            drop(before);
        }
        if !command.is_finished() && deaths < 3 {
            let text = format!("{HEAD}{PROGRAMS}{MORE}");
            std::fs::File::from(writer(daemon)).write_all(text.as_bytes()).expect("a configuration");
        }
        command.join().expect("a command")
    })
}

#[test]
fn what_takes_reading_the_configuration_is_asked_again() {
    let daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &["web", "slow"]);
    for (words, deaths, status, told) in [
        (&["diff"] as &[&str], 1, 0, "more"),
        (&["reread"], 2, 0, "more"),
        (&["reload", "--keep"], 1, 0, "more: new\n"),
        (&["reload"], 1, 0, "starts over"),
    ] {
        let said = asked(&daemon, words, deaths);
        assert_eq!(said.status, Some(status), "{words:?}: {said:?}");
        assert!(said.stdout.contains(told), "{words:?}: {said:?}\n{}", daemon.log());
    }
    // It comes up with what was read when it was asked again.
    daemon.home.write("go", "");
    daemon.wait("RUNNING", &["web", "slow", "more"]);
}

/// What every daemon dies of is not asked for ever.
#[test]
fn a_question_that_is_deadly_is_given_up() {
    let daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &["web", "slow"]);
    let said = asked(&daemon, &["reread"], 3);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.stderr.contains("the daemon was killed again and again"), "{said:?}");
    assert_eq!(daemon.state("web").as_deref(), Some("RUNNING"));
    daemon.home.write("go", "");
}

/// An update that has begun goes on, and its client hears of its end; once a new keeper too.
#[test]
fn an_update_that_waits_for_a_process_is_answered_d_37() {
    for keeper_too in [false, true] {
        let mut daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
        daemon.wait("RUNNING", &["web", "slow"]);
        let before = daemon.pid_of("slow");
        let changed = PROGRAMS.replace("while :; do sleep 0.05", "while :; do sleep 0.04");
        daemon.home.write("supervisord.conf", &format!("{HEAD}{changed}"));
        let (ctl, config) = (daemon.home.join("bin/supervisorctl"), daemon.home.join("supervisord.conf"));
        let home = daemon.home.path().to_owned();
        let config = config.display().to_string();
        let said = std::thread::scope(|scope| {
            let update = scope.spawn(|| run(&ctl, &["-c", &config, "update"], &home));
            until_true("the old process to be asked", || home.join("asked").exists());
            daemon.kill_brain();
            if keeper_too {
                daemon.kill_keeper();
                daemon.kill_brain();
            }
            assert_eq!(daemon.state("slow").as_deref(), Some("STOPPING"));
            std::fs::write(home.join("go"), "").expect("a file");
            update.join().expect("an update")
        });
        let told = "slow: stopped\nslow: updated process group\n";
        assert_eq!((said.status, said.stdout.as_str()), (Some(0), told), "{said:?}\n{}", daemon.log());
        daemon.wait("RUNNING", &["web", "slow"]);
        assert_ne!(daemon.pid_of("slow"), before);
    }
}

/// Who has its answer gets no second one, whoever dies.
#[test]
fn what_was_answered_is_answered_once() {
    let daemon = Daemon::start(Maker::Upkeep, "[program:web]\ncommand=/bin/cat\n");
    let mut client = UnixStream::connect(daemon.socket()).expect("a connection");
    for method in ["supervisor.reloadConfig", "upkeep.getPlan", "upkeep.reloadKeep"] {
        client.write_all(post_request(&call_xml(method, &[])).as_bytes()).expect("to ask");
        let mut answer = String::new();
        while !answer.contains("</methodResponse>") {
            let mut buffer = [0; 4096];
            let count = client.read(&mut buffer).expect("an answer");
            assert_ne!(count, 0, "the connection ended: {answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        assert!(!answer.contains("<fault>"), "{method}: {answer}");
    }
    daemon.kill_brain();
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("the end");
    assert_eq!(rest, "");
}
