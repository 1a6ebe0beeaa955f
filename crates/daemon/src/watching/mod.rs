//! `watch`: files whose change starts a program again. One thread looks at them, from the first program on that wants it until
//! the last one does not any more; who never does pays nothing.
//!
//! The kernel's notices (inotify) only say that it is time to look. What is compared is what is there: a number made of the
//! names, sizes, times and inodes of all files that a program watches. So a file that was replaced, a link that was turned to
//! another release and a change that no notice told of all count, once, and what was written down as seen outlives this
//! daemon: the next one acts on what happened meanwhile.

mod digest;
mod pattern;
mod thread;
mod tree;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use upkeep_api::{Reply, Responder};
use upkeep_core::ordered;
use upkeep_core::spec::{GroupSpec, WatchAction, WatchSpec};
use upkeep_core::{ErrandKind, Input, ProcId, Request};
use upkeep_logs::Level;

use crate::shell::{Message, Purpose, Shell};
use crate::tasks;

/// How often it is looked whether a reload is over that another change came in.
const AFTER_RELOAD: Duration = Duration::from_millis(200);

/// What a program wants watched.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Such as `program:web`.
    pub(crate) section: Arc<str>,
    pub(crate) spec: Arc<WatchSpec>,
    /// What was seen before.
    pub(crate) known: Option<Seen>,
}

/// What a program's files were like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Made of the patterns: those of others cannot be compared.
    pub(crate) patterns: u64,
    /// Made of the files.
    pub(crate) files: u64,
}

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum Noticed {
    /// A program's files are like this; `changed` is why it is told if they were otherwise before.
    Files { section: Arc<str>, seen: Seen, changed: Option<String> },
    /// Something cannot be watched.
    Trouble { section: Arc<str>, text: String },
}

/// The thread, as long as there is one.
#[derive(Debug)]
pub(crate) struct Watching {
    /// What is wanted from now on, in the order of the sections.
    orders: Sender<Vec<Wanted>>,
    wake: Arc<OwnedFd>,
}

impl Watching {
    fn start(messages: tokio::sync::mpsc::UnboundedSender<Message>) -> std::io::Result<Self> {
        let (orders, taken) = std::sync::mpsc::channel();
        let wake = Arc::new(thread::bell()?);
        let ring = wake.clone();
        let run = move || {
            // Fails only when the daemon has ended.
            let tell = |noticed| drop(messages.send(Message::Noticed(noticed)));
            thread::run(&taken, &ring, &tell);
        };
        std::thread::Builder::new().name("upkeep-watch".to_owned()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self { orders, wake })
    }

    /// Whether the thread is there to hear it.
    fn order(&self, wanted: Vec<Wanted>) -> bool {
        let heard = self.orders.send(wanted).is_ok();
        thread::ring(&self.wake);
        heard
    }
}

/// Whether a group wants anything watched.
pub(crate) fn is_wanted(group: &GroupSpec) -> bool {
    group.processes.iter().any(|process| process.watch.is_some())
}

impl Shell {
    /// Active groups are others than before: watches what they want watched.
    pub(crate) fn follow_files(&mut self) {
        let wanted = self.wanted_files();
        if wanted.is_empty() && self.watching.is_none() {
            return;
        }
        let sections = ordered::set(wanted.iter().map(|want| &*want.section));
        let left = self.standing.watched.extract_if(.., |section, _| !sections.contains(section.as_str()));
        self.unsaved.watched.extend(left.map(|(section, _)| (section, None)));
        if wanted.is_empty() {
            // Without orders to come the thread ends.
            if let Some(watching) = self.watching.take() {
                watching.order(Vec::new());
            }
            return;
        }
        if self.watching.as_ref().is_some_and(|watching| watching.order(wanted.clone())) {
            return;
        }
        match Watching::start(self.messages.clone()) {
            Ok(watching) => {
                watching.order(wanted);
                self.watching = Some(Box::new(watching));
            }
            Err(error) => {
                self.log(Level::Error, format!("watch has no effect: cannot start a thread: {error}"));
            }
        }
    }

    /// By section: the copies of a program have one.
    fn wanted_files(&self) -> Vec<Wanted> {
        let mut wanted: BTreeMap<&str, Wanted> = BTreeMap::new();
        for process in self.active.iter().flat_map(|group| &group.spec.processes) {
            let Some(spec) = &process.watch else { continue };
            wanted.entry(&process.section).or_insert_with(|| Wanted {
                section: process.section.clone(),
                spec: spec.clone(),
                known: self.standing.watched.get(&*process.section).copied(),
            });
        }
        wanted.into_values().collect()
    }

    pub(crate) fn files_noticed(&mut self, noticed: Noticed) {
        match noticed {
            Noticed::Trouble { section, text } => {
                self.log(Level::Warn, format!("watch of [{section}]: {text}"));
            }
            Noticed::Files { section, seen, changed } => {
                let action = self.watch_action_of(&section);
                if changed.is_some() && action == Some(WatchAction::Reload) && self.reloads(&section) {
                    return self.notice_later(Noticed::Files { section, seen, changed });
                }
                if let (Some(action), Some(why)) = (action, changed) {
                    self.files_have_changed(&section, action, &why);
                }
                self.seen_files.push((section, seen));
            }
        }
    }

    /// Whether a process still reads its files anew.
    fn reloads(&self, section: &str) -> bool {
        let mut of_section = self.core.processes().filter(|(_, process)| *process.spec().section == *section);
        of_section
            .any(|(_, process)| process.errands().iter().any(|errand| errand.kind == ErrandKind::Reload))
    }

    /// What came while a reload was under way is one of its own.
    fn notice_later(&self, noticed: Noticed) {
        let messages = self.messages.clone();
        tasks::spawn(async move {
            tokio::time::sleep(AFTER_RELOAD).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Noticed(noticed));
        });
    }

    fn watch_action_of(&self, section: &str) -> Option<WatchAction> {
        let mut processes = self.active.iter().flat_map(|group| &group.spec.processes);
        let found = processes.find(|process| *process.section == *section && process.watch.is_some())?;
        found.watch.as_ref().map(|watch| watch.action)
    }

    fn files_have_changed(&mut self, section: &str, action: WatchAction, why: &str) {
        self.log(Level::Info, format!("watch of [{section}]: {why}"));
        match action {
            WatchAction::Restart => self.tell(Input::FilesChanged { section: section.to_owned() }),
            WatchAction::Reload => self.reload_for_files(section),
        }
    }

    fn reload_for_files(&mut self, section: &str) {
        let of_section = self.core.processes().filter(|(_, process)| *process.spec().section == *section);
        let targets: Vec<ProcId> = of_section.map(|(id, _)| id).collect();
        let (reply, answer) = Responder::new();
        self.ask(Request::ReloadMany { targets }, Purpose::Control, reply);
        let (engine, section) = (self.engine.clone(), section.to_owned());
        tasks::spawn(async move {
            let Ok(Ok(Reply::Results(results))) = answer.await else { return };
            for result in results {
                let Some(fault) = result.fault else { continue };
                let why = format!("watch of [{section}]: {} was not reloaded: {fault}", result.name);
                engine.journal(Level::Warn, why);
            }
        });
    }

    /// Writes down what was acted upon, once what followed from it has been written down. A daemon that dies between the
    /// two acts again.
    pub(crate) fn save_seen_files(&mut self) {
        if self.seen_files.is_empty() {
            return;
        }
        for (section, seen) in std::mem::take(&mut self.seen_files) {
            self.standing.watched.insert(section.to_string(), seen);
            self.unsaved.watched.insert(section.to_string(), Some(seen));
        }
        self.save_changes();
    }
}
