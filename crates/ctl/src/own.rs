//! `upkeep COMMAND`: the same verbs as `supervisorctl`, said for people, and with `--json` for programs.
//!
//! Names are read as in [`crate::resolve`]. Exit status: 0 done, 1 something failed, 2 wrong words, 3 `status` shows a
//! process that is down, 4 the server cannot be reached.

mod control;
mod logs;
mod parse;
mod status;

use serde_json::{Value, json};
use upkeep_api::ProcessInfo;
use upkeep_client::{Client, ClientError};
use upkeep_config::{CtlInvocation, CtlOptions, Environment, Host, ctl_invocation};

use crate::names::Target;
use crate::resolve::{Resolution, resolve};
use crate::screen;
use parse::{Asked, parse};

/// Something failed.
const FAILED: i32 = 1;
/// The words make no sense.
const USAGE: i32 = 2;
/// The server cannot be reached.
const UNREACHABLE: i32 = 4;

/// What a command needs: the server, and how to answer.
struct Desk {
    client: Client,
    json: bool,
}

/// What names on the command line stand for.
struct Meant {
    targets: Vec<Target>,
    /// Every process there is.
    all: Vec<ProcessInfo>,
    /// What to say of names that stand for nothing.
    unknown: Vec<String>,
}

/// Why a command ends without a result.
enum Stop {
    /// The words make no sense.
    Usage(String),
    /// The server cannot be reached, or does not understand.
    Client(ClientError),
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// `upkeep`: `args` are the command and its words. Gives the exit status.
#[must_use]
pub fn upkeep(args: &[String]) -> i32 {
    let asked = match parse(args) {
        Ok(asked) => asked,
        Err(message) => return complain(&message, USAGE),
    };
    if asked.help {
        return crate::print(parse::HELP, 0);
    }
    if asked.command == "check" {
        return check(&asked);
    }
    let options = match options_of(&asked) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let url = options.serverurl.clone();
    let connected =
        Client::connect(&options.serverurl, options.username.as_deref(), options.password.as_deref());
    let done = connected.map_err(Stop::from).and_then(|client| {
        let desk = Desk { client, json: asked.json };
        desk.run(&asked)
    });
    match done {
        Ok(status) => status,
        Err(Stop::Usage(message)) => complain(&message, USAGE),
        Err(Stop::Client(error)) => unreachable(&url, &error),
    }
}

/// What the configuration and the words say about the server.
fn options_of(asked: &Asked) -> Result<CtlOptions, i32> {
    let mut args = Vec::new();
    for (flag, value) in [("-c", &asked.config), ("-s", &asked.server)] {
        if let Some(value) = value {
            args.extend([flag.to_owned(), value.clone()]);
        }
    }
    match ctl_invocation("upkeep", &args, &Environment::of_this_process()) {
        Ok(CtlInvocation::Run(options)) => Ok(options),
        Ok(CtlInvocation::Print(text)) => Err(crate::print(&text, 0)),
        Err(error) => Err(complain(&error.to_string(), USAGE)),
    }
}

/// Every problem of a configuration at once.
fn check(asked: &Asked) -> i32 {
    let report =
        upkeep_config::check(asked.config.as_deref(), "upkeep", Environment::of_this_process(), &Host);
    let text = if asked.json { report.to_json() } else { report.render() };
    let status = if report.has_errors() { FAILED } else { 0 };
    if !text.is_empty() {
        screen::line(text.trim_end_matches('\n'));
    }
    status
}

/// Says what could not be reached, why, and what to do.
fn unreachable(url: &str, error: &ClientError) -> i32 {
    let hint = match error {
        ClientError::Refused(_) | ClientError::Missing(_) => {
            "hint: is the daemon running? start it with supervisord, or name its configuration with -c FILE"
        }
        ClientError::Denied(_) => {
            "hint: the socket belongs to another user; try as that user, or see chmod and chown"
        }
        ClientError::Unauthorized { .. } => {
            "hint: set username and password in [supervisorctl] of the configuration named with -c FILE"
        }
        ClientError::UnknownProtocol(_)
        | ClientError::BadUrl(_)
        | ClientError::Resolve { .. }
        | ClientError::Io(_)
        | ClientError::TimedOut
        | ClientError::Interrupted
        | ClientError::HungUp
        | ClientError::NotHttp(_)
        | ClientError::Status { .. }
        | ClientError::Fault(_)
        | ClientError::Malformed(_) => "",
    };
    let status = if matches!(error, ClientError::Fault(_)) { FAILED } else { UNREACHABLE };
    complain(format!("error: {url}: {error}\n{hint}").trim_end(), status)
}

fn complain(text: &str, status: i32) -> i32 {
    screen::note(text);
    status
}

impl Desk {
    fn run(&self, asked: &Asked) -> Result<i32, Stop> {
        match asked.command.as_str() {
            "status" => self.status(asked),
            "start" | "stop" | "restart" | "signal" => self.control(asked),
            "logs" => self.logs(asked),
            "reread" => self.reread(),
            "update" => self.update(asked),
            "pid" => self.tell("pid", json!(self.client.pid()?)),
            "version" => self.version(),
            "reload" => {
                self.client.restart().map_err(Stop::from).and_then(|()| self.tell("reloading", json!(true)))
            }
            "shutdown" => self
                .client
                .shutdown()
                .map_err(Stop::from)
                .and_then(|()| self.tell("shutting down", json!(true))),
            other => {
                Err(Stop::Usage(format!("error: there is no command {other}\nhint: upkeep help lists them")))
            }
        }
    }

    /// One value: alone for people if it is a number or text, its name if it is a fact.
    fn tell(&self, name: &str, value: Value) -> Result<i32, Stop> {
        if self.json {
            screen::line(&json!({ name: value }).to_string());
        } else if value == json!(true) {
            screen::line(name);
        } else {
            screen::line(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        }
        Ok(0)
    }

    fn version(&self) -> Result<i32, Stop> {
        let server = self.client.supervisor_version()?;
        if self.json {
            let own = env!("CARGO_PKG_VERSION");
            screen::line(&json!({ "upkeep": own, "compatible_with": server }).to_string());
        } else {
            screen::line(&format!("upkeep {}, compatible with {server}", env!("CARGO_PKG_VERSION")));
        }
        Ok(0)
    }

    fn reread(&self) -> Result<i32, Stop> {
        let found = self.client.reload_config()?;
        if self.json {
            let value = json!({ "added": found.added, "changed": found.changed, "removed": found.removed });
            screen::line(&value.to_string());
            return Ok(0);
        }
        for (what, groups) in [("new", &found.added), ("changed", &found.changed), ("gone", &found.removed)] {
            for group in groups {
                screen::line(&format!("{group}: {what}"));
            }
        }
        if found.added.is_empty() && found.changed.is_empty() && found.removed.is_empty() {
            screen::line("nothing changed");
        }
        Ok(0)
    }

    /// The targets that names stand for.
    fn meant(&self, names: &[String]) -> Result<Meant, Stop> {
        let all = self.client.all_process_info()?;
        let mut targets = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            let exact = Target::parse(name);
            if all.iter().any(|info| exact.covers(&info.group, &info.name)) {
                targets.push(exact);
                continue;
            }
            match resolve(name, &all) {
                Resolution::Found(found) => targets.extend(found),
                Resolution::Unknown { hint } => {
                    let hint = hint.map_or_else(String::new, |hint| format!("\n{hint}"));
                    unknown.push(format!("error: there is no process or group {name}{hint}"));
                }
            }
        }
        Ok(Meant { targets, all, unknown })
    }
}
