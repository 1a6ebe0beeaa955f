//! Values of the restart policy: times with units, factors, shares.

use std::time::Duration;

use upkeep_core::spec::OnGiveup;

use super::{Read, Wrong};
use crate::python::repr::py_repr;
use crate::python::text::strip;
use crate::suggest::did_you_mean;

/// Longer than anybody waits; sums of such times are still far from the end of the clock.
const LONGEST: Duration = Duration::from_hours(24 * 1000);

/// What is remembered of a process, and written down at each change of its state, has an end.
const MOST_RESTARTS: u32 = 1000;

/// `watch_debounce`: the shortest lets an editor finish, the longest is still no schedule.
pub(crate) fn debounce(text: &str) -> Read<Duration> {
    let time = time("watch_debounce", text)?;
    if (Duration::from_millis(10)..=Duration::from_hours(1)).contains(&time) {
        return Ok(time);
    }
    let message = format!("not a valid time for watch_debounce: {}", py_repr(text));
    Err(Wrong::new(message, "write 10ms to 1h"))
}

/// Seconds, or a number with a unit: `0.5`, `90`, `500ms`, `5m`, `1h`.
pub(crate) fn time(option: &str, text: &str) -> Read<Duration> {
    let wrong = |hint: &str| Wrong::new(format!("not a valid time for {option}: {}", py_repr(text)), hint);
    let lower = strip(text).to_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let millis = match unit.trim_start() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return Err(wrong("write seconds, or a number with ms, s, m, h or d")),
    };
    let thousandths =
        thousandths(number).ok_or_else(|| wrong("write seconds, or a number with ms, s, m, h or d"))?;
    let time = Duration::from_micros(thousandths.saturating_mul(millis));
    if time > LONGEST { Err(wrong("write 1000 days at most")) } else { Ok(time) }
}

/// A decimal number in thousandths.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.len() + fraction.len();
    if digits == 0 || fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(fraction)
}

/// `restart_backoff`, in thousandths.
pub(crate) fn backoff(text: &str) -> Read<u32> {
    let factor = thousandths(strip(text)).filter(|factor| (1000..=100_000).contains(factor));
    factor.and_then(|factor| u32::try_from(factor).ok()).ok_or_else(|| {
        Wrong::new(
            format!("not a valid value for restart_backoff: {}", py_repr(text)),
            "write a number from 1 to 100, such as 2 or 1.5",
        )
    })
}

/// `restart_jitter`, with or without a percent sign.
pub(crate) fn jitter(text: &str) -> Read<u8> {
    let number = strip(text);
    let number = strip(number.strip_suffix('%').unwrap_or(number));
    number.parse().ok().filter(|percent| *percent <= 100).ok_or_else(|| {
        Wrong::new(
            format!("not a valid value for restart_jitter: {}", py_repr(text)),
            "write a percentage from 0 to 100, such as 20",
        )
    })
}

/// A number of restarts; `None` for none.
pub(crate) fn limit(option: &str, text: &str) -> Read<Option<u32>> {
    let word = strip(text).to_lowercase();
    if word == "none" {
        return Ok(None);
    }
    let hint = match word.parse::<i64>() {
        Ok(0) => "write none for no limit; autorestart=false restarts nothing".to_owned(),
        Ok(limit) => match u32::try_from(limit) {
            Ok(limit) if limit <= MOST_RESTARTS => return Ok(Some(limit)),
            Ok(_) | Err(_) => format!("write 1 to {MOST_RESTARTS}, or none"),
        },
        Err(_) => format!("write 1 to {MOST_RESTARTS}, or none"),
    };
    Err(Wrong::new(format!("not a valid value for {option}: {}", py_repr(text)), hint))
}

/// `on_giveup`.
pub(crate) fn on_giveup(text: &str) -> Read<OnGiveup> {
    let wrong =
        |hint: String| Wrong::new(format!("not a valid value for on_giveup: {}", py_repr(text)), hint);
    let lower = strip(text).to_lowercase();
    let (word, rest) = lower.split_once([' ', '\t']).unwrap_or((&lower, ""));
    let rest = strip(rest);
    match (word, rest) {
        ("fatal", "") => Ok(OnGiveup::Fatal),
        ("shutdown", "") => Ok(OnGiveup::Shutdown),
        ("retry_every", "") => Err(wrong("say how often, such as retry_every 5m".to_owned())),
        ("retry_every", rest) => match time("on_giveup", rest)? {
            Duration::ZERO => Err(wrong("say how often, such as retry_every 5m".to_owned())),
            every => Ok(OnGiveup::RetryEvery(every)),
        },
        _ => Err(wrong(
            did_you_mean(word, ["fatal", "retry_every", "shutdown"])
                .unwrap_or_else(|| "write fatal, retry_every TIME or shutdown".to_owned()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("0", Some(0)),
            ("5", Some(5_000)),
            (" 0.5 ", Some(500)),
            (".25s", Some(250)),
            ("500ms", Some(500)),
            ("1.5m", Some(90_000)),
            ("5 min", Some(300_000)),
            ("2H", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("", None),
            ("-1", None),
            ("1.2345", None),
            ("5 parsecs", None),
            ("1e3", None),
            ("1001d", None),
            ("99999999999999999999", None),
            ("1..2", None),
        ] {
            assert_eq!(time("x", text).ok(), millis.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn other_values_are_read_or_refused() {
        let five = OnGiveup::RetryEvery(Duration::from_mins(5));
        for (text, value) in [
            ("fatal", Some(OnGiveup::Fatal)),
            ("Shutdown", Some(OnGiveup::Shutdown)),
            ("retry_every 5m", Some(five)),
            ("retry_every\t 300", Some(five)),
            ("retry_every", None),
            ("retry_every 0", None),
            ("retry_every soon", None),
            ("fatal 5", None),
            ("", None),
        ] {
            assert_eq!(on_giveup(text).ok(), value, "{text:?}");
        }
        for (text, value) in [("2", Some(2000)), ("1.5", Some(1500)), ("0.9", None), ("101", None)] {
            assert_eq!(backoff(text).ok(), value, "{text:?}");
        }
        for (text, value) in [("20", Some(20)), ("20 %", Some(20)), ("101", None), ("-1", None)] {
            assert_eq!(jitter(text).ok(), value, "{text:?}");
        }
        for (text, value) in [("none", Some(None)), ("5", Some(Some(5))), ("0", None), ("1001", None)] {
            assert_eq!(limit("x", text).ok(), value, "{text:?}");
        }
    }
}
