//! What is printed, and where: results to stdout, notes of ours to stderr.
//!
//! A reader that has gone away (`… | head -1`) is no error: printing stops, the command goes on.

use std::io::{self, Write};

/// A line to stdout. False if nobody reads any more.
pub(crate) fn line(text: &str) -> bool {
    let mut whole = String::with_capacity(text.len() + 1);
    whole.push_str(text);
    whole.push('\n');
    bytes(whole.as_bytes())
}

/// Bytes to stdout as they are, at once. False if nobody reads any more.
pub(crate) fn bytes(bytes: &[u8]) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// A line to stderr.
pub(crate) fn note(text: &str) {
    // Nothing can be done where even stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}

/// Bytes to stderr, without a line end.
pub(crate) fn ask_on_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
