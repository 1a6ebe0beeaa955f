//! Control groups that nobody needs any more: those that this supervisor has made are removed, once nobody lives in them.
//!
//! Whose a folder is stands on the folder itself, so that it outlives everybody. A folder that somebody still lives in, or
//! that has others below it, stays what it is: the kernel does not let it be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use upkeep_api::apart;
use upkeep_core::ordered;
use upkeep_core::{ProcId, Process};
use upkeep_logs::Level;

use super::is_marked;
use super::turns::{Wanted, in_turn};
use crate::shell::{Message, Shell};
use crate::tasks;

/// Waits between two tries: what was killed with its parent takes a moment to be gone.
const WAITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// How long the end of the daemon waits for folders in all.
const LAST_TRIES: Duration = Duration::from_secs(3);
/// Processes that are named.
const MOST_NAMED: usize = 5;

/// Which control groups are in use.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    /// The folder that each process joins.
    joined: BTreeMap<ProcId, String>,
    /// The same for who removes folders.
    wanted: Wanted,
    /// Somebody may have left one.
    news: bool,
    /// There are others than those written down.
    unsaved: bool,
    /// Somebody tries to remove some.
    trying: bool,
    /// Folders that were left since: what became of them before says nothing.
    anew: BTreeSet<String>,
    /// Folders of which it was said why they stay.
    said: BTreeSet<String>,
}

/// What became of a folder that is not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It is gone, or it is somebody else's.
    Done,
    /// It stays for now.
    Inhabited(String),
}

impl Shell {
    /// Brings what is known up to date with all processes: at a start, and when everything has come up again.
    pub(crate) fn survey_cgroups(&mut self) {
        let joined = self.core.processes().filter_map(|(id, process)| Some((id, folder_of(process)?)));
        let joined = ordered::map(joined);
        self.cgroups.wanted.set(ordered::set(joined.values().cloned()));
        let before = std::mem::replace(&mut self.cgroups.joined, joined);
        before.into_values().for_each(|folder| self.vacate(folder));
        let joined = ordered::set(self.cgroups.joined.values());
        self.standing.cgroups.retain(|folder| !joined.contains(folder));
        self.cgroups.news |= !self.standing.cgroups.is_empty();
    }

    /// At a fresh start: removes what an earlier daemon of ours has left beside the folders that are configured, should it have
    /// been killed with its keeper.
    pub(crate) fn sweep_cgroups(&self) {
        let joined = ordered::set(self.cgroups.joined.values().map(PathBuf::from));
        if joined.is_empty() {
            return;
        }
        let (owner, wanted) = (self.context.owner.clone(), self.cgroups.wanted.clone());
        tasks::spawn(async move {
            apart(move || sweep(&joined, &owner, &wanted)).await;
        });
    }

    /// A process is about to start, or what runs before it is.
    pub(crate) fn follow_cgroup(&mut self, id: ProcId) {
        let folder = self.core.process(id).and_then(folder_of);
        if folder.is_none() && self.cgroups.joined.is_empty() {
            return;
        }
        if let Some(folder) = &folder {
            self.cgroups.wanted.add(folder);
            self.cgroups.unsaved |= self.standing.cgroups.remove(folder);
        }
        let before = match &folder {
            Some(folder) => self.cgroups.joined.insert(id, folder.clone()),
            None => self.cgroups.joined.remove(&id),
        };
        if before != folder {
            before.into_iter().for_each(|before| self.vacate(before));
        }
    }

    /// A process is gone.
    pub(crate) fn leave_cgroup(&mut self, id: ProcId) {
        let folder = self.cgroups.joined.remove(&id);
        folder.into_iter().for_each(|folder| self.vacate(folder));
    }

    /// A process has ended: somebody may have waited for that.
    pub(crate) fn look_at_vacant_cgroups(&mut self) {
        self.cgroups.news |= !self.standing.cgroups.is_empty();
    }

    fn vacate(&mut self, folder: String) {
        let joins =
            |(_, process): (ProcId, &Process)| folder_of(process).is_some_and(|other| other == folder);
        if self.core.processes().any(joins) {
            return;
        }
        self.cgroups.wanted.remove(&folder);
        if self.cgroups.trying {
            self.cgroups.anew.insert(folder.clone());
        }
        if self.standing.cgroups.insert(folder) {
            (self.cgroups.news, self.cgroups.unsaved) = (true, true);
        }
    }

    /// Removes what nobody needs any more, on a thread of its own; it is told by [`Message::Vacated`].
    pub(crate) fn remove_vacant_cgroups(&mut self) {
        if std::mem::take(&mut self.cgroups.unsaved) {
            self.save_daemon();
        }
        if !self.cgroups.news || self.cgroups.trying {
            return;
        }
        (self.cgroups.news, self.cgroups.trying) = (false, true);
        let folders: Vec<String> = self.standing.cgroups.iter().cloned().collect();
        let (owner, messages) = (self.context.owner.clone(), self.messages.clone());
        let wanted = self.cgroups.wanted.clone();
        tasks::spawn(async move {
            let left = remove_patiently(folders, owner, wanted).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Vacated { left });
        });
    }

    /// It was tried to remove some.
    pub(crate) fn vacated(&mut self, left: Vec<(String, Left)>) {
        self.cgroups.trying = false;
        let anew = std::mem::take(&mut self.cgroups.anew);
        for (folder, left) in left.into_iter().filter(|(folder, _)| !anew.contains(folder)) {
            match left {
                Left::Done => {
                    self.cgroups.unsaved |= self.standing.cgroups.remove(&folder);
                    self.cgroups.said.remove(&folder);
                }
                Left::Inhabited(why) => self.say_that_it_stays(folder, &why),
            }
        }
    }

    fn say_that_it_stays(&mut self, folder: String, why: &str) {
        // Somebody may have joined it meanwhile.
        if self.standing.cgroups.contains(&folder) && !self.cgroups.said.contains(&folder) {
            self.log(
                Level::Warn,
                format!("control group '{folder}' is not needed any more and stays: {why}"),
            );
            self.cgroups.said.insert(folder);
        }
    }

    /// Everything has ended: no control group is needed.
    pub(crate) async fn remove_cgroups(&mut self) {
        let joined = std::mem::take(&mut self.cgroups.joined).into_values();
        let folders = ordered::set(joined.chain(std::mem::take(&mut self.standing.cgroups)));
        if folders.is_empty() {
            return;
        }
        self.cgroups.wanted.set(BTreeSet::new());
        let (owner, wanted) = (self.context.owner.clone(), self.cgroups.wanted.clone());
        let removed = remove_patiently(folders.into_iter().collect(), owner, wanted);
        for (folder, left) in tokio::time::timeout(LAST_TRIES, removed).await.unwrap_or_default() {
            if let Left::Inhabited(why) = left {
                self.log(
                    Level::Warn,
                    format!("control group '{folder}' is not needed any more and stays: {why}"),
                );
            }
        }
    }
}

fn folder_of(process: &Process) -> Option<String> {
    Some(process.spec().confinement.as_ref()?.cgroup.as_ref()?.folder.clone())
}

/// Removes the folders of this owner beside these.
fn sweep(joined: &BTreeSet<PathBuf>, owner: &[u8], wanted: &Wanted) {
    let above = ordered::set(joined.iter().filter_map(|folder| folder.parent()));
    let beside = above.into_iter().flat_map(|above| std::fs::read_dir(above).into_iter().flatten().flatten());
    for folder in beside.map(|entry| entry.path()).filter(|path| !joined.contains(path)) {
        remove(&folder, owner, wanted);
    }
}

/// Tries it more than once with those that somebody lives in.
async fn remove_patiently(mut folders: Vec<String>, owner: Vec<u8>, wanted: Wanted) -> Vec<(String, Left)> {
    let mut waits = WAITS.into_iter();
    let mut done = Vec::new();
    loop {
        let (tried, owner, wanted) = (folders.clone(), owner.clone(), wanted.clone());
        let Some(left) = apart(move || remove_all(tried, &owner, &wanted)).await else { return done };
        let (over, stay): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, left)| *left == Left::Done);
        done.extend(over);
        match waits.next().filter(|_| !stay.is_empty()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => {
                done.extend(stay);
                return done;
            }
        }
        folders = stay.into_iter().map(|(folder, _)| folder).collect();
    }
}

/// Those below others first.
fn remove_all(mut folders: Vec<String>, owner: &[u8], wanted: &Wanted) -> Vec<(String, Left)> {
    ordered::sort_by(&mut folders, |a, b| b.cmp(a));
    let remove = |folder: String| {
        let left = remove(Path::new(&folder), owner, wanted);
        (folder, left)
    };
    folders.into_iter().map(remove).collect()
}

/// Removes a folder that this owner has made, unless somebody is about to join it again.
fn remove(folder: &Path, owner: &[u8], wanted: &Wanted) -> Left {
    in_turn(folder, || remove_now(folder, owner, wanted))
}

fn remove_now(folder: &Path, owner: &[u8], wanted: &Wanted) -> Left {
    if wanted.has(folder) || !is_marked(folder, owner) {
        return Left::Done;
    }
    match std::fs::remove_dir(folder) {
        Ok(()) => Left::Done,
        Err(error) if error.kind() == ErrorKind::NotFound => Left::Done,
        Err(error) => Left::Inhabited(inhabitants(folder).unwrap_or_else(|| error.to_string())),
    }
}

/// Who lives there.
fn inhabitants(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<&str> = text.lines().collect();
    let more = if pids.len() > MOST_NAMED { " and others" } else { "" };
    pids.truncate(MOST_NAMED);
    if !pids.is_empty() {
        return Some(format!("these processes are in it: {}{more}", pids.join(", ")));
    }
    let below = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let below: Option<PathBuf> = below.into_iter().find(|path| path.join("cgroup.procs").exists());
    below.map(|below| format!("there are groups in it, such as '{}'", below.display()))
}

#[cfg(test)]
mod tests {
    use super::super::mark;
    use super::*;

    /// Folders stand for control groups, where folders can be marked.
    #[test]
    fn only_own_folders_are_removed_and_only_if_nobody_is_there() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = |name: &str| root.path().join(name).display().to_string();
        for name in ["own", "own/below", "theirs", "nobodys", "full"] {
            std::fs::create_dir(folder(name)).expect("made");
        }
        for name in ["own", "own/below", "full"] {
            mark(Path::new(&folder(name)), b"/run/a.pid");
        }
        mark(Path::new(&folder("theirs")), b"/run/a.pid2");
        if !is_marked(Path::new(&folder("own")), b"/run/a.pid") {
            // There are no marks here.
            return;
        }
        std::fs::write(root.path().join("full/cgroup.procs"), "1\n2\n3\n4\n5\n6\n").expect("written");
        let names = ["own", "own/below", "theirs", "nobodys", "full", "gone"].map(&folder);
        let wanted = Wanted::default();
        let mut left = remove_all(names.to_vec(), b"/run/a.pid", &wanted);
        left.retain(|(_, left)| *left != Left::Done);
        let why = "these processes are in it: 1, 2, 3, 4, 5 and others".to_owned();
        assert_eq!(left, [(folder("full"), Left::Inhabited(why))]);
        let there = |name: &str| Path::new(&folder(name)).exists();
        assert_eq!(["own", "theirs", "nobodys", "full"].map(there), [false, true, true, true]);
        for name in ["used", "left"] {
            std::fs::create_dir(folder(name)).expect("made");
            mark(Path::new(&folder(name)), b"/run/a.pid");
        }
        sweep(&BTreeSet::from([PathBuf::from(folder("used"))]), b"/run/a.pid", &wanted);
        assert_eq!(["used", "left", "theirs", "nobodys"].map(there), [true, false, true, true]);
        // Somebody has made it and is about to join.
        wanted.add(&folder("used"));
        assert_eq!(
            (remove(Path::new(&folder("used")), b"/run/a.pid", &wanted), there("used")),
            (Left::Done, true)
        );
        sweep(&BTreeSet::new(), b"/run/a.pid", &wanted);
        sweep(&BTreeSet::from([PathBuf::from(folder("theirs"))]), b"/run/a.pid", &wanted);
        assert!(there("used"));
        wanted.remove(&folder("used"));
        assert_eq!(
            (remove(Path::new(&folder("used")), b"/run/a.pid", &wanted), there("used")),
            (Left::Done, false)
        );
    }

    /// One who has looked whether it is wanted and is about to remove it keeps others from making it meanwhile.
    #[test]
    fn nobody_makes_what_is_being_removed() {
        let folder = Path::new("/nowhere/at all");
        let (began, begins) = std::sync::mpsc::channel();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let other = in_turn(folder, || {
                let other = scope.spawn(|| {
                    began.send(()).expect("a reader");
                    in_turn(folder, || over.load(std::sync::atomic::Ordering::SeqCst))
                });
                begins.recv().expect("it has begun");
                in_turn(Path::new("/nowhere/else"), || {});
                for _ in 0..1000 {
                    std::thread::yield_now();
                }
                over.store(true, std::sync::atomic::Ordering::SeqCst);
                other
            });
            assert!(other.join().expect("no panic"));
        });
    }

    #[test]
    fn groups_below_are_named() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("below")).expect("made");
        assert_eq!(inhabitants(root.path()), None);
        std::fs::write(root.path().join("below/cgroup.procs"), "").expect("written");
        assert!(inhabitants(root.path()).is_some_and(|why| why.starts_with("there are groups in it")));
    }
}
