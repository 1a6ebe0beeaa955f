//! The stage of a campaign: the daemon, its workload, and what is going on there at the moment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::causes::Causes;
use super::errand::Errands;
use super::fault::{Relief, relieve};
use super::random::Random;
use super::workload;
use crate::rig::daemon::Daemon;
use crate::rig::procfs;

pub(super) struct Scene {
    pub(super) daemon: Daemon,
    pub(super) random: Random,
    pub(super) causes: Arc<Causes>,
    pub(super) errands: Errands,
    /// How many processes the program with a changing number has.
    pub(super) varying: usize,
    pub(super) brain_since: Instant,
    pub(super) young_deaths: usize,
    /// The deciding process that was killed last.
    pub(super) dead_brain: i32,
    /// The deciding process that answered last.
    settled: i32,
    /// What ends the faults that last a while, and when.
    reliefs: Vec<(Instant, Relief)>,
    /// A command was cut short: the configuration may not be in effect.
    pub(super) update_again: bool,
    /// The first thing that must not be.
    pub(super) fault: Option<String>,
}

impl Scene {
    pub(super) fn new(daemon: Daemon, seed: u64) -> Scene {
        Scene {
            daemon,
            random: Random::new(seed),
            causes: Arc::default(),
            errands: Errands::default(),
            varying: workload::VARYING_AT_FIRST,
            brain_since: Instant::now(),
            young_deaths: 0,
            dead_brain: 0,
            settled: 0,
            reliefs: Vec::new(),
            update_again: false,
            fault: None,
        }
    }

    /// Something is not as it must be.
    pub(super) fn fail(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }

    /// The keeper of the pid file.
    pub(super) fn keeper(&self) -> Option<i32> {
        let pid = self.daemon.home.read("supervisord.pid").trim().parse().ok()?;
        procfs::alive(pid).then_some(pid)
    }

    /// A file as the daemon sees it.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        let path = self.daemon.home.join(name);
        let root = self.keeper().map(|pid| format!("/proc/{pid}/root{}", path.display()));
        root.map_or(path, PathBuf::from)
    }

    /// The workers that /proc shows: a name and a pid for each.
    pub(super) fn workers(&self) -> Vec<(String, i32)> {
        let home = self.daemon.home.path().display().to_string();
        let named = |process: procfs::Process| {
            let arguments = procfs::arguments(process.pid);
            let mut words = arguments.split(' ').filter(|_| arguments.contains(&home));
            let name = words.find_map(|word| word.trim_start_matches('-').strip_prefix("name="))?;
            Some((name.to_owned(), process.pid))
        };
        let live = procfs::processes().into_iter().filter(|process| !process.zombie);
        live.filter(|process| process.comm == "perl" || process.comm == "php").filter_map(named).collect()
    }

    /// Any worker.
    pub(super) fn victim(&mut self) -> Option<(String, i32)> {
        let workers = self.workers();
        (!workers.is_empty()).then(|| self.random.one(&workers).clone())
    }

    /// A worker that no command is at work on, if there is room for another command.
    pub(super) fn free_victim(&mut self) -> Option<(String, i32)> {
        let (name, pid) = self.victim().filter(|_| self.errands.has_room())?;
        let busy = format!("{}_busy", workload::program(&name));
        let free = !self.errands.concern(&name) && !self.errands.concern(&busy) && !workload::restless(&name);
        // A process of the changing number may be gone before the command comes to it.
        (free && workload::program(&name) != workload::VARYING).then_some((name, pid))
    }

    /// The deciding process, if it lives, answers, and suffers from nothing at the moment.
    pub(super) fn quiet_brain(&self) -> Option<i32> {
        if self.suffers() {
            return None;
        }
        self.daemon.try_call("supervisor.getState", &[])?;
        self.daemon.brain().filter(|brain| *brain != self.dead_brain)
    }

    /// The deciding process, if it has answered since it is there.
    pub(super) fn settled_brain(&mut self) -> Option<i32> {
        let brain = self.daemon.brain()?;
        if brain != self.settled {
            self.settled = self.quiet_brain()?;
        }
        (self.settled == brain).then_some(brain)
    }

    /// Whether the daemon cannot answer, or not everybody: what asks it would wait for what this thread has to end.
    pub(super) fn suffers(&self) -> bool {
        self.reliefs.iter().any(|(_, relief)| !matches!(relief, Relief::Disk | Relief::Clients(_)))
    }

    /// Has `relief` come after a while.
    pub(super) fn later(&mut self, least: usize, most: usize, relief: Relief) {
        let at = Instant::now() + self.random.milliseconds(least, most);
        self.reliefs.push((at, relief));
    }

    /// Waits; what is due meanwhile is done.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let now = Instant::now();
            let (due, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.reliefs).into_iter().partition(|(at, _)| *at <= now);
            self.reliefs = later;
            due.into_iter().for_each(|(_, relief)| relieve(relief, self));
            let next = self.reliefs.iter().map(|(at, _)| *at).min().unwrap_or(end).min(end);
            if now >= end {
                return;
            }
            std::thread::sleep(next.saturating_duration_since(now));
        }
    }

    /// Ends everything that lasts.
    pub(super) fn relieve_all(&mut self) {
        for (_, relief) in std::mem::take(&mut self.reliefs) {
            relieve(relief, self);
        }
    }
}

/// After a failure nobody may be left to stop the processes in order.
impl Drop for Scene {
    fn drop(&mut self) {
        self.relieve_all();
        if std::thread::panicking() {
            let both = self.keeper().into_iter().chain(self.daemon.brain());
            let workers = self.workers().into_iter().map(|(_, pid)| pid);
            both.chain(workers).for_each(|pid| procfs::signal(pid, rustix::process::Signal::KILL));
        }
    }
}
