//! `examples/quickstart.conf` runs from a clone, with nothing installed.

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
