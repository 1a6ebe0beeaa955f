//! The fake machine: children that live by their plans, and the keeper that forks, signals and reaps them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use upkeep_core::health::{Finding, Word};
use upkeep_core::signal::Signal;
use upkeep_core::{Input, Mono, RunEnd, RunId, SignalFailure, SignalId};

use crate::plan::{Plan, Reaction, Signalling};

/// Something that was done to, or by, a child: all that the world outside sees of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Mono,
    /// The process, named as in `status`.
    pub process: String,
    /// What.
    pub did: Did,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// A child was forked.
    Fork,
    /// No child could be made.
    FailToFork,
    /// A signal was sent.
    Signal {
        /// Which.
        signal: Signal,
        /// To the whole process group.
        group: bool,
    },
    /// The child ended.
    End(RunEnd),
}

/// A child the keeper holds until its end has been taken in.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) process: String,
    pub(crate) pid: u32,
    pub(crate) since: Mono,
    pub(crate) ended: Option<(RunEnd, Mono)>,
    /// The supervisor no longer knows it: it ended as UNKNOWN, or belongs to no configured process.
    pub(crate) abandoned: bool,
    plan: Plan,
    /// How often it was asked how it is.
    asked: usize,
}

/// What will happen by itself.
#[derive(Clone, Debug)]
enum Happening {
    Fork { run: RunId, process: String, plan: Plan },
    Fail { run: RunId, process: String, plan: Plan, text: String },
    End { run: RunId, end: RunEnd },
    Answer { id: SignalId, outcome: Result<(), SignalFailure> },
    Check { run: RunId, number: u64, finding: Finding },
    Say { run: RunId, word: Word },
}

/// All children, and what is going to happen to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    agenda: BTreeMap<(Mono, u64), Happening>,
    pub(crate) children: BTreeMap<RunId, Child>,
    plans: BTreeMap<String, VecDeque<Plan>>,
    pub(crate) deeds: Vec<Deed>,
    /// Time from a signal's sending to the answer.
    pub(crate) answer_takes: Duration,
    happenings: u64,
    forks: u32,
}

impl Child {
    fn react(&mut self) -> Reaction {
        let last = self.plan.answers.len().saturating_sub(1);
        let reaction = self.plan.answers.get(self.asked.min(last)).copied();
        self.asked += 1;
        reaction.unwrap_or(Reaction::Nothing)
    }
}

/// The first pid is this plus one.
const FIRST_PID: u32 = 100;

impl Machine {
    /// What the next children of a process do, one each; the last one is what all later ones do.
    pub(crate) fn plan(&mut self, process: &str, plans: Vec<Plan>) {
        self.plans.insert(process.to_owned(), plans.into());
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.agenda.keys().next().map(|&(at, _)| at)
    }

    /// Lets the next thing happen; the fact it is for the daemon, if any.
    pub(crate) fn happen(&mut self) -> Option<Input> {
        let ((at, _), happening) = self.agenda.pop_first()?;
        match happening {
            Happening::Fork { run, process, plan } => Some(self.fork(at, run, process, plan)),
            Happening::Fail { run, process, text, .. } => {
                self.did(at, &process, Did::FailToFork);
                Some(Input::SpawnFailed { run, text })
            }
            Happening::End { run, end } => self.end(at, run, end),
            Happening::Answer { id, outcome } => Some(Input::Signalled { id, outcome }),
            Happening::Check { run, number, finding } => Some(Input::Checked { run, number, finding }),
            Happening::Say { run, word } => {
                let child = self.children.get(&run).filter(|child| child.ended.is_none())?;
                let word = Input::Notified { run, word };
                (!child.abandoned).then_some(word)
            }
        }
    }

    /// An order to make a child.
    pub(crate) fn launch(&mut self, now: Mono, run: RunId, process: &str) {
        let plan = self.next_plan(process);
        let at = now.after(plan.launch_takes);
        let process = process.to_owned();
        let happening = match plan.fails.clone() {
            Some(text) => Happening::Fail { run, process, plan, text },
            None => Happening::Fork { run, process, plan },
        };
        self.schedule(at, happening);
    }

    /// An order to send a signal.
    pub(crate) fn signal(&mut self, now: Mono, id: SignalId, run: RunId, signal: Signal, group: bool) {
        let outcome = self.send(now, run, signal, group);
        self.schedule(now.after(self.answer_takes), Happening::Answer { id, outcome });
    }

    /// An order to ask a child how it is; it takes a millisecond to answer.
    pub(crate) fn ask(&mut self, now: Mono, run: RunId, number: u64) {
        let living = self.children.get_mut(&run).filter(|child| child.ended.is_none());
        let finding = match living.map(Child::react) {
            Some(Reaction::Nothing) => return,
            Some(Reaction::Well) => Finding::Good,
            Some(Reaction::Ill) => Finding::Bad("HTTP status 500".to_owned()),
            Some(Reaction::Unasked) => Finding::None,
            None => Finding::Bad("connection refused".to_owned()),
        };
        self.schedule(now.after(Duration::from_millis(1)), Happening::Check { run, number, finding });
    }

    /// Sends a signal; what the system says to it.
    pub(crate) fn send(
        &mut self,
        now: Mono,
        run: RunId,
        signal: Signal,
        group: bool,
    ) -> Result<(), SignalFailure> {
        let gone = || SignalFailure { gone: true, error: "[Errno 3] No such process".to_owned() };
        let child = self.children.get(&run).filter(|child| child.ended.is_none()).ok_or_else(gone)?;
        match child.plan.signalling {
            Signalling::Gone => return Err(gone()),
            Signalling::Denied => {
                let error = "[Errno 1] Operation not permitted".to_owned();
                return Err(SignalFailure { gone: false, error });
            }
            Signalling::Works => {}
        }
        let (process, end) = (child.process.clone(), child.plan.end_by(signal));
        self.did(now, &process, Did::Signal { signal, group });
        if let Some((after, end)) = end {
            self.schedule(now.after(after), Happening::End { run, end });
        }
        Ok(())
    }

    /// Ends a child now, whatever its plan was. False if there is no such living child.
    pub(crate) fn kill(&mut self, now: Mono, run: RunId, end: RunEnd) -> bool {
        let lives = self.children.get(&run).is_some_and(|child| child.ended.is_none());
        if lives {
            self.schedule(now, Happening::End { run, end });
        }
        lives
    }

    /// The daemon has taken in a child's end.
    pub(crate) fn release(&mut self, run: RunId) {
        self.children.remove(&run);
    }

    /// Runs of living children of a process.
    pub(crate) fn living(&self, process: &str) -> Vec<RunId> {
        let of = |child: &Child| child.process == process && child.ended.is_none() && !child.abandoned;
        self.children.iter().filter(|(_, child)| of(child)).map(|(&run, _)| run).collect()
    }

    /// Whether a child ends in this instant.
    pub(crate) fn is_doomed(&self, wanted: RunId, now: Mono) -> bool {
        let soon = self.agenda.range(..=(now, u64::MAX));
        soon.into_iter()
            .any(|(_, happening)| matches!(happening, Happening::End { run, .. } if *run == wanted))
    }

    /// Whether a child for a run is ordered but not made yet.
    pub(crate) fn is_launching(&self, wanted: RunId) -> bool {
        self.agenda.values().any(|happening| match happening {
            Happening::Fork { run, .. } | Happening::Fail { run, .. } => *run == wanted,
            Happening::End { .. }
            | Happening::Answer { .. }
            | Happening::Check { .. }
            | Happening::Say { .. } => false,
        })
    }

    /// The daemon is dead: forks that were ordered but not made yet are forgotten. Their plans are for the next ones.
    pub(crate) fn forget_launches(&mut self) {
        let agenda = std::mem::take(&mut self.agenda);
        for (key, happening) in agenda.into_iter().rev() {
            match happening {
                Happening::Fork { process, plan, .. } | Happening::Fail { process, plan, .. } => {
                    self.plans.entry(process).or_default().push_front(plan);
                }
                Happening::End { .. }
                | Happening::Answer { .. }
                | Happening::Check { .. }
                | Happening::Say { .. } => {
                    self.agenda.insert(key, happening);
                }
            }
        }
    }

    /// The daemon is dead: forks that were ordered are made all the same, now.
    pub(crate) fn hasten_launches(&mut self, now: Mono) {
        let agenda = std::mem::take(&mut self.agenda);
        for ((at, number), happening) in agenda {
            let at = match happening {
                Happening::Fork { .. } | Happening::Fail { .. } => now,
                Happening::End { .. }
                | Happening::Answer { .. }
                | Happening::Check { .. }
                | Happening::Say { .. } => at,
            };
            self.agenda.insert((at, number), happening);
        }
    }

    /// The daemon is dead: what was to be told to it about signals and checks is lost.
    pub(crate) fn forget_answers(&mut self) {
        self.agenda.retain(|_, happening| match happening {
            Happening::Answer { .. } | Happening::Check { .. } => false,
            Happening::Fork { .. }
            | Happening::Fail { .. }
            | Happening::End { .. }
            | Happening::Say { .. } => true,
        });
    }

    fn next_plan(&mut self, process: &str) -> Plan {
        let Some(plans) = self.plans.get_mut(process) else {
            // An errand (`web pre_start`) does what it is for, unless there is another plan.
            let errand = process.contains(' ');
            return if errand { Plan::exits(Duration::ZERO, 0) } else { Plan::runs() };
        };
        let next = if plans.len() > 1 { plans.pop_front() } else { plans.front().cloned() };
        next.unwrap_or_else(Plan::runs)
    }

    fn fork(&mut self, at: Mono, run: RunId, process: String, plan: Plan) -> Input {
        self.forks += 1;
        let pid = FIRST_PID + self.forks;
        self.did(at, &process, Did::Fork);
        if let Some((after, end)) = plan.ends {
            self.schedule(at.after(after), Happening::End { run, end });
        }
        for (after, word) in plan.says.clone() {
            self.schedule(at.after(after), Happening::Say { run, word });
        }
        let child = Child { process, pid, since: at, ended: None, abandoned: false, plan, asked: 0 };
        self.children.insert(run, child);
        Input::Spawned { run, pid, at }
    }

    fn end(&mut self, at: Mono, run: RunId, end: RunEnd) -> Option<Input> {
        let child = self.children.get_mut(&run)?;
        if child.ended.is_some() {
            return None;
        }
        child.ended = Some((end, at));
        let process = child.process.clone();
        self.did(at, &process, Did::End(end));
        Some(Input::Exited { run, end, at })
    }

    fn did(&mut self, at: Mono, process: &str, did: Did) {
        self.deeds.push(Deed { at, process: process.to_owned(), did });
    }

    fn schedule(&mut self, at: Mono, happening: Happening) {
        self.happenings += 1;
        self.agenda.insert((at, self.happenings), happening);
    }
}
