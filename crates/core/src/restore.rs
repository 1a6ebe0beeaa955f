//! What outlives a daemon: enough of each process that the next daemon goes on where this one stopped.

use std::sync::Arc;

use crate::bounds::{Breach, Watched};
use crate::errand::Errands;
use crate::health::Health;
use crate::policy::Restarts;
use crate::process::{AfterStop, ProcId, Process, RunEnd, RunId, State};
use crate::schedule::Timer;
use crate::signal::Signal;
use crate::spec::{Autorestart, LogTarget, OutputSpec, ProcessSpec};
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now};

/// One process as it is written down at each change of its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where it stood.
    pub state: State,
    /// Failed starts in a row.
    pub failures: i64,
    /// What the restart policy looks back at.
    pub restarts: Option<Box<Restarts>>,
    /// Where it stood with its schedule.
    pub timer: Option<Box<Timer>>,
    /// Which step of `stop_sequence` is under way.
    pub stop_step: usize,
    /// What runs beside it.
    pub errands: Option<Box<Errands>>,
    /// Epoch seconds of the last start attempt; 0 never.
    pub started: i64,
    /// Epoch seconds of the last exit; 0 never.
    pub stopped: i64,
    /// Why the last start or run failed.
    pub spawnerr: Option<String>,
    /// Exit code of the last run.
    pub exitstatus: Option<i32>,
    /// The number of its latest run: none is given twice.
    pub last_run: Option<RunId>,
    /// It is being stopped only to start again: an update asked for that.
    pub starts_again: bool,
    /// It starts again as its policy says, as it went beyond its bounds or is unhealthy.
    pub again: bool,
    /// What its run was ended for.
    pub breach: Option<Breach>,
    /// It is to be stopped once others have ended that depend on it.
    pub stops_next: bool,
    /// What is known of its health.
    pub health: Option<Box<Health>>,
    /// How its child is stopped if it is no longer configured.
    pub stop: StopOptions,
}

/// The options that stopping a child takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopOptions {
    /// `stopsignal`.
    pub stopsignal: Signal,
    /// `stopwaitsecs`.
    pub stopwaitsecs: i64,
    /// `stopasgroup`.
    pub stopasgroup: bool,
    /// `killasgroup`.
    pub killasgroup: bool,
}

impl Supervisor {
    /// What to write down of a process.
    #[must_use]
    pub fn saved(&self, id: ProcId) -> Option<Saved> {
        let process = self.processes.get(&id)?;
        Some(Saved {
            state: process.state,
            failures: process.failures,
            restarts: process.restarts.clone(),
            timer: process.timer.clone(),
            stop_step: process.stop_step,
            errands: process.errands.clone(),
            started: process.started,
            stopped: process.stopped,
            spawnerr: process.spawnerr.clone(),
            exitstatus: process.exitstatus,
            last_run: process.last_run,
            starts_again: matches!(
                process.after_stop,
                AfterStop::Replace { start: true, .. } | AfterStop::Again
            ),
            again: process.after_stop == AfterStop::Again,
            breach: process.breach(),
            health: process.health.clone(),
            stops_next: self.depends.is_put_off(id),
            stop: StopOptions::of(&process.spec),
        })
    }

    /// Puts a process back where it stood, without publishing: nothing happened to it.
    ///
    /// A child of which the state does not know yet, and an exit, are told afterwards as usual.
    pub(crate) fn restore(
        &mut self,
        now: Now,
        group: &str,
        process: &str,
        saved: &Saved,
        child_exists: bool,
        errands: &[RunId],
    ) {
        saved.last_run.into_iter().chain(saved.state.run()).for_each(|run| self.skip_runs(run));
        let known = self.member(group, process);
        // Its hooks are waited for, too.
        let has_errands = saved.state.run().is_some() && saved.errands.is_some();
        let leaving = || (child_exists || has_errands).then_some(saved.stop);
        let Some(id) = known.or_else(|| self.bring_back(group, process, leaving()?)) else { return };
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.restore(saved);
        process.resume_health(saved.health.as_deref(), now);
        self.unstopped.follow(id, process);
        self.catching_up = true;
        if saved.stops_next {
            self.depends.was_put_off(id);
        }
        if let Some(run) = saved.state.run() {
            self.runs.insert(run, id);
            if !child_exists {
                self.lost.push(run);
            }
        }
        for errand in saved.errands.iter().flat_map(|saved| &saved.list) {
            self.skip_runs(errand.run);
            self.errand_runs.insert(errand.run, id);
            if !errands.contains(&errand.run) {
                self.lost.push(errand.run);
            }
        }
        self.reschedule(id);
    }

    /// A process that is no longer configured but has a child stays in its group until that has ended.
    fn bring_back(&mut self, group: &str, name: &str, stop: StopOptions) -> Option<ProcId> {
        let at = self.group_at(group)?;
        let mut process = Process::new(group.into(), Arc::new(stop.stand_in(name)));
        process.after_stop = AfterStop::Remove;
        let id = self.insert_process(process);
        self.groups[at].members.push(id);
        Some(id)
    }

    /// Stops what was brought back only to be stopped, unless that was already under way.
    pub(crate) fn stop_leaving(&mut self, now: Now) {
        let leaving = self.processes.iter().filter(|(_, process)| process.after_stop == AfterStop::Remove);
        for id in leaving.map(|(id, _)| id).collect::<Vec<_>>() {
            self.stop(now, id);
        }
    }

    /// Runs without a child: their start never reached the keeper, or their end was told to nobody.
    pub(crate) fn settle_lost_runs(&mut self, now: Now) {
        for run in std::mem::take(&mut self.lost) {
            if let Some(&id) = self.errand_runs.get(&run) {
                self.repeat_errand(now, id, run);
            }
            let Some((id, process)) = self.running_process(run) else { continue };
            match process.state {
                State::Starting { child: None, .. } => self.start_lost_run(now, id, run),
                // Its errands are told of, or ordered again: then it goes on.
                State::Stopping { child: None, .. } if process.awaits_errand() => {}
                State::Stopping { child: None, .. } => self.spawn_failed(now, run, String::new()),
                State::Starting { child: Some(_), .. }
                | State::Stopping { child: Some(_), .. }
                | State::Running { .. }
                | State::Unknown { .. }
                | State::Stopped
                | State::Backoff { .. }
                | State::Waiting
                | State::Exited { .. }
                | State::Fatal => self.exited(now, run, RunEnd::Unknown(0), now.mono),
            }
        }
    }

    /// Orders a start again that the last daemon ordered in vain; once everything ends, it is called off.
    fn start_lost_run(&mut self, now: Now, id: ProcId, run: RunId) {
        if self.phase.is_running() {
            self.go_on_starting(id, run);
        } else {
            self.stop(now, id);
            if self.processes.get(&id).is_some_and(|process| !process.awaits_errand()) {
                self.spawn_failed(now, run, String::new());
            }
        }
    }
}

impl StopOptions {
    fn of(spec: &ProcessSpec) -> Self {
        Self {
            stopsignal: spec.stopsignal,
            stopwaitsecs: spec.stopwaitsecs,
            stopasgroup: spec.stopasgroup,
            killasgroup: spec.killasgroup,
        }
    }

    /// Options for a process whose own are gone: enough to stop it; it is never started.
    fn stand_in(self, name: &str) -> ProcessSpec {
        let nowhere = OutputSpec { target: LogTarget::None, ..OutputSpec::default() };
        ProcessSpec {
            autostart: false,
            autorestart: Autorestart::Never,
            stopsignal: self.stopsignal,
            stopwaitsecs: self.stopwaitsecs,
            stopasgroup: self.stopasgroup,
            killasgroup: self.killasgroup,
            stdout: nowhere.clone(),
            stderr: nowhere,
            ..ProcessSpec::new(name, "")
        }
    }
}

impl Process {
    /// Takes over what an earlier daemon wrote down. Options are those of the configuration, which may be newer.
    fn restore(&mut self, saved: &Saved) {
        self.failures = saved.failures;
        self.restarts = saved.restarts.clone();
        self.timer = saved.timer.clone();
        self.stop_step = saved.stop_step;
        self.errands.clone_from(&saved.errands);
        self.call_off_restored_checks();
        self.started = saved.started;
        self.stopped = saved.stopped;
        self.spawnerr = saved.spawnerr.clone();
        self.exitstatus = saved.exitstatus;
        self.last_run = saved.last_run;
        self.state = saved.state;
        self.restore_bounds(saved);
        if saved.starts_again && self.after_stop == AfterStop::Stay {
            self.after_stop = AfterStop::Replace { spec: self.spec.clone(), start: true };
        }
    }

    /// Its memory is measured as soon as this daemon has caught up.
    fn restore_bounds(&mut self, saved: &Saved) {
        if saved.breach.is_some() {
            let ending = saved.stops_next;
            self.watched = Some(Box::new(Watched { breach: saved.breach, ending, ..Watched::default() }));
        }
        if saved.state.child().is_some() {
            self.watch_from(Mono(0));
        }
        if saved.again && self.after_stop == AfterStop::Stay {
            self.after_stop = AfterStop::Again;
        }
    }
}
