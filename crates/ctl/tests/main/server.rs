//! A server that answers as a test wants: what the original daemon cannot be brought to say.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use tempfile::TempDir;
use upkeep_api::xmlrpc::{ReadLimits, Value, decode_call};

/// Answers by method and first argument, on `s` in the directory, until the process ends. Gives its URL.
pub(crate) fn serve(
    dir: &TempDir,
    answer: impl Fn(&str, &str) -> Vec<u8> + Clone + Send + 'static,
) -> String {
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).expect("bind");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || talk(stream.expect("accept"), &answer));
        }
    });
    format!("unix://{}", path.display())
}

/// One connection; the original's client makes several calls on it.
fn talk(mut stream: UnixStream, answer: &impl Fn(&str, &str) -> Vec<u8>) {
    while let Some(request) = read_request(&mut stream) {
        let start = request.windows(4).position(|window| window == b"\r\n\r\n").expect("head") + 4;
        let (method, params) = decode_call(&request[start..], ReadLimits::REQUEST).expect("call");
        let body = answer(&method, params.first().and_then(Value::as_str).unwrap_or_default());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        // A client that went away wants no answer.
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    }
}

fn read_request(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"</methodCall>\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    Some(bytes)
}
