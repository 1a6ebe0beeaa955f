//! What the log says. The logger is one for the whole process: each test looks for lines only it can cause.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, Log, Metadata, Record};

use crate::client::{DEADLINE, call, post};
use crate::stub::{Setup, Up};

struct Journal(Mutex<Vec<(Level, String)>>);

static JOURNAL: Journal = Journal(Mutex::new(Vec::new()));

static ECHO: AtomicBool = AtomicBool::new(false);

/// Shows errors on stderr, for a process that has nobody to look at its journal.
pub(crate) fn echo_errors() {
    ECHO.store(true, Ordering::Relaxed);
    install();
}

impl Log for Journal {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.args().to_string());
        if ECHO.load(Ordering::Relaxed) && line.0 == Level::Error {
            writeln!(std::io::stderr(), "{}", line.1).expect("somebody reads it");
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&JOURNAL).expect("there is no other");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// Waits for a line that holds all of these.
fn wait_for(level: Level, parts: &[&str]) -> String {
    let begun = Instant::now();
    loop {
        let lines = JOURNAL.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fits =
            |(at, line): &&(Level, String)| *at == level && parts.iter().all(|part| line.contains(part));
        if let Some((_, line)) = lines.iter().find(fits) {
            return line.clone();
        }
        assert!(begun.elapsed() < DEADLINE, "no {parts:?} in {lines:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn calls_proc_321() {
    install();
    let up = Up::plain();
    up.address.ask(&call("supervisor.sendProcessStdin", &["a", "secret"]));
    wait_for(Level::Trace, &["XML-RPC method called: supervisor.sendProcessStdin()"]);
    wait_for(Level::Trace, &["XML-RPC method supervisor.sendProcessStdin() returned successfully"]);
    up.address.ask(&call("journal.x\ny", &[]));
    wait_for(Level::Trace, &["XML-RPC method journal.x\u{fffd}y() returned fault: [1] UNKNOWN_METHOD"]);
}

#[test]
fn refused_documents_rpc_008_009() {
    install();
    let up = Up::plain();
    up.address.ask(&post(b"<journal>", ""));
    assert_eq!(
        wait_for(Level::Error, &["'<journal>'"]),
        "XML-RPC request data '<journal>' is invalid: unmarshallable"
    );
    up.address.ask(&post(b"<journal/>\n", ""));
    assert_eq!(
        wait_for(Level::Error, &["<journal/>"]),
        "XML-RPC request data '<journal/>\\n' is invalid: no method name"
    );
    let long = "<long>".repeat(1000);
    up.address.ask(&post(long.as_bytes(), ""));
    assert!(wait_for(Level::Error, &["'<long>"]).len() < 1200);
}

#[test]
fn accesses_proc_323() {
    install();
    let unix = Up::plain();
    let answer = unix.address.ask(b"GET /journal?a=b HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\n\r\n");
    let line = wait_for(Level::Trace, &["\"GET /journal?a=b HTTP/1.1\" 404"]);
    assert!(line.starts_with("localhost:0 - - ["), "{line}");
    let length = answer.head.len() + answer.body.len();
    assert!(
        line.ends_with(&format!(" +0000] \"GET /journal?a=b HTTP/1.1\" 404 {length}")),
        "{line} {length}"
    );
    let tcp = Up::start(Setup { tcp: true, ..Setup::default() });
    tcp.address.ask(b"GET /journal-tcp HTTP/1.1\r\n\r\n");
    let line = wait_for(Level::Trace, &["/journal-tcp"]);
    assert!(line.starts_with("127.0.0.1:"), "{line}");
    wait_for(Level::Trace, &["127.0.0.1:Medusa (V1.12) started at ", "\n\tHostname: ", "\n\tPort:"]);
    wait_for(
        Level::Trace,
        &["http.sock:Medusa (V1.12) started", "\n\tHostname: <unix domain socket>\n\tPort:/"],
    );
}
