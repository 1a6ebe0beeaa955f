//! What the daemon asked to keep for the next one: records and descriptors.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::children::Told;
use crate::estate::own;
use crate::wire::{REGISTER, ToDaemon};

/// Records and descriptors, by name. Nothing here is ever looked into; in one of them children write ([`REGISTER`]).
#[derive(Debug, Default)]
pub(crate) struct Hold {
    records: BTreeMap<u64, Vec<u8>>,
    descriptors: BTreeMap<String, Arc<OwnedFd>>,
}

impl Hold {
    pub(crate) fn put(&mut self, key: u64, value: Vec<u8>) {
        self.records.insert(key, value);
    }

    pub(crate) fn extend(&mut self, key: u64, keep: u64, value: &[u8]) {
        let record = self.records.entry(key).or_default();
        record.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        record.extend_from_slice(value);
    }

    pub(crate) fn delete(&mut self, key: u64) {
        self.records.remove(&key);
    }

    pub(crate) fn hold(&mut self, name: String, fd: OwnedFd) {
        self.descriptors.insert(name, Arc::new(fd));
    }

    pub(crate) fn unhold(&mut self, name: &str) {
        self.descriptors.remove(name);
    }

    /// The register of births, if the daemon has one.
    pub(crate) fn register(&self) -> Option<Arc<OwnedFd>> {
        self.descriptors.get(REGISTER).cloned()
    }

    /// For the next keeper: the records.
    pub(crate) fn records(&self) -> Vec<(u64, Vec<u8>)> {
        self.records.iter().map(|(&key, value)| (key, value.clone())).collect()
    }

    /// For the next keeper: the numbers of the descriptors.
    pub(crate) fn numbers(&self) -> Vec<(String, RawFd)> {
        self.descriptors.iter().map(|(name, fd)| (name.clone(), fd.as_raw_fd())).collect()
    }

    /// As an earlier keeper left it.
    ///
    /// # Errors
    /// A descriptor did not come.
    pub(crate) fn take_over(records: Vec<(u64, Vec<u8>)>, held: Vec<(String, RawFd)>) -> io::Result<Self> {
        let mut hold = Self { records: BTreeMap::new(), descriptors: BTreeMap::new() };
        hold.records.extend(records);
        for (name, number) in held {
            hold.descriptors.insert(name, Arc::new(own(number)?));
        }
        Ok(hold)
    }

    /// The inventory of everything held.
    pub(crate) fn inventory(&self) -> impl Iterator<Item = Told> {
        let records = self
            .records
            .iter()
            .map(|(&key, value)| (ToDaemon::Record { key, value: value.clone() }, Vec::new()));
        let held = self
            .descriptors
            .iter()
            .map(|(name, fd)| (ToDaemon::Held { name: name.clone() }, vec![Arc::clone(fd)]));
        records.chain(held)
    }
}
