//! The time zone of this machine.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

/// How long it is believed to stay what it is.
const BELIEVED: Duration = Duration::from_secs(300);

/// Where the system says which it is (localtime(5)).
const LOCAL: &str = "/etc/localtime";

static KNOWN: Mutex<Option<(Instant, TimeZone)>> = Mutex::new(None);

/// The time zone of the variable `TZ`, or the system's; looked up again after five minutes. Where neither says anything it is UTC.
///
/// [`TimeZone::system`] gives the same with its name, for which it goes through the folders of all time zones: a millisecond in which
/// a daemon that has just begun could answer, and memory for hundreds of names.
#[must_use]
pub fn local_zone() -> TimeZone {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, zone)) = &*known
        && at.elapsed() < BELIEVED
    {
        return zone.clone();
    }
    let unnamed = if env::var_os("TZ").is_none() { read(Path::new(LOCAL)) } else { None };
    let zone = unnamed.unwrap_or_else(TimeZone::system);
    *known = Some((Instant::now(), zone.clone()));
    zone
}

fn read(path: &Path) -> Option<TimeZone> {
    TimeZone::tzif("local", &fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_file_says_the_same_without_its_name() {
        for name in ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"] {
            let named = TimeZone::get(name).unwrap();
            let unnamed = read(&Path::new("/usr/share/zoneinfo").join(name)).unwrap();
            // In winter, in summer, and when only the rule at the end of the file is left.
            for second in [0, 1_768_000_000, 1_784_000_000, 2_500_000_000] {
                let at = Timestamp::from_second(second).unwrap();
                let text = |zone: &TimeZone| at.to_zoned(zone.clone()).strftime("%F %T %z %Z").to_string();
                assert_eq!(text(&unnamed), text(&named), "{name}");
            }
        }
        assert_eq!(read(Path::new("/dev/null")), None);
        let now = Timestamp::now();
        assert_eq!(local_zone().to_offset(now), TimeZone::system().to_offset(now));
    }
}
