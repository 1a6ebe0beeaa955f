//! Every key of a program that Supervisor does not know: where a wrong value is said to be, and that what is told of a change is so.

use upkeep_config::options::{Effect, Kind, OptionRow, SectionKind};
use upkeep_config::{CommandLine, Config, Environment, Host, LoadError, Sources, load};
use upkeep_core::reload;

/// What keys need beside them to mean anything, by how they begin; the first one counts.
const COMPANIONS: &[(&str, &str)] = &[
    ("health_check", ""),
    ("health_watchdog", ""),
    ("health_", "health_check=tcp://localhost:1"),
    ("ready_", "ready=notify"),
    ("notify_user", "ready=notify"),
    ("schedule_", "schedule=@daily"),
    ("memory_limit_", "memory_limit=1GB"),
    ("hook_", "post_start=true"),
    ("cpu_", "cgroup=/sys/fs/cgroup/upkeep/a"),
    ("pids_", "cgroup=/sys/fs/cgroup/upkeep/a"),
    ("restart_window", "restart_limit=3"),
    ("restart_backoff", "restart_delay=1\nrestart_delay_max=60"),
    ("restart_", "restart_delay=1"),
    ("forward_tls_cert", ""),
    ("forward_tls_key", ""),
    ("forward_tls_", "stdout_forward=tls://logs.example"),
    ("watch_", "watch=src\nreload_signal=HUP"),
];

/// No text is wrong, or only one that is wrong in the shell's sense.
const TAKE_ALL: &[&str] = &["watch", "watch_ignore"];

/// Another value than that of an absent key, where its kind does not say which.
const OTHERS: &[(&str, &str)] = &[
    ("schedule_timezone", "Asia/Shanghai"),
    ("restart_limit", "2"),
    ("stdout_rate_limit", "100/s"),
    ("stderr_rate_limit", "100/s"),
    ("health_check", "tcp://localhost:2"),
    ("health_watchdog", "7"),
];

/// What depends on other sections or files, or on one another, and is looked at by tests of its own.
const OF_OTHERS: &[&str] = &["extends", "depends_on", "env_files", "forward_tls_cert", "forward_tls_key"];

fn ours() -> impl Iterator<Item = &'static OptionRow> {
    SectionKind::Program.rows().filter(|row| row.ours)
}

fn companion(row: &OptionRow) -> &'static str {
    let found = COMPANIONS.iter().find(|(begin, _)| row.name.starts_with(begin));
    found
        .map(|(_, lines)| *lines)
        .filter(|lines| !lines.starts_with(&format!("{}=", row.name)))
        .unwrap_or_default()
}

fn other(row: &OptionRow) -> &'static str {
    if let Some((_, value)) = OTHERS.iter().find(|(name, _)| *name == row.name) {
        return value;
    }
    match row.kind {
        Kind::Time => "17s",
        Kind::Factor => "3",
        Kind::Percent => "7",
        Kind::Integer | Kind::Limit | Kind::Share => "7",
        Kind::Bytes => "7MB",
        Kind::Giveup => "shutdown",
        Kind::Boolean if row.default == Some("false") => "true",
        Kind::Boolean => "false",
        Kind::Choice(words) => {
            words.iter().copied().rfind(|word| Some(*word) != row.default).unwrap_or_default()
        }
        _ => row.sample,
    }
}

fn read(lines: &[&str]) -> Result<Config, LoadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let lines = lines.join("\n");
    std::fs::write(&path, format!("[supervisord]\n[program:a]\ncommand=true\n{lines}\n")).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    load(&Sources::read(&cli, Environment::of_this_process())?, &cli, &Host)
}

#[test]
fn a_wrong_value_is_refused_with_its_key_and_line() {
    for row in ours().filter(|row| !TAKE_ALL.contains(&row.name)) {
        // A quote that does not end is wrong in a command, too.
        let error = read(&[&format!("{}='\u{1}?! 7x, =", row.name), companion(row)]).expect_err(row.name);
        let problem = &error.diagnostics[0];
        assert_eq!((problem.line, problem.key.as_deref()), (Some(4), Some(row.name)), "{}", problem.message);
        assert!(problem.hint.is_some(), "{}: what to do? {}", row.name, problem.message);
    }
}

#[test]
fn an_update_does_what_is_told_of_each_key() {
    for row in ours().filter(|row| !OF_OTHERS.contains(&row.name)) {
        let lines = [companion(row), &format!("{}={}", row.name, other(row))];
        let after = read(&lines).unwrap_or_else(|error| panic!("{}: {}", row.name, error.message));
        let before = read(&lines[..1]).expect("right");
        let [old, new] = [&before, &after].map(|config| &config.groups[0].processes[0]);
        let expected = match row.effect {
            Effect::Restart => reload::Kind::Restart,
            _ => reload::Kind::Live,
        };
        assert_eq!(old.change_to(new), expected, "{}={}, told as {:?}", row.name, other(row), row.effect);
    }
}
