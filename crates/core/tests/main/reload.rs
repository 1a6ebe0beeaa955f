//! What a new configuration changes, and what that costs (CFG-422, D-37).

use std::sync::Arc;

use upkeep_core::Timetable;
use upkeep_core::event::EventKind;
use upkeep_core::reload::{Difference, Kind, difference};
use upkeep_core::signal;
use upkeep_core::spec::{
    Autorestart, Bounds, Cgroup, Condition, Confinement, Dependency, GroupKind, GroupSpec, Hooks, Ionice,
    ListenerSpec, LogRules, LogTarget, MemoryAction, MemoryLimit, Missed, OnDependencyStop, OnGiveup,
    OutputSpec, Overlap, ProcessSpec, Resource, RestartPolicy, Rlimit, Schedule, SocketAddress, SocketSpec,
    StdinKind, StopStep, Target, WatchAction, WatchSpec,
};

use crate::scene::{alone, group, web};

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

/// Names every field, so that a new one does not compile before it has its row below.
fn every_field(spec: &ProcessSpec) {
    let ProcessSpec {
        name: _,
        section: _,
        command: _,
        priority: _,
        autostart: _,
        autorestart: _,
        startsecs: _,
        startretries: _,
        restart,
        exitcodes: _,
        stopsignal: _,
        stopwaitsecs: _,
        stop_sequence: _,
        hooks: _,
        stopasgroup: _,
        killasgroup: _,
        uid: _,
        umask: _,
        directory: _,
        redirect_stderr: _,
        stdin: _,
        stdout:
            OutputSpec {
                target: _,
                maxbytes: _,
                backups: _,
                capture_maxbytes: _,
                events_enabled: _,
                syslog: _,
                rules: _,
            },
        stderr: _,
        environment: _,
        depends_on: _,
        on_dependency_stop: _,
        watch: _,
        schedule: _,
        health: _,
        rolling: _,
        socket: _,
        serverurl: _,
        confinement: _,
        bounds: _,
    } = spec;
    let RestartPolicy {
        delay: _,
        delay_max: _,
        backoff_thousandths: _,
        jitter_percent: _,
        limit: _,
        per_day: _,
        window: _,
        reset_after: _,
        on_giveup: _,
    } = **restart;
}

fn policy(spec: &mut ProcessSpec) -> &mut RestartPolicy {
    Arc::make_mut(&mut spec.restart)
}

#[test]
fn what_each_option_costs_d_37_cfg_422() {
    type Change = fn(&mut ProcessSpec);
    let rows: &[(&str, Kind, Change)] = &[
        ("nothing", Kind::None, |_| {}),
        ("section", Kind::None, |spec| spec.section = "program:other".into()),
        ("name", Kind::Restart, |spec| spec.name = "other".to_owned()),
        ("command", Kind::Restart, |spec| spec.command = "other".to_owned()),
        ("directory", Kind::Restart, |spec| spec.directory = Some("/".to_owned())),
        ("user", Kind::Restart, |spec| spec.uid = Some(1)),
        ("umask", Kind::Restart, |spec| spec.umask = Some(0o77)),
        ("serverurl", Kind::Restart, |spec| spec.serverurl = Some("unix:///s".to_owned())),
        ("stdin", Kind::Restart, |spec| spec.stdin = StdinKind::Null),
        ("redirect_stderr", Kind::Restart, |spec| spec.redirect_stderr = true),
        ("socket", Kind::Restart, |spec| spec.socket = socket("tcp://h:1", None)),
        ("environment", Kind::Restart, |spec| drop(spec.environment.insert("A".to_owned(), "1".to_owned()))),
        ("priority", Kind::Live, |spec| spec.priority = 1),
        ("autostart", Kind::Live, |spec| spec.autostart = false),
        ("autorestart", Kind::Live, |spec| spec.autorestart = Autorestart::Always),
        ("startsecs", Kind::Live, |spec| spec.startsecs = 9),
        ("startretries", Kind::Live, |spec| spec.startretries = 9),
        ("restart_delay", Kind::Live, |spec| policy(spec).delay = SECOND),
        ("restart_delay_max", Kind::Live, |spec| policy(spec).delay_max = Some(SECOND)),
        ("restart_backoff", Kind::Live, |spec| policy(spec).backoff_thousandths = 1000),
        ("restart_jitter", Kind::Live, |spec| policy(spec).jitter_percent = 1),
        ("restart_limit", Kind::Live, |spec| policy(spec).limit = Some(1)),
        ("max_restarts_per_day", Kind::Live, |spec| policy(spec).per_day = Some(1)),
        ("max_runtime, memory_limit", Kind::Live, |spec| spec.bounds = Some(Arc::default())),
        ("rlimit_nofile and its like", Kind::Restart, |spec| spec.confinement = Some(Arc::default())),
        ("restart_window", Kind::Live, |spec| policy(spec).window = SECOND),
        ("restart_reset_after", Kind::Live, |spec| policy(spec).reset_after = SECOND),
        ("on_giveup", Kind::Live, |spec| policy(spec).on_giveup = OnGiveup::Shutdown),
        ("exitcodes", Kind::Live, |spec| spec.exitcodes = [0, 1].into()),
        ("stopsignal", Kind::Live, |spec| spec.stopsignal = signal::INT),
        ("stopwaitsecs", Kind::Live, |spec| spec.stopwaitsecs = 9),
        ("stop_sequence", Kind::Live, |spec| {
            spec.stop_sequence = vec![StopStep { signal: signal::INT, wait: SECOND }];
        }),
        ("pre_start", Kind::Live, |spec| {
            spec.hooks = Some(Box::new(Hooks { pre_start: Some("a".to_owned()), ..Hooks::default() }));
        }),
        ("stopasgroup", Kind::Live, |spec| spec.stopasgroup = true),
        ("killasgroup", Kind::Live, |spec| spec.killasgroup = true),
        ("depends_on", Kind::Live, |spec| {
            let target = Target { group: "db".to_owned(), process: None };
            let (name, condition) = ("db".to_owned(), Condition::Running);
            spec.depends_on = [Dependency { name, targets: vec![target], condition }].into();
        }),
        ("on_dependency_stop", Kind::Live, |spec| spec.on_dependency_stop = OnDependencyStop::Stop),
        ("watch", Kind::Live, |spec| {
            let (patterns, ignore_names, ignore_paths) = (Vec::new(), Vec::new(), Vec::new());
            let (action, debounce) = (WatchAction::Restart, SECOND);
            spec.watch = Some(Arc::new(WatchSpec { patterns, ignore_names, ignore_paths, action, debounce }));
        }),
        ("schedule", Kind::Live, |spec| spec.schedule = Some(Arc::new(hourly()))),
        ("health_check", Kind::Live, |spec| spec.health = Some(Arc::default())),
        ("update_strategy", Kind::Live, |spec| spec.rolling = Some(Arc::default())),
        ("stdout_logfile", Kind::Live, |spec| spec.stdout.target = LogTarget::File("/other".to_owned())),
        ("stdout_logfile NONE", Kind::Live, |spec| spec.stdout.target = LogTarget::None),
        ("stdout_logfile_maxbytes", Kind::Live, |spec| spec.stdout.maxbytes = 1),
        ("stdout_logfile_backups", Kind::Live, |spec| spec.stdout.backups = 1),
        ("stdout_capture_maxbytes", Kind::Live, |spec| spec.stdout.capture_maxbytes = 1),
        ("stdout_events_enabled", Kind::Live, |spec| spec.stdout.events_enabled = true),
        ("stdout_syslog", Kind::Live, |spec| spec.stdout.syslog = true),
        ("stdout_logfile_rotate and its like", Kind::Live, |spec| {
            spec.stdout.rules = Some(Arc::new(LogRules { gzip: true, ..LogRules::default() }));
        }),
        ("stderr_logfile_rotate and its like", Kind::Live, |spec| {
            spec.stderr.rules = Some(Arc::new(LogRules { dated: true, ..LogRules::default() }));
        }),
        ("stderr_logfile_maxbytes", Kind::Live, |spec| spec.stderr.maxbytes = 1),
        ("stderr_logfile_backups", Kind::Live, |spec| spec.stderr.backups = 1),
        ("stderr_capture_maxbytes", Kind::Live, |spec| spec.stderr.capture_maxbytes = 1),
        ("stderr_events_enabled", Kind::Live, |spec| spec.stderr.events_enabled = true),
        ("stderr_syslog", Kind::Live, |spec| spec.stderr.syslog = true),
        ("the dearest counts", Kind::Restart, |spec| (spec.priority, spec.umask) = (1, Some(0))),
    ];
    let old = web(|spec| spec.stdout.target = LogTarget::File("/log".to_owned()));
    every_field(&old);
    for (option, kind, change) in rows {
        let mut new = old.clone();
        change(&mut new);
        assert_eq!(old.change_to(&new), *kind, "{option}");
        assert_eq!(new.change_to(&old), *kind, "{option}, back");
        let changed =
            !difference(&[alone(old.clone())], &[GroupSpec::plain("web", vec![new])]).changed.is_empty();
        assert_eq!(changed, *kind != Kind::None, "{option}: reread tells what update does");
    }
}

#[derive(Debug)]
struct Hourly;

impl Timetable for Hourly {
    fn next(&self, after: i64) -> Option<i64> {
        Some((after.div_euclid(3600) + 1) * 3600)
    }

    fn show(&self, at: i64) -> String {
        at.to_string()
    }
}

fn hourly() -> Schedule {
    Schedule {
        text: "@hourly".to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::Skip,
        missed: Missed::Skip,
        jitter: std::time::Duration::ZERO,
        table: Arc::new(Hourly),
    }
}

#[test]
fn each_key_of_a_schedule_counts() {
    type Change = fn(&mut Schedule);
    let rows: [(Change, Kind); 6] = [
        (|_| {}, Kind::None),
        (|schedule| schedule.text = "0 * * * *".to_owned(), Kind::Live),
        (|schedule| schedule.timezone = "local".to_owned(), Kind::Live),
        (|schedule| schedule.overlap = Overlap::Kill, Kind::Live),
        (|schedule| schedule.missed = Missed::RunOnce, Kind::Live),
        (|schedule| schedule.jitter = SECOND, Kind::Live),
    ];
    for (change, kind) in rows {
        let mut other = hourly();
        change(&mut other);
        let with = |schedule: Schedule| web(|spec| spec.schedule = Some(Arc::new(schedule)));
        assert_eq!(with(hourly()).change_to(&with(other.clone())), kind, "{other:?}");
    }
}

/// The original gives an active AUTO log its name, and compares no AUTO of the new configuration.
/// What confines a program is for a new process; what bounds its runs, and its hooks, are for this one.
#[test]
fn each_key_of_limits_and_hooks_counts() {
    let confined = |change: fn(&mut Confinement)| {
        let mut confinement = Confinement::default();
        change(&mut confinement);
        let Confinement {
            rlimits: _,
            nice: _,
            ionice: _,
            oom_score_adj: _,
            no_new_privileges: _,
            capability_bounding_set: _,
            ambient_capabilities: _,
            cgroup: _,
            private_tmp: _,
            writable_paths: _,
        } = &confinement;
        ProcessSpec { confinement: Some(Arc::new(confinement)), ..web(|_| {}) }
    };
    let base = confined(|_| {});
    let changes: [fn(&mut Confinement); 12] = [
        |all| all.rlimits = vec![Rlimit { resource: Resource::Core, soft: None, hard: None }],
        |all| all.nice = Some(1),
        |all| all.ionice = Some(Ionice::Idle),
        |all| all.oom_score_adj = Some(1),
        |all| all.no_new_privileges = true,
        |all| all.capability_bounding_set = Some(0),
        |all| all.ambient_capabilities = 1,
        |all| all.cgroup = Some(Cgroup::default()),
        |all| all.cgroup = Some(Cgroup { cpu_limit: Some(1), ..Cgroup::default() }),
        |all| all.cgroup = Some(Cgroup { pids_limit: Some(1), ..Cgroup::default() }),
        |all| all.private_tmp = true,
        |all| all.writable_paths = vec!["/".to_owned()],
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert_eq!(base.change_to(&confined(change)), Kind::Restart, "{at}");
    }
    let memory = |bytes, action, interval| MemoryLimit { bytes, action, interval };
    let bounded =
        |runtime, memory| ProcessSpec { bounds: Some(Arc::new(Bounds { runtime, memory })), ..web(|_| {}) };
    let base = bounded(Some(SECOND), Some(memory(1, MemoryAction::Restart, SECOND)));
    for changed in [
        bounded(None, Some(memory(1, MemoryAction::Restart, SECOND))),
        bounded(Some(SECOND), None),
        bounded(Some(SECOND), Some(memory(2, MemoryAction::Restart, SECOND))),
        bounded(Some(SECOND), Some(memory(1, MemoryAction::Kill, SECOND))),
        bounded(Some(SECOND), Some(memory(1, MemoryAction::Restart, 2 * SECOND))),
        web(|_| {}),
    ] {
        assert_eq!(base.change_to(&changed), Kind::Live, "{:?}", changed.bounds);
    }
}

#[test]
fn auto_logs_differ_one_way_cfg_422() {
    let with = |target: &LogTarget| web(|spec| spec.stderr.target = target.clone());
    let [auto, none, file] = [LogTarget::Auto, LogTarget::None, LogTarget::File("/log".to_owned())];
    for (old, new, kind) in [
        (&auto, &auto, Kind::None),
        (&auto, &file, Kind::Live),
        (&auto, &none, Kind::Live),
        (&file, &auto, Kind::None),
        (&none, &auto, Kind::None),
    ] {
        assert_eq!(with(old).change_to(&with(new)), kind, "{old:?} to {new:?}");
    }
}

fn socket(url: &str, backlog: Option<i64>) -> Option<Arc<SocketSpec>> {
    let address = SocketAddress::Tcp { host: "h".to_owned(), port: 1 };
    Some(Arc::new(SocketSpec { url: url.to_owned(), address, backlog }))
}

fn pool(change: fn(&mut ListenerSpec)) -> GroupSpec {
    let mut listener = ListenerSpec {
        events: vec![EventKind::Tick5],
        result_handler: "supervisor.dispatchers:default_handler".to_owned(),
        ..ListenerSpec::default()
    };
    change(&mut listener);
    GroupSpec { kind: GroupKind::Listener(listener), ..group("g", &["a"]) }
}

fn fcgi(url: &str, backlog: Option<i64>, mode: u32) -> GroupSpec {
    let address = SocketAddress::Unix { path: "/s".to_owned(), owner: None, mode };
    let kind = GroupKind::Fcgi(SocketSpec { url: url.to_owned(), address, backlog });
    GroupSpec { kind, ..group("g", &["a"]) }
}

#[test]
fn what_makes_a_group_another_cfg_422() {
    let plain = || group("g", &["a"]);
    for (what, old, new, changed) in [
        ("nothing", plain(), plain(), false),
        ("priority", plain(), GroupSpec { priority: 1, ..plain() }, true),
        ("one more process", plain(), group("g", &["a", "b"]), true),
        ("one process less", group("g", &["a", "b"]), plain(), true),
        ("order of processes", group("g", &["a", "b"]), group("g", &["b", "a"]), true),
        ("kind", plain(), pool(|_| {}), true),
        ("kind, back", fcgi("unix:///s", None, 0o700), plain(), true),
        ("pool: nothing", pool(|_| {}), pool(|_| {}), false),
        ("buffer_size", pool(|_| {}), pool(|listener| listener.buffer_size = 11), true),
        ("events", pool(|_| {}), pool(|listener| listener.events.push(EventKind::Tick60)), true),
        ("result_handler", pool(|_| {}), pool(|listener| listener.result_handler.push('x')), true),
        ("socket", fcgi("unix:///s", None, 0o700), fcgi("unix:///t", None, 0o700), true),
        (
            "backlog and mode do not count",
            fcgi("unix:///s", None, 0o700),
            fcgi("unix:///s", Some(5), 0o777),
            false,
        ),
    ] {
        let names = if changed { vec!["g".to_owned()] } else { Vec::new() };
        let expected = Difference { changed: names, ..Difference::default() };
        assert_eq!(difference(&[old], &[new]), expected, "{what}");
    }
}

#[test]
fn the_order_of_what_differs_rpc_131() {
    let active = [group("c", &["x"]), group("b", &["x"]), group("a", &["x"]), group("same", &["x"])];
    let new = [group("same", &["x"]), group("e", &["x"]), group("d", &["x"]), group("b", &["y"])];
    let found = difference(&active, &new);
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(found.added, names(&["e", "d"]), "as configured");
    assert_eq!(found.changed, names(&["b"]));
    assert_eq!(found.removed, names(&["c", "a"]), "as active");
}
