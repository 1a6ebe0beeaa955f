//! Durable pools: what the shell asks of the thread that keeps their events, and what it is told.

use std::path::{Path, PathBuf};

use upkeep_core::spec::{GroupKind, ListenerSpec};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use super::store::{Order, Store, Told};
use crate::records::{EventRecord, QueueHome};
use crate::shell::{Active, Message, Shell};

impl Shell {
    /// A durable pool became active: its file is opened, and what is in it comes first.
    pub(super) fn open_store(&mut self, pool: &str, spec: &ListenerSpec) {
        if self.listeners.store.is_none() {
            let messages = self.messages.clone();
            // Sending fails only when the daemon has ended.
            let started = Store::start(move |told| drop(messages.send(Message::Queue(told))));
            match started {
                Ok(store) => self.listeners.store = Some(store),
                Err(error) => {
                    let path = self.queue_path(pool, spec);
                    return self.queue_told(Told::Failed { pool: pool.to_owned(), path, error });
                }
            }
        }
        self.order_store(Order::Open {
            pool: pool.to_owned(),
            path: self.queue_path(pool, spec),
            limit: u64::try_from(spec.queue_maxbytes).unwrap_or(0),
            busy: self.listeners.pools.busy(pool).into_iter().collect(),
        });
    }

    fn queue_path(&self, pool: &str, spec: &ListenerSpec) -> PathBuf {
        let settings = self.settings();
        let (directory, identifier) = match self.standing.queues.get(pool) {
            Some(home) => (Path::new(&home.directory), &home.identifier),
            None => (settings.childlogdir.as_path(), &settings.identifier),
        };
        let directory = spec.queue_directory.as_ref().map_or(directory, Path::new);
        directory.join(format!("{pool}-{identifier}.events"))
    }

    /// The options that a durable pool's file is named by change: those of the pools that are there stay where they are.
    pub(crate) fn settle_queues(&mut self) {
        let settings = self.settings();
        let home = QueueHome {
            directory: settings.childlogdir.to_string_lossy().into_owned(),
            identifier: settings.identifier.clone(),
        };
        let durable = |group: &&Active| matches!(&group.spec.kind, GroupKind::Listener(spec) if spec.durable);
        for group in self.active.iter().filter(durable) {
            self.standing.queues.entry(group.spec.name.clone()).or_insert_with(|| home.clone());
        }
    }

    /// A pool is no longer active; its file stays for the next one of its name.
    pub(super) fn drop_pool(&mut self, name: &str) {
        self.listeners.pools.remove(name);
        self.standing.queues.remove(name);
        if let Some(&key) = self.listeners.buffer_keys.get(name) {
            self.send(&ToKeeper::Delete { key });
        }
        self.order_store(Order::Close { pool: name.to_owned() });
    }

    /// The daemon ends: what is to be kept is on disk afterwards.
    pub(crate) fn close_stores(&mut self) {
        self.close_applied();
        if let Some(store) = self.listeners.store.take() {
            store.finish();
        }
    }

    pub(super) fn order_store(&self, order: Order) {
        if let Some(store) = &self.listeners.store {
            store.order(order);
        }
    }

    /// The thread that keeps events has something to say.
    pub(crate) fn queue_told(&mut self, told: Told) {
        let pools = &mut self.listeners.pools;
        match told {
            Told::Found { pool, count, last } => pools.found(&pool, count, last),
            Told::Loaded { pool, events } => {
                let events = events.iter().filter_map(EventRecord::queued).collect();
                pools.loaded(&pool, events);
            }
            Told::Failed { pool, path, error } => {
                pools.not_stored(&pool);
                let path = path.display();
                self.log(
                    Level::Error,
                    format!(
                        "pool {pool}: events cannot be kept in '{path}': {error}; they are kept in memory, as with \
                         event_queue=memory"
                    ),
                );
            }
            Told::Lost { pool, number, error } => {
                pools.lost(&pool, number);
                self.log(
                    Level::Error,
                    format!("pool {pool}: event {number} cannot be kept on disk: {error}"),
                );
            }
            Told::Trouble { pool, error } => {
                self.log(Level::Error, format!("pool {pool}: the file of its events gives trouble: {error}"));
            }
        }
        self.serve_listeners();
    }
}
