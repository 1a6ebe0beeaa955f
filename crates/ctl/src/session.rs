//! What commands share: the server, the login, the terminal, and the exit status so far.

use std::os::fd::AsFd;

use upkeep_api::{API_VERSION, FaultCode, ProcessInfo};
use upkeep_client::{Client, ClientError};
use upkeep_config::CtlOptions;

use crate::codes;
use crate::input::{self, Input, Typed};
use crate::interrupt::Interrupts;
use crate::resolve::{Resolution, resolve};
use crate::screen;
use crate::trouble::Trouble;

/// One run of the client.
pub(crate) struct Session {
    /// The server's URL as given; `open` changes it.
    pub(crate) url: String,
    username: Option<String>,
    password: Option<String>,
    /// Ask before shutdown and reload, and for a login (CTL-007, CTL-028).
    pub(crate) interactive: bool,
    /// Take names as Supervisor does (D-41).
    strict_names: bool,
    /// Plugins of the configuration, which cannot be loaded (CTL-151).
    pub(crate) plugins: Vec<String>,
    /// The exit status so far: the last failure sets it, success leaves it (CTL-009).
    pub(crate) status: i32,
    input: Input,
    interrupts: Option<Interrupts>,
    /// Hints given by the command that runs now, so that none is given twice.
    hints: Vec<String>,
}

impl Session {
    pub(crate) fn new(options: CtlOptions) -> Self {
        Self {
            url: options.serverurl,
            username: options.username,
            password: options.password,
            interactive: options.interactive,
            strict_names: options.strict_names,
            plugins: options.plugins,
            status: codes::SUCCESS,
            input: Input::default(),
            interrupts: None,
            hints: Vec::new(),
        }
    }

    /// A client of the server in use.
    pub(crate) fn client(&self) -> Result<Client, ClientError> {
        let client = Client::connect(&self.url, self.username.as_deref(), self.password.as_deref())?;
        Ok(match &self.interrupts {
            Some(interrupts) => client.breaking_on(interrupts.descriptor()),
            None => client,
        })
    }

    /// Makes Ctrl-C end what a command shows or waits for, not the program.
    pub(crate) fn catch_interrupts(&mut self) {
        if self.interrupts.is_none() {
            // Where there is no descriptor left, Ctrl-C ends the program, as it does anyway.
            self.interrupts = Interrupts::new().ok();
        }
    }

    /// A new command begins: what belonged to the last one is forgotten.
    pub(crate) fn begin_command(&mut self) {
        self.hints.clear();
        self.forget_interrupts();
    }

    /// Forgets Ctrl-C that has been acted on.
    pub(crate) fn forget_interrupts(&mut self) {
        if let Some(interrupts) = &mut self.interrupts {
            interrupts.clear();
        }
    }

    /// Prints `text` and sets the exit status: how most failures are told.
    pub(crate) fn fail(&mut self, text: &str, status: i32) {
        screen::line(text);
        self.status = status;
    }

    /// A note of ours on stderr, once per command.
    pub(crate) fn hint(&mut self, hint: String) {
        if !self.hints.contains(&hint) {
            screen::note(&format!("hint: {hint}"));
            self.hints.push(hint);
        }
    }

    /// The next line of input.
    pub(crate) fn read_line(&mut self) -> Result<Typed, Trouble> {
        let interrupt = self.interrupts.as_ref().map(AsFd::as_fd);
        self.input.line(interrupt).map_err(Trouble::Terminal)
    }

    /// Asks on stdout.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, Trouble> {
        screen::bytes(question.as_bytes());
        let typed = self.read_line()?;
        answer(typed)
    }

    /// Whether the user confirms, where somebody can be asked (CTL-107).
    pub(crate) fn confirm(&mut self, question: &str) -> Result<bool, Trouble> {
        if !self.interactive {
            return Ok(true);
        }
        Ok(self.ask(question)?.starts_with(['y', 'Y']))
    }

    /// Asks for user and password and keeps them (CTL-028).
    pub(crate) fn log_in(&mut self) -> Result<(), Trouble> {
        let user = self.ask("Username:")?;
        let interrupt = self.interrupts.as_ref().map(AsFd::as_fd);
        let typed = input::password("Password:", &mut self.input, interrupt).map_err(Trouble::Terminal)?;
        let password = answer(typed)?;
        screen::line("");
        self.username = Some(user);
        self.password = Some(password);
        Ok(())
    }

    /// Whether the server is there and speaks our version; says why not (CTL-010, CTL-021, CTL-022, CTL-025).
    pub(crate) fn is_up(&mut self) -> Result<bool, Trouble> {
        let refusal = match self.client()?.api_version() {
            Ok(version) if version == API_VERSION => return Ok(true),
            Ok(version) => (
                format!(
                    "Sorry, this version of supervisorctl expects to talk to a server with API version \
                     {API_VERSION}, but the remote version is {version}."
                ),
                codes::OTHER_VERSION,
            ),
            Err(ClientError::Refused(_)) => (format!("{} refused connection", self.url), codes::REFUSED),
            Err(ClientError::Missing(_)) => (format!("{} no such file", self.url), codes::NOT_RUNNING),
            Err(error) if error.is_fault(FaultCode::UnknownMethod) => {
                (NO_NAMESPACE.to_owned(), codes::UNIMPLEMENTED)
            }
            Err(error) => return Err(error.into()),
        };
        self.fail(&refusal.0, refusal.1);
        Ok(false)
    }

    /// What a name that the server does not know may mean (D-41). A hint, if there is one, is for the caller to give
    /// after the error.
    pub(crate) fn resolve(&self, name: &str, all: &[ProcessInfo]) -> Resolution {
        if self.strict_names { Resolution::Unknown { hint: None } } else { resolve(name, all) }
    }

    /// The same, asking the server for the names there are; what is found comes with all processes.
    pub(crate) fn resolve_remote(
        &self,
        client: &Client,
        name: &str,
    ) -> Result<(Resolution, Vec<ProcessInfo>), Trouble> {
        if self.strict_names {
            return Ok((Resolution::Unknown { hint: None }, Vec::new()));
        }
        let all = match client.all_process_info() {
            Ok(all) => all,
            // Then there is nothing to go by, and the first refusal stands.
            Err(ClientError::Fault(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok((resolve(name, &all), all))
    }
}

const NO_NAMESPACE: &str = "Sorry, supervisord responded but did not recognize the supervisor namespace commands \
    that supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in \
    the configuration file (see sample.conf).";

fn answer(typed: Typed) -> Result<String, Trouble> {
    match typed {
        Typed::Line(line) => Ok(line),
        Typed::End => Err(Trouble::EndOfInput),
        Typed::Interrupt => Err(Trouble::Interrupted),
    }
}
