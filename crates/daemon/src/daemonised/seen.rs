//! Processes as /proc shows them, and which of them nobody supervises. Blocks on /proc.

use std::collections::{BTreeMap, HashSet};

/// A process, as /proc/PID/stat tells of it (proc_pid_stat(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    pub(super) comm: String,
    pub(crate) zombie: bool,
    pub(crate) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) ticks: u64,
}

/// Who is supervised, and who they fall to when they are not.
pub(super) struct Supervised {
    pub(super) pids: HashSet<u32>,
    pub(super) keeper: u32,
    /// The keeper and its ancestors.
    pub(super) above: HashSet<u32>,
    /// The session of the keeper and of the children it makes; 0 can be that of others too.
    pub(super) session: u32,
}

impl Supervised {
    /// Whether it, or whom it descends from, fell to somebody above the keeper or to the keeper itself, as orphans do. Not so
    /// what lives below a child of ours, or below anybody who was there before `ticks`: another supervisor may have
    /// programs of the same name.
    pub(super) fn lost(&self, seen: &Seen, ticks: u64, all: &BTreeMap<u32, Seen>) -> bool {
        let mut seen = seen;
        // Bounded, as what is read one after the other may even be a circle.
        for _ in 0..all.len() {
            let made = seen.parent == self.keeper && seen.group == seen.pid && seen.session == self.session;
            if made || self.pids.contains(&seen.pid) {
                return false;
            }
            let Some(parent) = all.get(&seen.parent).filter(|parent| !self.above.contains(&parent.pid))
            else {
                return true;
            };
            if parent.ticks < ticks {
                return false;
            }
            seen = parent;
        }
        false
    }
}

/// The process `pid` and its ancestors.
pub(super) fn line_of(pid: u32, all: &BTreeMap<u32, Seen>) -> HashSet<u32> {
    let mut line = HashSet::new();
    let mut next = all.get(&pid);
    while let Some(seen) = next.filter(|seen| line.insert(seen.pid)) {
        next = all.get(&seen.parent);
    }
    line
}

/// All processes of this moment.
pub(crate) fn processes() -> impl Iterator<Item = Seen> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| see(entry.file_name().to_str()?.parse().ok()?))
}

/// One process of this moment.
pub(crate) fn see(pid: u32) -> Option<Seen> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(pid: u32, stat: &str) -> Option<Seen> {
    // The name may hold blanks and brackets: fields are counted behind the last one.
    let (head, tail) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse().ok();
    Some(Seen {
        pid,
        comm: head.split_once('(')?.1.to_owned(),
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        ticks: fields.get(19)?.parse().ok()?,
    })
}

/// What a process was started with, if we may know.
pub(super) fn environment(pid: u32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/environ")).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::daemonised) fn seen(pid: u32, comm: &str, parent: u32, group: u32, session: u32) -> Seen {
        Seen { pid, comm: comm.to_owned(), zombie: false, parent, group, session, ticks: 50 }
    }

    #[test]
    fn takes_a_stat_line_apart() {
        let tail = "1 20 30 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 2 3";
        let found = parse(9, &format!("9 (a) b (c)) S {tail}"));
        let expected = Seen { ticks: 4711, ..seen(9, "a) b (c)", 1, 20, 30) };
        assert_eq!(found, Some(expected.clone()));
        let found = parse(9, &format!("9 (a) b (c)) Z {tail}"));
        assert_eq!(found, Some(Seen { zombie: true, ..expected }));
        assert_eq!(parse(9, ""), None);
        assert_eq!(parse(9, "9 (short) S 1 2"), None);
    }

    #[test]
    fn orphans_fall_to_the_keeper_or_to_somebody_above() {
        let keeper = 10;
        let old = |seen: Seen| Seen { ticks: 1, ..seen };
        let all = [
            old(seen(1, "init", 0, 1, 1)),
            old(seen(9, "shell", 1, 9, 9)),
            old(seen(keeper, "keeper", 9, 10, 9)),
            seen(11, "just made", keeper, 11, 9),
            seen(12, "its child", 11, 11, 9),
            seen(13, "fell to the keeper", keeper, 13, 13),
            seen(14, "its child", 13, 14, 13),
            seen(15, "fell to init", 1, 15, 15),
            seen(16, "child of an earlier keeper", 1, 16, 8),
            seen(17, "its child", 16, 17, 17),
            old(seen(18, "another supervisor", 9, 18, 18)),
            seen(19, "its child", 18, 19, 19),
        ];
        let all: BTreeMap<u32, Seen> = all.into_iter().map(|seen| (seen.pid, seen)).collect();
        let above = line_of(keeper, &all);
        assert_eq!(above, HashSet::from([1, 9, keeper]));
        let supervised = Supervised { pids: HashSet::from([16]), keeper, above, session: 9 };
        let young = all.values().filter(|seen| seen.ticks >= 50);
        let found: Vec<u32> =
            young.filter(|seen| supervised.lost(seen, 50, &all)).map(|seen| seen.pid).collect();
        assert_eq!(found, [13, 14, 15]);
    }
}
