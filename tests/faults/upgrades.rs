//! `upkeep upgrade`: another program becomes daemon and keeper while everything runs on; one that is no good does not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::keepers::{NAMES, assert_counted, pids, says, started};
use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::{self, Arg::Text};
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::run::Said;
use crate::rig::wait::until_true;

/// This program under another name.
pub(super) fn next(home: &Home) -> PathBuf {
    let (program, path) = (Path::new(env!("CARGO_BIN_EXE_upkeep")), home.join("next"));
    std::fs::hard_link(program, &path)
        .or_else(|_| std::fs::copy(program, &path).map(drop))
        .expect("a copy of the program");
    path.canonicalize().expect("a path")
}

/// A program that seems to understand what a keeper holds, and then does this as a daemon.
fn bad(home: &Home, does: &str) -> PathBuf {
    let source = format!(
        "fn main() {{ if std::env::args().nth(1).as_deref() == Some(\"keeper\") {{ std::process::exit(42) }} {does} }}"
    );
    home.write("bad.rs", &source);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc).args(["-o", "bad", "bad.rs"]).current_dir(home.path()).status();
    assert!(made.expect("a compiler").success());
    home.join("bad")
}

pub(super) fn upgrade(daemon: &Daemon, binary: &Path) -> Said {
    daemon.upkeep(&["upgrade", "--binary", &binary.display().to_string()])
}

fn program_of(pid: i32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).expect("a process")
}

#[test]
fn everything_goes_on() {
    let daemon = started();
    let next = next(&daemon.home);
    let (before, keeper, brain) = (pids(&daemon), daemon.keeper(), daemon.brain());
    let done = AtomicBool::new(false);
    let (said, refused) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut refused = Vec::new();
            while !done.load(Ordering::Relaxed) {
                refused.extend(http::call(&daemon.socket(), "supervisor.getState", &[]).err());
            }
            refused
        });
        let said = upgrade(&daemon, &next);
        done.store(true, Ordering::Relaxed);
        (said, asking.join().expect("a client"))
    });
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{said:?}\n{}", daemon.log());
    let expected = format!("the daemon (pid {keeper}) is {} now, version ", next.display());
    assert!(said.stdout.starts_with(&expected), "{said:?}");
    assert_eq!((pids(&daemon), daemon.keeper()), (before.clone(), keeper));
    assert_ne!(daemon.brain(), brain);
    for pid in [keeper, daemon.brain().expect("a daemon")] {
        assert_eq!(program_of(pid), next);
    }
    assert_eq!(
        procfs::process(before[0]).expect("a worker").parent,
        keeper,
        "the keeper has kept its children"
    );
    says(&daemon, "after\n");
    // Once more, to the same file, and a death after it.
    let again = daemon.upkeep(&["upgrade", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!((json["pid"].as_i64(), json["program"].as_str()), (Some(keeper.into()), next.to_str()));
    daemon.kill_brain();
    assert_eq!((pids(&daemon), daemon.keeper()), (before, keeper));
    let counted = daemon.home.read("counter").lines().count();
    until_true("more numbers", || daemon.home.read("counter").lines().count() > counted + 10);
    assert_counted(&daemon);
    daemon.call("supervisor.signalProcess", &[Text("leaver"), Text("USR1")]);
    daemon.wait_log("exited: leaver (exit status 3; not expected)");
    assert_eq!(daemon.log().matches("upgraded: daemon and keeper are").count(), 2, "{}", daemon.log());
}

/// Who waits for an answer gets it before the daemon leaves.
#[test]
fn a_client_that_waits_is_answered() {
    let daemon = Daemon::start(
        Maker::Upkeep,
        "[program:late]\ncommand=/bin/sleep 600\nautostart=false\nstartsecs=2\n",
    );
    let next = next(&daemon.home);
    std::thread::scope(|scope| {
        let start = scope.spawn(|| daemon.ctl(&["start", "late"]));
        daemon.wait("STARTING", &["late"]);
        assert_eq!(upgrade(&daemon, &next).status, Some(0));
        let said = start.join().expect("a client");
        assert_eq!((said.status, said.stdout.as_str()), (Some(0), "late: started\n"), "{said:?}");
    });
    assert_eq!(daemon.state("late").as_deref(), Some("RUNNING"));
}

#[test]
fn a_program_that_cannot_be_tried_changes_nothing() {
    let daemon = started();
    let (before, brain) = (pids(&daemon), daemon.brain());
    daemon.home.write("script", "#!/bin/sh\n");
    for (binary, why) in [
        (daemon.home.join("no/such"), "cannot take over: cannot open it: No such file or directory"),
        (daemon.home.join("script"), "cannot take over: it is not executable"),
        (PathBuf::from("/bin/true"), "it does not understand what the keeper process holds (exit status: 0)"),
    ] {
        let said = upgrade(&daemon, &binary);
        assert_eq!((said.status, said.stdout.as_str()), (Some(1), ""), "{said:?}");
        assert!(said.stderr.contains(why), "{said:?}");
        assert!(said.stderr.contains("hint: nothing was lost"), "{said:?}");
    }
    assert_eq!((pids(&daemon), daemon.brain()), (before, brain));
}

/// The old program comes back, says why, and has missed nothing.
#[test]
fn a_daemon_that_fails_is_undone() {
    let daemon = started();
    let (before, keeper) = (pids(&daemon), daemon.keeper());
    let program = program_of(keeper);
    let bad = bad(
        &daemon.home,
        "std::fs::write(\"trial\", \"\").unwrap(); while std::path::Path::new(\"trial\").exists() {} \
         eprintln!(\"bad luck\"); std::process::exit(8)",
    );
    let said = std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgrade(&daemon, &bad));
        until_true("the trial", || daemon.home.join("trial").exists());
        procfs::signal(before[2], Signal::KILL);
        std::fs::remove_file(daemon.home.join("trial")).expect("a file");
        upgrading.join().expect("a client")
    });
    assert_eq!((said.status, said.stdout.as_str()), (Some(1), ""), "{said:?}");
    let why = "its daemon ended before everything was handed over (exit status: 8): bad luck";
    assert!(said.stderr.contains(why), "{said:?}");
    daemon.wait_log(&format!("failed, '{}' goes on as before: {why}", program.display()));
    daemon.wait_log("exited: leaver (terminated by SIGKILL; not expected)");
    for (name, pid) in NAMES.iter().zip(&before).filter(|(name, _)| **name != "leaver") {
        assert_eq!(daemon.pid_of(name), *pid, "{name}");
    }
    assert_eq!((daemon.keeper(), program_of(keeper)), (keeper, program.clone()));
    assert_eq!(program_of(daemon.brain().expect("a daemon")), program);
    says(&daemon, "after\n");
    // The failure stands in no way of the next try.
    let next = next(&daemon.home);
    assert_eq!(upgrade(&daemon, &next).status, Some(0));
    assert_eq!(daemon.log().matches("goes on as before").count(), 1);
}
