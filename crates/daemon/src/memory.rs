//! How much memory runs use that have a limit of it: what the kernel says of a child and of all that descend from it.
//!
//! The kernel may keep a reader waiting: while a page of a process comes from a dead disk, nobody can look at its memory. So
//! that is done on threads of its own; one that hangs is left alone, and the others are measured by the next. When many hang, who waits
//! for a disk at that moment is left out, so that no more threads are lost than there have to be.

mod asked;
mod group;
mod shares;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use upkeep_core::{Meter, Process, RunId, Usage};
use upkeep_logs::Level;

use crate::patience::Patience;
use crate::preparing::{Undone, one_by_one};
use crate::shell::{Message, Shell};
use crate::tasks;
pub(crate) use asked::Unmeasured;
use asked::{Asked, Care, Place};
use shares::{Families, families, family};

/// How long the others wait for one.
const PATIENCE: Patience = Patience::For(Duration::from_secs(2));
/// What is known of runs that are being measured.
#[derive(Debug, Default)]
pub(crate) struct Measuring {
    /// How many are looked at.
    at_once: Arc<AtomicUsize>,
    /// Runs of which it was said that they cannot be looked at.
    said: BTreeSet<RunId>,
}

/// Whom to measure.
#[derive(Clone, Debug, Default)]
struct Target {
    pid: u32,
    /// The control group that it has joined.
    cgroup: Option<PathBuf>,
    /// Commands of its hooks and checks, which live in that group, too.
    beside: Vec<u32>,
}

impl Target {
    fn of(process: &Process, pid: u32) -> Self {
        let cgroup = process.spec().confinement.as_ref().and_then(|confinement| confinement.cgroup.as_ref());
        let Some(cgroup) = cgroup else { return Self { pid, ..Self::default() } };
        let beside = process.errands().iter().map(|errand| errand.pid).filter(|pid| *pid != 0);
        Self { pid, cgroup: Some(cgroup.folder.clone().into()), beside: beside.collect() }
    }
}

/// What measuring comes to.
pub(crate) type Measured = Result<Usage, String>;

impl Shell {
    /// Measures what these runs use; each is told by [`Message::Measured`].
    pub(crate) fn measure(&mut self, runs: Vec<(RunId, u32)>) {
        if runs.is_empty() {
            return;
        }
        let targets = runs.into_iter().map(|(run, pid)| (run, self.target(run, pid)));
        let targets: VecDeque<(RunId, Target)> = targets.collect();
        let families = OnceLock::new();
        let read = move |target: &Target, care| used_by(target, families.get_or_init(families_now), care);
        tasks::spawn(measure_each(
            targets,
            PATIENCE,
            read,
            self.messages.clone(),
            self.measuring.at_once.clone(),
        ));
    }

    fn target(&self, run: RunId, pid: u32) -> Target {
        let process = self.core.process_of(run).and_then(|id| self.core.process(id));
        process.map_or(Target { pid, ..Target::default() }, |process| Target::of(process, pid))
    }

    /// The memory of a run is not known at present. That is said once.
    pub(crate) fn not_measured(&mut self, run: RunId, why: Unmeasured) {
        let core = &self.core;
        self.measuring.said.retain(|&run| core.process_of(run).is_some());
        let process = core.process_of(run).and_then(|id| core.process(id));
        if let Some(process) = process.filter(|_| self.measuring.said.insert(run)) {
            let (name, pid, why) = (process.name(), process.pid(), why.as_str());
            let text = format!("memory_limit of '{name}' ({pid}) has no effect at present: {why}");
            self.log(Level::Warn, text);
        }
    }
}

fn families_now() -> Families {
    families()
}

/// Measures one after the other, each by a thread that nobody waits for longer than `patience`.
async fn measure_each(
    targets: VecDeque<(RunId, Target)>,
    patience: Patience,
    read: impl Fn(&Target, Care) -> Option<Measured> + Send + Sync + 'static,
    messages: UnboundedSender<Message>,
    at_once: Arc<AtomicUsize>,
) {
    let asked = |(run, target)| {
        let messages = messages.clone();
        (run, Asked::new(run, target, messages))
    };
    let (items, read) = (targets.into_iter().map(asked).collect(), Arc::new(read));
    let work = move |_: RunId, mut asked: Asked| {
        let (_place, others) = Place::take(&at_once);
        asked.look(others, &*read);
    };
    one_by_one(items, patience, work, |run, undone| {
        let why = match undone {
            Undone::Late => Unmeasured::Hangs,
            Undone::NoThread => Unmeasured::NoThread,
        };
        let _ = messages.send(Message::NotMeasured { run, why });
    })
    .await;
}

/// What a process and all that descend from it use: what their control group says if it is theirs alone, without what commands beside
/// it use; else what they say. `None` if they are not to be looked at.
fn used_by(target: &Target, families: &Families, care: Care) -> Option<Measured> {
    let own = family(target.pid, families);
    let beside: Vec<u32> = target.beside.iter().flat_map(|&pid| family(pid, families)).collect();
    let everybody = [own.as_slice(), &beside].concat();
    let in_group = target.cgroup.as_ref().and_then(|folder| counted_in(folder, &everybody, care));
    let looked_at = if in_group.is_some() { &beside } else { &own };
    if care == Care::Awake && looked_at.iter().any(|&pid| shares::waits_for_disk(pid)) {
        return None;
    }
    if let Some(bytes) = in_group {
        let bytes = bytes.saturating_sub(shares::anonymous(&beside));
        return Some(Ok(Usage { bytes, meter: Meter::Cgroup }));
    }
    Some(match shares::used_by(&own) {
        Ok(bytes) => Ok(Usage { bytes, meter: Meter::Shares }),
        Err(error) => Err(error.to_string()),
    })
}

/// What the group says, if it has counted all that these hold: what they got before its controller was turned on, or before they joined, it
/// has not. A quarter of that is allowed for: counts lag behind.
fn counted_in(folder: &Path, pids: &[u32], care: Care) -> Option<u64> {
    // Before the group is asked, so that what they get meanwhile is in its count.
    let resident = shares::resident(pids);
    let bytes = group::used_in(folder, pids)?;
    let has = |own: u64| own - own / 4 <= bytes;
    // What they share is more than once in the first sum; the second takes longer, and may wait for a disk.
    let counts_all = has(resident) || (care == Care::Any && has(shares::anonymous(pids)));
    counts_all.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::Ordering;

    use tokio::sync::Semaphore;
    use tokio::sync::mpsc::unbounded_channel;
    use upkeep_core::spec::{Cgroup, Confinement, GroupSpec, Hooks, ProcessSpec};
    use upkeep_core::{Effect, Input, Mono, Now, Supervisor};

    use super::asked::{MANY, MOST};
    use super::*;

    /// Measures runs while so many others hang; those with these pids hang until the barrier lets them, or, as they wait for a disk, are
    /// left out. What was told meanwhile, and afterwards.
    fn measured(hanging: &'static [u32], runs: u32, others: usize) -> (Vec<String>, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let hang = if others < MANY { hanging.len() } else { 0 };
        let barrier = Arc::new(Barrier::new(hang + 1));
        let (messages, mut inbox) = unbounded_channel();
        let (gate, over) = (barrier.clone(), Arc::new(Semaphore::new(0)));
        let patience = Patience::Told(over.clone());
        let read = move |target: &Target, care| {
            if hanging.contains(&target.pid) {
                if care == Care::Awake {
                    return None;
                }
                over.add_permits(1);
                gate.wait();
            }
            Some(Ok(Usage { bytes: u64::from(target.pid), meter: Meter::Shares }))
        };
        let target = |pid: u32| (RunId(pid.into()), Target { pid, ..Target::default() });
        let count = Arc::new(AtomicUsize::new(others));
        let all = measure_each((1..=runs).map(target).collect(), patience, read, messages, count.clone());
        runtime.block_on(all);
        let mut before = Vec::new();
        while let Ok(message) = inbox.try_recv() {
            before.push(told(message));
        }
        if hang > 0 {
            barrier.wait();
        }
        let after: Vec<String> = std::iter::from_fn(|| inbox.blocking_recv().map(told)).collect();
        assert_eq!(count.load(Ordering::Relaxed), others, "nobody is looked at any more");
        (before, after)
    }

    fn told(message: Message) -> String {
        match message {
            Message::Measured { run, memory } => {
                format!("{} uses {}", run.0, memory.expect("measured").bytes)
            }
            Message::NotMeasured { run, why } => format!("{} {why:?}", run.0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_cannot_be_read_holds_up_no_other() {
        for others in [0, MANY - 1] {
            let (before, after) = measured(&[2], 3, others);
            assert_eq!(before, ["1 uses 1", "2 Hangs", "3 uses 3"]);
            assert_eq!(after, ["2 uses 2"], "it is told of when it can be read");
        }
    }

    #[test]
    fn while_many_hang_the_others_are_measured_and_no_more_threads_hang_than_have_to() {
        for others in [MANY, MOST - 1] {
            let (before, after) = measured(&[2], 3, others);
            assert_eq!(before, ["1 uses 1", "2 Hangs", "2 uses 0", "3 uses 3"]);
            assert_eq!(after, [""; 0]);
        }
    }

    #[test]
    fn while_too_many_hang_nobody_is_measured_and_that_is_said() {
        let (before, _) = measured(&[2], 3, MOST);
        let each = |run: u32| [format!("{run} Crowd"), format!("{run} uses 0")];
        assert_eq!(before, [each(1), each(2), each(3)].concat());
    }

    #[test]
    fn who_lives_in_its_control_group_is_known_with_the_commands_beside_it() {
        for (folder, began) in [(None, true), (Some("/sys/x"), false), (Some("/sys/x"), true)] {
            let cgroup =
                folder.map(|folder| Cgroup { folder: folder.to_owned(), cpu_limit: None, pids_limit: None });
            let hooks = Hooks { pre_start: Some("migrate".to_owned()), ..Hooks::default() };
            let spec = ProcessSpec {
                confinement: cgroup
                    .map(|cgroup| Arc::new(Confinement { cgroup: Some(cgroup), ..Confinement::default() })),
                hooks: Some(Box::new(hooks)),
                ..ProcessSpec::new("web", "web")
            };
            let now = Now { mono: Mono(1), wall: 1 };
            let mut core = Supervisor::new();
            core.handle(now, Input::Setup(GroupSpec::plain("web", vec![spec])));
            core.handle(now, Input::Begin { recovered: false });
            let run = std::iter::from_fn(|| core.poll_effect()).find_map(|effect| match effect {
                Effect::Errand { run, .. } => Some(run),
                _ => None,
            });
            if began {
                core.handle(now, Input::Spawned { run: run.expect("a hook"), pid: 8, at: now.mono });
            }
            let (_, process) = core.processes().next().expect("a process");
            let target = Target::of(process, 7);
            let beside = if began && folder.is_some() { vec![8] } else { vec![] };
            assert_eq!((target.pid, target.cgroup, target.beside), (7, folder.map(PathBuf::from), beside));
        }
    }

    /// A folder stands for the control group of a process in which a command of a hook lives, too.
    #[test]
    fn a_hook_in_its_control_group_is_not_counted_and_changes_no_meter() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut children = [(); 2].map(|()| {
            let mut cat = std::process::Command::new("/bin/cat");
            cat.stdin(std::process::Stdio::piped()).spawn().expect("a process")
        });
        let [own, hook] = [0, 1].map(|at: usize| children[at].id());
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let whole = 1 << 40;
        write("memory.current", &whole.to_string());
        write("memory.stat", "");
        write("cgroup.procs", &format!("{own}\n{hook}\n"));
        let used = |beside: &[u32]| {
            let cgroup = Some(folder.path().to_owned());
            let target = Target { pid: own, cgroup, beside: beside.to_vec() };
            used_by(&target, &families(), Care::Any).expect("looked at").expect("measured")
        };
        assert_eq!(used(&[]).meter, Meter::Shares, "somebody else lives there");
        write("memory.current", "1000");
        assert_eq!(used(&[hook]).meter, Meter::Shares, "it has begun to count when they were there");
        write("memory.current", &whole.to_string());
        let with_hook = used(&[hook]);
        assert_eq!(with_hook.meter, Meter::Cgroup);
        let of_hook = whole - with_hook.bytes;
        assert!((1..100 << 20).contains(&of_hook), "what the hook uses is taken off: {of_hook}");
        for child in &mut children {
            drop(child.stdin.take());
            child.wait().expect("its end");
        }
    }
}
