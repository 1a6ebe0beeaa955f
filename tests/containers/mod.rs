//! As in a container: the daemon ends with its programs, is PID 1, and shows what they write.

mod first;
mod prefix;

use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::rig::daemon::HEAD;
use crate::rig::home::Home;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::run::{Said, ended, plain_environment, run};
use crate::rig::wait::{PATIENCE, until_true};

fn home(body: &str) -> Home {
    let home = Home::new();
    Maker::Upkeep.install(&home.join("bin"));
    home.write("supervisord.conf", &format!("{HEAD}{body}"));
    home
}

fn ends(home: &Home, options: &[&str]) -> Said {
    let args: Vec<&str> = ["run", "-c", "supervisord.conf"].iter().chain(options).copied().collect();
    run(&home.join("bin/upkeep"), &args, home.path())
}

const STEADY: &str = "[program:steady]\ncommand=/bin/sleep 600\n";

/// Each rule with what makes it end, its status, and the line that says why.
#[test]
fn the_daemon_ends_when_its_rule_says_so() {
    let fails = "[program:fails]\ncommand=/no/such/program\nstartretries=0\n";
    let exits = |code: u8| {
        format!(
            "[program:job]\ncommand=/bin/sh -c 'exit {code}'\nstartsecs=0\nautorestart=false\nexitcodes=0\n"
        )
    };
    let listener = "[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_3600\n";
    let rows = [
        ("fatal", format!("{STEADY}{fails}"), 1, "exit_when=fatal: fails:fails is FATAL"),
        ("fatal:fails", format!("{STEADY}{fails}"), 1, "exit_when=fatal: fails:fails is FATAL"),
        ("any-exited", format!("{STEADY}{}", exits(3)), 3, "exit_when=any-exited: job:job has ended"),
        (
            "any-exited:job",
            format!("{STEADY}{fails}{}", exits(0)),
            0,
            "exit_when=any-exited: job:job has ended",
        ),
        ("all-exited", format!("{listener}{}", exits(0)), 0, "exit_when=all-exited: no process runs"),
        ("all-exited", format!("{fails}{}", exits(7)), 1, "exit_when=all-exited: no process runs"),
        (
            "all-exited",
            format!("{fails}[program:web]\ncommand=/bin/cat\ndepends_on=fails\n"),
            1,
            "exit_when=all-exited: no process runs",
        ),
    ];
    std::thread::scope(|scope| {
        for (rule, config, status, why) in &rows {
            scope.spawn(move || {
                let by_option = home(config);
                let said = ends(&by_option, &["--exit-when", rule]);
                assert_eq!(said.status, Some(*status), "{rule}: {said:?}");
                assert!(by_option.read("supervisord.log").contains(why), "{rule}: {said:?}");
                let by_file = home(&format!("{config}[supervisord]\nexit_when={rule}\n"));
                assert_eq!(ends(&by_file, &[]).status, Some(*status), "{rule}, in the file");
            });
        }
    });
}

/// A restart is no end, and neither is a process that another rule is about.
#[test]
fn what_is_started_again_has_not_ended() {
    let config = format!(
        "{STEADY}[program:again]\ncommand=/bin/sh -c 'echo x >> again; [ $(wc -l < again) -gt 3 ] && exec sleep 600; exit 5'\n\
         directory=%(here)s\nstartsecs=0\nautorestart=true\n\
         [program:other]\ncommand=/bin/true\nstartsecs=0\nautorestart=false\n"
    );
    let home = home(&config);
    let child =
        start(&home, &["bin/upkeep", "run", "-c", "supervisord.conf", "--exit-when=any-exited:again"]);
    let mut guard = Guard(child);
    until_true("a fourth start", || home.read("again").lines().count() == 4);
    until_true("the other's end", || home.read("supervisord.log").contains("exited: other"));
    assert!(guard.0.try_wait().expect("wait").is_none());
    assert!(!home.read("supervisord.log").contains("exit_when"));
    procfs::signal(i32::try_from(guard.0.id()).expect("a pid"), Signal::TERM);
    assert_eq!(ended(&mut guard.0, PATIENCE), Some(Some(0)));
}

#[test]
fn a_rule_that_is_none_is_refused() {
    let home = home(STEADY);
    let said = ends(&home, &["--exit-when", "fattal"]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.stderr.contains("--exit-when fattal: there is no such rule"), "{said:?}");
    home.write("supervisord.conf", &format!("{HEAD}{STEADY}[supervisord]\nexit_when=fattal\n"));
    let said = ends(&home, &[]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.stderr.contains("not a valid value for exit_when: 'fattal'"), "{said:?}");
    assert!(said.stderr.contains("fatal"), "{said:?}");
}

/// A child that ends with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).expect("a pid");
        let family = procfs::descendants(pid);
        if self.0.try_wait().ok().flatten().is_none() {
            procfs::signal(pid, Signal::KILL);
            self.0.wait().ok();
        }
        family.iter().for_each(|process| procfs::signal(process.pid, Signal::KILL));
    }
}

fn start(home: &Home, words: &[&str]) -> Child {
    // For appending: the daemon writes there through more than one open file.
    let file = home.join("foreground");
    let output = std::fs::File::options().create(true).append(true).open(file).expect("a file");
    let mut command = foreground(home, words);
    command.stdout(output.try_clone().expect("a descriptor")).stderr(output).spawn().expect("a daemon")
}

/// A command in `home`, with a small environment and nothing on its standard input.
fn foreground(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    plain_environment(&mut command);
    command.args(&words[1..]).current_dir(home.path()).stdin(Stdio::null());
    command
}
