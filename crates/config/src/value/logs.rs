//! Values about logs that Supervisor has no keys for.

use std::sync::Arc;
use std::time::Duration;

use upkeep_core::spec::{LogDestination, LogFormat, LogPeriod, LogRate};

use super::{Read, Wrong, bytes, choice, list, restart, without_password};
use crate::python::repr::py_repr;

/// `std*_logfile_rotate`; `None` is never.
pub(crate) fn rotate(option: &str, text: &str) -> Read<Option<LogPeriod>> {
    choice(
        option,
        text,
        [
            ("never", None),
            ("hourly", Some(LogPeriod::Hourly)),
            ("daily", Some(LogPeriod::Daily)),
            ("weekly", Some(LogPeriod::Weekly)),
            ("monthly", Some(LogPeriod::Monthly)),
        ],
    )
}

/// `std*_logfile_compress`: whether it is gzip.
pub(crate) fn compress(option: &str, text: &str) -> Read<bool> {
    choice(option, text, [("none", false), ("gzip", true)])
}

/// `std*_logfile_names`: whether they are dates.
pub(crate) fn names(option: &str, text: &str) -> Read<bool> {
    choice(option, text, [("numbers", false), ("dates", true)])
}

/// `std*_logfile_maxage`; `None` is for ever.
pub(crate) fn max_age(option: &str, text: &str) -> Read<Option<Duration>> {
    restart::time(option, text).map(|time| Some(time).filter(|time| !time.is_zero()))
}

/// `std*_logfile_maxtotal`; 0 is no limit.
pub(crate) fn max_total(option: &str, text: &str) -> Read<u64> {
    u64::try_from(bytes(text)?).map_err(|_| {
        let message = format!("not a valid value for {option}: {}", py_repr(text));
        Wrong::new(message, "write bytes, or a number with KB, MB or GB; 0 is no limit")
    })
}

/// `std*_logfile_format`.
pub(crate) fn format(option: &str, text: &str) -> Read<LogFormat> {
    let (raw, timestamps, json) = (LogFormat::Raw, LogFormat::Timestamps, LogFormat::Json);
    choice(option, text, [("raw", raw), ("timestamps", timestamps), ("json", json)])
}

/// `std*_rate_limit`: `100/s` lines, or `1MB/s` bytes, with `burst 500` behind if more may come at once.
pub(crate) fn rate(option: &str, text: &str) -> Read<Option<LogRate>> {
    let lower = text.to_lowercase();
    if lower.trim() == "none" {
        return Ok(None);
    }
    let wrong = || {
        let message = format!("not a valid value for {option}: {}", py_repr(text));
        Wrong::new(message, "write lines or bytes a second, such as 1000/s, or 1MB/s burst 5MB, or none")
    };
    let words: Vec<&str> = lower.split_whitespace().collect();
    let (limit, burst) = match words[..] {
        [limit] => (limit, None),
        [limit, "burst", burst] => (limit, Some(burst)),
        _ => return Err(wrong()),
    };
    let (a_second, in_bytes) = limit.strip_suffix("/s").and_then(amount).ok_or_else(wrong)?;
    let burst = match burst {
        None => a_second,
        Some(burst) => amount(burst).filter(|(_, bytes)| *bytes == in_bytes).ok_or_else(wrong)?.0,
    };
    Ok(Some(LogRate { in_bytes, a_second, burst }))
}

/// More places than anybody sends a line to.
const MOST_DESTINATIONS: usize = 8;
/// Where journald listens.
const JOURNALD: &str = "/run/systemd/journal/socket";
/// Where syslog servers listen, and where they do so for TLS.
const SYSLOG_PORT: u16 = 514;
const SYSLOG_TLS_PORT: u16 = 6514;

/// `std*_forward`: `udp://HOST[:PORT]`, `tcp://HOST[:PORT]`, `tls://HOST[:PORT]`, `journald[://PATH]`, with commas between.
pub(crate) fn forward(option: &str, text: &str) -> Read<Vec<LogDestination>> {
    let parts = list(text);
    if parts.len() > MOST_DESTINATIONS {
        return Err(format!("{option} has more than {MOST_DESTINATIONS} destinations").into());
    }
    let mut all = Vec::new();
    for part in &parts {
        let destination = destination(part).ok_or_else(|| {
            let message =
                format!("not a valid destination for {option}: {}", py_repr(&without_password(part)));
            Wrong::new(
                message,
                "write udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or journald, with commas between",
            )
        })?;
        if !all.contains(&destination) {
            all.push(destination);
        }
    }
    Ok(all)
}

fn destination(text: &str) -> Option<LogDestination> {
    let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
    match scheme.to_lowercase().as_str() {
        "udp" => endpoint(rest, SYSLOG_PORT).map(|(host, port)| LogDestination::Udp { host, port }),
        "tcp" => endpoint(rest, SYSLOG_PORT).map(|(host, port)| LogDestination::Tcp { host, port }),
        "tls" => {
            let (host, port) = endpoint(rest, SYSLOG_TLS_PORT)?;
            Some(LogDestination::Tls { host, port, tls: Arc::default() })
        }
        "journald" if text.len() == scheme.len() => {
            Some(LogDestination::Journald { path: JOURNALD.to_owned() })
        }
        "journald" => rest.starts_with('/').then(|| LogDestination::Journald { path: rest.to_owned() }),
        _ => None,
    }
}

/// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn endpoint(text: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(usual), |port| port.parse().ok().filter(|port| *port > 0))?;
    is_host(host).then(|| (host.to_owned(), port))
}

fn is_host(text: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    !text.is_empty() && text.chars().all(is_name)
}

/// `forward_tls_ca`, `forward_tls_cert`, `forward_tls_key`.
pub(crate) fn pem_file(option: &str, text: &str) -> Read<String> {
    if text.starts_with('/') && !text.contains('\0') {
        return Ok(text.to_owned());
    }
    let message = format!("not a valid value for {option}: {}", py_repr(text));
    Err(Wrong::new(message, "write the absolute path of a file in PEM format"))
}

/// `forward_tls_name`.
pub(crate) fn server_name(option: &str, text: &str) -> Read<String> {
    if is_host(text) && text.is_ascii() && text.len() <= 253 {
        return Ok(text.to_owned());
    }
    let message = format!("not a valid value for {option}: {}", py_repr(text));
    Err(Wrong::new(message, "write the host name or the address that the server's certificate is for"))
}

/// A number from 1 on, and whether it is one of bytes.
fn amount(text: &str) -> Option<(u32, bool)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (factor, in_bytes) = match unit {
        "" => (1, false),
        "b" => (1, true),
        "kb" => (1 << 10, true),
        "mb" => (1 << 20, true),
        "gb" => (1 << 30, true),
        _ => return None,
    };
    let amount = number.parse::<u32>().ok()?.checked_mul(factor)?;
    (amount > 0).then_some((amount, in_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_lines_or_of_bytes() {
        let rate = |text| rate("stdout_rate_limit", text);
        let made = |in_bytes, a_second, burst| Ok(Some(LogRate { in_bytes, a_second, burst }));
        assert_eq!(rate("none"), Ok(None));
        assert_eq!(rate("100/s"), made(false, 100, 100));
        assert_eq!(rate(" 100/s  burst 5000 "), made(false, 100, 5000));
        assert_eq!(rate("1MB/s burst 512kb"), made(true, 1 << 20, 512 << 10));
        for text in [
            "",
            "100",
            "0/s",
            "-1/s",
            "100/m",
            "1MB/s burst 5",
            "9GB/s",
            "1/s burst",
            "1/s 2",
            "x/s",
            "1.5/s",
        ] {
            let wrong = rate(text).unwrap_err();
            assert_eq!(wrong.message, format!("not a valid value for stdout_rate_limit: '{text}'"));
        }
    }

    #[test]
    fn destinations_are_servers_or_journald() {
        let udp = |host: &str, port| LogDestination::Udp { host: host.to_owned(), port };
        let tcp = |host: &str, port| LogDestination::Tcp { host: host.to_owned(), port };
        let journald = |path: &str| LogDestination::Journald { path: path.to_owned() };
        let tls = |host: &str, port| LogDestination::Tls { host: host.to_owned(), port, tls: Arc::default() };
        assert_eq!(forward("x", ""), Ok(vec![]));
        assert_eq!(
            forward(
                "x",
                "udp://log.example, tcp://10.0.0.1:601, TCP://[::1]:601,tls://a,tls://a:1,journald,journald:///x,journald"
            ),
            Ok(vec![
                udp("log.example", 514),
                tcp("10.0.0.1", 601),
                tcp("::1", 601),
                tls("a", 6514),
                tls("a", 1),
                journald(JOURNALD),
                journald("/x")
            ])
        );
        for text in [
            "log.example",
            "udp://",
            "udp://a:0",
            "udp://a:70000",
            "tls://",
            "tls://a:x",
            "journald://x",
            "tcp://::1",
            "tcp://[x]:1",
            "udp://a b",
            "journald,",
        ] {
            let wrong = forward("stdout_forward", text).unwrap_err();
            assert!(wrong.message.starts_with("not a valid destination for stdout_forward: "), "{text}");
        }
        assert!(forward("x", &"udp://a,".repeat(9)).is_err());
    }

    #[test]
    fn files_and_names_of_tls() {
        assert_eq!(pem_file("x", "/etc/ca.pem"), Ok("/etc/ca.pem".to_owned()));
        for text in ["", "ca.pem", "/a\0b"] {
            assert!(pem_file("x", text).is_err(), "{text:?}");
        }
        for text in ["logs.example", "10.0.0.1", "::1"] {
            assert_eq!(server_name("x", text), Ok(text.to_owned()));
        }
        for text in ["", "a b", "日志", &"a".repeat(254)] {
            assert!(server_name("x", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn values_about_old_files() {
        assert_eq!(rotate("x", "Daily"), Ok(Some(LogPeriod::Daily)));
        assert_eq!(rotate("x", "never"), Ok(None));
        let wrong = rotate("stdout_logfile_rotate", "dayly").unwrap_err();
        assert_eq!(wrong.message, "not a valid value for stdout_logfile_rotate: 'dayly'");
        assert_eq!(wrong.hint.as_deref(), Some("did you mean \"daily\"?"));
        assert_eq!((compress("x", "gzip"), names("x", "dates")), (Ok(true), Ok(true)));
        assert!(compress("x", "zip").is_err() && names("x", "").is_err());
        assert_eq!(max_age("x", "7d"), Ok(Some(Duration::from_hours(7 * 24))));
        assert_eq!(max_age("x", "0"), Ok(None));
        assert!(max_age("x", "old").is_err() && max_age("x", "-1").is_err());
        assert_eq!(max_total("x", "1GB"), Ok(1 << 30));
        assert!(max_total("x", "-1").is_err() && max_total("x", "1TB").is_err());
    }
}
