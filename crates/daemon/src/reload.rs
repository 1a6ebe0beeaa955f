//! Reading the configuration again: `reread`, adding and updating groups, coming up anew.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::sync::Arc;

use upkeep_api::{Fault, FaultCode, Reply, Reread};
use upkeep_config::LoadError;
use upkeep_core::ordered;
use upkeep_core::reload::difference;
use upkeep_core::spec::{GroupSpec, ProcessSpec};
use upkeep_core::{Input, Phase, ProcId};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::applied::Cause;
use crate::generations::{self, Generations, Loaded};
use crate::held;
use crate::logfiles::{AutoNaming, LogTable};
use crate::records::{DAEMON_KEY, DaemonChange, DaemonRecord, Ending, Unsaved};
use crate::shell::{Active, End, Message, Purpose, Responder, Shell};
use crate::tasks;
use crate::watching::is_wanted;

impl Shell {
    /// Reads the configuration again; nothing that runs changes (CFG-420, D-05).
    pub(crate) fn reread(&mut self, reply: Responder) {
        let (latest, cli, messages) =
            (self.generations.latest().clone(), self.cli.clone(), self.messages.clone());
        let reading = self.reading.clone();
        tasks::spawn(async move {
            let result = reading.configuration(move |place| latest.again(&cli, place)).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Reread { result, back: None, reply });
        });
    }

    /// `back` is the number of the configuration that it came out of, if it did not come from the disk.
    pub(crate) fn reread_done(
        &mut self,
        result: Result<Loaded, LoadError>,
        back: Option<u64>,
        reply: Responder,
    ) {
        if self.core.phase().is_ending() {
            // What comes up again is what was read for that.
            return self.respond(reply, Err(Fault::new(FaultCode::ShutdownState)));
        }
        if let Err(message) = self.adopt_latest(result) {
            return self.respond(reply, Err(Fault::about(FaultCode::CantReread, message)));
        }
        let active = self.running_groups();
        let found = difference(&active, &self.generations.latest().config.groups);
        self.note_read(back);
        self.prune_generations();
        let reread = Reread { added: found.added, changed: found.changed, removed: found.removed };
        self.respond(reply, Ok(Reply::Reread(reread)));
    }

    /// What was read becomes the latest, unless the next daemon could not find it.
    fn adopt_latest(&mut self, result: Result<Loaded, LoadError>) -> Result<(), String> {
        let loaded = result.map_err(|error| error.message)?;
        self.hold(self.generations.next(), &loaded)
            .map_err(|error| format!("cannot keep a copy for a restart of the daemon: {error}"))?;
        self.generations.add(loaded);
        Ok(())
    }

    pub(crate) fn add_group(&mut self, name: &str, reply: Responder) {
        if self.core.group(name).is_none() {
            return self.name_logs(name, false, reply);
        }
        // The daemon that was asked first may have added it.
        let again = self.is_asked_again(&reply);
        let added =
            if again { Ok(Reply::Bool(true)) } else { Err(Fault::about(FaultCode::AlreadyAdded, name)) };
        self.respond(reply, added);
    }

    pub(crate) fn update_group(&mut self, name: &str, reply: Responder) {
        if self.core.group(name).is_none() {
            return self.respond(reply, Err(Fault::about(FaultCode::BadName, name)));
        }
        self.name_logs(name, true, reply);
    }

    /// Gives the logs of a group of the last read configuration their names, off this task.
    fn name_logs(&mut self, name: &str, update: bool, reply: Responder) {
        let generation = self.generations.latest;
        let Some(spec) = self.generations.latest().group(name).cloned() else {
            return self.respond(reply, Err(Fault::about(FaultCode::BadName, name)));
        };
        let key = |process: &Arc<ProcessSpec>| (spec.name.clone(), process.name.clone());
        let known = spec.processes.iter().map(key);
        let known: LogTable =
            ordered::map(known.filter_map(|key| Some((key.clone(), self.logs.get(&key)?.clone()))));
        let (naming, messages) = (self.naming(), self.messages.clone());
        let reading = self.naming_logs.clone();
        tasks::spawn(async move {
            let spec = Box::new(spec);
            let named = spec.clone();
            let result = reading.of(move |place| {
                place.set(&naming.directory.to_string_lossy());
                naming.name_group(&named, &known)
            });
            let result = result.await.unwrap_or_else(|late| Err(std::io::Error::other(late)));
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Named { spec, generation, update, result, reply });
        });
    }

    pub(crate) fn group_named(
        &mut self,
        spec: GroupSpec,
        generation: u64,
        update: bool,
        result: std::io::Result<LogTable>,
        reply: Responder,
    ) {
        if self.generations.get(generation).is_none() {
            // The configuration was read again meanwhile, or everything came up anew: this one is held by nobody any more.
            return if update {
                self.update_group(&spec.name, reply)
            } else {
                self.add_group(&spec.name, reply)
            };
        }
        let table = match result {
            Ok(table) => table,
            Err(error) => {
                let text = format!("cannot create the log files of group {}: {error}", spec.name);
                return self.respond(reply, Err(Fault::about(FaultCode::Failed, text)));
            }
        };
        let name = spec.name.clone();
        if self.core.group(&name).is_some() != update {
            let code = if update { FaultCode::BadName } else { FaultCode::AlreadyAdded };
            return self.respond(reply, Err(Fault::about(code, name)));
        }
        if !update && let Err(error) = self.try_sockets(&spec) {
            return self.respond(reply, Err(Fault::about(FaultCode::Failed, error.to_string())));
        }
        let group = Active { spec: spec.clone(), generation };
        if update {
            let before = self.active.get(&name);
            let logs = before.map(|other| self.logs_of(&other.spec)).unwrap_or_default();
            let before = before.map_or(generation, |other| other.generation);
            self.logs.extend(table);
            let changes = self.replace_active(group);
            self.forget_losses(logs, &self.logs_of(&spec));
            let strict = self.settings().strict_update;
            let request = upkeep_core::Request::UpdateGroup { spec, strict };
            let call = self.ask_alone(request, Purpose::Update, reply);
            // Nothing is done before it is written down who keeps older options.
            self.note_behind(&name, before);
            self.activated(changes);
            self.follow_group(&name);
            self.hold_client(call);
        } else {
            self.logs.extend(table);
            let changes = self.replace_active(group);
            self.activated(changes);
            self.ask(upkeep_core::Request::AddGroup(spec), Purpose::Add(name), reply);
        }
    }

    /// Whether it may change which files are watched.
    fn replace_active(&mut self, group: Active) -> bool {
        let changes = self.watching.is_some() || is_wanted(&group.spec);
        let (generation, name) = (group.generation, group.spec.name.clone());
        self.unsaved.groups.insert(name.clone(), Some(generation));
        self.active.put(group);
        self.note_update(generation, &name);
        changes
    }

    fn activated(&mut self, changes: bool) {
        self.prune_after_change();
        if changes {
            self.follow_files();
        }
    }

    /// Forgets a group that is not active (any more).
    pub(crate) fn deactivate(&mut self, name: &str) {
        let removed = self.active.remove(name);
        self.unsaved.groups.insert(name.to_owned(), None);
        if let Some(group) = &removed {
            self.forget_losses(self.logs_of(&group.spec), &BTreeSet::new());
        }
        let of_group = self.logs.range((name.to_owned(), String::new())..).map(|(key, _)| key);
        let logs: Vec<_> = of_group.take_while(|(group, _)| group == name).cloned().collect();
        for key in logs {
            self.logs.remove(&key);
        }
        self.note_removed(name);
        self.leave_behind_none(name);
        self.activated(self.watching.is_some() || removed.is_some_and(|group| is_wanted(&group.spec)));
    }

    /// How AUTO logs are named.
    pub(crate) fn naming(&self) -> AutoNaming {
        let settings = self.settings();
        AutoNaming { directory: settings.childlogdir.clone(), identifier: settings.identifier.clone() }
    }

    /// Lets go of configurations that nothing comes from any more, and writes down which are in effect.
    pub(crate) fn prune_generations(&mut self) {
        self.prune_and(Self::save_daemon);
    }

    /// The same, after a change of some groups: what is written down is that change.
    pub(crate) fn prune_after_change(&mut self) {
        self.prune_and(Self::save_changes);
    }

    fn prune_and(&mut self, save: impl FnOnce(&mut Self)) {
        let (active, behind) = (&self.active, &self.behind);
        let dead =
            self.generations.prune(|number| active.uses(number) || behind.values().any(|old| *old == number));
        self.keep_applied(&dead);
        // The record goes first: at no time does it name something that is not held.
        save(self);
        for (number, _) in dead {
            self.send(&ToKeeper::Unhold { name: generations::held_name(number) });
        }
        self.settle_applied();
        self.news.moved();
        self.changes.of_processes();
    }

    /// Gives the keeper what a configuration was read from.
    pub(crate) fn hold_generation(&mut self, number: u64) {
        let Some(loaded) = self.generations.get(number).cloned() else { return };
        if let Err(error) = self.hold(number, &loaded) {
            self.log(
                Level::Error,
                format!("cannot keep a copy of the configuration for a restart of the daemon: {error}"),
            );
        }
    }

    /// The same for one that is about to get this number.
    fn hold(&mut self, number: u64, loaded: &Loaded) -> std::io::Result<()> {
        let held = upkeep_os::memfd_with(held::MEMORY, &loaded.sources.to_bytes())?;
        let frame = ToKeeper::Hold { name: generations::held_name(number) };
        self.link.send(&frame, &[held.as_fd()])
    }

    /// Writes the daemon itself down for the next one.
    pub(crate) fn save_daemon(&mut self) {
        let record = DaemonRecord {
            groups: self.active.iter().map(|group| (group.spec.name.clone(), group.generation)).collect(),
            behind: self.behind_record(),
            standing: self.standing.clone(),
            ..self.record_of_itself()
        };
        self.unsaved = Unsaved::default();
        if let Ok(value) = serde_json::to_vec(&record) {
            let frame = self.record.whole(DAEMON_KEY, value);
            self.send(&frame);
        }
    }

    /// Writes down which groups and files have changed, and what is about neither.
    pub(crate) fn save_changes(&mut self) {
        let unsaved = std::mem::take(&mut self.unsaved);
        let change = serde_json::to_vec(&DaemonChange::new(self.record_of_itself(), unsaved)).ok();
        match change.and_then(|change| self.record.change(DAEMON_KEY, change)) {
            Some(frame) => self.send(&frame),
            None => self.save_daemon(),
        }
    }

    /// Another version of the daemon may follow, which understands only a record that is whole.
    pub(crate) fn leave_record(&mut self) {
        if !self.record.is_whole() {
            self.save_daemon();
        }
    }

    /// Its record without the groups and the files.
    fn record_of_itself(&self) -> DaemonRecord {
        let ending = match self.core.phase() {
            Phase::Stopping { restart: true, .. } | Phase::Down { restart: true } => Ending::Restart,
            Phase::Stopping { restart: false, .. } | Phase::Down { restart: false } => Ending::Shutdown,
            Phase::Setup | Phase::Running => Ending::No,
        };
        DaemonRecord {
            base: self.generations.base,
            latest: self.generations.latest,
            groups: Vec::new(),
            ending,
            exit_status: self.exit_status,
            told_upgrade: self.told_upgrade,
            half: self.half,
            standing: self.standing.without_files(),
            file: self.generations.base().sources.path().to_string_lossy().into_owned(),
            applied: self.applied.records(),
            behind: Vec::new(),
        }
    }

    /// Restart was asked for: the configuration is looked at first, so that a broken one changes nothing (D-04).
    pub(crate) fn restart_requested(&mut self, reply: Option<Responder>) {
        let (latest, cli, messages) =
            (self.generations.latest().clone(), self.cli.clone(), self.messages.clone());
        let (program, reading) = (self.program.clone(), self.reading.clone());
        tasks::spawn(async move {
            let result = reading.configuration(move |place| latest.again_as(&program, &cli, place)).await;
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::RestartChecked { result, reply });
        });
    }

    pub(crate) fn restart_checked(&mut self, result: Result<Loaded, LoadError>, reply: Option<Responder>) {
        if self.reloading {
            // What a reload has opened so far would be in the way of coming up again.
            return self.restarts_waiting.push((result, reply));
        }
        if self.is_shutting_down() {
            // That came first.
            reply
                .into_iter()
                .for_each(|reply| self.respond(reply, Err(Fault::new(FaultCode::ShutdownState))));
            return;
        }
        let answer = match self.adopt_latest(result) {
            Ok(()) => {
                self.tell(Input::Restart);
                // The client is told of nothing that the next daemon would not do.
                self.prune_generations();
                Ok(Reply::Bool(true))
            }
            Err(message) => {
                self.log(Level::Critical, format!("restart refused, everything goes on as it is: {message}"));
                Err(Fault::about(FaultCode::CantReread, message))
            }
        };
        if let Some(reply) = reply {
            self.respond(reply, answer);
        }
    }

    /// Everything is down: comes up again with the configuration that was checked, the latest (PROC-244).
    pub(crate) async fn come_up_again(&mut self) {
        self.close_servers().await;
        self.remove_pidfile();
        let run_file = self.run_file_path();
        let ids: Vec<ProcId> = self.core.processes().map(|(id, _)| id).collect();
        for id in ids {
            self.leave_last_words(id);
            self.send(&ToKeeper::Delete { key: self.half.key_of(id) });
        }
        self.forget_rolling();
        self.forget_listeners();
        self.core = self.core.anew();
        let logs = self.logs_of_all();
        self.active.clear();
        self.logs.clear();
        self.generations.base = self.generations.latest;
        self.standing.queues.clear();
        self.standing.watched.clear();
        self.renew_context();
        if let Err(error) = self.open_journal().and_then(|()| self.set_up()) {
            self.log(Level::Critical, format!("cannot come up again: {error}"));
            self.end = Some(End::Exit(error.status()));
            return;
        }
        self.follow_pidfile(run_file).await;
        self.forget_losses(logs, &self.logs_of_all());
        let plans = self.plans_of_before();
        self.recall_plans(plans);
        self.note_applied(self.generations.base, Cause::Restart, None);
        // Until here the record says that all this is to be done.
        self.prune_generations();
        self.announce();
        self.tell(Input::Begin { recovered: false });
        self.follow_files();
    }

    /// From now on `[supervisord]` and the servers are those of this configuration.
    pub(crate) fn adopt_base(&mut self, loaded: Loaded) {
        let number = self.generations.add(loaded);
        self.generations.base = number;
        self.hold_generation(number);
        self.note_applied(number, Cause::Reload, None);
        self.prune_generations();
    }
}

/// The generations of a daemon that starts afresh.
pub(crate) fn fresh(loaded: Loaded) -> Generations {
    Generations::first(loaded)
}
