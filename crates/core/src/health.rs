//! Health: whether a process has said that it is ready, and whether it answers when it is asked.
//!
//! # Theory of operation
//!
//! A process whose program has a `health_check`, a `ready` or a `health_watchdog` has a [`Health`] for as long as its child lives;
//! others have none, and cost nothing. Three things are looked at: what the process says by itself (READY=1, WATCHDOG=1, a newline),
//! the answers to checks, and the time. Each check has a number, so that a late answer changes nothing; who does not answer in time
//! is not waited for. From all that follows a [`Verdict`], and from a new verdict an event, a line of the log, the starts that waited
//! for it, and what `health_action` says.
//!
//! A restart for the sake of health is a stop, and then what the restart policy says of a process that ended.

mod watch;

use std::fmt;
use std::time::Duration;

use crate::process::{Child, RunId};
use crate::time::{Mono, Span};

/// How the health of a process is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSpec {
    /// `health_check`: what it is asked.
    #[doc(alias = "health_check")]
    pub check: Option<Check>,
    /// `ready`: how it says that it is ready. `None`: it need not.
    pub ready: Option<Ready>,
    /// `ready_timeout`: how long it may take to say so; `None` is for ever.
    pub ready_timeout: Option<Duration>,
    /// `health_watchdog`: it has to say WATCHDOG=1 at least so often.
    #[doc(alias = "health_watchdog")]
    pub watchdog: Option<Duration>,
    /// `health_interval`: time between two checks. Default 10 s.
    #[doc(alias = "health_interval")]
    pub interval: Duration,
    /// `health_timeout`: how long an answer may take. Default 5 s.
    #[doc(alias = "health_timeout")]
    pub timeout: Duration,
    /// `health_start_period`: failures do not count until then, or until the first success. Default 30 s.
    #[doc(alias = "health_start_period")]
    pub start_period: Duration,
    /// `health_failures`: so many in a row make it unhealthy. Default 3.
    #[doc(alias = "health_failures")]
    pub failures: u32,
    /// `health_successes`: so many in a row make it healthy. Default 1.
    #[doc(alias = "health_successes")]
    pub successes: u32,
    /// `health_action`. Default [`HealthAction::Restart`].
    #[doc(alias = "health_action")]
    pub action: HealthAction,
}

impl Default for HealthSpec {
    fn default() -> Self {
        Self {
            check: None,
            ready: None,
            ready_timeout: None,
            watchdog: None,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            start_period: Duration::from_secs(30),
            failures: 3,
            successes: 1,
            action: HealthAction::Restart,
        }
    }
}

impl HealthSpec {
    /// Whether the process gets a socket to say things to.
    #[must_use]
    pub fn hears(&self) -> bool {
        self.ready == Some(Ready::Notify) || self.watchdog.is_some()
    }

    /// Time between two looks while it has not been healthy yet.
    fn first_interval(&self) -> Duration {
        self.interval.min(Duration::from_secs(1))
    }
}

/// What a process is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An HTTP request, to be answered with a status from 200 to 399.
    Http {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Path and query, from the slash on.
        path: String,
    },
    /// A TCP connection, to be accepted.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port, path } => write!(f, "http://{}{path}", endpoint(host, *port)),
            Self::Tcp { host, port } => write!(f, "tcp://{}", endpoint(host, *port)),
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn endpoint(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// How a process says that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// READY=1 to the socket that NOTIFY_SOCKET names (sd_notify(3)).
    Notify,
    /// A newline on this descriptor.
    Descriptor(i32),
}

/// What is done about an unhealthy process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthAction {
    /// It is stopped, and started again as the restart policy says.
    Restart,
    /// It is stopped.
    Stop,
    /// Nothing: it is shown.
    None,
}

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
    /// Why, if it is not healthy.
    pub reason: Option<String>,
    /// What it says that it does.
    pub status: Option<String>,
    /// What it says is its main process.
    pub main_pid: Option<u32>,
    /// When it is asked next.
    pub(crate) ask_at: Option<Mono>,
    /// A check that is under way, and until when it is waited for.
    pub(crate) asked: Option<(u64, Mono)>,
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
            self.reason = None;
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
        let asked = self.asked.map(|(_, until)| until);
        [self.ask_at, asked, self.silent_at, self.ready_by].into_iter().flatten().min()
    }

    /// Nothing is looked at any more: it is about to end.
    pub(crate) fn rest(&mut self) {
        (self.ask_at, self.asked, self.silent_at, self.ready_by) = (None, None, None, None);
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
