//! What a control group says of those who live in it, if these are a process and its family and nobody else.

use std::collections::HashSet;
use std::path::Path;

use crate::daemonised::seen::{Seen, see};

/// Groups below a group that are looked at; more than that and it is not used.
const MOST_GROUPS: usize = 64;
/// Generations between a process and one that descends from it.
const MOST_GENERATIONS: usize = 64;

/// What the group uses, in bytes, without what the kernel can do without: files that it keeps in memory. `None` if the group
/// says nothing, or not all of the family live in it, or others do, too.
pub(super) fn used_in(folder: &Path, family: &[u32]) -> Option<u64> {
    let current = number(&folder.join("memory.current"))?;
    is_of(folder, family).then_some(())?;
    let swapped = number(&folder.join("memory.swap.current")).unwrap_or(0);
    let stat = std::fs::read_to_string(folder.join("memory.stat")).ok()?;
    Some(current.saturating_sub(reclaimable(&stat)).saturating_add(swapped))
}

fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Pages of files, and what the kernel remembers of files (cgroup-v2 in the kernel's administrator's guide).
fn reclaimable(stat: &str) -> u64 {
    let counts = |line: &str| {
        let (name, bytes) = line.split_once(' ')?;
        let counts = ["active_file", "inactive_file", "slab_reclaimable"].contains(&name);
        bytes.trim().parse::<u64>().ok().filter(|_| counts)
    };
    stat.lines().filter_map(counts).sum()
}

/// Whether this family, and nobody else, lives in the group and the groups below it.
fn is_of(folder: &Path, family: &[u32]) -> bool {
    let Some(members) = members(folder) else { return false };
    let known: HashSet<u32> = family.iter().copied().collect();
    // The family was looked at before: some may be new, some may have ended.
    let belongs = |pid: &u32| known.contains(pid) || is_new_in(*pid, &known);
    let has_left = |pid: &&u32| !members.contains(pid) && see(**pid).is_some_and(|seen| !seen.zombie);
    !members.is_empty() && members.iter().all(belongs) && !family.iter().any(|pid| has_left(&pid))
}

/// Whether it descends from one of these, or is gone.
fn is_new_in(pid: u32, known: &HashSet<u32>) -> bool {
    let mut next = see(pid);
    for _ in 0..MOST_GENERATIONS {
        match next {
            None => return pid != 0,
            Some(Seen { parent, .. }) if known.contains(&parent) => return true,
            Some(Seen { parent: 0 | 1, .. }) => return false,
            Some(Seen { parent, .. }) => next = see(parent),
        }
    }
    false
}

/// Who lives in a group and in those below it.
fn members(folder: &Path) -> Option<HashSet<u32>> {
    let mut members = HashSet::new();
    let mut groups = vec![folder.to_owned()];
    let mut at = 0;
    while let Some(group) = groups.get(at) {
        let text = std::fs::read_to_string(group.join("cgroup.procs")).ok()?;
        members.extend(text.lines().map(|line| line.trim().parse().unwrap_or(0)));
        let below = std::fs::read_dir(group).ok()?.flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let below: Vec<_> = below.map(|entry| entry.path()).take(MOST_GROUPS).collect();
        groups.extend(below);
        at += 1;
        if groups.len() > MOST_GROUPS {
            return None;
        }
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder stands for the control group.
    #[test]
    fn a_group_counts_only_for_those_who_live_in_it_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
        let mut child = std::process::Command::new("/bin/cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a process");
        let (own, other) = (std::process::id(), child.id());
        let used = |family: &[u32]| used_in(folder.path(), family);
        assert_eq!(used(&[own]), None, "no group of memory");
        write("memory.current", "1000000\n".to_owned());
        write(
            "memory.stat",
            "anon 5\nactive_file 100000\ninactive_file 20000\nslab_reclaimable 3000\nfile 9\n".to_owned(),
        );
        assert_eq!(used(&[own]), None, "nobody is known to live there");
        for (members, family, expected) in [
            (format!("{own}\n{other}\n"), vec![own, other], Some(877_000)),
            // It is new.
            (format!("{own}\n{other}\n"), vec![own], Some(877_000)),
            // It has ended.
            (format!("{own}\n{}\n", u32::MAX), vec![own, u32::MAX - 1], Some(877_000)),
            (format!("{own}\n"), vec![own, other], None),
            (format!("{own}\n{other}\n"), vec![other], None),
            // Of another pid namespace.
            (format!("{own}\n0\n"), vec![own], None),
            (String::new(), vec![own], None),
        ] {
            write("cgroup.procs", members.clone());
            assert_eq!(used(&family), expected, "{members:?} {family:?}");
        }
        write("cgroup.procs", format!("{own}\n"));
        std::fs::create_dir(folder.path().join("below")).expect("made");
        write("below/cgroup.procs", format!("{other}\n"));
        write("memory.swap.current", "23000\n".to_owned());
        assert_eq!(used(&[own, other]), Some(900_000), "groups below it, and what is swapped out");
        drop(child.stdin.take());
        child.wait().expect("its end");
    }
}
