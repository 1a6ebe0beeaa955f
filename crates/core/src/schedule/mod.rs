//! Schedules: programs that run at certain times of the wall clock.
//!
//! # Theory of operation
//!
//! What times those are is a table ([`Timetable`]), made where the configuration is read: the core asks it for the next time after
//! another and decides the rest. Each process with a schedule has a [`Timer`] with the next time planned; [`Schedules`] keeps them in order, so that
//! one alarm is enough for all ([`Supervisor::next_alarm`](crate::Supervisor::next_alarm)). The planned time and the state that
//! comes of it are written down together, so that a run is neither lost nor made twice with the daemon's death.

mod due;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::chance;
use crate::process::{ProcId, Process, RunEnd, State};
use crate::time::Mono;

pub(crate) use due::meeting;

/// A run that comes later than this, in seconds, is missed.
const GRACE: i64 = 60;

/// A clock that is set back by no more than this, in seconds, runs nothing a second time.
const MOST_BACK: i64 = 3600;

/// Times that are looked at one by one; more that are due at once are one run anyway.
const MOST_STEPS: u32 = 16;

/// The times of a schedule.
pub trait Timetable: fmt::Debug + Send + Sync {
    /// The first one after this, in epoch seconds.
    fn next(&self, after: i64) -> Option<i64>;

    /// A time for people, in the schedule's time zone.
    fn show(&self, at: i64) -> String;
}

/// When a program runs, and what becomes of runs that meet each other or are missed.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// `schedule`, as written.
    #[doc(alias = "schedule")]
    pub text: String,
    /// `schedule_timezone`, as written.
    #[doc(alias = "schedule_timezone")]
    pub timezone: String,
    /// `schedule_overlap`. Default [`Overlap::Skip`].
    #[doc(alias = "schedule_overlap")]
    pub overlap: Overlap,
    /// `schedule_missed`. Default [`Missed::Skip`].
    #[doc(alias = "schedule_missed")]
    pub missed: Missed,
    /// `schedule_jitter`: each run comes by chance up to so much later; whole seconds. Default 0.
    #[doc(alias = "schedule_jitter")]
    pub jitter: Duration,
    /// What the text means in the time zone.
    pub table: Arc<dyn Timetable>,
}

/// `schedule_overlap`: it is due, and has not ended since it was last due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// There is no second run.
    Skip,
    /// One more follows when it has ended.
    Queue,
    /// It is stopped and started again.
    Kill,
}

/// `schedule_missed`: it was due, and nobody could start it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// That run does not take place.
    Skip,
    /// One run follows, for all that were missed.
    RunOnce,
}

impl PartialEq for Schedule {
    /// A table follows from the texts.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
            && self.timezone == other.timezone
            && self.overlap == other.overlap
            && self.missed == other.missed
            && self.jitter == other.jitter
    }
}

impl Eq for Schedule {}

impl Schedule {
    fn jitter_seconds(&self) -> i64 {
        i64::try_from(self.jitter.as_secs()).unwrap_or(0)
    }

    /// By how much chance puts off the run of this time; the same whenever it is asked.
    fn delay(&self, planned: i64, key: u64) -> i64 {
        let most = self.jitter.as_secs();
        let delay = chance(Mono(planned.unsigned_abs()), key).checked_rem(most.saturating_add(1));
        i64::try_from(delay.unwrap_or(0)).unwrap_or(0)
    }

    /// When the run of this time comes.
    fn comes_at(&self, planned: i64, key: u64) -> i64 {
        planned.saturating_add(self.delay(planned, key))
    }

    /// The first time after this one whose run, with what chance adds to it, comes later than `past`.
    fn following(&self, planned: i64, past: i64, key: u64) -> Option<i64> {
        // No chance puts off for longer what comes before that.
        let mut next = self.table.next(planned.max(past.saturating_sub(self.jitter_seconds())));
        for _ in 0..MOST_STEPS {
            match next {
                Some(time) if self.comes_at(time, key) <= past => next = self.table.next(time),
                Some(_) | None => return next,
            }
        }
        self.table.next(planned.max(past))
    }

    /// Whether both have the same times, chance included.
    pub(crate) fn has_times_of(&self, other: &Self) -> bool {
        self.text == other.text && self.timezone == other.timezone && self.jitter == other.jitter
    }
}

/// Where a process stands with its schedule. Times are epoch seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The schedule is in effect: not before a start by hand if `autostart` is off, and not after a stop by hand.
    pub on: bool,
    /// The time of the table that comes next, without what chance adds to it.
    pub next: Option<i64>,
    /// When that was found out; `None` asks for it.
    pub since: Option<i64>,
    /// One more run follows this one.
    pub queued: bool,
    /// The run that ended last.
    pub last: Option<LastRun>,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// Epoch seconds of its start.
    pub started: i64,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub end: RunEnd,
}

/// What a planned time comes to.
enum Turn {
    /// A run.
    Run,
    /// Nothing: it is too late for this one.
    Missed(i64),
}

impl Timer {
    fn new(on: bool) -> Self {
        Self { on, next: None, since: None, queued: false, last: None }
    }

    /// Looks for the next time from now on.
    fn plan(&mut self, schedule: &Schedule, wall: i64) {
        self.next = if self.on { schedule.table.next(wall) } else { None };
        self.since = Some(wall);
    }

    /// The planned time has come: plans the next, and says what becomes of this one.
    fn turn(&mut self, schedule: &Schedule, wall: i64, key: u64) -> Option<Turn> {
        let planned = self.next?;
        let in_time = wall.saturating_sub(GRACE);
        let missed = schedule.comes_at(planned, key) < in_time && schedule.missed == Missed::Skip;
        // What comes to this very turn is one run, and what was missed along with this one is missed, too.
        let past = if missed { in_time.saturating_sub(1) } else { wall };
        (self.next, self.since) = (schedule.following(planned, past, key), Some(wall));
        Some(if missed { Turn::Missed(planned) } else { Turn::Run })
    }

    /// Whether the clock was set back so far that the plan is not worth anything.
    fn is_outlived(&self, schedule: &Schedule, wall: i64) -> bool {
        let (Some(next), Some(since)) = (self.next, self.since) else { return false };
        let pause = schedule.table.next(next).map_or(MOST_BACK, |following| following - next);
        wall < since.saturating_sub(pause.clamp(GRACE, MOST_BACK))
    }
}

impl Process {
    /// Where it stands with its schedule, if it has one.
    #[must_use]
    pub fn timer(&self) -> Option<&Timer> {
        self.timer.as_deref()
    }

    /// What [`Input::Planned`](crate::Input::Planned) tells a daemon that starts afresh, if it matters to that: the next time of its
    /// table, and when that was found out. A run that was due and has not begun is still to come.
    #[must_use]
    pub fn planned(&self) -> Option<(i64, i64)> {
        self.spec.schedule.as_ref().filter(|schedule| schedule.missed == Missed::RunOnce)?;
        let timer = self.timer.as_ref().filter(|timer| timer.on)?;
        let due = timer.queued || self.state == State::Waiting;
        if due { timer.since.zip(timer.since) } else { timer.next.zip(timer.since) }
    }

    /// When it runs next by its schedule, in epoch seconds.
    #[must_use]
    pub fn next_run(&self) -> Option<i64> {
        let (schedule, timer) = (self.spec.schedule.as_ref()?, self.timer.as_ref()?);
        let planned = timer.next.filter(|_| timer.on)?;
        Some(schedule.comes_at(planned, self.chance_key()))
    }

    /// A number of its own that stays the same: processes with one schedule and some jitter do not start together.
    fn chance_key(&self) -> u64 {
        let name = self.group.bytes().chain([b':']).chain(self.spec.name.bytes());
        // FNV-1a.
        name.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

/// Who is due when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedules {
    alarms: BTreeSet<(i64, ProcId)>,
    at: BTreeMap<ProcId, i64>,
    /// These have ended and may have one more run to make.
    ended: Vec<ProcId>,
}

impl Schedules {
    /// Whether there is nothing that could be due.
    pub(crate) fn is_empty(&self) -> bool {
        self.alarms.is_empty() && self.ended.is_empty()
    }

    /// Whether there is something to follow up.
    pub(crate) fn has_news(&self) -> bool {
        !self.ended.is_empty()
    }

    /// A process has ended that has one more run to make.
    pub(crate) fn has_ended(&mut self, id: ProcId) {
        self.ended.push(id);
    }

    /// Brings the order up to date with a process.
    pub(crate) fn set(&mut self, id: ProcId, at: Option<i64>) {
        let before = match at {
            Some(at) => self.at.insert(id, at),
            None => self.at.remove(&id),
        };
        if let Some(before) = before {
            self.alarms.remove(&(before, id));
        }
        if let Some(at) = at {
            self.alarms.insert((at, id));
        }
    }

    fn first(&self) -> Option<(i64, ProcId)> {
        self.alarms.first().copied()
    }
}
