//! What /proc tells of processes, and ending them by pid.

use std::io::ErrorKind::NotFound;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A line of /proc/PID/stat, as far as it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) comm: String,
    pub(crate) parent: i32,
    pub(crate) zombie: bool,
}

/// All processes of this moment.
pub(crate) fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    entries.flatten().filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The process `pid`, if there is one.
pub(crate) fn process(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let mut fields = tail.split(' ');
    let zombie = fields.next()? == "Z";
    let parent = fields.next()?.parse().ok()?;
    Some(Process { pid, comm: head.split_once('(')?.1.to_owned(), parent, zombie })
}

/// The process group of a process, if there is one: 0 if its leader is outside this pid namespace.
pub(crate) fn process_group(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

/// The session of a process: 0 if its leader is outside this pid namespace.
pub(crate) fn session(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, tail) = stat.rsplit_once(") ").expect("a name in brackets");
    tail.split(' ').nth(3).expect("a session").parse().expect("a number")
}

/// The arguments of a process, with blanks between them.
pub(crate) fn arguments(pid: i32) -> String {
    nul_separated(pid, "cmdline").join(" ")
}

/// The environment of a process.
pub(crate) fn environment(pid: i32) -> Vec<String> {
    nul_separated(pid, "environ")
}

fn nul_separated(pid: i32, file: &str) -> Vec<String> {
    let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let texts = text.split(|byte| *byte == 0).filter(|text| !text.is_empty());
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// The pid of this test.
pub(crate) fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Whether `pid` runs; a zombie does not.
pub(crate) fn alive(pid: i32) -> bool {
    process(pid).is_some_and(|process| !process.zombie)
}

/// All that descend from `pid`, itself left out, parents first.
pub(crate) fn descendants(pid: i32) -> Vec<Process> {
    let all = processes();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        let children = all.iter().filter(|process| process.parent == parent);
        for child in children {
            parents.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// The process that decides: the child of the pid in the pid file.
pub(crate) fn brain(keeper: i32) -> Option<i32> {
    let child =
        |process: &Process| process.parent == keeper && process.comm == "upkeep-daemon" && !process.zombie;
    processes().into_iter().find(child).map(|process| process.pid)
}

/// The process that decides among those that run in this directory: once its keeper was killed it is nobody's child.
pub(crate) fn brain_in(directory: &Path) -> Option<i32> {
    let there = |process: &Process| {
        let at = std::fs::read_link(format!("/proc/{}/cwd", process.pid));
        process.comm == "upkeep-daemon" && !process.zombie && at.is_ok_and(|at| at == directory)
    };
    processes().into_iter().find(there).map(|process| process.pid)
}

/// Whether a process that runs in this directory executes `program`, whatever it calls itself. Who is ending has neither any more,
/// but listens until it is a zombie: so whoever is ending counts, since nobody can tell whose it was.
pub(crate) fn runs_in(directory: &Path, program: &Path) -> bool {
    let is = |process: &Process, name: &str, expected: &Path| {
        let link = std::fs::read_link(format!("/proc/{}/{name}", process.pid));
        link.map_or_else(|error| error.kind() == NotFound, |link| link == expected)
    };
    let mut living = processes().into_iter().filter(|process| !process.zombie);
    living.any(|process| is(&process, "cwd", directory) && is(&process, "exe", program))
}

/// Kills a keeper and its daemon so that neither has the time to start another.
pub(crate) fn kill_both(keeper: i32, brain: i32) {
    signal(brain, Signal::STOP);
    signal(keeper, Signal::KILL);
    signal(brain, Signal::KILL);
    super::wait::until_true("the end of both", || !alive(keeper) && !alive(brain));
}

/// Sends a signal; a process that is gone already is none of our business.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        kill_process(pid, signal).ok();
    }
}
