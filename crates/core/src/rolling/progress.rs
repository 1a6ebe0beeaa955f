//! What is known of a rolling restart under way, so that none of its steps looks for something among all its processes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Member, Stage};
use crate::process::ProcId;
use crate::time::Mono;

/// How far a rolling restart has come. Members are named by their place.
#[derive(Debug)]
pub(super) struct Progress {
    /// The processes of its members, as far as there were any, and these are to be restarted.
    pub(super) ids: Vec<(ProcId, usize)>,
    /// Those whose run is to end, or that are to be well again.
    busy: BTreeSet<usize>,
    /// Those that are to be well again, with their time.
    until: BTreeSet<(Mono, usize)>,
    /// Those that wait for their turn.
    pending: BTreeSet<usize>,
    /// The same, for each program.
    programs: Vec<Program>,
    /// The program of each member, as a place in that list.
    program_of: Vec<usize>,
    /// How many are well again.
    pub(super) done: usize,
    /// How many are to be restarted, or were.
    pub(super) wanted: usize,
    /// Whether any has failed.
    pub(super) has_failed: bool,
}

/// The members of one program.
#[derive(Debug, Default)]
struct Program {
    all: usize,
    pending: BTreeSet<usize>,
}

impl Progress {
    /// `section_of` tells which program a member is of; those without one are one of their own.
    pub(super) fn new(
        members: &[Member],
        ids: Vec<(ProcId, usize)>,
        section_of: impl Fn(&Member) -> Option<std::sync::Arc<str>>,
    ) -> Self {
        let mut sections = BTreeMap::new();
        let mut place = |member| {
            let next = sections.len();
            *sections.entry(section_of(member)).or_insert(next)
        };
        let program_of: Vec<usize> = members.iter().map(&mut place).collect();
        let mut programs: Vec<Program> = sections.iter().map(|_| Program::default()).collect();
        for &at in &program_of {
            programs.get_mut(at).into_iter().for_each(|program| program.all += 1);
        }
        let mut progress = Self {
            ids,
            busy: BTreeSet::new(),
            until: BTreeSet::new(),
            pending: BTreeSet::new(),
            programs,
            program_of,
            done: 0,
            wanted: members.len(),
            has_failed: false,
        };
        members.iter().enumerate().for_each(|(at, member)| progress.enter(at, &member.stage));
        progress
    }

    fn enter(&mut self, at: usize, stage: &Stage) {
        match stage {
            Stage::Pending => {
                self.pending.insert(at);
                if let Some(program) = self.program(at) {
                    program.pending.insert(at);
                }
            }
            Stage::Ending { .. } => {
                self.busy.insert(at);
            }
            Stage::Starting { until } => {
                self.busy.insert(at);
                self.until.insert((*until, at));
            }
            Stage::Done => self.done += 1,
            Stage::Failed(_) => self.has_failed = true,
            Stage::Left(_) => self.wanted -= 1,
        }
    }

    /// A member goes from one stage to the next.
    pub(super) fn go(&mut self, at: usize, from: &Stage, to: &Stage) {
        match from {
            Stage::Pending => {
                self.pending.remove(&at);
                if let Some(program) = self.program(at) {
                    program.pending.remove(&at);
                }
            }
            Stage::Ending { .. } => {
                self.busy.remove(&at);
            }
            Stage::Starting { until } => {
                self.busy.remove(&at);
                self.until.remove(&(*until, at));
            }
            Stage::Done => self.done -= 1,
            Stage::Failed(_) => {}
            Stage::Left(_) => self.wanted += 1,
        }
        self.enter(at, to);
    }

    fn program(&mut self, at: usize) -> Option<&mut Program> {
        self.programs.get_mut(*self.program_of.get(at)?)
    }

    /// Whether the last ones that were begun have come to an end.
    pub(super) fn is_at_rest(&self) -> bool {
        self.busy.is_empty()
    }

    /// Those that are under way.
    pub(super) fn busy(&self) -> BTreeSet<usize> {
        self.busy.clone()
    }

    /// When the first that is to be well again has no more time.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.until.first().map(|(at, _)| *at)
    }

    /// Those that have no more time.
    pub(super) fn overdue(&self, now: Mono) -> impl Iterator<Item = usize> {
        self.until.range(..=(now, usize::MAX)).map(|(_, at)| *at)
    }

    /// Who is next.
    pub(super) fn next(&self) -> Option<usize> {
        self.pending.first().copied()
    }

    /// Those that wait for their turn and are of the program of this one, as many as `size` says of how many it has.
    pub(super) fn batch(&self, first: usize, size: impl Fn(usize) -> usize) -> Vec<usize> {
        let program = self.program_of.get(first).and_then(|at| self.programs.get(*at));
        program.map_or_else(Vec::new, |program| {
            program.pending.iter().copied().take(size(program.all)).collect()
        })
    }
}
