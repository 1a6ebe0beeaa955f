//! Measuring that takes its time, and what cannot be measured.

use std::time::Duration;

use upkeep_core::spec::{Bounds, GroupSpec, MemoryAction, MemoryLimit, ProcessSpec};
use upkeep_core::{CallId, Effect, Input, Meter, Mono, Now, Request, RunId, Supervisor, Usage};

/// A group with a process that has a limit, and so long from one look to the next.
fn group(seconds: u64) -> GroupSpec {
    let limit =
        MemoryLimit { bytes: 100, action: MemoryAction::Restart, interval: Duration::from_secs(seconds) };
    let bounds = Bounds { memory: Some(limit), ..Bounds::default() };
    GroupSpec::plain(
        "web",
        vec![ProcessSpec { bounds: Some(bounds.into()), ..ProcessSpec::new("web", "web") }],
    )
}

struct Scene {
    core: Supervisor,
    run: Option<RunId>,
    measured: usize,
    said: usize,
}

impl Scene {
    fn begun() -> Self {
        let mut scene = Self { core: Supervisor::new(), run: None, measured: 0, said: 0 };
        scene.tell(0, Input::Setup(group(10)));
        scene.tell(0, Input::Begin { recovered: false });
        let run = scene.run.expect("a start");
        scene.tell(0, Input::Spawned { run, pid: 7, at: now(0).mono });
        scene
    }

    fn tell(&mut self, second: u64, input: Input) {
        self.core.handle(now(second), input);
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Spawn { run, .. } => self.run = Some(run),
                Effect::Measure { .. } => self.measured += 1,
                Effect::Log(notice) => {
                    self.said += usize::from(notice.to_string().contains("cannot be measured"))
                }
                _ => {}
            }
        }
    }

    fn update(&mut self, second: u64, interval: u64) {
        let request = Request::UpdateGroup { spec: group(interval), strict: false };
        self.tell(second, Input::Request { call: CallId(second), request });
    }

    fn answer(&mut self, second: u64, memory: Result<u64, &str>) {
        let usage = |bytes| Usage { bytes, meter: Meter::Shares };
        let memory = memory.map(usage).map_err(str::to_owned);
        self.tell(second, Input::Measured { run: self.run.expect("a start"), memory });
    }
}

fn now(second: u64) -> Now {
    Now { mono: Mono(1).after(Duration::from_secs(second)), wall: 1_000 }
}

#[test]
fn nobody_is_measured_twice_at_a_time() {
    let mut scene = Scene::begun();
    scene.tell(10, Input::Tick);
    assert_eq!(scene.measured, 1);
    scene.update(20, 5);
    scene.tell(30, Input::Tick);
    assert_eq!(scene.measured, 1, "the first look is not over");
    scene.answer(31, Ok(99));
    scene.tell(40, Input::Tick);
    assert_eq!(scene.measured, 2);
}

#[test]
fn what_cannot_be_measured_is_not_tried_again_in_this_run() {
    let mut scene = Scene::begun();
    scene.tell(10, Input::Tick);
    scene.answer(11, Err("no /proc"));
    scene.update(20, 5);
    scene.tell(30, Input::Tick);
    assert_eq!((scene.measured, scene.said), (1, 1));
}
