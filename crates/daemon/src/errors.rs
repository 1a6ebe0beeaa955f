//! Errors of the system as people read them.

use std::io;

/// What happened, without the number that the library puts behind it.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// An error as Python shows it: `[Errno 2] No such file or directory`.
pub(crate) fn python(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => format!("[Errno {code}] {}", words(error)),
        None => error.to_string(),
    }
}
