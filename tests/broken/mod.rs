//! Configurations that must be refused: `tests/configs/bad`.

use std::path::Path;
use std::sync::Mutex;

use crate::rig::daemon::{Daemon, HEAD, member};
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::run::run;
use crate::rig::stage::differences;

const FOLDER: &str = "tests/configs/bad";

/// Refused by the original at the start alone: it does not look at the daemon's own user again.
const STRICTER: [&str; 1] = ["user.conf"];

/// The names of the broken configurations.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(repository(FOLDER)).expect("the corpus").flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".conf"));
    names.sort_unstable();
    assert!(names.len() >= 40, "only {} broken configurations", names.len());
    names
}

/// What is compared: everything but the places, hints and further problems that ours adds.
fn original_part(text: &str) -> String {
    let extra =
        |line: &&str| ["-->", "hint:", "also:"].iter().any(|start| line.trim_start().starts_with(start));
    text.lines().filter(|line| !extra(line)).collect::<Vec<_>>().join("\n")
}

/// CFG-406, CFG-410, CFG-013…015: each is refused with the original's words and status 2, and nothing is left behind.
#[test]
fn cfg_406_refused_at_start() {
    let queue = Mutex::new(names().into_iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(name) = { queue.lock().expect("the queue").next() } {
            let (reference, ours) = (refusal(Maker::Reference, &name), refusal(Maker::Upkeep, &name));
            if reference != ours {
                failures
                    .lock()
                    .expect("failures")
                    .push(format!("{name}:\n{}", differences(&reference, &ours)));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let failures = failures.into_inner().expect("failures");
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

fn refusal(maker: Maker, name: &str) -> String {
    let home = Home::new();
    maker.install(&home.join("bin"));
    home.copy_in(&repository(FOLDER));
    let before = files(home.path());
    let said = run(&home.join("bin/supervisord"), &["-n", "-c", &format!("bad/{name}")], home.path());
    assert_eq!(files(home.path()), before, "{maker:?}, {name}: something was left behind");
    let text = format!("{:?}\n{}\n{}", said.status, said.stdout, original_part(&said.stderr));
    plain(&text, home.path())
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// CFG-421, RPC-057: the same files under a running daemon: a fault each, and the process goes on.
#[test]
fn cfg_421_refused_at_reread() {
    let (reference, ours) = std::thread::scope(|scope| {
        let reference = scope.spawn(|| rereads(Maker::Reference));
        let ours = rereads(Maker::Upkeep);
        (reference.join().expect("the original"), ours)
    });
    assert!(reference == ours, "{}", differences(&reference, &ours));
}

fn rereads(maker: Maker) -> String {
    let home = Home::new();
    home.copy_in(&repository(FOLDER));
    let good = format!("{HEAD}[program:cat]\ncommand=/bin/cat\n")
        .replace("%(here)s", &home.path().display().to_string());
    home.write("bad/supervisord.conf", &good);
    let daemon = Daemon::start_with(home, maker, "bad/supervisord.conf", "sock", &[]);
    daemon.wait("RUNNING", &["cat"]);
    let pid = daemon.pid_of("cat");
    let mut script = String::new();
    for name in names() {
        let broken = std::fs::read(daemon.home.join(&format!("bad/{name}"))).expect("a broken configuration");
        std::fs::write(daemon.home.join("bad/supervisord.conf"), broken).expect("a file");
        let answer = daemon.call("supervisor.reloadConfig", &[]);
        let code = member(&answer, "faultCode");
        if STRICTER.contains(&name.as_str()) {
            assert!(maker == Maker::Reference || code.as_deref() == Some("92"), "{name}: {answer}");
            continue;
        }
        let text = original_part(&member(&answer, "faultString").unwrap_or(answer));
        script += &format!("{name}: {code:?} {}\n", plain(&text, daemon.home.path()));
        assert_eq!(daemon.pid_of("cat"), pid, "{maker:?}: {name}");
    }
    daemon.home.write("bad/supervisord.conf", &good);
    script += &daemon.call("supervisor.reloadConfig", &[]);
    script
}
