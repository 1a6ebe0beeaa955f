//! What went wrong, as it is told: what could not be done, why, and what to do next.

use std::fmt;

use serde_json::{Value, json};
use upkeep_api::FaultCode;
use upkeep_client::ClientError;

/// Exit statuses of our own commands.
pub(super) mod status {
    /// Done.
    pub(in super::super) const DONE: i32 = 0;
    /// Something could not be done.
    pub(in super::super) const FAILED: i32 = 1;
    /// Wrong usage or configuration.
    pub(in super::super) const USAGE: i32 = 2;
    /// Something shown does not run.
    pub(in super::super) const NOT_RUNNING: i32 = 3;
    /// The daemon cannot be reached.
    pub(in super::super) const UNREACHABLE: i32 = 4;
}

/// Why a command, or a part of it, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// What could not be done, as it follows `cannot`; empty where `why` says it all.
    what: String,
    why: String,
    hint: Option<String>,
    /// The exit status it causes.
    pub(super) status: i32,
}

impl Problem {
    pub(super) fn new(what: &str, why: &str) -> Self {
        Self { what: what.to_owned(), why: why.to_owned(), hint: None, status: status::FAILED }
    }

    /// The command line or the configuration is wrong.
    pub(super) fn usage(why: &str) -> Self {
        Self { status: status::USAGE, ..Self::new("", why) }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A call that failed while trying to do `what` at `url`.
    pub(super) fn of_call(what: &str, url: &str, error: &ClientError) -> Self {
        match error {
            ClientError::Fault(fault) => of_fault(what, error.fault(), &fault.text),
            ClientError::UnknownProtocol(_) | ClientError::BadUrl(_) => {
                Self::usage(&format!("\"{url}\" is no server URL"))
                    .hint("use unix:///PATH or http://HOST:PORT")
            }
            ClientError::Resolve { .. }
            | ClientError::Refused(_)
            | ClientError::Missing(_)
            | ClientError::Denied(_)
            | ClientError::Io(_)
            | ClientError::TimedOut
            | ClientError::Interrupted
            | ClientError::HungUp
            | ClientError::NotHttp(_)
            | ClientError::Unauthorized { .. }
            | ClientError::Status { .. }
            | ClientError::Malformed(_) => unreachable(url, error),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "what": self.what, "why": self.why, "hint": self.hint })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error: ")?;
        if !self.what.is_empty() {
            write!(f, "cannot {}: ", self.what)?;
        }
        f.write_str(&self.why)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

fn of_fault(what: &str, code: Option<FaultCode>, text: &str) -> Problem {
    match code {
        Some(FaultCode::ShutdownState) => {
            Problem::new(what, "the daemon is shutting down").hint("wait until it has, then start it again")
        }
        Some(FaultCode::UnknownMethod) => Problem::new(what, "the server does not offer this")
            .hint("is [rpcinterface:supervisor] in its configuration?"),
        Some(FaultCode::CantReread) => Problem::new(what, without_name(text))
            .hint("`upkeep check` shows every problem of the configuration; nothing has been changed"),
        Some(_) | None => Problem::new(what, without_name(text)),
    }
}

/// A fault string without the name that begins it.
pub(super) fn without_name(text: &str) -> &str {
    match text.split_once(": ") {
        Some((name, rest)) if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => rest,
        _ => text,
    }
}

fn unreachable(url: &str, error: &ClientError) -> Problem {
    let (why, hint) = match error {
        ClientError::Refused(_) => ("nothing listens there".to_owned(), START),
        ClientError::Missing(_) => ("there is no such socket file".to_owned(), START),
        ClientError::Denied(_) => (
            "this user may not use the socket".to_owned(),
            "run as the daemon's user, or set chmod or chown in [unix_http_server]",
        ),
        ClientError::Unauthorized { .. } => (
            "user name or password are missing or wrong".to_owned(),
            "give them with -u and -p, or in [supervisorctl]",
        ),
        ClientError::TimedOut => (
            "it accepts connections but does not answer".to_owned(),
            "the daemon may be stopped or stuck: look at its process and its log",
        ),
        ClientError::NotHttp(line) => {
            (format!("something else answers there: {line}"), "check the address: -s URL or serverurl")
        }
        ClientError::HungUp => (
            "it closed the connection without an answer: it has ended, or has too many clients".to_owned(),
            "what was asked may have been done: `upkeep status` and the daemon's log tell; then ask again",
        ),
        other => (other.to_string(), "check the address: -s URL, or serverurl in [supervisorctl]"),
    };
    let problem = Problem::new(&format!("reach the daemon at {url}"), &why).hint(hint);
    Problem { status: status::UNREACHABLE, ..problem }
}

const START: &str = "is the daemon running? `upkeep run -c FILE` starts it; -s URL names another address";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use upkeep_api::xmlrpc::RemoteFault;

    fn fault(code: i32, text: &str) -> ClientError {
        ClientError::Fault(RemoteFault { code, text: text.to_owned() })
    }

    #[test]
    fn what_why_and_what_next() {
        let rows = [
            (
                ClientError::Missing(io::Error::from_raw_os_error(2)),
                "error: cannot reach the daemon at unix:///s: there is no such socket file\nhint: is the daemon \
                 running? `upkeep run -c FILE` starts it; -s URL names another address",
                4,
            ),
            (
                fault(92, "CANT_REREAD: bad"),
                "error: cannot read the configuration: bad\nhint: `upkeep check` shows every problem of the \
                 configuration; nothing has been changed",
                1,
            ),
            (
                ClientError::HungUp,
                "error: cannot reach the daemon at unix:///s: it closed the connection without an answer: it has ended, or has \
                 too many clients\nhint: what was asked may have been done: `upkeep status` and the daemon's log tell; then ask \
                 again",
                4,
            ),
            (fault(30, "FAILED: a: b"), "error: cannot read the configuration: a: b", 1),
            (fault(30, "plain: text"), "error: cannot read the configuration: plain: text", 1),
            (
                ClientError::UnknownProtocol("x".to_owned()),
                "error: \"unix:///s\" is no server URL\nhint: use unix:///PATH or http://HOST:PORT",
                2,
            ),
        ];
        for (error, text, status) in rows {
            let problem = Problem::of_call("read the configuration", "unix:///s", &error);
            assert_eq!(problem.to_string(), text);
            assert_eq!(problem.status, status);
        }
    }
}
