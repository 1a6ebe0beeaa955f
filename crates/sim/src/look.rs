//! What a test may look at.

use upkeep_core::signal::Signal;
use upkeep_core::spec::GroupSpec;
use upkeep_core::{CallId, Mono, Process, Request, RunId, StateName, Supervisor};

use crate::ask::{Ask, split};
use crate::machine::{Deed, Did};
use crate::outcome::Call;
use crate::sim::Sim;

impl Sim {
    /// The supervisor.
    #[must_use]
    pub fn core(&self) -> &Supervisor {
        &self.core
    }

    /// One process (`web`, `group:web`); `None` if there is none of that name.
    #[must_use]
    pub fn process(&self, name: &str) -> Option<&Process> {
        let (group, process) = split(name);
        self.core.process(self.core.member(group, process)?)
    }

    /// The state of a process.
    ///
    /// # Panics
    /// There is no such process.
    #[must_use]
    pub fn state(&self, name: &str) -> StateName {
        match self.process(name) {
            Some(process) => process.state().name(),
            None => panic!("there is no process {name}\n{}", self.recent()),
        }
    }

    /// Whether a process is there and in this state.
    #[must_use]
    pub fn is(&self, name: &str, state: StateName) -> bool {
        self.process(name).is_some_and(|process| process.state().name() == state)
    }

    /// A request and its answers.
    ///
    /// # Panics
    /// It was never made.
    #[must_use]
    pub fn answers(&self, call: CallId) -> &Call {
        match self.calls.get(&call) {
            Some(call) => call,
            None => panic!("there is no {call:?}"),
        }
    }

    /// Every request made so far.
    pub fn calls(&self) -> impl Iterator<Item = (CallId, &Call)> {
        self.calls.iter().map(|(&id, call)| (id, call))
    }

    /// What a request by name is to the supervisor.
    #[must_use]
    pub fn resolve(&self, ask: Ask) -> Request {
        ask.request(&self.core)
    }

    /// The daemon's log, as `Info spawned: 'web' with pid 101`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.iter().map(|(_, notice)| format!("{:?} {notice}", notice.level())).collect()
    }

    /// What listeners were told, as `web RUNNING from STARTING pid:101`.
    #[must_use]
    pub fn events(&self) -> Vec<&str> {
        self.events.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// What listeners were told, and when.
    #[must_use]
    pub fn timed_events(&self) -> &[(Mono, String)] {
        &self.events
    }

    /// Everything done to and by children.
    #[must_use]
    pub fn deeds(&self) -> &[Deed] {
        &self.machine.deeds
    }

    /// The signals that a process's children got.
    #[must_use]
    pub fn signals(&self, process: &str) -> Vec<Signal> {
        let of = |deed: &&Deed| deed.process == process;
        let signal = |deed: &Deed| match deed.did {
            Did::Signal { signal, .. } => Some(signal),
            Did::Fork | Did::FailToFork | Did::End(_) => None,
        };
        self.machine.deeds.iter().filter(of).filter_map(signal).collect()
    }

    /// How many children of a process were forked so far.
    #[must_use]
    pub fn forks(&self, process: &str) -> usize {
        self.machine.deeds.iter().filter(|deed| deed.process == process && deed.did == Did::Fork).count()
    }

    /// Every order to make a child so far: when, of which process, which run.
    #[must_use]
    pub fn launches(&self) -> &[(Mono, String, RunId)] {
        &self.launches
    }

    /// Runs of the living children of a process that the supervisor should know.
    #[must_use]
    pub fn living(&self, process: &str) -> Vec<RunId> {
        self.machine.living(process)
    }

    /// Living children that the supervisor should know: run, process, pid.
    #[must_use]
    pub fn all_living(&self) -> Vec<(RunId, &str, u32)> {
        let known =
            self.machine.children.iter().filter(|(_, child)| child.ended.is_none() && !child.abandoned);
        known.map(|(&run, child)| (run, child.process.as_str(), child.pid)).collect()
    }

    /// Whether a child for this run is ordered but not made yet.
    #[must_use]
    pub fn is_launching(&self, run: RunId) -> bool {
        self.machine.is_launching(run)
    }

    /// How often the daemon died.
    #[must_use]
    pub fn deaths(&self) -> u64 {
        self.deaths
    }

    /// Whether a new daemon has not caught up yet with deadlines that passed while there was none.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.catching_up
    }

    /// Processes whose child a new daemon found and did not know, and whether they were configured: never, if all is
    /// well.
    #[must_use]
    pub fn dismissed(&self) -> &[(String, bool)] {
        &self.dismissed
    }

    /// Processes that were told to take on new log options, in order.
    #[must_use]
    pub fn reconfigured(&self) -> &[String] {
        &self.reconfigured
    }

    /// Each end of the supervisor so far: whether it came up again.
    #[must_use]
    pub fn terminations(&self) -> &[bool] {
        &self.terminations
    }

    /// Whether the daemon's exit status says that a process was given up.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Processes that had a living child when the daemon ended, though they were not UNKNOWN. There should be none.
    #[must_use]
    pub fn left_alive(&self) -> &[String] {
        &self.left_alive
    }

    /// Whether the daemon has ended for good.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The options of the active groups.
    #[must_use]
    pub fn active(&self) -> &[GroupSpec] {
        &self.active
    }

    /// The last steps, for a failure's message.
    #[must_use]
    pub fn recent(&self) -> String {
        self.trace.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
