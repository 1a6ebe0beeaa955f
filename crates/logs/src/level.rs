//! The seven levels of the daemon's own log.

use std::fmt;

/// How much a line of the daemon's log matters; greater is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What helps to debug the daemon itself.
    Blather,
    /// What helps to debug plugins and clients: each API call.
    Trace,
    /// What helps to debug a configuration: signals sent, output of the children.
    Debug,
    /// What happened.
    Info,
    /// Trouble that is not an error.
    Warn,
    /// An error that may be ignored.
    Error,
    /// What probably needs somebody at once.
    Critical,
}

impl Level {
    /// Every level, ascending.
    pub const ALL: [Self; 7] =
        [Self::Blather, Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];

    /// The four letters that stand in a log line (PROC-166).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Blather => "BLAT",
            Self::Trace => "TRAC",
            Self::Debug => "DEBG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERRO",
            Self::Critical => "CRIT",
        }
    }

    /// The name in `loglevel`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blather => "blather",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The level of this name, as written in `loglevel` (lower case).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_agree_proc_166() {
        for (name, code) in [
            ("critical", "CRIT"),
            ("error", "ERRO"),
            ("warn", "WARN"),
            ("info", "INFO"),
            ("debug", "DEBG"),
            ("trace", "TRAC"),
            ("blather", "BLAT"),
        ] {
            assert_eq!(Level::parse(name).map(Level::code), Some(code));
        }
        assert_eq!(Level::parse("warning"), None);
        assert!(Level::ALL.is_sorted());
    }
}
