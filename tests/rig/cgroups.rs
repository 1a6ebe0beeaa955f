//! Control groups of a guest.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

/// Where they are.
pub(crate) const ROOT: &str = "/sys/fs/cgroup";

/// A control group, as its files say.
pub(crate) struct Group(PathBuf);

impl Group {
    pub(crate) fn of(name: &str) -> Group {
        Group(Path::new(ROOT).join(name))
    }

    pub(crate) fn made(self) -> Group {
        std::fs::create_dir(&self.0).unwrap_or_else(|error| panic!("{}: {error}", self.0.display()));
        self
    }

    pub(crate) fn read(&self, file: &str) -> String {
        let text = std::fs::read_to_string(self.0.join(file));
        text.unwrap_or_else(|error| panic!("{file} of {}: {error}", self.0.display())).trim().to_owned()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{text} to {}: {error}", path.display()));
    }

    /// A number in a file of lines with a name and a number each.
    pub(crate) fn count(&self, file: &str, name: &str) -> u64 {
        let text = self.read(file);
        let count = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(count).unwrap_or_else(|| panic!("{file} has no {name}: {text}"))
    }

    /// Whether there is a group of this name below it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// Makes one of its files root's alone.
    pub(crate) fn keep(&self, file: &str) {
        chown(self.0.join(file), Some(0), Some(0)).expect("taken back");
    }

    /// Gives it to a user as systemd does: the folder, and the files by which groups are made below it.
    pub(crate) fn delegate(&self, user: u32) {
        for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
            let path = self.0.join(file);
            chown(&path, Some(user), Some(user))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}
