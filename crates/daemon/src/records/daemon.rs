//! What has changed of the daemon's own record since it was written as a whole: a line behind that for each change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DaemonRecord;
use crate::growing::lines;
use crate::watching::Seen;
use upkeep_core::ordered;

/// Groups and processes that are not as they were written down.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// By name, with the generation of its options; `None` if it is not active any more.
    pub(crate) groups: BTreeMap<String, Option<u64>>,
    /// By group and name, with the generation of the options that it still has; `None` if it has those of its group.
    pub(crate) behind: BTreeMap<(String, String), Option<u64>>,
    /// What the files of a section are like; `None` if nobody watches them any more.
    pub(crate) watched: BTreeMap<String, Option<Seen>>,
}

/// A change.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DaemonChange {
    /// What is not about groups or files, as it is now.
    itself: DaemonRecord,
    groups: Vec<(String, Option<u64>)>,
    behind: Vec<(String, String, Option<u64>)>,
    /// An earlier version has all in `itself`.
    #[serde(default)]
    watched: Option<Vec<(String, Option<Seen>)>>,
}

impl DaemonChange {
    pub(crate) fn new(itself: DaemonRecord, unsaved: Unsaved) -> Self {
        let behind = unsaved.behind.into_iter().map(|((group, name), old)| (group, name, old));
        let watched = Some(unsaved.watched.into_iter().collect());
        Self { itself, groups: unsaved.groups.into_iter().collect(), behind: behind.collect(), watched }
    }
}

impl DaemonRecord {
    /// What was written down, with all that has changed since.
    ///
    /// # Errors
    /// Something of it cannot be understood.
    pub(crate) fn read(record: &[u8]) -> serde_json::Result<Self> {
        let mut lines = lines(record);
        let mut read: Self = serde_json::from_slice(lines.next().unwrap_or_default())?;
        let mut groups = InOrder::default();
        std::mem::take(&mut read.groups).into_iter().for_each(|(name, number)| groups.put(name, number));
        let behind = std::mem::take(&mut read.behind).into_iter();
        let mut behind = ordered::map(behind.map(|(group, name, old)| ((group, name), old)));
        for line in lines {
            let change: DaemonChange = serde_json::from_slice(line)?;
            let watched = std::mem::replace(&mut read, change.itself).standing.watched;
            if let Some(changes) = change.watched {
                read.standing.watched = watched;
                for (section, seen) in changes {
                    match seen {
                        Some(seen) => read.standing.watched.insert(section, seen),
                        None => read.standing.watched.remove(&section),
                    };
                }
            }
            for (name, number) in change.groups {
                match number {
                    Some(number) => groups.put(name, number),
                    None => groups.remove(&name),
                }
            }
            for (group, name, old) in change.behind {
                match old {
                    Some(old) => behind.insert((group, name), old),
                    None => behind.remove(&(group, name)),
                };
            }
        }
        read.groups = groups.all.into_values().collect();
        read.behind = behind.into_iter().map(|((group, name), old)| (group, name, old)).collect();
        Ok(read)
    }
}

/// Groups in the order they became active.
#[derive(Default)]
struct InOrder {
    all: BTreeMap<usize, (String, u64)>,
    places: BTreeMap<String, usize>,
    next: usize,
}

impl InOrder {
    fn put(&mut self, name: String, number: u64) {
        let place = *self.places.entry(name.clone()).or_insert(self.next);
        self.next = self.next.max(place + 1);
        self.all.insert(place, (name, number));
    }

    fn remove(&mut self, name: &str) {
        if let Some(place) = self.places.remove(name) {
            self.all.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Standing;
    use super::*;

    #[test]
    fn changes_are_read_behind_the_whole() {
        let named =
            |list: &[(&str, u64)]| list.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        let whole = DaemonRecord {
            base: 1,
            groups: named(&[("c", 1), ("a", 1), ("b", 1)]),
            behind: vec![("a".to_owned(), "p".to_owned(), 1), ("a".to_owned(), "q".to_owned(), 1)],
            ..DaemonRecord::default()
        };
        let mut record = serde_json::to_vec(&whole).unwrap();
        assert_eq!(DaemonRecord::read(&record).unwrap(), whole);
        let mut change = |base, groups: &[(&str, Option<u64>)], behind: &[(&str, &str, Option<u64>)]| {
            let unsaved = Unsaved {
                groups: groups.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect(),
                behind: behind.iter().map(|(g, p, old)| (((*g).to_owned(), (*p).to_owned()), *old)).collect(),
                ..Unsaved::default()
            };
            let itself = DaemonRecord { base, ..DaemonRecord::default() };
            record.push(b'\n');
            record.extend(serde_json::to_vec(&DaemonChange::new(itself, unsaved)).unwrap());
            DaemonRecord::read(&record).unwrap()
        };
        let read = change(1, &[("a", Some(2)), ("d", Some(2))], &[("a", "q", None), ("d", "p", Some(1))]);
        assert_eq!(read.groups, named(&[("c", 1), ("a", 2), ("b", 1), ("d", 2)]));
        let behind = [("a", "p", 1), ("d", "p", 1)].map(|(g, p, old)| (g.to_owned(), p.to_owned(), old));
        assert_eq!(read.behind, behind);
        change(2, &[("c", None)], &[]);
        let read = change(3, &[("c", Some(3))], &[("a", "p", None)]);
        assert_eq!((read.base, read.behind.len()), (3, 1));
        assert_eq!(read.groups, named(&[("a", 2), ("b", 1), ("d", 2), ("c", 3)]));
        record.extend(b"\nnonsense");
        assert!(DaemonRecord::read(&record).is_err());
    }

    /// Of ten thousand that watch something one changes: that alone is written, and the others are still known.
    #[test]
    fn files_that_have_not_changed_are_not_written_again() {
        let seen = |files| Seen { patterns: 1, files };
        let watched = |all: &[(&str, u64)]| -> BTreeMap<String, Seen> {
            all.iter().map(|(section, files)| ((*section).to_owned(), seen(*files))).collect()
        };
        let of = |all: &[(&str, u64)]| DaemonRecord {
            standing: Standing { watched: watched(all), ..Standing::default() },
            ..DaemonRecord::default()
        };
        let mut record = serde_json::to_vec(&of(&[("a", 1), ("b", 1), ("c", 1)])).unwrap();
        let unsaved = Unsaved {
            watched: [("a", Some(seen(2))), ("b", None)].map(|(name, seen)| (name.to_owned(), seen)).into(),
            ..Unsaved::default()
        };
        for unsaved in [unsaved, Unsaved::default()] {
            record.push(b'\n');
            record.extend(serde_json::to_vec(&DaemonChange::new(of(&[]), unsaved)).unwrap());
            assert_eq!(DaemonRecord::read(&record).unwrap(), of(&[("a", 2), ("c", 1)]));
        }
        let itself = serde_json::to_string(&of(&[("d", 4)])).unwrap();
        record.extend(format!("\n{{\"itself\":{itself},\"groups\":[],\"behind\":[]}}").bytes());
        assert_eq!(DaemonRecord::read(&record).unwrap(), of(&[("d", 4)]), "as an earlier version wrote it");
    }
}
