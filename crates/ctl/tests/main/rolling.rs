//! Following a rolling restart, with a server played by the test.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use upkeep_api::xmlrpc::{Value, encode_fault, encode_response};

use crate::reference::{Side, run_in};
use crate::server::serve;

fn rolling(state: &str, stage: &str) -> Value {
    let member = Value::record([
        ("name", "a".into()),
        ("group", "g".into()),
        ("stage", stage.into()),
        ("reason", "".into()),
    ]);
    let rolling = Value::record([
        ("number", 7.into()),
        ("state", state.into()),
        ("reason", "".into()),
        ("update", false.into()),
        ("members", Value::Array(vec![member])),
    ]);
    Value::Array(vec![rolling])
}

/// Follows one that goes on only while somebody waits for it, or, without `waits`, when it is looked at; what was asked.
fn follow(waits: bool) -> (Vec<String>, String) {
    let dir = TempDir::new().expect("tempdir");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let url = serve(&dir, move |method, first| {
        let mut asked = noted.lock().expect("no panic");
        let looks = asked.iter().filter(|method: &&String| method.starts_with("getR")).count();
        let waited = asked.iter().filter(|method| method.starts_with("wait")).count();
        asked.push(format!("{}({first})", method.trim_start_matches("upkeep.")));
        let value = match method {
            "upkeep.restartRolling" => 7.into(),
            "upkeep.getRollingRestarts" if (if waits { waited } else { looks }) < 2 => {
                rolling("under way", "stopping")
            }
            "upkeep.getRollingRestarts" => rolling("done", "done"),
            "upkeep.waitForChange" if waits => format!("after {waited}").into(),
            "upkeep.waitForChange" => return encode_fault(1, "UNKNOWN_METHOD"),
            other => panic!("nobody should ask for {other:?}"),
        };
        encode_response(&value)
    });
    let outcome = run_in(dir.path(), Side::Upkeep, &["-s", &url, "restart", "--rolling", "all"], "");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    let asked = asked.lock().expect("no panic").split_off(1);
    (asked, outcome.stdout)
}

/// It is looked at when the daemon says that there is something new, and not else.
#[test]
fn the_daemon_says_when_there_is_something_new() {
    let (asked, shown) = follow(true);
    let (look, first, second) = ("getRollingRestarts()", "waitForChange(rolling)", "waitForChange(rolling)");
    assert_eq!(asked, [look, first, look, second, look]);
    assert!(shown.ends_with("g:a: restarted (1 of 1)\n"), "{shown}");
}

#[test]
fn an_older_daemon_is_asked_again_and_again() {
    let (asked, shown) = follow(false);
    assert_eq!(asked.iter().filter(|method| method.starts_with("getR")).count(), 3);
    assert!(shown.ends_with("g:a: restarted (1 of 1)\n"), "{shown}");
}
