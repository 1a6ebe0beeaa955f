//! The command line: `supervisorctl` as scripts and people know it, and `upkeep`, our own.
//!
//! # Theory of operation
//!
//! [`supervisorctl`] reads options and configuration, then runs one command, or a shell of them. A command is a row of
//! [`commands`]: name, help, what its words are (for completion), and a function over a [`session::Session`], which is
//! the address, the login, the terminal and the exit status so far. Functions ask through `upkeep_client` and print
//! what Supervisor prints, byte for byte; what no command expects becomes the one `error: <class …>` line that scripts
//! match ([`trouble`]). A name the server does not know is tried once more as what guides and people mean by it
//! ([`resolve`]); whatever we add to the output goes to stderr.
//!
//! [`upkeep`] shares sessions, names and verbs, and writes for people and for JSON readers instead ([`own`]).
//!
//! This room knows only the interface of the daemon: it starts nothing, reads no log file, and keeps no state but the
//! shell's history.

#![forbid(unsafe_code)]

mod codes;
mod columns;
mod commands;
mod follow;
mod input;
mod interrupt;
mod names;
mod outcome;
mod own;
mod resolve;
mod rolling;
mod screen;
mod session;
mod shell;
mod trouble;

use upkeep_config::{CtlInvocation, CtlOptions, Environment, ctl_invocation};

use crate::session::Session;

/// `supervisorctl`: `program` is the name it was called by, `args` the rest. Gives the exit status.
#[must_use]
pub fn supervisorctl(program: &str, args: &[String]) -> i32 {
    let environment = Environment::of_this_process();
    let program = upkeep_config::program_path(program, &environment);
    let options = match ctl_invocation(&program, args, &environment) {
        Ok(CtlInvocation::Run(options)) => options,
        Ok(CtlInvocation::Print(text)) => return print(&text, 0),
        Err(error) => {
            screen::note(&error.to_string());
            return i32::from(error.exit_status());
        }
    };
    run(options)
}

/// Runs the command in `options`, or the shell if there is none.
fn run(options: CtlOptions) -> i32 {
    if options.words.is_empty() {
        shell::run(options);
        return codes::SUCCESS;
    }
    let line = options.words.join(" ");
    let mut session = Session::new(options);
    commands::run_line(&mut session, &line);
    session.status
}

/// `upkeep COMMAND …`, our own command line; `args` begins with the command. Gives the exit status.
#[must_use]
pub fn upkeep(args: &[String]) -> i32 {
    own::upkeep(args)
}

/// `echo_supervisord_conf`: prints a configuration that shows every option.
#[must_use]
pub fn echo_supervisord_conf() -> i32 {
    print(&upkeep_config::sample(), 0)
}

/// Prints `text` as it is and gives `status`.
#[must_use]
pub fn print(text: &str, status: i32) -> i32 {
    screen::bytes(text.as_bytes());
    status
}
