//! `schedule` and its like: what they change, in each dialect, and what is said about values that make no sense.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use upkeep_config::{
    CommandLine, Diagnostic, Environment, Host, Lenient, LoadError, Severity, Sources, User, World, check,
    load,
};
use upkeep_core::spec::{Autorestart, GroupSpec, Missed, Overlap, ProcessSpec};

fn with_file<T>(name: &str, text: &str, then: impl FnOnce(&str) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    then(&path.to_string_lossy())
}

fn groups(name: &str, text: &str) -> Result<Vec<GroupSpec>, LoadError> {
    groups_on(&Host, name, text)
}

fn groups_on(world: &dyn World, name: &str, text: &str) -> Result<Vec<GroupSpec>, LoadError> {
    with_file(name, text, |path| {
        let cli = CommandLine { configuration: Some(path.to_owned()), ..CommandLine::default() };
        let sources = Sources::read(&cli, Environment::of_this_process())?;
        Ok(load(&sources, &cli, world)?.groups)
    })
}

/// This machine, and which time zones it was asked for.
#[derive(Default)]
struct Asked(RefCell<Vec<String>>);

impl World for Asked {
    fn user(&self, name: &str) -> Option<User> {
        Host.user(name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        Host.group(name)
    }

    fn is_dir(&self, path: &Path) -> bool {
        Host.is_dir(path)
    }

    fn home(&self, user: Option<&str>) -> Option<PathBuf> {
        Host.home(user)
    }

    fn uid(&self) -> u32 {
        Host.uid()
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        self.0.borrow_mut().push(name.to_owned());
        Host.time_zone(name)
    }

    fn local_time_zone(&self) -> TimeZone {
        self.0.borrow_mut().push("local".to_owned());
        Host.local_time_zone()
    }
}

fn spec(lines: &str) -> Arc<ProcessSpec> {
    let text = format!("[supervisord]\n[program:x]\ncommand=x\n{lines}\n");
    groups("x.conf", &text).expect("loaded")[0].processes[0].clone()
}

fn problems(section: &str, lines: &str) -> Vec<Diagnostic> {
    let text = format!("[supervisord]\n[{section}]\ncommand=x\n{lines}\n");
    with_file("x.conf", &text, |path| {
        check(Some(path), "supervisord", Environment::of_this_process(), &Host).problems
    })
}

#[test]
fn a_schedule_makes_a_job_of_a_program() {
    let plain = spec("");
    assert_eq!((&plain.schedule, plain.startsecs, plain.autorestart), (&None, 1, Autorestart::Unexpected));
    let job = spec("schedule=*/5 * * * *");
    assert_eq!((job.startsecs, job.autorestart, job.autostart), (0, Autorestart::Never, true));
    let told = spec("schedule=*/5 * * * *\nstartsecs=3\nautorestart=unexpected");
    assert_eq!((told.startsecs, told.autorestart), (3, Autorestart::Unexpected));
}

#[test]
fn every_key_is_read() {
    let spec = spec(
        "schedule=0 3 * * *\n  @hourly\nschedule_timezone=Asia/Shanghai\nschedule_overlap=Queue\n\
         schedule_missed=run_once\nschedule_jitter=5m",
    );
    let schedule = spec.schedule.as_ref().expect("there is one");
    assert_eq!((schedule.text.as_str(), schedule.timezone.as_str()), ("0 3 * * *\n@hourly", "Asia/Shanghai"));
    assert_eq!((schedule.overlap, schedule.missed), (Overlap::Queue, Missed::RunOnce));
    assert_eq!(schedule.jitter, Duration::from_mins(5));
    let at = schedule.table.next(1_700_000_000).expect("it comes");
    assert_eq!(schedule.table.show(at), "2023-11-15 07:00:00 CST");
}

#[test]
fn it_is_the_same_in_yaml() {
    let ini = "[supervisord]\n[program:x]\ncommand=x\nschedule=0 3 * * *\n  @hourly\nschedule_jitter=30\n";
    let yaml =
        "programs:\n  x:\n    command: x\n    schedule: [0 3 * * *, \"@hourly\"]\n    schedule_jitter: 30\n";
    let [ini, yaml] =
        [("x.conf", ini), ("x.yaml", yaml)].map(|(name, text)| groups(name, text).expect("loaded"));
    assert_eq!(ini, yaml);
    let one =
        groups("x.yaml", "programs:\n  x:\n    command: x\n    schedule: \"*/5 * * * *\"\n").expect("loaded");
    assert!(one[0].processes[0].schedule.is_some());
}

#[test]
fn copies_share_it() {
    let text =
        "[supervisord]\n[program:x]\ncommand=x\nnumprocs=2\nprocess_name=%(process_num)d\nschedule=@daily\n";
    let groups = groups("x.conf", text).expect("loaded");
    let [first, second] = [0, 1].map(|at| groups[0].processes[at].schedule.clone().expect("there is one"));
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn values_that_make_no_sense_are_named() {
    let five = "write minute, hour, day of month, month and day of week, such as */5 * * * *, or six fields with seconds in front; \
                the command and the time zone have keys of their own";
    for (lines, severity, message, hint) in [
        ("schedule=* * * *", Severity::Error, "not a valid schedule: '* * * *' has 4 fields", five),
        (
            "schedule=",
            Severity::Error,
            "not a valid schedule: it is empty",
            "write a time such as */5 * * * * or @daily, or remove the key",
        ),
        (
            "schedule=61 * * * *",
            Severity::Error,
            "not a valid schedule: '61' is no minute of a schedule",
            "write 0 to 59, with lists 1,5, ranges 1-5 and steps */5",
        ),
        (
            "schedule=@daily\nschedule_timezone=Asia/Shangai",
            Severity::Error,
            "not a known schedule_timezone: 'Asia/Shangai'",
            "did you mean \"Asia/Shanghai\"?",
        ),
        (
            "schedule=@daily\nschedule_timezone=Peking time",
            Severity::Error,
            "not a known schedule_timezone: 'Peking time'",
            "write a name such as Asia/Shanghai or Europe/Berlin, or UTC, or local",
        ),
        (
            "schedule=@daily\nschedule_overlap=qeue",
            Severity::Error,
            "not a valid value for schedule_overlap: 'qeue'",
            "did you mean \"queue\"?",
        ),
        (
            "schedule=@daily\nschedule_missed=later",
            Severity::Error,
            "not a valid value for schedule_missed: 'later'",
            "write one of skip, run_once",
        ),
        (
            "schedule=@daily\nschedule_jitter=2d",
            Severity::Error,
            "not a valid time for schedule_jitter: '2d'",
            "write a day at most",
        ),
        ("schedule_jitter=5", Severity::Warning, "schedule_jitter has no effect without schedule", ""),
        (
            "schedule=@daily\nautorestart=true",
            Severity::Warning,
            "autorestart=true leaves nothing for schedule to start",
            "write unexpected to try a failed run again, or false",
        ),
        ("shedule=@daily", Severity::Error, "shedule is not a known", "did you mean \"schedule\"?"),
    ] {
        let problems = problems("program:x", lines);
        assert_eq!(problems.len(), 1, "{lines}: {problems:?}");
        assert!(problems[0].severity == severity && problems[0].message.contains(message), "{problems:?}");
        assert!(problems[0].line > Some(3), "{lines}: {problems:?}");
        assert_eq!(problems[0].hint.as_deref().unwrap_or_default(), hint, "{lines}");
    }
    let fine = "schedule=@daily\nschedule_timezone=UTC\nschedule_overlap=kill\nschedule_missed=skip\nschedule_jitter=0";
    assert_eq!(problems("program:x", fine), []);
}

#[test]
fn what_all_have_in_common_is_not_for_those_who_serve() {
    for common in ["defaults", "DEFAULT"] {
        let text = format!(
            "[supervisord]\n[{common}]\nschedule=@daily\n[program:x]\ncommand=x\n\
             [eventlistener:y]\ncommand=y\nevents=TICK_5\n"
        );
        let groups = groups("x.conf", &text).expect("loaded");
        let has = |name: &str| {
            let group = groups.iter().find(|group| group.name == name).expect("it is there");
            group.processes[0].schedule.is_some()
        };
        assert_eq!((has("x"), has("y")), (true, false), "{common}");
    }
}

#[test]
fn who_has_to_be_there_all_the_time_has_none() {
    let problems = problems("eventlistener:x", "events=TICK_5\nschedule=@daily");
    let said: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("schedule is not for an event listener, which has to run all the time"),
        "{said:?}"
    );
}

#[test]
fn only_a_schedule_needs_a_time_zone() {
    let asked_for = |keys: &str| {
        let asked = Asked::default();
        let text = format!("[supervisord]\n[program:x]\ncommand=x\n{keys}\n");
        groups_on(&asked, "x.conf", &text).expect("loaded");
        asked.0.take()
    };
    assert_eq!(asked_for(""), [""; 0]);
    assert_eq!(asked_for("schedule=@daily"), ["local"]);
    assert_eq!(asked_for("schedule=@daily\nschedule_timezone=Asia/Shanghai"), ["Asia/Shanghai"]);
}

#[test]
fn a_time_zone_that_has_gone_since_is_utc() {
    let text = "[supervisord]\n[program:x]\ncommand=x\nschedule=@daily\nschedule_timezone=Gone/Away\n";
    groups("x.conf", text).expect_err("nobody knows it");
    let groups = groups_on(&Lenient, "x.conf", text).expect("it was known");
    let schedule = groups[0].processes[0].schedule.as_ref().expect("there is one");
    let at = schedule.table.next(1_700_000_000).expect("it comes");
    assert_eq!(
        (schedule.timezone.as_str(), schedule.table.show(at)),
        ("Gone/Away", "2023-11-15 00:00:00 UTC".into())
    );
}
