//! `[supervisord]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::scope::Scope;
use super::{At, Loader};
use crate::command_line::CommandLine;
use crate::diagnostic::Diagnostic;
use crate::expand::expand_again;
use crate::ini::{Form, Place, Section};
use crate::names;
use crate::options::SectionKind;
use crate::python::path::normalize;
use crate::python::percent::Value;
use crate::settings::{Level, LogFile, Settings};
use crate::value::{self, Machine, pairs};
use crate::world::User;

/// Stands in for a missing section, so that the rest can be checked.
static MISSING: Section = Section::new(String::new(), Place { file: 0, line: 0, column: 0 });

impl<'a> Loader<'a> {
    fn daemon_scope(&mut self) -> Scope<'_, 'a> {
        let section = self.document.section("supervisord").unwrap_or(&MISSING);
        let names = self.here_names();
        self.scope(section, SectionKind::Supervisord, names)
    }

    /// Every key in Supervisor's order. Which user `user` names is looked at when all else is right: its text comes
    /// second.
    pub(super) fn settings(&mut self) -> (Settings, Option<String>) {
        let machine = self.machine;
        let absolute = |path: &str| PathBuf::from(normalize(path, machine.env, machine.world));
        let mut scope = self.daemon_scope();
        let minfds = scope.read("minfds", value::integer).unwrap_or_default();
        let minprocs = scope.read("minprocs", value::integer).unwrap_or_default();
        let directory = scope.read("directory", |text| machine.directory(text)).map(PathBuf::from);
        let user = scope.text("user").ok().flatten();
        let umask = scope.read("umask", value::octal).unwrap_or_default();
        let settings = Settings {
            minfds,
            minprocs,
            directory,
            user: None,
            umask,
            logfile: log_file(&scope.read("logfile", |text| machine.path(text)).unwrap_or_default(), machine),
            logfile_maxbytes: scope.read("logfile_maxbytes", value::bytes).unwrap_or_default(),
            logfile_backups: scope.read("logfile_backups", value::integer).unwrap_or_default(),
            loglevel: scope.read("loglevel", value::level).unwrap_or(Level::Info),
            pidfile: absolute(&scope.read("pidfile", |text| machine.path(text)).unwrap_or_default()),
            identifier: scope.string("identifier").unwrap_or_default(),
            nodaemon: scope.flag("nodaemon"),
            silent: scope.flag("silent"),
            childlogdir: scope
                .read("childlogdir", |text| machine.directory(text))
                .map_or_else(|| temporary(machine), PathBuf::from),
            nocleanup: scope.flag("nocleanup"),
            strip_ansi: scope.flag("strip_ansi"),
            environment: scope.daemon_environment(),
            strict_update: scope.flag("strict_update"),
            log_prefix: scope.flag("log_prefix"),
            exit_when: scope.read("exit_when", value::exit_when),
            orphans: scope.read("orphans", value::orphans).unwrap_or_default(),
            config_history: scope.read("config_history", value::config_history).unwrap_or_default(),
            config_history_dir: scope
                // It need not be there, nor what is above it: that must hinder no update.
                .read("config_history_dir", |text| Ok(text.to_owned()))
                .filter(|path| !path.is_empty())
                .map(|path| absolute(&path)),
        };
        self.extend_environment(&settings.environment);
        (settings, user)
    }

    /// Lets the variables of `[supervisord]` be expanded, and nothing else.
    pub(super) fn daemon_names(&mut self) {
        let environment = self.daemon_scope().daemon_environment();
        self.extend_environment(&environment);
    }

    fn extend_environment(&mut self, variables: &BTreeMap<String, String>) {
        let new = variables.iter().map(|(name, value)| (names::variable(name), Value::Text(value.clone())));
        self.environment.extend(new);
    }

    /// `user`, from the command line or the file (CFG-049, CFG-083).
    pub(super) fn daemon_user(&mut self, cli: &CommandLine, written: Option<&str>) -> Option<User> {
        let machine = self.machine;
        match (&cli.user, written) {
            (Some(name), _) => match machine.user(name) {
                Ok(user) => Some(user),
                Err(wrong) => {
                    self.problems.push(Diagnostic::error(wrong.message));
                    None
                }
            },
            (None, Some(text)) => self.daemon_scope().convert("user", text, |text| machine.user(text)),
            (None, None) => None,
        }
    }

    /// Tells what an `environment` value may not mean what it was meant to (D-36).
    pub(super) fn doubt_environment(&mut self, doubt: Option<String>, at: &At) {
        if let Some(doubt) = doubt {
            let message = format!("[{}] environment: {doubt}", at.section);
            self.doubt(Level::Warn, message.into(), at);
        }
    }
}

impl Scope<'_, '_> {
    /// Expanded twice (CFG-062).
    fn daemon_environment(&mut self) -> BTreeMap<String, String> {
        if let Some(Form::Variables(variables)) = self.entry("environment").map(|entry| &entry.form) {
            return self.variables(variables);
        }
        let Some(text) = self.string("environment") else { return BTreeMap::new() };
        let host = names::texts(&[("host_node_name", &self.loader.machine.env.hostname)]);
        let text = expand_again(text, &[&self.loader.environment, &self.names, &host], "environment");
        let Some(found) = self.convert("environment", &text, pairs) else { return BTreeMap::new() };
        let at = self.at("environment");
        self.loader.doubt_environment(found.doubt, &at);
        found.pairs
    }
}

/// Lays the command line over what the file says (CFG-402); `user` is [`Loader::daemon_user`]'s.
pub(super) fn overlay(settings: &mut Settings, cli: &CommandLine, machine: Machine<'_>) {
    if let Some(path) = &cli.logfile {
        settings.logfile = log_file(path, machine);
    }
    if let Some(path) = &cli.pidfile {
        settings.pidfile = PathBuf::from(normalize(path, machine.env, machine.world));
    }
    put(&mut settings.logfile_maxbytes, cli.logfile_maxbytes);
    put(&mut settings.logfile_backups, cli.logfile_backups);
    put(&mut settings.loglevel, cli.loglevel);
    put(&mut settings.identifier, cli.identifier.clone());
    put(&mut settings.minfds, cli.minfds);
    put(&mut settings.minprocs, cli.minprocs);
    put(&mut settings.umask, cli.umask);
    put(&mut settings.childlogdir, cli.childlogdir.as_ref().map(PathBuf::from));
    settings.directory = cli.directory.as_ref().map(PathBuf::from).or(settings.directory.take());
    settings.nodaemon |= cli.nodaemon;
    settings.silent |= cli.silent;
    settings.nocleanup |= cli.nocleanup;
    settings.strip_ansi |= cli.strip_ansi;
}

fn put<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

/// CFG-085.
fn log_file(path: &str, machine: Machine<'_>) -> LogFile {
    if path == "syslog" {
        return LogFile::Syslog;
    }
    LogFile::Path(PathBuf::from(normalize(path, machine.env, machine.world)))
}

/// Where Python would put temporary files (CFG-093).
fn temporary(machine: Machine<'_>) -> PathBuf {
    let variables = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(|name| machine.env.var(name));
    let usual = ["/tmp", "/var/tmp", "/usr/tmp"];
    variables
        .filter(|directory| !directory.is_empty())
        .chain(usual)
        .map(|directory| machine.env.cwd.join(directory))
        .find(|directory| machine.world.is_dir(directory))
        .unwrap_or_else(|| machine.env.cwd.clone())
}
