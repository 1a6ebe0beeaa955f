//! How a wrong command line, or anything else that keeps a program from starting, is told on stderr (CFG-406).

/// Why a program ends before it begins. Displays the complete text for stderr, without a final newline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UsageError {
    text: String,
    status: u8,
}

impl UsageError {
    /// `Error: MESSAGE` and where to find help; exit status 2.
    #[must_use]
    pub fn new(program: &str, message: &str) -> Self {
        Self { text: format!("Error: {message}\nFor help, use {program} -h"), status: 2 }
    }

    /// `Error: MESSAGE` alone; exit status 1, as after an uncaught exception (CFG-135, D-13).
    pub(crate) fn plain(message: &str) -> Self {
        Self { text: format!("Error: {message}"), status: 1 }
    }

    /// The exit status of the program: 2, or 1 for a client's broken file (CFG-135, CFG-410).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        self.status
    }
}
