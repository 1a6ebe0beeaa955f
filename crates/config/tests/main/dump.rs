//! Our configuration in the form that `dump_reference.py` prints.

use std::path::Path;

use serde_json::{Value, json};
use upkeep_config::{
    Address, CommandLine, Config, Host, Level, LoadError, LogFile, Server, Settings, Sources, load,
    server_url,
};
use upkeep_core::spec::{
    Autorestart, GroupKind, GroupSpec, LogTarget, ProcessSpec, SocketAddress, SocketSpec,
};

use crate::reference::environment;

/// Loads a file with the surroundings that the reference has.
pub(crate) fn load_in(cwd: &Path, file: &str) -> Result<Config, LoadError> {
    let cli = CommandLine { configuration: Some(file.to_owned()), ..CommandLine::default() };
    let sources = Sources::read(&cli, environment(cwd))?;
    load(&sources, &cli, &Host)
}

/// The result of [`load_in`] as the reference shows its own.
pub(crate) fn dump(result: &Result<Config, LoadError>) -> Value {
    match result {
        Err(error) => json!({ "error": error.message }),
        Ok(config) => json!({
            "settings": settings(&config.settings),
            "groups": config.groups.iter().map(group).collect::<Vec<_>>(),
            "servers": config.servers.iter().map(server).collect::<Vec<_>>(),
            "serverurl": server_url(&config.servers),
            "rpc_interfaces": config.rpc_interfaces.iter().map(|i| json!([i.namespace, i.options])).map(|mut pair| {
                let options = pair[1].as_object().cloned().unwrap_or_default();
                pair[1] = options.into_iter().map(|(key, value)| json!([key, value])).collect();
                pair
            }).collect::<Vec<_>>(),
            "warnings": reference_warnings(config),
            "infos": texts(config, Level::Info),
        }),
    }
}

fn texts(config: &Config, level: Level) -> Vec<&str> {
    config.notes.iter().filter(|note| note.level == level).map(|note| note.text.as_str()).collect()
}

/// Without the warnings that only we give.
fn reference_warnings(config: &Config) -> Vec<&str> {
    let mut warnings = texts(config, Level::Warn);
    warnings.retain(|text| text.starts_with("For [") || text.starts_with("No file matches"));
    warnings
}

fn settings(settings: &Settings) -> Value {
    let number = match settings.loglevel {
        Level::Critical => 50,
        Level::Error => 40,
        Level::Warn => 30,
        Level::Info => 20,
        Level::Debug => 10,
        Level::Trace => 5,
        Level::Blather => 3,
    };
    json!({
        "logfile": match &settings.logfile {
            LogFile::Path(path) => path.to_string_lossy().into_owned(),
            LogFile::Syslog => "syslog".to_owned(),
        },
        "logfile_maxbytes": settings.logfile_maxbytes,
        "logfile_backups": settings.logfile_backups,
        "loglevel": number,
        "pidfile": settings.pidfile.to_string_lossy(),
        "identifier": settings.identifier,
        "nodaemon": settings.nodaemon,
        "silent": settings.silent,
        "minfds": settings.minfds,
        "minprocs": settings.minprocs,
        "umask": settings.umask,
        "directory": settings.directory.as_ref().map(|path| path.to_string_lossy().into_owned()),
        "uid": settings.user.as_ref().map(|user| user.uid),
        "childlogdir": settings.childlogdir.to_string_lossy(),
        "nocleanup": settings.nocleanup,
        "strip_ansi": settings.strip_ansi,
        "environment": settings.environment,
    })
}

fn server(server: &Server) -> Value {
    let mut shown = json!({
        "section": server.section,
        "username": server.auth.as_ref().map(|auth| &auth.username),
        "password": server.auth.as_ref().map(|auth| &auth.password),
    });
    match &server.address {
        Address::Unix { path, mode, owner } => {
            shown["file"] = json!(path.to_string_lossy());
            shown["mode"] = json!(mode);
            let (uid, gid) = owner.map_or((-1, -1), |(uid, gid)| (i64::from(uid), gid.map_or(-1, i64::from)));
            shown["owner"] = json!([uid, gid]);
        }
        Address::Inet { host, port } => {
            shown["host"] = json!(host);
            shown["port"] = json!(port);
        }
    }
    shown
}

fn group(group: &GroupSpec) -> Value {
    let mut shown = json!({
        "name": group.name,
        "priority": group.priority,
        "processes": group.processes.iter().map(|spec| process(spec)).collect::<Vec<_>>(),
    });
    match &group.kind {
        GroupKind::Plain => shown["kind"] = json!("plain"),
        GroupKind::Listener(listener) => {
            let mut events: Vec<&str> = listener.events.iter().map(|event| event.name()).collect();
            events.sort_unstable();
            shown["kind"] = json!("listener");
            shown["buffer_size"] = json!(listener.buffer_size);
            shown["events"] = json!(events);
        }
        GroupKind::Fcgi(spec) => {
            shown["kind"] = json!("fcgi");
            shown["socket"] = socket(spec);
        }
    }
    shown
}

fn socket(spec: &SocketSpec) -> Value {
    let mut shown = json!({ "url": spec.url, "backlog": spec.backlog });
    if let SocketAddress::Unix { owner, mode, .. } = &spec.address {
        shown["owner"] = json!(owner.map(|(uid, gid)| [i64::from(uid), gid.map_or(-1, i64::from)]));
        shown["mode"] = json!(mode);
    }
    shown
}

fn target(target: &LogTarget) -> Value {
    match target {
        LogTarget::Auto => json!("AUTO"),
        LogTarget::None => Value::Null,
        LogTarget::File(path) => json!(path),
    }
}

fn process(spec: &ProcessSpec) -> Value {
    let autorestart = match spec.autorestart {
        Autorestart::Never => "never",
        Autorestart::Unexpected => "unexpected",
        Autorestart::Always => "always",
    };
    let mut shown = json!({
        "name": spec.name,
        "command": spec.command,
        "priority": spec.priority,
        "autostart": spec.autostart,
        "autorestart": autorestart,
        "startsecs": spec.startsecs,
        "startretries": spec.startretries,
        "exitcodes": *spec.exitcodes,
        "stopsignal": spec.stopsignal.0,
        "stopwaitsecs": spec.stopwaitsecs,
        "stopasgroup": spec.stopasgroup,
        "killasgroup": spec.killasgroup,
        "uid": spec.uid,
        "umask": spec.umask,
        "directory": spec.directory,
        "redirect_stderr": spec.redirect_stderr,
        "environment": spec.environment,
        "serverurl": spec.serverurl,
    });
    for (name, output) in [("stdout", &spec.stdout), ("stderr", &spec.stderr)] {
        shown[format!("{name}_logfile")] = target(&output.target);
        shown[format!("{name}_logfile_maxbytes")] = json!(output.maxbytes);
        shown[format!("{name}_logfile_backups")] = json!(output.backups);
        shown[format!("{name}_capture_maxbytes")] = json!(output.capture_maxbytes);
        shown[format!("{name}_events_enabled")] = json!(output.events_enabled);
        shown[format!("{name}_syslog")] = json!(output.syslog);
    }
    shown
}
