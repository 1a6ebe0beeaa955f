//! Values about logs that Supervisor has no keys for.

use std::time::Duration;

use upkeep_core::spec::LogPeriod;

use super::{Read, Wrong, bytes, choice, restart};
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

#[cfg(test)]
mod tests {
    use super::*;

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
