//! Control groups (cgroup v2) that programs join: made where there are none, with the limits that they have, and removed when
//! the programs are gone. All of it are files.

mod turns;
mod vacant;

use std::io;
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use upkeep_core::spec::Cgroup;

pub(crate) use vacant::{Cgroups, Left};

/// The time in which `cpu_limit` counts, in microseconds: what the kernel has by default.
const PERIOD: u64 = 100_000;
/// Where it is written down on a folder who made it; the second one for kernels before 5.7, which have the first only
/// elsewhere.
const MARKS: [&str; 2] = ["user.upkeep", "trusted.upkeep"];
/// More than the longest path of a pid file.
const LONGEST_MARK: usize = 8192;

/// Makes the group what the options say; `owner` is what it is marked with if there was none. Blocks on the file system.
///
/// # Errors
/// The spawn error: what is missing, and what would help.
pub(crate) fn make(cgroup: &Cgroup, owner: &[u8]) -> Result<(), String> {
    let folder = Path::new(&cgroup.folder);
    let (shown, above) = (folder.display(), folder.parent().unwrap_or(folder));
    let is_group = |folder: &Path| folder.join("cgroup.procs").exists();
    turns::in_turn(folder, || {
        if !is_group(folder) && is_group(above) {
            std::fs::create_dir(folder)
                .map_err(|error| format!("can't apply cgroup: '{shown}' cannot be made: {error}"))?;
            mark(folder, owner);
        }
        Ok::<(), String>(())
    })?;
    if !is_group(folder) {
        return Err(format!(
            "can't apply cgroup: neither '{shown}' nor the folder above it is a control group of cgroup v2"
        ));
    }
    let cpu = cgroup.cpu_limit.map(|percent| format!("{} {PERIOD}", u64::from(percent) * PERIOD / 100));
    limit("cpu_limit", "cpu", folder, cpu)?;
    limit("pids_limit", "pids", folder, cgroup.pids_limit.map(|pids| pids.to_string()))
}

/// Lets the group say how much memory is used in it, if it can be told to. Blocks on the file system.
pub(crate) fn measure(cgroup: &Cgroup) {
    let folder = Path::new(&cgroup.folder);
    if !folder.join("memory.current").exists() {
        // Where it cannot be had its processes are asked one by one.
        let _ = std::fs::write(switch_of(folder), "+memory");
    }
}

/// Writes down whose the folder is. Where that is not possible it is nobody's, and stays.
fn mark(folder: &Path, owner: &[u8]) {
    let _ = MARKS.iter().any(|name| rustix::fs::setxattr(folder, *name, owner, XattrFlags::empty()).is_ok());
}

/// Whether the folder was made by this owner.
fn is_marked(folder: &Path, owner: &[u8]) -> bool {
    let mut value = [0; LONGEST_MARK];
    MARKS.iter().any(|name| {
        let length = rustix::fs::getxattr(folder, *name, &mut value[..]);
        length.ok().and_then(|length| value.get(..length)) == Some(owner)
    })
}

/// Where the controllers of a group are turned on.
fn switch_of(folder: &Path) -> std::path::PathBuf {
    folder.parent().unwrap_or(folder).join("cgroup.subtree_control")
}

/// Sets the limit of a controller. Without one the file is left alone: it may be somebody else's.
fn limit(key: &str, controller: &str, folder: &Path, value: Option<String>) -> Result<(), String> {
    let Some(value) = value else { return Ok(()) };
    let file = folder.join(format!("{controller}.max"));
    if !file.exists() {
        let turned_on = turn_on(controller, folder);
        if !file.exists() {
            return Err(format!("can't apply {key}: {}", off(controller, folder, turned_on)));
        }
    }
    std::fs::write(&file, value)
        .map_err(|error| format!("can't apply {key}: '{}' cannot be written: {error}", file.display()))
}

/// Turns a controller on for a group. Not where processes live in the group above it: some controllers could be, but then no process could
/// join any group below, and no other limit could be had there ("threaded" in the kernel's administrator's guide).
fn turn_on(controller: &str, folder: &Path) -> io::Result<()> {
    let above = folder.parent().unwrap_or(folder);
    let is_root = !above.join("cgroup.type").exists();
    if !is_root && std::fs::read(above.join("cgroup.procs")).is_ok_and(|pids| !pids.is_empty()) {
        return Err(Errno::BUSY.into());
    }
    std::fs::write(switch_of(folder), format!("+{controller}"))
}

/// Why a controller is off, by what came of turning it on (cgroup-v2 in the kernel's administrator's guide).
fn off(controller: &str, folder: &Path, turned_on: io::Result<()>) -> String {
    let above = folder.parent().unwrap_or(folder).display();
    match turned_on.map_err(|error| Errno::from_io_error(&error)) {
        Err(Some(Errno::NOENT)) => format!(
            "the controller {controller} is not there for groups in '{above}': its cgroup.controllers has what is"
        ),
        Err(Some(Errno::BUSY)) => format!(
            "the controller {controller} cannot be turned on for groups in '{above}': processes live in that group itself"
        ),
        Ok(()) | Err(_) => format!(
            "the controller {controller} is off: write +{controller} to '{}', as root",
            switch_of(folder).display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_where_it_is_not_yet() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("web");
        std::fs::create_dir(&folder).expect("made");
        let cgroup = Cgroup { folder: folder.display().to_string(), cpu_limit: None, pids_limit: None };
        let switch = root.path().join("cgroup.subtree_control");
        measure(&cgroup);
        assert_eq!(std::fs::read_to_string(&switch).expect("written"), "+memory");
        std::fs::remove_file(&switch).expect("removed");
        std::fs::write(folder.join("memory.current"), "1").expect("written");
        measure(&cgroup);
        assert!(!switch.exists(), "it is counted already");
    }

    /// Plain files stand for those of the kernel: what is written where, and what is said when something is missing.
    #[test]
    fn limits_are_written_and_what_is_missing_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("web");
        let shown = folder.display().to_string();
        let with = |cpu_limit, pids_limit| Cgroup { folder: shown.clone(), cpu_limit, pids_limit };
        let none = format!(
            "can't apply cgroup: neither '{shown}' nor the folder above it is a control group of cgroup v2"
        );
        assert_eq!(make(&with(None, None), b"me").unwrap_err(), none);
        assert!(!folder.exists(), "no folder is made elsewhere");
        let file = |name: &str| folder.join(name);
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(file("cgroup.procs"), "").expect("written");
        assert_eq!(make(&with(None, None), b"me"), Ok(()));
        let switch = root.path().join("cgroup.subtree_control");
        let off = format!(
            "can't apply cpu_limit: the controller cpu is off: write +cpu to '{}', as root",
            switch.display()
        );
        assert_eq!(make(&with(Some(150), None), b"me").unwrap_err(), off);
        assert_eq!(std::fs::read_to_string(switch).expect("tried"), "+cpu");
        let above = |name: &str, text: &str| std::fs::write(root.path().join(name), text).expect("written");
        above("cgroup.type", "domain\n");
        above("cgroup.procs", "7\n");
        let lived_in = format!(
            "can't apply pids_limit: the controller pids cannot be turned on for groups in '{}': processes live in that group itself",
            root.path().display()
        );
        assert_eq!(make(&with(None, Some(1)), b"me").unwrap_err(), lived_in);
        for name in ["cpu.max", "pids.max"] {
            std::fs::write(file(name), "").expect("written");
        }
        let read = |name: &str| std::fs::read_to_string(file(name)).expect("a file");
        assert_eq!(make(&with(Some(150), Some(20)), b"me"), Ok(()));
        assert_eq!((read("cpu.max").as_str(), read("pids.max").as_str()), ("150000 100000", "20"));
        assert_eq!(make(&with(None, Some(7)), b"me"), Ok(()));
        assert_eq!((read("cpu.max").as_str(), read("pids.max").as_str()), ("150000 100000", "7"));
    }
}
