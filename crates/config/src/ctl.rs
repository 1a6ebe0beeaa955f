//! The command line of `supervisorctl` and its section of the configuration.

use std::path::PathBuf;

use crate::environment::Environment;
use crate::usage::UsageError;

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
    /// Factories of `[ctlplugin:x]` sections that cannot be loaded (CFG-255, D-67).
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
    let _ = (program, env);
    Ok(CtlInvocation::Run(CtlOptions {
        serverurl: "http://localhost:9001".to_owned(),
        username: None,
        password: None,
        prompt: "supervisor".to_owned(),
        history_file: None,
        interactive: args.is_empty(),
        strict_names: false,
        plugins: Vec::new(),
        words: args.to_vec(),
    }))
}
