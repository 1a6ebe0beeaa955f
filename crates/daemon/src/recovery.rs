//! Going on where an earlier daemon stopped.
//!
//! What clients and children can notice comes first; what only matters should this daemon or its keeper die is caught up
//! with afterwards, some of it between two turns ([`Shell::catch_up`]).

use std::collections::{BTreeMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::Duration;

use upkeep_config::{Host, knows_time_zone};
use upkeep_core::ordered;
use upkeep_core::{Input, Mono, RunId};
use upkeep_keeper::wire::{REGISTER, ToKeeper};
use upkeep_logs::{Level, Sink, Spool, StreamId};

use crate::boot::{StartError, system};
use crate::inventory::{HeldChild, Inventory};
use crate::keeping::{run_end, stderr_of, stdout_of};
use crate::logfiles::LogTable;
use crate::orphans::Register;
use crate::prepare::Sinks;
use crate::records::{
    CAPTURE_KEY, DaemonRecord, Ending, Half, JOURNAL_KEY, LAST_WORDS_KEY, LINE_KEY, ProcessRecord,
    ROLLING_KEY,
};
use crate::said;
use crate::servers::{self, Socket};
use crate::shell::{Active, Shell};
use crate::succession::Made;
use crate::telling;

/// Children that are caught up with in one turn: what is done for each takes microseconds.
const AT_ONCE: usize = 64;
/// How long a turn is waited for in which to catch up with some more, if nothing else happens: the first client needs a few.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);

impl Shell {
    /// Goes on where an earlier daemon stopped.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) async fn go_on(
        &mut self,
        record: &DaemonRecord,
        mut inventory: Inventory,
    ) -> Result<(), StartError> {
        self.log_unwritten(inventory.records.remove(&JOURNAL_KEY));
        self.restore_losses(&mut inventory.records);
        let living = inventory.children.iter().filter(|child| child.exit.is_none()).count();
        self.log(
            Level::Warn,
            format!("the daemon was started again by its keeper and goes on with {living} running processes"),
        );
        self.exit_status = record.exit_status;
        self.told_upgrade = record.told_upgrade;
        self.recall_applied(&record.applied, &mut inventory.held);
        let processes = inventory.process_records(record.half);
        self.half = record.half.other();
        // What a daemon that died while it recovered has left there.
        self.clear_half(&inventory, self.half);
        let listeners = processes.iter().filter_map(|process| {
            let key = (process.group.clone(), process.name.clone());
            process.listener.clone().map(|listener| (key, listener))
        });
        let groups = record.groups.iter().map(|(name, _)| name.clone());
        let mut waiting = Vec::new();
        for (key, record) in inventory.buffer_records() {
            match record {
                Some(record) => waiting.push((key, record)),
                None => self.send(&ToKeeper::Delete { key }),
            }
        }
        self.listeners.left_behind(waiting, ordered::map(listeners), groups, record.ending != Ending::No);
        self.restore_groups(record, &processes)?;
        self.tell_lost_time_zones();
        self.note_of_another_version();
        self.restore_rolling(inventory.records.remove(&ROLLING_KEY));
        self.restore_processes(record, &inventory, &processes);
        self.survey_cgroups();
        self.adopt_sockets(&mut inventory.held)?;
        self.adopt_fcgi_sockets(&mut inventory.held);
        self.pidfile_written = true;
        self.send(&ToKeeper::Ready { detach: None });
        upkeep_keeper::take_back_stderr();
        match record.ending {
            Ending::No => self.tell(Input::Begin { recovered: true }),
            Ending::Shutdown => self.tell(Input::Shutdown),
            Ending::Restart => self.tell(Input::Restart),
        }
        let clients = inventory.take_clients();
        self.take_over_clients(clients, &mut inventory.held);
        // Not of this daemon's half any more, whether they could be understood or not.
        let stale: Vec<u64> = inventory.records.range(record.half.keys()).map(|(&key, _)| key).collect();
        self.resume_passage(&mut inventory);
        let mut last_words = inventory.take_last_words();
        let mut captures = inventory.take_captures();
        self.captures = ordered::set(captures.keys().copied());
        let mut said = ordered::map(inventory.held.extract_if(.., |name, _| is_of_listener(name)));
        // Their output can wait until that is done. Whoever comes up again instead waits for the log thread.
        let gathering = (record.ending == Ending::No).then(|| self.engine.gather());
        for child in inventory.children {
            if let Some(logs) = last_words.remove(&child.run) {
                self.take_last_words(child.run, logs.into());
            }
            self.take_over(child, &mut captures, &mut said, &mut inventory.held);
        }
        self.drop_stale_vitals(&mut inventory.held);
        self.register = inventory.held.remove(REGISTER).map(Register::held);
        if self.register.is_none() {
            self.keep_register();
        }
        // Of runs that are gone.
        for run in last_words.into_keys() {
            self.send(&ToKeeper::Delete { key: LAST_WORDS_KEY | run.0 });
        }
        for name in said.into_keys() {
            self.send(&ToKeeper::Unhold { name });
        }
        for key in captures.into_keys() {
            self.captures.remove(&key);
            self.send(&ToKeeper::Delete { key });
        }
        // This writes every process down.
        self.carry_out().await;
        // From here on the next daemon goes by that.
        self.save_daemon();
        stale.into_iter().for_each(|key| self.send(&ToKeeper::Delete { key }));
        self.unheld = self.runs.keys().copied().collect();
        if self.unheld.is_empty() {
            self.keep_run_file();
        }
        inventory.upgraded.into_iter().for_each(|upgraded| self.upgrade_ended(upgraded));
        self.follow_files();
        self.settle_applied();
        drop(gathering);
        Ok(())
    }

    fn clear_half(&mut self, inventory: &Inventory, half: Half) {
        for (&key, _) in inventory.records.range(half.keys()) {
            self.send(&ToKeeper::Delete { key });
        }
    }

    fn restore_groups(
        &mut self,
        record: &DaemonRecord,
        processes: &[ProcessRecord],
    ) -> Result<(), StartError> {
        let known: LogTable = ordered::map(processes.iter().filter_map(ProcessRecord::auto_logs));
        let naming = self.naming();
        for (name, number) in &record.groups {
            let spec = self.generations.get(*number).and_then(|loaded| loaded.group(name)).cloned();
            let Some(spec) = spec else { continue };
            let table = naming
                .name_group(&spec, &known)
                .map_err(|source| StartError::ChildLogs { group: name.clone(), source })?;
            self.logs.extend(table);
            self.active.put(Active { spec: spec.clone(), generation: *number });
            self.tell(Input::Setup(spec));
        }
        Ok(())
    }

    /// A schedule at other times than it says should not be found out by what it did.
    fn tell_lost_time_zones(&self) {
        let schedules = self.core.processes().filter_map(|(_, process)| process.spec().schedule.as_ref());
        let zones = ordered::set(schedules.map(|schedule| schedule.timezone.as_str()));
        for zone in zones.into_iter().filter(|zone| !knows_time_zone(&Host, zone)) {
            self.log(
                Level::Warn,
                format!(
                    "the time zone {zone} is not known on this machine any more: schedules with \
                     schedule_timezone={zone} count in UTC. Install tzdata, then reload"
                ),
            );
        }
    }

    fn restore_processes(
        &mut self,
        daemon: &DaemonRecord,
        inventory: &Inventory,
        processes: &[ProcessRecord],
    ) {
        let runs: HashSet<RunId> = inventory.children.iter().map(|child| child.run).collect();
        runs.iter().for_each(|run| self.core.skip_runs(*run));
        let behind = daemon.behind.iter().map(|(group, name, old)| ((group.as_str(), name.as_str()), *old));
        let behind = ordered::map(behind);
        for record in processes {
            let saved = record.saved();
            let child = saved.state.run().filter(|run| runs.contains(run));
            if let Some(run) = child {
                self.runs.entry(run).or_default().pipes = record.pipes;
            }
            if !record.undrained.is_empty()
                && let Some(id) = self.core.member(&record.group, &record.name)
            {
                let undrained = record.undrained.iter().map(|&undrained| undrained.into());
                let undrained = undrained.filter(|(run, _)| runs.contains(run));
                let undrained: Vec<_> = undrained.collect();
                for (run, kind) in undrained {
                    self.undrained.insert(run, (id, kind), self.paths_of(id));
                }
            }
            let child_exists = child.is_some();
            let errands = saved.errands.iter().flat_map(|errands| &errands.list).map(|errand| errand.run);
            let errands = errands.filter(|run| runs.contains(run)).collect();
            let old = behind.get(&(record.group.as_str(), record.name.as_str()));
            if let Some(left) = old.and_then(|old| self.options_behind(*old, &record.group, &record.name)) {
                self.tell(Input::RestoreBehind(Box::new(left)));
            }
            self.tell(Input::Restore {
                group: record.group.clone(),
                process: record.name.clone(),
                saved: Box::new(saved),
                child_exists,
                errands,
            });
        }
    }

    /// Listens on the sockets the keeper held; opens those that are not there.
    fn adopt_sockets(&mut self, held: &mut BTreeMap<String, OwnedFd>) -> Result<(), StartError> {
        let mut sockets = Vec::new();
        for server in &self.generations.base().config.servers {
            let socket = match servers::take_held(server, held) {
                Some(fd) => Socket::adopt(server, fd),
                None => Socket::open(server).map_err(StartError::Server)?,
            };
            sockets.push((server.clone(), socket));
        }
        self.serve(sockets).map_err(system("serve on a socket"))?;
        // What an earlier daemon was about to open or close when it died.
        held.retain(|name, _| {
            let left = servers::is_held_name(name);
            if left {
                self.send(&ToKeeper::Unhold { name: name.clone() });
            }
            !left
        });
        Ok(())
    }

    /// Takes over a child and its pipes; one that nobody knows is asked to end.
    fn take_over(
        &mut self,
        child: HeldChild,
        captures: &mut BTreeMap<u64, Vec<u8>>,
        said: &mut BTreeMap<String, OwnedFd>,
        held: &mut BTreeMap<String, OwnedFd>,
    ) {
        let run = child.run;
        let process = self.core.process_of(run);
        if let Some(order) = self.order_of(run) {
            let Sinks { stdout, stderr } = order.open_sinks();
            let mut sinks = (stdout.unwrap_or_default(), stderr.and_then(Result::ok));
            let both = [(stdout_of(run), Some(&mut sinks.0)), (stderr_of(run), sinks.1.as_mut())];
            for (id, sink) in both {
                sink.into_iter().for_each(|sink| go_on(sink, id, captures));
            }
            if order.listener {
                let heard = self.listeners.heard_before(&order.group, &order.spec.name);
                said::keep(&mut sinks.0, said.remove(&said::held_name(run)), heard);
                let at = sinks.0.spool.as_ref().map_or(0, Spool::at);
                self.listeners.heard_no_more_than(&order.group, &order.spec.name, at);
            }
            let kept = self.hold_said(run, &sinks.0);
            let told =
                kept.as_ref().filter(|_| child.stdin.is_some() && child.exit.is_none()).and_then(|_| {
                    let upto = self.listeners.told_before(&order.group, &order.spec.name);
                    let untold = process.and_then(|id| self.untold(id));
                    self.tell_on(run, said.remove(&telling::held_name(run)), upto, untold)
                });
            let entry = self.runs.entry(run).or_default();
            (entry.sinks, entry.said, entry.told) = (Some(Box::new(sinks)), kept, told.map(Box::new));
        }
        self.attach(run, child.pid, [child.stdin, child.stdout, child.stderr]);
        let share = self.kept.remove(&run);
        let entry = self.runs.entry(run).or_default();
        entry.socket = entry.socket.take().or(share);
        entry.made = Some(Made { pid: child.pid, since: child.since, pidfd: None, exit: child.exit });
        self.tell(Input::Spawned { run, pid: child.pid, at: child.since });
        if child.exit.is_none() && process.is_some() {
            self.take_over_vitals(run, child.pid, held);
        }
        match child.exit {
            Some(exit) => self.child_ended(run, run_end(exit.status), Mono(exit.at_ns)),
            None if process.is_none() => self.end_stranger(run, child.pid),
            None => {}
        }
    }

    fn end_stranger(&mut self, run: RunId, pid: u32) {
        self.log(
            Level::Warn,
            format!("process {pid} belongs to no configured program any more: it is asked to end"),
        );
        self.send(&ToKeeper::Signal {
            token: 0,
            run: run.0,
            signo: upkeep_core::signal::TERM.0,
            group: false,
        });
    }
    /// Does some of what only matters should this daemon or its keeper die: holds children by descriptors, and in the end
    /// writes the run file. Cheap when there is nothing left to do.
    pub(crate) fn catch_up(&mut self) {
        let some = self.unheld.len().saturating_sub(AT_ONCE);
        let now = self.unheld.split_off(some);
        for run in &now {
            if let Some(made) = self.runs.get_mut(run).and_then(|entry| entry.made.as_mut()) {
                made.hold();
            }
        }
        if self.unheld.is_empty() && !now.is_empty() {
            self.keep_run_file();
        }
    }

    /// The rest of it, for those who need it done.
    pub(crate) fn catch_up_at_once(&mut self) {
        while !self.unheld.is_empty() {
            self.catch_up();
        }
    }
}

/// Whether something is held that an event listener has said or is told.
fn is_of_listener(name: &str) -> bool {
    said::is_held_name(name) || telling::is_held_name(name)
}

/// Lets a sink go on where the last daemon's stood.
fn go_on(sink: &mut Sink, id: StreamId, held: &mut BTreeMap<u64, Vec<u8>>) {
    sink.capture_begun = held.remove(&(CAPTURE_KEY | id.0)).unwrap_or_default();
    if let Some(lines) = &mut sink.lines {
        lines.begun = held.remove(&(LINE_KEY | id.0)).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
