//! What a document says, in a form that does not depend on how it was written.

use super::tree::Tree;
use crate::dialect::any_row;
use crate::ini::{DEFAULT, Document, Entry, Form, Section};
use crate::options::{Kind, SectionKind};
use crate::python::integer;
use crate::python::text::is_space;
use crate::shlex::tokens;
use crate::value;

/// A section and its options.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// As in brackets.
    pub(super) name: String,
    pub(super) kind: Option<SectionKind>,
    pub(super) options: Vec<(String, Tree)>,
}

impl Part {
    pub(super) fn option(&self, key: &str) -> Option<&Tree> {
        self.options.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }
}

/// The sections of a document; the mark that there are no interfaces is a section with an empty name.
pub(super) fn parts(document: &Document) -> Vec<Part> {
    let defaults = Some(&document.defaults).filter(|defaults| !defaults.entries().is_empty());
    let mut parts: Vec<Part> = defaults.into_iter().chain(&document.sections).map(part).collect();
    let has_interface = parts.iter().any(|part| part.kind == Some(SectionKind::RpcInterface));
    if document.no_interfaces && !has_interface {
        parts.push(Part { name: String::new(), kind: None, options: Vec::new() });
    }
    parts
}

fn part(section: &Section) -> Part {
    let kind = SectionKind::of(&section.name);
    let option = |entry: &Entry| {
        let row = match kind {
            Some(kind) => kind.row(&entry.key),
            None if section.name == DEFAULT => any_row(&entry.key),
            None => None,
        };
        // Default values are read in sections of every kind.
        let typed = section.name != DEFAULT || row.is_some_and(|row| row.kind == Kind::Pairs);
        let twice = matches!(kind, None | Some(SectionKind::Supervisord));
        (entry.key.clone(), option(entry, row.map(|row| row.kind).filter(|_| typed), twice))
    };
    Part { name: section.name.clone(), kind, options: section.entries().iter().map(option).collect() }
}

/// `twice`: whether the text is expanded a second time.
fn option(entry: &Entry, kind: Option<Kind>, twice: bool) -> Tree {
    match &entry.form {
        Form::Variables(variables) => Tree::Map(
            variables
                .iter()
                .map(|variable| (variable.name.clone(), Tree::Text(variable.value.clone())))
                .collect(),
        ),
        Form::Text | Form::Words(_) | Form::Wrong => {
            let typed = kind.and_then(|kind| typed(kind, &entry.value, twice));
            typed.unwrap_or_else(|| Tree::Text(entry.value.clone()))
        }
    }
}

/// What a text is besides a text; `None` if it is nothing but that.
fn typed(kind: Kind, text: &str, twice: bool) -> Option<Tree> {
    match kind {
        Kind::Boolean => value::boolean(text).ok().map(Tree::Boolean),
        Kind::Autorestart => value::boolean(text).ok().map(Tree::Boolean),
        Kind::Integer | Kind::Seconds | Kind::Bytes => integer::parse(text, 10).map(Tree::Number),
        Kind::Time | Kind::Factor | Kind::Percent | Kind::Share | Kind::Limit | Kind::Rlimit => {
            text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Tree::Number)
        }
        Kind::ExitCodes => {
            let codes = value::exit_codes(text).ok()?;
            Some(Tree::List(codes.into_iter().map(|code| Tree::Number(code.into())).collect()))
        }
        Kind::List => names(text),
        Kind::Globs => globs(text),
        Kind::Pairs => variables(text, twice),
        Kind::Octal
        | Kind::Schedule
        | Kind::Giveup
        | Kind::Level
        | Kind::Signal
        | Kind::Directory
        | Kind::Path
        | Kind::User
        | Kind::Owner
        | Kind::Text
        | Kind::Command
        | Kind::LogTarget
        | Kind::Choice(_)
        | Kind::Endpoint
        | Kind::Url
        | Kind::Factory => None,
    }
}

fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Tree {
    Tree::List(items.into_iter().map(|item| Tree::Text(item.to_owned())).collect())
}

fn names(text: &str) -> Option<Tree> {
    let names = value::list(text);
    let same = value::list(&names.join(",")) == names;
    (same && !text.contains('%')).then(|| texts(names.iter().map(String::as_str)))
}

fn globs(text: &str) -> Option<Tree> {
    let globs: Vec<&str> = text.split(is_space).filter(|glob| !glob.is_empty()).collect();
    let whole = |glob: &&str| glob.matches("%(").count() <= glob.matches(')').count();
    globs.iter().all(whole).then(|| texts(globs))
}

/// `KEY="value"` pairs, unless expansion could make others of them.
fn variables(text: &str, twice: bool) -> Option<Tree> {
    let found = tokens(text).ok().filter(|found| !found.comment)?;
    if twice && text.contains("%%") {
        return None;
    }
    let mut variables: Vec<(String, Tree)> = Vec::new();
    for pair in found.tokens.chunks(4) {
        let [name, equals, value, separator @ ..] = pair else { return None };
        let open = separator.first().is_some_and(|separator| separator != ",");
        let plain = value.starts_with(['\'', '"']) || !value.contains('%');
        if equals != "=" || open || !plain || name.contains(['%', '=', '\'', '"']) {
            return None;
        }
        let value = Tree::Text(value.trim_matches(['\'', '"']).to_owned());
        variables.retain(|(other, _)| other != name);
        variables.push((name.clone(), value));
    }
    Some(Tree::Map(variables))
}
