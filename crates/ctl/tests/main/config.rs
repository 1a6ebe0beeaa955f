//! `upkeep config` and `upkeep diff` with a server that the test plays.

use std::process::Command;

use tempfile::TempDir;
use upkeep_api::xmlrpc::{Value, encode_response};
use upkeep_api::{ConfigFile, Reply};

use crate::reference::{Side, python, run_in};
use crate::server::serve;

const TEXT: &str = "[program:a]\ncommand=\u{1b}]0;x\u{7}\ttail\u{9b}\r\n";

fn answer(method: &str, _: &str) -> Vec<u8> {
    let value = match method {
        "upkeep.getConfigGeneration" => {
            let file = ConfigFile { path: "/a.conf".to_owned(), text: TEXT.to_owned() };
            Reply::ConfigFiles(vec![file]).into()
        }
        "upkeep.getPlan" | "supervisor.getAllProcessInfo" => Value::Array(Vec::new()),
        other => panic!("nobody should ask for {other:?}"),
    };
    encode_response(&value)
}

/// Who only looks at a configuration lets nobody who wrote it control the terminal; what goes into a file is as it was.
#[test]
fn what_is_shown_controls_no_terminal() {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, answer);
    let words = ["-s", &url, "config", "show", "1"];
    let outcome = run_in(dir.path(), Side::Upkeep, &words, "");
    assert_eq!(outcome.stdout, format!("==> /a.conf <==\n{TEXT}"));
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main/terminal.py");
    let mut command = Command::new(python());
    command.arg(script).arg("0").arg(Side::Upkeep.program()).args(words).current_dir(dir.path());
    let shown = String::from_utf8(command.output().expect("a terminal").stdout).expect("text");
    assert!(shown.contains("command=\\x1b]0;x\\x07\ttail\\x9b\\r\r\n"), "{shown:?}");
}

#[test]
fn a_name_that_no_group_has_is_not_told_to_stay_as_it_is() {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, answer);
    for words in [&["diff", "wbe"][..], &["update", "--dry-run", "wbe"], &["reread", "--plan", "wbe"]] {
        let outcome = run_in(dir.path(), Side::Upkeep, &[&["-s", &url], words].concat(), "");
        let expected =
            "error: cannot tell what an update would do to \"wbe\": no such group, active or new\n";
        assert!(outcome.stderr.starts_with(expected), "{outcome:?}");
        assert_eq!((outcome.stdout.as_str(), outcome.status), ("", Some(1)));
    }
}
