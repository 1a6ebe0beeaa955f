//! What a new configuration changes: for `reread`, which groups; for `update`, how much must be disturbed.

use std::sync::Arc;

use crate::ordered;
use crate::spec::{GroupKind, GroupSpec, LogTarget, OutputSpec, ProcessSpec, SocketSpec};

/// What applying a change costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing differs.
    None,
    /// Applied while the process runs on.
    Live,
    /// The process has to be started anew.
    Restart,
}

/// Group names that differ between the active groups and a new configuration (RPC-130, RPC-131).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the order of the new configuration.
    pub added: Vec<String>,
    /// In the order of the new configuration.
    pub changed: Vec<String>,
    /// In the order of the active groups.
    pub removed: Vec<String>,
}

/// Compares the active groups with a configuration, as `reread` tells it.
#[must_use]
pub fn difference(active: &[GroupSpec], new: &[GroupSpec]) -> Difference {
    // The last of those of one name.
    let by_name = |groups: &'_ [GroupSpec]| {
        ordered::map(groups.iter().enumerate().map(|(at, group)| (group.name.clone(), at)))
    };
    let (by_old_name, by_new_name) = (by_name(active), by_name(new));
    let mut difference = Difference::default();
    for group in new {
        match by_old_name.get(&group.name).and_then(|at| active.get(*at)) {
            None => difference.added.push(group.name.clone()),
            Some(old) if !group_is_same(old, group) => difference.changed.push(group.name.clone()),
            Some(_) => {}
        }
    }
    for group in active {
        if !by_new_name.contains_key(&group.name) {
            difference.removed.push(group.name.clone());
        }
    }
    difference
}

/// What counts as the same group (CFG-422).
fn group_is_same(old: &GroupSpec, new: &GroupSpec) -> bool {
    old.priority == new.priority
        && change_kind(&old.kind, &new.kind) == Kind::None
        && old.processes.len() == new.processes.len()
        && old.processes.iter().zip(&new.processes).all(|(old, new)| old.change_to(new) == Kind::None)
}

/// What a change of a group's own options costs: all or nothing. Of a socket only the URL counts (CFG-422).
#[must_use]
pub(crate) fn change_kind(old: &GroupKind, new: &GroupKind) -> Kind {
    let same = match (old, new) {
        (GroupKind::Plain, GroupKind::Plain) => true,
        (GroupKind::Listener(old), GroupKind::Listener(new)) => old == new,
        (GroupKind::Fcgi(old), GroupKind::Fcgi(new)) => old.url == new.url,
        (GroupKind::Plain | GroupKind::Listener(_) | GroupKind::Fcgi(_), _) => false,
    };
    if same { Kind::None } else { Kind::Restart }
}

impl ProcessSpec {
    /// What it costs to turn a process with these options into one with `new` (D-37).
    ///
    /// Restart: what only a new child can have. Live: what the supervisor and the log path decide by.
    #[must_use]
    pub fn change_to(&self, new: &Self) -> Kind {
        let needs_restart = self.name != new.name
            || self.command != new.command
            || self.directory != new.directory
            || self.uid != new.uid
            || self.umask != new.umask
            || self.environment != new.environment
            || self.serverurl != new.serverurl
            || self.confinement != new.confinement
            || url(&self.socket) != url(&new.socket)
            || self.redirect_stderr != new.redirect_stderr
            || self.stdin != new.stdin;
        if needs_restart {
            return Kind::Restart;
        }
        let live = self.priority != new.priority
            || self.autostart != new.autostart
            || self.autorestart != new.autorestart
            || self.startsecs != new.startsecs
            || self.startretries != new.startretries
            || self.restart != new.restart
            || self.bounds != new.bounds
            || self.exitcodes != new.exitcodes
            || self.stopsignal != new.stopsignal
            || self.stopwaitsecs != new.stopwaitsecs
            || self.stop_sequence != new.stop_sequence
            || self.hooks != new.hooks
            || self.stopasgroup != new.stopasgroup
            || self.killasgroup != new.killasgroup
            || self.depends_on != new.depends_on
            || self.on_dependency_stop != new.on_dependency_stop
            || self.watch != new.watch
            || self.schedule != new.schedule
            || self.health != new.health
            || self.rolling != new.rolling
            || !output_is_same(&self.stdout, &new.stdout)
            || !output_is_same(&self.stderr, &new.stderr);
        if live { Kind::Live } else { Kind::None }
    }
}

/// Of a socket only the URL counts (CFG-422).
fn url(socket: &Option<Arc<SocketSpec>>) -> Option<&str> {
    socket.as_ref().map(|socket| socket.url.as_str())
}

/// What becomes AUTO keeps the log that it has; an AUTO log that gets a name is another (CFG-422).
fn output_is_same(old: &OutputSpec, new: &OutputSpec) -> bool {
    (new.target == LogTarget::Auto || old.target == new.target)
        && old.maxbytes == new.maxbytes
        && old.backups == new.backups
        && old.capture_maxbytes == new.capture_maxbytes
        && old.events_enabled == new.events_enabled
        && old.syslog == new.syslog
        && old.rules == new.rules
}
