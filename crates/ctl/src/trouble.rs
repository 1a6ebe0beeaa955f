//! What no command expects, and the one line it becomes (CTL-020, CTL-023, CTL-026, CTL-029).
//!
//! Scripts match `error: <class 'X'>, TEXT: file: F line: L`, so the classes are those that Supervisor's client, a
//! Python program, would have named. F is the server's URL: the one thing that helps whoever reads the line.

use std::io;

use upkeep_client::ClientError;
use upkeep_config::py_repr;

use crate::names::namespec;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The call failed.
    Client(ClientError),
    /// A result that this command knows no words for (CTL-068).
    UnknownResult {
        /// Fault code.
        code: i32,
        /// Group of the process.
        group: String,
        /// Name of the process.
        name: String,
    },
    /// A question met the end of input.
    EndOfInput,
    /// A number beyond what the interface carries.
    NumberTooBig,
    /// The terminal failed.
    Terminal(io::Error),
    /// Ctrl-C.
    Interrupted,
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Interrupted => Self::Interrupted,
            other => Self::Client(other),
        }
    }
}

impl Trouble {
    /// The line that scripts match.
    pub(crate) fn line(&self, url: &str) -> String {
        let (class, text) = self.class_and_text();
        format!("error: <class '{class}'>, {text}: file: {url} line: 0")
    }

    fn class_and_text(&self) -> (&'static str, String) {
        match self {
            Self::Client(error) => class_and_text(error),
            Self::UnknownResult { code, group, name } => {
                ("ValueError", format!("Unknown result code {code} for {}", namespec(group, name)))
            }
            Self::EndOfInput => ("EOFError", "EOF when reading a line".to_owned()),
            Self::NumberTooBig => ("OverflowError", "int exceeds XML-RPC limits".to_owned()),
            Self::Terminal(error) => os_error(error),
            Self::Interrupted => ("KeyboardInterrupt", String::new()),
        }
    }
}

/// The class and the text of a failed call.
pub(crate) fn class_and_text(error: &ClientError) -> (&'static str, String) {
    match error {
        ClientError::UnknownProtocol(url) => ("ValueError", format!("Unknown protocol for serverurl {url}")),
        ClientError::BadUrl(text) => ("ValueError", text.clone()),
        ClientError::Resolve { source, .. } => ("socket.gaierror", resolver_text(source)),
        ClientError::Refused(error)
        | ClientError::Missing(error)
        | ClientError::Denied(error)
        | ClientError::Io(error) => os_error(error),
        ClientError::TimedOut => ("TimeoutError", "timed out".to_owned()),
        ClientError::Interrupted => ("KeyboardInterrupt", String::new()),
        ClientError::HungUp => {
            ("http.client.RemoteDisconnected", "Remote end closed connection without response".to_owned())
        }
        ClientError::NotHttp(line) => ("http.client.BadStatusLine", line.clone()),
        ClientError::Unauthorized { reason } => protocol_error(401, reason),
        ClientError::Status { code, reason } => protocol_error(*code, reason),
        ClientError::Fault(fault) => {
            ("xmlrpc.client.Fault", format!("<Fault {}: {}>", fault.code, py_repr(&fault.text)))
        }
        ClientError::Malformed(text) => ("xml.parsers.expat.ExpatError", text.clone()),
    }
}

fn protocol_error(code: u16, reason: &str) -> (&'static str, String) {
    ("xmlrpc.client.ProtocolError", format!("<ProtocolError for 127.0.0.1/RPC2: {code} {reason}>"))
}

fn os_error(error: &io::Error) -> (&'static str, String) {
    let class = match error.kind() {
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::PermissionDenied => "PermissionError",
        io::ErrorKind::ConnectionReset => "ConnectionResetError",
        io::ErrorKind::BrokenPipe => "BrokenPipeError",
        io::ErrorKind::TimedOut => "TimeoutError",
        io::ErrorKind::NotADirectory => "NotADirectoryError",
        _ => "OSError",
    };
    let text = error.to_string();
    match error.raw_os_error() {
        Some(errno) => {
            let plain = text.strip_suffix(&format!(" (os error {errno})")).unwrap_or(&text);
            (class, format!("[Errno {errno}] {plain}"))
        }
        None if text.contains("SUN_LEN") => (class, "AF_UNIX path too long".to_owned()),
        None => (class, text),
    }
}

/// `getaddrinfo`'s code and text; the standard library gives only the text.
fn resolver_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    let code = if text.starts_with("Temporary failure") { -3 } else { -2 };
    format!("[Errno {code}] {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use upkeep_api::xmlrpc::RemoteFault;

    fn line(error: ClientError) -> String {
        Trouble::from(error).line("U")
    }

    #[test]
    fn lines_ctl_020_ctl_023_ctl_026_ctl_029_ctl_030() {
        let fault = RemoteFault { code: 92, text: "CANT_REREAD: it's".to_owned() };
        let rows = [
            (
                ClientError::UnknownProtocol("x".to_owned()),
                "error: <class 'ValueError'>, Unknown protocol for serverurl x: file: U line: 0",
            ),
            (
                ClientError::Refused(io::Error::from_raw_os_error(111)),
                "error: <class 'ConnectionRefusedError'>, [Errno 111] Connection refused: file: U line: 0",
            ),
            (
                ClientError::Missing(io::Error::from_raw_os_error(2)),
                "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory: file: U line: 0",
            ),
            (
                ClientError::Denied(io::Error::from_raw_os_error(13)),
                "error: <class 'PermissionError'>, [Errno 13] Permission denied: file: U line: 0",
            ),
            (
                ClientError::Status { code: 500, reason: "Internal Server Error".to_owned() },
                "error: <class 'xmlrpc.client.ProtocolError'>, <ProtocolError for 127.0.0.1/RPC2: 500 Internal \
                 Server Error>: file: U line: 0",
            ),
            (
                ClientError::Fault(fault),
                "error: <class 'xmlrpc.client.Fault'>, <Fault 92: \"CANT_REREAD: it's\">: file: U line: 0",
            ),
        ];
        for (error, expected) in rows {
            assert_eq!(line(error), expected);
        }
    }
}
