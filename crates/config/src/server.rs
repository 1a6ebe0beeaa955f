//! `[unix_http_server]` and `[inet_http_server]`, as configured.

use std::path::PathBuf;
use std::time::Duration;

/// One HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The section it comes from, such as `unix_http_server` or `inet_http_server:b` (CFG-119).
    pub section: String,
    /// Where it listens.
    pub address: Address,
    /// Basic authentication; `None` lets everybody in (CFG-114).
    pub auth: Option<Auth>,
    /// Whether somebody wrote that an open door is meant. Default false.
    pub allow_unauthenticated: bool,
    /// What clients may cost.
    pub limits: ServerLimits,
}

/// What clients of a server may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Clients at a time; at least 1. Default 128.
    #[doc(alias = "max_connections")]
    pub connections: u32,
    /// Bytes of a request's body; at least 1. Default 8 MiB.
    #[doc(alias = "request_maxbytes")]
    pub request_bytes: u32,
    /// Between two requests of a client; at least a second. Default 30 minutes.
    #[doc(alias = "idle_timeout")]
    pub idle: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { connections: 128, request_bytes: 8 << 20, idle: Duration::from_secs(1800) }
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket file.
    Unix {
        /// Absolute path.
        path: PathBuf,
        /// `chmod`. Default 0700.
        mode: u32,
        /// `chown`: uid and gid; `None` leaves them as created.
        owner: Option<(u32, Option<u32>)>,
    },
    /// An IP endpoint.
    Inet {
        /// Host name or address without brackets, lower-case; empty is all IPv4 interfaces (CFG-117).
        host: String,
        /// 1–65535.
        port: u16,
    },
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Never empty.
    pub username: String,
    /// Clear text or `{SHA}` and lower-case hex (CFG-115).
    pub password: String,
}

/// `SUPERVISOR_SERVER_URL` of the children: the first unix server, else the last inet server (PROC-072).
#[must_use]
pub fn server_url(servers: &[Server]) -> Option<String> {
    let unix = servers.iter().find_map(|server| match &server.address {
        Address::Unix { path, .. } => Some(format!("unix://{}", path.display())),
        Address::Inet { .. } => None,
    });
    unix.or_else(|| servers.iter().rev().find_map(inet_url))
}

fn inet_url(server: &Server) -> Option<String> {
    let Address::Inet { host, port } = &server.address else { return None };
    let host = match host.as_str() {
        "" => "localhost".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    Some(format!("http://{host}:{port}"))
}
