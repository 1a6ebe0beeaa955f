//! Backpressure: who is slow makes nobody wait but who writes to it.

use std::fs::{self, File};
use std::io::{PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use upkeep_logs::{LogEvent, Sink, StreamId};

use super::bench::{Bench, child, until};

/// A fifo of the bench's directory, with a reader that reads nothing yet.
fn fifo(bench: &Bench) -> File {
    let path = bench.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Both ways, so that it opens at once; nobody else writes.
    fs::File::options().read(true).write(true).open(&path).unwrap()
}

/// Writes for ever and counts.
fn flood(mut pipe: PipeWriter) -> (Arc<AtomicU64>, JoinHandle<()>) {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let thread = std::thread::spawn(move || {
        while pipe.write_all(&[b'x'; 4096]).is_ok() {
            counter.fetch_add(4096, Ordering::Relaxed);
        }
    });
    (count, thread)
}

#[test]
fn a_flood_does_not_starve_a_line() {
    let bench = Bench::new();
    let floods: Vec<_> = (0..4).map(|id| flood(bench.attach(id, Sink::default()))).collect();
    let mut quiet = bench.attach(9, Sink { copy: true, ..Sink::default() });
    for _ in 0..50 {
        quiet.write_all(b"line\n").unwrap();
        bench.wait(|event| matches!(event, LogEvent::Chunk { .. }).then_some(()));
    }
    for (id, (count, thread)) in floods.into_iter().enumerate() {
        until(|| count.load(Ordering::Relaxed) > 1 << 20);
        bench.drain(id as u64);
        thread.join().unwrap();
    }
}

/// Pieces of a size that leaves a gap at the end of a page never fill a pipe to its last byte.
#[test]
fn a_pipe_that_its_writer_fills_is_made_wider() {
    let bench = Bench::new();
    for (id, size, widened) in [(1, 100, false), (2, 20_000, false), (3, 65_500, true), (4, 65_536, true)] {
        let mut pipe = bench.attach(id, bench.sink("log", 0, 0));
        let before = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap();
        pipe.write_all(&vec![b'x'; size]).unwrap();
        until(|| rustix::io::ioctl_fionread(&pipe) == Ok(0));
        bench.sync(&[id]);
        let after = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap();
        assert_eq!((size, after > before), (size, widened));
    }
}

#[test]
fn a_full_fifo_holds_up_only_its_own_writer() {
    let bench = Bench::new();
    let mut reader = fifo(&bench);
    let data: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    let slow = child(bench.attach(1, bench.sink("fifo", 0, 0)), data.clone());
    let second = child(bench.attach(2, bench.sink("log", 0, 0)), data.clone());
    second.join().unwrap();
    bench.wait_closed(2);
    assert!(fs::read(bench.path("log")).unwrap() == data);
    assert!(!slow.is_finished(), "nobody reads the fifo");
    let mut through = vec![0; data.len()];
    reader.read_exact(&mut through).unwrap();
    assert!(through == data, "the fifo's writer went on where it stopped");
    slow.join().unwrap();
    bench.wait_closed(1);
}

#[test]
fn a_fifo_that_nobody_reads_delays_neither_drain_nor_shutdown() {
    let bench = Bench::new();
    let reader = fifo(&bench);
    let mut pipe = bench.attach(1, bench.sink("fifo", 0, 0));
    let mut flooder = pipe.try_clone().unwrap();
    let flooding = std::thread::spawn(move || while flooder.write_all(&[b'x'; 4096]).is_ok() {});
    bench.sync(&[1]);
    bench.drain(1);
    flooding.join().unwrap();
    assert!(pipe.write_all(b"x").is_err());
    assert!(bench.engine.shutdown());
    drop(reader);
}

#[test]
fn a_stream_waits_until_its_chunks_have_been_looked_at() {
    let bench = Bench::new();
    let (count, flooding) = flood(bench.attach(1, Sink { events: true, ..Sink::default() }));
    let mut quiet = bench.attach(2, Sink { copy: true, ..Sink::default() });
    let mut held = Vec::new();
    let mut size = 0;
    while size <= 1 << 20 {
        bench.wait(|event| match event {
            LogEvent::Chunk { id: StreamId(1), data, lease, .. } => {
                size += data.len();
                held.push(lease);
                Some(())
            }
            _ => None,
        });
    }
    quiet.write_all(b"others go on").unwrap();
    bench.wait(|event| match event {
        LogEvent::Chunk { id: StreamId(2), .. } => Some(()),
        // Whoever drops a lease lets the flood go on: keep them.
        LogEvent::Chunk { lease, .. } => {
            held.push(lease);
            None
        }
        _ => None,
    });
    // At most the limit, one chunk, and what fits into the pipe.
    let stopped = count.load(Ordering::Relaxed);
    assert!(stopped < 3 << 20, "{stopped}");
    held.clear();
    until(|| {
        while let Ok(event) = bench.events.try_recv() {
            drop(event);
        }
        count.load(Ordering::Relaxed) > 8 << 20
    });
    bench.drain(1);
    flooding.join().unwrap();
}

/// What of a capture is still to be kept elsewhere is bounded too, ended or not.
#[test]
fn a_capture_waits_until_what_was_told_has_been_looked_at() {
    let bench = Bench::new();
    let mut pipe = bench.attach(1, Sink { capture_maxbytes: 100_000, ..bench.sink("log", 0, 0) });
    pipe.write_all(b"<!--XSUPERVISOR:BEGIN-->").unwrap();
    let (count, flooding) = flood(pipe);
    let (mut held, mut told) = (Vec::new(), 0);
    while told <= 1 << 20 {
        bench.wait(|event| match event {
            LogEvent::Capturing { data, lease, .. } => {
                told += data.len();
                held.push(lease);
                Some(())
            }
            _ => None,
        });
    }
    let stopped = count.load(Ordering::Relaxed);
    assert!(stopped < 3 << 20, "{stopped}");
    bench.sync(&[]);
    assert!(!flooding.is_finished());
    held.clear();
    until(|| {
        while bench.events.try_recv().is_ok() {}
        count.load(Ordering::Relaxed) > 8 << 20
    });
    bench.drain(1);
    flooding.join().unwrap();
}
