//! Server URLs, and the sockets they stand for.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::ClientError;
use crate::wire::Socket;

/// How long a TCP connection may take to come about, per address of the host.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `unix:///path`.
    Unix(PathBuf),
    /// `http://host:port`; the port is 80 if none is written, any path is ignored.
    Tcp {
        /// Name or address, an IPv6 one without brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

impl Address {
    /// Reads a server URL.
    ///
    /// # Errors
    /// [`ClientError::UnknownProtocol`] when it begins neither with `http://` nor with `unix://`;
    /// [`ClientError::BadUrl`] when its port is none.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(ClientError::UnknownProtocol(url.to_owned()));
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let endpoint = authority.rsplit_once('@').map_or(authority, |(_login, endpoint)| endpoint);
        let (host, port) = split_port(endpoint);
        let port = match port {
            None | Some("") => 80,
            Some(port) => port.parse().map_err(|_| ClientError::BadUrl(bad_port(port)))?,
        };
        Ok(Self::Tcp { host: host.to_ascii_lowercase(), port })
    }

    /// What goes into the `Host` header.
    pub(crate) fn host_header(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }

    pub(crate) fn connect(&self) -> Result<Socket, ClientError> {
        match self {
            Self::Unix(path) => {
                UnixStream::connect(path).map(Socket::Unix).map_err(ClientError::from_connect)
            }
            Self::Tcp { host, port } => connect_tcp(host, *port).map(Socket::Tcp),
        }
    }
}

fn bad_port(port: &str) -> String {
    if port.bytes().all(|byte| byte.is_ascii_digit()) {
        "Port out of range 0-65535".to_owned()
    } else {
        format!("Port could not be cast to integer value as '{port}'")
    }
}

fn split_port(endpoint: &str) -> (&str, Option<&str>) {
    if let Some(rest) = endpoint.strip_prefix('[')
        && let Some((host, tail)) = rest.split_once(']')
    {
        return (host, tail.strip_prefix(':'));
    }
    endpoint.split_once(':').map_or((endpoint, None), |(host, port)| (host, Some(port)))
}

/// The first address that answers; if none does, what the first one said.
fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let resolve = |error: io::Error| ClientError::Resolve { host: host.to_owned(), source: error };
    let mut first_error = None;
    for address in (host, port).to_socket_addrs().map_err(resolve)? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let nothing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    Err(first_error.map_or_else(|| resolve(nothing()), ClientError::from_connect))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn urls() {
        let rows = [
            ("unix:///run/a.sock", Address::Unix("/run/a.sock".into())),
            ("http://localhost:9001", tcp("localhost", 9001)),
            ("http://Example.org", tcp("example.org", 80)),
            ("http://127.0.0.1:9001/RPC2", tcp("127.0.0.1", 9001)),
            ("http://u:p@host:1/", tcp("host", 1)),
            ("http://[::1]:9001", tcp("::1", 9001)),
            ("http://[::1]", tcp("::1", 80)),
        ];
        for (url, expected) in rows {
            assert_eq!(Address::parse(url).expect(url), expected, "{url}");
        }
    }

    #[test]
    fn no_such_urls_ctl_020() {
        for url in ["https://x", "UNIX:///x", "x", "http:x", ""] {
            assert!(matches!(Address::parse(url), Err(ClientError::UnknownProtocol(u)) if u == url), "{url}");
        }
        for url in ["http://x:y", "http://x:70000"] {
            assert!(matches!(Address::parse(url), Err(ClientError::BadUrl(_))), "{url}");
        }
    }
}
