//! Values about health: what a process is asked, and how it says that it is ready.

use std::time::Duration;

use upkeep_core::spec::{Check, HealthAction, Ready};

use super::{Read, Wrong, hooks, restart, without_password};
use crate::python::repr::py_repr;
use crate::python::text::strip;
use crate::suggest::did_you_mean;

/// A process is not asked more often than this, nor given less time to answer.
const SHORTEST: Duration = Duration::from_millis(100);
/// Longer answers are no answers.
const LONGEST_ANSWER: Duration = Duration::from_hours(1);
/// More checks in a row than anybody counts.
const MOST_CHECKS: u32 = 1000;
/// Descriptors that a process may be given for its newline.
const DESCRIPTORS: std::ops::RangeInclusive<i32> = 3..=255;
/// Longest URL that is asked for.
const LONGEST_URL: usize = 2000;

const KINDS: &str = "write http://HOST:PORT/PATH, tcp://HOST:PORT or exec:COMMAND";

/// `health_check`.
pub(crate) fn check(text: &str) -> Read<Check> {
    let text = strip(text);
    if let Some(command) = command(text) {
        return exec(strip(command));
    }
    let wrong = |hint: &str| {
        Wrong::new(format!("not a valid health_check: {}", py_repr(&without_password(text))), hint)
    };
    if text.len() > LONGEST_URL {
        return Err(wrong(&format!("write {LONGEST_URL} characters at most")));
    }
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => http(rest).map_err(wrong),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tcp") => tcp(rest).map_err(wrong),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
            Err(wrong("TLS is not spoken: write an http:// address"))
        }
        Some(_) | None => Err(wrong(KINDS)),
    }
}

/// What stands behind `exec:`.
fn command(text: &str) -> Option<&str> {
    let (scheme, command) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("exec").then_some(command)
}

fn exec(command: &str) -> Read<Check> {
    if command.starts_with("//") {
        let hint = "write the command right behind the colon: exec:/usr/bin/true";
        return Err(Wrong::new(
            format!("not a valid health_check: {}", py_repr(&format!("exec:{command}"))),
            hint,
        ));
    }
    if command.is_empty() {
        return Err(Wrong::new("the command of health_check is empty", "write exec:COMMAND"));
    }
    hooks::command("health_check", command).map(Check::Exec)
}

fn http(rest: &str) -> Result<Check, &'static str> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (host, port) = endpoint(authority, Some(80))?;
    let path = tail.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "write special characters of a path in percent notation, and each percent sign twice: %%20 is a blank",
        );
    }
    Ok(Check::Http { host, port, path })
}

fn tcp(rest: &str) -> Result<Check, &'static str> {
    let (host, port) = endpoint(rest.strip_suffix('/').unwrap_or(rest), None)?;
    Ok(Check::Tcp { host, port })
}

fn endpoint(text: &str, usual: Option<u16>) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("close the bracket of the address")?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(fits) {
        return Err("write HOST:PORT, without a user or a password");
    }
    let port = match (port.strip_prefix(':'), usual) {
        (Some(digits), _) => digits.parse().ok().filter(|port| *port > 0),
        (None, Some(usual)) if port.is_empty() => Some(usual),
        (None, _) => None,
    };
    Ok((host.to_owned(), port.ok_or("write a port from 1 to 65535 after the host")?))
}

/// `ready`; `None` is its `health_check`.
pub(crate) fn ready(text: &str) -> Read<Option<Ready>> {
    let lower = strip(text).to_lowercase();
    let wrong = |hint: String| Wrong::new(format!("not a valid value for ready: {}", py_repr(text)), hint);
    if let Some(number) = lower.strip_prefix("fd:") {
        let number = strip(number).parse().ok().filter(|number| DESCRIPTORS.contains(number));
        return match number {
            Some(number) => Ok(Some(Ready::Descriptor(number))),
            None => Err(wrong("write a descriptor from 3 to 255, such as fd:3".to_owned())),
        };
    }
    match lower.as_str() {
        "notify" => Ok(Some(Ready::Notify)),
        "check" => Ok(None),
        _ => Err(wrong(
            did_you_mean(&lower, ["notify", "check"])
                .unwrap_or_else(|| "write notify, fd:3 or check".to_owned()),
        )),
    }
}

/// `health_action`.
pub(crate) fn action(text: &str) -> Read<HealthAction> {
    match strip(text).to_lowercase().as_str() {
        "restart" => Ok(HealthAction::Restart),
        "stop" => Ok(HealthAction::Stop),
        "none" => Ok(HealthAction::None),
        lower => Err(Wrong::new(
            format!("not a valid value for health_action: {}", py_repr(text)),
            did_you_mean(lower, ["restart", "stop", "none"])
                .unwrap_or_else(|| "write restart, stop or none".to_owned()),
        )),
    }
}

/// `health_failures` and `health_successes`.
pub(crate) fn count(option: &str, text: &str) -> Read<u32> {
    strip(text).parse().ok().filter(|count| (1..=MOST_CHECKS).contains(count)).ok_or_else(|| {
        Wrong::new(
            format!("not a valid value for {option}: {}", py_repr(text)),
            format!("write a whole number from 1 to {MOST_CHECKS}"),
        )
    })
}

/// A time that is not too short to be kept, such as `health_interval`.
pub(crate) fn pause(option: &str, text: &str) -> Read<Duration> {
    let time = restart::time(option, text)?;
    let wrong = |hint| Wrong::new(format!("not a valid time for {option}: {}", py_repr(text)), hint);
    if time < SHORTEST {
        return Err(wrong("write 100ms at least"));
    }
    if option == "health_timeout" && time > LONGEST_ANSWER {
        return Err(wrong("write 1h at most"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_or_refused() {
        let http = |host: &str, port, path: &str| {
            Some(Check::Http { host: host.to_owned(), port, path: path.to_owned() })
        };
        let exec = |command: &str| Some(Check::Exec(command.to_owned()));
        let tcp = |host: &str, port| Some(Check::Tcp { host: host.to_owned(), port });
        for (text, value) in [
            ("http://127.0.0.1:9421/health", http("127.0.0.1", 9421, "/health")),
            (" HTTP://localhost ", http("localhost", 80, "/")),
            ("http://[::1]:8080?x=1#top", http("::1", 8080, "/?x=1")),
            ("tcp://db:5432", tcp("db", 5432)),
            ("tcp://[::1]:5432/", tcp("::1", 5432)),
            ("exec:/bin/true", exec("/bin/true")),
            (" EXEC: sh -c 'exit 1' ", exec("sh -c 'exit 1'")),
            ("exec:curl http://h/", exec("curl http://h/")),
            ("exec", None),
            ("exec true", None),
            ("exec:", None),
            ("exec: ''", exec("''")),
            ("exec: 'a", None),
            ("exec://bin/true", None),
            ("https://x/", None),
            ("http://", None),
            ("http://user:word@host/", None),
            ("http://host:0/", None),
            ("http://host:65536/", None),
            ("http://host/a b", None),
            ("http://host/\r\nX: y", None),
            ("http://[::1/", None),
            ("tcp://db", None),
            ("tcp://db:5432/x", None),
            ("127.0.0.1:80", None),
            ("", None),
        ] {
            assert_eq!(check(text).ok(), value, "{text:?}");
        }
    }

    #[test]
    fn other_values_are_read_or_refused() {
        for (text, value) in [
            ("notify", Some(Some(Ready::Notify))),
            ("Check", Some(None)),
            ("fd:3", Some(Some(Ready::Descriptor(3)))),
            ("fd:2", None),
            ("fd:256", None),
            ("fd:", None),
            ("fd", None),
            ("", None),
        ] {
            assert_eq!(ready(text).ok(), value, "{text:?}");
        }
        for (text, value) in
            [("1", Some(1)), (" 1000 ", Some(1000)), ("0", None), ("1001", None), ("x", None)]
        {
            assert_eq!(count("health_failures", text).ok(), value, "{text:?}");
        }
        assert_eq!(pause("health_interval", "99ms").ok(), None);
        assert_eq!(pause("health_timeout", "2h").ok(), None);
        assert_eq!(pause("health_interval", "2h").ok(), Some(Duration::from_hours(2)));
        assert_eq!(action("Stop").ok(), Some(HealthAction::Stop));
        assert_eq!(action("kill").ok(), None);
    }
}
