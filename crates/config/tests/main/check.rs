//! `check`: everything at once.

use std::path::Path;

use upkeep_config::{Environment, Host, Severity, check};

fn report(text: &str) -> (upkeep_config::Report, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    std::fs::write(&path, text).expect("written");
    let name = path.to_string_lossy().into_owned();
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    (check(Some(&name), "supervisord", env, &Host), name)
}

const MANY: &str = "\
[supervisord]
minfds=x
loglevel=warning
[program:web]
command=web 'open
stopsignal=TREM
numprocs=3
autostrat=false
[program:none]
[inet_http_server]
port=*:9001
[supervisorctl]
strict_names=perhaps
";

#[test]
fn all_problems_come_at_once() {
    let (report, name) = report(MANY);
    let expected = format!(
        "\
error: invalid literal for int() with base 10: 'x'
  --> {name}:2

error: bad logging level name 'warning'
  --> {name}:3
hint: did you mean \"warn\"?

error: value 'TREM' is not a valid signal name in section 'program:web' (file: '{name}')
  --> {name}:6
hint: did you mean \"TERM\"?

error: %(process_num) must be present within process_name when numprocs > 1 in section 'program:web' (file: '{name}')
  --> {name}:4
hint: write process_name=%(program_name)s_%(process_num)02d

error: program section program:none does not specify a command in section 'program:none' (file: '{name}')
  --> {name}:9
hint: add command=PROGRAM ARGUMENTS

error: [program:web] autostrat is not a known option and ignored
  --> {name}:8
hint: did you mean \"autostart\"?

error: [program:web] command cannot be split: No closing quotation
  --> {name}:5
hint: close every quote; \" ;\" and \" #\" begin a comment even inside quotes

warning: [inet_http_server] lets everybody in who can reach it: there is no password
  --> {name}:10
hint: set username and password, or bind 127.0.0.1:9001, or say allow_unauthenticated=true

error: not a valid boolean value: 'perhaps'
  --> {name}:13
hint: write true or false

8 errors, 1 warning
"
    );
    assert_eq!(report.render(), expected);
    assert!(report.has_errors());
}

#[test]
fn json_tells_the_same() {
    let (report, name) = report(MANY);
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!((&json["errors"], &json["warnings"]), (&8.into(), &1.into()));
    let signal = &json["problems"][2];
    assert_eq!(signal["section"], "program:web");
    assert_eq!(signal["key"], "stopsignal");
    assert_eq!(signal["line"], 6);
    assert_eq!(signal["file"], name.as_str());
    assert_eq!(signal["hint"], "did you mean \"TERM\"?");
}

#[test]
fn a_broken_line_does_not_hide_the_rest() {
    let (report, _) = report("[supervisord]\nnonsense\n[program:x]\ncommand=x\npriority=y\n");
    let messages: Vec<&str> = report.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2);
    assert!(messages[0].starts_with("Source contains parsing errors"));
    assert!(messages[1].starts_with("invalid literal for int()"));
    assert!(report.problems.iter().all(|problem| problem.severity == Severity::Error));
}

#[test]
fn limits_of_servers_are_at_least_one() {
    for line in ["max_connections=0", "request_maxbytes=8TB", "request_maxbytes=-1", "idle_timeout=soon"] {
        let (report, _) = report(&format!("[supervisord]\n[unix_http_server]\nfile=/tmp/x.sock\n{line}\n"));
        let problem = &report.problems[0];
        let (key, _) = line.split_once('=').expect("a key");
        assert_eq!((problem.severity, problem.line), (Severity::Error, Some(4)), "{line}: {problem:?}");
        assert_eq!(problem.key.as_deref(), Some(key));
    }
    let (report, _) = report(
        "[supervisord]\n[inet_http_server]\nport=127.0.0.1:9001\nmax_connections=1\nrequest_maxbytes=1KB\nidle_timeout=1\n",
    );
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn without_a_file_it_says_where_it_looked() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    if Path::new("/etc/supervisord.conf").exists() || Path::new("/etc/supervisor/supervisord.conf").exists() {
        return;
    }
    let report = check(None, "/nowhere/bin/supervisord", env, &Host);
    let hint = report.problems[0].hint.as_deref().unwrap_or_default();
    assert!(hint.contains("/nowhere/etc/supervisord.conf"), "{hint}");
}
