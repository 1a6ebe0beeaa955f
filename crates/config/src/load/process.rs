//! The keys that are read anew for every process of a section (CFG-059).

use std::collections::BTreeMap;
use std::sync::Arc;

use upkeep_core::spec::{LogTarget, OutputSpec, ProcessSpec};

use super::At;
use super::scope::Scope;
use crate::expand::expand_again;
use crate::ini::{Entry, Form};
use crate::names;
use crate::python::percent::Value;
use crate::shlex::join;
use crate::value::{self, Wrong, pairs};

/// How many processes a section has.
pub(super) struct Copies {
    /// The first `process_num`.
    pub(super) first: i64,
    /// Zero or less: none.
    pub(super) count: i64,
    /// `process_name`, unexpanded.
    pub(super) name: String,
}

/// The names of one output channel's keys.
struct Channel {
    logfile: &'static str,
    backups: &'static str,
    maxbytes: &'static str,
    syslog: &'static str,
}

const STDOUT: Channel = Channel {
    logfile: "stdout_logfile",
    backups: "stdout_logfile_backups",
    maxbytes: "stdout_logfile_maxbytes",
    syslog: "stdout_syslog",
};

const STDERR: Channel = Channel {
    logfile: "stderr_logfile",
    backups: "stderr_logfile_backups",
    maxbytes: "stderr_logfile_maxbytes",
    syslog: "stderr_syslog",
};

/// What is known of a channel that every copy has alike, and need not be read for each.
#[derive(Default)]
struct Alike {
    target: Option<Option<LogTarget>>,
    sizes: Option<Sizes>,
}

/// What an output channel has besides its log.
#[derive(Clone, Copy)]
struct Sizes {
    backups: Option<i64>,
    maxbytes: Option<i64>,
    syslog: Option<bool>,
}

/// What copies of a program have in common they share.
fn share_health(last: Option<&ProcessSpec>, next: &mut Option<ProcessSpec>) {
    if let (Some(last), Some(next)) = (last, next)
        && last.health == next.health
    {
        next.health.clone_from(&last.health);
    }
}

impl Scope<'_, '_> {
    /// Every process; stops after the first that is wrong, since the others are wrong alike.
    pub(super) fn each(&mut self, base: &ProcessSpec, copies: &Copies) -> Vec<Arc<ProcessSpec>> {
        let mut processes: Vec<Arc<ProcessSpec>> = Vec::new();
        let errors = self.loader.errors;
        let mut alike = <[Alike; 2]>::default();
        for number in 0..copies.count.max(0) {
            let mut process = self.process(base, copies, copies.first.saturating_add(number), &mut alike);
            share_health(processes.last().map(Arc::as_ref), &mut process);
            processes.extend(process.map(Arc::new));
            if self.loader.errors > errors {
                break;
            }
        }
        processes
    }

    fn process(
        &mut self,
        base: &ProcessSpec,
        copies: &Copies,
        number: i64,
        [stdout, stderr]: &mut [Alike; 2],
    ) -> Option<ProcessSpec> {
        let mut spec = base.clone();
        self.begin(copies, number);
        spec.environment = self.process_environment();
        spec.directory = self.string("directory");
        self.output(&mut spec.stdout, &STDOUT, stdout);
        self.output(&mut spec.stderr, &STDERR, stderr);
        if spec.redirect_stderr {
            self.drop_stderr(&mut spec.stderr);
        }
        spec.command = self.command()?;
        self.hook_commands(&mut spec);
        spec.health = self.health();
        match self.expand(&copies.name, "process_name") {
            Ok(name) => spec.name = name,
            Err(wrong) => {
                self.fail("process_name", wrong);
            }
        }
        Some(spec)
    }

    /// The names of one process. What an earlier process's `environment` added stays, unless the daemon has it too.
    fn begin(&mut self, copies: &Copies, number: i64) {
        let environment = &self.loader.environment;
        self.names.retain(|name, _| !environment.contains_key(name));
        self.names.insert("process_num".to_owned(), Value::Int(number));
        self.names.insert("numprocs".to_owned(), Value::Int(copies.count));
    }

    /// The program's own variables, which the keys after it can use (CFG-059).
    /// Those of files come first, then those of templates; each can use those before it.
    fn process_environment(&mut self) -> BTreeMap<String, String> {
        let mut all = self.files.clone();
        self.now_known(&all);
        let section = self.section;
        for entry in section.layers.iter().chain(self.entry("environment")) {
            let pairs = self.environment_of(entry);
            self.now_known(&pairs);
            all.extend(pairs);
        }
        all
    }

    fn now_known(&mut self, variables: &BTreeMap<String, String>) {
        let new = variables.iter().map(|(name, value)| (names::variable(name), Value::Text(value.clone())));
        self.names.extend(new);
    }

    fn environment_of(&mut self, entry: &Entry) -> BTreeMap<String, String> {
        if let Form::Variables(variables) = &entry.form {
            return self.variables(variables);
        }
        let at = At { place: entry.place, ..self.at("environment") };
        let found = self.expand(&entry.value, "environment").and_then(|text| pairs(&text));
        match found {
            Ok(found) => {
                self.loader.doubt_environment(found.doubt, &at);
                found.pairs
            }
            Err(wrong) => {
                self.fail_at(wrong, &at);
                BTreeMap::new()
            }
        }
    }

    fn output(&mut self, output: &mut OutputSpec, channel: &Channel, alike: &mut Alike) {
        let target = alike.target.clone().unwrap_or_else(|| self.log_target(channel));
        let sizes = alike.sizes.unwrap_or_else(|| self.sizes(channel));
        if alike.target.is_none() && self.is_alike(&[channel.logfile]) {
            alike.target = Some(target.clone());
        }
        if alike.sizes.is_none() && self.is_alike(&[channel.backups, channel.maxbytes, channel.syslog]) {
            alike.sizes = Some(sizes);
        }
        output.backups = sizes.backups.unwrap_or(output.backups);
        output.maxbytes = sizes.maxbytes.unwrap_or(output.maxbytes);
        output.syslog = sizes.syslog.unwrap_or_default();
        match target {
            Some(target) => output.target = target,
            None => self.deprecated_syslog(output, channel),
        }
        if output.target == LogTarget::Auto && output.maxbytes == 0 {
            let text = format!(
                "For [{}], AUTO logging used for {} without rollover, set maxbytes > 0 to avoid filling up filesystem \
                 unintentionally",
                self.section.name, channel.logfile
            );
            let at = self.at(channel.maxbytes);
            self.loader.warn(text, &at);
        }
    }

    fn sizes(&mut self, channel: &Channel) -> Sizes {
        Sizes {
            backups: self.read(channel.backups, value::integer),
            maxbytes: self.read(channel.maxbytes, value::bytes),
            syslog: self.read(channel.syslog, value::boolean),
        }
    }

    /// Whether these keys say the same for every copy: nothing in them is expanded.
    fn is_alike(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.entry(key).is_none_or(|entry| !entry.value.contains('%')))
    }

    /// `None` for the deprecated `syslog`. Expanded twice (CFG-062).
    fn log_target(&mut self, channel: &Channel) -> Option<LogTarget> {
        let text = match self.text(channel.logfile) {
            Ok(Some(text)) => text,
            Ok(None) | Err(_) => return Some(LogTarget::Auto),
        };
        let text = expand_again(text, &[&self.loader.environment, &self.names], channel.logfile);
        let machine = self.loader.machine;
        self.convert(channel.logfile, &text, |text| machine.log_target(text)).unwrap_or(Some(LogTarget::Auto))
    }

    /// CFG-164.
    fn deprecated_syslog(&mut self, output: &mut OutputSpec, channel: &Channel) {
        output.target = LogTarget::None;
        output.syslog = true;
        let text = format!(
            "For [{}], {}=syslog but this is deprecated and will be removed.  Use {}=true to enable syslog instead.",
            self.section.name, channel.logfile, channel.syslog
        );
        let at = self.at(channel.logfile);
        self.loader.warn(text, &at);
    }

    /// CFG-157, CFG-166.
    fn drop_stderr(&mut self, output: &mut OutputSpec) {
        if matches!(output.target, LogTarget::File(_)) {
            let text = format!(
                "For [{}], redirect_stderr=true but stderr_logfile has also been set to a filename, the filename has \
                 been ignored",
                self.section.name
            );
            let at = self.at("stderr_logfile");
            self.loader.warn(text, &at);
        }
        output.target = LogTarget::None;
    }

    /// CFG-140.
    fn command(&mut self) -> Option<String> {
        if let Some(Form::Words(words)) = self.entry("command").map(|entry| &entry.form) {
            return self.command_of("command", words);
        }
        match self.text("command") {
            Ok(Some(command)) => Some(command),
            Err(_) => None,
            Ok(None) => {
                let message = format!("program section {} does not specify a command", self.section.name);
                self.fail("command", Wrong::new(message, "add command=PROGRAM ARGUMENTS"));
                None
            }
        }
    }

    /// Each word is expanded by itself, so that it stays one word.
    pub(super) fn command_of(&mut self, key: &str, words: &[String]) -> Option<String> {
        let label = format!("{}.{key}", self.section.name);
        let expanded: Result<Vec<String>, Wrong> =
            words.iter().map(|word| self.expand(word, &label)).collect();
        match expanded {
            Ok(words) => Some(join(&words)),
            Err(wrong) => {
                self.fail(key, wrong);
                None
            }
        }
    }
}
