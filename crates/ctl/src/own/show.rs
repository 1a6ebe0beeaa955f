//! How results look: colours on a terminal, plain text elsewhere, JSON on request.

use std::io::IsTerminal;

use serde_json::{Value, json};
use upkeep_api::{ProcessInfo, ProcessState};

use crate::names::namespec;
use crate::screen;

/// One JSON document, indented.
pub(super) fn json(value: &Value) {
    screen::line(&format!("{value:#}"));
}

/// One JSON document on one line, for those that come one after the other.
pub(super) fn json_line(value: &Value) -> bool {
    screen::line(&value.to_string())
}

/// Whether people look at stdout.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Text that others wrote, for a terminal: what would control that is shown instead, `\x1b` as `\\x1b`. Ends of lines and tabs stay.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\r' => shown.push_str("\\r"),
            _ if character.is_control() => shown.push_str(&format!("\\x{:02x}", u32::from(character))),
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether colours are wanted: on a terminal, unless `NO_COLOR` is set.
fn has_colours() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A state's name, padded, in its colour.
pub(super) fn state(state: ProcessState, width: usize) -> String {
    let text = format!("{:<width$}", state.name());
    if has_colours() { format!("\x1b[{}m{text}\x1b[0m", colour(state)) } else { text }
}

fn colour(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Running => "32",
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Backoff => "33",
        ProcessState::Fatal | ProcessState::Unknown => "31",
        ProcessState::Stopped | ProcessState::Exited => "2",
    }
}

/// A process as JSON.
pub(super) fn process(info: &ProcessInfo) -> Value {
    json!({
        "name": namespec(&info.group, &info.name),
        "group": info.group,
        "process": info.name,
        "state": info.state.name(),
        "pid": (info.pid != 0).then_some(info.pid),
        "description": info.description,
        "start": info.start,
        "stop": info.stop,
        "now": info.now,
        "spawnerr": info.spawnerr,
        "exitstatus": info.exitstatus,
        "stdout_logfile": info.stdout_logfile,
        "stderr_logfile": info.stderr_logfile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_controls_the_terminal() {
        assert_eq!(
            visible("a=é\t日\n\x1b[2J\x07\u{9b}2J\x7f\r\n"),
            "a=é\t日\n\\x1b[2J\\x07\\x9b2J\\x7f\\r\n"
        );
    }
}
