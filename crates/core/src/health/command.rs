//! Checks that are commands: errands of a kind of their own, of which only so many run at once.
//!
//! Who finds no room waits for its turn. That is no failure, and its time begins when its command does. The turn is that of whoever
//! waits longest, and one that takes its time, or does not come to be, holds nobody up: after a while others run beside it. Of one process
//! there are never two: while one cannot be ended nothing is asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Asked, Finding, HealthSpec};
use crate::effect::Event;
use crate::errand::{ErrandKind, Fate, Killing, Verdict};
use crate::notice::Notice;
use crate::process::{ProcId, Process, RunId};
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now, Span};

/// Commands that run at once.
const AT_ONCE: usize = 16;
/// Who takes longer does not count among them any more: else a few that hang would keep everybody from being asked.
const TURN: Duration = Duration::from_secs(5);

/// Whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// Each until others run beside it.
    running: BTreeMap<RunId, Mono>,
    /// Processes that are to be asked, those that wait longest first.
    waiting: VecDeque<ProcId>,
    /// Commands that have outlived their processes, by group and name: who comes back under that name is the same to them.
    left: BTreeMap<RunId, (Arc<str>, String)>,
}

impl Checks {
    /// A command has ended, or nobody waits for it any more.
    pub(crate) fn is_over(&mut self, run: RunId) {
        self.running.remove(&run);
    }

    /// Its process is gone.
    pub(crate) fn leave(&mut self, run: RunId, process: &Process) {
        self.left.insert(run, (Arc::clone(&process.group), process.name().to_owned()));
    }

    fn has_left(&self, process: &Process) -> bool {
        self.left.values().any(|(group, name)| **group == *process.group && name == process.name())
    }
}

/// What is to be done with one that waits.
enum Turn {
    Now,
    /// Its last command has not ended yet.
    Later,
    /// It is not to be asked any more.
    Never,
}

impl Supervisor {
    /// Asks a process by its command as soon as it is its turn.
    pub(super) fn ask_by_command(&mut self, now: Now, id: ProcId) {
        let Some(health) = self.processes.get_mut(&id).and_then(|process| process.health.as_mut()) else {
            return;
        };
        (health.ask_at, health.asked) = (None, Some(Asked::InLine));
        self.checks.waiting.push_back(id);
        self.begin_checks(now);
    }

    /// Begins the commands whose turn it is.
    pub(crate) fn begin_checks(&mut self, now: Now) {
        if self.checks.waiting.is_empty() {
            return;
        }
        self.checks.running.retain(|_, until| *until > now.mono);
        let mut at = 0;
        while self.checks.running.len() < AT_ONCE
            && let Some(&id) = self.checks.waiting.get(at)
        {
            match self.turn_of(id) {
                Turn::Later => at += 1,
                Turn::Never => {
                    self.checks.waiting.remove(at);
                }
                Turn::Now => {
                    self.checks.waiting.remove(at);
                    self.begin_check(now, id);
                }
            }
        }
    }

    fn turn_of(&self, id: ProcId) -> Turn {
        let Some(process) = self.processes.get(&id) else { return Turn::Never };
        let waits = process.health().is_some_and(|health| health.asked == Some(Asked::InLine));
        if !waits || !self.is_looked_at(id) {
            return Turn::Never;
        }
        let runs = process.runs_errand(ErrandKind::Check) || self.checks.has_left(process);
        if runs { Turn::Later } else { Turn::Now }
    }

    /// A run has ended that may be a command without a process.
    pub(crate) fn left_check_over(&mut self, now: Now, run: RunId) {
        if self.checks.left.remove(&run).is_some() {
            self.begin_checks(now);
        }
    }

    fn begin_check(&mut self, now: Now, id: ProcId) {
        if !self.begin_errand(id, ErrandKind::Check) {
            return;
        }
        let run = self.last_run();
        let until = now.mono.after(TURN);
        self.checks.running.insert(run, until);
        if let Some(health) = self.processes.get_mut(&id).and_then(|process| process.health.as_mut()) {
            (health.asked, health.told, health.turn_until) = (Some(Asked::Command(run)), None, Some(until));
        }
        self.reschedule(id);
    }

    /// The child of a command exists: if it still has its turn, that begins now.
    pub(crate) fn check_command_begun(&mut self, id: ProcId, run: RunId, at: Mono) {
        let Some(until) = self.checks.running.get_mut(&run) else { return };
        *until = at.after(TURN);
        if let Some(health) = self.processes.get_mut(&id).and_then(|process| process.health.as_mut())
            && health.asked == Some(Asked::Command(run))
        {
            health.turn_until = Some(*until);
        }
    }

    /// A command takes its time: others go on beside it.
    pub(super) fn end_turn(&mut self, now: Now, id: ProcId) {
        let Some(health) = self.processes.get_mut(&id).and_then(|process| process.health.as_mut()) else {
            return;
        };
        health.turn_until = None;
        if let Some(Asked::Command(run)) = health.asked {
            self.checks.is_over(run);
            self.begin_checks(now);
        }
    }

    /// A process has other options: the answer to a question that is not asked any more is of no use.
    pub(crate) fn asks_differently(&mut self, now: Now, id: ProcId, old: Option<&HealthSpec>) {
        let new = self.processes.get(&id).and_then(|process| process.spec.health.as_deref());
        let old = old.and_then(HealthSpec::command);
        if old.is_some() && old != new.and_then(HealthSpec::command) {
            self.call_off_check(now, id);
        }
    }

    /// What a command has found, told before its end.
    pub(super) fn command_told(&mut self, run: RunId, finding: Finding) {
        let Some(id) = self.errand_runs.get(&run) else { return };
        if let Some(health) = self.processes.get_mut(id).and_then(|process| process.health.as_mut())
            && health.asked == Some(Asked::Command(run))
        {
            health.told = Some(finding);
        }
    }

    /// A command has ended. What it has found counts if somebody still wants to know. That it has ended is written down with what follows:
    /// else a death in between would lose the news of it.
    pub(crate) fn check_command_over(&mut self, now: Now, id: ProcId, run: RunId, verdict: &Verdict) {
        self.checks.is_over(run);
        let mut found = None;
        if let Some(process) = self.processes.get_mut(&id)
            && let Some(spec) = process.spec.health.clone()
            && let Some(health) = process.health.as_mut()
            && health.asked == Some(Asked::Command(run))
        {
            found = Some(finding(verdict, health.told.take(), &spec));
            (health.asked, health.turn_until) = (None, None);
        }
        match found.filter(|_| self.is_looked_at(id)) {
            Some(finding) => {
                self.answered(now, id, finding);
                self.reconsider(now, id, true);
            }
            None => self.publish(Event::WishChanged(id)),
        }
        self.begin_checks(now);
    }

    /// A command cannot be ended. That is all that it will ever say, and nothing else is asked until it has ended by itself.
    pub(crate) fn check_is_stuck(&mut self, now: Now, id: ProcId, run: RunId, why: &str) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let name = process.name().to_owned();
        let Some(errand) = process.errand_mut(run).filter(|errand| errand.killing != Killing::Vain) else {
            return;
        };
        errand.killing = Killing::Vain;
        let pid = errand.pid;
        self.log(Notice::CheckStuck { name, pid, why: why.to_owned() });
        self.checks.is_over(run);
        let health = self.processes.get_mut(&id).and_then(|process| process.health.as_mut());
        if let Some(health) = health.filter(|health| health.asked == Some(Asked::Command(run))) {
            (health.asked, health.turn_until) = (None, None);
            self.is_still_unanswered(now, id);
            self.reconsider(now, id, true);
        }
        self.begin_checks(now);
    }

    /// Whether its last question hangs, and cannot be taken back: then it has not answered this time, either.
    pub(super) fn is_still_unanswered(&mut self, now: Now, id: ProcId) -> bool {
        let hangs =
            |process: &Process| process.stuck_check().is_some_and(|check| check.fate == Fate::Overdue);
        let Some(process) = self.processes.get(&id).filter(|process| hangs(process)) else { return false };
        let Some(spec) = process.spec.health.as_deref() else { return false };
        let finding = Finding::Bad(no_answer(spec));
        self.answered(now, id, finding);
        true
    }
}

fn no_answer(spec: &HealthSpec) -> String {
    format!("no answer within {}", Span(spec.timeout))
}

/// What the end of a command says about its process.
fn finding(verdict: &Verdict, told: Option<Finding>, spec: &HealthSpec) -> Finding {
    match verdict {
        Verdict::Done => Finding::Good,
        Verdict::Overdue(_) => Finding::Bad(no_answer(spec)),
        Verdict::CalledOff => Finding::None,
        Verdict::Failed(end) => told.unwrap_or_else(|| Finding::Bad(end.clone())),
    }
}
