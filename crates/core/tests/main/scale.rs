//! What a step costs does not grow with the number of processes: counted in processes looked at, not in time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use upkeep_core::spec::{GroupSpec, ProcessSpec};
use upkeep_core::{
    Answer, Batch, CallId, Effect, Event, Input, Mono, Now, ProcId, Request, RollingEnd, RunEnd, RunId,
    StateName, Supervisor,
};

const FEW: u32 = 100;
const MANY: u32 = 1_000;

/// A supervisor whose children are made as ordered, and end when they are sent a signal.
struct World {
    core: Supervisor,
    now: Now,
    facts: VecDeque<Input>,
    answers: Vec<Answer>,
    terminated: bool,
    calls: u64,
    before: u64,
}

fn spec(number: u32) -> ProcessSpec {
    ProcessSpec { startsecs: 0, ..ProcessSpec::new(&format!("p{number}"), "p") }
}

fn one_group(count: u32) -> GroupSpec {
    GroupSpec::plain("all", (0..count).map(spec).collect())
}

fn alone(number: u32) -> GroupSpec {
    GroupSpec::plain(&format!("p{number}"), vec![spec(number)])
}

impl World {
    fn new(groups: Vec<GroupSpec>) -> Self {
        let now = Now { mono: Mono(1_000_000_000), wall: 1_000 };
        let (core, facts) = (Supervisor::new(), VecDeque::new());
        let mut world =
            Self { core, now, facts, answers: Vec::new(), terminated: false, calls: 0, before: 0 };
        for group in groups {
            world.tell(Input::Setup(group));
        }
        world.tell(Input::Begin { recovered: false });
        world
    }

    /// Tells this, and all that follows from it.
    fn tell(&mut self, input: Input) {
        self.facts.push_back(input);
        while let Some(fact) = self.facts.pop_front() {
            self.now.mono = self.now.mono.after(Duration::from_micros(1));
            self.core.handle(self.now, fact);
            while let Some(effect) = self.core.poll_effect() {
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { run, .. } | Effect::Errand { run, .. } => {
                let pid = u32::try_from(run.0).unwrap();
                self.facts.push_back(Input::Spawned { run, pid, at: self.now.mono });
            }
            Effect::Signal { id, run, .. } => {
                self.facts.push_back(Input::Signalled { id, outcome: Ok(()) });
                self.facts.push_back(self.end_of(run));
            }
            Effect::Answer { answer, .. } => self.answers.push(answer),
            Effect::Terminate { .. } => self.terminated = true,
            Effect::Log(_)
            | Effect::Check { .. }
            | Effect::Publish(_)
            | Effect::Measure { .. }
            | Effect::Reconfigure { .. }
            | Effect::AwaitIdle { .. }
            | Effect::EndInFailure
            | Effect::Pause => {}
        }
    }

    fn end_of(&self, run: RunId) -> Input {
        Input::Exited { run, end: RunEnd::Code(1), at: self.now.mono }
    }

    fn request(&mut self, request: Request) {
        self.calls += 1;
        self.tell(Input::Request { call: CallId(self.calls), request });
    }

    fn ids(&self) -> Vec<ProcId> {
        self.core.processes().map(|(id, _)| id).collect()
    }

    fn in_state(&self, state: StateName) -> usize {
        self.core.processes().filter(|(_, process)| process.state().name() == state).count()
    }

    /// Processes looked at since the last call.
    fn looks(&mut self) -> u64 {
        let looks = self.core.looks();
        looks - std::mem::replace(&mut self.before, looks)
    }
}

/// How many processes each step looks at, for all processes of a world together.
fn story(groups: Vec<GroupSpec>, count: u32) -> Vec<(&'static str, u64)> {
    let all = usize::try_from(count).unwrap();
    let mut world = World::new(groups.clone());
    let mut steps = vec![("all start", world.looks())];
    assert_eq!(world.in_state(StateName::Running), all);
    for run in 1..=u64::from(count) {
        world.tell(world.end_of(RunId(run)));
    }
    steps.push(("each ends and comes back", world.looks()));
    assert_eq!(world.in_state(StateName::Running), all);
    let targets = world.ids();
    world.request(Request::StopMany { targets: targets.clone(), wait: true });
    steps.push(("all are stopped", world.looks()));
    assert!(matches!(world.answers.pop(), Some(Answer::Many(outcomes)) if outcomes.len() == all));
    let targets = targets.into_iter().map(|id| (id, None)).collect();
    world.request(Request::StartMany { targets, wait: true });
    steps.push(("all are started", world.looks()));
    assert!(matches!(world.answers.pop(), Some(Answer::Many(outcomes)) if outcomes.len() == all));
    for group in &groups {
        for process in &group.processes {
            let target = world.core.member(&group.name, &process.name).unwrap();
            world.request(Request::Stop { target, asked: process.name.clone(), wait: true });
            world.request(Request::Start {
                target,
                asked: process.name.clone(),
                preflight: None,
                wait: true,
            });
        }
    }
    steps.push(("each is found, stopped and started", world.looks()));
    assert_eq!(world.answers.len(), 2 * all);
    for group in groups {
        let processes = group
            .processes
            .into_iter()
            .map(|spec| Arc::new(ProcessSpec { command: "q".into(), ..(*spec).clone() }));
        let spec = GroupSpec { processes: processes.collect(), ..GroupSpec::plain(&group.name, Vec::new()) };
        world.request(Request::UpdateGroup { spec, strict: false });
    }
    steps.push(("all are updated", world.looks()));
    assert_eq!(world.in_state(StateName::Running), all);
    for (step, batch) in [
        ("one after another is restarted", Batch::Count(1)),
        ("all are restarted at once, bit by bit", Batch::Percent(100)),
    ] {
        let targets = world.ids();
        world.request(Request::RestartRolling { targets, batch: Some(batch), wait: None });
        let last = world.core.rollings().last().unwrap();
        assert_eq!((last.end.as_ref(), last.done()), (Some(&RollingEnd::Done), all));
        steps.push((step, world.looks()));
    }
    world.tell(Input::Shutdown);
    steps.push(("everything ends", world.looks()));
    assert!(world.terminated);
    assert_eq!(world.in_state(StateName::Stopped), all);
    steps
}

fn assert_linear(few: &[(&str, u64)], many: &[(&str, u64)]) {
    let times = u64::from(MANY / FEW);
    for ((step, few), (_, many)) in few.iter().zip(many) {
        // Twice: what is found by name takes a few looks more among many.
        assert!(*many <= 2 * times * few, "{step}: {few} looks for {FEW} processes, {many} for {MANY}");
    }
}

#[test]
fn no_step_looks_at_all_processes_of_a_group_for_each() {
    assert_linear(&story(vec![one_group(FEW)], FEW), &story(vec![one_group(MANY)], MANY));
}

#[test]
fn no_step_looks_at_all_groups_for_each() {
    let groups = |count: u32| (0..count).map(alone).collect::<Vec<_>>();
    assert_linear(&story(groups(FEW), FEW), &story(groups(MANY), MANY));
}

#[test]
fn what_belongs_together_stands_between_two_pauses() {
    let mut world = World::new(vec![one_group(3)]);
    let targets = world.ids();
    let request = Request::StopMany { targets: targets.clone(), wait: true };
    world.core.handle(world.now, Input::Request { call: CallId(1), request });
    let effects: Vec<Effect> = std::iter::from_fn(|| world.core.poll_effect()).collect();
    let parts: Vec<&[Effect]> = effects.split(|effect| *effect == Effect::Pause).collect();
    for (part, id) in parts.iter().zip(&targets) {
        let record = part.iter().position(
            |effect| matches!(effect, Effect::Publish(Event::ProcessState { id: of, .. }) if of == id),
        );
        let signal = part.iter().position(|effect| matches!(effect, Effect::Signal { .. }));
        assert!(record.is_some() && record < signal, "{part:?}");
    }
    assert_eq!(parts.len(), 1 + targets.len());
}
