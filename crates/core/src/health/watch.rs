//! What follows from words, answers and time: questions, verdicts, and what is done about them.

use super::{Asked, Finding, Health, HealthAction, HealthSpec, Verdict, Word};
use crate::depends::Along;
use crate::effect::{Effect, Event};
use crate::notice::Notice;
use crate::process::{AfterStop, Child, ProcId, Process, RunId, State};
use crate::supervisor::Supervisor;
use crate::time::{Now, Span};

/// A process that is looked at, taken apart.
struct Watched<'a> {
    spec: &'a HealthSpec,
    health: &'a mut Health,
    run: RunId,
    child: Child,
}

impl Process {
    /// What is known of its health; `None` if it is not looked at, or has no child.
    #[must_use]
    pub fn health(&self) -> Option<&Health> {
        self.health.as_deref()
    }

    /// Whether nothing is known against it: it is healthy, or its health is not looked at.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.health.as_ref().is_none_or(|health| health.verdict == Verdict::Healthy)
    }

    /// The child that is looked at.
    fn watched_child(&self) -> Option<(RunId, Child)> {
        match self.state {
            State::Starting { run, child: Some(child) } | State::Running { run, child } => Some((run, child)),
            State::Starting { child: None, .. }
            | State::Stopped
            | State::Waiting
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        }
    }

    fn watched(&mut self) -> Option<Watched<'_>> {
        let (run, child) = self.watched_child()?;
        let (spec, health) = (self.spec.health.as_deref()?, self.health.as_deref_mut()?);
        Some(Watched { spec, health, run, child })
    }

    /// Begins to look at a child that was just made.
    pub(crate) fn begin_health(&mut self) {
        let Some((_, child)) = self.watched_child() else { return };
        self.health = self.spec.health.as_ref().map(|spec| Box::new(Health::begun(spec, child)));
    }

    /// Goes on looking at a child of an earlier daemon.
    pub(crate) fn resume_health(&mut self, saved: Option<&Health>, now: Now) {
        let Some((_, child)) = self.watched_child() else {
            // What is shown while it is stopped.
            self.health = saved.filter(|_| self.state.run().is_some()).cloned().map(Box::new);
            self.health.iter_mut().for_each(|health| health.rest());
            return;
        };
        self.health = self.spec.health.as_ref().map(|spec| {
            Box::new(match saved {
                Some(saved) => saved.clone().resumed(spec, child, now.mono),
                None => Health::of_adopted(spec, now.mono),
            })
        });
    }

    /// It has entered a state: what is about to end is not looked at any more, and nothing is known of what has ended.
    pub(crate) fn rest_health(&mut self) {
        match self.state {
            State::Starting { .. } | State::Running { .. } => {}
            State::Stopping { .. } | State::Unknown { .. } => {
                self.health.iter_mut().for_each(|health| health.rest());
            }
            State::Stopped | State::Waiting | State::Backoff { .. } | State::Exited { .. } | State::Fatal => {
                self.health = None;
            }
        }
    }

    /// Follows other options while it runs on.
    pub(crate) fn adapt_health(&mut self, old: Option<&HealthSpec>, now: Now) {
        let Some((_, child)) = self.watched_child() else { return };
        match (&self.spec.health, old, &mut self.health) {
            (None, _, health) => *health = None,
            (Some(new), Some(old), Some(health)) => health.adapt(old, new, child, now.mono),
            (Some(new), _, health) => *health = Some(Box::new(Health::of_mute(new, now.mono))),
        }
    }
}

impl Supervisor {
    /// The process of a run whose health is looked at.
    fn watched_run(&self, run: RunId) -> Option<ProcId> {
        let id = *self.runs.get(&run)?;
        self.processes.get(&id).filter(|process| process.health.is_some()).map(|_| id)
    }

    /// Whether it goes on: one that is about to end is not looked at.
    pub(super) fn is_looked_at(&self, id: ProcId) -> bool {
        let stays = |process: &Process| process.after_stop == AfterStop::Stay;
        self.phase.is_running() && !self.depends.is_put_off(id) && self.processes.get(&id).is_some_and(stays)
    }

    /// The time for something may have come.
    pub(crate) fn look_at_health(&mut self, now: Now, id: ProcId) {
        let due = |process: &Process| process.health.as_ref()?.deadline().filter(|at| *at <= now.mono);
        if self.processes.get(&id).and_then(due).is_none() {
            return;
        }
        let goes_on = self.is_looked_at(id);
        if !goes_on {
            self.end_turn(now, id);
        }
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(Watched { spec, health, run, child }) = process.watched() else {
            return process.health.iter_mut().for_each(|health| health.rest());
        };
        if !goes_on {
            return health.rest();
        }
        let is_past = |at: Option<crate::time::Mono>| at.is_some_and(|at| at <= now.mono);
        let mut news = false;
        if is_past(health.silent_at) {
            health.note_silence(spec);
            news = true;
        }
        if is_past(health.ready_by) {
            health.note_lateness(spec);
            news = true;
        }
        if is_past(health.turn_until) {
            self.end_turn(now, id);
        } else if is_past(health.asked_until()) {
            let reason = format!("no answer within {}", Span(spec.timeout));
            news |= self.answered(now, id, Finding::Bad(reason));
        } else if is_past(health.ask_at) && spec.command().is_some() {
            if self.is_still_unanswered(now, id) {
                news = true;
            } else {
                self.ask_by_command(now, id);
            }
        } else if is_past(health.ask_at) {
            let number = health.asked_next(spec, child, now);
            self.order(Effect::Check { id, run, number });
        }
        self.reconsider(now, id, news);
    }

    /// A check is over.
    pub(crate) fn checked(&mut self, now: Now, run: RunId, number: u64, finding: Finding) {
        if self.errand_runs.contains_key(&run) {
            return self.command_told(run, finding);
        }
        let Some(id) = self.watched_run(run) else { return };
        let asked = self.processes.get(&id).and_then(|process| process.health()?.asked);
        let awaited = matches!(asked, Some(Asked::Question(asked, _)) if asked == number);
        if awaited && self.is_looked_at(id) {
            let news = self.answered(now, id, finding);
            self.reconsider(now, id, news);
        }
    }

    /// Takes in what came of a check. True if the next daemon has to know.
    pub(super) fn answered(&mut self, now: Now, id: ProcId, finding: Finding) -> bool {
        let Some(process) = self.processes.get_mut(&id) else { return false };
        let name = process.name().to_owned();
        let Some(Watched { spec, health, run, child }) = process.watched() else { return false };
        health.asked = None;
        health.note_check(&finding, now.wall);
        let (news, failure) = match finding {
            Finding::None => (false, None),
            Finding::Good => (health.succeeded(spec), None),
            Finding::Bad(reason) => {
                let counts = health.failed(spec, child, reason.clone(), now.mono);
                (counts, Some((counts.then_some((health.failures, spec.failures)), reason)))
            }
        };
        health.ask_at = Some(health.next_ask(spec, child, run, now.mono));
        if let Some((count, reason)) = failure {
            self.log(Notice::CheckFailed { name, reason, count });
        }
        news
    }

    /// A process says something.
    pub(crate) fn notified(&mut self, now: Now, run: RunId, word: Word) {
        let Some(id) = self.watched_run(run) else { return };
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(Watched { spec, health, .. }) = process.watched() else { return };
        let news = health.heard(spec, word, now.mono);
        self.reconsider(now, id, news);
    }

    /// Perhaps it is thought of in another way now; with `news` the next daemon has to know of something in any case. That is written
    /// down with the event, so that no death comes between them.
    pub(crate) fn reconsider(&mut self, now: Now, id: ProcId, news: bool) {
        self.reschedule(id);
        let goes_on = self.is_looked_at(id);
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (name, pid) = (process.name().to_owned(), process.pid());
        let Some(Watched { spec, health, .. }) = process.watched() else { return };
        let verdict = health.judge(spec);
        if verdict == health.verdict || !goes_on {
            if news {
                self.publish(Event::WishChanged(id));
            }
            return;
        }
        (health.verdict, health.since) = (verdict, now.wall);
        let (reason, action) = (health.reason.clone().unwrap_or_default(), spec.action);
        match verdict {
            Verdict::Unknown => self.publish(Event::WishChanged(id)),
            Verdict::Healthy => {
                self.publish(Event::Health { id, pid, healthy: true, reason: String::new() });
                self.log(Notice::Healthy { name, pid });
            }
            Verdict::Unhealthy => {
                self.publish(Event::Health { id, pid, healthy: false, reason: reason.clone() });
                self.log(Notice::Unhealthy { name, pid, reason: reason.clone(), action });
            }
        }
        self.depends.changed_health(id);
        self.rolling.follow(id);
        if verdict == Verdict::Unhealthy && action != HealthAction::None {
            self.end_unhealthy(now, id, action, &reason);
        }
    }

    /// Stops an unhealthy process, those that depend on it first; to restart, it has to come through the restart policy.
    fn end_unhealthy(&mut self, now: Now, id: ProcId, action: HealthAction, reason: &str) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if let Some((_, child)) = process.watched_child() {
            process.note_uptime(now.mono.since(child.since));
        }
        process.spawnerr = Some(format!("Unhealthy: {reason}"));
        if action == HealthAction::Restart {
            process.after_stop = AfterStop::Again;
        }
        self.publish(Event::WishChanged(id));
        self.stop_in_order(now, &[id], Along::Dependants);
    }

    /// Somebody stops a process that was about to be stopped only to start again.
    pub(crate) fn stop_for_good(&mut self, id: ProcId) {
        if self.processes.get_mut(&id).is_some_and(Process::forget_to_start_again) {
            self.publish(Event::WishChanged(id));
        }
    }
}

impl Health {
    /// Notes that it is asked now; the question's number.
    fn asked_next(&mut self, spec: &HealthSpec, child: Child, now: Now) -> u64 {
        // Times are never the same twice for one run: the last question was waited for, or answered, and then came a pause.
        let number = now.mono.since(child.since).as_nanos();
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.asked = Some(Asked::Question(number, now.mono.after(spec.timeout)));
        self.ask_at = None;
        number
    }
}
