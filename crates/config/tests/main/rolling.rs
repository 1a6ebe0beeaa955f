//! Rolling restarts: what their keys mean, and what is said of what cannot be.

use std::time::Duration;

use upkeep_config::{CommandLine, Config, Environment, Host, LoadError, Sources, load};
use upkeep_core::spec::{Batch, RollingSpec};

fn read(name: &str, text: &str) -> Result<Config, LoadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    Sources::read(&cli, Environment::of_this_process()).and_then(|sources| load(&sources, &cli, &Host))
}

fn ini(options: &str) -> Result<Config, LoadError> {
    read("x.conf", &format!("[supervisord]\n[program:web]\ncommand=web\n{options}\n"))
}

fn rolling(config: &Config) -> Option<RollingSpec> {
    config.groups[0].processes[0].rolling.as_deref().copied()
}

#[test]
fn the_keys_say_how_a_program_is_restarted() {
    let usual = RollingSpec::default();
    for (options, expected) in [
        ("", None),
        ("update_strategy=restart\nrolling_batch=1", None),
        ("update_strategy=Rolling", Some(RollingSpec { update: true, ..usual })),
        ("rolling_batch=2", Some(RollingSpec { batch: Batch::Count(2), ..usual })),
        ("rolling_batch=25%", Some(RollingSpec { batch: Batch::Percent(25), ..usual })),
        ("rolling_batch=25%%", Some(RollingSpec { batch: Batch::Percent(25), ..usual })),
        ("rolling_wait=1.5m", Some(RollingSpec { wait: Some(Duration::from_secs(90)), ..usual })),
    ] {
        let config = ini(options).expect(options);
        assert_eq!(rolling(&config), expected, "{options}");
    }
    let yaml = "programs:\n  web:\n    command: web\n    update_strategy: rolling\n    rolling_batch: 3\n";
    let config = read("x.yaml", yaml).expect("a configuration");
    assert_eq!(rolling(&config), Some(RollingSpec { update: true, batch: Batch::Count(3), wait: None }));
}

#[test]
fn a_wrong_value_says_what_is_right() {
    for (options, message, hint) in [
        (
            "update_strategy=roling",
            "not a valid value for update_strategy: 'roling'",
            "did you mean \"rolling\"?",
        ),
        ("rolling_batch=0", "not a valid value for rolling_batch: '0'", "write a number from 1 on"),
        ("rolling_batch=101%%", "not a valid value for rolling_batch: '101%'", "a percentage such as 25%"),
        ("rolling_batch=half", "not a valid value for rolling_batch: 'half'", "write a number from 1 on"),
        (
            "rolling_wait=soon",
            "not a valid time for rolling_wait: 'soon'",
            "write seconds, or a number with ms",
        ),
        ("rolling_wait=0", "rolling_wait is 0", "such as 1m"),
    ] {
        let error = ini(options).expect_err(options);
        let found = &error.diagnostics[0];
        assert!(found.message.contains(message), "{options}: {}", found.message);
        assert!(found.hint.as_deref().unwrap_or_default().contains(hint), "{options}: {:?}", found.hint);
        assert_eq!(found.line, Some(4), "{options}");
    }
}
