//! One run that is measured, among those that hang.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::UnboundedSender;
use upkeep_core::{Meter, RunId, Usage};

use super::{Measured, Target};
use crate::shell::Message;

/// While so many hang, those that wait for a disk at that moment are left out.
pub(super) const MANY: usize = 8;
/// While so many hang, nobody is looked at.
pub(super) const MOST: usize = 64;

/// Who may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// Anybody.
    Any,
    /// Who does not wait for a disk at this moment.
    Awake,
}

/// Why a run is not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmeasured {
    /// It cannot be looked at, or might not.
    Hangs,
    /// Too many others cannot.
    Crowd,
    /// There is no thread to be had.
    NoThread,
}

impl Unmeasured {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hangs => {
                "its memory cannot be read, perhaps because a disk does not answer that a part of it comes from"
            }
            Self::Crowd => "the memory of so many others cannot be read that nobody else is looked at",
            Self::NoThread => "no thread can be had to read its memory",
        }
    }
}

/// Said of what is looked at another time.
const NOTHING: Usage = Usage { bytes: 0, meter: Meter::Shares };

/// A run that is measured. It is told of in any case, be it that there was no thread to be had.
pub(super) struct Asked {
    run: RunId,
    target: Target,
    messages: UnboundedSender<Message>,
    memory: Measured,
}

impl Asked {
    pub(super) fn new(run: RunId, target: Target, messages: UnboundedSender<Message>) -> Self {
        Self { run, target, messages, memory: Ok(NOTHING) }
    }

    /// Looks at it, if as many as `others` leave room for that.
    pub(super) fn look(&mut self, others: usize, read: impl Fn(&Target, Care) -> Option<Measured>) {
        let (care, why) = match others {
            0..MANY => (Care::Any, Unmeasured::Hangs),
            MANY..MOST => (Care::Awake, Unmeasured::Hangs),
            MOST.. => return self.cannot_be(Unmeasured::Crowd),
        };
        match read(&self.target, care) {
            Some(memory) => self.memory = memory,
            None => self.cannot_be(why),
        }
    }

    fn cannot_be(&self, why: Unmeasured) {
        // Fails only when the daemon has ended.
        let _ = self.messages.send(Message::NotMeasured { run: self.run, why });
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Ok(NOTHING));
        // Fails only when the daemon has ended.
        let _ = self.messages.send(Message::Measured { run: self.run, memory });
    }
}

/// Somebody who is looked at, as long as this is.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    /// It, and how many there are besides.
    pub(super) fn take(at_once: &'a AtomicUsize) -> (Self, usize) {
        let others = at_once.fetch_add(1, Ordering::Relaxed);
        (Self(at_once), others)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
