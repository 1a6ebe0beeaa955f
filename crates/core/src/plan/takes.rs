//! How long a planned change may take, and who ends or starts again because of it: pure, by what was configured.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::spec::{Condition, GroupSpec, OnDependencyStop, ProcessSpec};
use crate::time::seconds;

/// What stopping and starting one process brings about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// How long it may take until it has ended, those that have to end before it included.
    pub stop: Duration,
    /// How long it may take until it is up, and those that start again behind it are.
    pub start: Duration,
    /// Who ends with it, in the order of their names.
    pub along: Vec<Along>,
}

/// A process that ends with another one (`on_dependency_stop`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Along {
    /// Name of its group.
    pub group: String,
    /// Its name.
    pub process: String,
    /// It starts again when it can.
    pub restarts: bool,
}

/// Who ends with whom, among the processes that are up.
#[derive(Debug)]
pub struct Dependants<'s>(Vec<(&'s str, &'s ProcessSpec)>);

impl<'s> Dependants<'s> {
    /// Those of these groups that are up and do not ignore it when something they depend on stops.
    #[must_use]
    pub fn of(active: &'s [GroupSpec], is_up: impl Fn(&str, &str) -> bool) -> Self {
        let all =
            active.iter().flat_map(|group| group.processes.iter().map(|process| (&*group.name, &**process)));
        let ends = |process: &ProcessSpec| {
            process.on_dependency_stop != OnDependencyStop::Ignore && !process.depends_on.is_empty()
        };
        Self(all.filter(|(group, process)| ends(process) && is_up(group, &process.name)).collect())
    }

    /// What it takes to stop a process that runs by `old`, and to start it by `new`; without, it does not start again, and neither do
    /// others behind it.
    #[must_use]
    pub fn takes(&self, group: &str, old: &ProcessSpec, new: Option<&ProcessSpec>) -> Takes {
        let mut seen = BTreeSet::from([(group.to_owned(), old.name.clone())]);
        let (mut along, mut stop, mut start) = (Vec::new(), Duration::ZERO, Duration::ZERO);
        for (group, process) in self.behind(group, &old.name) {
            let (stops, starts) = self.follow(group, process, &mut seen, &mut along);
            (stop, start) = (stop.max(stops), start.max(starts));
        }
        along.sort_unstable();
        let start = new.map_or(Duration::ZERO, |new| start.saturating_add(starting(new)));
        Takes { stop: stop.saturating_add(stopping(old)), start, along }
    }

    /// The same for one that goes along; who was met already counts there.
    fn follow(
        &self,
        group: &str,
        process: &ProcessSpec,
        seen: &mut BTreeSet<(String, String)>,
        along: &mut Vec<Along>,
    ) -> (Duration, Duration) {
        if !seen.insert((group.to_owned(), process.name.clone())) {
            return (Duration::ZERO, Duration::ZERO);
        }
        let restarts = process.on_dependency_stop == OnDependencyStop::Restart;
        along.push(Along { group: group.to_owned(), process: process.name.clone(), restarts });
        let (mut stop, mut start) = (Duration::ZERO, Duration::ZERO);
        for (group, process) in self.behind(group, &process.name) {
            let (stops, starts) = self.follow(group, process, seen, along);
            (stop, start) = (stop.max(stops), start.max(starts));
        }
        let own = if restarts { starting(process) } else { Duration::ZERO };
        (stop.saturating_add(stopping(process)), start.saturating_add(own))
    }

    fn behind(&self, group: &str, name: &str) -> impl Iterator<Item = (&'s str, &'s ProcessSpec)> {
        let depends = |process: &ProcessSpec| {
            let lasting = process.depends_on.iter().filter(|one| one.condition != Condition::Completed);
            lasting.flat_map(|one| &one.targets).any(|target| {
                target.group == group && target.process.as_deref().is_none_or(|process| process == name)
            })
        };
        let found: Vec<_> = self.0.iter().copied().filter(|(_, process)| depends(process)).collect();
        found.into_iter()
    }
}

/// `stopwaitsecs` or the whole `stop_sequence`, and hooks before and after.
fn stopping(process: &ProcessSpec) -> Duration {
    let hooks = process.hooks.as_ref().map_or(Duration::ZERO, |hooks| {
        let count = [&hooks.pre_stop, &hooks.post_stop].into_iter().flatten().count();
        hooks.timeout.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
    });
    seconds(process.stopwaitsecs).saturating_add(hooks)
}

/// How long a start may take: `startsecs` or `ready_timeout`, whatever is longer, a hook before, and the time that a health check gives it.
#[must_use]
pub fn starting(process: &ProcessSpec) -> Duration {
    let hook = process.hooks.as_ref().filter(|hooks| hooks.pre_start.is_some());
    let hook = hook.map_or(Duration::ZERO, |hooks| hooks.timeout);
    let health = process.health.as_ref();
    let ready = health.and_then(|health| health.ready.and(health.ready_timeout)).unwrap_or_default();
    let healthy = health.filter(|health| health.check.is_some()).map(|health| health.start_period);
    hook.saturating_add(seconds(process.startsecs).max(ready)).saturating_add(healthy.unwrap_or_default())
}
