//! Running a command to its end, with a deadline.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::wait::within;

const LIMIT: Duration = Duration::from_secs(60);

/// What a command said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    fn new(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs `program` in `dir`; a command that does not end is killed and fails the test.
pub(crate) fn run(program: &Path, args: &[&str], dir: &Path) -> Said {
    run_within(LIMIT, program, args, dir)
}

/// The same for a command that may take longer.
pub(crate) fn run_within(limit: Duration, program: &Path, args: &[&str], dir: &Path) -> Said {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir);
    plain_environment(&mut command);
    run_command(command, limit)
}

/// The same small environment everywhere, so that no test depends on who runs it.
pub(crate) fn plain_environment(command: &mut Command) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env_clear().envs([("PATH", path), ("HOME", "/"), ("LANG", "C.UTF-8"), ("TZ", "UTC")]);
}

/// Runs a prepared command with nothing on its standard input.
fn run_command(mut command: Command, limit: Duration) -> Said {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
    let pid = i32::try_from(child.id()).expect("a pid");
    let (done, ended) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output();
        done.send(()).ok();
        output
    });
    if ended.recv_timeout(limit).is_err() {
        super::procfs::signal(pid, rustix::process::Signal::KILL);
        panic!("{shown} did not end within {limit:?}");
    }
    Said::new(waiter.join().expect("the waiter").expect("output"))
}

/// The exit status of `child`, if it ends within `limit`.
pub(crate) fn ended(child: &mut Child, limit: Duration) -> Option<Option<i32>> {
    within(limit, || child.try_wait().expect("wait").map(|status| status.code()))
}
