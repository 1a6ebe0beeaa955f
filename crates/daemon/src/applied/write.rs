//! Writing files back as they were read, each as a whole: whoever reads one meanwhile has the old or the new text, and owner and mode
//! stay what they are.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown};
use upkeep_config::SourceFile;

/// Others may put files of their own there.
const WRITABLE_BY_MORE: u32 = 0o022;
const WRITABLE_BY_ALL: u32 = 0o002;

/// What became of a file, in words. Once `given_up` none is replaced.
pub(super) fn write_back(file: &SourceFile, given_up: impl Fn() -> bool) -> String {
    match &file.text {
        None => "could not be read then, and is left as it is".to_owned(),
        Some(text) => match write(Path::new(&file.path), text, given_up) {
            Ok(true) => "written".to_owned(),
            Ok(false) => "as it was".to_owned(),
            Err(error) => format!("cannot be written: {error}"),
        },
    }
}

/// What there is to say of a file with variables, of those that are read now. It is not written: its owner may be another one by now,
/// who may not have been allowed to read it.
pub(super) fn compare(file: &SourceFile, now: &[SourceFile]) -> &'static str {
    if now.iter().any(|other| other.path == file.path && other.text == file.text) {
        "as it was"
    } else {
        "differs, but is only written by hand: it has variables (env_files)"
    }
}

/// Whether it had to be written.
fn write(path: &Path, text: &[u8], given_up: impl Fn() -> bool) -> io::Result<bool> {
    // A link stays a link.
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let about = match fs::metadata(&path) {
        Ok(about) if !about.is_file() => return Err(io::Error::other("it is no file any more")),
        Ok(about) => Some(about),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let same = |about: &fs::Metadata| {
        Ok::<bool, io::Error>(about.len() == text.len() as u64 && fs::read(&path)? == text)
    };
    if about.as_ref().map(same).transpose()? == Some(true) {
        return Ok(false);
    }
    check(path.parent().unwrap_or(Path::new("/")))?;
    let beside = beside(&path);
    let written = create(&beside).and_then(|mut file| {
        file.write_all(text)?;
        if let Some(about) = &about {
            fchown(&file, Some(Uid::from_raw(about.uid())), Some(Gid::from_raw(about.gid())))?;
            fchmod(&file, Mode::from_raw_mode(about.mode() & 0o7777))?;
        }
        file.sync_all()?;
        if given_up() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        fs::rename(&beside, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
    Ok(true)
}

/// What is not there, if it is not the file.
fn above(directory: &Path, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            let text = format!("its directory '{}' is not there; make it first", directory.display());
            io::Error::new(io::ErrorKind::NotFound, text)
        }
        _ => error,
    }
}

/// Whether nobody can put a file of his own in the place of what was there, and be given the text.
fn check(directory: &Path) -> io::Result<()> {
    let about = fs::metadata(directory).map_err(|error| above(directory, error))?;
    let own = rustix::process::geteuid().as_raw();
    let writable = if own == 0 { WRITABLE_BY_MORE } else { WRITABLE_BY_ALL };
    if [0, own].contains(&about.uid()) && about.mode() & writable == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "others may write to its directory; write it by hand, from `upkeep config show`",
    ))
}

/// A name that patterns like `*.conf` do not match, and nobody else's who writes the same file.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    path.with_file_name(format!(".{name}.{pid}.{count}.upkeep"))
}

/// A file that was gone is for its owner alone: it may hold passwords.
fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // What a daemon that died has left.
    let _ = fs::remove_file(path);
    Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn owner_mode_and_links_stay() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real"), home.path().join("link"));
        fs::write(&real, "new").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&real, Some(12345), Some(54321)).unwrap();
        }
        let before = fs::metadata(&real).unwrap();
        let back = |path: &Path, text: &str| {
            let path = path.to_string_lossy().into_owned();
            write_back(&SourceFile { path, text: Some(text.into()), variables: false }, || false)
        };
        assert_eq!(back(&link, "old"), "written");
        assert_eq!(back(&link, "old"), "as it was");
        let after = fs::metadata(&real).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "old");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
        let gone = home.path().join("gone");
        assert_eq!(back(&gone, "x"), "written");
        assert_eq!(fs::metadata(&gone).unwrap().mode() & 0o777, 0o600);
        let loose = home.path().join("loose");
        fs::create_dir(&loose).unwrap();
        fs::set_permissions(&loose, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(back(&loose.join("a"), "x").contains("others may write to its directory"));
        assert!(back(home.path(), "x").starts_with("cannot be written: it is no file"));
        assert!(back(&home.path().join("no/such"), "x").starts_with("cannot be written: its directory '"));
        let late = SourceFile {
            path: real.to_string_lossy().into_owned(),
            text: Some("x".into()),
            variables: false,
        };
        assert!(
            write_back(&late, || true).starts_with("cannot be written: "),
            "nobody waits for it any more"
        );
        assert_eq!(fs::read_to_string(&real).unwrap(), "old");
        // The last moment before it is replaced: all of the new one is there, with its owner and mode, and the old one untouched.
        let beside = || {
            let mut names = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
            let path = names.find(|path| path.extension().is_some_and(|end| end == "upkeep")).unwrap();
            let about = fs::metadata(&path).unwrap();
            (fs::read_to_string(&path).unwrap(), about.mode(), about.uid(), about.gid())
        };
        let looked = std::cell::Cell::new(false);
        let look = || {
            assert_eq!(beside(), ("x".to_owned(), before.mode(), before.uid(), before.gid()));
            assert_eq!(fs::read_to_string(&real).unwrap(), "old");
            looked.set(true);
            false
        };
        assert_eq!((write_back(&late, look).as_str(), looked.get()), ("written", true));
        assert_eq!(fs::read_to_string(&real).unwrap(), "x");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 4, "nothing is left behind");
    }
}
