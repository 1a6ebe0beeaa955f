//! Clients that wait for a process when the daemon dies: the next one answers them.

use std::path::PathBuf;

use super::upgrades::{next, upgrade};
use crate::rig::daemon::Daemon;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::http::call;
use crate::rig::maker::Maker;
use crate::rig::run::Said;

const PROGRAMS: &str = "\
[program:late]
command=/bin/sleep 600
autostart=false
startsecs=3
[program:early]
command=/bin/sh -c 'sleep 2; exit 1'
autostart=false
startsecs=4
startretries=0
[program:missing]
command=/no/such/program
autostart=false
[program:slow]
command=/bin/sh -c 'trap \"sleep 3; exit 0\" TERM; while :; do sleep 0.05; done'
[program:quick]
command=/bin/sleep 600
";

/// What happens while clients wait.
type Happens = fn(&mut Daemon);

/// Four clients ask, each by its own way; something happens; then what they were told.
fn told(happens: Happens) -> (Said, [String; 3]) {
    let mut daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &["slow", "quick"]);
    let socket: PathBuf = daemon.socket();
    let config = daemon.home.join("supervisord.conf").display().to_string();
    let (bin, home) = (daemon.home.join("bin.Upkeep"), daemon.home.path().to_owned());
    Maker::Upkeep.install(&bin);
    std::thread::scope(|scope| {
        let ask = |method: &'static str, name: &'static str| {
            let socket = socket.clone();
            scope.spawn(move || {
                call(&socket, method, &[Text(name), Bool(true)]).unwrap_or_else(|error| error.to_string())
            })
        };
        let ctl = scope.spawn(|| {
            let words = ["-c", &config, "start", "late"];
            crate::rig::run::run(&bin.join("supervisorctl"), &words, &home)
        });
        let answers = [
            ask("supervisor.startProcess", "early"),
            ask("supervisor.stopProcess", "slow"),
            ask("supervisor.startProcessGroup", "missing"),
        ];
        daemon.wait("STARTING", &["late", "early"]);
        daemon.wait("STOPPING", &["slow"]);
        happens(&mut daemon);
        // Whom nobody waits for can be asked meanwhile.
        assert_eq!(daemon.state("quick").as_deref(), Some("RUNNING"));
        let said = ctl.join().expect("a client");
        (said, answers.map(|answer| answer.join().expect("a client")))
    })
}

fn assert_told((said, [early, slow, missing]): (Said, [String; 3])) {
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), "late: started\n"), "{said:?}");
    assert!(early.contains("SPAWN_ERROR: early"), "{early}");
    assert!(slow.contains("<boolean>1</boolean>"), "{slow}");
    assert!(missing.contains("NO_FILE"), "{missing}");
}

#[test]
fn the_daemon_dies() {
    assert_told(told(|daemon| daemon.kill_brain()));
}

#[test]
fn the_daemon_dies_again_and_its_keeper_too() {
    assert_told(told(|daemon| {
        daemon.kill_brain();
        daemon.kill_keeper();
        daemon.kill_brain();
    }));
}

/// It does not wait for them to be through.
#[test]
fn the_daemon_is_upgraded() {
    assert_told(told(|daemon| {
        let next = next(&daemon.home);
        assert_eq!(upgrade(daemon, &next).status, Some(0));
        assert_eq!(daemon.state("late").as_deref(), Some("STARTING"));
    }));
}
