//! The exchange of old for new, in one turn of the daemon's task.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use upkeep_api::{Fault, FaultCode, KeptReload, Reply, Reread, Setting};
use upkeep_config::{Address, Config, Level as ConfigLevel, LogFile, Server};
use upkeep_core::reload::difference;
use upkeep_logs::{Journal, Level};

use super::differences::Told;
use super::ready::{Origin, Ready, cannot_listen, refused, same_port};
use super::undo::Undo;
use crate::generations::Loaded;
use crate::journal::journal_level;
use crate::listening::{Opened, Up, rules};
use crate::orphans::MOVING;
use crate::pidfile;
use crate::servers::{self, Socket};
use crate::shell::Shell;

/// What is left to do off the daemon's task, and then to answer.
pub(super) struct Done {
    kept: KeptReload,
    /// Socket files of what is no more.
    old_files: Vec<PathBuf>,
    /// With the pid that is in it.
    old_pidfile: Option<(PathBuf, u32)>,
    run_file: Option<Receiver<()>>,
}

impl Done {
    /// What is told when it is over.
    pub(super) fn answer(&self) -> Reply {
        Reply::Kept(self.kept.clone())
    }

    /// Removes what is left of the old. Blocks on the file system.
    pub(super) fn finish(self) -> Reply {
        for path in &self.old_files {
            // Somebody may have removed it already: it is gone either way.
            let _ = std::fs::remove_file(path);
        }
        let old_pidfile = self.old_pidfile.as_ref().filter(|(path, pid)| pidfile::names(path, *pid));
        let _ = old_pidfile.map(|(path, _)| std::fs::remove_file(path));
        // If it cannot be written, the log says so; the reload has happened all the same.
        let _ = self.run_file.as_ref().map(|moved| moved.recv_timeout(MOVING));
        self.answer()
    }
}

/// A server that is about to be up.
enum Coming {
    Old(usize),
    New(Opened),
}

impl Shell {
    /// Exchanges old for new.
    ///
    /// # Errors
    /// Something has happened meanwhile, or a socket that was in our own way cannot be had; everything is as it was but
    /// for what is to be undone.
    pub(super) fn apply(&mut self, ready: Ready) -> Result<Done, (Fault, Undo)> {
        let Ready { base, keeper_pid, loaded, sockets, journal, told, undo } = ready;
        let coming = match self.may_apply(base, keeper_pid).and_then(|()| self.open_late(sockets)) {
            Ok(coming) => coming,
            Err(fault) => return Err((fault, undo)),
        };
        let (old, new) = (self.generations.base().config.clone(), loaded.config.clone());
        self.change_log(&old, &new, journal);
        self.remember(&old, &new);
        let leaving = self.exchange(&old, &new, coming);
        let kept = KeptReload {
            groups: self.waiting_groups(&new),
            applied: told.applied.clone(),
            not_applied: told.not_applied.clone(),
        };
        self.take_effect(&old, loaded);
        let old_files: Vec<PathBuf> = leaving.iter().filter_map(|up| file_of(&up.server)).collect();
        leaving.into_iter().for_each(|up| self.close_server(up));
        let (mut run_file, mut old_pidfile) = (None, None);
        if old.settings.pidfile != new.settings.pidfile {
            run_file = self.move_run_file();
            self.forget_pidfile_retry();
            if std::mem::replace(&mut self.pidfile_written, true) {
                old_pidfile = Some((old.settings.pidfile.clone(), self.keeper_pid));
            }
        }
        if old.settings.pidfile != new.settings.pidfile || old.settings.logfile != new.settings.logfile {
            self.move_plans();
        }
        self.tell_reload(&told, &new);
        Ok(Done { kept, old_files, old_pidfile, run_file })
    }

    fn may_apply(&self, base: u64, keeper_pid: u32) -> Result<(), Fault> {
        if self.core.phase().is_ending() {
            return Err(Fault::new(FaultCode::ShutdownState));
        }
        if (base, keeper_pid) != (self.generations.base, self.keeper_pid) {
            return Err(refused("the daemon or its keeper has come up anew meanwhile"));
        }
        if self.upgrade.is_some() {
            return Err(refused("an upgrade is under way"));
        }
        Ok(())
    }

    /// Makes every socket ready to be served; those that one of our own is in the way of are opened now.
    fn open_late(&mut self, sockets: Vec<(Server, Origin)>) -> Result<Vec<(Server, Coming)>, Fault> {
        let stays: Vec<usize> = sockets
            .iter()
            .filter_map(|(_, origin)| match origin {
                Origin::Old(at) => Some(*at),
                Origin::New(_) | Origin::Later => None,
            })
            .collect();
        let mut silenced = Vec::new();
        let mut coming = Vec::new();
        for (server, origin) in sockets {
            let opened = match origin {
                Origin::Old(at) => Ok(Coming::Old(at)),
                Origin::New(socket) => ready(&server, socket),
                Origin::Later => {
                    silenced.extend(self.make_way(&server, &stays));
                    Socket::open(&server)
                        .map_err(|error| cannot_listen(&server, &error))
                        .and_then(|socket| ready(&server, socket))
                }
            };
            match opened {
                Ok(opened) => coming.push((server, opened)),
                Err(fault) => {
                    // What has been opened has to be gone before the old ones listen again.
                    drop(coming);
                    self.listen_as_before(&silenced);
                    return Err(fault);
                }
            }
        }
        Ok(coming)
    }

    /// Old servers that are about to be closed stop listening on the port of a new one; returns which.
    fn make_way(&self, server: &Server, stays: &[usize]) -> Vec<usize> {
        let ups = self.listening.up.iter().enumerate();
        let in_the_way = ups.filter(|(at, up)| !stays.contains(at) && same_port(&up.server, server));
        in_the_way
            .map(|(at, up)| {
                servers::stop_listening(&up.server, &up.socket);
                at
            })
            .collect()
    }

    fn listen_as_before(&self, silenced: &[usize]) {
        for up in silenced.iter().filter_map(|at| self.listening.up.get(*at)) {
            if let Err(error) = servers::listen_again(&up.socket) {
                let place = servers::place(&up.server);
                self.log(Level::Error, format!("nothing listens on {place} any more: {error}"));
            }
        }
    }

    /// The next line goes to the new log, and all before to the old one.
    fn change_log(&mut self, old: &Config, new: &Config, journal: Option<Journal>) {
        let Some(journal) = journal else { return };
        if old.settings.logfile != new.settings.logfile {
            let place = match &new.settings.logfile {
                LogFile::Path(path) => path.display().to_string(),
                LogFile::Syslog => "syslog".to_owned(),
            };
            self.log(Level::Info, format!("reload: this log goes on in {place}"));
        }
        crate::facade::set_journal(&self.engine, journal);
    }

    /// What the new configuration does not tell the next daemon.
    fn remember(&mut self, old: &Config, new: &Config) {
        let (old, new) = (&old.settings, &new.settings);
        let foreground = self.in_foreground();
        self.standing.foreground = Some(foreground);
        if (&old.childlogdir, &old.identifier) != (&new.childlogdir, &new.identifier) {
            self.settle_queues();
        }
        if foreground {
            return;
        }
        if old.umask != new.umask {
            self.standing.umask = Some(new.umask);
            upkeep_os::set_umask(new.umask);
        }
        if let Some(directory) = new.directory.as_ref().filter(|_| old.directory != new.directory) {
            self.standing.directory = Some(directory.to_string_lossy().into_owned());
        }
    }

    /// Puts the new servers in the place of the old ones; returns those that are to be closed.
    fn exchange(&mut self, old: &Config, new: &Config, coming: Vec<(Server, Coming)>) -> Vec<Up> {
        let mut before: Vec<Option<Up>> =
            std::mem::take(&mut self.listening.up).into_iter().map(Some).collect();
        let mut leaving = Vec::new();
        for (server, origin) in coming {
            let rules = rules(new, &server);
            let kept = match &origin {
                Coming::Old(at) => before.get_mut(*at).and_then(Option::take),
                Coming::New(_) => None,
            };
            // A door that was opened, or lost its lock.
            let opens = server.auth.is_none() && !old.servers.contains(&server);
            if opens || matches!(origin, Coming::New(_)) {
                self.introduce_server(new, &server);
            }
            let up = match (origin, kept) {
                (_, Some(up)) => self.take_over_server(up, server, rules),
                (Coming::New(opened), None) => self.serve_one(server, opened, rules),
                (Coming::Old(_), None) => continue,
            };
            self.listening.up.push(up);
        }
        leaving.extend(before.into_iter().flatten());
        leaving
    }

    /// The server goes on with its socket and its connections, under a new name if need be.
    fn take_over_server(&mut self, mut up: Up, server: Server, rules: upkeep_http::Rules) -> Up {
        up.rules.send_replace(rules);
        if up.server.section != server.section {
            self.hold_server(&server, &up.socket);
            self.listening.renamed.push(servers::held_name(&up.server));
        }
        up.server = server;
        up
    }

    /// Groups that differ wait for an update.
    fn waiting_groups(&self, new: &Config) -> Reread {
        let active = self.running_groups();
        let found = difference(&active, &new.groups);
        Reread { added: found.added, changed: found.changed, removed: found.removed }
    }

    fn take_effect(&mut self, old: &Arc<Config>, loaded: Loaded) {
        let new = loaded.config.clone();
        self.adopt_base(loaded);
        self.let_go_of_renamed();
        self.renew_context();
        let ways = |config: &Config| {
            let settings = &config.settings;
            (settings.strip_ansi, settings.log_prefix, settings.loglevel >= ConfigLevel::Debug)
        };
        if ways(old) != ways(&new) {
            let all: Vec<_> = self.core.processes().map(|(id, _)| id).collect();
            all.into_iter().for_each(|id| self.reconfigure(id));
            self.open_new_logs();
        }
    }

    fn tell_reload(&self, told: &Told, new: &Config) {
        for note in new.notes.iter().filter(|note| note.level <= ConfigLevel::Warn) {
            self.log(journal_level(note.level), note.text.clone());
        }
        let text = |settings: &[Setting]| {
            let names = settings.iter().map(|setting| {
                let Setting { section, option, .. } = setting;
                if option.is_empty() { format!("[{section}]") } else { format!("[{section}] {option}") }
            });
            names.collect::<Vec<_>>().join(", ")
        };
        let applied = if told.applied.is_empty() { "nothing".to_owned() } else { text(&told.applied) };
        self.log(Level::Info, format!("reload while everything runs on: applied {applied}"));
        for setting in &told.not_applied {
            let Setting { section, option, note } = setting;
            self.log(Level::Warn, format!("reload: [{section}] {option} is not applied: {note}"));
        }
    }
}

fn ready(server: &Server, socket: Socket) -> Result<Coming, Fault> {
    Opened::new(socket).map(Coming::New).map_err(|error| cannot_listen(server, &error.into()))
}

fn file_of(server: &Server) -> Option<PathBuf> {
    match &server.address {
        Address::Unix { path, .. } => Some(path.clone()),
        Address::Inet { .. } => None,
    }
}
