//! The command line of `supervisorctl` and its section of the configuration (section 6 of the ledger, CTL-001 …
//! CTL-007). The client follows no includes (CFG-075).

use std::path::PathBuf;

use crate::diagnostic::LoadError;
use crate::dialect::{self, Dialect};
use crate::environment::Environment;
use crate::getopt::{Given, Known, getopt};
use crate::ini::{Document, Section};
use crate::load::Loader;
use crate::options::SectionKind;
use crate::python::path::normalize;
use crate::python::repr::py_repr;
use crate::search::find_config;
use crate::sources::Sources;
use crate::usage::UsageError;
use crate::value;
use crate::world::{Host, World};

/// What the client is to do and with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtlOptions {
    /// Default `http://localhost:9001`. Not validated unless from `-s` (CFG-131).
    pub serverurl: String,
    /// Name for authentication.
    pub username: Option<String>,
    /// Password for authentication.
    pub password: Option<String>,
    /// Shown before `> `. Default `supervisor`.
    pub prompt: String,
    /// Where the shell keeps its history.
    pub history_file: Option<PathBuf>,
    /// `-i`, or no words at all (CTL-006, CTL-007).
    pub interactive: bool,
    /// Take names as Supervisor does (D-41). Default false.
    pub strict_names: bool,
    /// Factories of `[ctlplugin:x]` sections: Python code that cannot be loaded (CFG-255, D-67).
    pub plugins: Vec<String>,
    /// The command and its arguments.
    pub words: Vec<String>,
}

/// What a command line of the client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CtlInvocation {
    /// Run with these options.
    Run(CtlOptions),
    /// Print this on stdout and exit with status 0 (`-h`).
    Print(String),
}

/// Parses the arguments of `supervisorctl` and reads its section of the configuration file, if there is one.
///
/// # Errors
/// [`UsageError`].
pub fn ctl_invocation(
    program: &str,
    args: &[String],
    env: &Environment,
) -> Result<CtlInvocation, UsageError> {
    let usage = |message: String| UsageError::new(program, &message);
    let (given, words) = getopt(args, KNOWN).map_err(usage)?;
    let mut line = Line::default();
    for option in given {
        if matches!(option.name.as_str(), "-h" | "-?" | "--help") {
            return Ok(CtlInvocation::Print(help(program)));
        }
        line.option(&option).map_err(usage)?;
    }
    let file = match line.configuration.take() {
        Some(path) => Some(path),
        None => find_config(program, env).ok().map(|path| path.to_string_lossy().into_owned()),
    };
    let section = match file {
        Some(path) => read_section(program, path, env)?,
        None => CtlSection::default(),
    };
    Ok(CtlInvocation::Run(line.over(section, words)))
}

const KNOWN: &[Known] = &[
    Known { short: Some('h'), long: Some("help"), takes_value: false },
    Known { short: Some('?'), long: None, takes_value: false },
    Known { short: Some('c'), long: Some("configuration"), takes_value: true },
    Known { short: Some('i'), long: Some("interactive"), takes_value: false },
    Known { short: Some('s'), long: Some("serverurl"), takes_value: true },
    Known { short: Some('u'), long: Some("username"), takes_value: true },
    Known { short: Some('p'), long: Some("password"), takes_value: true },
    Known { short: Some('r'), long: Some("history_file"), takes_value: true },
];

/// The options that were given.
#[derive(Default)]
struct Line {
    configuration: Option<String>,
    interactive: Option<String>,
    serverurl: Option<String>,
    username: Option<String>,
    password: Option<String>,
    history_file: Option<String>,
}

impl Line {
    fn option(&mut self, given: &Given) -> Result<(), String> {
        let slot = match given.name.as_str() {
            "-c" | "--configuration" => &mut self.configuration,
            "-i" | "--interactive" => &mut self.interactive,
            "-u" | "--username" => &mut self.username,
            "-p" | "--password" => &mut self.password,
            "-r" | "--history_file" => &mut self.history_file,
            _ => {
                value::url(&given.value).map_err(|wrong| {
                    format!("invalid value for {} {}: {}", given.name, py_repr(&given.value), wrong.message)
                })?;
                &mut self.serverurl
            }
        };
        if slot.is_some() {
            return Err(format!("conflicting command line option {}", py_repr(&given.name)));
        }
        *slot = Some(given.value.clone());
        Ok(())
    }

    /// What was given wins over the file (CTL-004).
    fn over(self, section: CtlSection, words: Vec<String>) -> CtlOptions {
        CtlOptions {
            serverurl: self.serverurl.unwrap_or(section.serverurl),
            username: self.username.or(section.username),
            password: self.password.or(section.password),
            prompt: section.prompt,
            history_file: self.history_file.map(PathBuf::from).or(section.history_file),
            interactive: self.interactive.is_some() || words.is_empty(),
            strict_names: section.strict_names,
            plugins: section.plugins,
            words,
        }
    }
}

/// `[supervisorctl]`.
pub(crate) struct CtlSection {
    serverurl: String,
    username: Option<String>,
    password: Option<String>,
    prompt: String,
    history_file: Option<PathBuf>,
    strict_names: bool,
    plugins: Vec<String>,
}

impl Default for CtlSection {
    fn default() -> Self {
        Self {
            serverurl: "http://localhost:9001".to_owned(),
            username: None,
            password: None,
            prompt: "supervisor".to_owned(),
            history_file: None,
            strict_names: false,
            plugins: Vec::new(),
        }
    }
}

fn read_section(program: &str, path: String, env: &Environment) -> Result<CtlSection, UsageError> {
    let usage = |error: &LoadError| UsageError::new(program, &error.to_string());
    let sources = Sources::alone(path, env.clone()).map_err(|error| usage(&error))?;
    let mut document = Document::new();
    let mut trouble = dialect::read(&mut document, sources.dialect, &sources.name, &sources.main);
    // What is wrong with programs is the daemon's affair.
    let own = |section: &str| section == "supervisorctl" || section.starts_with("ctlplugin:");
    trouble.wrong.retain(|problem| problem.section.as_deref().is_some_and(own));
    if let Some(problem) = trouble.first() {
        // The reference dies of an uncaught exception here, except for bytes that are not UTF-8 (CFG-135).
        let uncaught = sources.dialect == Dialect::Ini && !problem.message.starts_with("'utf-8' codec");
        let error = LoadError::one(problem);
        return Err(if uncaught { UsageError::plain(&error.to_string()) } else { usage(&error) });
    }
    if sources.dialect != Dialect::Ini {
        document.imply();
    }
    let mut loader = Loader::new(&document, env, sources.here(), &Host);
    loader.require_section("supervisorctl");
    let section = loader.client();
    match std::mem::take(&mut loader.problems) {
        problems if problems.is_empty() => Ok(section),
        problems => {
            let message = problems[0].message.clone();
            Err(usage(&LoadError { message, diagnostics: problems }))
        }
    }
}

impl Loader<'_> {
    /// `[supervisorctl]` and the client's plugins; everything at its default without the section.
    pub(crate) fn client(&mut self) -> CtlSection {
        let Some(section) = self.document.section("supervisorctl") else { return CtlSection::default() };
        let mut client = self.client_section(section);
        let plugins: Vec<&Section> =
            self.document.sections.iter().filter(|section| section.name.starts_with("ctlplugin:")).collect();
        for section in plugins {
            let plugin = self.plugin(section, SectionKind::CtlPlugin, "supervisor.ctl_factory");
            client.plugins.extend(plugin.map(|plugin| plugin.factory));
        }
        client
    }

    fn client_section(&mut self, section: &Section) -> CtlSection {
        let (env, world): (&Environment, &dyn World) = (self.machine.env, self.machine.world);
        let here = self.here_names();
        let document = self.document;
        let Some(section) = document.section(&section.name) else { return CtlSection::default() };
        let mut scope = self.scope(section, SectionKind::Supervisorctl, here);
        let serverurl = scope.string("serverurl").unwrap_or_default();
        let here = std::mem::take(&mut scope.names);
        let prompt = scope.string("prompt").unwrap_or_default();
        let username = scope.string("username");
        let password = scope.string("password");
        scope.names = here;
        let history_file = scope.string("history_file").filter(|path| !path.is_empty());
        let strict_names = scope.read("strict_names", value::boolean).unwrap_or_default();
        let serverurl = match serverurl.strip_prefix("unix://") {
            Some(path) => format!("unix://{}", normalize(path, env, world)),
            None => serverurl,
        };
        let history_file = history_file.map(|path| PathBuf::from(normalize(&path, env, world)));
        CtlSection { serverurl, username, password, prompt, history_file, strict_names, plugins: Vec::new() }
    }
}

/// CTL-002. The long form of `-r` is the one that works (CFG-134).
fn help(program: &str) -> String {
    format!(
        "supervisorctl -- control applications run by supervisord from the cmd line.\n\n\
         Usage: {program} [options] [action [arguments]]\n\n\
         Options:\n\
         -c/--configuration FILENAME -- the configuration file (else the usual places are searched)\n\
         -h/--help -- print this text and exit\n\
         -i/--interactive -- ask for confirmation as in the interactive shell\n\
         -s/--serverurl URL -- where the daemon listens (default \"http://localhost:9001\")\n\
         -u/--username USERNAME -- name to authenticate with\n\
         -p/--password PASSWORD -- password to authenticate with\n\
         -r/--history_file FILENAME -- keep the shell's history there\n\n\
         action [arguments] -- see below\n\n\
         An action is a command such as \"status\" or \"stop\"; \"help\" lists them all. Without one an interactive\n\
         shell is started.\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(file: Option<&str>, args: &[&str]) -> Result<CtlOptions, UsageError> {
        let directory = tempfile::tempdir().unwrap();
        let env = Environment { cwd: directory.path().to_owned(), ..Environment::default() };
        if let Some(text) = file {
            std::fs::write(directory.path().join("supervisord.conf"), text).unwrap();
        }
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        match ctl_invocation("/nowhere/bin/ctl", &args, &env)? {
            CtlInvocation::Run(options) => Ok(options),
            CtlInvocation::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn options_win_over_the_file_and_the_file_over_defaults_cfg_131_to_133() {
        let file = "[supervisorctl]\nserverurl=unix://s/../x.sock\nusername=u\nprompt=p\nstrict_names=yes\n";
        let options = run(Some(file), &["-u", "me", "status", "-x"]).unwrap();
        assert!(options.serverurl.starts_with("unix:///") && options.serverurl.ends_with("/x.sock"));
        assert_eq!((options.username.as_deref(), options.password.as_deref()), (Some("me"), None));
        assert_eq!((options.prompt.as_str(), options.interactive, options.strict_names), ("p", false, true));
        assert_eq!(options.words, ["status", "-x"]);
        let options = run(None, &[]).unwrap();
        assert_eq!((options.serverurl.as_str(), options.interactive), ("http://localhost:9001", true));
    }

    #[test]
    fn refuses_with_supervisors_words_cfg_131_cfg_135_ctl_001() {
        for (file, args, message, status) in [
            (None, vec!["--version"], "option --version not recognized", 2),
            (None, vec!["-s", "foo"], "invalid value for -s 'foo': value 'foo' is not a URL", 2),
            (
                None,
                vec!["-s", "http://a", "--serv", "http://b"],
                "conflicting command line option '--serverurl'",
                2,
            ),
            (None, vec!["-c", "nope"], "could not find config file nope", 2),
            (Some("[supervisord]\n"), vec![], ".ini file does not include supervisorctl section", 2),
            (Some("x\n"), vec![], "File contains no section headers.", 1),
        ] {
            let error = run(file, &args).unwrap_err();
            assert!(error.to_string().starts_with(&format!("Error: {message}")), "{error}");
            assert_eq!(error.exit_status(), status);
        }
    }
}
