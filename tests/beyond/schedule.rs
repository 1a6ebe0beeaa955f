//! Programs on a schedule with real processes. Schedules of seconds, since nobody has a minute.

use jiff::{ToSpan, Zoned};

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::maker::Maker;
use crate::rig::wait::{until, until_true};

/// `other` says that the daemon is up.
fn started(job: &str) -> Daemon {
    let config = format!("[program:other]\ncommand=/bin/cat\n[program:job]\n{job}\n");
    let daemon = Daemon::start(Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["other"]);
    daemon
}

/// The line of `supervisorctl status` about the job, with single blanks.
fn shown(daemon: &Daemon) -> String {
    let said = daemon.ctl(&["status", "job"]);
    said.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn runs(daemon: &Daemon) -> usize {
    daemon.home.read("runs").lines().count()
}

#[test]
fn a_job_runs_again_and_again_until_it_is_stopped() {
    let daemon = started("command=/bin/sh -c 'echo ran >> runs'\nschedule=* * * * * *");
    until_true("three runs", || runs(&daemon) >= 3);
    daemon.wait_log("ran: job for ");
    let line =
        until("a run that has ended", || Some(shown(&daemon)).filter(|line| line.starts_with("job EXITED")));
    assert!(line.contains("; exit status 0 after ") && line.contains("; next run "), "{line}");
    let told = daemon.call("upkeep.getSchedules", &[]);
    assert!(told.contains("<string>* * * * * *</string>") && told.contains("exit status 0"), "{told}");
    let said = daemon.upkeep(&["status", "--json", "job"]);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    let schedule = &json["processes"][0]["schedule"];
    assert_eq!(
        (&schedule["on"], &schedule["last_result"]),
        (&true.into(), &"exit status 0".into()),
        "{json}"
    );
    daemon.ctl(&["stop", "job"]);
    let line = shown(&daemon);
    assert!(line.ends_with("; schedule off"), "{line}");
    daemon.kill_brain();
    let line = shown(&daemon);
    assert!(line.ends_with("; schedule off"), "{line}");
    let before = runs(&daemon);
    assert_eq!(daemon.ctl(&["stop", "job"]).stdout, "job: ERROR (not running)\n");
    assert_eq!(daemon.ctl(&["start", "job"]).stdout, "job: started\n");
    until_true("more runs", || runs(&daemon) >= before + 2);
}

/// A day later, as the status shows it.
fn next_day(at: &Zoned) -> String {
    let there = at.with_time_zone(jiff::tz::TimeZone::system());
    there.saturating_add(1.day()).strftime("%b %d").to_string()
}

/// Its one time today is about to come; daemons die before and after.
#[test]
fn a_run_is_neither_lost_nor_made_twice_with_the_daemon() {
    let daemon = started("command=/bin/sh -c 'echo ran >> runs'\nschedule=@yearly\nschedule_timezone=UTC");
    let at = until("a time that the daemon has heard of before it came", || {
        let at = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC) + 3.seconds();
        let schedule = format!("schedule={}\n", at.strftime("%S %M %H * * *"));
        let config = daemon.home.read("supervisord.conf");
        let old = config.lines().find(|line| line.starts_with("schedule=")).unwrap_or_default();
        daemon.home.write("supervisord.conf", &config.replace(&format!("{old}\n"), &schedule));
        daemon.ctl(&["update"]);
        let too_late = format!("job STOPPED Not started; next run {}", next_day(&at));
        (!shown(&daemon).starts_with(&too_late)).then_some(at)
    });
    until_true("the run", || {
        daemon.kill_brain();
        runs(&daemon) > 0
    });
    daemon.kill_brain();
    daemon.wait("EXITED", &["job"]);
    assert_eq!(runs(&daemon), 1);
    assert!(shown(&daemon).contains(&format!("; next run {}", next_day(&at))), "{}", shown(&daemon));
}

#[test]
fn a_run_that_is_due_ends_the_one_before() {
    let daemon = started(
        "command=/bin/sh -c 'echo ran >> runs; exec sleep 1000'\nschedule=* * * * * *\nschedule_overlap=kill",
    );
    until_true("three runs", || runs(&daemon) >= 3);
    daemon.wait_log("due: job is still RUNNING, it is stopped and started again (schedule_overlap)");
}

#[test]
fn a_daemon_that_ends_with_its_programs_waits_for_those_that_come_again() {
    let text = "[supervisord]\nexit_when=all-exited\n[program:once]\ncommand=true\nstartsecs=0\nautorestart=false\n\
                [program:job]\ncommand=true\nschedule=@yearly\n";
    let mut daemon = Daemon::start(Maker::Upkeep, text);
    daemon.wait("EXITED", &["once"]);
    assert!(shown(&daemon).starts_with("job STOPPED Not started; next run Jan 01"), "{}", shown(&daemon));
    daemon.ctl(&["start", "job"]);
    daemon.wait("EXITED", &["job"]);
    // Nothing comes any more: the end, which may be there before the answer.
    let _ = daemon.ctl(&["stop", "job"]);
    let _ = daemon.ctl(&["start", "once"]);
    assert_eq!(daemon.wait_for_end(), Some(0));
}

/// What was planned is written down beside the pid file, and a daemon that starts later goes by it. Somebody sets the clock of
/// that file, since nobody has a year.
#[test]
fn a_run_that_was_missed_while_there_was_no_daemon_is_made_up_for() {
    let job = "[program:job]\ncommand=/bin/sh -c 'echo ran >> runs'\nschedule=@yearly\n";
    let mut daemon = Daemon::start(Maker::Upkeep, &format!("{job}schedule_missed=run_once\n"));
    let plans = || daemon.home.read("supervisord.pid.schedules");
    until_true("a plan", || plans().contains("\"name\":\"job\""));
    daemon.ctl(&["shutdown"]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    daemon.start_again();
    daemon.wait("STOPPED", &["job"]);
    daemon.ctl(&["shutdown"]);
    assert_eq!((daemon.wait_for_end(), runs(&daemon)), (Some(0), 0), "its time has not come");
    let text = daemon.home.read("supervisord.pid.schedules");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["runs"][0]["next"] = 1_000_000_000.into();
    daemon.home.write("supervisord.pid.schedules", &json.to_string());
    daemon.start_again();
    until_true("the run", || runs(&daemon) == 1);
    daemon.wait("EXITED", &["job"]);
    // Nobody asks for it any more.
    let config = daemon.home.read("supervisord.conf").replace("schedule_missed=run_once\n", "");
    daemon.home.write("supervisord.conf", &config);
    daemon.ctl(&["update"]);
    until_true("the file to go", || !daemon.home.join("supervisord.pid.schedules").exists());
    assert_eq!(runs(&daemon), 1);
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let socket = "examples/run/schedule.sock";
    let daemon = Daemon::start_with(home, Maker::Upkeep, "examples/schedule.conf", socket, &[]);
    daemon.wait("EXITED", &["ticker"]);
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
    let said = daemon.ctl(&["status"]).stdout;
    let line = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("backup").contains("Not started; next run "), "{said}");
    assert!(line("report").contains("Not started; next run "), "{said}");
    assert!(line("laravel").contains("Not started; schedule off"), "{said}");
}
