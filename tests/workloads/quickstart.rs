//! `examples/quickstart.conf`, and the same in other dialects, runs from a clone, with nothing installed.

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;

const RUNNING: [&str; 5] = ["flaky", "ticker", "worker:worker_00", "worker:worker_01", "worker:worker_02"];

#[test]
fn quickstart_runs_with_both() {
    for maker in [Maker::Reference, Maker::Upkeep] {
        let home = Home::new();
        home.copy_in(&repository("examples"));
        let daemon =
            Daemon::start_with(home, maker, "examples/quickstart.conf", "examples/run/quickstart.sock", &[]);
        daemon.wait("RUNNING", &RUNNING);
        assert_eq!(daemon.state("once").as_deref(), Some("STOPPED"));
        assert_eq!(daemon.ctl(&["start", "once"]).stdout, "once: started\n");
        daemon.wait_file("examples/run/once.log", "did it\n");
        daemon.wait_file("examples/run/ticker.log", "tick 2\n");
        daemon.wait_file("examples/run/worker_02.log", "worker 2 ready\n");
    }
}

/// A configuration in YAML survives the daemon as it was read, and is applied as any other.
#[test]
fn quickstart_runs_from_yaml_and_goes_on_after_a_crash() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let file = "examples/quickstart.yaml";
    let text = std::fs::read_to_string(home.join(file)).expect("the example");
    let daemon = Daemon::start_with(home, Maker::Upkeep, file, "examples/run/quickstart.sock", &[]);
    daemon.wait("RUNNING", &RUNNING);
    daemon.wait_file("examples/run/worker_02.log", "worker 2 ready\n");
    let pid = daemon.pid_of("worker:worker_00");
    daemon.home.write(file, "programs: {broken");
    daemon.kill_brain();
    assert_eq!(daemon.pid_of("worker:worker_00"), pid, "it goes on with what was read");
    let refused = daemon.call("supervisor.reloadConfig", &[]);
    assert!(refused.contains("CANT_REREAD: this is not YAML"), "{refused:?}");
    daemon.home.write(file, &text.replace("numprocs: 3", "numprocs: 4").replace("  once:", "  again:"));
    assert_eq!(daemon.ctl(&["reread"]).stdout, "again: available\nonce: disappeared\nworker: changed\n");
    daemon.ctl(&["update"]);
    daemon.wait("RUNNING", &["worker:worker_03"]);
    assert_eq!(daemon.pid_of("worker:worker_00"), pid, "only what is new was started");
    daemon.home.write(file, &text.replace("  once:", "  third:"));
    daemon.ctl(&["reload"]);
    daemon.wait("STOPPED", &["third"]);
    daemon.wait("RUNNING", &RUNNING);
}
