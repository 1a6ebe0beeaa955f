//! What an update would do, and why: told without doing any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use upkeep_api::{Fault, FaultCode, PlannedCause, PlannedChange, PlannedDependant, Reply};
use upkeep_config::options::Effect;
use upkeep_config::{Cause, Comparison, LoadError, Sources};
use upkeep_core::ordered;
use upkeep_core::plan::{self, Along, Change, Dependants, Planned, Takes, plan};
use upkeep_core::spec::GroupSpec;

use crate::applied::Origin;
use crate::generations::Loaded;
use crate::shell::{Message, Responder, Shell};
use crate::tasks;

/// Everything that telling needs, taken together so that it can be done off the daemon's task.
struct Order {
    latest: Loaded,
    /// The active groups, each with what it was read from.
    active: Vec<(GroupSpec, Arc<Sources>)>,
    /// What the options of those come from that a rolling restart has left behind, by group and name.
    behind: BTreeMap<(String, String), Arc<Sources>>,
    /// Who has a child, or will have one without being asked.
    up: BTreeSet<(String, String)>,
    strict: bool,
}

impl Shell {
    /// Reads a configuration, off this task, and compares it with what is active.
    pub(crate) fn tell_plan(&self, origin: Origin, reply: Responder) {
        let sources = |number| self.generations.get(number).map(|loaded| loaded.sources.clone());
        let active = self.active.iter();
        let active = active.filter_map(|group| Some((self.running_group(group), sources(group.generation)?)));
        let up = self
            .core
            .processes()
            .filter(|(id, process)| process.state().name().is_running() || self.core.is_alive(*id));
        let up = up.map(|(_, process)| (process.group().to_owned(), process.name().to_owned()));
        let behind = self.behind.iter().filter_map(|(process, old)| Some((process.clone(), sources(*old)?)));
        let order = Order {
            latest: self.generations.latest().clone(),
            active: active.collect(),
            behind: ordered::map(behind),
            up: ordered::set(up),
            strict: self.settings().strict_update,
        };
        let (cli, reading, messages) = (self.cli.clone(), self.reading.clone(), self.messages.clone());
        tasks::spawn(async move {
            let told = reading
                .configuration(move |place| Ok(order.tell(&origin.load(&order.latest, &cli, place)?)));
            let cannot = |error: LoadError| Fault::about(FaultCode::CantReread, error.message);
            let answer = told.await.map(Reply::Plan).map_err(cannot);
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Told { answer, reply });
        });
    }
}

impl Order {
    fn tell(&self, new: &Loaded) -> Vec<PlannedChange> {
        let active: Vec<GroupSpec> = self.active.iter().map(|(spec, _)| spec.clone()).collect();
        let steps = plan(&active, &new.config.groups, self.strict);
        let dependants = Dependants::of(&active, |group, name| self.is_up(group, name));
        let mut comparisons: Vec<(&Arc<Sources>, Comparison<'_>)> = Vec::new();
        let mut told = Vec::with_capacity(steps.len());
        for step in steps {
            let old = self.sources_of(&step);
            let known = comparisons.iter().position(|(sources, _)| Arc::ptr_eq(sources, old));
            let at = known.unwrap_or_else(|| {
                comparisons.push((old, Comparison::new(old, &new.sources)));
                comparisons.len() - 1
            });
            told.push(self.told(step, &comparisons[at].1, &dependants));
        }
        told
    }

    /// What the options of now come from.
    fn sources_of(&self, step: &Planned) -> &Arc<Sources> {
        let behind = self.behind.get(&(step.group.clone(), step.process.clone()));
        let group =
            || self.active.iter().find(|(spec, _)| spec.name == step.group).map(|(_, sources)| sources);
        behind.or_else(group).unwrap_or(&self.latest.sources)
    }

    fn is_up(&self, group: &str, name: &str) -> bool {
        self.up.contains(&(group.to_owned(), name.to_owned()))
    }

    fn told(&self, step: Planned, comparison: &Comparison<'_>, dependants: &Dependants<'_>) -> PlannedChange {
        let group = format!("group:{}", step.group);
        let mut causes = comparison.causes(&step.section);
        causes.extend(comparison.causes(&group));
        let up = self.is_up(&step.group, &step.process);
        let change = word(&step, &causes, up);
        let takes = takes(&step, up, dependants);
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
            seconds: seconds(takes.stop),
            starting: seconds(takes.start),
            dependants: takes.along.into_iter().map(along).collect(),
            causes: causes.collect(),
        }
    }
}

/// How long it may take, as far as something stops or starts.
fn takes(step: &Planned, up: bool, dependants: &Dependants<'_>) -> Takes {
    let starts = match step.change {
        Change::New => step.autostart,
        Change::Restart => up || step.autostart,
        Change::Live | Change::Removed => false,
    };
    let stops = up && matches!(step.change, Change::Restart | Change::Removed);
    let (old, new) = (step.old.as_ref(), step.new.as_ref());
    let Some(process) = new.or(old) else { return Takes::default() };
    if stops {
        return dependants.takes(&step.group, old.unwrap_or(process), new.map(|new| &**new));
    }
    Takes { start: if starts { plan::starting(process) } else { Duration::ZERO }, ..Takes::default() }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

fn along(along: Along) -> PlannedDependant {
    let change = if along.restarts { "restart" } else { "stop" };
    PlannedDependant { group: along.group, name: along.process, change: change.to_owned() }
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
