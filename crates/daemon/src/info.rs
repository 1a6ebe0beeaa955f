//! How a process looks to those who ask: the fields and the description of `getProcessInfo` (RPC-084 … RPC-094).

use std::fmt::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use upkeep_api::{ConfigInfo, LogFile, OutputInfo, ProcessState, ProcessView};
use upkeep_core::spec::{Autorestart, GroupSpec, LogTarget, OutputSpec, ProcessSpec};
use upkeep_core::{Now, Obstacle, Process, Span, State, StateName};
use upkeep_logs::local_zone;

use crate::health;
use crate::logfiles::LogPaths;

/// Larger times are shown as this: XML-RPC integers have 32 bits (RPC-085).
const MAX_TIME: i64 = 2_147_483_647;

pub(crate) fn state_of(name: StateName) -> ProcessState {
    match name {
        StateName::Stopped => ProcessState::Stopped,
        StateName::Starting => ProcessState::Starting,
        StateName::Running => ProcessState::Running,
        StateName::Backoff => ProcessState::Backoff,
        StateName::Stopping => ProcessState::Stopping,
        StateName::Exited => ProcessState::Exited,
        StateName::Fatal => ProcessState::Fatal,
        StateName::Unknown => ProcessState::Unknown,
    }
}

/// Tells how processes look at one moment.
#[derive(Debug)]
pub(crate) struct Teller {
    now: Now,
    /// The last description, whose place the next one takes.
    description: String,
    /// The last time that a process has been up for, as seconds and as text: many are as old as the one before.
    uptime: Option<(i64, String)>,
    /// The last time of a stop that was written out, as minutes and as text.
    stopped: Option<(i64, String)>,
    /// The same of a next run.
    next: Option<(i64, String)>,
}

impl Teller {
    pub(crate) fn new(now: Now) -> Self {
        Self { now, description: String::new(), uptime: None, stopped: None, next: None }
    }

    /// `auto` are its AUTO logs, `note` comes last in its description.
    pub(crate) fn tell<'a>(
        &'a mut self,
        process: &'a Process,
        auto: Option<&'a LogPaths>,
        obstacle: Option<Obstacle>,
        note: Option<&str>,
    ) -> ProcessView<'a> {
        self.describe(process);
        if let Some(obstacle) = obstacle {
            // Writing to a String cannot fail.
            let _ = write!(self.description, "{obstacle}");
        }
        if process.health().is_some() || process.spec().health.is_some() {
            health::describe(process, &mut self.description);
        }
        if let Some(note) = note {
            let gap = if self.description.is_empty() { "" } else { "; " };
            let _ = write!(self.description, "{gap}{note}");
        }
        let [stdout, stderr] = LogPaths::borrowed(process.spec(), auto);
        ProcessView {
            name: process.name(),
            group: process.group(),
            start: process.started().min(MAX_TIME),
            stop: process.stopped().min(MAX_TIME),
            now: self.now.wall.min(MAX_TIME),
            state: state_of(process.state().name()),
            spawnerr: process.spawnerr().unwrap_or_default(),
            exitstatus: process.exitstatus().unwrap_or(0),
            stdout_logfile: stdout.unwrap_or_default(),
            stderr_logfile: stderr.unwrap_or_default(),
            pid: process.pid(),
            description: &self.description,
        }
    }

    fn describe(&mut self, process: &Process) {
        self.description.clear();
        match process.state().name() {
            StateName::Running => {
                // Without formatting, which takes longer: it is done for each process of a long list.
                self.description.push_str("pid ");
                self.description.push_str(itoa::Buffer::new().format(process.pid()));
                self.description.push_str(", uptime ");
                let seconds = self.now.wall - process.started();
                let uptime = same_or(&mut self.uptime, seconds, || Uptime(seconds).to_string());
                self.description.push_str(uptime);
            }
            StateName::Backoff => self.describe_failure(process),
            StateName::Fatal => {
                self.describe_failure(process);
                self.describe_schedule(process);
            }
            StateName::Stopped | StateName::Exited if process.started() == 0 => {
                self.description.push_str("Not started");
                self.describe_schedule(process);
            }
            StateName::Stopped | StateName::Exited => {
                self.describe_stop(process);
                self.describe_schedule(process);
            }
            StateName::Starting | StateName::Stopping => match process.waits_for_errand() {
                Some(errand) => {
                    let _ = write!(self.description, "{errand} is running");
                }
                None => self.describe_breach(process, ""),
            },
            StateName::Unknown => {}
        }
    }

    fn describe_failure(&mut self, process: &Process) {
        match (process.spawnerr(), process.exitstatus()) {
            (Some(text), _) if !text.is_empty() => self.description.push_str(text),
            // Only a policy lets a process wait that has done nothing wrong.
            (None, Some(code)) if process.restarts().is_some() => {
                let _ = write!(self.description, "exit status {code}");
            }
            (Some(_) | None, _) => {
                let _ = write!(self.description, "unknown error (try \"tail {}\")", process.name());
            }
        }
        if let (State::Backoff { retry_at }, Some(_)) = (process.state(), process.restarts()) {
            let left = Span(whole_seconds(retry_at.since(self.now.mono)));
            let _ = write!(self.description, "; starts again in {left}");
            if let Some((done, limit, window)) = process.restart_count(self.now) {
                let _ = write!(self.description, " ({done} of {limit} in {})", Span(window));
            }
        }
    }

    fn describe_stop(&mut self, process: &Process) {
        self.description.push_str(shown(&mut self.stopped, process.stopped()));
        self.describe_breach(process, "; ");
    }

    /// What its run was, or is being, ended for.
    fn describe_breach(&mut self, process: &Process, before: &str) {
        if let Some(breach) = process.breach() {
            let _ = write!(self.description, "{before}{breach}");
        }
    }

    /// How the last run ended and when the next one begins, behind what Supervisor says.
    fn describe_schedule(&mut self, process: &Process) {
        let Some(timer) = process.timer() else { return };
        if let (Some(last), State::Exited { .. }) = (&timer.last, process.state()) {
            // Writing to a String cannot fail.
            let _ = write!(self.description, "; {} after {}", last.end, Span(last.took));
        }
        match process.next_run() {
            Some(at) => {
                self.description.push_str("; next run ");
                self.description.push_str(shown(&mut self.next, at));
            }
            None if timer.on => self.description.push_str("; no next run"),
            None => self.description.push_str("; schedule off"),
        }
    }
}

/// A time as text. Many processes stop, or are due, in one minute, and looking up the time zone is slow.
fn shown(known: &mut Option<(i64, String)>, epoch: i64) -> &str {
    same_or(known, epoch.div_euclid(60), || stop_time(epoch))
}

/// The text that is known if it is that of `time`, else what is made now, which is known from then on.
fn same_or(known: &mut Option<(i64, String)>, time: i64, make: impl FnOnce() -> String) -> &str {
    let (_, text) = match known.take() {
        Some(same) if same.0 == time => known.insert(same),
        _ => known.insert((time, make())),
    };
    text
}

/// Rounded up: the last moment before a start is not 0 s.
fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// `H:MM:SS`, from one day on `1 day, H:MM:SS` (RPC-091).
struct Uptime(i64);

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0);
        match seconds / 86_400 {
            0 => {}
            1 => f.write_str("1 day, ")?,
            days => write!(f, "{days} days, ")?,
        }
        write!(f, "{}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
    }
}

/// `Nov 21 02:41 AM`, local time (RPC-093).
fn stop_time(epoch: i64) -> String {
    let stamp = Timestamp::from_second(epoch).unwrap_or(Timestamp::UNIX_EPOCH);
    stamp.to_zoned(local_zone()).strftime("%b %d %I:%M %p").to_string()
}

pub(crate) fn config_info(
    group: &GroupSpec,
    spec: &ProcessSpec,
    paths: &LogPaths,
    inuse: bool,
) -> ConfigInfo {
    ConfigInfo {
        name: spec.name.clone(),
        group: group.name.clone(),
        inuse,
        autostart: spec.autostart,
        autorestart: match spec.autorestart {
            Autorestart::Never => Some(false),
            Autorestart::Unexpected => None,
            Autorestart::Always => Some(true),
        },
        command: spec.command.clone(),
        directory: spec.directory.clone(),
        exitcodes: spec.exitcodes.to_vec(),
        group_prio: group.priority,
        process_prio: spec.priority,
        killasgroup: spec.killasgroup,
        redirect_stderr: spec.redirect_stderr,
        serverurl: spec.serverurl.clone(),
        startretries: spec.startretries,
        startsecs: spec.startsecs,
        stopsignal: spec.stopsignal.0,
        stopwaitsecs: spec.stopwaitsecs,
        uid: spec.uid,
        stdout: output_info(&spec.stdout, paths.stdout.as_deref()),
        stderr: output_info(&spec.stderr, paths.stderr.as_deref()),
    }
}

fn output_info(spec: &OutputSpec, path: Option<&str>) -> OutputInfo {
    OutputInfo {
        logfile: match (&spec.target, path) {
            (LogTarget::None, _) => LogFile::None,
            (LogTarget::Auto, None) => LogFile::Auto,
            (LogTarget::Auto, Some(path)) => LogFile::Path(path.to_owned()),
            (LogTarget::File(path), _) => LogFile::Path(path.clone()),
        },
        logfile_maxbytes: spec.maxbytes,
        logfile_backups: spec.backups,
        capture_maxbytes: spec.capture_maxbytes,
        events_enabled: spec.events_enabled,
        syslog: spec.syslog,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_as_supervisor_writes_it_rpc_091() {
        for (seconds, text) in [
            (-5, "0:00:00"),
            (0, "0:00:00"),
            (3_661, "1:01:01"),
            (86_399, "23:59:59"),
            (86_400, "1 day, 0:00:00"),
            (200_000, "2 days, 7:33:20"),
        ] {
            assert_eq!(Uptime(seconds).to_string(), text);
        }
    }
}
