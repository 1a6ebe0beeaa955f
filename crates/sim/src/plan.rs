//! What a fake child does from its launch to its end.

use std::time::Duration;

use upkeep_core::RunEnd;
use upkeep_core::health::Word;
use upkeep_core::signal::{self, Signal};

/// The life of one child. The default one starts at once, runs for ever and dies of any signal that kills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Time from the order to the fork, or to the failure.
    pub(crate) launch_takes: Duration,
    /// There is no child: this is the spawn error.
    pub(crate) fails: Option<String>,
    /// It ends by itself so long after its fork, in this way.
    pub(crate) ends: Option<(Duration, RunEnd)>,
    /// Signals without effect on it; SIGKILL among them is a child in uninterruptible sleep (PROC-087).
    pub(crate) ignores: Vec<Signal>,
    /// Time from a signal that ends it (other than SIGKILL) to its end.
    pub(crate) lingers: Duration,
    /// It returns this code when a signal (other than SIGKILL) ends it, instead of dying of the signal.
    pub(crate) code: Option<u8>,
    /// What the system says to who signals it.
    pub(crate) signalling: Signalling,
    /// What it answers when it is asked how it is, one for each time; the last is for all later ones.
    pub(crate) answers: Vec<Reaction>,
    /// What it says by itself, so long after its fork.
    pub(crate) says: Vec<(Duration, Word)>,
}

/// What a child does when it is asked how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It is well.
    Well,
    /// It is not.
    Ill,
    /// It cannot be asked.
    Unasked,
    /// It says nothing, ever.
    Nothing,
}

/// What the system says to who sends a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalling {
    /// It is sent.
    Works,
    /// EPERM, nothing is sent (PROC-028).
    Denied,
    /// ESRCH, nothing is sent (PROC-030).
    Gone,
}

impl Plan {
    /// Runs until a signal ends it.
    #[must_use]
    pub fn runs() -> Self {
        Self {
            launch_takes: Duration::ZERO,
            fails: None,
            ends: None,
            ignores: Vec::new(),
            lingers: Duration::ZERO,
            code: None,
            signalling: Signalling::Works,
            answers: vec![Reaction::Well],
            says: Vec::new(),
        }
    }

    /// Returns a code by itself, so long after its fork.
    #[must_use]
    pub fn exits(after: Duration, code: u8) -> Self {
        Self { ends: Some((after, RunEnd::Code(code))), ..Self::runs() }
    }

    /// Dies of a signal that somebody else sends, so long after its fork.
    #[must_use]
    pub fn crashes(after: Duration, signal: Signal) -> Self {
        Self { ends: Some((after, RunEnd::Signal { signal, core: false })), ..Self::runs() }
    }

    /// No child can be made, and this is why.
    #[must_use]
    pub fn fails(text: &str) -> Self {
        Self { fails: Some(text.to_owned()), ..Self::runs() }
    }

    /// The fork (or the failure) comes so long after the order.
    #[must_use]
    pub fn launched_after(self, launch_takes: Duration) -> Self {
        Self { launch_takes, ..self }
    }

    /// These signals have no effect on it.
    #[must_use]
    pub fn ignoring(self, signals: &[Signal]) -> Self {
        Self { ignores: signals.to_vec(), ..self }
    }

    /// It takes so long to end when a signal asks it to.
    #[must_use]
    pub fn lingering(self, lingers: Duration) -> Self {
        Self { lingers, ..self }
    }

    /// When a signal asks it to end, it returns this code.
    #[must_use]
    pub fn returning(self, code: u8) -> Self {
        Self { code: Some(code), ..self }
    }

    /// What the system says to who signals it.
    #[must_use]
    pub fn signalling(self, signalling: Signalling) -> Self {
        Self { signalling, ..self }
    }

    /// It answers so when it is asked how it is.
    #[must_use]
    pub fn answering(self, answers: &[Reaction]) -> Self {
        Self { answers: answers.to_vec(), ..self }
    }

    /// So long after its fork it says this by itself.
    #[must_use]
    pub fn saying(mut self, after: Duration, word: Word) -> Self {
        self.says.push((after, word));
        self
    }

    /// When and how it ends if it gets a signal; `None` if it lives on.
    pub(crate) fn end_by(&self, signal: Signal) -> Option<(Duration, RunEnd)> {
        if self.ignores.contains(&signal) || !kills_by_default(signal) {
            return None;
        }
        let death = RunEnd::Signal { signal, core: false };
        if signal == signal::KILL {
            return Some((Duration::ZERO, death));
        }
        Some((self.lingers, self.code.map_or(death, RunEnd::Code)))
    }
}

/// signal(7): all but those that are ignored, stop or continue by default.
fn kills_by_default(signal: Signal) -> bool {
    !matches!(signal.0, 0 | 17..=23 | 28)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_a_child_unless_it_is_ignored_or_harmless() {
        let died = |signal| Some((Duration::ZERO, RunEnd::Signal { signal, core: false }));
        let second = Duration::from_secs(1);
        for (plan, signal, end) in [
            (Plan::runs(), signal::TERM, died(signal::TERM)),
            (Plan::runs(), signal::CHLD, None),
            (Plan::runs(), Signal(0), None),
            (Plan::runs().ignoring(&[signal::TERM]), signal::TERM, None),
            (Plan::runs().ignoring(&[signal::TERM]), signal::KILL, died(signal::KILL)),
            (Plan::runs().lingering(second).returning(0), signal::TERM, Some((second, RunEnd::Code(0)))),
            (Plan::runs().lingering(second).returning(0), signal::KILL, died(signal::KILL)),
        ] {
            assert_eq!(plan.end_by(signal), end, "{plan:?} {signal}");
        }
    }
}
