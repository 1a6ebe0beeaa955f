//! Groups of every kind, in Supervisor's order: `[group:x]`, programs, event listeners, FastCGI programs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use upkeep_core::spec::{GroupKind, GroupSpec, ProcessSpec};

use super::scope::Scope;
use super::{At, Loader, sort_groups};
use crate::expand::Names;
use crate::ini::Section;
use crate::options::SectionKind;
use crate::settings::Level;
use crate::suggest::did_you_mean;
use crate::value::{self, Wrong};

/// Names of sections that are members of a group and form none of their own (CFG-183).
type Members = HashSet<String>;

impl<'a> Loader<'a> {
    /// Every group, sorted (CFG-196); `environment` is that of `[supervisord]`.
    pub(super) fn groups(&mut self, environment: &BTreeMap<String, String>) -> Vec<GroupSpec> {
        let mut members = Members::new();
        let mut groups = Vec::new();
        for section in self.sections("group:") {
            groups.extend(self.group(section, &mut members));
        }
        for section in self.sections("program:") {
            if !members.contains(&section.name) {
                groups.extend(self.program_group(section));
            }
        }
        for section in self.sections("eventlistener:") {
            groups.extend(self.listener(section));
        }
        for section in self.sections("fcgi-program:") {
            if !members.contains(&section.name) {
                groups.extend(self.fcgi(section));
            }
        }
        for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
            // Not shared yet, so nothing is copied.
            let process = Arc::make_mut(process);
            let own = std::mem::replace(&mut process.environment, environment.clone());
            process.environment.extend(own);
        }
        sort_groups(&mut groups);
        self.resolve_dependencies(&mut groups);
        self.note_same_names(&groups);
        groups
    }

    /// The name behind a section's colon, checked (CFG-051).
    pub(super) fn group_name(&mut self, section: &'a Section) -> Option<String> {
        let name = section.name.split_once(':').map_or("", |(_, name)| name);
        match value::name(name) {
            Ok(name) => Some(name),
            Err(wrong) => {
                self.error(wrong, &At::section(section));
                None
            }
        }
    }

    /// Reading of a group's own keys: errors do not say where they are (CFG-014, CFG-057).
    pub(super) fn group_scope(&mut self, section: &'a Section, kind: SectionKind) -> Scope<'_, 'a> {
        let names = self.here_names();
        self.scope(section, kind, names)
    }

    fn program_group(&mut self, section: &'a Section) -> Option<GroupSpec> {
        let name = self.group_name(section)?;
        let priority = self.group_scope(section, SectionKind::Program).read("priority", value::integer);
        let processes = self.processes(section, &name);
        Some(GroupSpec { name, priority: priority.unwrap_or(999), kind: GroupKind::Plain, processes })
    }

    /// `[group:x]` (CFG-180 … CFG-189).
    fn group(&mut self, section: &'a Section, members: &mut Members) -> Option<GroupSpec> {
        let name = self.group_name(section)?;
        let mut scope = self.group_scope(section, SectionKind::Group);
        let programs = scope.read("programs", |text| Ok(value::list(text))).unwrap_or_default();
        let priority = scope.read("priority", value::integer).unwrap_or(999);
        let mut processes: Vec<Arc<ProcessSpec>> = Vec::new();
        // What messages put in brackets: the group, later the member before (CFG-180).
        let mut bracket = section.name.clone();
        for program in programs {
            let Some(member) = self.member(section, &bracket, &program) else { continue };
            bracket = member.name.clone();
            members.insert(member.name.clone());
            let mut made = self.processes(member, &name);
            if member.name.starts_with("fcgi-program:") {
                let socket = self.member_socket(member).map(Arc::new);
                made.iter_mut().for_each(|process| Arc::make_mut(process).socket.clone_from(&socket));
            }
            processes.extend(made);
        }
        Some(GroupSpec { name, priority, kind: GroupKind::Plain, processes: distinct(processes) })
    }

    /// The section that a group's member is configured in.
    fn member(&mut self, section: &'a Section, bracket: &str, program: &str) -> Option<&'a Section> {
        let plain = self.document.section(&format!("program:{program}"));
        let fcgi = self.document.section(&format!("fcgi-program:{program}"));
        let wrong = match (plain, fcgi) {
            (Some(found), None) => return Some(found),
            (None, Some(found)) => return Some(found),
            (None, None) => Wrong {
                message: format!("[{bracket}] names unknown program or fcgi-program {program}"),
                hint: self.program_hint(program),
            },
            (Some(_), Some(_)) => {
                format!("[{bracket}] name {program} is ambiguous (exists as program and fcgi-program)").into()
            }
        };
        // Several members may be wrong, all in one value: each is an error of its own.
        let scope = self.scope(section, SectionKind::Group, Names::new());
        let mut at = scope.at("programs");
        at.key = None;
        scope.loader.error(wrong, &at);
        None
    }

    fn program_hint(&self, program: &str) -> Option<String> {
        if program.is_empty() {
            return Some("there is a comma too many".to_owned());
        }
        if self.document.section(&format!("eventlistener:{program}")).is_some() {
            return Some("an event listener cannot be a member of a group".to_owned());
        }
        let programs = ["program:", "fcgi-program:"].into_iter().flat_map(|prefix| {
            self.document.sections.iter().filter_map(move |s| s.name.strip_prefix(prefix))
        });
        did_you_mean(program, programs)
    }

    /// CFG-187, D-64: of two groups with one name only the first is ever added.
    fn note_same_names(&mut self, groups: &[GroupSpec]) {
        let mut seen = HashSet::new();
        for group in groups.iter().filter(|group| !seen.insert(group.name.as_str())) {
            let name = &group.name;
            let Some(section) = self.document.sections.iter().rev().find(|s| named(s, name)) else {
                continue;
            };
            let message =
                format!("two groups have the name {name}: the one from [{}] is left out", section.name);
            self.doubt(
                Level::Error,
                Wrong::new(message, "give one of them another name"),
                &At::section(section),
            );
        }
    }
}

fn named(section: &Section, name: &str) -> bool {
    section.name.split_once(':').is_some_and(|(kind, own)| {
        own.trim() == name && !matches!(kind, "rpcinterface" | "ctlplugin" | "template")
    })
}

/// A later process of the same name replaces the earlier one in its place (CFG-170).
pub(super) fn distinct(processes: Vec<Arc<ProcessSpec>>) -> Vec<Arc<ProcessSpec>> {
    let mut names = HashSet::with_capacity(processes.len());
    let are_distinct = processes.iter().all(|process| names.insert(process.name.as_str()));
    drop(names);
    if are_distinct {
        return processes;
    }
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Arc<ProcessSpec>> = Vec::with_capacity(processes.len());
    for process in processes {
        match places.get(&process.name) {
            Some(&place) => kept[place] = process,
            None => {
                places.insert(process.name.clone(), kept.len());
                kept.push(process);
            }
        }
    }
    kept
}
