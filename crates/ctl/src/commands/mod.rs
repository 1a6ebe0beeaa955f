//! The commands of `supervisorctl`: one row each, from which come dispatch, help and completion.

mod control;
mod daemon;
mod fg;
mod groups;
mod help;
mod parse;
mod pid;
mod status;
mod tail;

use upkeep_client::ClientError;

use crate::codes;
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

use parse::{Line, parse};

pub(crate) use status::is_stopped;

/// What the shell does after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Prompts again.
    Prompt,
    /// Ends.
    Leave,
}

/// What the words after a command are, for completion (CTL-146, CTL-147).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Nothing that can be completed.
    Other,
    /// Names of commands.
    Commands,
    /// Names of groups.
    Groups,
    /// Names of processes.
    Processes,
}

type Run = fn(&mut Session, &str) -> Result<Next, Trouble>;

/// One command.
pub(crate) struct Command {
    /// What is typed.
    pub(crate) name: &'static str,
    /// What follows it.
    pub(crate) words: Words,
    /// Its help, as printed; empty for a command without.
    help: &'static str,
    run: Run,
}

const fn row(name: &'static str, words: Words, run: Run, help: &'static str) -> Command {
    Command { name, words, help, run }
}

/// Every command that `help` lists, in its order.
pub(crate) const COMMANDS: &[Command] = &[
    row("add", Words::Groups, groups::add, help::ADD),
    row("avail", Words::Other, groups::avail, help::AVAIL),
    row("clear", Words::Processes, control::clear, help::CLEAR),
    row("exit", Words::Other, daemon::quit, help::EXIT),
    row("fg", Words::Processes, fg::fg, help::FG),
    row("maintail", Words::Other, tail::maintail, help::MAINTAIL),
    row("open", Words::Other, daemon::open, help::OPEN),
    row("pid", Words::Processes, pid::pid, help::PID),
    row("quit", Words::Other, daemon::quit, help::QUIT),
    row("reload", Words::Other, daemon::reload, help::RELOAD),
    row("remove", Words::Groups, groups::remove, help::REMOVE),
    row("reread", Words::Other, groups::reread, help::REREAD),
    row("restart", Words::Processes, control::restart, help::RESTART),
    row("shutdown", Words::Other, daemon::shutdown, help::SHUTDOWN),
    row("signal", Words::Processes, control::signal, help::SIGNAL),
    row("start", Words::Processes, control::start, help::START),
    row("status", Words::Processes, status::status, help::STATUS),
    row("stop", Words::Processes, control::stop, help::STOP),
    row("tail", Words::Processes, tail::tail, help::TAIL),
    row("update", Words::Groups, groups::update, help::UPDATE),
    row("version", Words::Other, daemon::version, help::VERSION),
];

/// Commands that work but are not in the list: `help` itself, and what the end of input stands for.
const UNLISTED: &[Command] =
    &[row("help", Words::Commands, help::help, help::HELP), row("EOF", Words::Other, daemon::quit, "")];

/// The command of this name, exactly.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().chain(UNLISTED).find(|command| command.name == name)
}

/// Runs one line; what it gives is for the shell, which ends at `Leave`.
pub(crate) fn run_line(session: &mut Session, line: &str) -> Next {
    session.begin_command();
    match parse(line) {
        Line::Empty => Next::Prompt,
        Line::Command { name, arg, whole } => match find(name) {
            Some(command) => run(session, command, &arg),
            None => unknown(session, &whole),
        },
        Line::Unknown(line) => unknown(session, &line),
    }
}

fn unknown(session: &mut Session, line: &str) -> Next {
    session.fail(&format!("*** Unknown syntax: {line}"), codes::GENERIC);
    if !session.plugins.is_empty() {
        let plugins = session.plugins.join(", ");
        session
            .hint(format!("commands of [ctlplugin] factories written in Python cannot be used: {plugins}"));
    }
    Next::Prompt
}

/// Runs a command as often as it takes to log in, and turns what nobody expected into its line.
fn run(session: &mut Session, command: &Command, arg: &str) -> Next {
    loop {
        match (command.run)(session, arg) {
            Ok(next) => return next,
            Err(Trouble::Client(ClientError::Unauthorized { .. })) => {
                session.fail("Server requires authentication", codes::GENERIC);
                if !session.interactive {
                    return Next::Prompt;
                }
                if let Err(trouble) = session.log_in() {
                    return give_up(session, &trouble);
                }
                session.status = codes::SUCCESS;
            }
            Err(trouble) => return give_up(session, &trouble),
        }
    }
}

/// Ctrl-C in the middle of a command leaves the shell, as it does at the prompt (CTL-143).
fn give_up(session: &mut Session, trouble: &Trouble) -> Next {
    if let Trouble::Interrupted = trouble {
        screen::line("");
        session.status = codes::GENERIC;
        return Next::Leave;
    }
    let line = trouble.line(&session.url);
    session.fail(&line, codes::GENERIC);
    Next::Prompt
}

/// For commands without arguments: complains, with help, and says whether there were some.
fn refuses_arguments(session: &mut Session, name: &str, arg: &str) -> bool {
    if arg.is_empty() {
        return false;
    }
    usage(session, name, &format!("Error: {name} accepts no arguments"), codes::GENERIC);
    true
}

/// A complaint followed by the command's help.
fn usage(session: &mut Session, name: &str, complaint: &str, status: i32) {
    session.fail(complaint, status);
    if let Some(command) = find(name) {
        screen::bytes(command.help.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_have_help_ctl_110() {
        let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert!(names.is_sorted());
        assert_eq!(names.len(), 21);
        assert!(COMMANDS.iter().all(|command| command.help.ends_with('\n')));
    }
}
