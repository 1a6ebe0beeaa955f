//! `[defaults]`, `[template:x]` and `extends`: what programs take over, in every dialect, and what is said of mistakes.

use std::path::Path;

use upkeep_config::{
    CommandLine, Config, Dialect, Environment, Host, LoadError, Sources, check, convert, load,
};
use upkeep_core::spec::ProcessSpec;

fn read_file(path: &Path) -> Result<Config, LoadError> {
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    load(&Sources::read(&cli, Environment::of_this_process())?, &cli, &Host)
}

fn read(text: &str) -> Result<Config, LoadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    std::fs::write(&path, format!("[supervisord]\n{text}")).expect("written");
    read_file(&path)
}

fn process<'a>(config: &'a Config, name: &str) -> &'a ProcessSpec {
    let mut all = config.groups.iter().flat_map(|group| &group.processes);
    all.find(|process| process.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn variables(spec: &ProcessSpec) -> String {
    let pairs: Vec<String> = spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

const CHAIN: &str = "\
[defaults]
startsecs = 7
stopwaitsecs = 70
environment = A=\"defaults\",B=\"defaults\",P=\"%(program_name)s\"
[template:base]
command = base %(program_name)s
startsecs = 8
environment = B=\"base\",C=\"base\"
[template:worker]
extends = base
priority = 5
environment = C=\"worker\",D=\"%(ENV_C)s\"
[program:web]
extends = worker
environment = C=\"web\",E=\"%(ENV_D)s\"
[program:plain]
command = cat
[eventlistener:ear]
command = ear
events = TICK_5
[eventlistener:other]
extends = worker
events = TICK_5
[fcgi-program:php]
extends = worker
socket = tcp://127.0.0.1:9999
";

#[test]
fn the_nearest_value_counts_and_environments_add_up() {
    let config = read(CHAIN).expect("good");
    let web = process(&config, "web");
    assert_eq!((web.command.as_str(), web.startsecs, web.priority), ("base web", 8, 5));
    assert_eq!((web.stopwaitsecs, &*web.section), (70, "program:web"));
    assert_eq!(variables(web), "A=defaults B=base C=web D=base E=base P=web");
    let plain = process(&config, "plain");
    assert_eq!(
        (plain.startsecs, plain.priority, variables(plain).as_str()),
        (7, 999, "A=defaults B=defaults P=plain")
    );
    let php = process(&config, "php");
    assert_eq!((php.command.as_str(), php.stopwaitsecs), ("base php", 70));
}

#[test]
fn event_listeners_have_templates_and_no_defaults() {
    let config = read(CHAIN).expect("good");
    let (ear, other) = (process(&config, "ear"), process(&config, "other"));
    assert_eq!((ear.startsecs, ear.stopwaitsecs, variables(ear).as_str()), (1, 10, ""));
    assert_eq!(
        (other.startsecs, other.stopwaitsecs, variables(other).as_str()),
        (8, 10, "B=base C=worker D=base")
    );
}

#[test]
fn templates_and_defaults_are_no_programs() {
    let config = read(CHAIN).expect("good");
    let names: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names.len(), 5);
    assert!(["web", "plain", "ear", "other", "php"].iter().all(|name| names.contains(name)), "{names:?}");
}

/// `[DEFAULT]`, which Supervisor knows, counts last.
#[test]
fn default_values_of_the_dialect_count_last() {
    let text = "[DEFAULT]\nstartsecs = 1\nstopwaitsecs = 2\npriority = 3\n[defaults]\nstartsecs = 4\n\
        [template:t]\nstopwaitsecs = 5\n[program:a]\ncommand = a\nextends = t\n";
    let config = read(text).expect("good");
    let a = process(&config, "a");
    assert_eq!((a.startsecs, a.stopwaitsecs, a.priority), (4, 5, 3));
}

#[test]
fn members_of_groups_and_copies_take_over_as_well() {
    let text = "[template:t]\ncommand = t %(group_name)s %(process_num)d\nnumprocs = 2\n\
        process_name = %(program_name)s_%(process_num)d\n[program:a]\nextends = t\n[group:g]\nprograms = a\n";
    let config = read(text).expect("good");
    assert_eq!(process(&config, "a_1").command, "t g 1");
}

#[test]
fn every_dialect_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let ini = folder.path().join("x.conf");
    std::fs::write(&ini, format!("[supervisord]\n{CHAIN}")).expect("written");
    let expected = read_file(&ini).expect("good").groups;
    for (dialect, ending) in [(Dialect::Yaml, "yaml"), (Dialect::Toml, "toml"), (Dialect::Json, "json")] {
        let env = Environment::of_this_process();
        let converted = convert(&ini.to_string_lossy(), true, dialect, env.clone()).expect("converted");
        let path = folder.path().join(format!("x.{ending}"));
        std::fs::write(&path, &converted.text).expect("written");
        assert_eq!(read_file(&path).expect(ending).groups, expected, "{}", converted.text);
        assert!(
            converted.text.contains("templates") && converted.text.contains("defaults"),
            "{}",
            converted.text
        );
        let back = convert(&path.to_string_lossy(), false, Dialect::Ini, env).expect("converted back");
        std::fs::write(folder.path().join("back.conf"), &back.text).expect("written");
        assert_eq!(
            read_file(&folder.path().join("back.conf")).expect("back").groups,
            expected,
            "{}",
            back.text
        );
    }
}

#[test]
fn wrong_names_and_circles_are_errors_with_their_places() {
    let wrong = |text: &str| read(text).expect_err(text).diagnostics;
    for (text, line, message, hint) in [
        (
            "[program:a]\ncommand=a\nextends=bse\n[template:base]\n",
            4,
            "[program:a] extends bse, which is no template",
            "did you mean \"base\"?",
        ),
        (
            "[program:a]\ncommand=a\nextends=b\n[program:b]\ncommand=b\n",
            4,
            "[program:a] extends b, which is no template",
            "a program cannot be extended",
        ),
        (
            "[program:a]\ncommand=a\nextends=x,y\n",
            4,
            "[program:a] extends x,y, which is no template",
            "write one name",
        ),
        (
            "[template:a]\nextends=b\n",
            3,
            "[template:a] extends b, which is no template",
            "write the NAME of a section",
        ),
        (
            "[template:a]\nextends=a\n[program:p]\ncommand=p\nextends=a\n",
            3,
            "extends leads in a circle: a -> a",
            "a template cannot extend itself",
        ),
        (
            "[template:b]\nextends=c\n[template:c]\nextends=a\n[template:a]\nextends=b\n",
            7,
            "extends leads in a circle: a -> b -> c -> a",
            "a template",
        ),
    ] {
        let problems = wrong(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].message.as_str(), problems[0].line), (message, Some(line)), "{text}");
        assert!(problems[0].hint.as_deref().unwrap_or_default().starts_with(hint), "{problems:?}");
    }
    let chain: String = (0..17).map(|n| format!("[template:t{n}]\nextends=t{}\n", n + 1)).collect();
    let problems = wrong(&format!("{chain}[template:t17]\n[program:p]\ncommand=p\nextends=t0\n"));
    assert_eq!(problems[0].message, "more than 16 templates extend one another");
}

/// However many programs have it.
#[test]
fn a_wrong_value_is_told_once_with_both_places() {
    let text = "[template:t]\nautorestart=mayby\n[program:a]\ncommand=a\nextends=t\n[program:b]\ncommand=b\nextends=t\n";
    let problems = read(text).expect_err("wrong").diagnostics;
    assert_eq!(
        (problems.len(), problems[0].line, problems[0].key.as_deref()),
        (1, Some(3), Some("autorestart"))
    );
    let message = &problems[0].message;
    assert!(
        message.starts_with("invalid 'autorestart' value 'mayby' in section 'program:a' (file: "),
        "{message}"
    );
    assert!(
        message.contains("(said in [template:t], taken over by [program:a] in ")
            && message.ends_with("x.conf:4)"),
        "{message}"
    );
}

#[test]
fn what_defaults_and_templates_do_not_know_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let text = "[supervisord]\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
        [defaults]\ncommand=x\nautostrt=false\nevents=TICK_5\n[template:t]\nstopsignl=TERM\nevents=TICK_5\n\
        [program:a]\ncommand=a\nextends=t\n";
    std::fs::write(&path, text).expect("written");
    let report = check(Some(&path.to_string_lossy()), "supervisord", Environment::of_this_process(), &Host);
    let told: Vec<(usize, &str)> = report
        .problems
        .iter()
        .map(|problem| (problem.line.unwrap_or_default(), problem.message.as_str()))
        .collect();
    let expected = [
        (5, "[defaults] command cannot stand there and is ignored"),
        (6, "[defaults] autostrt is not a known option and ignored"),
        (7, "[defaults] events is not a known option and ignored"),
        (9, "[template:t] stopsignl is not a known option and ignored"),
        (10, "[program:a] events is not a known option and ignored"),
    ];
    assert_eq!(told, expected, "{}", report.render());
}
