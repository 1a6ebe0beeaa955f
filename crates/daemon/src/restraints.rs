//! What is done to a child before it executes its program: what a configuration says, as the keeper is told; and why it
//! cannot be done, for people.

use std::path::Path;

use rustix::io::Errno;
use rustix::process::Resource as System;
use upkeep_core::spec::{Cgroup, Confinement, Ionice, ProcessSpec, Resource, Rlimit};
use upkeep_keeper::wire::{Restraint, What};

use crate::cgroups;

/// The restraints of a process.
///
/// # Errors
/// The spawn error: something that it needs is not there. Blocks on the file system.
pub(crate) fn restraints_of(spec: &ProcessSpec, owner: &[u8]) -> Result<Vec<Restraint>, String> {
    let Some(confinement) = spec.confinement.as_deref() else { return Ok(Vec::new()) };
    check_paths(confinement)?;
    if let Some(cgroup) = &confinement.cgroup {
        cgroups::make(cgroup, owner)?;
        if spec.bounds.as_ref().is_some_and(|bounds| bounds.memory.is_some()) {
            cgroups::measure(cgroup);
        }
    }
    let Confinement { nice, ionice, oom_score_adj, capability_bounding_set, .. } = confinement;
    let mut all: Vec<(&str, What)> = confinement.rlimits.iter().map(rlimit).collect();
    all.extend(nice.map(|value| ("nice", What::Nice(value))));
    all.extend(ionice.map(|ionice| ("ionice", what_of(ionice))));
    all.extend(oom_score_adj.map(|value| ("oom_score_adj", What::OomScoreAdj(value))));
    all.extend(confinement.no_new_privileges.then_some(("no_new_privileges", What::NoNewPrivileges)));
    all.extend(capability_bounding_set.map(|set| ("capability_bounding_set", What::BoundingSet(set))));
    let ambient = confinement.ambient_capabilities;
    all.extend((ambient != 0).then_some(("ambient_capabilities", What::AmbientSet(ambient))));
    let join = |cgroup: &Cgroup| ("cgroup", What::Cgroup(cgroup.folder.clone().into_bytes()));
    all.extend(confinement.cgroup.as_ref().map(join));
    all.extend(confinement.private_tmp.then_some(("private_tmp", What::PrivateTmp)));
    if !confinement.writable_paths.is_empty() {
        let paths = confinement.writable_paths.iter().map(|path| path.clone().into_bytes());
        all.push(("writable_paths", What::OnlyWriteBeneath(paths.collect())));
    }
    Ok(all.into_iter().map(|(key, what)| Restraint { key: key.to_owned(), what }).collect())
}

/// The child could only say that one of them is not there. With a `/tmp` of its own it may be that the child alone has it.
fn check_paths(confinement: &Confinement) -> Result<(), String> {
    let own = |path: &str| confinement.private_tmp && ["/tmp", "/var/tmp"].contains(&path);
    match confinement.writable_paths.iter().find(|path| !own(path) && !Path::new(path).exists()) {
        Some(path) => Err(format!("can't apply writable_paths: '{path}' is not there")),
        None => Ok(()),
    }
}

/// What `writable_paths` does not do for a program on a kernel with this version of Landlock.
pub(crate) fn weakness(spec: &ProcessSpec, landlock: Option<u32>) -> Option<String> {
    spec.confinement.as_ref().filter(|confinement| !confinement.writable_paths.is_empty())?;
    let what = match landlock? {
        ..2 => {
            "it can empty files that it may not write to (truncate(2); Linux 6.2 or newer keeps it from that), and cannot move \
             files from one folder to another (Linux 5.19 or newer lets it)"
        }
        2 => {
            "it can empty files that it may not write to (truncate(2); Linux 6.2 or newer keeps it from that)"
        }
        3.. => return None,
    };
    Some(format!("writable_paths of '{}' is not complete on this kernel: {what}", spec.name))
}

fn rlimit(rlimit: &Rlimit) -> (&'static str, What) {
    let system = match rlimit.resource {
        Resource::Nofile => System::Nofile,
        Resource::Nproc => System::Nproc,
        Resource::Core => System::Core,
        Resource::Fsize => System::Fsize,
        Resource::Stack => System::Stack,
        Resource::Memlock => System::Memlock,
        Resource::As => System::As,
        Resource::Cpu => System::Cpu,
    };
    let what = What::Rlimit { resource: system as u32, soft: rlimit.soft, hard: rlimit.hard };
    (rlimit.resource.key(), what)
}

fn what_of(ionice: Ionice) -> What {
    match ionice {
        Ionice::Realtime(level) => What::Ionice { class: 1, level },
        Ionice::BestEffort(level) => What::Ionice { class: 2, level },
        Ionice::Idle => What::Ionice { class: 3, level: 0 },
    }
}

/// The spawn error of a restraint that the kernel refused.
pub(crate) fn refused(key: &str, errno: i32) -> String {
    let name = upkeep_os::errno_name(errno);
    match advice(key, Errno::from_raw_os_error(errno)) {
        Some(advice) => format!("can't apply {key}: {name} ({advice})"),
        None => format!("can't apply {key}: {name}"),
    }
}

/// What the name of the error leaves open.
fn advice(key: &str, errno: Errno) -> Option<&'static str> {
    let denied = matches!(errno, Errno::PERM | Errno::ACCESS);
    match key {
        "writable_paths" if errno == Errno::NOSYS => {
            Some("the kernel has no Landlock: that is in Linux 5.13 or newer")
        }
        "writable_paths" if errno == Errno::OPNOTSUPP => {
            Some("Landlock is off: add it to lsm= on the kernel's command line")
        }
        "cgroup" if denied => Some(
            "the daemon may not move processes there: the folder has to be its user's, with the group it comes from",
        ),
        "cgroup" if errno == Errno::OPNOTSUPP => Some(
            "processes live in the group above it, so that none can in this one: its cgroup.type says so",
        ),
        "cgroup" if errno == Errno::BUSY => {
            Some("controllers are on for the groups below this one, so that no process can live in it")
        }
        "private_tmp" if denied => {
            Some("mounts are for root, in a container for one that may mount: CAP_SYS_ADMIN")
        }
        "rlimit_nofile" if denied => {
            Some("only root may raise a hard limit, and nobody above the system's fs.nr_open")
        }
        key if denied && key.starts_with("rlimit_") => Some("only root may raise a hard limit"),
        "nice" | "ionice" | "oom_score_adj" if denied => Some("only root may ask for so much"),
        "capability_bounding_set" if denied => Some("only root may take capabilities away: CAP_SETPCAP"),
        "ambient_capabilities" if denied => Some("the daemon has not all of these capabilities itself"),
        _ => None,
    }
}

/// The spawn error while the keeper is an older one.
pub(crate) fn keeper_too_old(restraints: &[Restraint]) -> String {
    let key = restraints.first().map_or("", |restraint| &restraint.key);
    format!("can't apply {key}: the keeper process is of an older version; `upkeep upgrade` replaces it")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_explained() {
        for (key, errno, text) in [
            ("nice", Errno::ACCESS, "can't apply nice: EACCES (only root may ask for so much)"),
            ("rlimit_core", Errno::PERM, "can't apply rlimit_core: EPERM (only root may raise a hard limit)"),
            ("rlimit_core", Errno::INVAL, "can't apply rlimit_core: EINVAL"),
            (
                "cgroup",
                Errno::BUSY,
                "can't apply cgroup: EBUSY (controllers are on for the groups below this one, so that no process can live in it)",
            ),
            (
                "cgroup",
                Errno::OPNOTSUPP,
                "can't apply cgroup: ENOTSUP (processes live in the group above it, so that none can in this one: its cgroup.type says so)",
            ),
            (
                "writable_paths",
                Errno::OPNOTSUPP,
                "can't apply writable_paths: ENOTSUP (Landlock is off: add it to lsm= on the kernel's command line)",
            ),
        ] {
            assert_eq!(refused(key, errno.raw_os_error()), text);
        }
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let paths = |paths: &[&str], private_tmp| Confinement {
            writable_paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            private_tmp,
            ..Confinement::default()
        };
        let restraints = |confinement: Option<Confinement>| {
            let confinement = confinement.map(Arc::new);
            restraints_of(&ProcessSpec { confinement, ..ProcessSpec::new("web", "web") }, b"me")
        };
        let wrong = restraints(Some(paths(&["/", "/no/such"], false)));
        assert_eq!(wrong.unwrap_err(), "can't apply writable_paths: '/no/such' is not there");
        assert_eq!(restraints(Some(paths(&["/"], true))).unwrap().len(), 2);
        assert_eq!(restraints(None).unwrap(), []);
    }

    #[test]
    fn what_an_older_kernel_leaves_open_is_said() {
        let spec = |writable_paths| {
            let confinement = Some(Arc::new(Confinement { writable_paths, ..Confinement::default() }));
            ProcessSpec { confinement, ..ProcessSpec::new("web", "web") }
        };
        let bound = spec(vec!["/tmp".to_owned()]);
        let truncates = "writable_paths of 'web' is not complete on this kernel: it can empty files that it may not write to \
                         (truncate(2); Linux 6.2 or newer keeps it from that)";
        assert_eq!(weakness(&bound, Some(2)).as_deref(), Some(truncates));
        assert!(
            weakness(&bound, Some(1))
                .is_some_and(|text| text.starts_with(truncates) && text.contains("5.19"))
        );
        assert_eq!([weakness(&bound, Some(3)), weakness(&bound, Some(7))], [None, None]);
        assert_eq!(weakness(&bound, None), None, "the start fails, which says enough");
        assert_eq!(weakness(&spec(Vec::new()), Some(1)), None);
    }
}
