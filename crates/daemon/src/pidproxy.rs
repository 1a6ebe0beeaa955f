//! `pidproxy PIDFILE COMMAND [ARGS]`: stands in for a daemon that puts itself into the background, and passes signals on
//! to the pid it wrote down (PROC-360 … PROC-364).

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::launcher::complain;
use crate::tasks;

/// Signals that are passed on; the second of each pair tells whether this process ends with it.
const PASSED: [(Signal, bool); 6] = [
    (Signal::TERM, true),
    (Signal::INT, true),
    (Signal::QUIT, true),
    (Signal::HUP, false),
    (Signal::USR1, false),
    (Signal::USR2, false),
];

/// Runs the command and passes signals on; returns the exit status.
#[must_use]
#[expect(clippy::print_stdout, reason = "Supervisor's pidproxy prints its usage there (PROC-360)")]
pub fn pidproxy(program: &str, args: &[String]) -> i32 {
    let [pidfile, command, rest @ ..] = args else {
        println!(
            "pidproxy -- runs a command that puts itself into the background, and passes signals on to its pid.\n\n\
             Usage: {program} <pidfile name> <command> [<cmdarg1> ...]\n"
        );
        return 1;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("{program}: cannot start: {error}"), 1),
    };
    match runtime.block_on(stand_in(pidfile, command, rest)) {
        Ok(()) => 0,
        Err(error) => complain(&format!("{program}: cannot run {command}: {error}"), 1),
    }
}

async fn stand_in(pidfile: &str, command: &str, args: &[String]) -> std::io::Result<()> {
    let (sender, mut received) = mpsc::unbounded_channel();
    for (passed, ends) in PASSED {
        let mut signals = signal(SignalKind::from_raw(passed.as_raw()))?;
        let sender = sender.clone();
        tasks::spawn(async move {
            while signals.recv().await.is_some() && sender.send((passed, ends)).is_ok() {}
        });
    }
    let mut exits = signal(SignalKind::child())?;
    let file = std::path::absolute(command)?;
    let mut child = Command::new(file).arg0(command).args(args).spawn()?;
    loop {
        if has_ended(&mut child) {
            return Ok(());
        }
        tokio::select! {
            _ = exits.recv() => {}
            Some((passed, ends)) = received.recv() => {
                if pass_on(pidfile, passed) && ends {
                    return Ok(());
                }
            }
        }
    }
}

/// A child that cannot be asked after any more has ended too.
fn has_ended(child: &mut Child) -> bool {
    child.try_wait().map_or(true, |status| status.is_some())
}

/// Says whether there was a pid: as long as there is none, not even SIGTERM ends the waiting (PROC-363).
#[expect(clippy::print_stdout, reason = "Supervisor's pidproxy says it there (PROC-363)")]
fn pass_on(pidfile: &str, signal: Signal) -> bool {
    let read = fs::read_to_string(Path::new(pidfile)).ok();
    let pid = read.and_then(|text| text.trim().parse().ok()).and_then(Pid::from_raw);
    match pid {
        // It may have ended: then there is nobody to pass the signal to.
        Some(pid) => drop(kill_process(pid, signal)),
        None => println!("Can't read child pidfile {pidfile}!"),
    }
    pid.is_some()
}
