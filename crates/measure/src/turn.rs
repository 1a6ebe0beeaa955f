//! The core's turn: one input, and what it orders.

use std::hint::black_box;

use upkeep_core::spec::{Autorestart, GroupSpec, ProcessSpec};
use upkeep_core::{CallId, Effect, Input, Mono, Now, ProcId, Request, RunEnd, RunId, SignalId, Supervisor};

use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "core/tick/19", prepare: || tick(19) },
    Row { name: "core/tick/100", prepare: || tick(100) },
    Row { name: "core/tick/1000", prepare: || tick(1000) },
    Row { name: "core/tick/10000", prepare: || tick(10_000) },
    Row { name: "core/restart/19", prepare: || restart(19) },
    Row { name: "core/restart/100", prepare: || restart(100) },
    Row { name: "core/restart/1000", prepare: || restart(1000) },
    Row { name: "core/restart/10000", prepare: || restart(10_000) },
    Row { name: "core/stop-start/19", prepare: || stop_and_start(19) },
    Row { name: "core/stop-start/100", prepare: || stop_and_start(100) },
    Row { name: "core/stop-start/1000", prepare: || stop_and_start(1000) },
    Row { name: "core/stop-start/10000", prepare: || stop_and_start(10_000) },
    Row { name: "core/all/19", prepare: || stop_and_start_all(19) },
    Row { name: "core/all/100", prepare: || stop_and_start_all(100) },
    Row { name: "core/all/1000", prepare: || stop_and_start_all(1000) },
    Row { name: "core/life/19", prepare: || life(19) },
    Row { name: "core/life/100", prepare: || life(100) },
    Row { name: "core/life/1000", prepare: || life(1000) },
];

/// A second, which is what a process takes to count as started.
const SECOND: u64 = 1_000_000_000;

/// A supervisor and the little of a shell that it needs: every child is made, every signal arrives.
struct World {
    core: Supervisor,
    now: Now,
    /// Runs that were ordered and are not made yet.
    spawns: Vec<RunId>,
    /// Signals that were ordered and are not sent yet.
    signals: Vec<(SignalId, RunId)>,
    answers: usize,
}

/// Programs as a file of a thousand has them: each a group of its own.
fn groups(count: usize) -> Vec<GroupSpec> {
    let program = |number: usize| {
        let name = format!("program-{number:05}");
        let options = ProcessSpec { autorestart: Autorestart::Always, ..ProcessSpec::new(&name, "/bin/cat") };
        GroupSpec::plain(&name, vec![options])
    };
    (0..count).map(program).collect()
}

impl World {
    /// Everything is set up and runs.
    fn running(groups: Vec<GroupSpec>) -> Self {
        let now = Now { mono: Mono(SECOND), wall: 1_700_000_000 };
        let mut world =
            Self { core: Supervisor::new(), now, spawns: Vec::new(), signals: Vec::new(), answers: 0 };
        for group in groups {
            world.tell(Input::Setup(group));
        }
        world.tell(Input::Begin { recovered: false });
        world.children_come();
        world
    }

    fn tell(&mut self, input: Input) {
        self.core.handle(self.now, input);
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Spawn { run, .. } => self.spawns.push(run),
                Effect::Signal { id, run, .. } => self.signals.push((id, run)),
                Effect::Answer { .. } => self.answers += 1,
                other => drop(black_box(other)),
            }
        }
        black_box(self.core.next_deadline());
    }

    /// What was ordered to start is there, and runs a second later.
    fn children_come(&mut self) {
        for run in std::mem::take(&mut self.spawns) {
            let pid = u32::try_from(run.0 % 4_000_000).unwrap_or_default();
            self.tell(Input::Spawned { run, pid, at: self.now.mono });
        }
        self.now.mono.0 += SECOND;
        self.tell(Input::Tick);
    }

    /// What was signalled ends by it.
    fn children_go(&mut self) {
        for (id, run) in std::mem::take(&mut self.signals) {
            self.tell(Input::Signalled { id, outcome: Ok(()) });
            self.tell(Input::Exited { run, end: RunEnd::Code(0), at: self.now.mono });
        }
    }

    fn ask(&mut self, request: Request) {
        self.tell(Input::Request { call: CallId(1), request });
    }

    fn everybody(&self) -> Vec<ProcId> {
        self.core.all_by_priority()
    }
}

/// Nothing is due.
fn tick(count: usize) -> Work {
    let mut world = World::running(groups(count));
    Box::new(move || {
        world.now.mono.0 += SECOND;
        world.tell(Input::Tick);
    })
}

/// One of them ends and comes back.
fn restart(count: usize) -> Work {
    let mut world = World::running(groups(count));
    let id = world.everybody()[count / 2];
    Box::new(move || {
        let run = world.core.process(id).and_then(|process| process.state().run());
        let run = run.expect("it runs");
        world.tell(Input::Exited { run, end: RunEnd::Code(1), at: world.now.mono });
        world.children_come();
    })
}

/// A client stops one of them by its name and starts it again, waiting for both.
fn stop_and_start(count: usize) -> Work {
    let mut world = World::running(groups(count));
    let name = format!("program-{:05}", count / 2);
    Box::new(move || {
        let target = world.core.member(&name, &name).expect("it is there");
        world.ask(Request::Stop { target, asked: name.clone(), wait: true });
        world.children_go();
        let target = world.core.member(&name, &name).expect("it is there");
        world.ask(Request::Start { target, asked: name.clone(), preflight: None, wait: true });
        world.children_come();
        assert_eq!(std::mem::take(&mut world.answers), 2);
    })
}

/// A client stops all of them and starts them again, waiting for both.
fn stop_and_start_all(count: usize) -> Work {
    let mut world = World::running(groups(count));
    Box::new(move || {
        let targets = world.everybody();
        world.ask(Request::StopMany { targets: targets.clone(), wait: true });
        world.children_go();
        let targets = targets.into_iter().map(|id| (id, None)).collect();
        world.ask(Request::StartMany { targets, wait: true });
        world.children_come();
        assert_eq!(std::mem::take(&mut world.answers), 2);
    })
}

/// From nothing to all of them running, and to the end.
fn life(count: usize) -> Work {
    let groups = groups(count);
    Box::new(move || {
        let mut world = World::running(groups.clone());
        world.tell(Input::Shutdown);
        while !world.signals.is_empty() {
            world.children_go();
        }
        black_box(world.core.phase());
    })
}
