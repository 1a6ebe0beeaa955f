//! Health: whether a process has said that it is ready, and whether it answers when it is asked.
//!
//! # Theory of operation
//!
//! A process whose program has a `health_check`, a `ready` or a `health_watchdog` has a [`Health`] for as long as its child lives;
//! others have none, and cost nothing. Three things are looked at: what the process says by itself (READY=1, WATCHDOG=1, a newline),
//! the answers to checks, and the time. Each check has a number, so that a late answer changes nothing; who does not answer in time
//! is not waited for. A check that is a command is an errand (`command`). From all that follows a [`Verdict`], and from a new verdict an event, a line of the log, the starts that waited
//! for it, and what `health_action` says.
//!
//! A restart for the sake of health is a stop, and then what the restart policy says of a process that ended.

mod command;
mod spec;
mod watch;

pub(crate) use command::Checks;
pub use spec::{Check, HealthAction, HealthSpec, Ready, endpoint};

use crate::process::{Child, RunId};
use crate::time::{Mono, Span};

/// What is thought of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is ready, and answers.
    Healthy,
    /// It is not, or does not.
    Unhealthy,
}

impl Verdict {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Something that a process says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is ready.
    Ready,
    /// It lives.
    Alive,
    /// It has noticed that something is wrong with itself.
    Sick,
    /// What it does, for people.
    Status(String),
    /// Its main process.
    MainPid(u32),
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is well.
    Good,
    /// It is not, and why.
    Bad(String),
    /// It could not be asked, for want of something that is not its own: that says nothing.
    None,
}

/// How the last check went that said anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCheck {
    /// When it was over, in epoch seconds.
    pub at: i64,
    /// What was wrong; `None` is nothing.
    pub fault: Option<String>,
    /// How many have gone like that in a row, whether they count or not.
    pub in_row: u32,
}

/// What it was asked that is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The question of this number, and until when its answer is waited for.
    Question(u64, Mono),
    /// Nothing yet: its command waits for its turn.
    InLine,
    /// What the command of this run is to find out. Its time is that of any errand.
    Command(RunId),
}

/// What is known of the health of a process that has a child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// It has said that it is ready, or need not.
    pub ready: bool,
    /// It cannot say anything: it runs since before it could, or its socket is lost.
    pub mute: bool,
    /// It has not said that it lives for too long, or that it does not.
    pub silent: bool,
    /// It has not said in time that it is ready.
    pub late: bool,
    /// What its answers say.
    pub answers: Verdict,
    /// Failed checks in a row that count.
    pub failures: u32,
    /// Checks in a row that did not fail, as far as they matter.
    pub successes: u32,
    /// What all this comes to, as it was told.
    pub verdict: Verdict,
    /// Since when that is so, in epoch seconds; 0 is since its child began.
    pub since: i64,
    /// How the last check went.
    pub last: Option<LastCheck>,
    /// Why, if it is not healthy.
    pub reason: Option<String>,
    /// What it says that it does.
    pub status: Option<String>,
    /// What it says is its main process.
    pub main_pid: Option<u32>,
    /// When it is asked next.
    pub(crate) ask_at: Option<Mono>,
    /// A check that is under way.
    pub(crate) asked: Option<Asked>,
    /// What a command under way has found, apart from its exit status.
    pub(crate) told: Option<Finding>,
    /// When the command that asks it has taken so long that others have their turn beside it.
    pub(crate) turn_until: Option<Mono>,
    /// When it will have been silent for too long.
    pub(crate) silent_at: Option<Mono>,
    /// When it has to be ready.
    pub(crate) ready_by: Option<Mono>,
}

impl Health {
    /// Of a child that was just made.
    pub(crate) fn begun(spec: &HealthSpec, child: Child) -> Self {
        let mut health = Self { ready: spec.ready.is_none(), ..Self::default() };
        health.silent_at = spec.watchdog.map(|time| child.since.after(time));
        health.watch_readiness(spec, child);
        health.ask_at = health.may_ask(spec).then(|| child.since.after(spec.first_interval()));
        health
    }

    /// Of a child that runs already and was not looked at.
    pub(crate) fn of_mute(spec: &HealthSpec, now: Mono) -> Self {
        let mut health = Self { ready: true, mute: true, ..Self::default() };
        health.ask_at = health.may_ask(spec).then_some(now);
        health
    }

    /// As an earlier daemon left it: asked at once, and with the whole time to say that it lives.
    pub(crate) fn resumed(mut self, spec: &HealthSpec, child: Child, now: Mono) -> Self {
        self.ready |= spec.ready.is_none();
        self.asked = None;
        self.ask_at = self.may_ask(spec).then_some(now);
        self.silent_at = spec.watchdog.filter(|_| !self.mute && !self.silent).map(|time| now.after(time));
        self.watch_readiness(spec, child);
        self
    }

    /// Of a child that was there before anybody looked: nobody waits for its first word, so it is what it is.
    pub(crate) fn of_adopted(spec: &HealthSpec, now: Mono) -> Self {
        let mut health = Self::of_mute(spec, now);
        health.verdict = health.judge(spec);
        health
    }

    /// Follows other options: another question begins anew, and what it could not say from the beginning it need not say now.
    pub(crate) fn adapt(&mut self, old: &HealthSpec, new: &HealthSpec, child: Child, now: Mono) {
        if old.ready != new.ready {
            self.ready = true;
        }
        if (old.ready, old.ready_timeout) != (new.ready, new.ready_timeout) {
            self.late = false;
        }
        if old.action != new.action && self.verdict == Verdict::Unhealthy {
            // So that it is acted upon when it is thought so again.
            self.verdict = Verdict::Unknown;
        }
        if old.check != new.check {
            (self.answers, self.failures, self.successes) = (Verdict::Unknown, 0, 0);
            (self.reason, self.last) = (None, None);
            self.asked = None;
            self.ask_at = None;
        }
        self.mute |= !old.hears();
        if new.watchdog.is_none() {
            self.silent = false;
        }
        if old.watchdog != new.watchdog {
            let hears = !self.mute && !self.silent;
            self.silent_at = new.watchdog.filter(|_| hears).map(|time| now.after(time));
        }
        self.watch_readiness(new, child);
        if !self.may_ask(new) {
            (self.ask_at, self.asked) = (None, None);
        } else if self.asked.is_none() {
            let latest = now.after(new.interval);
            self.ask_at = Some(self.ask_at.map_or(now, |at| at.min(latest)));
        }
    }

    fn watch_readiness(&mut self, spec: &HealthSpec, child: Child) {
        let waits = !self.ready && !self.late;
        self.ready_by = spec.ready_timeout.filter(|_| waits).map(|time| child.since.after(time));
    }

    fn may_ask(&self, spec: &HealthSpec) -> bool {
        spec.check.is_some() && self.ready
    }

    /// When something is due by time alone.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        [self.ask_at, self.asked_until(), self.turn_until, self.silent_at, self.ready_by]
            .into_iter()
            .flatten()
            .min()
    }

    /// When it is asked next; `None` while it is being asked, and where it is not.
    #[must_use]
    pub fn next_check(&self) -> Option<Mono> {
        self.ask_at
    }

    /// Whether a check is under way, or waits for its turn.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Until when it has to say that it lives.
    #[must_use]
    pub fn has_to_speak_by(&self) -> Option<Mono> {
        self.silent_at
    }

    /// Notes how a check went.
    fn note_check(&mut self, finding: &Finding, at: i64) {
        let fault = match finding {
            Finding::Good => None,
            Finding::Bad(reason) => Some(reason.clone()),
            Finding::None => return,
        };
        let before = self.last.take().filter(|last| last.fault.is_some() == fault.is_some());
        let in_row = before.map_or(0, |last| last.in_row).saturating_add(1);
        self.last = Some(LastCheck { at, fault, in_row });
    }

    /// Until when an answer is waited for.
    fn asked_until(&self) -> Option<Mono> {
        match self.asked? {
            Asked::Question(_, until) => Some(until),
            Asked::InLine | Asked::Command(_) => None,
        }
    }

    /// Nothing is looked at any more: it is about to end.
    pub(crate) fn rest(&mut self) {
        (self.ask_at, self.asked, self.turn_until) = (None, None, None);
        (self.silent_at, self.ready_by) = (None, None);
    }

    /// What all that is known comes to.
    fn judge(&self, spec: &HealthSpec) -> Verdict {
        let answers = if spec.check.is_some() { self.answers } else { Verdict::Healthy };
        match answers {
            _ if self.silent || self.late => Verdict::Unhealthy,
            Verdict::Unhealthy => Verdict::Unhealthy,
            Verdict::Healthy if self.ready => Verdict::Healthy,
            Verdict::Unknown | Verdict::Healthy => Verdict::Unknown,
        }
    }

    /// An answer was good. True if anything is other than before.
    fn succeeded(&mut self, spec: &HealthSpec) -> bool {
        let before = (self.failures, self.successes, self.answers);
        self.failures = 0;
        if self.answers == Verdict::Healthy {
            self.reason = None;
        } else {
            self.successes = self.successes.saturating_add(1);
            if self.successes >= spec.successes {
                (self.answers, self.successes, self.reason) = (Verdict::Healthy, 0, None);
            }
        }
        (self.failures, self.successes, self.answers) != before
    }

    /// An answer was bad, or did not come. True if that counts.
    fn failed(&mut self, spec: &HealthSpec, child: Child, reason: String, now: Mono) -> bool {
        self.successes = 0;
        self.reason = Some(reason);
        if self.in_start_period(spec, child, now) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= spec.failures {
            self.answers = Verdict::Unhealthy;
        }
        true
    }

    /// Whether it has not been healthy yet, and need not.
    fn in_start_period(&self, spec: &HealthSpec, child: Child, now: Mono) -> bool {
        self.answers == Verdict::Unknown && now.since(child.since) < spec.start_period
    }

    /// When the next check is, after one that is over now.
    fn next_ask(&self, spec: &HealthSpec, child: Child, run: RunId, now: Mono) -> Mono {
        if self.in_start_period(spec, child, now) {
            return now.after(spec.first_interval());
        }
        // Processes that were started together are not all asked in the same moment for ever.
        let cut =
            spec.interval / 10 * u32::try_from(crate::policy::chance(now, run.0) % 1000).unwrap_or(0) / 1000;
        now.after(spec.interval.saturating_sub(cut))
    }

    /// Takes in what the process says. True if anything is other than before, but for the time of its last word.
    fn heard(&mut self, spec: &HealthSpec, word: Word, now: Mono) -> bool {
        let before = (self.ready, self.silent, self.late, self.status.clone(), self.main_pid);
        match word {
            Word::Ready => {
                (self.ready, self.late, self.ready_by) = (true, false, None);
                if self.ask_at.is_none() && self.asked.is_none() && self.may_ask(spec) {
                    self.ask_at = Some(now);
                }
            }
            Word::Alive => {
                self.silent = false;
                self.silent_at = spec.watchdog.filter(|_| !self.mute).map(|time| now.after(time));
            }
            Word::Sick => {
                if spec.watchdog.is_some() {
                    (self.silent, self.silent_at) = (true, None);
                    self.reason = Some("it says so (WATCHDOG=trigger)".to_owned());
                }
            }
            Word::Status(text) => self.status = Some(text).filter(|text| !text.is_empty()),
            Word::MainPid(pid) => self.main_pid = Some(pid),
        }
        (self.ready, self.silent, self.late, self.status.clone(), self.main_pid) != before
    }

    /// It has been silent for too long.
    fn note_silence(&mut self, spec: &HealthSpec) {
        (self.silent, self.silent_at) = (true, None);
        let time = Span(spec.watchdog.unwrap_or_default());
        self.reason = Some(format!("no WATCHDOG=1 for {time}"));
    }

    /// It has not become ready in time.
    fn note_lateness(&mut self, spec: &HealthSpec) {
        (self.late, self.ready_by) = (true, None);
        let time = Span(spec.ready_timeout.unwrap_or_default());
        self.reason = Some(format!("not ready after {time}"));
    }
}
