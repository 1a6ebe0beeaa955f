//! Programs, children and requests by the roll of the dice.

use std::sync::Arc;

use upkeep_core::Timetable;
use upkeep_core::health::Word;
use upkeep_core::signal;
use upkeep_core::spec::{
    Autorestart, Check, Condition, Dependency, GroupKind, GroupSpec, HealthAction, HealthSpec, Hooks,
    ListenerSpec, Missed, OnDependencyStop, OnGiveup, Overlap, ProcessSpec, Ready, RestartPolicy, Schedule,
    Target,
};
use upkeep_sim::{Ask, Crash, Dice, InFlight, Plan, Reaction, Signalling, Sim, millis, secs};

/// Names of groups; the last is also the name of its only process.
pub(crate) const GROUPS: [&str; 4] = ["g0", "g1", "g2", "solo"];
const PROCESSES: [&str; 4] = ["p0", "p1", "p2", "p3"];

/// A group of this name with some of the processes.
pub(crate) fn group(dice: &mut Dice, name: &str) -> GroupSpec {
    let names: Vec<&str> = if name == "solo" {
        vec!["solo"]
    } else {
        PROCESSES.into_iter().filter(|_| !dice.once_in(3)).collect()
    };
    let processes = names.into_iter().map(|name| process(dice, name)).collect();
    let kind = if dice.once_in(8) { listener() } else { GroupKind::Plain };
    GroupSpec { priority: *dice.pick(&[1, 2, 999]), kind, ..GroupSpec::plain(name, processes) }
}

fn listener() -> GroupKind {
    GroupKind::Listener(ListenerSpec::default())
}

fn process(dice: &mut Dice, name: &str) -> ProcessSpec {
    ProcessSpec {
        priority: *dice.pick(&[1, 2, 999]),
        autostart: !dice.once_in(3),
        autorestart: *dice.pick(&[Autorestart::Always, Autorestart::Unexpected, Autorestart::Never]),
        startsecs: *dice.pick(&[0, 1, 1, 3]),
        startretries: *dice.pick(&[0, 1, 3]),
        restart: if dice.once_in(2) { Arc::new(restarts(dice)) } else { Arc::default() },
        stopwaitsecs: *dice.pick(&[0, 1, 5]),
        stopsignal: *dice.pick(&[signal::TERM, signal::INT]),
        stopasgroup: dice.once_in(4),
        hooks: if dice.once_in(4) { Some(Box::new(hooks(dice))) } else { None },
        ..ProcessSpec::new(name, if dice.once_in(2) { "one" } else { "two" })
    }
}

/// It comes every so many seconds.
#[derive(Debug)]
struct Every(i64);

impl Timetable for Every {
    fn next(&self, after: i64) -> Option<i64> {
        Some((after.div_euclid(self.0) + 1) * self.0)
    }

    fn show(&self, at: i64) -> String {
        at.to_string()
    }
}

/// Lets some processes run by the clock.
pub(crate) fn put_on_schedule(dice: &mut Dice, groups: &mut [GroupSpec]) {
    for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
        if dice.once_in(3) {
            Arc::make_mut(process).schedule = Some(Arc::new(schedule(dice)));
        }
    }
}

fn schedule(dice: &mut Dice) -> Schedule {
    let every = *dice.pick(&[2, 7, 60]);
    Schedule {
        text: every.to_string(),
        timezone: "UTC".to_owned(),
        overlap: *dice.pick(&[Overlap::Skip, Overlap::Queue, Overlap::Kill]),
        missed: *dice.pick(&[Missed::Skip, Missed::RunOnce]),
        jitter: *dice.pick(&[secs(0), secs(3)]),
        table: Arc::new(Every(every)),
    }
}

fn hooks(dice: &mut Dice) -> Hooks {
    let mut command = || (!dice.once_in(2)).then(|| "hook".to_owned());
    Hooks {
        pre_start: command(),
        post_start: command(),
        pre_stop: command(),
        stop_command: command(),
        post_stop: command(),
        timeout: *dice.pick(&[millis(500), secs(2)]),
        ..Hooks::default()
    }
}

/// The hooks of a process: most do what they are for, some fail, some hang.
pub(crate) fn plan_hooks(dice: &mut Dice, sim: &mut Sim, process: &str) {
    for hook in ["pre_start", "post_start", "pre_stop", "stop_command", "post_stop"] {
        let plans: Vec<Plan> = (0..3).map(|_| hook_plan(dice)).collect();
        sim.plan(&format!("{process} {hook}"), plans);
    }
}

/// The commands that ask a process how it is: most find it well, some fail, some hang.
pub(crate) fn plan_checks(dice: &mut Dice, sim: &mut Sim, process: &str) {
    let plans: Vec<Plan> = (0..3).map(|_| hook_plan(dice)).collect();
    sim.plan(&format!("{process} health_check"), plans);
}

fn hook_plan(dice: &mut Dice) -> Plan {
    match dice.below(6) {
        0 => Plan::fails("no hook today"),
        1 => Plan::exits(millis(1 + dice.below(900)), 1),
        2 => Plan::runs().ignoring(&[signal::TERM]),
        _ => Plan::exits(millis(1 + dice.below(1500)), 0),
    }
}

fn health(dice: &mut Dice) -> HealthSpec {
    HealthSpec {
        notify_uid: None,
        check: match dice.below(3) {
            0 => None,
            1 => Some(Check::Tcp { host: "h".to_owned(), port: 1 }),
            _ => Some(Check::Exec("ask".to_owned())),
        },
        ready: *dice.pick(&[None, Some(Ready::Notify)]),
        ready_timeout: *dice.pick(&[None, Some(secs(1)), Some(secs(5))]),
        watchdog: *dice.pick(&[None, None, Some(secs(3))]),
        interval: *dice.pick(&[millis(200), secs(2)]),
        timeout: *dice.pick(&[millis(100), secs(3)]),
        start_period: *dice.pick(&[secs(0), secs(2)]),
        failures: *dice.pick(&[1, 3]),
        successes: *dice.pick(&[1, 2]),
        action: *dice.pick(&[HealthAction::Restart, HealthAction::Stop, HealthAction::None]),
    }
}

/// Has some processes looked at.
pub(crate) fn look_at(dice: &mut Dice, groups: &mut [GroupSpec]) {
    for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
        if dice.once_in(2) {
            Arc::make_mut(process).health = Some(Arc::new(health(dice)));
        }
    }
}

/// A child that also says and answers something.
pub(crate) fn talkative(dice: &mut Dice, plan: Plan) -> Plan {
    let plan = if dice.once_in(2) { plan.answering(&reactions(dice)) } else { plan };
    let plan = if dice.once_in(2) { plan.saying(millis(dice.below(3000)), Word::Ready) } else { plan };
    let plan = if dice.once_in(4) { plan.saying(millis(dice.below(6000)), Word::Alive) } else { plan };
    if dice.once_in(9) { plan.saying(millis(dice.below(6000)), Word::Sick) } else { plan }
}

fn reactions(dice: &mut Dice) -> Vec<Reaction> {
    let all = [Reaction::Well, Reaction::Well, Reaction::Ill, Reaction::Nothing, Reaction::Unasked];
    (0..5).map(|_| *dice.pick(&all)).collect()
}

fn restarts(dice: &mut Dice) -> RestartPolicy {
    RestartPolicy {
        delay: *dice.pick(&[secs(0), millis(300), secs(2)]),
        delay_max: *dice.pick(&[None, Some(secs(8))]),
        jitter_percent: *dice.pick(&[0, 30]),
        limit: *dice.pick(&[None, Some(1), Some(4)]),
        window: *dice.pick(&[secs(3), secs(60)]),
        reset_after: *dice.pick(&[secs(2), secs(60)]),
        on_giveup: match dice.below(12) {
            0..=5 => OnGiveup::Fatal,
            6..=10 => OnGiveup::RetryEvery(*dice.pick(&[secs(1), secs(20)])),
            _ => OnGiveup::Shutdown,
        },
        ..RestartPolicy::default()
    }
}

/// Lets some processes depend on others, each on such that come before it.
pub(crate) fn depend(dice: &mut Dice, groups: &mut [GroupSpec]) {
    let mut before: Vec<Target> = Vec::new();
    for group in groups {
        for process in &mut group.processes {
            let process = Arc::make_mut(process);
            let there = before.iter().filter(|_| dice.once_in(2)).cloned().collect::<Vec<_>>();
            process.depends_on = there.into_iter().map(|target| dependency(dice, target)).collect();
            let policies = [OnDependencyStop::Ignore, OnDependencyStop::Restart, OnDependencyStop::Stop];
            process.on_dependency_stop = *dice.pick(&policies);
            before.push(Target { group: group.name.clone(), process: Some(process.name.clone()) });
        }
    }
}

/// A stop that has no time at all may be overtaken by the end that it is for, or not, if others begin or end in the same instant.
pub(crate) fn give_time_to_stop(groups: &mut [GroupSpec]) {
    let all = || groups.iter().flat_map(|group| &group.processes);
    if all().any(|process| process.hooks.is_some() || !process.depends_on.is_empty()) {
        for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
            let process = Arc::make_mut(process);
            process.stopwaitsecs = process.stopwaitsecs.max(1);
        }
    }
}

pub(crate) fn dependency(dice: &mut Dice, target: Target) -> Dependency {
    let conditions = [Condition::Started, Condition::Running, Condition::Healthy, Condition::Completed];
    let condition = *dice.pick(&conditions);
    Dependency { name: target.process.clone().unwrap_or_default(), targets: vec![target], condition }
}

/// A child that lives a millisecond at least: one that ends in no time, is started again in no time, and so on for ever
/// (PROC-018). It ends on SIGKILL at the latest, unless the supervisor may not signal it.
pub(crate) fn plan(dice: &mut Dice) -> Plan {
    let plan = match dice.below(10) {
        0 => Plan::fails("no child today"),
        1 => Plan::exits(millis(1 + dice.below(900)), 0),
        2..=4 => Plan::exits(millis(1 + dice.below(6000)), *dice.pick(&[0, 1])),
        5 => Plan::crashes(millis(1 + dice.below(4000)), signal::KILL),
        6 => Plan::runs().ignoring(&[signal::TERM, signal::HUP]),
        7 => Plan::runs().returning(0),
        _ => Plan::runs(),
    };
    let plan = if dice.once_in(3) { plan.lingering(millis(dice.below(4000))) } else { plan };
    if dice.once_in(3) { plan.launched_after(millis(dice.below(2500))) } else { plan }
}

/// As [`plan`], or one that cannot be signalled.
pub(crate) fn nasty_plan(dice: &mut Dice) -> Plan {
    match dice.below(12) {
        0 => plan(dice).signalling(Signalling::Denied),
        1 => Plan::exits(millis(1 + dice.below(9000)), 0).signalling(Signalling::Gone),
        _ => plan(dice),
    }
}

/// A process, a group or all.
pub(crate) fn name(dice: &mut Dice) -> String {
    let group = *dice.pick(&GROUPS);
    match dice.below(8) {
        0 => "all".to_owned(),
        1 | 2 => format!("{group}:*"),
        _ if group == "solo" => group.to_owned(),
        _ => format!("{group}:{}", dice.pick(&PROCESSES)),
    }
}

/// A request that a client may make.
pub(crate) fn ask(dice: &mut Dice, mut dress: impl FnMut(&mut GroupSpec)) -> Ask {
    let name = name(dice);
    let mut group = |dice: &mut Dice, name: &str| {
        let mut group = group(dice, name);
        dress(&mut group);
        group
    };
    let ask = match dice.below(14) {
        0..=3 => Ask::start(&name),
        4..=7 => Ask::stop(&name),
        8 => {
            let signals = ["HUP", "TERM", "CONT", "KILL", "nonsense"];
            Ask::signal(&name, signals[dice.index(signals.len())])
        }
        9 => Ask::remove(GROUPS[dice.index(GROUPS.len())]),
        10 => {
            let name = *dice.pick(&GROUPS);
            Ask::add(group(dice, name))
        }
        11 => {
            let name = *dice.pick(&GROUPS);
            Ask::strict_update(group(dice, name))
        }
        _ => {
            let name = *dice.pick(&GROUPS);
            Ask::update(group(dice, name))
        }
    };
    if dice.once_in(2) { ask.without_waiting() } else { ask }
}

/// A death of the daemon.
pub(crate) fn crash(dice: &mut Dice) -> Crash {
    let down = *dice.pick(&[millis(0), millis(100), secs(2), secs(30)]);
    Crash { down, in_flight: *dice.pick(&[InFlight::Lost, InFlight::Made]) }
}
