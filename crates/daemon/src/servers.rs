//! The listening sockets: opened as Supervisor opens them, handed to the keeper, closed at the end.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use upkeep_config::{Address, Server};

use crate::launcher::say;

/// Clients that may wait to be accepted, as the standard library has it.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Socket {
    /// A socket file.
    Unix(UnixListener),
    /// An IP endpoint.
    Tcp(TcpListener),
}

/// Why a server cannot listen; displays Supervisor's text (CFG-112, CFG-121, CFG-122).
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(
        "Another program is already listening on a port that one of our HTTP servers is configured to use.  \
         Shut this program down first before starting supervisord."
    )]
    InUse,
    #[error("Cannot open an HTTP server: socket.error reported errno.{} ({code})", upkeep_os::errno_name(*.code))]
    System { code: i32 },
    #[error("Cannot open an HTTP server: socket.error reported {0}")]
    Other(String),
    #[error(
        "Not permitted to chown {path} to uid/gid ({uid}, {gid}); adjust \"sockchown\" value in config file or on \
         command line to values that the current user ({me}) can successfully chown"
    )]
    Chown { path: String, uid: u32, gid: i64, me: String },
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::ADDRINUSE.raw_os_error() => Self::InUse,
            Some(code) => Self::System { code },
            None if error.kind() == io::ErrorKind::InvalidInput => {
                Self::Other("AF_UNIX path too long".into())
            }
            None => Self::Other(error.to_string()),
        }
    }
}

impl Socket {
    /// Opens the socket of a server; a stale socket file is replaced, with a word on stderr (CFG-123).
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(server: &Server) -> Result<Self, OpenError> {
        match &server.address {
            Address::Unix { path, mode, owner } => open_unix(path, *mode, *owner).map(Self::Unix),
            Address::Inet { host, port } => {
                let host = if host.is_empty() { "0.0.0.0" } else { host.as_str() };
                Ok(Self::Tcp(TcpListener::bind((host, *port))?))
            }
        }
    }

    /// Takes over a socket that an earlier daemon opened for this server.
    pub(crate) fn adopt(server: &Server, fd: OwnedFd) -> Self {
        match &server.address {
            Address::Unix { .. } => Self::Unix(UnixListener::from(fd)),
            Address::Inet { .. } => Self::Tcp(TcpListener::from(fd)),
        }
    }

    /// A duplicate for the keeper.
    ///
    /// # Errors
    /// No descriptor could be had.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Unix(listener) => listener.try_clone().map(OwnedFd::from),
            Self::Tcp(listener) => listener.try_clone().map(OwnedFd::from),
        }
    }

    /// Ready for the runtime.
    ///
    /// # Errors
    /// The descriptor cannot be polled.
    pub(crate) fn into_listener(self) -> io::Result<upkeep_http::Listener> {
        match self {
            Self::Unix(listener) => upkeep_http::Listener::unix(listener),
            Self::Tcp(listener) => upkeep_http::Listener::tcp(listener),
        }
    }
}

/// Binds beside the name, then links: nobody ever sees the socket with the wrong mode (CFG-124).
fn open_unix(path: &Path, mode: u32, owner: Option<(u32, Option<u32>)>) -> Result<UnixListener, OpenError> {
    let temporary = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let _ = fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    let published = publish(&temporary, path, mode, owner);
    let _ = fs::remove_file(&temporary);
    published.map(|()| listener)
}

fn publish(
    temporary: &Path,
    path: &Path,
    mode: u32,
    owner: Option<(u32, Option<u32>)>,
) -> Result<(), OpenError> {
    fs::set_permissions(temporary, fs::Permissions::from_mode(mode))?;
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if UnixStream::connect(path).is_ok() {
                return Err(OpenError::InUse);
            }
            // Said on stderr, as Supervisor does (CFG-123).
            say(&format!("Unlinking stale socket {}", path.display()));
            fs::remove_file(path)?;
            fs::hard_link(temporary, path)?;
        }
        other => other?,
    }
    if let Some((uid, gid)) = owner {
        chown(path, Some(uid), gid).map_err(|_| {
            let _ = fs::remove_file(path);
            let path = path.display().to_string();
            OpenError::Chown { path, uid, gid: gid.map_or(-1, i64::from), me: own_name() }
        })?;
    }
    Ok(())
}

/// The name of the user that the daemon is, or its number.
fn own_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let user = upkeep_os::user_by_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Frees the port of a server that is being closed: the keeper lets go of its duplicate a moment later.
pub(crate) fn stop_listening(server: &Server, socket: &OwnedFd) {
    if let Address::Inet { .. } = &server.address {
        // Fails only if nobody listens there any more.
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
    }
}

/// Removes the socket file of a server that is being closed.
pub(crate) fn remove_file(server: &Server) {
    if let Address::Unix { path, .. } = &server.address {
        // Somebody may have removed it already: it is gone either way.
        let _ = fs::remove_file(path);
    }
}

/// Listens again where [`stop_listening`] has ended it.
///
/// # Errors
/// Somebody else listens there by now.
pub(crate) fn listen_again(socket: &OwnedFd) -> io::Result<()> {
    Ok(rustix::net::listen(socket, BACKLOG)?)
}

/// Whether two servers have the same socket, so that one can take over that of the other.
pub(crate) fn same_place(a: &Server, b: &Server) -> bool {
    match (&a.address, &b.address) {
        (Address::Unix { path: a, .. }, Address::Unix { path: b, .. }) => a == b,
        (Address::Inet { .. }, Address::Inet { .. }) => a.address == b.address,
        (Address::Unix { .. } | Address::Inet { .. }, _) => false,
    }
}

/// Where a server listens, for people.
pub(crate) fn place(server: &Server) -> String {
    match &server.address {
        Address::Unix { path, .. } => path.display().to_string(),
        Address::Inet { host, port } if host.is_empty() => format!("*:{port}"),
        Address::Inet { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Inet { host, port } => format!("{host}:{port}"),
    }
}

/// What the names of held server sockets begin with.
const HELD: &str = "listen/";

/// The name under which the keeper holds a server's socket: one that has moved has another.
pub(crate) fn held_name(server: &Server) -> String {
    format!("{HELD}{} {}", server.section, place(server))
}

/// Whether a server's socket is held under this name.
pub(crate) fn is_held_name(name: &str) -> bool {
    name.starts_with(HELD)
}

/// A server's socket among what was held; the first versions named it by its section alone.
pub(crate) fn take_held(server: &Server, held: &mut BTreeMap<String, OwnedFd>) -> Option<OwnedFd> {
    held.remove(&held_name(server)).or_else(|| held.remove(&format!("{HELD}{}", server.section)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use upkeep_config::ServerLimits;

    fn server(section: &str, host: &str) -> Server {
        let address = Address::Inet { host: host.to_owned(), port: 9001 };
        Server {
            section: section.to_owned(),
            address,
            auth: None,
            allow_unauthenticated: false,
            limits: ServerLimits::default(),
        }
    }

    #[test]
    fn a_socket_held_by_the_first_version_is_found() {
        let fd = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
        let asked = server("inet_http_server", "::1");
        let new = "listen/inet_http_server [::1]:9001";
        for name in ["listen/inet_http_server", new] {
            let mut held = BTreeMap::from([(name.to_owned(), fd()), ("config/1".to_owned(), fd())]);
            assert!(take_held(&asked, &mut held).is_some(), "{name}");
            assert_eq!(held.len(), 1);
        }
        let mut held = BTreeMap::from([("listen/inet_http_server *:9001".to_owned(), fd())]);
        assert!(take_held(&asked, &mut held).is_none());
        assert!(is_held_name(new) && !is_held_name("config/1"));
    }

    #[test]
    fn the_same_place() {
        let unix = |path: &str, mode| {
            let address = Address::Unix { path: path.into(), mode, owner: None };
            Server {
                section: "unix_http_server".to_owned(),
                address,
                auth: None,
                allow_unauthenticated: false,
                limits: ServerLimits::default(),
            }
        };
        assert!(same_place(&unix("/a", 0o700), &unix("/a", 0o770)));
        assert!(!same_place(&unix("/a", 0o700), &unix("/b", 0o700)));
        assert!(same_place(&server("a", ""), &server("b", "")));
        assert!(!same_place(&server("a", ""), &server("a", "127.0.0.1")));
        assert!(!same_place(&server("a", ""), &unix("/a", 0o700)));
    }
}
