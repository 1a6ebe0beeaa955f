//! What the keeper hands to a new daemon: records, held descriptors, children.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use upkeep_core::{Mono, RunId};
use upkeep_keeper::Link;
use upkeep_keeper::wire::{Exit, ToDaemon};

use crate::records::{
    BufferRecord, CAPTURE_KEY, DAEMON_KEY, DaemonRecord, FIRST_BUFFER_KEY, Half, LAST_WORDS_KEY, LINE_KEY,
    LastWordsRecord, ProcessRecord,
};
use crate::upgrade::Upgraded;

/// A child the keeper holds.
#[derive(Debug)]
pub(crate) struct HeldChild {
    pub(crate) run: RunId,
    pub(crate) pid: u32,
    pub(crate) since: Mono,
    /// How it ended, if it has.
    pub(crate) exit: Option<Exit>,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// Everything the keeper holds.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) keeper_pid: u32,
    /// What it says of its version.
    pub(crate) keeper_speaks: u16,
    /// The keeper has gone into the background.
    pub(crate) detached: bool,
    pub(crate) records: BTreeMap<u64, Vec<u8>>,
    pub(crate) held: BTreeMap<String, OwnedFd>,
    pub(crate) children: Vec<HeldChild>,
    /// What became of the last upgrade.
    pub(crate) upgraded: Option<Upgraded>,
}

impl Inventory {
    /// Takes the inventory in; waits for its end.
    ///
    /// # Errors
    /// The keeper is gone or speaks another language.
    pub(crate) fn receive(link: &mut Link) -> io::Result<Self> {
        let mut inventory = Self::default();
        loop {
            let (frame, fds) = link.recv_wait()?;
            if !inventory.take(frame, fds) {
                return Ok(inventory);
            }
        }
    }

    /// Takes one frame in; false at the end.
    fn take(&mut self, frame: ToDaemon, fds: Vec<OwnedFd>) -> bool {
        match frame {
            ToDaemon::Welcome { wire_version, keeper_pid, detached, .. } => {
                self.keeper_speaks = wire_version;
                self.keeper_pid = keeper_pid;
                self.detached = detached;
            }
            ToDaemon::Record { key, value } => {
                self.records.insert(key, value);
            }
            ToDaemon::Held { name } => {
                self.held.extend(fds.into_iter().next().map(|fd| (name, fd)));
            }
            ToDaemon::Child { run, pid, start_ns, exited, has_stdin, has_stdout, has_stderr } => {
                let mut fds = fds.into_iter();
                let mut take = |there: bool| if there { fds.next() } else { None };
                let child = HeldChild {
                    run: RunId(run),
                    pid,
                    since: Mono(start_ns),
                    exit: exited,
                    stdin: take(has_stdin),
                    stdout: take(has_stdout),
                    stderr: take(has_stderr),
                };
                self.children.push(child);
            }
            ToDaemon::Replaced { token, failure } => self.upgraded = Some(Upgraded::new(token, failure)),
            ToDaemon::InventoryEnd => return false,
            ToDaemon::Spawned { .. }
            | ToDaemon::SpawnFailed { .. }
            | ToDaemon::Exited { .. }
            | ToDaemon::Reaped { .. }
            | ToDaemon::Signalled { .. }
            | ToDaemon::SignalReceived { .. }
            | ToDaemon::DetachFailed { .. }
            | ToDaemon::Leave { .. }
            | ToDaemon::NotHeld { .. } => {}
        }
        true
    }

    /// The record of an earlier daemon; `None` for the first.
    ///
    /// # Errors
    /// There is one that cannot be understood.
    pub(crate) fn daemon_record(&self) -> Result<Option<DaemonRecord>, String> {
        let Some(value) = self.records.get(&DAEMON_KEY) else { return Ok(None) };
        DaemonRecord::read(value).map(Some).map_err(|error| error.to_string())
    }

    /// What waited in the pools' memories, with the keys of the records.
    pub(crate) fn buffer_records(&self) -> Vec<(u64, Option<BufferRecord>)> {
        let buffers = self.records.range(FIRST_BUFFER_KEY..CAPTURE_KEY);
        buffers.map(|(&key, value)| (key, serde_json::from_slice(value).ok())).collect()
    }

    /// Where the last words go of runs whose processes are gone.
    pub(crate) fn take_last_words(&mut self) -> BTreeMap<RunId, LastWordsRecord> {
        let keys = LAST_WORDS_KEY..LINE_KEY;
        let records = self.records.extract_if(keys, |_, _| true);
        let record = |(key, value): (u64, Vec<u8>)| {
            (RunId(key - LAST_WORDS_KEY), serde_json::from_slice(&value).unwrap_or_default())
        };
        records.map(record).collect()
    }

    /// What streams have captured so far, by key.
    pub(crate) fn take_captures(&mut self) -> BTreeMap<u64, Vec<u8>> {
        self.records.split_off(&CAPTURE_KEY)
    }

    /// The records of processes; one that cannot be understood is left out.
    pub(crate) fn process_records(&self, half: Half) -> Vec<ProcessRecord> {
        let processes = self.records.range(half.keys());
        processes.filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect()
    }
}
