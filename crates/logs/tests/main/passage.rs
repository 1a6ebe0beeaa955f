//! What is moved to a log takes the way through a pipe that outlives the log thread.

use std::fs;
use std::io::{PipeWriter, Write};
use std::os::fd::OwnedFd;

use upkeep_logs::{LogEvent, Passage, Sink, StreamId};

use super::bench::{Bench, child, until, whole};

/// What fills a pipe as systems make them.
const FULL: usize = 1 << 16;
const WIDE: usize = 1 << 20;

fn empty() -> Passage {
    Passage::new(tempfile::tempfile().unwrap().into()).unwrap()
}

/// What the keeper holds.
fn held(passage: &Passage) -> [OwnedFd; 3] {
    passage.parts().each_ref().map(|part| part.try_clone().unwrap())
}

fn note(parts: &[OwnedFd; 3]) -> u64 {
    let mut note = [0; 8];
    assert_eq!(rustix::io::pread(&parts[2], &mut note, 0), Ok(8));
    u64::from_ne_bytes(note)
}

/// A passage as a thread leaves it that dies while it moves this.
fn left_behind(id: u64, data: &[u8]) -> [OwnedFd; 3] {
    let parts = held(&empty());
    rustix::io::pwrite(&parts[2], &id.to_ne_bytes(), 0).unwrap();
    assert_eq!(rustix::io::write(&parts[1], data), Ok(data.len()));
    parts
}

/// A stream whose pipe has been full.
fn fast(bench: &Bench, id: u64, sink: Sink) -> PipeWriter {
    let mut pipe = bench.attach(id, sink);
    pipe.write_all(&[b'x'; FULL]).unwrap();
    until(|| rustix::io::ioctl_fionread(&pipe) == Ok(0));
    bench.sync(&[id]);
    pipe
}

#[test]
fn a_stream_with_a_log_asks_for_a_passage_and_leaves_nothing_in_it() {
    let bench = Bench::new();
    let seen = bench.attach(4, Sink { events: true, ..bench.sink("seen", 0, 0) });
    bench.engine.sync(vec![StreamId(4)], 1);
    bench.wait(|event| match event {
        LogEvent::WantsPassage => panic!("what is looked at is read"),
        event => matches!(event, LogEvent::Synced { .. }).then_some(()),
    });
    let mut pipe = bench.attach(5, bench.sink("log", 0, 0));
    bench.wait(|event| matches!(event, LogEvent::WantsPassage).then_some(()));
    let passage = empty();
    let parts = held(&passage);
    bench.engine.set_passage(passage);
    pipe.write_all(b"slow").unwrap();
    bench.sync(&[5]);
    assert_eq!((note(&parts), rustix::io::ioctl_fionread(&parts[0])), (5, Ok(0)));
    assert_eq!(rustix::pipe::fcntl_getpipe_size(&parts[0]), Ok(FULL), "no wider than there is use for");

    let data: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    pipe.write_all(&data).unwrap();
    bench.sync(&[5]);
    let log = fs::read(bench.path("log")).unwrap();
    assert!(log[..4] == *b"slow" && log[4..] == data);
    assert_eq!(rustix::pipe::fcntl_getpipe_size(&parts[0]), Ok(WIDE));

    let mut second = fast(&bench, 6, bench.sink("second", 0, 0));
    second.write_all(b"more").unwrap();
    bench.sync(&[6]);
    assert_eq!((note(&parts), rustix::io::ioctl_fionread(&parts[0])), (6, Ok(0)));
    assert_eq!(fs::read(bench.path("second")).unwrap()[FULL..], *b"more");
    drop(seen);
}

/// A file that somebody else writes to as well is appended to.
#[test]
fn what_cannot_be_moved_on_is_read_out_of_the_passage() {
    let bench = Bench::new();
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    bench.wait(|event| matches!(event, LogEvent::WantsPassage).then_some(()));
    let passage = empty();
    let parts = held(&passage);
    bench.engine.set_passage(passage);
    let mut theirs = fs::OpenOptions::new().append(true).open(bench.path("log")).unwrap();
    let mut expected = Vec::new();
    for round in 0..3 {
        for (who, file) in [("ours", &mut pipe as &mut dyn Write), ("theirs", &mut theirs)] {
            let line = format!("{who} {round}\n");
            file.write_all(line.as_bytes()).unwrap();
            bench.sync(&[1]);
            expected.extend(line.into_bytes());
        }
    }
    assert_eq!(fs::read(bench.path("log")).unwrap(), expected);
    assert_eq!(rustix::io::ioctl_fionread(&parts[0]), Ok(0));
}

#[test]
fn what_a_thread_left_in_a_passage_comes_before_the_rest_of_its_stream() {
    let bench = Bench::new();
    let left = vec![b'l'; FULL];
    let parts = left_behind(1, &left);
    bench
        .engine
        .set_passage(Passage::resume(parts.each_ref().map(|part| part.try_clone().unwrap())).unwrap());
    // Others do without it meanwhile.
    let mut other = fast(&bench, 2, bench.sink("other", 0, 0));
    other.write_all(b"other").unwrap();
    bench.sync(&[2]);
    assert_eq!(fs::read(bench.path("other")).unwrap()[FULL..], *b"other");
    assert_eq!(rustix::io::ioctl_fionread(&parts[0]), Ok(FULL as u64), "it is not theirs");

    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    pipe.write_all(b"and on").unwrap();
    bench.sync(&[1]);
    assert!(fs::read(bench.path("log")).unwrap() == [&left[..], b"and on"].concat());
    other.write_all(b"!").unwrap();
    bench.sync(&[2]);
    assert_eq!(note(&parts), 2, "it is free again");
}

/// The stream may go elsewhere by now.
#[test]
fn what_was_left_goes_where_its_stream_goes() {
    let bench = Bench::new();
    bench.engine.set_passage(Passage::resume(left_behind(1, b"left ")).unwrap());
    let mut pipe = bench.attach(1, Sink { events: true, ..Sink::default() });
    pipe.write_all(b"and on").unwrap();
    let mut told = Vec::new();
    while told.len() < 11 {
        told.extend(bench.wait(|event| match event {
            LogEvent::Chunk { data, .. } => Some(data),
            _ => None,
        }));
    }
    assert_eq!(told, b"left and on");
}

#[test]
fn no_file_gets_much_larger_than_its_limit_however_wide_the_pipe_proc_130_proc_135() {
    let bench = Bench::new();
    let pipe = fast(&bench, 1, bench.sink("log", 200_000, 1000));
    bench.engine.set_passage(empty());
    assert_eq!(rustix::pipe::fcntl_getpipe_size(&pipe), Ok(WIDE));
    let data: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    child(pipe, data.clone()).join().unwrap();
    bench.wait_closed(1);
    assert!(whole(&bench.path("log"))[FULL..] == data);
    for entry in fs::read_dir(bench.dir.path()).unwrap() {
        let size = entry.unwrap().metadata().unwrap().len();
        assert!(size < 200_000 + 128 * 1024, "{size}");
    }
}

/// What all pipes of a user hold together is limited.
#[test]
fn only_some_pipes_are_as_wide_as_pipes_can_be() {
    let bench = Bench::new();
    let width = |pipe: &PipeWriter| rustix::pipe::fcntl_getpipe_size(pipe).unwrap();
    let mut pipes: Vec<_> = (0..9).map(|id| fast(&bench, id, bench.sink(&format!("{id}"), 0, 0))).collect();
    let widths: Vec<_> = pipes.iter().map(width).collect();
    assert_eq!(widths, [&[WIDE; 8][..], &[128 * 1024]].concat());
    drop(pipes.remove(3));
    bench.wait_closed(3);
    assert_eq!(width(&fast(&bench, 9, bench.sink("9", 0, 0))), WIDE, "one has ended");
}

#[test]
fn a_stream_goes_on_without_a_passage_that_is_given_up() {
    let bench = Bench::new();
    bench.engine.set_passage(empty());
    let mut pipe = fast(&bench, 1, bench.sink("log", 0, 0));
    pipe.write_all(b"through it,").unwrap();
    bench.engine.forget_passage();
    pipe.write_all(b" and not").unwrap();
    bench.sync(&[1]);
    let log = fs::read(bench.path("log")).unwrap();
    assert!(log[FULL..] == *b"through it, and not", "{:?}", log.get(FULL..));
}
