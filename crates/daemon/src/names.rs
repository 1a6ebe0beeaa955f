//! Process names as the API spells them (RPC-080), and processes in the order it lists them.

use upkeep_api::{Fault, FaultCode};
use upkeep_core::{ProcId, Process, Supervisor};

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One process.
    Process(ProcId),
    /// A whole group, by name.
    Group(String),
}

/// Splits `P`, `G:P`, `G:*`, `G:` into group and process.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        None => (name, Some(name)),
        Some((group, "" | "*")) => (group, None),
        Some((group, process)) => (group, Some(process)),
    }
}

/// Finds what a name means.
///
/// # Errors
/// `BAD_NAME` if there is no such group or process.
pub(crate) fn resolve(core: &Supervisor, name: &str) -> Result<Target, Fault> {
    let bad = || Fault::about(FaultCode::BadName, name);
    let (group, process) = split(name);
    if core.group(group).is_none() {
        return Err(bad());
    }
    match process {
        None => Ok(Target::Group(group.to_owned())),
        Some(process) => core.member(group, process).map(Target::Process).ok_or_else(bad),
    }
}

/// Finds one process; a group form is as bad as an unknown name.
///
/// # Errors
/// `BAD_NAME`.
pub(crate) fn resolve_process(core: &Supervisor, name: &str) -> Result<ProcId, Fault> {
    match resolve(core, name)? {
        Target::Process(id) => Ok(id),
        Target::Group(_) => Err(Fault::about(FaultCode::BadName, name)),
    }
}

/// Every process, sorted by group name, then process name (RPC-083).
pub(crate) fn lexical(core: &Supervisor) -> impl Iterator<Item = &Process> {
    core.by_name().filter_map(|id| core.process(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_every_form_rpc_080() {
        assert_eq!(split("cat"), ("cat", Some("cat")));
        assert_eq!(split("g:p"), ("g", Some("p")));
        assert_eq!(split("g:*"), ("g", None));
        assert_eq!(split("g:"), ("g", None));
        assert_eq!(split("g:p:q"), ("g", Some("p:q")));
    }
}
