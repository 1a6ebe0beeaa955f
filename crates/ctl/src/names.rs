//! How processes are named on the command line: `P`, `G:P`, `G:*`, `G:` (RPC-080).

/// What a name on the command line means to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `G:*` or `G:`.
    Group(String),
    /// `G:P`, or `P` for process P of group P.
    Process {
        /// Name of the group.
        group: String,
        /// Name of the process.
        name: String,
    },
}

impl Target {
    /// Reads a name as Supervisor does.
    pub(crate) fn parse(namespec: &str) -> Self {
        match namespec.split_once(':') {
            None => Self::process(namespec, namespec),
            Some((group, "" | "*")) => Self::Group(group.to_owned()),
            Some((group, name)) => Self::process(group, name),
        }
    }

    /// One process.
    pub(crate) fn process(group: &str, name: &str) -> Self {
        Self::Process { group: group.to_owned(), name: name.to_owned() }
    }

    /// Whether this process is meant.
    pub(crate) fn covers(&self, of_group: &str, process: &str) -> bool {
        match self {
            Self::Group(group) => group == of_group,
            Self::Process { group, name } => group == of_group && name == process,
        }
    }
}

/// The name that is shown: `P` if group and process have one name, else `G:P` (CTL-041).
pub(crate) fn namespec(group: &str, name: &str) -> String {
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_rpc_080() {
        let rows = [
            ("p", Target::process("p", "p")),
            ("g:p", Target::process("g", "p")),
            ("g:p:q", Target::process("g", "p:q")),
            ("g:*", Target::Group("g".to_owned())),
            ("g:", Target::Group("g".to_owned())),
            (":p", Target::process("", "p")),
        ];
        for (name, expected) in rows {
            assert_eq!(Target::parse(name), expected, "{name}");
        }
        assert_eq!(namespec("a", "a"), "a");
        assert_eq!(namespec("a", "b"), "a:b");
    }
}
