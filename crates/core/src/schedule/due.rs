//! Runs by schedule: when they begin, and when they do not.

use crate::depends::Along;
use crate::effect::{Effect, Event};
use crate::input::PlannedRun;
use crate::notice::Notice;
use crate::process::{AfterStop, ProcId, RunEnd, State, StateName};
use crate::schedule::{LastRun, Missed, Overlap, Timer, Turn};
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now};

impl Supervisor {
    /// The epoch second at which to call with [`Input::Tick`](crate::Input::Tick) because a program is to run; `None` if none is.
    #[must_use]
    pub fn next_alarm(&self) -> Option<i64> {
        self.schedules.first().map(|(at, _)| at).filter(|_| self.phase.is_running())
    }

    /// Starts what is due.
    pub(crate) fn run_schedules(&mut self, now: Now) {
        if self.catching_up {
            return;
        }
        if !self.phase.is_running() {
            self.schedules.ended.clear();
            return;
        }
        while let Some((_, id)) = self.schedules.first().filter(|(at, _)| *at <= now.wall) {
            self.due(now, id);
            self.follow_timer(id);
            self.order(Effect::Pause);
        }
        while let Some(id) = self.schedules.ended.pop() {
            self.run_queued(now, id);
        }
    }

    /// A process has become part of things, or has other options: its schedule is as they say.
    pub(crate) fn keep_schedule(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(schedule) = process.spec.schedule.clone() else {
            if process.timer.take().is_some() {
                self.schedules.set(id, None);
            }
            return;
        };
        let on = process.spec.autostart;
        let timer = process.timer.get_or_insert_with(|| Box::new(Timer::new(on)));
        let queued = timer.queued;
        if timer.since.is_none() || timer.is_outlived(&schedule, now.wall) {
            timer.plan(&schedule, now.wall);
            self.publish(Event::WishChanged(id));
        }
        if queued {
            self.schedules.has_ended(id);
        }
        self.follow_timer(id);
    }

    /// An earlier daemon, which has ended, had planned a run for this time: if it is past by now that run was missed.
    // As with `measured`.
    #[cold]
    pub(crate) fn was_planned(&mut self, planned: &PlannedRun) {
        let Some(id) = self.member(&planned.group, &planned.process) else { return };
        let Some(process) = self.processes.get_mut(&id) else { return };
        let schedule = process.spec.schedule.as_ref();
        let remembers = schedule.is_some_and(|schedule| schedule.missed == Missed::RunOnce);
        if remembers && process.spec.autostart && process.timer.is_none() {
            let planned = Timer { next: Some(planned.next), since: Some(planned.since), ..Timer::new(true) };
            process.timer = Some(Box::new(planned));
            self.publish(Event::WishChanged(id));
        }
    }

    /// A process gets new options, and its group might as well have been added anew.
    pub(crate) fn renew_schedule(&mut self, now: Now, id: ProcId) {
        if let Some(process) = self.processes.get_mut(&id)
            && let Some(timer) = &mut process.timer
        {
            (timer.on, timer.since) = (process.spec.autostart, None);
        }
        self.keep_schedule(now, id);
    }

    /// Somebody has set the clock.
    pub(crate) fn clock_set(&mut self, now: Now) {
        let timed = self.processes.iter().filter(|(_, process)| process.timer.is_some());
        let timed: Vec<ProcId> = timed.map(|(id, _)| id).collect();
        timed.into_iter().for_each(|id| self.keep_schedule(now, id));
    }

    /// Somebody starts it by hand: from now on its schedule counts. False if it did before, or if there is none.
    pub(crate) fn switch_on(&mut self, now: Now, id: ProcId) -> bool {
        let timer = self.processes.get_mut(&id).and_then(|process| process.timer.as_mut());
        let Some(timer) = timer.filter(|timer| !timer.on) else { return false };
        (timer.on, timer.since) = (true, None);
        self.keep_schedule(now, id);
        true
    }

    /// Somebody stops it by hand: its schedule does not count until it is started. False if it did not before.
    pub(crate) fn switch_off(&mut self, id: ProcId) -> bool {
        let Some(process) = self.processes.get_mut(&id) else { return false };
        let Some(timer) = process.timer.as_mut().filter(|timer| timer.on) else { return false };
        (timer.on, timer.next, timer.queued) = (false, None, false);
        if let AfterStop::Replace { start, .. } = &mut process.after_stop {
            *start = false;
        }
        let name = process.name().to_owned();
        self.log(Notice::ScheduleOff { name });
        self.publish(Event::WishChanged(id));
        self.follow_timer(id);
        true
    }

    /// Brings the alarms up to date with a process.
    pub(crate) fn follow_timer(&mut self, id: ProcId) {
        let at = self.processes.get(&id).and_then(crate::process::Process::next_run);
        self.schedules.set(id, at);
    }

    /// The child of a process with a schedule has ended, at `at`.
    pub(crate) fn note_run(&mut self, id: ProcId, end: RunEnd, at: Mono) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(child) = process.state.child() else { return };
        let (name, started) = (process.name().to_owned(), process.started);
        let next = process.next_run().zip(process.spec.schedule.as_ref());
        let next = next.map(|(next, schedule)| schedule.table.show(next));
        let Some(timer) = &mut process.timer else { return };
        let took = at.since(child.since);
        timer.last = Some(LastRun { started, took, end });
        self.log(Notice::Ran { name, end, took, next });
    }

    /// The planned time of a process has come.
    fn due(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (name, key) = (process.name().to_owned(), process.chance_key());
        let (Some(schedule), Some(timer)) = (process.spec.schedule.clone(), &mut process.timer) else {
            return;
        };
        match timer.turn(&schedule, now.wall, key) {
            Some(Turn::Run) => self.run_by_schedule(now, id),
            Some(Turn::Missed(planned)) => {
                self.log(Notice::RunMissed { name, at: schedule.table.show(planned) });
                self.publish(Event::WishChanged(id));
            }
            None => {}
        }
    }

    fn run_by_schedule(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (state, name) = (process.state.name(), process.name().to_owned());
        if state.is_startable() {
            return self.launch(now, id);
        }
        if process.state == State::Waiting {
            // What has not begun is the run of this time, too.
            return self.publish(Event::WishChanged(id));
        }
        let overlap = process.spec.schedule.as_ref().map_or(Overlap::Skip, |schedule| schedule.overlap);
        let kills = overlap == Overlap::Kill && state.is_running();
        if kills && process.after_stop == AfterStop::Stay {
            process.after_stop = AfterStop::Replace { spec: process.spec.clone(), start: true };
        } else if let Some(timer) = &mut process.timer {
            timer.queued |= overlap != Overlap::Skip && !kills;
        }
        self.log(Notice::RunMeets { name, state, overlap });
        self.publish(Event::WishChanged(id));
        if kills {
            self.stop_in_order(now, &[id], Along::Dependants);
        }
    }

    /// One more run follows the one that has ended.
    fn run_queued(&mut self, now: Now, id: ProcId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(timer) = &mut process.timer else { return };
        if timer.queued && process.state.name().is_startable() {
            timer.queued = false;
            self.launch(now, id);
        }
    }
}

/// What becomes of a run that meets another, for the log.
pub(crate) fn meeting(state: StateName, overlap: Overlap) -> &'static str {
    match (overlap, state.is_running()) {
        (Overlap::Skip, _) => "this run is left out",
        (Overlap::Queue, _) | (Overlap::Kill, false) => "this run follows",
        (Overlap::Kill, true) => "it is stopped and started again",
    }
}
