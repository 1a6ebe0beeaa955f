//! The command line of `supervisord`.

use crate::usage::UsageError;

/// The parsed options of `supervisord`. Each is `None` unless given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The arguments as given, without the program's name: parsing them again yields the same.
    pub args: Vec<String>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Run with these options.
    Run(CommandLine),
    /// Print this on stdout and exit with status 0 (`-h`, `-v`).
    Print(String),
}

/// Parses the arguments of `supervisord`.
///
/// # Errors
/// [`UsageError`].
pub fn invocation(program: &str, args: &[String]) -> Result<Invocation, UsageError> {
    let _ = program;
    Ok(Invocation::Run(CommandLine { args: args.to_vec() }))
}
