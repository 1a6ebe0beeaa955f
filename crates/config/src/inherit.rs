//! What programs take over: the options of the `[template:x]` they extend, and those of `[defaults]`.
//!
//! A program's own value counts before that of its template, that before the template's own template, then `[defaults]`,
//! then `[DEFAULT]`. Only `environment` adds up: its layers are kept beside each other, since each is expanded by itself.

use std::collections::HashSet;

use crate::ini::{DEFAULT, Document, Entry, Section};
use crate::load::At;
use crate::options::SectionKind;
use crate::suggest::did_you_mean;
use crate::value::Wrong;

/// Templates that extend one another, at most.
const DEPTH: usize = 16;

const EXTENDS: &str = "extends";
/// The option that adds up.
const ENVIRONMENT: &str = "environment";

/// Something wrong, and where.
pub(crate) type Found = (Wrong, At);

/// What a section takes over.
#[derive(Default)]
struct Legacy {
    entries: Vec<Entry>,
    /// `environment`s, the nearest first.
    layers: Vec<Entry>,
}

impl Document {
    /// Gives every program what it takes over, each entry with the place where it is written.
    pub(crate) fn inherit(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        let legacies: Vec<(usize, Legacy)> = self.legacies(&mut found);
        for (at, legacy) in legacies {
            let section = &mut self.sections[at];
            for entry in legacy.entries {
                section.set(entry);
            }
            section.layers = legacy.layers.into_iter().rev().collect();
        }
        found
    }

    fn legacies(&self, found: &mut Vec<Found>) -> Vec<(usize, Legacy)> {
        let defaults = self.section(SectionKind::Defaults.prefix());
        let mut legacies = Vec::new();
        for (at, section) in self.sections.iter().enumerate() {
            let kind = SectionKind::of(&section.name).filter(|kind| has_template(*kind));
            let Some(kind) = kind else { continue };
            let mut bases = self.chain(section, kind, found);
            match kind {
                SectionKind::Template => continue,
                // Its standard output belongs to its pool, and its pool's priority is another: defaults are not for it.
                SectionKind::Listener => {}
                _ => bases.extend(defaults),
            }
            if !bases.is_empty() {
                legacies.push((at, self.legacy(section, &bases)));
            }
        }
        legacies
    }

    fn legacy(&self, section: &Section, bases: &[&Section]) -> Legacy {
        let mut legacy = Legacy::default();
        let mut known: HashSet<&str> = HashSet::from([EXTENDS]);
        for base in bases {
            for entry in base.entries().iter().filter(|entry| may_come_from(base, &entry.key)) {
                if entry.key == ENVIRONMENT {
                    legacy.layers.push(entry.clone());
                } else if known.insert(&entry.key) && !self.has_own(section, &entry.key) {
                    legacy.entries.push(entry.clone());
                }
            }
        }
        legacy
    }

    /// Whether it is written there, and not put there from `[DEFAULT]`.
    fn has_own(&self, section: &Section, key: &str) -> bool {
        let default = self.defaults.own(key).map(|entry| entry.place);
        section.own(key).is_some_and(|entry| Some(entry.place) != default)
    }

    /// The templates of a section, the nearest first.
    fn chain(&self, section: &Section, kind: SectionKind, found: &mut Vec<Found>) -> Vec<&Section> {
        let mut chain: Vec<&Section> = Vec::new();
        // `[DEFAULT]` may say what programs extend; a template would extend itself then.
        let first = match kind {
            SectionKind::Template => section.own(EXTENDS),
            _ => self.entry(section, EXTENDS),
        };
        let (mut owner, mut next) = (&section.name, first);
        while let Some(entry) = next {
            let Some(template) = self.template(owner, entry, found) else { break };
            if let Some(at) = chain.iter().position(|known| known.name == template.name) {
                found.push(circle(&chain[at..]));
                break;
            }
            if chain.len() == DEPTH {
                found.push((
                    format!("more than {DEPTH} templates extend one another").into(),
                    at(owner, entry),
                ));
                break;
            }
            chain.push(template);
            (owner, next) = (&template.name, template.own(EXTENDS));
        }
        chain
    }

    fn template(&self, owner: &str, entry: &Entry, found: &mut Vec<Found>) -> Option<&Section> {
        let name = crate::python::text::strip(&entry.value);
        let template = self.section(&format!("{}:{name}", SectionKind::Template.prefix()));
        if template.is_none() {
            let message = format!("[{owner}] extends {name}, which is no template");
            found.push((Wrong { message, hint: Some(self.template_hint(name)) }, at(owner, entry)));
        }
        template
    }

    fn template_hint(&self, name: &str) -> String {
        let templates = self.sections.iter().filter_map(|section| section.name.strip_prefix("template:"));
        let is_program = ["program", "eventlistener", "fcgi-program"]
            .iter()
            .any(|kind| self.section(&format!("{kind}:{name}")).is_some());
        match did_you_mean(name, templates) {
            Some(hint) => hint,
            None if is_program => {
                format!("a program cannot be extended: move what both have into [template:{name}]")
            }
            None if name.contains(',') => "write one name; a template may extend another one".to_owned(),
            None => "write the NAME of a section [template:NAME]".to_owned(),
        }
    }

    /// The section that a value was taken over from; `None` if it is the section's own, or nobody's.
    pub(crate) fn origin(&self, section: &Section, key: &str, place: crate::ini::Place) -> Option<&Section> {
        let is_base = |other: &&Section| {
            matches!(SectionKind::of(&other.name), Some(SectionKind::Defaults | SectionKind::Template))
        };
        let wrote = |other: &&Section| other.own(key).is_some_and(|entry| entry.place == place);
        self.sections.iter().filter(|other| other.name != section.name).filter(is_base).find(wrote)
    }
}

fn has_template(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::Program | SectionKind::Listener | SectionKind::Fcgi | SectionKind::Template)
}

/// What `[defaults]` cannot have, and what nobody knows, is told of where it stands and goes no further.
fn may_come_from(base: &Section, key: &str) -> bool {
    let kind = SectionKind::of(&base.name);
    kind != Some(SectionKind::Defaults) || SectionKind::Defaults.row(key).is_some()
}

/// Told of the template that comes first by name, so that it is told once, whoever extends one of them.
fn circle(templates: &[&Section]) -> Found {
    let first = templates.iter().enumerate().min_by_key(|(_, template)| &template.name);
    let first = first.map_or(0, |(at, _)| at);
    let mut names: Vec<&str> =
        templates[first..].iter().chain(&templates[..first]).map(|s| short(s)).collect();
    names.push(short(templates[first]));
    let message = format!("extends leads in a circle: {}", names.join(" -> "));
    let place = templates[first].own(EXTENDS).map_or(templates[first].place, |entry| entry.place);
    let at = At { section: templates[first].name.clone(), key: Some(EXTENDS.to_owned()), place };
    (Wrong::new(message, "a template cannot extend itself: remove one of these"), at)
}

fn short(section: &Section) -> &str {
    section.name.split_once(':').map_or(DEFAULT, |(_, name)| name)
}

fn at(section: &str, entry: &Entry) -> At {
    At { section: section.to_owned(), key: Some(EXTENDS.to_owned()), place: entry.place }
}
