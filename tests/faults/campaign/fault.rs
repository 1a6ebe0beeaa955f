//! What happens to the workload. A further fault is one more variant, one line in [`ODDS`] and one arm in `inject`.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use super::checks::names_that_may_go;
use super::scene::Scene;
use super::workload::{self, VARYING, full};
use crate::rig::procfs;
use crate::rig::wait::within;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// `kill -9` of the process that decides.
    KillDaemon,
    /// `kill -9` of the process that decides, and of the next one in the middle of its recovery.
    KillYoungDaemon,
    /// `kill -9` of the process that holds.
    KillKeeper,
    /// `upkeep upgrade` to the same program.
    Upgrade,
    /// `kill -9` of one worker.
    KillWorker,
    /// `kill -9` of twelve workers at once.
    KillMany,
    /// `supervisorctl restart` of one process.
    Restart,
    /// `supervisorctl stop`, then `start`, of one process.
    StopAndStart,
    /// Another `numprocs`, then `supervisorctl update`.
    Update,
    /// `SIGUSR2`: the logs are opened anew.
    Reopen,
    /// `SIGSTOP` of a worker, and `SIGCONT` after a while.
    PauseWorker,
    /// The same for the daemon.
    PauseDaemon,
    /// No free descriptor in the daemon for a while.
    Descriptors,
    /// No room in the file system of two logs for a while.
    FillDisk,
    /// Three hundred clients that say nothing for a while.
    IdleClients,
}

/// How often each is drawn.
const ODDS: [(Fault, usize); 15] = [
    (Fault::KillDaemon, 40),
    (Fault::KillYoungDaemon, 10),
    (Fault::KillKeeper, 5),
    (Fault::Upgrade, 8),
    (Fault::KillWorker, 20),
    (Fault::KillMany, 2),
    (Fault::Restart, 8),
    (Fault::StopAndStart, 5),
    (Fault::Update, 5),
    (Fault::Reopen, 4),
    (Fault::PauseWorker, 6),
    (Fault::PauseDaemon, 4),
    (Fault::Descriptors, 4),
    (Fault::FillDisk, 3),
    (Fault::IdleClients, 3),
];

/// What ends a fault that lasts a while.
pub(super) enum Relief {
    Continue(i32),
    Descriptors(i32, Rlimit),
    Disk,
    Clients(Vec<UnixStream>),
}

pub(super) fn draw(scene: &mut Scene) -> Fault {
    let all: usize = ODDS.iter().map(|(_, weight)| weight).sum();
    let mut left = scene.random.below(all);
    for (fault, weight) in ODDS {
        if left < weight {
            return fault;
        }
        left -= weight;
    }
    Fault::KillWorker
}

/// Does it, and says to whom; `None` if it is not the moment for it.
pub(super) fn inject(fault: Fault, scene: &mut Scene) -> Option<String> {
    match fault {
        Fault::KillDaemon => kill_daemon(scene),
        Fault::KillYoungDaemon => kill_young_daemon(scene),
        Fault::KillKeeper => kill_keeper(scene),
        Fault::Upgrade => upgrade(scene),
        Fault::KillWorker => kill_worker(scene),
        Fault::KillMany => {
            let killed: Vec<String> = (0..12).filter_map(|_| kill_worker(scene)).collect();
            Some(killed.join(", "))
        }
        Fault::Restart => errand(scene, "supervisorctl", |name| vec!["restart".to_owned(), full(name)]),
        Fault::StopAndStart => stop_and_start(scene),
        Fault::Update => update(scene),
        Fault::Reopen => {
            let keeper = scene.keeper()?;
            procfs::signal(keeper, Signal::USR2);
            Some(format!("keeper {keeper}"))
        }
        Fault::PauseWorker => {
            let (name, pid) = scene.victim()?;
            Some(pause(scene, &name, pid, 50, 600))
        }
        Fault::PauseDaemon => {
            let brain = scene.quiet_brain()?;
            Some(pause(scene, "daemon", brain, 20, 300))
        }
        Fault::Descriptors => descriptors(scene),
        Fault::FillDisk => fill_disk(scene),
        Fault::IdleClients => {
            let socket = scene.daemon.socket();
            let clients: Vec<_> = (0..300).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
            let said = format!("{} clients", clients.len());
            scene.later(200, 1000, Relief::Clients(clients));
            Some(said)
        }
    }
}

/// Ends what lasted long enough.
pub(super) fn relieve(relief: Relief, scene: &Scene) {
    match relief {
        Relief::Continue(pid) => procfs::signal(pid, Signal::CONT),
        Relief::Descriptors(pid, limit) => {
            prlimit(Pid::from_raw(pid), Resource::Nofile, limit).ok();
        }
        Relief::Disk => {
            std::fs::remove_file(scene.inside("small/filler")).ok();
        }
        Relief::Clients(clients) => drop(clients),
    }
}

/// A daemon that lives less than a second makes its keeper wait longer for the next one: three in a row are enough.
fn kill_daemon(scene: &mut Scene) -> Option<String> {
    let brain = scene.settled_brain()?;
    let young = scene.brain_since.elapsed() < Duration::from_millis(1100);
    if young && scene.young_deaths == 3 {
        return None;
    }
    scene.young_deaths = if young { scene.young_deaths + 1 } else { 0 };
    Some(kill_brain(scene, brain))
}

fn kill_young_daemon(scene: &mut Scene) -> Option<String> {
    let first = kill_daemon(scene)?;
    let dead = scene.dead_brain;
    let next = within(Duration::from_secs(2), || scene.daemon.brain().filter(|brain| *brain != dead))?;
    let pause = scene.random.milliseconds(0, 60);
    scene.pass(pause);
    Some(format!("{first}, {} after {pause:?}", kill_brain(scene, next)))
}

fn kill_brain(scene: &mut Scene, brain: i32) -> String {
    procfs::signal(brain, Signal::KILL);
    (scene.dead_brain, scene.brain_since) = (brain, std::time::Instant::now());
    format!("daemon {brain}")
}

/// Never both at once: that loses what nobody is left to hold.
fn kill_keeper(scene: &mut Scene) -> Option<String> {
    scene.quiet_brain()?;
    let keeper = scene.keeper()?;
    procfs::signal(keeper, Signal::KILL);
    let another = || scene.keeper().filter(|pid| *pid != keeper);
    let heir = within(Duration::from_secs(10), another);
    Some(format!("keeper {keeper}, then {heir:?}"))
}

fn upgrade(scene: &mut Scene) -> Option<String> {
    let brain = scene.quiet_brain()?;
    let said = scene.daemon.upkeep(&["upgrade"]);
    scene.brain_since = std::time::Instant::now();
    if said.status != Some(0) {
        scene.fail(format!("upgrade: {said:?}"));
    }
    Some(format!("daemon {brain}, then {:?}", scene.daemon.brain()))
}

fn kill_worker(scene: &mut Scene) -> Option<String> {
    let (name, pid) = scene.victim()?;
    scene.causes.kill(&name, pid);
    if rustix::process::kill_process(Pid::from_raw(pid)?, Signal::KILL).is_err() {
        scene.causes.no_kill(pid);
        return None;
    }
    Some(format!("{name} {pid}"))
}

fn errand(scene: &mut Scene, client: &str, words: impl Fn(&str) -> Vec<String>) -> Option<String> {
    let (name, _) = scene.free_victim()?;
    let words = words(&name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    scene.errands.begin(&scene.causes, vec![name.clone()], scene.daemon.home.path(), client, &words);
    Some(words.join(" "))
}

fn stop_and_start(scene: &mut Scene) -> Option<String> {
    let (name, _) = scene.free_victim()?;
    let script = format!("bin/supervisorctl stop {0}; exec bin/supervisorctl start {0}", full(&name));
    let home = scene.daemon.home.path();
    scene.errands.begin(&scene.causes, vec![name.clone()], home, "/bin/sh", &["-c", &script]);
    Some(format!("stop and start {name}"))
}

fn update(scene: &mut Scene) -> Option<String> {
    let one = format!("{VARYING}_busy");
    if scene.errands.concern(&one) || !scene.errands.has_room() {
        return None;
    }
    let count = 20 + scene.random.below(12);
    let before = std::mem::replace(&mut scene.varying, count);
    workload::write(&scene.daemon, count);
    // Those whose numbers stay keep running.
    let names = names_that_may_go(count);
    scene.errands.begin(&scene.causes, names, scene.daemon.home.path(), "supervisorctl", &["update"]);
    Some(format!("{before} to {count}"))
}

fn pause(scene: &mut Scene, name: &str, pid: i32, least: usize, most: usize) -> String {
    procfs::signal(pid, Signal::STOP);
    scene.later(least, most, Relief::Continue(pid));
    format!("{name} {pid}")
}

fn descriptors(scene: &mut Scene) -> Option<String> {
    let brain = scene.quiet_brain()?;
    let open = std::fs::read_dir(format!("/proc/{brain}/fd")).ok()?.count() as u64;
    let pid = Pid::from_raw(brain)?;
    let before = rustix::process::getrlimit(Resource::Nofile);
    let limit = |current| Rlimit { current: Some(current), maximum: before.maximum };
    let before = prlimit(Some(pid), Resource::Nofile, limit(open)).ok()?;
    scene.later(50, 400, Relief::Descriptors(brain, before));
    Some(format!("{open} in daemon {brain}"))
}

fn fill_disk(scene: &mut Scene) -> Option<String> {
    let path = scene.inside("small/filler");
    let full = std::fs::write(path, vec![0; 1 << 20]).is_err();
    scene.later(300, 2500, Relief::Disk);
    Some(format!("full: {full}"))
}
