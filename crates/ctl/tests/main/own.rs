//! Our own command line, against the original daemon.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use upkeep_api::ProcessState;

use crate::reference::{Daemon, Outcome, Side, command, run_in, sorted, wait_for};

const PROGRAMS: &str = "
[program:cat]
command=/bin/cat
startsecs=0
[program:web]
command=/bin/cat
numprocs=2
process_name=%(program_name)s_%(process_num)02d
autostart=false
startsecs=0
[program:missing]
command=/nonexistent/file
autostart=false
[program:dies]
command=/bin/sh -c \"echo why >&2; exit 1\"
autostart=false
startretries=0
";

fn daemon() -> Daemon {
    let daemon = Daemon::start(PROGRAMS);
    daemon.wait_state("cat", ProcessState::Running);
    daemon
}

fn upkeep(daemon: &Daemon, line: &str) -> Outcome {
    let args: Vec<&str> = line.split_whitespace().chain(["-c", "c.conf"]).collect();
    daemon.run(Side::Upkeep, &args, "")
}

#[test]
fn what_is_said_and_the_exit_status() {
    let daemon = daemon();
    let rows: [(&str, &str, &str, i32); 15] = [
        ("status cat", "cat   RUNNING   pid N, uptime T\n", "", 0),
        (
            "status web cat",
            "web:web_00  STOPPED   Not started\nweb:web_01  STOPPED   Not started\ncat         RUNNING   pid N, uptime T\n",
            "",
            3,
        ),
        (
            "status cta",
            "",
            "error: cannot show \"cta\": no such process or group\nhint: did you mean \"cat\"?\n",
            1,
        ),
        ("start web cat", "web:web_00: started\nweb:web_01: started\ncat: already runs\n", "", 0),
        ("start web", "web: nothing to start\n", "", 0),
        ("restart web_01", "web:web_01: stopped\nweb:web_01: started\n", "", 0),
        ("stop web", "web:web_00: stopped\nweb:web_01: stopped\n", "", 0),
        ("stop web_01", "web:web_01: did not run\n", "", 0),
        ("signal WINCH cat", "cat: signalled\n", "", 0),
        (
            "signal NOPE cat",
            "",
            "error: cannot signal \"cat\": there is no such signal\nhint: such as HUP, USR1 or 15\n",
            1,
        ),
        (
            "start missing",
            "",
            "error: cannot start \"missing\": can't find command '/nonexistent/file'\n\
             hint: check `command` in its section, then `upkeep update`\n",
            1,
        ),
        ("pid cat web_00", "N\n0\n", "", 3),
        ("reread", "nothing has changed\n", "", 0),
        ("update", "nothing to change\n", "", 0),
        (
            "start",
            "",
            "error: `upkeep start` needs the name of a process or group\nhint: `upkeep start all` means every process\n",
            2,
        ),
    ];
    for (line, stdout, stderr, status) in rows {
        let outcome = upkeep(&daemon, line);
        assert_eq!(sorted(&outcome.stdout), sorted(stdout), "{line}");
        assert_eq!(outcome.stderr, stderr, "{line}");
        assert_eq!(outcome.status, Some(status), "{line}");
    }
}

#[test]
fn a_start_that_fails_says_where_to_look() {
    let daemon = daemon();
    let outcome = upkeep(&daemon, "start dies");
    // The original sometimes answers before it has noted why.
    let reasons = ["Exited too quickly (process log may have details)", "it did not stay up"];
    assert!(reasons.iter().any(|reason| outcome.stderr.contains(reason)), "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: cannot start \"dies\": "), "{outcome:?}");
    assert!(
        outcome.stderr.ends_with("\nhint: see what it said: `upkeep logs dies --stderr`\n"),
        "{outcome:?}"
    );
    assert_eq!((outcome.stdout.as_str(), outcome.status), ("", Some(1)));
    let log =
        wait_for("the log", || Some(upkeep(&daemon, "logs dies --stderr")).filter(|o| !o.stdout.is_empty()));
    assert!(log.stdout.starts_with("why\n"), "{log:?}");
}

fn json(daemon: &Daemon, line: &str) -> (Value, Option<i32>) {
    let outcome = upkeep(daemon, &format!("{line} --json"));
    assert_eq!(outcome.stderr, "", "{line}");
    (serde_json::from_str(&outcome.stdout).expect(line), outcome.status)
}

#[test]
fn everything_as_json() {
    let daemon = daemon();
    let (status, code) = json(&daemon, "status cat zzz");
    assert_eq!(status["processes"][0]["state"], "RUNNING");
    assert_eq!(status["errors"][0]["why"], "no such process or group");
    assert_eq!(code, Some(1));
    let (done, code) = json(&daemon, "start web missing");
    assert_eq!(done["results"][1]["name"], "web:web_01");
    assert_eq!(done["results"][1]["ok"], true);
    assert_eq!(done["results"][2]["code"], 20);
    assert_eq!(done["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(code, Some(1));
    assert!(json(&daemon, "pid").0["pid"].is_u64());
    assert_eq!(json(&daemon, "version").0["daemon"]["supervisor"], "4.3.0");
    daemon.configure(&PROGRAMS.replace("[program:missing]", "[program:new]"));
    assert_eq!(
        json(&daemon, "reread").0,
        serde_json::json!({"added": ["new"], "changed": [], "removed": ["missing"]})
    );
    let (update, code) = json(&daemon, "update");
    assert_eq!(
        (update["groups"][0]["action"].as_str(), update["groups"][1]["action"].as_str()),
        (Some("removed"), Some("added"))
    );
    assert_eq!(code, Some(0));
    assert!(json(&daemon, "logs cat").0["logs"][0]["text"].is_string());
    assert!(
        json(&daemon, "logs").0["logs"][0]["text"].as_str().is_some_and(|text| text.contains("supervisord"))
    );
    assert_eq!(json(&daemon, "shutdown").0["ok"], true);
}

#[test]
fn a_daemon_that_is_not_there() {
    let dir = tempfile::TempDir::new().expect("tempdir");
    for (args, status) in [
        (&["status", "-s", "unix:///nonexistent/s"][..], 4),
        (&["logs", "-f", "-s", "unix:///nonexistent/s"], 4),
        (&["shutdown", "-s", "ftp://x"], 2),
        (&["status", "-c", "none.conf"], 2),
        (&["statsu"], 2),
        (&["status", "--nope"], 2),
    ] {
        let outcome = run_in(dir.path(), Side::Upkeep, args, "");
        assert_eq!(outcome.status, Some(status), "{args:?} {outcome:?}");
        assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.contains("\nhint: "), "{outcome:?}");
        let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let outcome = run_in(dir.path(), Side::Upkeep, &with_json, "");
        let value: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert!(value["error"]["why"].is_string(), "{outcome:?}");
        assert_eq!(outcome.status, Some(status), "{args:?}");
    }
}

#[test]
fn several_logs_at_once() {
    let daemon = daemon();
    daemon.client().start_process_group("web").expect("start");
    let mut child = command(daemon.dir.path(), Side::Upkeep, &["logs", "-f", "web", "-c", "c.conf"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the client");
    for name in ["web:web_00", "web:web_01"] {
        daemon.client().send_process_stdin(name, &format!("to {name}\n")).expect("stdin");
    }
    let mut lines =
        BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("line"));
    let mut seen: Vec<String> = lines.by_ref().take(2).collect();
    seen.sort();
    assert_eq!(seen, ["web:web_00 | to web:web_00", "web:web_01 | to web:web_01"]);
    child.kill().expect("kill");
    child.wait().expect("wait");
}

#[test]
fn check_tells_every_problem_d_36() {
    let dir = tempfile::TempDir::new().expect("tempdir");
    let path = dir.path().join("c.conf");
    fs::write(&path, "[supervisord]\n[program:a]\ncommand=a\nstopsignal=NOPE\nautostrat=true\n")
        .expect("write");
    let outcome = run_in(dir.path(), Side::Upkeep, &["check", "-c", "c.conf"], "");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("autostrat") && outcome.stdout.contains("NOPE"), "{outcome:?}");
    let outcome = run_in(dir.path(), Side::Upkeep, &["check", "-c", "c.conf", "--json"], "");
    let value: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(value["problems"].as_array().map(Vec::len), Some(2), "{outcome:?}");
    fs::write(&path, "[supervisord]\n[program:a]\ncommand=a\n").expect("write");
    assert_eq!(run_in(dir.path(), Side::Upkeep, &["check", "-c", "c.conf"], "").status, Some(0));
}

#[test]
fn convert_writes_a_new_file_in_another_dialect() {
    let dir = tempfile::TempDir::new().expect("tempdir");
    let run = |args: &[&str]| run_in(dir.path(), Side::Upkeep, args, "");
    fs::write(dir.path().join("c.conf"), "; mine\n[supervisord]\n[program:a]\ncommand=a 'b c'\n")
        .expect("write");
    let outcome = run(&["convert", "c.conf", "--to", "yaml"]);
    let yaml = "supervisord: {}\n\nprograms:\n  a:\n    command: a 'b c'\n\nrpc_interfaces: {}\n";
    let yaml = yaml.replace("a 'b c'\n", "\"a 'b c'\"\n");
    assert_eq!((outcome.stdout, outcome.status), (yaml.clone(), Some(0)));
    assert_eq!(outcome.stderr, "note: comments are not carried over\n");
    assert_eq!(run(&["convert", "c.conf", "-o", "c.yaml"]).status, Some(0));
    assert_eq!(fs::read_to_string(dir.path().join("c.yaml")).expect("written"), yaml);
    let again = run(&["convert", "c.conf", "-o", "c.yaml"]);
    assert_eq!(again.status, Some(1));
    assert!(again.stderr.contains("hint: name another file"), "{again:?}");
    let json: Value =
        serde_json::from_str(&run(&["convert", "c.yaml", "--to", "json"]).stdout).expect("JSON");
    assert_eq!(json["programs"]["a"]["command"], "a 'b c'");
    for wrong in [&["convert"][..], &["convert", "c.conf"], &["convert", "c.conf", "--to", "xml"]] {
        assert_eq!(run(wrong).status, Some(2), "{wrong:?}");
    }
    fs::write(dir.path().join("d.yaml"), "programs: {a: {command: \"a ; b\"}}\n").expect("write");
    let refused = run(&["convert", "d.yaml", "--to", "ini"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(2), ""));
    assert!(
        refused.stderr.contains("[program:a] command cannot be written in INI\n  --> d.yaml:1:16"),
        "{refused:?}"
    );
}

#[test]
fn graph_draws_what_waits_for_what() {
    let dir = tempfile::TempDir::new().expect("tempdir");
    let path = dir.path().join("c.conf");
    let text = "[supervisord]\n[program:db]\ncommand=a\n[program:migrate]\ncommand=a\ndepends_on=db:healthy\n\
                [program:web]\ncommand=a\ndepends_on=migrate:completed,cache\n[program:cache]\ncommand=a\n";
    fs::write(&path, text).expect("write");
    let graph =
        |words: &[&str]| run_in(dir.path(), Side::Upkeep, &[&["graph", "-c", "c.conf"], words].concat(), "");
    let text = "1  cache\n   db\n2  migrate  after db (healthy)\n3  web      after cache (running), migrate (completed)\n";
    for words in [&[][..], &["text"]] {
        let outcome = graph(words);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), text), "{outcome:?}");
    }
    let dot = graph(&["dot"]).stdout;
    assert!(
        dot.starts_with("digraph programs {\n")
            && dot.contains("  \"db\" -> \"migrate\" [label=\"healthy\"];\n")
    );
    let mermaid = graph(&["mermaid"]).stdout;
    assert!(
        mermaid.starts_with("flowchart LR\n  p0[\"cache\"]\n")
            && mermaid.contains("  p2 -->|completed| p3\n")
    );
    let json: Value = serde_json::from_str(&graph(&["--json"]).stdout).expect("JSON");
    assert_eq!(json["programs"][3]["after"][1]["condition"], "completed");
    let outcome = graph(&["svg"]);
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    fs::write(&path, "[supervisord]\n[program:a]\ncommand=a\ndepends_on=a\n").expect("write");
    let outcome = graph(&[]);
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("depends_on leads in a circle: a -> a"), "{outcome:?}");
}
