//! What goes in comes out: whole, raw, and in order.

use std::io::Write;

use upkeep_logs::{LogEvent, Sink, StreamId};

use super::bench::{Bench, child, whole};

fn lines(writer: usize, count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| format!("{writer} {number:097}\n").into_bytes()).collect()
}

#[test]
fn eight_writers_lose_no_byte_proc_130() {
    let bench = Bench::new();
    let children: Vec<_> = (0..8)
        .map(|id| {
            child(
                bench.attach(id, bench.sink(&format!("log{id}"), 0, 0)),
                lines(usize::try_from(id).unwrap(), 20_000),
            )
        })
        .collect();
    let mut open = 8;
    while open > 0 {
        bench.wait(|event| matches!(event, LogEvent::Closed { .. }).then_some(()));
        open -= 1;
    }
    for (id, child) in children.into_iter().enumerate() {
        child.join().unwrap();
        assert!(whole(&bench.path(&format!("log{id}"))) == lines(id, 20_000), "writer {id}");
    }
}

#[test]
fn rotation_under_load_keeps_every_byte_proc_135_136() {
    let bench = Bench::new();
    let data = lines(1, 30_000);
    child(bench.attach(1, bench.sink("log", 100_000, 1000)), data.clone()).join().unwrap();
    bench.wait_closed(1);
    assert!(whole(&bench.path("log")) == data);
    assert!(bench.path("log.3").exists());
}

#[test]
fn streams_that_share_a_file_share_its_rotation_proc_142() {
    let bench = Bench::new();
    let children: Vec<_> = (b'a'..=b'd')
        .map(|byte| child(bench.attach(byte.into(), bench.sink("log", 200_000, 1000)), vec![byte; 1_000_000]))
        .collect();
    children.into_iter().for_each(|child| child.join().unwrap());
    (b'a'..=b'd').for_each(|byte| bench.drain(byte.into()));
    let all = whole(&bench.path("log"));
    for byte in b'a'..=b'd' {
        assert_eq!(all.iter().filter(|&&found| found == byte).count(), 1_000_000);
    }
    assert!(bench.path("log.9").exists() && !bench.path("log.21").exists());
}

#[test]
fn bytes_stay_raw_and_lines_do_not_matter_proc_130() {
    let bench = Bench::new();
    let data: Vec<u8> = (0..64 << 20).map(|at: u32| at.to_le_bytes()[0] | 0x80).collect();
    child(bench.attach(1, bench.sink("log", 0, 0)), data.clone()).join().unwrap();
    bench.wait_closed(1);
    assert!(whole(&bench.path("log")) == data, "64 MiB without a newline, not UTF-8");
}

#[test]
fn a_drain_does_not_wait_for_grandchildren_proc_085() {
    let bench = Bench::new();
    let mut grandchild = bench.attach(1, bench.sink("log", 0, 0));
    grandchild.write_all(b"last words").unwrap();
    bench.drain(1);
    assert_eq!(bench.text("log"), "last words");
    let error = grandchild.write_all(b"nobody listens").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn a_drain_ends_though_somebody_goes_on_writing() {
    let bench = Bench::new();
    let pipe = bench.attach(1, bench.sink("log", 0, 0));
    let mut flood = pipe.try_clone().unwrap();
    let flooder = std::thread::spawn(move || while flood.write_all(&[b'x'; 4096]).is_ok() {});
    bench.drain(1);
    drop(pipe);
    flooder.join().unwrap();
}

#[test]
fn draining_what_is_not_there_is_answered_too() {
    let bench = Bench::new();
    bench.drain(404);
    drop(bench.attach(1, Sink::default()));
    bench.wait_closed(1);
    bench.drain(1);
}

#[test]
fn a_sync_makes_the_bytes_readable() {
    let bench = Bench::new();
    let mut pipe = bench.attach(1, bench.sink("log", 0, 0));
    for round in 0..200 {
        pipe.write_all(b"0123456789").unwrap();
        bench.sync(&[1, 404]);
        assert_eq!(bench.text("log").len(), (round + 1) * 10);
    }
}

#[test]
fn an_id_used_again_is_a_new_stream() {
    let bench = Bench::new();
    let mut old = bench.attach(1, bench.sink("old", 0, 0));
    let mut new = bench.attach(1, bench.sink("new", 0, 0));
    bench.sync(&[]);
    assert!(old.write_all(b"x").is_err());
    new.write_all(b"y").unwrap();
    bench.drain(1);
    assert_eq!(bench.text("new"), "y");
}

#[test]
fn captures_leave_the_log_proc_155_156_158_160() {
    let bench = Bench::new();
    let sink = Sink { capture_maxbytes: 1000, strip_ansi: true, events: true, ..bench.sink("log", 0, 0) };
    let mut pipe = bench.attach(9, sink);
    pipe.write_all(b"a\x1b[1mb<!--XSUPERVISOR:BEGIN-->\x1b[2mdata").unwrap();
    bench.sync(&[9]);
    pipe.write_all(b"!<!--XSUPERVISOR:END-->c<!--XSUPER").unwrap();
    bench.engine.drain(StreamId(9));
    let mut chunks = Vec::new();
    bench.wait(|event| match event {
        LogEvent::Captured { id, data, .. } => {
            assert_eq!((id, data.as_slice()), (StreamId(9), b"data!".as_slice()));
            chunks.push("captured".to_owned());
            None
        }
        LogEvent::Chunk { data, .. } => {
            chunks.push(String::from_utf8(data).unwrap());
            None
        }
        LogEvent::Drained { .. } => Some(()),
        _ => None,
    });
    // The first chunk was waited for with the sync.
    assert_eq!(chunks, ["!", "captured", "c", "<!--XSUPER"]);
    assert_eq!(bench.text("log"), "abc<!--XSUPER");
}

#[test]
fn options_change_while_it_lives() {
    let bench = Bench::new();
    let mut pipe = bench.attach(1, Sink { strip_ansi: true, ..bench.sink("one", 0, 0) });
    pipe.write_all(b"a\x1b").unwrap();
    bench.sync(&[1]);
    bench.engine.reconfigure(StreamId(1), bench.sink("two", 3, 1));
    bench.sync(&[]);
    pipe.write_all(b"\x1b[1m").unwrap();
    bench.drain(1);
    assert_eq!(bench.text("one"), "a\x1b");
    assert_eq!(bench.text("two.1"), "\x1b[1m");
    assert_eq!(bench.text("two"), "");
}

#[test]
fn chunks_are_copied_without_a_file_too_proc_153() {
    let bench = Bench::new();
    let mut pipe = bench.attach(3, Sink { copy: true, ..Sink::default() });
    pipe.write_all(b"READY\n").unwrap();
    let data = bench.wait(|event| match event {
        LogEvent::Chunk { id: StreamId(3), data, .. } => Some(data),
        _ => None,
    });
    assert_eq!(data, b"READY\n");
}
