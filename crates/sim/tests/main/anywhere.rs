//! The daemon dies after every single step of a story: the world outside sees the same story.

use std::sync::Arc;

use upkeep_core::Mono;
use upkeep_core::spec::{Autorestart, GroupSpec, ProcessSpec};
use upkeep_core::{RunEnd, signal};
use upkeep_sim::{Ask, Crash, Dice, Plan, Sim, millis, secs};

use crate::chance;

/// One who asks for things at given times, and the steps in between.
struct Teller {
    sim: Sim,
    steps: usize,
    /// The daemon dies after this step.
    dies_after: Option<usize>,
}

impl Teller {
    fn new(sim: Sim, dies_after: Option<usize>) -> Self {
        Self { sim, steps: 0, dies_after }
    }

    fn pass(&mut self, wait: std::time::Duration) {
        let until = self.sim.now().mono.after(wait);
        while self.sim.step(until) {
            self.count();
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.sim.request_only(ask);
        self.count();
    }

    fn count(&mut self) {
        self.steps += 1;
        if self.dies_after == Some(self.steps) {
            self.sim.crash(Crash::default());
        }
    }

    /// Line by line, process by process: what happens to different ones in the same instant has no order.
    fn story(&self) -> Vec<String> {
        let line = |at: Mono, process: &str, what: &str| format!("{process} {:14} {what}", at.0 / 1_000_000);
        let deeds = self.sim.deeds().iter();
        let done = deeds.map(|deed| line(deed.at, &deed.process, &format!("{:?}", deed.did)));
        let told = self.sim.timed_events().iter().filter_map(|(at, event)| {
            let (process, what) = event.split_once(' ')?;
            what.contains(" from ").then(|| line(*at, process, &format!("told {}", without_pid(what))))
        });
        let mut lines: Vec<String> = done.chain(told).collect();
        lines.sort_by_key(|line| line.split(' ').next().map(str::to_owned));
        lines
    }
}

/// Which pid a child gets depends on the order of forks in one instant.
fn without_pid(event: &str) -> String {
    event.split(" pid:").next().unwrap_or(event).to_owned()
}

/// Tells a story once undisturbed, then with a death after each of its steps.
fn holds_anywhere(what: &str, tell: impl Fn(Option<usize>) -> Teller) {
    let undisturbed = tell(None);
    for step in 1..=undisturbed.steps {
        let disturbed = tell(Some(step));
        let (told, expected) = (disturbed.story(), undisturbed.story());
        let differ = expected.iter().zip(&told).find(|(expected, told)| expected != told);
        assert_eq!(differ, None, "{what}, dead after step {step}\n{}", disturbed.sim.recent());
        assert_eq!(told.len(), expected.len(), "{what}, dead after step {step}: {told:#?}");
        assert_eq!(
            disturbed.sim.terminations(),
            undisturbed.sim.terminations(),
            "{what}, dead after step {step}"
        );
    }
}

#[test]
fn a_day_with_everything_in_it() {
    holds_anywhere("a day", |dies_after| {
        let mut stubborn = ProcessSpec::new("stubborn", "s");
        (stubborn.stopwaitsecs, stubborn.killasgroup) = (3, true);
        let flapping = ProcessSpec { autorestart: Autorestart::Always, ..ProcessSpec::new("flapping", "f") };
        let broken = ProcessSpec::new("broken", "b");
        let worker = ProcessSpec { autostart: false, ..ProcessSpec::new("worker", "w") };
        let mut groups = vec![
            GroupSpec { priority: 5, ..GroupSpec::plain("g", vec![stubborn, flapping]) },
            GroupSpec::plain("h", vec![broken, worker]),
        ];
        let mut sim = Sim::new(groups.clone());
        sim.plan("g:stubborn", [Plan::runs().ignoring(&[signal::TERM])]);
        sim.plan("g:flapping", [Plan::exits(millis(2500), 1), Plan::exits(millis(300), 0), Plan::runs()]);
        sim.plan("h:broken", [Plan::fails("no"), Plan::exits(millis(400), 0), Plan::fails("no")]);
        sim.plan("h:worker", [Plan::runs().lingering(secs(2)).launched_after(millis(0))]);
        sim.begin();
        let mut teller = Teller::new(sim, dies_after);
        teller.pass(millis(1200));
        teller.ask(Ask::start("h:worker"));
        teller.pass(secs(3));
        teller.ask(Ask::stop("g:stubborn").without_waiting());
        Arc::make_mut(&mut groups[1].processes[1]).command = "new".to_owned();
        teller.ask(Ask::update(groups[1].clone()));
        teller.pass(secs(9));
        teller.ask(Ask::start("g:*"));
        groups[0].processes.pop();
        teller.pass(secs(2));
        teller.ask(Ask::update(GroupSpec { priority: 1000, ..groups[0].clone() }));
        teller.pass(secs(5));
        teller.sim.end_child("h:worker", RunEnd::Code(7));
        teller.pass(secs(5));
        teller.sim.shutdown();
        teller.pass(secs(20));
        teller
    });
}

/// Stories by chance. Children that cannot be signalled are left out: who dies before it hears so cannot know.
#[test]
fn any_story() {
    (0..25).for_each(|seed| {
        holds_anywhere(&format!("seed {seed}"), |dies_after| story(seed, false, dies_after))
    });
}

#[test]
fn any_story_of_those_who_depend_on_others() {
    (0..25)
        .for_each(|seed| holds_anywhere(&format!("seed {seed}"), |dies_after| story(seed, true, dies_after)));
}

fn story(seed: u64, dependencies: bool, dies_after: Option<usize>) -> Teller {
    let dice = &mut Dice::new(seed);
    let mut groups = ["g0", "solo"].map(|name| chance::group(dice, name)).to_vec();
    if dependencies {
        chance::depend(dice, &mut groups);
    }
    chance::give_time_to_stop(&mut groups);
    let mut sim = Sim::new(groups);
    for name in ["g0:p0", "g0:p1", "g0:p2", "g0:p3", "solo"] {
        let plans: Vec<Plan> = (0..3).map(|_| chance::plan(dice).launched_after(millis(0))).collect();
        sim.plan(name, plans);
        chance::plan_hooks(dice, &mut sim, name);
    }
    sim.begin();
    let mut teller = Teller::new(sim, dies_after);
    for _ in 0..12 {
        teller.pass(millis(dice.below(3000)));
        let name = chance::name(dice);
        let ask = if dice.once_in(2) { Ask::start(&name) } else { Ask::stop(&name) };
        teller.ask(ask);
    }
    teller.pass(secs(30));
    teller.sim.shutdown();
    teller.pass(secs(30));
    teller
}
