//! `env_files`: which files a program names, and the variables in them.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scope;
use super::{At, Loader};
use crate::diagnostic::Diagnostic;
use crate::dotenv::{self, Mistake};
use crate::envfiles::EnvFile;
use crate::ini::Section;
use crate::names;
use crate::options::SectionKind;
use crate::python::path::{abspath, dirname, join, normalize};
use crate::python::percent::Value;
use crate::value::{self, Wrong};
use upkeep_core::ordered;

const ENV_FILES: &str = "env_files";
/// Files that one program may name.
const MOST: usize = 32;

/// A file that a program names.
pub(super) struct Named {
    pub(super) path: String,
    /// It need not be there.
    pub(super) optional: bool,
}

impl Loader<'_> {
    /// The paths of all files that any program names; what is wrong is not told here.
    pub(crate) fn env_file_paths(&mut self) -> BTreeSet<String> {
        self.daemon_names();
        let mut paths = BTreeSet::new();
        for prefix in ["program:", "eventlistener:", "fcgi-program:"] {
            for section in self.sections(prefix) {
                paths.extend(self.paths_of(section));
            }
        }
        paths
    }

    /// The paths of the files that a section names.
    pub(crate) fn env_files_of(&mut self, section: &Section) -> BTreeSet<String> {
        self.daemon_names();
        let document = self.document;
        document.section(&section.name).map(|section| self.paths_of(section)).unwrap_or_default()
    }
}

impl<'a> Loader<'a> {
    fn paths_of(&mut self, section: &'a Section) -> BTreeSet<String> {
        let name = section.name.split_once(':').map_or("", |(_, name)| name).trim();
        let names = names::texts(&[("program_name", name)]);
        let named = self.scope(section, SectionKind::Program, names).named_files();
        ordered::set(named.into_iter().map(|named| named.path))
    }
}

impl Scope<'_, '_> {
    /// The variables of all files, a later file's over an earlier one's.
    pub(super) fn file_variables(&mut self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let Some(files) = self.loader.env_files else { return variables };
        for named in self.named_files() {
            match files.get(&named.path).unwrap_or(&EnvFile::Missing) {
                EnvFile::Text(text, loose) => {
                    if *loose {
                        self.doubt_permissions(&named.path);
                    }
                    self.file(&named.path, text, &mut variables);
                }
                EnvFile::Missing if named.optional => {}
                EnvFile::Missing => {
                    let hint = format!("write ?{} if it need not be there", named.path);
                    self.fail(ENV_FILES, Wrong::new(format!("env_files: {} is not there", named.path), hint));
                }
                EnvFile::Unreadable(reason) => {
                    self.fail(ENV_FILES, format!("env_files: {} cannot be read: {reason}", named.path));
                }
            }
        }
        variables
    }

    fn file(&mut self, path: &str, text: &[u8], variables: &mut BTreeMap<String, String>) {
        let environment = &self.loader.environment;
        let known = |name: &str| {
            variables.get(name).cloned().or_else(|| match environment.get(&names::variable(name)) {
                Some(Value::Text(text)) => Some(text.clone()),
                Some(Value::Int(_)) | None => None,
            })
        };
        let found = dotenv::read(text, &known);
        variables.extend(found.pairs);
        for mistake in found.mistakes {
            self.loader.mistake_in(path, mistake, &self.section.name);
        }
    }

    fn doubt_permissions(&mut self, path: &str) {
        let message = format!("[{}] env_files: everybody may write to {path}", self.section.name);
        let hint = "whoever does decides what the program gets: chmod o-w";
        let at = self.at(ENV_FILES);
        self.loader.remark(Wrong::new(message, hint), &at);
    }

    /// Which files are meant. They are the same for all copies of a program, in whatever group, so few names can stand there.
    pub(super) fn named_files(&mut self) -> Vec<Named> {
        if self.entry(ENV_FILES).is_none() {
            return Vec::new();
        }
        self.with_few_names(Self::named)
    }

    /// Reads something that is the same for all copies of a program, in whatever group.
    pub(super) fn with_few_names<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let program = self.names.get("program_name").cloned();
        let host = &self.loader.machine.env.hostname;
        let mut few = names::texts(&[("here", &self.loader.here), ("host_node_name", host)]);
        few.extend(program.map(|program| ("program_name".to_owned(), program)));
        let all = std::mem::replace(&mut self.names, few);
        let value = read(self);
        self.names = all;
        value
    }

    fn named(&mut self) -> Vec<Named> {
        let Some(written) = self.read(ENV_FILES, |text| Ok(value::list(text))) else { return Vec::new() };
        if written.len() > MOST {
            self.fail(ENV_FILES, format!("env_files has more than {MOST} files"));
        }
        let mut named = Vec::new();
        for text in written.iter().take(MOST) {
            let (optional, path) = match text.strip_prefix('?') {
                Some(path) => (true, path.trim_start()),
                None => (false, text.as_str()),
            };
            if path.is_empty() {
                self.fail(ENV_FILES, Wrong::new("env_files has an empty name", "there is a comma too many"));
                continue;
            }
            let Some(path) = self.placed(ENV_FILES, path) else { break };
            named.push(Named { path, optional });
        }
        named
    }

    /// The absolute path that a path means: from `directory` on if there is one, else from the configuration file in which it
    /// stands.
    pub(super) fn placed(&mut self, key: &str, path: &str) -> Option<String> {
        let env = self.loader.machine.env;
        if path.starts_with(['/', '~']) {
            return Some(normalize(path, env, self.loader.machine.world));
        }
        let base = match self.entry("directory").map(|entry| entry.value.clone()) {
            Some(directory) => match self.expand(&directory, "directory") {
                Ok(directory) => directory,
                Err(_) => {
                    let message = format!(
                        "{key}: {path} is looked for in directory, which is not the same for all processes"
                    );
                    self.fail(key, Wrong::new(message, "write the whole path"));
                    return None;
                }
            },
            None => {
                let file = self.entry(key).map_or("", |entry| self.loader.document.file(entry.place));
                abspath(dirname(file), env)
            }
        };
        Some(abspath(&join(&base, path), env))
    }
}

impl Loader<'_> {
    /// A mistake in a file of variables. The text says where, since programs are told nothing else.
    fn mistake_in(&mut self, path: &str, mistake: Mistake, section: &str) {
        let Mistake { line, message, hint } = mistake;
        let message = format!("{message} (env_files of [{section}]: {path}, line {line})");
        let mut problem = Diagnostic::error(message).in_file(path);
        problem.line = Some(line);
        problem.section = Some(section.to_owned());
        problem.key = Some(ENV_FILES.to_owned());
        problem.hint = Some(hint.to_owned());
        let _ = self.push(problem);
    }

    /// Where an option stands, for messages: also if another section has it.
    pub(super) fn said_in(&self, at: &At) -> Option<String> {
        let section = self.document.section(&at.section)?;
        let origin = self.document.origin(section, at.key.as_deref()?, at.place)?;
        let (file, line) = (self.document.file(section.place), section.place.line);
        Some(format!("said in [{}], taken over by [{}] in {file}:{line}", origin.name, section.name))
    }
}
