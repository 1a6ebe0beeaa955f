//! The life of an errand: ordered, begun, over, or ended before.

use std::time::Duration;

use super::{Errand, ErrandKind, Fate, Killing, Verdict};
use crate::effect::{Effect, Event};
use crate::input::SignalId;
use crate::notice::Notice;
use crate::process::{ProcId, Process, RunEnd, RunId};
use crate::signal::{self, Signal};
use crate::spec::ProcessSpec;
use crate::supervisor::Supervisor;
use crate::time::{Mono, Now, Span, seconds};
use crate::wait::Why;

/// Time until one that was killed and is still there is killed again.
const KILL_AGAIN: Duration = Duration::from_secs(10);

impl Supervisor {
    /// The errand that a run is.
    #[must_use]
    pub fn errand_of(&self, run: RunId) -> Option<ErrandKind> {
        let process = self.processes.get(self.errand_runs.get(&run)?)?;
        process.errands().iter().find(|errand| errand.run == run).map(|errand| errand.kind)
    }

    /// Runs the command of this kind beside a process. False if it has none.
    pub(crate) fn begin_errand(&mut self, id: ProcId, kind: ErrandKind) -> bool {
        let has_one = |process: &Process| process.spec.errand_command(kind).is_some();
        if !self.processes.get(&id).is_some_and(has_one) {
            return false;
        }
        let run = self.new_errand(id);
        if let Some(process) = self.processes.get_mut(&id) {
            let errand =
                Errand { kind, run, pid: 0, until: None, fate: Fate::Runs, killing: Killing::Untried };
            process.errands.get_or_insert_default().list.push(errand);
            process.last_run = Some(run);
            self.unstopped.follow(id, process);
        }
        self.publish(Event::WishChanged(id));
        self.order(Effect::Errand { id, run, kind });
        true
    }

    /// The child of an errand exists: its time begins. False if the run is none.
    pub(crate) fn errand_spawned(&mut self, now: Now, run: RunId, pid: u32, at: Mono) -> bool {
        let Some(kind) = self.errand_of(run) else { return false };
        let Some(&id) = self.errand_runs.get(&run) else { return false };
        let Some(process) = self.processes.get_mut(&id) else { return false };
        let (limit, name) = (process.errand_limit(kind), process.spec.name.clone());
        let ending = process.state.child().and(process.kill_at());
        let Some(errand) = process.errand_mut(run) else { return false };
        if errand.until.is_some() {
            return true;
        }
        let usual = at.after(limit);
        errand.pid = pid;
        errand.until = Some(match (errand.fate, errand.kind) {
            (Fate::Runs, ErrandKind::StopCommand) => ending.unwrap_or(usual),
            (Fate::Runs, _) => usual,
            (Fate::CalledOff | Fate::Overdue, _) => now.mono,
        });
        if kind == ErrandKind::Check {
            self.check_command_begun(id, run, at);
        } else {
            self.log(Notice::ErrandBegan { name, kind, pid });
        }
        self.publish(Event::WishChanged(id));
        self.reschedule(id);
        true
    }

    /// The child of an errand has ended, or (with a text) could not be made. False if the run is none.
    pub(crate) fn errand_over(&mut self, now: Now, run: RunId, end: Result<RunEnd, String>) -> bool {
        let Some(&id) = self.errand_runs.get(&run) else { return false };
        let Some(process) = self.processes.get_mut(&id) else { return false };
        let stop_wait = process.stop_wait();
        let Some(errands) = &mut process.errands else { return false };
        let Some(at) = errands.list.iter().position(|errand| errand.run == run) else { return false };
        let Errand { kind, fate, .. } = errands.list.remove(at);
        let limit = if kind == ErrandKind::StopCommand { stop_wait } else { process.errand_limit(kind) };
        let verdict = match (fate, end) {
            (_, Ok(RunEnd::Code(0))) => Verdict::Done,
            // What it has found nobody knows.
            (Fate::Runs, Ok(RunEnd::Unknown(_))) if kind == ErrandKind::Check => Verdict::CalledOff,
            (Fate::Overdue, _) => Verdict::Overdue(format!("it took longer than {}", Span(limit))),
            (Fate::CalledOff, _) => Verdict::CalledOff,
            (Fate::Runs, Ok(end)) => Verdict::Failed(end.to_string()),
            (Fate::Runs, Err(text)) => Verdict::Failed(text),
        };
        let name = process.spec.name.clone();
        process.tidy_errands();
        self.unstopped.follow(id, process);
        self.errand_runs.remove(&run);
        self.reschedule(id);
        if kind == ErrandKind::Check {
            self.check_command_over(now, id, run, &verdict);
            // Nothing waits for a check.
            return true;
        }
        self.log(match &verdict {
            Verdict::Done => Notice::ErrandDone { name, kind },
            Verdict::Failed(why) | Verdict::Overdue(why) => {
                Notice::ErrandFailed { name, kind, why: why.clone() }
            }
            Verdict::CalledOff => Notice::ErrandCalledOff { name, kind },
        });
        // Before it is written down that it is over: the next daemon could not tell how.
        self.settle_errand(id, run, &verdict);
        self.publish(Event::WishChanged(id));
        self.follow_errand(now, id, kind, verdict);
        true
    }

    /// What nobody needs any more is asked to end: all but what belongs to a stop.
    pub(crate) fn call_off_errands(&mut self, now: Now, id: ProcId) {
        self.call_off_check(now, id);
        self.end_errands(id, signal::TERM, |process, errand| {
            let asks = errand.kind == ErrandKind::Check;
            if errand.fate != Fate::Runs || asks || errand.kind.belongs_to_a_stop() {
                return false;
            }
            errand.fate = Fate::CalledOff;
            let patience = now.mono.after(seconds(process.stopwaitsecs));
            errand.until = errand.until.map(|until| until.min(patience));
            true
        });
    }

    /// What a check finds nobody wants to know any more: nothing waits for it to end by itself.
    pub(crate) fn call_off_check(&mut self, now: Now, id: ProcId) {
        self.end_errands(id, signal::KILL, |_, errand| {
            let was = errand.fate;
            if errand.kind == ErrandKind::Check {
                errand.fate = Fate::CalledOff;
            }
            if errand.kind != ErrandKind::Check || was != Fate::Runs {
                return false;
            }
            errand.until = errand.until.map(|_| now.mono.after(KILL_AGAIN));
            true
        });
        self.begin_checks(now);
    }

    /// Kills those whose time is over.
    pub(crate) fn kill_overdue_errands(&mut self, now: Now, id: ProcId) {
        let is_stuck = |errand: &&Errand| {
            errand.kind == ErrandKind::Check
                && errand.killing == Killing::Tried
                && errand.is_overdue(now.mono)
        };
        let errands = self.processes.get(&id).map_or(&[][..], Process::errands);
        let stuck = errands.iter().find(is_stuck).map(|errand| errand.run);
        self.end_errands(id, signal::KILL, |_, errand| {
            if !errand.is_overdue(now.mono) {
                return false;
            }
            if errand.fate == Fate::Runs {
                errand.fate = Fate::Overdue;
            }
            errand.until = Some(now.mono.after(KILL_AGAIN));
            true
        });
        self.begin_checks(now);
        if let Some(run) = stuck {
            self.check_is_stuck(now, id, run, "it was killed, and is still there");
        }
    }

    /// The time of a stop command is over, whether there is a child or not.
    pub(crate) fn end_stop_command(&mut self, now: Now, id: ProcId) {
        self.end_errands(id, signal::KILL, |_, errand| {
            if errand.kind != ErrandKind::StopCommand || errand.fate != Fate::Runs {
                return false;
            }
            errand.fate = Fate::Overdue;
            errand.until = errand.until.map(|_| now.mono.after(KILL_AGAIN));
            true
        });
    }

    /// An errand could not be signalled. One that is not ours to end is not waited for for ever.
    pub(crate) fn errand_not_signalled(&mut self, now: Now, id: ProcId, run: RunId, error: &str) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let name = process.spec.name.clone();
        let Some(&mut Errand { kind, pid, .. }) = process.errand_mut(run) else { return };
        if kind == ErrandKind::Check {
            return self.check_is_stuck(now, id, run, error);
        }
        self.log(Notice::ErrandProblem { name, kind, pid, error: error.to_owned() });
        self.errand_over(now, run, Err(error.to_owned()));
    }

    /// Nobody waits for these any more: their process is no longer active.
    pub(crate) fn abandon_errands(&mut self, now: Now, process: &Process) {
        for errand in process.errands() {
            self.errand_runs.remove(&errand.run);
            if errand.until.is_none() {
                self.unborn.insert(errand.run);
            } else {
                self.signal_errand(ProcId(0), errand.run, signal::KILL);
                if errand.kind == ErrandKind::Check {
                    self.checks.leave(errand.run, process);
                }
            }
            self.checks.is_over(errand.run);
        }
        self.begin_checks(now);
    }

    /// The child of an errand exists that nobody waits for any more.
    pub(crate) fn end_unborn(&mut self, run: RunId) -> bool {
        let was_unborn = self.unborn.remove(&run);
        if was_unborn {
            self.signal_errand(ProcId(0), run, signal::KILL);
        }
        was_unborn
    }

    /// Signals the process groups of the errands that `choose` picks, and may change.
    fn end_errands(
        &mut self,
        id: ProcId,
        signal: Signal,
        choose: impl Fn(&ProcessSpec, &mut Errand) -> bool,
    ) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Some(errands) = &mut process.errands else { return };
        let choose = |errand: &mut Errand| {
            let chosen = choose(&process.spec, errand);
            if chosen && errand.until.is_some() && errand.killing == Killing::Untried {
                errand.killing = Killing::Tried;
            }
            chosen.then_some(*errand)
        };
        let chosen = errands.list.iter_mut().filter_map(choose);
        let chosen: Vec<Errand> = chosen.collect();
        if chosen.is_empty() {
            return;
        }
        let name = process.spec.name.clone();
        for errand in chosen {
            let (kind, pid) = (errand.kind, errand.pid);
            if kind == ErrandKind::Check {
                self.checks.is_over(errand.run);
            }
            if errand.until.is_some() {
                if kind != ErrandKind::Check {
                    self.log(Notice::ErrandEnds { name: name.clone(), kind, pid, signal });
                }
                self.signal_errand(id, errand.run, signal);
            }
        }
        self.publish(Event::WishChanged(id));
        self.reschedule(id);
    }

    fn signal_errand(&mut self, id: ProcId, run: RunId, signal: Signal) -> SignalId {
        let token = self.new_signal(id, run, Why::Errand);
        self.order(Effect::Signal { id: token, run, signal, group: true });
        token
    }
}
