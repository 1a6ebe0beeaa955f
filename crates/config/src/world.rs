//! What the loader may ask the machine: users, groups, directories. Nothing else, and nothing is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::tz::TimeZone;

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Login name.
    pub name: String,
}

/// The questions a configuration asks of the machine. The loader is pure over its sources and this.
pub trait World {
    /// The user of this name or, if it is a number, of this id.
    fn user(&self, name_or_uid: &str) -> Option<User>;
    /// The id of the group of this name or, if it is a number, of this id.
    fn group(&self, name_or_gid: &str) -> Option<u32>;
    /// Whether this is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// The home directory of a named user; `None` asks for that of the running process's user.
    fn home(&self, user: Option<&str>) -> Option<PathBuf>;
    /// The user id of the running process.
    fn uid(&self) -> u32;
    /// The time zone of this name.
    fn time_zone(&self, name: &str) -> Option<TimeZone>;
    /// The time zone of the machine.
    fn local_time_zone(&self) -> TimeZone;
}

/// The machine we run on: `/etc/passwd` and `/etc/group`, then whatever else the system's name service knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

/// The machine we run on, believing that every directory and time zone exists: for going on with a configuration that was good
/// when it was read, whatever has been removed since.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lenient;

impl World for Host {
    fn user(&self, name_or_uid: &str) -> Option<User> {
        passwd(name_or_uid).as_deref().and_then(user_of)
    }

    fn group(&self, name_or_gid: &str) -> Option<u32> {
        entry("group", name_or_gid)?.split(':').nth(2)?.parse().ok()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn home(&self, user: Option<&str>) -> Option<PathBuf> {
        let line = match user {
            Some(name) => passwd(name),
            None => passwd(&self.uid().to_string()),
        }?;
        line.split(':').nth(5).map(PathBuf::from)
    }

    fn uid(&self) -> u32 {
        rustix::process::getuid().as_raw()
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }

    fn local_time_zone(&self) -> TimeZone {
        TimeZone::system()
    }
}

impl World for Lenient {
    fn user(&self, name_or_uid: &str) -> Option<User> {
        Host.user(name_or_uid)
    }

    fn group(&self, name_or_gid: &str) -> Option<u32> {
        Host.group(name_or_gid)
    }

    fn is_dir(&self, _: &Path) -> bool {
        true
    }

    fn home(&self, user: Option<&str>) -> Option<PathBuf> {
        Host.home(user)
    }

    fn uid(&self) -> u32 {
        Host.uid()
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        Host.time_zone(name).or(Some(TimeZone::UTC))
    }

    fn local_time_zone(&self) -> TimeZone {
        Host.local_time_zone()
    }
}

fn passwd(name_or_uid: &str) -> Option<String> {
    entry("passwd", name_or_uid)
}

fn user_of(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(User { uid, gid, name })
}

/// The line of a table (`passwd`, `group`) whose name or number is `key`.
fn entry(table: &str, key: &str) -> Option<String> {
    if key.is_empty() || key.contains([':', '\n', '\0']) {
        return None;
    }
    let text = fs::read(Path::new("/etc").join(table)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    line_of(&text, key).map(str::to_owned).or_else(|| name_service(table, key))
}

fn line_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let number = key.parse::<u32>().ok().map(|number| number.to_string());
    text.lines().find(|line| {
        let mut fields = line.split(':');
        let name = fields.next();
        match &number {
            Some(number) => fields.nth(1) == Some(number.as_str()),
            None => name == Some(key),
        }
    })
}

/// Users of directories such as LDAP are in no file: the system's own tool knows them. Reached only for names that
/// the file lacks, so a plain configuration starts no process.
fn name_service(table: &str, key: &str) -> Option<String> {
    let answer = Command::new("getent")
        .args([table, "--", key])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    line_of(&text, key).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "root:x:0:0:root:/root:/bin/sh\n7:x:1001:5::/home/seven:\nweb:x:33:34::/srv:/bin/false\n";

    #[test]
    fn numbers_are_ids_and_all_else_names_cfg_049() {
        let user = |key| line_of(TABLE, key).and_then(user_of);
        assert_eq!(user("web"), Some(User { uid: 33, gid: 34, name: "web".to_owned() }));
        assert_eq!(user("0033").map(|user| user.name), Some("web".to_owned()));
        assert_eq!(user("7"), None);
        assert_eq!(user("we"), None);
    }

    #[test]
    fn the_machine_has_a_root() {
        assert_eq!(Host.user("root").map(|user| (user.uid, user.gid)), Some((0, 0)));
        assert_eq!(Host.group("0"), Some(0));
        assert_eq!(Host.user("no such user"), None);
        assert_eq!(Host.user(""), None);
        assert_eq!(Host.user("a:b"), None);
        assert!(Host.home(Some("root")).is_some());
        assert!(!Host.is_dir(Path::new("/no/such")) && Lenient.is_dir(Path::new("/no/such")));
    }
}
