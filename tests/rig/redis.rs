//! A Redis server of our own on a unix socket, and as much of its protocol as the tests speak.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::home::Home;
use super::wait::until;

pub(crate) struct Server {
    home: Home,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Server {
        let home = Home::new();
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(home.join("redis.sock"))
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server, which `cargo xtask setup` installs");
        let server = Server { home, child };
        until("Redis to listen", || UnixStream::connect(server.socket()).ok());
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join("redis.sock")
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = UnixStream::connect(self.socket()).expect("Redis");
        Connection { input: BufReader::new(stream.try_clone().expect("a descriptor")), output: stream }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Int(i64),
    Text(String),
    Nil,
    List(Vec<Reply>),
}

pub(crate) struct Connection {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Connection {
    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.output.write_all(request.as_bytes()).expect("Redis");
        self.reply()
    }

    pub(crate) fn int(&mut self, words: &[&str]) -> i64 {
        match self.ask(words) {
            Reply::Int(number) => number,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    pub(crate) fn texts(&mut self, words: &[&str]) -> Vec<String> {
        let Reply::List(items) = self.ask(words) else { panic!("{words:?}: not a list") };
        items
            .into_iter()
            .map(|item| if let Reply::Text(text) = item { text } else { panic!("{item:?}") })
            .collect()
    }

    fn reply(&mut self) -> Reply {
        let line = self.line();
        let (kind, rest) = line.split_at(1);
        match kind {
            "+" => Reply::Text(rest.to_owned()),
            ":" => Reply::Int(rest.parse().expect("a number")),
            "$" => self.bulk(rest.parse().expect("a length")),
            "*" => Reply::List((0..rest.parse::<usize>().unwrap_or(0)).map(|_| self.reply()).collect()),
            _ => panic!("Redis says {line}"),
        }
    }

    fn bulk(&mut self, length: i64) -> Reply {
        let Ok(length) = usize::try_from(length) else { return Reply::Nil };
        let mut text = vec![0; length + 2];
        self.input.read_exact(&mut text).expect("Redis");
        text.truncate(length);
        Reply::Text(String::from_utf8(text).expect("UTF-8"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("Redis");
        line.trim_end().to_owned()
    }
}
