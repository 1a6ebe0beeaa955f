//! What kinds of values there are and how each is read (CFG-040 … CFG-051).

use std::collections::BTreeMap;
use std::path::Path;

use upkeep_core::event::EventKind;
use upkeep_core::signal::{Signal, SignalError};
use upkeep_core::spec::{Autorestart, LogTarget};

use crate::environment::Environment;
use crate::python::integer;
use crate::python::path::{dirname, expanduser};
use crate::python::repr::py_repr;
use crate::python::text::strip;
use crate::settings::{Level, Orphans};
use crate::shlex::{SplitError, tokens};
use crate::suggest::did_you_mean;
use crate::world::{User, World};

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
            ),
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

/// `[supervisord] orphans`.
pub(crate) fn orphans(text: &str) -> Read<Orphans> {
    match text.to_lowercase().as_str() {
        "stop" => Ok(Orphans::Stop),
        "adopt" => Ok(Orphans::Adopt),
        "ignore" => Ok(Orphans::Ignore),
        other => Err(Wrong::new(
            format!("not a valid value for orphans: {}", py_repr(text)),
            did_you_mean(other, ["stop", "adopt", "ignore"])
                .unwrap_or("write stop, adopt or ignore".to_owned()),
        )),
    }
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

/// What was made of an `environment` value, and what of it was dropped or taken in an unexpected way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) pairs: BTreeMap<String, String>,
    /// Why the value may not mean what was meant (CFG-224, CFG-227, CFG-228).
    pub(crate) doubt: Option<String>,
}

/// `KEY=value,KEY="other value"` (section 10 of the ledger).
pub(crate) fn pairs(text: &str) -> Read<Pairs> {
    let found = tokens(text).map_err(|error: SplitError| Wrong {
        message: error.to_string(),
        hint: Some("close every quote; \" ;\" and \" #\" begin a comment even inside quotes".to_owned()),
    })?;
    let mut result = Pairs::default();
    if found.comment {
        result.doubt = Some("text after \"#\" is dropped: quote the value".to_owned());
    }
    let mut rest = found.tokens.as_slice();
    while !rest.is_empty() {
        let [key, equals, value, ..] = rest else { return Err(uneven(text)) };
        if equals != "=" {
            return Err(uneven(text));
        }
        result.pairs.insert(key.clone(), value.trim_matches(['\'', '"']).to_owned());
        let separator = rest.get(3).map_or(",", String::as_str);
        if separator != "," && result.doubt.is_none() {
            result.doubt = Some(format!(
                "the value of {key} ends before \"{separator}\", which is dropped: quote the value"
            ));
        }
        rest = rest.get(4..).unwrap_or_default();
    }
    Ok(result)
}

/// CFG-230.
fn uneven(text: &str) -> Wrong {
    Wrong::new(
        format!("Unexpected end of key/value pairs in value '{text}'"),
        "write KEY=\"value\" with commas between, and quote every value that is more than letters and digits",
    )
}

/// Values that ask the machine.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'a> {
    pub(crate) env: &'a Environment,
    pub(crate) world: &'a dyn World,
}

impl Machine<'_> {
    /// Relative paths are taken from the environment's directory, wherever the process is by now.
    fn is_dir(self, path: &str) -> bool {
        self.world.is_dir(&self.env.cwd.join(Path::new(path)))
    }

    /// CFG-047.
    pub(crate) fn directory(self, text: &str) -> Read<String> {
        let path = expanduser(text, self.env, self.world);
        if self.is_dir(&path) { Ok(path) } else { Err(format!("{text} is not an existing directory").into()) }
    }

    /// CFG-048.
    pub(crate) fn path(self, text: &str) -> Read<String> {
        let path = expanduser(text, self.env, self.world);
        let directory = dirname(&path);
        if directory.is_empty() || self.is_dir(directory) {
            return Ok(path);
        }
        Err(Wrong::new(
            format!("The directory named as part of the path {text} does not exist"),
            format!("mkdir -p {directory}"),
        ))
    }

    /// CFG-158. `None` stands for the deprecated `syslog` (CFG-164).
    pub(crate) fn log_target(self, text: &str) -> Read<Option<LogTarget>> {
        match text.to_lowercase().as_str() {
            "none" | "off" => Ok(Some(LogTarget::None)),
            "auto" => Ok(Some(LogTarget::Auto)),
            "syslog" => Ok(None),
            "" => Ok(Some(LogTarget::None)),
            _ => self.path(text).map(|path| Some(LogTarget::File(path))),
        }
    }

    /// CFG-049.
    pub(crate) fn user(self, text: &str) -> Read<User> {
        let number = integer::parse(text, 10);
        let key = number.map_or_else(|| text.to_owned(), |number| number.to_string());
        self.world.user(&key).ok_or_else(|| match number {
            Some(_) => format!("Invalid user id {text}").into(),
            None => format!("Invalid user name {text}").into(),
        })
    }

    /// CFG-050. `complaint` begins the message.
    pub(crate) fn owner(self, text: &str, complaint: &str) -> Read<(u32, Option<u32>)> {
        let wrong = || Wrong::from(format!("{complaint} {text}"));
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let uid = self.user(user).map_err(|_| wrong())?.uid;
        let gid = group.map(|group| self.group(group).ok_or_else(wrong)).transpose()?;
        Ok((uid, gid))
    }

    fn group(self, text: &str) -> Option<u32> {
        let key = integer::parse(text, 10).map_or_else(|| text.to_owned(), |number| number.to_string());
        self.world.group(&key)
    }
}

/// A port number of a server or a socket (CFG-118).
pub(crate) fn port(text: &str) -> Read<u16> {
    let number = integer(text)?;
    match u16::try_from(number) {
        Ok(0) => Err(format!("{number} is below lower bound (1)").into()),
        Ok(port) => Ok(port),
        Err(_) if number < 1 => Err(format!("{number} is below lower bound (1)").into()),
        Err(_) => Err(format!("{number} is above upper bound (65535)").into()),
    }
}

/// `port=` of an inet server: host, lower-case and empty for all interfaces, and port (CFG-117, CFG-118).
pub(crate) fn inet_address(text: &str) -> Read<(String, u16)> {
    let Some((host, port_text)) = text.rsplit_once(':') else {
        let port = port(text).map_err(|_| {
            Wrong::new(
                format!("not a valid port number: {} ", py_repr(text)),
                "write HOST:PORT, such as 127.0.0.1:9001",
            )
        })?;
        return Ok((String::new(), port));
    };
    if port_text.is_empty() {
        return Err("no port number specified in ''".to_owned().into());
    }
    let port = port(port_text)?;
    let host = host.to_lowercase();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    Ok((if host == "*" { String::new() } else { host.to_owned() }, port))
}

/// Whether `-s` of the client looks like a URL (CFG-131).
pub(crate) fn url(text: &str) -> Read<String> {
    let wrong = || Wrong::from(format!("value {} is not a URL", py_repr(text)));
    let (scheme, rest) = text.split_once(':').ok_or_else(wrong)?;
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split(['?', '#', ';']).next().unwrap_or("");
    if named && !path.is_empty() { Ok(text.to_owned()) } else { Err(wrong()) }
}
