//! Random schedules: everything that can happen, in any order, with every rule checked after every step.
//!
//! `UPKEEP_SIM_SEED` runs that one seed, `UPKEEP_SIM_SCHEDULES` that many.

use std::collections::BTreeSet;

use upkeep_core::{CallId, ProcId, RunEnd, StateName};
use upkeep_sim::{Ask, Dice, Sim, millis, secs};

use crate::chance;
use crate::dress::Dress;
use crate::rolls::Rolls;
use crate::watch::Watch;

/// Schedules of an ordinary run.
const SCHEDULES: u64 = 200;
/// Things that happen in one schedule.
const ACTS: u32 = 120;

#[test]
fn every_rule_holds_at_every_step_of_any_schedule() {
    if let Some(seed) = from_env("UPKEEP_SIM_SEED") {
        return Schedule::new(seed).run();
    }
    for seed in 0..from_env("UPKEEP_SIM_SCHEDULES").unwrap_or(SCHEDULES) {
        Schedule::new(seed).run();
    }
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One schedule. Tells its seed and the last steps if it is dropped in a panic.
struct Schedule {
    seed: u64,
    dice: Dice,
    sim: Sim,
    watch: Watch,
    deaths: bool,
    /// What this world has beyond the ordinary.
    dress: Dress,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("UPKEEP_SIM_SEED={} fails; the last steps were:\n{}", self.seed, self.sim.recent());
        }
    }
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let names = chance::GROUPS.into_iter().filter(|_| !dice.once_in(4)).collect::<Vec<_>>();
        let mut groups: Vec<_> = names.into_iter().map(|name| chance::group(&mut dice, name)).collect();
        if dice.once_in(2) {
            chance::put_on_schedule(&mut dice, &mut groups);
        }
        let mut dress = Dress::new(seed);
        dress.dress(&mut groups);
        let mut sim = Sim::new(groups);
        sim.answer_signals_after(*dice.pick(&[millis(0), millis(0), millis(20)]));
        let deaths = dice.once_in(2);
        Self { seed, dice, sim, watch: Watch::default(), deaths, dress }
    }

    fn run(mut self) {
        for group in chance::GROUPS {
            for process in ["p0", "p1", "p2", "p3"] {
                let name = if group == "solo" { group.to_owned() } else { format!("{group}:{process}") };
                self.plan(&name);
            }
        }
        self.sim.begin();
        for _ in 0..ACTS {
            self.dress.act(&mut self.sim);
            self.change_files();
            self.act();
            self.watch.check(&self.sim);
        }
        self.come_to_rest();
        self.come_to_an_end();
    }

    fn plan(&mut self, name: &str) {
        let plans = (0..=self.dice.below(4)).map(|_| chance::nasty_plan(&mut self.dice)).collect();
        let plans = self.dress.plans(&mut self.sim, name, plans);
        self.sim.plan(name, plans);
        chance::plan_hooks(&mut self.dice, &mut self.sim, name);
    }

    fn act(&mut self) {
        match self.dice.below(100) {
            0..=39 => self.step(),
            40..=54 => self.let_pass(),
            55..=84 => self.ask(),
            85..=87 => self.end_a_child(),
            88..=90 => {
                let name = chance::name(&mut self.dice);
                self.plan(&name);
            }
            91..=94 if self.deaths => {
                let crash = chance::crash(&mut self.dice);
                self.sim.crash(crash);
            }
            95..=98 if self.deaths => {
                let (orders, crash) = (self.dice.below(9), chance::crash(&mut self.dice));
                self.sim.crash_after(usize::try_from(orders).unwrap_or(0), crash);
            }
            98 if !self.sim.has_ended() => {
                let seconds = i64::try_from(self.dice.below(8000)).unwrap_or(0) - 4000;
                self.sim.set_clock(seconds);
            }
            99 => self.go_down(),
            _ => self.step(),
        }
    }

    fn change_files(&mut self) {
        let Some(section) = self.dress.files(&self.sim) else { return };
        self.watch.files_changed(&self.sim, &section);
        self.sim.files_changed_only(&section);
        self.watch.check(&self.sim);
    }

    fn step(&mut self) {
        let until = self.sim.now().mono.after(secs(3));
        self.sim.step(until);
    }

    fn let_pass(&mut self) {
        let until = self.sim.now().mono.after(millis(self.dice.below(6000)));
        while self.sim.step(until) {
            self.watch.check(&self.sim);
        }
    }

    fn ask(&mut self) {
        let dress = &mut self.dress;
        let ask = chance::ask(&mut self.dice, |group| dress.dress(std::slice::from_mut(group)));
        let ask = self.dress.ask(ask);
        self.request(ask);
    }

    fn request(&mut self, ask: Ask) {
        let request = self.sim.resolve(ask.clone());
        let stops = self.watch.hear(&self.sim, &request);
        self.sim.request_only(ask);
        self.watch.stopped_by_hand(&self.sim, stops);
    }

    fn end_a_child(&mut self) {
        let living: Vec<String> =
            self.sim.all_living().iter().map(|(_, name, _)| (*name).to_owned()).collect();
        if !living.is_empty() {
            let (name, code) = (self.dice.pick(&living).clone(), *self.dice.pick(&[0, 1]));
            self.sim.end_child(&name, RunEnd::Code(code));
        }
    }

    fn go_down(&mut self) {
        if self.dice.once_in(4) {
            self.sim.shutdown();
        } else {
            self.watch.restarted();
            self.sim.restart();
        }
    }

    /// Given time, every stop is done and everyone who waits is answered.
    fn come_to_rest(&mut self) {
        self.sim.disarm();
        let until = self.sim.now().mono.after(secs(300));
        while self.sim.step(until) {
            self.watch.check(&self.sim);
        }
        // A rolling restart may take a while, but not for ever.
        let until = self.sim.now().mono.after(secs(3000));
        while !Rolls::are_over(&self.sim) && self.sim.step(until) {
            self.watch.check(&self.sim);
        }
        assert!(Rolls::are_over(&self.sim), "one never ends: {:?}", self.sim.core().rollings().last());
        for (call, answers) in self.sim.calls().filter(|(_, call)| !call.lost) {
            let is_answered = answers.answers.len() == 1;
            assert!(is_answered || may_wait(&self.sim, call), "{call:?} is not answered");
        }
        // One that its schedule or its health stops and starts may be stopping at any time, but not for long.
        let stops = |sim: &Sim, id: ProcId| {
            sim.core().process(id).is_some_and(|process| process.state().name() == StateName::Stopping)
        };
        let mut stopping: Vec<ProcId> = self.sim.core().processes().map(|(id, _)| id).collect();
        let until = self.sim.now().mono.after(secs(100));
        loop {
            stopping.retain(|&id| stops(&self.sim, id));
            if stopping.is_empty() || !self.sim.step(until) {
                break;
            }
            self.watch.check(&self.sim);
        }
        assert_eq!(stopping, [], "something stops for ever");
        self.watch.nobody_has_old_files(&self.sim);
    }

    /// A shutdown ends once, with everything down; and nothing comes after it.
    fn come_to_an_end(&mut self) {
        self.sim.shutdown();
        let until = self.sim.now().mono.after(secs(300));
        while self.sim.step(until) {
            self.watch.check(&self.sim);
        }
        let launches = self.sim.launches().len();
        self.sim.shutdown();
        self.ask();
        self.sim.advance(secs(300));
        self.watch.check(&self.sim);
        let ends = self.sim.terminations().iter().filter(|restart| !**restart).count();
        assert_eq!((ends, self.sim.terminations().last()), (1, Some(&false)), "one end");
        assert_eq!(self.sim.launches().len(), launches, "nothing starts after the end");
    }
}

/// Who waits for one that is tried again and again may do so for ever.
fn may_wait(sim: &Sim, call: CallId) -> bool {
    let open = sim.core().waiting(call).map(|waiting| waiting.open).unwrap_or_default();
    open.iter().any(|awaited| {
        let mut known = BTreeSet::new();
        let mut next = sim.core().member(&awaited.group, &awaited.process);
        while let Some(process) = next.filter(|id| known.insert(*id)).and_then(|id| sim.core().process(id)) {
            let Some(obstacle) = sim.core().obstacle_of(process) else {
                return known.len() > 1 && !process.state().name().is_stopped();
            };
            next = obstacle.by().filter(|_| !obstacle.is_lasting());
        }
        false
    })
}
