//! The INI dialect: from bytes to sections, every value with the file and line it was written at. Owns the rules of
//! section 2 of the ledger; knows no option and expands nothing but `%(here)s` (CFG-074).

mod decode;
mod read;

use std::collections::HashMap;

pub(crate) use read::read;

/// The section whose keys are defaults for all others (CFG-032).
pub(crate) const DEFAULT: &str = "DEFAULT";

const HERE: &str = "%(here)s";

/// Where something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Index of the file in [`Document::files`].
    pub(crate) file: usize,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1; 0 where only the line is told, as in the INI dialect.
    pub(crate) column: usize,
}

/// A key's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) place: Place,
    /// What an inline comment cut off a line of the value, if anything: for hints.
    pub(crate) cut: bool,
    /// What the value is besides a text.
    pub(crate) form: Form,
}

/// How a value was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a text, or as something that means the same as one.
    #[default]
    Text,
    /// `environment` as a map: each value stands for itself, and no quotes are needed.
    Variables(Box<[Variable]>),
    /// A `command` as a list of words, of which none needs quotes; the value is the same in one text.
    Words(Box<[String]>),
    /// As something that does not belong there, which has been reported.
    Wrong,
}

/// A member of an `environment` that is written as a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: Place,
}

impl Entry {
    /// Puts a directory in for `%(here)s`.
    fn expand_here(&mut self, here: &str) {
        let texts: Vec<&mut String> = match &mut self.form {
            Form::Variables(variables) => variables.iter_mut().map(|variable| &mut variable.value).collect(),
            Form::Words(words) => words.iter_mut().collect(),
            Form::Text | Form::Wrong => Vec::new(),
        };
        for text in texts.into_iter().chain([&mut self.value]).filter(|text| text.contains(HERE)) {
            *text = text.replace(HERE, here);
        }
    }

    /// A list of words has them in the value, too.
    fn has_here(&self) -> bool {
        let in_variable = match &self.form {
            Form::Variables(variables) => variables.iter().any(|variable| variable.value.contains(HERE)),
            Form::Text | Form::Words(_) | Form::Wrong => false,
        };
        in_variable || self.value.contains(HERE)
    }
}

/// A section: keys in the order they first appeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    /// Where it first appeared (CFG-015).
    pub(crate) place: Place,
    entries: Vec<Entry>,
    /// Positions in `entries` in the order of the keys' lengths, then of the keys: so a key is found by halves, and most
    /// steps compare two numbers.
    order: Vec<usize>,
    /// `environment`s that it takes over, the farthest first: its own counts after them.
    pub(crate) layers: Vec<Entry>,
}

impl Section {
    /// Without keys.
    pub(crate) const fn new(name: String, place: Place) -> Self {
        Self { name, place, entries: Vec::new(), order: Vec::new(), layers: Vec::new() }
    }

    /// Its keys, in the order they first appeared.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The section's own entry.
    pub(crate) fn own(&self, key: &str) -> Option<&Entry> {
        self.find(key).ok().map(|place| &self.entries[self.order[place]])
    }

    /// Puts an entry in the place of the one with its key, or at the end; returns where it is.
    pub(crate) fn set(&mut self, new: Entry) -> usize {
        match self.find(&new.key) {
            Ok(place) => {
                let at = self.order[place];
                self.entries[at] = new;
                at
            }
            Err(place) => {
                let at = self.entries.len();
                self.order.insert(place, at);
                self.entries.push(new);
                at
            }
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.order.binary_search_by(|&at| {
            let there = self.entries[at].key.as_str();
            there.len().cmp(&key.len()).then_with(|| there.cmp(key))
        })
    }
}

/// All files of a configuration, merged (CFG-031).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Names of the files, the main one first.
    pub(crate) files: Vec<String>,
    /// In the order they first appeared; without `[DEFAULT]`.
    pub(crate) sections: Vec<Section>,
    /// `[DEFAULT]`.
    pub(crate) defaults: Section,
    /// Whether it says that there is no `[rpcinterface:x]`, where the standard one would be there by itself.
    pub(crate) no_interfaces: bool,
    /// Keys of the files that are no sections and need not be.
    pub(crate) left_out: Vec<String>,
    index: HashMap<String, usize>,
    /// Sections that got keys since `%(here)s` was last put in; in the others none is left.
    fresh: Vec<usize>,
}

impl Document {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let place = Place { file: 0, line: 0, column: 0 };
        Self {
            files: Vec::new(),
            sections: Vec::new(),
            defaults: Section::new(DEFAULT.to_owned(), place),
            index: HashMap::new(),
            no_interfaces: false,
            fresh: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The section of this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.index.get(name).map(|&at| &self.sections[at])
    }

    /// A section's value, or its default from `[DEFAULT]`.
    pub(crate) fn entry<'a>(&'a self, section: &'a Section, key: &str) -> Option<&'a Entry> {
        section.own(key).or_else(|| self.defaults.own(key))
    }

    /// The name of a place's file.
    pub(crate) fn file(&self, place: Place) -> &str {
        self.files.get(place.file).map_or("", String::as_str)
    }

    /// Puts the directory of a file in for `%(here)s` wherever it still stands, as reading includes does (CFG-074).
    /// A default that holds it becomes the section's own key. Only sections that a file has touched are looked at, so that a
    /// thousand included files take a thousand steps and not a million.
    pub(crate) fn expand_here(&mut self, here: &str) {
        for at in std::mem::take(&mut self.fresh) {
            let section = &mut self.sections[at];
            for default in self.defaults.entries.iter().filter(|default| default.has_here()) {
                if section.own(&default.key).is_none() {
                    section.set(default.clone());
                }
            }
            section.entries.iter_mut().for_each(|entry| entry.expand_here(here));
        }
    }

    /// The section of this name, made if it is not there yet.
    pub(crate) fn begin(&mut self, name: &str, place: Place) -> &mut Section {
        let target = self.open(name, place);
        self.target(target)
    }

    fn open(&mut self, name: &str, place: Place) -> Target {
        if let Some(&at) = self.index.get(name) {
            self.fresh.push(at);
            return Target::Section(at);
        }
        if name == DEFAULT {
            // Its keys are keys of every section.
            self.fresh = (0..self.sections.len()).collect();
            return Target::Defaults;
        }
        let at = self.sections.len();
        self.index.insert(name.to_owned(), at);
        self.fresh.push(at);
        self.sections.push(Section::new(name.to_owned(), place));
        Target::Section(at)
    }

    fn target(&mut self, target: Target) -> &mut Section {
        match target {
            Target::Defaults => &mut self.defaults,
            Target::Section(at) => &mut self.sections[at],
        }
    }
}

/// The section that lines go to.
#[derive(Clone, Copy, Debug)]
enum Target {
    Defaults,
    Section(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of one section, by key.
    fn values(document: &Document, section: &str) -> Vec<String> {
        let section = document.section(section).unwrap();
        section.entries().iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect()
    }

    #[test]
    fn here_is_the_directory_of_the_file_that_was_read_last_cfg_074() {
        let mut document = Document::new();
        for (here, text) in [
            ("/1", "[a]\nx=%(here)s\n[b]\n"),
            ("/2", "[DEFAULT]\nd=%(here)s\n[c]\ny=%(here)s\n"),
            ("/3", "[b]\nz=%(here)s/%(here)s\n[e]\n"),
        ] {
            read(&mut document, here, text.as_bytes()).unwrap();
            document.expand_here(here);
        }
        assert_eq!(values(&document, "a"), ["x=/1", "d=/2"]);
        assert_eq!(values(&document, "b"), ["d=/2", "z=/3//3"]);
        assert_eq!(values(&document, "c"), ["y=/2", "d=/2"]);
        assert_eq!(values(&document, "e"), ["d=/3"]);
    }
}
