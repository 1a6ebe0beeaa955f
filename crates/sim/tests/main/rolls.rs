//! What must hold of rolling restarts after every step, whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use upkeep_core::spec::{GroupSpec, ProcessSpec};
use upkeep_core::{Batch, Member, Process, Rolling, RollingEnd, Stage};
use upkeep_sim::Sim;

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Rolls {
    known: BTreeMap<u64, Seen>,
    /// How often everything came up anew.
    lives: usize,
    deaths: u64,
    /// Processes that somebody has asked to be stopped or changed, and that have not run since.
    asked: BTreeSet<String>,
    /// The same, and a daemon that dies over it does it again.
    asked_twice: BTreeSet<String>,
    events_seen: usize,
}

#[derive(Debug)]
struct Seen {
    last: Rolling,
    /// These were on their way up when it began: an update takes them over from one before.
    taken_over: Vec<String>,
    /// The program of each.
    sections: Vec<Option<Arc<str>>>,
}

impl Rolls {
    /// Checks every rule.
    pub(crate) fn check(&mut self, sim: &Sim) {
        if self.lives != sim.terminations().len() {
            self.lives = sim.terminations().len();
            self.known.clear();
            // Everything was stopped.
            self.events_seen = sim.timed_events().len();
        }
        for (number, seen) in &self.known {
            let there = sim.core().rollings().any(|rolling| rolling.number == *number);
            assert!(there || seen.last.end.is_some(), "rolling restart {number} is forgotten");
        }
        self.known.retain(|number, _| sim.core().rollings().any(|rolling| rolling.number == *number));
        // By number: the one that an update has called off comes before the one that takes its place.
        let mut on_their_way: Vec<Member> = Vec::new();
        for rolling in sim.core().rollings() {
            let is_new = !self.known.contains_key(&rolling.number);
            let seen =
                self.known.entry(rolling.number).or_insert_with(|| Seen::new(sim, rolling, &on_their_way));
            if !is_new && seen.last == *rolling {
                continue;
            }
            goes_only_on(&seen.last, rolling);
            if rolling.end.is_none() {
                no_more_than_a_batch_is_down(sim, rolling, seen);
            }
            says_how_it_ended(rolling);
            // A daemon that dies as it ends may take the line with it.
            if rolling.end == Some(RollingEnd::Failed) && self.deaths == sim.deaths() {
                logs_who_failed(sim, rolling);
            }
            if matches!(rolling.end, Some(RollingEnd::CalledOff(_))) {
                let up = seen.last.members.iter().filter(|member| is_starting(member));
                on_their_way.extend(up.cloned());
            }
            seen.last = rolling.clone();
        }
        self.deaths = sim.deaths();
        self.nobody_else_is_stopped(sim);
    }

    /// Somebody asks for something that may stop these.
    pub(crate) fn excuse(&mut self, names: Vec<String>) {
        self.asked.extend(names);
    }

    /// Somebody does what may stop this one, and stop it once more.
    pub(crate) fn excuse_twice(&mut self, name: String) {
        self.asked_twice.insert(name.clone());
        self.asked.insert(name);
    }

    /// Who is stopped is asked to be, or its turn has come.
    pub(crate) fn nobody_else_is_stopped(&mut self, sim: &Sim) {
        let fresh = &sim.timed_events()[self.events_seen..];
        // A stop that others come before may be put off until after that.
        let mut all = sim.core().processes();
        let some_depend = all.any(|(_, process)| !process.spec().depends_on.is_empty());
        self.events_seen = sim.timed_events().len();
        for (_, event) in fresh {
            let Some((name, what)) = event.split_once(' ') else { continue };
            if what.starts_with("STOPPING ") {
                let excused = self.asked.contains(name) || !sim.core().phase().is_running();
                let by_itself = sim.process(name).is_none_or(stops_by_itself);
                assert!(excused || by_itself || has_turn(sim, name), "why is {name} stopped?");
            } else if what.starts_with("RUNNING ") && !some_depend && !self.asked_twice.remove(name) {
                self.asked.remove(name);
            }
        }
    }

    /// Whether every one has come to its end.
    pub(crate) fn are_over(sim: &Sim) -> bool {
        sim.core().rollings().all(|rolling| rolling.end.is_some())
    }
}

impl Seen {
    fn new(sim: &Sim, rolling: &Rolling, on_their_way: &[Member]) -> Self {
        let sections = rolling.members.iter().map(|member| Some(spec(sim, member)?.section.clone()));
        // Who is restarted once more has another time.
        let taken_over =
            rolling.members.iter().filter(|member| rolling.update && on_their_way.contains(member));
        let taken_over = taken_over.map(Member::full_name).collect();
        Self { last: rolling.clone(), taken_over, sections: sections.collect() }
    }
}

/// Whether it may be stopped although nobody asks for that.
fn stops_by_itself(process: &Process) -> bool {
    let spec = process.spec();
    spec.health.is_some() || spec.schedule.is_some() || spec.bounds.is_some() || !spec.depends_on.is_empty()
}

fn has_turn(sim: &Sim, name: &str) -> bool {
    let has_come = |member: &Member| !matches!(member.stage, Stage::Pending | Stage::Left(_));
    let members = sim.core().rollings().flat_map(|rolling| &rolling.members);
    members.into_iter().any(|member| member.full_name() == name && has_come(member))
}

fn is_starting(member: &Member) -> bool {
    matches!(member.stage, Stage::Starting { .. })
}

fn is_busy(member: &Member) -> bool {
    is_starting(member) || matches!(member.stage, Stage::Ending { .. })
}

/// What has come to an end stays as it is, and no process goes back.
fn goes_only_on(before: &Rolling, after: &Rolling) {
    if before.end.is_some() {
        assert_eq!(before, after, "it was over");
    }
    let steps = |stage: &Stage| match stage {
        Stage::Pending => 0,
        Stage::Ending { .. } => 1,
        Stage::Starting { .. } => 2,
        Stage::Done | Stage::Failed(_) | Stage::Left(_) => 3,
    };
    assert_eq!(before.members.len(), after.members.len(), "{before:?} {after:?}");
    for (old, new) in before.members.iter().zip(&after.members) {
        assert_eq!(old.full_name(), new.full_name());
        let (from, to) = (steps(&old.stage), steps(&new.stage));
        assert!(from < to || from == to && (from < 3 || old == new), "{old:?} {new:?}");
    }
}

/// Those of one program, and so many at a time; who was on its way up before comes first.
fn no_more_than_a_batch_is_down(sim: &Sim, rolling: &Rolling, seen: &Seen) {
    let all = rolling.members.iter().zip(&seen.sections);
    let busy = all.clone().filter(|(member, _)| is_busy(member));
    let (older, busy): (Vec<_>, Vec<_>) =
        busy.partition(|(member, _)| seen.taken_over.contains(&member.full_name()));
    let Some((first, section)) = busy.first() else { return };
    assert_eq!(older, [], "others are still on their way up");
    assert!(busy.iter().all(|(_, other)| other == section), "of several programs: {rolling:?}");
    // Who had gone before it was first seen may have been one of them.
    let all = all.filter(|(_, other)| other == section || other.is_none()).count();
    let said = options(sim, first);
    let said = said.map(|spec| spec.rolling.as_ref().map_or(Batch::Count(1), |rolling| rolling.batch));
    let most = rolling.batch.or(said).map(|batch| size(batch, all));
    assert!(most.is_none_or(|most| busy.len() <= most), "{} at once in {rolling:?}", busy.len());
}

/// What a process has.
fn spec<'a>(sim: &'a Sim, member: &Member) -> Option<&'a ProcessSpec> {
    sim.process(&member.full_name()).map(Process::spec).map(|spec| &**spec)
}

/// What a process is to have.
fn options<'a>(sim: &'a Sim, member: &Member) -> Option<&'a ProcessSpec> {
    let of = |group: &&GroupSpec| group.name == member.group;
    let group = sim.active().iter().find(of)?;
    group.processes.iter().find(|process| process.name == member.process).map(|process| &**process)
}

fn size(batch: Batch, all: usize) -> usize {
    match batch {
        Batch::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
        Batch::Percent(percent) => (all * usize::from(percent) / 100).max(1),
    }
}

fn says_how_it_ended(rolling: &Rolling) {
    match &rolling.end {
        None => {}
        Some(RollingEnd::Done) => {
            let is_done = |member: &Member| matches!(member.stage, Stage::Done | Stage::Left(_));
            assert!(rolling.members.iter().all(is_done), "{rolling:?}");
        }
        Some(RollingEnd::CalledOff(why)) => assert!(!why.is_empty(), "{rolling:?}"),
        Some(RollingEnd::Failed) => {
            let (_, why) = rolling.failure().unwrap_or_else(|| panic!("nobody failed in {rolling:?}"));
            assert!(!why.is_empty() && !why.ends_with(": "), "no cause: {rolling:?}");
            assert!(!rolling.members.iter().any(is_busy), "{rolling:?}");
        }
    }
}

fn logs_who_failed(sim: &Sim, rolling: &Rolling) {
    let (name, why) = rolling.failure().unwrap_or_default();
    let begins = format!("Warn rolling restart {} failed at {name}: {why}; ", rolling.number);
    assert!(sim.log().iter().any(|line| line.starts_with(&begins)), "{begins}");
}
