//! YAML, TOML and JSON: the same model, the same diagnostics, with line and column.

use std::fs;

use tempfile::TempDir;
use upkeep_config::{
    CommandLine, Config, CtlInvocation, Environment, Host, LoadError, Sources, check, ctl_invocation, load,
};

use crate::dump::dump;
use crate::reference::environment;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn load_file(folder: &TempDir, name: &str) -> Result<Config, LoadError> {
    let cli = CommandLine { configuration: Some(name.to_owned()), ..CommandLine::default() };
    let sources = Sources::read(&cli, environment(folder.path()))?;
    let kept = Sources::from_bytes(&sources.to_bytes()).expect("a snapshot");
    assert_eq!(kept, sources);
    load(&kept, &cli, &Host)
}

/// What is wrong with a file, without the name of its folder.
fn problems(name: &str, text: &str) -> String {
    let folder = folder(&[(name, text)]);
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    let report = check(Some(name), "supervisord", env, &Host);
    report.render()
}

const INI: &str = "\
[supervisord]
logfile=%(here)s/d.log
umask=027
environment=A=\"1\",B=\"x y\"
[unix_http_server]
file=%(here)s/s.sock
chmod=0770
[inet_http_server]
port=127.0.0.1:9001
username=me
password=100%%
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:web]
command=/bin/sh -c 'echo \"hi\"; exit 2'
process_name=%(program_name)s_%(process_num)02d
numprocs=2
autostart=false
autorestart=unexpected
exitcodes=0,2
stopsignal=HUP
stdout_logfile_maxbytes=5MB
stderr_logfile_maxbytes=1000
user=0
umask=022
environment=PATH=\"%(ENV_PATH)s:/opt\",PORT=\"9421\",QUOTE=\"it's\"
[program:cat]
command=cat
autorestart=true
[fcgi-program:php]
command=php-cgi
socket=tcp://127.0.0.1:9000
[eventlistener:mail]
command=crashmail
events=PROCESS_STATE_EXITED,TICK_60
buffer_size=20
[group:site]
programs=web,cat
priority=5
";

const YAML: &str = "\
# A comment.
supervisord:
  logfile: '%(here)s/d.log'
  umask: \"027\"
  environment: {A: 1, B: x y}
unix_http_server:
  file: '%(here)s/s.sock'
  chmod: 0770
inet_http_server: {port: 127.0.0.1:9001, username: me, password: 100%%}
programs:
  web:
    command: [/bin/sh, -c, 'echo \"hi\"; exit 2']
    process_name: '%(program_name)s_%(process_num)02d'
    numprocs: 2
    autostart: no
    autorestart: unexpected
    exitcodes: [0, 2]
    stopsignal: HUP
    stdout_logfile_maxbytes: 5MB
    stderr_logfile_maxbytes: 1000
    user: 0
    umask: 0o22
    environment:
      PATH: '%(ENV_PATH)s:/opt'
      PORT: 9421
      QUOTE: it's
  cat: {command: cat, autorestart: true}
fcgi_programs:
  php: {command: php-cgi, socket: 'tcp://127.0.0.1:9000'}
event_listeners:
  mail:
    command: crashmail
    events: [PROCESS_STATE_EXITED, TICK_60]
    buffer_size: 20
groups:
  site: {programs: [web, cat], priority: 5}
";

const TOML: &str = "\
[supervisord]
logfile = '%(here)s/d.log'
umask = 0o27
environment = { A = 1, B = \"x y\" }
[unix_http_server]
file = '%(here)s/s.sock'
chmod = '0770'
[inet_http_server]
port = '127.0.0.1:9001'
username = 'me'
password = '100%%'
[rpc_interfaces.supervisor]
supervisor.rpcinterface_factory = 'supervisor.rpcinterface:make_main_rpcinterface'
[programs.web]
command = '''/bin/sh -c 'echo \"hi\"; exit 2' '''
process_name = '%(program_name)s_%(process_num)02d'
numprocs = 2
autostart = false
autorestart = 'unexpected'
exitcodes = [0, 2]
stopsignal = 'HUP'
stdout_logfile_maxbytes = '5MB'
stderr_logfile_maxbytes = 1_000
user = 0
umask = 0o22
environment = { PATH = '%(ENV_PATH)s:/opt', PORT = 9421, QUOTE = \"it's\" }
[programs]
cat = { command = 'cat', autorestart = true }
[fcgi_programs.php]
command = 'php-cgi'
socket = 'tcp://127.0.0.1:9000'
[event_listeners.mail]
command = 'crashmail'
events = ['PROCESS_STATE_EXITED', 'TICK_60']
buffer_size = 20
[groups.site]
programs = ['web', 'cat']
priority = 5
";

const JSON: &str = r#"{
  "$schema": "upkeep.schema.json",
  "supervisord": {"logfile": "%(here)s/d.log", "umask": "027", "environment": {"A": "1", "B": "x y"}},
  "unix_http_server": {"file": "%(here)s/s.sock", "chmod": "0770"},
  "inet_http_server": {"port": "127.0.0.1:9001", "username": "me", "password": "100%%"},
  "programs": {
    "web": {
      "command": ["/bin/sh", "-c", "echo \"hi\"; exit 2"],
      "process_name": "%(program_name)s_%(process_num)02d",
      "numprocs": 2, "autostart": false, "autorestart": "unexpected", "exitcodes": [0, 2], "stopsignal": "HUP",
      "stdout_logfile_maxbytes": "5MB", "stderr_logfile_maxbytes": 1000, "user": 0, "umask": "022",
      "environment": {"PATH": "%(ENV_PATH)s:/opt", "PORT": 9421, "QUOTE": "it\u0027s"}
    },
    "cat": {"command": "cat", "autorestart": true}
  },
  "fcgi_programs": {"php": {"command": "php-cgi", "socket": "tcp://127.0.0.1:9000"}},
  "event_listeners": {"mail": {"command": "crashmail", "events": ["PROCESS_STATE_EXITED", "TICK_60"], "buffer_size": 20}},
  "groups": {"site": {"programs": ["web", "cat"], "priority": 5}}
}"#;

/// The words of commands: a list has other quotes than a text.
fn split_commands(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                match value.as_str().filter(|_| key == "command") {
                    Some(command) => *value = upkeep_config::shlex::split(command).expect("words").into(),
                    None => split_commands(value),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(split_commands),
        _ => {}
    }
}

#[test]
fn every_dialect_says_the_same() {
    let folder =
        folder(&[("a.conf", INI), ("a.yaml", YAML), ("a.yml", YAML), ("a.toml", TOML), ("a.json", JSON)]);
    let dumped = |name| {
        let mut dump = dump(&load_file(&folder, name));
        split_commands(&mut dump);
        dump
    };
    let wanted = dumped("a.conf");
    assert!(wanted.get("error").is_none(), "{wanted:#}");
    for name in ["a.yaml", "a.yml", "a.toml", "a.json"] {
        assert_eq!(dumped(name), wanted, "{name}");
    }
}

#[test]
fn wrong_values_and_wrong_types_come_at_once_with_line_and_column() {
    let text = "\
supervisord:
  minfds: many
  nodaemon: 2
  umask: 22
programs:
  web:
    command: true
    stopsignal: TREM
    autostrat: false
    environment:
      A:
      B: '%(nope)s'
  db:
    command: [a, [b]]
    exitcodes: {x: 1}
    directory: 7
program:
  x: {command: x}
[program:y]: {}
"
    .replace("[program:y]", "\"program:y\"");
    let expected = "\
error: [supervisord] nodaemon: expected true or false, found the number 2
  --> a.yaml:3:13

error: [supervisord] umask: expected a file mode such as \"0700\", found the number 22
  --> a.yaml:4:10
hint: modes are octal: put it in quotes, with a 0 in front

error: [program:web] command: expected a command line, or a list of words, found true
  --> a.yaml:7:14

error: [program:web] environment.A: expected a text, a number, true or false, found nothing
  --> a.yaml:11:8
hint: write \"\" for an empty value

error: [program:db] command: expected a word of the command line, found a list
  --> a.yaml:14:18
hint: put it in quotes

error: [program:db] exitcodes: expected a list of exit codes, found a map
  --> a.yaml:15:16

error: [program:db] directory: expected a text, found the number 7
  --> a.yaml:16:16
hint: put it in quotes

error: \"program\" is not a known section
  --> a.yaml:17:1
hint: did you mean \"programs\"?

error: \"program:y\" is not a known section
  --> a.yaml:19:1
hint: write \"y\" below \"programs\"

error: invalid literal for int() with base 10: 'many'
  --> a.yaml:2:3

error: value 'TREM' is not a valid signal name in section 'program:web' (file: 'a.yaml')
  --> a.yaml:8:5
hint: did you mean \"TERM\"?

error: [program:web] autostrat is not a known option and ignored
  --> a.yaml:9:5
hint: did you mean \"autostart\"?

";
    let report = problems("a.yaml", &text);
    let (nope, rest): (Vec<&str>, Vec<&str>) =
        report.split_inclusive("\n\n").partition(|problem| problem.contains("'nope'"));
    assert_eq!(rest.concat(), format!("{expected}13 errors\n"));
    assert!(nope.concat().contains("a.yaml:12:7"), "{nope:?}");
    let folder = folder(&[("a.yaml", &text)]);
    assert_eq!(load_file(&folder, "a.yaml").expect_err("wrong").diagnostics.len(), 12);
}

#[test]
fn what_is_not_in_the_dialect_is_told_with_its_place() {
    for (name, text, expected) in [
        ("a.yaml", "programs:\n  web: {command: a\n", "--> a.yaml:3:1"),
        ("a.yaml", "programs:\n\tweb: {}\n", "--> a.yaml:2:2"),
        (
            "a.yaml",
            "unix_http_server:\n  file: %(here)s/s\n",
            "  --> a.yaml:2:9\nhint: a text that begins with % needs quotes",
        ),
        ("a.yaml", "inet_http_server: {port: *:9001}", "hint: a text that begins with * needs quotes"),
        ("a.yaml", "x: sh -c \"a\": b", "hint: a text that holds \": \" needs quotes"),
        ("a.yaml", "x: \"a\" b", "hint: quotes go around the whole text; a command may be a list of words"),
        ("a.yaml", "a: &a [*a]\n", "error: an alias inside of what it stands for\n  --> a.yaml:1:8"),
        (
            "a.yaml",
            "x-a: 1\n---\nx-b: 1\n",
            "error: a second document begins here: a file holds one\n  --> a.yaml:2:1",
        ),
        ("a.yaml", "programs: {? [a] : b}", "error: a key must be a text, not a list or a map"),
        ("a.yaml", "<<: 7", "error: << takes a map, or a list of maps\n  --> a.yaml:1:5"),
        (
            "a.yaml",
            "- a",
            "error: expected sections, such as programs and supervisord, found a list\n  --> a.yaml:1:1",
        ),
        ("a.yaml", "programs: !x y", "error: the tag \"x\" means nothing here\n  --> a.yaml:1:11"),
        ("a.toml", "[programs.web]\ncommand = a\n", "error: this is not TOML: "),
        ("a.toml", "[programs.web]\n[programs.web]\n", "--> a.toml:2:11"),
        ("a.json", "{\"programs\": {,}}", "error: this is not JSON: key must be a string\n  --> a.json:1:15"),
        ("a.yaml", "programs: {web: }", "--> a.yaml:1:12\nhint: add command: PROGRAM ARGUMENTS"),
        ("a.toml", "[programs.web]", "--> a.toml:1:11\nhint: add command=PROGRAM ARGUMENTS"),
        ("a.json", "{} x", "error: this is not JSON: trailing characters\n  --> a.json:1:4"),
        ("a.json", "{'a': 1}", "error: this is not JSON: "),
        ("a.json", "", "error: this is not JSON: EOF while parsing a value"),
    ] {
        let report = problems(name, text);
        assert!(report.contains(expected), "{text:?}: {report}");
    }
}

#[test]
fn keys_that_stand_twice_are_errors() {
    for (name, text, place) in [
        ("a.yaml", "programs:\n  web: {command: a}\n  web: {command: b}\n", "3:3"),
        ("a.yaml", "programs: {web: {command: a, command: b}}\n", "1:30"),
        ("a.json", "{\"programs\": {\"web\": {\"command\": \"a\"},\n \"web\": {}}}", "2:2"),
        ("a.json", "{\"programs\": {},\n \"\\u0070rograms\": {}}", "2:2"),
        ("a.toml", "[programs.web]\ncommand = 'a'\ncommand = 'b'\n", "3:1"),
    ] {
        let report = problems(name, text);
        assert!(report.contains(&format!("--> {name}:{place}\n")), "{text:?}: {report}");
        assert!(report.contains("1 error"), "{text:?}: {report}");
    }
}

#[test]
fn nesting_and_aliases_are_bounded() {
    let deep = 40;
    let yaml = format!("x-a: {}{}", "[".repeat(deep), "]".repeat(deep));
    let json = format!("{{\"x-a\": {}{}}}", "[".repeat(deep), "]".repeat(deep));
    let toml = format!("x-a = {}{}", "[".repeat(deep), "]".repeat(deep));
    for (name, text) in [("a.yaml", &yaml), ("a.json", &json), ("a.toml", &toml)] {
        let report = problems(name, text);
        assert!(report.contains("nested more than 32 deep"), "{name}: {report}");
    }
    for opening in ["[", "{\"a\":"] {
        let report = problems("a.json", &opening.repeat(100_000));
        assert!(report.contains("this is not JSON: recursion limit exceeded"), "{report}");
        let report = problems("a.yaml", &opening.repeat(100_000));
        assert!(report.contains("recursion limit exceeded") || report.contains("32 deep"), "{report}");
    }
    assert!(problems("a.toml", &format!("a = {}", "[".repeat(100_000))).contains("this is not TOML"));
    let mut bomb = "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("x-{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", ")));
    }
    let report = problems("a.yaml", &bomb);
    assert!(report.contains("error: aliases stand for more than 100000 values"), "{report}");
}

#[test]
fn anchors_and_merges_share_what_programs_have_in_common() {
    let text = "\
x-worker: &worker
  autorestart: true
  stopwaitsecs: 60
  environment: &env {QUEUE: default}
programs:
  mail: {<<: *worker, command: mail}
  gift:
    <<: [{stopwaitsecs: 5}, *worker]
    command: gift
    environment: {<<: *env, NAME: gift}
";
    let folder = folder(&[("a.yaml", text)]);
    let config = load_file(&folder, "a.yaml").expect("loaded");
    let [gift, mail] = &config.groups[..] else { panic!("{:?}", config.groups) };
    assert_eq!((gift.processes[0].stopwaitsecs, mail.processes[0].stopwaitsecs), (5, 60));
    assert_eq!(gift.processes[0].environment.len(), 2);
    assert_eq!(mail.processes[0].environment["QUEUE"], "default");
}

#[test]
fn nothing_of_the_ini_dialect_cuts_or_changes_values() {
    let text = r##"
programs:
  web:
    command: "sh -c 'a ; b # c'"
    directory: "  two blanks "
    environment:
      A: 'a ; b # "c" ''d'', e=f'
      B: "\"quoted\""
      C: "100%% of %(program_name)s"
      D: "line\nline"
      no: no
      T: true
      F: 1.50
"##;
    let folder = folder(&[("a.yaml", text)]);
    let config = load_file(&folder, "a.yaml").expect("loaded");
    let process = &config.groups[0].processes[0];
    assert_eq!(process.command, "sh -c 'a ; b # c'");
    assert_eq!(process.directory.as_deref(), Some("  two blanks "));
    let environment: Vec<(&str, &str)> =
        process.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("A", "a ; b # \"c\" 'd', e=f"),
        ("B", "\"quoted\""),
        ("C", "100% of web"),
        ("D", "line\nline"),
        ("F", "1.50"),
        ("T", "true"),
        ("no", "no"),
    ];
    assert_eq!(environment, expected);
}

#[test]
fn a_list_of_words_is_expanded_word_by_word() {
    let text = "
supervisord: {environment: {SAID: 'it''s \"so\", \\', NONE: ''}}
programs:
  web:
    command: [echo, '%(ENV_SAID)s', a b, '', '%(ENV_NONE)s', '%(program_name)s', 7, '100%%']
  bad: {command: [echo, '%(nope)s']}
";
    let folder = folder(&[("a.yaml", text)]);
    let error = load_file(&folder, "a.yaml").expect_err("nope");
    assert!(error.message.contains("'nope'") && error.diagnostics[0].line == Some(6), "{error}");
    fs::write(folder.path().join("a.yaml"), text.replace("nope", "here")).expect("written");
    let config = load_file(&folder, "a.yaml").expect("loaded");
    let command = &config.groups[1].processes[0].command;
    let words = upkeep_config::shlex::split(command).expect("words");
    assert_eq!(words, ["echo", "it's \"so\", \\", "a b", "", "", "web", "7", "100%"]);
}

#[test]
fn files_of_any_dialect_include_files_of_any_dialect() {
    let parts = [
        ("one.yaml", "programs: {one: {command: '%(here)s/one', environment: {A: '%(here)s'}}}"),
        ("two.toml", "[programs.two]\ncommand = 'two'"),
        ("three.json", "{\"programs\": {\"three\": {\"command\": \"three\"}}}"),
        ("four.conf", "[program:four]\ncommand = four ; cut"),
    ];
    for (name, main) in [
        ("main.conf", "[supervisord]\n[include]\nfiles = d/*\n"),
        ("main.yaml", "include: {files: [d/*.conf, 'd/*.yaml', 'd/*.toml', \"d/*.json\"]}"),
        ("main.toml", "include = { files = 'd/*' }"),
        ("main.json", "{\"include\": {\"files\": [\"%(here)s/d/*\"]}}"),
    ] {
        let folder = folder(&[(name, main)]);
        fs::create_dir(folder.path().join("d")).expect("made");
        for (name, text) in parts {
            fs::write(folder.path().join("d").join(name), text).expect("written");
        }
        let config = load_file(&folder, name).expect("loaded");
        let here = folder.path().join("d").to_string_lossy().into_owned();
        let commands: Vec<&str> = config.groups.iter().map(|group| &*group.processes[0].command).collect();
        assert_eq!(commands, ["four", &*format!("{here}/one"), "three", "two"], "{name}");
        assert_eq!(config.groups[1].processes[0].environment["A"], here);
    }
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing() {
    let folder = folder(&[("a.yaml", "programs: {web: {command: one}}")]);
    let cli = CommandLine { configuration: Some("a.yaml".to_owned()), ..CommandLine::default() };
    let sources = Sources::read(&cli, environment(folder.path())).expect("read");
    fs::write(folder.path().join("a.yaml"), "programs: {web: {command: two}}").expect("written");
    let again = load(&sources.reread().expect("read"), &cli, &Host).expect("loaded");
    assert_eq!(again.groups[0].processes[0].command, "two");
    fs::write(folder.path().join("a.yaml"), "programs: {web: ").expect("written");
    assert!(sources.reread().is_err());
    assert_eq!(load(&sources, &cli, &Host).expect("held").groups[0].processes[0].command, "one");
}

#[test]
fn what_everybody_writes_need_not_be_written() {
    let folder = folder(&[
        ("a.yaml", "unix_http_server: {file: '%(here)s/s', username: u, password: p}"),
        ("b.yaml", "rpc_interfaces: {}"),
        ("c.toml", "[inet_http_server]\nport = '*:9001'"),
        ("d.json", "{\"supervisorctl\": {\"serverurl\": \"http://far:1\"}}"),
        ("e.yaml", ""),
        ("f.yaml", "programs: {web: {autostart: 2}}\nprogramm: {}\n"),
        ("g.yaml", "supervisorctl: {prompt: [1]}"),
    ]);
    assert_eq!(load_file(&folder, "a.yaml").expect("loaded").rpc_interfaces[0].namespace, "supervisor");
    assert_eq!(load_file(&folder, "b.yaml").expect("loaded").rpc_interfaces, []);
    let client = |name: &str| {
        let args = ["-c", name, "status"].map(str::to_owned);
        match ctl_invocation("ctl", &args, &environment(folder.path())) {
            Ok(CtlInvocation::Run(options)) => options,
            other => panic!("{other:?}"),
        }
    };
    let a = client("a.yaml");
    assert_eq!(a.serverurl, format!("unix://{}/s", folder.path().display()));
    assert_eq!((a.username.as_deref(), a.password.as_deref()), (Some("u"), Some("p")));
    assert_eq!(client("c.toml").serverurl, "http://localhost:9001");
    assert_eq!(client("d.json").serverurl, "http://far:1");
    assert_eq!(client("e.yaml").serverurl, "http://localhost:9001");
    assert_eq!(client("f.yaml").serverurl, "http://localhost:9001", "programs are not the client's affair");
    let args = ["-c", "g.yaml", "status"].map(str::to_owned);
    let error = ctl_invocation("ctl", &args, &environment(folder.path())).expect_err("wrong");
    assert!(error.to_string().contains("expected a text, found a list\n  --> g.yaml:1:25"), "{error}");
}

#[test]
fn the_quickstart_is_the_same_in_every_dialect() {
    let examples = crate::reference::corpus().join("../../examples").canonicalize().expect("the examples");
    let shown = |name: &str| {
        let env = environment(&examples);
        let path = examples.join(name).to_string_lossy().into_owned();
        let report = check(Some(&path), "supervisord", env.clone(), &Host);
        assert_eq!(report.problems, [], "{name}");
        let cli = CommandLine { configuration: Some(path), ..CommandLine::default() };
        let mut shown = dump(&load(&Sources::read(&cli, env).expect("read"), &cli, &Host));
        split_commands(&mut shown);
        let workers = shown["groups"]
            .as_array_mut()
            .expect("groups")
            .iter_mut()
            .filter(|group| group["name"] == "worker");
        for worker in workers.flat_map(|group| group["processes"].as_array_mut().expect("processes")) {
            // The number of a worker is in its command or in its environment.
            (worker["command"], worker["environment"]) = (serde_json::Value::Null, serde_json::Value::Null);
        }
        shown
    };
    let wanted = shown("quickstart.conf");
    for name in ["quickstart.yaml", "quickstart.toml", "quickstart.json"] {
        assert_eq!(shown(name), wanted, "{name}");
    }
}

/// Times, factors and steps are what people write in each dialect.
#[test]
fn restarts_and_stops_are_the_same_in_yaml() {
    let ini = "[supervisord]\n[program:web]\ncommand=web\nrestart_delay=0.5\nrestart_delay_max=1m\nrestart_backoff=1.5\nrestart_jitter=20\n\
               restart_limit=3\nrestart_window=90\nrestart_reset_after=2m\non_giveup=retry_every 5m\nstop_sequence=TERM 10,INT 5,KILL\n";
    let yaml = "programs:\n  web:\n    command: web\n    restart_delay: 0.5\n    restart_delay_max: 1m\n    restart_backoff: 1.5\n    restart_jitter: 20\n    \
                restart_limit: 3\n    restart_window: 90\n    restart_reset_after: 2m\n    on_giveup: retry_every 5m\n    stop_sequence: [TERM 10, INT 5, KILL]\n";
    let folder = folder(&[("x.conf", ini), ("x.yaml", yaml)]);
    let [ini, yaml] = ["x.conf", "x.yaml"].map(|name| load_file(&folder, name).expect("loaded").groups);
    assert_eq!(ini[0].processes[0].stop_sequence.len(), 2);
    assert_eq!(ini, yaml);
}

/// Each copy has commands of its own, and each word of a list stays one word.
#[test]
fn hooks_are_the_same_in_yaml_for_every_copy() {
    let ini = "[supervisord]\n[program:web]\ncommand=web\nnumprocs=2\nprocess_name=web%(process_num)d\n\
               pre_start=prepare 'a b' %(process_num)d\npost_stop=clean %(ENV_X)s\nenvironment=X=\"1\"\nhook_timeout=1m\nreload_signal=HUP\n";
    let yaml = "programs:\n  web:\n    command: web\n    numprocs: 2\n    process_name: web%(process_num)d\n    \
                pre_start: [prepare, a b, '%(process_num)d']\n    post_stop: clean %(ENV_X)s\n    environment: {X: '1'}\n    \
                hook_timeout: 1m\n    reload_signal: HUP\n";
    let folder = folder(&[("x.conf", ini), ("x.yaml", yaml)]);
    let [ini, yaml] = ["x.conf", "x.yaml"].map(|name| load_file(&folder, name).expect("loaded").groups);
    let hooks = ini[0].processes[1].hooks.as_ref().expect("hooks");
    assert_eq!(hooks.pre_start.as_deref(), Some("prepare 'a b' 1"));
    assert_eq!(hooks.post_stop.as_deref(), Some("clean 1"));
    assert_eq!(ini, yaml);
}
