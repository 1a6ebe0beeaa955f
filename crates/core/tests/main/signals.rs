//! Stopping and signalling (section 5, and PROC-023 … PROC-030).

use upkeep_core::spec::ProcessSpec;
use upkeep_core::{Refusal, RunEnd, StateName, signal};
use upkeep_sim::{Ask, Did, Plan, Signalling, Sim, millis, secs};

use crate::scene::{answer, ask, begun, events_of, names, standing};

/// What a process's children went through: `15` a signal to the child, `-15` to its group, `x` its end.
fn treatment(sim: &Sim) -> Vec<(u128, String)> {
    let zero = sim.deeds().first().map(|deed| deed.at).unwrap_or_default();
    let text = |did: Did| match did {
        Did::Signal { signal, group: false } => Some(signal.0.to_string()),
        Did::Signal { signal, group: true } => Some((-signal.0).to_string()),
        Did::End(_) => Some("x".to_owned()),
        Did::Fork | Did::FailToFork => None,
    };
    let deeds = sim.deeds().iter();
    deeds.filter_map(|deed| Some((deed.at.since(zero).as_millis(), text(deed.did)?))).collect()
}

/// PROC-023…025, PROC-080…082.
#[test]
fn how_a_stop_goes_proc_023_to_025_proc_080_to_082() {
    type Row = (&'static str, fn(&mut ProcessSpec), Plan, &'static [(u128, &'static str)]);
    let deaf = || Plan::runs().ignoring(&[signal::TERM]);
    let rows: [Row; 9] = [
        ("proc_023", |_| {}, Plan::runs().lingering(secs(3)), &[(5000, "15"), (8000, "x")]),
        (
            "proc_023: stopsignal",
            |spec| spec.stopsignal = signal::INT,
            Plan::runs(),
            &[(5000, "2"), (5000, "x")],
        ),
        ("proc_025", |_| {}, deaf(), &[(5000, "15"), (15000, "9"), (15000, "x")]),
        ("proc_025: at once", |s| s.stopwaitsecs = 0, deaf(), &[(5000, "15"), (5000, "9"), (5000, "x")]),
        (
            "cfg_147: below zero is zero",
            |s| s.stopwaitsecs = -3,
            deaf(),
            &[(5000, "15"), (5000, "9"), (5000, "x")],
        ),
        (
            "proc_025, proc_087: again and again",
            |spec| spec.stopwaitsecs = 4,
            Plan::runs().ignoring(&[signal::TERM, signal::KILL]),
            &[(5000, "15"), (9000, "9"), (13000, "9"), (17000, "9"), (21000, "9"), (25000, "9")],
        ),
        (
            "proc_080: stopasgroup",
            |spec| (spec.stopasgroup, spec.killasgroup) = (true, true),
            deaf(),
            &[(5000, "-15"), (15000, "-9"), (15000, "x")],
        ),
        (
            "proc_081, proc_082: killasgroup alone",
            |spec| spec.killasgroup = true,
            deaf(),
            &[(5000, "15"), (15000, "-9"), (15000, "x")],
        ),
        (
            "proc_080: stopasgroup alone",
            |s| s.stopasgroup = true,
            deaf(),
            &[(5000, "-15"), (15000, "9"), (15000, "x")],
        ),
    ];
    for (rule, options, plan, expected) in rows {
        let mut sim = begun(options, [plan]);
        sim.advance(secs(5));
        sim.request(Ask::stop("web"));
        sim.advance(secs(22));
        let expected: Vec<(u128, String)> =
            expected.iter().map(|&(at, what)| (at, what.to_owned())).collect();
        assert_eq!(treatment(&sim), expected, "{rule}");
    }
}

#[test]
fn with_no_time_to_stop_sigkill_comes_once_a_second_proc_025_proc_087() {
    let mut sim = begun(|spec| spec.stopwaitsecs = 0, [Plan::runs().ignoring(&[signal::TERM, signal::KILL])]);
    sim.advance(secs(5));
    sim.request(Ask::stop("web").without_waiting());
    sim.advance(millis(2500));
    assert_eq!(names(&sim.signals("web")), ["SIGTERM", "SIGKILL", "SIGKILL", "SIGKILL"]);
}

#[test]
fn the_log_of_a_stop_proc_306_proc_309_to_311() {
    let mut sim = begun(|_| {}, [Plan::runs().ignoring(&[signal::TERM])]);
    sim.advance(secs(5));
    sim.request(Ask::stop("web"));
    sim.advance(secs(60));
    assert_eq!(
        sim.log()[2..],
        [
            "Debug killing web (pid 101) with signal SIGTERM",
            "Info waiting for web to stop",
            "Info waiting for web to stop",
            "Info waiting for web to stop",
            "Info waiting for web to stop",
            "Info waiting for web to stop",
            "Info waiting for web to stop",
            "Warn killing 'web' (101) with SIGKILL",
            "Debug killing web (pid 101) with signal SIGKILL",
            "Warn stopped: web (terminated by SIGKILL)",
        ]
    );
}

#[test]
fn the_log_of_a_group_stop_proc_311() {
    let mut sim = begun(|spec| spec.stopasgroup = true, [Plan::runs()]);
    sim.advance(secs(5));
    sim.request(Ask::stop("web").without_waiting());
    let log = sim.log();
    assert_eq!(log[2], "Debug killing web (pid 101) process group with signal SIGTERM");
}

#[test]
fn waiting_is_told_at_once_and_every_two_seconds_of_each_stop_proc_309() {
    let mut sim = begun(|_| {}, [Plan::runs().lingering(millis(500)), Plan::runs().lingering(millis(500))]);
    for _ in 0..2 {
        sim.advance(millis(1100));
        let before = sim.log().len();
        sim.request(Ask::stop("web"));
        assert_eq!(sim.log()[before + 1], "Info waiting for web to stop");
        sim.advance(millis(500));
        assert_eq!(sim.state("web"), StateName::Stopped);
        sim.request(Ask::start("web").without_waiting());
    }
}

#[test]
fn nobody_waits_nothing_is_told_proc_309() {
    let mut sim = standing(StateName::Stopping);
    sim.advance(secs(4));
    assert!(!sim.log().iter().any(|line| line.contains("waiting")), "{:?}", sim.log());
}

#[test]
fn a_stopped_process_keeps_its_code_proc_024() {
    let died = RunEnd::Signal { signal: signal::TERM, core: false };
    for (code, end, level, status) in [
        (None, died, "Warn", -1),
        (Some(0), RunEnd::Code(0), "Info", 0),
        (Some(7), RunEnd::Code(7), "Warn", 7),
    ] {
        let plan = code.map_or(Plan::runs(), |code| Plan::runs().returning(code));
        let mut sim = begun(|_| {}, [plan]);
        sim.advance(secs(5));
        sim.request(Ask::stop("web"));
        assert_eq!(sim.state("web"), StateName::Stopped);
        let process = sim.process("web").expect("web is there");
        assert_eq!((process.exitstatus(), process.spawnerr()), (Some(status), None));
        assert_eq!(sim.log().last(), Some(&format!("{level} stopped: web ({end})")));
        assert_eq!(
            events_of(&sim, "web")[2..],
            ["STOPPING from RUNNING pid:101", "STOPPED from STOPPING pid:101"]
        );
    }
}

#[test]
fn a_stop_in_backoff_is_immediate_and_clears_the_count_proc_026_d_63() {
    let mut sim = begun(|_| {}, [Plan::fails("no")]);
    sim.advance(millis(1500));
    assert_eq!(sim.process("web").map(upkeep_core::Process::failures), Some(2));
    assert_eq!(ask(&mut sim, Ask::stop("web")), Some(Ok(())));
    let events = events_of(&sim, "web");
    assert_eq!(events.last(), Some(&"STOPPED from BACKOFF pid:0"));
    assert_eq!(
        sim.log().last().map(String::as_str),
        Some("Debug Attempted to kill web, which is in BACKOFF state.")
    );
    sim.advance(secs(100));
    assert_eq!(sim.state("web"), StateName::Stopped, "the retry is off");
    sim.request(Ask::start("web").without_waiting());
    let events = events_of(&sim, "web");
    assert_eq!(
        events[events.len() - 2..],
        ["STARTING from STOPPED tries:0", "BACKOFF from STARTING tries:1"]
    );
}

#[test]
fn a_stop_between_tries_clears_the_count_too_d_63() {
    for plan in
        [Plan::runs(), Plan::runs().launched_after(secs(1)), Plan::fails("no").launched_after(secs(1))]
    {
        let mut sim = begun(|_| {}, [Plan::fails("no"), plan]);
        sim.advance(millis(1100));
        assert_eq!(sim.state("web"), StateName::Starting);
        sim.request(Ask::stop("web"));
        sim.advance(secs(5));
        assert_eq!(sim.state("web"), StateName::Stopped);
        assert_eq!(sim.process("web").map(upkeep_core::Process::failures), Some(0));
    }
}

#[test]
fn a_stop_before_the_fork_ends_the_child_as_soon_as_it_is_there_proc_023() {
    let mut sim = begun(|_| {}, [Plan::runs().launched_after(secs(3))]);
    sim.advance(secs(1));
    let (waits, hurries) = (sim.request(Ask::stop("web")), sim.request(Ask::stop("web").without_waiting()));
    assert_eq!(answer(&sim, hurries), Some(Err(Refusal::NotRunning("web".to_owned()))));
    sim.advance(secs(1));
    assert_eq!((sim.state("web"), answer(&sim, waits)), (StateName::Stopping, None));
    sim.advance(secs(1));
    assert_eq!((sim.state("web"), answer(&sim, waits)), (StateName::Stopped, Some(Ok(()))));
    assert_eq!(
        events_of(&sim, "web"),
        ["STARTING from STOPPED tries:0", "STOPPING from STARTING pid:0", "STOPPED from STOPPING pid:101"]
    );
}

#[test]
fn a_stop_before_a_failed_fork_ends_stopped_proc_023() {
    let mut sim = begun(|_| {}, [Plan::fails("no").launched_after(secs(3))]);
    let call = sim.request(Ask::stop("web"));
    sim.advance(secs(3));
    assert_eq!((sim.state("web"), answer(&sim, call)), (StateName::Stopped, Some(Ok(()))));
    assert_eq!(sim.signals("web"), []);
}

#[test]
fn a_stop_that_is_denied_leaves_it_unknown_proc_028_proc_029_proc_317() {
    let failed = || {
        let text = "unknown problem killing web (101):[Errno 1] Operation not permitted";
        Some(Err(Refusal::Failed(text.to_owned())))
    };
    for wait in [true, false] {
        let mut sim = begun(|_| {}, [Plan::runs().signalling(Signalling::Denied)]);
        sim.advance(secs(5));
        let stop = if wait { Ask::stop("web") } else { Ask::stop("web").without_waiting() };
        assert_eq!(ask(&mut sim, stop), failed(), "wait={wait}");
        assert_eq!(sim.state("web"), StateName::Unknown);
        let last = sim.log();
        assert!(last.iter().any(|line| line.starts_with("Critical unknown problem killing web (101):")));
        assert_eq!(events_of(&sim, "web").last(), Some(&"UNKNOWN from STOPPING"));
        sim.advance(secs(1000));
        assert_eq!(sim.state("web"), StateName::Unknown, "no SIGKILL is tried");
    }
}

#[test]
fn unknown_ends_when_the_child_does_d_07() {
    let mut sim = standing(StateName::Unknown);
    assert!(sim.end_child("web", RunEnd::Code(1)));
    assert_eq!(sim.state("web"), StateName::Exited);
    assert_eq!(events_of(&sim, "web").last(), Some(&"EXITED from UNKNOWN expected:0 pid:101"));
    sim.advance(secs(1000));
    assert_eq!(sim.forks("web"), 1, "it was asked to stop: it does not start again by itself");
    sim.plan("web", [Plan::runs()]);
    assert_eq!(ask(&mut sim, Ask::start("web").without_waiting()), Some(Ok(())));
}

#[test]
fn gone_when_signalled_stays_stopping_until_reaped_proc_030() {
    let plan = Plan::exits(secs(6), 0).signalling(Signalling::Gone);
    let mut sim = begun(|_| {}, [plan]);
    sim.advance(secs(5));
    let call = sim.request(Ask::stop("web"));
    assert_eq!((sim.state("web"), answer(&sim, call)), (StateName::Stopping, None));
    let line =
        "Debug unable to signal web (pid 101), it probably just exited on its own: [Errno 3] No such process";
    assert!(sim.log().iter().any(|other| other == line), "{:?}", sim.log());
    sim.advance(secs(1));
    assert_eq!((sim.state("web"), answer(&sim, call)), (StateName::Stopped, Some(Ok(()))));
}

#[test]
fn an_asked_signal_goes_to_the_child_alone_proc_083_proc_312() {
    let mut sim = begun(
        |spec| (spec.stopasgroup, spec.killasgroup) = (true, true),
        [Plan::runs().ignoring(&[signal::HUP])],
    );
    sim.advance(secs(5));
    assert_eq!(ask(&mut sim, Ask::signal("web", "hup")), Some(Ok(())));
    assert_eq!(treatment(&sim), [(5000, "1".to_owned())]);
    assert_eq!(sim.log().last().map(String::as_str), Some("Debug sending web (pid 101) sig SIGHUP"));
    assert_eq!(sim.state("web"), StateName::Running);
}

#[test]
fn an_asked_signal_that_ends_it_is_an_exit_like_any_other_proc_018() {
    let mut sim = begun(|_| {}, [Plan::runs()]);
    sim.advance(secs(5));
    sim.request(Ask::signal("web", "TERM"));
    assert_eq!((sim.state("web"), sim.forks("web")), (StateName::Starting, 2));
}

#[test]
fn a_process_that_exits_while_its_stop_is_on_the_way_is_stopped_proc_024() {
    let mut sim = begun(|_| {}, [Plan::exits(secs(6), 3).ignoring(&[signal::TERM])]);
    sim.advance(secs(5));
    let call = sim.request(Ask::stop("web"));
    sim.advance(secs(2));
    assert_eq!((sim.state("web"), answer(&sim, call)), (StateName::Stopped, Some(Ok(()))));
    assert_eq!(sim.forks("web"), 1, "an unexpected code restarts nothing that was asked to stop");
}
