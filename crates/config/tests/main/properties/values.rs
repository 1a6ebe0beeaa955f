//! Whole configurations, and values within them: expansion, environments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use upkeep_config::{CommandLine, Config, Dialect, Host, LoadError, Sources, User, World, load};

/// A machine without users, where every directory is there.
struct Nowhere;

impl World for Nowhere {
    fn user(&self, _: &str) -> Option<User> {
        None
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }

    fn is_dir(&self, _: &Path) -> bool {
        true
    }

    fn home(&self, _: Option<&str>) -> Option<PathBuf> {
        None
    }

    fn uid(&self) -> u32 {
        1000
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        Host.time_zone(name)
    }

    fn local_time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }
}

/// Sources of this text alone, as a daemon that goes on gets them: nothing is read from a disk.
fn sources(dialect: Dialect, text: &[u8]) -> Sources {
    let number = |number: usize| u32::try_from(number).expect("a short text").to_le_bytes();
    let field = |bytes: &[u8]| [&number(bytes.len())[..], bytes].concat();
    let (one, none) = (number(1), number(0));
    let variable = [&one[..], &field(b"HOME"), &field("/größe%".as_bytes())].concat();
    let code = Dialect::ALL.iter().position(|&other| other == dialect).expect("one of all");
    let parts = [
        b"UPKPCONF",
        &number(2)[..],
        &field(b"x.conf"),
        &field(b"/etc/x.conf"),
        &none,
        &number(code),
        &field(text),
        &none,
        &variable,
        &field(b"/"),
        &field(b"host"),
    ];
    Sources::from_bytes(&parts.concat()).expect("a snapshot")
}

fn loaded(text: &[u8]) -> Result<Config, LoadError> {
    load(&sources(Dialect::Ini, text), &CommandLine::default(), &Nowhere)
}

/// A configuration of one program, which has this key.
fn with_key(key: &str, value: &str) -> Result<Config, LoadError> {
    loaded(format!("[supervisord]\n[program:x]\ncommand=x\n{key}={value}\n").as_bytes())
}

/// A snapshot is damaged, or comes back as it is.
pub(crate) fn snapshot(bytes: &[u8]) {
    if let Ok(sources) = Sources::from_bytes(bytes) {
        assert_eq!(Sources::from_bytes(&sources.to_bytes()), Ok(sources));
    }
}

/// A configuration is loaded or refused with a reason, the same each time. Many copies take their time and prove nothing.
pub(crate) fn whole(bytes: &[u8]) {
    if bytes.windows(3).any(|three| three.iter().all(u8::is_ascii_digit)) {
        return;
    }
    let config = loaded(bytes);
    match &config {
        Ok(config) => {
            let names: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
            let distinct: std::collections::BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(names.len(), distinct.len(), "{names:?}");
        }
        Err(error) => assert!(!error.message.is_empty() && !error.diagnostics.is_empty()),
    }
    assert_eq!(config, loaded(bytes));
}

/// A text in each of the other dialects is loaded or refused, the same each time, and places are within it.
pub(crate) fn dialects(bytes: &[u8]) {
    if bytes.windows(3).any(|three| three.iter().all(u8::is_ascii_digit)) {
        return;
    }
    let lines = bytes.split(|&byte| byte == b'\n' || byte == b'\r').count() + 1;
    for dialect in [Dialect::Toml, Dialect::Yaml, Dialect::Json] {
        let sources = sources(dialect, bytes);
        assert_eq!(Sources::from_bytes(&sources.to_bytes()).as_ref(), Ok(&sources));
        let loaded = || load(&sources, &CommandLine::default(), &Nowhere);
        let first = loaded();
        assert_eq!(first, loaded());
        for problem in first.err().iter().flat_map(|error| &error.diagnostics) {
            assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{dialect:?} {problem:?}");
            assert!(problem.column != Some(0), "{dialect:?} {problem:?}");
        }
    }
}

/// A text whose percent signs are doubled is the text; any other is expanded or refused, without limitless growth.
pub(crate) fn percent(bytes: &[u8]) {
    const MOST: usize = 1 << 20;
    let text = String::from_utf8_lossy(bytes).replace(['\n', '\r'], " ");
    let command = |text: &str| {
        let config = with_key("command", text).ok()?;
        config.groups.into_iter().next()?.processes.into_iter().next().map(|process| process.command.clone())
    };
    if let Some(command) = command(&text) {
        assert!(command.len() <= MOST + text.len(), "{} bytes of {text:?}", command.len());
    }
    let plain = text.replace(|c: char| c.is_whitespace() || c.is_control(), "_");
    assert_eq!(command(&plain.replace('%', "%%")), Some(plain));
}

/// Any text is an environment or refused, nothing in it is made up; and a quoted value comes back.
pub(crate) fn environment(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).replace(['\n', '\r'], " ");
    if let Some(found) = variables(&text.replace('%', "%%")) {
        let room = |(name, value): (&String, &String)| name.len() + value.len();
        assert!(found.iter().map(room).sum::<usize>() <= text.len(), "{text:?}: {found:?}");
    }
    let wanted: BTreeMap<String, String> =
        text.split('|').enumerate().map(|(at, value)| (format!("K{at}"), quotable(value))).collect();
    let written: Vec<String> =
        wanted.iter().map(|(name, value)| format!("{name}=\"{}\"", value.replace('%', "%%"))).collect();
    assert_eq!(variables(&written.join(",")), Some(wanted), "{written:?}");
}

fn variables(text: &str) -> Option<BTreeMap<String, String>> {
    let config = with_key("environment", text).ok()?;
    config.groups.into_iter().next()?.processes.into_iter().next().map(|process| process.environment.clone())
}

/// Without what has no place between double quotes: quotes, and what may begin a comment (CFG-025, CFG-222).
fn quotable(value: &str) -> String {
    value.replace(['"', '\'', ';', '#'], "")
}
