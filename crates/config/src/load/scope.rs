//! Reading of one section's keys: the raw value or its row's default, expanded, then converted.

use std::collections::BTreeMap;

use super::{At, Loader};
use crate::expand::{Names, expand};
use crate::ini::{Entry, Form, Section, Variable};
use crate::options::SectionKind;
use crate::python::repr::py_repr;
use crate::value::{self, Read, Wrong};

/// A value was wrong, and that has been reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// One section being read.
pub(crate) struct Scope<'l, 'a> {
    pub(crate) loader: &'l mut Loader<'a>,
    pub(crate) section: &'a Section,
    /// Whose rows give the defaults.
    pub(crate) rows: SectionKind,
    /// What can be expanded beyond `ENV_X`.
    pub(crate) names: Names,
    /// The variables of `env_files`.
    pub(crate) files: BTreeMap<String, String>,
    /// Whether errors end with the section and its file (CFG-014).
    pub(crate) in_context: bool,
}

impl<'a> Scope<'_, 'a> {
    /// A key's entry, the section's own or a default of `[DEFAULT]`.
    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.loader.document.entry(self.section, key)
    }

    /// What is written, unexpanded; the row's default if nothing is.
    pub(crate) fn raw(&self, key: &str) -> Option<String> {
        let written = self.entry(key).map(|entry| entry.value.clone());
        written.or_else(|| self.rows.row(key)?.default.map(str::to_owned))
    }

    /// Where a key stands, or the section if it does not.
    pub(crate) fn at(&self, key: &str) -> At {
        At {
            section: self.section.name.clone(),
            key: Some(key.to_owned()),
            place: self.entry(key).map_or(self.section.place, |entry| entry.place),
        }
    }

    /// Reports an error about a key.
    pub(crate) fn fail(&mut self, key: &str, wrong: impl Into<Wrong>) -> Reported {
        let at = self.at(key);
        self.fail_at(wrong.into(), &at)
    }

    pub(crate) fn fail_at(&mut self, mut wrong: Wrong, at: &At) -> Reported {
        if self.in_context {
            let file = py_repr(self.loader.document.file(self.section.place));
            wrong.message =
                format!("{} in section {} (file: {file})", wrong.message, py_repr(&self.section.name));
        }
        if let Some(where_from) = self.loader.said_in(at) {
            wrong.message = format!("{} ({where_from})", wrong.message);
        }
        self.loader.error(wrong, at);
        Reported
    }

    /// An `environment` that is written as a map: each value is expanded by itself, once.
    pub(crate) fn variables(&mut self, variables: &[Variable]) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        for variable in variables {
            let label = format!("{}.environment.{}", self.section.name, variable.name);
            match self.expand(&variable.value, &label) {
                Ok(value) => {
                    pairs.insert(variable.name.clone(), value);
                }
                Err(wrong) => {
                    let at = At { place: variable.place, ..self.at("environment") };
                    self.fail_at(wrong, &at);
                }
            }
        }
        pairs
    }

    /// Expands a text with all names there are.
    pub(crate) fn expand(&self, text: &str, label: &str) -> Read<String> {
        expand(text, &[&self.loader.environment, &self.names], label)
    }

    /// A key's text, expanded; `None` if it is not written.
    ///
    /// # Errors
    /// It cannot be expanded.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Reported> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        if entry.form == Form::Wrong {
            return Err(Reported);
        }
        // Most values name nothing, and then nobody needs the label.
        if !entry.value.contains('%') {
            return Ok(Some(entry.value.clone()));
        }
        let label = format!("{}.{key}", self.section.name);
        match self.expand(&entry.value, &label) {
            Ok(text) => Ok(Some(text)),
            Err(wrong) => Err(self.fail(key, wrong)),
        }
    }

    /// A key's value, or that of its row's default; `None` if there is neither, or if it is wrong.
    pub(crate) fn read<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Read<T>) -> Option<T> {
        match self.text(key) {
            Err(Reported) => None,
            Ok(None) => self.rows.row(key)?.default.and_then(|default| parse(default).ok()),
            Ok(Some(text)) => self.convert(key, &text, parse),
        }
    }

    /// Converts a key's text; `None` if it is wrong.
    pub(crate) fn convert<T>(
        &mut self,
        key: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Read<T>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.fail(key, wrong);
                None
            }
        }
    }

    /// A switch, or its default.
    pub(crate) fn flag(&mut self, key: &str) -> bool {
        self.read(key, value::boolean).unwrap_or_default()
    }

    /// A key that takes any text, or its default.
    pub(crate) fn string(&mut self, key: &str) -> Option<String> {
        self.read(key, |text| Ok(text.to_owned()))
    }
}
