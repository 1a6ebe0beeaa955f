//! What starts when: programs in the order of their dependencies.

use std::collections::{BTreeMap, BTreeSet};

use upkeep_core::spec::ProcessSpec;

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

/// A program with the place that its priority gives it.
struct Program<'a> {
    priority: i64,
    after: BTreeSet<After>,
    name: &'a str,
}

/// Every program of a configuration, by step, priority and name.
#[must_use]
pub fn graph(config: &Config) -> Vec<Step> {
    let programs = programs(config);
    let edges = programs.iter().map(|(&name, program)| {
        let others = program.after.iter().filter_map(|after| programs.get_key_value(after.program.as_str()));
        (name, others.map(|(&other, _)| other).collect())
    });
    let numbers = steps(&edges.collect());
    let mut all: Vec<&Program<'_>> = programs.values().collect();
    let number = |program: &Program<'_>| numbers.get(program.name).copied().unwrap_or(1);
    all.sort_by_key(|program| (number(program), program.priority, program.name));
    all.iter()
        .map(|program| Step {
            program: program.name.to_owned(),
            number: number(program),
            after: program.after.iter().cloned().collect(),
        })
        .collect()
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

fn programs(config: &Config) -> BTreeMap<&str, Program<'_>> {
    let mut of_group: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut of_process: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for group in &config.groups {
        for process in &group.processes {
            let program = short(process);
            let known = of_group.entry(&group.name).or_default();
            if !known.contains(&program) {
                known.push(program);
            }
            of_process.insert((&group.name, &process.name), program);
        }
    }
    let mut programs = BTreeMap::new();
    for process in config.groups.iter().flat_map(|group| &group.processes) {
        let name = short(process);
        let program = Program { priority: process.priority, after: BTreeSet::new(), name };
        let program = programs.entry(name).or_insert(program);
        for dependency in &process.depends_on {
            let others = dependency.targets.iter().flat_map(|target| match &target.process {
                None => of_group.get(target.group.as_str()).cloned().unwrap_or_default(),
                Some(other) => {
                    of_process.get(&(target.group.as_str(), other.as_str())).copied().into_iter().collect()
                }
            });
            let condition = condition_word(dependency.condition);
            let after = others.map(|other| After { program: other.to_owned(), condition });
            program.after.extend(after);
        }
    }
    programs
}

fn short(process: &ProcessSpec) -> &str {
    process.section.split_once(':').map_or(&*process.section, |(_, name)| name.trim())
}
