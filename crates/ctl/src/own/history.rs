//! Lines of many logs in the order of time.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Which log: its place in the list.
    pub(super) log: usize,
    /// When it was written, as it says itself, or the lines before it say.
    pub(super) at: Option<Timestamp>,
    /// Without its end.
    pub(super) line: String,
}

/// The lines of a log, each with its time; one without has that of the line before it, as the lines of a stack trace have. Those
/// before the first time have that.
pub(super) fn entries(log: usize, text: &str, is_cut: bool) -> Vec<Entry> {
    // The beginning of what was cut is the end of a line.
    let text = match text.split_once('\n') {
        Some((_, rest)) if is_cut => rest,
        _ => text,
    };
    let mut last = text.lines().find_map(time_of);
    text.lines()
        .map(|line| {
            last = time_of(line).or(last);
            Entry { log, at: last, line: line.to_owned() }
        })
        .collect()
}

/// All lines in the order of time. Logs whose lines have no times come first, in their own order.
pub(super) fn merged(mut all: Vec<Entry>) -> Vec<Entry> {
    all.sort_by_key(|entry| entry.at);
    all
}

/// The time that a line begins with, or that a JSON object has under one of the usual names.
pub(super) fn time_of(line: &str) -> Option<Timestamp> {
    if line.starts_with('{') {
        let object: Value = serde_json::from_str(line).ok()?;
        let names = ["time", "timestamp", "@timestamp", "ts"];
        return names.iter().find_map(|name| moment(object.get(name)?.as_str()?));
    }
    moment(line.strip_prefix('[').unwrap_or(line))
}

/// `2026-11-21T17:55:43.123+08:00` and its like: with a blank for the T, a comma for the point, without a fraction, without a zone (then it is
/// local). What comes behind does not matter.
fn moment(text: &str) -> Option<Timestamp> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let rest = rest.strip_prefix(['T', ' '])?;
    let (time, rest) = (rest.get(..8)?, rest.get(8..)?);
    let is_shaped = |text: &str, separator: u8, places: &[usize]| {
        text.bytes()
            .enumerate()
            .all(|(at, byte)| if places.contains(&at) { byte == separator } else { byte.is_ascii_digit() })
    };
    if !is_shaped(date, b'-', &[4, 7]) || !is_shaped(time, b':', &[2, 5]) {
        return None;
    }
    let (fraction, rest) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at(end)
        }
        None => ("", rest),
    };
    let fraction = &fraction[..fraction.len().min(9)];
    let point = if fraction.is_empty() { "" } else { "." };
    let local: DateTime = format!("{date}T{time}{point}{fraction}").parse().ok()?;
    let zone = offset(rest).map_or_else(TimeZone::system, TimeZone::fixed);
    Some(local.to_zoned(zone).ok()?.timestamp())
}

/// `Z`, `+08:00` or `+0800`.
fn offset(text: &str) -> Option<Offset> {
    if text.starts_with('Z') {
        return Some(Offset::UTC);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.chars().filter(|c| *c != ':').take(4).collect();
    let (hours, minutes) = (digits.get(..2)?.parse::<i32>().ok()?, digits.get(2..4)?.parse::<i32>().ok()?);
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()
}

/// What `--since` means: `10m` ago, or a time of the day, a day, or both.
pub(super) fn since(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago).ok();
    }
    let today = now.to_zoned(TimeZone::system()).date();
    let local =
        |text: &str| Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::system()).ok()?.timestamp());
    text.parse::<Timestamp>().ok().or_else(|| local(text)).or_else(|| local(&format!("{today}T{text}")))
}

/// A number with `s`, `m`, `h`, `d` or `w`, or some of them in a row: `1h30m`.
pub(super) fn ago(text: &str) -> Option<SignedDuration> {
    let mut seconds = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: i64 = rest[..end].parse().ok()?;
        let unit = rest[end..].chars().next();
        let factor = match unit {
            None if rest.len() == text.len() => 1,
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            None | Some(_) => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[end + unit.map_or(0, char::len_utf8)..];
    }
    (!text.is_empty()).then(|| SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn lines_tell_their_time() {
        let noon = at("2026-11-21T12:00:00Z");
        let half = at("2026-11-21T12:00:00.5Z");
        for (line, expected) in [
            ("2026-11-21T12:00:00Z x", Some(noon)),
            ("2026-11-21T20:00:00.5+08:00 x", Some(half)),
            ("[2026-11-21 20:00:00,500+0800] x", Some(half)),
            ("{\"level\":1,\"time\":\"2026-11-21T12:00:00.500Z\"}", Some(half)),
            ("{\"@timestamp\":\"2026-11-21 12:00:00Z\"}", Some(noon)),
            ("{\"time\":7}", None),
            ("{2026-11-21T12:00:00Z", None),
            ("2026-11-21", None),
            ("2026-11-2112:00:00Z", None),
            ("2026-13-21T12:00:00Z", None),
            ("x 2026-11-21T12:00:00Z", None),
            ("中中中中中中中中中中中中", None),
            ("", None),
        ] {
            assert_eq!(time_of(line), expected, "{line}");
        }
        let local = "2026-11-21T12:00:00".parse::<DateTime>().unwrap().to_zoned(TimeZone::system()).unwrap();
        assert_eq!(time_of("2026-11-21 12:00:00,000 INFO x"), Some(local.timestamp()));
    }

    #[test]
    fn lines_of_many_logs_come_in_order() {
        let first =
            entries(0, "ut\nat A\n2026-11-21T12:00:01Z one\n  at B\n2026-11-21T12:00:03Z three\n", true);
        let second = entries(1, "2026-11-21T12:00:02Z two\n2026-11-21T12:00:01Z late\n", false);
        let third = entries(2, "no time\n", false);
        let all = merged([first, second, third].concat());
        let lines: Vec<&str> = all.iter().map(|entry| entry.line.rsplit("Z ").next().unwrap()).collect();
        assert_eq!(lines, ["no time", "at A", "one", "  at B", "late", "two", "three"]);
    }

    #[test]
    fn since_is_ago_or_a_moment() {
        let now = at("2026-11-21T12:00:00Z");
        let local =
            |text: &str| text.parse::<DateTime>().unwrap().to_zoned(TimeZone::system()).unwrap().timestamp();
        let today = now.to_zoned(TimeZone::system()).date();
        for (text, expected) in [
            ("10m", Some(at("2026-11-21T11:50:00Z"))),
            ("1h30m", Some(at("2026-11-21T10:30:00Z"))),
            ("90", Some(at("2026-11-21T11:58:30Z"))),
            ("2d", Some(at("2026-11-19T12:00:00Z"))),
            ("2026-11-20", Some(local("2026-11-20T00:00:00"))),
            ("2026-11-20T07:30", Some(local("2026-11-20T07:30:00"))),
            ("2026-11-20 07:30:05", Some(local("2026-11-20T07:30:05"))),
            ("2026-11-20T07:30:00+08:00", Some(at("2026-11-19T23:30:00Z"))),
            ("07:30", Some(local(&format!("{today}T07:30:00")))),
            ("", None),
            ("m", None),
            ("10x", None),
            ("5m3", None),
            ("yesterday", None),
            ("-5m", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(since(text, now), expected, "{text}");
        }
    }
}
