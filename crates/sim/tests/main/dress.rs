//! What some worlds have beyond the ordinary: each kind by dice of its own, so that what else happens in a world stays what it was.

use std::sync::Arc;

use upkeep_core::spec::{
    Bounds, GroupSpec, MemoryAction, MemoryLimit, OnDependencyStop, RollingSpec, StopStep, Target,
};
use upkeep_core::{Batch, signal};
use upkeep_sim::{Ask, Dice, Plan, Sim, millis, secs};

use crate::chance;

/// The kinds that a world has.
#[derive(Debug)]
pub(crate) struct Dress {
    health: Option<Dice>,
    rolling: Option<Rolling>,
    bounds: Option<Dice>,
    depends: Option<Dice>,
    files: Option<Dice>,
}

/// Rolling restarts, and updates that roll.
#[derive(Debug)]
struct Rolling {
    dice: Dice,
    /// Most children run well, so that it comes far.
    calm: bool,
}

impl Dress {
    /// What the world of this seed has.
    pub(crate) fn new(seed: u64) -> Self {
        let rolling = (seed % 4 > 1).then(|| Dice::new(seed ^ 0x726f_6c6c));
        let rolling = rolling.map(|mut dice| Rolling { calm: dice.once_in(2), dice });
        let has = |remainder, number: u64| (seed / 7 % 5 == remainder).then(|| Dice::new(seed ^ number));
        Self {
            health: seed.is_multiple_of(3).then(|| Dice::new(!seed)),
            rolling,
            bounds: has(1, 0x626f_756e),
            depends: has(2, 0x6465_7065),
            files: (seed / 11 % 3 == 1).then(|| Dice::new(seed ^ 0x6669_6c65)),
        }
    }

    /// Gives groups what the world has.
    pub(crate) fn dress(&mut self, groups: &mut [GroupSpec]) {
        self.health.iter_mut().for_each(|dice| chance::look_at(dice, groups));
        self.rolling.iter_mut().for_each(|rolling| rolling.dress(groups));
        self.bounds.iter_mut().for_each(|dice| bound(dice, groups));
        self.depends.iter_mut().for_each(|dice| depend(dice, groups));
    }

    /// What the next children of a process do, and those that are asked how it is.
    pub(crate) fn plans(&mut self, sim: &mut Sim, name: &str, mut plans: Vec<Plan>) -> Vec<Plan> {
        if let Some(Rolling { dice, calm: true }) = &mut self.rolling
            && !dice.once_in(8)
        {
            plans = vec![Plan::runs().lingering(millis(dice.below(3) * 1500))];
        }
        if let Some(dice) = &mut self.health {
            plans = plans.into_iter().map(|plan| chance::talkative(dice, plan)).collect();
            chance::plan_checks(dice, sim, name);
        }
        plans
    }

    /// What happens now and then in this world alone.
    pub(crate) fn act(&mut self, sim: &mut Sim) {
        if let Some(dice) = &mut self.bounds {
            let memory = *dice.pick(&[Ok(0), Ok(0), Ok(101), Err("no /proc")]);
            sim.uses(&chance::name(dice), memory);
        }
    }

    /// The section whose files change now, if any.
    pub(crate) fn files(&mut self, sim: &Sim) -> Option<String> {
        let dice = self.files.as_mut().filter(|_| !sim.has_ended())?;
        let name = dice.once_in(8).then(|| chance::name(dice))?;
        sim.process(&name).map(|process| process.spec().section.to_string())
    }

    /// Makes something else of a request now and then.
    pub(crate) fn ask(&mut self, ask: Ask) -> Ask {
        match &mut self.rolling {
            Some(Rolling { dice, calm }) => match dice.below(8) {
                0..=1 => rolling(dice),
                2..=4 if *calm => Ask::start(&chance::name(dice)),
                _ => ask,
            },
            None => ask,
        }
    }
}

impl Rolling {
    /// Makes programs of several processes, with their own way to be restarted.
    fn dress(&mut self, groups: &mut [GroupSpec]) {
        let dice = &mut self.dice;
        for group in groups {
            let together = ["g0", "g1"].contains(&group.name.as_str());
            let mut rolling = None;
            for process in &mut group.processes {
                let process = Arc::make_mut(process);
                process.autostart |= self.calm;
                if together {
                    process.section = format!("program:{}", group.name).into();
                }
                if !together || rolling.is_none() {
                    rolling = Some((!dice.once_in(5)).then(|| Arc::new(options(dice))));
                }
                process.rolling = rolling.clone().flatten();
            }
        }
    }
}

/// Bounds of runs and of days, and stops of several steps.
fn bound(dice: &mut Dice, groups: &mut [GroupSpec]) {
    for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
        let process = Arc::make_mut(process);
        let memory = MemoryLimit {
            bytes: 100,
            action: *dice.pick(&[MemoryAction::Restart, MemoryAction::Kill]),
            interval: *dice.pick(&[secs(1), secs(7)]),
        };
        let bounds = Bounds {
            runtime: *dice.pick(&[None, Some(secs(2)), Some(secs(9))]),
            memory: (!dice.once_in(2)).then_some(memory),
        };
        process.bounds = (!dice.once_in(3)).then(|| Arc::new(bounds));
        Arc::make_mut(&mut process.restart).per_day = *dice.pick(&[None, Some(2), Some(4)]);
        let mut step = |signal| StopStep { signal, wait: *dice.pick(&[secs(0), millis(500), secs(2)]) };
        let steps = [step(signal::HUP), step(signal::TERM), step(signal::KILL)];
        process.stop_sequence = steps[..*dice.pick(&[0, 0, 1, 3])].to_vec();
    }
}

/// Lets some depend on others: on such as may be there, in the groups before theirs, and before them in their own.
fn depend(dice: &mut Dice, groups: &mut [GroupSpec]) {
    for group in groups {
        let before = chance::GROUPS.iter().take_while(|other| **other != group.name);
        let before: Vec<Target> =
            before.map(|other| Target { group: (*other).to_owned(), process: None }).collect();
        let mut own: Vec<Target> = Vec::new();
        for process in &mut group.processes {
            let process = Arc::make_mut(process);
            let targets = before.iter().chain(&own).filter(|_| dice.once_in(3)).cloned().collect::<Vec<_>>();
            process.depends_on = targets.into_iter().map(|target| chance::dependency(dice, target)).collect();
            let policies = [OnDependencyStop::Ignore, OnDependencyStop::Restart, OnDependencyStop::Stop];
            process.on_dependency_stop = *dice.pick(&policies);
            own.push(Target { group: group.name.clone(), process: Some(process.name.clone()) });
        }
    }
}

fn options(dice: &mut Dice) -> RollingSpec {
    RollingSpec {
        update: !dice.once_in(3),
        batch: batch(dice),
        wait: *dice.pick(&[None, None, Some(secs(2)), Some(secs(20))]),
    }
}

fn batch(dice: &mut Dice) -> Batch {
    *dice.pick(&[Batch::Count(1), Batch::Count(2), Batch::Percent(50), Batch::Percent(100)])
}

fn rolling(dice: &mut Dice) -> Ask {
    let name =
        if dice.once_in(2) { chance::name(dice) } else { (*dice.pick(&["all", "g0:*", "g1:*"])).to_owned() };
    if dice.once_in(2) {
        return Ask::rolling(&name);
    }
    Ask::rolling_by(&name, batch(dice), *dice.pick(&[secs(4), secs(15)]))
}
