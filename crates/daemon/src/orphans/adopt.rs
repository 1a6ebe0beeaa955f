//! Survivors that are taken over: `orphans=adopt`.
//!
//! They were the children of a keeper that is gone, and the read ends of their pipes went with it. But a pipe lives as long
//! as either end does, and `/proc` opens its other end again. What a survivor writes before that fails with EPIPE.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{Mode, OFlags};
use upkeep_core::{Child, Input, Mono, ProcId, RunId, Saved, State};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use super::runfile::Entry;
use crate::age::{start_ticks, started_at};
use crate::prepare::Sinks;
use crate::shell::{Shell, now};
use crate::succession::Made;

/// A survivor, with what of its pipes could be opened again.
pub(super) struct Survivor {
    pub(super) entry: Entry,
    pidfd: OwnedFd,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Survivor {
    /// `None` if it has ended meanwhile.
    pub(super) fn hold(entry: Entry) -> Option<Self> {
        let pidfd = upkeep_os::pidfd(entry.pid).ok()?;
        let open = |number, inode, flags| open_again(entry.pid, number, inode, flags);
        let stdin = open(0, entry.pipes[0], OFlags::WRONLY);
        let stdout = open(1, entry.pipes[1], OFlags::RDONLY);
        let stderr = open(2, entry.pipes[2], OFlags::RDONLY);
        // Looked at last: what the descriptors mean cannot change any more.
        (start_ticks(entry.pid) == Some(entry.ticks)).then_some(())?;
        Some(Self { entry, pidfd, stdin, stdout, stderr })
    }
}

/// The other end of the pipe that a process has as this descriptor, if that is still the pipe with this inode number: a
/// program may have put a pipe of its own there, and must not lose a byte of that.
fn open_again(pid: u32, number: u8, inode: u64, flags: OFlags) -> Option<OwnedFd> {
    let path = format!("/proc/{pid}/fd/{number}");
    let same = |about: std::fs::Metadata| about.ino() == inode;
    std::fs::metadata(&path).ok().filter(|_| inode != 0).filter(|about| same(about.clone()))?;
    let fd = rustix::fs::open(&path, flags | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let opened = std::fs::File::from(fd);
    opened.metadata().ok().filter(|about| same(about.clone()))?;
    Some(opened.into())
}

impl Shell {
    /// The processes among these that are programs of the configuration, each with its entry; and the others.
    pub(super) fn adoptable(&self, found: Vec<Entry>) -> (Vec<(ProcId, Entry)>, Vec<Entry>) {
        let (mut wanted, mut others) = (Vec::new(), Vec::new());
        for entry in found {
            let same = |(_, process): &(ProcId, &upkeep_core::Process)| {
                process.group() == entry.group && process.name() == entry.name
            };
            let program = |(_, process): &(ProcId, &upkeep_core::Process)| {
                // What a listener was told, and who else has a FastCGI socket, is not known any more.
                process.spec().socket.is_none() && !self.is_pool(process.group())
            };
            let process = self.core.processes().find(same).filter(program).map(|(id, _)| id);
            let taken = wanted.iter().any(|(id, _)| Some(*id) == process);
            match process.filter(|_| !taken) {
                Some(id) => wanted.push((id, entry)),
                None => others.push(entry),
            }
        }
        (wanted, others)
    }

    /// Goes on with survivors as if they had been started by this daemon.
    pub(super) fn adopt(&mut self, survivors: Vec<(ProcId, Survivor)>) {
        for (number, (id, survivor)) in (1..).zip(survivors) {
            self.adopt_one(id, RunId(number), survivor);
        }
    }

    fn adopt_one(&mut self, id: ProcId, run: RunId, survivor: Survivor) {
        let Survivor { entry, pidfd, stdin, stdout, stderr } = survivor;
        let (pid, since) = (entry.pid, started_at(entry.ticks));
        let Some(stop) = self.core.saved(id).map(|saved| saved.stop) else { return };
        let age = now().mono.since(since).as_secs();
        let saved = Saved {
            state: State::Running { run, child: Child { pid, since } },
            failures: 0,
            restarts: None,
            timer: None,
            stop_step: 0,
            errands: None,
            started: now().wall.saturating_sub(i64::try_from(age).unwrap_or(0)),
            stopped: 0,
            spawnerr: None,
            exitstatus: None,
            last_run: Some(run),
            starts_again: false,
            again: false,
            breach: None,
            stops_next: false,
            health: None,
            stop,
        };
        let (group, process) = (entry.group.clone(), entry.name.clone());
        self.tell(Input::Restore {
            group,
            process,
            saved: Box::new(saved),
            child_exists: true,
            errands: Vec::new(),
        });
        let Some(order) = self.order_for(id) else { return };
        let Sinks { stdout: out, stderr: err } = order.open_sinks();
        let sinks = (out.unwrap_or_default(), err.and_then(Result::ok));
        self.runs.entry(run).or_default().sinks = Some(Box::new(sinks));
        let lost = stdout.is_none() && entry.pipes[1] != 0;
        self.introduce(run, pid, since, &pidfd, [&stdin, &stdout, &stderr]);
        self.attach(run, pid, [stdin, stdout, stderr]);
        let made = Made { pidfd: Some(pidfd), ..Made::new(pid, since) };
        self.runs.entry(run).or_default().made = Some(made);
        self.tell(Input::Spawned { run, pid, at: since });
        self.save_process(id);
        if lost {
            let name = &entry.name;
            self.log(
                Level::Warn,
                format!("the output of '{name}' ({pid}) cannot be had any more: it is not logged"),
            );
        }
    }

    /// Makes a survivor known to the keeper.
    fn introduce(
        &mut self,
        run: RunId,
        pid: u32,
        since: Mono,
        pidfd: &OwnedFd,
        [stdin, stdout, stderr]: [&Option<OwnedFd>; 3],
    ) {
        use std::os::fd::AsFd;
        let frame = ToKeeper::Adopt {
            run: run.0,
            pid,
            start_ns: since.0,
            exited: None,
            has_pidfd: true,
            has_stdin: stdin.is_some(),
            has_stdout: stdout.is_some(),
            has_stderr: stderr.is_some(),
        };
        let pipes = [stdin, stdout, stderr].into_iter().flatten().map(AsFd::as_fd);
        let fds: Vec<_> = std::iter::once(pidfd.as_fd()).chain(pipes).collect();
        self.send_with(&frame, &fds);
    }
}
