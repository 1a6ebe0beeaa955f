//! Commands that people type, each on a thread of its own: the faults go on meanwhile.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::causes::Causes;
use crate::rig::run::{Said, run};

/// Commands under way.
#[derive(Default)]
pub(super) struct Errands {
    under_way: Vec<(Vec<String>, JoinHandle<Said>)>,
    pub(super) done: usize,
    /// Those that said that something went wrong, as one does whose answer is cut by a death.
    pub(super) failed: usize,
}

impl Errands {
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < 3
    }

    /// Whether a command is at work on a process.
    pub(super) fn concern(&self, name: &str) -> bool {
        self.under_way.iter().any(|(names, _)| names.iter().any(|other| other == name))
    }

    /// Runs `program` in `home`; it may stop and start `names` as long as it runs.
    pub(super) fn begin(
        &mut self,
        causes: &Arc<Causes>,
        names: Vec<String>,
        home: &std::path::Path,
        program: &str,
        words: &[&str],
    ) {
        let (causes, concerned) = (Arc::clone(causes), names.clone());
        causes.begin(concerned.iter().map(String::as_str));
        let (home, program) = (home.to_owned(), home.join("bin").join(program));
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let work = move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let said = run(&program, &words, &home);
            causes.end(&concerned);
            said
        };
        self.under_way.push((names, std::thread::spawn(work)));
    }

    /// Takes note of what has ended; returns what they said.
    pub(super) fn collect(&mut self) -> Vec<Said> {
        let (ended, going): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(_, thread)| thread.is_finished());
        self.under_way = going;
        let said: Vec<Said> =
            ended.into_iter().map(|(_, thread)| thread.join().expect("a command")).collect();
        self.done += said.len();
        self.failed += said.iter().filter(|said| said.status != Some(0)).count();
        said
    }

    pub(super) fn idle(&self) -> bool {
        self.under_way.is_empty()
    }
}
