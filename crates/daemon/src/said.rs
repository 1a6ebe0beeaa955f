//! What event listeners have said and this daemon may not have taken in: the keeper holds it, so that the next one can.
//!
//! A listener says READY once. Were that lost with the daemon that had just read it, the listener would wait for an event
//! for ever, and its pool for the listener. So its words are moved to a file in memory ([`Spool`]), and the record of the
//! process says how far they have been understood.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use upkeep_core::{ProcId, RunId};
use upkeep_logs::{Sink, Spool, StreamId};

use crate::keeping::{run_of, stdout_of};
use crate::shell::{Run, Shell};
use crate::telling;

/// Memory that understood words may take before it is given back, in bytes.
const UNDERSTOOD: u64 = 64 * 1024;

const HELD: &str = "said/";

/// The words of one run.
#[derive(Debug)]
pub(crate) struct Said {
    file: Arc<OwnedFd>,
    /// Given back up to this byte.
    freed: u64,
}

/// The name under which the keeper holds the words of a run.
pub(crate) fn held_name(run: RunId) -> String {
    format!("{HELD}{}", run.0)
}

/// Whether the words of a run are held under this name.
pub(crate) fn is_held_name(name: &str) -> bool {
    name.starts_with(HELD)
}

/// Keeps what goes to `sink` for the next daemon; `held` is what an earlier one has kept, `heard` how far it has understood
/// that. Without memory or a descriptor for it, nothing is kept.
pub(crate) fn keep(sink: &mut Sink, held: Option<OwnedFd>, heard: Option<u64>) {
    let file = held.map_or_else(|| upkeep_os::memfd_with("said", &[]), Ok);
    sink.spool = file.and_then(|file| Spool::new(Arc::new(file), heard)).ok();
}

impl Shell {
    /// Lets the keeper hold what a run will have said.
    pub(crate) fn hold_said(&mut self, run: RunId, sink: &Sink) -> Option<Said> {
        let spool = sink.spool.as_ref()?;
        self.hold_surely(held_name(run), spool.file());
        Some(Said { file: Arc::clone(spool.file()), freed: spool.at() })
    }

    /// Lets another keeper hold what all runs have said.
    pub(crate) fn hold_all_said(&mut self) {
        let said = self.runs.iter().filter_map(|(run, entry)| Some((*run, entry.said.as_ref()?)));
        let all: Vec<(RunId, Arc<OwnedFd>)> = said.map(|(run, said)| (run, Arc::clone(&said.file))).collect();
        for (run, file) in all {
            self.hold_surely(held_name(run), &file);
        }
    }

    /// Forgets a run, and what it has said.
    pub(crate) fn forget_run(&mut self, run: RunId) -> Option<Box<Run>> {
        let entry = self.runs.remove(&run)?;
        if entry.said.is_some() {
            self.unhold(held_name(run));
            self.unhold(telling::held_name(run));
        }
        Some(entry)
    }

    /// A stream has been read up to this byte of what is kept of it; what comes from there counts as understood.
    pub(crate) fn hears(&mut self, id: StreamId, upto: u64) {
        let run = run_of(id);
        if id == stdout_of(run)
            && self.runs.get(&run).is_some_and(|entry| entry.said.is_some())
            && let Some(process) = self.core.process_of(run)
        {
            self.listeners.heard.insert(process, upto);
        }
    }

    /// Gives the memory of a run's words back that have been understood, once there is some.
    pub(crate) fn free_said(&mut self, id: StreamId, upto: u64) {
        let run = run_of(id);
        let Some(said) = self.runs.get(&run).and_then(|entry| entry.said.as_ref()) else { return };
        if id != stdout_of(run) || upto.saturating_sub(said.freed) < UNDERSTOOD {
            return;
        }
        let file = Arc::clone(&said.file);
        // First: the next daemon must not look for them.
        if let Some(process) = self.core.process_of(run) {
            self.save_process(process);
        }
        self.flush_link();
        if self.link.has_waiting() {
            return;
        }
        if let Some(said) = self.runs.get_mut(&run).and_then(|entry| entry.said.as_mut()) {
            said.freed = upto;
        }
        // Else it takes more memory, and that is all.
        let _ = Spool::free(&file, upto);
    }

    /// How far the words of a listener's process have been understood.
    pub(crate) fn heard(&self, process: ProcId) -> u64 {
        self.listeners.heard.get(&process).copied().unwrap_or(0)
    }
}
