//! Values of what a program is confined to: resource limits, priorities, capabilities, paths.

use upkeep_core::spec::{Ionice, MemoryAction, Resource, Rlimit, Unit};

use super::{Read, Wrong, bytes, choice, integer, list, restart};
use crate::python::repr::py_repr;
use crate::python::text::strip;
use crate::suggest::did_you_mean;

/// More paths than anybody writes.
const MOST_PATHS: usize = 100;

/// The bits of capabilities, by number (capabilities(7)).
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// `rlimit_*`: one value for both limits, or `soft:hard`.
pub(crate) fn rlimit(resource: Resource, text: &str) -> Read<Rlimit> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let rlimit = Rlimit { resource, soft: amount(resource, soft)?, hard: amount(resource, hard)? };
    if rlimit.soft.unwrap_or(u64::MAX) > rlimit.hard.unwrap_or(u64::MAX) {
        let message =
            format!("the soft limit of {} is above the hard one: {}", resource.key(), py_repr(text));
        return Err(Wrong::new(message, "write soft:hard, the smaller one first"));
    }
    Ok(rlimit)
}

/// `None` is unlimited.
fn amount(resource: Resource, text: &str) -> Read<Option<u64>> {
    let text = strip(text);
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(None);
    }
    let number = match resource.unit() {
        Unit::Count => integer(text).ok(),
        Unit::Bytes => bytes(text).ok(),
        Unit::Seconds => restart::time(resource.key(), text)
            .ok()
            .and_then(|time| i64::try_from(time.as_millis().div_ceil(1000)).ok()),
    };
    number.and_then(|number| u64::try_from(number).ok()).map(Some).ok_or_else(|| {
        let hint = match resource.unit() {
            Unit::Count => "write a number, unlimited, or soft:hard, such as 1024:65536",
            Unit::Bytes => "write bytes, a number with KB, MB or GB, unlimited, or soft:hard",
            Unit::Seconds => "write seconds, a number with s, m, h or d, unlimited, or soft:hard",
        };
        Wrong::new(format!("not a valid value for {}: {}", resource.key(), py_repr(text)), hint)
    })
}

/// `cgroup`.
pub(crate) fn folder(option: &str, text: &str) -> Read<String> {
    let path = strip(text);
    if path.starts_with('/') && path.len() > 1 && !path.contains('\0') {
        return Ok(path.trim_end_matches('/').to_owned());
    }
    let message = format!("not a valid path for {option}: {}", py_repr(text));
    Err(Wrong::new(message, "write an absolute path"))
}

/// `cpu_limit`, with or without a percent sign.
pub(crate) fn cpu_limit(text: &str) -> Read<u32> {
    let number = strip(text);
    let number = strip(number.strip_suffix('%').unwrap_or(number));
    let percent = number.parse().ok().filter(|percent| (1..=100_000).contains(percent));
    percent.ok_or_else(|| {
        let message = format!("not a valid value for cpu_limit: {}", py_repr(text));
        Wrong::new(message, "write percent of one processor, such as 50 or 150")
    })
}

/// `pids_limit`.
pub(crate) fn pids_limit(text: &str) -> Read<u32> {
    let number = integer(text).ok().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| (1..=4_194_304).contains(number)).ok_or_else(|| {
        let message = format!("not a valid value for pids_limit: {}", py_repr(text));
        Wrong::new(message, "write 1 to 4194304")
    })
}

/// `memory_limit_action`.
pub(crate) fn memory_action(text: &str) -> Read<MemoryAction> {
    choice("memory_limit_action", text, [("restart", MemoryAction::Restart), ("kill", MemoryAction::Kill)])
}

/// `memory_limit`.
pub(crate) fn memory(text: &str) -> Read<u64> {
    let size = bytes(text).ok().and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    size.ok_or_else(|| {
        let message = format!("not a valid value for memory_limit: {}", py_repr(text));
        Wrong::new(message, "write bytes, or a whole number with KB, MB or GB")
    })
}

/// A whole number within limits.
pub(crate) fn within(option: &str, text: &str, least: i32, most: i32) -> Read<i32> {
    let number = integer(text).ok().and_then(|number| i32::try_from(number).ok());
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let message = format!("not a valid value for {option}: {}", py_repr(text));
        Wrong::new(message, format!("write {least} to {most}"))
    })
}

/// `ionice`: a class, and a level where there are any.
pub(crate) fn ionice(text: &str) -> Read<Ionice> {
    let lower = strip(text).to_lowercase();
    let (class, level) = lower.split_once(':').map_or((&*lower, None), |(class, level)| (class, Some(level)));
    let wrong = |hint: String| Wrong::new(format!("not a valid value for ionice: {}", py_repr(text)), hint);
    let level = |usual: u8| match level {
        None => Ok(usual),
        Some(level) => within("ionice", level, 0, 7).map(|level| u8::try_from(level).unwrap_or(usual)),
    };
    match strip(class) {
        "idle" if lower == "idle" => Ok(Ionice::Idle),
        "best-effort" => Ok(Ionice::BestEffort(level(4)?)),
        "realtime" => Ok(Ionice::Realtime(level(4)?)),
        "idle" => Err(wrong("idle has no level".to_owned())),
        other => Err(wrong(
            did_you_mean(other, ["idle", "best-effort", "realtime"])
                .unwrap_or_else(|| "write idle, best-effort[:0-7] or realtime[:0-7]".to_owned()),
        )),
    }
}

/// Names of capabilities as bits; `none` is none.
pub(crate) fn capabilities(option: &str, text: &str) -> Read<u64> {
    if strip(text).eq_ignore_ascii_case("none") {
        return Ok(0);
    }
    let mut bits = 0;
    for name in text.split(',') {
        let upper = strip(name).to_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match CAPABILITIES.iter().position(|known| *known == short) {
            Some(at) => bits |= 1u64 << at,
            None => {
                let hint = did_you_mean(short, CAPABILITIES);
                let message = format!("not a capability in {option}: {}", py_repr(name));
                let usual = "write names with commas between, such as NET_BIND_SERVICE, or none";
                return Err(Wrong::new(message, hint.unwrap_or_else(|| usual.to_owned())));
            }
        }
    }
    Ok(bits)
}

/// `writable_paths`.
pub(crate) fn paths(option: &str, text: &str) -> Read<Vec<String>> {
    let paths = list(text);
    let message = |path: &str| format!("not a valid path in {option}: {}", py_repr(path));
    if paths.is_empty() {
        return Err(Wrong::new(message(""), "write absolute paths with commas between"));
    }
    if paths.len() > MOST_PATHS {
        return Err(format!("{option} has more than {MOST_PATHS} paths").into());
    }
    match paths.iter().find(|path| !path.starts_with('/') || path.contains('\0')) {
        Some(path) => Err(Wrong::new(message(path), "write absolute paths with commas between")),
        None => Ok(paths),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_limits_have_units_and_two_sides() {
        let mega = 1 << 20;
        for (resource, text, value) in [
            (Resource::Nofile, "1024", Some((Some(1024), Some(1024)))),
            (Resource::Nofile, " 1024 : 4096 ", Some((Some(1024), Some(4096)))),
            (Resource::Nproc, "10:unlimited", Some((Some(10), None))),
            (Resource::Core, "Unlimited", Some((None, None))),
            (Resource::Core, "0", Some((Some(0), Some(0)))),
            (Resource::Fsize, "1MB:2MB", Some((Some(mega), Some(2 * mega)))),
            (Resource::Cpu, "2m", Some((Some(120), Some(120)))),
            (Resource::Cpu, "0.5", Some((Some(1), Some(1)))),
            (Resource::Nofile, "4096:1024", None),
            (Resource::Nofile, "unlimited:1024", None),
            (Resource::Nofile, "-1", None),
            (Resource::Nofile, "1KB", None),
            (Resource::Nofile, "", None),
            (Resource::Fsize, "1:2:3", None),
            (Resource::Fsize, "many", None),
            (Resource::Cpu, "soon", None),
        ] {
            let read = rlimit(resource, text).ok().map(|limit| (limit.soft, limit.hard));
            assert_eq!(read, value, "{text:?}");
        }
    }

    #[test]
    fn other_values_are_read_or_refused() {
        for (text, value) in [
            ("idle", Some(Ionice::Idle)),
            ("Best-Effort", Some(Ionice::BestEffort(4))),
            ("best-effort:7", Some(Ionice::BestEffort(7))),
            ("realtime:0", Some(Ionice::Realtime(0))),
            ("realtime:8", None),
            ("idle:1", None),
            ("low", None),
            ("", None),
        ] {
            assert_eq!(ionice(text).ok(), value, "{text:?}");
        }
        for (text, value) in [
            ("none", Some(0)),
            ("CHOWN", Some(1)),
            ("cap_chown, NET_BIND_SERVICE", Some(1 | 1 << 10)),
            ("CHECKPOINT_RESTORE", Some(1 << 40)),
            ("CHOWN,", None),
            ("CHWON", None),
        ] {
            assert_eq!(capabilities("x", text).ok(), value, "{text:?}");
        }
        for (text, count) in [("/a", Some(1)), ("/a, /b c", Some(2)), ("a", None), ("", None), ("/a,", None)]
        {
            assert_eq!(paths("x", text).ok().map(|paths| paths.len()), count, "{text:?}");
        }
        assert_eq!(
            [within("nice", "-20", -20, 19).ok(), within("nice", "20", -20, 19).ok()],
            [Some(-20), None]
        );
    }
}
