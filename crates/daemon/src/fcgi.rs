//! Sockets of FastCGI programs: made when the first process of a program starts, shared by all of them as descriptor 0,
//! closed when the last one has ended (PROC-260 … PROC-265). The keeper holds each, so a death of the daemon loses none.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use upkeep_core::ordered;
use upkeep_core::spec::{GroupSpec, SocketAddress, SocketSpec};
use upkeep_core::{ProcId, RunId, State};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::errors::python;
use crate::shell::Shell;

/// What a socket's queue holds if nothing else is said: more than any system allows means as much as it allows.
const LONGEST_QUEUE: i32 = 65_535;

/// The socket of one program, open as long as somebody has a share in it.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The section of the program: what the keeper knows it by.
    section: String,
    url: String,
    fd: OwnedFd,
    /// The keeper holds it too.
    held: AtomicBool,
}

/// Every socket that is open, by section. Asked for on helper threads, where making one may wait for a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    open: Arc<Mutex<BTreeMap<String, Weak<Shared>>>>,
}

/// Why there is no socket; displays Supervisor's text (PROC-262).
#[derive(Debug, thiserror::Error)]
#[error("Could not create FastCGI socket {url}: {reason}")]
pub(crate) struct SocketError {
    url: String,
    reason: String,
}

/// The name under which the keeper holds a program's socket.
fn held_name(section: &str, url: &str) -> String {
    format!("fcgi/{section} {url}")
}

impl Sockets {
    /// A share in the socket of a program; made if nobody has one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn share(&self, section: &str, spec: &SocketSpec) -> Result<Arc<Shared>, SocketError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = open.get(section).and_then(Weak::upgrade).filter(|open| open.url == spec.url) {
            return Ok(shared);
        }
        let fd = create(spec)?;
        let shared = Arc::new(Shared {
            section: section.to_owned(),
            url: spec.url.clone(),
            fd,
            held: AtomicBool::new(false),
        });
        open.insert(section.to_owned(), Arc::downgrade(&shared));
        Ok(shared)
    }

    fn all(&self) -> Vec<Arc<Shared>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter_map(Weak::upgrade).collect()
    }

    /// Takes over a socket that an earlier daemon made.
    fn adopt(&self, section: &str, url: &str, fd: OwnedFd) -> Arc<Shared> {
        let (section, url) = (section.to_owned(), url.to_owned());
        let shared = Arc::new(Shared { section, url, fd, held: AtomicBool::new(true) });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(shared.section.clone(), Arc::downgrade(&shared));
        shared
    }
}

impl Shared {
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

impl Shell {
    /// Makes the sockets of a new group and closes them again, so that one that cannot be made is noticed early
    /// (PROC-262). One that is in use already is left alone.
    ///
    /// # Errors
    /// One cannot be made.
    pub(crate) fn try_sockets(&self, group: &GroupSpec) -> Result<(), SocketError> {
        let wanted = group.processes.iter().filter_map(|spec| Some((&spec.section, spec.socket.as_ref()?)));
        for (section, spec) in ordered::map(wanted) {
            self.log(Level::Info, format!("Creating socket {}", spec.url));
            drop(self.sockets.share(section, spec)?);
            self.log(Level::Info, format!("Closing socket {}", spec.url));
        }
        Ok(())
    }

    /// A process is about to get this socket: the keeper holds it from now on.
    pub(crate) fn hold_socket(&mut self, shared: &Shared) {
        if !shared.held.swap(true, Ordering::Relaxed) {
            self.log(Level::Info, format!("Creating socket {}", shared.url));
            self.give_socket(shared);
        }
    }

    fn give_socket(&mut self, shared: &Shared) {
        let frame = ToKeeper::Hold { name: held_name(&shared.section, &shared.url) };
        self.send_with(&frame, &[shared.fd.as_fd()]);
    }

    /// Gives the keeper every socket that it is to hold.
    pub(crate) fn hold_open_sockets(&mut self) {
        for shared in self.sockets.all().iter().filter(|shared| shared.held.load(Ordering::Relaxed)) {
            self.give_socket(shared);
        }
    }

    /// A run has ended, or never began: its share is given back when all that follows from it is done.
    pub(crate) fn leave_socket(&mut self, run: RunId) {
        self.leaving.extend(self.runs.get_mut(&run).and_then(|entry| entry.socket.take()));
    }

    /// A start that follows at once on the run that ended keeps the socket open, and the requests that wait in it, whatever hooks
    /// come before its child.
    pub(crate) fn keep_socket(&mut self, id: ProcId) {
        let Some(process) = self.core.process(id) else { return };
        let (Some(run), Some(socket)) = (process.state().run(), &process.spec().socket) else { return };
        let same =
            |shared: &&Arc<Shared>| *shared.section == *process.spec().section && shared.url == socket.url;
        let kept = self.leaving.iter().find(same).map(Arc::clone);
        self.kept.extend(kept.map(|shared| (run, shared)));
    }

    /// Gives back the shares of runs that have ended, and of starts that came to nothing.
    pub(crate) fn release_sockets(&mut self) {
        let over: Vec<RunId> = self.kept.keys().copied().filter(|run| !self.is_to_come(*run)).collect();
        self.leaving.extend(over.iter().filter_map(|run| self.kept.remove(run)));
        for shared in std::mem::take(&mut self.leaving) {
            self.give_back(shared);
        }
    }

    /// Whether a run has begun, and its child is still to come.
    fn is_to_come(&self, run: RunId) -> bool {
        let process = self.core.process_of(run).and_then(|id| self.core.process(id));
        process.is_some_and(
            |process| matches!(process.state(), State::Starting { run: its, child: None } if *its == run),
        )
    }

    /// The last share closes the socket (PROC-261). The keeper's duplicate goes too, but a moment later: a TCP port must be
    /// free before.
    fn give_back(&mut self, shared: Arc<Shared>) {
        let Some(Shared { section, url, held, fd }) = Arc::into_inner(shared) else { return };
        if held.into_inner() {
            self.log(Level::Info, format!("Closing socket {url}"));
            free_port(&url, &fd);
            self.send(&ToKeeper::Unhold { name: held_name(&section, &url) });
        }
    }

    /// Gives the processes of an earlier daemon their shares in the sockets that the keeper held.
    pub(crate) fn adopt_fcgi_sockets(&mut self, held: &mut BTreeMap<String, OwnedFd>) {
        let mut adopted: BTreeMap<Arc<str>, Arc<Shared>> = BTreeMap::new();
        let with_child = self.core.processes().filter_map(|(_, process)| {
            let socket = process.spec().socket.as_ref()?;
            let to_come = matches!(process.state(), State::Starting { child: None, .. });
            Some((process.state().run()?, to_come, process.spec().section.clone(), socket.url.clone()))
        });
        for (run, to_come, section, url) in with_child.collect::<Vec<_>>() {
            let fd = held.remove(&held_name(&section, &url));
            let shared = fd.map(|fd| self.sockets.adopt(&section, &url, fd));
            adopted.extend(shared.map(|shared| (section.clone(), shared)));
            let share = adopted.get(&section).filter(|shared| shared.url == url).cloned();
            if to_come {
                self.kept.extend(share.map(|share| (run, share)));
            } else {
                self.runs.entry(run).or_default().socket = share;
            }
        }
        for (name, fd) in held.extract_if(.., |name, _| name.starts_with("fcgi/")).collect::<Vec<_>>() {
            free_port(&name, &fd);
            self.send(&ToKeeper::Unhold { name });
        }
    }
}

/// Ends the listening at a TCP port, whoever else has the socket. A Unix socket needs none of it: its file is replaced.
fn free_port(name: &str, fd: &OwnedFd) {
    if name.contains("tcp://") {
        // Fails only if nobody listens there any more.
        let _ = rustix::net::shutdown(fd, Shutdown::Both);
    }
}

/// Makes, binds and listens.
fn create(spec: &SocketSpec) -> Result<OwnedFd, SocketError> {
    let failed = |reason: String| SocketError { url: spec.url.clone(), reason };
    let fd = match &spec.address {
        SocketAddress::Unix { path, owner, mode } => unix(Path::new(path), *owner, *mode).map_err(failed)?,
        SocketAddress::Tcp { host, port } => tcp(host, *port).map_err(|error| failed(python(&error)))?,
    };
    let backlog = spec.backlog.and_then(|backlog| i32::try_from(backlog).ok()).unwrap_or(LONGEST_QUEUE);
    rustix::net::listen(&fd, backlog).map_err(|error| failed(python(&error.into())))?;
    Ok(fd)
}

/// PROC-265.
fn tcp(host: &str, port: u16) -> io::Result<OwnedFd> {
    let found: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    let address = address.ok_or_else(|| io::Error::other(format!("no address for {host}")))?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    rustix::net::bind(&fd, address)?;
    Ok(fd)
}

/// Bound beside its name, then renamed: nobody ever sees it with the wrong mode, and one that is in the way is replaced
/// (PROC-263). What is in the way and no socket stays.
fn unix(path: &Path, owner: Option<(u32, Option<u32>)>, mode: u32) -> Result<OwnedFd, String> {
    if fs::symlink_metadata(path).is_ok_and(|about| !about.file_type().is_socket()) {
        return Err(format!("'{}' is in the way and no socket", path.display()));
    }
    let beside = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    // One that an earlier daemon of this pid left.
    let _ = fs::remove_file(&beside);
    let fd = bind(&beside).map_err(|error| python(&error))?;
    let published = publish(&beside, path, owner, mode);
    if published.is_err() {
        let _ = fs::remove_file(&beside);
    }
    published.map(|()| fd)
}

fn bind(path: &Path) -> io::Result<OwnedFd> {
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&fd, &SocketAddrUnix::new(path)?)?;
    Ok(fd)
}

fn publish(beside: &Path, path: &Path, owner: Option<(u32, Option<u32>)>, mode: u32) -> Result<(), String> {
    if let Some((uid, gid)) = owner {
        chown(beside, Some(uid), gid)
            .map_err(|error| format!("Could not change ownership of socket file: {}", python(&error)))?;
    }
    fs::set_permissions(beside, fs::Permissions::from_mode(mode))
        .map_err(|error| format!("Could not change permissions of socket file: {}", python(&error)))?;
    fs::rename(beside, path).map_err(|error| python(&error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn spec(path: &Path) -> SocketSpec {
        let text = path.to_str().unwrap().to_owned();
        let address = SocketAddress::Unix { path: text.clone(), owner: None, mode: 0o640 };
        SocketSpec { url: format!("unix://{text}"), address, backlog: Some(1) }
    }

    #[test]
    fn one_socket_for_all_until_the_last_share_is_gone_proc_261_proc_263() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (sockets, spec) = (Sockets::default(), spec(&path));
        let first = sockets.share("fcgi-program:x", &spec).unwrap();
        let second = sockets.share("fcgi-program:x", &spec).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);
        drop((first, second));
        assert!(path.exists(), "the file stays");
        assert!(UnixStream::connect(&path).is_err(), "and nobody listens");
        let third = sockets.share("fcgi-program:x", &spec).unwrap();
        assert!(UnixStream::connect(&path).is_ok(), "it is replaced");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        drop(third);
    }

    #[test]
    fn what_cannot_be_had_is_said_in_the_originals_words_proc_262() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: &Path| create(&spec(path)).unwrap_err().to_string();
        let missing = dir.path().join("no/such/dir/s");
        let url = missing.display();
        assert_eq!(
            error(&missing),
            format!("Could not create FastCGI socket unix://{url}: [Errno 2] No such file or directory")
        );
        let file = dir.path().join("letters");
        fs::write(&file, "mine").unwrap();
        assert!(error(&file).ends_with("is in the way and no socket"));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let address = SocketAddress::Tcp { host: "127.0.0.1".to_owned(), port };
        let tcp = SocketSpec { url: format!("tcp://127.0.0.1:{port}"), address, backlog: None };
        assert!(create(&tcp).unwrap_err().to_string().ends_with("[Errno 98] Address already in use"));
    }
}
