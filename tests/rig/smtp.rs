//! A mail server of this machine that keeps nothing: it gives what it is sent to the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use super::wait::{PATIENCE, until};

pub(crate) struct MailServer {
    listener: TcpListener,
}

impl MailServer {
    pub(crate) fn start() -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        MailServer { listener }
    }

    /// What clients call `host:port`.
    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().expect("its address").to_string()
    }

    /// Waits for a client and takes its mail: headers, an empty line, text.
    pub(crate) fn receive(&self) -> String {
        let (stream, _) = until("a mail", || self.listener.accept().ok());
        stream.set_nonblocking(false).expect("a stream that waits");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        take(stream)
    }
}

/// The server's side of the conversation (RFC 5321).
fn take(mut stream: TcpStream) -> String {
    let mut input = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut say =
        |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).expect("a client that listens");
    let mut mail = String::new();
    say("220 localhost");
    loop {
        match line(&mut input).split(' ').next().unwrap_or_default() {
            "data" | "DATA" => {
                say("354 go on");
                mail = std::iter::repeat_with(|| line(&mut input) + "\n")
                    .take_while(|line| line != ".\n")
                    .collect();
                say("250 taken");
            }
            "quit" | "QUIT" => {
                say("221 bye");
                return mail;
            }
            _ => say("250 fine"),
        }
    }
}

fn line(input: &mut impl BufRead) -> String {
    let mut line = String::new();
    let count = input.read_line(&mut line).expect("a client that speaks");
    assert!(count > 0, "the client has gone without a word");
    line.trim_end().to_owned()
}
