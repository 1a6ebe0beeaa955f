//! Signal names and numbers as Supervisor understands them on Linux (x86-64 and AArch64 numbering).

use std::fmt;

/// A signal number. Displays as `SIGTERM`, or `signal 35` for a number without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(pub i32);

/// `SIGHUP`: restart request to the daemon.
pub const HUP: Signal = Signal(1);
/// `SIGINT`: exit request to the daemon.
pub const INT: Signal = Signal(2);
/// `SIGQUIT`: exit request to the daemon.
pub const QUIT: Signal = Signal(3);
/// `SIGKILL`: what ends a process that ignores its stop signal.
pub const KILL: Signal = Signal(9);
/// `SIGUSR1`: logged and ignored by the daemon.
pub const USR1: Signal = Signal(10);
/// `SIGUSR2`: reopen the logs.
pub const USR2: Signal = Signal(12);
/// `SIGTERM`: the default stop signal.
pub const TERM: Signal = Signal(15);
/// `SIGCHLD`.
pub const CHLD: Signal = Signal(17);

/// Name and number of each signal; where two names share a number the first is the one printed.
const NAMES: &[(&str, i32)] = &[
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGIOT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCHLD", 17),
    ("SIGCLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGPOLL", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
    ("SIGRTMIN", 34),
    ("SIGRTMAX", 64),
];

/// Why a text is not a signal; displays Supervisor's own message (CFG-045).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Not a number and not a known name.
    #[error("value {0} is not a valid signal name")]
    Name(String),
    /// A number that is no signal.
    #[error("value {0} is not a valid signal number")]
    Number(String),
}

impl Signal {
    /// Reads a number or a name, with or without `SIG`, in any case, blanks trimmed (CFG-045).
    ///
    /// `repr` of the value in errors is left to the caller: the variants carry the text as written.
    ///
    /// # Errors
    /// [`SignalError`] when there is no such signal.
    pub fn parse(text: &str) -> Result<Self, SignalError> {
        let trimmed = text.trim();
        if let Ok(number) = trimmed.parse::<i32>() {
            return if number == 0 || NAMES.iter().any(|&(_, n)| n == number) {
                Ok(Self(number))
            } else {
                Err(SignalError::Number(text.to_owned()))
            };
        }
        let upper = trimmed.to_uppercase();
        let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        match full.as_str() {
            "SIG_DFL" => return Ok(Self(0)),
            "SIG_IGN" => return Ok(Self(1)),
            _ => {}
        }
        NAMES
            .iter()
            .find(|(name, _)| *name == full)
            .map(|&(_, number)| Self(number))
            .ok_or_else(|| SignalError::Name(text.to_owned()))
    }

    /// The printed name, if the number has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|&&(_, number)| number == self.0).map(|&(name, _)| name)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_numbers_cfg_045() {
        for (text, number) in
            [("TERM", 15), ("sigterm", 15), (" SigUsr2 ", 12), ("9", 9), ("CLD", 17), ("RTMAX", 64), ("0", 0)]
        {
            assert_eq!(Signal::parse(text), Ok(Signal(number)), "{text}");
        }
        for text in ["TREM", "35", "-1", "RTMIN+1", ""] {
            assert!(Signal::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn displays_the_first_name_of_a_number_proc_307() {
        assert_eq!(Signal(17).to_string(), "SIGCHLD");
        assert_eq!(Signal(35).to_string(), "signal 35");
    }
}
