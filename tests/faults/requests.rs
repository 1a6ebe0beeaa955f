//! The daemon is killed; what becomes of those who ask it?

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rig::daemon::Daemon;
use crate::rig::http::{self, Arg::Text};
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until_true;

const CONFIG: &str = "[program:cat]\ncommand=/bin/cat\n";

/// Who connects while nobody decides is not refused, and is answered soon after.
#[test]
fn a_client_that_comes_meanwhile_is_answered() {
    let daemon = Daemon::start(Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    for _ in 0..10 {
        let brain = procfs::brain(daemon.pid()).expect("the deciding process");
        procfs::signal(brain, Signal::KILL);
        until_true("its end", || !procfs::alive(brain));
        let asked = Instant::now();
        let answer =
            http::call(&daemon.socket(), "supervisor.getProcessInfo", &[Text("cat")]).expect("an answer");
        assert!(answer.contains(&format!("<int>{pid}</int>")), "{answer}");
        assert!(asked.elapsed() < Duration::from_secs(5), "answered after {:?}", asked.elapsed());
        // A daemon that lives for less than a second is started again with a pause: that is another test.
        until_true("a brain of some age", || procfs::brain(daemon.pid()).is_some());
    }
}

/// `supervisorctl` too: the command that comes meanwhile succeeds.
#[test]
fn a_command_that_comes_meanwhile_succeeds() {
    let daemon = Daemon::start(Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["cat"]);
    let brain = procfs::brain(daemon.pid()).expect("the deciding process");
    procfs::signal(brain, Signal::KILL);
    let said = daemon.ctl(&["restart", "cat"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), "cat: stopped\ncat: started\n"), "{said:?}");
}
