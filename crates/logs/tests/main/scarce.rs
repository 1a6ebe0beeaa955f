//! A log thread that has run out of descriptors.

use std::io::Write;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use upkeep_logs::{LogEvent, MODE_NAMED, RotatingFile, Sink, StreamId};

use crate::bench::Bench;

/// Tells the test below that it is the one with few descriptors.
const ROLE: &str = "UPKEEP_LOGS_TEST_FEW_DESCRIPTORS";

/// What has ended and cannot be written yet holds up nobody else. In a process of its own, for the limit counts for a whole process.
#[test]
fn a_log_that_cannot_be_opened_is_tried_again_while_others_go_on() {
    if std::env::var_os(ROLE).is_some() {
        return run_short();
    }
    let again = Command::new(std::env::current_exe().expect("a path"))
        .args([
            "--exact",
            "scarce::a_log_that_cannot_be_opened_is_tried_again_while_others_go_on",
            "--nocapture",
        ])
        .env(ROLE, "1")
        .output()
        .expect("this test again");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
}

fn run_short() {
    let bench = Bench::new();
    let later = |name: &str| {
        let file = RotatingFile::later(bench.path(name), 0, 0, MODE_NAMED);
        Sink { file: Some(file), ..Sink::default() }
    };
    let mut ended = [1, 2].map(|id| bench.attach(id, later(&format!("log{id}"))));
    let mut other = bench.attach(3, bench.sink("other", 0, 0));
    bench.sync(&[1, 2, 3]);
    let plenty = getrlimit(Resource::Nofile);
    let limit = |current| setrlimit(Resource::Nofile, Rlimit { current, ..plenty }).expect("it is allowed");
    limit(Some(3));
    ended.iter_mut().for_each(|pipe| pipe.write_all(b"last words\n").expect("room"));
    drop(ended);
    other.write_all(b"a line\n").expect("room");
    for id in [1, 2] {
        bench.engine.drain(StreamId(id));
    }
    bench.engine.sync(vec![StreamId(1)], 1);
    bench.engine.sync(vec![StreamId(3)], 2);
    let mut told = Vec::new();
    bench.wait(|event| {
        match event {
            LogEvent::Synced { token } => told.push(token),
            LogEvent::Drained { id } => told.push(id.0 + 10),
            _ => {}
        }
        told.contains(&2).then_some(())
    });
    assert_eq!(told, [2], "nothing that waits for descriptors comes before it");
    limit(plenty.current);
    bench.wait(|event| {
        match event {
            LogEvent::Synced { token } => told.push(token),
            LogEvent::Drained { id } => told.push(id.0 + 10),
            _ => {}
        }
        (told.len() == 4).then_some(())
    });
    told.sort_unstable();
    assert_eq!(told, [1, 2, 11, 12]);
    assert_eq!(bench.text("other"), "a line\n");
    for name in ["log1", "log2"] {
        assert_eq!(bench.text(name), "last words\n", "{name}");
    }
}
