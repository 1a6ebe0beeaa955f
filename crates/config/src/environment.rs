//! What the loader may know of the world besides files: variables, directory, host name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use upkeep_core::ordered;

/// Variables whose names start so are between our own roles and never visible to a configuration.
const INTERNAL: &str = "UPKEEP_INTERNAL_";

/// The surroundings of a process, taken once and kept, so that reading again gives the same answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Environment variables; text that is not UTF-8 has U+FFFD where it is not.
    pub vars: BTreeMap<String, String>,
    /// The working directory; relative paths are relative to it.
    pub cwd: PathBuf,
    /// What `host_node_name` expands to (CFG-060).
    pub hostname: String,
}

impl Environment {
    /// The surroundings of the running process, without variables that are between our own roles.
    #[must_use]
    pub fn of_this_process() -> Self {
        let vars = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| !name.starts_with(INTERNAL));
        let vars = ordered::map(vars);
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { vars, cwd, hostname }
    }

    /// The value of a variable.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// The working directory as text.
    pub(crate) fn cwd_text(&self) -> String {
        self.cwd.to_string_lossy().into_owned()
    }
}
