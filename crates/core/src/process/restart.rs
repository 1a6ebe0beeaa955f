//! From an end or a failed start to the next start, as the restart policy says; and what follows when it gives up.

use std::time::Duration;

use crate::effect::{Effect, Event};
use crate::notice::Notice;
use crate::policy::{Exceeded, OnGiveup, Restarts, chance};
use crate::process::{AfterStop, ProcId, Process, State};
use crate::supervisor::Supervisor;
use crate::time::{Now, Span};

/// What comes next for a process that is to run and does not.
pub(super) enum Next {
    /// A start, at once.
    Start,
    /// A start, after this wait.
    Wait(Duration),
    /// Nothing: the limit is reached.
    GiveUp(Limit),
}

/// Which limit is reached.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    /// `startretries`.
    Retries,
    /// `restart_limit` or `max_restarts_per_day`.
    Restarts(Exceeded),
}

impl Supervisor {
    /// A process that ended by itself is to run again (PROC-018): at once, unless its policy says otherwise.
    pub(crate) fn start_again(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match process.after_exit(now) {
            Next::Start => self.launch(now, id),
            Next::Wait(wait) => self.wait_to_start(now, id, wait),
            Next::GiveUp(limit) => self.give_up_for_good(now, id, limit),
        }
    }

    fn wait_to_start(&mut self, now: Now, id: ProcId, wait: Duration) {
        self.change(id, State::Backoff { retry_at: now.mono.after(wait) }, 0);
        self.tell_wait(now, id, wait);
    }

    /// A line for the log, if the wait is not Supervisor's.
    pub(super) fn tell_wait(&mut self, now: Now, id: ProcId, wait: Duration) {
        let Some(process) = self.processes.get(&id).filter(|process| process.restarts.is_some()) else {
            return;
        };
        let (name, count) = (process.name().to_owned(), process.restart_count(now));
        self.log(Notice::StartsLater { name, wait, count });
    }

    /// A limit is reached: FATAL, and then what `on_giveup` says.
    pub(super) fn give_up_for_good(&mut self, now: Now, id: ProcId, limit: Limit) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let name = process.name().to_owned();
        let policy = process.spec.restart.clone();
        let notice = match limit {
            Limit::Restarts(Exceeded { key, restarts, window }) => {
                process.blame_loop(restarts, window);
                self.publish(Event::CrashLoop { id, restarts, window });
                Notice::CrashLoop { name: name.clone(), key, restarts, window }
            }
            Limit::Retries => Notice::GaveUp { name: name.clone() },
        };
        // One that was to be stopped only to start again is given up, too.
        let again = self.processes.get_mut(&id).is_some_and(|process| {
            let again = process.after_stop == AfterStop::Again;
            again && process.forget_to_start_again()
        });
        let was_to_stop = self.depends.is_put_off(id) && !again;
        self.give_up(id);
        self.log(notice);
        if was_to_stop {
            return self.after_stop(now, id);
        }
        match policy.on_giveup {
            OnGiveup::Fatal => {}
            OnGiveup::RetryEvery(every) => {
                if let Some(process) = self.processes.get_mut(&id) {
                    process.restarts = Some(Box::new(Restarts { given_up: true, ..Restarts::default() }));
                }
                self.wait_to_start(now, id, every);
            }
            OnGiveup::Shutdown => {
                self.log(Notice::EndsWith { name });
                self.order(Effect::EndInFailure);
                self.begin_shutdown(now, false);
            }
        }
    }
}

impl Process {
    fn after_exit(&mut self, now: Now) -> Next {
        if let Some(every) = self.tried_every() {
            return Next::Wait(every);
        }
        if !self.spec.restart.is_active() {
            self.restarts = None;
            return Next::Start;
        }
        let chance = chance(now.mono, self.last_run.map_or(0, |run| run.0));
        match self.restarts.get_or_insert_default().next(&self.spec.restart, now.mono, chance) {
            Err(exceeded) => Next::GiveUp(Limit::Restarts(exceeded)),
            Ok(Duration::ZERO) if self.spec.restart.delay.is_zero() => Next::Start,
            Ok(wait) => Next::Wait(wait),
        }
    }

    /// `wait` is Supervisor's.
    pub(super) fn after_failed_start(&mut self, now: Now, wait: Duration) -> Next {
        let limited = self.spec.restart.limit.is_some() || self.tried_every().is_some();
        if !limited && self.failures > self.spec.startretries {
            return Next::GiveUp(Limit::Retries);
        }
        match self.after_exit(now) {
            Next::Start => Next::Wait(wait),
            next @ (Next::Wait(_) | Next::GiveUp(_)) => next,
        }
    }

    /// It was given up and is tried again all the same, each time after this wait.
    fn tried_every(&self) -> Option<Duration> {
        let given_up = self.restarts.as_ref().is_some_and(|restarts| restarts.given_up);
        match self.spec.restart.on_giveup {
            OnGiveup::RetryEvery(every) if given_up => Some(every),
            OnGiveup::RetryEvery(_) | OnGiveup::Fatal | OnGiveup::Shutdown => None,
        }
    }

    /// It ran until now, for so long.
    pub(crate) fn note_uptime(&mut self, up: Duration) {
        if up >= self.spec.restart.reset_after
            && let Some(restarts) = &mut self.restarts
        {
            restarts.calm_down();
        }
    }

    /// How many restarts there were, of how many, in which time; `None` without a limit.
    #[must_use]
    pub fn restart_count(&self, now: Now) -> Option<(usize, u32, Duration)> {
        let restarts = self.restarts.as_ref().filter(|restarts| !restarts.given_up)?;
        let policy = &self.spec.restart;
        Some((restarts.within(policy.window, now.mono), policy.limit?, policy.window))
    }

    /// An event's `tries`: failed starts in a row, or restarts where a policy counts them.
    pub(crate) fn tries(&self) -> i64 {
        self.failures.max(self.restarts.as_ref().map_or(0, |restarts| i64::from(restarts.in_row)))
    }

    /// What is shown of a process that was given up says why.
    fn blame_loop(&mut self, restarts: u32, window: Duration) {
        let last = match (&self.spawnerr, self.exitstatus) {
            (Some(error), _) => format!(": {error}"),
            (None, Some(code)) => format!(": exit status {code}"),
            (None, None) => String::new(),
        };
        self.spawnerr = Some(format!("Restarted {restarts} times in {}{last}", Span(window)));
    }

    /// New options make a wait shorter if they allow none as long, and never longer. True if they did.
    pub(crate) fn shorten_wait(&mut self, now: Now) -> bool {
        let longest = match self.tried_every() {
            Some(every) => every,
            None if self.spec.restart.delay.is_zero() => return false,
            None => self.spec.restart.longest_delay(),
        };
        let latest = now.mono.after(longest);
        match self.state {
            State::Backoff { retry_at } if retry_at > latest => {
                self.state = State::Backoff { retry_at: latest };
                true
            }
            State::Backoff { .. }
            | State::Stopped
            | State::Waiting
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => false,
        }
    }
}
