//! What the names in `depends_on` mean, and whether they lead in a circle.

use std::collections::HashMap;
use std::sync::Arc;

use upkeep_core::ordered;
use upkeep_core::spec::{Dependency, GroupSpec, Target};

use super::{At, Loader};
use crate::graph::{Sections, short, steps};
use crate::suggest::nearest;
use crate::value::{Wrong, condition_word};

/// The conditions of one section's processes.
type Known = HashMap<String, Arc<[Dependency]>>;

impl Loader<'_> {
    /// Finds what each name means; a name that means nothing, and a circle, is an error.
    pub(super) fn resolve_dependencies(&mut self, groups: &mut [GroupSpec]) {
        let mut known = Known::new();
        let wanted = groups.iter().flat_map(|group| &group.processes);
        let wanted: Vec<_> = wanted.filter(|process| !process.depends_on.is_empty()).cloned().collect();
        for process in &wanted {
            if !known.contains_key(&*process.section) {
                let found = self.resolved(&process.section, &process.depends_on, groups);
                known.insert(process.section.to_string(), found);
            }
        }
        if known.is_empty() {
            return;
        }
        drop(wanted);
        for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
            if let Some(found) = known.get(&*process.section) {
                // Not shared yet, so nothing is copied.
                Arc::make_mut(process).depends_on.clone_from(found);
            }
        }
        if let Some(circle) = circle(groups, &known) {
            let names: Vec<&str> = circle.iter().chain(circle.first()).map(|name| short(name)).collect();
            let message = format!("depends_on leads in a circle: {}", names.join(" -> "));
            let at = self.dependency_at(&circle[0]);
            self.error(Wrong::new(message, "a process cannot wait for itself: remove one of these"), &at);
        }
    }

    fn resolved(&mut self, section: &str, written: &[Dependency], groups: &[GroupSpec]) -> Arc<[Dependency]> {
        let mut resolved = Vec::new();
        for dependency in written {
            let targets = targets(&dependency.name, groups);
            if targets.is_empty() {
                let at = self.dependency_at(section);
                self.error(unknown(dependency, groups), &at);
            } else {
                resolved.push(Dependency { targets, ..dependency.clone() });
            }
        }
        resolved.into()
    }

    fn dependency_at(&self, section: &str) -> At {
        let found = self.document.section(section);
        let place = found
            .map(|found| self.document.entry(found, "depends_on").map_or(found.place, |entry| entry.place));
        At {
            section: section.to_owned(),
            key: Some("depends_on".to_owned()),
            place: place.unwrap_or_default(),
        }
    }
}

/// What a name means, in this order: a process with its group, a group, a program, a process of whatever group.
fn targets(name: &str, groups: &[GroupSpec]) -> Vec<Target> {
    let (group, process) = match name.split_once(':') {
        Some((group, "*")) => (group, None),
        Some((group, process)) => (group, Some(process)),
        None => (name, None),
    };
    if let Some(found) = groups.iter().find(|other| other.name == group) {
        let there = process.is_none_or(|process| found.processes.iter().any(|other| other.name == process));
        return if there { vec![target(group, process)] } else { Vec::new() };
    }
    if process.is_some() || name.ends_with(":*") {
        return Vec::new();
    }
    let all = |wanted: &dyn Fn(&upkeep_core::spec::ProcessSpec) -> bool| -> Vec<Target> {
        let of = |group: &GroupSpec| {
            let members = group.processes.iter().filter(|process| wanted(process));
            members.map(|process| target(&group.name, Some(&process.name))).collect::<Vec<_>>()
        };
        groups.iter().flat_map(of).collect()
    };
    let program = all(&|process| short(&process.section) == name);
    if program.is_empty() { all(&|process| process.name == name) } else { program }
}

fn target(group: &str, process: Option<&str>) -> Target {
    Target { group: group.to_owned(), process: process.map(str::to_owned) }
}

fn unknown(dependency: &Dependency, groups: &[GroupSpec]) -> Wrong {
    let name = &dependency.name;
    let programs = groups.iter().flat_map(|group| &group.processes).map(|process| short(&process.section));
    let hint = nearest(name, groups.iter().map(|group| group.name.as_str()).chain(programs));
    let hint = hint.map_or_else(
        || "write the name of a program, a group or GROUP:PROCESS".to_owned(),
        |near| format!("did you mean \"{near}:{}\"?", condition_word(dependency.condition)),
    );
    Wrong::new(format!("depends_on names {name}, which is no program and no group"), hint)
}

/// Sections that depend on one another in a circle, each on the next.
fn circle(groups: &[GroupSpec], known: &Known) -> Option<Vec<String>> {
    let sections = Sections::of(groups);
    let edges =
        known.iter().map(|(name, dependencies)| (name.as_str(), sections.behind(dependencies.iter())));
    let edges = ordered::map(edges);
    let fine = steps(&edges);
    let left = ordered::set(edges.keys().copied().filter(|name| !fine.contains_key(name)));
    let mut way = vec![*left.first()?];
    loop {
        let next = edges[way[way.len() - 1]].iter().find(|name| left.contains(*name))?;
        if let Some(at) = way.iter().position(|name| name == next) {
            return Some(way[at..].iter().map(|name| (*name).to_owned()).collect());
        }
        way.push(next);
    }
}
