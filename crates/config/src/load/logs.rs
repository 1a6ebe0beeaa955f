//! What is ours about the logs of a program: read once for all its copies.

use std::sync::Arc;

use upkeep_core::spec::LogRules;

use super::scope::Scope;
use crate::value::logs;

/// The names of one output channel's keys that are ours.
pub(super) struct Keys {
    rotate: &'static str,
    compress: &'static str,
    max_age: &'static str,
    max_total: &'static str,
    names: &'static str,
    format: &'static str,
    rate: &'static str,
    forward: &'static str,
    backups: &'static str,
}

pub(super) const STDOUT: Keys = Keys {
    rotate: "stdout_logfile_rotate",
    compress: "stdout_logfile_compress",
    max_age: "stdout_logfile_maxage",
    max_total: "stdout_logfile_maxtotal",
    names: "stdout_logfile_names",
    format: "stdout_logfile_format",
    rate: "stdout_rate_limit",
    forward: "stdout_forward",
    backups: "stdout_logfile_backups",
};

pub(super) const STDERR: Keys = Keys {
    rotate: "stderr_logfile_rotate",
    compress: "stderr_logfile_compress",
    max_age: "stderr_logfile_maxage",
    max_total: "stderr_logfile_maxtotal",
    names: "stderr_logfile_names",
    format: "stderr_logfile_format",
    rate: "stderr_rate_limit",
    forward: "stderr_forward",
    backups: "stderr_logfile_backups",
};

impl Keys {
    fn all(&self) -> [&'static str; 8] {
        let Self { rotate, compress, max_age, max_total, names, format, rate, forward, backups: _ } = *self;
        [rotate, compress, max_age, max_total, names, format, rate, forward]
    }
}

impl Scope<'_, '_> {
    /// The rules of one channel; `None` if they ask for nothing.
    pub(super) fn log_rules(&mut self, keys: &Keys) -> Option<Arc<LogRules>> {
        // Most programs have none of them.
        if keys.all().iter().all(|key| self.entry(key).is_none()) {
            return None;
        }
        let rules = LogRules {
            rotate: self.read(keys.rotate, |text| logs::rotate(keys.rotate, text)).flatten(),
            gzip: self.read(keys.compress, |text| logs::compress(keys.compress, text)).unwrap_or_default(),
            max_age: self.read(keys.max_age, |text| logs::max_age(keys.max_age, text)).flatten(),
            max_total: self
                .read(keys.max_total, |text| logs::max_total(keys.max_total, text))
                .unwrap_or_default(),
            format: self.read(keys.format, |text| logs::format(keys.format, text)).unwrap_or_default(),
            rate: self.read(keys.rate, |text| logs::rate(keys.rate, text)).flatten(),
            forward: self.read(keys.forward, |text| logs::forward(keys.forward, text)).unwrap_or_default(),
            dated: self.read(keys.names, |text| logs::names(keys.names, text)).unwrap_or_default(),
        };
        if self.entry(keys.backups).is_some_and(|entry| entry.value.trim() == "0") {
            let why = format!("with {}=0: there are no old files", keys.backups);
            self.remark_vain(&[keys.compress, keys.max_age, keys.max_total, keys.names], &why);
        }
        (rules != LogRules::default()).then(|| Arc::new(rules))
    }
}
