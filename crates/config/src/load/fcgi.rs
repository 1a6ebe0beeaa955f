//! `[fcgi-program:x]`: processes that share a listening socket (CFG-210 … CFG-216).

use std::sync::Arc;

use upkeep_core::spec::{GroupKind, GroupSpec, SocketAddress, SocketSpec};

use super::Loader;
use super::scope::Scope;
use crate::ini::Section;
use crate::options::SectionKind;
use crate::python::path::normalize;
use crate::python::percent::Value;
use crate::python::repr::py_repr;
use crate::python::text::is_space;
use crate::value::{self, Machine, Read, Wrong};
use crate::world::User;

/// What a socket's file is to be.
struct Wanted {
    owner: Option<(u32, Option<u32>)>,
    mode: Option<u32>,
    user: Option<User>,
}

impl<'a> Loader<'a> {
    /// The socket's keys, then the processes.
    pub(super) fn fcgi(&mut self, section: &'a Section) -> Option<GroupSpec> {
        let name = self.group_name(section)?;
        let mut scope = self.group_scope(section, SectionKind::Fcgi);
        let priority = scope.read("priority", value::integer).unwrap_or(999);
        let socket = self.fcgi_socket(section, &name);
        let shared = socket.clone().map(Arc::new);
        let mut processes = self.processes(section, &name);
        processes.iter_mut().for_each(|process| Arc::make_mut(process).socket.clone_from(&shared));
        let kind = socket.map_or(GroupKind::Plain, GroupKind::Fcgi);
        Some(GroupSpec { name, priority, kind, processes })
    }

    /// The socket of a member of a `[group:x]`. The original gives it none and does not look at its keys (CFG-188), so what
    /// is wrong with them is no error (D-09).
    pub(super) fn member_socket(&mut self, section: &'a Section) -> Option<SocketSpec> {
        let name = self.group_name(section)?;
        self.forgiving(|loader| loader.fcgi_socket(section, &name))
    }

    fn fcgi_socket(&mut self, section: &'a Section, name: &str) -> Option<SocketSpec> {
        let machine = self.machine;
        let mut scope = self.group_scope(section, SectionKind::Fcgi);
        let user = scope.read("user", |text| machine.user(text));
        let backlog = scope.read("socket_backlog", backlog);
        let owner = scope.read("socket_owner", |text| machine.owner(text, "Invalid socket_owner value"));
        let mode = scope.written_mode();
        scope.names.insert("program_name".to_owned(), Value::Text(name.to_owned()));
        let (url, address) = scope.socket(machine, &Wanted { owner, mode, user })?;
        Some(SocketSpec { url, address, backlog })
    }
}

fn backlog(text: &str) -> Read<i64> {
    match value::integer(text)? {
        backlog @ 1..=65535 => Ok(backlog),
        other => Err(format!("Invalid socket_backlog value {other}").into()),
    }
}

impl Scope<'_, '_> {
    /// `None` unless written: with TCP that matters (CFG-215).
    fn written_mode(&mut self) -> Option<u32> {
        let mode = |text: &str| {
            value::octal(text).map_err(|_| Wrong::from(format!("Invalid socket_mode value {text}")))
        };
        let text = self.text("socket_mode").ok().flatten()?;
        self.convert("socket_mode", &text, mode)
    }

    fn socket(&mut self, machine: Machine<'_>, wanted: &Wanted) -> Option<(String, SocketAddress)> {
        let section = &self.section.name;
        let text = match self.text("socket") {
            Err(_) => return None,
            Ok(text) => text.unwrap_or_default(),
        };
        if text.is_empty() {
            let hint = "write socket=unix:///path or socket=tcp://host:port";
            self.fail("socket", Wrong::new(format!("[{section}] section requires a \"socket\" line"), hint));
            return None;
        }
        self.convert("socket", &text, |text| {
            address(text, machine, wanted).map_err(|wrong| Wrong {
                message: format!("{} in [{section}] socket", wrong.message),
                ..wrong
            })
        })
    }
}

fn address(text: &str, machine: Machine<'_>, wanted: &Wanted) -> Read<(String, SocketAddress)> {
    if let Some(path) = text.strip_prefix("unix://") {
        return unix(path, machine, wanted);
    }
    if wanted.owner.is_some() || wanted.mode.is_some() {
        let message = "socket_owner and socket_mode params should only be used with a Unix domain socket";
        return Err(message.to_owned().into());
    }
    let Some((host, port)) = tcp(text) else {
        let hint = "write unix:///path or tcp://host:port";
        return Err(Wrong::new(format!("('Bad socket format %s', {})", py_repr(text)), hint));
    };
    let (host, port) = (host.to_lowercase(), value::port(port)?);
    Ok((format!("tcp://{host}:{port}"), SocketAddress::Tcp { host, port }))
}

/// `tcp://HOST:PORT`, the port digits alone.
fn tcp(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.strip_prefix("tcp://")?.split_once(':')?;
    let good_host = !host.is_empty() && !host.contains(is_space);
    let good_port = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    (good_host && good_port).then_some((host, port))
}

fn unix(path: &str, machine: Machine<'_>, wanted: &Wanted) -> Read<(String, SocketAddress)> {
    if !path.starts_with('/') {
        let message = format!("('Unix socket path %s is not an absolute path', {})", py_repr(path));
        return Err(Wrong::new(message, "write three slashes: unix:///path"));
    }
    let path = normalize(path, machine.env, machine.world);
    let of_user = || wanted.user.as_ref().filter(|user| user.uid != machine.world.uid());
    let owner = wanted.owner.or_else(|| of_user().map(|user| (user.uid, Some(user.gid))));
    let mode = wanted.mode.unwrap_or(0o700);
    Ok((format!("unix://{path}"), SocketAddress::Unix { path, owner, mode }))
}
