//! Replies to XML-RPC values: names and order of members are those Supervisor sends.

use crate::xmlrpc::Value;
use crate::{
    ActionResult, ConfigFile, ConfigGeneration, ConfigInfo, FaultCode, GroupUpdate, HealthInfo, KeptReload,
    Listener, ListenerPool, LogFile, LogLoss, LogTail, OutputInfo, PlannedCause, PlannedChange,
    PlannedDependant, ProcessInfo, Reply, Reread, RollingInfo, RollingMember, ScheduleInfo, Setting,
    UpgradeState,
};

/// Times beyond what `int` holds are capped (RPC-085).
pub(super) const LATEST: i64 = i32::MAX as i64;

impl From<Reply> for Value {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Bool(truth) => truth.into(),
            Reply::Int(number) => number.into(),
            Reply::Text(text) => text.into(),
            Reply::Bytes(bytes) => text(&bytes),
            Reply::State(state) => {
                Self::record([("statecode", state.code().into()), ("statename", state.name().into())])
            }
            Reply::Process(info) => process(*info),
            Reply::Processes(infos) => {
                infos.iter().map(|info| process(info.into())).collect::<Vec<_>>().into()
            }
            Reply::Configs(infos) => infos.into_iter().map(config).collect::<Vec<_>>().into(),
            Reply::Results(results) => results.into_iter().map(result).collect::<Vec<_>>().into(),
            Reply::Reread(Reread { added, changed, removed }) => {
                let lists = [added, changed, removed].map(Self::strings);
                vec![Self::Array(lists.into())].into()
            }
            Reply::Plan(plan) => plan.into_iter().map(planned).collect::<Vec<_>>().into(),
            Reply::ConfigGenerations(all) => all.into_iter().map(generation).collect::<Vec<_>>().into(),
            Reply::ConfigFiles(files) => files.into_iter().map(file).collect::<Vec<_>>().into(),
            Reply::Upgrade(state) => upgrade(state),
            Reply::Kept(kept) => kept_reload(kept),
            Reply::Pools(pools) => pools.into_iter().map(pool).collect::<Vec<_>>().into(),
            Reply::Rolling(all) => all.into_iter().map(rolling).collect::<Vec<_>>().into(),
            Reply::Schedules(all) => all.into_iter().map(schedule).collect::<Vec<_>>().into(),
            Reply::Health(all) => all.into_iter().map(health).collect::<Vec<_>>().into(),
            Reply::Losses(losses) => losses.into_iter().map(loss).collect::<Vec<_>>().into(),
            Reply::Update(update) => group_update(update),
            Reply::Tail(LogTail { data, offset, overflow }) => {
                vec![text(&data), offset.into(), overflow.into()].into()
            }
            Reply::TailOf(LogTail { data, offset, overflow }, file) => {
                let file = file.map(|file| file.to_string()).unwrap_or_default();
                vec![text(&data), offset.into(), overflow.into(), file.into()].into()
            }
            Reply::RollingProgress(all) => {
                all.into_iter().map(|one| one.number.into()).collect::<Vec<_>>().into()
            }
            Reply::Path(path) => path.to_string_lossy().into_owned().into(),
        }
    }
}

/// Bytes of a log: what is not UTF-8 becomes U+FFFD (D-03); the writer sees to what XML cannot carry.
fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn process(info: ProcessInfo) -> Value {
    Value::record([
        ("name", info.name.into()),
        ("group", info.group.into()),
        ("start", info.start.min(LATEST).into()),
        ("stop", info.stop.min(LATEST).into()),
        ("now", info.now.min(LATEST).into()),
        ("state", info.state.code().into()),
        ("statename", info.state.name().into()),
        ("spawnerr", info.spawnerr.into()),
        ("exitstatus", info.exitstatus.into()),
        ("logfile", info.stdout_logfile.clone().into()),
        ("stdout_logfile", info.stdout_logfile.into()),
        ("stderr_logfile", info.stderr_logfile.into()),
        ("pid", info.pid.into()),
        ("description", info.description.into()),
    ])
}

fn or_none(value: Option<impl Into<Value>>) -> Value {
    value.map_or_else(|| "none".into(), Into::into)
}

fn config(info: ConfigInfo) -> Value {
    let mut members = vec![
        ("autostart".to_owned(), info.autostart.into()),
        ("autorestart".to_owned(), info.autorestart.map_or_else(|| "unexpected".into(), Value::from)),
    ];
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    add("directory", or_none(info.directory));
    add("uid", or_none(info.uid));
    add("command", info.command.into());
    add("exitcodes", info.exitcodes.iter().map(|&code| i32::from(code).into()).collect::<Vec<_>>().into());
    add("group", info.group.into());
    add("group_prio", info.group_prio.into());
    add("inuse", info.inuse.into());
    add("killasgroup", info.killasgroup.into());
    add("name", info.name.into());
    add("process_prio", info.process_prio.into());
    add("redirect_stderr", info.redirect_stderr.into());
    add("startretries", info.startretries.into());
    add("startsecs", info.startsecs.into());
    output("stdout", info.stdout, &mut add);
    add("stopsignal", info.stopsignal.into());
    add("stopwaitsecs", info.stopwaitsecs.into());
    output("stderr", info.stderr, &mut add);
    add("serverurl", or_none(info.serverurl));
    Value::Struct(members)
}

fn output(channel: &str, info: OutputInfo, add: &mut impl FnMut(&str, Value)) {
    let logfile = match info.logfile {
        LogFile::Auto => "auto".to_owned(),
        LogFile::None => "none".to_owned(),
        LogFile::Path(path) => path,
    };
    add(&format!("{channel}_capture_maxbytes"), info.capture_maxbytes.into());
    add(&format!("{channel}_events_enabled"), info.events_enabled.into());
    add(&format!("{channel}_logfile"), logfile.into());
    add(&format!("{channel}_logfile_backups"), info.logfile_backups.into());
    add(&format!("{channel}_logfile_maxbytes"), info.logfile_maxbytes.into());
    add(&format!("{channel}_syslog"), info.syslog.into());
}

fn result(result: ActionResult) -> Value {
    let (status, description) = match &result.fault {
        None => (FaultCode::Success.code(), "OK".to_owned()),
        Some(fault) => (fault.code.code(), fault.to_string()),
    };
    Value::record([
        ("name", result.name.into()),
        ("group", result.group.into()),
        ("status", status.into()),
        ("description", description.into()),
    ])
}

fn pool(pool: ListenerPool) -> Value {
    let listener = |one: Listener| Value::record([("name", one.name.into()), ("state", one.state.into())]);
    Value::record([
        ("name", pool.name.into()),
        ("events", Value::strings(pool.events)),
        ("waiting", pool.waiting.into()),
        ("buffer_size", pool.buffer_size.into()),
        ("durable", pool.durable.into()),
        ("discarded", pool.discarded.into()),
        ("listeners", pool.listeners.into_iter().map(listener).collect::<Vec<_>>().into()),
    ])
}

fn upgrade(state: UpgradeState) -> Value {
    Value::record([
        ("token", state.token.into()),
        ("failure", state.failure.into()),
        ("program", state.program.into()),
        ("version", state.version.into()),
    ])
}

fn loss(loss: LogLoss) -> Value {
    Value::record([
        ("name", loss.name.into()),
        ("group", loss.group.into()),
        ("channel", loss.channel.into()),
        ("path", loss.path.into()),
        ("dropped", loss.dropped.into()),
        ("reason", loss.reason.into()),
        ("dropping", loss.dropping.into()),
    ])
}

fn schedule(info: ScheduleInfo) -> Value {
    Value::record([
        ("name", info.name.into()),
        ("group", info.group.into()),
        ("schedule", info.schedule.into()),
        ("timezone", info.timezone.into()),
        ("on", info.on.into()),
        ("next", info.next.into()),
        ("queued", info.queued.into()),
        ("last_start", info.last_start.into()),
        ("last_milliseconds", info.last_milliseconds.into()),
        ("last_result", info.last_result.into()),
    ])
}

fn health(info: HealthInfo) -> Value {
    Value::record([
        ("name", info.name.into()),
        ("group", info.group.into()),
        ("check", info.check.into()),
        ("state", info.state.into()),
        ("since", info.since.into()),
        ("reason", info.reason.into()),
        ("ready", info.ready.into()),
        ("checking", info.checking.into()),
        ("next_check", info.next_check.into()),
        ("last_check", info.last_check.into()),
        ("last_result", info.last_result.into()),
        ("failures", info.failures.into()),
        ("successes", info.successes.into()),
        ("status", info.status.into()),
        ("watchdog", info.watchdog.into()),
        ("mainpid", info.mainpid.into()),
    ])
}

fn kept_reload(kept: KeptReload) -> Value {
    let settings = |list: Vec<Setting>| list.into_iter().map(setting).collect::<Vec<_>>().into();
    Value::record([
        ("applied", settings(kept.applied)),
        ("not_applied", settings(kept.not_applied)),
        ("added", Value::strings(kept.groups.added)),
        ("changed", Value::strings(kept.groups.changed)),
        ("removed", Value::strings(kept.groups.removed)),
    ])
}

fn planned(planned: PlannedChange) -> Value {
    let cause = |cause: PlannedCause| {
        Value::record([
            ("section", cause.section.into()),
            ("option", cause.option.into()),
            ("file", cause.file.into()),
            ("line", cause.line.into()),
        ])
    };
    let dependant = |one: PlannedDependant| {
        Value::record([("group", one.group.into()), ("name", one.name.into()), ("change", one.change.into())])
    };
    Value::record([
        ("group", planned.group.into()),
        ("name", planned.name.into()),
        ("change", planned.change.into()),
        ("seconds", planned.seconds.min(LATEST).into()),
        ("starting", planned.starting.min(LATEST).into()),
        ("dependants", planned.dependants.into_iter().map(dependant).collect::<Vec<_>>().into()),
        ("causes", planned.causes.into_iter().map(cause).collect::<Vec<_>>().into()),
    ])
}

fn generation(generation: ConfigGeneration) -> Value {
    Value::record([
        ("number", generation.number.min(LATEST).into()),
        ("time", generation.time.min(LATEST).into()),
        ("cause", generation.cause.into()),
        ("changed", generation.changed.min(LATEST).into()),
        ("running", generation.running.into()),
    ])
}

fn file(file: ConfigFile) -> Value {
    // What XML would not bring to the other end as it is: a control character is lost, the end of a line becomes another one.
    let is_plain = |text: &str| {
        text.chars().all(|one| !matches!(one, '\0'..' ' | '\u{fffe}' | '\u{ffff}') || "\t\n".contains(one))
    };
    let text = if is_plain(&file.text) { file.text.into() } else { Value::Base64(file.text.into_bytes()) };
    Value::record([("path", file.path.into()), ("text", text)])
}

fn setting(setting: Setting) -> Value {
    Value::record([
        ("section", setting.section.into()),
        ("option", setting.option.into()),
        ("note", setting.note.into()),
    ])
}

fn group_update(update: GroupUpdate) -> Value {
    Value::record([
        ("stopped", Value::strings(update.stopped)),
        ("restarted", Value::strings(update.restarted)),
        ("started", Value::strings(update.started)),
        ("live", Value::strings(update.live)),
        ("whole", update.whole.into()),
        ("rolling", update.rolling.into()),
    ])
}

fn rolling(info: RollingInfo) -> Value {
    let member = |member: RollingMember| {
        Value::record([
            ("name", member.name.into()),
            ("group", member.group.into()),
            ("stage", member.stage.into()),
            ("reason", member.reason.into()),
        ])
    };
    Value::record([
        ("number", info.number.into()),
        ("state", info.state.into()),
        ("reason", info.reason.into()),
        ("update", info.update.into()),
        ("members", info.members.into_iter().map(member).collect::<Vec<_>>().into()),
    ])
}
