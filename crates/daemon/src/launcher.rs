//! What `supervisord` does before there is a keeper: read the options and the configuration, become the configured
//! user, raise the limits, and turn into the keeper.

use std::ffi::OsString;
use std::io::{self, Write};

use upkeep_config::{Address, CommandLine, Config, Environment, ExitWhen, Host, Invocation, Sources};
use upkeep_keeper::Boot;

use crate::boot::NOTES;
use crate::console::{LOG_PREFIX, take_log_prefix};
use crate::exitwhen::EXIT_WHEN;
use crate::held;

/// Runs the daemon as Supervisor's own `supervisord` does. Returns the exit status; in the foreground only on failure,
/// since this process becomes the keeper.
#[must_use]
pub fn supervisord(program: &str, args: &[String]) -> i32 {
    let program = &upkeep_config::program_path(program, &Environment::of_this_process());
    match upkeep_config::invocation(program, args) {
        Ok(Invocation::Print(text)) => {
            print(&text);
            0
        }
        Ok(Invocation::Run(cli)) => start(program, args, &cli, Own::Supervisord),
        Err(error) => complain(&error.to_string(), 2),
    }
}

/// Runs the daemon in the foreground with our own defaults: `upkeep run [-c FILE] [--exit-when RULE] [--log-prefix]`, and any
/// option of `supervisord`.
#[must_use]
pub fn run(args: &[String]) -> i32 {
    let program = "upkeep";
    let mut options = vec!["-n".to_owned()];
    options.extend(args.iter().filter(|arg| *arg != "-n" && *arg != "--nodaemon").cloned());
    let exit_when = match take_exit_rule(&mut options) {
        Ok(rule) => rule,
        Err(message) => return complain(&usage(program, &message), 2),
    };
    let log_prefix = take_log_prefix(&mut options);
    match upkeep_config::invocation(program, &options) {
        Ok(Invocation::Print(text)) => {
            print(&text);
            0
        }
        Ok(Invocation::Run(cli)) => start(program, &options, &cli, Own::Upkeep { exit_when, log_prefix }),
        Err(error) => complain(&error.to_string(), 2),
    }
}

/// Whose ways are followed.
enum Own {
    /// Supervisor's.
    Supervisord,
    /// Our own.
    Upkeep { exit_when: Option<String>, log_prefix: bool },
}

/// Takes `--exit-when RULE` or `--exit-when=RULE` out of the options.
fn take_exit_rule(options: &mut Vec<String>) -> Result<Option<String>, String> {
    const NAME: &str = "--exit-when";
    let Some(at) = options.iter().position(|option| option == NAME || option.starts_with("--exit-when="))
    else {
        return Ok(None);
    };
    let option = options.remove(at);
    let rule = match option.split_once('=') {
        Some((_, rule)) => rule.to_owned(),
        None if at < options.len() => options.remove(at),
        None => return Err(format!("option {NAME} requires argument")),
    };
    if ExitWhen::parse(&rule).is_none() {
        return Err(format!(
            "{NAME} {rule}: there is no such rule\nhint: write fatal[:NAME], any-exited[:NAME] or all-exited"
        ));
    }
    Ok(Some(rule))
}

fn start(program: &str, args: &[String], cli: &CommandLine, own: Own) -> i32 {
    match prepare(program, args, cli, own) {
        Ok(boot) => match upkeep_keeper::launch(boot) {
            Ok(status) => status,
            Err(error) => complain(&format!("Error: cannot start the keeper process: {error}"), 1),
        },
        Err(message) => complain(&usage(program, &message), 2),
    }
}

fn prepare(program: &str, args: &[String], cli: &CommandLine, own: Own) -> Result<Boot, String> {
    let sources = Sources::read(cli, Environment::of_this_process()).map_err(|error| error.to_string())?;
    if let Some(warning) = sources.start_warning() {
        say(&warning);
    }
    let config = upkeep_config::load(&sources, cli, &Host).map_err(|error| error.to_string())?;
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    if let Own::Upkeep { exit_when, log_prefix } = own {
        refuse_open_servers(&config)?;
        env.extend(exit_when.map(|rule| (EXIT_WHEN.into(), rule.into())));
        env.extend(log_prefix.then(|| (LOG_PREFIX.into(), "true".into())));
    }
    drop_privileges(&config)?;
    let notes = raise_limits(&config)?;
    if !notes.is_empty() {
        env.push((NOTES.into(), notes.join("\n").into()));
    }
    let mut daemon_args: Vec<OsString> = vec!["upkeep".into(), "daemon".into(), program.into()];
    daemon_args.extend(args.iter().map(OsString::from));
    let called: Vec<OsString> = std::env::args_os().collect();
    let held = held::by_the_first(&sources).into_iter().collect();
    Ok(Boot { program: called, daemon_args, env, held, daemonize: !config.settings.nodaemon })
}

/// Under our own name an open door to the world is refused (D-60).
pub(crate) fn refuse_open_servers(config: &Config) -> Result<(), String> {
    for server in &config.servers {
        let Address::Inet { host, port } = &server.address else { continue };
        let loopback = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") || host.starts_with("127.");
        if server.auth.is_none() && !loopback && !server.allow_unauthenticated {
            return Err(format!(
                "[{}] listens on {host}:{port} without a password: anybody who reaches it controls every process\n\
                 hint: set username and password, or bind 127.0.0.1:{port}, or write allow_unauthenticated=true",
                server.section
            ));
        }
    }
    Ok(())
}

/// Becomes `[supervisord] user` (CFG-083, PROC-060).
fn drop_privileges(config: &Config) -> Result<(), String> {
    match &config.settings.user {
        None => Ok(()),
        Some(user) => upkeep_os::drop_privileges(user.uid).map_err(|error| error.to_string()),
    }
}

/// Raises the limits to `minfds` and `minprocs`; returns what to log (PROC-207).
fn raise_limits(config: &Config) -> Result<Vec<String>, String> {
    use upkeep_os::Limit;
    let settings = &config.settings;
    let mut notes = Vec::new();
    for (limit, name, wanted) in [
        (Limit::OpenFiles, "RLIMIT_NOFILE", settings.minfds),
        (Limit::Processes, "RLIMIT_NPROC", settings.minprocs),
    ] {
        let wanted = u64::try_from(wanted).unwrap_or(0);
        match upkeep_os::raise_limit(limit, wanted) {
            Ok(false) => {}
            Ok(true) => notes.push(format!("Increased {name} limit to {wanted}")),
            Err(_) => return Err(limit_message(limit, wanted)),
        }
    }
    Ok(notes)
}

fn limit_message(limit: upkeep_os::Limit, wanted: u64) -> String {
    let (what, done, option, things, run) = match limit {
        upkeep_os::Limit::OpenFiles => {
            ("number of file descriptors", "process", "minfds", "file descriptors", "process")
        }
        upkeep_os::Limit::Processes => {
            ("number of available processes", "program", "minprocs", "processes", "program")
        }
    };
    let usable = if option == "minfds" { "usable file descriptors" } else { "usable processes" };
    format!(
        "The minimum {what} required to run this {done} is {wanted} as per the \"{option}\" command-line argument \
         or config file setting. The current environment will only allow you to open {wanted} {things}.  Either \
         raise the number of {usable} in your environment (see README.rst) or lower the {option} setting in the \
         config file to allow the {run} to start."
    )
}

/// The form of every start error (CFG-406).
fn usage(program: &str, message: &str) -> String {
    if message.starts_with("Error: ") {
        return message.to_owned();
    }
    format!("Error: {message}\nFor help, use {program} -h")
}

/// What `-h` and `-v` print. A reader that has gone away is nobody's fault.
fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end_matches('\n'));
}

/// A line for the person who started it, as there is no log yet. Not `eprintln`: that panics when the reader of a pipe
/// has gone away.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end_matches('\n'));
}

/// Says why it cannot go on; returns the exit status.
pub(crate) fn complain(text: &str, status: i32) -> i32 {
    say(text);
    status
}
