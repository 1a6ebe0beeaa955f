//! Rolling restarts: some processes at a time, and the next ones only when those are well again.
//!
//! # Theory of operation
//!
//! A [`Rolling`] lists its processes, each with its [`Stage`]. One that is begun is stopped with the wish to start it again, as any
//! restart that is asked of the supervisor; all that is done here is to look at it whenever its state or its health changes, or when
//! its time is over, and at it alone: [`Progress`] knows the rest. Nothing is done for the next ones before all of the last have come to an end, and nothing at all once one has failed.
//!
//! Each change of a stage is written down before what follows from it. A stage says by number which run
//! is to end, so that the next daemon sees from the process itself how far it has come.
//!
//! An update whose program says `update_strategy = rolling` leaves those processes their options until their turn comes: they are
//! *behind*. What fails leaves the others behind, and another update takes them up.

mod begin;
mod follow;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::effect::Event;
use crate::process::{ProcId, Process, RunId, State};
use crate::spec::ProcessSpec;
use crate::supervisor::Supervisor;
use crate::time::{Mono, seconds};
use progress::Progress;

/// Those that are under way at once.
const MOST_AT_ONCE: usize = 64;

/// Those that are over and still told of.
const MOST_KEPT: usize = 8;

/// Why a process is left that is not there any more.
const GONE: &str = "it was removed";

/// What a new run may take beyond all that is configured.
const SPARE: Duration = Duration::from_secs(10);

/// How a program is restarted bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollingSpec {
    /// `update_strategy = rolling`: an update does so, too. Default false.
    #[doc(alias = "update_strategy")]
    pub update: bool,
    /// `rolling_batch`: how many of its processes at a time. Default 1.
    #[doc(alias = "rolling_batch")]
    pub batch: Batch,
    /// `rolling_wait`: how long each may take to be well again; `None` is what its other options let expect.
    #[doc(alias = "rolling_wait")]
    pub wait: Option<Duration>,
}

impl Default for RollingSpec {
    fn default() -> Self {
        Self { update: false, batch: Batch::Count(1), wait: None }
    }
}

/// How many processes of a program are restarted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// So many, at least 1.
    Count(u32),
    /// So many of a hundred, 1 to 100; at least one process.
    Percent(u8),
}

impl Batch {
    /// Reads a number, or one with a percent sign.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.strip_suffix('%') {
            None => text.parse().ok().filter(|count| *count > 0).map(Self::Count),
            Some(number) => {
                let percent = number.trim_end().parse().ok();
                percent.filter(|percent| (1..=100).contains(percent)).map(Self::Percent)
            }
        }
    }

    /// How many of so many: never none.
    fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => all.saturating_mul(usize::from(percent)) / 100,
        }
        .max(1)
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// One rolling restart, under way or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// Names it.
    pub number: u64,
    /// It is part of an update: each process gets its new options when its turn comes.
    pub update: bool,
    /// How many at a time; `None` is what the programs say.
    pub batch: Option<Batch>,
    /// How long each may take to be well again; `None` is what the programs say.
    pub wait: Option<Duration>,
    /// In the order in which they come.
    pub members: Vec<Member>,
    /// How it ended; `None` while it is under way.
    pub end: Option<RollingEnd>,
}

/// One process of a rolling restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its group.
    pub group: String,
    /// Its name.
    pub process: String,
    /// How far it is.
    pub stage: Stage,
}

/// A process that has the options of before an update: those of its group are for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its group.
    pub group: String,
    /// Its name.
    pub process: String,
    /// The options that it has.
    pub options: Arc<ProcessSpec>,
}

/// How far a process is in a rolling restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn, or waited when it ended.
    Pending,
    /// Its last run is to end; `None` if it had none.
    Ending {
        /// That run.
        run: Option<RunId>,
    },
    /// It is to be well again until then.
    Starting {
        /// When its time is over.
        until: Mono,
    },
    /// It is well again.
    Done,
    /// It is not, and why.
    Failed(String),
    /// It was left as it is, and why.
    Left(String),
}

/// How a rolling restart ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollingEnd {
    /// All were restarted that ran.
    Done,
    /// One has failed, and nothing was begun after that.
    Failed,
    /// Something else came first.
    CalledOff(String),
}

impl Member {
    /// As clients name it.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.group == self.process {
            self.process.clone()
        } else {
            format!("{}:{}", self.group, self.process)
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Ending { .. } | Stage::Starting { .. })
    }
}

impl Rolling {
    /// How many are well again.
    #[must_use]
    pub fn done(&self) -> usize {
        self.members.iter().filter(|member| member.stage == Stage::Done).count()
    }

    /// How many are to be restarted, or were.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.members.iter().filter(|member| !matches!(member.stage, Stage::Left(_))).count()
    }

    /// The first that failed, and why.
    #[must_use]
    pub fn failure(&self) -> Option<(String, &str)> {
        self.members.iter().find_map(|member| match &member.stage {
            Stage::Failed(why) => Some((member.full_name(), why.as_str())),
            Stage::Pending | Stage::Ending { .. } | Stage::Starting { .. } | Stage::Done | Stage::Left(_) => {
                None
            }
        })
    }

    /// The names of those that were not touched.
    #[must_use]
    pub fn untouched(&self) -> Vec<String> {
        let untouched = self.members.iter().filter(|member| member.stage == Stage::Pending);
        untouched.map(Member::full_name).collect()
    }
}

/// All rolling restarts.
#[derive(Debug, Default)]
pub(crate) struct Rollings {
    /// By number: those under way, and some that are over.
    all: BTreeMap<u64, Rolling>,
    /// Which one a process is part of, for those under way, and its place there.
    by_process: BTreeMap<ProcId, (u64, usize)>,
    /// Processes that run with older options than their group has, and those that they do not have yet.
    behind: BTreeMap<ProcId, Arc<ProcessSpec>>,
    /// Those under way.
    under_way: BTreeMap<u64, Progress>,
    /// Those that have to be looked at now, and which of their members.
    news: BTreeMap<u64, BTreeSet<usize>>,
    last: u64,
}

impl Rollings {
    /// Whether none is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Something of a process is other than before.
    pub(crate) fn follow(&mut self, id: ProcId) {
        if !self.by_process.is_empty()
            && let Some((number, at)) = self.by_process.get(&id)
        {
            self.news.entry(*number).or_default().insert(*at);
        }
    }

    /// A process is gone for good. Its place, if it was part of one.
    pub(crate) fn gone(&mut self, id: ProcId) -> Option<(u64, usize)> {
        self.follow(id);
        self.behind.remove(&id);
        self.by_process.remove(&id)
    }

    /// When one has to be looked at.
    #[cold]
    pub(crate) fn deadline(&self) -> Option<Mono> {
        if !self.news.is_empty() {
            return Some(Mono(0));
        }
        self.under_way.values().filter_map(Progress::deadline).min()
    }

    fn note_due(&mut self, now: Mono) {
        for (number, progress) in self.under_way.iter().filter(|(_, one)| one.deadline() <= Some(now)) {
            let mut overdue = progress.overdue(now).peekable();
            if overdue.peek().is_some() {
                self.news.entry(*number).or_default().extend(overdue);
            }
        }
    }

    fn insert(&mut self, rolling: Rolling, progress: Progress) {
        let number = rolling.number;
        self.last = self.last.max(number);
        if rolling.end.is_none() {
            self.by_process.extend(progress.ids.iter().map(|(id, at)| (*id, (number, *at))));
            self.news.insert(number, progress.busy());
            self.under_way.insert(number, progress);
        }
        self.all.insert(number, rolling);
    }

    /// A member is so far now.
    fn set_stage(&mut self, number: u64, at: usize, stage: Stage) {
        let member = self.all.get_mut(&number).and_then(|rolling| rolling.members.get_mut(at));
        if let (Some(member), Some(progress)) = (member, self.under_way.get_mut(&number)) {
            progress.go(at, &member.stage, &stage);
            member.stage = stage;
        }
    }

    /// How long a process has to be well, if it is on its way up.
    fn starting_until(&self, id: ProcId) -> Option<Mono> {
        let &(number, at) = self.by_process.get(&id)?;
        match self.all.get(&number)?.members.get(at)?.stage {
            Stage::Starting { until } => Some(until),
            Stage::Pending | Stage::Ending { .. } | Stage::Done | Stage::Failed(_) | Stage::Left(_) => None,
        }
    }

    /// One is over: its processes are free. The oldest that are over are forgotten.
    fn close(&mut self, number: u64) {
        let progress = self.under_way.remove(&number);
        for (id, _) in progress.into_iter().flat_map(|progress| progress.ids) {
            if self.by_process.get(&id).is_some_and(|(other, _)| *other == number) {
                self.by_process.remove(&id);
            }
        }
        self.news.remove(&number);
        let over = self.all.values().filter(|rolling| rolling.end.is_some());
        let mut over: Vec<u64> = over.map(|rolling| rolling.number).collect();
        // Not this one, however many are newer: whoever follows it has not heard yet.
        over.retain(|other| *other != number);
        over.truncate((over.len() + 1).saturating_sub(MOST_KEPT));
        for number in over {
            self.all.remove(&number);
        }
    }
}

impl Supervisor {
    /// The rolling restarts under way, and the last ones that are over, by number.
    pub fn rollings(&self) -> impl Iterator<Item = &Rolling> {
        self.rolling.all.values()
    }

    /// One of them.
    #[must_use]
    pub fn rolling(&self, number: u64) -> Option<&Rolling> {
        self.rolling.all.get(&number)
    }

    /// Whether a rolling restart is under way, or has left a process behind.
    #[must_use]
    pub fn has_rolling(&self) -> bool {
        !self.rolling.by_process.is_empty() || !self.rolling.behind.is_empty()
    }

    /// Whether a process runs with older options than its group has, until its turn comes or another update.
    #[must_use]
    pub fn is_behind(&self, id: ProcId) -> bool {
        self.rolling.behind.contains_key(&id)
    }

    /// How far a process is in the rolling restart that it is part of.
    #[must_use]
    pub fn rolling_stage(&self, id: ProcId) -> Option<&Stage> {
        let (number, at) = self.rolling.by_process.get(&id)?;
        self.rolling.all.get(number)?.members.get(*at).map(|member| &member.stage)
    }

    /// One has changed, in these members, or as a whole if there are none: the next daemon has to know.
    fn rolling_changed(&mut self, number: u64, members: &[usize]) {
        self.publish(Event::RollingChanged { number, members: members.into() });
    }

    /// These options are for a process's turn in a rolling restart.
    pub(crate) fn leave_behind(&mut self, id: ProcId, options: Arc<ProcessSpec>) {
        self.rolling.behind.insert(id, options);
    }

    /// Goes on with a rolling restart of an earlier daemon.
    pub(crate) fn restore_rolling(&mut self, rolling: Rolling) {
        self.catching_up = true;
        self.enter_rolling(rolling);
    }

    fn enter_rolling(&mut self, rolling: Rolling) {
        let members = rolling.members.iter().enumerate();
        let members = members.filter(|(_, member)| !matches!(member.stage, Stage::Left(_)));
        let ids = members.filter_map(|(at, member)| Some((self.member(&member.group, &member.process)?, at)));
        let section = |member: &Member| {
            let process = self.processes.get(&self.member(&member.group, &member.process)?)?;
            Some(process.spec.section.clone())
        };
        let progress = Progress::new(&rolling.members, ids.collect(), section);
        self.rolling.insert(rolling, progress);
    }

    /// An earlier daemon had left a process the options that it ran with: those of its group are for later.
    pub(crate) fn restore_behind(&mut self, left: LeftBehind) {
        let Some(id) = self.member(&left.group, &left.process) else { return };
        let Some(process) = self.processes.get_mut(&id) else { return };
        let next = std::mem::replace(&mut process.spec, left.options);
        self.depends.relist(id, &next, &process.spec);
        self.rolling.behind.insert(id, next);
    }
}

impl ProcessSpec {
    /// How long a new run of it may take to be well: `rolling_wait`, or what the other options let expect.
    #[must_use]
    pub fn rolling_wait(&self) -> Duration {
        if let Some(wait) = self.rolling.as_ref().and_then(|rolling| rolling.wait) {
            return wait;
        }
        let mut wait = seconds(self.startsecs).saturating_add(SPARE);
        if let Some(hooks) = self.hooks.as_ref().filter(|hooks| hooks.pre_start.is_some()) {
            wait = wait.saturating_add(hooks.timeout);
        }
        let Some(health) = &self.health else { return wait };
        let answers = (health.interval + health.timeout).saturating_mul(health.successes.max(1));
        let ready = health.ready_timeout.unwrap_or_default();
        wait.saturating_add(health.start_period).saturating_add(ready).saturating_add(answers)
    }

    fn batch(&self) -> Batch {
        self.rolling.as_ref().map_or(RollingSpec::default().batch, |rolling| rolling.batch)
    }
}

impl Process {
    /// Whether it runs as it should.
    fn is_well(&self) -> bool {
        matches!(self.state, State::Running { .. }) && self.is_healthy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_a_number_or_a_share_and_never_nothing() {
        for (text, batch) in [
            ("1", Some(Batch::Count(1))),
            (" 12 ", Some(Batch::Count(12))),
            ("25%", Some(Batch::Percent(25))),
            ("100 %", Some(Batch::Percent(100))),
            ("0", None),
            ("0%", None),
            ("101%", None),
            ("-1", None),
            ("%", None),
            ("", None),
            ("half", None),
            ("99999999999", None),
        ] {
            assert_eq!(Batch::parse(text), batch, "{text:?}");
        }
        for (batch, all, expected) in [
            (Batch::Count(3), 2, 3),
            (Batch::Percent(25), 4, 1),
            (Batch::Percent(50), 5, 2),
            (Batch::Percent(10), 3, 1),
            (Batch::Percent(100), 3, 3),
        ] {
            assert_eq!(batch.of(all), expected, "{batch} of {all}");
        }
    }

    #[test]
    fn the_wait_follows_from_the_other_options() {
        use crate::spec::{HealthSpec, Hooks};
        let mut spec = ProcessSpec::new("web", "web");
        assert_eq!(spec.rolling_wait(), Duration::from_secs(11));
        spec.health = Some(Arc::new(HealthSpec::default()));
        assert_eq!(spec.rolling_wait(), Duration::from_secs(11 + 30 + 15));
        spec.hooks = Some(Box::new(Hooks { pre_start: Some("true".to_owned()), ..Hooks::default() }));
        assert_eq!(spec.rolling_wait(), Duration::from_secs(11 + 30 + 15 + 30));
        let wait = Some(Duration::from_secs(5));
        spec.rolling = Some(Arc::new(RollingSpec { wait, ..RollingSpec::default() }));
        assert_eq!(spec.rolling_wait(), Duration::from_secs(5));
    }
}
