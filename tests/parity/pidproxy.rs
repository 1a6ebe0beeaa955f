//! `pidproxy`: stands in for a daemon and passes signals on to the pid it wrote down.

use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::procfs;
use crate::rig::run::{ended, plain_environment, run};
use crate::rig::stage::same_story;
use crate::rig::wait::{until, until_true};

/// Writes down its pid and its arguments, then every signal that it gets.
const WORKER: &str = "for s in HUP USR1 USR2 TERM INT QUIT; do trap \"echo $s >> got\" $s; done; \
    echo $$ > started; tr '\\000' ' ' < /proc/$$/cmdline > args; while :; do sleep 0.02; done";

/// A `pidproxy` of one of the makers with its worker, both ended with the test.
struct Proxy {
    home: Home,
    child: Child,
}

impl Proxy {
    fn start(maker: Maker) -> Proxy {
        let home = Home::new();
        maker.install(&home.join("bin"));
        home.write("sub/file", "");
        symlink("/bin/sh", home.join("shell")).expect("a link");
        let child = Proxy::command(&home, &["pid", "sub/../shell", "-c", WORKER, "worker", "a", "b c"])
            .spawn()
            .expect("pidproxy");
        let proxy = Proxy { home, child };
        until_true("the worker", || proxy.home.read("args").ends_with("b c "));
        proxy
    }

    fn command(home: &Home, args: &[&str]) -> Command {
        let output = std::fs::File::create(home.join("said")).expect("a file");
        let mut command = Command::new(home.join("bin/pidproxy"));
        plain_environment(&mut command);
        command.env("PYTHONUNBUFFERED", "1").args(args).current_dir(home.path());
        command.stdin(Stdio::null()).stderr(output.try_clone().expect("a descriptor")).stdout(output);
        command
    }

    fn worker(&self) -> i32 {
        until("the worker's pid", || self.home.read("started").trim().parse().ok())
    }

    fn signal(&self, signal: Signal) {
        procfs::signal(i32::try_from(self.child.id()).expect("a pid"), signal);
    }

    fn wait_file(&self, name: &str, text: &str) {
        until_true(&format!("{text:?} in {name}"), || self.home.read(name).contains(text));
    }

    fn end(&mut self) -> Option<i32> {
        ended(&mut self.child, Duration::from_secs(20)).expect("its end")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        procfs::signal(self.worker(), Signal::KILL);
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a pidproxy of this maker does, told as a text.
fn story(maker: Maker) -> String {
    let mut story = Vec::new();
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut proxy = Proxy::start(maker);
        proxy.home.write("pid", &format!("{}\n", proxy.worker()));
        for (signal, name) in [(Signal::HUP, "HUP"), (Signal::USR1, "USR1"), (Signal::USR2, "USR2")] {
            proxy.signal(signal);
            proxy.wait_file("got", &format!("{name}\n"));
        }
        proxy.signal(signal);
        story.push(format!("{signal:?}: {:?}", proxy.end()));
        until_true("one signal more", || proxy.home.read("got").lines().count() == 4);
        story.push(format!("the worker lives: {}", procfs::alive(proxy.worker())));
        story.extend(["got", "args", "said"].map(|name| plain(&proxy.home.read(name), proxy.home.path())));
    }
    story.join("\n")
}

/// PROC-361, PROC-362: the command runs with its arguments as given; signals go on, and three of them end the proxy.
#[test]
fn proc_362_signals_are_passed_on() {
    same_story(story);
}

/// PROC-363: without a readable pid file it says so and goes on, whatever the signal.
#[test]
fn proc_363_no_pid_file() {
    for maker in [Maker::Reference, Maker::Upkeep] {
        let mut proxy = Proxy::start(maker);
        proxy.signal(Signal::TERM);
        proxy.wait_file("said", "Can't read child pidfile pid!\n");
        proxy.home.write("pid", "nonsense");
        proxy.signal(Signal::HUP);
        proxy.wait_file("said", "Can't read child pidfile pid!\nCan't read child pidfile pid!\n");
        proxy.home.write("pid", &proxy.worker().to_string());
        proxy.signal(Signal::TERM);
        assert_eq!(proxy.end(), Some(0), "{maker:?}");
        proxy.wait_file("got", "TERM\n");
    }
}

/// PROC-360, PROC-361, PROC-364: wrong uses; a command is a file, not a name to be searched for; the end of the command is
/// the end of the proxy, with status 0.
#[test]
fn proc_360_uses_and_end() {
    let homes = [Maker::Reference, Maker::Upkeep].map(|maker| {
        let home = Home::new();
        maker.install(&home.join("bin"));
        home
    });
    for args in [&[][..], &["pid"]] {
        let said = homes.each_ref().map(|home| {
            let said = run(&home.join("bin/pidproxy"), args, home.path());
            let shown = plain(&said.stdout, home.path());
            let usage = shown.lines().find(|line| line.starts_with("Usage: ")).map(str::to_owned);
            (said.status, usage, said.stderr)
        });
        assert_eq!(said[1], said[0], "{args:?}");
        assert!(said[1].1.is_some());
    }
    let ours = &homes[1];
    let mut searched = Proxy::command(ours, &["pid", "touch", "found"]).spawn().expect("pidproxy");
    assert!(ended(&mut searched, Duration::from_secs(20)).is_some());
    assert!(!ours.join("found").exists());
    let mut brief = Proxy::command(ours, &["pid", "/bin/sh", "-c", "exit 3"]).spawn().expect("pidproxy");
    assert_eq!(ended(&mut brief, Duration::from_secs(20)), Some(Some(0)));
}
