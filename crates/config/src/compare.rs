//! Which options two readings of a configuration say differently, and where: the reasons of what an update does.

use std::collections::BTreeSet;

use crate::envfiles::EnvFiles;
use crate::ini::{Document, Entry, Form, Place, Section};
use crate::load::Loader;
use crate::options::{Effect, SectionKind};
use crate::sources::Sources;
use crate::world::Lenient;

/// An option that is written otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The section, without brackets.
    pub section: String,
    /// The option; empty where the section itself is new.
    pub option: String,
    /// The file in which it stands now, or stood if it is gone.
    pub file: String,
    /// The line, from 1; 0 where a whole file is meant.
    pub line: usize,
    /// When a change of it counts.
    pub effect: Effect,
}

/// Two readings, side by side.
#[derive(Debug)]
pub struct Comparison<'s> {
    old: Reading<'s>,
    new: Reading<'s>,
}

#[derive(Debug)]
struct Reading<'s> {
    sources: &'s Sources,
    document: Document,
}

impl<'s> Reading<'s> {
    fn new(sources: &'s Sources) -> Self {
        let mut document = sources.merged().document;
        let _ = document.inherit();
        Self { sources, document }
    }

    fn entry(&self, section: &str, key: &str) -> Option<&Entry> {
        self.document.section(section).and_then(|section| self.document.entry(section, key))
    }

    fn files(&self) -> &EnvFiles {
        &self.sources.env_files
    }

    /// The files of variables that a section names.
    fn files_of(&self, section: &str) -> BTreeSet<String> {
        let Some(section) = self.document.section(section) else { return BTreeSet::new() };
        let here = self.sources.here();
        Loader::new(&self.document, &self.sources.env, here, &Lenient).env_files_of(section)
    }
}

impl<'s> Comparison<'s> {
    /// Reads both again, from what was read of them.
    #[must_use]
    pub fn new(old: &'s Sources, new: &'s Sources) -> Self {
        Self { old: Reading::new(old), new: Reading::new(new) }
    }

    /// What is otherwise for the processes of a section.
    #[must_use]
    pub fn causes(&self, section: &str) -> Vec<Cause> {
        let Some(kind) = SectionKind::of(section) else { return Vec::new() };
        let (old, new) = (self.old.document.section(section), self.new.document.section(section));
        if let (None, Some(new)) = (old, new) {
            return vec![self.cause(&self.new, section, "", new.place, Effect::Restart)];
        }
        let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
        let mut causes: Vec<Cause> = Vec::new();
        for row in kind.rows() {
            let (before, now) =
                (self.old.document.entry(old, row.name), self.new.document.entry(new, row.name));
            let place = match (before, now) {
                (before, Some(now)) if !before.is_some_and(|before| is_same(before, now)) => {
                    Some((&self.new, now))
                }
                (Some(before), None) => Some((&self.old, before)),
                _ => None,
            };
            causes.extend(
                place.map(|(reading, entry)| self.cause(reading, section, row.name, entry.place, row.effect)),
            );
        }
        causes.extend(self.layers(old, new));
        causes.extend(self.everybodys(section));
        causes.extend(self.files(section));
        causes
    }

    fn cause(
        &self,
        reading: &Reading<'_>,
        section: &str,
        option: &str,
        place: Place,
        effect: Effect,
    ) -> Cause {
        Cause {
            section: section.to_owned(),
            option: option.to_owned(),
            file: reading.document.file(place).to_owned(),
            line: place.line,
            effect,
        }
    }

    /// `environment` of templates and defaults.
    fn layers(&self, old: &Section, new: &Section) -> Option<Cause> {
        let same = old.layers.len() == new.layers.len()
            && old.layers.iter().zip(&new.layers).all(|(old, new)| is_same(old, new));
        if same {
            return None;
        }
        let is_new = |entry: &&Entry| !old.layers.iter().any(|old| is_same(old, entry));
        let place = new.layers.iter().find(is_new).map_or(new.place, |entry| entry.place);
        Some(self.cause(&self.new, &new.name, "environment", place, Effect::Restart))
    }

    /// `[supervisord] environment`, which every program has.
    fn everybodys(&self, section: &str) -> Option<Cause> {
        let (daemon, key) = ("supervisord", "environment");
        let (old, new) = (self.old.entry(daemon, key), self.new.entry(daemon, key));
        let same = match (old, new) {
            (Some(old), Some(new)) => is_same(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        let runs = matches!(
            SectionKind::of(section),
            Some(SectionKind::Program | SectionKind::Listener | SectionKind::Fcgi)
        );
        let (reading, entry) = match new {
            Some(new) => (&self.new, new),
            None => (&self.old, old?),
        };
        (runs && !same).then(|| self.cause(reading, daemon, key, entry.place, Effect::Restart))
    }

    /// Files of variables that say something else.
    fn files(&self, section: &str) -> Vec<Cause> {
        let (old, new) = (self.old.files(), self.new.files());
        if old == new {
            return Vec::new();
        }
        let mut paths = self.new.files_of(section);
        paths.retain(|path| old.get(path) != new.get(path));
        let cause = |path| Cause {
            section: section.to_owned(),
            option: "env_files".to_owned(),
            file: path,
            line: 0,
            effect: Effect::Restart,
        };
        paths.into_iter().map(cause).collect()
    }
}

/// Whether two values say the same, wherever they stand.
fn is_same(old: &Entry, new: &Entry) -> bool {
    let same_form = match (&old.form, &new.form) {
        (Form::Variables(old), Form::Variables(new)) => {
            old.len() == new.len()
                && old.iter().zip(new).all(|(old, new)| (&old.name, &old.value) == (&new.name, &new.value))
        }
        (Form::Variables(_), _) | (_, Form::Variables(_)) => false,
        _ => true,
    };
    old.value == new.value && same_form
}
