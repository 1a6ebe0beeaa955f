//! Maps and sets made item by item, and lists sorted, for what is done now and then.
//!
//! The language's own sort is some 6 kB of code for every type of items, and `collect()` into a map or a set sorts, too. That is
//! more than it is worth where items are few.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A map of these; of equal keys the last one counts.
pub fn map<K: Ord, V>(items: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for (key, value) in items {
        map.insert(key, value);
    }
    map
}

/// A set of these.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    for item in items {
        set.insert(item);
    }
    set
}

/// Sorts as [`slice::sort_by`] does: equal ones stay in their order. The code that sorts is there once for all types.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut goals = goals(items.len(), &|a, b| compare(&items[a], &items[b]));
    for at in 0..goals.len() {
        while goals[at] != at {
            let goal = goals[at];
            items.swap(at, goal);
            goals.swap(at, goal);
        }
    }
}

/// The same by a key.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Where each of so many is to go.
fn goals(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    let mut goals = vec![0; count];
    for (goal, at) in order.into_iter().enumerate() {
        goals[at] = goal;
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ones_stay_in_their_order() {
        let mut items: Vec<(u32, usize)> =
            (0..40).map(|at| (u32::try_from(at * 7 % 5).unwrap(), at)).collect();
        let mut other = items.clone();
        sort_by_key(&mut items, |(key, _)| *key);
        other.sort_by_key(|(key, _)| *key);
        assert_eq!(items, other);
        sort_by(&mut items[..0], |_, _| Ordering::Equal);
    }

    #[test]
    fn of_equal_keys_the_last_one_counts() {
        assert_eq!(map([(2, 'a'), (1, 'b'), (2, 'c')]).into_iter().collect::<Vec<_>>(), [(1, 'b'), (2, 'c')]);
        assert_eq!(set([3, 1, 3]).into_iter().collect::<Vec<_>>(), [1, 3]);
    }
}
