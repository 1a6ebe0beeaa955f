//! The daemon is killed, and asked.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Sheet;
use crate::Outcome;
use crate::ask::{count, request};
use crate::scene::{Scene, signal};

/// From the kill to the first answer; every worker lives on and is reported as running.
///
/// # Errors
/// No answer, or a worker that is not what it was.
pub fn measure(scene: &Scene<'_>, sheet: &mut Sheet<'_>) -> Outcome<()> {
    let mut census = scene.census();
    census.complete(scene.patience())?;
    let (workers, mut client) = (census.look(), scene.client());
    for turn in 0..sheet.effort.recoveries {
        if turn > 0 {
            // A daemon that dies again at once is started later.
            std::thread::sleep(Duration::from_millis(1_500));
        }
        let Some(daemon) = scene.daemon_pid() else { return Err("there is no daemon".to_owned()) };
        let begin = Instant::now();
        signal(daemon, Signal::KILL);
        let answered = client.insist(&request("supervisor.getState", ""))?;
        sheet.add_ms("recovery", answered - begin);
        let running =
            count(client.ask(&request("supervisor.getAllProcessInfo", ""))?, "<string>RUNNING</string>");
        if running != scene.job.processes || census.look() != workers {
            return Err(format!("{running} of {} run as before after the recovery", scene.job.processes));
        }
    }
    Ok(())
}
