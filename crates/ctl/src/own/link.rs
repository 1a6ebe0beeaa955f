//! From options to a daemon, and from names to processes.

use upkeep_api::ProcessInfo;
use upkeep_client::{Client, ClientError};
use upkeep_config::{CtlInvocation, CtlOptions, Environment, ctl_invocation, find_config, program_path};

use super::options::Options;
use super::problem::Problem;
use crate::names::Target;
use crate::resolve::{Resolution, members, resolve};

/// A daemon that commands talk to.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) url: String,
    strict_names: bool,
}

impl Link {
    /// Reads the configuration for the address and the login; nothing is connected yet.
    pub(super) fn open(options: &Options) -> Result<Self, Problem> {
        let ctl = read_config(options)?;
        let client = Client::connect(&ctl.serverurl, ctl.username.as_deref(), ctl.password.as_deref());
        let client = client.map_err(|error| Problem::of_call("connect", &ctl.serverurl, &error))?;
        Ok(Self { client, url: ctl.serverurl, strict_names: ctl.strict_names })
    }

    /// Turns the error of a call into a problem.
    pub(super) fn check<T>(&self, what: &str, answer: Result<T, ClientError>) -> Result<T, Problem> {
        answer.map_err(|error| Problem::of_call(what, &self.url, &error))
    }

    /// Every process there is.
    pub(super) fn processes(&self) -> Result<Vec<ProcessInfo>, Problem> {
        self.check("ask for the processes", self.client.all_process_info())
    }

    /// What a name stands for: a process or group of this name, else what people mean by it (D-41).
    pub(super) fn targets(&self, name: &str, all: &[ProcessInfo]) -> Result<Vec<Target>, Option<String>> {
        let exact = Target::parse(name);
        if !members(std::slice::from_ref(&exact), all).is_empty() {
            return Ok(vec![exact]);
        }
        if self.strict_names {
            return Err(None);
        }
        match resolve(name, all) {
            Resolution::Found(targets) => Ok(targets),
            Resolution::Unknown { hint } => Err(hint),
        }
    }
}

/// That nothing has this name, and what to do about it.
pub(super) fn no_such_process(what: &str, hint: Option<String>) -> Problem {
    Problem::new(what, "no such process or group")
        .hint(hint.unwrap_or_else(|| "`upkeep status` lists what there is".to_owned()))
}

fn read_config(options: &Options) -> Result<CtlOptions, Problem> {
    let environment = Environment::of_this_process();
    let given = [
        ("-c", options.config.as_ref()),
        ("-s", options.url.as_ref()),
        ("-u", options.user.as_ref()),
        ("-p", options.password.as_ref()),
    ];
    let args: Vec<String> = given
        .into_iter()
        .filter_map(|(flag, value)| value.map(|value| [flag.to_owned(), value.clone()]))
        .flatten()
        .collect();
    match ctl_invocation(&program(&environment), &args, &environment) {
        Ok(CtlInvocation::Run(ctl)) => {
            if options.config.is_none() && options.url.is_none() {
                needs_config(&environment)?;
            }
            Ok(ctl)
        }
        Ok(CtlInvocation::Print(text)) => Err(Problem::usage(&text)),
        Err(error) => Err(of_config(&error.to_string())),
    }
}

/// The path of this program, next to which configurations are looked for too.
pub(super) fn program(environment: &Environment) -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    program_path(&name.to_string_lossy(), environment)
}

/// Without a file there is only a default address, which is hardly ever meant.
fn needs_config(environment: &Environment) -> Result<(), Problem> {
    match find_config(&program(environment), environment) {
        Ok(_) => Ok(()),
        Err(searched) => {
            let places: Vec<_> = searched.iter().map(|path| path.display().to_string()).collect();
            let why =
                format!("found no configuration to take the daemon's address from ({})", places.join(", "));
            Err(Problem::usage(&why).hint("name one with -c FILE, or the daemon with -s URL"))
        }
    }
}

fn of_config(text: &str) -> Problem {
    let why = text.strip_prefix("Error: ").unwrap_or(text);
    let why = why.split("\nFor help, use ").next().unwrap_or(why);
    Problem::usage(why).hint("name the daemon with -s URL, or a configuration with -c FILE")
}
