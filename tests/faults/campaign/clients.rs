//! A client that asks all the time, and how long it waits.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::rig::http::{self, Arg};

/// What the client has seen.
#[derive(Default)]
pub(super) struct Waits {
    pub(super) asked: usize,
    /// Answers that were cut by a death; asked again, they count as one.
    pub(super) cut: usize,
    pub(super) worst: Duration,
    pub(super) fault: Option<String>,
}

/// Asks until `over`; an answer that takes longer than `limit`, or a refused connection, is a fault.
pub(super) fn ask_all_the_time(socket: &Path, limit: Duration, over: &AtomicBool, waits: &Mutex<Waits>) {
    let calls: [(&str, &[Arg<'_>]); 3] = [
        ("supervisor.getState", &[]),
        ("supervisor.getProcessInfo", &[Arg::Text("deaf:deaf_00")]),
        ("supervisor.getAllProcessInfo", &[]),
    ];
    for (method, args) in calls.iter().cycle() {
        let begun = Instant::now();
        let (cut, fault) = ask(socket, method, args);
        let taken = begun.elapsed();
        if over.load(Ordering::Relaxed) {
            return;
        }
        let mut waits = waits.lock().expect("the waits");
        waits.asked += 1;
        waits.cut += cut;
        waits.worst = waits.worst.max(taken);
        let slow = (taken > limit).then(|| format!("{method} was answered after {taken:?}"));
        waits.fault = waits.fault.take().or(fault).or(slow);
        drop(waits);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One answer, asked for again when a death cuts it; a socket that nobody listens on is told.
fn ask(socket: &Path, method: &str, args: &[Arg<'_>]) -> (usize, Option<String>) {
    for cut in 0..50 {
        match http::call(socket, method, args) {
            Ok(answer) if answer.contains("</methodResponse>") => return (cut, None),
            Ok(answer) => return (cut, Some(format!("{method} was answered with {answer:?}"))),
            Err(error) if refused(&error) => return (cut, Some(format!("{method} was refused: {error}"))),
            Err(_) => {}
        }
    }
    (50, Some(format!("{method} was cut again and again")))
}

fn refused(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound)
}
