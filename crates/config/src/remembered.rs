//! A world that is asked each thing once: a thousand programs with one `user` would read `/etc/passwd` a thousand times, or
//! start `getent` as often for a user of a directory service.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::world::{User, World};

/// The answers of another world, kept. Made for one reading of a configuration and gone with it, so they do not grow old.
pub(crate) struct Remembered<'w> {
    world: &'w dyn World,
    users: RefCell<BTreeMap<String, Option<User>>>,
    directories: RefCell<BTreeMap<PathBuf, bool>>,
}

impl<'w> Remembered<'w> {
    /// Knows nothing yet.
    pub(crate) fn new(world: &'w dyn World) -> Self {
        Self { world, users: RefCell::default(), directories: RefCell::default() }
    }
}

impl World for Remembered<'_> {
    fn user(&self, name_or_uid: &str) -> Option<User> {
        let mut users = self.users.borrow_mut();
        if let Some(known) = users.get(name_or_uid) {
            return known.clone();
        }
        let user = self.world.user(name_or_uid);
        users.insert(name_or_uid.to_owned(), user.clone());
        user
    }

    fn group(&self, name_or_gid: &str) -> Option<u32> {
        self.world.group(name_or_gid)
    }

    fn is_dir(&self, path: &Path) -> bool {
        let mut directories = self.directories.borrow_mut();
        if let Some(&known) = directories.get(path) {
            return known;
        }
        let is_dir = self.world.is_dir(path);
        directories.insert(path.to_owned(), is_dir);
        is_dir
    }

    fn home(&self, user: Option<&str>) -> Option<PathBuf> {
        self.world.home(user)
    }

    fn uid(&self) -> u32 {
        self.world.uid()
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        self.world.time_zone(name)
    }

    fn local_time_zone(&self) -> TimeZone {
        self.world.local_time_zone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts what it is asked.
    #[derive(Default)]
    struct Counting(Cell<usize>);

    impl World for Counting {
        fn user(&self, name_or_uid: &str) -> Option<User> {
            self.0.set(self.0.get() + 1);
            (name_or_uid == "web").then(|| User { uid: 33, gid: 33, name: "web".to_owned() })
        }
        fn group(&self, _: &str) -> Option<u32> {
            None
        }
        fn is_dir(&self, path: &Path) -> bool {
            self.0.set(self.0.get() + 1);
            path == Path::new("/there")
        }
        fn home(&self, _: Option<&str>) -> Option<PathBuf> {
            None
        }
        fn uid(&self) -> u32 {
            0
        }
        fn time_zone(&self, _: &str) -> Option<TimeZone> {
            None
        }
        fn local_time_zone(&self) -> TimeZone {
            TimeZone::UTC
        }
    }

    #[test]
    fn each_thing_is_asked_once() {
        let counting = Counting::default();
        let world = Remembered::new(&counting);
        for _ in 0..3 {
            assert_eq!(world.user("web").map(|user| user.uid), Some(33));
            assert_eq!(world.user("nobody"), None);
            assert!(world.is_dir(Path::new("/there")));
            assert!(!world.is_dir(Path::new("/gone")));
        }
        assert_eq!(counting.0.get(), 4);
    }
}
