//! What starts when: programs in the order of their dependencies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use upkeep_core::ordered;
use upkeep_core::spec::{Dependency, GroupSpec, ProcessSpec};

use crate::settings::Config;
use crate::value::condition_word;

/// A program and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name: that of its section.
    pub program: String,
    /// The step in which it starts, from 1: all that it waits for is in earlier ones.
    pub number: usize,
    /// What it waits for.
    pub after: Vec<After>,
}

/// Something that a program waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct After {
    /// The other program.
    pub program: String,
    /// `started`, `running`, `healthy` or `completed`.
    pub condition: &'static str,
}

/// A section with what it waits for: sections and conditions.
struct Program<'a> {
    section: &'a str,
    priority: i64,
    after: BTreeSet<(&'a str, &'static str)>,
}

/// Every program of a configuration, by step, priority and name.
#[must_use]
pub fn graph(config: &Config) -> Vec<Step> {
    let mut programs = programs(config);
    let edges = programs.iter().map(|program| {
        let others = program.after.iter().map(|(other, _)| *other);
        (program.section, ordered::set(others))
    });
    let numbers = steps(&ordered::map(edges));
    let number = |program: &Program<'_>| numbers.get(program.section).copied().unwrap_or(1);
    ordered::sort_by(&mut programs, |a, b| {
        let key = |program: &Program<'_>| (number(program), program.priority);
        key(a).cmp(&key(b)).then_with(|| short(a.section).cmp(short(b.section)))
    });
    let step = |program: &Program<'_>| {
        let after = program.after.iter();
        let after = after.map(|&(other, condition)| After { program: short(other).to_owned(), condition });
        Step { program: short(program.section).to_owned(), number: number(program), after: after.collect() }
    };
    programs.iter().map(step).collect()
}

/// The step of each name, from 1, by the names that must be in earlier ones. Those that are part of a circle, or behind
/// one, have none.
pub(crate) fn steps<'a>(after: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeMap<&'a str, usize> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    let mut before: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (&name, others) in after {
        left.insert(name, others.len());
        others.iter().for_each(|&other| before.entry(other).or_default().push(name));
    }
    for &other in before.keys() {
        left.entry(other).or_insert(0);
    }
    let mut numbers = BTreeMap::new();
    let mut now: Vec<&str> = left.iter().filter(|(_, count)| **count == 0).map(|(&name, _)| name).collect();
    for number in 1.. {
        if now.is_empty() {
            break;
        }
        let mut next = Vec::new();
        for name in now {
            numbers.insert(name, number);
            for &behind in before.get(name).into_iter().flatten() {
                let Some(count) = left.get_mut(behind) else { continue };
                *count -= 1;
                if *count == 0 {
                    next.push(behind);
                }
            }
        }
        now = next;
    }
    numbers
}

fn programs(config: &Config) -> Vec<Program<'_>> {
    let sections = Sections::of(&config.groups);
    let mut known = BTreeSet::new();
    let processes = config.groups.iter().flat_map(|group| &group.processes);
    // All processes of a section wait for the same.
    let firsts = processes.filter(|process| known.insert(&*process.section));
    let after = |process: &Arc<ProcessSpec>| {
        let mut after = BTreeSet::new();
        for dependency in process.depends_on.iter() {
            let condition = condition_word(dependency.condition);
            let others = sections.behind(std::iter::once(dependency));
            after.extend(others.into_iter().map(|section| (section, condition)));
        }
        after
    };
    let programs = firsts.map(|process| Program {
        section: &process.section,
        priority: process.priority,
        after: after(process),
    });
    programs.collect()
}

/// Which sections groups and processes come from.
pub(crate) struct Sections<'a> {
    of_group: HashMap<&'a str, BTreeSet<&'a str>>,
    of_process: HashMap<(&'a str, &'a str), &'a str>,
}

impl<'a> Sections<'a> {
    pub(crate) fn of(groups: &'a [GroupSpec]) -> Self {
        let (mut of_group, mut of_process) = (HashMap::new(), HashMap::new());
        for group in groups {
            let sections = ordered::set(group.processes.iter().map(|process| &*process.section));
            of_group.insert(group.name.as_str(), sections);
            for process in &group.processes {
                of_process.insert((group.name.as_str(), process.name.as_str()), &*process.section);
            }
        }
        Self { of_group, of_process }
    }

    /// The sections that these are about.
    pub(crate) fn behind<'d>(&self, dependencies: impl Iterator<Item = &'d Dependency>) -> BTreeSet<&'a str> {
        let mut sections = BTreeSet::new();
        for target in dependencies.flat_map(|dependency| &dependency.targets) {
            match &target.process {
                None => sections.extend(self.of_group.get(target.group.as_str()).into_iter().flatten()),
                Some(name) => {
                    sections.extend(self.of_process.get(&(target.group.as_str(), name.as_str())));
                }
            }
        }
        sections
    }
}

/// The name behind a section's colon.
pub(crate) fn short(section: &str) -> &str {
    section.split_once(':').map_or(section, |(_, name)| name.trim())
}
