//! The original Supervisor, and running a client of either kind against it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use upkeep_api::ProcessState;
use upkeep_client::{Client, ClientError};

/// How long anything may take here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// The Python that has supervisor 4.3.0.
pub(crate) fn python() -> PathBuf {
    let path = std::env::var_os("UPKEEP_REFERENCE_PYTHON").map(PathBuf::from).expect(
        "UPKEEP_REFERENCE_PYTHON must name the python of a virtual environment with supervisor 4.3.0: \
         python3 -m venv DIR && DIR/bin/pip install supervisor==4.3.0 && \
         export UPKEEP_REFERENCE_PYTHON=DIR/bin/python",
    );
    assert!(path.with_file_name("supervisorctl").exists(), "no supervisorctl next to {}", path.display());
    path
}

/// One of our programs, built as an example next to this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let target = test.parent().and_then(Path::parent).expect("target/PROFILE/deps");
    let path = target.join("examples").join(name);
    assert!(path.exists(), "{} is built by `cargo test -p upkeep-ctl`", path.display());
    path
}

/// Whose client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Reference,
    Ours,
    /// Our own command line.
    Upkeep,
}

impl Side {
    pub(crate) fn program(self) -> PathBuf {
        match self {
            Self::Reference => python().with_file_name("supervisorctl"),
            Self::Ours => example("supervisorctl"),
            Self::Upkeep => example("upkeep"),
        }
    }
}

/// Waits until `done` gives something.
pub(crate) fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        thread::sleep(PAUSE);
    }
}

/// An original daemon in its own directory.
pub(crate) struct Daemon {
    pub(crate) dir: TempDir,
    child: Child,
}

pub(crate) const HEAD: &str = "[unix_http_server]\nfile=%(here)s/s\n\
    [supervisord]\nlogfile=%(here)s/d.log\npidfile=%(here)s/d.pid\nchildlogdir=%(here)s\nnodaemon=true\n\
    [rpcinterface:supervisor]\n\
    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
    [supervisorctl]\nserverurl=unix://%(here)s/s\n";

impl Daemon {
    /// Starts one with these sections after [`HEAD`], and waits until it answers.
    pub(crate) fn start(sections: &str) -> Self {
        Self::start_with(HEAD, sections)
    }

    /// The same with another head.
    pub(crate) fn start_with(head: &str, sections: &str) -> Self {
        let dir = TempDir::new().expect("tempdir");
        fs::write(dir.path().join("c.conf"), format!("{head}{sections}")).expect("write config");
        let child = Command::new(python().with_file_name("supervisord"))
            .args(["-c", "c.conf"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the reference");
        let daemon = Self { dir, child };
        wait_for("the reference to answer", || match daemon.client().pid() {
            Ok(_) | Err(ClientError::Fault(_)) => Some(()),
            Err(_) => None,
        });
        daemon
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}/s", self.dir.path().display())
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.url(), None, None).expect("url")
    }

    /// Rewrites the sections after [`HEAD`].
    pub(crate) fn configure(&self, sections: &str) {
        fs::write(self.dir.path().join("c.conf"), format!("{HEAD}{sections}")).expect("write config");
    }

    /// Waits until a process is in this state.
    pub(crate) fn wait_state(&self, name: &str, state: ProcessState) {
        let is_there = || self.client().process_info(name).ok().filter(|info| info.state == state).map(drop);
        wait_for(&format!("{name} to be {}", state.name()), is_there);
    }

    /// Runs a client here.
    pub(crate) fn run(&self, side: Side, args: &[&str], stdin: &str) -> Outcome {
        run_in(self.dir.path(), side, args, stdin)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let asked = self.client().shutdown().is_ok();
        let deadline = Instant::now() + PATIENCE;
        while asked && Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: Option<i32>,
}

/// Runs a client in a directory, with `stdin` piped in.
pub(crate) fn run_in(dir: &Path, side: Side, args: &[&str], stdin: &str) -> Outcome {
    let mut child = command(dir, side, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the client");
    // Whoever reads no input ends before it has come: that is not what is tested.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(stdin.as_bytes()));
    let guard = Guard::over(child.id());
    let output = child.wait_with_output().expect("wait for the client");
    guard.end();
    outcome(dir, &output)
}

/// Ends a process that takes too long, so that a test fails instead of hanging.
struct Guard {
    over: mpsc::Sender<()>,
    watch: thread::JoinHandle<()>,
}

impl Guard {
    fn over(pid: u32) -> Self {
        let (over, ended) = mpsc::channel::<()>();
        let watch = thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        Self { over, watch }
    }

    fn end(self) {
        drop(self.over);
        self.watch.join().expect("the watch ends");
    }
}

pub(crate) fn command(dir: &Path, side: Side, args: &[&str]) -> Command {
    let mut command = Command::new(side.program());
    command
        .args(args)
        .current_dir(dir)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("PYTHONIOENCODING")
        .env_remove("NO_COLOR");
    command
}

fn outcome(dir: &Path, output: &Output) -> Outcome {
    let text = |bytes: &[u8]| normalise(&String::from_utf8_lossy(bytes), dir);
    Outcome { stdout: text(&output.stdout), stderr: text(&output.stderr), status: output.status.code() }
}

/// Takes out what two runs cannot have in common: directories, pids, times, and the ends of error lines.
pub(crate) fn normalise(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "DIR");
    text.split_inclusive('\n').map(normalise_line).collect()
}

fn normalise_line(line: &str) -> String {
    if let Some(end) = line.find(": file: ").filter(|_| line.contains("error: <class ")) {
        return format!("{}\n", &line[..end]);
    }
    let line = blank_digits_after(line, "pid ");
    let line = blank_uptime(&line);
    let line = blank_date(&line);
    if line.trim_end().parse::<u64>().is_ok_and(|number| number > 1) { "N\n".to_owned() } else { line }
}

fn blank_digits_after(line: &str, mark: &str) -> String {
    let Some(at) = line.find(mark).map(|at| at + mark.len()) else { return line.to_owned() };
    let rest = line[at..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{}N{rest}", &line[..at])
}

fn blank_uptime(line: &str) -> String {
    let Some((before, after)) = line.split_once("uptime ") else { return line.to_owned() };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    format!("{before}uptime T{rest}")
}

/// `Nov 21 02:41 AM` at the end of a line.
fn blank_date(line: &str) -> String {
    let plain = line.trim_end();
    let is_date = plain.ends_with(" AM") || plain.ends_with(" PM");
    let cut = plain.len().saturating_sub("Nov 21 02:41 AM".len());
    if is_date && plain.is_char_boundary(cut) { format!("{}DATE\n", &plain[..cut]) } else { line.to_owned() }
}

/// Two daemons in the same state: the original client talks to one, ours to the other.
pub(crate) struct Pair {
    pub(crate) theirs: Daemon,
    pub(crate) ours: Daemon,
}

impl Pair {
    pub(crate) fn start(sections: &str) -> Self {
        let (theirs, ours) = thread::scope(|scope| {
            let theirs = scope.spawn(|| Daemon::start(sections));
            let ours = Daemon::start(sections);
            (theirs.join().expect("start"), ours)
        });
        Self { theirs, ours }
    }

    pub(crate) fn both(&self) -> [&Daemon; 2] {
        [&self.theirs, &self.ours]
    }

    pub(crate) fn wait_state(&self, name: &str, state: ProcessState) {
        self.both().iter().for_each(|daemon| daemon.wait_state(name, state));
    }

    /// Runs the same command line on both sides.
    pub(crate) fn run(&self, args: &[&str], stdin: &str) -> [Outcome; 2] {
        thread::scope(|scope| {
            let theirs = scope.spawn(|| self.theirs.run(Side::Reference, args, stdin));
            let ours = self.ours.run(Side::Ours, args, stdin);
            [theirs.join().expect("run"), ours]
        })
    }

    /// Runs the same command on both sides; stdout and exit status must be the same. Gives ours.
    #[track_caller]
    pub(crate) fn same(&self, args: &[&str]) -> Outcome {
        self.same_with(args, "")
    }

    /// The same with something on stdin.
    #[track_caller]
    pub(crate) fn same_with(&self, args: &[&str], stdin: &str) -> Outcome {
        let all: Vec<&str> = ["-c", "c.conf"].iter().chain(args).copied().collect();
        let [theirs, ours] = self.run(&all, stdin);
        let order = if ends_in_any_order(args) { sorted } else { str::to_owned };
        assert_eq!(
            order(&ours.stdout),
            order(&theirs.stdout),
            "stdout of {args:?} {stdin:?}; theirs is right"
        );
        assert_eq!(ours.status, theirs.status, "exit status of {args:?} {stdin:?}; theirs is right");
        ours
    }

    /// Each line is one command, run by [`Pair::same`].
    #[track_caller]
    pub(crate) fn same_lines(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.same(&line.split(' ').collect::<Vec<_>>());
        }
    }
}

/// Whether several processes stop at once: the daemon tells them in the order in which they ended.
fn ends_in_any_order(args: &[&str]) -> bool {
    let stops = args.first().is_some_and(|command| ["stop", "restart"].contains(command));
    stops && args.iter().any(|name| *name == "all" || name.contains(':'))
}

/// The lines in an order that two runs have in common.
pub(crate) fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}
