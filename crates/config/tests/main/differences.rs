//! Where we differ on purpose: what the reference refuses or garbles, we take or refuse plainly.

use std::time::Duration;

use upkeep_config::{Address, Config, Level, ServerLimits};

use crate::dump::load_in;
use crate::reference::reference;

struct Case {
    _folder: tempfile::TempDir,
    name: String,
    ours: Result<Config, String>,
}

fn load(text: &[u8]) -> Case {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().join("x.conf").to_string_lossy().into_owned();
    std::fs::write(&name, text).expect("written");
    let ours = load_in(folder.path(), &name).map_err(|error| error.message);
    Case { _folder: folder, name, ours }
}

fn refused_there(case: &Case) -> bool {
    reference().load(&case.name).get("error").is_some()
}

#[test]
fn a_byte_order_mark_is_accepted_d_18_cfg_008() {
    let case = load("\u{feff}[supervisord]\nidentifier=x\n".as_bytes());
    assert!(refused_there(&case));
    assert_eq!(case.ours.expect("accepted").settings.identifier, "x");
}

#[test]
fn percent_signs_in_doubly_expanded_values_are_accepted_d_18_cfg_062() {
    let text = "[supervisord]\nenvironment=A=\"50%%\"\n[program:x]\ncommand=%(ENV_A)s\nstdout_logfile=/tmp/%%d.log\n";
    let case = load(text.as_bytes());
    assert!(refused_there(&case));
    let config = case.ours.expect("accepted");
    assert_eq!(config.settings.environment["A"], "50%");
    assert_eq!(config.groups[0].processes[0].command, "50%");
}

#[test]
fn ipv6_addresses_are_accepted_d_18_cfg_117() {
    let case = load(b"[supervisord]\n[inet_http_server]\nport=[::1]:9001\n");
    let servers = case.ours.expect("accepted").servers;
    assert_eq!(servers[0].address, Address::Inet { host: "::1".to_owned(), port: 9001 });
    assert_eq!(upkeep_config::server_url(&servers).as_deref(), Some("http://[::1]:9001"));
}

/// Keys of ours, which the reference passes over.
#[test]
fn servers_have_limits() {
    let case = load(b"[supervisord]\n[inet_http_server]\nport=1\nmax_connections=9\nrequest_maxbytes=2MB\nidle_timeout=60\n[unix_http_server]\nfile=/tmp/x\n");
    assert!(!refused_there(&case));
    let servers = case.ours.expect("accepted").servers;
    let limits = |connections, request_bytes, seconds| ServerLimits {
        connections,
        request_bytes,
        idle: Duration::from_secs(seconds),
    };
    assert_eq!(servers[0].limits, limits(9, 2 << 20, 60));
    assert_eq!(servers[1].limits, limits(128, 8 << 20, 1800));
    assert_eq!(servers[1].limits, ServerLimits::default());
}

#[test]
fn a_bare_conversion_is_an_error_d_19_cfg_077() {
    let case = load(b"[supervisord]\n[program:x]\ncommand=echo %s\n");
    assert!(!refused_there(&case));
    let error = case.ours.expect_err("refused");
    assert!(
        error.starts_with("Format string 'echo %s' for 'program:x.command' is badly formatted: "),
        "{error}"
    );
}

#[test]
fn python_plugins_are_left_out_and_said_so_d_67_cfg_193_cfg_252() {
    let text = "[supervisord]\n[rpcinterface:extra]\nsupervisor.rpcinterface_factory=no.such:thing\n\
                [eventlistener:e]\ncommand=x\nevents=TICK_5\nresult_handler=no.such:handler\n";
    let case = load(text.as_bytes());
    assert!(refused_there(&case));
    let config = case.ours.expect("accepted");
    let critical: Vec<&str> = config
        .notes
        .iter()
        .filter(|note| note.level == Level::Critical)
        .map(|note| note.text.as_str())
        .collect();
    assert_eq!(critical.len(), 2);
    assert!(critical[0].starts_with("no.such:thing cannot be resolved within [rpcinterface:extra]"));
    assert!(critical[1].starts_with("no.such:handler cannot be resolved within [eventlistener:e]"));
}

#[test]
fn unknown_keys_and_dropped_text_are_warned_of_d_36_cfg_012_cfg_227() {
    let text = "[supervisord]\n[program:x]\ncomand=x\ncommand=x\nenvironment=A=1#2\n[prgram:y]\n\
                [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    let case = load(text.as_bytes());
    assert!(!refused_there(&case));
    let config = case.ours.expect("accepted");
    let name = &case.name;
    let warnings: Vec<&str> =
        config.notes.iter().filter(|note| note.level == Level::Warn).map(|note| note.text.as_str()).collect();
    assert_eq!(
        warnings,
        [
            format!("[program:x] environment: text after \"#\" is dropped: quote the value ({name}:5)"),
            format!(
                "[program:x] comand is not a known option and ignored ({name}:3); did you mean \"command\"?"
            ),
            format!("section [prgram:y] is not known and ignored ({name}:6); did you mean [program:y]?"),
        ]
    );
}

#[test]
fn groups_of_one_name_are_told_of_cfg_187_d_64() {
    let case =
        load(b"[supervisord]\n[program:a]\ncommand=x\n[group:b]\nprograms=a\n[program:b]\ncommand=y\n");
    let config = case.ours.expect("accepted");
    assert_eq!(config.groups.iter().filter(|group| group.name == "b").count(), 2);
    assert!(config.notes.iter().any(|note| note.level == Level::Error && note.text.contains("the name b")));
}

#[test]
fn the_standard_interface_takes_no_options_cfg_253() {
    let text = "[supervisord]\n[unix_http_server]\nfile=/tmp/x\n[rpcinterface:supervisor]\nextra=1\n\
                supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    assert_eq!(load(text.as_bytes()).ours.err().as_deref(), Some("Could not make supervisor rpc interface"));
    let without_server = text.replace("[unix_http_server]\nfile=/tmp/x\n", "");
    assert!(load(without_server.as_bytes()).ours.is_ok());
}
