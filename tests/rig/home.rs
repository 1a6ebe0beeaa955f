//! A directory of its own for each daemon.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary directory, removed at the end. Its path is short: it has to fit into a socket's name.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let dir =
            tempfile::Builder::new().prefix("uk").rand_bytes(6).tempdir().expect("a temporary directory");
        Home { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.join(name);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).expect("a directory");
        }
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The file's text, with what is not UTF-8 replaced; empty if there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read(self.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Copies a directory of the repository into this one, under its own name.
    pub(crate) fn copy_in(&self, from: &Path) {
        let name = from.file_name().expect("a directory with a name");
        copy_tree(from, &self.path().join(name));
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// A path inside the repository.
pub(crate) fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
