//! Events: made from what happens, given to the pools, and written to the listeners that the pools choose.

mod durable;
mod payload;
mod queue;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use upkeep_api::{Listener, ListenerPool};
use upkeep_core::event::EventKind;
use upkeep_core::listener::{Delivery, PoolEffect, PoolStatus, Pools, Queued, Ticks, bytes_repr, decoded};
use upkeep_core::ordered;
use upkeep_core::spec::{GroupKind, ProcessSpec};
use upkeep_core::{ErrandKind, Event, Group, Input, ProcId, RunId, StateName};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::{Level, StreamId};

use crate::alarm::Alarm;
use crate::effects::level_of;
use crate::keeping::{run_of, stdout_of};
use crate::records::{BufferRecord, EventRecord, FIRST_BUFFER_KEY, ListenerRecord};
use crate::shell::{Shell, now};
pub(crate) use payload::Payload;
use payload::{Change, Name, Output};
pub(crate) use store::Told;
use store::{Order, Store};

/// Most bytes of a pool's waiting events that the keeper is given to hold.
const BUFFER_ROOM: usize = 256 * 1024;

/// What the daemon keeps of events and listeners.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    pub(crate) pools: Pools<Payload>,
    ticks: Ticks,
    pub(crate) alarm: Alarm,
    /// The shell hears of a process after the core may have forgotten it: what it was called.
    names: BTreeMap<ProcId, Name>,
    /// Where listeners stood when the last daemon died, by group and process.
    left: BTreeMap<(String, String), ListenerRecord>,
    /// How far what the listeners say has been understood, in bytes.
    pub(crate) heard: BTreeMap<ProcId, u64>,
    /// Runs that are to get what was written down that they are told.
    pub(crate) to_tell: BTreeSet<RunId>,
    /// What waited in the pools' memories then.
    left_waiting: BTreeMap<String, BufferRecord>,
    /// The keys under which the keeper has what waits, by pool.
    buffer_keys: BTreeMap<String, u64>,
    /// Groups that the last daemon has told of.
    told: BTreeSet<String>,
    /// Keeps the events of durable pools; started when the first one is there.
    store: Option<Store>,
    /// The pool that is stopped when it has nothing left to do.
    pub(crate) last_pool: Option<String>,
    /// The last daemon has told that everything ends.
    stopping_told: bool,
}

impl Listeners {
    /// What the last daemon left behind; none of it is told again.
    pub(crate) fn left_behind(
        &mut self,
        waiting: Vec<(u64, BufferRecord)>,
        left: BTreeMap<(String, String), ListenerRecord>,
        groups: impl Iterator<Item = String>,
        stopping: bool,
    ) {
        self.left = left;
        for (key, record) in waiting {
            // Written anew under the same key: at no time does the keeper have it twice, or not at all.
            self.buffer_keys.insert(record.pool.clone(), key);
            self.left_waiting.insert(record.pool.clone(), record);
        }
        self.told = ordered::set(groups);
        self.stopping_told = stopping;
    }

    /// What a listener has said begins behind what the last daemon had understood, or there is less of it.
    pub(crate) fn heard_no_more_than(&mut self, group: &str, process: &str, at: u64) {
        if let Some(left) = self.left.get_mut(&(group.to_owned(), process.to_owned())) {
            left.heard = left.heard.min(at);
        }
    }

    /// How much the last daemon had told a listener.
    pub(crate) fn told_before(&self, group: &str, process: &str) -> u64 {
        self.left.get(&(group.to_owned(), process.to_owned())).map_or(0, |left| left.told)
    }

    /// How far the last daemon had understood what a listener says.
    pub(crate) fn heard_before(&self, group: &str, process: &str) -> Option<u64> {
        self.left.get(&(group.to_owned(), process.to_owned())).map(|left| left.heard)
    }
}

impl Shell {
    /// Everything starts anew: buffers are dropped, the numbering of events goes on (EVT-040).
    pub(crate) fn forget_listeners(&mut self) {
        self.listeners.pools.clear();
        for key in std::mem::take(&mut self.listeners.buffer_keys).into_values() {
            self.send(&ToKeeper::Delete { key });
        }
        self.order_store(Order::CloseAll);
        self.listeners.names.clear();
        self.listeners.heard.clear();
        self.listeners.last_pool = None;
    }

    /// What the core published, as far as listeners are concerned.
    pub(crate) fn listen(&mut self, event: &Event) {
        match event {
            Event::ProcessAdded { id, group, process } => self.process_added(*id, group, process),
            Event::ProcessRemoved(id) => {
                self.listeners.pools.leave(*id);
                self.listeners.names.remove(id);
                self.listeners.heard.remove(id);
            }
            Event::GroupAdded(name) => {
                self.follow_group(name);
                if !self.listeners.told.remove(name) {
                    self.publish(EventKind::ProcessGroupAdded, || payload::group(name));
                }
            }
            Event::GroupRemoved(name) => {
                self.drop_pool(name);
                self.follow_clock();
                self.publish(EventKind::ProcessGroupRemoved, || payload::group(name));
            }
            Event::SupervisorRunning => {
                self.publish(EventKind::SupervisorStateChangeRunning, String::new);
            }
            Event::SupervisorStopping => {
                if !std::mem::take(&mut self.listeners.stopping_told) {
                    self.publish(EventKind::SupervisorStateChangeStopping, String::new);
                }
            }
            &Event::ProcessState { id, from, to, pid, tries, expected } => {
                self.state_changed(id, Change { from, to, pid, tries, expected });
            }
            Event::CrashLoop { id, restarts, window } => {
                if let Some(name) = self.listeners.names.get(id).cloned() {
                    self.publish(EventKind::ProcessCrashLoop, || {
                        payload::crash_loop(&name, *restarts, *window)
                    });
                }
            }
            Event::Beyond { id, breach, action } => {
                if let Some(name) = self.listeners.names.get(id).cloned() {
                    self.publish(EventKind::ProcessLimit, || payload::beyond(&name, *breach, *action));
                }
            }
            Event::Health { id, pid, healthy, reason } => {
                if let Some(name) = self.listeners.names.get(id).cloned() {
                    let kind = payload::health_kind(*healthy);
                    self.publish(kind, || payload::health(&name, *pid, reason));
                }
            }
            Event::RollingOver(number) => {
                if let Some((kind, text)) = self.rolling_event(*number) {
                    self.publish(kind, || text);
                }
            }
            Event::RollingChanged { .. } | Event::ChildSpawned(_) | Event::WishChanged(_) => {}
        }
    }

    fn process_added(&mut self, id: ProcId, group: &Arc<str>, process: &str) {
        self.listeners.names.insert(id, Name { group: Arc::clone(group), process: process.into() });
        self.join(group, id, process);
    }

    /// A process of a pool gets events; one that an earlier daemon knew goes on where it stood.
    fn join(&mut self, group: &str, id: ProcId, process: &str) {
        let pools = &mut self.listeners.pools;
        pools.join(group, id, process);
        if !pools.has(id) {
            return;
        }
        let state = self.core.process(id).map(|process| process.state().name());
        pools.running(id, state == Some(StateName::Running));
        if let Some(left) = self.listeners.left.remove(&(group.to_owned(), process.to_owned())) {
            pools.restore_serials(&left.serials(group));
            pools.restore(id, left.saved());
            self.listeners.heard.insert(id, left.heard);
            // What was written when it was added says nothing of this: the next daemon would wait for a READY in vain.
            self.save_process(id);
        }
    }

    /// A group became active or another: it is a pool now, or no longer.
    pub(crate) fn follow_group(&mut self, name: &str) {
        let group = self.core.group(name);
        let members: Vec<ProcId> = group.map(|group| group.members().to_vec()).unwrap_or_default();
        let mut opens = None;
        match group.map(Group::kind) {
            Some(GroupKind::Listener(spec)) => {
                let spec = spec.clone();
                opens = self.listeners.pools.add(name, &spec).then_some(spec);
            }
            Some(GroupKind::Plain | GroupKind::Fcgi(_)) | None => self.drop_pool(name),
        }
        for id in members {
            if let Some(process) = self.core.process(id).map(|process| process.name().to_owned()) {
                self.join(name, id, &process);
            }
        }
        if let Some(left) = self.listeners.left_waiting.remove(name) {
            // One that a listener has is not to come again, even if the last daemon had no time to write that down.
            let busy = self.listeners.pools.busy(name);
            let events = left.events.iter().filter_map(EventRecord::queued);
            let events = events.filter(|event| !busy.contains(&event.pool_serial)).collect();
            self.listeners.pools.restore_buffer(name, events);
        }
        if let Some(spec) = opens {
            self.open_store(name, &spec);
        }
        self.follow_clock();
    }

    fn state_changed(&mut self, id: ProcId, change: Change) {
        // First: a listener that is being stopped does not get the event that says so (EVT-064).
        self.listeners.pools.running(id, change.to == StateName::Running);
        if let Some(name) = self.listeners.names.get(&id).cloned() {
            self.publish(change.kind(), || change.payload(&name));
        }
        let pools = &mut self.listeners.pools;
        match change.to {
            StateName::Stopped | StateName::Backoff | StateName::Exited | StateName::Fatal => {
                pools.ended(id);
                self.something_ended = true;
            }
            StateName::Starting | StateName::Running | StateName::Stopping | StateName::Unknown => {}
        }
        self.serve_listeners();
    }

    /// A client sent something for listeners (RPC-162).
    pub(crate) fn remote_event(&mut self, kind: &str, data: &str) {
        self.publish(EventKind::RemoteCommunication, || payload::remote(kind, data));
    }

    /// Something happened: made into an event only if a pool wants it.
    fn publish(&mut self, kind: EventKind, text: impl FnOnce() -> String) {
        if self.listeners.pools.wants(kind) {
            self.listeners.pools.publish(kind, &text().into());
            self.serve_listeners();
        }
    }

    /// Sends what can be sent, and carries out what the pools have ordered.
    fn serve_listeners(&mut self) {
        let identifier = self.settings().identifier.clone();
        let Self { listeners, core, runs, .. } = self;
        let Listeners { pools, to_tell, .. } = listeners;
        pools.dispatch(|delivery| {
            let run = core.process(delivery.id).and_then(|process| process.state().run());
            to_tell.extend(run);
            let stdin = run.and_then(|run| runs.get_mut(&run)).and_then(|run| run.stdin.as_mut());
            stdin.is_some_and(|pipe| pipe.write(payload::envelope(&identifier, delivery).as_bytes()).is_ok())
        });
        while let Some(effect) = self.listeners.pools.poll_effect() {
            match effect {
                PoolEffect::Log(notice) => {
                    let level = level_of(notice.level());
                    if self.engine.wants(level) {
                        self.log(level, notice.to_string());
                    }
                }
                PoolEffect::Save { id } => self.save_process(id),
                PoolEffect::Store { pool, event } => {
                    self.order_store(Order::Append { pool, event: EventRecord::new(&event) });
                }
                PoolEffect::Done { pool, pool_serial } => {
                    self.order_store(Order::Done { pool, number: pool_serial });
                }
                PoolEffect::Load { pool, after, count } => {
                    self.order_store(Order::Load { pool, after, count });
                }
            }
        }
        self.tell_idle();
    }

    /// Whether a group is a pool.
    pub(crate) fn is_pool(&self, name: &str) -> bool {
        matches!(self.core.group(name).map(Group::kind), Some(GroupKind::Listener(_)))
    }

    /// Says that the pool that is to be stopped has nothing left to do, once that is so.
    pub(crate) fn tell_idle(&mut self) {
        let Listeners { last_pool, pools, .. } = &mut self.listeners;
        if let Some(pool) = last_pool.take_if(|pool| pools.is_idle(pool)) {
            self.tell(Input::PoolIdle { pool });
        }
    }

    /// Writes down what waits in memory for the next daemon, as far as the keeper should hold so much.
    pub(crate) fn save_buffers(&mut self) {
        for (pool, events) in self.listeners.pools.buffers_to_write() {
            let keys = &mut self.listeners.buffer_keys;
            let next = keys.values().max().map_or(FIRST_BUFFER_KEY, |key| key.saturating_add(1));
            let key = *keys.entry(pool.clone()).or_insert(next);
            let mut room = BUFFER_ROOM;
            let fits = |event: &&Queued<Payload>| {
                room = room.saturating_sub(event.payload.len());
                room > 0
            };
            let events: Vec<EventRecord> = events.iter().take_while(fits).map(EventRecord::new).collect();
            if events.is_empty() {
                self.send(&ToKeeper::Delete { key });
            } else if let Ok(value) = serde_json::to_vec(&BufferRecord { pool, events }) {
                self.send(&ToKeeper::Put { key, value });
            }
        }
    }

    /// The event that the last daemon was to tell a listener, and could not even give the keeper, as the listener is told it.
    pub(crate) fn untold(&self, id: ProcId) -> Option<String> {
        let process = self.core.process(id)?;
        let (pool, name) = (process.group(), process.name().to_owned());
        let left = self.listeners.left.get(&(pool.to_owned(), name))?;
        let event = &left.untold()?;
        let Some(GroupKind::Listener(spec)) = self.core.group(pool).map(Group::kind) else { return None };
        let delivery = Delivery { id, pool, event, characters: !spec.length_in_bytes };
        Some(payload::envelope(&self.settings().identifier, &delivery))
    }

    /// What to write down of a listener.
    pub(crate) fn listener_record(&self, id: ProcId, group: &str) -> Option<ListenerRecord> {
        let saved = self.listeners.pools.saved(id)?;
        let (heard, told) = (self.heard(id), self.told(id));
        Some(ListenerRecord::new(saved, heard, told, &self.listeners.pools.serials(), group))
    }

    /// Output of a child, in the order it was written: for the debug log, for listeners, or from one.
    pub(crate) fn output(&mut self, id: StreamId, data: &[u8]) {
        let run = run_of(id);
        let output = if id == stdout_of(run) { Output::Stdout } else { Output::Stderr };
        let Some(process) = self.core.process_of(run) else { return };
        match self.core.errand_of(run) {
            Some(ErrandKind::Check) => return self.check_says(run, data),
            Some(_) => return self.echo(process, output, data, false),
            None => {}
        }
        let speaks = output == Output::Stdout && self.listeners.pools.has(process);
        self.echo(process, output, data, speaks);
        if speaks {
            self.listeners.pools.heard(process, data);
            self.serve_listeners();
        } else if self.spec_of(process).is_some_and(|spec| channel(spec, output).events_enabled) {
            let Some((name, pid)) = self.author(process) else { return };
            self.publish(output.log_kind(), || payload::log_output(&name, pid, output, data));
        }
    }

    /// What a child wrote between communication tags.
    pub(crate) fn captured(&mut self, id: StreamId, data: &[u8]) {
        let run = run_of(id);
        let output = if id == stdout_of(run) { Output::Stdout } else { Output::Stderr };
        let Some((name, pid)) = self.core.process_of(run).and_then(|process| self.author(process)) else {
            return;
        };
        self.publish(output.communication_kind(), || payload::communication(&name, pid, data));
    }

    /// Every pool, as clients see it.
    pub(crate) fn listener_pools(&self) -> Vec<ListenerPool> {
        let name = |id: &ProcId| {
            self.listeners.names.get(id).map_or_else(String::new, |name| name.process.to_string())
        };
        let pool = |status: PoolStatus| ListenerPool {
            name: status.name,
            events: status.events.iter().map(|kind| kind.name().to_owned()).collect(),
            waiting: i64::try_from(status.waiting).unwrap_or(i64::MAX),
            buffer_size: status.buffer_size,
            durable: status.durable,
            discarded: i64::try_from(status.discarded).unwrap_or(i64::MAX),
            listeners: status
                .listeners
                .iter()
                .map(|(id, state)| Listener { name: name(id), state: state.name().to_owned() })
                .collect(),
        };
        self.listeners.pools.status().into_iter().map(pool).collect()
    }

    fn author(&self, id: ProcId) -> Option<(Name, u32)> {
        let pid = self.core.process(id)?.pid();
        Some((self.listeners.names.get(&id)?.clone(), pid))
    }

    fn spec_of(&self, id: ProcId) -> Option<&ProcessSpec> {
        self.core.process(id).map(|process| &**process.spec())
    }

    /// Output in the daemon's log at debug level (PROC-169).
    fn echo(&self, id: ProcId, output: Output, data: &[u8], speaks: bool) {
        if !self.engine.wants(Level::Debug) {
            return;
        }
        let Some(process) = self.core.process(id) else { return };
        let text = if speaks { bytes_repr(data).into() } else { decoded(data) };
        self.log(Level::Debug, format!("'{}' {} output:\n{text}", process.name(), output.word()));
    }

    /// Follows the slices of the wall clock that somebody wants to hear of, and no others.
    fn follow_clock(&mut self) {
        let Listeners { pools, ticks, .. } = &mut self.listeners;
        ticks.follow(now().wall, |kind| pools.wants(kind));
        self.set_alarm();
    }

    fn set_alarm(&mut self) {
        if let Err(error) = self.listeners.alarm.set(self.listeners.ticks.next()) {
            self.log(Level::Error, format!("TICK events are not sent: no timer could be set: {error}"));
        }
    }

    /// A slice of the wall clock began, or the clock was set (EVT-035).
    pub(crate) fn alarm_rang(&mut self) {
        for (kind, when) in self.listeners.ticks.turn(now().wall) {
            self.publish(kind, || payload::tick(when));
        }
        self.set_alarm();
    }
}

fn channel(spec: &ProcessSpec, output: Output) -> &upkeep_core::spec::OutputSpec {
    match output {
        Output::Stdout => &spec.stdout,
        Output::Stderr => &spec.stderr,
    }
}
