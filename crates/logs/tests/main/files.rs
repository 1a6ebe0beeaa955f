//! Logs that are moved, cleared, full or watched while they are written.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use upkeep_logs::{LogEvent, Loss, MODE_NAMED, RotatingFile, Sink, StreamId};

use super::bench::{Bench, until};

#[test]
fn reopens_after_a_rename_proc_140() {
    let bench = Bench::new();
    let (mut one, mut two) = (bench.attach(1, bench.sink("a", 0, 0)), bench.attach(2, bench.sink("b", 0, 0)));
    one.write_all(b"before").unwrap();
    bench.sync(&[1]);
    fs::rename(bench.path("a"), bench.path("moved")).unwrap();
    one.write_all(b" moved").unwrap();
    bench.sync(&[1]);
    bench.engine.reopen_all();
    // What is written before the log thread has come to it still goes to the old file.
    bench.sync(&[]);
    one.write_all(b"after").unwrap();
    two.write_all(b"same").unwrap();
    bench.sync(&[1, 2]);
    assert_eq!(bench.text("moved"), "before moved");
    assert_eq!((bench.text("a"), bench.text("b")), ("after".into(), "same".into()));
}

#[test]
fn a_new_stream_takes_the_others_along_to_the_new_file() {
    let bench = Bench::new();
    let mut one = bench.attach(1, bench.sink("log", 0, 0));
    one.write_all(b"old ").unwrap();
    bench.sync(&[1]);
    fs::rename(bench.path("log"), bench.path("moved")).unwrap();
    let mut two = bench.attach(2, bench.sink("log", 0, 0));
    two.write_all(b"two ").unwrap();
    bench.sync(&[2]);
    one.write_all(b"one").unwrap();
    bench.drain(2);
    bench.drain(1);
    assert_eq!((bench.text("moved"), bench.text("log")), ("old ".into(), "two one".into()));
}

#[test]
fn clears_a_live_log_proc_141() {
    let bench = Bench::new();
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    pipe.write_all(b"old").unwrap();
    bench.sync(&[1]);
    assert!(bench.clear(StreamId(1)));
    assert_eq!(bench.text("log"), "");
    pipe.write_all(b"new").unwrap();
    bench.sync(&[1]);
    assert_eq!(bench.text("log"), "new");
    assert!(bench.clear(StreamId(404)), "nothing to clear is no failure");
    fs::remove_file(bench.path("log")).unwrap();
    fs::create_dir(bench.path("log")).unwrap();
    assert!(!bench.clear(StreamId(1)));
}

#[test]
fn a_full_disk_stops_nobody() {
    let bench = Bench::new();
    symlink("/dev/full", bench.path("log")).unwrap();
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    pipe.write_all(b"12345").unwrap();
    let path = bench.wait(|event| match event {
        LogEvent::Dropping { id: StreamId(1), path, error } => {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
            Some(path)
        }
        _ => None,
    });
    assert_eq!(path, bench.path("log"));
    let loss = || bench.engine.losses().remove(&bench.path("log"));
    let expected = Loss { bytes: 5, reason: "No space left on device".to_owned(), now: true };
    assert_eq!(loss(), Some(expected));
    pipe.write_all(&vec![b'x'; 1 << 20]).unwrap();
    fs::remove_file(bench.path("log")).unwrap();
    bench.sync(&[1]);
    bench.engine.reopen_all();
    bench.sync(&[]);
    pipe.write_all(b"back").unwrap();
    let bytes = bench.wait(|event| match event {
        LogEvent::Resumed { id: StreamId(1), bytes, .. } => Some(bytes),
        LogEvent::Dropping { .. } => panic!("said once an episode"),
        _ => None,
    });
    assert_eq!(bytes, (1 << 20) + 5);
    assert_eq!(loss().map(|loss| (loss.bytes, loss.now)), Some((bytes, false)));
    assert!(bench.clear(StreamId(1)));
    assert_eq!(loss(), None, "an empty log lacks nothing");
    pipe.write_all(b"back").unwrap();
    bench.drain(1);
    assert_eq!(bench.text("log"), "back");
}

#[test]
fn what_was_dropped_is_told_at_the_end_too() {
    let bench = Bench::new();
    symlink("/dev/full", bench.path("log")).unwrap();
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    pipe.write_all(b"12345").unwrap();
    bench.engine.drain(StreamId(1));
    let bytes = bench.wait(|event| match event {
        LogEvent::GaveUp { id: StreamId(1), bytes, .. } => Some(bytes),
        _ => None,
    });
    assert_eq!(bytes, 5);
    // A new stream with the same file begins a new story.
    pipe = bench.attach(2, bench.sink("log", 0, 0));
    pipe.write_all(b"678").unwrap();
    bench.drain(2);
    bench.sync(&[]);
    let loss = bench.engine.losses().remove(&bench.path("log")).unwrap();
    assert_eq!((loss.bytes, loss.now), (8, false));
    assert!(bench.engine.clear_unused(&bench.path("log")).is_ok());
    assert_eq!(bench.engine.losses().len(), 0);
}

/// A log that no program has any more: what it lacks is forgotten with its last bytes, unless somebody has it again by then.
#[test]
fn what_an_abandoned_log_lacks_is_forgotten_at_its_end() {
    let bench = Bench::new();
    symlink("/dev/full", bench.path("log")).unwrap();
    let lost = || bench.engine.losses().get(&bench.path("log")).map(|loss| loss.bytes);
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    pipe.write_all(b"12345").unwrap();
    bench.sync(&[1]);
    bench.engine.forget_losses(bench.path("log"));
    pipe.write_all(b"678").unwrap();
    bench.sync(&[1]);
    assert_eq!(lost(), Some(8), "it is still written");
    bench.drain(1);
    bench.sync(&[]);
    assert_eq!(lost(), None);

    let mut pipe = bench.attach(2, bench.sink("log", 0, 0));
    pipe.write_all(b"12").unwrap();
    bench.sync(&[2]);
    bench.engine.forget_losses(bench.path("log"));
    let _other = bench.attach(3, bench.sink("log", 0, 0));
    [2, 3].into_iter().for_each(|id| bench.drain(id));
    bench.sync(&[]);
    assert_eq!(lost(), Some(2), "somebody has it again");
    bench.engine.forget_losses(bench.path("log"));
    bench.sync(&[]);
    assert_eq!(lost(), None);
    let told = bench.engine.changed_losses();
    assert_eq!(told, [(bench.path("log"), None)]);
}

#[test]
fn a_log_that_is_opened_later() {
    let bench = Bench::new();
    let file = RotatingFile::later(bench.path("dir/log"), 0, 0, MODE_NAMED);
    let mut pipe = bench.attach(1, Sink { file: Some(file), ..Sink::default() });
    pipe.write_all(b"12345").unwrap();
    bench.sync(&[1]);
    fs::create_dir(bench.path("dir")).unwrap();
    pipe.write_all(b"back").unwrap();
    bench.drain(1);
    assert_eq!(bench.text("dir/log"), "back");
    assert_eq!(bench.engine.losses()[&bench.path("dir/log")].bytes, 5);
}

#[test]
fn watchers_are_told_once() {
    let bench = Bench::new();
    let grew = |bench: &Bench| {
        bench.wait(|event| match event {
            LogEvent::Grew { path } => Some(path),
            _ => None,
        })
    };
    let path = bench.path("log");
    bench.engine.watch(path.clone());
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    assert_eq!(grew(&bench), path, "a log that is opened has changed");
    pipe.write_all(b"not watched").unwrap();
    bench.sync(&[1]);
    bench.engine.watch(path.clone());
    pipe.write_all(b"watched").unwrap();
    assert_eq!(grew(&bench), path);
    pipe.write_all(b"again not watched").unwrap();
    bench.engine.sync(vec![StreamId(1)], 1);
    bench.wait(|event| match event {
        LogEvent::Grew { .. } => panic!("told twice"),
        LogEvent::Synced { .. } => Some(()),
        _ => None,
    });
    bench.engine.watch(path.clone());
    bench.engine.clear(StreamId(1), 1);
    assert_eq!(grew(&bench), path);
}

#[test]
fn the_limits_of_a_shared_fifo_are_warned_about_once_d_10() {
    let bench = Bench::new();
    let path = bench.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let reader = fs::File::options().read(true).write(true).open(&path).unwrap();
    let pipes: Vec<_> = (0..3).map(|id| bench.attach(id, bench.sink("fifo", 50 << 20, 10))).collect();
    (0..3).for_each(|id| bench.engine.drain(StreamId(id)));
    let mut warnings = 0;
    bench.wait(|event| match event {
        LogEvent::Warn { text } => {
            assert!(text.contains("cannot be rotated"), "{text}");
            warnings += 1;
            None
        }
        LogEvent::Drained { id: StreamId(2) } => Some(()),
        _ => None,
    });
    assert_eq!(warnings, 1);
    drop((pipes, reader));
}

/// Not a test by itself: what the next two run with a standard output of their choice.
#[test]
fn child_that_logs_to_standard_output() {
    let Some(path) = std::env::var_os("LOG_TO_STDOUT") else { return };
    let bench = Bench::new();
    let file = RotatingFile::open(path, 1000, 1, MODE_NAMED).unwrap();
    let mut pipe = bench.attach(1, Sink { file: Some(file), ..Sink::default() });
    pipe.write_all(&[b'z'; 10_000]).unwrap();
    bench.sync(&[1]);
    assert!(bench.engine.shutdown());
}

/// Runs [`child_that_logs_to_standard_output`].
fn run_child(path: &Path, stdout: OwnedFd) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "files::child_that_logs_to_standard_output", "--nocapture"])
        .env("LOG_TO_STDOUT", path)
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn standard_output_may_be_a_socket() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = run_child(Path::new("/dev/stdout"), theirs.into());
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text.matches('z').count(), 10_000);
}

#[test]
fn standard_output_is_never_rotated_d_10() {
    let bench = Bench::new();
    let (log, link) = (bench.path("log"), bench.path("link"));
    symlink("/dev/stdout", &link).unwrap();
    let stdout = fs::File::options().append(true).create(true).open(&log).unwrap();
    assert!(run_child(&link, stdout.into()).wait().unwrap().success());
    assert_eq!(bench.text("log").matches('z').count(), 10_000);
    assert!(fs::symlink_metadata(&link).is_ok() && !bench.path("link.1").exists());
}

#[test]
fn the_last_handle_ends_the_thread() {
    let bench = Bench::new();
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    let second = bench.engine.clone();
    drop(bench.engine);
    pipe.write_all(b"still there").unwrap();
    drop(second);
    until(|| pipe.write_all(b"x").is_err());
}
