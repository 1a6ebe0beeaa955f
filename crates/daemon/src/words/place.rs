//! Where the sockets lie that processes speak to: in a folder of ours that anybody may pass and nobody list, under names that nobody
//! guesses, each for the one user that its program runs as. So nobody else can fill it with datagrams, and keep its words out.
//!
//! A run's socket has a name as long as the run lives; what a killed daemon leaves goes at the next start. Two supervisors of a user
//! share the folder, and a lock on it keeps one from taking the other's new socket for an old one.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::net::SocketAddrUnix;

/// Anybody may pass, if he knows where to.
const MODE: u32 = 0o711;
/// Characters of a socket's name.
const NAME: usize = 32;
/// Leftovers that are looked at in one go.
const MOST_LEFT: usize = 100_000;
/// Times that the folder may vanish while a socket is made: somebody else removes it when it is empty.
const TRIES: usize = 5;

/// A socket that a process may speak to.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) socket: OwnedFd,
    /// For NOTIFY_SOCKET.
    pub(super) name: String,
    /// Why others may speak there too.
    pub(super) remark: Option<String>,
}

/// Makes a socket for a program of this user (`None` is our own); one with `/tmp` of its own cannot reach what lies in ours.
///
/// # Errors
/// There are no descriptors.
pub(super) fn open(uid: Option<u32>, has_own_tmp: bool) -> io::Result<Ear> {
    let mut folders = folders();
    folders.retain(|folder| is_reached(folder, has_own_tmp));
    open_in(&folders, uid)
}

fn is_reached(folder: &Path, has_own_tmp: bool) -> bool {
    !(has_own_tmp && folder.starts_with("/tmp"))
}

fn open_in(folders: &[PathBuf], uid: Option<u32>) -> io::Result<Ear> {
    let ear = ear_in(folders, uid)?;
    // For `owner_of`; where the kernel keeps no owner of a socket, the options tell.
    let _ = rustix::fs::fchown(&ear.socket, uid.map(Uid::from_raw), None);
    Ok(ear)
}

/// Who speaks there, whatever the options of its program have become; `None` is our own user.
pub(super) fn owner_of(socket: BorrowedFd<'_>) -> Option<u32> {
    let owner = rustix::fs::fstat(socket).ok()?.st_uid;
    (owner != rustix::process::geteuid().as_raw()).then_some(owner)
}

fn ear_in(folders: &[PathBuf], uid: Option<u32>) -> io::Result<Ear> {
    let mut why = "there is no folder that it can reach".to_owned();
    for folder in folders {
        match open_at(folder, uid) {
            Ok((socket, name)) => return Ok(Ear { socket, name, remark: None }),
            Err(error) if lacks_descriptors(&error) => return Err(error),
            Err(error) => why = format!("{}: {}", folder.display(), crate::errors::python(&error)),
        }
    }
    let name = format!("upkeep-notify-{}", unguessable());
    let socket = upkeep_os::datagram_socket(name.as_bytes())?;
    let remark = format!("its NOTIFY_SOCKET is one that every user may write to ({why})");
    Ok(Ear { socket, name: format!("@{name}"), remark: Some(remark) })
}

fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Where sockets may lie, best first. What lies in the folder of a login may go while its programs run.
fn folders() -> Vec<PathBuf> {
    let user = rustix::process::geteuid();
    let tmp = PathBuf::from(format!("/tmp/upkeep-notify-{}", user.as_raw()));
    if user.is_root() {
        return vec![PathBuf::from("/run/upkeep-notify"), tmp];
    }
    let of_login = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| Path::new(path).is_absolute());
    std::iter::once(tmp).chain(of_login.map(|path| Path::new(&path).join("upkeep-notify"))).collect()
}

fn open_at(folder: &Path, uid: Option<u32>) -> io::Result<(OwnedFd, String)> {
    let owner = uid.filter(|uid| *uid != rustix::process::geteuid().as_raw());
    let mut last = io::Error::from(Errno::NOENT);
    for _ in 0..TRIES {
        let lock = match locked(folder) {
            Ok(lock) => lock,
            // It went with the socket of somebody who has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                last = error;
                continue;
            }
            Err(error) => return Err(error),
        };
        let path = folder.join(unguessable());
        let made = upkeep_os::datagram_socket_at(&path, owner);
        drop(lock);
        match made {
            Ok(socket) => return Ok((socket, path.to_string_lossy().into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// The folder, made if it is not there, and nobody else's.
fn locked(folder: &Path) -> io::Result<File> {
    match rustix::fs::mkdir(folder, Mode::from_raw_mode(MODE)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    lock(folder)
}

fn lock(folder: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
    let about = file.metadata()?;
    if about.uid() != rustix::process::geteuid().as_raw() {
        return Err(Errno::PERM.into());
    }
    if about.mode() & 0o777 != MODE {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(MODE))?;
    }
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// A name that nobody takes before us, or finds.
fn unguessable() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// The file of a socket, if it has one.
pub(super) fn path_of(socket: BorrowedFd<'_>) -> Option<PathBuf> {
    let address = SocketAddrUnix::try_from(rustix::net::getsockname(socket).ok()?).ok()?;
    let path = address.path()?.to_str().ok().map(PathBuf::from)?;
    path.is_absolute().then_some(path)
}

/// Removes the file of a socket, and the folder with the last one. Blocks on the file system.
pub(super) fn remove(path: &Path) {
    // What stays goes at the next start.
    let _ = std::fs::remove_file(path);
    if let Some(folder) = path.parent() {
        let _ = std::fs::remove_dir(folder);
    }
}

/// Whether there may be leftovers; looks only where nothing can block.
pub(super) fn leaves_something() -> bool {
    folders().iter().any(|folder| folder.exists())
}

/// Removes what nobody listens to any more. Blocks on the file system.
pub(super) fn sweep() {
    folders().iter().for_each(|folder| sweep_folder(folder));
}

fn sweep_folder(folder: &Path) {
    let (Ok(lock), Ok(entries)) = (lock(folder), std::fs::read_dir(folder)) else { return };
    for entry in entries.flatten().take(MOST_LEFT) {
        let is_ours = entry.file_name().len() == NAME;
        if is_ours && is_deaf(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    drop(lock);
    let _ = std::fs::remove_dir(folder);
}

/// Whether it is a socket that nobody holds.
fn is_deaf(path: &Path) -> bool {
    let Ok(socket) = UnixDatagram::unbound() else { return false };
    socket.connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_socket_is_for_one_user_and_goes_with_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("notify");
        let mine = rustix::process::geteuid();
        let uid = if mine.is_root() { 12_345 } else { mine.as_raw() };
        let ear = open_in(std::slice::from_ref(&folder), Some(uid)).unwrap();
        assert_eq!((ear.remark, path_of(ear.socket.as_fd())), (None, Some(PathBuf::from(&ear.name))));
        let again = ear.socket.try_clone().unwrap();
        assert_eq!(owner_of(again.as_fd()), Some(uid).filter(|_| mine.is_root()), "the next daemon knows");
        let about = std::fs::metadata(&ear.name).unwrap();
        assert!(about.file_type().is_socket());
        assert_eq!((about.uid(), about.mode() & 0o777), (uid, 0o600));
        assert_eq!(mode_of(&folder), 0o711, "anybody may pass, nobody list");
        let other = open_in(std::slice::from_ref(&folder), None).unwrap();
        remove(Path::new(&ear.name));
        assert!(folder.exists(), "there is another one");
        remove(Path::new(&other.name));
        assert!(!folder.exists());
    }

    fn mode_of(folder: &Path) -> u32 {
        std::fs::metadata(folder).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_others_may_list_is_closed_and_one_of_somebody_else_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("notify");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        let ear = open_in(std::slice::from_ref(&folder), None).unwrap();
        assert_eq!((ear.remark, mode_of(&folder)), (None, 0o711));
        if !rustix::process::geteuid().is_root() {
            return;
        }
        std::os::unix::fs::chown(&folder, Some(12_345), None).unwrap();
        let ear = open_in(std::slice::from_ref(&folder), None).unwrap();
        assert!(ear.name.starts_with('@') && ear.remark.is_some(), "{}", ear.name);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing new is in it");
    }

    #[test]
    fn who_has_a_tmp_of_its_own_reaches_only_what_lies_elsewhere() {
        for (folder, reached) in
            [("/tmp/upkeep-notify-0", false), ("/run/upkeep-notify", true), ("/tmpfs/x", true)]
        {
            assert_eq!(is_reached(Path::new(folder), true), reached, "{folder}");
            assert!(is_reached(Path::new(folder), false));
        }
    }

    #[test]
    fn leftovers_go_and_what_is_heard_stays() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("notify");
        let [living, dead] = [0, 1].map(|_| open_in(std::slice::from_ref(&folder), None).unwrap());
        drop(dead.socket);
        std::fs::write(folder.join("mine"), "").unwrap();
        sweep_folder(&folder);
        assert_eq!((Path::new(&living.name).exists(), Path::new(&dead.name).exists()), (true, false));
        assert!(folder.join("mine").exists());
    }

    #[test]
    fn without_a_place_the_name_is_abstract_and_says_so() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("x".repeat(108));
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).unwrap();
        for folder in [long, file, link, home.path().join("none/notify")] {
            let ear = open_in(std::slice::from_ref(&folder), None).unwrap();
            let remark = ear.remark.unwrap();
            assert!(ear.name.starts_with("@upkeep-notify-"), "{}", ear.name);
            assert!(remark.contains(&folder.display().to_string()), "{remark}");
            assert_eq!(path_of(ear.socket.as_fd()), None);
        }
        assert!(open_in(&[], None).unwrap().remark.is_some());
    }
}
