//! How the health of a process is looked at: what its options say.

use std::fmt;
use std::time::Duration;

/// How the health of a process is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSpec {
    /// `health_check`: what it is asked.
    #[doc(alias = "health_check")]
    pub check: Option<Check>,
    /// `ready`: how it says that it is ready. `None`: it need not.
    pub ready: Option<Ready>,
    /// `ready_timeout`: how long it may take to say so; `None` is for ever.
    pub ready_timeout: Option<Duration>,
    /// `health_watchdog`: it has to say WATCHDOG=1 at least so often.
    #[doc(alias = "health_watchdog")]
    pub watchdog: Option<Duration>,
    /// `notify_user`: who says things as it; `None` is the user that it is started as.
    #[doc(alias = "notify_user")]
    pub notify_uid: Option<u32>,
    /// `health_interval`: time between two checks. Default 10 s.
    #[doc(alias = "health_interval")]
    pub interval: Duration,
    /// `health_timeout`: how long an answer may take. Default 5 s.
    #[doc(alias = "health_timeout")]
    pub timeout: Duration,
    /// `health_start_period`: failures do not count until then, or until the first success. Default 30 s.
    #[doc(alias = "health_start_period")]
    pub start_period: Duration,
    /// `health_failures`: so many in a row make it unhealthy. Default 3.
    #[doc(alias = "health_failures")]
    pub failures: u32,
    /// `health_successes`: so many in a row make it healthy. Default 1.
    #[doc(alias = "health_successes")]
    pub successes: u32,
    /// `health_action`. Default [`HealthAction::Restart`].
    #[doc(alias = "health_action")]
    pub action: HealthAction,
}

impl Default for HealthSpec {
    fn default() -> Self {
        Self {
            check: None,
            ready: None,
            ready_timeout: None,
            watchdog: None,
            notify_uid: None,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            start_period: Duration::from_secs(30),
            failures: 3,
            successes: 1,
            action: HealthAction::Restart,
        }
    }
}

impl HealthSpec {
    /// Whether the process gets a socket to say things to.
    #[must_use]
    pub fn hears(&self) -> bool {
        self.ready == Some(Ready::Notify) || self.watchdog.is_some()
    }

    /// The command that it is asked by, if it is one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        match &self.check {
            Some(Check::Exec(command)) => Some(command),
            Some(Check::Http { .. } | Check::Tcp { .. }) | None => None,
        }
    }

    /// Time between two looks while it has not been healthy yet.
    pub(super) fn first_interval(&self) -> Duration {
        self.interval.min(Duration::from_secs(1))
    }
}

/// What a process is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An HTTP request, to be answered with a status from 200 to 399.
    Http {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Path and query, from the slash on.
        path: String,
    },
    /// A TCP connection, to be accepted.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A command, to end with exit status 0.
    Exec(String),
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port, path } => write!(f, "http://{}{path}", endpoint(host, *port)),
            Self::Tcp { host, port } => write!(f, "tcp://{}", endpoint(host, *port)),
            Self::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn endpoint(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// How a process says that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// READY=1 to the socket that NOTIFY_SOCKET names (sd_notify(3)).
    Notify,
    /// A newline on this descriptor.
    Descriptor(i32),
}

/// What is done about an unhealthy process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthAction {
    /// It is stopped, and started again as the restart policy says.
    Restart,
    /// It is stopped.
    Stop,
    /// Nothing: it is shown.
    None,
}
