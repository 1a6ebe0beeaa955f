//! Turns a command line into a file and its arguments, in Supervisor's order of checks and words (PROC-040 … PROC-047).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, access};
use upkeep_config::{py_repr, shlex};
use upkeep_core::Refusal;

/// Where a command is looked for when no PATH is set at all (PROC-078).
pub(crate) const LAST_RESORT: &str = "/bin:/usr/bin:/usr/local/bin";

/// A command that can be executed, as far as one can tell before trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The file.
    pub(crate) path: String,
    /// The arguments; the first as it was written.
    pub(crate) argv: Vec<String>,
}

/// Why a command cannot be executed; displays the spawn error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProgramError {
    /// PROC-047.
    #[error("can't parse command {}: {reason}", py_repr(.command))]
    Parse { command: String, reason: String },
    /// PROC-044.
    #[error("command is empty")]
    Empty,
    /// PROC-040.
    #[error("can't find command {}", py_repr(.0))]
    NotFound(String),
    /// PROC-041.
    #[error("command at {} is a directory", py_repr(.0))]
    Directory(String),
    /// PROC-042.
    #[error("command at {} is not executable", py_repr(.0))]
    NotExecutable(String),
    /// PROC-043.
    #[error("no permission to run command {}", py_repr(.0))]
    NoPermission(String),
}

impl ProgramError {
    /// The refusal of a start request (RPC-110).
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::NotFound(_) => Refusal::NoFile(self.to_string()),
            Self::Parse { .. }
            | Self::Empty
            | Self::Directory(_)
            | Self::NotExecutable(_)
            | Self::NoPermission(_) => Refusal::NotExecutable(self.to_string()),
        }
    }
}

/// Splits `command` and finds its file; `path` is the PATH to search. Blocks on the file system.
///
/// # Errors
/// [`ProgramError`].
pub(crate) fn find(command: &str, path: Option<&str>) -> Result<Program, ProgramError> {
    let argv = shlex::split(command)
        .map_err(|error| ProgramError::Parse { command: command.to_owned(), reason: error.to_string() })?;
    let Some(first) = argv.first() else { return Err(ProgramError::Empty) };
    let file = if first.contains('/') { first.clone() } else { search(first, path.unwrap_or(LAST_RESORT)) };
    check(&file)?;
    Ok(Program { path: file, argv })
}

/// The first existing file of that name, executable or not; the bare name if there is none.
fn search(name: &str, path: &str) -> String {
    path.split(':')
        .map(|directory| Path::new(directory).join(name))
        .find(|candidate| candidate.exists())
        .map_or_else(|| name.to_owned(), |found| found.to_string_lossy().into_owned())
}

fn check(file: &str) -> Result<(), ProgramError> {
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) if file.contains('/') => metadata,
        Ok(_) | Err(_) => return Err(ProgramError::NotFound(file.to_owned())),
    };
    if metadata.is_dir() {
        return Err(ProgramError::Directory(file.to_owned()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(ProgramError::NotExecutable(file.to_owned()));
    }
    access(file, Access::EXEC_OK).map_err(|_| ProgramError::NoPermission(file.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_or_says_why_not_proc_040_proc_041_proc_042_proc_044_proc_047() {
        let directory = tempfile::tempdir().unwrap();
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "x").unwrap();
        let plain = plain.to_string_lossy().into_owned();
        let folder = directory.path().to_string_lossy().into_owned();
        for (command, text) in [
            (String::new(), "command is empty".to_owned()),
            ("no-such-thing -x".to_owned(), "can't find command 'no-such-thing'".to_owned()),
            ("/no/such".to_owned(), "can't find command '/no/such'".to_owned()),
            (folder.clone(), format!("command at '{folder}' is a directory")),
            (plain.clone(), format!("command at '{plain}' is not executable")),
            (
                "sh 'unclosed".to_owned(),
                "can't parse command \"sh 'unclosed\": No closing quotation".to_owned(),
            ),
        ] {
            assert_eq!(find(&command, Some("/bin:/usr/bin")).unwrap_err().to_string(), text, "{command}");
        }
        let found = find("sh -c 'a b'", Some("/nowhere:/bin")).unwrap();
        assert_eq!(found.path, "/bin/sh");
        assert_eq!(found.argv, ["sh", "-c", "a b"]);
    }
}
