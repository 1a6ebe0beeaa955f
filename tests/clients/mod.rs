//! Clients that others wrote, for Python, Perl, Ruby and Node.js: each plays the same round of calls (`round.json`) with
//! the original Supervisor and with Upkeep, and has to be told the same.
//!
//! A client is what people's scripts are built on: it puts headers, types, encodings and connections its own way, and
//! gives up at other things than our own client does.

use std::path::Path;

use serde_json::Value;

use crate::rig::home::{Home, repository};
use crate::rig::maker::reference_python;
use crate::rig::port::free_port;
use crate::rig::run::run;
use crate::rig::stage::{Stage, compare_prepared};

const USER: &str = "größe";
const PASSWORD: &str = "se:cr&t/@";

/// The processes stop by SIGKILL: a child of the original that is not at its `exec` yet would swallow a SIGTERM.
const CONFIG: &str = "\
[include]
files=tcp.conf
[program:cat]
command=/bin/cat
stdout_logfile=%(here)s/cat.log
stderr_logfile=NONE
startsecs=0
stopsignal=KILL
[program:pair]
command=/bin/cat
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
stopsignal=KILL
[program:idle]
command=/bin/cat
autostart=false
startsecs=0
stopsignal=KILL
[program:missing]
command=/no/such/program
autostart=false
";

/// Gives each daemon a port of its own.
fn listen(home: &Home) {
    let port = free_port().to_string();
    let login = format!("username={USER}\npassword={PASSWORD}\n");
    home.write("tcp.conf", &format!("[inet_http_server]\nport=127.0.0.1:{port}\n{login}"));
    home.write("port", &port);
}

/// Plays the round over TCP with `program`, given the words before the port.
fn over_tcp(program: &Path, script: &str, words: &[&str]) {
    compare_prepared(CONFIG, &listen, |stage| {
        let port = stage.daemon.home.read("port");
        play(stage, program, script, &[words, &[&port, USER, PASSWORD]].concat());
    });
}

/// Runs a script and notes what it was told.
fn play(stage: &mut Stage, program: &Path, script: &str, words: &[&str]) {
    stage.daemon.wait("RUNNING", &["cat", "pair:pair_0", "pair:pair_1"]);
    let folder = repository("tests/clients");
    let (script, round) = (folder.join(script), folder.join("round.json"));
    let files = [&script, &round].map(|path| path.display().to_string());
    let args: Vec<&str> = files.iter().map(String::as_str).chain(words.iter().copied()).collect();
    let said = run(program, &args, stage.daemon.home.path());
    assert_eq!(said.status, Some(0), "{:?}: {}\n{}", stage.daemon.maker, said.stdout, said.stderr);
    let steps: Vec<Value> = serde_json::from_slice(&std::fs::read(&round).expect("the round")).expect("JSON");
    let told = said.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    let mut told: Vec<Value> = told.collect();
    let before = told.len().checked_sub(steps.len()).expect("a line for each step");
    for (line, step) in told[before..].iter_mut().zip(&steps) {
        check(line, step);
        canonical(line, stage.daemon.pid(), step["any_order"] == true);
    }
    let shown: Vec<String> = told.iter().map(Value::to_string).collect();
    stage.note("the round", &shown.join("\n"));
}

/// What must hold with either daemon, so that a client that fails with both does not pass.
fn check(line: &Value, step: &Value) {
    assert_eq!(line["title"], step["title"]);
    let awaited = step["until"].as_str().unwrap_or_default();
    let value = &line["told"]["value"];
    assert!(value.as_str().unwrap_or_default().contains(awaited), "{line} without {awaited:?}");
    assert!(step["call"] != "supervisor.shutdown" || *value == true, "{line}");
}

/// Takes out what may differ: numbers that time and chance set, and, where they come by completion, the order of results.
fn canonical(value: &mut Value, daemon: i32, any_order: bool) {
    if value["title"] == "RPC-074" {
        let told = value["told"]["value"].to_string();
        value["told"]["value"] = (told.trim_matches('"') == daemon.to_string()).into();
    }
    without_numbers(value);
    if let (true, Some(results)) = (any_order, value["told"]["value"].as_array_mut()) {
        results.sort_by_key(Value::to_string);
    }
}

fn without_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let varies = ["pid", "now", "start", "stop"].contains(&name.as_str());
                if varies && *value != 0 && *value != "0" {
                    *value = "N".into();
                }
                without_numbers(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `xmlrpc.client` with the original's own transport.
#[test]
fn python_over_the_socket_rpc_001() {
    compare_prepared(CONFIG, &listen, |stage| {
        let socket = stage.daemon.socket().display().to_string();
        play(stage, &reference_python(), "round.py", &["unix", &socket]);
    });
}

/// `xmlrpc.client` as it is.
#[test]
fn python_over_tcp_rpc_001_rpc_033() {
    over_tcp(&reference_python(), "round.py", &["tcp"]);
}

/// `RPC::XML::Client`, which asks without credentials first.
#[test]
fn perl_over_tcp_rpc_001_rpc_032() {
    over_tcp(Path::new("perl"), "round.pl", &[]);
}

/// `xmlrpc/client`.
#[test]
fn ruby_over_tcp_rpc_001_rpc_033() {
    over_tcp(Path::new("ruby"), "round.rb", &[]);
}

/// `xmlrpc`.
#[test]
fn node_xmlrpc_over_tcp_rpc_001_rpc_033() {
    node("xmlrpc");
}

/// `node-supervisord`.
#[test]
fn node_supervisord_over_tcp_rpc_001_rpc_033() {
    node("node-supervisord");
}

fn node(library: &str) {
    let modules = repository("target/node/node_modules");
    let there = modules.join(library).join("package.json").exists();
    assert!(there, "no {library} in {}: `cargo xtask setup` installs it", modules.display());
    over_tcp(Path::new("node"), "round.js", &[&modules.display().to_string(), library]);
}
