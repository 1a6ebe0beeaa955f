//! Why a call gave no value.

use std::io;

use upkeep_api::FaultCode;
use upkeep_api::xmlrpc::{RemoteFault, ResponseError};

/// Why a call gave no value. Kinds that a caller may act on are kept apart.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL begins neither with `http://` nor with `unix://`.
    #[error("unknown protocol: {0}")]
    UnknownProtocol(String),
    /// The URL cannot be read.
    #[error("{0}")]
    BadUrl(String),
    /// The host has no address.
    #[error("cannot find the host {host}")]
    Resolve {
        /// The host as written.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("connection refused")]
    Refused(#[source] io::Error),
    /// There is no such socket file.
    #[error("no such file")]
    Missing(#[source] io::Error),
    /// The socket file may not be used by this user.
    #[error("permission denied")]
    Denied(#[source] io::Error),
    /// The connection failed in another way.
    #[error(transparent)]
    Io(io::Error),
    /// Connected, but no byte came for [`crate::SILENCE_LIMIT`].
    #[error("no answer in time")]
    TimedOut,
    /// The descriptor of [`crate::Client::breaking_on`] became readable.
    #[error("interrupted")]
    Interrupted,
    /// The server closed the connection without an answer.
    #[error("the server hung up without an answer")]
    HungUp,
    /// What answered does not speak HTTP; its first line.
    #[error("not an HTTP answer: {0}")]
    NotHttp(String),
    /// User name or password are missing or wrong (401).
    #[error("the server requires authentication")]
    Unauthorized {
        /// The reason of the status line.
        reason: String,
    },
    /// Another status than 200.
    #[error("HTTP status {code} {reason}")]
    Status {
        /// The status.
        code: u16,
        /// The reason of the status line.
        reason: String,
    },
    /// The verb failed.
    #[error("{}", .0.text)]
    Fault(RemoteFault),
    /// An answer that makes no sense.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

impl ClientError {
    /// The fault, if it is one of the table.
    #[must_use]
    pub fn fault(&self) -> Option<FaultCode> {
        match self {
            Self::Fault(fault) => FaultCode::from_code(fault.code),
            Self::UnknownProtocol(_)
            | Self::BadUrl(_)
            | Self::Resolve { .. }
            | Self::Refused(_)
            | Self::Missing(_)
            | Self::Denied(_)
            | Self::Io(_)
            | Self::TimedOut
            | Self::Interrupted
            | Self::HungUp
            | Self::NotHttp(_)
            | Self::Unauthorized { .. }
            | Self::Status { .. }
            | Self::Malformed(_) => None,
        }
    }

    /// Whether this is the fault `code`.
    #[must_use]
    pub fn is_fault(&self, code: FaultCode) -> bool {
        self.fault() == Some(code)
    }

    pub(crate) fn from_connect(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused(error),
            io::ErrorKind::NotFound => Self::Missing(error),
            io::ErrorKind::PermissionDenied => Self::Denied(error),
            _ => Self::Io(error),
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            io::ErrorKind::UnexpectedEof => Self::HungUp,
            _ => Self::Io(error),
        }
    }
}

impl From<ResponseError> for ClientError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Fault(fault) => Self::Fault(fault),
            ResponseError::Malformed(text) => Self::Malformed(text),
        }
    }
}
