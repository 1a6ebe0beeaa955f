//! From STARTING to RUNNING, BACKOFF, FATAL and EXITED (sections 1 and 2 of the ledger's process page).

use upkeep_core::spec::{Autorestart, ProcessSpec};
use upkeep_core::{RunEnd, StateName, signal};
use upkeep_sim::{Ask, Did, Plan, Sim, millis, secs};

use crate::scene::{ALL, ask, begun, events_of, standing, web};

const TOO_QUICK: &str = "Exited too quickly (process log may have details)";

/// Options, children and time; then where it stands, what listeners heard and what the log says.
struct Row {
    rule: &'static str,
    options: fn(&mut ProcessSpec),
    plan: Plan,
    wait: std::time::Duration,
    state: StateName,
    events: &'static [&'static str],
    log: &'static [&'static str],
    spawnerr: Option<&'static str>,
    exitstatus: Option<i32>,
}

impl Row {
    fn check(&self) {
        let sim = &mut begun(self.options, [self.plan.clone()]);
        sim.advance(self.wait);
        assert_eq!(sim.state("web"), self.state, "{}", self.rule);
        assert_eq!(events_of(sim, "web"), self.events, "{}", self.rule);
        assert_eq!(sim.log(), self.log, "{}", self.rule);
        let process = sim.process("web").expect("web is there");
        assert_eq!(process.spawnerr(), self.spawnerr, "{}", self.rule);
        assert_eq!(process.exitstatus(), self.exitstatus, "{}", self.rule);
        assert_eq!(sim.signals("web"), [], "{}: nothing is signalled", self.rule);
    }
}

#[test]
fn first_steps_proc_010_to_017() {
    let rows = [
        Row {
            rule: "proc_010: autostart=false starts nothing",
            options: |spec| spec.autostart = false,
            plan: Plan::runs(),
            wait: secs(60),
            state: StateName::Stopped,
            events: &[],
            log: &[],
            spawnerr: None,
            exitstatus: None,
        },
        Row {
            rule: "proc_013: not RUNNING before startsecs",
            options: |spec| spec.startsecs = 5,
            plan: Plan::runs(),
            wait: millis(4999),
            state: StateName::Starting,
            events: &["STARTING from STOPPED tries:0"],
            log: &["Info spawned: 'web' with pid 101"],
            spawnerr: None,
            exitstatus: None,
        },
        Row {
            rule: "proc_013: RUNNING after startsecs",
            options: |spec| spec.startsecs = 5,
            plan: Plan::runs(),
            wait: millis(5001),
            state: StateName::Running,
            events: &["STARTING from STOPPED tries:0", "RUNNING from STARTING pid:101"],
            log: &[
                "Info spawned: 'web' with pid 101",
                "Info success: web entered RUNNING state, process has stayed up for > than 5 seconds (startsecs)",
            ],
            spawnerr: None,
            exitstatus: None,
        },
        Row {
            rule: "proc_013: startsecs counts from the fork, not from the order",
            options: |_| {},
            plan: Plan::runs().launched_after(secs(3)),
            wait: millis(3999),
            state: StateName::Starting,
            events: &["STARTING from STOPPED tries:0"],
            log: &["Info spawned: 'web' with pid 101"],
            spawnerr: None,
            exitstatus: None,
        },
        Row {
            rule: "proc_012: no child, one failure",
            options: |_| {},
            plan: Plan::fails("can't find command 'web'"),
            wait: millis(999),
            state: StateName::Backoff,
            events: &["STARTING from STOPPED tries:0", "BACKOFF from STARTING tries:1"],
            log: &["Info spawnerr: can't find command 'web'"],
            spawnerr: Some("can't find command 'web'"),
            exitstatus: None,
        },
        Row {
            rule: "proc_014: an early exit, even an expected one, and no exit status is shown",
            options: |_| {},
            plan: Plan::exits(millis(999), 0),
            wait: secs(1),
            state: StateName::Backoff,
            events: &["STARTING from STOPPED tries:0", "BACKOFF from STARTING tries:1"],
            log: &["Info spawned: 'web' with pid 101", "Warn exited: web (exit status 0; not expected)"],
            spawnerr: Some(TOO_QUICK),
            exitstatus: None,
        },
        Row {
            rule: "proc_014, proc_017: an early death",
            options: |_| {},
            plan: Plan::crashes(millis(10), signal::Signal(11)),
            wait: millis(500),
            state: StateName::Backoff,
            events: &["STARTING from STOPPED tries:0", "BACKOFF from STARTING tries:1"],
            log: &[
                "Info spawned: 'web' with pid 101",
                "Warn exited: web (terminated by SIGSEGV; not expected)",
            ],
            spawnerr: Some(TOO_QUICK),
            exitstatus: None,
        },
        Row {
            rule: "proc_015: an exit after startsecs, noticed while STARTING, tells both and logs no success",
            options: |_| {},
            plan: Plan::exits(secs(1), 0),
            wait: secs(2),
            state: StateName::Exited,
            events: &[
                "STARTING from STOPPED tries:0",
                "RUNNING from STARTING pid:101",
                "EXITED from RUNNING expected:1 pid:101",
            ],
            log: &["Info spawned: 'web' with pid 101", "Info exited: web (exit status 0; expected)"],
            spawnerr: None,
            exitstatus: Some(0),
        },
        Row {
            rule: "proc_016: an unexpected exit",
            options: |spec| spec.autorestart = Autorestart::Never,
            plan: Plan::exits(secs(3), 4),
            wait: secs(10),
            state: StateName::Exited,
            events: &[
                "STARTING from STOPPED tries:0",
                "RUNNING from STARTING pid:101",
                "EXITED from RUNNING expected:0 pid:101",
            ],
            log: &[
                "Info spawned: 'web' with pid 101",
                "Info success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
                "Warn exited: web (exit status 4; not expected)",
            ],
            spawnerr: Some("Bad exit code 4"),
            exitstatus: Some(4),
        },
        Row {
            rule: "proc_017: a death by signal is -1, never expected",
            options: |spec| spec.autorestart = Autorestart::Never,
            plan: Plan::crashes(secs(3), signal::KILL),
            wait: secs(10),
            state: StateName::Exited,
            events: &[
                "STARTING from STOPPED tries:0",
                "RUNNING from STARTING pid:101",
                "EXITED from RUNNING expected:0 pid:101",
            ],
            log: &[
                "Info spawned: 'web' with pid 101",
                "Info success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
                "Warn exited: web (terminated by SIGKILL; not expected)",
            ],
            spawnerr: Some("Bad exit code -1"),
            exitstatus: Some(-1),
        },
    ];
    rows.iter().for_each(Row::check);
}

#[test]
fn startsecs_zero_runs_at_once_proc_015_cfg_147() {
    for startsecs in [0, -5] {
        let sim = begun(|spec| spec.startsecs = startsecs, [Plan::exits(secs(0), 0)]);
        assert_eq!(sim.state("web"), StateName::Exited, "startsecs={startsecs}");
        assert_eq!(
            events_of(&sim, "web"),
            [
                "STARTING from STOPPED tries:0",
                "RUNNING from STARTING pid:101",
                "EXITED from RUNNING expected:1 pid:101",
            ],
            "startsecs={startsecs}"
        );
    }
}

#[test]
fn who_starts_again_proc_018_proc_019() {
    use Autorestart::{Always, Never, Unexpected};
    let code = RunEnd::Code;
    let death = RunEnd::Signal { signal: signal::TERM, core: false };
    for (policy, end, again) in [
        (Always, code(0), true),
        (Always, code(1), true),
        (Always, death, true),
        (Unexpected, code(0), false),
        (Unexpected, code(2), false),
        (Unexpected, code(1), true),
        (Unexpected, death, true),
        (Never, code(0), false),
        (Never, code(1), false),
        (Never, death, false),
    ] {
        let mut sim = begun(
            |spec| {
                spec.autorestart = policy;
                spec.exitcodes = [0, 2].into();
            },
            [Plan::runs()],
        );
        sim.advance(secs(5)).end_child("web", end);
        let state = if again { StateName::Starting } else { StateName::Exited };
        assert_eq!(sim.state("web"), state, "{policy:?} {end:?}");
        assert_eq!(sim.forks("web"), if again { 2 } else { 1 }, "{policy:?} {end:?}");
        sim.advance(secs(1000));
        assert_eq!(sim.forks("web"), if again { 2 } else { 1 }, "{policy:?} {end:?}: nothing more happens");
    }
}

#[test]
fn restarts_after_exit_have_no_delay_and_no_limit_proc_018() {
    let mut sim = begun(|spec| spec.autorestart = Autorestart::Always, [Plan::exits(secs(2), 0)]);
    sim.advance(secs(2000));
    assert_eq!(sim.forks("web"), 1001);
    let last = events_of(&sim, "web").into_iter().rfind(|event| event.starts_with("STARTING"));
    assert_eq!(last, Some("STARTING from EXITED tries:0"));
}

/// When children were forked, in milliseconds since the beginning.
fn fork_times(sim: &Sim) -> Vec<u128> {
    let zero = sim.deeds().first().map(|deed| deed.at).unwrap_or_default();
    let forks = sim.deeds().iter().filter(|deed| matches!(deed.did, Did::Fork | Did::FailToFork));
    forks.map(|deed| deed.at.since(zero).as_millis()).collect()
}

#[test]
fn failed_starts_wait_longer_each_time_and_end_in_fatal_proc_020_proc_021() {
    for (startretries, lifetime, tries) in [
        (3, None, vec![0, 1000, 3000, 6000]),
        (3, Some(500), vec![0, 1500, 4000, 7500]),
        (0, None, vec![0]),
        (1, Some(0), vec![0, 1000]),
    ] {
        let plan = lifetime.map_or(Plan::fails("no"), |lifetime| Plan::exits(millis(lifetime), 0));
        let mut sim = begun(|spec| spec.startretries = startretries, [plan]);
        sim.advance(secs(3600));
        assert_eq!(fork_times(&sim), tries, "startretries={startretries} lifetime={lifetime:?}");
        assert_eq!(sim.state("web"), StateName::Fatal);
        let process = sim.process("web").expect("web is there");
        assert_eq!(process.failures(), 0);
        assert_eq!(process.spawnerr(), Some(if lifetime.is_some() { TOO_QUICK } else { "no" }));
        assert_eq!(
            sim.log().last().map(String::as_str),
            Some("Info gave up: web entered FATAL state, too many start retries too quickly")
        );
        let last = events_of(&sim, "web");
        let counted = format!("BACKOFF from STARTING tries:{}", tries.len());
        assert_eq!(last[last.len() - 2..], [counted.as_str(), "FATAL from BACKOFF"]);
    }
}

#[test]
fn a_start_that_works_clears_the_count_proc_013() {
    let plans = [Plan::fails("no"), Plan::exits(secs(5), 9), Plan::fails("no"), Plan::runs()];
    let mut sim = begun(|_| {}, plans);
    sim.advance(secs(60));
    assert_eq!(sim.state("web"), StateName::Running);
    assert_eq!(sim.process("web").map(upkeep_core::Process::failures), Some(0));
    let tries: Vec<&str> =
        events_of(&sim, "web").into_iter().filter(|event| event.contains("tries")).collect();
    assert_eq!(
        tries,
        [
            "STARTING from STOPPED tries:0",
            "BACKOFF from STARTING tries:1",
            "STARTING from BACKOFF tries:1",
            "STARTING from EXITED tries:0",
            "BACKOFF from STARTING tries:1",
            "STARTING from BACKOFF tries:1",
        ]
    );
}

#[test]
fn only_a_start_request_leaves_fatal_stopped_and_exited_proc_010_proc_022_proc_031() {
    for state in [StateName::Fatal, StateName::Stopped, StateName::Exited] {
        let mut sim = standing(state);
        let before = sim.launches().len();
        sim.advance(secs(100_000));
        assert_eq!((sim.state("web"), sim.launches().len()), (state, before), "{state:?} stays");
        sim.plan("web", [Plan::runs()]);
        assert_eq!(ask(&mut sim, Ask::start("web").without_waiting()), Some(Ok(())));
        assert_eq!(sim.launches().len(), before + 1);
    }
}

#[test]
fn autostart_happens_once_proc_010() {
    let mut sim = begun(|spec| spec.autorestart = Autorestart::Always, [Plan::runs()]);
    sim.advance(secs(5));
    sim.request(Ask::stop("web"));
    sim.advance(secs(100_000));
    assert_eq!(sim.state("web"), StateName::Stopped);
    assert_eq!(sim.forks("web"), 1);
}

#[test]
fn a_new_start_clears_what_the_last_one_left_proc_011() {
    let mut sim = standing(StateName::Fatal);
    assert!(sim.process("web").is_some_and(|process| process.spawnerr().is_some()));
    sim.plan("web", [Plan::runs()]);
    sim.request(Ask::start("web").without_waiting());
    let process = sim.process("web").expect("web is there");
    assert_eq!((process.spawnerr(), process.exitstatus()), (None, None));
    assert_eq!(process.started(), sim.now().wall);
}

#[test]
fn the_event_comes_before_the_attempt_proc_011() {
    use upkeep_core::{Effect, Event, Input, Now, Supervisor};
    let mut core = Supervisor::new();
    core.handle(Now::default(), Input::Setup(crate::scene::alone(web(|_| {}))));
    core.handle(Now::default(), Input::Begin { recovered: false });
    let effects: Vec<Effect> = std::iter::from_fn(|| core.poll_effect()).collect();
    let event =
        effects.iter().position(|effect| matches!(effect, Effect::Publish(Event::ProcessState { .. })));
    let spawn = effects.iter().position(|effect| matches!(effect, Effect::Spawn { .. }));
    assert!(event.is_some() && event < spawn, "{effects:?}");
}

#[test]
fn only_who_has_a_child_has_a_pid_proc_033() {
    for state in ALL {
        let sim = standing(state);
        let lives = matches!(
            state,
            StateName::Starting | StateName::Running | StateName::Stopping | StateName::Unknown
        );
        let pid = sim.process("web").map_or(0, upkeep_core::Process::pid);
        assert_eq!(pid, if lives { 101 } else { 0 }, "{state:?}");
    }
    let sim = begun(|_| {}, [Plan::runs().launched_after(secs(1))]);
    assert_eq!(sim.process("web").map(upkeep_core::Process::pid), Some(0), "STARTING before the fork");
}

#[test]
fn start_and_stop_times_proc_034() {
    let mut sim = begun(|_| {}, [Plan::fails("no"), Plan::runs()]);
    let begun_at = sim.now().wall;
    let times = |sim: &Sim| sim.process("web").map(|process| (process.started(), process.stopped()));
    assert_eq!(times(&sim), Some((begun_at, 0)), "a failed attempt is a start, and no stop");
    sim.advance(secs(4));
    assert_eq!(times(&sim), Some((begun_at + 1, 0)));
    sim.request(Ask::stop("web"));
    assert_eq!(times(&sim), Some((begun_at + 1, begun_at + 4)), "every end is a stop");
}

#[test]
fn an_attempt_that_never_forked_has_no_stop_time_proc_034() {
    let mut sim = standing(StateName::Backoff);
    sim.request(Ask::stop("web"));
    assert_eq!(sim.state("web"), StateName::Stopped);
    assert_eq!(sim.process("web").map(upkeep_core::Process::stopped), Some(0));
}

/// PROC-001…008.
#[test]
fn state_classes_proc_001_to_008() {
    use StateName::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
    for (state, running, stopped, signallable) in [
        (Stopped, false, true, false),
        (Starting, true, false, true),
        (Running, true, false, true),
        (Backoff, true, false, false),
        (Stopping, false, false, true),
        (Exited, false, true, false),
        (Fatal, false, true, false),
        (Unknown, false, true, false),
    ] {
        let classes = (state.is_running(), state.is_stopped(), state.is_signallable());
        assert_eq!(classes, (running, stopped, signallable), "{state:?}");
    }
}

#[test]
fn how_an_end_is_told_proc_307() {
    let death = |number, core| RunEnd::Signal { signal: signal::Signal(number), core };
    for (end, text) in [
        (RunEnd::Code(0), "exit status 0"),
        (RunEnd::Code(255), "exit status 255"),
        (death(15, false), "terminated by SIGTERM"),
        (death(11, true), "terminated by SIGSEGV (core dumped)"),
        (death(35, false), "terminated by signal 35"),
        (RunEnd::Unknown(0xffff), "unknown termination cause 0xffff"),
    ] {
        assert_eq!(end.to_string(), text);
    }
}
