//! Everything that is read to make a configuration: the only place that touches configuration files.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::command_line::CommandLine;
use crate::contents::{self, Waits};
use crate::diagnostic::{Diagnostic, LoadError};
use crate::dialect::{self, Dialect};
use crate::envfiles::{self, EnvFiles};
use crate::environment::Environment;
use crate::expand::expand;
use crate::ini::{Document, Place};
use crate::names;
use crate::python::path::{abspath, dirname, join};
use crate::search::find_config;
use crate::settings::{Level, Note};
use crate::wildcard::glob;
use crate::world::{Host, World};

/// The files of a configuration and the surroundings they were read in. Making sense of them is [`crate::load()`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// As given with `-c` or found: what messages call it (CFG-015).
    pub(crate) name: String,
    /// Where it is read from, whatever the working directory becomes (D-04).
    pub(crate) path: PathBuf,
    /// Whether it was searched for.
    pub(crate) searched: bool,
    pub(crate) main: Vec<u8>,
    /// What `main` is written in.
    pub(crate) dialect: Dialect,
    pub(crate) includes: Vec<Include>,
    /// What programs name with `env_files`.
    pub(crate) env_files: EnvFiles,
    pub(crate) env: Environment,
    pub(crate) parsed: Parsed,
}

/// The document that reading the files made, for the load that follows: with a thousand programs making it again takes a third of
/// that load's time. No part of what sources are: copies are without, and comparisons do not see it.
#[derive(Debug, Default)]
pub(crate) struct Parsed(Mutex<Option<Merged>>);

impl Parsed {
    fn keep(&self, merged: Merged) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(merged);
    }

    fn take(&self) -> Option<Merged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Clone for Parsed {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Parsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Parsed {}

/// One pattern of `[include] files` and what it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    /// Absolute.
    pub(crate) pattern: String,
    pub(crate) files: Vec<Included>,
}

/// A file that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Included {
    pub(crate) path: String,
    pub(crate) dialect: Dialect,
    /// `None` if it could not be read (CFG-072).
    pub(crate) text: Option<Vec<u8>>,
}

/// A document made of sources, and all that could not be understood while merging them.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) document: Document,
    /// What cannot be read at all.
    pub(crate) problems: Vec<Diagnostic>,
    /// What is not what belongs where it stands.
    pub(crate) wrong: Vec<Diagnostic>,
    pub(crate) notes: Vec<Note>,
}

impl Sources {
    /// Finds and reads the configuration file and all it includes, and waits for what is no regular file.
    ///
    /// # Errors
    /// [`LoadError`]: there is no file, or it cannot be read or parsed (CFG-002, CFG-005 … CFG-007, section 2).
    pub fn read(cli: &CommandLine, env: Environment) -> Result<Self, LoadError> {
        let (name, searched) = find(cli, &env)?;
        Self::gather(name, searched, env, Waits::Yes)?.checked()
    }

    /// The same for a daemon that somebody waits for: what is included has to be files, and the main file's end has to come soon.
    ///
    /// # Errors
    /// As [`Sources::read`].
    pub fn read_soon(cli: &CommandLine, env: Environment) -> Result<Self, LoadError> {
        let (name, searched) = find(cli, &env)?;
        Self::gather(name, searched, env, Waits::Hardly)?.checked()
    }

    /// Reads the same main file again, and what it includes now, as [`Sources::read_soon`] does.
    ///
    /// # Errors
    /// As [`Sources::read`].
    pub fn reread(&self) -> Result<Self, LoadError> {
        self.reread_telling(&|_| {})
    }

    /// The same; `about` is told what is read next, so that somebody can say what a reading waits for.
    ///
    /// # Errors
    /// As [`Sources::read`].
    pub fn reread_telling(&self, about: &dyn Fn(&str)) -> Result<Self, LoadError> {
        about(&self.path.to_string_lossy());
        let (name, path, env) = (self.name.clone(), self.path.clone(), self.env.clone());
        Self::main_file(name, path, self.searched, env, Waits::Hardly)?
            .with_others(about, Waits::Hardly)
            .checked()
    }

    /// What to say on stderr before anything else: that a privileged daemon searched for its file (CFG-004).
    #[must_use]
    pub fn start_warning(&self) -> Option<String> {
        (self.searched && Host.uid() == 0).then(|| {
            "UserWarning: Supervisord is running as root and it is searching for its configuration file in default \
             locations (including its current working directory); you probably want to specify a \"-c\" argument \
             specifying an absolute path to a configuration file for improved security."
                .to_owned()
        })
    }

    /// The main file's absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads files, whether or not they can be understood.
    ///
    /// # Errors
    /// The main file cannot be read.
    pub(crate) fn gather(
        name: String,
        searched: bool,
        env: Environment,
        waits: Waits,
    ) -> Result<Self, LoadError> {
        let path = PathBuf::from(abspath(&name, &env));
        Ok(Self::main_file(name, path, searched, env, waits)?.with_others(&|_| {}, waits))
    }

    /// Reads what the main file names.
    fn with_others(mut self, about: &dyn Fn(&str), waits: Waits) -> Self {
        let mut merged = self.merge();
        match self.patterns(&merged.document) {
            Ok(patterns) if !patterns.is_empty() => {
                let mut refused = Vec::new();
                let mut read = |pattern| read_pattern(pattern, about, waits, &mut refused);
                self.includes = patterns.into_iter().map(&mut read).collect();
                let refused: Vec<Diagnostic> =
                    refused.into_iter().map(|message| no_file(message, &merged.document)).collect();
                merged = self.merge();
                merged.problems.extend(refused);
            }
            Ok(_) | Err(_) => {}
        }
        self.env_files = envfiles::gather(&merged.document, self.here(), &self.env, about);
        self.parsed.keep(merged);
        self
    }

    /// Reads the main file and nothing that it includes.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn alone(name: String, env: Environment) -> Result<Self, LoadError> {
        let path = PathBuf::from(abspath(&name, &env));
        Self::main_file(name, path, false, env, Waits::Yes)
    }

    fn main_file(
        name: String,
        path: PathBuf,
        searched: bool,
        env: Environment,
        waits: Waits,
    ) -> Result<Self, LoadError> {
        let failed =
            |what: &str| LoadError::one(Diagnostic::error(format!("could not {what} config file {name}")));
        if !path.exists() {
            return Err(failed("find"));
        }
        let unread = |error| if contents::late(&error) { not_written(&name) } else { failed("read") };
        let main = contents::main(&path, waits).map_err(unread)?;
        let dialect = Dialect::of(&path.to_string_lossy());
        let (includes, env_files, parsed) = (Vec::new(), EnvFiles::new(), Parsed::default());
        Ok(Self { name, path, searched, main, dialect, includes, env_files, env, parsed })
    }

    /// Fails on the first thing that Supervisor would stop at while reading; of a file in another dialect, on
    /// everything that cannot be read.
    fn checked(self) -> Result<Self, LoadError> {
        let mut merged = self.merged();
        let Some(first) = merged.problems.first().cloned() else {
            self.parsed.keep(merged);
            return Ok(self);
        };
        if Dialect::of(first.file.as_deref().unwrap_or_default()) == Dialect::Ini {
            return Err(LoadError::one(first));
        }
        merged.problems.retain(|problem| problem.file == first.file);
        Err(LoadError { message: first.message, diagnostics: merged.problems })
    }

    /// The merged document, as it was made while reading if nobody has taken it yet.
    pub(crate) fn merged(&self) -> Merged {
        self.parsed.take().unwrap_or_else(|| self.merge())
    }

    /// What `%(here)s` stands for in the main file (CFG-010).
    pub(crate) fn here(&self) -> String {
        dirname(&self.path.to_string_lossy()).to_owned()
    }

    /// The absolute patterns of `[include]` (CFG-064, CFG-065); none without the section.
    fn patterns(&self, document: &Document) -> Result<Vec<String>, Box<Diagnostic>> {
        let Some(section) = document.section("include") else { return Ok(Vec::new()) };
        let located = |message: String, place: Place| Box::new(located(message, document.file(place), place));
        let Some(entry) = document.entry(section, "files") else {
            let message = ".ini file has [include] section, but no files setting";
            return Err(located(message.to_owned(), section.place));
        };
        let here = self.here();
        let layers = [
            &names::environment(&self.env),
            &names::texts(&[("here", &here), ("host_node_name", &self.env.hostname)]),
        ];
        let files = expand(&entry.value, &layers, "include.files").map_err(|wrong| {
            let mut problem = located(wrong.message, entry.place);
            problem.key = Some("files".to_owned());
            problem.hint = wrong.hint;
            problem
        })?;
        Ok(files
            .split(crate::python::text::is_space)
            .filter(|p| !p.is_empty())
            .map(|p| join(&here, p))
            .collect())
    }

    /// Merges the files into one document.
    fn merge(&self) -> Merged {
        let mut merged =
            Merged { document: Document::new(), problems: Vec::new(), wrong: Vec::new(), notes: Vec::new() };
        merged.read(self.dialect, &self.name, &self.main);
        if merged.document.section("include").is_some() {
            merged.document.expand_here(&self.here());
            match self.patterns(&merged.document) {
                Ok(_) => self.includes.iter().for_each(|include| merged.include(include)),
                Err(problem) => merged.problems.push(*problem),
            }
        }
        if self.dialect != Dialect::Ini {
            merged.document.imply();
        }
        merged
    }
}

impl Merged {
    /// Everything that is wrong.
    pub(crate) fn all_problems(&self) -> Vec<Diagnostic> {
        self.problems.iter().chain(&self.wrong).cloned().collect()
    }

    fn read(&mut self, dialect: Dialect, name: &str, bytes: &[u8]) {
        let trouble = dialect::read(&mut self.document, dialect, name, bytes);
        self.problems.extend(trouble.unreadable);
        self.wrong.extend(trouble.wrong);
    }

    fn include(&mut self, include: &Include) {
        if include.files.is_empty() {
            let text = format!("No file matches via include \"{}\"", include.pattern);
            self.notes.push(Note { level: Level::Warn, text });
        }
        for file in &include.files {
            let text = format!("Included extra file \"{}\" during parsing", file.path);
            self.notes.push(Note { level: Level::Info, text });
            let Some(text) = &file.text else { continue };
            self.read(file.dialect, &file.path, text);
            self.document.expand_here(dirname(&file.path));
        }
    }
}

/// What the file is called, and whether it had to be searched for.
fn find(cli: &CommandLine, env: &Environment) -> Result<(String, bool), LoadError> {
    match &cli.configuration {
        Some(name) => Ok((name.clone(), false)),
        None => Ok((search(&cli.program, env)?, true)),
    }
}

fn search(program: &str, env: &Environment) -> Result<String, LoadError> {
    find_config(program, env).map(|path| path.to_string_lossy().into_owned()).map_err(|places| {
        let places: Vec<String> = places.iter().map(|place| place.to_string_lossy().into_owned()).collect();
        LoadError::one(Diagnostic::error(format!(
            "No config file found at default paths ({}); use the -c option to specify a config file at a different \
             path",
            places.join(", ")
        )))
    })
}

/// A main file that is no regular file, and that nobody writes to.
fn not_written(name: &str) -> LoadError {
    let seconds = contents::PATIENCE.as_secs();
    let mut problem = Diagnostic::error(format!(
        "could not read config file {name}: it is no regular file, and its end did not come within {seconds} seconds"
    ));
    problem.hint = Some("write it while it is being read, or start with a regular file".to_owned());
    LoadError::one(problem)
}

/// What is wrong with `[include]`.
fn located(message: String, file: &str, place: Place) -> Diagnostic {
    let mut problem = Diagnostic::error(message).in_file(file);
    problem.line = Some(place.line);
    problem.column = Some(place.column).filter(|&column| column > 0);
    problem.section = Some("include".to_owned());
    problem
}

/// A pattern matched what cannot be read like a file. The document is that of the main file.
fn no_file(message: String, document: &Document) -> Diagnostic {
    let section = document.section("include");
    let entry = section.and_then(|section| Some(document.entry(section, "files")?.place));
    let place = entry.or(section.map(|section| section.place));
    let mut problem = match place {
        Some(place) => located(message, document.file(place), place),
        None => Diagnostic::error(message),
    };
    problem.key = Some("files".to_owned());
    problem.hint = Some("move it away, or write a pattern that does not match it".to_owned());
    problem
}

fn read_pattern(pattern: String, about: &dyn Fn(&str), waits: Waits, refused: &mut Vec<String>) -> Include {
    about(&pattern);
    let mut paths = glob(&pattern);
    paths.sort_unstable();
    let files = paths
        .into_iter()
        .map(|path| {
            about(&path);
            let text = contents::included(&path, waits).unwrap_or_else(|kind| {
                refused.push(format!("'{path}', which [include] matches, is {kind} and no file"));
                None
            });
            Included { dialect: Dialect::of(&path), path, text }
        })
        .collect();
    Include { pattern, files }
}
