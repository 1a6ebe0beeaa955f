//! What is ours about the logs of a program: read once for all its copies.

use std::sync::Arc;

use upkeep_core::spec::{LogDestination, LogRules, LogTls};

use super::scope::Scope;
use crate::value::{Wrong, logs};

/// The names of one output channel's keys that are ours.
struct Keys {
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

const STDOUT: Keys = Keys {
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

const STDERR: Keys = Keys {
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

/// What all `tls://` destinations of a program have in common.
const CA: &str = "forward_tls_ca";
const CERT: &str = "forward_tls_cert";
const KEY: &str = "forward_tls_key";
const NAME: &str = "forward_tls_name";

impl Keys {
    fn all(&self) -> [&'static str; 8] {
        let Self { rotate, compress, max_age, max_total, names, format, rate, forward, backups: _ } = *self;
        [rotate, compress, max_age, max_total, names, format, rate, forward]
    }
}

impl Scope<'_, '_> {
    /// The rules of both channels.
    pub(super) fn all_log_rules(&mut self) -> [Option<Arc<LogRules>>; 2] {
        let tls = self.log_tls();
        let found = [&STDOUT, &STDERR].map(|keys| self.log_rules(keys, tls.as_ref()));
        let is_tls = |destination: &LogDestination| matches!(destination, LogDestination::Tls { .. });
        if !found.iter().flatten().any(|rules| rules.forward.iter().any(is_tls)) {
            let why = "without a tls:// destination in stdout_forward or stderr_forward";
            self.remark_vain(&[CA, CERT, KEY, NAME], why);
        }
        found
    }

    /// `None` if nothing is said about TLS.
    fn log_tls(&mut self) -> Option<Arc<LogTls>> {
        if [CA, CERT, KEY, NAME].iter().all(|key| self.entry(key).is_none()) {
            return None;
        }
        for (key, other) in [(CERT, KEY), (KEY, CERT)] {
            if self.entry(key).is_some() && self.entry(other).is_none() {
                let hint = "write the files of the certificate and of its private key, in PEM format";
                self.fail(key, Wrong::new(format!("{key} needs {other}"), hint));
            }
        }
        let mut file = |key| self.read(key, |text| logs::pem_file(key, text));
        let (ca, cert, key) = (file(CA), file(CERT), file(KEY));
        let name = self.read(NAME, |text| logs::server_name(NAME, text));
        Some(Arc::new(LogTls { ca, identity: cert.zip(key), name }))
    }

    /// The rules of one channel; `None` if they ask for nothing.
    fn log_rules(&mut self, keys: &Keys, tls: Option<&Arc<LogTls>>) -> Option<Arc<LogRules>> {
        // Most programs have none of them.
        if keys.all().iter().all(|key| self.entry(key).is_none()) {
            return None;
        }
        let mut rules = LogRules {
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
        for destination in &mut rules.forward {
            if let (LogDestination::Tls { tls, .. }, Some(own)) = (destination, tls) {
                *tls = Arc::clone(own);
            }
        }
        if self.entry(keys.backups).is_some_and(|entry| entry.value.trim() == "0") {
            let why = format!("with {}=0: there are no old files", keys.backups);
            self.remark_vain(&[keys.compress, keys.max_age, keys.max_total, keys.names], &why);
        }
        (rules != LogRules::default()).then(|| Arc::new(rules))
    }
}
