//! From one dialect to another. What is written is read again and compared: a setting that the other dialect cannot
//! express is refused, never changed or lost.

mod ini;
mod json;
mod parts;
mod toml;
mod tree;
mod yaml;

use std::collections::HashMap;

use crate::contents::Waits;
use crate::diagnostic::{Diagnostic, LoadError};
use crate::dialect::{self, Dialect};
use crate::environment::Environment;
use crate::ini::{Document, Place};
use crate::sources::Sources;
use parts::{Part, parts};

/// A configuration in another dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The new file.
    pub text: String,
    /// What is different, or is to be done: for people.
    pub remarks: Vec<String>,
}

/// Writes what a configuration file says in another dialect, or in the same one; with `flatten`, together with all that
/// it includes.
///
/// # Errors
/// The file cannot be read, or holds what the other dialect cannot express: all of that.
pub fn convert(path: &str, flatten: bool, to: Dialect, env: Environment) -> Result<Converted, LoadError> {
    let sources = match flatten {
        true => Sources::gather(path.to_owned(), false, env, Waits::ForMain)?,
        false => Sources::alone(path.to_owned(), env)?,
    };
    let mut remarks = Vec::new();
    let mut document = if flatten { whole(&sources, &mut remarks)? } else { alone(&sources)? };
    explain(&mut document, sources.dialect, to, &mut remarks);
    said_about(&document, &sources, flatten, &mut remarks);
    let parts = parts(&document);
    let text = write(&parts, to);
    verify(&document, &parts, to, &text)?;
    Ok(Converted { text, remarks })
}

/// The file without what it includes.
fn alone(sources: &Sources) -> Result<Document, LoadError> {
    let mut document = Document::new();
    let trouble = dialect::read(&mut document, sources.dialect, &sources.name, &sources.main);
    refuse(trouble.unreadable.into_iter().chain(trouble.wrong).collect())?;
    Ok(document)
}

/// The file and what it includes, as one.
fn whole(sources: &Sources, remarks: &mut Vec<String>) -> Result<Document, LoadError> {
    let mut merged = sources.merged();
    refuse(merged.all_problems())?;
    merged.document.sections.retain(|section| section.name != "include");
    let files = sources.includes.iter().flat_map(|include| &include.files);
    for file in files.filter(|file| file.text.is_none()) {
        remarks.push(format!("{} cannot be read and is left out", file.path));
    }
    Ok(merged.document)
}

fn refuse(problems: Vec<Diagnostic>) -> Result<(), LoadError> {
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(LoadError { message: first.message.clone(), diagnostics: problems }),
    }
}

/// Says what goes without saying in one dialect and not in the other.
fn explain(document: &mut Document, from: Dialect, to: Dialect, remarks: &mut Vec<String>) {
    let has = |prefix: &str| document.sections.iter().any(|section| section.name.starts_with(prefix));
    if from == Dialect::Ini {
        document.no_interfaces = has("supervisord") && !has("rpcinterface:");
        return;
    }
    if to != Dialect::Ini {
        return;
    }
    let main =
        ["supervisord", "unix_http_server", "inet_http_server", "supervisorctl", "include", "rpcinterface:"];
    if !document.no_interfaces && !main.into_iter().any(has) {
        remarks.push(
            "there is no [supervisord]: add it, and [rpcinterface:supervisor], unless another file includes this one"
                .to_owned(),
        );
        return;
    }
    let before: Vec<String> = document.sections.iter().map(|section| section.name.clone()).collect();
    document.imply();
    for section in document.sections.iter().filter(|section| !before.contains(&section.name)) {
        remarks.push(format!("[{}] was added: the INI dialect needs it", section.name));
    }
}

fn said_about(document: &Document, sources: &Sources, flatten: bool, remarks: &mut Vec<String>) {
    let text = String::from_utf8_lossy(&sources.main);
    let comment =
        |line: &str| line.trim_start().starts_with(['#', ';']) || line.contains(" #") || line.contains(" ;");
    if sources.dialect != Dialect::Json && text.lines().any(comment) {
        remarks.push("comments are not carried over".to_owned());
    }
    if !document.left_out.is_empty() {
        remarks.push(format!("left out, as they are no settings: {}", document.left_out.join(", ")));
    }
    if let (false, Some(include)) = (flatten, document.section("include").and_then(|s| s.own("files"))) {
        remarks.push(format!("included files stay as they are: {}", include.value));
    }
}

fn write(parts: &[Part], to: Dialect) -> String {
    match to {
        Dialect::Ini => ini::write(parts),
        Dialect::Toml => toml::write(&tree::outline(parts)),
        Dialect::Yaml => yaml::write(&tree::outline(parts)),
        Dialect::Json => json::write(&tree::outline(parts)),
    }
}

/// Reads what was written and compares it.
fn verify(document: &Document, wanted: &[Part], to: Dialect, text: &str) -> Result<(), LoadError> {
    let mut again = Document::new();
    let trouble = dialect::read(&mut again, to, "", text.as_bytes());
    if to == Dialect::Ini {
        again.no_interfaces = document.no_interfaces;
    }
    let got = parts(&again);
    let mut problems = differences(document, wanted, &got, to);
    if let (true, Some(problem)) = (problems.is_empty(), trouble.first()) {
        problems.push(Diagnostic::error(format!(
            "{} has no way to say this: {}",
            to.name(),
            problem.message
        )));
    }
    refuse(problems)
}

fn differences(document: &Document, wanted: &[Part], got: &[Part], to: Dialect) -> Vec<Diagnostic> {
    let found: HashMap<&str, &Part> = got.iter().map(|part| (part.name.as_str(), part)).collect();
    let mut problems = Vec::new();
    for part in wanted {
        let Some(found) = found.get(part.name.as_str()) else {
            problems.push(inexpressible(document, part, None, to));
            continue;
        };
        let same = |key: &String| part.option(key) == found.option(key);
        let keys = part.options.iter().map(|(key, _)| key);
        problems
            .extend(keys.filter(|key| !same(key)).map(|key| inexpressible(document, part, Some(key), to)));
    }
    let counts = |parts: &[Part]| parts.iter().map(|part| part.options.len() + 1).sum::<usize>();
    if problems.is_empty() && counts(wanted) != counts(got) {
        problems.push(Diagnostic::error(format!("{} would read this file in another way", to.name())));
    }
    problems
}

fn inexpressible(document: &Document, part: &Part, key: Option<&str>, to: Dialect) -> Diagnostic {
    let what = key.map_or_else(|| format!("[{}]", part.name), |key| format!("[{}] {key}", part.name));
    let mut problem = Diagnostic::error(format!("{what} cannot be written in {}", to.name().to_uppercase()));
    problem.hint = Some(match to {
        Dialect::Ini => {
            "there, blanks at the ends are lost, \" ;\" and \" #\" begin comments, and a variable has one kind of quotes"
                .to_owned()
        }
        Dialect::Toml | Dialect::Yaml | Dialect::Json => "remove it, or write it in another way".to_owned(),
    });
    problem.section = Some(part.name.clone());
    problem.key = key.map(str::to_owned);
    if let Some(section) = document.section(&part.name) {
        let own = key.and_then(|key| section.own(key));
        locate(&mut problem, document, own.map_or(section.place, |entry| entry.place));
    }
    problem
}

fn locate(problem: &mut Diagnostic, document: &Document, place: Place) {
    problem.file = Some(document.file(place).to_owned());
    problem.line = Some(place.line);
    problem.column = Some(place.column).filter(|&column| column > 0);
}
