//! What an update would do, and why: told without doing any of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use upkeep_api::{Fault, FaultCode, PlannedCause, PlannedChange, Reply};
use upkeep_config::options::Effect;
use upkeep_config::{Cause, Comparison, Sources};
use upkeep_core::plan::{Change, Planned, plan};
use upkeep_core::spec::GroupSpec;

use crate::generations::Loaded;
use crate::shell::{Responder, Shell};

/// Everything that telling needs, taken together so that it can be done off the daemon's task.
struct Order {
    latest: Loaded,
    /// The active groups, each with what it was read from.
    active: Vec<(GroupSpec, Arc<Sources>)>,
    /// Who has a child, or will have one without being asked.
    up: BTreeSet<(String, String)>,
    strict: bool,
}

impl Shell {
    /// Reads the configuration again, off this task, and compares it with what is active.
    pub(crate) fn tell_plan(&self, reply: Responder) {
        let sources = |number| self.generations.get(number).map(|loaded| loaded.sources.clone());
        let active = self.active.iter();
        let active = active.filter_map(|group| Some((group.spec.clone(), sources(group.generation)?)));
        let up = self
            .core
            .processes()
            .filter(|(id, process)| process.state().name().is_running() || self.core.is_alive(*id));
        let up = up.map(|(_, process)| (process.group().to_owned(), process.name().to_owned()));
        let order = Order {
            latest: self.generations.latest().clone(),
            active: active.collect(),
            up: up.collect(),
            strict: self.settings().strict_update,
        };
        let cli = self.cli.clone();
        tokio::task::spawn_blocking(move || {
            let answer = match order.latest.again(&cli) {
                Ok(new) => Ok(Reply::Plan(order.tell(&new))),
                Err(error) => Err(Fault::about(FaultCode::CantReread, error.message)),
            };
            // The asker may have gone away.
            let _ = reply.send(answer);
        });
    }
}

impl Order {
    fn tell(&self, new: &Loaded) -> Vec<PlannedChange> {
        let active: Vec<GroupSpec> = self.active.iter().map(|(spec, _)| spec.clone()).collect();
        let steps = plan(&active, &new.config.groups, self.strict);
        let mut comparisons: Vec<(&Arc<Sources>, Comparison<'_>)> = Vec::new();
        let mut told = Vec::with_capacity(steps.len());
        for step in steps {
            let old = self.active.iter().find(|(spec, _)| spec.name == step.group);
            let old = old.map_or(&self.latest.sources, |(_, sources)| sources);
            let known = comparisons.iter().position(|(sources, _)| Arc::ptr_eq(sources, old));
            let at = known.unwrap_or_else(|| {
                comparisons.push((old, Comparison::new(old, &new.sources)));
                comparisons.len() - 1
            });
            told.push(self.told(step, &comparisons[at].1));
        }
        told
    }

    fn told(&self, step: Planned, comparison: &Comparison<'_>) -> PlannedChange {
        let group = format!("group:{}", step.group);
        let mut causes = comparison.causes(&step.section);
        causes.extend(comparison.causes(&group));
        let up = self.up.contains(&(step.group.clone(), step.process.clone()));
        let change = word(&step, &causes, up);
        let stops = up && matches!(step.change, Change::Restart | Change::Removed);
        let seconds = if stops { i64::try_from(step.stop.as_secs()).unwrap_or(i64::MAX) } else { 0 };
        let causes = causes.into_iter().map(|cause| PlannedCause {
            section: cause.section,
            option: cause.option,
            file: cause.file,
            line: i64::try_from(cause.line).unwrap_or(i64::MAX),
        });
        PlannedChange {
            group: step.group,
            name: step.process,
            change: change.to_owned(),
            seconds,
            causes: causes.collect(),
        }
    }
}

fn word(step: &Planned, causes: &[Cause], up: bool) -> &'static str {
    let later = |cause: &Cause| cause.effect == Effect::NextStart;
    match step.change {
        Change::New => "new",
        Change::Removed => "removed",
        Change::Restart if up => "restart",
        Change::Restart if step.autostart => "start",
        Change::Restart => "next start",
        Change::Live if !causes.is_empty() && causes.iter().all(later) => "next start",
        Change::Live => "live",
    }
}
