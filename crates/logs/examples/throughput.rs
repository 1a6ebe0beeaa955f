//! How fast the log thread is: `throughput [WRITERS] [MIB] [LINE] [MAXBYTES] [DIR]`.
//!
//! Each of WRITERS processes writes MIB mebibytes into a pipe of its own, which the log thread writes to a file of its
//! own in DIR. With LINE > 0 each line of so many bytes is a write of its own (Perl); with LINE 0 the writer is as fast
//! as can be.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "its figures are for whoever runs it")]

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use upkeep_logs::{Engine, LogEvent, MODE_NAMED, RotatingFile, Sink, StreamId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse());
    let (writers, mebibytes, line, maxbytes) = (number(1)?, number(2048)?, number(100)?, number(0)?);
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from).join("upkeep-throughput");
    std::fs::create_dir_all(&dir)?;
    let (sender, events) = mpsc::channel();
    let engine = Engine::start(move |event| drop(sender.send(event)))?;
    let count = mebibytes * 1024 * 1024;
    let begin = Instant::now();
    let mut children = Vec::new();
    for id in 0..writers {
        let file = RotatingFile::open(dir.join(format!("log{id}")), i64::try_from(maxbytes)?, 2, MODE_NAMED)?;
        let (reader, writer) = std::io::pipe()?;
        let script = match count.checked_div(line) {
            None => format!("head -c {count} /dev/zero"),
            Some(lines) => format!("perl -e '$l = \"x\" x {line}; syswrite(STDOUT, $l) for 1..{lines}'"),
        };
        let child = Command::new("sh").args(["-c", &script]).stdout(writer).stdin(Stdio::null()).spawn()?;
        engine.attach(StreamId(id), OwnedFd::from(reader), Sink { file: Some(file), ..Sink::default() });
        children.push(child);
    }
    for _ in 0..writers {
        while !matches!(events.recv()?, LogEvent::Closed { .. }) {}
    }
    let (took, cpu) = (begin.elapsed(), own_cpu()?);
    for mut child in children {
        child.wait()?;
    }
    let gib = (writers * mebibytes) as f64 / 1024.0;
    println!(
        "{writers} writers, {mebibytes} MiB each, lines of {line}: {:.2} GB/s, {:.2} CPU s/GiB",
        gib * 1.073_741_824 / took.as_secs_f64(),
        cpu.as_secs_f64() / gib,
    );
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// User and system time of this process, from `/proc/self/stat`, in ticks of 10 ms.
fn own_cpu() -> Result<Duration, Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::fs::File::open("/proc/self/stat")?.read_to_string(&mut text)?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}
