//! Sections and keys that mean nothing: Supervisor passes over them in silence, we say so (CFG-012, D-36).

use super::{At, Loader};
use crate::ini::{Entry, Section};
use crate::options::SectionKind;
use crate::settings::Level;
use crate::suggest::did_you_mean;
use crate::value::Wrong;

impl<'a> Loader<'a> {
    /// Warns about every section and key without a meaning.
    pub(super) fn unknown(&mut self) {
        let document = self.document;
        for section in &document.sections {
            match SectionKind::of(&section.name) {
                Some(kind) => self.unknown_keys(section, kind),
                None => self.unknown_section(section),
            }
        }
        let open = document.sections.iter().any(|s| SectionKind::of(&s.name).is_some_and(SectionKind::open));
        let known = |entry: &&Entry| SectionKind::ALL.iter().any(|kind| kind.row(&entry.key).is_some());
        for entry in document.defaults.entries().iter().filter(|entry| !open && !known(entry)) {
            self.unknown_key(&document.defaults, entry, SectionKind::ALL.iter().copied());
        }
    }

    fn unknown_section(&mut self, section: &Section) {
        let wrong = Wrong {
            message: format!("section [{}] is not known and ignored", section.name),
            hint: section_hint(&section.name),
        };
        self.remark(wrong, &At::section(section));
    }

    fn unknown_keys(&mut self, section: &Section, kind: SectionKind) {
        if kind.open() {
            return;
        }
        let from_defaults =
            |entry: &Entry| self.document.defaults.entries().iter().any(|d| d.place == entry.place);
        let unknown: Vec<&Entry> = section
            .entries()
            .iter()
            .filter(|entry| kind.row(&entry.key).is_none() && !from_defaults(entry))
            .collect();
        for entry in unknown {
            self.unknown_key(section, entry, std::iter::once(kind));
        }
    }

    fn unknown_key(&mut self, section: &Section, entry: &Entry, kinds: impl Iterator<Item = SectionKind>) {
        let at = At { section: section.name.clone(), key: Some(entry.key.clone()), place: entry.place };
        let hint = if entry.key.starts_with('[') {
            Some("a section's name ends with ]".to_owned())
        } else {
            did_you_mean(&entry.key, kinds.flat_map(SectionKind::rows).map(|row| row.name))
        };
        let mut message = format!("[{}] {} is not a known option and ignored", section.name, entry.key);
        let mut hint = hint;
        if section.name == SectionKind::Defaults.prefix() && SectionKind::Program.row(&entry.key).is_some() {
            message = format!("[{}] {} cannot stand there and is ignored", section.name, entry.key);
            hint = Some("write it into each program, or into a [template:NAME] that they extend".to_owned());
        }
        self.doubt(Level::Warn, Wrong { message, hint }, &at);
    }
}

fn section_hint(name: &str) -> Option<String> {
    let (kind, rest) = match name.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (name, None),
    };
    let kinds = SectionKind::ALL.map(SectionKind::prefix);
    let trimmed = kind.trim().to_lowercase();
    let meant = kinds.into_iter().find(|known| *known == trimmed);
    let meant = meant.or_else(|| crate::suggest::nearest(kind, kinds))?;
    let named = SectionKind::ALL.into_iter().any(|kind| kind.prefix() == meant && kind.named());
    Some(match (named, rest) {
        (true, Some(rest)) => format!("did you mean [{meant}:{}]?", rest.trim()),
        (true, None) => format!("did you mean [{meant}:NAME]?"),
        (false, _) => format!("did you mean [{meant}]?"),
    })
}
