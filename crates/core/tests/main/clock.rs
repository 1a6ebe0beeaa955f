//! The wall clock is set while processes start, run, wait and stop.

use upkeep_core::{Effect, Input, Mono, Now, RunEnd, RunId, Supervisor};

use crate::scene::web;

/// Seconds on the monotonic clock, and what happens then.
type Story = Vec<(u64, Input)>;

/// What is ordered in a story while the wall clock goes its own way.
fn ordered(story: Story, wall: fn(u64) -> i64) -> Vec<Effect> {
    let mut core = Supervisor::new();
    core.handle(Now::default(), Input::Setup(crate::scene::alone(web(|spec| spec.startsecs = 2))));
    for (seconds, input) in story {
        core.handle(Now { mono: at(seconds), wall: wall(seconds) }, input);
    }
    std::iter::from_fn(|| core.poll_effect()).collect()
}

fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000_000)
}

fn begun_at_ten() -> Story {
    let begin = Input::Begin { recovered: false };
    vec![(10, begin), (10, Input::Spawned { run: RunId(1), pid: 7, at: at(10) })]
}

/// It runs and ends.
fn a_life() -> Story {
    let exited = Input::Exited { run: RunId(1), end: RunEnd::Code(0), at: at(13) };
    [begun_at_ten(), vec![(12, Input::Tick), (13, exited)]].concat()
}

/// It ends too early, and is tried again a second later.
fn another_try() -> Story {
    let exited = Input::Exited { run: RunId(1), end: RunEnd::Code(0), at: at(11) };
    [begun_at_ten(), vec![(11, exited), (12, Input::Tick), (13, Input::Tick)]].concat()
}

/// It is to stop, does not, and is killed.
fn a_kill() -> Story {
    [begun_at_ten(), vec![(12, Input::Tick), (13, Input::Shutdown), (22, Input::Tick), (23, Input::Tick)]]
        .concat()
}

/// The wall clock is only shown: its steps decide nothing (PROC-036, PROC-037), so PROC-316 is never said.
#[test]
fn steps_of_the_wall_clock_change_nothing_proc_036_proc_037() {
    let stories: [fn() -> Story; 3] = [a_life, another_try, a_kill];
    let lines = ["success: web", "exited: web", "killing 'web' (7) with SIGKILL"];
    for (story, line) in stories.into_iter().zip(lines) {
        let steady = ordered(story(), |seconds| 1000 + seconds.cast_signed());
        let told =
            |effect: &Effect| matches!(effect, Effect::Log(notice) if notice.to_string().starts_with(line));
        assert!(steady.iter().any(told), "{line}: {steady:?}");
        assert_eq!(ordered(story(), |seconds| 1000 - 100 * seconds.cast_signed()), steady, "{line}: back");
        assert_eq!(
            ordered(story(), |seconds| 1000 + 5000 * seconds.cast_signed()),
            steady,
            "{line}: forward"
        );
    }
    let spawns =
        ordered(another_try(), |_| 0).into_iter().filter(|effect| matches!(effect, Effect::Spawn { .. }));
    assert_eq!(spawns.count(), 2);
}
