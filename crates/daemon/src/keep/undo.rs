//! What was done to the file system before it was known that all can be done.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// The way back, to be taken from the end.
#[derive(Debug, Default)]
pub(super) struct Undo(Vec<Step>);

#[derive(Debug)]
enum Step {
    /// The file was not there.
    Remove(PathBuf),
    /// The file had another content.
    Content(PathBuf, Vec<u8>),
    /// The file had another mode and owner.
    Access { path: PathBuf, mode: u32, uid: u32, gid: u32 },
}

impl Undo {
    /// A file that was made.
    pub(super) fn made(&mut self, path: PathBuf) {
        self.0.push(Step::Remove(path));
    }

    /// A file is about to be opened for appending.
    pub(super) fn about_to_make(&mut self, path: &Path) {
        if matches!(path.try_exists(), Ok(false)) {
            self.made(path.to_owned());
        }
    }

    /// A file is about to be written anew.
    pub(super) fn about_to_write(&mut self, path: &Path) {
        match fs::read(path) {
            Ok(content) => self.0.push(Step::Content(path.to_owned(), content)),
            Err(_) => self.about_to_make(path),
        }
    }

    /// Gives a file this mode and owner.
    ///
    /// # Errors
    /// It is not there, or may not be given away.
    pub(super) fn set_access(
        &mut self,
        path: &Path,
        mode: u32,
        (uid, gid): (u32, Option<u32>),
    ) -> io::Result<()> {
        let before = fs::metadata(path)?;
        self.0.push(Step::Access {
            path: path.to_owned(),
            mode: before.mode() & 0o7777,
            uid: before.uid(),
            gid: before.gid(),
        });
        if (before.uid(), before.gid()) != (uid, gid.unwrap_or(before.gid())) {
            chown(path, Some(uid), gid)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    /// Takes it all back, as far as that can be done.
    pub(super) fn run(self) {
        for step in self.0.into_iter().rev() {
            // There is nobody left to hear of what cannot be taken back; what is left does no harm.
            let _ = match step {
                Step::Remove(path) => fs::remove_file(path),
                Step::Content(path, content) => fs::write(path, content),
                Step::Access { path, mode, uid, gid } => chown(&path, Some(uid), Some(gid))
                    .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode))),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "1").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
        let mut undo = Undo::default();
        for path in [&old, &new] {
            undo.about_to_write(path);
            fs::write(path, "2").unwrap();
        }
        let own = rustix::process::geteuid().as_raw();
        undo.set_access(&old, 0o644, (own, None)).unwrap();
        assert_eq!(fs::metadata(&old).unwrap().mode() & 0o7777, 0o644);
        assert!(undo.set_access(&dir.path().join("none"), 0o600, (own, None)).is_err());
        undo.run();
        assert!(!new.exists());
        assert_eq!(fs::read(&old).unwrap(), b"1");
        assert_eq!(fs::metadata(&old).unwrap().mode() & 0o7777, 0o600);
    }
}
