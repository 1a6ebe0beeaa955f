//! Conversion: there and back nothing changes, and what cannot be said is refused.

use std::fs;
use std::path::Path;

use serde_json::Value;
use upkeep_config::options::{Kind, SectionKind};
use upkeep_config::{Dialect, convert};

use crate::dice::{Dice, every_case};
use crate::dump::{dump, load_in};
use crate::reference::{corpus, environment};

const OTHERS: [Dialect; 3] = [Dialect::Yaml, Dialect::Toml, Dialect::Json];

fn loaded(folder: &Path, name: &str) -> Value {
    dump(&load_in(folder, name))
}

/// Converts a file in a folder; returns the name of the new one, beside it.
fn converted(folder: &Path, name: &str, to: Dialect) -> Result<String, String> {
    let path = folder.join(name).to_string_lossy().into_owned();
    let converted = convert(&path, false, to, environment(folder)).map_err(|error| error.to_string())?;
    let new = format!("{name}.{}", to.name());
    fs::write(folder.join(&new), converted.text).expect("written");
    Ok(new)
}

/// What differs after a file was converted to each dialect and back; refusals do not count.
fn differs(folder: &Path, name: &str) -> (Option<String>, Vec<String>) {
    let wanted = loaded(folder, name);
    let mut refused = Vec::new();
    for to in OTHERS {
        let new = match converted(folder, name, to) {
            Ok(new) => new,
            Err(why) => {
                refused.push(format!("{to:?}: {why}"));
                continue;
            }
        };
        if wanted.get("error").is_some() {
            continue;
        }
        let back = converted(folder, &new, Dialect::Ini);
        let back = back.unwrap_or_else(|why| panic!("{}: {why}", folder.join(&new).display()));
        for name in [new, back] {
            let got = loaded(folder, &name);
            if got != wanted {
                let text = fs::read_to_string(folder.join(&name)).unwrap_or_default();
                return (Some(format!("{name}:\n{text}\n{got:#}\nwanted {wanted:#}")), refused);
            }
        }
    }
    (None, refused)
}

fn copied(path: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("run")).expect("made");
    fs::copy(path, folder.path().join("x.conf")).expect("copied");
    folder
}

#[test]
fn examples_and_the_corpus_mean_the_same_in_every_dialect() {
    let root = corpus().join("../..");
    let mut files =
        vec![root.join("examples/quickstart.conf"), root.join("examples/laravel/supervisord.conf")];
    let good = fs::read_dir(corpus().join("good")).expect("a folder").flatten().map(|entry| entry.path());
    files.extend(good.filter(|path| path.extension().is_some_and(|ending| ending == "conf")));
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        let folder = copied(&path);
        let (failure, refused) = differs(folder.path(), "x.conf");
        assert_eq!(failure, None, "{}", path.display());
        assert!(refused.is_empty(), "{}: {refused:?}", path.display());
    }
}

#[test]
fn examples_in_other_dialects_mean_the_same_in_every_dialect() {
    let examples = corpus().join("../../examples");
    for dialect in OTHERS {
        let folder = copied(&examples.join(format!("quickstart.{}", dialect.name())));
        let name = format!("x.{}", dialect.name());
        fs::rename(folder.path().join("x.conf"), folder.path().join(&name)).expect("renamed");
        let wanted = loaded(folder.path(), &name);
        assert!(wanted.get("error").is_none(), "{wanted:#}");
        for to in Dialect::ALL {
            let new = converted(folder.path(), &name, to).expect("converted");
            assert_eq!(loaded(folder.path(), &new), wanted, "{new}");
        }
    }
}

const ODD: &[&str] = &[
    "yes",
    "no",
    "007",
    "1e3",
    "0x1f",
    "~",
    "null",
    "a: b",
    "a; b",
    "'",
    "\"",
    "\\n",
    "\\",
    "'a' \"b\"",
    "%%",
    "%(here)s/x",
    "%(ENV_HOME)s",
    "- x",
    "中文 値",
    "{a}",
    "[a]",
    "a,b , c",
    "&a *b",
    "@x",
    "`x`",
    "|",
    ">-",
    "=",
    "!x",
    "\n  two\n\n  three",
    "12:30:45",
    "1_000",
    "+1",
    "tab\there",
    "trailing:",
    "é\u{2028}",
    "NONE",
    "AUTO",
    "5MB",
    "0,1,2",
    "true",
    "off",
];

const VARIABLES: &[&str] = &[
    "A=1,B=\"x y\"",
    "A=\"it's\",C='say \"x\"'",
    "A=\"%(ENV_HOME)s\",B=\"100%%\"",
    "B=\"\",b='a=b,c',",
    "A=a-b:c\n  ,A=2",
    "A='''x'''",
];

fn section(dice: &mut Dice, text: &mut String, kind: SectionKind, name: &str) {
    text.push_str(&format!("[{name}]\n"));
    for row in kind.rows() {
        let needed = matches!(row.name, "command" | "events" | "socket" | "file" | "port");
        let factory = row.name.starts_with("supervisor.");
        if row.name == "extends" && kind != SectionKind::Template && dice.below(3) == 0 {
            text.push_str("extends=worker\n");
        }
        let elsewhere = [
            "username",
            "password",
            "event_queue_directory",
            "depends_on",
            "extends",
            "env_files",
            "cpu_limit",
            "pids_limit",
            "forward_tls_cert",
            "forward_tls_key",
        ];
        if elsewhere.contains(&row.name) {
            continue;
        }
        let serves = matches!(kind, SectionKind::Listener | SectionKind::Fcgi);
        if serves && row.name == "schedule" {
            continue;
        }
        let strict = matches!(
            row.name,
            "exit_when" | "health_check" | "ready" | "schedule_timezone" | "ionice" | "cgroup"
        ) || row.name.ends_with("_rate_limit")
            || row.name.starts_with("forward_tls_");
        let free = matches!(row.kind, Kind::Text | Kind::Command | Kind::Pairs) && !strict;
        let value = match dice.below(if free { 10 } else { 2000 }) {
            _ if factory => row.sample,
            0..=2 if row.kind == Kind::Pairs => dice.pick(VARIABLES),
            0..=2 => dice.pick(ODD),
            3..=6 => row.sample,
            odd if odd % 4 == 0 => row.default.filter(|value| !value.is_empty()).unwrap_or(row.sample),
            odd if needed || odd % 4 == 1 => row.sample,
            _ => continue,
        };
        text.push_str(&format!("{}={value}\n", row.name));
    }
    if !kind.open() && dice.below(8) == 0 {
        text.push_str(&format!("my_{}={}\n", dice.below(3), dice.pick(ODD)));
    }
}

#[test]
fn random_configurations_mean_the_same_in_every_dialect() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut compared, mut refused) = (0, 0);
    every_case(7, |dice| {
        if dice.below(8) > 0 {
            return None;
        }
        let mut text = String::new();
        if dice.below(6) == 0 {
            text.push_str(&format!("[DEFAULT]\nstopwaitsecs={}\nextra={}\n", dice.below(90), dice.pick(ODD)));
        }
        section(dice, &mut text, SectionKind::Supervisord, "supervisord");
        section(dice, &mut text, SectionKind::Template, "template:worker");
        for (kind, name) in [
            (SectionKind::Unix, "unix_http_server"),
            (SectionKind::Inet, "inet_http_server:b"),
            (SectionKind::Defaults, "defaults"),
            (SectionKind::RpcInterface, "rpcinterface:supervisor"),
            (SectionKind::Program, "program:a-1"),
            (SectionKind::Program, "program:中"),
            (SectionKind::Listener, "eventlistener:on"),
            (SectionKind::Fcgi, "fcgi-program:f.1"),
            (SectionKind::Supervisorctl, "supervisorctl"),
        ] {
            if dice.below(2) == 0 {
                section(dice, &mut text, kind, name);
            }
        }
        if text.contains("program:a-1") && dice.below(3) == 0 {
            text.push_str("[group:g]\nprograms=a-1\n[nobody knows]\nx=1 2\n");
        }
        fs::write(folder.path().join("x.conf"), &text).expect("written");
        let (failure, no) = differs(folder.path(), "x.conf");
        compared += usize::from(loaded(folder.path(), "x.conf").get("error").is_none());
        refused += no.len();
        failure.map(|found| format!("{text}\n{found}"))
    });
    assert!(compared > 10, "{compared} could be loaded");
    assert_eq!(refused, 0);
}

#[test]
fn what_ini_cannot_say_is_refused_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "\
supervisord: {identifier: ' x'}
programs:
  web:
    command: \"sh -c 'a ; b'\"
    directory: /tmp
    environment:
      A: 'both '' and \"'
      B: fine
  log: {command: log, environment: {C: 'x ; y'}}
";
    fs::write(folder.path().join("x.yaml"), text).expect("written");
    let why = converted(folder.path(), "x.yaml", Dialect::Ini).expect_err("refused");
    for expected in [
        "[supervisord] identifier cannot be written in INI",
        "x.yaml:1:15",
        "[program:web] command cannot be written in INI",
        "x.yaml:4:5",
        "[program:web] environment cannot be written in INI",
        "[program:log] environment cannot be written in INI",
    ] {
        assert!(why.contains(expected), "{expected}: {why}");
    }
    assert!(!why.contains("directory"), "{why}");
}

#[test]
fn remarks_tell_what_is_different() {
    let folder = tempfile::tempdir().expect("a folder");
    let remarks = |name: &str, text: &str, flatten, to| {
        fs::write(folder.path().join(name), text).expect("written");
        let path = folder.path().join(name).to_string_lossy().into_owned();
        convert(&path, flatten, to, environment(folder.path())).expect("converted")
    };
    let ini = "; c\n[supervisord]\n[include]\nfiles=d.yaml\n";
    let kept = remarks("a.conf", ini, false, Dialect::Yaml);
    assert_eq!(kept.remarks, ["comments are not carried over", "included files stay as they are: d.yaml"]);
    assert_eq!(kept.text, "supervisord: {}\n\ninclude:\n  files: [d.yaml]\n\nrpc_interfaces: {}\n");
    fs::write(folder.path().join("d.yaml"), "programs: {d: {command: '%(here)s/d'}}").expect("written");
    let flat = remarks("a.conf", ini, true, Dialect::Toml);
    let here = folder.path().display();
    assert_eq!(
        flat.text,
        format!("[supervisord]\n\n[programs.d]\ncommand = \"{here}/d\"\n\n[rpc_interfaces]\n")
    );
    let yaml = "x-mine: 1\nunix_http_server: {file: /s}\n";
    let explicit = remarks("b.yaml", yaml, false, Dialect::Ini);
    assert!(explicit.remarks.contains(&"left out, as they are no settings: x-mine".to_owned()));
    let sections: Vec<&str> = explicit.text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        sections,
        ["[unix_http_server]", "[supervisord]", "[rpcinterface:supervisor]", "[supervisorctl]"]
    );
    let part = remarks("c.yaml", "programs: {c: {command: c}}", false, Dialect::Ini);
    assert_eq!(part.text, "[program:c]\ncommand = c\n");
    assert!(part.remarks[0].starts_with("there is no [supervisord]"), "{:?}", part.remarks);
}
