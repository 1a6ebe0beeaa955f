//! How much memory runs use that have a limit of it: what the kernel says of a child and of all that descend from it.
//!
//! The kernel may keep a reader waiting: while a page of a process comes from a dead disk, nobody can look at its memory. So
//! that is done on threads of its own; one that hangs is left alone, and the others are measured by the next.

mod group;
mod shares;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use upkeep_core::{Meter, RunId, Usage};
use upkeep_logs::Level;

use crate::preparing::one_by_one;
use crate::shell::{Message, Shell};
use shares::{Families, families, family};

/// How long the others wait for one.
const PATIENCE: Duration = Duration::from_secs(2);
/// Processes that are looked at at a time; while so many hang, nobody else is.
const MOST_AT_ONCE: usize = 8;

/// What is known of runs that are being measured.
#[derive(Debug, Default)]
pub(crate) struct Measuring {
    /// How many are looked at.
    at_once: Arc<AtomicUsize>,
    /// Runs of which it was said that they cannot be looked at.
    said: BTreeSet<RunId>,
}

/// Whom to measure.
#[derive(Clone, Debug)]
struct Target {
    pid: u32,
    /// The control group that it has joined.
    cgroup: Option<PathBuf>,
}

/// What measuring comes to.
pub(crate) type Measured = Result<Usage, String>;

/// Said of what is looked at another time.
const NOTHING: Usage = Usage { bytes: 0, meter: Meter::Shares };

/// A run that is measured. It is told of in any case, be it that there was no thread to be had.
struct Asked {
    run: RunId,
    target: Target,
    messages: UnboundedSender<Message>,
    memory: Measured,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Ok(NOTHING));
        // Fails only when the daemon has ended.
        let _ = self.messages.send(Message::Measured { run: self.run, memory });
    }
}

impl Shell {
    /// Measures what these runs use; each is told by [`Message::Measured`].
    pub(crate) fn measure(&mut self, runs: Vec<(RunId, u32)>) {
        if runs.is_empty() {
            return;
        }
        let targets = runs.into_iter().map(|(run, pid)| (run, Target { pid, cgroup: self.cgroup_of(run) }));
        let targets: VecDeque<(RunId, Target)> = targets.collect();
        let families = OnceLock::new();
        let read = move |target: &Target| used_by(target, families.get_or_init(families_now));
        tokio::spawn(measure_each(
            targets,
            PATIENCE,
            read,
            self.messages.clone(),
            self.measuring.at_once.clone(),
        ));
    }

    fn cgroup_of(&self, run: RunId) -> Option<PathBuf> {
        let process = self.core.process(self.core.process_of(run)?)?;
        Some(process.spec().confinement.as_ref()?.cgroup.as_ref()?.folder.clone().into())
    }

    /// Nobody waits any longer for the memory of a run.
    pub(crate) fn not_measured_in_time(&mut self, run: RunId) {
        let core = &self.core;
        self.measuring.said.retain(|&run| core.process_of(run).is_some());
        let process = core.process_of(run).and_then(|id| core.process(id));
        if let Some(process) = process.filter(|_| self.measuring.said.insert(run)) {
            let (name, pid) = (process.name(), process.pid());
            let text = format!(
                "memory_limit of '{name}' ({pid}) has no effect at present: its memory cannot be read, perhaps because a \
                 disk does not answer that a part of it comes from"
            );
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
    patience: Duration,
    read: impl Fn(&Target) -> Measured + Send + Sync + 'static,
    messages: UnboundedSender<Message>,
    at_once: Arc<AtomicUsize>,
) {
    let asked = |(run, target)| {
        let messages = messages.clone();
        (run, Asked { run, target, messages, memory: Ok(NOTHING) })
    };
    let (items, read) = (targets.into_iter().map(asked).collect(), Arc::new(read));
    let work = move |_: RunId, mut asked: Asked| {
        if at_once.fetch_add(1, Ordering::Relaxed) < MOST_AT_ONCE {
            asked.memory = read(&asked.target);
        }
        at_once.fetch_sub(1, Ordering::Relaxed);
    };
    one_by_one(items, patience, work, |run, _| {
        let _ = messages.send(Message::NotMeasuredInTime { run });
    })
    .await;
}

/// What a process and all that descend from it use: what their control group says if it is theirs alone, else what they say.
fn used_by(target: &Target, families: &Families) -> Measured {
    let family = family(target.pid, families);
    if let Some(bytes) = target.cgroup.as_ref().and_then(|folder| group::used_in(folder, &family)) {
        return Ok(Usage { bytes, meter: Meter::Cgroup });
    }
    match shares::used_by(&family) {
        Ok(bytes) => Ok(Usage { bytes, meter: Meter::Shares }),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// Measures runs; those with these pids hang until the barrier lets them. What was told meanwhile, and afterwards.
    fn measured(hanging: &'static [u32], runs: u32, at_once: usize) -> (Vec<String>, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let barrier = Arc::new(Barrier::new(hanging.len() + 1));
        let (messages, mut inbox) = unbounded_channel();
        let gate = barrier.clone();
        let read = move |target: &Target| {
            if hanging.contains(&target.pid) {
                gate.wait();
            }
            Ok(Usage { bytes: u64::from(target.pid), meter: Meter::Shares })
        };
        let targets = (1..=runs).map(|pid| (RunId(pid.into()), Target { pid, cgroup: None })).collect();
        let count = Arc::new(AtomicUsize::new(at_once));
        runtime.block_on(measure_each(targets, Duration::from_secs(1), read, messages, count));
        let mut taken = |some: &mut Vec<String>| {
            while let Ok(message) = inbox.try_recv() {
                some.push(match message {
                    Message::Measured { run, memory } => {
                        format!("{} uses {}", run.0, memory.expect("measured").bytes)
                    }
                    Message::NotMeasuredInTime { run } => format!("{} hangs", run.0),
                    other => panic!("{other:?}"),
                });
            }
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        taken(&mut before);
        if !hanging.is_empty() {
            barrier.wait();
            while let Some(message) = inbox.blocking_recv() {
                after.push(format!("{message:?}"));
            }
        }
        (before, after)
    }

    #[test]
    fn who_cannot_be_read_holds_up_no_other() {
        let (before, after) = measured(&[2], 3, 0);
        assert_eq!(before, ["1 uses 1", "2 hangs", "3 uses 3"]);
        assert_eq!(after.len(), 1, "it is told of when it can be read: {after:?}");
    }

    #[test]
    fn no_more_threads_hang_than_a_few() {
        let (before, after) = measured(&[], 2, MOST_AT_ONCE);
        assert_eq!((before, after), (vec!["1 uses 0".to_owned(), "2 uses 0".to_owned()], vec![]));
    }
}
