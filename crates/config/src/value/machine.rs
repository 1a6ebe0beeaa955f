//! Values that ask the machine: paths, users, owners (CFG-047 … CFG-050).

use std::path::Path;

use upkeep_core::spec::LogTarget;

use super::{Read, Wrong};
use crate::environment::Environment;
use crate::python::integer;
use crate::python::path::{dirname, expanduser};
use crate::world::{User, World};

/// Values that ask the machine.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'a> {
    pub(crate) env: &'a Environment,
    pub(crate) world: &'a dyn World,
}

impl Machine<'_> {
    /// Relative paths are taken from the environment's directory, wherever the process is by now.
    fn is_dir(self, path: &str) -> bool {
        self.world.is_dir(&self.env.cwd.join(Path::new(path)))
    }

    /// CFG-047.
    pub(crate) fn directory(self, text: &str) -> Read<String> {
        let path = expanduser(text, self.env, self.world);
        if self.is_dir(&path) { Ok(path) } else { Err(format!("{text} is not an existing directory").into()) }
    }

    /// CFG-048.
    pub(crate) fn path(self, text: &str) -> Read<String> {
        let path = expanduser(text, self.env, self.world);
        let directory = dirname(&path);
        if directory.is_empty() || self.is_dir(directory) {
            return Ok(path);
        }
        Err(Wrong::new(
            format!("The directory named as part of the path {text} does not exist"),
            format!("mkdir -p {directory}"),
        ))
    }

    /// CFG-158. `None` stands for the deprecated `syslog` (CFG-164).
    pub(crate) fn log_target(self, text: &str) -> Read<Option<LogTarget>> {
        match text.to_lowercase().as_str() {
            "none" | "off" => Ok(Some(LogTarget::None)),
            "auto" => Ok(Some(LogTarget::Auto)),
            "syslog" => Ok(None),
            "" => Ok(Some(LogTarget::None)),
            _ => self.path(text).map(|path| Some(LogTarget::File(path))),
        }
    }

    /// CFG-049.
    pub(crate) fn user(self, text: &str) -> Read<User> {
        let number = integer::parse(text, 10);
        let key = number.map_or_else(|| text.to_owned(), |number| number.to_string());
        self.world.user(&key).ok_or_else(|| match number {
            Some(_) => format!("Invalid user id {text}").into(),
            None => format!("Invalid user name {text}").into(),
        })
    }

    /// CFG-050. `complaint` begins the message.
    pub(crate) fn owner(self, text: &str, complaint: &str) -> Read<(u32, Option<u32>)> {
        let wrong = || Wrong::from(format!("{complaint} {text}"));
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let uid = self.user(user).map_err(|_| wrong())?.uid;
        let gid = group.map(|group| self.group(group).ok_or_else(wrong)).transpose()?;
        Ok((uid, gid))
    }

    fn group(self, text: &str) -> Option<u32> {
        let key = integer::parse(text, 10).map_or_else(|| text.to_owned(), |number| number.to_string());
        self.world.group(&key)
    }
}
