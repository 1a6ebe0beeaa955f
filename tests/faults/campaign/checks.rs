//! What must be true all the time, and what must be true at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::journal::Journal;
use super::numbers;
use super::scene::Scene;
use super::workload::{self, COUNTING, VARYING, full, restless};
use crate::rig::daemon::member;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::procfs;
use crate::rig::redis::Connection;
use crate::rig::wait::within;

/// How long a process may be away, an end untold, a command under way: long after the last of a row of faults.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Checks {
    pub(super) journal: Journal,
    /// When each process was last found as it has to be.
    well: BTreeMap<String, Instant>,
    /// How many were not so at the last look.
    astray: usize,
    jobs: usize,
    pub(super) looks: usize,
    pub(super) pids: usize,
    pub(super) numbers: u64,
    pub(super) events: usize,
    /// Processes that a command cut short by a death had left stopped.
    pub(super) started_again: usize,
}

impl Checks {
    pub(super) fn new(scene: &Scene) -> Checks {
        let journal = Journal::new(scene.daemon.home.join("supervisord.log"));
        let (well, astray, jobs) = (BTreeMap::new(), 0, 0);
        Checks { journal, well, astray, jobs, looks: 0, pids: 0, numbers: 0, events: 0, started_again: 0 }
    }

    /// Looks at everything that can be looked at while it runs.
    pub(super) fn look(&mut self, scene: &mut Scene, queue: &mut Connection) -> Result<(), String> {
        self.looks += 1;
        self.feed(queue);
        self.journal.read_on(&scene.causes)?;
        self.journal.untold(&scene.causes, PATIENCE).into_iter().next().map_or(Ok(()), Err)?;
        let workers = scene.workers();
        nobody_twice(&workers)?;
        if scene.errands.collect().iter().any(|said| said.status != Some(0)) {
            scene.update_again = true;
        }
        self.states(scene, &workers)?;
        let plain = format!("plain_{:02}", scene.random.below(20));
        numbers::so_far(scene.daemon.home.path(), &plain)
    }

    fn feed(&mut self, queue: &mut Connection) {
        for id in self.jobs..self.jobs + 5 {
            let job = format!(r#"{{"id":"{id}","job":"record","data":{{"id":{id},"milliseconds":20}}}}"#);
            queue.ask(&["RPUSH", "queues:campaign", &job]);
        }
        self.jobs += 5;
    }

    /// The daemon, its log and /proc tell the same of each process, if not now then soon.
    fn states(&mut self, scene: &mut Scene, workers: &[(String, i32)]) -> Result<(), String> {
        let now = Instant::now();
        let told = states(scene);
        self.journal.read_on(&scene.causes)?;
        self.astray = 0;
        for name in workload::names(scene.varying).iter().filter(|name| !restless(name)) {
            let (state, pid) = told.get(name).cloned().unwrap_or_default();
            let life = self.journal.lives.get(name).and_then(|lives| lives.last());
            let logged = life.is_some_and(|life| life.pid == pid && life.end.is_none());
            let lives = workers.iter().any(|(other, other_pid)| other == name && *other_pid == pid);
            self.pids += 1;
            let since = self.well.entry(name.clone()).or_insert(now);
            if state == "RUNNING" && logged && lives {
                *since = now;
                continue;
            }
            self.astray += 1;
            if now.duration_since(*since) > PATIENCE {
                return Err(format!(
                    "{name} is {state}, pid {pid}, for the daemon; {life:?} for its log; for /proc {:?}",
                    workers.iter().find(|(other, _)| other == name)
                ));
            } else if state == "STOPPED" && !scene.errands.concern(name) {
                self.started_again += 1;
                scene.daemon.try_call("supervisor.startProcess", &[Text(&full(name)), Bool(false)]);
            }
        }
        self.well.retain(|name, _| told.contains_key(name));
        Ok(())
    }

    /// Whether the last look found everybody as they have to be.
    pub(super) fn all_well(&self) -> bool {
        self.looks > 0 && self.astray == 0
    }

    /// After the last fault everything becomes as it has to be; then everything is stopped and read.
    pub(super) fn close(
        &mut self,
        scene: &mut Scene,
        queue: &mut Connection,
        clients_end: impl FnOnce(),
    ) -> Result<(), String> {
        scene.relieve_all();
        let since = Instant::now();
        self.look(scene, queue)?;
        while !scene.errands.idle() || scene.update_again || !self.all_well() {
            super::update_again(scene);
            scene.pass(Duration::from_millis(100));
            self.look(scene, queue)?;
            if since.elapsed() > PATIENCE * 2 {
                return Err("the workload does not come to rest".to_owned());
            }
        }
        self.told(scene)?;
        self.heard(scene)?;
        clients_end();
        self.tight(scene)?;
        self.shut_down(scene)?;
        for (program, backups) in COUNTING {
            for name in workload::names(0).iter().filter(|name| workload::program(name) == program) {
                self.numbers += numbers::complete(scene.daemon.home.path(), name, backups)?;
            }
        }
        self.jobs_are_there(queue)
    }

    /// Every kill has its line.
    fn told(&mut self, scene: &mut Scene) -> Result<(), String> {
        let mut left = Vec::new();
        let all = within(PATIENCE, || {
            let read = self.journal.read_on(&scene.causes);
            left = self.journal.untold(&scene.causes, Duration::ZERO);
            (read.is_err() || left.is_empty()).then_some(read)
        });
        all.unwrap_or_else(|| Err(left.join("\n")))
    }

    /// Every end of a process that had been RUNNING reached the listeners.
    fn heard(&mut self, scene: &Scene) -> Result<(), String> {
        let ends: Vec<(String, i32)> = self.journal.exits_of_running().collect();
        let mut missing = Vec::new();
        within(PATIENCE, || {
            let heard = heard(scene);
            let unheard = |(name, pid): &&(String, i32)| !heard.contains(&(name.clone(), *pid));
            missing = ends.iter().filter(unheard).cloned().collect();
            missing.is_empty().then_some(())
        });
        self.events = ends.len();
        if missing.is_empty() { Ok(()) } else { Err(format!("no listener heard of the end of {missing:?}")) }
    }

    fn tight(&mut self, scene: &mut Scene) -> Result<(), String> {
        scene.causes.begin(["tight_00", "tight_01"]);
        scene.daemon.call("supervisor.stopProcessGroup", &[Text("tight"), Bool(true)]);
        for name in ["tight_00", "tight_01"] {
            let read = |name: String| std::fs::read(scene.inside(&name)).unwrap_or_default();
            let bytes = [read(format!("small/{name}.1")), read(format!("small/{name}"))].concat();
            numbers::rising(&String::from_utf8_lossy(&bytes), name)?;
        }
        Ok(())
    }

    fn shut_down(&mut self, scene: &mut Scene) -> Result<(), String> {
        let names = workload::names(scene.varying);
        scene.causes.begin(names.iter().map(String::as_str));
        let keeper = scene.keeper().ok_or("no keeper at the end")?;
        scene.daemon.call("supervisor.shutdown", &[]);
        within(PATIENCE, || (!procfs::alive(keeper)).then_some(())).ok_or("the keeper does not end")?;
        let left = scene.workers();
        if !left.is_empty() {
            return Err(format!("left behind: {left:?}"));
        }
        self.journal.read_on(&scene.causes)?;
        match self.journal.lives.iter().find(|(_, lives)| lives.iter().any(|life| life.end.is_none())) {
            Some((name, lives)) => Err(format!("{name}: no end in the log: {:?}", lives.last())),
            None => Ok(()),
        }
    }

    /// Every job is done, waits, or was in the hands of somebody who was killed.
    fn jobs_are_there(&self, queue: &mut Connection) -> Result<(), String> {
        let mut found: BTreeSet<usize> =
            queue.texts(&["LRANGE", "done", "0", "-1"]).iter().filter_map(|id| id.parse().ok()).collect();
        let waiting = queue.texts(&["LRANGE", "queues:campaign", "0", "-1"]);
        let taken = queue.texts(&["ZRANGE", "queues:campaign:reserved", "0", "-1"]);
        for job in waiting.iter().chain(&taken) {
            let job: serde_json::Value = serde_json::from_str(job).map_err(|error| error.to_string())?;
            found.extend(job["data"]["id"].as_u64().and_then(|id| usize::try_from(id).ok()));
        }
        let missing: Vec<usize> = (0..self.jobs).filter(|id| !found.contains(id)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("jobs are missing: {missing:?}")) }
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }
}

/// State and pid of each process, as the daemon tells; nothing if the answer was cut.
fn states(scene: &Scene) -> BTreeMap<String, (String, i32)> {
    let answer = scene.daemon.try_call("supervisor.getAllProcessInfo", &[]).unwrap_or_default();
    let of = |part: &str| {
        let pid = member(part, "pid")?.parse().ok()?;
        Some((member(part, "name")?, (member(part, "statename")?, pid)))
    };
    answer.split("<struct>").skip(1).filter_map(of).collect()
}

/// Two that are still two when looked at again: the list is not of one moment.
fn nobody_twice(workers: &[(String, i32)]) -> Result<(), String> {
    let mut first: BTreeMap<&str, i32> = BTreeMap::new();
    for (name, pid) in workers {
        let Some(other) = first.insert(name, *pid) else { continue };
        let same = |pid| procfs::alive(pid) && procfs::arguments(pid).contains(&format!("name={name}"));
        if same(other) && same(*pid) {
            return Err(format!("{name} runs twice: {other} and {pid}"));
        }
    }
    Ok(())
}

/// Name and pid of every end that a listener wrote down.
fn heard(scene: &Scene) -> BTreeSet<(String, i32)> {
    let mut found = BTreeSet::new();
    for number in 0..8 {
        let text = scene.daemon.home.read(&format!("watching_{number:02}.events"));
        for line in text.lines().filter(|line| line.contains(" PROCESS_STATE_EXITED ")) {
            let field = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key));
            let pid = field("pid:").and_then(|pid| pid.parse().ok());
            found.extend(field("processname:").zip(pid).map(|(name, pid)| (name.to_owned(), pid)));
        }
    }
    found
}

/// The command that was cut short may have left the old number.
pub(super) fn names_that_may_go(varying: usize) -> Vec<String> {
    let names = (varying..32).map(|number| format!("{VARYING}_{number:02}"));
    names.chain([format!("{VARYING}_busy")]).collect()
}
