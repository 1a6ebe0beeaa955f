//! The shell's loop in virtual time: what happens next, and telling the supervisor.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use upkeep_core::spec::{GroupSpec, ProcessSpec};
use upkeep_core::{
    Aim, CallId, Input, Mono, Notice, Now, ProcId, Rolling, RunEnd, RunId, Saved, Supervisor, Waiting,
};

use crate::ask::Ask;
use crate::crash::{Armed, Ending};
use crate::machine::Machine;
use crate::outcome::Call;
use crate::plan::Plan;

/// The clock's first reading. Not 0: a clock that begins there hides the difference between "never" and "then".
const START: Mono = Mono(1_000_000_000_000);
/// Wall seconds at [`START`].
const EPOCH: i64 = 1_700_000_000;
/// Steps kept for a failure's message.
const TRACE: usize = 40;
/// Steps at one instant that are taken for an endless loop.
const SPIN: u32 = 5_000;
/// Virtual time that [`Sim::run_until`] gives its condition.
const PATIENCE: Duration = Duration::from_secs(100_000);

/// A supervisor with its world around it.
#[derive(Debug)]
pub struct Sim {
    pub(crate) core: Supervisor,
    pub(crate) now: Mono,
    pub(crate) machine: Machine,
    /// What the keeper holds of each process for the next daemon.
    pub(crate) records: BTreeMap<String, Saved>,
    /// The same of each rolling restart.
    pub(crate) rollings: BTreeMap<u64, Rolling>,
    /// The older options that processes run with whose turn in one has not come.
    pub(crate) behind: BTreeMap<String, Arc<ProcessSpec>>,
    pub(crate) ending: Ending,
    /// The options of the active groups, as the shell would load them again.
    pub(crate) active: Vec<GroupSpec>,
    /// What a restart comes up with, if not with the active groups.
    pub(crate) next: Option<Vec<GroupSpec>>,
    pub(crate) names: BTreeMap<ProcId, String>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    /// What clients wait for that the next daemon can go on with.
    pub(crate) clients: BTreeMap<CallId, Waiting>,
    pub(crate) removing: BTreeMap<CallId, String>,
    pub(crate) log: Vec<(Mono, Notice)>,
    pub(crate) events: Vec<(Mono, String)>,
    pub(crate) launches: Vec<(Mono, String, RunId)>,
    pub(crate) reconfigured: Vec<String>,
    pub(crate) terminations: Vec<bool>,
    /// What processes use, or why that cannot be told; 0 for those that are not here.
    pub(crate) memory: BTreeMap<String, Result<u64, String>>,
    /// How often the memory of any was measured.
    pub(crate) measured: u64,
    /// The daemon was told that it ends because a process was given up.
    pub(crate) failed: bool,
    /// Processes with a living child at an end, other than those in UNKNOWN.
    pub(crate) left_alive: Vec<String>,
    pub(crate) dismissed: Vec<(String, bool)>,
    pub(crate) ended: bool,
    pub(crate) armed: Option<Armed>,
    /// How often the daemon died.
    pub(crate) deaths: u64,
    /// A new daemon has not caught up with deadlines that passed while there was none.
    pub(crate) catching_up: bool,
    /// What children said while there was no daemon, or while it died: it waits in their sockets. So do changes of files.
    pub(crate) unheard: Vec<Input>,
    /// What is being told.
    pub(crate) hearing: Option<Input>,
    pub(crate) trace: VecDeque<String>,
    /// By how many seconds somebody has set the wall clock.
    clock_moved: i64,
    next_call: u64,
    spins: u32,
}

impl Sim {
    /// A supervisor with these groups set up. Nothing starts before [`Sim::begin`].
    #[must_use]
    pub fn new(groups: Vec<GroupSpec>) -> Self {
        let mut sim = Self {
            core: Supervisor::new(),
            now: START,
            machine: Machine::default(),
            records: BTreeMap::new(),
            rollings: BTreeMap::new(),
            behind: BTreeMap::new(),
            ending: Ending::No,
            active: Vec::new(),
            next: None,
            names: BTreeMap::new(),
            calls: BTreeMap::new(),
            clients: BTreeMap::new(),
            removing: BTreeMap::new(),
            log: Vec::new(),
            events: Vec::new(),
            launches: Vec::new(),
            reconfigured: Vec::new(),
            terminations: Vec::new(),
            memory: BTreeMap::new(),
            measured: 0,
            failed: false,
            left_alive: Vec::new(),
            dismissed: Vec::new(),
            ended: false,
            armed: None,
            deaths: 0,
            catching_up: false,
            unheard: Vec::new(),
            hearing: None,
            trace: VecDeque::new(),
            clock_moved: 0,
            next_call: 0,
            spins: 0,
        };
        sim.set_up(groups);
        sim
    }

    /// What the next children of a process (`web`, `group:web`) do, one plan each; the last is for all later ones.
    pub fn plan(&mut self, process: &str, plans: impl Into<Vec<Plan>>) -> &mut Self {
        self.machine.plan(process, plans.into());
        self
    }

    /// From now on a process and those below it use so many bytes, or nobody can tell.
    pub fn uses(&mut self, process: &str, memory: Result<u64, &str>) -> &mut Self {
        self.memory.insert(process.to_owned(), memory.map_err(str::to_owned));
        self
    }

    /// How often the memory of any process was measured.
    #[must_use]
    pub fn measured(&self) -> u64 {
        self.measured
    }

    /// Signals are confirmed so long after they were ordered. Default: in the same instant.
    pub fn answer_signals_after(&mut self, delay: Duration) -> &mut Self {
        self.machine.answer_takes = delay;
        self
    }

    /// The daemon is up: starts what starts by itself, and lets happen what happens at once.
    pub fn begin(&mut self) -> &mut Self {
        self.tell(Input::Begin { recovered: false });
        self.settle();
        self
    }

    /// Asks, and lets happen what happens at once.
    pub fn request(&mut self, ask: Ask) -> CallId {
        let call = self.request_only(ask);
        self.settle();
        call
    }

    /// Asks; what comes of it happens with the next step.
    pub fn request_only(&mut self, ask: Ask) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.calls.insert(call, Call::default());
        self.removing.extend(ask.removes().map(|name| (call, name.to_owned())));
        self.activate(&ask);
        let request = ask.request(&self.core);
        self.tell(Input::Request { call, request });
        call
    }

    /// Files have changed that a section's processes watch.
    pub fn files_changed(&mut self, section: &str) -> &mut Self {
        self.files_changed_only(section);
        self.settle();
        self
    }

    /// The same; what comes of it happens with the next step.
    pub fn files_changed_only(&mut self, section: &str) {
        if !self.ended {
            self.tell(Input::FilesChanged { section: section.to_owned() });
        }
    }

    /// Asks the daemon to end.
    pub fn shutdown(&mut self) -> &mut Self {
        self.tell(Input::Shutdown);
        self.settle();
        self
    }

    /// Asks the daemon to end and come up again with the active groups.
    pub fn restart(&mut self) -> &mut Self {
        self.tell(Input::Restart);
        self.settle();
        self
    }

    /// Asks the daemon to end and come up again with these groups.
    pub fn restart_with(&mut self, groups: Vec<GroupSpec>) -> &mut Self {
        self.next = Some(groups);
        self.restart()
    }

    /// Ends the living child of a process by itself. False if there is none.
    pub fn end_child(&mut self, process: &str, end: RunEnd) -> bool {
        let Some(&run) = self.machine.living(process).first() else { return false };
        let ended = self.machine.kill(self.now, run, end);
        self.settle();
        ended
    }

    /// A process's living child is gone and the keeper knows nothing of it any more, as after a reboot.
    pub fn lose_child(&mut self, process: &str) -> &mut Self {
        for run in self.machine.living(process) {
            self.machine.release(run);
        }
        self
    }

    /// Somebody sets the wall clock by this many seconds.
    pub fn set_clock(&mut self, seconds: i64) -> &mut Self {
        self.clock_moved += seconds;
        self.tell(Input::ClockSet);
        self.settle();
        self
    }

    /// Lets time pass, and everything happen that is due in it.
    pub fn advance(&mut self, wait: Duration) -> &mut Self {
        let until = self.now.after(wait);
        while self.step(until) {}
        self
    }

    /// Lets happen what is due now.
    pub fn settle(&mut self) -> &mut Self {
        self.advance(Duration::ZERO)
    }

    /// Lets things happen until the condition holds.
    ///
    /// # Panics
    /// It never does.
    pub fn run_until(&mut self, condition: impl Fn(&Self) -> bool) -> &mut Self {
        let until = self.now.after(PATIENCE);
        while !condition(self) {
            assert!(self.step(until), "the condition never held\n{}", self.recent());
        }
        self
    }

    /// Lets the next thing happen that is due until then; false, with the clock at `until`, if there is none.
    ///
    /// # Panics
    /// The supervisor goes round in circles.
    pub fn step(&mut self, until: Mono) -> bool {
        let deadline = self.deadline();
        let (at, tick) = match (self.machine.next(), deadline) {
            (Some(fact), Some(deadline)) => (fact.min(deadline), deadline < fact),
            (Some(fact), None) => (fact, false),
            (None, Some(deadline)) => (deadline, true),
            (None, None) => (Mono(u64::MAX), false),
        };
        if at > until {
            self.move_clock(until);
            return false;
        }
        self.move_clock(at);
        self.spins += 1;
        assert!(self.spins < SPIN, "the supervisor goes round in circles\n{}", self.recent());
        if tick {
            self.catching_up = false;
            self.tell(Input::Tick);
        } else if let Some(fact) = self.machine.happen() {
            self.hear(fact);
        }
        true
    }

    /// The present as the shell would tell it.
    #[must_use]
    pub fn now(&self) -> Now {
        let seconds = self.now.since(START).as_secs();
        let wall = EPOCH.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
        Now { mono: self.now, wall: wall.saturating_add(self.clock_moved) }
    }

    /// Tells the supervisor something and carries out its orders.
    pub(crate) fn tell(&mut self, input: Input) {
        let what = format!("{:10.3} {input:?}", self.now.since(START).as_secs_f64());
        self.trace.push_back(what);
        while self.trace.len() > TRACE {
            self.trace.pop_front();
        }
        let calls = self.calls_of(&input);
        // The next daemon hears it again, or sees that the files are others than those that were acted upon.
        let heard_again = matches!(input, Input::Notified { .. } | Input::FilesChanged { .. });
        self.hearing = heard_again.then(|| input.clone());
        self.core.handle(self.now(), input);
        self.note_behind();
        // The keeper has the client before anything is done for it.
        self.hold_clients(calls);
        self.carry_out();
        self.hearing = None;
        self.check_deadline();
    }

    /// Calls whose clients the keeper may hold from this input on.
    fn calls_of(&self, input: &Input) -> Vec<CallId> {
        let open = self
            .calls
            .iter()
            .filter(|(id, call)| call.answers.is_empty() && !call.lost && !self.clients.contains_key(id));
        match input {
            Input::Request { call, .. } => vec![*call],
            Input::Signalled { .. } => open.map(|(id, _)| *id).collect(),
            _ => Vec::new(),
        }
    }

    /// The keeper holds what they wait for, if the next daemon can go on with it.
    fn hold_clients(&mut self, calls: Vec<CallId>) {
        let held = calls.into_iter().filter_map(|call| Some((call, self.core.waiting(call)?)));
        self.clients.extend(held);
    }

    /// A reload command is over: those that wait for several wait for fewer.
    pub(crate) fn renew_clients(&mut self) {
        let reloads = self.clients.iter().filter(|(_, waiting)| waiting.aim == Aim::Reloaded);
        self.hold_clients(reloads.map(|(call, _)| *call).collect());
    }

    /// The supervisor with these groups, as [`Sim::new`] and each restart make it.
    pub(crate) fn set_up(&mut self, groups: Vec<GroupSpec>) {
        for group in groups {
            if self.core.group(&group.name).is_none() {
                self.active.push(group.clone());
            }
            self.tell(Input::Setup(group));
        }
    }

    /// When the daemon wants to be woken; one that is down wants nothing.
    fn deadline(&self) -> Option<Mono> {
        if self.ended {
            return None;
        }
        let alarm = self.core.next_alarm().map(|second| self.instant_of(second));
        let deadline = self.core.next_deadline().into_iter().chain(alarm).min();
        deadline.map(|at| at.max(self.now))
    }

    /// When the wall clock will show this second.
    fn instant_of(&self, second: i64) -> Mono {
        let seconds = second.saturating_sub(EPOCH).saturating_sub(self.clock_moved);
        START.after(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// A fact from the keeper; nobody hears it once the daemon has ended.
    fn hear(&mut self, fact: Input) {
        if self.ended {
            return;
        }
        let ended = if let Input::Exited { run, .. } = fact { Some(run) } else { None };
        self.tell(fact);
        if let Some(run) = ended {
            self.release_if_heard(run);
        }
    }

    fn move_clock(&mut self, to: Mono) {
        if to > self.now {
            self.now = to;
            self.spins = 0;
        }
    }

    /// What the shell notes when an update leaves processes their options.
    fn note_behind(&mut self) {
        if !self.core.has_rolling() {
            return;
        }
        for (id, process) in self.core.processes().filter(|(id, _)| self.core.is_behind(*id)) {
            let spec = process.spec();
            self.behind
                .entry(self.names.get(&id).cloned().unwrap_or_default())
                .or_insert_with(|| spec.clone());
        }
    }

    fn check_deadline(&self) {
        let alarm = self.core.next_alarm().is_some_and(|at| at <= self.now().wall);
        let past = alarm || self.core.next_deadline().is_some_and(|at| at < self.now);
        assert!(self.catching_up || !past, "something is scheduled in the past\n{}", self.recent());
    }

    /// What the shell notes about its groups before it asks the supervisor to add or update one.
    fn activate(&mut self, ask: &Ask) {
        let Some(spec) = ask.new_spec() else { return };
        if !self.core.phase().is_running() {
            return;
        }
        match self.active.iter_mut().find(|group| group.name == spec.name) {
            Some(group) => {
                if ask.updates() {
                    *group = spec.clone();
                }
            }
            None => {
                if !ask.updates() {
                    self.active.push(spec.clone());
                }
            }
        }
    }
}
