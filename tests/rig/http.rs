//! Raw HTTP over a unix socket: neither of the two clients under test is used to test the daemon.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A value in a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Text(&'a str),
    Int(i64),
    Bool(bool),
}

impl Arg<'_> {
    fn xml(self) -> String {
        match self {
            Arg::Text(text) => {
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                format!("<string>{text}</string>")
            }
            Arg::Int(number) => format!("<int>{number}</int>"),
            Arg::Bool(flag) => format!("<boolean>{}</boolean>", u8::from(flag)),
        }
    }
}

/// The body of a call of `method`.
pub(crate) fn call_xml(method: &str, args: &[Arg<'_>]) -> String {
    let params: String =
        args.iter().map(|arg| format!("<param><value>{}</value></param>", arg.xml())).collect();
    format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    )
}

/// Calls `method` and returns the answer's body.
pub(crate) fn call(socket: &Path, method: &str, args: &[Arg<'_>]) -> std::io::Result<String> {
    Ok(post(socket, &call_xml(method, args))?.body)
}

/// Posts `body` to /RPC2.
pub(crate) fn post(socket: &Path, body: &str) -> std::io::Result<Answer> {
    exchange(socket, &post_request(body))
}

/// The request that posts `body` to /RPC2.
pub(crate) fn post_request(body: &str) -> String {
    format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends `request` as it is and reads one answer that tells its length.
pub(crate) fn exchange(socket: &Path, request: &str) -> std::io::Result<Answer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    converse(stream, request)
}

/// The same by TCP, on a port of this machine.
pub(crate) fn exchange_tcp(port: u16, request: &str) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    converse(stream, request)
}

/// A port of this machine that nobody uses.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

/// Sends `request` on a connection, which may stay for another one, and reads the answer.
pub(crate) fn converse(mut stream: impl Read + Write, request: &str) -> std::io::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    let mut input = Vec::new();
    let head_end = loop {
        if let Some(at) = find(&input, b"\r\n\r\n") {
            break at + 4;
        }
        read_some(&mut stream, &mut input)?;
    };
    let head = String::from_utf8_lossy(&input[..head_end]).into_owned();
    let told = header(&head, "content-length").and_then(|value| value.parse::<usize>().ok());
    // The answer to HEAD tells a length and has no body.
    let length = told.filter(|_| !request.starts_with("HEAD ")).unwrap_or(0);
    while input.len() < head_end + length {
        read_some(&mut stream, &mut input)?;
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&input[head_end..head_end + length]).into_owned(),
        head,
    })
}

/// The value of a header, its name in lower case.
pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.to_ascii_lowercase() == name).then(|| value.trim().to_owned())
    })
}

fn read_some(stream: &mut impl Read, input: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 65536];
    match stream.read(&mut buffer)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        count => {
            input.extend_from_slice(&buffer[..count]);
            Ok(())
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
