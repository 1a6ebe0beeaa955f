//! Stops: who ends first, and who ends along.

use crate::effect::{Effect, Event};
use crate::ordered;
use crate::process::{AfterStop, ProcId, State};
use crate::spec::{Condition, Dependency, OnDependencyStop};
use crate::supervisor::Supervisor;
use crate::time::Now;

/// Who ends before a process that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    /// Those that are to end with it.
    Dependants,
    /// All that depend on it: everything ends.
    Everybody,
}

impl Supervisor {
    /// What was up is not any more: those that are to end with it do.
    pub(super) fn end_dependants(&mut self, now: Now, id: ProcId) {
        for (dependant, policy) in self.dependants(id) {
            let up = self.processes.get(&dependant).is_some_and(|process| {
                matches!(process.state, State::Starting { .. } | State::Running { .. })
            });
            if up && policy != OnDependencyStop::Ignore {
                self.starts_again_if(dependant, policy);
                self.stop_in_order(now, &[dependant], Along::Dependants);
            }
        }
    }

    /// Those that depend on a process for as long as they run, with what they do when it stops.
    fn dependants(&self, id: ProcId) -> Vec<(ProcId, OnDependencyStop)> {
        let Some(process) = self.processes.get(&id) else { return Vec::new() };
        let listed = self.depends.dependants.get(&*process.group).into_iter().flatten().copied();
        let dependants = listed.filter(|other| *other != id).filter_map(|other| {
            let spec = &self.processes.get(&other)?.spec;
            let lasting = |dependency: &&Dependency| dependency.condition != Condition::Completed;
            let mut targets = spec.depends_on.iter().filter(lasting).flat_map(|one| &one.targets);
            targets.any(|target| target.is(process)).then_some((other, spec.on_dependency_stop))
        });
        dependants.collect()
    }

    /// Whether there is, or will be, a child that has to end.
    fn has_to_end(&self, id: ProcId) -> bool {
        self.processes.get(&id).is_some_and(|process| {
            matches!(process.state, State::Starting { .. } | State::Running { .. } | State::Stopping { .. })
        })
    }

    fn starts_again_if(&mut self, id: ProcId, policy: OnDependencyStop) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        // Of one that is being stopped somebody else has decided.
        let decided = matches!(process.state, State::Stopping { .. })
            || process.after_stop != AfterStop::Stay
            || self.depends.is_put_off(id);
        if policy == OnDependencyStop::Restart && !decided {
            process.after_stop = AfterStop::Replace { spec: process.spec.clone(), start: true };
            self.publish(Event::WishChanged(id));
        }
    }

    /// Stops processes, each after those that depend on it.
    pub(crate) fn stop_in_order(&mut self, now: Now, wanted: &[ProcId], along: Along) {
        let order = self.with_dependants(wanted, along);
        let depended_on = !self.depends.dependants.is_empty();
        let all = ordered::set(order.iter().copied().filter(|_| depended_on));
        for &id in &order {
            let stopping = |other: &ProcId| {
                let process = self.processes.get(other);
                process.is_some_and(|process| matches!(process.state, State::Stopping { .. }))
            };
            let first = self.dependants(id).into_iter().map(|(other, _)| other);
            let first = first.filter(|other| all.contains(other) || stopping(other));
            let first =
                first.filter(|other| self.has_to_end(*other) && !self.depends.is_put_off_for(*other, id));
            let first: Vec<ProcId> = first.collect();
            // Who has no child is down already: its next start must not come in between.
            if first.is_empty() || !self.has_to_end(id) {
                self.stop(now, id);
            } else {
                self.put_off(id, first);
            }
            if order.len() > 1 {
                self.order(Effect::Pause);
            }
        }
    }

    /// These, and those that end before them.
    fn with_dependants(&mut self, wanted: &[ProcId], along: Along) -> Vec<ProcId> {
        let mut order = wanted.to_vec();
        if self.depends.dependants.is_empty() {
            return order;
        }
        let mut known = ordered::set(wanted.iter().copied());
        let mut at = 0;
        while let Some(&id) = order.get(at) {
            at += 1;
            for (dependant, policy) in self.dependants(id) {
                let goes = along == Along::Everybody || policy != OnDependencyStop::Ignore;
                if goes && self.has_to_end(dependant) && known.insert(dependant) {
                    if along == Along::Dependants {
                        self.starts_again_if(dependant, policy);
                    }
                    order.push(dependant);
                }
            }
        }
        order
    }

    fn put_off(&mut self, id: ProcId, first: Vec<ProcId>) {
        if self.depends.is_put_off(id) {
            return;
        }
        for &other in &first {
            self.depends.until.entry(other).or_default().push(id);
        }
        self.depends.put_off.insert(id, ordered::set(first));
        self.publish(Event::WishChanged(id));
    }

    /// A process has ended: the stops that were put off for it go on.
    pub(super) fn go_on_stopping(&mut self, now: Now, id: ProcId) {
        for other in self.depends.until.remove(&id).unwrap_or_default() {
            let Some(left) = self.depends.put_off.get_mut(&other) else { continue };
            left.remove(&id);
            if left.is_empty() {
                self.depends.put_off.remove(&other);
                self.stop(now, other);
            }
        }
    }
}
