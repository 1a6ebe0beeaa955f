//! Event listeners: pools, what waits in them, and what each listener says.
//!
//! Decides which event goes to which listener and what a listener's words mean; never looks into an event's payload,
//! whose type the shell chooses. The shell tells what happened, then takes the orders with [`Pools::poll_effect`].

mod notice;
mod pool;
mod protocol;
mod text;
mod tick;

use std::collections::{BTreeMap, VecDeque};

use crate::event::EventKind;
use crate::ordered;
use crate::process::ProcId;
use crate::spec::ListenerSpec;
pub use notice::ListenerNotice;
use pool::{Listener, Pool};
use protocol::Protocol;
pub use protocol::{HalfRead, ListenerState};
pub use text::{bytes_repr, decoded};
pub use tick::Ticks;

/// An event on its way to one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued<P> {
    /// Its number among all events that any pool took (EVT-051).
    pub serial: i64,
    /// Its number among those of this pool (EVT-052).
    pub pool_serial: i64,
    /// Its type.
    pub kind: EventKind,
    /// What it says.
    pub payload: P,
}

/// An event for a listener that waits for one.
#[derive(Debug)]
pub struct Delivery<'a, P> {
    /// The listener.
    pub id: ProcId,
    /// Name of its pool.
    pub pool: &'a str,
    /// The event.
    pub event: &'a Queued<P>,
    /// Whether the length in its header counts characters, as the original's does, or bytes (EVT-053, D-30).
    pub characters: bool,
}

/// What the shell is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEffect<P> {
    /// Write a line to the daemon's log.
    Log(ListenerNotice),
    /// Write a listener down for the next daemon: see [`Pools::saved`].
    Save {
        /// Which.
        id: ProcId,
    },
    /// Keep an event of a durable pool on disk.
    Store {
        /// Name of the pool.
        pool: String,
        /// The event.
        event: Queued<P>,
    },
    /// An event of a durable pool need not be kept any longer.
    Done {
        /// Name of the pool.
        pool: String,
        /// Which event.
        pool_serial: i64,
    },
    /// Bring the next events that are only on disk: [`Pools::loaded`].
    Load {
        /// Name of the pool.
        pool: String,
        /// Those behind this number in the pool; all if there is none.
        after: Option<i64>,
        /// How many at most.
        count: usize,
    },
}

/// A pool as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// What it subscribed to.
    pub events: Vec<EventKind>,
    /// Events that wait, on disk ones included.
    pub waiting: u64,
    /// `buffer_size`.
    pub buffer_size: i64,
    /// Whether events are kept on disk instead of being discarded.
    pub durable: bool,
    /// Events that were thrown away because the buffer was full (EVT-094).
    pub discarded: u64,
    /// Its listeners: key and state.
    pub listeners: Vec<(ProcId, ListenerState)>,
}

/// A listener as it is written down for the next daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedListener<P> {
    /// Where it stood.
    pub state: ListenerState,
    /// What it was given and has not answered.
    pub event: Option<Queued<P>>,
    /// The beginning of a word of which the rest is still to come.
    pub half_read: HalfRead,
}

/// The counters of all pools, which outlive a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serials {
    /// The next event's number.
    pub next: i64,
    /// The next event's number in each pool, and how many it has thrown away.
    pub pools: BTreeMap<String, (i64, u64)>,
}

/// All pools.
#[derive(Clone, Debug)]
pub struct Pools<P> {
    pools: Vec<Pool<P>>,
    next_serial: i64,
    effects: VecDeque<PoolEffect<P>>,
}

impl<P> Default for Pools<P> {
    fn default() -> Self {
        Self { pools: Vec::new(), next_serial: 0, effects: VecDeque::new() }
    }
}

/// The number after this one; after the last comes 0 (EVT-055).
pub(crate) fn after(serial: i64) -> i64 {
    serial.checked_add(1).unwrap_or(0)
}

impl<P: Clone> Pools<P> {
    /// A pool became active, with no listeners yet; or it got new options. Says whether its store has to be opened,
    /// which is answered by [`Self::found`] or [`Self::not_stored`].
    pub fn add(&mut self, name: &str, spec: &ListenerSpec) -> bool {
        if let Some(pool) = self.find(name) {
            return pool.change(spec.clone());
        }
        self.pools.push(Pool::new(name, spec.clone()));
        spec.durable
    }

    /// A pool is no longer active: its events are dropped (EVT-099).
    pub fn remove(&mut self, name: &str) {
        self.pools.retain(|pool| pool.name != name);
    }

    /// Drops all pools; the numbering of events goes on (EVT-040).
    pub fn clear(&mut self) {
        self.pools.clear();
    }

    /// A process became part of a group. Nothing happens if that is no pool, or it is known already.
    pub fn join(&mut self, pool: &str, id: ProcId, name: &str) {
        let Some(pool) = self.find(pool) else { return };
        pool.listeners.entry(id).or_insert_with(|| Listener {
            name: name.to_owned(),
            running: false,
            protocol: Protocol::new(ListenerState::Acknowledged),
            event: None,
        });
    }

    /// A process left its group.
    pub fn leave(&mut self, id: ProcId) {
        self.ended(id);
        for pool in &mut self.pools {
            pool.listeners.remove(&id);
        }
    }

    /// Whether this process is a listener.
    #[must_use]
    pub fn has(&self, id: ProcId) -> bool {
        self.pools.iter().any(|pool| pool.listeners.contains_key(&id))
    }

    /// A listener's process entered the state RUNNING, or left it.
    pub fn running(&mut self, id: ProcId, running: bool) {
        if let Some(listener) = self.pool_of(id).and_then(|pool| pool.listeners.get_mut(&id)) {
            listener.running = running;
        }
    }

    /// A listener's child is gone.
    pub fn ended(&mut self, id: ProcId) {
        let Some(at) = self.pools.iter().position(|pool| pool.listeners.contains_key(&id)) else { return };
        self.pools[at].ended(id, &mut self.effects);
    }

    /// A listener wrote this to its standard output.
    pub fn heard(&mut self, id: ProcId, data: &[u8]) {
        let Some(at) = self.pools.iter().position(|pool| pool.listeners.contains_key(&id)) else { return };
        self.pools[at].heard(id, data, &mut self.effects);
    }

    /// Whether any pool subscribed to this type: if not, its payload need not be made.
    #[must_use]
    pub fn wants(&self, kind: EventKind) -> bool {
        self.pools.iter().any(|pool| pool.wants(kind))
    }

    /// Something happened: every pool that subscribed to it gets it, once (EVT-091, D-16).
    pub fn publish(&mut self, kind: EventKind, payload: &P) {
        let serial = self.next_serial;
        let mut taken = false;
        for pool in self.pools.iter_mut().filter(|pool| pool.wants(kind)) {
            pool.accept(serial, kind, payload.clone(), &mut self.effects);
            taken = true;
        }
        if taken {
            self.next_serial = after(serial);
        }
    }

    /// Sends what can be sent. `deliver` says whether the listener could be written to; else the next one is tried.
    pub fn dispatch(&mut self, mut deliver: impl FnMut(&Delivery<'_, P>) -> bool) {
        for pool in &mut self.pools {
            pool.dispatch(&mut deliver, &mut self.effects);
        }
    }

    /// The next order, until there is none.
    pub fn poll_effect(&mut self) -> Option<PoolEffect<P>> {
        self.effects.pop_front()
    }

    /// Events that were only on disk, in their order, as [`PoolEffect::Load`] asked. None at all means there is
    /// nothing more to be had.
    pub fn loaded(&mut self, pool: &str, events: Vec<Queued<P>>) {
        if let Some(pool) = self.find(pool) {
            pool.loaded(events);
        }
    }

    /// A durable pool was found to have this many events on disk, the last of them with this number. Until this is
    /// said, or [`Self::not_stored`], it keeps new events in hand.
    pub fn found(&mut self, pool: &str, count: u64, last: Option<i64>) {
        let Some(at) = self.pools.iter().position(|known| known.name == pool) else { return };
        self.pools[at].found(count, last, &mut self.effects);
    }

    /// A durable pool has no place on disk: it does as others do.
    pub fn not_stored(&mut self, pool: &str) {
        let Some(at) = self.pools.iter().position(|known| known.name == pool) else { return };
        self.pools[at].spec.durable = false;
        self.pools[at].found(0, None, &mut self.effects);
    }

    /// An event could not be kept on disk; it is lost unless it is in hand too.
    pub fn lost(&mut self, pool: &str, pool_serial: i64) {
        if let Some(pool) = self.find(pool) {
            pool.lost(pool_serial);
        }
    }

    /// Numbers of the events that a pool's listeners have.
    #[must_use]
    pub fn busy(&self, pool: &str) -> Vec<i64> {
        let pool = self.pools.iter().find(|known| known.name == pool);
        let events =
            pool.into_iter().flat_map(|pool| pool.listeners.values()).filter_map(|one| one.event.as_ref());
        events.map(|event| event.pool_serial).collect()
    }

    /// The buffers that have to be written down for the next daemon, each with its pool's name; those of durable pools are
    /// in their stores.
    pub fn buffers_to_write(&mut self) -> Vec<(String, Vec<Queued<P>>)> {
        let pools = self.pools.iter_mut();
        pools.filter_map(|pool| pool.take_changed().map(|events| (pool.name.clone(), events))).collect()
    }

    /// What was written down is lost: everything has to be written again.
    pub fn write_again(&mut self) {
        self.pools.iter_mut().for_each(Pool::changed);
    }

    /// Takes back what an earlier daemon wrote down of a pool's buffer.
    pub fn restore_buffer(&mut self, pool: &str, events: Vec<Queued<P>>) {
        if let Some(last) = events.iter().map(|event| event.serial).max() {
            self.next_serial = self.next_serial.max(after(last));
        }
        if let Some(pool) = self.find(pool) {
            pool.take_back(events);
        }
    }

    /// Every pool, in the order they became active.
    #[must_use]
    pub fn status(&self) -> Vec<PoolStatus> {
        self.pools.iter().map(Pool::status).collect()
    }

    /// Whether a pool has nothing left to do: nothing waits and nobody is busy, or nobody will ever take what waits.
    #[must_use]
    pub fn is_idle(&self, name: &str) -> bool {
        self.pools.iter().find(|pool| pool.name == name).is_none_or(Pool::is_idle)
    }

    /// What to write down of a listener.
    #[must_use]
    pub fn saved(&self, id: ProcId) -> Option<SavedListener<P>> {
        let listener = self.pools.iter().find_map(|pool| pool.listeners.get(&id))?;
        Some(SavedListener {
            state: listener.protocol.state,
            event: listener.event.clone(),
            half_read: listener.protocol.half_read(),
        })
    }

    /// Puts a listener back where it stood.
    pub fn restore(&mut self, id: ProcId, saved: SavedListener<P>) {
        let Some(listener) = self.pool_of(id).and_then(|pool| pool.listeners.get_mut(&id)) else { return };
        listener.protocol = Protocol::going_on(saved.state, saved.half_read);
        listener.event = saved.event;
    }

    /// The counters.
    #[must_use]
    pub fn serials(&self) -> Serials {
        let pools = self.pools.iter().map(|pool| (pool.name.clone(), (pool.next_serial, pool.discarded)));
        Serials { next: self.next_serial, pools: ordered::map(pools) }
    }

    /// Goes on counting where an earlier daemon stopped.
    pub fn restore_serials(&mut self, serials: &Serials) {
        self.next_serial = self.next_serial.max(serials.next);
        for pool in &mut self.pools {
            if let Some(&(next, discarded)) = serials.pools.get(&pool.name) {
                pool.next_serial = pool.next_serial.max(next);
                pool.discarded = discarded;
            }
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut Pool<P>> {
        self.pools.iter_mut().find(|pool| pool.name == name)
    }

    fn pool_of(&mut self, id: ProcId) -> Option<&mut Pool<P>> {
        self.pools.iter_mut().find(|pool| pool.listeners.contains_key(&id))
    }
}

impl<P> Pool<P> {
    fn status(&self) -> PoolStatus {
        PoolStatus {
            name: self.name.clone(),
            events: self.spec.events.clone(),
            waiting: self.buffer.len() as u64 + self.stored + self.early(),
            buffer_size: self.spec.buffer_size,
            durable: self.spec.durable,
            discarded: self.discarded,
            listeners: self.listeners.iter().map(|(&id, listener)| (id, listener.protocol.state)).collect(),
        }
    }
}
