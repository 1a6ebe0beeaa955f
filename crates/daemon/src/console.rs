//! `log_prefix`: in the foreground, each line of the children also comes out on our standard output as `NAME | LINE`, as
//! those who read the log of a container want it.

use upkeep_config::Settings;
use upkeep_core::Process;

use crate::shell::Shell;

/// Where `upkeep run --log-prefix` leaves its wish for the daemon.
pub(crate) const LOG_PREFIX: &str = "UPKEEP_INTERNAL_LOG_PREFIX";

/// Names up to this length are aligned.
const WIDEST: usize = 32;

/// Takes `--log-prefix` out of the options.
pub(crate) fn take_log_prefix(options: &mut Vec<String>) -> bool {
    let before = options.len();
    options.retain(|option| option != "--log-prefix");
    options.len() < before
}

/// Whether lines are copied. In the background nobody reads our standard output.
pub(crate) fn is_wanted(settings: &Settings, foreground: bool) -> bool {
    foreground && (settings.log_prefix || std::env::var_os(LOG_PREFIX).is_some())
}

/// Whether a path means our own standard output or error.
pub(crate) fn is_standard_stream(path: &str) -> bool {
    let number = ["/dev/fd/", "/proc/self/fd/"].iter().find_map(|dir| path.strip_prefix(dir));
    matches!(path, "/dev/stdout" | "/dev/stderr") || matches!(number, Some("1" | "2"))
}

impl Shell {
    /// What stands before the lines of a process; `None` if they are not copied.
    pub(crate) fn log_prefix(&self, process: &Process) -> Option<String> {
        self.context.log_prefix.then(|| {
            let width = self.label_width.get().unwrap_or_else(|| self.widest_label());
            self.label_width.set(Some(width));
            format!("{:width$} | ", label(process))
        })
    }

    fn widest_label(&self) -> usize {
        let lengths = self.core.processes().map(|(_, process)| label(process).chars().count());
        lengths.filter(|length| *length <= WIDEST).max().unwrap_or(0)
    }
}

/// As `status` shows it: the group only where it has another name.
fn label(process: &Process) -> String {
    let (group, name) = (process.group(), process.name());
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_taken_wherever_it_stands() {
        for given in [&["--log-prefix", "-c", "x"][..], &["-c", "x", "--log-prefix"]] {
            let mut options: Vec<String> = given.iter().map(ToString::to_string).collect();
            assert!(take_log_prefix(&mut options));
            assert_eq!(options, ["-c", "x"]);
        }
        assert!(!take_log_prefix(&mut vec!["-n".to_owned()]));
    }

    #[test]
    fn knows_the_standard_streams() {
        for path in ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1"] {
            assert!(is_standard_stream(path), "{path}");
        }
        for path in ["/dev/null", "/dev/fd/10", "/var/log/stdout", "dev/stdout"] {
            assert!(!is_standard_stream(path), "{path}");
        }
    }
}
