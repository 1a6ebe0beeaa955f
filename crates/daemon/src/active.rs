//! The active groups, in the order they became active, found by name.

use std::collections::BTreeMap;

use crate::shell::Active;

/// All of them. No call but [`Self::iter`] looks at more than one.
#[derive(Debug, Default)]
pub(crate) struct ActiveGroups {
    /// In their order.
    all: BTreeMap<u64, Active>,
    by_name: BTreeMap<String, u64>,
    /// How many come from each configuration.
    uses: BTreeMap<u64, usize>,
    next: u64,
}

impl ActiveGroups {
    /// In the order they became active.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Active> {
        self.all.values()
    }

    /// The one of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Active> {
        self.all.get(self.by_name.get(name)?)
    }

    /// Whether any comes from this configuration.
    pub(crate) fn uses(&self, generation: u64) -> bool {
        self.uses.contains_key(&generation)
    }

    /// Takes the place of the one of its name, or becomes the last.
    pub(crate) fn put(&mut self, group: Active) {
        let place = self.by_name.get(&group.spec.name).copied().unwrap_or_else(|| {
            self.next += 1;
            self.by_name.insert(group.spec.name.clone(), self.next);
            self.next
        });
        *self.uses.entry(group.generation).or_default() += 1;
        let before = self.all.insert(place, group);
        self.is_unused(before.as_ref());
    }

    /// It is active no more.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Active> {
        let group = self.all.remove(&self.by_name.remove(name)?);
        self.is_unused(group.as_ref());
        group
    }

    /// None is.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn is_unused(&mut self, group: Option<&Active>) {
        let Some(generation) = group.map(|group| group.generation) else { return };
        if let Some(count) = self.uses.get_mut(&generation) {
            *count -= 1;
            if *count == 0 {
                self.uses.remove(&generation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use upkeep_core::spec::GroupSpec;

    use super::*;

    #[test]
    fn a_group_keeps_its_place_until_it_is_removed() {
        let mut groups = ActiveGroups::default();
        let group = |name: &str, generation| Active { spec: GroupSpec::plain(name, Vec::new()), generation };
        let told = |groups: &ActiveGroups| {
            groups.iter().map(|one| format!("{}{}", one.spec.name, one.generation)).collect::<String>()
        };
        ["c", "a", "b"].into_iter().for_each(|name| groups.put(group(name, 1)));
        groups.put(group("a", 2));
        assert_eq!((told(&groups), groups.uses(1), groups.uses(2)), ("c1a2b1".to_owned(), true, true));
        assert_eq!(groups.get("a").map(|one| one.generation), Some(2));
        assert!(groups.remove("c").is_some() && groups.remove("c").is_none() && groups.get("c").is_none());
        groups.put(group("c", 2));
        assert_eq!((told(&groups), groups.uses(1)), ("a2b1c2".to_owned(), true));
        groups.put(group("b", 3));
        assert_eq!((told(&groups), groups.uses(1)), ("a2b3c2".to_owned(), false));
        groups.clear();
        assert!(!groups.uses(2) && groups.iter().next().is_none());
    }
}
