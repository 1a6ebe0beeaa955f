//! The order of a run: the contenders take turns at every size.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ballast::ballast;
use crate::contender::{Contender, Kind};
use crate::measure::{Sheet, calls, crowd, deaths, groups, life, output, quiet, recovery};
use crate::plan::Plan;
use crate::programs::{self, Programs};
use crate::results::Results;
use crate::scene::{BARE, Job, Scene};
use crate::{Outcome, because};

/// How much more memory than one contender's logs take is kept ready for them: those of the one before may still be there.
const LOGS_AT_ONCE: u64 = 2;
/// Numbers of writers.
const WRITERS: [usize; 2] = [1, 8];

/// What a run gives.
#[derive(Debug)]
pub struct Report {
    /// Who was measured, in the order of the table.
    pub contenders: Vec<Contender>,
    /// What was measured.
    pub results: Results,
}

/// Descriptors that so many processes take in one process, for the contender that needs the most: Upkeep's daemon has two pipes, a log
/// and a pidfd for each, and keeps some in reserve. Bare ones have one pipe, and a pidfd if there are plenty.
fn descriptors(processes: usize) -> usize {
    if processes >= BARE { processes * 3 / 2 + 500 } else { processes * 5 + 200 }
}

struct Run<'a> {
    plan: &'a Plan,
    contenders: &'a [Contender],
    programs: Programs,
    home: PathBuf,
    results: Results,
    progress: &'a dyn Fn(&str),
}

/// Measures what a plan wants.
///
/// # Errors
/// Nothing could be measured. What went wrong with one contender stands in the results.
pub fn run(plan: &Plan, progress: &dyn Fn(&str)) -> Outcome<Report> {
    let place = plan.home.clone().unwrap_or_else(memory_or_disk);
    let scratch =
        tempfile::Builder::new().prefix("upkeep-bench").tempdir_in(place).map_err(because("scratch"))?;
    // Executables on a disk, as everywhere: of a file in memory fewer pages are mapped, and count.
    let disk = tempfile::Builder::new().prefix("upkeep-bench").tempdir().map_err(because("programs"))?;
    let programs = programs::compile(disk.path())?;
    let contenders = contenders(plan, disk.path())?;
    let home = scratch.path().join("scene");
    let mut run =
        Run { plan, contenders: &contenders, programs, home, results: Results::default(), progress };
    let sizes = run.possible_sizes();
    for &size in &sizes {
        run.lives(size);
        run.steady(size);
    }
    run.outputs();
    let results = run.results;
    Ok(Report { contenders, results })
}

fn memory_or_disk() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn contenders(plan: &Plan, scratch: &Path) -> Outcome<Vec<Contender>> {
    let contender = |name: &str, kind, bin: PathBuf| Contender { name: name.to_owned(), kind, bin };
    let mut all = vec![
        contender("Supervisor", Kind::Supervisor, plan.supervisor.clone()),
        contender("Upkeep", Kind::Upkeep, scratch.join("upkeep")),
        contender("limit", Kind::Limit, scratch.to_owned()),
    ];
    all.retain(|contender| !plan.skip.contains(&contender.name.to_lowercase()));
    if all.iter().any(|contender| contender.kind == Kind::Upkeep) {
        programs::name_upkeep(&plan.binary, &scratch.join("upkeep"))?;
    }
    if let Some(other) = &plan.against {
        programs::name_upkeep(other, &scratch.join("other"))?;
        all.push(contender("other", Kind::Upkeep, scratch.join("other")));
    }
    Ok(all)
}

impl Run<'_> {
    /// The sizes for which there are descriptors enough; the limit is raised as far as it goes.
    fn possible_sizes(&mut self) -> Vec<usize> {
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        let most = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let (possible, left_out): (Vec<usize>, _) =
            self.plan.sizes.iter().copied().partition(|&size| descriptors(size) <= most);
        for size in left_out {
            let needed = descriptors(size);
            self.results.notes.push(format!(
                "N = {size} is left out: it takes up to {needed} descriptors in one process, and the hard limit (RLIMIT_NOFILE) is \
                 {most} here."
            ));
        }
        possible
    }

    fn lives(&mut self, size: usize) {
        if !self.plan.wants("life") {
            return;
        }
        for turn in 0..self.plan.effort.turns {
            self.each(size, turn, "life", &Job::idle(size, 1), life::measure);
        }
    }

    fn steady(&mut self, size: usize) {
        for turn in 0..self.plan.effort.turns {
            let wanted = self.wanted(size);
            if !wanted.is_empty() {
                self.each(size, turn, "steady", &Job::idle(size, 0), |scene, sheet| {
                    steady(scene, sheet, &wanted)
                });
            }
        }
    }

    fn wanted(&self, size: usize) -> Vec<&'static str> {
        let all = MEASURES.iter().filter(|(name, least, _)| size >= *least && self.plan.wants(name));
        all.map(|(name, ..)| *name).collect()
    }

    fn outputs(&mut self) {
        if !self.plan.wants("log") {
            return;
        }
        let place = self.home.parent().unwrap_or(&self.home);
        let ballast = ballast(place, self.plan.effort.output * LOGS_AT_ONCE);
        if let Err(error) = &ballast {
            self.results.failures.push(format!("ballast: {error}"));
        }
        for writers in WRITERS {
            let each = self.plan.effort.output / writers as u64 / 100 * 100;
            let output = Some((each, (each / 8).min(50 << 20)));
            let job = Job { processes: writers, startsecs: 0, output };
            // No measure depends as much on what else the machine does.
            for turn in 0..(self.plan.effort.turns * 2).saturating_sub(1) {
                self.each(writers, turn, "log", &job, |scene, sheet| {
                    scene.settled()?;
                    output::measure(&scene, sheet)
                });
            }
        }
    }

    /// One turn: every contender does the job once.
    fn each(
        &mut self,
        size: usize,
        turn: usize,
        what: &str,
        job: &Job,
        measure: impl Fn(Scene<'_>, &mut Sheet<'_>) -> Outcome<()>,
    ) {
        for (index, contender) in self.contenders.iter().enumerate() {
            // The others know no processes with less than the usual.
            if job.is_bare() && contender.kind != Kind::Upkeep {
                continue;
            }
            // Minutes for what takes the others a second: once is enough.
            let slow = contender.kind == Kind::Supervisor && size >= 1000;
            if slow && (turn > 0 || size > self.plan.supervisor_to) {
                continue;
            }
            (self.progress)(&format!("N = {size}, turn {}, {what}: {}", turn + 1, contender.name));
            let effort = &self.plan.effort;
            let mut sheet = Sheet::new(&mut self.results, size, index, effort).of_turn(turn);
            let scene = Scene::start(contender, job.clone(), &self.home, &self.programs, effort.patience);
            if let Err(error) = scene.and_then(|scene| measure(scene, &mut sheet)) {
                self.went_wrong(contender, format!("{}, N = {size}, {what}: {error}", contender.name));
            }
        }
    }

    /// What Supervisor cannot do is a remark; what ours cannot is a failure.
    fn went_wrong(&mut self, contender: &Contender, error: String) {
        (self.progress)(&error);
        let list = match contender.kind {
            Kind::Supervisor => &mut self.results.notes,
            Kind::Upkeep | Kind::Limit => &mut self.results.failures,
        };
        list.push(error);
    }
}

type Measure = fn(&Scene<'_>, &mut Sheet<'_>) -> Outcome<()>;

/// What is measured of a contender that has everything running: name, the least size, how.
const MEASURES: &[(&str, usize, Measure)] = &[
    ("memory", 0, quiet::memory),
    ("idle", 0, quiet::idle),
    ("info", 1, calls::info),
    ("clients", 1, crowd::measure),
    ("status", 1, calls::status),
    ("death", 1, deaths::single),
    ("storm", 1, deaths::storm),
    ("restarts", 1, deaths::cost),
    ("groups", 1, groups::measure),
    ("recovery", 1, recovery::measure),
];

fn steady(scene: Scene<'_>, sheet: &mut Sheet<'_>, wanted: &[&str]) -> Outcome<()> {
    scene.settled()?;
    for (name, _, measure) in MEASURES {
        if wanted.contains(name) && has(&scene, name) {
            measure(&scene, sheet).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    // How long that takes `life` measures; for some it is a minute.
    if scene.contender.kind == Kind::Supervisor { Ok(()) } else { scene.shut_down().map(|_| ()) }
}

/// Whether a contender has what a measure is about, and could show it in time.
fn has(scene: &Scene<'_>, measure: &str) -> bool {
    match scene.contender.kind {
        Kind::Upkeep => true,
        Kind::Limit => !["groups", "recovery"].contains(&measure),
        Kind::Supervisor if measure == "recovery" => false,
        Kind::Supervisor if scene.job.processes > 1000 => ["memory", "info"].contains(&measure),
        Kind::Supervisor => measure != "groups" || scene.job.processes <= 200,
    }
}
