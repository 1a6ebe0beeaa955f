//! From sources to a typed configuration: walks the sections in Supervisor's order (CFG-013), and goes on after an
//! error, so that all of them are known at the end and the first is the one Supervisor would have stopped at.

mod bounds;
mod check;
mod daemon;
mod depends;
mod envfiles;
mod fcgi;
mod group;
mod health;
mod hooks;
mod isolation;
mod listener;
mod logs;
mod plugin;
mod process;
mod program;
mod restart;
mod rolling;
mod schedule;
pub(crate) mod scope;
mod server;
mod stopping;
mod told;
mod unknown;
mod watch;

use std::collections::BTreeMap;

use upkeep_core::ordered;
use upkeep_core::spec::GroupSpec;

use crate::command_line::CommandLine;
use crate::diagnostic::{Diagnostic, LoadError, Severity};
use crate::dialect::Dialect;
use crate::envfiles::EnvFiles;
use crate::environment::Environment;
use crate::expand::Names;
use crate::inherit::Found;
use crate::ini::{Document, Place, Section};
use crate::names;
use crate::options::SectionKind;
use crate::remembered::Remembered;
use crate::settings::{Config, Level, Note};
use crate::sources::Sources;
use crate::value::{Machine, Wrong};
use crate::world::World;
use scope::Scope;
use told::Told;

/// Makes sense of what was read.
///
/// # Errors
/// [`LoadError`] with every error; the first is Supervisor's.
pub fn load(sources: &Sources, cli: &CommandLine, world: &dyn World) -> Result<Config, LoadError> {
    let walked = walk(sources, cli, world);
    let errors: Vec<Diagnostic> =
        walked.problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    match errors.first() {
        Some(first) => Err(LoadError { message: first.message.clone(), diagnostics: errors }),
        None => Ok(walked.config),
    }
}

/// A configuration and everything that is wrong with it; without errors it is complete.
struct Walked {
    config: Config,
    problems: Vec<Diagnostic>,
}

/// Every problem of a configuration, also of the client's section, and doubts as errors where they show a mistake.
pub(crate) fn check_walk(sources: &Sources, cli: &CommandLine, world: &dyn World) -> Vec<Diagnostic> {
    let mut merged = sources.merged();
    let inherited = merged.document.inherit();
    let world = Remembered::new(world);
    let mut loader = Loader::new(&merged.document, &sources.env, sources.here(), &world);
    (loader.inherited, loader.env_files) = (inherited, Some(&sources.env_files));
    loader.strict = true;
    let config = loader.walk(cli, merged.all_problems(), merged.notes);
    loader.check_commands(&config.groups);
    loader.check_includes(sources);
    loader.check_servers(&config.servers);
    let _ = loader.client();
    loader.problems
}

/// Reads everything there is to read.
fn walk(sources: &Sources, cli: &CommandLine, world: &dyn World) -> Walked {
    let mut merged = sources.merged();
    let inherited = merged.document.inherit();
    let world = Remembered::new(world);
    let mut loader = Loader::new(&merged.document, &sources.env, sources.here(), &world);
    (loader.inherited, loader.env_files) = (inherited, Some(&sources.env_files));
    let config = loader.walk(cli, merged.all_problems(), merged.notes);
    Walked { config, problems: loader.problems }
}

/// Where a problem is.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub(crate) section: String,
    pub(crate) key: Option<String>,
    pub(crate) place: Place,
}

impl At {
    pub(crate) fn section(section: &Section) -> Self {
        Self { section: section.name.clone(), key: None, place: section.place }
    }
}

/// What a walk over a document knows and has found so far.
pub(crate) struct Loader<'a> {
    pub(crate) document: &'a Document,
    pub(crate) machine: Machine<'a>,
    /// `%(here)s` of the main file.
    pub(crate) here: String,
    /// `ENV_X`: of the environment, and of `[supervisord] environment` once that is read (CFG-061).
    pub(crate) environment: Names,
    pub(crate) problems: Vec<Diagnostic>,
    told: Told,
    pub(crate) notes: Vec<Note>,
    /// What is wrong with templates.
    inherited: Vec<Found>,
    env_files: Option<&'a EnvFiles>,
    /// How many errors were found in sections.
    errors: usize,
    /// Whether doubts that show a mistake are errors (D-36, D-67).
    strict: bool,
}

impl<'a> Loader<'a> {
    /// In Supervisor's order (CFG-013); what nothing else depends on comes last.
    fn walk(&mut self, cli: &CommandLine, problems: Vec<Diagnostic>, notes: Vec<Note>) -> Config {
        self.problems = problems;
        notes.into_iter().for_each(|note| self.said(note));
        self.require_section("supervisord");
        let (mut settings, user) = self.settings();
        daemon::overlay(&mut settings, cli, self.machine);
        let rpc_interfaces = self.rpc_interfaces();
        for (wrong, at) in std::mem::take(&mut self.inherited) {
            self.error(wrong, &at);
        }
        let groups = self.groups(&settings.environment);
        let servers = self.servers();
        if !servers.is_empty() {
            self.check_rpc_interfaces(&rpc_interfaces);
        }
        settings.user = self.daemon_user(cli, user.as_deref());
        self.unknown();
        let notes = std::mem::take(&mut self.notes);
        Config { settings, servers, groups, rpc_interfaces, notes }
    }

    pub(crate) fn new(
        document: &'a Document,
        env: &'a Environment,
        here: String,
        world: &'a dyn World,
    ) -> Self {
        Self {
            document,
            machine: Machine { env, world },
            here,
            environment: names::environment(env),
            problems: Vec::new(),
            told: Told::default(),
            notes: Vec::new(),
            inherited: Vec::new(),
            env_files: None,
            errors: 0,
            strict: false,
        }
    }

    /// CFG-011, CFG-130.
    pub(crate) fn require_section(&mut self, name: &str) {
        if self.document.section(name).is_none() {
            let mut problem = Diagnostic::error(format!(".ini file does not include {name} section"));
            problem.file = self.document.files.first().cloned();
            problem.hint = Some(format!("add a line [{name}]"));
            self.problems.push(problem);
        }
    }

    /// Reading of one section; `names` are those beyond `ENV_X`.
    pub(crate) fn scope(&mut self, section: &'a Section, rows: SectionKind, names: Names) -> Scope<'_, 'a> {
        Scope { loader: self, section, rows, names, files: BTreeMap::new(), in_context: false }
    }

    /// The name `here` and what it stands for.
    pub(crate) fn here_names(&self) -> Names {
        names::texts(&[("here", &self.here)])
    }

    /// Sections whose names begin so, in order (CFG-031).
    fn sections(&self, prefix: &str) -> Vec<&'a Section> {
        let document: &'a Document = self.document;
        document.sections.iter().filter(|section| section.name.starts_with(prefix)).collect()
    }

    fn diagnostic(&self, severity: Severity, wrong: Wrong, at: &At) -> Diagnostic {
        Diagnostic {
            severity,
            message: wrong.message,
            file: Some(self.document.file(at.place).to_owned()),
            line: Some(at.place.line),
            column: Some(at.place.column).filter(|&column| column > 0),
            section: Some(at.section.clone()),
            key: at.key.clone(),
            hint: wrong.hint.map(|hint| in_words_of(self.document.file(at.place), hint)),
        }
    }

    /// Reads something whose mistakes are no errors: they are remarks.
    pub(crate) fn forgiving<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let (known, errors) = (self.problems.len(), self.errors);
        let value = read(self);
        self.errors = errors;
        for problem in &mut self.problems[known..] {
            problem.severity = Severity::Warning;
            let (file, line) = (problem.file.clone().unwrap_or_default(), problem.line.unwrap_or_default());
            self.notes
                .push(Note { level: Level::Warn, text: format!("{} ({file}:{line})", problem.message) });
        }
        value
    }

    /// An error. Of several about one value the first counts: some are read twice, others once per process.
    pub(crate) fn error(&mut self, wrong: Wrong, at: &At) {
        self.add(Severity::Error, wrong, at);
    }

    fn add(&mut self, severity: Severity, wrong: Wrong, at: &At) -> bool {
        let new = self.diagnostic(severity, wrong, at);
        self.push(new)
    }

    /// Whether it is new.
    fn push(&mut self, new: Diagnostic) -> bool {
        let severity = new.severity;
        let known = self.told.has(&self.problems, &new);
        if !known {
            self.errors += usize::from(severity == Severity::Error);
            self.problems.push(new);
        }
        !known
    }

    /// A line of Supervisor's own for the log; a warning in reports if it is one.
    fn said(&mut self, note: Note) {
        if note.level <= Level::Warn {
            let mut problem = Diagnostic::error(note.text.clone());
            problem.severity = Severity::Warning;
            self.problems.push(problem);
        }
        self.notes.push(note);
    }

    /// A warning in Supervisor's words: logged without its place.
    pub(crate) fn warn(&mut self, text: String, at: &At) {
        if self.add(Severity::Warning, text.clone().into(), at) {
            self.notes.push(Note { level: Level::Warn, text });
        }
    }

    /// A doubt of our own that shows a mistake: logged with its place; an error when checking.
    pub(crate) fn doubt(&mut self, level: Level, wrong: Wrong, at: &At) {
        let severity = if self.strict { Severity::Error } else { Severity::Warning };
        self.doubted(level, severity, wrong, at);
    }

    /// Something odd that may be meant: logged with its place; never an error.
    pub(crate) fn remark(&mut self, wrong: Wrong, at: &At) {
        self.doubted(Level::Warn, Severity::Warning, wrong, at);
    }

    fn doubted(&mut self, level: Level, severity: Severity, wrong: Wrong, at: &At) {
        if !self.add(severity, wrong.clone(), at) {
            return;
        }
        let (file, place) = (self.document.file(at.place), at.place);
        let mut text = format!("{} ({file}:{}", wrong.message, place.line);
        if place.column > 0 {
            text.push_str(&format!(":{}", place.column));
        }
        text.push(')');
        if let Some(hint) = wrong.hint {
            text.push_str("; ");
            text.push_str(&hint);
        }
        self.notes.push(Note { level, text });
    }
}

/// A hint that says what to write, as it is written in the file's dialect.
fn in_words_of(file: &str, hint: String) -> String {
    match Dialect::of(file) {
        Dialect::Ini | Dialect::Toml => hint,
        Dialect::Yaml | Dialect::Json => hint.replace('=', ": "),
    }
}

/// By priority, then name; equals keep their order (CFG-196).
fn sort_groups(groups: &mut [GroupSpec]) {
    ordered::sort_by(groups, |a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
}
