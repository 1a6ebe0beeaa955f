//! A running `supervisord` of either maker, ended with all its children when the test ends.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::home::Home;
use super::http::{self, Arg};
use super::maker::Maker;
use super::procfs;
use super::run::{Said, ended, plain_environment, run};
use super::wait::{until, until_true};

/// How a daemon gets its time to stop everything before it is killed.
const GRACE: Duration = Duration::from_secs(8);

/// What every configuration here begins with: everything inside the daemon's own directory.
pub(crate) const HEAD: &str = "\
[supervisord]
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s
[unix_http_server]
file=%(here)s/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%(here)s/sock
";

pub(crate) struct Daemon {
    pub(crate) maker: Maker,
    pub(crate) home: Home,
    child: Child,
    config: String,
    socket: String,
}

impl Daemon {
    /// Starts a daemon in the foreground with [`HEAD`] and `body`, and waits until it answers.
    pub(crate) fn start(maker: Maker, body: &str) -> Daemon {
        Daemon::start_in(Home::new(), maker, body)
    }

    /// Starts a daemon in a directory that is prepared already.
    pub(crate) fn start_in(home: Home, maker: Maker, body: &str) -> Daemon {
        home.write("supervisord.conf", &format!("{HEAD}{body}"));
        Daemon::start_with(home, maker, "supervisord.conf", "sock", &[])
    }

    /// Starts a daemon that has to find its configuration, `etc/supervisord.conf`, by itself.
    pub(crate) fn start_found(home: Home, maker: Maker) -> Daemon {
        Daemon::spawn(home, maker, "etc/supervisord.conf", "sock", &["-n"], &[])
    }

    /// Starts a daemon with a configuration that lies in `home`; `socket` is where it will answer.
    pub(crate) fn start_with(
        home: Home,
        maker: Maker,
        config: &str,
        socket: &str,
        environment: &[(&str, &str)],
    ) -> Daemon {
        let path = home.join(config).display().to_string();
        Daemon::spawn(home, maker, config, socket, &["-n", "-c", &path], environment)
    }

    /// Starts a daemon as [`Daemon::start_in`] does, from a shell that has run `prelude` before: `ulimit` and the like.
    pub(crate) fn start_after(prelude: &str, home: Home, maker: Maker, body: &str) -> Daemon {
        home.write("supervisord.conf", &format!("{HEAD}{body}"));
        let script = format!("{prelude}; exec bin/supervisord -n -c supervisord.conf");
        let mut command = Command::new("/bin/sh");
        plain_environment(&mut command);
        command.args(["-c", &script]);
        let child = launch_command(&home, maker, command);
        Daemon::begun(home, maker, "supervisord.conf", "sock", child)
    }

    /// Starts a daemon as [`Daemon::start`] does, under our own name.
    pub(crate) fn start_as_upkeep(body: &str) -> Daemon {
        let home = Home::new();
        home.write("supervisord.conf", &format!("{HEAD}{body}"));
        let mut command = Command::new(home.join("bin/upkeep"));
        plain_environment(&mut command);
        command.args(["run", "-c", "supervisord.conf"]);
        let child = launch_command(&home, Maker::Upkeep, command);
        Daemon::begun(home, Maker::Upkeep, "supervisord.conf", "sock", child)
    }

    fn spawn(
        home: Home,
        maker: Maker,
        config: &str,
        socket: &str,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Daemon {
        let child = launch(&home, maker, args, environment);
        Daemon::begun(home, maker, config, socket, child)
    }

    fn begun(home: Home, maker: Maker, config: &str, socket: &str, child: Child) -> Daemon {
        let mut daemon = Daemon { maker, home, child, config: config.to_owned(), socket: socket.to_owned() };
        daemon.wait_until_it_answers();
        daemon
    }

    /// After its end: another one with the same configuration in the same directory.
    pub(crate) fn start_again(&mut self) {
        let path = self.home.join(&self.config).display().to_string();
        self.child = launch(&self.home, self.maker, &["-n", "-c", &path], &[]);
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&mut self) {
        until(&format!("{:?} to answer", self.maker), || {
            if let Some(status) = self.child.try_wait().expect("wait") {
                panic!("{:?} ended with {status}: {}", self.maker, self.home.read("foreground"));
            }
            self.try_call("supervisor.getState", &[])
        });
    }

    /// The pid that users see: that of the pid file.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join(&self.socket)
    }

    /// Calls a method and returns the answer's XML.
    pub(crate) fn call(&self, method: &str, args: &[Arg<'_>]) -> String {
        http::call(&self.socket(), method, args).unwrap_or_else(|error| {
            panic!("{:?}: {method}: {error}\n{}", self.maker, self.home.read("foreground"))
        })
    }

    pub(crate) fn try_call(&self, method: &str, args: &[Arg<'_>]) -> Option<String> {
        http::call(&self.socket(), method, args).ok()
    }

    /// Runs `supervisorctl` of the same maker.
    pub(crate) fn ctl(&self, words: &[&str]) -> Said {
        self.ctl_of(self.maker, words)
    }

    /// Runs `supervisorctl` of any maker.
    pub(crate) fn ctl_of(&self, maker: Maker, words: &[&str]) -> Said {
        let bin = self.home.join(&format!("bin.{maker:?}"));
        maker.install(&bin);
        let config = self.home.join(&self.config).display().to_string();
        let args: Vec<&str> = ["-c", &config].into_iter().chain(words.iter().copied()).collect();
        run(&bin.join("supervisorctl"), &args, self.home.path())
    }

    /// Runs one of our own commands.
    pub(crate) fn upkeep(&self, words: &[&str]) -> Said {
        let config = self.home.join(&self.config).display().to_string();
        let args: Vec<&str> = words.iter().copied().chain(["-c", &config]).collect();
        run(&self.home.join("bin/upkeep"), &args, self.home.path())
    }

    /// The state's name, or none if the daemon knows no such process.
    pub(crate) fn state(&self, name: &str) -> Option<String> {
        member(&self.try_call("supervisor.getProcessInfo", &[Arg::Text(name)])?, "statename")
    }

    /// The pid of a process, 0 if it does not run.
    pub(crate) fn pid_of(&self, name: &str) -> i32 {
        let info = self.call("supervisor.getProcessInfo", &[Arg::Text(name)]);
        member(&info, "pid")
            .and_then(|pid| pid.parse().ok())
            .unwrap_or_else(|| panic!("no pid of {name}: {info}"))
    }

    /// Waits until each of `names` is in `state`.
    pub(crate) fn wait(&self, state: &str, names: &[&str]) {
        for name in names {
            let mut last = None;
            let reached = super::wait::within(super::wait::PATIENCE, || {
                last = self.state(name);
                (last.as_deref() == Some(state)).then_some(())
            });
            assert!(reached.is_some(), "{:?}: {name} is {last:?}, not {state}\n{}", self.maker, self.log());
        }
    }

    /// The daemon's own log, with every line so far: a line may reach the file after the answer that it belongs to, but not
    /// after an answer about the log itself.
    pub(crate) fn log(&self) -> String {
        // A daemon that has ended has written everything.
        let _ = self.try_call("supervisor.readLog", &[Arg::Int(-1), Arg::Int(0)]);
        self.home.read("supervisord.log")
    }

    /// Waits until the daemon's log holds `text`.
    pub(crate) fn wait_log(&self, text: &str) {
        self.wait_file("supervisord.log", text);
    }

    /// Waits until a file of its directory holds `text`.
    pub(crate) fn wait_file(&self, name: &str, text: &str) {
        let found =
            super::wait::within(super::wait::PATIENCE, || self.home.read(name).contains(text).then_some(()));
        assert!(found.is_some(), "{:?}: {name} has no {text:?}:\n{}", self.maker, self.home.read(name));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        procfs::signal(self.pid(), signal);
    }

    /// Waits for the daemon's end and returns its exit status.
    pub(crate) fn wait_for_end(&mut self) -> Option<i32> {
        until(&format!("{:?} to end", self.maker), || self.child.try_wait().expect("wait")).code()
    }

    /// The process that decides.
    pub(crate) fn brain(&self) -> Option<i32> {
        procfs::brain_in(&self.home.path().canonicalize().expect("a directory"))
    }

    /// Whether a keeper or a deciding process is there, and be it one that is just coming up.
    pub(crate) fn is_anybody_left(&self) -> bool {
        let directory = self.home.path().canonicalize().expect("a directory");
        let program = self.home.join("bin/supervisord").canonicalize().expect("a program");
        procfs::runs_in(&directory, &program)
    }

    /// Kills the process that decides, and returns when another one answers.
    pub(crate) fn kill_brain(&self) {
        let brain = until("the deciding process", || self.brain());
        procfs::signal(brain, Signal::KILL);
        until_true("another deciding process", || self.brain().is_some_and(|pid| pid != brain));
        until("the new daemon to answer", || self.try_call("supervisor.getState", &[]));
    }

    /// The keeper that is there now: [`Daemon::pid`] unless that was killed.
    pub(crate) fn keeper(&self) -> i32 {
        let answer = self.call("supervisor.getPID", &[]);
        let (_, value) = answer.split_once("<int>").expect("a number");
        value.split('<').next().and_then(|pid| pid.parse().ok()).expect("a pid")
    }

    /// Kills the keeper alone, and returns when the daemon has another one.
    pub(crate) fn kill_keeper(&mut self) {
        let keeper = self.keeper();
        procfs::signal(keeper, Signal::KILL);
        self.child.try_wait().expect("wait");
        until_true("another keeper", || self.keeper() != keeper);
    }

    /// Kills both processes at once, so that neither can do anything about it.
    pub(crate) fn kill_both(&mut self) {
        let brain = until("the deciding process", || self.brain());
        procfs::kill_both(self.keeper(), brain);
        self.child.try_wait().expect("wait");
    }
}

/// The keeper that a daemon's pid file names, and whom its launcher does not know.
fn successor(home: &Home, first: i32) -> Option<i32> {
    let pid = home.read("supervisord.pid").trim().parse().ok()?;
    (pid != first && procfs::process(pid)?.comm == "supervisord").then_some(pid)
}

fn launch(home: &Home, maker: Maker, args: &[&str], environment: &[(&str, &str)]) -> Child {
    let mut command = Command::new(home.join("bin/supervisord"));
    plain_environment(&mut command);
    command.args(args).envs(environment.iter().copied());
    launch_command(home, maker, command)
}

fn launch_command(home: &Home, maker: Maker, mut command: Command) -> Child {
    maker.install(&home.join("bin"));
    let output = std::fs::File::create(home.join("foreground")).expect("a file");
    command
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a descriptor"))
        .stderr(output)
        .spawn()
        .expect("the daemon")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = self.pid();
        let mut family = procfs::descendants(pid);
        if let Some(keeper) = successor(&self.home, pid) {
            let brain = self.brain();
            family.extend(procfs::descendants(keeper));
            procfs::signal(keeper, Signal::TERM);
            let gone = || (!procfs::alive(keeper)).then_some(());
            if super::wait::within(GRACE, gone).is_none() {
                brain.into_iter().chain([keeper]).for_each(|pid| procfs::signal(pid, Signal::KILL));
            }
        }
        if self.child.try_wait().ok().flatten().is_none() {
            procfs::signal(pid, Signal::TERM);
            if ended(&mut self.child, GRACE).is_none() {
                procfs::signal(pid, Signal::KILL);
                self.child.wait().ok();
            }
        }
        for process in family.iter().filter(|process| still_the_same(process)) {
            procfs::signal(process.pid, Signal::KILL);
        }
    }
}

/// Whether the pid still names the process that was seen, and not another one that got its number.
fn still_the_same(seen: &procfs::Process) -> bool {
    procfs::process(seen.pid).is_some_and(|now| now.comm == seen.comm && !now.zombie)
}

/// The text of a struct's member in an answer.
pub(crate) fn member(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<name>{name}</name>"))?;
    let (value, _) = rest.split_once("</value>")?;
    let value = value.trim().strip_prefix("<value>")?;
    let (_, inner) = value.split_once('>')?;
    Some(inner.split('<').next().unwrap_or_default().to_owned())
}
