//! What an update would do to each process.

use std::sync::Arc;

use upkeep_core::plan::{Change, Dependants, plan};
use upkeep_core::spec::{GroupSpec, ProcessSpec};
use upkeep_core::{StateName, seconds};
use upkeep_sim::{Ask, Sim, secs};

use crate::scene::group;

fn with(mut group: GroupSpec, name: &str, change: impl FnOnce(&mut ProcessSpec)) -> GroupSpec {
    let process = group.processes.iter_mut().find(|process| process.name == name).expect("it is there");
    change(Arc::make_mut(process));
    group
}

fn told(active: &[GroupSpec], new: &[GroupSpec], strict: bool) -> Vec<String> {
    let text =
        |step: upkeep_core::plan::Planned| format!("{}:{} {:?}", step.group, step.process, step.change);
    plan(active, new, strict).into_iter().map(text).collect()
}

#[test]
fn each_process_that_changes_has_its_step() {
    let active = [group("a", &["x", "y", "z"]), group("gone", &["g"]), group("same", &["s"])];
    let a = with(group("a", &["x", "y", "new"]), "x", |spec| spec.command = "other".to_owned());
    let a = with(a, "y", |spec| spec.stopwaitsecs = 3);
    let new = [a, group("same", &["s"]), group("b", &["n"])];
    let expected = ["a:x Restart", "a:y Live", "a:new New", "a:z Removed", "b:n New", "gone:g Removed"];
    assert_eq!(told(&active, &new, false), expected);
    let expected = ["a:x Restart", "a:y Restart", "a:new New", "a:z Removed", "b:n New", "gone:g Removed"];
    assert_eq!(told(&active, &new, true), expected);
    assert_eq!(told(&active, &active, true), [""; 0]);
    let mut later = group("same", &["s"]);
    later.priority = 1;
    assert_eq!(told(&[group("same", &["s"])], &[later], false), ["same:* Live"]);
}

#[test]
fn a_stop_takes_the_time_that_was_configured_when_it_was_started() {
    let slow = |wait| with(group("a", &["x"]), "x", |spec| (spec.stopwaitsecs, spec.umask) = (wait, Some(0)));
    let plain = with(group("a", &["x"]), "x", |spec| spec.stopwaitsecs = 40);
    assert_eq!(plan(&[plain], &[slow(3)], false)[0].stop, seconds(40));
}

/// Who ends with it ends before it, and starts after it.
#[test]
fn those_that_end_along_take_their_time_too() {
    let text = "[program:db]\ncommand=x\nstopwaitsecs=20\nstartsecs=5\n\
        [program:api]\ncommand=x\ndepends_on=db\non_dependency_stop=restart\nstopwaitsecs=3\nstartsecs=2\n\
        [program:web]\ncommand=x\ndepends_on=api\non_dependency_stop=stop\nstopwaitsecs=4\npost_stop=y\nhook_timeout=6\n\
        [program:job]\ncommand=x\ndepends_on=db:completed\non_dependency_stop=stop\n\
        [program:blind]\ncommand=x\ndepends_on=db\n\
        [program:slow]\ncommand=x\nstartsecs=1\nready=notify\nready_timeout=9\nhealth_check=tcp://localhost:1\nhealth_start_period=20\n\
        pre_start=y\nhook_timeout=3\n";
    let active = upkeep_sim::groups(text);
    let spec = |name: &str| active.iter().find(|group| group.name == name).expect(name).processes[0].clone();
    let told = |up: &dyn Fn(&str) -> bool, name: &str| {
        let takes =
            Dependants::of(&active, |_, process| up(process)).takes(name, &spec(name), Some(&spec(name)));
        let along = takes.along.iter().map(|one| format!(" {} {}", one.process, one.restarts));
        format!("{} {}{}", takes.stop.as_secs(), takes.start.as_secs(), along.collect::<String>())
    };
    assert_eq!(told(&|_| true, "db"), "33 7 api true web false");
    assert_eq!(told(&|name| name != "web", "db"), "23 7 api true");
    assert_eq!(told(&|name| name != "api", "db"), "20 5");
    assert_eq!(told(&|_| true, "web"), "10 1");
    assert_eq!(told(&|_| true, "slow"), "10 32");
    let gone = Dependants::of(&active, |_, _| true).takes("db", &spec("db"), None);
    assert_eq!((gone.stop, gone.start), (seconds(33), seconds(0)));
}

/// A pool that gets other events is another pool.
#[test]
fn a_group_that_becomes_another_kind_restarts_as_a_whole() {
    let pool = |events: &str| {
        upkeep_sim::groups(&format!(
            "[eventlistener:l]\ncommand=x\nevents={events}\nnumprocs=2\nprocess_name=%(process_num)d\n"
        ))
    };
    let told = |new: &str| told(&pool("TICK_5"), &pool(new), false);
    assert_eq!(told("TICK_60"), ["l:0 Restart", "l:1 Restart"]);
    assert_eq!(told("TICK_5"), [""; 0]);
}

/// What an update takes depends on the options of now and on those to be.
#[test]
fn each_step_has_the_options_before_and_after() {
    let active = [group("a", &["x", "gone"])];
    let new = [with(group("a", &["x", "new"]), "x", |spec| spec.umask = Some(0))];
    let steps = plan(&active, &new, false);
    let umasks = |spec: &Option<Arc<ProcessSpec>>| spec.as_ref().map(|spec| spec.umask);
    let told: Vec<_> =
        steps.iter().map(|step| (&*step.process, umasks(&step.old), umasks(&step.new))).collect();
    let expected = [("x", Some(None), Some(Some(0))), ("new", None, Some(None)), ("gone", Some(None), None)];
    assert_eq!(told, expected);
}

#[test]
fn what_has_a_schedule_waits_for_its_time() {
    let job = "[program:x]\ncommand=x\nschedule=@daily\n";
    let steps = plan(&[], &upkeep_sim::groups(job), false);
    assert_eq!((steps[0].change, steps[0].autostart), (Change::New, false));
}

/// The plan and the update are of one mind.
#[test]
fn it_is_what_update_does() {
    let old = || group("a", &["x", "y", "z"]);
    let changes: [&dyn Fn() -> GroupSpec; 4] = [
        &|| with(old(), "x", |spec| spec.command = "other".to_owned()),
        &|| with(old(), "y", |spec| spec.startretries = 9),
        &|| group("a", &["x", "y"]),
        &|| group("a", &["x", "y", "z", "w"]),
    ];
    for change in changes {
        let mut sim = Sim::new(vec![old()]);
        sim.begin().advance(secs(2));
        let steps = plan(&[old()], &[change()], false);
        let before: Vec<usize> = ["x", "y", "z"].map(|name| sim.forks(&format!("a:{name}"))).into();
        sim.request(Ask::update(change()));
        sim.advance(secs(20));
        for (name, before) in ["x", "y", "z"].into_iter().zip(before) {
            let step = steps.iter().find(|step| step.process == name).map(|step| step.change);
            let again =
                sim.process(&format!("a:{name}")).is_some() && sim.forks(&format!("a:{name}")) > before;
            assert_eq!(again, step == Some(Change::Restart), "{name}: {steps:?}");
            assert_eq!(sim.process(&format!("a:{name}")).is_none(), step == Some(Change::Removed), "{name}");
        }
        let is_new = steps.iter().any(|step| step.change == Change::New);
        assert_eq!(sim.process("a:w").is_some(), is_new);
        assert!(!is_new || sim.state("a:w") == StateName::Running);
    }
}
