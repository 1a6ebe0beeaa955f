//! One `[eventlistener:x]`: its listeners, and the events that wait for one of them (EVT-090 … EVT-101).

use std::collections::{BTreeMap, VecDeque};

use super::notice::ListenerNotice;
use super::protocol::{ListenerState, Protocol, Step};
use super::{Delivery, PoolEffect, Queued, after};
use crate::event::EventKind;
use crate::process::ProcId;
use crate::spec::ListenerSpec;

/// One listener of a pool.
#[derive(Clone, Debug)]
pub(super) struct Listener<P> {
    pub(super) name: String,
    /// Its process is in the state RUNNING (EVT-064).
    pub(super) running: bool,
    pub(super) protocol: Protocol,
    pub(super) event: Option<Queued<P>>,
}

#[derive(Clone, Debug)]
pub(super) struct Pool<P> {
    pub(super) name: String,
    pub(super) spec: ListenerSpec,
    /// By key: in the order they became part of the group, which is that of the configuration.
    pub(super) listeners: BTreeMap<ProcId, Listener<P>>,
    /// Oldest first.
    pub(super) buffer: VecDeque<Queued<P>>,
    /// The buffer has changed since it was written down.
    changed: bool,
    /// What was written down is not empty.
    written: bool,
    /// Events behind the buffer that are only in the store of a durable pool.
    pub(super) stored: u64,
    pub(super) next_serial: i64,
    pub(super) discarded: u64,
    /// The store was asked for more.
    pub(super) loading: bool,
    /// The newest event that was ever in the buffer: those behind it are the store's.
    last_in_hand: Option<i64>,
    /// What came while the store of a durable pool was being opened; `None` once it is.
    early: Option<Vec<(i64, EventKind, P)>>,
}

impl<P: Clone> Pool<P> {
    pub(super) fn new(name: &str, spec: ListenerSpec) -> Self {
        let early = spec.durable.then(Vec::new);
        Self {
            name: name.to_owned(),
            spec,
            listeners: BTreeMap::new(),
            buffer: VecDeque::new(),
            changed: false,
            written: false,
            stored: 0,
            next_serial: 0,
            discarded: 0,
            loading: false,
            last_in_hand: None,
            early,
        }
    }

    pub(super) fn wants(&self, kind: EventKind) -> bool {
        self.spec.events.iter().any(|subscribed| subscribed.covers(kind))
    }

    fn limit(&self) -> usize {
        usize::try_from(self.spec.buffer_size).unwrap_or(1)
    }

    /// Takes an event behind those that wait (EVT-092).
    pub(super) fn accept(
        &mut self,
        serial: i64,
        kind: EventKind,
        payload: P,
        out: &mut VecDeque<PoolEffect<P>>,
    ) {
        if let Some(early) = &mut self.early {
            early.push((serial, kind, payload));
            return;
        }
        let event = Queued { serial, pool_serial: self.next_serial, kind, payload };
        self.next_serial = after(self.next_serial);
        self.changed = true;
        if !self.spec.durable {
            self.make_room(out);
            self.last_in_hand = Some(event.pool_serial);
            self.buffer.push_back(event);
            return;
        }
        out.push_back(PoolEffect::Store { pool: self.name.clone(), event: event.clone() });
        if self.stored > 0 || self.buffer.len() >= self.limit() {
            self.stored += 1;
        } else {
            self.last_in_hand = Some(event.pool_serial);
            self.buffer.push_back(event);
        }
    }

    /// What was written down is lost.
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// The buffer, if it has to be written down: it has changed, and it or what was written last is not empty.
    pub(super) fn take_changed(&mut self) -> Option<Vec<Queued<P>>> {
        if self.spec.durable {
            // What was written before its events went to a store would come again.
            return std::mem::take(&mut self.written).then(Vec::new);
        }
        let due = std::mem::take(&mut self.changed);
        if !due || (self.buffer.is_empty() && !self.written) {
            return None;
        }
        self.written = !self.buffer.is_empty();
        Some(self.buffer.iter().cloned().collect())
    }

    /// Takes back what an earlier daemon wrote down.
    pub(super) fn take_back(&mut self, events: Vec<Queued<P>>) {
        if let Some(last) = events.iter().map(|event| event.pool_serial).max() {
            self.next_serial = self.next_serial.max(after(last));
        }
        self.buffer.extend(events);
        (self.changed, self.written) = (true, true);
    }

    /// The store of a durable pool is open.
    pub(super) fn found(&mut self, count: u64, last: Option<i64>, out: &mut VecDeque<PoolEffect<P>>) {
        self.stored = count;
        if let Some(last) = last {
            self.next_serial = self.next_serial.max(after(last));
        }
        for (serial, kind, payload) in self.early.take().unwrap_or_default() {
            self.accept(serial, kind, payload, out);
        }
    }

    /// What the store brought. Nothing means that nothing is there. What a pool of the same name had asked for before
    /// this one was made is not for this one, whose store tells of it anew.
    pub(super) fn loaded(&mut self, events: Vec<Queued<P>>) {
        if !std::mem::take(&mut self.loading) {
            return;
        }
        self.stored = if events.is_empty() { 0 } else { self.stored.saturating_sub(events.len() as u64) };
        self.last_in_hand = events.last().map(|event| event.pool_serial).or(self.last_in_hand);
        self.buffer.extend(events);
    }

    pub(super) fn lost(&mut self, pool_serial: i64) {
        if self.last_in_hand.is_none_or(|last| pool_serial > last) {
            self.stored = self.stored.saturating_sub(1);
            self.discarded += 1;
        }
    }

    /// Puts back an event that could not be sent, or was rejected, before those that wait (EVT-093, EVT-096).
    pub(super) fn put_back(&mut self, event: Queued<P>, out: &mut VecDeque<PoolEffect<P>>) {
        out.push_back(PoolEffect::Log(ListenerNotice::Rebuffering {
            serial: event.serial,
            pool: self.name.clone(),
            size: self.buffer.len(),
            limit: self.limit(),
        }));
        if !self.spec.durable {
            self.make_room(out);
        }
        self.changed = true;
        self.buffer.push_front(event);
    }

    /// A full buffer loses its oldest event (EVT-094).
    fn make_room(&mut self, out: &mut VecDeque<PoolEffect<P>>) {
        if self.buffer.len() < self.limit() {
            return;
        }
        if let Some(oldest) = self.buffer.pop_front() {
            self.discarded += 1;
            let pool = self.name.clone();
            out.push_back(PoolEffect::Log(ListenerNotice::Overflowed { serial: oldest.serial, pool }));
        }
    }

    /// Sends what waits, oldest first, until no listener is ready.
    pub(super) fn dispatch(
        &mut self,
        deliver: &mut impl FnMut(&Delivery<'_, P>) -> bool,
        out: &mut VecDeque<PoolEffect<P>>,
    ) {
        while self.has_ready() {
            let Some(event) = self.buffer.pop_front() else { break };
            self.changed = true;
            if let Err(event) = self.send(event, deliver, out) {
                self.put_back(event, out);
                break;
            }
        }
        if self.buffer.is_empty() && self.stored > 0 && !self.loading {
            self.loading = true;
            let (pool, after, count) = (self.name.clone(), self.last_in_hand, self.limit());
            out.push_back(PoolEffect::Load { pool, after, count });
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let mut busy = self.listeners.values().filter(|listener| listener.running);
        match self.buffer.is_empty() {
            true => busy.all(|listener| listener.protocol.state != ListenerState::Busy),
            false => busy.all(|listener| listener.protocol.state == ListenerState::Unknown),
        }
    }

    fn has_ready(&self) -> bool {
        self.listeners.values().any(Listener::is_ready)
    }

    fn send(
        &mut self,
        event: Queued<P>,
        deliver: &mut impl FnMut(&Delivery<'_, P>) -> bool,
        out: &mut VecDeque<PoolEffect<P>>,
    ) -> Result<(), Queued<P>> {
        let characters = !self.spec.length_in_bytes;
        for (&id, listener) in self.listeners.iter_mut().filter(|(_, listener)| listener.is_ready()) {
            let (serial, name) = (event.serial, listener.name.clone());
            if !deliver(&Delivery { id, pool: &self.name, event: &event, characters }) {
                out.push_back(PoolEffect::Log(ListenerNotice::Gone { serial, name }));
                continue;
            }
            listener.protocol.given();
            listener.event = Some(event);
            out.push_back(PoolEffect::Log(ListenerNotice::Sent { serial, name }));
            out.push_back(PoolEffect::Save { id });
            return Ok(());
        }
        Err(event)
    }

    /// What a listener said.
    pub(super) fn heard(&mut self, id: ProcId, data: &[u8], out: &mut VecDeque<PoolEffect<P>>) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let mut state = listener.protocol.state;
        let steps = listener.protocol.feed(data);
        if steps.is_empty() {
            return;
        }
        let name = listener.name.clone();
        for step in steps {
            let log = |notice| PoolEffect::Log(notice);
            let (to, rejected) = match step {
                Step::Ready => (ListenerState::Ready, None),
                Step::Violation => (ListenerState::Unknown, None),
                Step::BadLine(line) => {
                    out.push_back(log(ListenerNotice::BadLine { name: name.clone(), line }));
                    (ListenerState::Unknown, self.taken(id))
                }
                Step::Result { done: true } => {
                    out.push_back(log(ListenerNotice::Processed { name: name.clone() }));
                    self.done(id, out);
                    (ListenerState::Acknowledged, None)
                }
                Step::Result { done: false } => {
                    out.push_back(log(ListenerNotice::Rejected { name: name.clone() }));
                    (ListenerState::Acknowledged, self.taken(id))
                }
            };
            out.push_back(log(ListenerNotice::Changed { name: name.clone(), from: state, to }));
            if to == ListenerState::Unknown {
                out.push_back(log(ListenerNotice::Lost { name: name.clone() }));
            }
            state = to;
            if let Some(event) = rejected {
                self.put_back(event, out);
            }
        }
        out.push_back(PoolEffect::Save { id });
    }

    fn taken(&mut self, id: ProcId) -> Option<Queued<P>> {
        self.listeners.get_mut(&id)?.event.take()
    }

    fn done(&mut self, id: ProcId, out: &mut VecDeque<PoolEffect<P>>) {
        let Some(event) = self.taken(id) else { return };
        if self.spec.durable {
            out.push_back(PoolEffect::Done { pool: self.name.clone(), pool_serial: event.pool_serial });
        }
    }

    /// A listener's child is gone: its event goes back (EVT-075).
    pub(super) fn ended(&mut self, id: ProcId, out: &mut VecDeque<PoolEffect<P>>) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        let before = std::mem::replace(&mut listener.protocol, Protocol::new(ListenerState::Acknowledged));
        let event = listener.event.take();
        if before.state != ListenerState::Acknowledged || event.is_some() {
            // The next daemon would take its next child for one that has the event.
            out.push_back(PoolEffect::Save { id });
        }
        if let Some(event) = event {
            self.put_back(event, out);
        }
    }
}

impl<P> Pool<P> {
    /// Events that came before the store was open.
    pub(super) fn early(&self) -> u64 {
        self.early.as_ref().map_or(0, |early| early.len() as u64)
    }

    /// Gets new options; says whether a store has to be opened for it.
    pub(super) fn change(&mut self, spec: ListenerSpec) -> bool {
        let opens = spec.durable && !self.spec.durable;
        if opens {
            self.early = Some(Vec::new());
            // What an earlier time on disk left may be older than what was numbered meanwhile.
            self.last_in_hand = None;
        } else if !spec.durable {
            self.stored = 0;
        }
        self.spec = spec;
        opens
    }
}

impl<P> Listener<P> {
    pub(super) fn is_ready(&self) -> bool {
        self.running && self.protocol.state == ListenerState::Ready
    }
}
