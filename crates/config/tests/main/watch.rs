//! `watch`: which files are meant, and what is said of what cannot be.

use std::time::Duration;

use upkeep_config::{CommandLine, Config, Environment, Host, LoadError, Severity, Sources, check, load};
use upkeep_core::spec::{WatchAction, WatchSpec};

fn read(name: &str, text: &str) -> (Result<Config, LoadError>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    let mut env = Environment::of_this_process();
    env.vars.insert("HOME".to_owned(), "/home/me".to_owned());
    let here = folder.path().to_string_lossy().into_owned();
    (Sources::read(&cli, env).and_then(|sources| load(&sources, &cli, &Host)), here)
}

fn ini(options: &str) -> (Result<Config, LoadError>, String) {
    read("x.conf", &format!("[supervisord]\n[program:web]\ncommand=web\n{options}\n"))
}

fn watch(config: &Config) -> Option<&WatchSpec> {
    config.groups[0].processes[0].watch.as_deref()
}

/// Each pattern as `ROOT | PART/PART`, with the configuration's directory left out.
fn patterns(watch: &WatchSpec, here: &str) -> Vec<String> {
    let text = |pattern: &upkeep_core::spec::PathPattern| {
        format!("{} | {}", pattern.root.replace(here, "HERE"), pattern.parts.join("/"))
    };
    watch.patterns.iter().map(text).collect()
}

#[test]
fn patterns_begin_in_a_directory() {
    for (options, expected) in [
        ("watch=.env", vec!["HERE | .env"]),
        ("watch=src/**/*.py, .env", vec!["HERE/src | **/*.py", "HERE | .env"]),
        ("watch=src", vec!["HERE | src"]),
        ("watch=src/", vec!["HERE/src | "]),
        ("watch=.", vec!["HERE | "]),
        ("watch=./a//b/*.c", vec!["HERE/a/b | *.c"]),
        ("watch=../x/*.c", vec!["HERE/.. | "]),
        ("watch=/a/b/c.d", vec!["/a/b | c.d"]),
        ("watch=/x", vec!["/ | x"]),
        ("watch=~/x/*", vec!["/home/me/x | *"]),
        ("watch=**/**/*.c", vec!["HERE | **/*.c"]),
        ("directory=/srv/app\nwatch=src/*.c", vec!["/srv/app/src | *.c"]),
        ("watch=%(here)s/%(program_name)s/*.c", vec!["HERE/web | *.c"]),
        ("numprocs=2\nprocess_name=%(process_num)d\nwatch=a", vec!["HERE | a"]),
    ] {
        let (config, here) = ini(options);
        let config = config.expect(options);
        let found = patterns(watch(&config).expect(options), &here);
        if options == "watch=../x/*.c" {
            let above = std::path::Path::new(&here).parent().expect("a folder").join("x");
            assert_eq!(found, [format!("{} | *.c", above.display())]);
            continue;
        }
        assert_eq!(found, expected, "{options}");
    }
}

#[test]
fn what_goes_with_it() {
    let (config, _) = ini("watch=a");
    let config = config.expect("good");
    let spec = watch(&config).expect("watched");
    assert_eq!((spec.action, spec.debounce), (WatchAction::Restart, Duration::from_millis(500)));
    let (config, here) = ini(
        "watch=a\nreload_signal=HUP\nwatch_action=Reload\nwatch_debounce=2s\nwatch_ignore=cache, *.log, a/gen/*, /x",
    );
    let config = config.expect("good");
    let spec = watch(&config).expect("watched");
    assert_eq!((spec.action, spec.debounce), (WatchAction::Reload, Duration::from_secs(2)));
    assert_eq!(spec.ignore_names, ["cache", "*.log"]);
    let paths: Vec<(String, String)> = spec
        .ignore_paths
        .iter()
        .map(|path| (path.root.replace(&here, "HERE"), path.parts.join("/")))
        .collect();
    assert_eq!(paths, [("HERE/a/gen".to_owned(), "*".to_owned()), ("/".to_owned(), "x".to_owned())]);
    let (config, _) = ini("");
    assert_eq!(watch(&config.expect("good")), None);
}

#[test]
fn copies_share_it() {
    let (config, _) = ini("numprocs=3\nprocess_name=%(process_num)d\nwatch=a");
    let config = config.expect("good");
    let [first, others @ ..] = &config.groups[0].processes[..] else { panic!("three processes") };
    let own = first.watch.as_ref().expect("watched");
    assert!(
        others
            .iter()
            .all(|other| other.watch.as_ref().is_some_and(|watch| std::sync::Arc::ptr_eq(own, watch)))
    );
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let many = format!("watch={}", vec!["a"; 65].join(","));
    for (options, message, hint) in [
        ("watch=a,,b", "watch has an empty pattern", "there is a comma too many"),
        ("watch=*.{js,css}", "watch: braces mean nothing in *.{js", "write each pattern by itself"),
        ("watch=**.py", "watch: ** stands for directories, and must be alone", "write **/*.py"),
        ("watch=*/../x", "watch: .. cannot stand there in */../x", "write the directory itself"),
        ("watch=a/..", "watch: .. cannot stand there in a/..", "write the directory itself"),
        ("watch=!a", "watch: !a begins with !", "write what is not to be looked at into watch_ignore"),
        ("watch=/**/*.c", "watch: /**/*.c is the whole system", "begin with a directory"),
        ("watch=/", "watch: / is the whole system", "begin with a directory"),
        (many.as_str(), "watch has more than 64 patterns", ""),
        ("watch=%(process_num)d", "Format string '%(process_num)d' for 'program:web.watch'", ""),
        (
            "watch_action=restrat\nwatch=a",
            "not a valid value for watch_action: 'restrat'",
            "did you mean \"restart\"?",
        ),
        (
            "watch_action=reload\nwatch=a",
            "watch_action=reload needs reload_command or reload_signal",
            "add reload_signal=HUP",
        ),
        ("watch_debounce=soon\nwatch=a", "not a valid time for watch_debounce: 'soon'", "write seconds"),
        ("watch_debounce=0\nwatch=a", "not a valid time for watch_debounce: '0'", "write 10ms to 1h"),
        ("watch_debounce=2h\nwatch=a", "not a valid time for watch_debounce: '2h'", "write 10ms to 1h"),
        ("watch_ignore=a,\nwatch=a", "watch_ignore has an empty pattern", "there is a comma too many"),
    ] {
        let error = ini(options).0.expect_err(options);
        let problem = &error.diagnostics[0];
        assert!(problem.message.starts_with(message), "{options}: {problem:?}");
        assert!(problem.hint.as_deref().unwrap_or_default().starts_with(hint), "{options}: {problem:?}");
        assert_eq!((error.diagnostics.len(), problem.line), (1, Some(4)), "{options}");
    }
}

#[test]
fn other_dialects_have_lists_and_numbers() {
    for (name, text, expected) in [
        (
            "x.yaml",
            "programs:\n  web:\n    command: web\n    watch: ['src/**/*.py', .env]\n    watch_debounce: 1.5\n",
            Ok(vec!["HERE/src | **/*.py", "HERE | .env"]),
        ),
        ("x.toml", "[programs.web]\ncommand = \"web\"\nwatch = \"a, b\"\n", Ok(vec!["HERE | a", "HERE | b"])),
        (
            "x.json",
            "{\"programs\": {\"web\": {\"command\": \"web\", \"watch\": [\"a\"]}}}",
            Ok(vec!["HERE | a"]),
        ),
        (
            "x.yaml",
            "programs:\n  web:\n    command: web\n    watch: {a: 1}\n",
            Err((4, "[program:web] watch: expected a list")),
        ),
        (
            "x.toml",
            "[programs.web]\ncommand = \"web\"\nwatch = \"a\"\nwatch_debounce = true\n",
            Err((4, "[program:web] watch_debounce: expected seconds")),
        ),
        (
            "x.json",
            "{\"programs\": {\"web\": {\"command\": \"web\", \"watch\": [\"a\"],\n\"watch_action\": 1}}}",
            Err((2, "[program:web] watch_action: expected a text")),
        ),
    ] {
        let (config, here) = read(name, text);
        match (config, expected) {
            (Ok(config), Ok(expected)) => {
                assert_eq!(patterns(watch(&config).expect(text), &here), expected, "{text}");
            }
            (Err(error), Err((line, message))) => {
                assert!(error.message.starts_with(message), "{error}");
                assert_eq!(error.diagnostics[0].line, Some(line), "{error}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }
}

/// What is in vain, and what a restart does not do.
#[test]
fn doubts_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let head = "[supervisord]\n[rpcinterface:supervisor]\n\
        supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    let env_file = folder.path().join(".env").display().to_string();
    std::fs::write(&env_file, "A=1\n").expect("written");
    for (options, expected) in [
        ("watch_debounce=2", "[program:web] watch_debounce has no effect without watch".to_owned()),
        ("watch_action=restart", "[program:web] watch_action has no effect without watch".to_owned()),
        (
            "watch=.env\nenv_files=.env",
            format!(
                "[program:web] a change of {env_file} starts it again with the variables that were read before"
            ),
        ),
    ] {
        let text = format!(
            "{head}[defaults]\nwatch_debounce=3\n[program:web]\ncommand=cat\n{options}\n[program:b]\ncommand=cat\n"
        );
        std::fs::write(&path, text).expect("written");
        let report =
            check(Some(&path.to_string_lossy()), "supervisord", Environment::of_this_process(), &Host);
        let told: Vec<(Severity, &str)> =
            report.problems.iter().map(|problem| (problem.severity, problem.message.as_str())).collect();
        assert_eq!(told, [(Severity::Warning, expected.as_str())], "{options}");
    }
}
