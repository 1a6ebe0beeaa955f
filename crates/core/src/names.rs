//! Finding groups and processes by name: two lists of keys in the order of names, four or eight bytes an entry, searched
//! by halves. A name never changes while its owner is active, so what is put in order once stays in order.

use std::cell::Cell;
use std::cmp::Ordering;

use crate::group::Group;
use crate::process::ProcId;
use crate::supervisor::Supervisor;

/// Who is active, in the order of names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Positions in `Supervisor::groups`.
    groups: Vec<usize>,
    /// Sorted by group, then by name.
    processes: Vec<ProcId>,
    /// Where the next process is looked for first: whoever has asked for one, or added one, often goes on with the next.
    next: Cell<usize>,
}

impl Supervisor {
    /// The active group of this name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.group_at(name).map(|at| &self.groups[at])
    }

    /// The process of this name in an active group of that name.
    #[must_use]
    pub fn member(&self, group: &str, process: &str) -> Option<ProcId> {
        self.process_place(group, process).ok().map(|place| self.names.processes[place])
    }

    /// Every process, by group name, then process name.
    pub fn by_name(&self) -> impl ExactSizeIterator<Item = ProcId> {
        self.names.processes.iter().copied()
    }

    /// Where the active group of this name stands.
    pub(crate) fn group_at(&self, name: &str) -> Option<usize> {
        self.group_place(name).ok().map(|place| self.names.groups[place])
    }

    /// Makes a group the last of the active ones; its name is free.
    pub(crate) fn push_group(&mut self, group: Group) {
        let (Ok(place) | Err(place)) = self.group_place(&group.name);
        self.names.groups.insert(place, self.groups.len());
        self.groups.push(group);
    }

    /// Takes a group out of the active ones.
    pub(crate) fn take_group(&mut self, name: &str) -> Option<Group> {
        let place = self.group_place(name).ok()?;
        let at = self.names.groups.remove(place);
        self.names.groups.iter_mut().filter(|other| **other > at).for_each(|other| *other -= 1);
        Some(self.groups.remove(at))
    }

    /// Lets a process be found by its name.
    pub(crate) fn enlist(&mut self, id: ProcId) {
        let Some(process) = self.processes.get(&id) else { return };
        let (Ok(place) | Err(place)) = self.process_place(process.group(), process.name());
        self.names.processes.insert(place, id);
    }

    /// Undoes [`Self::enlist`]; the process is still there.
    pub(crate) fn strike(&mut self, id: ProcId) {
        let Some(process) = self.processes.get(&id) else { return };
        if let Ok(place) = self.process_place(process.group(), process.name()) {
            self.names.processes.remove(place);
        }
    }

    fn group_place(&self, name: &str) -> Result<usize, usize> {
        self.names.groups.binary_search_by(|&at| self.groups[at].name.as_str().cmp(name))
    }

    fn process_place(&self, group: &str, name: &str) -> Result<usize, usize> {
        let Names { processes, next, .. } = &self.names;
        let compare = |id| {
            let names = self.processes.get(id).map(|process| (process.group(), process.name()));
            names.cmp(&Some((group, name)))
        };
        let guess = next.get();
        let place = match processes.get(guess) {
            Some(id) if compare(id) == Ordering::Equal => Ok(guess),
            // Behind all others.
            None if processes.last().is_none_or(|id| compare(id) == Ordering::Less) => Err(processes.len()),
            _ => processes.binary_search_by(compare),
        };
        let (Ok(at) | Err(at)) = place;
        next.set(at + 1);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{GroupSpec, ProcessSpec};
    use crate::{CallId, Input, Now, Request};

    fn group(name: &str, processes: &[&str]) -> GroupSpec {
        let stopped = |name: &&str| ProcessSpec { autostart: false, ..ProcessSpec::new(name, name) };
        GroupSpec::plain(name, processes.iter().map(stopped).collect())
    }

    /// What is found is what a look at everybody finds.
    fn check(core: &Supervisor) {
        for group in core.groups() {
            assert_eq!(
                core.group(group.name()).map(Group::members),
                Some(group.members()),
                "{}",
                group.name()
            );
            for &id in group.members() {
                let name = core.process(id).unwrap().name();
                assert_eq!(core.member(group.name(), name), Some(id), "{}:{name}", group.name());
            }
        }
        let mut all: Vec<_> = core.processes().map(|(id, p)| (p.group(), p.name(), id)).collect();
        all.sort_unstable();
        assert_eq!(core.by_name().collect::<Vec<_>>(), all.iter().map(|&(.., id)| id).collect::<Vec<_>>());
        assert_eq!(core.group("nobody").map(Group::name), None);
        assert_eq!(core.member("m", "nobody"), None);
    }

    #[test]
    fn names_lead_to_who_is_active() {
        let mut core = Supervisor::new();
        let setup = [group("m", &["2", "1", "3"]), group("z", &["z"]), group("a", &["b", "a"])];
        let requests = [
            Request::UpdateGroup { spec: group("m", &["3", "0"]), strict: false },
            Request::RemoveGroup("z".to_owned()),
            Request::AddGroup(group("b", &["b", "0"])),
            Request::RemoveGroup("m".to_owned()),
            Request::AddGroup(group("m", &["9", "1"])),
            Request::UpdateGroup { spec: group("a", &[]), strict: true },
        ];
        let inputs = setup.into_iter().map(Input::Setup).chain([Input::Begin { recovered: false }]);
        let requests = requests.into_iter().map(|request| Input::Request { call: CallId(1), request });
        for input in inputs.chain(requests) {
            core.handle(Now::default(), input);
            check(&core);
        }
        let names: Vec<&str> = core.groups().iter().map(Group::name).collect();
        assert_eq!(names, ["a", "b", "m"]);
        assert_eq!(core.by_name().count(), 4);
    }
}
