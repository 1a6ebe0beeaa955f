//! Children that keeper and daemon left behind when both were killed: recognised, and stopped before new ones start,
//! so that no program runs twice; or taken over.

mod adopt;
mod register;
mod runfile;

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use upkeep_config::Orphans;
use upkeep_core::{ErrandKind, ProcId, RunEnd, RunId};
use upkeep_keeper::wire::{REGISTER, ToKeeper};
use upkeep_logs::{Engine, Level};

use crate::age::start_ticks;
use crate::errors::words;
use crate::shell::Shell;
use crate::tasks;
use adopt::Survivor;
pub(crate) use register::Register;
pub(crate) use runfile::RunFile;
use runfile::{Entry, survivors};

/// How long a process that was killed may take to be gone.
const AFTER_KILL: Duration = Duration::from_secs(5);
/// How long anything waits for the run file to be written at its new place.
pub(crate) const MOVING: Duration = Duration::from_secs(2);
/// Longest `stopwaitsecs` that is waited for.
const LONGEST_WAIT: u64 = 3600;

/// A survivor that cannot be mistaken for another process any more.
struct Orphan {
    entry: Entry,
    pidfd: OwnedFd,
    kill_at: Instant,
    killed: bool,
}

impl Shell {
    /// Where it belongs, by the configuration that is in effect.
    pub(crate) fn run_file_path(&self) -> PathBuf {
        let mut path = self.settings().pidfile.clone().into_os_string();
        path.push(".children");
        path.into()
    }

    /// The pid file has another name: what lives is written down beside it from now on. Tells when that is done, or that
    /// it cannot be (the log says why).
    pub(crate) fn move_run_file(&mut self) -> Option<Receiver<()>> {
        self.catch_up_at_once();
        self.run_file.as_ref().map(|file| file.move_to(self.run_file_path()))
    }

    /// The same where that is not its name already, before anybody is started who would be written down.
    pub(crate) async fn follow_pidfile(&mut self, before: PathBuf) {
        if before != self.run_file_path()
            && let Some(moved) = self.move_run_file()
        {
            // If it cannot be written, the log says so.
            let _ = tasks::spawn_blocking(move || moved.recv_timeout(MOVING)).await;
        }
    }

    /// Deals with what a killed daemon left, as `orphans` says; waits until what is to be stopped has ended. From then
    /// on what lives is written down for the next one.
    pub(crate) async fn meet_orphans(&mut self) {
        let path = self.run_file_path();
        let mut found = match survivors(&path) {
            Ok(found) => found,
            Err(error) => {
                let (path, error) = (path.display(), words(&error));
                let text = format!(
                    "cannot tell what an earlier supervisord left: '{path}': {error}; look for processes that run twice, \
                     then remove the file"
                );
                return self.log(Level::Error, text);
            }
        };
        self.find_newborn(&path, &mut found);
        match self.settings().orphans {
            Orphans::Adopt => self.adopt_orphans(found).await,
            Orphans::Stop => self.end_orphans(found, "stopped before anything is started").await,
            Orphans::Ignore => {
                self.tell_of_orphans(&found, "left alone, as orphans=ignore says");
            }
        }
        self.keep_register();
        self.keep_run_file();
    }

    /// Those that were not written down in the run file when the daemon was killed that would have done so.
    fn find_newborn(&self, path: &Path, found: &mut Vec<Entry>) {
        match register::born(path) {
            Ok(born) => {
                let known: HashSet<u32> = found.iter().map(|entry| entry.pid).collect();
                found.extend(born.into_iter().filter(|entry| !known.contains(&entry.pid)));
            }
            Err(error) => {
                let error = words(&error);
                let text = format!(
                    "cannot tell whom an earlier supervisord was starting when it was killed: {error}; look for \
                     processes that run twice"
                );
                self.log(Level::Error, text);
            }
        }
    }

    /// From now on children are written down in memory before they execute their programs.
    pub(crate) fn keep_register(&mut self) {
        let runs = self.runs.iter().filter_map(|(&run, entry)| {
            let made = entry.made.as_ref().filter(|made| made.exit.is_none())?;
            Some((run, self.entry_of_run(run, made.pid)?))
        });
        let runs: Vec<(RunId, Entry)> = runs.collect();
        match Register::start(&self.run_file_path(), &runs) {
            Ok(register) => self.register = Some(register),
            Err(error) => self.log(Level::Debug, format!("births are not written down: {}", words(&error))),
        }
        self.hold_register();
    }

    /// Gives the register to the keeper, where children find it.
    pub(crate) fn hold_register(&mut self) {
        if let Some(register) = self.register.clone() {
            self.send_with(&ToKeeper::Hold { name: REGISTER.to_owned() }, &[register.as_fd()]);
        }
    }

    /// A child is about to be asked for.
    pub(crate) fn note_start(&self, run: RunId) {
        if let (Some(register), Some(entry)) = (&self.register, self.entry_of_run(run, 0)) {
            // No room: it is recognised all the same, if not by name.
            let _ = register.announce(run, &entry);
        }
    }

    /// Whether there are any.
    fn tell_of_orphans(&self, found: &[Entry], what: &str) -> bool {
        let names = found.iter().map(|entry| format!("{}:{} (pid {})", entry.group, entry.name, entry.pid));
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            let names = names.join(", ");
            let text = format!("processes that a killed supervisord left behind are {what}: {names}");
            self.log(Level::Warn, text);
        }
        !names.is_empty()
    }

    async fn end_orphans(&mut self, found: Vec<Entry>, what: &str) {
        if self.tell_of_orphans(&found, what) {
            let engine = self.engine.clone();
            // Fails only if the thread panicked: then there is nothing more to wait for.
            let _ = tasks::spawn_blocking(move || stop(found, &engine)).await;
        }
    }

    async fn adopt_orphans(&mut self, found: Vec<Entry>) {
        let (wanted, others) = self.adoptable(found);
        self.end_orphans(others, "no programs that can be taken over: they are stopped").await;
        let survivors: Vec<_> =
            wanted.into_iter().filter_map(|(id, entry)| Some((id, Survivor::hold(entry)?))).collect();
        let entries: Vec<Entry> = survivors.iter().map(|(_, survivor)| survivor.entry.clone()).collect();
        self.tell_of_orphans(&entries, "taken over");
        self.adopt(survivors);
    }

    /// From now on, what lives is written down for a daemon that finds no keeper.
    pub(crate) fn keep_run_file(&mut self) {
        let own = self.core.processes().filter(|(_, process)| process.pid() != 0);
        let own = own.filter_map(|(id, process)| self.entry_of(id, process.pid()));
        let errands = self.runs.iter().filter_map(|(&run, entry)| {
            let (kind, made) = (self.core.errand_of(run)?, entry.made.as_ref()?);
            self.errand_entry(run, kind, made.pid)
        });
        let entries = own.chain(errands).collect();
        match RunFile::start(self.run_file_path(), entries, self.register.clone(), self.engine.clone()) {
            Ok(file) => self.run_file = Some(file),
            Err(error) => self.log(Level::Warn, format!("children are not written down: {error}")),
        }
    }

    /// A child was made.
    pub(crate) fn note_child(&mut self, run: RunId, pid: u32) {
        let entry = self.entry_of_run(run, pid);
        if let (Some(entry), None) = (&entry, self.core.errand_of(run)) {
            self.note_birth(run, entry.ticks);
        }
        if let (Some(file), Some(entry)) = (&self.run_file, entry) {
            file.add(entry);
        }
    }

    /// A child has ended.
    pub(crate) fn note_end(&mut self, run: RunId, end: RunEnd) {
        self.suspect_daemon(run, end);
        let errand = self.core.errand_of(run).and_then(|_| self.runs.get(&run)?.made.as_ref());
        let process = self.core.process_of(run).and_then(|id| self.core.process(id));
        let pid = errand.map(|made| made.pid).or_else(|| process.map(upkeep_core::Process::pid));
        if let (Some(file), Some(pid)) = (&self.run_file, pid) {
            file.gone(pid);
        }
    }

    /// The daemon ends in order.
    pub(crate) fn remove_run_file(&mut self) {
        self.catch_up_at_once();
        if let Some(file) = self.run_file.take() {
            file.remove();
        }
        if let Some(register) = self.register.take() {
            register.remove();
        }
    }

    fn entry_of_run(&self, run: RunId, pid: u32) -> Option<Entry> {
        match self.core.errand_of(run) {
            Some(kind) => self.errand_entry(run, kind, pid),
            None => self.entry_of(self.core.process_of(run)?, pid),
        }
    }

    /// A command that runs beside a process. Nobody takes it over, for it has a name that no process has.
    fn errand_entry(&self, run: RunId, kind: ErrandKind, pid: u32) -> Option<Entry> {
        let entry = self.entry_of(self.core.process_of(run)?, pid)?;
        let pipes = self.runs.get(&run).map(|run| run.pipes).unwrap_or_default();
        let name = format!("{} ({kind})", entry.name);
        Some(Entry { name, pipes, stop_group: true, kill_group: true, ..entry })
    }

    fn entry_of(&self, id: ProcId, pid: u32) -> Option<Entry> {
        let process = self.core.process(id)?;
        let stop = self.core.saved(id)?.stop;
        let run = process.state().run().and_then(|run| self.runs.get(&run));
        Some(Entry {
            pid,
            ticks: 0,
            pipes: run.map(|run| run.pipes).unwrap_or_default(),
            group: process.group().to_owned(),
            name: process.name().to_owned(),
            signal: stop.stopsignal.0,
            wait: stop.stopwaitsecs,
            stop_group: stop.stopasgroup,
            kill_group: stop.killasgroup,
        })
    }
}

/// Asks every orphan to end as its program says, kills those that do not, and waits for all.
fn stop(found: Vec<Entry>, engine: &Engine) {
    let mut orphans: Vec<Orphan> = found.into_iter().filter_map(Orphan::hold).collect();
    for orphan in &orphans {
        if let Some(signal) = Signal::from_named_raw(orphan.entry.signal) {
            orphan.signal(signal, orphan.entry.stop_group);
        }
    }
    while !orphans.is_empty() {
        let now = Instant::now();
        for orphan in orphans.iter_mut().filter(|orphan| orphan.kill_at <= now) {
            orphan.lose_patience(engine);
        }
        orphans.retain(|orphan| !orphan.killed || orphan.kill_at > now);
        let Some(next) = orphans.iter().map(|orphan| orphan.kill_at).min() else { return };
        wait_for_any(&orphans, next.saturating_duration_since(now));
        orphans.retain(|orphan| !orphan.has_ended());
    }
}

impl Orphan {
    fn hold(entry: Entry) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(entry.pid).ok()?)?;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at again: what the descriptor means cannot change any more.
        (start_ticks(entry.pid) == Some(entry.ticks)).then_some(())?;
        let wait = u64::try_from(entry.wait).unwrap_or(0).min(LONGEST_WAIT);
        Some(Self { entry, pidfd, kill_at: Instant::now() + Duration::from_secs(wait), killed: false })
    }

    /// Signals it, or its whole process group. It may be gone already.
    fn signal(&self, signal: Signal, group: bool) {
        let leader = i32::try_from(self.entry.pid).ok().and_then(Pid::from_raw);
        let _ = match leader.filter(|_| group) {
            Some(leader) => rustix::process::kill_process_group(leader, signal),
            None => rustix::process::pidfd_send_signal(&self.pidfd, signal),
        };
    }

    /// It had its time: kills it, or gives it up.
    fn lose_patience(&mut self, engine: &Engine) {
        let Entry { group, name, pid, kill_group, .. } = &self.entry;
        if self.killed {
            engine.journal(
                Level::Error,
                format!("{group}:{name} (pid {pid}) does not end though it was killed"),
            );
            return;
        }
        engine.journal(Level::Warn, format!("killing '{name}' ({pid}) with SIGKILL"));
        self.signal(Signal::KILL, *kill_group);
        self.killed = true;
        self.kill_at += AFTER_KILL;
    }

    fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&none)).is_ok_and(|count| count > 0)
    }
}

fn wait_for_any(orphans: &[Orphan], limit: Duration) {
    let mut polled: Vec<PollFd<'_>> =
        orphans.iter().map(|orphan| PollFd::new(&orphan.pidfd, PollFlags::IN)).collect();
    let limit = Timespec::try_from(limit).unwrap_or_default();
    // Whatever it says, everybody is looked at afterwards.
    let _ = rustix::event::poll(&mut polled, Some(&limit));
}
