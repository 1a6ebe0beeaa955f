//! The daemon's own log.

use std::fs;
use std::io::Write;
use std::path::Path;

use upkeep_logs::{
    Destination, Journal, Level, LineRules, LogEvent, MODE_NAMED, RotatingFile, Sink, StreamId,
};

use super::bench::Bench;

impl Bench {
    fn journal(&self, level: Level, name: &str, maxbytes: i64, backups: i64) {
        let file = RotatingFile::open(self.path(name), maxbytes, backups, MODE_NAMED).unwrap();
        self.engine.set_journal(Journal { level, file: Some(file), syslog: None, stdout: false });
    }

    fn say(&self, level: Level, text: &str) {
        self.engine.journal(level, text.to_owned());
    }

    /// The lines without their times.
    fn lines(&self, name: &str) -> Vec<String> {
        self.text(name).lines().map(|line| line[24..].to_owned()).collect()
    }
}

#[test]
fn writes_lines_at_and_above_its_level_proc_165() {
    let bench = Bench::new();
    bench.say(Level::Info, "before there was a log");
    bench.say(Level::Debug, "debug before");
    bench.journal(Level::Info, "main", 0, 0);
    bench.say(Level::Debug, "not wanted");
    bench.say(Level::Warn, "two\nlines");
    assert!(!bench.engine.wants(Level::Debug) && bench.engine.wants(Level::Info));
    bench.sync(&[]);
    let text = bench.text("main");
    let (stamp, rest) = text.split_at(24);
    let digits: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(digits, "0000-00-00 00:00:00,000 ");
    assert!(rest.starts_with("INFO before there was a log\n"), "{text}");
    assert!(text.ends_with(" WARN two\nlines\n"), "{text}");
    assert!(!text.contains("debug") && !text.contains("not wanted"), "{text}");
}

#[test]
fn rotates_proc_167() {
    let bench = Bench::new();
    bench.journal(Level::Info, "main", 80, 5);
    for line in ["one", "two", "three", "four"] {
        bench.say(Level::Info, line);
    }
    bench.sync(&[]);
    assert_eq!(bench.lines("main.1"), ["INFO one", "INFO two", "INFO three"]);
    assert_eq!(bench.lines("main"), ["INFO four"]);
}

#[test]
fn reopens_by_itself_proc_170() {
    let bench = Bench::new();
    bench.journal(Level::Info, "main", 0, 0);
    bench.say(Level::Info, "one");
    bench.sync(&[]);
    fs::rename(bench.path("main"), bench.path("moved")).unwrap();
    bench.engine.reopen_all();
    bench.say(Level::Info, "still the old one");
    bench.engine.reopen_journal();
    bench.say(Level::Info, "new");
    bench.sync(&[]);
    assert_eq!(bench.lines("moved"), ["INFO one", "INFO still the old one"]);
    assert_eq!(bench.lines("main"), ["INFO new"]);
}

#[test]
fn can_be_cleared() {
    let bench = Bench::new();
    bench.journal(Level::Info, "main", 0, 0);
    bench.say(Level::Info, "old");
    assert!(bench.clear(StreamId::JOURNAL));
    bench.say(Level::Info, "new");
    bench.sync(&[]);
    assert_eq!(bench.lines("main"), ["INFO new"]);
}

#[test]
fn shutdown_writes_what_was_said() {
    let bench = Bench::new();
    bench.journal(Level::Info, "main", 0, 0);
    for number in 0..20_000 {
        bench.say(Level::Info, &format!("line {number}"));
    }
    let path = bench.path("main");
    assert!(bench.engine.clone().shutdown());
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 20_000);
    bench.say(Level::Info, "to nobody");
    assert!(bench.engine.clone().shutdown(), "a second time is nothing");
}

/// What a destination has not taken when everything ends is lost, and the log says how much that is.
#[test]
fn shutdown_says_what_could_not_be_forwarded() {
    let bench = Bench::new();
    bench.journal(Level::Info, "main", 0, 0);
    let nobody = bench.path("nobody");
    let lines =
        LineRules { forward: vec![Destination::Journald { path: nobody.clone() }], ..LineRules::default() };
    let mut pipe = bench.attach(1, Sink { lines: Some(Box::new(lines)), ..Sink::default() });
    pipe.write_all(b"one\nthree\n").unwrap();
    bench.wait(|event| {
        matches!(event, LogEvent::Warn { text } if text.starts_with("cannot forward lines")).then_some(())
    });
    assert!(bench.engine.clone().shutdown());
    let place = format!("journald://{}", nobody.display());
    let text = format!("WARN 2 lines (8 bytes) for {place} are dropped: it has not taken them in time");
    assert_eq!(bench.lines("main"), [text]);
    assert_eq!(bench.engine.losses()[Path::new(&place)].bytes, 8);
}

#[test]
fn a_log_that_cannot_be_written_is_reported_not_waited_for() {
    let bench = Bench::new();
    let file = RotatingFile::open("/dev/full", 0, 0, MODE_NAMED).unwrap();
    bench.engine.set_journal(Journal { level: Level::Info, file: Some(file), syslog: None, stdout: false });
    bench.say(Level::Info, "lost");
    bench.wait(|event| matches!(event, LogEvent::Dropping { id: StreamId::JOURNAL, .. }).then_some(()));
    bench.journal(Level::Info, "main", 0, 0);
    bench.say(Level::Info, "kept");
    bench.sync(&[]);
    assert_eq!(bench.lines("main"), ["INFO kept"]);
}
