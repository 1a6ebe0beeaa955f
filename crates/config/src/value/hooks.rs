//! Values about hooks: commands, their time, the signal to read the configuration again.

use std::time::Duration;

use upkeep_core::signal::{self, Signal};

use super::{Read, Wrong, restart, signal as parse_signal};
use crate::python::repr::py_repr;
use crate::shlex::split as shlex;

/// A hook that takes longer is no hook.
const LONGEST: Duration = Duration::from_hours(24);

/// A command line that can be taken apart.
pub(crate) fn command(option: &str, text: &str) -> Read<String> {
    match shlex(text) {
        Ok(words) if words.is_empty() => Err(Wrong::new(
            format!("{option} is empty"),
            "write a program and its arguments, or remove the key",
        )),
        Ok(_) => Ok(text.to_owned()),
        Err(reason) => Err(Wrong::new(
            format!("not a valid command for {option}: {} ({reason})", py_repr(text)),
            "close the quotation marks",
        )),
    }
}

/// `hook_timeout`.
pub(crate) fn timeout(text: &str) -> Read<Duration> {
    let time = restart::time("hook_timeout", text)?;
    if time.is_zero() || time > LONGEST {
        let message = format!("not a valid time for hook_timeout: {}", py_repr(text));
        return Err(Wrong::new(message, "write more than 0, and 24h at most"));
    }
    Ok(time)
}

/// `reload_signal`.
pub(crate) fn reload_signal(text: &str) -> Read<Signal> {
    match parse_signal(text)? {
        signal::KILL | Signal(0) => Err(Wrong::new(
            format!("reload_signal {} reloads nothing", py_repr(text)),
            "write a signal that the program reads its configuration at, such as HUP",
        )),
        signal => Ok(signal),
    }
}
