//! What is wrong with a configuration, and how it is told.

use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The daemon does not start with it.
    Error,
    /// It works, though perhaps not as meant.
    Warning,
}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: Supervisor's own text where it has one. May have several lines.
    pub message: String,
    /// The file, as it was named on the command line or by an include pattern.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// The column in it, in characters, from 1; `None` where only the line is known, as in the INI dialect.
    pub column: Option<usize>,
    /// The section, without brackets.
    pub section: Option<String>,
    /// The option.
    pub key: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error of which nothing but the text is known.
    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            section: None,
            key: None,
            hint: None,
        }
    }

    /// Says in which file it is.
    pub(crate) fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// The lines below the message: where, and what to do.
    pub(crate) fn context(&self) -> String {
        let mut text = String::new();
        if let Some(file) = &self.file {
            text.push_str(&format!("\n  --> {file}"));
            if let Some(line) = self.line {
                text.push_str(&format!(":{line}"));
            }
            if let Some(column) = self.column {
                text.push_str(&format!(":{column}"));
            }
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\nhint: {hint}"));
        }
        text
    }
}

/// Why a configuration cannot be used. Displays every error, first the one Supervisor would report: its text, then
/// where it is and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Supervisor's text alone, as fault CANT_REREAD carries it (CFG-421).
    pub message: String,
    /// Every error that was found, the one Supervisor would report first.
    pub diagnostics: Vec<Diagnostic>,
}

impl LoadError {
    /// An error with one problem.
    pub(crate) fn one(diagnostic: Diagnostic) -> Self {
        Self { message: diagnostic.message.clone(), diagnostics: vec![diagnostic] }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                write!(f, "\nalso: {}", diagnostic.message)?;
            }
            f.write_str(&diagnostic.context())?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
