//! What kinds of values there are and how each is read (CFG-040 … CFG-051).

mod address;
mod dependencies;
pub(crate) mod health;
pub(crate) mod hooks;
pub(crate) mod isolation;
pub(crate) mod logs;
mod machine;
mod pairs;
pub(crate) mod restart;
pub(crate) mod rolling;
pub(crate) mod schedule;
pub(crate) mod stopping;

use upkeep_core::event::EventKind;
use upkeep_core::signal::{Signal, SignalError};
use upkeep_core::spec::{Autorestart, StdinKind, WatchAction};

use crate::python::integer;
use crate::python::repr::py_repr;
use crate::python::text::strip;
use crate::settings::{ExitWhen, Level, Orphans};
use crate::suggest::did_you_mean;

pub(crate) use address::{inet_address, port, url};
pub(crate) use dependencies::{condition_word, dependencies, on_dependency_stop};
pub(crate) use machine::Machine;
pub(crate) use pairs::pairs;

/// Why a value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Supervisor's text.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// What reading a value yields.
pub(crate) type Read<T> = Result<T, Wrong>;

/// CFG-040.
pub(crate) fn integer(text: &str) -> Read<i64> {
    integer::parse(text, 10)
        .ok_or_else(|| format!("invalid literal for int() with base 10: {}", py_repr(text)).into())
}

/// CFG-041.
pub(crate) fn boolean(text: &str) -> Read<bool> {
    truth(&text.to_lowercase()).ok_or_else(|| {
        Wrong::new(format!("not a valid boolean value: {}", py_repr(text)), "write true or false")
    })
}

fn truth(lower: &str) -> Option<bool> {
    match lower {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// CFG-042.
pub(crate) fn bytes(text: &str) -> Read<i64> {
    let lower = text.to_lowercase();
    let (number, unit) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
        .into_iter()
        .find_map(|(suffix, unit)| lower.strip_suffix(suffix).map(|number| (number, unit)))
        .unwrap_or((&lower, 1));
    let size = integer(number)
        .map_err(|wrong| Wrong::new(wrong.message, "write bytes, or a whole number with KB, MB or GB"))?;
    Ok(size.saturating_mul(unit))
}

/// CFG-043.
pub(crate) fn octal(text: &str) -> Read<u32> {
    integer::parse(text, 8)
        .and_then(|mode| u32::try_from(mode).ok())
        .ok_or_else(|| format!("{text} can not be converted to an octal type").into())
}

/// CFG-044.
pub(crate) fn level(text: &str) -> Read<Level> {
    let lower = text.to_lowercase();
    Level::ALL.into_iter().find(|level| level.name() == lower).ok_or_else(|| Wrong {
        message: format!("bad logging level name {}", py_repr(text)),
        hint: if lower == "warning" {
            Some("did you mean \"warn\"?".to_owned())
        } else {
            did_you_mean(text, Level::ALL.map(Level::name))
        },
    })
}

/// CFG-045.
pub(crate) fn signal(text: &str) -> Read<Signal> {
    if let Some(number) = integer::parse(text, 10) {
        return Signal::parse(&number.to_string())
            .map_err(|_| format!("value {} is not a valid signal number", py_repr(text)).into());
    }
    Signal::parse(text).map_err(|error| match error {
        SignalError::Number(_) => format!("value {} is not a valid signal number", py_repr(text)).into(),
        SignalError::Name(_) => Wrong {
            message: format!("value {} is not a valid signal name", py_repr(text)),
            hint: did_you_mean(
                strip(text).to_uppercase().trim_start_matches("SIG"),
                (1..32).filter_map(|number| Signal(number).name()?.strip_prefix("SIG")),
            )
            .or_else(|| Some("write a name such as TERM, INT or HUP, or a number".to_owned())),
        },
    })
}

/// CFG-046.
pub(crate) fn exit_codes(text: &str) -> Read<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let code = |part| integer::parse(part, 10).and_then(|code| u8::try_from(code).ok());
    text.split(',').map(code).collect::<Option<Vec<u8>>>().ok_or_else(|| {
        Wrong::new(
            format!("not a valid list of exit codes: {}", py_repr(text)),
            "write numbers from 0 to 255 with commas between",
        )
    })
}

/// `autorestart` (CFG-146).
pub(crate) fn autorestart(text: &str) -> Read<Autorestart> {
    let lower = text.to_lowercase();
    match truth(&lower) {
        Some(true) => Ok(Autorestart::Always),
        Some(false) => Ok(Autorestart::Never),
        None if lower == "unexpected" => Ok(Autorestart::Unexpected),
        None => Err(Wrong {
            message: format!("invalid 'autorestart' value {}", py_repr(&lower)),
            hint: did_you_mean(&lower, ["unexpected", "true", "false"])
                .or_else(|| Some("write true, false or unexpected".to_owned())),
        }),
    }
}

/// `stdin`.
pub(crate) fn stdin(text: &str) -> Read<StdinKind> {
    choice("stdin", text, [("pipe", StdinKind::Pipe), ("null", StdinKind::Null)])
}

/// `[supervisord] orphans`.
pub(crate) fn orphans(text: &str) -> Read<Orphans> {
    choice("orphans", text, [("stop", Orphans::Stop), ("adopt", Orphans::Adopt), ("ignore", Orphans::Ignore)])
}

/// `[supervisord] exit_when`.
pub(crate) fn exit_when(text: &str) -> Read<ExitWhen> {
    let rule = text.split(':').next().unwrap_or_default().to_lowercase();
    ExitWhen::parse(text).ok_or_else(|| {
        let message = format!("not a valid value for exit_when: {}", py_repr(text));
        let hint = did_you_mean(&rule, ["fatal", "any-exited", "all-exited"]);
        Wrong::new(
            message,
            hint.unwrap_or_else(|| "write fatal[:NAME], any-exited[:NAME] or all-exited".to_owned()),
        )
    })
}

/// `watch_action`.
pub(crate) fn watch_action(text: &str) -> Read<WatchAction> {
    choice("watch_action", text, [("restart", WatchAction::Restart), ("reload", WatchAction::Reload)])
}

/// `[eventlistener:x] event_queue`: whether it is durable.
pub(crate) fn event_queue(text: &str) -> Read<bool> {
    choice("event_queue", text, [("memory", false), ("durable", true)])
}

/// `[supervisord] config_history`.
pub(crate) fn config_history(text: &str) -> Read<usize> {
    let number = integer(text).ok().and_then(|number| usize::try_from(number).ok());
    number.filter(|number| *number <= MOST_KEPT).ok_or_else(|| {
        let message = format!("not a valid value for config_history: {}", py_repr(text));
        Wrong::new(message, format!("write how many to keep, 0 to {MOST_KEPT}"))
    })
}

/// Configurations that are kept, at most: each takes a descriptor.
const MOST_KEPT: usize = 100;

/// `[eventlistener:x] event_length`: whether it is in bytes.
pub(crate) fn event_length(text: &str) -> Read<bool> {
    choice("event_length", text, [("characters", false), ("bytes", true)])
}

/// A size, number or time that is at least 1.
pub(crate) fn positive(option: &str, text: &str, parse: fn(&str) -> Read<i64>) -> Read<u32> {
    let number = parse(text)?;
    u32::try_from(number).ok().filter(|&number| number > 0).ok_or_else(|| {
        Wrong::new(
            format!("not a valid value for {option}: {}", py_repr(text)),
            format!("write 1 to {}", u32::MAX),
        )
    })
}

/// A URL for people: what stands before an `@` may be a secret.
pub(super) fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://***@{rest}"),
        None => url.to_owned(),
    }
}

/// One of a few words, any case.
pub(super) fn choice<T: Copy, const N: usize>(option: &str, text: &str, words: [(&str, T); N]) -> Read<T> {
    let lower = text.to_lowercase();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == lower) {
        return Ok(*value);
    }
    let names = words.map(|(word, _)| word);
    let hint = did_you_mean(&lower, names).unwrap_or_else(|| format!("write one of {}", names.join(", ")));
    Err(Wrong::new(format!("not a valid value for {option}: {}", py_repr(text)), hint))
}

/// CFG-051: a name of a process, group or program.
pub(crate) fn name(text: &str) -> Read<String> {
    let stripped = strip(text);
    match [" ", ":", "/"].into_iter().find(|&bad| stripped.contains(bad)) {
        None => Ok(stripped.to_owned()),
        Some(bad) => {
            Err(format!("Invalid name: {} because of character: {}", py_repr(text), py_repr(bad)).into())
        }
    }
}

/// A list with commas between; empty for an empty text.
pub(crate) fn list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|part| strip(part).to_owned()).collect()
}

/// `events=` of one listener (CFG-190). `section` is named in the message.
pub(crate) fn events(text: &str, section: &str) -> Read<Vec<EventKind>> {
    let mut kinds: Vec<EventKind> = Vec::new();
    for name in list(text) {
        let name = name.to_uppercase();
        let kind = EventKind::parse(&name).ok_or_else(|| Wrong {
            message: format!("Unknown event type {name} in [{section}] events"),
            hint: did_you_mean(&name, EventKind::ALL.iter().map(|kind| kind.name())),
        })?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        return Err(format!("[{section}] section requires an \"events\" line").into());
    }
    Ok(kinds)
}
