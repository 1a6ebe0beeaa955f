//! Everything a reload needs from the file system and the network, had before anything is changed.

use std::path::Path;
use std::sync::Arc;

use upkeep_api::{Fault, FaultCode, apart};
use upkeep_config::{Address, CommandLine, Config, Server, Settings};
use upkeep_logs::Journal;
use upkeep_os::Limit;

use super::differences::{Own, Told, setting, taken};
use super::undo::Undo;
use crate::generations::Loaded;
use crate::reading::Reading;
use crate::servers::{OpenError, Socket, place};
use crate::{journal, pidfile};

/// What the helper thread has to know.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) latest: Loaded,
    /// The number of the configuration in effect.
    pub(super) base: u64,
    /// The configuration in effect.
    pub(super) config: Arc<Config>,
    pub(super) cli: CommandLine,
    /// The name the daemon was called by.
    pub(super) program: String,
    pub(super) keeper_pid: u32,
    pub(super) foreground: bool,
    /// The daemon's name in syslog.
    pub(super) ident: String,
}

/// A reload of which nothing can fail any more, but for sockets that are in our own way.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The number of the configuration that it was compared with.
    pub(super) base: u64,
    /// The keeper of then.
    pub(super) keeper_pid: u32,
    pub(super) loaded: Loaded,
    pub(super) sockets: Vec<(Server, Origin)>,
    /// `None` if the log stays as it is.
    pub(super) journal: Option<Journal>,
    pub(super) told: Told,
    pub(super) undo: Undo,
}

/// Where a server's socket comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// It is that of an old server.
    Old(usize),
    /// It was opened.
    New(Socket),
    /// It is opened when an old one on the same port is closed.
    Later,
}

/// A refusal that says so.
pub(super) fn refused(text: impl std::fmt::Display) -> Fault {
    Fault::about(FaultCode::Failed, format!("{text}; nothing has been changed"))
}

/// Why a server cannot listen.
pub(super) fn cannot_listen(server: &Server, error: &OpenError) -> Fault {
    let place = place(server);
    let section = &server.section;
    refused(match error {
        OpenError::InUse => format!("[{section}] cannot listen on {place}: something else listens there"),
        OpenError::System { code } => {
            let why = crate::errors::words(&std::io::Error::from_raw_os_error(*code));
            format!("[{section}] cannot listen on {place}: {why}")
        }
        OpenError::Other(why) => format!("[{section}] cannot listen on {place}: {why}"),
        OpenError::Chown { .. } => format!("[{section}] {error}"),
    })
}

/// Reads the configuration and opens what is new, on threads that may wait for the file system.
///
/// # Errors
/// What cannot be had. Everything is as it was then.
pub(super) async fn prepare(order: Order, reading: &Reading) -> Result<Ready, Fault> {
    let (latest, program, cli) = (order.latest.clone(), order.program.clone(), order.cli.clone());
    let loaded = reading.configuration(move |place| latest.again_as(&program, &cli, place)).await;
    let loaded = loaded.map_err(|error| Fault::about(FaultCode::CantReread, error.to_string()))?;
    let opened = apart(move || open(&order, loaded));
    opened.await.unwrap_or_else(|| Err(refused("no thread can be had")))
}

/// Opens what is new. Blocks on the file system.
fn open(order: &Order, loaded: Loaded) -> Result<Ready, Fault> {
    let mut undo = Undo::default();
    match open_all(order, &loaded.config, &mut undo) {
        Ok((sockets, journal, told)) => {
            Ok(Ready { base: order.base, keeper_pid: order.keeper_pid, loaded, sockets, journal, told, undo })
        }
        Err(fault) => {
            undo.run();
            Err(fault)
        }
    }
}

type All = (Vec<(Server, Origin)>, Option<Journal>, Told);

fn open_all(order: &Order, new: &Config, undo: &mut Undo) -> Result<All, Fault> {
    let old = &*order.config;
    let taken = taken(&old.servers, &new.servers);
    let own = Own { foreground: order.foreground, uid: rustix::process::getuid().as_raw() };
    let mut told = Told::compare(old, new, &taken, own);
    let mut sockets = Vec::new();
    for (server, at) in new.servers.iter().zip(&taken) {
        sockets.push((server.clone(), open_one(old, &taken, server, *at, undo)?));
    }
    let journal = open_journal(order, &new.settings, undo)?;
    if old.settings.pidfile != new.settings.pidfile {
        write_pidfile(&new.settings.pidfile, order.keeper_pid, undo)?;
    }
    raise_limits(order, new, &mut told);
    Ok((sockets, journal, told))
}

fn open_one(
    old: &Config,
    taken: &[Option<usize>],
    server: &Server,
    at: Option<usize>,
    undo: &mut Undo,
) -> Result<Origin, Fault> {
    if let Some(at) = at {
        set_access(&old.servers[at], server, undo)?;
        return Ok(Origin::Old(at));
    }
    match Socket::open(server) {
        Ok(socket) => {
            if let Address::Unix { path, .. } = &server.address {
                undo.made(path.clone());
            }
            Ok(Origin::New(socket))
        }
        Err(OpenError::InUse) if in_our_own_way(old, taken, server) => Ok(Origin::Later),
        Err(error) => Err(cannot_listen(server, &error)),
    }
}

/// Whether an old server that is about to be closed has the same port under another address.
fn in_our_own_way(old: &Config, taken: &[Option<usize>], server: &Server) -> bool {
    let mut left = old.servers.iter().enumerate().filter(|(at, _)| !taken.contains(&Some(*at)));
    left.any(|(_, other)| same_port(other, server))
}

/// Whether two servers have the same port, whatever their hosts.
pub(super) fn same_port(a: &Server, b: &Server) -> bool {
    matches!((&a.address, &b.address), (Address::Inet { port: a, .. }, Address::Inet { port: b, .. }) if a == b)
}

/// `chmod` and `chown` of a socket file that stays.
fn set_access(old: &Server, new: &Server, undo: &mut Undo) -> Result<(), Fault> {
    let Address::Unix { path, mode, owner } = &new.address else { return Ok(()) };
    if old.address == new.address {
        return Ok(());
    }
    let own = (rustix::process::geteuid().as_raw(), Some(rustix::process::getegid().as_raw()));
    undo.set_access(path, *mode, owner.unwrap_or(own)).map_err(|error| {
        let (path, why) = (path.display(), crate::errors::words(&error));
        refused(format!("[{}] cannot set mode and owner of {path}: {why}", new.section))
    })
}

fn open_journal(order: &Order, new: &Settings, undo: &mut Undo) -> Result<Option<Journal>, Fault> {
    let old = &order.config.settings;
    let about = |settings: &Settings| {
        let sizes = (settings.logfile_maxbytes, settings.logfile_backups);
        (settings.logfile.clone(), sizes, settings.loglevel, settings.silent)
    };
    if about(old) == about(new) {
        return Ok(None);
    }
    if let upkeep_config::LogFile::Path(path) = &new.logfile {
        undo.about_to_make(path);
    }
    journal::open(new, order.foreground, &order.ident).map(Some).map_err(refused)
}

fn write_pidfile(path: &Path, pid: u32, undo: &mut Undo) -> Result<(), Fault> {
    undo.about_to_write(path);
    pidfile::write(path, pid).map_err(|error| {
        let (path, why) = (path.display(), crate::errors::words(&error));
        refused(format!("[supervisord] cannot write pidfile {path}: {why}"))
    })
}

/// Limits are the keeper's: children inherit them from there. They are only ever raised.
fn raise_limits(order: &Order, new: &Config, told: &mut Told) {
    let (old, new) = (&order.config.settings, &new.settings);
    for (limit, option, before, wanted) in [
        (Limit::OpenFiles, "minfds", old.minfds, new.minfds),
        (Limit::Processes, "minprocs", old.minprocs, new.minprocs),
    ] {
        let count = u64::try_from(wanted).unwrap_or(0);
        match upkeep_os::raise_limit_of(order.keeper_pid, limit, count) {
            Ok(_) if before == wanted => {}
            Ok(true) => {
                told.applied.push(setting("supervisord", option, "for processes from their next start on"))
            }
            Ok(false) => told.applied.push(setting("supervisord", option, "")),
            Err(error) => {
                let why = crate::errors::words(&error);
                let note = format!("the limit cannot be raised to {wanted}: {why}");
                told.not_applied.push(setting("supervisord", option, note));
            }
        }
    }
}
