//! A file as it is written, before defaults, expansion and meaning: for tools that show or convert configurations.

use crate::diagnostic::LoadError;
use crate::ini::{self, Document};

/// A section as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSection {
    /// What stands in the brackets.
    pub name: String,
    /// Line of its first header, from 1.
    pub line: usize,
    /// Its own keys in order, lower-case, merged if the section stands in several places.
    pub keys: Vec<RawKey>,
}

/// A key as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawKey {
    /// Lower-case.
    pub name: String,
    /// Without comments; lines of a long value joined with newlines.
    pub value: String,
    /// From 1.
    pub line: usize,
}

/// The sections of one file's text, `[DEFAULT]` first if it has keys. `name` is what errors call the file.
///
/// # Errors
/// The file is not in the INI dialect (section 2 of the ledger).
pub fn raw_sections(name: &str, text: &[u8]) -> Result<Vec<RawSection>, LoadError> {
    let mut document = Document::new();
    ini::read(&mut document, name, text).map_err(|problem| LoadError::one(*problem))?;
    let defaults = Some(&document.defaults).filter(|defaults| !defaults.entries().is_empty());
    Ok(defaults.into_iter().chain(&document.sections).map(raw_section).collect())
}

fn raw_section(section: &ini::Section) -> RawSection {
    let key = |entry: &ini::Entry| RawKey {
        name: entry.key.clone(),
        value: entry.value.clone(),
        line: entry.place.line,
    };
    RawSection {
        name: section.name.clone(),
        line: section.place.line,
        keys: section.entries().iter().map(key).collect(),
    }
}
