//! Every fault in answer to every command: both clients must make the same of it, expected or not (CTL-010, CTL-029,
//! CTL-052, CTL-057, CTL-063, CTL-065, CTL-068, CTL-073, CTL-076, CTL-086, CTL-089, CTL-096 … CTL-106).

use tempfile::TempDir;
use upkeep_api::FaultCode;
use upkeep_api::xmlrpc::{Value, encode_fault, encode_response};

use crate::reference::{Side, run_in};
use crate::server::serve;

const COMMANDS: &[&str] = &[
    "add x",
    "avail",
    "clear x",
    "clear all",
    "fg x",
    "maintail",
    "pid",
    "pid x",
    "reload",
    "remove x",
    "reread",
    "restart x",
    "shutdown",
    "signal HUP x",
    "signal HUP x:*",
    "signal HUP all",
    "start x",
    "start x:*",
    "start all",
    "status",
    "status x",
    "stop x",
    "stop x:*",
    "stop all",
    "tail x",
    "tail x stderr",
    "update",
    "update x",
    "version",
];

#[track_caller]
fn same(dir: &TempDir, url: &str, line: &str) {
    let args: Vec<&str> = ["-s", url].into_iter().chain(line.split(' ')).collect();
    let [theirs, ours] = [Side::Reference, Side::Ours].map(|side| run_in(dir.path(), side, &args, ""));
    assert_eq!((&ours.stdout, ours.status), (&theirs.stdout, theirs.status), "{line}; theirs is right");
}

fn version_then(method: &str, rest: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if method == "supervisor.getVersion" { encode_response(&"3.0".into()) } else { rest() }
}

fn every_command_meets(code: i32, text: &'static str) {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, move |method, _| version_then(method, || encode_fault(code, text)));
    COMMANDS.iter().for_each(|line| same(&dir, &url, line));
}

#[test]
fn shutting_down() {
    every_command_meets(6, "SHUTDOWN_STATE");
}

#[test]
fn a_bad_name() {
    every_command_meets(10, "BAD_NAME: x");
}

/// CTL-029, CTL-096, CTL-097, CTL-098.
#[test]
fn a_failure() {
    every_command_meets(30, "FAILED: it's \"odd\"");
}

#[test]
fn a_fault_nobody_knows() {
    every_command_meets(4711, "WHATEVER");
}

/// CTL-052, CTL-057, CTL-063, CTL-065, CTL-068, CTL-073.
#[test]
fn each_fault_of_each_verb_on_one_process() {
    for code in FaultCode::ALL {
        let dir = TempDir::new().expect("tempdir");
        let (code, text) = (code.code(), code.name());
        let url = serve(&dir, move |method, _| version_then(method, || encode_fault(code, text)));
        for line in ["start x", "stop x", "signal HUP x", "clear x", "tail x"] {
            same(&dir, &url, line);
        }
    }
}

#[test]
fn each_result_of_many_processes() {
    for code in FaultCode::ALL {
        let dir = TempDir::new().expect("tempdir");
        let (code, text) = (code.code(), code.name());
        let result = move |name: &str| {
            let members = [("name", name.into()), ("group", "g".into()), ("status", code.into())];
            let mut members = members.map(|(name, value)| (name.to_owned(), value)).to_vec();
            members.push(("description".to_owned(), text.into()));
            Value::Struct(members)
        };
        let url = serve(&dir, move |method, _| {
            version_then(method, || encode_response(&Value::Array(vec![result("g"), result("p")])))
        });
        for line in ["start all", "stop g:*", "signal HUP all", "clear all"] {
            same(&dir, &url, line);
        }
    }
}

#[test]
fn another_version_ctl_010() {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, |_, _| encode_response(&"2.0".into()));
    ["status", "start x", "version", "tail -f x"].iter().for_each(|line| same(&dir, &url, line));
}

#[test]
fn a_group_that_does_not_stop_ctl_102() {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, |method, _| {
        let failed = Value::record([
            ("name", "p".into()),
            ("group", "g".into()),
            ("status", 30.into()),
            ("description", "FAILED: boom".into()),
        ]);
        let list = |names: &[&str]| Value::strings(names.iter().copied());
        encode_response(&match method {
            "supervisor.reloadConfig" => {
                Value::Array(vec![Value::Array(vec![list(&[]), list(&[]), list(&["g"])])])
            }
            "supervisor.stopProcessGroup" => Value::Array(vec![failed]),
            other => panic!("nobody should ask for {other}"),
        })
    });
    same(&dir, &url, "update");
}
