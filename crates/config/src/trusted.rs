//! Opening a file at a path in which others may have had a hand. Whoever may put a link where the daemon, which may read everything,
//! looks for a file would else be given any file's content: in the environment of a program that runs as that user.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

/// Links on the way to one file, at most: as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Group or others may write.
const WRITABLE_BY_MORE: u32 = 0o022;

/// Others may write.
pub(crate) const WRITABLE_BY_ALL: u32 = 0o002;

const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A link that was followed.
struct Link {
    path: PathBuf,
    owner: u32,
}

/// Opens a regular file for reading. Every link on the way must belong to root, to ourselves or to the owner of the file, who may
/// read it anyway; nothing but a regular file is ever opened.
///
/// # Errors
/// It is not there, may not be read, is no regular file, or somebody else leads us there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // The walk itself does not wake what mounts a directory when it is needed; what this finds does not matter.
    let _ = rustix::fs::stat(path);
    let mut walk = Walk::begin(path)?;
    while let Some(name) = walk.rest.pop_front() {
        if let Some(found) = walk.step(name)? {
            return walk.read(&found);
        }
    }
    Err(not_a_file())
}

fn not_a_file() -> io::Error {
    io::Error::other("it is no file")
}

/// The way to a file, one name after the other.
struct Walk {
    /// The directory that was reached, and what it is called.
    here: OwnedFd,
    path: PathBuf,
    rest: VecDeque<OsString>,
    links: Vec<Link>,
}

/// What stands at the end of the way.
struct Found {
    name: OsString,
    about: Stat,
}

impl Walk {
    fn begin(path: &Path) -> io::Result<Self> {
        let mut walk = Self { here: root()?, path: "/".into(), rest: VecDeque::new(), links: Vec::new() };
        walk.insert(path);
        Ok(walk)
    }

    /// What a path names comes before the rest.
    fn insert(&mut self, path: &Path) {
        let names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        });
        let names: Vec<OsString> = names.collect();
        names.into_iter().rev().for_each(|name| self.rest.push_front(name));
    }

    /// Goes on by one name; returns what is not gone into.
    fn step(&mut self, name: OsString) -> io::Result<Option<Found>> {
        let fd = openat(&self.here, &name, LOOK, Mode::empty())?;
        let about = fstat(&fd)?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::Symlink => self.follow(&fd, &name, about.st_uid)?,
            FileType::Directory => {
                if name == ".." {
                    self.path.pop();
                } else {
                    self.path.push(&name);
                }
                self.here = fd;
            }
            _ if self.rest.is_empty() => return Ok(Some(Found { name, about })),
            _ => return Err(Errno::NOTDIR.into()),
        }
        Ok(None)
    }

    fn follow(&mut self, link: &OwnedFd, name: &OsString, owner: u32) -> io::Result<()> {
        if self.links.len() == MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = readlinkat(link, "", Vec::new())?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        self.links.push(Link { path: self.path.join(name), owner });
        if target.is_absolute() {
            self.here = root()?;
            self.path = "/".into();
        }
        self.insert(&target);
        Ok(())
    }

    /// Opens what was found, if it is what it may be, and still the same.
    fn read(&self, found: &Found) -> io::Result<File> {
        if FileType::from_raw_mode(found.about.st_mode) != FileType::RegularFile {
            return Err(not_a_file());
        }
        self.judge(found)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.here, &found.name, flags, Mode::empty())?;
        let about = fstat(&file)?;
        if (about.st_dev, about.st_ino, about.st_uid)
            != (found.about.st_dev, found.about.st_ino, found.about.st_uid)
        {
            return Err(io::Error::other("it was replaced while it was read: try again"));
        }
        Ok(File::from(file))
    }

    fn judge(&self, found: &Found) -> io::Result<()> {
        let own = rustix::process::geteuid().as_raw();
        let target = found.about.st_uid;
        let trusted = |owner: u32| owner == 0 || owner == own || owner == target;
        if let Some(link) = self.links.iter().find(|link| !trusted(link.owner)) {
            let (path, owner) = (link.path.display(), link.owner);
            return Err(io::Error::other(format!(
                "the link {path} belongs to user {owner}, the file it leads to, {}, to user {target}, and who may not read a file \
                 must not choose it: name the file itself, or let root own the link (chown -h root {path})",
                self.path.join(&found.name).display()
            )));
        }
        // Another name of a file that only root may read, in a directory where others may make names.
        let directory = fstat(&self.here)?;
        let writable = if target == 0 { WRITABLE_BY_MORE } else { WRITABLE_BY_ALL };
        let loose = !trusted(directory.st_uid) || directory.st_mode & writable != 0;
        if own == 0 && found.about.st_nlink > 1 && loose {
            return Err(io::Error::other(format!(
                "it is one of several names (hard links) of a file of user {target}, in a directory where others may write: copy \
                 the file instead"
            )));
        }
        Ok(())
    }
}

fn root() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/", flags, Mode::empty())?)
}
