//! Programs that put themselves into the background: the child ends at once and a process that it left behind lives on, where
//! nobody supervises it. That is said once for each program, since nothing else in the log would explain it.

pub(crate) mod seen;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use upkeep_core::ordered;
use upkeep_core::{Process, RunEnd, RunId, State};
use upkeep_logs::Level;

use crate::shell::{Message, Shell, now};
use crate::tasks;
use seen::{Seen, Supervised, environment, line_of, processes};

/// A child that lived longer than this did its work itself.
const AT_ONCE: Duration = Duration::from_secs(10);
/// How long what is left behind must have lived on: what a shell leaves for a moment is none of our business.
const SETTLED: Duration = Duration::from_secs(1);
/// How often a program's children are looked after: one that left nothing so often is no daemon.
const LOOKS: u8 = 3;
/// What the kernel keeps of a name.
const COMM: usize = 15;

/// What is known of children that end at once.
#[derive(Debug, Default)]
pub(crate) struct Daemonised {
    /// When living children were started, in clock ticks since boot.
    births: BTreeMap<RunId, u64>,
    /// How often was looked, by section.
    looks: BTreeMap<String, u8>,
}

/// A child that ended at once, and what it left.
#[derive(Debug)]
pub(crate) struct Suspect {
    group: String,
    name: String,
    section: String,
    /// The name that the program it was started as would have.
    comm: String,
    pid: u32,
    /// When it was started, in clock ticks since boot.
    ticks: u64,
    /// The process that lives on, once it was found.
    left: Option<Seen>,
}

impl Shell {
    /// A child was made.
    pub(crate) fn note_birth(&mut self, run: RunId, ticks: u64) {
        self.daemonised.births.insert(run, ticks);
    }

    /// A child has ended, its state not yet changed.
    pub(crate) fn suspect_daemon(&mut self, run: RunId, end: RunEnd) {
        let Some(ticks) = self.daemonised.births.remove(&run) else { return };
        if end != RunEnd::Code(0) || !self.core.phase().is_running() {
            return;
        }
        let Some(process) = self.core.process_of(run).and_then(|id| self.core.process(id)) else { return };
        let Some(suspect) = Suspect::new(process, ticks) else { return };
        let looks = self.daemonised.looks.entry(suspect.section.clone()).or_default();
        if *looks < LOOKS {
            *looks += 1;
            let messages = self.messages.clone();
            tasks::spawn(async move {
                tokio::time::sleep(SETTLED).await;
                // Fails only when the daemon has ended.
                let _ = messages.send(Message::Suspected(Box::new(suspect)));
            });
        }
    }

    /// Looks off this task whether something was left, or tells that it was found.
    pub(crate) fn suspected(&mut self, mut suspect: Suspect) {
        if let Some(left) = &suspect.left {
            let is_said = self.daemonised.looks.insert(suspect.section.clone(), u8::MAX) == Some(u8::MAX);
            if !is_said {
                self.log(Level::Warn, suspect.hint(left));
            }
            return;
        }
        let mut pids: HashSet<u32> = self.core.processes().map(|(_, process)| process.pid()).collect();
        pids.insert(std::process::id());
        let (keeper, messages) = (self.keeper_pid, self.messages.clone());
        tasks::spawn_blocking(move || {
            suspect.left = suspect.find(pids, keeper);
            if suspect.left.is_some() {
                let _ = messages.send(Message::Suspected(Box::new(suspect)));
            }
        });
    }
}

impl Suspect {
    fn new(process: &Process, ticks: u64) -> Option<Self> {
        let (State::Starting { .. } | State::Running { .. }) = process.state() else { return None };
        let child = process.state().child()?;
        if now().mono.since(child.since) > AT_ONCE {
            return None;
        }
        let spec = process.spec();
        let program = spec.command.split_whitespace().next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        Some(Self {
            group: process.group().to_owned(),
            name: process.name().to_owned(),
            section: spec.section.to_string(),
            comm: program.chars().take(COMM).collect(),
            pid: child.pid,
            ticks,
            left: None,
        })
    }

    /// The first process that it left behind. Blocks on /proc.
    fn find(&self, pids: HashSet<u32>, keeper: u32) -> Option<Seen> {
        let all = ordered::map(processes().map(|seen| (seen.pid, seen)));
        let session = all.get(&keeper)?.session;
        let supervised = Supervised { pids, keeper, above: line_of(keeper, &all), session };
        let candidate = |seen: &&Seen| seen.ticks >= self.ticks && !seen.zombie;
        let mut left = all.values().filter(candidate).filter(|seen| supervised.lost(seen, self.ticks, &all));
        left.find(|seen| self.is_parent_of(seen, session, || environment(seen.pid))).cloned()
    }

    /// Whether it was the child that this process comes from: by its process group; or, if it has left the `session` that
    /// children start in, by its environment, or, as some daemons write over all of that, by its program.
    fn is_parent_of(&self, seen: &Seen, session: u32, environment: impl FnOnce() -> Option<Vec<u8>>) -> bool {
        if seen.group == self.pid || seen.session == self.pid {
            return true;
        }
        let Some(environment) = (seen.session != session).then(environment).flatten() else { return false };
        let value = |name: &str| {
            let entry = |entry: &&[u8]| entry.starts_with(name.as_bytes());
            environment.split(|byte| *byte == 0).find(entry).map(|entry| &entry[name.len()..])
        };
        match value("SUPERVISOR_PROCESS_NAME=") {
            Some(name) => {
                name == self.name.as_bytes() && value("SUPERVISOR_GROUP_NAME=") == Some(self.group.as_bytes())
            }
            None => !environment.contains(&b'=') && seen.comm == self.comm,
        }
    }

    fn hint(&self, left: &Seen) -> String {
        let Seen { pid, comm, .. } = left;
        format!(
            "{}:{} ended at once with status 0, but process {pid} ({comm}) that it started lives on: it seems to put itself \
             into the background, where it cannot be supervised; give it the option that keeps it in the foreground",
            self.group, self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::seen::tests::seen;
    use super::*;

    #[test]
    fn knows_its_own() {
        let suspect = Suspect {
            group: "g".to_owned(),
            name: "web".to_owned(),
            section: "program:web".to_owned(),
            comm: "nginx".to_owned(),
            pid: 100,
            ticks: 50,
            left: None,
        };
        let own = b"A=1\0SUPERVISOR_PROCESS_NAME=web\0SUPERVISOR_GROUP_NAME=g\0".as_slice();
        let others = b"SUPERVISOR_PROCESS_NAME=web\0SUPERVISOR_GROUP_NAME=h\0".as_slice();
        let rows = [
            ("its environment", seen(7, "x", 1, 7, 7), Some(own), true),
            ("another's environment", seen(7, "nginx", 1, 7, 7), Some(others), false),
            ("no environment, its program", seen(7, "nginx", 1, 7, 7), Some(b"\0\0".as_slice()), true),
            ("no environment, another program", seen(7, "x", 1, 7, 7), Some(b"".as_slice()), false),
            (
                "an environment without names, its program",
                seen(7, "nginx", 1, 7, 7),
                Some(b"A=1".as_slice()),
                false,
            ),
            ("nothing to be seen, its program", seen(7, "nginx", 1, 7, 7), None, false),
            ("its environment, in our session", seen(7, "x", 1, 7, 9), Some(own), false),
            ("its process group", seen(7, "x", 1, 100, 3), Some(others), true),
            ("its session", seen(7, "x", 1, 7, 100), None, true),
        ];
        for (what, seen, environment, expected) in rows {
            let found = suspect.is_parent_of(&seen, 9, || environment.map(<[u8]>::to_vec));
            assert_eq!(found, expected, "{what}");
        }
    }
}
